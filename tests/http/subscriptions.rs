//! Plans, subscriptions, members: seen, decided on by hand, and asked for on each page view.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    members::{CHANNEL, some_of_all, vip},
    world::{Answer, ENTRYLAB, Send, World},
};

pub(crate) async fn check(world: &World, email: &str, position: i64) -> Value {
    let path = format!("/api/telegram/check-access/{email}?min_position={position}&wait_ms=30000");
    let answer = world.plain("GET", &path).header("x-api-key", ENTRYLAB).answer().await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json
}

pub(crate) fn new_id(n: u128) -> String {
    Uuid::from_u128(0x0193_5c2e_7b4a_7c31_9f05_0000_0000_0000 + n).to_string()
}

pub(crate) async fn step(world: &World, id: &str, step: &str, if_match: &str, body: Value) -> Answer {
    let path = format!("/api/telegram-subscriptions/{id}/{step}");
    world.admin("POST", &path).await.header("if-match", if_match).json(&body).answer().await
}

pub(crate) async fn shown(world: &World, id: &str, after: &Answer) -> Value {
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
