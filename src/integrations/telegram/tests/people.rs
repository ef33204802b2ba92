//! The twin's other face.

use serde_json::{Value, json};

use super::super::twin::TwinLimits;
use super::world::{World, message};

#[tokio::test]
async fn before_a_bot_connects_there_is_nobody_to_talk_to() {
    let world = World::new(TwinLimits::default()).await;
    let (status, answer) = world.post("chats/5/messages", json!({ "text": "hello?" })).await;
    assert_eq!(status, 409);
    assert!(answer["error"].as_str().unwrap().contains("no bot has connected"), "{answer}");
}

#[tokio::test]
async fn wrong_input_is_refused_by_the_name_of_its_field() {
    let world = World::new(TwinLimits::default()).await;
    world.client_known_to(&[5]).await;
    let long = "x".repeat(4097);
    let fault = |error: Value| json!({ "method": "getMe", "times": 1, "error": error });
    for (path, body, field) in [
        ("chats/5/messages", json!({}), "text"),
        ("chats/5/messages", json!({ "text": 7 }), "text"),
        ("chats/5/messages", json!({ "text": " \u{0} " }), "text"),
        ("chats/5/messages", json!({ "text": long }), "text"),
        ("chats/5/messages", json!({ "text": "x", "first_name": "" }), "first_name"),
        ("chats/5/messages", json!({ "text": "x", "username": ["a"] }), "username"),
        ("chats/5/messages", json!({ "text": "x", "nickname": "a" }), "nickname"),
        ("chats/0/messages", json!({ "text": "x" }), "chat_id"),
        ("chats/-5/messages", json!({ "text": "x" }), "chat_id"),
        ("chats/9223372036854775807/messages", json!({ "text": "x" }), "chat_id"),
        ("chats/five/block", json!({}), "chat_id"),
        ("faults", json!({ "times": 1, "error": {} }), "method"),
        ("faults", json!({ "method": "sendPigeon", "error": {} }), "method"),
        ("faults", json!({ "method": "getMe", "times": 0, "error": { "status": 500 } }), "times"),
        ("faults", json!({ "method": "getMe" }), "error"),
        ("faults", fault(json!({})), "error.status"),
        ("faults", fault(json!({ "status": 200 })), "error.status"),
        ("faults", fault(json!({ "status": 500, "hang_ms": 5 })), "error.status"),
        ("faults", fault(json!({ "status": 429 })), "error.retry_after"),
        ("faults", fault(json!({ "status": 500, "retry_after": 1 })), "error.retry_after"),
        ("faults", fault(json!({ "hang_ms": "long" })), "error.hang_ms"),
        ("faults", fault(json!({ "status": 500, "colour": 1 })), "error.colour"),
    ] {
        let (status, answer) = world.post(path, body.clone()).await;
        assert_eq!((status, &answer["field"]), (400, &json!(field)), "{body} {answer}");
        assert!(answer["error"].as_str().unwrap().starts_with(field), "{answer}");
    }
    for body in [json!(7), json!([]), json!("text")] {
        let (status, answer) = world.post("chats/5/messages", body).await;
        assert_eq!((status, &answer["error"]), (400, &json!("the body must be a JSON object")));
    }
}

#[tokio::test]
async fn what_does_not_exist_is_said_not_to() {
    let world = World::new(TwinLimits::default()).await;
    world.client_known_to(&[5]).await;
    for path in ["chats/6/messages", "nowhere", "chats?bot=1", "chats/5/messages/1"] {
        let (status, answer) = world.answer(world.http.get(world.url(path))).await;
        assert_eq!(status, 404, "{path}");
        assert!(answer["error"].is_string(), "{answer}");
    }
    let (status, _) = world.post("chats/6/block", json!({})).await;
    assert_eq!(status, 404);
    let (status, answer) = world.answer(world.http.get(world.url("chats?bot=x"))).await;
    assert_eq!((status, answer["error"].is_string()), (400, true));
}

#[tokio::test]
async fn who_has_blocked_the_bot_cannot_talk_to_it() {
    let world = World::new(TwinLimits::default()).await;
    world.client_known_to(&[5]).await;
    world.post("chats/5/block", json!({})).await;
    let (status, answer) = world.post("chats/5/messages", json!({ "text": "hey" })).await;
    assert_eq!(status, 409, "{answer}");
    assert_eq!(world.get("chats/5/messages").await["chat"]["blocked"], true);
}

#[tokio::test]
async fn chats_and_transcripts_are_listed() {
    let world = World::new(TwinLimits::NONE).await;
    let client = world.client_known_to(&[5, 6]).await;
    for n in 1..=5 {
        client.send_message(&message(5, &n.to_string())).await.unwrap();
    }
    let chats = world.get("chats").await["chats"].clone();
    assert_eq!((&chats[0]["chat_id"], &chats[0]["last_text"]), (&json!(5), &json!("5")));
    assert_eq!((&chats[1]["chat_id"], &chats[1]["first_name"]), (&json!(6), &json!("Person 6")));

    let ids = |part: &Value| -> Vec<i64> {
        part["messages"].as_array().unwrap().iter().map(|m| m["message_id"].as_i64().unwrap()).collect()
    };
    assert_eq!(ids(&world.get("chats/5/messages?limit=2").await), [5, 6]);
    assert_eq!(ids(&world.get("chats/5/messages?after=2&limit=2").await), [3, 4]);
    assert_eq!(ids(&world.get("chats/5/messages?after=6").await), [0_i64; 0]);

    let counts = world.get("counts").await;
    assert_eq!((&counts["messages_from_bots"], &counts["messages_from_people"]), (&json!(5), &json!(2)));
    assert_eq!((&counts["updates_waiting"], &counts["violations"]), (&json!(2), &json!(0)));
}

#[tokio::test]
async fn two_bots_have_chats_of_their_own() {
    let world = World::new(TwinLimits::NONE).await;
    world.client_known_to(&[5]).await;
    let other = super::super::Telegram::new("88:x", Some(world.address.clone()), world.http.clone());
    other.send_message(&message(5, "x")).await.unwrap_err();
    let (status, _) = world.post("chats/5/messages?bot=88", json!({ "text": "/start" })).await;
    assert_eq!(status, 200);
    other.send_message(&message(5, "from the other")).await.unwrap();
    assert!(world.bot_texts(5).await.is_empty());
    assert_eq!(world.get("chats/5/messages?bot=88").await["messages"][1]["text"], "from the other");
}

#[tokio::test]
async fn orders_for_failures_can_be_seen_and_cancelled() {
    let world = World::new(TwinLimits::NONE).await;
    world.order_fault("SENDMESSAGE", 3, json!({ "status": 500 })).await;
    let faults = world.get("faults").await["faults"].clone();
    assert_eq!((&faults[0]["method"], &faults[0]["remaining"]), (&json!("sendMessage"), &json!(3)));
    world.answer(world.http.delete(world.url("faults"))).await;
    assert_eq!(world.get("faults").await["faults"], json!([]));
}

#[tokio::test]
async fn the_page_is_one_file_that_asks_nobody_else() {
    let world = World::new(TwinLimits::NONE).await;
    let page = world.http.get(world.url("")).send().await.unwrap().text().await.unwrap();
    assert!(page.starts_with("<!doctype html>"), "{page}");
    for foreign in ["http://", "https://", "src=\"", "innerHTML", "@import"] {
        assert!(!page.contains(foreign), "{foreign}");
    }
}
