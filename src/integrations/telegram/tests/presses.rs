//! Buttons that report to the bot.

use reqwest::Url;
use serde_json::{Value, json};
use teloxide::types::{Update, UpdateKind};

use super::super::twin::TwinLimits;
use super::super::update::{self, Kind};
use super::super::{AllowedUpdate, OutgoingMessage, TelegramError};
use super::world::{PNG, World, message, press_button};

fn offer(chat: i64) -> OutgoingMessage {
    let buttons = vec![vec![press_button("Redeem", "redeem:7"), press_button("Later", "later:7")]];
    OutgoingMessage { buttons, ..message(chat, "Gold") }
}

#[tokio::test]
async fn a_press_comes_in_order_and_is_answered_once() {
    let mut world = World::new(TwinLimits::NONE).await;
    let webhook = world.webhook().await;
    let client = world.client();
    let person = json!({ "text": "one", "first_name": "Ada", "username": "ada", "language_code": "en" });
    world.post("chats/5/messages", person).await;
    let offered = client.send_message(&offer(5)).await.unwrap();
    let pressed = world.press(5, "redeem:7").await;
    world.say(5, "two").await;
    world.deliver(world.twin.clone());

    let received = webhook.expect(3).await;
    assert_eq!((&received[0]["message"]["text"], &received[2]["message"]["text"]), (&json!("one"), &json!("two")));
    let read = update::read(received[1].to_string().as_bytes()).unwrap();
    assert_eq!((read.update_id, read.chat_id), (pressed["update_id"].as_i64().unwrap(), Some(5)));
    let Kind::Pressed { from, data, callback_id, message_id } = read.kind else { panic!("{:?}", read.kind) };
    assert_eq!((from.id, from.first_name.as_str(), from.language_code.as_deref()), (5, "Ada", Some("en")));
    assert_eq!((data.as_str(), message_id), ("redeem:7", Some(offered.0)));
    assert_eq!(pressed["callback_query_id"], json!(callback_id));
    let theirs: Update = serde_json::from_str(&received[1].to_string()).unwrap();
    let UpdateKind::CallbackQuery(theirs) = theirs.kind else { panic!("{theirs:?}") };
    assert_eq!(theirs.regular_message().unwrap().text(), Some("Gold"));

    assert_eq!(world.messages(5).await[1]["presses"][0]["answered_at"], Value::Null);
    client.answer_press(&callback_id, Some("Noted")).await.unwrap();
    for id in [callback_id.as_str(), "1", "nonsense"] {
        let error = client.answer_press(id, None).await.unwrap_err();
        assert!(matches!(error, TelegramError::TooLate { operation: "answerCallbackQuery", .. }), "{error:?}");
    }
    let shown = world.messages(5).await[1]["presses"][0].clone();
    assert_eq!((&shown["data"], &shown["notice"]), (&json!("redeem:7"), &json!("Noted")));
    assert!(shown["answered_at"].is_string(), "{shown}");
}

#[tokio::test]
async fn the_notice_of_an_answer_may_be_empty_but_not_long() {
    let world = World::new(TwinLimits::NONE).await;
    let client = world.client_known_to(&[5]).await;
    client.send_message(&offer(5)).await.unwrap();
    let press = async || world.press(5, "later:7").await["callback_query_id"].as_str().unwrap().to_owned();
    let id = press().await;
    let error = client.answer_press(&id, Some(&"x".repeat(201))).await.unwrap_err();
    assert!(matches!(error, TelegramError::Rejected { .. }), "{error:?}");
    assert_eq!(world.get("counts").await["presses_unanswered"], 1);
    client.answer_press(&id, Some(&"x".repeat(200))).await.unwrap();
    client.answer_press(&press().await, None).await.unwrap();
    let counts = world.get("counts").await;
    assert_eq!((&counts["presses"], &counts["presses_unanswered"]), (&json!(2), &json!(0)));
    let other = super::super::Telegram::new("88:x", Some(world.address.clone()), world.http.clone());
    let error = other.answer_press(&press().await, None).await.unwrap_err();
    assert!(matches!(error, TelegramError::TooLate { .. }), "another bot's press: {error:?}");
}

#[tokio::test]
async fn the_button_below_a_picture_tells_of_the_picture() {
    let mut world = World::new(TwinLimits::NONE).await;
    let webhook = world.webhook().await;
    world.say(5, "/start").await;
    world.client().send_picture(&offer(5), PNG.to_vec()).await.unwrap();
    world.press(5, "later:7").await;
    world.deliver(world.twin.clone());
    let update = webhook.expect(2).await[1].to_string();
    let theirs: Update = serde_json::from_str(&update).unwrap();
    let UpdateKind::CallbackQuery(theirs) = theirs.kind else { panic!("{theirs:?}") };
    let below = theirs.regular_message().unwrap();
    assert_eq!((below.caption(), below.photo().unwrap()[0].width), (Some("Gold"), 3));
    assert_eq!(below.reply_markup().unwrap().inline_keyboard[0].len(), 2);
}

#[tokio::test]
async fn only_a_button_that_is_there_can_be_pressed() {
    let world = World::new(TwinLimits::NONE).await;
    let client = world.client_known_to(&[5]).await;
    let first = client.send_message(&offer(5)).await.unwrap();
    let link =
        super::super::Button::Link { text: "Redeem".to_owned(), url: Url::parse("https://example.com/").unwrap() };
    let second = client
        .send_message(&OutgoingMessage {
            buttons: vec![vec![link], vec![press_button("New", "new")]],
            ..message(5, "x")
        })
        .await
        .unwrap();
    let refused = async |path: &str, body: Value| world.post(&format!("chats/{path}"), body).await;
    for (path, body, wanted) in [
        ("5/press", json!({ "data": "redeem" }), 409),
        ("5/press", json!({ "data": "redeem:7", "message_id": second.0 }), 409),
        ("5/press", json!({ "data": "redeem:7", "message_id": 1 }), 409),
        ("6/press", json!({ "data": "redeem:7" }), 404),
        ("5/press", json!({}), 400),
        ("5/press", json!({ "data": "a\0b" }), 400),
        ("5/press", json!({ "data": "redeem:7", "message_id": 0 }), 400),
        ("5/press", json!({ "data": "redeem:7", "force": 9 }), 400),
    ] {
        let (status, answer) = refused(path, body.clone()).await;
        assert_eq!(status, wanted, "{body}: {answer}");
    }
    let (status, pressed) = refused("5/press", json!({ "data": "redeem:7", "message_id": first.0 })).await;
    assert_eq!((status, &pressed["message_id"]), (200, &json!(first.0)), "{pressed}");

    client.edit_message(first, &message(5, "It is over")).await.unwrap();
    assert_eq!(refused("5/press", json!({ "data": "redeem:7" })).await.0, 409, "the button is gone");
    world.post("chats/5/block", json!({})).await;
    assert_eq!(refused("5/press", json!({ "data": "new" })).await.0, 409, "who has blocked the bot");
}

#[tokio::test]
async fn a_bot_that_does_not_ask_for_presses_hears_of_none() {
    let world = World::new(TwinLimits::NONE).await;
    let client = world.client_known_to(&[5]).await;
    client.send_message(&offer(5)).await.unwrap();
    let url = "http://127.0.0.1:1/".parse().unwrap();
    client.register_webhook(&url, "x", &[AllowedUpdate::Message], 40).await.unwrap();
    assert_eq!(world.press(5, "redeem:7").await["update_id"], Value::Null);
    client.register_webhook(&url, "x", &[AllowedUpdate::CallbackQuery], 40).await.unwrap();
    assert!(world.press(5, "redeem:7").await["update_id"].is_i64());
}

#[tokio::test]
async fn what_one_person_does_at_the_same_time_is_delivered_in_the_order_it_is_shown() {
    let mut world = World::new(TwinLimits::NONE).await;
    let webhook = world.webhook().await;
    world.say(5, "/start").await;
    world.client().send_message(&offer(5)).await.unwrap();
    world.deliver(world.twin.clone());
    let (says, presses): (Vec<String>, Vec<Value>) =
        ((0..20).map(|n| n.to_string()).collect(), vec![json!({ "data": "later:7" }); 20]);
    futures_util::future::join(
        futures_util::future::join_all(says.iter().map(|text| world.say(5, text))),
        futures_util::future::join_all(presses.into_iter().map(|body| world.post("chats/5/press", body))),
    )
    .await;
    webhook.expect(41).await;
    let ids = webhook.update_ids();
    assert!(ids.is_sorted(), "{ids:?}");
}
