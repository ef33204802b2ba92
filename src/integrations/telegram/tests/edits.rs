//! Messages that become others.

use serde_json::json;

use super::super::twin::TwinLimits;
use super::super::{MessageId, OutgoingMessage, TelegramError, TextFormat};
use super::world::{PNG, World, message, press_button};

#[tokio::test]
async fn a_message_gets_another_text_and_other_buttons() {
    let world = World::new(TwinLimits::NONE).await;
    let client = world.client_known_to(&[5]).await;
    let first = OutgoingMessage { buttons: vec![vec![press_button("Redeem", "redeem:7")]], ..message(5, "Gold") };
    let id = client.send_message(&first).await.unwrap();
    let before = world.get("chats/5/messages").await;
    assert_eq!(before["messages"][1]["edited_at"], json!(null));
    let second = OutgoingMessage {
        text: "<b>Really?</b>".to_owned(),
        format: Some(TextFormat::Html),
        buttons: vec![vec![press_button("Yes", "yes:7")], vec![press_button("No", "no:7")]],
        ..message(5, "")
    };
    // The second time nothing changes, which is as good.
    for _ in 0..2 {
        client.edit_message(id, &second).await.unwrap();
    }
    let after = world.get("chats/5/messages").await;
    let shown = &after["messages"][1];
    assert_eq!((&shown["text"], &shown["message_id"]), (&json!("Really?"), &json!(id.0)));
    assert_eq!(shown["entities"], json!([{ "type": "bold", "offset": 0, "length": 7 }]));
    assert_eq!(shown["reply_markup"]["inline_keyboard"][1][0], json!({ "text": "No", "callback_data": "no:7" }));
    assert!(shown["edited_at"].is_string(), "{shown}");
    let revision = |chat: &serde_json::Value| chat["chat"]["revision"].as_i64().unwrap();
    assert_eq!(revision(&after), revision(&before) + 1, "one edit, and one that was none");

    client.edit_message(id, &message(5, "Really?")).await.unwrap();
    let shown = world.messages(5).await[1].clone();
    assert_eq!((&shown["entities"], &shown["reply_markup"]), (&json!(null), &json!(null)));
    assert_eq!(world.messages(5).await.len(), 2);
}

#[tokio::test]
async fn what_cannot_be_edited_is_told_apart() {
    let world = World::new(TwinLimits::NONE).await;
    let client = world.client_known_to(&[5]).await;
    let picture = client.send_picture(&message(5, "card"), PNG.to_vec()).await.unwrap();
    let plain = client.send_message(&message(5, "x")).await.unwrap();
    let error = client.edit_message(MessageId(99), &message(5, "y")).await.unwrap_err();
    assert!(matches!(error, TelegramError::TooLate { operation: "editMessageText", .. }), "{error:?}");
    let long = "x".repeat(4097);
    for (id, text, expected) in [
        (MessageId(1), "y", "message can't be edited"),
        (picture, "y", "there is no text in the message to edit"),
        (plain, "", "message text is empty"),
        (plain, long.as_str(), "MESSAGE_TOO_LONG"),
    ] {
        let error = client.edit_message(id, &message(5, text)).await.unwrap_err();
        assert!(matches!(&error, TelegramError::Rejected { reason, .. } if reason.contains(expected)), "{error:?}");
    }
    let error = client.edit_message(plain, &message(6, "y")).await.unwrap_err();
    assert!(matches!(error, TelegramError::RecipientGone { .. }), "{error:?}");
    world.order_fault("editMessageText", 1, json!({ "status": 429, "retry_after": 30 })).await;
    for _ in 0..2 {
        let error = client.edit_message(plain, &message(5, "y")).await.unwrap_err();
        assert!(matches!(error, TelegramError::RetryAfter { .. }), "a bot that has to be silent: {error:?}");
    }
    world.post("chats/5/block", json!({})).await;
    let error = client.edit_message(plain, &message(5, "y")).await.unwrap_err();
    assert!(matches!(error, TelegramError::RecipientGone { .. }), "{error:?}");
    assert_eq!(world.messages(5).await[2]["text"], "x");
}
