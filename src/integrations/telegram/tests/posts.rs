//! Posts in a channel, and whose they are.

use serde_json::{Value, json};

use super::super::channel::Trace;
use super::super::twin::{Rate, TwinLimits};
use super::super::{MessageId, OutgoingMessage, TelegramError};
use super::channel::{VIP, rights, vip};
use super::world::{PNG, World, message};

#[tokio::test]
async fn posts_are_numbered_one_after_the_other_and_shown_to_members() {
    let world = World::new(TwinLimits::NONE).await;
    let client = vip(&world).await;
    let first = OutgoingMessage { protect: true, ..message(VIP, "XAUUSD BUY") };
    assert_eq!(client.send_picture(&first, PNG.to_vec()).await.unwrap(), MessageId(1));
    let (status, owners) = world.post(&format!("channels/{VIP}/posts"), json!({ "text": "Good morning" })).await;
    assert_eq!((status, &owners["message_id"]), (200, &json!(2)));
    let reply = OutgoingMessage { reply_to: Some(1), silent: true, ..message(VIP, "Hit") };
    assert_eq!(client.send_message(&reply).await.unwrap(), MessageId(3));
    // What it answers may be gone.
    let reply = OutgoingMessage { reply_to: Some(99), ..message(VIP, "Over") };
    assert_eq!(client.send_message(&reply).await.unwrap(), MessageId(4));

    let posts = world.get(&format!("channels/{VIP}/posts")).await["posts"].clone();
    let all = |name: &str| posts.as_array().unwrap().iter().map(|post| post[name].clone()).collect::<Vec<Value>>();
    assert_eq!(all("text"), ["XAUUSD BUY", "Good morning", "Hit", "Over"]);
    assert_eq!(all("bot"), [json!(77), Value::Null, json!(77), json!(77)]);
    assert_eq!(all("reply_to"), [Value::Null, Value::Null, json!(1), Value::Null]);
    assert_eq!(all("silent"), [false, false, true, false]);
    assert_eq!(all("protected"), [true, false, false, false]);
    assert_eq!(posts[0]["picture"]["width"], 3);
    rights(&world, json!({ "can_post_messages": false })).await;
    let error = client.send_message(&message(VIP, "x")).await.unwrap_err();
    let expected = "need administrator rights in the channel chat";
    assert!(matches!(&error, TelegramError::Rejected { reason, .. } if reason.contains(expected)), "{error:?}");
}

#[tokio::test]
async fn a_trace_tells_our_posts_from_others_and_changes_nothing() {
    let world = World::new(TwinLimits::NONE).await;
    let client = vip(&world).await;
    client.send_message(&message(VIP, "text")).await.unwrap();
    client.send_picture(&message(VIP, "caption"), PNG.to_vec()).await.unwrap();
    world.post(&format!("channels/{VIP}/posts"), json!({ "text": "the owner's" })).await;
    client.send_message(&message(VIP, "deleted")).await.unwrap();
    let url = world.address.join(&format!("telegram/channels/{VIP}/posts/4")).unwrap();
    assert!(world.http.delete(url).send().await.unwrap().status().is_success());
    let posts = async || world.get(&format!("channels/{VIP}/posts")).await["posts"].clone();
    let before = posts().await;
    let traces = async || {
        let mut traces = vec![];
        for id in 1..=5 {
            traces.push(client.trace(VIP, MessageId(id)).await.unwrap());
        }
        traces
    };
    assert_eq!(traces().await, [Trace::Ours, Trace::Ours, Trace::Others, Trace::Nothing, Trace::Nothing]);
    assert!(!client.own_rights(VIP).await.unwrap().can_edit_messages);
    // Who may edit what others posted cannot tell them apart, and is told so.
    rights(&world, json!({ "can_edit_messages": true })).await;
    assert_eq!(traces().await[2], Trace::Ours);
    assert!(client.own_rights(VIP).await.unwrap().can_edit_messages);
    assert_eq!(posts().await, before);
}

#[tokio::test]
async fn captions_and_texts_are_edited_each_by_its_own_method() {
    let world = World::new(TwinLimits::NONE).await;
    let client = vip(&world).await;
    client.send_message(&message(VIP, "text")).await.unwrap();
    client.send_picture(&message(VIP, "caption"), PNG.to_vec()).await.unwrap();
    let edit = async |method: &'static str, id: i32, name: &str, text: &str| {
        let edited: Result<Value, _> =
            client.call(method, &json!({ "chat_id": VIP, "message_id": id, name: text })).await;
        edited.map(|message| message["message_id"].clone()).map_err(|error| error.to_string())
    };
    for (method, id, name, text, refusal) in [
        ("editMessageText", 1, "text", "text", "message is not modified"),
        ("editMessageCaption", 2, "caption", "caption", "message is not modified"),
        ("editMessageCaption", 1, "caption", "text", "there is no caption in the message to edit"),
        ("editMessageText", 2, "text", "caption", "there is no text in the message to edit"),
        ("editMessageText", 3, "text", "x", "message to edit not found"),
    ] {
        let error = edit(method, id, name, text).await.unwrap_err();
        assert!(error.contains(refusal), "{error}");
    }
    assert_eq!(edit("editMessageText", 1, "text", "new").await, Ok(json!(1)));
    assert_eq!(edit("editMessageCaption", 2, "caption", "new").await, Ok(json!(2)));
}

#[tokio::test]
async fn a_channel_has_a_limit_like_every_chat() {
    let limits = TwinLimits { overall: None, per_chat: Some(Rate::per_second(1)) };
    let world = World::new(limits).await;
    let client = vip(&world).await;
    client.send_message(&message(VIP, "1")).await.unwrap();
    let error = client.send_message(&message(VIP, "2")).await.unwrap_err();
    assert!(matches!(error, TelegramError::RetryAfter { .. }), "{error:?}");
    assert_eq!(world.get("violations").await["violations"][0]["kind"], "chat_rate");
}
