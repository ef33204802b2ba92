//! What is written to the log: nothing that is secret or about a person.

use std::{
    io,
    sync::{Arc, LazyLock, Mutex},
};

use serde_json::json;
use tracing_subscriber::fmt::MakeWriter;

use crate::world::{BOT_TOKEN, ENTRYLAB, PASSWORD, Send, World, until};

#[derive(Clone, Default)]
struct Captured(Arc<Mutex<Vec<u8>>>);

impl io::Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Captured {
    type Writer = Self;
    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

static CAPTURED: LazyLock<Captured> = LazyLock::new(|| {
    let captured = Captured::default();
    // The client of these tests is not ours to judge.
    let filter = "debug,promostack=trace,reqwest=off,hyper=off,hyper_util=off,h2=off,rustls=off,mio=off";
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_writer(captured.clone()).finish();
    tracing::subscriber::set_global_default(subscriber).unwrap();
    captured
});

/// From now on everything is captured, of all tests in this process.
pub(crate) fn capture() {
    LazyLock::force(&CAPTURED);
}

#[tokio::test]
async fn traces_hold_no_secret_and_no_person() {
    let world = World::new().await;
    let secret = world.webhook_secret().await;
    let token = world.token().await;
    let key = world.key("reporting", &["campaigns:read"]).await;
    let wrong = "hunter2hunter2";
    for body in [
        json!({ "password": wrong }),
        json!({ "name": wrong, "password": 7 }),
        json!({ "name": wrong, "password": "x", wrong: wrong }),
    ] {
        assert!(world.plain("POST", "/api/login").json(&body).answer().await.status.is_client_error());
    }
    world.plain("POST", "/api/login").header("content-type", "application/json").body(wrong).answer().await;
    for path in ["/api/me", "/api/campaigns", "/api/nothing"] {
        for request in [
            world.plain("GET", path).bearer_auth(&token),
            world.plain("GET", path).bearer_auth(&key),
            world.plain("GET", path).bearer_auth(wrong),
            world.plain("GET", path).header("x-api-key", ENTRYLAB),
            world.plain("POST", path).header("cookie", format!("promostack_session={token}")),
        ] {
            request.answer().await;
        }
    }
    let path = world.draft("GOLD10").await.header("location").to_owned();
    world.admin("POST", &format!("{path}/activate")).await.answer().await;
    let telegram_id = 987_654_321;
    crate::webhook::say(&world, 1, telegram_id, "GOLD10").await;
    crate::webhook::say(&world, 2, telegram_id, "GOLD10").await;
    let found = format!("/api/redemptions?telegram_id={telegram_id}");
    until(async || world.get(&found).await.json["items"].as_array().is_some_and(|items| !items.is_empty())).await;
    world.get(&format!("/api/redemptions?telegram_id={telegram_id}x")).await.expect(400, "invalid-input");
    let update =
        world.plain("POST", "/api/telegram-webhook").header("x-telegram-bot-api-secret-token", secret.reveal());
    update.body(format!("{telegram_id}")).answer().await.expect(400, "not-an-update");
    // The replies cannot be delivered here; a try that failed has said so.
    let tried = "select exists (select from jobs where kind in ('telegram_message', 'confirm_redemption') \
                                and last_error is not null)";
    until(async || sqlx::query_scalar(tried).fetch_one(&world.app.pool).await.unwrap()).await;
    world.app.pool.close().await;
    world.get("/api/campaigns").await.expect(503, "database-unavailable");
    world.end().await;

    let text = String::from_utf8(CAPTURED.0.lock().unwrap().clone()).unwrap();
    for word in ["refused", "failed", "database-unavailable"] {
        assert!(text.contains(word), "{word} is in the log");
    }
    for secret in
        [PASSWORD, ENTRYLAB, BOT_TOKEN, "bot-token", wrong, &token, &key, secret.reveal(), "987654321", "Xanthippe"]
    {
        if let Some(at) = text.find(secret) {
            let line = text[..at].rfind('\n').map_or(0, |start| start + 1);
            panic!("{secret} is in the log: {}", &text[line..].lines().next().unwrap_or_default());
        }
    }
}
