//! Access to a channel: the client's calls, and what people and bots come to see of them.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::super::channel::{ChannelError, Place, Remedy, Removal, Settled};
use super::super::twin::TwinLimits;
use super::super::update::{self, IncomingUpdate, Kind};
use super::super::{InviteLink, LinkName, Rights, Standing, Telegram};
use super::world::{Webhook, World};

pub(super) const VIP: i64 = -1_001_234_567_890;

pub(super) async fn vip(world: &World) -> Telegram {
    let client = world.client();
    client.identity().await.unwrap();
    world.twin.open_channel(77, VIP, "VIP").await.unwrap();
    client
}

pub(super) fn name(text: &str) -> LinkName {
    LinkName::new(text).unwrap()
}

pub(super) async fn open(world: &World, person: i64, link: &str) -> Value {
    let (status, answer) = world.post(&format!("chats/{person}/open"), json!({ "link": link })).await;
    assert_eq!(status, 200, "{answer}");
    answer["outcome"].clone()
}

async fn cannot_open(world: &World, person: i64, link: &str) {
    let (status, answer) = world.post(&format!("chats/{person}/open"), json!({ "link": link })).await;
    assert_eq!(status, 409, "{answer}");
}

async fn act(world: &World, person: i64, action: &str) {
    let (status, answer) = world.post(&format!("channels/{VIP}/members/{person}"), json!({ "action": action })).await;
    assert_eq!(status, 200, "{answer}");
}

pub(super) async fn rights(world: &World, rights: Value) {
    let (status, answer) = world.post(&format!("channels/{VIP}/rights"), rights).await;
    assert_eq!(status, 200, "{answer}");
}

fn now() -> DateTime<Utc> {
    std::time::SystemTime::now().into()
}

/// What the bot is told, in order, once it is this much.
async fn told(webhook: &Webhook, updates: usize) -> Vec<IncomingUpdate> {
    let received = webhook.expect(updates).await;
    for update in &received {
        let theirs: teloxide::types::Update = serde_json::from_str(&update.to_string()).unwrap();
        assert!(!matches!(theirs.kind, teloxide::types::UpdateKind::Error(_)), "none of Telegram's: {update}");
    }
    received.iter().map(|update| update::read(update.to_string().as_bytes()).unwrap()).collect()
}

#[tokio::test]
async fn who_asks_by_a_link_is_let_in_or_turned_away() {
    let mut world = World::new(TwinLimits::NONE).await;
    let webhook = world.webhook().await;
    let client = vip(&world).await;
    let expires_at = now() + TimeDelta::hours(1);
    let link = client.create_request_link(VIP, &name("subscription 7"), Some(expires_at)).await.unwrap();
    assert!(link.asks && !link.revoked && link.url.starts_with("https://t.me/+"));
    assert_eq!((link.name.as_deref(), link.member_limit), (Some("subscription 7"), None));
    assert_eq!(link.expires_at.unwrap().timestamp(), expires_at.timestamp());

    let ada = json!({ "link": link.url, "first_name": "Ada", "username": "ada", "language_code": "en", "bio": "hi" });
    assert_eq!(world.post("chats/5/open", ada).await.1["outcome"], "asked");
    assert_eq!(open(&world, 6, &link.url).await, "asked");
    assert_eq!(client.standing(VIP, 5).await.unwrap(), Standing::Left);
    assert_eq!(client.approve(VIP, 5).await.unwrap(), Settled::Done);
    assert_eq!(client.decline(VIP, 6).await.unwrap(), Settled::Done);
    assert_eq!(client.standing(VIP, 5).await.unwrap(), Standing::Member);
    assert_eq!(client.standing(VIP, 6).await.unwrap(), Standing::Left);
    assert_eq!(open(&world, 5, &link.url).await, "already_in");

    world.deliver(world.twin.clone());
    let told = told(&webhook, 4).await;
    assert!(told.iter().all(|update| update.chat_id == Some(VIP)));
    let Kind::BotChanged(appointed) = &told[0].kind else { panic!("{told:?}") };
    assert_eq!(
        (&appointed.old, &appointed.new),
        (&Standing::Left, &Standing::Administrator(Rights { can_edit_messages: false, ..Rights::ALL }))
    );
    let Kind::JoinRequest(asked) = &told[1].kind else { panic!("{told:?}") };
    assert_eq!((asked.chat, asked.from.id, asked.user_chat_id), (VIP, 5, Some(5)));
    assert_eq!((asked.from.first_name.as_str(), asked.bio.as_deref()), ("Ada", Some("hi")));
    assert_eq!(asked.link.as_ref(), Some(&link));
    let Kind::JoinRequest(stranger) = &told[2].kind else { panic!("{told:?}") };
    assert_eq!(stranger.from.id, 6);
    let Kind::MemberChanged(came) = &told[3].kind else { panic!("{told:?}") };
    assert_eq!((came.person.id, came.by.id, &came.old, &came.new), (5, 77, &Standing::Left, &Standing::Member));
    assert_eq!(came.link.as_ref(), Some(&link));
    assert!(!came.via_join_request, "that is for those who ask without a link");
}

#[tokio::test]
async fn an_answered_request_is_gone_and_answering_again_says_so() {
    let world = World::new(TwinLimits::NONE).await;
    let client = vip(&world).await;
    let link = client.create_request_link(VIP, &name("x"), None).await.unwrap();
    assert_eq!(client.approve(VIP, 5).await.unwrap(), Settled::PersonGone, "nobody has heard of them");
    open(&world, 5, &link.url).await;
    assert_eq!(client.approve(VIP, 5).await.unwrap(), Settled::Done);
    assert_eq!(client.approve(VIP, 5).await.unwrap(), Settled::AlreadyIn);
    assert_eq!(client.decline(VIP, 5).await.unwrap(), Settled::AlreadyIn);
    open(&world, 6, &link.url).await;
    assert_eq!(client.decline(VIP, 6).await.unwrap(), Settled::Done);
    assert_eq!(client.decline(VIP, 6).await.unwrap(), Settled::RequestGone);
    assert_eq!(client.approve(VIP, 6).await.unwrap(), Settled::RequestGone);
}

#[tokio::test]
async fn a_single_link_has_room_for_one_at_a_time_until_it_is_revoked() {
    let world = World::new(TwinLimits::NONE).await;
    let client = vip(&world).await;
    let link = client.create_single_link(VIP, &name("one"), None).await.unwrap();
    assert_eq!((link.asks, link.member_limit), (false, Some(1)));
    assert_eq!(open(&world, 5, &link.url).await, "joined");
    cannot_open(&world, 6, &link.url).await;
    assert_eq!(world.post("chats/5/leave", json!({ "channel": VIP })).await.0, 200);
    assert_eq!(world.post("chats/5/leave", json!({ "channel": VIP })).await.0, 409, "once is enough");
    assert_eq!(open(&world, 6, &link.url).await, "joined", "the place was free again");
    for _ in 0..2 {
        client.revoke_link(VIP, &link.url).await.unwrap();
    }
    client.revoke_link(VIP, "https://t.me/+never-was").await.unwrap();
    client.remove_member(VIP, 6).await.unwrap();
    cannot_open(&world, 5, &link.url).await;
}

#[tokio::test]
async fn a_link_ends_when_it_was_to() {
    let world = World::new(TwinLimits::NONE).await;
    let client = vip(&world).await;
    let link = client.create_request_link(VIP, &name("x"), Some(now() + TimeDelta::hours(1))).await.unwrap();
    sqlx::query("update sandbox.telegram_invite_link set expires_at = now() - interval '1 second' where link = $1")
        .bind(&link.url)
        .execute(&world.pool)
        .await
        .unwrap();
    cannot_open(&world, 5, &link.url).await;
    let error = client.create_request_link(VIP, &name("x"), Some(now() - TimeDelta::hours(1))).await.unwrap_err();
    assert!(error.to_string().contains("EXPIRE_DATE_INVALID"), "{error}");
    let both = json!({ "chat_id": VIP, "creates_join_request": true, "member_limit": 1 });
    let (status, answer) = world.call("createChatInviteLink", both).await;
    assert_eq!(status, 400, "{answer}");
    let long = json!({ "chat_id": VIP, "name": "x".repeat(40), "member_limit": 100_000 });
    assert_eq!(world.call("createChatInviteLink", long).await.1["description"], "Bad Request: USAGE_LIMIT_INVALID");
}

#[tokio::test]
async fn removal_leaves_no_ban_behind_and_can_be_repeated() {
    let mut world = World::new(TwinLimits::NONE).await;
    let webhook = world.webhook().await;
    let client = vip(&world).await;
    let link: InviteLink = client.create_single_link(VIP, &name("x"), None).await.unwrap();
    open(&world, 5, &link.url).await;
    assert_eq!(client.member_count(VIP).await.unwrap(), 3, "the owner, the bot and one more");
    for _ in 0..2 {
        assert_eq!(client.remove_member(VIP, 5).await.unwrap(), Removal::Done);
        assert_eq!(client.standing(VIP, 5).await.unwrap(), Standing::Left);
    }
    assert_eq!(client.remove_member(VIP, 404).await.unwrap(), Removal::NobodyThere);
    assert_eq!(client.remove_member(VIP, -1).await.unwrap(), Removal::NobodyThere);
    assert_eq!(client.member_count(VIP).await.unwrap(), 2);
    assert_eq!(open(&world, 5, &link.url).await, "joined", "nobody keeps them out");
    client.lift_ban(VIP, 5).await.unwrap();
    client.lift_ban(VIP, 404).await.unwrap();
    assert_eq!(client.standing(VIP, 5).await.unwrap(), Standing::Member, "there was no ban to lift");

    world.deliver(world.twin.clone());
    let told = told(&webhook, 4).await;
    let moves: Vec<_> = told[1..]
        .iter()
        .map(|update| match &update.kind {
            Kind::MemberChanged(change) => (change.by.id, change.new.clone()),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(moves, [(5, Standing::Member), (77, Standing::Left), (5, Standing::Member)]);
}

#[tokio::test]
async fn a_ban_keeps_out_until_it_is_lifted_or_over() {
    let world = World::new(TwinLimits::NONE).await;
    let client = vip(&world).await;
    let link = client.create_request_link(VIP, &name("x"), None).await.unwrap();
    open(&world, 5, &link.url).await;
    let (status, _) = world.call("banChatMember", json!({ "chat_id": VIP, "user_id": 5 })).await;
    assert_eq!((status, client.standing(VIP, 5).await.unwrap()), (200, Standing::Banned));
    cannot_open(&world, 5, &link.url).await;
    assert_eq!(client.approve(VIP, 5).await.unwrap(), Settled::RequestGone);
    client.lift_ban(VIP, 5).await.unwrap();
    assert_eq!(open(&world, 5, &link.url).await, "asked");
    let until = now().timestamp() + 3_600;
    world.call("banChatMember", json!({ "chat_id": VIP, "user_id": 5, "until_date": until })).await;
    let (_, member) = world.call("getChatMember", json!({ "chat_id": VIP, "user_id": 5 })).await;
    assert_eq!(member["result"]["until_date"], until);
    sqlx::query("update sandbox.telegram_channel_member set until_at = now() where user_id = 5")
        .execute(&world.pool)
        .await
        .unwrap();
    assert_eq!(client.standing(VIP, 5).await.unwrap(), Standing::Left);
    act(&world, 5, "ban").await;
    assert_eq!(client.remove_member(VIP, 5).await.unwrap(), Removal::Done);
    assert_eq!(client.standing(VIP, 5).await.unwrap(), Standing::Left);
}

#[tokio::test]
async fn owners_and_the_bot_itself_cannot_be_removed() {
    let world = World::new(TwinLimits::NONE).await;
    let client = vip(&world).await;
    let owner = world.get(&format!("channels/{VIP}")).await["owner"].as_i64().unwrap();
    for protected in [owner, 77] {
        let error = client.remove_member(VIP, protected).await.unwrap_err();
        assert!(matches!(error, ChannelError::Protected { operation: "unbanChatMember", .. }), "{error:?}");
        assert_eq!(error.remedy(), Remedy::None);
    }
    assert_eq!(client.standing(VIP, owner).await.unwrap(), Standing::Owner);
    assert_eq!(
        client.standing(VIP, 77).await.unwrap(),
        Standing::Administrator(Rights { can_edit_messages: false, ..Rights::ALL })
    );
    let vip = Place { id: VIP, kind: "channel".to_owned(), title: Some("VIP".to_owned()) };
    assert_eq!(client.place(VIP).await.unwrap(), vip);
}

#[tokio::test]
async fn the_bot_hears_of_rights_it_loses_and_calls_that_need_them_wait() {
    let mut world = World::new(TwinLimits::NONE).await;
    let webhook = world.webhook().await;
    let client = vip(&world).await;
    let link = client.create_request_link(VIP, &name("x"), None).await.unwrap();
    rights(&world, json!({ "can_invite_users": false })).await;
    rights(&world, json!({ "can_invite_users": false })).await;
    assert_eq!(
        client.own_rights(VIP).await.unwrap(),
        Rights { can_invite_users: false, can_edit_messages: false, ..Rights::ALL }
    );
    assert_eq!(open(&world, 5, &link.url).await, "asked");
    let errors = [
        client.create_request_link(VIP, &name("x"), None).await.unwrap_err(),
        client.create_single_link(VIP, &name("x"), None).await.unwrap_err(),
        client.revoke_link(VIP, &link.url).await.unwrap_err(),
        client.approve(VIP, 5).await.unwrap_err(),
        client.decline(VIP, 5).await.unwrap_err(),
    ];
    for error in errors {
        assert!(matches!(error, ChannelError::NotAllowed { .. }), "{error:?}");
        assert_eq!((error.remedy(), error.may_have_been_done()), (Remedy::Rights, false));
    }
    client.remove_member(VIP, 5).await.unwrap();
    rights(&world, json!({ "can_invite_users": true, "can_restrict_members": false })).await;
    for error in [client.remove_member(VIP, 5).await.unwrap_err(), client.lift_ban(VIP, 5).await.unwrap_err()] {
        assert!(matches!(error, ChannelError::NotAllowed { .. }), "{error:?}");
    }
    assert_eq!(client.approve(VIP, 5).await.unwrap(), Settled::Done, "the request has waited");
    for (status, words) in [("kicked", "was kicked from the channel"), ("left", "is not a member of the channel")] {
        rights(&world, json!({ "status": status })).await;
        let error = client.own_rights(VIP).await.unwrap_err();
        assert!(matches!(error, ChannelError::Outside { .. }) && error.to_string().contains(words), "{error}");
        assert_eq!(error.remedy(), Remedy::Rights);
    }
    open(&world, 6, &link.url).await;
    rights(&world, json!({ "status": "administrator", "can_restrict_members": true })).await;

    world.deliver(world.twin.clone());
    let told = told(&webhook, 7).await;
    let standings = told.iter().filter_map(|update| match &update.kind {
        Kind::BotChanged(change) => Some(change.new.clone()),
        Kind::MemberChanged(change) => {
            assert_eq!(change.person.id, 5);
            None
        }
        other => panic!("it may not know who asks: {other:?}"),
    });
    let administrator = |can_invite_users, can_restrict_members| {
        Standing::Administrator(Rights {
            can_invite_users,
            can_restrict_members,
            can_post_messages: true,
            can_edit_messages: false,
        })
    };
    assert_eq!(
        standings.collect::<Vec<_>>(),
        [
            administrator(true, true),
            administrator(false, true),
            administrator(true, false),
            Standing::Banned,
            Standing::Left,
            administrator(true, true),
        ]
    );
}
