//! A subscription's life at the twin, and the webhooks of it.

use std::time::Duration;

use serde_json::{Value, json};

use super::{
    super::{
        object::{Charge, Invoice, Object, Subscription, SubscriptionStatus},
        twin::Shape,
    },
    world::{World, at},
};

async fn until(mut holds: impl FnMut() -> bool) {
    let waited = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), waited).await.unwrap();
}

#[tokio::test]
async fn a_life_is_told_by_signed_webhooks_in_order() {
    let mut world = World::new().await;
    let webhook = world.webhook(Shape::Basil).await;
    world.deliver();
    let (id, _) = world.subscribe(&[("subscription_data[metadata][telegram]", "7")]).await;
    let path = |action: &str| format!("subscriptions/{id}/{action}");
    world.act(&path("fail_next"), json!({})).await;
    let failed = world.act(&path("advance"), json!({})).await;
    assert_eq!(failed["status"], "past_due");
    world.act(&format!("invoices/{}/pay", failed["latest_invoice"].as_str().unwrap()), json!({})).await;
    let stripe = world.client();
    let recovered = stripe.subscription(&id).await.unwrap();
    assert_eq!((recovered.status, recovered.metadata["telegram"].as_str()), (SubscriptionStatus::Active, "7"));
    let invoice = stripe.invoice(recovered.latest_invoice.as_deref().unwrap()).await.unwrap();
    assert_eq!((invoice.attempt_count, invoice.amount_paid), (2, 4900));
    let form = [("cancel_at_period_end", "true")];
    let (_, cancelling) = world.call("POST", &format!("subscriptions/{id}"), &form).await;
    // 2027-03-15 08:00 UTC: two months after the start.
    assert_eq!(cancelling["cancel_at"], 1_805_097_600);
    world.act(&path("advance"), json!({})).await;
    let ended = stripe.subscription(&id).await.unwrap();
    assert_eq!((ended.status, ended.ended_at), (SubscriptionStatus::Canceled, Some(at(1_805_097_600))));
    let (status, gone) = world.try_act(&path("advance"), json!({})).await;
    assert_eq!((status, &gone["error"]["code"]), (404, &json!("resource_missing")));
    let told = [
        "customer.created",
        "customer.subscription.created",
        "invoice.created",
        "charge.succeeded",
        "invoice.paid",
        "invoice.payment_succeeded",
        "checkout.session.completed",
        "customer.subscription.updated",
        "invoice.created",
        "charge.failed",
        "invoice.payment_failed",
        "customer.subscription.updated",
        "charge.succeeded",
        "invoice.paid",
        "invoice.payment_succeeded",
        "customer.subscription.updated",
        "customer.subscription.updated",
        "customer.subscription.deleted",
    ];
    until(|| webhook.received().len() >= told.len()).await;
    assert_eq!(webhook.types(), told);
}

#[tokio::test]
async fn both_shapes_say_the_same() {
    let mut world = World::new().await;
    let webhook = world.webhook(Shape::Basil).await;
    world.deliver();
    world.subscribe(&[]).await;
    until(|| webhook.received().len() >= 7).await;
    let old = world.webhook(Shape::Old).await;
    for event in world.events().await {
        world.act(&format!("events/{}/resend", event.id), json!({})).await;
    }
    until(|| old.received().len() >= 7).await;
    let object = |events: &[Value], kind: &str| {
        events.iter().find(|event| event["type"] == kind).unwrap()["data"]["object"].clone()
    };
    let (new, old) = (webhook.received(), old.received());
    let [a, b] = [&new, &old].map(|events| object(events, "customer.subscription.created"));
    assert!(a["current_period_end"].is_null() && b["current_period_end"].is_i64());
    assert!(b["items"]["data"][0]["price"].is_null());
    let [a, b] = [a, b].map(|json| Subscription::from_json(&json).unwrap());
    assert_eq!((a.period, a.items[0].price.id.as_str()), (b.period, b.items[0].price.id.as_str()));
    assert_eq!(a.items[0].price.unit_amount, b.items[0].price.unit_amount);
    let [a, b] = [&new, &old].map(|events| object(events, "invoice.paid"));
    assert!(a["subscription"].is_null() && b["parent"].is_null());
    let [a, b] = [a, b].map(|json| Invoice::from_json(&json).unwrap());
    assert_eq!(
        (&a.subscription, &a.payment_intents, a.amount_paid),
        (&b.subscription, &b.payment_intents, b.amount_paid)
    );
    assert_eq!(a.lines[0].price, b.lines[0].price);
    let [a, b] = [&new, &old].map(|events| Charge::from_json(&object(events, "charge.succeeded")).unwrap());
    assert_eq!((a.invoice, a.payment_intent.is_some(), b.invoice.is_some()), (None, true, true));
    assert!(!new[0].to_string().contains("\"_"));
}

#[tokio::test]
async fn webhooks_can_be_held_back_shuffled_and_repeated() {
    let mut world = World::new().await;
    let webhook = world.webhook(Shape::Basil).await;
    world.deliver();
    world.act("webhooks/hold", json!({ "hold": true })).await;
    world.subscribe(&[]).await;
    let events = world.events().await.len();
    let released = world.act("webhooks/release", json!({ "order": "random", "seed": 7, "copies": 3 })).await;
    assert_eq!((released["taken"].as_u64(), webhook.received().len()), (Some(3 * events as u64), 3 * events));
    let mut ids: Vec<String> = webhook.received().iter().map(|e| e["id"].as_str().unwrap().to_owned()).collect();
    assert_ne!(ids, {
        let mut sorted = ids.clone();
        sorted.sort();
        sorted
    });
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), events);
    let endpoint: Value = world.http.get(world.url("webhook")).send().await.unwrap().json().await.unwrap();
    assert_eq!((&endpoint["waiting"], &endpoint["held"]), (&json!(0), &json!(true)));
}

#[tokio::test]
async fn the_twin_refuses_as_stripe_does() {
    let world = World::new().await;
    for (method, path, form, status, code) in [
        ("GET", "subscriptions/sub_1", &[][..], 404, json!("resource_missing")),
        ("GET", "unheard/of", &[], 404, json!(null)),
        ("POST", "prices", &[("product_data[name]", "x")], 400, json!("parameter_missing")),
        (
            "POST",
            "prices",
            &[("product_data[name]", "x"), ("currency", "eur"), ("unit_amount", "1.5")],
            400,
            json!(null),
        ),
        ("GET", "events?limit=101", &[], 400, json!(null)),
    ] {
        let (answered, body) = world.call(method, path, form).await;
        assert_eq!((answered, &body["error"]["code"]), (status, &code), "{method} {path}: {body}");
        assert_eq!(body["error"]["type"], "invalid_request_error");
    }
    let same = [("email", "ann@example.com")];
    let (_, first) = world.call_once("POST", "customers", &same, Some("k")).await;
    let (_, second) = world.call_once("POST", "customers", &same, Some("k")).await;
    assert_eq!(first, second);
    let (status, error) = world.call_once("POST", "customers", &[], Some("k")).await;
    assert_eq!((status, &error["error"]["type"]), (400, &json!("idempotency_error")));
    let anonymous = world.http.get(world.url("v1/customers")).send().await.unwrap();
    assert_eq!(anonymous.status(), 401);
}

#[tokio::test]
async fn trials_disputes_and_giving_up() {
    let world = World::new().await;
    let stripe = world.client();
    let (trial, _) = world.subscribe(&[("subscription_data[trial_period_days]", "7")]).await;
    let found = stripe.subscription(&trial).await.unwrap();
    assert_eq!((&found.status, found.trial, found.period), (&SubscriptionStatus::Trialing, found.period, found.period));
    world.act(&format!("subscriptions/{trial}/trial_will_end"), json!({})).await;
    let paid = world.act(&format!("subscriptions/{trial}/advance"), json!({})).await;
    assert_eq!(paid["status"], "active");
    let charge = world.events().await.into_iter().rfind(|event| event.kind == "charge.succeeded").unwrap();
    let dispute = world.act(&format!("charges/{}/dispute", charge.object_id().unwrap()), json!({})).await;
    let dispute = stripe.dispute(dispute["id"].as_str().unwrap()).await.unwrap();
    assert!(stripe.charge(&dispute.charge).await.unwrap().disputed);
    let closed = world.act(&format!("disputes/{}/close", dispute.id), json!({ "won": false })).await;
    assert_eq!(closed["status"], "lost");
    for (unpaid, status) in [(true, "unpaid"), (false, "canceled")] {
        let (id, _) = world.subscribe(&[]).await;
        world.act(&format!("subscriptions/{id}/fail_next"), json!({ "times": 2 })).await;
        world.act(&format!("subscriptions/{id}/advance"), json!({})).await;
        let given_up = world.act(&format!("subscriptions/{id}/give_up"), json!({ "unpaid": unpaid })).await;
        assert_eq!(given_up["status"], status);
    }
}
