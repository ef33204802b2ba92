//! Plans, subscriptions, members: seen, decided on by hand, and asked for on each page view.

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
    membership::{access_table::Which, pay},
};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    database::Database,
    members::{CHANNEL, account, contract, entitle, grant, observe, send, some_of_all, vip},
    stripe_support::{self, Stripe},
    world::{Answer, ENTRYLAB, Send, World, config, until, variables},
};

async fn check(world: &World, email: &str, position: i64) -> Value {
    let path = format!("/api/telegram/check-access/{email}?min_position={position}&wait_ms=30000");
    let answer = world.plain("GET", &path).header("x-api-key", ENTRYLAB).answer().await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json
}

fn new_id(n: u128) -> String {
    Uuid::from_u128(0x0193_5c2e_7b4a_7c31_9f05_0000_0000_0000 + n).to_string()
}

async fn step(world: &World, id: &str, step: &str, if_match: &str, body: Value) -> Answer {
    let path = format!("/api/telegram-subscriptions/{id}/{step}");
    world.admin("POST", &path).await.header("if-match", if_match).json(&body).answer().await
}

async fn shown(world: &World, id: &str, after: &Answer) -> Value {
    let position = &after.json["position"];
    let path = format!("/api/telegram-subscriptions/{id}?wait_ms=30000&min_position={position}");
    let answer = world.get(&path).await;
    assert_eq!((answer.status.as_u16(), answer.header("etag")), (200, after.header("etag")), "{answer:?}");
    answer.json
}

#[tokio::test]
async fn plans_are_defined_changed_and_retired() {
    let world = World::new().await;
    let draft = json!({ "name": "VIP", "interval": "month", "channel": CHANNEL, "prices": ["price_a", "price_b"] });
    let made = world.admin("POST", "/api/plans").await.header("idempotency-key", "k1").json(&draft).answer().await;
    assert_eq!(made.status, 201, "{made:?}");
    let again = world.admin("POST", "/api/plans").await.header("idempotency-key", "k1").json(&draft).answer().await;
    assert_eq!((again.header("idempotency-replayed"), &again.json["id"]), ("true", &made.json["id"]));
    let path = made.header("location").to_owned();
    let look = async |after: &Answer| {
        world.get(&format!("{path}?wait_ms=30000&min_position={}", after.json["position"])).await
    };
    let plan = look(&made).await;
    assert_eq!((&plan.json["interval"], &plan.json["interval_count"]), (&json!("month"), &json!(1)));
    assert_eq!((&plan.json["prices"], &plan.json["status"]), (&draft["prices"], &json!("offered")));

    let taken =
        world.post("/api/plans", json!({ "name": "B", "interval": "year", "channel": -5, "prices": ["price_b"] }));
    taken.await.expect(409, "price-taken");
    let wrong = world.post("/api/plans", json!({ "name": " ", "interval": "year", "channel": -5 })).await;
    wrong.expect(422, "invalid-terms");
    assert_eq!(wrong.fields(), ["name"]);
    let all = world.post("/api/plans", json!({ "interval": "hour", "channel": 0, "prices": "x", "more": 1 })).await;
    all.expect(400, "invalid-input");
    assert_eq!(all.fields(), ["name", "interval", "channel", "prices", "more"]);

    let change = async |if_match: Option<&str>| {
        let mut request = world.admin("PATCH", &path).await.json(&json!({ "prices": ["price_c"] }));
        if let Some(tag) = if_match {
            request = request.header("if-match", tag);
        }
        request.answer().await
    };
    change(None).await.expect(428, "precondition-required");
    change(Some("\"7\"")).await.expect(412, "precondition-failed");
    let changed = change(Some("\"1\"")).await;
    assert_eq!((changed.status.as_u16(), &changed.json["events"]), (200, &json!(["Changed"])));
    let plan = look(&changed).await;
    assert_eq!(
        (&plan.json["prices"], &plan.json["name"]),
        (&json!(["price_c"]), &json!("VIP")),
        "what is not given stays"
    );
    let free = projections::plans::of_prices(&world.app.pool, &["price_a".to_owned()]).await.unwrap();
    assert_eq!(free, None);
    let found =
        projections::plans::of_prices(&world.app.pool, &["price_x", "price_c"].map(str::to_owned)).await.unwrap();
    assert_eq!(found.unwrap().id.to_string(), made.json["id"].as_str().unwrap());

    let retired = world.admin("POST", &format!("{path}/retire")).await.answer().await;
    assert_eq!(look(&retired).await.json["status"], "retired");
    change(Some("*")).await.expect(409, "plan-status");
    let list = world.get("/api/plans?status=offered").await;
    assert_eq!(list.json["items"], json!([]));
    let kept = projections::plans::of_prices(&world.app.pool, &["price_c".to_owned()]).await.unwrap();
    assert_eq!(kept.unwrap().status, "retired", "who has it, keeps it");
    let missing = world.get(&format!("/api/plans/{}", new_id(9))).await;
    missing.expect(404, "plan-missing");
    world.end().await;
}

#[tokio::test]
async fn subscriptions_are_found_and_decided_on_by_hand() {
    let world = World::new().await;
    let app = &world.app;
    let now = app.clock.now();
    some_of_all(app).await;
    let last = app.log.last_position().await.unwrap();
    let find = async |query: &str| {
        let answer = world.get(&format!("/api/telegram-subscriptions?min_position={last}&wait_ms=30000&{query}")).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json["items"].as_array().unwrap().clone()
    };
    let emails =
        |items: &[Value]| items.iter().map(|item| item["email"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
    assert_eq!(find("").await.len(), 6);
    for (query, expected) in [
        ("status=active&sort=created_at", vec!["=Gift@example.com", "paid@example.com", "trial@example.com"]),
        ("status=past_due", vec!["late@example.com"]),
        ("status=cancelling", vec!["leaving@example.com"]),
        ("status=ended", vec!["gone@example.com"]),
        ("origin=grant", vec!["=Gift@example.com"]),
        ("email=PAID@EXAMPLE.com", vec!["paid@example.com"]),
        ("telegram_id=501", vec!["=Gift@example.com"]),
        ("currency=eur&status=past_due", vec!["late@example.com"]),
        ("currency=usd", vec![]),
        ("origin=stripe&status=active&sort=-created_at", vec!["trial@example.com", "paid@example.com"]),
    ] {
        assert_eq!(emails(&find(query).await), expected, "{query}");
    }
    assert_eq!(find(&format!("plan={}&channel={CHANNEL}", vip().id)).await.len(), 6);
    let soon = (now + TimeDelta::days(6)).to_rfc3339().replace('+', "%2B");
    assert_eq!(emails(&find(&format!("ends_before={soon}")).await), ["late@example.com"]);

    // Those that end, the next one first; then those that do not; page by page, either way.
    for (sort, ends) in [("ends_at", true), ("-ends_at", false)] {
        let (mut items, mut cursor) = (vec![], String::new());
        loop {
            let page = world.get(&format!("/api/telegram-subscriptions?sort={sort}&limit=1{cursor}")).await;
            items.extend(page.json["items"].as_array().unwrap().clone());
            let Some(next) = page.json["next_cursor"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        assert_eq!(items.len(), 6, "{sort}");
        let three = if ends { &items[..3] } else { &items[3..] };
        let mut three = emails(three);
        if !ends {
            three.reverse();
        }
        assert_eq!(three, ["late@example.com", "=Gift@example.com", "leaving@example.com"], "{sort}");
    }

    let gift = &find("origin=grant").await[0];
    let id = gift["id"].as_str().unwrap();
    assert_eq!(
        (&gift["standing"], &gift["rule"], &gift["last_reason"]),
        (&json!("granted"), &json!("manual_grant"), &json!("more"))
    );
    assert!(gift["joined_at"].is_string() && gift["link_url"].is_string(), "{gift}");
    let paid = &find("email=paid@example.com").await[0];
    assert_eq!((&paid["mrr_currency"], &paid["mrr_micros"]), (&json!("EUR"), &json!(4_900_000_000_i64)));
    assert!(paid.get("ends_at").is_none() && paid["period_end"].is_string(), "{paid}");

    let reason = json!({ "reason": "for the test" });
    let path = format!("/api/telegram-subscriptions/{id}/revoke");
    world.post(&path, reason.clone()).await.expect(428, "precondition-required");
    step(&world, id, "revoke", "\"1\"", reason.clone()).await.expect(412, "precondition-failed");
    let wrong = step(&world, id, "revoke", "*", json!({ "reason": "  " })).await;
    wrong.expect(400, "invalid-input");
    assert_eq!(wrong.fields(), ["reason"]);
    let past = step(&world, id, "extend", "*", json!({ "reason": "x", "until": "2020-01-01T00:00:00Z" })).await;
    assert_eq!((past.problem(), past.fields()), ("invalid-input", vec!["until"]));
    step(&world, &new_id(9), "revoke", "*", reason.clone()).await.expect(404, "subscription-missing");
    step(&world, &new_id(9), "revoke", "\"1\"", reason.clone()).await.expect(404, "subscription-missing");

    let etag = format!("\"{}\"", gift["version"]);
    let revoked = step(&world, id, "revoke", &etag, reason.clone()).await;
    assert_eq!(revoked.json["events"][0], "Revoked", "{revoked:?}");
    let gone = shown(&world, id, &revoked).await;
    assert_eq!(
        (&gone["status"], &gone["rule"], &gone["has_access"]),
        (&json!("ended"), &json!("revoked"), &json!(false))
    );
    assert_eq!((&gone["last_reason"], &gone["last_by"]), (&json!("for the test"), &json!("admin:admin")));
    assert_eq!(check(&world, "=gift@example.com", revoked.json["position"].as_i64().unwrap()).await["rule"], "revoked");
    step(&world, id, "transfer", "*", json!({ "telegram_id": 9, "reason": "x" }))
        .await
        .expect(409, "subscription-status");
    let restored = step(&world, id, "restore", "*", reason.clone()).await;
    assert_eq!(shown(&world, id, &restored).await["has_access"], true);
    let given = step(&world, id, "transfer", "*", json!({ "telegram_id": 777, "reason": "a new phone" })).await;
    let given = shown(&world, id, &given).await;
    assert_eq!(given["telegram_id"], 777);
    assert!(given.get("joined_at").is_none(), "the place is empty again: {given}");
    let key = world.admin("POST", &format!("/api/telegram-subscriptions/{id}/extend")).await.header("if-match", "*");
    let until = now + TimeDelta::days(30);
    let body = json!({ "until": until, "reason": "thanks" });
    let once = || key.try_clone().unwrap().header("idempotency-key", "more").json(&body).answer();
    let (first, second) = (once().await, once().await);
    assert_eq!((first.status.as_u16(), second.header("idempotency-replayed")), (200, "true"));
    assert_eq!(first.json, second.json);
    let shown = shown(&world, id, &first).await;
    let ends: DateTime<Utc> = shown["ends_at"].as_str().unwrap().parse().unwrap();
    assert_eq!(ends, until);
    world.end().await;
}

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

/// A world with a Stripe, which tells it nothing by itself: what it is to know, it is told here.
async fn with_stripe(clock: Clock) -> (World, Stripe) {
    let database = Database::fresh().await;
    promostack::app::MIGRATIONS.run(&database.pool()).await.unwrap();
    // Only what is asked for in a test is taken in.
    sqlx::query("insert into timers (name, next_at) values ('stripe', now() + interval '1 day')")
        .execute(&database.pool())
        .await
        .unwrap();
    let stripe = Stripe::serve(database.pool()).await;
    let mut variables = variables();
    variables.extend([
        ("STRIPE_SECRET_KEY", stripe_support::KEY.to_owned()),
        ("STRIPE_API_URL", stripe.url.clone()),
        ("PUBLIC_URL", "https://vip.example.com/shop/".to_owned()),
    ]);
    (World::at(database, &variables, Role::All, clock).await, stripe)
}

async fn catch_up(world: &World) {
    promostack::stripe::sync::sync(&world.app, false, |_| {}).await.unwrap();
    until(async || {
        // There is no Telegram in these worlds.
        let query = "select count(*) from jobs where dead_at is null and kind <> 'telegram_message'";
        let left: i64 = sqlx::query_scalar(query).fetch_one(&world.app.pool).await.unwrap();
        left == 0
    })
    .await;
}

/// The way to the portal that messages show lasts, and is good for nobody who made it up.
#[tokio::test]
async fn the_way_to_the_portal_lasts_for_a_month() {
    let began = Clock::system().now();
    let clock = Clock::fixed(began);
    let (world, stripe) = with_stripe(clock.clone()).await;
    let price = stripe.price(4_900).await;
    let bought = stripe.buy(&price, 9_001, "ann@example.com").await;
    catch_up(&world).await;
    let id = stripe_subscription_stream(&bought);
    let subscription = world.app.subscriptions.look(&id.to_string(), |known, _, _| known.clone()).await.unwrap();
    let place = pay::place(&world.app, id, &subscription).await.unwrap().unwrap();
    let path = place.as_str().strip_prefix("https://vip.example.com/shop").unwrap().to_owned();

    let mut sessions = vec![];
    for _ in 0..2 {
        clock.set(clock.now() + TimeDelta::days(14));
        let answer = world.plain("GET", &path).answer().await;
        assert_eq!((answer.status.as_u16(), answer.header("cache-control")), (303, "no-store"), "{answer:?}");
        sessions.push(answer.header("location").to_owned());
    }
    assert!(sessions.iter().all(|url| url.starts_with(&format!("{}/portal/", stripe.url))), "{sessions:?}");
    assert_ne!(sessions[0], sessions[1], "each has a session of their own");

    let (rest, word) = path.rsplit_once('-').unwrap();
    let other = stripe_subscription_stream("sub_other").simple().to_string();
    let forged = path.replace(&id.simple().to_string(), &other);
    let later = format!("{}-{}-{word}", rest.rsplit_once('-').unwrap().0, 4_000_000_000_i64);
    for wrong in [forged, later, rest.to_owned(), "/api/stripe/portal/x".to_owned()] {
        world.plain("GET", &wrong).answer().await.expect(404, "portal-missing");
    }
    clock.set(clock.now() + TimeDelta::days(3));
    world.plain("GET", &path).answer().await.expect(404, "portal-missing");

    // A payment is late: the way leads to what is to be paid.
    clock.set(began);
    stripe.act(&format!("subscriptions/{bought}/fail_next"), json!({})).await;
    stripe.act(&format!("subscriptions/{bought}/advance"), json!({})).await;
    catch_up(&world).await;
    let subscription = world.app.subscriptions.look(&id.to_string(), |known, _, _| known.clone()).await.unwrap();
    let place = pay::place(&world.app, id, &subscription).await.unwrap().unwrap();
    let invoice = stripe.last_invoice(&bought).await;
    assert_eq!(place.as_str(), format!("https://invoice.stripe.com/i/sandbox/{invoice}"));
    stripe.act(&format!("invoices/{invoice}/pay"), json!({})).await;
    catch_up(&world).await;
    let subscription = world.app.subscriptions.look(&id.to_string(), |known, _, _| known.clone()).await.unwrap();
    assert_eq!(subscription.payable(), None);
    world.end().await;
}

/// Money goes back once for each key, whatever it is named by.
#[tokio::test]
async fn money_goes_back_when_it_is_asked_for() {
    let (world, stripe) = with_stripe(Clock::system()).await;
    let price = stripe.price(4_900).await;
    let bought = stripe.buy(&price, 9_001, "ann@example.com").await;
    catch_up(&world).await;
    let id = stripe_subscription_stream(&bought);
    let invoice = stripe.last_invoice(&bought).await;
    let charge = stripe.get("v1/charges").await["data"][0].clone();
    let (charge, payment) = (charge["id"].as_str().unwrap(), charge["payment_intent"].as_str().unwrap());
    let refund = async |key: &str, mut body: Value| {
        body["reason"] = json!("a kindness");
        let request = world.admin("POST", "/api/telegram/refund").await.header("idempotency-key", key);
        request.json(&body).answer().await
    };
    let back = async || stripe.get(&format!("v1/charges/{charge}")).await["amount_refunded"].as_i64().unwrap();
    for (key, body, total) in [
        ("a", json!({ "subscription_id": id, "amount_minor": 1_000 }), 1_000),
        ("a", json!({ "subscription_id": id, "amount_minor": 1_000 }), 1_000),
        ("b", json!({ "invoice": invoice, "amount_minor": 500 }), 1_500),
        ("c", json!({ "payment": payment, "amount_minor": 400 }), 1_900),
        ("d", json!({ "payment": charge }), 4_900),
    ] {
        let answer = refund(key, body.clone()).await;
        assert_eq!(answer.status, 200, "{body} {answer:?}");
        assert_eq!(answer.json["id"], id.to_string());
        assert_eq!(answer.json["events"], json!(["RefundRequested"]));
        until(async || back().await == total).await;
        // Its events come, too.
        catch_up(&world).await;
        assert_eq!(back().await, total, "{key}: {body}");
    }
    // All of it is back: access follows, and more is not to be had.
    let answer = refund("e", json!({ "invoice": invoice })).await;
    until(async || {
        let failed: i64 = sqlx::query_scalar("select count(*) from events where event_type = 'RefundFailed'")
            .fetch_one(&world.app.pool)
            .await
            .unwrap();
        failed == 1
    })
    .await;
    let last = world.app.log.last_position().await.unwrap();
    assert!(last > answer.json["position"].as_i64().unwrap());
    assert_eq!(check(&world, "ann@example.com", last).await["rule"], "refunded");
    let told: i64 = sqlx::query_scalar("select count(*) from events where event_type = 'Refunded'")
        .fetch_one(&world.app.pool)
        .await
        .unwrap();
    assert_eq!(told, 4, "each once, though its event comes, too");

    refund("f", json!({ "invoice": "in_none" })).await.expect(404, "payment-missing");
    refund("g", json!({ "subscription_id": new_id(9) })).await.expect(404, "subscription-missing");
    let given = grant("bob@example.com", None, None, world.app.clock.now());
    let given = send(&world.app.subscriptions, &new_id(3), given).await;
    refund("h", json!({ "subscription_id": given.id })).await.expect(409, "not-at-stripe");
    for (body, field) in [
        (json!({}), "subscription_id"),
        (json!({ "invoice": invoice, "payment": payment }), "subscription_id"),
        (json!({ "invoice": "sub_1" }), "invoice"),
        (json!({ "payment": payment, "amount_minor": 0 }), "amount_minor"),
    ] {
        let answer = refund("i", body).await;
        assert_eq!((answer.status.as_u16(), answer.fields()[0]), (400, field), "{answer:?}");
    }
    let key = world.key("reader", &["subscriptions:read"]).await;
    let request = world.plain("POST", "/api/telegram/refund").header("x-api-key", &key);
    request.json(&json!({ "invoice": invoice, "reason": "x" })).answer().await.expect(403, "scope-missing");
    world.end().await;
}

/// Who bought before the plan was defined has it as soon as it is; so has who bought it, when it is called
/// otherwise.
#[tokio::test]
async fn a_plan_that_is_defined_late_is_everybodys_at_once() {
    let (world, stripe) = with_stripe(Clock::system()).await;
    let price = stripe.price(4_900).await;
    let bought = stripe.buy(&price, 9_001, "ann@example.com").await;
    stripe.buy(&stripe.price(900).await, 9_002, "bob@example.com").await;
    catch_up(&world).await;
    let id = stripe_subscription_stream(&bought).to_string();
    let plan_of = async |id: &str| {
        let looked = world.app.subscriptions.look(id, |known, _, _| known.party().plan.map(|plan| plan.name));
        looked.await.unwrap()
    };
    assert_eq!(plan_of(&id).await, None);
    let draft = json!({ "name": "VIP", "interval": "month", "channel": CHANNEL, "prices": [price] });
    let made = world.post("/api/plans", draft).await;
    assert_eq!(made.status, 201, "{made:?}");
    until(async || plan_of(&id).await.as_deref() == Some("VIP")).await;
    let path = made.header("location").to_owned();
    let change = world.admin("PATCH", &path).await.header("if-match", "*").json(&json!({ "name": "Gold" }));
    assert_eq!(change.answer().await.status, 200);
    until(async || plan_of(&id).await.as_deref() == Some("Gold")).await;
    let others: i64 = sqlx::query_scalar("select count(*) from events where event_type = 'PlanChanged'")
        .fetch_one(&world.app.pool)
        .await
        .unwrap();
    assert_eq!(others, 2, "nobody else's");
    world.end().await;
}

/// What cannot be meant is refused by name, before anything is asked of anybody.
#[tokio::test]
async fn what_cannot_be_meant_is_refused() {
    let world = World::new().await;
    some_of_all(&world.app).await;
    let last = world.app.log.last_position().await.unwrap();
    let plan = json!({ "name": "VIP", "interval": "month", "channel": 7001, "prices": [] });
    let person = world.post("/api/plans", plan).await;
    person.expect(422, "invalid-terms");
    assert_eq!(person.fields(), ["channel"]);
    for (body, field) in [
        (json!({ "email": "a@example.com", "stripe_subscription_id": "sub_../../v1/x?y#" }), "stripe_subscription_id"),
        (json!({ "email": "a@example.com", "stripe_subscription_id": "sub_" }), "stripe_subscription_id"),
        (json!({ "email": "a\u{200b}@example.com", "stripe_subscription_id": "sub_1" }), "email"),
        (json!({ "email": "\u{202e}a@example.com", "stripe_subscription_id": "sub_1" }), "email"),
    ] {
        let refused = world.post("/api/telegram/grant-access", body.clone()).await;
        refused.expect(400, "invalid-input");
        assert_eq!(refused.fields(), [field], "{body}");
    }
    let list = "/api/telegram-subscriptions?limit=1";
    let page = world.get(&format!("{list}&sort=updated_at&min_position={last}&wait_ms=30000")).await;
    let cursor = page.json["next_cursor"].as_str().unwrap();
    assert_eq!(world.get(&format!("{list}&sort=-updated_at&cursor={cursor}")).await.status, 200);
    for (path, field) in [
        (format!("{list}&sort=ends_at&cursor={cursor}"), "cursor"),
        (format!("{list}&cursor={cursor}"), "cursor"),
        (format!("/api/telegram/check-access/a@example.com?channel={CHANNEL}&channel=-5"), "channel"),
    ] {
        let refused = world.get(&path).await;
        refused.expect(400, "invalid-input");
        assert_eq!(refused.fields(), [field], "{path}");
    }
    let asked = world.post("/api/telegram/drift", json!({ "repair": false })).await;
    assert_eq!(asked.status, 202, "{asked:?}");
    for cursor in ["-1", "0", "x"] {
        let refused = world.get(&format!("/api/telegram/drift?cursor={cursor}")).await;
        refused.expect(400, "invalid-input");
        assert_eq!(refused.fields(), ["cursor"], "{cursor}");
    }
    assert_eq!(world.get(&format!("/api/telegram/members?min_position={last}&wait_ms=30000")).await.status, 200);
    let members = world.get("/api/telegram/members.csv").await;
    assert!(members.text.contains(&format!("\n{CHANNEL}:501,")), "{}", members.text);
    world.end().await;
}

/// What Stripe never told is found by comparing, not only where the status is another, and repaired when asked.
#[tokio::test]
async fn what_stripe_never_told_is_found_by_comparing() {
    let (world, stripe) = with_stripe(Clock::system()).await;
    let (silver, gold) = (stripe.price(4_900).await, stripe.price(9_900).await);
    let bought = stripe.buy(&silver, 9_001, "ann@example.com").await;
    catch_up(&world).await;
    let compare = async |repair: bool| {
        let asked = world.post("/api/telegram/drift", json!({ "repair": repair })).await;
        assert!(asked.status.is_success(), "{asked:?}");
        let report = asked.header("location").to_owned();
        until(async || world.get(&report).await.json["finished_at"].is_string()).await;
        world.get(&report).await.json
    };
    let nothing = compare(false).await;
    assert_eq!(nothing["items"], json!([]), "{nothing}");
    stripe.call(&format!("subscriptions/{bought}"), &[("items[0][price]", &gold)]).await;
    let price = async || {
        let id = stripe_subscription_stream(&bought).to_string();
        let items = world.app.subscriptions.look(&id, |known, _, _| known.latest().unwrap().contract.items.clone());
        items.await.unwrap()[0].price.clone()
    };
    for repair in [false, true] {
        let found = compare(repair).await;
        assert_eq!(found["items"][0]["kind"], "stripe_differs", "{found}");
        assert!(found["items"][0]["detail"].as_str().unwrap().contains("what is sold"), "{found}");
        assert_eq!(found["items"][0]["repaired"], json!(repair));
        assert_eq!(price().await, if repair { gold.clone() } else { silver.clone() });
    }
    assert_eq!(compare(false).await["items"], json!([]));
    world.end().await;
}
