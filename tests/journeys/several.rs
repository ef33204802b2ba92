//! One person and several subscriptions: whoever has any of them stays.

use aggregates::subscription::stripe_subscription_stream;
use serde_json::json;

use crate::{
    shop::{ANN, EVE, Shop, VIP, begins, cancel, decide},
    support::eventually,
};

/// Somebody who is in buys once more, and the first subscription ends: no link is sent, the place is
/// theirs at once, and they stay until the second one ends, too.
#[tokio::test(flavor = "multi_thread")]
async fn who_buys_twice_stays_when_one_of_the_two_ends() {
    let shop = Shop::open().await;
    let process = shop.prepared().await;
    let first = shop.stripe.buy(&shop.price, ANN, "ann@example.com").await;
    shop.settled().await;
    shop.enter(ANN).await;
    let second = shop.stripe.buy(&shop.price, ANN, "ann@example.com").await;
    shop.settled().await;
    begins(&shop.said(ANN).await, &["Welcome to VIP!"]);
    let id = stripe_subscription_stream(&second);
    let shown = process.get(&format!("/api/telegram-subscriptions/{id}")).await;
    assert_eq!((&shown["status"], &shown["telegram_id"]), (&json!("active"), &json!(ANN)), "the place is taken");

    cancel(&process, &stripe_subscription_stream(&first).to_string()).await;
    shop.settled().await;
    assert_eq!(shop.inside().await, [ANN], "the second one is paid");
    let why = process.get(&format!("/api/telegram/why/{ANN}")).await;
    assert_eq!(why["channels"][0]["should_be_in"], true, "{why}");
    assert_eq!(why["channels"][0]["subscription_id"], json!(id), "{why}");
    begins(&shop.said(ANN).await, &["Welcome to VIP!"]);

    cancel(&process, &id.to_string()).await;
    shop.settled().await;
    assert!(shop.inside().await.is_empty());
    begins(&shop.said(ANN).await[1..], &["Your subscription has ended, so you are not in VIP any more."]);
    shop.world.audit().await;
}

/// Both are bought before the first link is followed: by coming in, both places are taken.
#[tokio::test(flavor = "multi_thread")]
async fn who_comes_in_takes_every_place_that_waits_for_them() {
    let shop = Shop::open().await;
    let process = shop.prepared().await;
    let first = shop.stripe.buy(&shop.price, ANN, "ann@example.com").await;
    let second = shop.stripe.buy(&shop.price, ANN, "ann@example.com").await;
    shop.settled().await;
    shop.enter(ANN).await;
    assert_eq!(shop.inside().await, [ANN]);
    for subscription in [&first, &second] {
        let id = stripe_subscription_stream(subscription);
        let shown = process.get(&format!("/api/telegram-subscriptions/{id}")).await;
        assert_eq!(shown["status"], "active", "{shown}");
    }
    for (ended, inside) in [(&second, vec![ANN]), (&first, vec![])] {
        cancel(&process, &stripe_subscription_stream(ended).to_string()).await;
        shop.settled().await;
        assert_eq!(shop.inside().await, inside);
    }
    shop.world.audit().await;
}

/// Free days first, and then they buy: when the free days end, they stay.
#[tokio::test(flavor = "multi_thread")]
async fn who_buys_after_free_days_stays_when_these_end() {
    let shop = Shop::open().await;
    let process = shop.prepared().await;
    let days = shop.grant(&process, ANN, None).await;
    shop.enter(ANN).await;
    let bought = shop.stripe.buy(&shop.price, ANN, "ann@example.com").await;
    shop.settled().await;
    cancel(&process, &days).await;
    shop.settled().await;
    assert_eq!(shop.inside().await, [ANN]);
    begins(&shop.said(ANN).await, &["Welcome to VIP!"]);
    cancel(&process, &stripe_subscription_stream(&bought).to_string()).await;
    shop.settled().await;
    assert!(shop.inside().await.is_empty());
    shop.world.audit().await;
}

/// A place that is given to somebody who is in already is taken by them; who had it hears where it went.
#[tokio::test(flavor = "multi_thread")]
async fn a_place_that_is_given_to_who_is_in_is_taken_at_once() {
    let shop = Shop::open().await;
    let process = shop.prepared().await;
    let anns = shop.grant(&process, ANN, None).await;
    shop.enter(ANN).await;
    let eves = shop.grant(&process, EVE, None).await;
    shop.enter(EVE).await;
    decide(&process, &anns, "transfer", json!({ "telegram_id": EVE, "reason": "a gift" })).await;
    shop.settled().await;
    assert_eq!(shop.inside().await, [EVE]);
    begins(&shop.said(ANN).await, &["Welcome to VIP!", "Your place in VIP has moved to another Telegram account"]);
    let why = process.get(&format!("/api/telegram/why/{ANN}")).await;
    assert_eq!(why["channels"][0]["rule"], "transferred", "{why}");

    cancel(&process, &eves).await;
    shop.settled().await;
    assert_eq!(shop.inside().await, [EVE], "by the place that was Ann's");
    begins(&shop.said(EVE).await, &["Welcome to VIP!"]);
    cancel(&process, &anns).await;
    shop.settled().await;
    assert!(shop.inside().await.is_empty());
    shop.world.audit().await;
}

/// What somebody who never paid says of who was let in by hand is nothing: they stay.
#[tokio::test(flavor = "multi_thread")]
async fn who_was_let_in_by_hand_is_not_removed_by_what_never_let_them_in() {
    let shop = Shop::open().await;
    let process = shop.prepared().await;
    shop.world.telegram.post(&format!("/channels/{VIP}/members/{ANN}"), &json!({ "action": "add" })).await;
    shop.settled().await;
    assert_eq!(shop.inside().await, [ANN]);
    for strangers in [false, true] {
        let wish = json!({ "repair": true, "strangers": strangers });
        let asked: serde_json::Value = process.post("/api/telegram/drift", &wish).await.json().await.unwrap();
        let report = format!("/api/telegram/drift?run={}", asked["id"].as_str().unwrap());
        let report = eventually("the comparison", async || {
            let report = process.get(&report).await;
            report["finished_at"].is_string().then_some(report)
        })
        .await;
        assert_eq!(report["items"][0]["kind"], "in_and_should_not_be", "{report}");
        assert_eq!(report["items"][0]["repaired"], strangers, "{report}");
        shop.settled().await;
        assert_eq!(shop.inside().await, if strangers { vec![] } else { vec![ANN] });
    }
    let wrong = process.post("/api/telegram/drift", &json!({ "repair": false, "strangers": true })).await;
    assert_eq!(wrong.status(), 400);
    shop.world.audit().await;
}

/// Who was invited and did not come hears when it is over; and of one failed payment that is not
/// waited for somebody hears once.
#[tokio::test(flavor = "multi_thread")]
async fn each_end_is_told_once() {
    let shop = Shop::open().await;
    let process = shop.prepared_with(&[("PAST_DUE_GRACE_DAYS", "0")]).await;
    let eves = shop.grant(&process, EVE, None).await;
    cancel(&process, &eves).await;
    shop.settled().await;
    begins(
        &shop.said(EVE).await,
        &["Welcome to VIP!", "Your subscription has ended, so your link into VIP does not work"],
    );

    let subscription = shop.stripe.buy(&shop.price, ANN, "ann@example.com").await;
    shop.settled().await;
    shop.enter(ANN).await;
    shop.stripe.act(&format!("subscriptions/{subscription}/fail_next"), json!({})).await;
    shop.stripe.act(&format!("subscriptions/{subscription}/advance"), json!({})).await;
    shop.settled().await;
    assert!(shop.inside().await.is_empty());
    let late = "The last payment for your subscription did not arrive, so you are not in VIP any more.";
    begins(&shop.said(ANN).await, &["Welcome to VIP!", late]);
    let messages = shop.world.telegram.messages(ANN).await;
    let button = &messages.last().unwrap()["reply_markup"]["inline_keyboard"][0][0];
    assert_eq!(button["text"], "Check my payment");
    shop.world.audit().await;
}

/// What was given by hand ends at once, with the time that was added to it; and what another
/// account has is not given away by a grant.
#[tokio::test(flavor = "multi_thread")]
async fn a_grant_takes_nothing_from_who_has_the_place_and_ends_whole() {
    let shop = Shop::open().await;
    let process = shop.prepared().await;
    let days = shop.grant(&process, EVE, None).await;
    let until = shop.stripe.now() + chrono::TimeDelta::days(40);
    decide(&process, &days, "extend", json!({ "until": until, "reason": "a present" })).await;
    shop.enter(EVE).await;
    cancel(&process, &days).await;
    shop.settled().await;
    assert!(shop.inside().await.is_empty());

    let subscription = shop.stripe.buy(&shop.price, ANN, "ann@example.com").await;
    shop.settled().await;
    shop.enter(ANN).await;
    let wish = json!({ "stripe_subscription_id": subscription, "email": "eve@example.com", "telegram_id": EVE });
    let refused = process.post("/api/telegram/grant-access", &wish).await;
    assert_eq!(refused.status(), 409);
    let problem: serde_json::Value = refused.json().await.unwrap();
    assert_eq!(problem["type"], "/problems/subscription-of-another", "{problem}");
    let shown =
        process.get(&format!("/api/telegram-subscriptions/{}", stripe_subscription_stream(&subscription))).await;
    assert_eq!((&shown["email"], &shown["telegram_id"]), (&json!("ann@example.com"), &json!(ANN)));
    shop.world.audit().await;
}
