//! A Stripe that is not ours: localstripe, driven through our client and calling our
//! webhook. It speaks the shape of 2017.

use futures_util::TryStreamExt;
use promostack::{
    app::Role,
    integrations::stripe::{Created, Paid, Refund, StripeError, StripeKey, object::SubscriptionStatus},
};

use crate::{
    database::Database,
    localstripe_support::{KEY, Localstripe, SECRET, id},
    world::{World, until, variables},
};

#[tokio::test]
async fn another_stripe_is_served_as_well() {
    let other = Localstripe::start().await;
    let mut variables = variables();
    variables.extend([
        ("STRIPE_SECRET_KEY", KEY.to_owned()),
        ("STRIPE_WEBHOOK_SECRET", SECRET.to_owned()),
        ("STRIPE_API_URL", other.base.clone()),
    ]);
    let world = World::with(Database::fresh().await, &variables, Role::All).await;
    let door = format!("{}/api/stripe/webhook", world.base);
    other.made("/_config/webhooks/ours", &[("url", &door), ("secret", SECRET)]).await;

    let customer = other.customer("zoe@example.com").await;
    other.plan().await;
    let subscribe = [("customer", customer.as_str()), ("items[0][plan]", "vip")];
    let subscription = other.made("/v1/subscriptions", &subscribe).await;
    let subscription = id(&subscription);

    // What it tells us is believed, kept, and looked up.
    let outcome = async |kind: &str| {
        let list = world.get(&format!("/api/stripe/events?type={kind}&worked=true")).await;
        list.json["items"][0]["outcome"].as_str().map(str::to_owned)
    };
    let created = "customer.subscription.created";
    until(async || outcome(created).await.is_some()).await;
    assert_eq!(outcome(created).await.unwrap(), format!("subscription {subscription}: active (fetched)"));
    until(async || outcome("invoice.payment_succeeded").await.is_some()).await;
    let paid = outcome("invoice.payment_succeeded").await.unwrap();
    assert!(paid.starts_with("invoice in_") && paid.ends_with(": paid (fetched)"), "{paid}");

    // What we ask is answered.
    let stripe = world.app.stripe.as_ref().unwrap();
    let found = stripe.subscription(subscription).await.unwrap();
    assert_eq!((&found.status, found.items[0].price.unit_amount), (&SubscriptionStatus::Active, Some(4900)));
    assert!(found.period.is_some());
    let listed: Vec<_> = stripe.subscriptions(Created::default(), None).try_collect().await.unwrap();
    assert_eq!(listed.iter().map(|one| one.object.clone().unwrap()).collect::<Vec<_>>(), std::slice::from_ref(&found));
    let invoices: Vec<_> =
        stripe.invoices(Created::default(), Some(found.id.clone()), None).try_collect().await.unwrap();
    let invoice = invoices[0].object.clone().unwrap();
    assert_eq!((invoices.len(), invoice.amount_paid, invoice.subscription.as_ref()), (1, 4900, Some(&found.id)));
    let email = stripe.customer(&found.customer).await.unwrap().email;
    assert_eq!(email.unwrap().reveal(), "zoe@example.com");
    let charge = invoice.charge.unwrap();
    let refund = Refund { of: Paid::Charge(charge.clone()), amount: Some(900), reason: None };
    stripe.refund(&refund, &StripeKey::new("refund:1")).await.unwrap();
    assert_eq!(stripe.charge(&charge).await.unwrap().amount_refunded, 900);
    let ending = stripe.cancel_at_period_end(&found.id, true, &StripeKey::new("end:1")).await.unwrap();
    assert!(ending.cancel_at_period_end);
    let ended = stripe.cancel_now(&found.id, &StripeKey::new("cancel:1")).await.unwrap();
    assert_eq!(ended.status, SubscriptionStatus::Canceled);
    assert!(matches!(stripe.subscription("sub_nobody").await, Err(StripeError::Missing { .. })));
    until(async || outcome("customer.subscription.deleted").await.is_some()).await;
    world.end().await;
}
