//! Who has access, until when and why; and who is out.

use std::time::Duration;

use aggregates::{
    member,
    subscription::{self, StripeStatus, stripe_subscription_stream},
};
use chrono::{DateTime, TimeDelta, Utc};
use promostack::{
    app::{App, Role},
    clock::Clock,
    http,
    membership::access_table::Which,
};
use serde_json::json;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    database::Database,
    members::{CHANNEL, account, contract, entitle, grant, observe, send},
    subscriptions::{check, new_id, step},
    world::{ENTRYLAB, Send, World, config, until, variables},
};

#[tokio::test]
async fn access_ends_on_time_and_every_process_knows() {
    let database = Database::fresh().await;
    let url = database.url.clone();
    let clock = Clock::fixed("2027-03-01T12:00:00Z".parse().unwrap());
    let world = World::at(database, &variables(), Role::All, clock.clone()).await;
    let app = &world.app;
    let now = clock.now();
    let stranger = check(&world, "nobody@example.com", 0).await;
    assert_eq!(stranger, json!({ "has_access": false, "rule": "missing" }));
    let bad = world.plain("GET", "/api/telegram/check-access/nobody").header("x-api-key", ENTRYLAB).answer().await;
    assert_eq!((bad.problem(), bad.fields()), ("invalid-input", vec!["email"]));
    let beyond = world.get("/api/telegram/check-access/a@b.c?min_position=1000000").await;
    beyond.expect(422, "position-unknown");

    let until_then = now + TimeDelta::hours(1);
    let granted = send(&app.subscriptions, &new_id(1), grant("Anna+1@Example.com", None, Some(until_then), now)).await;
    let known = check(&world, "anna%2B1%40example.COM", granted.position).await;
    assert_eq!(
        (&known["has_access"], &known["rule"], &known["status"]),
        (&json!(true), &json!("manual_grant"), &json!("active"))
    );
    assert_eq!((&known["subscription_id"], &known["plan"]["name"]), (&json!(new_id(1)), &json!("VIP")));
    assert_eq!(known["until"].as_str().unwrap().parse::<DateTime<Utc>>().unwrap(), until_then);

    // Another process, which heard of it from the log alone; and one that does not follow it, and asks the read model.
    let other = App::build(config(&variables()), &url, clock.clone()).unwrap();
    let running = other.start(Role::Web).await.unwrap();
    let idle = App::build(config(&variables()), &url, clock.clone()).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let stop = CancellationToken::new();
    let server = tokio::spawn(http::serve(idle.clone(), listener, None, stop.clone()));
    let says = async |email: &str, position: i64| {
        let mine = check(&world, email, position).await;
        assert!(other.access_table.wait_for(position, Duration::from_secs(60)).await);
        let mut theirs = None;
        // (A machine that is too busy to look within seconds is not believed meanwhile.)
        until(async || {
            theirs = other.access_table.decide(email, Which::default(), clock.now());
            theirs.is_some()
        })
        .await;
        let theirs = theirs.unwrap();
        assert_eq!(idle.access_table.decide(email, Which::default(), clock.now()), None);
        let path = format!("{base}/api/telegram/check-access/{email}?min_position={position}&wait_ms=30000");
        let read = world.client.get(path).header("x-api-key", ENTRYLAB).answer().await;
        assert_eq!(mine, read.json, "the read model says what memory says");
        assert_eq!(
            (json!(theirs.has_access), json!(&*theirs.rule)),
            (mine["has_access"].clone(), mine["rule"].clone())
        );
        mine
    };
    assert_eq!(says("anna+1@example.com", granted.position).await["has_access"], true);
    let for_channel = world.get(&format!("/api/telegram/check-access/anna+1@example.com?channel={CHANNEL}")).await;
    assert_eq!(for_channel.json["has_access"], true);
    let for_another = world.get("/api/telegram/check-access/anna+1@example.com?channel=-5").await;
    assert_eq!(for_another.json, json!({ "has_access": false, "rule": "missing" }));

    // Time alone ends it: no event says so.
    clock.set(until_then);
    let over = says("anna+1@example.com", granted.position).await;
    assert_eq!(
        (&over["has_access"], &over["rule"], &over["status"]),
        (&json!(false), &json!("grant_over"), &json!("ended"))
    );
    assert!(over.get("until").is_none());
    let ended = world.get("/api/telegram-subscriptions?status=ended").await;
    assert_eq!(
        (&ended.json["items"][0]["id"], &ended.json["items"][0]["status"]),
        (&json!(new_id(1)), &json!("ended"))
    );
    assert_eq!(world.get("/api/telegram-subscriptions?status=active").await.json["items"], json!([]));

    // A second subscription of the same address gives access; of two, the one decides that does longest.
    let now = clock.now();
    let late = contract(StripeStatus::PastDue, now);
    let stripe = stripe_subscription_stream("sub_anna+1").to_string();
    let observed = send(&app.subscriptions, &stripe, observe("anna+1", late, 3, now)).await;
    let grace = says("anna+1@example.com", observed.position).await;
    assert_eq!((&grace["rule"], &grace["status"]), (&json!("grace_until"), &json!("past_due")));
    let paid = contract(StripeStatus::Active, now);
    clock.set(now + TimeDelta::minutes(1));
    let observed = send(&app.subscriptions, &stripe, observe("anna+1", paid, 3, clock.now())).await;
    assert_eq!(says("anna+1@example.com", observed.position).await["rule"], "active_paid");

    // Whoever has another address now, has it under that one only.
    let moved = subscription::Command::Identify {
        stripe: crate::members::ids("anna+1"),
        email: Some(aggregates::Personal::new("new@example.com".to_owned())),
        account: None,
        seen: subscription::Seen::Fetched { at: clock.now() + TimeDelta::minutes(1) },
        by_hand: None,
        at: clock.now(),
    };
    let moved = send(&app.subscriptions, &stripe, moved).await;
    assert_eq!(says("new@example.com", moved.position).await["has_access"], true);
    assert_eq!(says("anna+1@example.com", moved.position).await["rule"], "grant_over");

    // The database throws everybody out, and everybody comes back.
    let mut broken = 0;
    until(async || {
        broken += 1;
        let out = "select count(pg_terminate_backend(pid)) from pg_stat_activity \
                    where datname = current_database() and pid <> pg_backend_pid()";
        sqlx::query_scalar::<_, i64>(out).fetch_one(&app.pool).await.is_ok() || broken > 20
    })
    .await;
    let mut again = None;
    until(async || {
        let command = grant("later@example.com", None, None, clock.now());
        let cause =
            promostack::log::Cause { actor: "test".into(), correlation: Uuid::from_u128(7), causation: "test".into() };
        let wish = promostack::executor::Wish { command, cause, once: None, expected: None };
        again = app.subscriptions.send(&new_id(2), wish).await.ok();
        again.is_some()
    })
    .await;
    let position = again.unwrap().position;
    assert!(other.access_table.wait_for(position, Duration::from_secs(60)).await);
    assert!(app.access_table.wait_for(position, Duration::from_secs(60)).await);
    stop.cancel();
    server.await.unwrap().unwrap();
    running.stop().await;
    other.pool.close().await;
    idle.pool.close().await;
    world.end().await;
}

#[tokio::test]
async fn a_member_is_explained_and_can_be_kept() {
    let world = World::new().await;
    let app = &world.app;
    let now = app.clock.now();
    let anna = account(app, 501).await;
    let subscription = Uuid::parse_str(&new_id(1)).unwrap();
    send(&app.subscriptions, &new_id(1), grant("anna@example.com", Some(anna), None, now)).await;
    let stream = member::stream(CHANNEL, 501);
    send(&app.members, &stream, entitle(subscription, 2, None, now)).await;
    send(&app.members, &stream, member::Command::Join { link: Some("VIP anna".to_owned()), at: now }).await;
    let reason = json!({ "reason": "paid twice by mistake" });
    let revoked = step(&world, &new_id(1), "revoke", "*", reason.clone()).await;
    let rule = subscription::Rule::Ended(subscription::EndReason::Revoked);
    let out = member::Command::Disentitle { subscription, version: 4, rule, at: now };
    let position = send(&app.members, &stream, out).await.position;
    assert!(position > revoked.json["position"].as_i64().unwrap());
    // What follows by itself comes to the same, and may come in between two looks.
    until(async || {
        let query = "select not exists (select from checkpoints where position < $1) \
                            and not exists (select from jobs where kind = 'sync_subscription')";
        sqlx::query_scalar(query).bind(position).fetch_one(&app.pool).await.unwrap()
    })
    .await;

    let why = async |who: &str, position: i64| {
        let answer = world.get(&format!("/api/telegram/why/{who}?wait_ms=30000&min_position={position}")).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json
    };
    let by_email = why("ANNA@example.com", position).await;
    assert_eq!(by_email, why("501", position).await, "whichever way they are asked for");
    let says = &by_email["subscriptions"][0];
    assert_eq!((&says["has_access"], &says["rule"]), (&json!(false), &json!("revoked")));
    assert_eq!(says["because"], "access was taken away by hand");
    let channel = &by_email["channels"][0];
    assert_eq!(
        (&channel["is_in"], &channel["should_be_in"], &channel["rule"]),
        (&json!(true), &json!(false), &json!("revoked"))
    );
    assert!(channel["removal_due_since"].is_string(), "{channel}");
    let events = by_email["events"].as_array().unwrap();
    let types: Vec<&str> = events.iter().map(|event| event["type"].as_str().unwrap()).collect();
    let expected =
        ["RemovalDue", "Disentitled", "Ended", "Revoked", "Joined", "Entitled", "Activated", "Started", "Granted"];
    let mut told = types.iter();
    for one in expected {
        assert!(told.any(|known| *known == one), "{one} is not in {types:?}, the newest first");
    }
    let words = |of: &str| events.iter().find(|event| event["type"] == of).unwrap()["words"].as_str().unwrap();
    assert_eq!(words("Revoked"), "Access was taken away by admin:admin: \"paid twice by mistake\".");
    assert_eq!(words("RemovalDue"), "They are in and should not be: access was taken away by hand.");
    let nobody = why("nobody@example.com", position).await;
    assert_eq!(nobody, json!({ "subscriptions": [], "channels": [], "events": [] }));
    for who in ["anna", "0", "-5"] {
        let bad = world.get(&format!("/api/telegram/why/{who}")).await;
        assert_eq!((bad.problem(), bad.fields()), ("invalid-input", vec!["who"]), "{who}");
    }

    let due = world.get("/api/telegram/members?removal_due=true").await;
    assert_eq!((&due.json["items"][0]["id"], due.json["items"].as_array().unwrap().len()), (&json!(stream), 1));
    let kept = world.post(&format!("/api/telegram/members/{stream}/whitelist"), reason.clone()).await;
    assert_eq!(kept.json["events"], json!(["Whitelisted", "RemovalWithdrawn"]), "{kept:?}");
    let position = kept.json["position"].as_i64().unwrap();
    let members = async |query: &str, position: i64| {
        let path = format!("/api/telegram/members?{query}&wait_ms=30000&min_position={position}");
        world.get(&path).await.json["items"].as_array().unwrap().clone()
    };
    let listed = members("whitelisted=true&is_in=true", position).await;
    assert_eq!(
        (listed.len(), &listed[0]["rule"], &listed[0]["should_be_in"]),
        (1, &json!("whitelisted"), &json!(true))
    );
    assert_eq!(listed[0]["person"], json!(app.person_of_telegram(501).await.unwrap().0));
    assert!(members("removal_due=true", position).await.is_empty());
    let unlisted = world.post(&format!("/api/telegram/members/{stream}/unlist"), reason.clone()).await;
    assert_eq!(unlisted.json["events"], json!(["Unlisted", "RemovalDue"]));
    // Somebody of whom nothing was ever heard.
    let new = world.post(&format!("/api/telegram/members/{CHANNEL}:502/whitelist"), reason.clone()).await;
    assert_eq!((new.status.as_u16(), &new.json["version"]), (200, &json!(1)));
    for id in ["x", "-100", "0:5", "-100:-5", "5:x"] {
        let bad = world.post(&format!("/api/telegram/members/{id}/whitelist"), reason.clone()).await;
        assert_eq!((bad.problem(), bad.fields()), ("invalid-input", vec!["id"]), "{id}");
    }
    let none = world.post(&format!("/api/telegram/members/{stream}/whitelist"), json!({ "reason": "" })).await;
    assert_eq!((none.problem(), none.fields()), ("invalid-input", vec!["reason"]));
    world.end().await;
}

/// Somebody whose payment is late has no access without grace, and Stripe goes on collecting: they can be
/// cancelled by their address all the same.
#[tokio::test]
async fn who_is_out_and_still_collected_from_is_cancelled_by_address() {
    let world = World::new().await;
    let now = world.app.clock.now();
    for (name, status) in [("gone", StripeStatus::Canceled), ("late", StripeStatus::PastDue)] {
        let id = stripe_subscription_stream(&format!("sub_{name}")).to_string();
        // Both of one address.
        let command = match observe(name, contract(status, now), 0, now) {
            subscription::Command::Observe { mut observation, settings, at } => {
                observation.email = Some(aggregates::Personal::new("ann@example.com".to_owned()));
                subscription::Command::Observe { observation, settings, at }
            }
            other => other,
        };
        let done = send(&world.app.subscriptions, &id, command).await;
        let path = format!("/api/telegram-subscriptions/{id}?min_position={}&wait_ms=30000", done.position);
        assert_eq!(world.get(&path).await.json["status"], "ended", "{name}");
    }
    let cancel = json!({ "email": "Ann@example.com", "when": "now", "reason": "asked by e-mail" });
    let answer = world.post("/api/telegram/cancel-subscription", cancel.clone()).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.json["id"], stripe_subscription_stream("sub_late").to_string());
    assert_eq!(answer.json["events"], json!(["CancelRequested"]));

    // What was given by hand and is over is nothing to cancel.
    let given = send(&world.app.subscriptions, &new_id(3), grant("bob@example.com", None, None, now)).await;
    let by_hand = crate::members::by_hand("enough");
    let revoke = subscription::Command::Revoke { by_hand, at: now };
    let revoked = send(&world.app.subscriptions, &given.id, revoke).await;
    check(&world, "bob@example.com", revoked.position).await;
    world.get(&format!("/api/telegram-subscriptions?min_position={}&wait_ms=30000", revoked.position)).await;
    let cancel = json!({ "email": "bob@example.com", "when": "now", "reason": "asked by e-mail" });
    world.post("/api/telegram/cancel-subscription", cancel).await.expect(404, "subscription-missing");
    world.end().await;
}
