//! Telegram's webhook.

use serde_json::json;

use crate::{
    database::Database,
    world::{Answer, Send, World, variables},
};
use promostack::app::Role;

const PATH: &str = "/api/telegram-webhook";
const SECRET: &str = "x-telegram-bot-api-secret-token";

/// A person writes to the bot.
pub(crate) async fn say(world: &World, update_id: i64, user_id: i64, text: &str) -> Answer {
    let update = json!({
        "update_id": update_id,
        "message": {
            "message_id": update_id, "date": 1_800_000_000, "text": text,
            "chat": { "id": user_id, "type": "private", "first_name": "Xanthippe" },
            "from": { "id": user_id, "is_bot": false, "first_name": "Xanthippe", "language_code": "en" },
        },
    });
    let secret = world.webhook_secret().await;
    let answer = world.plain("POST", PATH).header(SECRET, secret.reveal()).json(&update).answer().await;
    assert_eq!((answer.status.as_u16(), &answer.json), (200, &json!({ "ok": true })), "{answer:?}");
    answer
}

#[tokio::test]
async fn an_update_is_taken_from_telegram_only_and_once() {
    let world = World::with(Database::fresh().await, &variables(), Role::Web).await;
    let update = json!({ "update_id": 1, "message": {} });
    world.plain("POST", PATH).json(&update).answer().await.expect(401, "webhook-secret");
    let wrong = world.plain("POST", PATH).header(SECRET, "wrong").json(&update);
    wrong.answer().await.expect(401, "webhook-secret");
    for _ in 0..3 {
        say(&world, 1, 42, "/start").await;
    }
    let jobs = world.get("/api/jobs").await;
    assert_eq!(jobs.json["items"].as_array().unwrap().len(), 1, "{jobs:?}");
    assert_eq!(jobs.json["items"][0]["causation"], "telegram-update:1");

    let secret = world.webhook_secret().await;
    assert!(secret.reveal().len() <= 64);
    for body in ["", "nonsense", "[]", "{}", r#"{"update_id":"1"}"#, "\u{0}"] {
        let answer = world.plain("POST", PATH).header(SECRET, secret.reveal()).body(body).answer().await;
        answer.expect(400, "not-an-update");
    }
    let large = world.plain("POST", PATH).header(SECRET, secret.reveal()).body(vec![b' '; 1024 * 1024 + 1]);
    large.answer().await.expect(413, "body-too-large");
    // What cannot be stored stays with Telegram.
    world.app.pool.close().await;
    let update = json!({ "update_id": 2, "message": {} });
    let kept = world.plain("POST", PATH).header(SECRET, secret.reveal()).json(&update).answer().await;
    kept.expect(503, "database-unavailable");
    world.end().await;
}

#[tokio::test]
async fn without_a_bot_there_is_no_webhook() {
    let mut variables = variables();
    variables.retain(|(name, _)| !name.starts_with("TELEGRAM"));
    let world = World::with(Database::fresh().await, &variables, Role::Web).await;
    let answer = world.plain("POST", PATH).json(&json!({ "update_id": 1 })).answer().await;
    answer.expect(503, "telegram-unavailable");
    assert_eq!(world.plain("GET", "/api/health").answer().await.json["telegram"], "unavailable");
    world.end().await;
}
