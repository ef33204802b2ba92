//! What the client makes of the twin's answers.

use std::time::{Duration, Instant};

use reqwest::Url;
use serde_json::json;

use super::super::twin::TwinLimits;
use super::super::{Button, MessageId, OutgoingMessage, Telegram, TelegramError, TextFormat};
use super::world::{SECRET, TOKEN, World, message};

/// An error with all its causes, as a log would show it.
fn shown(error: &TelegramError) -> String {
    let mut shown = format!("{error:?} {error}");
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        shown.push_str(&format!(" {error:?} {error}"));
        cause = error.source();
    }
    shown
}

#[tokio::test]
async fn the_token_tells_who_we_are() {
    let world = World::new(TwinLimits::default()).await;
    let bot = world.client().identity().await.unwrap();
    assert_eq!((bot.id, bot.username.as_str()), (77, "sandbox_77_bot"));
}

#[tokio::test]
async fn a_webhook_is_registered_with_all_that_was_asked_for() {
    let mut world = World::new(TwinLimits::default()).await;
    world.webhook().await;
    let info = world.get("webhook").await;
    assert!(info["url"].as_str().unwrap().ends_with("/hook"), "{info}");
    assert_eq!(info["max_connections"], 40);
    assert_eq!(
        info["allowed_updates"],
        json!(["message", "callback_query", "my_chat_member", "chat_join_request", "chat_member"])
    );
    assert_eq!(info["bot"], json!({ "id": 77, "username": "sandbox_77_bot" }));

    let url = Url::parse("https://example.com/").unwrap();
    let error = world.client().register_webhook(&url, "two words", &[], 40).await.unwrap_err();
    assert!(matches!(error, TelegramError::Rejected { operation: "setWebhook", .. }), "{error:?}");
}

#[tokio::test]
async fn a_message_arrives_as_it_was_meant() {
    let world = World::new(TwinLimits::NONE).await;
    let client = world.client_known_to(&[5]).await;
    let formatted = OutgoingMessage {
        text: "Your code: <b>SAVE10</b> &amp; more".to_owned(),
        format: Some(TextFormat::Html),
        reply_to: Some(1),
        silent: true,
        ..message(5, "")
    };
    assert_eq!(client.send_message(&formatted).await.unwrap(), MessageId(2));
    assert_eq!(client.send_message(&message(5, "<b>as it is</b>")).await.unwrap(), MessageId(3));

    let transcript = world.get("chats/5/messages").await;
    let [said, first, second] = transcript["messages"].as_array().unwrap().as_slice() else { panic!("{transcript}") };
    assert_eq!((&said["from"], &said["text"]), (&json!("person"), &json!("/start")));
    assert_eq!(first["text"], "Your code: SAVE10 & more");
    assert_eq!(first["entities"], json!([{ "type": "bold", "offset": 11, "length": 6 }]));
    assert_eq!((&first["reply_to"], &first["silent"]), (&json!(1), &json!(true)));
    assert_eq!(second["text"], "<b>as it is</b>");
    assert_eq!(second["entities"], json!(null));
}

#[tokio::test]
async fn the_answer_to_a_deleted_message_is_sent_all_the_same() {
    let world = World::new(TwinLimits::NONE).await;
    let client = world.client_known_to(&[5]).await;
    let answer = OutgoingMessage { reply_to: Some(999), ..message(5, "hello") };
    client.send_message(&answer).await.unwrap();
    assert_eq!(world.bot_texts(5).await, ["hello"]);
}

#[tokio::test]
async fn people_out_of_reach_are_gone_and_not_an_alarm() {
    let world = World::new(TwinLimits::default()).await;
    let client = world.client_known_to(&[5]).await;
    world.post("chats/5/block", json!({})).await;
    for (chat, expected) in [(5, "blocked by the user"), (6, "chat not found"), (-100, "chat not found")] {
        let error = client.send_message(&message(chat, "hello")).await.unwrap_err();
        assert!(
            matches!(&error, TelegramError::RecipientGone { reason, .. } if reason.contains(expected)),
            "{error:?}"
        );
    }
    world.post("chats/5/unblock", json!({})).await;
    client.send_message(&message(5, "welcome back")).await.unwrap();
}

#[tokio::test]
async fn a_message_that_can_never_be_sent_is_rejected() {
    let world = World::new(TwinLimits::NONE).await;
    let client = world.client_known_to(&[5]).await;
    let html = |text: &str| OutgoingMessage { format: Some(TextFormat::Html), ..message(5, text) };
    let long = format!("<b>{}</b>", "x".repeat(4096));
    for (rejected, expected) in [
        (message(5, " \n "), "message text is empty"),
        (message(5, &"😀".repeat(2049)), "message is too long"),
        (html(&long.replace("<b>", "<b>x")), "message is too long"),
        (html("<b></b>"), "message text is empty"),
        (html("<b>open"), "can't parse entities"),
    ] {
        let error = client.send_message(&rejected).await.unwrap_err();
        assert!(matches!(&error, TelegramError::Rejected { reason, .. } if reason.contains(expected)), "{error:?}");
    }
    client.send_message(&html(&long)).await.unwrap();
}

#[tokio::test]
async fn one_chat_takes_one_message_a_second() {
    let world = World::new(TwinLimits::default()).await;
    let client = world.client_known_to(&[5, 6]).await;
    client.send_message(&message(5, "one")).await.unwrap();
    let error = client.send_message(&message(5, "two")).await.unwrap_err();
    assert!(matches!(error, TelegramError::RetryAfter { delay, .. } if delay == Duration::from_secs(1)), "{error:?}");
    client.send_message(&message(6, "elsewhere")).await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    client.send_message(&message(5, "two")).await.unwrap();

    assert_eq!(world.bot_texts(5).await, ["one", "two"]);
    let report = world.get("violations").await;
    assert_eq!((&report["count"], &report["violations"][0]["kind"]), (&json!(1), &json!("chat_rate")));
}

#[tokio::test]
async fn thirty_a_second_is_enough_and_then_the_whole_bot_is_silenced() {
    let chats: Vec<i64> = (1..=80).collect();
    let limits = TwinLimits { per_chat: None, ..TwinLimits::default() };
    let world = World::new(limits).await;
    let client = world.client_known_to(&chats).await;
    let started = Instant::now();
    let mut sent = 0;
    for chat in &chats {
        match client.send_message(&message(*chat, "x")).await {
            Ok(_) => sent += 1,
            Err(error) => {
                assert!(matches!(error, TelegramError::RetryAfter { .. }), "{error:?}");
                break;
            }
        }
    }
    let allowed = 30.0 + 31.0 * started.elapsed().as_secs_f64() + 3.0;
    assert!(sent >= 30 && f64::from(sent) <= allowed, "{sent} of {allowed}");
    tokio::time::sleep(Duration::from_millis(200)).await;
    client.send_message(&message(1, "too soon")).await.unwrap_err();
    let report = world.get("violations").await;
    let kinds: Vec<_> = report["violations"].as_array().unwrap().iter().map(|v| &v["kind"]).collect();
    assert_eq!(kinds, [&json!("sent_while_silenced"), &json!("bot_rate")]);
    tokio::time::sleep(Duration::from_secs(1)).await;
    client.send_message(&message(1, "in time")).await.unwrap();
}

#[tokio::test]
async fn an_ordered_429_tells_the_delay_and_silences_the_bot() {
    let world = World::new(TwinLimits::NONE).await;
    let client = world.client_known_to(&[5]).await;
    world.order_fault("sendMessage", 1, json!({ "status": 429, "retry_after": 1 })).await;
    for _ in 0..2 {
        let error = client.send_message(&message(5, "x")).await.unwrap_err();
        assert!(matches!(error, TelegramError::RetryAfter { delay, .. } if delay.as_secs() == 1));
    }
    client.identity().await.unwrap();
    tokio::time::sleep(Duration::from_millis(1_050)).await;
    client.send_message(&message(5, "x")).await.unwrap();
    assert_eq!(world.get("violations").await["count"], 0, "the second was on its way already");
}

#[tokio::test]
async fn their_failures_are_reported_at_once_and_used_up() {
    let world = World::new(TwinLimits::NONE).await;
    let client = world.client_known_to(&[5]).await;
    world.order_fault("*", 2, json!({ "status": 500 })).await;
    let started = Instant::now();
    for _ in 0..2 {
        let error = client.send_message(&message(5, "x")).await.unwrap_err();
        assert!(matches!(error, TelegramError::Unavailable { .. }), "{error:?}");
        assert!(error.is_transient());
    }
    assert!(started.elapsed() < Duration::from_secs(2));
    client.send_message(&message(5, "x")).await.unwrap();
    assert_eq!(world.bot_texts(5).await, ["x"]);
}

#[tokio::test]
async fn a_photo_has_a_caption_and_buttons() {
    let world = World::new(TwinLimits::NONE).await;
    let client = world.client_known_to(&[5]).await;
    let button = |url: &str| vec![vec![Button::Link { text: "Open".to_owned(), url: Url::parse(url).unwrap() }]];
    let with = |photo: &str, text: &str| OutgoingMessage {
        photo: Some(photo.to_owned()),
        buttons: button("https://example.com/a"),
        format: Some(TextFormat::Html),
        ..message(5, text)
    };
    client.send_message(&with("https://example.com/gold.png", "<b>Gold</b>")).await.unwrap();
    client.send_message(&with("AgACAgIAAxkB-_9", &"x".repeat(1024))).await.unwrap();
    client
        .send_message(&OutgoingMessage { buttons: button("http://example.com/b"), ..message(5, "plain") })
        .await
        .unwrap();
    let shown = world.get("chats/5/messages").await["messages"].clone();
    assert_eq!((&shown[1]["photo"], &shown[1]["text"]), (&json!("https://example.com/gold.png"), &json!("Gold")));
    assert_eq!(shown[1]["entities"][0]["type"], "bold");
    assert_eq!(
        shown[1]["reply_markup"]["inline_keyboard"][0][0],
        json!({ "text": "Open", "url": "https://example.com/a" })
    );
    assert_eq!((&shown[2]["photo"], &shown[3]["photo"]), (&json!("AgACAgIAAxkB-_9"), &json!(null)));
    assert_eq!(shown[3]["reply_markup"]["inline_keyboard"][0][0]["url"], "http://example.com/b");
    for wrong in [
        with("AgACAgIAAxkB-_9", &"x".repeat(1025)),
        with("not a file", "x"),
        with("ftp://example.com/a.png", "x"),
        OutgoingMessage { buttons: button("mailto:a@example.com"), ..message(5, "x") },
        OutgoingMessage { buttons: vec![button("https://example.com/").remove(0); 101], ..message(5, "x") },
    ] {
        let error = client.send_message(&wrong).await.unwrap_err();
        assert!(matches!(error, TelegramError::Rejected { .. }), "{error:?}");
    }
    let counted = world.get("counts/chats").await;
    assert_eq!(counted["messages_from_bots"], json!({ "5": 3 }));
    assert_eq!(world.get("counts/chats?text=plain").await["messages_from_bots"], json!({ "5": 1 }));
}

#[tokio::test]
async fn patience_ends_and_the_message_may_have_arrived() {
    let world = World::new(TwinLimits::NONE).await;
    let client = world.client_known_to(&[5]).await.with_patience(Duration::from_millis(200));
    world.order_fault("sendMessage", 1, json!({ "hang_ms": 1_000 })).await;
    let error = client.send_message(&message(5, "x")).await.unwrap_err();
    assert!(matches!(error, TelegramError::Unavailable { .. }), "{error:?}");
    assert!(error.may_have_been_delivered());
    assert_eq!(world.bot_texts(5).await, ["x"]);
}

#[tokio::test]
async fn an_answer_lost_on_the_way_may_stand_for_a_message_that_arrived() {
    let world = World::new(TwinLimits::NONE).await;
    let client = world.client_known_to(&[5]).await;
    world.order_fault("sendMessage", 1, json!({ "accept_then_drop": true })).await;
    let error = client.send_message(&message(5, "x")).await.unwrap_err();
    assert!(matches!(error, TelegramError::Unavailable { .. }), "{error:?}");
    assert!(error.may_have_been_delivered());
    assert_eq!(world.bot_texts(5).await, ["x"]);
}

#[tokio::test]
async fn the_token_is_never_shown() {
    let world = World::new(TwinLimits::NONE).await;
    let client = world.client_known_to(&[5]).await;
    let mut errors = Vec::new();

    world.order_fault("*", 1, json!({ "accept_then_drop": true })).await;
    errors.push(client.identity().await.unwrap_err());
    world.order_fault("*", 1, json!({ "hang_ms": 500 })).await;
    let hasty = client.clone().with_patience(Duration::from_millis(50));
    errors.push(hasty.identity().await.unwrap_err());
    for status in [429, 403, 404, 500] {
        let error =
            if status == 429 { json!({ "status": 429, "retry_after": 1 }) } else { json!({ "status": status }) };
        world.order_fault("*", 1, error).await;
        errors.push(client.identity().await.unwrap_err());
    }
    for address in ["http://127.0.0.1:1/", "mailto:nobody@example.com", "ftp://127.0.0.1/", "http://[::1]:1/?a=b#c"] {
        let address = Url::parse(address).unwrap();
        let client = Telegram::new(TOKEN, Some(address), world.http.clone());
        let error = client.identity().await.unwrap_err();
        assert!(!error.may_have_been_delivered(), "{error:?}");
        errors.push(error);
    }
    let stranger = Telegram::new("77:another-secret", Some(world.address.clone()), world.http.clone());
    let error = stranger.identity().await.unwrap_err();
    assert!(matches!(&error, TelegramError::Rejected { reason, .. } if reason == "Unauthorized"));
    errors.push(error);

    assert_eq!(errors.len(), 11);
    for error in errors {
        assert_eq!(error.operation(), "getMe");
        let shown = shown(&error);
        assert!(!shown.contains("secret") && !shown.contains("/bot"), "{shown}");
    }
    let shown = format!("{client:?} {:?} {:?}", world.twin, message(123_456, SECRET));
    assert!(!shown.contains("secret") && !shown.contains("123456"), "{shown}");
}

#[test]
fn an_outgoing_message_can_be_kept_as_json() {
    let kept = OutgoingMessage { format: Some(TextFormat::Html), reply_to: Some(3), ..message(5, "x") };
    let json = json!({ "chat_id": 5, "text": "x", "format": "html", "reply_to": 3, "silent": false });
    assert_eq!(serde_json::to_value(&kept).unwrap(), json);
    assert!(serde_json::from_value::<OutgoingMessage>(json).unwrap() == kept);
}
