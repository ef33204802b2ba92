//! The same against a Stripe that is not ours.
//!
//! localstripe has no Checkout, does not let time pass and sends no
//! `customer.subscription.updated`, so a failed renewal is not in it; the rest is.

use serde_json::json;

use crate::{
    shop::{ANN, Channel, begins, shown},
    support::{
        World, eventually,
        localstripe::{KEY, Localstripe, SECRET, id},
    },
};

/// Signed webhooks of another Stripe, calls of our client to it: bought, joined, cancelled, removed.
#[tokio::test(flavor = "multi_thread")]
async fn a_subscriber_of_another_stripe_comes_in_and_goes() {
    let other = Localstripe::start().await;
    let world = World::new().await;
    let environment =
        [("STRIPE_SECRET_KEY", KEY), ("STRIPE_WEBHOOK_SECRET", SECRET), ("STRIPE_API_URL", other.base.as_str())];
    let process = world.process_with(&environment).await;
    world.balancer.to(&[&process.url]);
    let channel = Channel(&world);
    channel.open(&process, "vip").await;
    let door = format!("{}/api/stripe/webhook", world.balancer.url);
    other.made("/_config/webhooks/ours", &[("url", &door), ("secret", SECRET)]).await;

    let customer = other.customer("ann@example.com").await;
    other.plan().await;
    let telegram = ANN.to_string();
    let form = [("customer", customer.as_str()), ("items[0][plan]", "vip"), ("metadata[telegram_id]", &telegram)];
    let subscription = other.made("/v1/subscriptions", &form).await;
    // It tries each webhook once, and does not say when.
    eventually("the link", async || (channel.said(ANN).await.len() == 1).then_some(())).await;
    world.settled().await;
    begins(&channel.said(ANN).await, &["Welcome to VIP!"]);
    assert_eq!(shown(&process).await["stripe_subscription"], id(&subscription));
    channel.follow(ANN, &channel.link(ANN).await).await;
    world.settled().await;
    assert_eq!(channel.inside().await, [ANN]);
    assert_eq!(shown(&process).await["status"], "active");

    let ours = shown(&process).await["id"].clone();
    let cancel = |when| json!({ "subscription_id": ours, "when": when, "reason": "asked by e-mail" });
    assert_eq!(process.post("/api/telegram/cancel-subscription", &cancel("at_period_end")).await.status(), 200);
    world.settled().await;
    assert_eq!(shown(&process).await["status"], "cancelling");
    assert_eq!(channel.inside().await, [ANN], "what is paid is theirs");
    assert_eq!(process.post("/api/telegram/cancel-subscription", &cancel("now")).await.status(), 200);
    world.settled().await;
    assert_eq!(shown(&process).await["status"], "ended");
    assert!(channel.inside().await.is_empty());
    begins(
        &channel.said(ANN).await,
        &["Welcome to VIP!", "Your subscription has ended, so you are not in VIP any more."],
    );
    world.audit().await;
}
