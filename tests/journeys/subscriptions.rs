//! From a payment at Stripe to a place in the channel, and out again.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::support::{Process, World, eventually, stripe, stripe::Stripe, used_up};

pub(crate) const VIP: i64 = -1_001_000_000_077;
pub(crate) const ANN: i64 = 9001;
pub(crate) const EVE: i64 = 9002;

/// An installation with a plan, a channel in which the bot is an administrator, and somebody
/// who has written to the bot.
pub(crate) struct Shop {
    pub(crate) world: World,
    pub(crate) stripe: Stripe,
    pub(crate) price: String,
    environment: Vec<(&'static str, String)>,
}

impl Shop {
    pub(crate) async fn open() -> Self {
        let world = World::new().await;
        let stripe = Stripe::serve(world.pool.clone()).await;
        stripe.deliver_to(&world.balancer.url).await;
        let price = stripe.price(4_900).await;
        let environment = vec![
            ("STRIPE_SECRET_KEY", stripe::KEY.to_owned()),
            ("STRIPE_WEBHOOK_SECRET", stripe::SECRET.to_owned()),
            ("STRIPE_API_URL", stripe.url.clone()),
            ("PAST_DUE_GRACE_DAYS", "3".to_owned()),
        ];
        Self { world, stripe, price, environment }
    }

    async fn process(&self) -> Process {
        self.process_with(&[]).await
    }

    /// A process with other settings than the shop's.
    pub(crate) async fn process_with(&self, more: &[(&str, &str)]) -> Process {
        let mut environment: Vec<(&str, &str)> =
            self.environment.iter().map(|(name, value)| (*name, value.as_str())).collect();
        environment.extend_from_slice(more);
        let process = self.world.process_with(&environment).await;
        self.world.balancer.to(&[&process.url]);
        process
    }

    /// Another process takes over from this one, which is killed.
    async fn restart(&self, process: Process) -> Process {
        process.kill();
        self.process().await
    }

    /// The first process: it has the plan, and the bot in the channel.
    pub(crate) async fn prepared(&self) -> Process {
        self.prepared_with(&[]).await
    }

    /// The first process, with other settings than the shop's.
    pub(crate) async fn prepared_with(&self, more: &[(&str, &str)]) -> Process {
        let process = self.process_with(more).await;
        self.channel().open(&process, &self.price).await;
        process
    }

    /// Everything is worked, at Stripe's, at Telegram's and here.
    pub(crate) async fn settled(&self) {
        used_up("Stripe's webhooks to be delivered", async || self.stripe.waiting().await).await;
        self.world.settled().await;
    }

    pub(crate) const fn channel(&self) -> Channel<'_> {
        Channel(&self.world)
    }

    pub(crate) async fn inside(&self) -> Vec<i64> {
        self.channel().inside().await
    }

    pub(crate) async fn link(&self, user: i64) -> String {
        self.channel().link(user).await
    }

    pub(crate) async fn follow(&self, user: i64, link: &str) {
        self.channel().follow(user, link).await;
    }

    pub(crate) async fn said(&self, user: i64) -> Vec<String> {
        self.channel().said(user).await
    }

    /// Somebody follows the last link they got, and everything that comes of it is done.
    pub(crate) async fn enter(&self, user: i64) {
        self.follow(user, &self.link(user).await).await;
        self.settled().await;
    }

    /// Access by hand, to who has this Telegram account; the subscription's id.
    pub(crate) async fn grant(&self, process: &Process, user: i64, until: Option<DateTime<Utc>>) -> String {
        let plan = process.get("/api/plans").await["items"][0]["id"].clone();
        let mut wish = json!({ "email": format!("{user}@example.com"), "telegram_id": user, "plan_id": plan });
        if let Some(until) = until {
            wish["until"] = json!(until);
        }
        let answer = process.post("/api/telegram/grant-access", &wish).await;
        assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
        let granted: Value = answer.json().await.unwrap();
        self.settled().await;
        granted["subscription_id"].as_str().unwrap().to_owned()
    }
}

/// An admin decides something about a subscription.
pub(crate) async fn decide(process: &Process, id: &str, step: &str, body: Value) {
    let path = format!("/api/telegram-subscriptions/{id}/{step}");
    let request = process.admin(reqwest::Method::POST, &path).await.header("if-match", "*").json(&body);
    let answer = request.send().await.unwrap();
    assert_eq!(answer.status(), 200, "{step}: {}", answer.text().await.unwrap());
}

/// Has somebody's subscription cancelled at once.
pub(crate) async fn cancel(process: &Process, id: &str) {
    let wish = json!({ "subscription_id": id, "when": "now", "reason": "asked by e-mail" });
    let answer = process.post("/api/telegram/cancel-subscription", &wish).await;
    assert_eq!(answer.status(), 200, "{}", answer.text().await.unwrap());
}

/// The channel of an installation.
pub(crate) struct Channel<'a>(pub(crate) &'a World);

impl Channel<'_> {
    /// Makes the bot an administrator of it, and a plan with this price open it. Two people
    /// have written to the bot.
    pub(crate) async fn open(&self, process: &Process, price: &str) {
        self.0.telegram.post("/channels", &json!({ "chat_id": VIP, "title": "VIP" })).await;
        let plan = json!({ "name": "VIP", "prices": [price], "interval": "month", "channel": VIP });
        let answer = process.post("/api/plans", &plan).await;
        assert_eq!(answer.status(), 201, "{}", answer.text().await.unwrap());
        for user in [ANN, EVE] {
            self.0.telegram.say(user, "/start").await;
        }
        self.0.settled().await;
    }

    /// Who is in the channel, beside its owner.
    pub(crate) async fn inside(&self) -> Vec<i64> {
        self.inside_of(VIP).await
    }

    /// Who is in another channel, beside its owner.
    pub(crate) async fn inside_of(&self, channel: i64) -> Vec<i64> {
        let channel = self.0.telegram.get(&format!("/channels/{channel}")).await;
        let members = channel["members"].as_array().unwrap();
        let inside = members.iter().filter(|member| member["status"] == "member");
        let mut inside: Vec<i64> = inside.map(|member| member["user_id"].as_i64().unwrap()).collect();
        inside.sort_unstable();
        inside
    }

    /// The link on the last message to somebody that has one.
    pub(crate) async fn link(&self, user: i64) -> String {
        let messages = self.0.telegram.messages(user).await;
        let link = messages.iter().rev().find_map(|message| {
            let url = message["reply_markup"]["inline_keyboard"][0][0]["url"].as_str()?;
            url.starts_with("https://t.me/+").then(|| url.to_owned())
        });
        link.unwrap_or_else(|| panic!("no link in {messages:#?}"))
    }

    pub(crate) async fn follow(&self, user: i64, link: &str) {
        self.0.telegram.post(&format!("/chats/{user}/open"), &json!({ "link": link })).await;
    }

    /// What the bot wrote since it was asked last, without the welcome to the bot itself.
    pub(crate) async fn said(&self, user: i64) -> Vec<String> {
        let said = self.0.bot_said(user).await;
        said.into_iter().filter(|text| !text.starts_with("Hello")).collect()
    }
}

/// The one subscription there is, as the API shows it.
pub(crate) async fn shown(process: &Process) -> Value {
    let page = process.get("/api/telegram-subscriptions").await;
    assert_eq!(page["items"].as_array().unwrap().len(), 1, "{page}");
    page["items"][0].clone()
}

/// Names of the events of the one subscription there is.
async fn events(world: &World) -> Vec<String> {
    sqlx::query_scalar("select event_type from events where aggregate_type = 'subscription' order by position")
        .fetch_all(&world.pool)
        .await
        .unwrap()
}

pub(crate) fn begins(said: &[String], beginnings: &[&str]) {
    let fits = said.len() == beginnings.len() && said.iter().zip(beginnings).all(|(text, with)| text.starts_with(with));
    assert!(fits, "wanted {beginnings:#?}, got {said:#?}");
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
