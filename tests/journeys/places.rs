//! The place in a channel that a subscription is good for: moved, given away, misused, come back to.

use aggregates::subscription::stripe_subscription_stream;
use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::{
    shop::{ANN, EVE, Shop, begins, cancel, decide, shown},
    support::{Process, eventually},
};

const GOLD: i64 = -1_001_000_000_078;
const BOB: i64 = 9003;

/// A second plan, that opens a channel of its own; its price.
async fn gold(shop: &Shop, process: &Process) -> String {
    let price = shop.stripe.price(9_900).await;
    shop.world.telegram.post("/channels", &json!({ "chat_id": GOLD, "title": "Gold" })).await;
    let plan = json!({ "name": "Gold", "prices": [price], "interval": "month", "channel": GOLD });
    assert_eq!(process.post("/api/plans", &plan).await.status(), 201);
    shop.settled().await;
    price
}

/// Who changes to a plan with another channel loses the place in the first and gets a way into the
/// second, whether they had used their link or not.
#[tokio::test(flavor = "multi_thread")]
async fn a_plan_with_another_channel_moves_the_subscriber() {
    let shop = Shop::open().await;
    let process = shop.prepared().await;
    let gold = gold(&shop, &process).await;
    let anns = shop.stripe.buy(&shop.price, ANN, "ann@example.com").await;
    let eves = shop.stripe.buy(&shop.price, EVE, "eve@example.com").await;
    shop.settled().await;
    shop.enter(ANN).await;
    let before = shop.channel().link(EVE).await;
    assert_eq!(shop.inside().await, [ANN]);

    for subscription in [anns, eves] {
        shop.stripe.call(&format!("subscriptions/{subscription}"), &[("items[0][price]", &gold)]).await;
    }
    shop.settled().await;
    assert!(shop.inside().await.is_empty(), "it is another channel that they pay for");
    let mut said = shop.said(ANN).await;
    said[1..].sort();
    begins(&said, &["Welcome to VIP!", "Welcome to Gold!", "Your access has ended, so you are not in VIP any more."]);
    begins(&shop.said(EVE).await, &["Welcome to VIP!", "Welcome to Gold!"]);
    let opened = opened_by(&shop, EVE, &before).await;
    assert!(opened.contains("does not work"), "the link into the first channel is good for nothing: {opened}");

    shop.enter(ANN).await;
    shop.enter(EVE).await;
    assert_eq!(shop.channel().inside_of(GOLD).await, [ANN, EVE]);
    assert!(shop.inside().await.is_empty());
    shop.world.audit().await;
}

/// What Telegram says to somebody who follows a link, in words.
async fn opened_by(shop: &Shop, user: i64, link: &str) -> String {
    let url = format!("{}/chats/{user}/open", shop.world.telegram.url);
    let request = promostack::integrations::http_client().unwrap().post(url).json(&json!({ "link": link }));
    request.send().await.unwrap().text().await.unwrap()
}

/// A transfer is carried into the channel: the one goes, the other may come, and nobody else.
#[tokio::test(flavor = "multi_thread")]
async fn a_transfer_moves_the_place_in_the_channel() {
    let shop = Shop::open().await;
    let process = shop.prepared().await;
    shop.stripe.buy(&shop.price, ANN, "ann@example.com").await;
    shop.settled().await;
    shop.enter(ANN).await;
    let id = shown(&process).await["id"].as_str().unwrap().to_owned();
    decide(&process, &id, "transfer", json!({ "telegram_id": EVE, "reason": "a new phone" })).await;
    shop.settled().await;
    assert!(shop.inside().await.is_empty(), "it is not theirs any more");
    begins(&shop.said(ANN).await, &["Welcome to VIP!", "Your place in VIP has moved to another Telegram account"]);
    begins(&shop.said(EVE).await, &["Welcome to VIP!"]);
    let link = shop.channel().link(EVE).await;
    shop.channel().follow(ANN, &link).await;
    shop.settled().await;
    assert!(shop.inside().await.is_empty(), "who had the place does not get in by the other's link");
    shop.channel().follow(EVE, &link).await;
    shop.settled().await;
    assert_eq!(shop.inside().await, [EVE]);
    shop.world.audit().await;
}

/// The subscriber hears once of each stranger who follows their link, however often they do.
#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_is_told_of_once() {
    let shop = Shop::open().await;
    let process = shop.prepared().await;
    shop.grant(&process, ANN, None).await;
    let link = shop.channel().link(ANN).await;
    for stranger in [EVE, EVE, BOB, EVE, BOB] {
        shop.channel().follow(stranger, &link).await;
        shop.settled().await;
    }
    assert!(shop.inside().await.is_empty());
    let misused = "Somebody else tried to join VIP";
    begins(&shop.said(ANN).await, &["Welcome to VIP!", misused, misused]);
}

/// With links that let one person in: they are in at once, the link is good for nothing then, and a
/// stranger who was faster is out again.
#[tokio::test(flavor = "multi_thread")]
async fn a_link_for_one_person_lets_in_one() {
    let shop = Shop::open().await;
    let process = shop.prepared_with(&[("CHANNEL_LINKS", "single")]).await;
    shop.stripe.buy(&shop.price, ANN, "ann@example.com").await;
    shop.settled().await;
    let link = shop.channel().link(ANN).await;
    shop.channel().follow(EVE, &link).await;
    shop.settled().await;
    assert!(shop.inside().await.is_empty(), "a stranger who was faster does not stay");
    begins(&shop.said(ANN).await, &["Welcome to VIP!", "Somebody else tried to join VIP"]);

    shop.enter(ANN).await;
    assert_eq!(shop.inside().await, [ANN]);
    assert_eq!(shown(&process).await["status"], "active");
    let opened = opened_by(&shop, EVE, &link).await;
    assert!(opened.contains("does not work"), "it was used: {opened}");
    let id = shown(&process).await["id"].as_str().unwrap().to_owned();
    cancel(&process, &id).await;
    shop.settled().await;
    assert!(shop.inside().await.is_empty());
    shop.world.audit().await;
}

/// Reminders come three days and one day before the end, each once, for each end there is; and who
/// comes back is welcomed back, by a link of their own.
#[tokio::test(flavor = "multi_thread")]
async fn an_end_is_reminded_of_and_who_comes_back_is_welcome() {
    let shop = Shop::open().await;
    let process = shop.prepared().await;
    // Long enough that it is known before the reminder is due.
    let end = |days| shop.stripe.now() + TimeDelta::days(days) + TimeDelta::seconds(12);
    let anns = shop.grant(&process, ANN, Some(end(3))).await;
    shop.grant(&process, EVE, Some(end(1))).await;
    // For whom all reminders would have been due before they had access, there is none.
    shop.world.telegram.say(BOB, "/start").await;
    shop.grant(&process, BOB, Some(shop.stripe.now() + TimeDelta::hours(20))).await;
    let reminded = async |user, count| {
        eventually("the reminder", async || (shop.said(user).await.len() >= count).then_some(())).await;
    };
    reminded(ANN, 2).await;
    reminded(EVE, 2).await;
    begins(&shop.said(ANN).await, &["Welcome to VIP!", "Your access to VIP ends in 3 days, on"]);
    begins(&shop.said(EVE).await, &["Welcome to VIP!", "Your access to VIP ends tomorrow, on"]);

    // Another end is reminded of by itself. The same one is not.
    decide(&process, &anns, "extend", json!({ "until": end(3), "reason": "after the outage" })).await;
    reminded(ANN, 3).await;
    runs_of_the_timer(&shop, 3).await;
    begins(
        &shop.said(ANN).await,
        &["Welcome to VIP!", "Your access to VIP ends in 3 days, on", "Your access to VIP ends in 3 days, on"],
    );
    assert_eq!(shop.said(EVE).await.len(), 2);
    begins(&shop.said(BOB).await, &["Welcome to VIP!"]);

    shop.enter(ANN).await;
    assert_eq!(shop.inside().await, [ANN]);
    decide(&process, &anns, "revoke", json!({ "reason": "a mistake" })).await;
    shop.settled().await;
    assert!(shop.inside().await.is_empty());
    decide(&process, &anns, "restore", json!({ "reason": "it was ours" })).await;
    shop.settled().await;
    begins(
        &shop.said(ANN).await[3..],
        &["Your access has ended, so you are not in VIP any more.", "Welcome back to VIP!"],
    );
    shop.enter(ANN).await;
    assert_eq!(shop.inside().await, [ANN]);
    shop.world.audit().await;
}

/// Waits until the timer of memberships has run this often from now on.
async fn runs_of_the_timer(shop: &Shop, more: i64) {
    let runs = async || {
        let runs: i64 = sqlx::query_scalar("select runs from timers where name = 'memberships'")
            .fetch_one(&shop.world.pool)
            .await
            .unwrap();
        runs
    };
    let wanted = runs().await + more;
    eventually("the timer to run", async || (runs().await >= wanted).then_some(())).await;
    shop.settled().await;
}

/// Whom access was given to by hand outweighs what Stripe knows of the customer, whatever Stripe says
/// later, and asking again with the same key changes nothing.
#[tokio::test(flavor = "multi_thread")]
async fn whom_it_was_given_to_outweighs_stripes_customer() {
    let shop = Shop::open().await;
    let process = shop.prepared().await;
    let subscription = shop.stripe.buy(&shop.price, EVE, "accounting@example.com").await;
    shop.settled().await;
    let wish = json!({ "stripe_subscription_id": subscription, "email": "ann@example.com", "telegram_id": ANN });
    let grant = async || {
        let request = process.admin(reqwest::Method::POST, "/api/telegram/grant-access").await;
        let answer = request.header("idempotency-key", "ann").json(&wish).send().await.unwrap();
        assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
        answer.json::<Value>().await.unwrap()
    };
    let access =
        async |email: &str| process.get(&format!("/api/telegram/check-access/{email}")).await["has_access"].clone();
    let first = grant().await;
    shop.settled().await;
    assert_eq!((access("ann@example.com").await, access("accounting@example.com").await), (json!(true), json!(false)));

    assert_eq!(grant().await["subscription_id"], first["subscription_id"]);
    shop.stripe.act(&format!("subscriptions/{subscription}/advance"), json!({})).await;
    let customer = shop.stripe.get(&format!("v1/subscriptions/{subscription}")).await["customer"].clone();
    let customer = format!("customers/{}", customer.as_str().unwrap());
    shop.stripe.call(&customer, &[("email", "books@example.com")]).await;
    shop.settled().await;
    assert_eq!((access("ann@example.com").await, access("books@example.com").await), (json!(true), json!(false)));
    assert_eq!(shown(&process).await["telegram_id"], ANN);
    shop.enter(ANN).await;
    assert_eq!(shop.inside().await, [ANN]);
    shop.world.audit().await;
}

/// What was cancelled at Stripe before we asked, or is not there at all: the one has ended, of the
/// other a person hears.
#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_cancelled_at_stripe_is_looked_at() {
    let shop = Shop::open().await;
    let process = shop.prepared().await;
    let subscription = shop.stripe.buy(&shop.price, ANN, "ann@example.com").await;
    shop.settled().await;
    shop.enter(ANN).await;
    let id = shown(&process).await["id"].as_str().unwrap().to_owned();
    let events = async || {
        let types: Vec<String> =
            sqlx::query_scalar("select event_type from events where aggregate_type = 'subscription' order by position")
                .fetch_all(&shop.world.pool)
                .await
                .unwrap();
        types
    };

    // Its webhooks never come.
    shop.stripe.hold(true).await;
    let end = "update sandbox.stripe_object set body = body || '{\"status\": \"canceled\"}' where id = $1";
    sqlx::query(end).bind(&subscription).execute(&shop.world.pool).await.unwrap();
    cancel(&process, &id).await;
    shop.world.settled().await;
    assert_eq!(shown(&process).await["status"], "ended");
    assert!(shop.inside().await.is_empty());
    assert_eq!(events().await.iter().filter(|event| *event == "CancelConfirmed").count(), 1);

    let other = shop.stripe.buy(&shop.price, EVE, "eve@example.com").await;
    shop.stripe.hold(false).await;
    shop.stripe.release(1, 1).await;
    shop.settled().await;
    sqlx::query("delete from sandbox.stripe_object where id = $1")
        .bind(&other)
        .execute(&shop.world.pool)
        .await
        .unwrap();
    cancel(&process, &stripe_subscription_stream(&other).to_string()).await;
    shop.world.settled().await;
    assert_eq!(events().await.last().map(String::as_str), Some("CancelFailed"), "it is not said to be done");
    let jobs = process.get("/api/jobs?state=dead").await;
    assert_eq!(jobs["items"][0]["kind"], "cancel_at_stripe", "{jobs}");
}
