//! An installation that sells a plan, and what its people see.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::support::{Process, World, stripe, stripe::Stripe, used_up};

pub(crate) const VIP: i64 = -1_001_000_000_077;
pub(crate) const ANN: i64 = 9001;
pub(crate) const EVE: i64 = 9002;

/// An installation with a plan, a channel in which the bot is an administrator, and somebody
/// who has written to the bot.
pub(crate) struct Shop {
    pub(crate) world: World,
    pub(crate) stripe: Stripe,
    pub(crate) price: String,
    pub(crate) environment: Vec<(&'static str, String)>,
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

    pub(crate) async fn process(&self) -> Process {
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
    pub(crate) async fn restart(&self, process: Process) -> Process {
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

pub(crate) fn begins(said: &[String], beginnings: &[&str]) {
    let fits = said.len() == beginnings.len() && said.iter().zip(beginnings).all(|(text, with)| text.starts_with(with));
    assert!(fits, "wanted {beginnings:#?}, got {said:#?}");
}
