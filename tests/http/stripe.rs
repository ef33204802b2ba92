//! Stripe's webhook, and the list of what came through it.

use chrono::{DateTime, TimeDelta, Utc};
use promostack::{app::Role, integrations::stripe::signature::sign};
use serde_json::{Value, json};

use crate::{
    database::Database,
    world::{Answer, Send, World, until, variables},
};

const PATH: &str = "/api/stripe/webhook";
const OLD: &str = "whsec_the-old-secret";
const NEW: &str = "whsec_the-new-secret";

async fn world(role: Role) -> World {
    let mut variables = variables();
    variables.push(("STRIPE_WEBHOOK_SECRET", format!("{OLD},{NEW}")));
    World::with(Database::fresh().await, &variables, role).await
}

fn event(id: &str, kind: &str, object: Value) -> String {
    json!({ "id": id, "object": "event", "type": kind, "created": 1_800_000_000, "api_version": "2024-06-20",
            "livemode": false, "data": { "object": object } })
    .to_string()
}

fn subscription(id: &str) -> Value {
    json!({ "id": id, "object": "subscription", "customer": "cus_1", "status": "active", "created": 1_800_000_000,
            "current_period_start": 1_800_000_000, "current_period_end": 1_802_592_000,
            "items": { "data": [{ "id": "si_1", "plan": { "id": "vip", "currency": "eur", "amount": 4900, "interval": "month" } }] } })
}

async fn post(world: &World, header: &str, body: impl Into<reqwest::Body>) -> Answer {
    world.plain("POST", PATH).header("stripe-signature", header).body(body).answer().await
}

async fn signed(world: &World, body: &str) -> Answer {
    post(world, &sign(&[NEW], world.app.clock.now(), body.as_bytes()), body.to_owned()).await
}

async fn counts(world: &World) -> (i64, i64) {
    sqlx::query_as(
        "select (select count(*) from stripe_events), (select count(*) from jobs where kind = 'stripe_event')",
    )
    .fetch_one(&world.app.pool)
    .await
    .unwrap()
}

#[tokio::test]
async fn an_event_is_kept_once_however_often_it_comes() {
    let world = world(Role::Web).await;
    let body = event("evt_1", "customer.subscription.updated", subscription("sub_1"));
    for _ in 0..3 {
        let answer = signed(&world, &body).await;
        assert_eq!((answer.status.as_u16(), &answer.json), (200, &json!({ "received": true })), "{answer:?}");
    }
    // Many at once, each of them five times.
    let bodies: Vec<String> =
        (0..40).map(|n| event(&format!("evt_x{n}"), "invoice.paid", json!({ "id": "in_1" }))).collect();
    let all = (0..200).map(|n| signed(&world, &bodies[n % 40]));
    assert!(futures_util::future::join_all(all).await.iter().all(|answer| answer.status == 200));
    assert_eq!(counts(&world).await, (41, 41));
    let jobs = world.get("/api/jobs?limit=1").await;
    assert_eq!(jobs.json["items"][0]["kind"], "stripe_event", "{jobs:?}");
    world.end().await;
}

#[tokio::test]
async fn only_stripe_is_believed_and_only_for_five_minutes() {
    let world = world(Role::Web).await;
    let body = event("evt_1", "invoice.paid", json!({ "id": "in_1" }));
    let now = world.app.clock.now();
    let at = |seconds| now + TimeDelta::seconds(seconds);
    world.plain("POST", PATH).body(body.clone()).answer().await.expect(400, "stripe-signature");
    for header in [
        String::new(),
        "nonsense".to_owned(),
        sign(&["whsec_of-somebody-else"], now, body.as_bytes()),
        sign(&[NEW], now, format!("{body} ").as_bytes()),
        sign(&[NEW], at(-400), body.as_bytes()),
        sign(&[NEW], at(400), body.as_bytes()),
    ] {
        let refused = post(&world, &header, body.clone()).await;
        refused.expect(400, "stripe-signature");
        assert_eq!(refused.fields(), ["Stripe-Signature"]);
    }
    assert_eq!(counts(&world).await, (0, 0));
    // While the secret is replaced, both are good, and so is a header with both.
    for (n, header) in [
        sign(&[OLD], at(-200), body.as_bytes()),
        sign(&[NEW], at(200), body.as_bytes()),
        sign(&["whsec_of-somebody-else", NEW], now, body.as_bytes()),
    ]
    .iter()
    .enumerate()
    {
        assert_eq!(post(&world, header, body.clone()).await.status, 200, "{n}");
    }
    assert_eq!(counts(&world).await, (1, 1));
    world.end().await;
}

/// What cannot be worked however often it is tried is said to be given up, and why; who has it worked
/// again all the same sees what came of it.
#[tokio::test]
async fn what_was_given_up_says_so() {
    let world = world(Role::All).await;
    let mut broken = subscription("sub_1");
    broken.as_object_mut().unwrap().remove("status");
    assert_eq!(signed(&world, &event("evt_1", "customer.subscription.updated", broken)).await.status, 200);
    let shown = async || world.get("/api/stripe/events").await.json["items"][0].clone();
    until(async || shown().await["outcome"].is_string()).await;
    let first = shown().await;
    assert!(first["outcome"].as_str().unwrap().starts_with("given up: "), "{first}");
    assert!(first["worked_at"].is_string(), "{first}");
    assert_eq!(world.get("/api/stripe/events?worked=false").await.json["items"], json!([]));

    let body = event("evt_1", "customer.subscription.updated", subscription("sub_1"));
    let mend = sqlx::query("update stripe_events set body = $1").bind(body.as_bytes());
    mend.execute(&world.app.pool).await.unwrap();
    let dead = world.get("/api/jobs?state=dead").await.json["items"][0]["id"].clone();
    let again = world.post(&format!("/api/jobs/{dead}/retry"), json!({})).await;
    assert!(again.status.is_success(), "{again:?}");
    until(async || !shown().await["outcome"].as_str().unwrap().starts_with("given up")).await;
    world.end().await;
}

#[tokio::test]
async fn whatever_stripe_signs_is_kept() {
    let world = world(Role::Web).await;
    let unknown = event("evt_u", "radar.early_fraud_warning.created", json!({}));
    assert_eq!(signed(&world, &unknown).await.status, 200);
    for body in ["", "nonsense", "[]", "{}", r#"{"id":"evt_2"}"#, "{\"id\":\"a\\u0000\",\"type\":\"x\"}"] {
        assert_eq!(signed(&world, body).await.status, 200, "{body}");
    }
    let no_text = vec![0xff, 0x00, 0xfe];
    let header = sign(&[NEW], world.app.clock.now(), &no_text);
    assert_eq!(post(&world, &header, no_text.clone()).await.status, 200);
    assert_eq!(counts(&world).await, (8, 0));
    let large = vec![b' '; 2 * 1024 * 1024];
    let header = sign(&[NEW], world.app.clock.now(), &large);
    post(&world, &header, large).await.expect(413, "body-too-large");

    let list = world.get("/api/stripe/events?outcome=unreadable").await;
    assert_eq!(list.json["items"].as_array().unwrap().len(), 7, "{list:?}");
    let list = world.get("/api/stripe/events?outcome=nothing").await;
    assert_eq!(list.json["items"][0]["id"], "evt_u");
    let kept: Vec<u8> =
        sqlx::query_scalar("select body from stripe_events where position = (select max(position) from stripe_events)")
            .fetch_one(&world.app.pool)
            .await
            .unwrap();
    assert_eq!(kept, no_text);
    world.end().await;
}

#[tokio::test]
async fn what_cannot_be_kept_stays_with_stripe() {
    let world = world(Role::Web).await;
    sqlx::query("alter table stripe_events rename to away").execute(&world.app.pool).await.unwrap();
    let body = event("evt_1", "invoice.paid", json!({ "id": "in_1" }));
    let refused = signed(&world, &body).await;
    refused.expect(503, "database-unavailable");
    assert!(!refused.header("retry-after").is_empty());
    sqlx::query("alter table away rename to stripe_events").execute(&world.app.pool).await.unwrap();
    assert_eq!(signed(&world, &body).await.status, 200);
    // A connection that was lost is made anew.
    sqlx::query("select pg_terminate_backend(pid) from pg_stat_activity where query like 'select take_stripe_events%' and pid <> pg_backend_pid()")
        .execute(&world.app.pool)
        .await
        .unwrap();
    let body = event("evt_2", "invoice.paid", json!({ "id": "in_1" }));
    until(async || signed(&world, &body).await.status == 200).await;
    assert_eq!(counts(&world).await, (2, 2));
    world.end().await;
}

#[tokio::test]
async fn without_a_secret_there_is_no_webhook() {
    let world = World::with(Database::fresh().await, &variables(), Role::Web).await;
    let answer = signed(&world, "{}").await;
    answer.expect(503, "stripe-unavailable");
    assert_eq!(world.plain("GET", "/api/health").answer().await.json["stripe"], "unavailable");
    world.end().await;
}

#[tokio::test]
async fn without_a_key_the_event_itself_serves() {
    let world = world(Role::All).await;
    signed(&world, &event("evt_1", "customer.subscription.created", subscription("sub_1"))).await;
    signed(&world, &event("evt_2", "customer.subscription.updated", json!({ "id": "sub_2", "customer": "cus_1" })))
        .await;
    signed(&world, &event("evt_3", "customer.created", json!({ "id": "cus_1", "email": "zoe@example.com" }))).await;
    let worked = async |id: &str| {
        let path = format!("/api/stripe/events/{id}");
        until(async || world.get(&path).await.json["event"]["outcome"].is_string()).await;
        world.get(&path).await.json
    };
    let first = worked("evt_1").await;
    assert_eq!(first["event"]["outcome"], "subscription sub_1: active (from the event)");
    assert_eq!(first["payload"]["data"]["object"]["id"], "sub_1");
    assert_eq!(first["event"]["api_version"], "2024-06-20");
    assert_eq!(worked("evt_3").await["event"]["outcome"], "nothing to do");
    // What cannot be read waits for a person, as a dead job, and is kept.
    until(async || {
        world.get("/api/jobs?state=dead").await.json["items"].as_array().is_some_and(|dead| dead.len() == 1)
    })
    .await;
    let dead = world.get("/api/jobs?state=dead").await;
    assert_eq!(dead.json["items"][0]["causation"], "stripe-event:evt_2");
    assert!(dead.text.contains("subscription.items is missing"), "{dead:?}");

    let page = world.get("/api/stripe/events?limit=2").await;
    let ids = |page: &Answer| -> Vec<String> {
        page.json["items"].as_array().unwrap().iter().map(|event| event["id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(ids(&page), ["evt_3", "evt_2"]);
    let cursor = page.json["next_cursor"].as_str().unwrap();
    let rest = world.get(&format!("/api/stripe/events?limit=2&cursor={cursor}")).await;
    assert_eq!((ids(&rest), rest.json.get("next_cursor")), (vec!["evt_1".to_owned()], None));
    // It was given up, and says so.
    let given_up = worked("evt_2").await;
    assert!(given_up["event"]["outcome"].as_str().unwrap().starts_with("given up: "), "{given_up}");
    assert_eq!(ids(&world.get("/api/stripe/events?worked=false").await), [""; 0]);
    assert_eq!(ids(&world.get("/api/stripe/events?type=customer.created").await), ["evt_3"]);
    world.get("/api/stripe/events?cursor=x").await.expect(400, "invalid-input");
    let table = world.get("/api/stripe/events.csv").await;
    assert_eq!(table.text.lines().count(), 4, "{table:?}");
    assert!(!table.text.contains("example.com"));
    world.get("/api/stripe/events/evt_9").await.expect(404, "stripe-event-missing");
    let _: DateTime<Utc> = first["event"]["worked_at"].as_str().unwrap().parse().unwrap();
    world.end().await;
}

/// Without a key a dispute says by what charge it is; the invoice of old said which one paid it.
#[tokio::test]
async fn without_a_key_a_dispute_finds_its_subscription_or_says_that_it_does_not() {
    let world = world(Role::All).await;
    let outcome = async |id: &str| {
        let path = format!("/api/stripe/events/{id}");
        until(async || world.get(&path).await.json["event"]["outcome"].is_string()).await;
        world.get(&path).await.json["event"]["outcome"].as_str().unwrap().to_owned()
    };
    let invoice = json!({ "id": "in_1", "object": "invoice", "subscription": "sub_1", "customer": "cus_1",
        "status": "paid", "currency": "eur", "total": 4900, "amount_due": 4900, "amount_paid": 4900,
        "attempt_count": 1, "created": 1_800_000_000, "charge": "ch_1", "payment_intent": "pi_1" });
    let dispute = |id: &str, charge: &str, payment: Option<&str>| {
        json!({ "id": id, "object": "dispute", "charge": charge, "payment_intent": payment, "amount": 4900,
            "currency": "eur", "status": "needs_response", "reason": "fraudulent", "created": 1_800_000_100 })
    };
    signed(&world, &event("evt_1", "customer.subscription.created", subscription("sub_1"))).await;
    signed(&world, &event("evt_2", "invoice.paid", invoice)).await;
    outcome("evt_1").await;
    outcome("evt_2").await;
    signed(&world, &event("evt_3", "charge.dispute.created", dispute("dp_1", "ch_1", None))).await;
    assert_eq!(outcome("evt_3").await, "dispute dp_1: needs_response (from the event)");
    signed(&world, &event("evt_4", "charge.dispute.created", dispute("dp_2", "ch_9", Some("pi_1")))).await;
    assert_eq!(outcome("evt_4").await, "dispute dp_2: needs_response (from the event)");
    signed(&world, &event("evt_5", "charge.dispute.created", dispute("dp_3", "ch_7", None))).await;
    assert_eq!(outcome("evt_5").await, "not applied, no invoice known: dispute dp_3: needs_response (from the event)");
    let disputes: i64 = sqlx::query_scalar("select count(*) from events where event_type = 'DisputeOpened'")
        .fetch_one(&world.app.pool)
        .await
        .unwrap();
    assert_eq!(disputes, 2);
    world.end().await;
}
