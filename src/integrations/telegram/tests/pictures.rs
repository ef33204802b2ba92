//! Pictures that go along with a message.

use std::time::Duration;

use reqwest::Url;
use serde_json::json;

use super::super::twin::TwinLimits;
use super::super::{Button, MessageId, OutgoingMessage, TelegramError, TextFormat};
use super::world::{PNG, World, message, press_button};

#[tokio::test]
async fn a_picture_arrives_with_all_that_is_below_it() {
    let world = World::new(TwinLimits::NONE).await;
    let client = world.client_known_to(&[5]).await;
    let url = Url::parse("https://example.com/card").unwrap();
    let card = OutgoingMessage {
        text: "<b>Gold</b> & more".replace('&', "&amp;"),
        format: Some(TextFormat::Html),
        reply_to: Some(1),
        silent: true,
        photo: Some("does not count".to_owned()),
        buttons: vec![
            vec![press_button("Redeem", "redeem:7"), press_button("Later", "later:7")],
            vec![Button::Link { text: "Open".to_owned(), url }],
        ],
        ..message(5, "")
    };
    assert_eq!(client.send_picture(&card, PNG.to_vec()).await.unwrap(), MessageId(2));
    assert_eq!(client.send_picture(&message(5, ""), PNG.to_vec()).await.unwrap(), MessageId(3));

    let shown = world.messages(5).await;
    assert_eq!((&shown[1]["text"], &shown[1]["reply_to"]), (&json!("Gold & more"), &json!(1)));
    assert_eq!((&shown[1]["silent"], &shown[1]["entities"][0]["type"]), (&json!(true), &json!("bold")));
    let keyboard = json!([
        [{ "text": "Redeem", "callback_data": "redeem:7" }, { "text": "Later", "callback_data": "later:7" }],
        [{ "text": "Open", "url": "https://example.com/card" }],
    ]);
    assert_eq!(shown[1]["reply_markup"]["inline_keyboard"], keyboard);
    let picture = &shown[1]["picture"];
    assert_eq!((&picture["width"], &picture["height"]), (&json!(3), &json!(2)));
    let seen = world.http.get(world.url(picture["path"].as_str().unwrap())).send().await.unwrap();
    assert_eq!(seen.headers()["content-type"], "image/png");
    assert_eq!(seen.bytes().await.unwrap(), PNG);

    let again = OutgoingMessage { photo: shown[1]["photo"].as_str().map(str::to_owned), ..message(5, "again") };
    client.send_message(&again).await.unwrap();
    let shown = world.messages(5).await;
    assert_eq!((&shown[3]["picture"], &shown[2]["picture"]), (&shown[1]["picture"], &shown[1]["picture"]));
    let kept: i64 =
        sqlx::query_scalar("select count(*) from sandbox.telegram_picture").fetch_one(&world.pool).await.unwrap();
    assert_eq!(kept, 1, "the same picture is kept once");
}

#[tokio::test]
async fn a_picture_that_can_never_be_sent_is_rejected() {
    let world = World::new(TwinLimits::NONE).await;
    let client = world.client_known_to(&[5]).await;
    let mut large = PNG.to_vec();
    large.splice(33..33, vec![0; 10 * 1024 * 1024]);
    let mut long = PNG.to_vec();
    long[16..20].copy_from_slice(&9_999_u32.to_be_bytes());
    let caption = "x".repeat(1025);
    for (picture, text, expected) in [
        (PNG.to_vec(), caption.as_str(), "caption is too long"),
        (vec![], "x", "file must be non-empty"),
        (b"<svg/>".to_vec(), "x", "IMAGE_PROCESS_FAILED"),
        (long, "x", "PHOTO_INVALID_DIMENSIONS"),
        (large, "x", "too big for a photo"),
        (vec![0; 20 * 1024 * 1024], "x", "Request Entity Too Large"),
    ] {
        let error = client.send_picture(&message(5, text), picture).await.unwrap_err();
        match &error {
            TelegramError::Rejected { operation: "sendPhoto", reason } => {
                assert!(reason.contains(expected), "{reason}")
            }
            // Who is refused in the middle of sending may see no more than the end of the connection.
            TelegramError::Unavailable { .. } if expected == "Request Entity Too Large" => {}
            _ => panic!("{expected}: {error:?}"),
        }
    }
    world.post("chats/5/block", json!({})).await;
    let error = client.send_picture(&message(5, "x"), PNG.to_vec()).await.unwrap_err();
    assert!(matches!(error, TelegramError::RecipientGone { .. }), "{error:?}");
    let kept: i64 =
        sqlx::query_scalar("select count(*) from sandbox.telegram_picture").fetch_one(&world.pool).await.unwrap();
    assert_eq!((kept, world.messages(5).await.len()), (0, 1), "nothing of it stays");
}

#[tokio::test]
async fn an_upload_is_waited_for_longer() {
    let world = World::new(TwinLimits::NONE).await;
    let client = world.client_known_to(&[5]).await.with_patience(Duration::from_secs(1));
    world.order_fault("sendPhoto", 2, json!({ "hang_ms": 1_300 })).await;
    client.send_picture(&message(5, "x"), PNG.to_vec()).await.unwrap();
    let known = OutgoingMessage { photo: Some("AgACAgIAAxkB-_9".to_owned()), ..message(5, "x") };
    let error = client.send_message(&known).await.unwrap_err();
    assert!(error.may_have_been_delivered(), "{error:?}");
}

#[tokio::test]
async fn failures_on_the_way_are_told_apart_for_pictures_too() {
    let world = World::new(TwinLimits::NONE).await;
    let client = world.client_known_to(&[5]).await;
    let mut large = PNG.to_vec();
    large.splice(33..33, vec![0; 4 * 1024 * 1024]);
    world.order_fault("sendPhoto", 1, json!({ "status": 500 })).await;
    let error = client.send_picture(&message(5, "x"), large.clone()).await.unwrap_err();
    assert!(error.is_transient() && !error.may_have_been_delivered(), "{error:?}");
    world.order_fault("sendPhoto", 1, json!({ "accept_then_drop": true })).await;
    let error = client.send_picture(&message(5, "x"), large.clone()).await.unwrap_err();
    assert!(error.may_have_been_delivered(), "{error:?}");
    assert_eq!(world.messages(5).await.len(), 2);
    world.order_fault("sendPhoto", 1, json!({ "status": 429, "retry_after": 1 })).await;
    let error = client.send_picture(&message(5, "x"), large).await.unwrap_err();
    assert!(matches!(error, TelegramError::RetryAfter { delay, .. } if delay.as_secs() == 1), "{error:?}");
}

#[tokio::test]
async fn a_picture_nobody_sent_is_not_there() {
    let world = World::new(TwinLimits::NONE).await;
    world.client_known_to(&[5]).await;
    let (status, answer) = world.answer(world.http.get(world.url("pictures/sandbox-00"))).await;
    assert_eq!((status, answer["error"].is_string()), (404, true));
}
