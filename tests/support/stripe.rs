//! Stripe as the tests see it: the twin, served on loopback.

use chrono::Utc;
use poem::{Server, listener::TcpAcceptor};
use promostack::{
    clock::Clock,
    integrations::{
        http_client,
        stripe::twin::{Shape, Twin},
    },
};
use serde_json::{Value, json};
use sqlx::PgPool;
use tokio::{net::TcpListener, task::JoinSet};

/// The twin and its tasks.
pub struct Stripe {
    /// For STRIPE_API_URL.
    pub url: String,
    http: reqwest::Client,
    twin: Twin,
    _tasks: JoinSet<()>,
}

/// For STRIPE_SECRET_KEY and STRIPE_WEBHOOK_SECRET.
pub const KEY: &str = "sk_test_of_the_tests";
pub const SECRET: &str = "whsec_of_the_tests";

impl Stripe {
    /// Serves a twin whose state is in this (migrated) database.
    pub async fn serve(pool: PgPool) -> Self {
        Self::serve_at(pool, Clock::system()).await
    }

    /// With a clock of its own.
    pub async fn serve_at(pool: PgPool, clock: Clock) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let twin = Twin::new(pool, clock);
        let routes = twin.routes();
        let http = http_client().unwrap();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            Server::new_with_acceptor(TcpAcceptor::from_tokio(listener).unwrap()).run(routes).await.unwrap();
        });
        let (delivering, posting) = (twin.clone(), http.clone());
        tasks.spawn(async move { delivering.deliver(posting, std::future::pending()).await });
        Self { url, http, twin, _tasks: tasks }
    }

    /// Where webhooks go.
    pub async fn deliver_to(&self, site: &str) {
        let url = format!("{site}/api/stripe/webhook").parse().unwrap();
        self.twin.deliver_to(&url, SECRET, Shape::Basil).await.unwrap();
    }

    /// A call of Stripe's API.
    pub async fn call(&self, path: &str, form: &[(&str, &str)]) -> Value {
        let request = self.http.post(format!("{}/v1/{path}", self.url)).bearer_auth(KEY).form(form);
        shown(request).await
    }

    /// A call of Stripe's API that takes nothing.
    pub async fn call_method(&self, method: &str, path: &str) -> Value {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        shown(self.http.request(method, format!("{}/v1/{path}", self.url)).bearer_auth(KEY)).await
    }

    /// What happens outside.
    pub async fn act(&self, path: &str, body: Value) -> Value {
        shown(self.http.post(format!("{}/{path}", self.url)).json(&body)).await
    }

    pub async fn get(&self, path: &str) -> Value {
        shown(self.http.get(format!("{}/{path}", self.url)).bearer_auth(KEY)).await
    }

    /// A price by the month; its id.
    pub async fn price(&self, cents: u32) -> String {
        let product = self.call("products", &[("name", "VIP")]).await;
        let form = [
            ("product", product["id"].as_str().unwrap()),
            ("currency", "usd"),
            ("unit_amount", &cents.to_string()),
            ("recurring[interval]", "month"),
        ];
        self.call("prices", &form).await["id"].as_str().unwrap().to_owned()
    }

    /// Somebody with this Telegram account buys it; the subscription's id.
    pub async fn buy(&self, price: &str, telegram: i64, email: &str) -> String {
        let form = [
            ("mode", "subscription"),
            ("line_items[0][price]", price),
            ("line_items[0][quantity]", "1"),
            ("client_reference_id", &telegram.to_string()),
            ("success_url", "https://example.com/thanks"),
        ];
        let session = self.call("checkout/sessions", &form).await;
        let id = session["id"].as_str().unwrap();
        let paid = self.act(&format!("checkout/{id}/pay"), json!({ "email": email, "name": "Ann" })).await;
        paid["subscription"].as_str().unwrap_or_else(|| panic!("no subscription in {paid}")).to_owned()
    }

    /// Webhooks wait, or go out by themselves.
    pub async fn hold(&self, hold: bool) {
        self.act("webhooks/hold", json!({ "hold": hold })).await;
    }

    /// Sends what waits in a random order, this often.
    pub async fn release(&self, seed: u64, copies: usize) {
        self.act("webhooks/release", json!({ "order": "random", "seed": seed, "copies": copies })).await;
    }

    /// How many webhooks wait.
    pub async fn waiting(&self) -> i64 {
        self.get("webhook").await["waiting"].as_i64().unwrap()
    }

    /// The last invoice of a subscription.
    pub async fn last_invoice(&self, subscription: &str) -> String {
        let found = self.get(&format!("v1/subscriptions/{subscription}")).await;
        found["latest_invoice"].as_str().unwrap_or_else(|| panic!("no invoice in {found}")).to_owned()
    }

    /// The time it is.
    pub fn now(&self) -> chrono::DateTime<Utc> {
        Clock::system().now()
    }
}

async fn shown(request: reqwest::RequestBuilder) -> Value {
    let answer = request.send().await.unwrap();
    let status = answer.status();
    let body: Value = answer.json().await.unwrap();
    assert!(status.is_success(), "{status}: {body}");
    body
}
