//! What the client makes of failures of calls about a channel.

use std::time::Duration;

use serde_json::{Value, json};

use super::super::channel::{ChannelError, Remedy, Removal, Settled};
use super::super::twin::{Twin, TwinLimits};
use super::super::{AllowedUpdate, ChatNumber, Rights, Standing, Telegram, TelegramError};
use super::channel::{VIP, name, open, rights, vip};
use super::world::{SECRET, TOKEN, World};

const METHODS: [&str; 8] = [
    "createChatInviteLink",
    "revokeChatInviteLink",
    "approveChatJoinRequest",
    "declineChatJoinRequest",
    "unbanChatMember",
    "getChatMember",
    "getChatMemberCount",
    "getChat",
];

/// What calling this method comes to, whatever it answers.
async fn call(client: &Telegram, method: &str) -> Result<String, ChannelError> {
    Ok(match method {
        "createChatInviteLink" => format!("{:?}", client.create_request_link(VIP, &name("x"), None).await?),
        "revokeChatInviteLink" => format!("{:?}", client.revoke_link(VIP, "https://t.me/+x").await?),
        "approveChatJoinRequest" => format!("{:?}", client.approve(VIP, 5).await?),
        "declineChatJoinRequest" => format!("{:?}", client.decline(VIP, 5).await?),
        "unbanChatMember" => format!("{:?}", client.remove_member(VIP, 5).await?),
        "getChatMember" => format!("{:?}", client.standing(VIP, 5).await?),
        "getChatMemberCount" => format!("{:?}", client.member_count(VIP).await?),
        "getChat" => format!("{:?}", client.place(VIP).await?),
        other => panic!("{other}"),
    })
}

fn said(status: u16, description: &str) -> Value {
    json!({ "status": status, "description": description })
}

#[tokio::test]
async fn every_call_says_what_may_help() {
    let world = World::new(TwinLimits::NONE).await;
    let client = vip(&world).await;
    let moved = json!({ "status": 400, "description": "Bad Request: group chat was upgraded to a supergroup chat",
                        "migrate_to_chat_id": -100_555 });
    for method in METHODS {
        for (error, remedy) in [
            (json!({ "status": 500 }), Remedy::Retry),
            (json!({ "status": 502 }), Remedy::Retry),
            (said(400, "Bad Request: not enough rights"), Remedy::Rights),
            (said(400, "Bad Request: not enough rights to restrict/unrestrict chat member"), Remedy::Rights),
            (said(400, "Bad Request: need administrator rights in the channel chat"), Remedy::Rights),
            (said(400, "Bad Request: CHAT_ADMIN_REQUIRED"), Remedy::Rights),
            (said(400, "Bad Request: member list is inaccessible"), Remedy::Rights),
            (said(400, "Bad Request: chat not found"), Remedy::Rights),
            (said(403, "Forbidden: bot was kicked from the channel chat"), Remedy::Rights),
            (said(403, "Forbidden: bot is not a member of the supergroup chat"), Remedy::Rights),
            (said(403, "Forbidden: the group chat was deleted"), Remedy::Rights),
            (said(400, "Bad Request: CHANNEL_PRIVATE"), Remedy::Rights),
            (moved.clone(), Remedy::Readdress(ChatNumber(-100_555))),
            (said(400, "Bad Request: user is an administrator of the chat"), Remedy::None),
            (said(400, "Bad Request: a phrase not yet invented"), Remedy::None),
            (said(403, "Forbidden: a phrase not yet invented"), Remedy::None),
        ] {
            world.order_fault(method, 1, error.clone()).await;
            let failed = call(&client, method).await.unwrap_err();
            assert_eq!((failed.operation(), failed.remedy()), (method, remedy), "{error}: {failed:?}");
            assert!(!failed.may_have_been_done(), "{failed:?}");
            assert!(!format!("{failed} {failed:?}").contains("100555"), "{failed:?}");
        }
    }
    assert_eq!(world.get("faults").await["faults"], json!([]), "all used up");
}

#[tokio::test]
async fn too_many_requests_silence_the_bot_in_the_channel_too() {
    let world = World::new(TwinLimits::NONE).await;
    let client = vip(&world).await;
    world.order_fault("unbanChatMember", 1, json!({ "status": 429, "retry_after": 2 })).await;
    for method in ["unbanChatMember", "getChatMember", "createChatInviteLink"] {
        let failed = call(&client, method).await.unwrap_err();
        assert!(matches!(failed.remedy(), Remedy::Wait(delay) if delay <= Duration::from_secs(2)), "{failed:?}");
        assert!(!failed.may_have_been_done());
    }
    tokio::time::sleep(Duration::from_millis(2_050)).await;
    client.member_count(VIP).await.unwrap();
}

#[tokio::test]
async fn what_we_got_no_answer_to_may_have_been_done() {
    let world = World::new(TwinLimits::NONE).await;
    let client = vip(&world).await.with_patience(Duration::from_millis(300));
    let link = client.create_request_link(VIP, &name("x"), None).await.unwrap();
    open(&world, 5, &link.url).await;
    for error in [json!({ "hang_ms": 1_000 }), json!({ "accept_then_drop": true })] {
        world.order_fault("approveChatJoinRequest", 1, error.clone()).await;
        world.order_fault("unbanChatMember", 1, error).await;
        for method in ["approveChatJoinRequest", "unbanChatMember"] {
            let failed = call(&client, method).await.unwrap_err();
            assert_eq!((failed.remedy(), failed.may_have_been_done()), (Remedy::Retry, true), "{failed:?}");
        }
        assert_eq!(client.standing(VIP, 5).await.unwrap(), Standing::Left, "it was done");
        assert_eq!(client.remove_member(VIP, 5).await.unwrap(), Removal::Done, "and can be done again");
        assert_eq!(client.approve(VIP, 5).await.unwrap(), Settled::RequestGone);
        open(&world, 5, &link.url).await;
    }
}

#[tokio::test]
async fn nobody_to_remove_is_a_success_and_nobody_found_is_no_word_on_being_out() {
    let world = World::new(TwinLimits::NONE).await;
    let client = vip(&world).await;
    for (status, words) in [
        (400, "Bad Request: user not found"),
        (400, "Bad Request: member not found"),
        (400, "Bad Request: invalid user_id specified"),
        (400, "Bad Request: USER_ID_INVALID"),
        (400, "Bad Request: PARTICIPANT_ID_INVALID"),
        (400, "Bad Request: USER_NOT_PARTICIPANT"),
        (403, "Forbidden: user is deactivated"),
    ] {
        for method in ["unbanChatMember", "getChatMember", "approveChatJoinRequest", "declineChatJoinRequest"] {
            world.order_fault(method, 1, said(status, words)).await;
        }
        assert_eq!(client.remove_member(VIP, 5).await.unwrap(), Removal::NobodyThere, "{words}");
        assert_eq!(client.standing(VIP, 5).await.unwrap(), Standing::Unknown(words.to_owned()));
        assert_eq!(client.approve(VIP, 5).await.unwrap(), Settled::PersonGone, "{words}");
        assert_eq!(client.decline(VIP, 5).await.unwrap(), Settled::PersonGone, "{words}");
        world.order_fault("unbanChatMember", 1, said(status, words)).await;
        client.lift_ban(VIP, 5).await.unwrap();
    }
    for (words, settled) in [
        ("Bad Request: USER_ALREADY_PARTICIPANT", Settled::AlreadyIn),
        ("Bad Request: HIDE_REQUESTER_MISSING", Settled::RequestGone),
        ("Bad Request: USER_CHANNELS_TOO_MUCH", Settled::TooManyChannels),
    ] {
        world.order_fault("approveChatJoinRequest", 1, said(400, words)).await;
        assert_eq!(client.approve(VIP, 5).await.unwrap(), settled);
    }
    world.order_fault("revokeChatInviteLink", 1, said(400, "Bad Request: INVITE_HASH_EXPIRED")).await;
    client.revoke_link(VIP, "https://t.me/+x").await.unwrap();
}

#[tokio::test]
async fn a_fault_must_make_sense() {
    let world = World::new(TwinLimits::NONE).await;
    for error in [
        json!({ "description": "Bad Request: x" }),
        json!({ "status": 429, "retry_after": 1, "description": "x" }),
        json!({ "hang_ms": 5, "description": "x" }),
        json!({ "status": 400, "description": "" }),
        json!({ "status": 400, "migrate_to_chat_id": -5 }),
        json!({ "status": 403, "description": "x", "migrate_to_chat_id": -5 }),
        json!({ "status": 400, "description": "x", "migrate_to_chat_id": 5 }),
    ] {
        let (status, answer) = world.post("faults", json!({ "method": "getChat", "error": error })).await;
        assert!(status == 400 && answer["field"].as_str().unwrap().starts_with("error."), "{answer}");
    }
}

#[tokio::test]
async fn only_what_was_asked_for_is_delivered_and_who_comes_and_goes_only_by_name() {
    let mut world = World::new(TwinLimits::NONE).await;
    let webhook = world.webhook().await;
    let url = world.get("webhook").await["url"].as_str().unwrap().parse().unwrap();
    let client = vip(&world).await;
    let link = client.create_request_link(VIP, &name("x"), None).await.unwrap();
    let mut expected = vec!["my_chat_member"];
    for (kinds, told) in [
        (&[][..], &["chat_join_request"][..]),
        (&[AllowedUpdate::ChatMember], &["chat_member"]),
        (&[AllowedUpdate::ChatJoinRequest, AllowedUpdate::Message], &["chat_join_request"]),
        (&[AllowedUpdate::ChatJoinRequest, AllowedUpdate::ChatMember], &["chat_join_request", "chat_member"]),
        (&[AllowedUpdate::Message], &[]),
    ] {
        client.register_webhook(&url, SECRET, kinds, 40).await.unwrap();
        open(&world, 5, &link.url).await;
        client.approve(VIP, 5).await.unwrap();
        // Nobody is told twice of the same, so this is made to be forgotten.
        sqlx::query("delete from sandbox.telegram_channel_member where user_id = 5")
            .execute(&world.pool)
            .await
            .unwrap();
        expected.extend(told);
    }
    world.deliver(world.twin.clone());
    let received = webhook.expect(expected.len()).await;
    let kinds =
        received.iter().map(|update| update.as_object().unwrap().keys().find(|key| *key != "update_id").unwrap());
    assert_eq!(kinds.collect::<Vec<_>>(), expected);
}

#[tokio::test]
async fn another_bot_in_the_channel_sees_half_of_the_link() {
    let mut world = World::new(TwinLimits::NONE).await;
    let client = vip(&world).await;
    let other = Telegram::new("88:another-secret", Some(world.address.clone()), world.http.clone());
    other.identity().await.unwrap();
    let error = other.member_count(VIP).await.unwrap_err();
    assert!(matches!(error, ChannelError::Outside { .. }), "it was never there: {error:?}");
    let (status, _) = world.post(&format!("channels/{VIP}/rights?bot=88"), json!({ "status": "administrator" })).await;
    assert_eq!(
        (status, other.own_rights(VIP).await.unwrap()),
        (200, Rights { can_edit_messages: false, ..Rights::ALL })
    );
    let webhook = world.webhook().await;
    let url = world.get("webhook").await["url"].as_str().unwrap().parse().unwrap();
    client.register_webhook(&url, SECRET, &[AllowedUpdate::Message], 40).await.unwrap();
    other.register_webhook(&url, SECRET, &[AllowedUpdate::ChatJoinRequest], 40).await.unwrap();
    let link = client.create_request_link(VIP, &name("x"), None).await.unwrap();
    open(&world, 5, &link.url).await;
    world.deliver(world.twin.clone());
    // Both were told that they are administrators, and one of them, who asks.
    let received = webhook.expect(3).await;
    let asked: Vec<_> = received.iter().filter_map(|update| update.get("chat_join_request")).collect();
    let [asked] = asked.as_slice() else { panic!("{received:?}") };
    let shown = asked["invite_link"]["invite_link"].as_str().unwrap().to_owned();
    let half = shown.strip_suffix('…').unwrap();
    assert!(link.url.starts_with(half) && half.len() < link.url.len(), "{shown}");
    other.revoke_link(VIP, &link.url).await.unwrap();
    assert_eq!(open(&world, 6, &link.url).await, "asked", "it is not the other bot's to revoke");
}

#[tokio::test]
async fn the_owner_sees_the_channel_and_rules_it_and_it_outlives_the_process() {
    let mut world = World::new(TwinLimits::NONE).await;
    let client = vip(&world).await;
    world.twin.open_channel(77, VIP, "VIP").await.unwrap();
    let (status, founded) = world.post("channels", json!({ "title": "Gold", "kind": "supergroup" })).await;
    assert_eq!(status, 200, "{founded}");
    let gold = founded["chat_id"].as_i64().unwrap();
    assert_eq!(world.post("channels", json!({ "title": "Gold", "chat_id": gold })).await.0, 409);
    let next = world.post("channels", json!({ "title": "Silver" })).await.1;
    assert_eq!(next["chat_id"], gold - 1);
    assert_eq!(client.place(gold).await.unwrap().kind, "supergroup");

    let link = client.create_request_link(VIP, &name("sub 7"), None).await.unwrap();
    for person in [5, 6] {
        open(&world, person, &link.url).await;
    }
    let path = |person: i64| format!("channels/{VIP}/members/{person}");
    for (person, action, status) in [
        (5, "approve", 200),
        (5, "approve", 409),
        (6, "decline", 200),
        (7, "add", 200),
        (7, "remove", 200),
        (8, "remove", 404),
        (8, "add", 200),
        (8, "ban", 200),
        (8, "sing", 400),
        (90_000_001, "remove", 409),
    ] {
        let (given, answer) = world.post(&path(person), json!({ "action": action })).await;
        assert_eq!(given, status, "{action} {person}: {answer}");
    }
    assert_eq!(open(&world, 6, &link.url).await, "asked");
    let twin = Twin::new(world.pool.clone(), TwinLimits::NONE);
    world.deliver(twin);
    let shown = world.get(&format!("channels/{VIP}")).await;
    let people = |of: &str| -> Vec<(i64, Value)> {
        let people = shown[of].as_array().unwrap().iter();
        people.map(|person| (person["user_id"].as_i64().unwrap(), person["status"].clone())).collect()
    };
    let mut members = people("members");
    members.sort_by_key(|(id, _)| *id);
    let expected = [(5, "member"), (7, "left"), (8, "kicked"), (90_000_001, "creator")];
    assert_eq!(members, expected.map(|(id, status)| (id, json!(status))));
    assert_eq!(people("requests"), [(6, Value::Null)]);
    assert_eq!(shown["requests"][0]["link_name"], "sub 7");
    assert_eq!((&shown["bot"]["status"], &shown["bot"]["can_invite_users"]), (&json!("administrator"), &json!(true)));
    let primary = shown["links"][0]["link"].as_str().unwrap().to_owned();
    assert_eq!((&shown["links"][0]["primary"], open(&world, 9, &primary).await), (&json!(true), json!("joined")));
    let all = world.get("channels").await;
    let vip = all["channels"].as_array().unwrap().iter().find(|channel| channel["chat_id"] == VIP).unwrap().clone();
    assert_eq!((&vip["members"], &vip["requests"]), (&json!(3), &json!(1)), "{vip}");
    for (path, status) in [("channels/-5", 404), ("channels/5", 400), ("channels/x", 400)] {
        assert_eq!(world.answer(world.http.get(world.url(path))).await.0, status, "{path}");
    }
}

#[tokio::test]
async fn the_token_is_never_shown_nor_is_who_it_was_about() {
    let world = World::new(TwinLimits::NONE).await;
    let client = vip(&world).await;
    rights(&world, json!({ "can_invite_users": false })).await;
    let nowhere = Telegram::new(TOKEN, Some("http://127.0.0.1:1/".parse().unwrap()), world.http.clone());
    for error in [
        client.approve(VIP, 123_456_789).await.unwrap_err(),
        client.approve(-1_009_999, 123_456_789).await.unwrap_err(),
        nowhere.approve(VIP, 123_456_789).await.unwrap_err(),
    ] {
        let cause = std::error::Error::source(&error).map(|cause| format!("{cause} {cause:?}"));
        let shown = format!("{error} {error:?} {cause:?}");
        for hidden in ["secret", "/bot", "123456789", "1234567890", "1009999"] {
            assert!(!shown.contains(hidden), "{shown}");
        }
        assert!(!matches!(error, ChannelError::Call(TelegramError::Rejected { .. })), "{error:?}");
    }
}
