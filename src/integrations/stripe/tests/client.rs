//! What the client makes of answers, and of none.

use std::time::{Duration, Instant};

use futures_util::TryStreamExt;
use reqwest::Url;
use serde_json::json;

use super::{
    super::{Created, Outage, Paid, Refund, RefundReason, Stripe, StripeError, StripeKey, object::SubscriptionStatus},
    world::{KEY, NOW, World, at},
};
use crate::{integrations::http_client, secrets::Secret};

/// An error with all its causes, as a log would show it.
fn shown(error: &StripeError) -> String {
    format!("{error:?} {}", crate::jobs::chain(error))
}

#[tokio::test]
async fn everything_can_be_fetched() {
    let world = World::new().await;
    let stripe = world.client();
    let (subscription, customer) = world.subscribe(&[("client_reference_id", "user-7")]).await;
    let subscription = stripe.subscription(&subscription).await.unwrap();
    assert_eq!((subscription.status, subscription.customer.as_str()), (SubscriptionStatus::Active, customer.as_str()));
    assert_eq!(subscription.items[0].price.unit_amount, Some(4900));
    // A month from 2027-01-15 on.
    assert_eq!(subscription.period.unwrap().end, at(NOW + 31 * 86_400));
    let invoice = stripe.invoice(subscription.latest_invoice.as_deref().unwrap()).await.unwrap();
    assert_eq!((invoice.amount_paid, invoice.subscription.as_deref()), (4900, Some(subscription.id.as_str())));
    assert_eq!((invoice.paid_at, invoice.payment_intents.len()), (Some(at(NOW)), 1));
    assert_eq!(stripe.invoice_of_payment(&invoice.payment_intents[0]).await.unwrap(), invoice.id);
    assert_eq!(stripe.invoice_of_payment("pi_unknown").await.unwrap(), None);
    let customer = stripe.customer(&customer).await.unwrap();
    assert_eq!(customer.email.unwrap().reveal(), "zoe@example.com");
    let events = world.events().await;
    let session = events.iter().find(|event| event.kind == "checkout.session.completed").unwrap();
    let session = stripe.checkout_session(session.object_id().unwrap()).await.unwrap();
    assert_eq!((session.client_reference.as_deref(), session.subscription), (Some("user-7"), Some(subscription.id)));
    let charge = events.iter().find(|event| event.kind == "charge.succeeded").unwrap();
    let charge = stripe.charge(charge.object_id().unwrap()).await.unwrap();
    assert_eq!(stripe.invoice_of_charge(&charge).await.unwrap(), invoice.id);
}

#[tokio::test]
async fn errors_say_what_to_do_and_nothing_else() {
    let world = World::new().await;
    let stripe = world.client();
    let missing = stripe.subscription("sub_nobody").await.unwrap_err();
    assert!(matches!(missing, StripeError::Missing { operation: "get subscription" }) && !missing.is_transient());
    for bad in ["", "sub_1/../x", "sub 1", "sub_é", "sub?x"] {
        let error = stripe.subscription(bad).await.unwrap_err();
        assert!(matches!(error, StripeError::NoId { .. }), "{error:?}");
    }
    let stranger = Stripe::new(Secret::new("whatever".to_owned()), Some(world.address.clone()), world.http.clone());
    let refused = stranger.customer("cus_1").await.unwrap_err();
    assert!(matches!(refused, StripeError::Unauthorized { status: 401, .. }));

    let (subscription, _) = world.subscribe(&[]).await;
    world.order_fault("/v1/subscriptions", 1, json!({ "status": 402 })).await;
    let error = stripe.cancel_now(&subscription, &StripeKey::new("k")).await.unwrap_err();
    assert!(matches!(error, StripeError::Rejected { status: 402, .. }) && !error.is_transient());
    for error in [missing, refused, error] {
        assert!(!shown(&error).contains(KEY) && !shown(&error).contains("nobody"), "{}", shown(&error));
    }
    assert!(!format!("{stripe:?}").contains("sk_"));
    // Nobody there.
    let nowhere = Url::parse("http://127.0.0.1:9/").unwrap();
    let stripe = Stripe::new(Secret::new(KEY.to_owned()), Some(nowhere), http_client().unwrap());
    let error = stripe.customer("cus_secret").await.unwrap_err();
    assert!(matches!(&error, StripeError::Unavailable { source: Outage::Network(_), .. }) && error.is_transient());
    assert!(!shown(&error).contains("cus_secret"), "{}", shown(&error));
}

#[tokio::test]
async fn what_passes_is_tried_again_under_the_same_key() {
    let world = World::new().await;
    let stripe = world.client();
    let (subscription, _) = world.subscribe(&[]).await;
    // A failure, a broken answer, then the answer: the change was made once.
    world.order_fault("/v1/subscriptions/", 1, json!({ "status": 503 })).await;
    stripe.subscription(&subscription).await.unwrap();
    world.order_fault("/v1/subscriptions/", 1, json!({ "accept_then_drop": true })).await;
    let key = StripeKey::new("end:1");
    let changed = stripe.cancel_at_period_end(&subscription, true, &key).await.unwrap();
    assert!(changed.cancel_at_period_end);
    let updates = async || world.events().await.iter().filter(|e| e.kind == "customer.subscription.updated").count();
    assert_eq!(updates().await, 1);
    stripe.cancel_at_period_end(&subscription, true, &key).await.unwrap();
    assert_eq!(updates().await, 1);
    let changed = stripe.cancel_at_period_end(&subscription, false, &StripeKey::new("keep:1")).await.unwrap();
    assert!(!changed.cancel_at_period_end && changed.cancel_at.is_none());

    // Too many: waits as long as it is told to.
    world.order_fault("/v1/subscriptions/", 1, json!({ "status": 429, "retry_after": 1 })).await;
    let started = Instant::now();
    stripe.subscription(&subscription).await.unwrap();
    assert!(started.elapsed() >= Duration::from_secs(1), "{:?}", started.elapsed());
    // Too long to wait here: a job does.
    world.order_fault("/v1/subscriptions/", 1, json!({ "status": 429, "retry_after": 60 })).await;
    let error = stripe.subscription(&subscription).await.unwrap_err();
    assert!(matches!(error, StripeError::Busy { after: Some(after), .. } if after.as_secs() == 60), "{error:?}");

    // It never comes: given up after three tries.
    let stripe = world.client().with_patience(Duration::from_millis(100));
    world.order_fault("/v1/customers/", 3, json!({ "hang_ms": 400 })).await;
    let error = stripe.customer("cus_1").await.unwrap_err();
    assert!(
        matches!(&error, StripeError::Unavailable { source: Outage::Network(e), .. } if e.is_timeout()),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_failure_that_stripe_only_repeats_is_not_asked_for_again() {
    let world = World::new().await;
    let stripe = world.client();
    let (subscription, _) = world.subscribe(&[]).await;
    // What may be repeated goes on under another key.
    world.order_fault("/v1/subscriptions/", 1, json!({ "status": 500 })).await;
    stripe.cancel_at_period_end(&subscription, true, &StripeKey::new("end:2")).await.unwrap();
    // Money is given back once at the most: somebody has to look.
    let charge = world.events().await.into_iter().find(|event| event.kind == "charge.succeeded").unwrap();
    let refund = Refund {
        of: Paid::Charge(charge.object_id().unwrap().to_owned()),
        amount: Some(900),
        reason: Some(RefundReason::RequestedByCustomer),
    };
    world.order_fault("/v1/refunds", 1, json!({ "status": 500 })).await;
    let error = stripe.refund(&refund, &StripeKey::new("refund:1")).await.unwrap_err();
    assert!(matches!(&error, StripeError::Unavailable { source: Outage::Replayed(500), .. }), "{error:?}");
    assert!(!error.is_transient());

    let key = StripeKey::new("refund:2");
    let given = stripe.refund(&refund, &key).await.unwrap();
    assert_eq!((given.amount, given.reason.as_deref()), (900, Some("requested_by_customer")));
    assert_eq!(stripe.refund(&refund, &key).await.unwrap(), given);
    let all = Refund { amount: None, ..refund };
    let error = stripe.refund(&all, &key).await.unwrap_err();
    assert_eq!(error.code(), Some("idempotency_error"));
    assert_eq!(stripe.refund(&all, &StripeKey::new("refund:3")).await.unwrap().amount, 4000);
    let error = stripe.refund(&all, &StripeKey::new("refund:4")).await.unwrap_err();
    assert_eq!(error.code(), Some("charge_already_refunded"));
    let charge = stripe.charge(charge.object_id().unwrap()).await.unwrap();
    assert!(charge.refunded && charge.amount_refunded == 4900);
}

#[tokio::test]
async fn the_portal_and_the_end() {
    let world = World::new().await;
    let stripe = world.client();
    let (subscription, customer) = world.subscribe(&[]).await;
    let back = Url::parse("https://t.me/bot").unwrap();
    let link = stripe.portal_link(&customer, Some(&back), &StripeKey::new("portal:1")).await.unwrap();
    let page = world.http.get(&link).send().await.unwrap();
    assert_eq!(page.status(), 200);
    let page = page.text().await.unwrap();
    assert!(page.contains(&subscription) && page.contains("https://t.me/bot"), "{page}");
    let ended = stripe.cancel_now(&subscription, &StripeKey::new("cancel:1")).await.unwrap();
    assert_eq!((ended.status, ended.ended_at), (SubscriptionStatus::Canceled, Some(at(NOW))));
    let again = stripe.cancel_now(&subscription, &StripeKey::new("cancel:2")).await.unwrap_err();
    assert!(matches!(again, StripeError::Missing { .. }));
}

#[tokio::test]
async fn lists_are_walked_to_their_ends_both_ways() {
    let world = World::new().await;
    let stripe = world.client();
    // Straight into the twin's memory: as an account that is already there.
    sqlx::query(
        "insert into sandbox.stripe_object (id, kind, body)
         select 'sub_' || n, 'subscription', json_build_object('id', 'sub_' || n, 'object', 'subscription',
                'customer', 'cus_1', 'status', case when n % 2 = 0 then 'canceled' else 'active' end,
                'created', 1800000000 + n, 'items', json_build_object('data', json_build_array(json_build_object(
                'id', 'si_1', 'price', json_build_object('id', 'price_1', 'currency', case when n = 7 then null else 'eur' end)))))
           from generate_series(1, 250) n",
    )
    .execute(&world.pool)
    .await
    .unwrap();
    let listed: Vec<_> = stripe.subscriptions(Created::default(), None).try_collect().await.unwrap();
    assert_eq!((listed.len(), listed[0].id.as_str(), listed[249].id.as_str()), (250, "sub_250", "sub_1"));
    // One that cannot be read is told apart and hides no other.
    let bad: Vec<_> = listed.iter().filter_map(|one| one.object.as_ref().err().map(|error| (&one.id, error))).collect();
    assert_eq!(bad.len(), 1);
    assert_eq!((bad[0].0.as_str(), bad[0].1.path.as_str()), ("sub_7", "subscription.items.data[0].price.currency"));
    let created = Created { since: Some(at(NOW + 10)), until: Some(at(NOW + 130)) };
    let some: Vec<_> = stripe.subscriptions(created, None).try_collect().await.unwrap();
    assert_eq!((some.len(), some[0].id.as_str(), some[119].id.as_str()), (120, "sub_129", "sub_10"));

    let (subscription, _) = world.subscribe(&[]).await;
    for _ in 0..60 {
        world.act(&format!("subscriptions/{subscription}/advance"), json!({})).await;
    }
    let invoices: Vec<_> = stripe.invoices(Created::default(), Some(subscription), None).try_collect().await.unwrap();
    assert_eq!(invoices.len(), 61);
    let all = world.events().await;
    assert!(all.len() > 200);
    let newest_first: Vec<_> = stripe.events(Created::default()).try_collect().await.unwrap();
    let ids: Vec<&str> = newest_first.iter().rev().map(|one| one.id.as_str()).collect();
    assert_eq!(ids, all.iter().map(|event| event.id.as_str()).collect::<Vec<_>>());
    // What happened since the last one seen, in order.
    let since: Vec<_> = stripe.events_after(&all[4].id).try_collect().await.unwrap();
    let ids: Vec<&str> = since.iter().map(|one| one.id.as_str()).collect();
    assert_eq!(ids, all[5..].iter().map(|event| event.id.as_str()).collect::<Vec<_>>());
}
