//! Webhooks: authenticated, stored, then answered 200; worked afterwards, once.

use promostack::{access, app::App, clock::Clock, config::Config};
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::support::{Process, World, telegram};

async fn secret(world: &World) -> String {
    let url = world.database.url.clone();
    let config = Config::read(false, |name| (name == "DATABASE_URL").then(|| url.clone())).unwrap();
    let app = App::build(config, &url, Clock::system()).unwrap();
    access::telegram_webhook_secret(&app, promostack::bots::Bot::Coupon).await.unwrap().reveal().to_owned()
}

fn update(id: i64, user: i64, text: &str) -> String {
    json!({"update_id": id, "message": {"message_id": id, "date": 1_790_000_000, "text": text,
        "chat": {"id": user, "type": "private", "first_name": "Anna"},
        "from": {"id": user, "is_bot": false, "first_name": "Anna"}}})
    .to_string()
}

async fn deliver(process: &Process, secret: Option<&str>, body: String) -> StatusCode {
    let mut request = process.request(Method::POST, "/api/telegram-webhook").header("content-type", "application/json");
    if let Some(secret) = secret {
        request = request.header("x-telegram-bot-api-secret-token", secret);
    }
    request.body(body).send().await.unwrap().status()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_is_checked_stored_and_takes_effect_once() {
    let world = World::new().await;
    let process = world.process().await;
    world.balancer.to(&[&process.url]);
    let id = process.campaign(json!({"name": "Gold", "code": "GOLD"})).await;
    world.telegram.say(5, "/start").await;
    world.settled().await;
    let secret = secret(&world).await;

    assert_eq!(deliver(&process, None, update(900, 5, "GOLD")).await, 401);
    assert_eq!(deliver(&process, Some("guess"), update(900, 5, "GOLD")).await, 401);
    assert_eq!(deliver(&process, Some(&secret), "{\"update_id\":".to_owned()).await, 400);
    // Twice, at once and late, before and after its neighbours.
    for (update_id, text) in [(901, "GOLD"), (900, "GOLD"), (901, "GOLD"), (900, "GOLD")] {
        assert_eq!(deliver(&process, Some(&secret), update(update_id, 5, text)).await, 200);
    }
    // A business error and what we do not understand are held, so they are 200.
    assert_eq!(deliver(&process, Some(&secret), update(902, 5, "NO-SUCH-CODE")).await, 200);
    assert_eq!(
        deliver(&process, Some(&secret), json!({"update_id": 903, "not_invented_yet": {}}).to_string()).await,
        200
    );
    assert_eq!(deliver(&process, Some(&secret), update(904, 5, "nul \0 and \u{1F600}")).await, 200);
    world.settled().await;
    assert_eq!(deliver(&process, Some(&secret), update(900, 5, "GOLD")).await, 200);
    world.settled().await;
    assert_eq!(process.get(&format!("/api/campaigns/{id}")).await["redeemed"], 2, "900 and 901, once each");
    let said = world.bot_said(5).await;
    assert_eq!(said.len(), 5, "one answer to each of /start, 900, 901, 902 and 904: {said:?}");

    // Even when the inbox has forgotten it: the receipt remembers.
    sqlx::query("delete from inbox").execute(&world.pool).await.unwrap();
    assert_eq!(deliver(&process, Some(&secret), update(900, 5, "GOLD")).await, 200);
    world.settled().await;
    assert_eq!(process.get(&format!("/api/campaigns/{id}")).await["redeemed"], 2);

    // What cannot be stored stays with the sender.
    sqlx::query("alter table jobs rename to jobs_away").execute(&world.pool).await.unwrap();
    assert_eq!(deliver(&process, Some(&secret), update(905, 5, "GOLD")).await, 503);
    sqlx::query("alter table jobs_away rename to jobs").execute(&world.pool).await.unwrap();
    assert_eq!(deliver(&process, Some(&secret), update(905, 5, "GOLD")).await, 200);
    world.settled().await;
    assert_eq!(process.get(&format!("/api/campaigns/{id}")).await["redeemed"], 3);
}

/// Secrets and personal data never reach the logs, whatever goes wrong.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_private_is_logged() {
    let world = World::new().await;
    let process = world.process_with(&[("RUST_LOG", "trace,hyper=info,h2=info")]).await;
    world.balancer.to(&[&process.url]);
    process.campaign(json!({"name": "Gold", "code": "GOLD"})).await;
    let (user, name) = (987_654_321, "Xantippe");
    let say = async |text: &str| {
        let path = format!("/chats/{user}/messages");
        world.telegram.post(&path, &json!({"text": text, "first_name": name})).await;
    };
    for error in [json!({"status": 500}), json!({"status": 429, "retry_after": 1})] {
        world.telegram.post("/faults", &json!({"method": "sendMessage", "times": 1, "error": error})).await;
        say("GOLD").await;
    }
    say("my free text").await;
    world.settled().await;
    assert!(!world.bot_said(user).await.is_empty());
    let secret = secret(&world).await;
    let token = process.token().await.to_owned();
    let output = process.output.lock().unwrap().clone();
    assert!(output.contains("DEBUG"), "there is a lot to look through");
    let bot_token = telegram::TOKEN.split_once(':').unwrap().1;
    for private in
        [&user.to_string(), name, "my free text", &secret, &token, bot_token, crate::support::process::PASSWORD]
    {
        let line = output.lines().find(|line| line.contains(private));
        assert_eq!(line, None, "{private:?} is logged");
    }
}
