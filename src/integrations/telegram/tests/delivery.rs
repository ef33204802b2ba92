//! From what a person says to the bot's webhook.

use std::collections::BTreeMap;
use std::time::Duration;

use poem::http::StatusCode;
use serde_json::{Value, json};

use super::super::twin::{Twin, TwinLimits};
use super::super::update::{self, Kind};
use super::world::World;

#[tokio::test]
async fn what_a_person_says_reaches_the_webhook_with_the_secret() {
    let mut world = World::new(TwinLimits::default()).await;
    let webhook = world.webhook().await;
    world.deliver(world.twin.clone());
    let person = json!({ "text": "/start SAVE10", "first_name": "Ada", "username": "ada", "language_code": "en" });
    let (status, said) = world.post("chats/5/messages", person).await;
    assert_eq!(status, 200, "{said}");

    let received = webhook.expect(1).await;
    let read = update::read(received[0].to_string().as_bytes()).unwrap();
    assert_eq!((read.update_id, read.chat_id), (said["update_id"].as_i64().unwrap(), Some(5)));
    let Kind::PrivateText { from, text, message_id } = read.kind else { panic!("{:?}", read.kind) };
    assert_eq!((text.as_str(), message_id), ("/start SAVE10", 1));
    assert_eq!((from.id, from.first_name.as_str()), (5, "Ada"));
    assert_eq!((from.username.as_deref(), from.language_code.as_deref()), (Some("ada"), Some("en")));
    assert_eq!(received[0]["message"]["entities"], json!([{ "type": "bot_command", "offset": 0, "length": 6 }]));
    let theirs: teloxide::types::Update = serde_json::from_str(&received[0].to_string()).unwrap();
    let teloxide::types::UpdateKind::Message(theirs) = theirs.kind else { panic!("{theirs:?}") };
    assert_eq!(theirs.text(), Some("/start SAVE10"));

    assert_eq!(world.get("chats/5/messages").await["messages"][0]["delivered"], true);
}

#[tokio::test]
async fn it_is_delivered_again_until_it_is_taken_and_then_no_more() {
    let mut world = World::new(TwinLimits::default()).await;
    let webhook = world.webhook().await;
    webhook.answer_next_with(StatusCode::INTERNAL_SERVER_ERROR);
    webhook.answer_next_with(StatusCode::SERVICE_UNAVAILABLE);
    world.deliver(world.twin.clone());
    world.say(5, "first").await;
    world.say(5, "second").await;

    let received = webhook.expect(4).await;
    let texts: Vec<_> = received.iter().map(|update| &update["message"]["text"]).collect();
    assert_eq!(texts, ["first", "first", "first", "second"]);
    assert_eq!(received[0], received[2]);
    let info = world.get("webhook").await;
    assert_eq!(info["pending_update_count"], 0);
    assert!(info["last_error_message"].as_str().unwrap().contains("503"), "{info}");
}

#[tokio::test]
async fn a_chat_that_cannot_be_delivered_holds_up_no_other() {
    let mut world = World::new(TwinLimits::default()).await;
    let webhook = world.webhook().await;
    for _ in 0..3 {
        webhook.answer_next_with(StatusCode::BAD_GATEWAY);
    }
    world.say(5, "stuck").await;
    world.deliver(world.twin.clone());
    webhook.expect(1).await;
    world.say(6, "free").await;
    let received = webhook.expect(5).await;
    assert_eq!(received.iter().filter(|update| update["message"]["text"] == "stuck").count(), 4 - 1);
}

#[tokio::test]
async fn several_processes_deliver_each_update_once_and_each_chat_in_order() {
    let mut world = World::new(TwinLimits::NONE).await;
    let webhook = world.webhook().await;
    for _ in 0..4 {
        world.deliver(Twin::new(world.pool.clone(), TwinLimits::NONE));
    }
    for n in 0..20 {
        for chat in 1..=10 {
            world.say(chat, &n.to_string()).await;
        }
    }
    let received = webhook.expect(200).await;
    let mut chats: BTreeMap<i64, Vec<Value>> = BTreeMap::new();
    for update in received {
        let chat = update["message"]["chat"]["id"].as_i64().unwrap();
        chats.entry(chat).or_default().push(update["message"]["text"].clone());
    }
    let in_order: Vec<Value> = (0..20).map(|n| json!(n.to_string())).collect();
    assert_eq!(chats.len(), 10);
    assert!(chats.values().all(|texts| *texts == in_order), "{chats:?}");
}

#[tokio::test]
async fn what_was_said_before_a_restart_is_delivered_once_after_it() {
    let mut world = World::new(TwinLimits::default()).await;
    let webhook = world.webhook().await;
    let said = [world.say(5, "one").await, world.say(5, "two").await, world.say(6, "three").await];
    assert!(webhook.received().is_empty());

    let reborn = Twin::new(world.pool.clone(), TwinLimits::default());
    world.deliver(reborn.clone());
    webhook.expect(3).await;
    world.deliver(reborn);
    tokio::time::sleep(Duration::from_millis(500)).await;
    let mut delivered = webhook.update_ids();
    delivered.sort_unstable();
    let said: Vec<i64> = said.iter().map(|said| said["update_id"].as_i64().unwrap()).collect();
    assert_eq!(delivered, said);
}

#[tokio::test]
async fn delivery_cut_short_frees_the_update_for_the_next() {
    let mut world = World::new(TwinLimits::default()).await;
    let client = world.client_known_to(&[5]).await;
    // Nobody answers here, so the attempt hangs until it is killed.
    let deaf = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}/hook", deaf.local_addr().unwrap()).parse().unwrap();
    client.register_webhook(&url, "x", &[], 40).await.unwrap();
    let (twin, http) = (world.twin.clone(), world.http.clone());
    let killed = tokio::spawn(async move { twin.deliver(http, std::future::pending()).await });
    let (_held, _) = deaf.accept().await.unwrap();
    killed.abort();

    let webhook = world.webhook().await;
    world.deliver(world.twin.clone());
    webhook.expect(1).await;
}

#[tokio::test]
async fn delivery_stops_when_it_is_told_to() {
    let mut world = World::new(TwinLimits::default()).await;
    let webhook = world.webhook().await;
    world.say(5, "last").await;
    let stop = tokio::time::sleep(Duration::from_millis(300));
    let stopped = world.twin.deliver(world.http.clone(), stop);
    tokio::time::timeout(Duration::from_secs(5), stopped).await.unwrap();
    assert_eq!(webhook.received().len(), 1);
}

#[tokio::test]
async fn the_bot_hears_of_being_blocked_once_and_of_nothing_it_did_not_ask_for() {
    let mut world = World::new(TwinLimits::default()).await;
    let webhook = world.webhook().await;
    world.say(5, "hello").await;
    world.deliver(world.twin.clone());
    for path in ["chats/5/block", "chats/5/block", "chats/5/unblock"] {
        assert_eq!(world.post(path, json!({})).await.0, 200);
    }
    let received = webhook.expect(3).await;
    let now = |update: &Value| update["my_chat_member"]["new_chat_member"]["status"].clone();
    assert_eq!((now(&received[1]), now(&received[2])), (json!("kicked"), json!("member")));
    for update in &received[1..] {
        let read = update::read(update.to_string().as_bytes()).unwrap();
        assert_eq!(read.chat_id, Some(5));
        let theirs: teloxide::types::Update = serde_json::from_str(&update.to_string()).unwrap();
        assert!(matches!(theirs.kind, teloxide::types::UpdateKind::MyChatMember(_)), "{theirs:?}");
    }

    let url = "http://127.0.0.1:1/".parse().unwrap();
    let polls = [super::super::AllowedUpdate::Poll];
    world.client().register_webhook(&url, "x", &polls, 40).await.unwrap();
    assert_eq!(world.say(5, "unheard").await["update_id"], Value::Null);
    assert_eq!(world.get("webhook").await["pending_update_count"], 0);
}
