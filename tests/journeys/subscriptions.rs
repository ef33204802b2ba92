//! From a payment at Stripe to a place in the channel, and out again.

use serde_json::{Value, json};

use crate::support::{World, eventually};

use crate::shop::{ANN, EVE, Shop, VIP, begins, shown};

/// Names of the events of the one subscription there is.
async fn events(world: &World) -> Vec<String> {
    sqlx::query_scalar("select event_type from events where aggregate_type = 'subscription' order by position")
        .fetch_all(&world.pool)
        .await
        .unwrap()
}

/// Checkout, link, join, a stranger on the link, a failed renewal, grace, recovery, cancellation,
/// removal: each step is seen in the log, in the read models and in the messages, with a
/// `kill -9` between any two.
#[tokio::test(flavor = "multi_thread")]
async fn a_subscriber_comes_in_stays_and_goes() {
    let shop = Shop::open().await;
    let process = shop.prepared().await;

    let subscription = shop.stripe.buy(&shop.price, ANN, "ann@example.com").await;
    shop.settled().await;
    assert_eq!(shown(&process).await["status"], "invited");
    let access = process.get("/api/telegram/check-access/Ann@example.com").await;
    assert_eq!(access["has_access"], true, "{access}");
    begins(&shop.said(ANN).await, &["Welcome to VIP!"]);

    let process = shop.restart(process).await;
    let link = shop.link(ANN).await;
    shop.follow(ANN, &link).await;
    shop.settled().await;
    assert_eq!(shop.inside().await, [ANN]);
    assert_eq!(shown(&process).await["status"], "active");

    let process = shop.restart(process).await;
    shop.follow(EVE, &link).await;
    shop.settled().await;
    assert_eq!(shop.inside().await, [ANN], "a stranger on the link is turned away");
    begins(&shop.said(ANN).await, &["Welcome to VIP!", "Somebody else tried to join VIP"]);

    let process = shop.restart(process).await;
    shop.stripe.act(&format!("subscriptions/{subscription}/fail_next"), json!({})).await;
    shop.stripe.act(&format!("subscriptions/{subscription}/advance"), json!({})).await;
    shop.settled().await;
    assert_eq!(shown(&process).await["status"], "past_due");
    assert_eq!(shop.inside().await, [ANN], "there is grace");
    let said = shop.said(ANN).await;
    begins(&said[2..], &["Your payment for VIP did not go through. You stay in the channel until"]);
    let button =
        shop.world.telegram.messages(ANN).await.last().unwrap()["reply_markup"]["inline_keyboard"][0][0].clone();
    let invoice = shop.stripe.last_invoice(&subscription).await;
    assert_eq!(
        button["url"],
        format!("https://invoice.stripe.com/i/sandbox/{invoice}"),
        "it is good for as long as it is open"
    );

    let process = shop.restart(process).await;
    let invoice = shop.stripe.last_invoice(&subscription).await;
    shop.stripe.act(&format!("invoices/{invoice}/pay"), json!({})).await;
    shop.settled().await;
    assert_eq!(shown(&process).await["status"], "active");
    begins(&shop.said(ANN).await[3..], &["Thank you, your payment for VIP has arrived."]);

    let process = shop.restart(process).await;
    let id = shown(&process).await["id"].as_str().unwrap().to_owned();
    let cancel = json!({ "subscription_id": id, "when": "at_period_end", "reason": "asked by e-mail" });
    let answer = process.post("/api/telegram/cancel-subscription", &cancel).await;
    assert_eq!(answer.status(), 200, "{}", answer.text().await.unwrap());
    shop.settled().await;
    assert_eq!(shown(&process).await["status"], "cancelling");
    assert_eq!(shop.inside().await, [ANN], "what is paid is theirs");

    let process = shop.restart(process).await;
    shop.stripe.act(&format!("subscriptions/{subscription}/advance"), json!({})).await;
    shop.settled().await;
    assert_eq!(shown(&process).await["status"], "ended");
    assert!(shop.inside().await.is_empty());
    begins(&shop.said(ANN).await[4..], &["Your subscription has ended, so you are not in VIP any more."]);
    let access = process.get("/api/telegram/check-access/ann@example.com").await;
    assert_eq!(access["has_access"], false, "{access}");

    let told = events(&shop.world).await;
    let mut at = told.iter();
    for wanted in [
        "Activated",
        "LinkIssued",
        "Joined",
        "PaymentFailed",
        "PastDue",
        "Recovered",
        "CancelRequested",
        "CancelPlanned",
        "Ended",
    ] {
        assert!(at.any(|event| event == wanted), "no {wanted} where it belongs in {told:?}");
    }
    shop.world.audit().await;
}

/// Every webhook three times and in a random order: it ends the same, and nobody hears anything twice.
#[tokio::test(flavor = "multi_thread")]
async fn order_and_repetition_of_webhooks_change_nothing() {
    for seed in [7, 19] {
        let shop = Shop::open().await;
        let process = shop.prepared().await;
        let release = async || {
            shop.stripe.release(seed, 3).await;
            shop.settled().await;
        };
        shop.stripe.hold(true).await;
        let subscription = shop.stripe.buy(&shop.price, ANN, "ann@example.com").await;
        release().await;
        shop.follow(ANN, &shop.link(ANN).await).await;
        shop.world.settled().await;
        assert_eq!(shop.inside().await, [ANN]);
        shop.stripe.act(&format!("subscriptions/{subscription}/fail_next"), json!({})).await;
        shop.stripe.act(&format!("subscriptions/{subscription}/advance"), json!({})).await;
        release().await;
        let invoice = shop.stripe.last_invoice(&subscription).await;
        shop.stripe.act(&format!("invoices/{invoice}/pay"), json!({})).await;
        release().await;
        shop.stripe.call(&format!("subscriptions/{subscription}"), &[("cancel_at_period_end", "true")]).await;
        shop.stripe.act(&format!("subscriptions/{subscription}/advance"), json!({})).await;
        release().await;
        assert_eq!(shown(&process).await["status"], "ended");
        assert!(shop.inside().await.is_empty());
        begins(
            &shop.said(ANN).await,
            &[
                "Welcome to VIP!",
                "Your payment for VIP did not go through.",
                "Thank you, your payment for VIP has arrived.",
                "Your subscription has ended, so you are not in VIP any more.",
            ],
        );
        shop.world.audit().await;
    }
}

/// Telegram answers all kinds of errors, and the bot loses its rights for a while: everybody ends where
/// they belong, and hears each thing once.
#[tokio::test(flavor = "multi_thread")]
async fn whatever_telegram_says_everybody_ends_where_they_belong() {
    let shop = Shop::open().await;
    let process = shop.prepared().await;
    let telegram = &shop.world.telegram;
    let fault = async |method: &str, times: u32, error: Value| {
        telegram.post("/faults", &json!({ "method": method, "times": times, "error": error })).await;
    };
    let rights = async |given: bool| {
        let rights = json!({ "can_invite_users": given, "can_restrict_members": given, "can_post_messages": given });
        telegram.post(&format!("/channels/{VIP}/rights"), &rights).await;
    };

    fault("createChatInviteLink", 1, json!({ "status": 429, "retry_after": 1 })).await;
    fault("createChatInviteLink", 1, json!({ "status": 500 })).await;
    rights(false).await;
    let subscription = shop.stripe.buy(&shop.price, ANN, "ann@example.com").await;
    eventually("the job that waits for rights", async || {
        let jobs = process.get("/api/jobs").await.to_string();
        jobs.contains("the bot lacks a right").then_some(())
    })
    .await;
    assert!(shop.said(ANN).await.is_empty(), "there is no link to send");
    rights(true).await;
    shop.settled().await;
    begins(&shop.said(ANN).await, &["Welcome to VIP!"]);

    fault("approveChatJoinRequest", 1, json!({ "accept_then_drop": true })).await;
    shop.follow(ANN, &shop.link(ANN).await).await;
    shop.settled().await;
    assert_eq!(shop.inside().await, [ANN]);

    fault("unbanChatMember", 1, json!({ "status": 400, "description": "Bad Request: not enough rights" })).await;
    fault("unbanChatMember", 1, json!({ "status": 502 })).await;
    fault("unbanChatMember", 1, json!({ "accept_then_drop": true })).await;
    shop.stripe.call(&format!("subscriptions/{subscription}"), &[("cancel_at_period_end", "true")]).await;
    shop.stripe.act(&format!("subscriptions/{subscription}/advance"), json!({})).await;
    eventually("the removal to be tried", async || {
        let jobs = process.get("/api/jobs").await.to_string();
        jobs.contains("not enough rights").then_some(())
    })
    .await;
    rights(false).await;
    rights(true).await;
    shop.settled().await;
    assert!(shop.inside().await.is_empty());
    begins(&shop.said(ANN).await, &["Welcome to VIP!", "Your subscription has ended, so you are not in VIP any more."]);

    // No ban is left behind: who pays again gets in again.
    shop.stripe.buy(&shop.price, ANN, "ann@example.com").await;
    shop.settled().await;
    shop.follow(ANN, &shop.link(ANN).await).await;
    shop.settled().await;
    assert_eq!(shop.inside().await, [ANN]);
    shop.world.audit().await;
}

/// Stripe takes calls and does not answer: whoever writes to the bot is answered all the same.
#[tokio::test(flavor = "multi_thread")]
async fn a_silent_stripe_keeps_nobody_else_waiting() {
    let shop = Shop::open().await;
    let _process = shop.prepared().await;
    shop.stripe.hold(true).await;
    for n in 0..16 {
        shop.stripe.buy(&shop.price, 20_000 + n, &format!("buyer-{n}@example.com")).await;
    }
    shop.stripe.act("faults", json!({ "path": "/v1/", "times": 10_000, "error": { "hang_ms": 600_000 } })).await;
    shop.stripe.hold(false).await;
    let waiting = async || {
        // All of the first try: none has been given up yet.
        let counted: i64 = sqlx::query_scalar(
            "select count(*) from jobs where kind = 'stripe_event' and locked_by is not null and attempts = 1",
        )
        .fetch_one(&shop.world.pool)
        .await
        .unwrap();
        counted
    };
    eventually("every place for Stripe to be taken", async || (waiting().await >= 32).then_some(())).await;
    shop.world.telegram.say(EVE, "/help").await;
    eventually("an answer of the bot", async || (shop.world.bot_said(EVE).await.len() > 1).then_some(())).await;
    assert!(waiting().await >= 32, "Stripe has not answered meanwhile");
}

impl Shop {
    /// `promostack stripe sync`: whether it went well, and what it said.
    async fn sync(&self, more: &'static [&'static str]) -> (bool, String) {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_promostack"));
        command.args(["stripe", "sync"]).args(more).env("DATABASE_URL", &self.world.database.url);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        let done = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        (done.status.success(), String::from_utf8(done.stdout).unwrap())
    }

    async fn count(&self, query: &str) -> i64 {
        sqlx::query_scalar(query).fetch_one(&self.world.pool).await.unwrap()
    }
}

/// The first time, everything is taken in; what Stripe told in vain during an outage is, too, though it does
/// not tell it again; and what was broken off goes on where it was.
#[tokio::test(flavor = "multi_thread")]
async fn catching_up_with_stripe_loses_nothing() {
    let shop = Shop::open().await;
    // Only by hand in this test.
    sqlx::query("insert into timers (name, next_at) values ('stripe', now() + interval '1 day')")
        .execute(&shop.world.pool)
        .await
        .unwrap();
    let outage = async || {
        let lost = sqlx::query("delete from sandbox.stripe_delivery where delivered_at is null");
        lost.execute(&shop.world.pool).await.unwrap();
    };
    shop.stripe.hold(true).await;
    let first = shop.stripe.buy(&shop.price, 31_000, "buyer-0@example.com").await;
    for n in 1..3 {
        shop.stripe.buy(&shop.price, 31_000 + n, &format!("buyer-{n}@example.com")).await;
    }
    outage().await;

    // It breaks off in the middle, and does not begin again at the beginning.
    let fault = async |path: &str| {
        shop.stripe.act("faults", json!({ "path": path, "times": 1_000, "error": { "status": 500 } })).await;
    };
    // The customers come with the subscriptions.
    fault("/v1/customers/").await;
    fault("/v1/invoices").await;
    let (well, said) = shop.sync(&[]).await;
    assert!(!well, "{said}");
    assert_eq!(shop.count("select taken from stripe_import where list = 'subscriptions'").await, 3);
    sqlx::query("delete from sandbox.stripe_fault").execute(&shop.world.pool).await.unwrap();
    fault("/v1/subscriptions").await;
    let (well, said) = shop.sync(&[]).await;
    assert!(well, "{said}");
    assert!(said.starts_with("3 subscriptions and 3 invoices taken in;"), "{said}");
    sqlx::query("delete from sandbox.stripe_fault").execute(&shop.world.pool).await.unwrap();

    let process = shop.process().await;
    shop.world.settled().await;
    let emails = async || {
        let page = process.get("/api/telegram-subscriptions?sort=created_at").await;
        let items = page["items"].as_array().unwrap().clone();
        items
            .iter()
            .map(|item| (item["email"].as_str().unwrap().to_owned(), item["status"].clone()))
            .collect::<Vec<_>>()
    };
    assert_eq!(emails().await.len(), 3);
    assert_eq!(shop.count("select count(*) from stripe_events where worked_at is null").await, 0);

    // An outage that is longer than Stripe's patience.
    shop.stripe.act(&format!("subscriptions/{first}/advance"), json!({})).await;
    shop.stripe.call_method("DELETE", &format!("subscriptions/{first}")).await;
    shop.stripe.buy(&shop.price, 31_009, "buyer-9@example.com").await;
    outage().await;
    shop.stripe.hold(false).await;
    shop.world.settled().await;
    assert_eq!(emails().await.len(), 3, "nobody has told it");
    let (well, said) = shop.sync(&[]).await;
    assert!(well && !said.contains(", 0 of them missed"), "{said}");
    assert!(said.starts_with("0 subscriptions and 0 invoices taken in;"), "{said}");
    shop.world.settled().await;
    let known = emails().await;
    let of = |name: &str| known.iter().find(|(email, _)| email == name).map(|(_, status)| status.clone());
    assert_eq!(known.len(), 4, "{known:?}");
    assert_eq!(of("buyer-0@example.com"), Some(json!("ended")));
    let (_, said) = shop.sync(&[]).await;
    assert!(said.contains(", 0 of them missed"), "{said}");

    // All of it again, from a page in the middle on: the newest was taken in before.
    let newest = shop.stripe.get("v1/subscriptions?status=all&limit=1").await["data"][0]["id"].clone();
    sqlx::query("update stripe_import set done_at = null, after_id = $1, taken = 1 where list = 'subscriptions'")
        .bind(newest.as_str().unwrap())
        .execute(&shop.world.pool)
        .await
        .unwrap();
    let (well, said) = shop.sync(&["--everything"]).await;
    assert!(well && said.starts_with("4 subscriptions and 3 invoices taken in;"), "{said}");
    let (well, said) = shop.sync(&["--everything"]).await;
    assert!(well && said.starts_with("4 subscriptions and 5 invoices taken in;"), "{said}");
    shop.world.audit().await;
}
