//! The menus of commands.

use serde_json::{Value, json};

use super::super::TelegramError;
use super::super::twin::TwinLimits;
use super::world::World;

async fn menu(world: &World, chat: i64) -> Vec<String> {
    let menu = world.get(&format!("chats/{chat}/commands")).await;
    let commands = menu["commands"].as_array().unwrap().iter();
    commands.map(|command| format!("{} {}", command["command"], command["description"]).replace('"', "")).collect()
}

#[tokio::test]
async fn each_person_sees_the_menu_of_their_chat_and_language() {
    let world = World::new(TwinLimits::NONE).await;
    let client = world.client_known_to(&[5]).await;
    for (chat, language) in [(6, "de"), (7, "pt-br"), (8, "de")] {
        let person = json!({ "text": "/start", "language_code": language });
        world.post(&format!("chats/{chat}/messages"), person).await;
    }
    assert_eq!(menu(&world, 5).await, [""; 0]);
    client.set_commands(&[("help", "Get help"), ("redeem", "Redeem a code")], None, None).await.unwrap();
    client.set_commands(&[("help", "Hilfe")], Some("de"), None).await.unwrap();
    client.set_commands(&[("admin", "Rule")], None, Some(8)).await.unwrap();
    client.set_commands(&[("admin", "Rule the world")], None, Some(8)).await.unwrap();
    assert_eq!(menu(&world, 5).await, ["help Get help", "redeem Redeem a code"]);
    assert_eq!(menu(&world, 6).await, ["help Hilfe"]);
    assert_eq!(menu(&world, 7).await, ["help Get help", "redeem Redeem a code"]);
    assert_eq!(menu(&world, 8).await, ["admin Rule the world"], "the chat goes before the language");
    client.set_commands(&[], None, Some(8)).await.unwrap();
    assert_eq!(menu(&world, 8).await, ["help Hilfe"]);
    let (_, kept) = world.call("getMyCommands", json!({ "language_code": "de" })).await;
    assert_eq!(kept["result"], json!([{ "command": "help", "description": "Hilfe" }]));
}

#[tokio::test]
async fn a_menu_that_telegram_does_not_take_is_rejected() {
    let world = World::new(TwinLimits::NONE).await;
    let client = world.client_known_to(&[5]).await;
    let (long, wordy) = ("x".repeat(33), "x".repeat(257));
    for (command, expected) in [
        (("Help", "x"), "BOT_COMMAND_INVALID"),
        (("", "x"), "BOT_COMMAND_INVALID"),
        ((long.as_str(), "x"), "BOT_COMMAND_INVALID"),
        (("help", " "), "BOT_COMMAND_DESCRIPTION_INVALID"),
        (("help", wordy.as_str()), "BOT_COMMAND_DESCRIPTION_INVALID"),
    ] {
        let error = client.set_commands(&[command], None, None).await.unwrap_err();
        assert!(matches!(&error, TelegramError::Rejected { reason, .. } if reason.contains(expected)), "{error:?}");
    }
    let error = client.set_commands(&[("help", "x"); 101], None, None).await.unwrap_err();
    assert!(matches!(&error, TelegramError::Rejected { .. }), "{error:?}");
    let error = client.set_commands(&[("help", "x")], Some("german"), None).await.unwrap_err();
    assert!(matches!(&error, TelegramError::Rejected { .. }), "{error:?}");
    let error = client.set_commands(&[("help", "x")], None, Some(6)).await.unwrap_err();
    assert!(matches!(&error, TelegramError::RecipientGone { .. }), "nobody there: {error:?}");
    for body in [json!({}), json!({ "commands": 7 }), json!({ "commands": [], "scope": { "type": "moon" } })] {
        let (status, answer) = world.call("setMyCommands", body).await;
        assert_eq!((status, &answer["ok"]), (400, &Value::Bool(false)), "{answer}");
    }
    assert_eq!(menu(&world, 5).await, [""; 0]);
}
