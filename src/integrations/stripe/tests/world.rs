//! A twin on a database of its own, served on loopback, and a webhook to deliver to.

use std::sync::{Arc, Mutex};

use chrono::{DateTime, Utc};
use poem::{
    Body, EndpointExt, IntoEndpoint, Request, Route, Server, handler, http::StatusCode, listener::TcpAcceptor, post,
    web::Data,
};
use reqwest::Url;
use serde_json::{Value, json};
use sqlx::PgPool;
use tokio::{net::TcpListener, task::JoinSet};

use super::super::{
    Stripe,
    object::{Event, Object},
    signature::verify,
    twin::{Shape, Twin},
};
use crate::{clock::Clock, database::Database, integrations::http_client, secrets::Secret};

pub(super) const KEY: &str = "sk_test_of-the-tests";
pub(super) const SECRET: &str = "whsec_of-the-tests";
pub(super) const NOW: i64 = 1_800_000_000;

/// Dropping it stops everything it started.
pub(super) struct World {
    pub(super) pool: PgPool,
    pub(super) twin: Twin,
    pub(super) address: Url,
    pub(super) http: reqwest::Client,
    pub(super) clock: Clock,
    tasks: JoinSet<()>,
    _database: Database,
}

pub(super) fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(seconds, 0).unwrap()
}

impl World {
    pub(super) async fn new() -> Self {
        let database = Database::fresh().await;
        let pool = database.pool();
        sqlx::migrate!().run(&pool).await.unwrap();
        let clock = Clock::fixed(at(NOW));
        let twin = Twin::new(pool.clone(), clock.clone());
        let mut tasks = JoinSet::new();
        // Under a prefix, as in the server.
        let served = Route::new().nest("/sandbox/stripe", twin.routes());
        let address = serve(&mut tasks, served).await.join("/sandbox/stripe").unwrap();
        Self { pool, twin, address, http: http_client().unwrap(), clock, tasks, _database: database }
    }

    pub(super) fn client(&self) -> Stripe {
        Stripe::new(Secret::new(KEY.to_owned()), Some(self.address.clone()), self.http.clone())
    }

    /// Collects what is delivered from now on.
    pub(super) async fn webhook(&mut self, shape: Shape) -> Webhook {
        let webhook = Webhook { clock: self.clock.clone(), received: Arc::default() };
        let address = serve(&mut self.tasks, post(receive).data(webhook.clone())).await.join("/hook").unwrap();
        self.twin.deliver_to(&address, SECRET, shape).await.unwrap();
        webhook
    }

    /// Delivers in the background, as one more process would.
    pub(super) fn deliver(&mut self) {
        let (twin, http) = (self.twin.clone(), self.http.clone());
        self.tasks.spawn(async move { twin.deliver(http, std::future::pending()).await });
    }

    /// A call of the API as others than our client may make it.
    pub(super) async fn call(&self, method: &str, path: &str, form: &[(&str, &str)]) -> (u16, Value) {
        self.call_once(method, path, form, None).await
    }

    pub(super) async fn call_once(
        &self,
        method: &str,
        path: &str,
        form: &[(&str, &str)],
        key: Option<&str>,
    ) -> (u16, Value) {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let mut request = self.http.request(method, self.url(&format!("v1/{path}"))).bearer_auth(KEY);
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        self.answer(request.form(form)).await
    }

    pub(super) async fn made(&self, path: &str, form: &[(&str, &str)]) -> Value {
        let (status, object) = self.call("POST", path, form).await;
        assert_eq!(status, 200, "{path}: {object}");
        object
    }

    /// Something happens outside.
    pub(super) async fn act(&self, path: &str, body: Value) -> Value {
        let (status, object) = self.try_act(path, body).await;
        assert!(status < 300, "{path}: {status} {object}");
        object
    }

    pub(super) async fn try_act(&self, path: &str, body: Value) -> (u16, Value) {
        self.answer(self.http.post(self.url(path)).json(&body)).await
    }

    pub(super) async fn order_fault(&self, path: &str, times: i32, error: Value) {
        self.act("faults", json!({ "path": path, "times": times, "error": error })).await;
    }

    async fn answer(&self, request: reqwest::RequestBuilder) -> (u16, Value) {
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap())
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("{}/{path}", self.address)
    }

    /// A price of 49 euros a month.
    pub(super) async fn price(&self) -> String {
        let form = [
            ("product_data[name]", "VIP"),
            ("currency", "EUR"),
            ("unit_amount", "4900"),
            ("recurring[interval]", "month"),
        ];
        self.made("prices", &form).await["id"].as_str().unwrap().to_owned()
    }

    /// Somebody subscribes; answers the subscription's id and the customer's.
    pub(super) async fn subscribe(&self, more: &[(&str, &str)]) -> (String, String) {
        let price = self.price().await;
        let mut form = vec![("mode", "subscription"), ("line_items[0][price]", price.as_str())];
        form.extend_from_slice(more);
        let session = self.made("checkout/sessions", &form).await;
        let paid = self
            .act(&format!("checkout/{}/pay", session["id"].as_str().unwrap()), json!({ "email": "zoe@example.com" }))
            .await;
        let id = |name: &str| paid[name].as_str().unwrap().to_owned();
        (id("subscription"), id("customer"))
    }

    /// All events there are, the oldest first.
    pub(super) async fn events(&self) -> Vec<Event> {
        let bodies: Vec<Value> =
            sqlx::query_scalar("select body from sandbox.stripe_object where kind = 'event' order by serial")
                .fetch_all(&self.pool)
                .await
                .unwrap();
        bodies.iter().map(|body| Event::from_json(body).unwrap()).collect()
    }
}

/// Collects what is delivered, after checking the signature.
#[derive(Clone)]
pub(super) struct Webhook {
    clock: Clock,
    received: Arc<Mutex<Vec<Value>>>,
}

impl Webhook {
    pub(super) fn received(&self) -> Vec<Value> {
        self.received.lock().unwrap().clone()
    }

    pub(super) fn types(&self) -> Vec<String> {
        self.received().iter().map(|event| event["type"].as_str().unwrap().to_owned()).collect()
    }
}

#[handler]
async fn receive(Data(webhook): Data<&Webhook>, request: &Request, body: Body) -> StatusCode {
    let body = body.into_bytes().await.unwrap();
    let header = request.header("stripe-signature").unwrap_or_default();
    if verify(header, &body, &[Secret::new(SECRET.to_owned())], webhook.clock.now()).is_err() {
        return StatusCode::BAD_REQUEST;
    }
    webhook.received.lock().unwrap().push(serde_json::from_slice(&body).unwrap());
    StatusCode::OK
}

async fn serve(tasks: &mut JoinSet<()>, routes: impl IntoEndpoint<Endpoint: 'static> + Send + 'static) -> Url {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let endpoint = routes.into_endpoint();
    tasks.spawn(async move {
        let acceptor = TcpAcceptor::from_tokio(listener).unwrap();
        Server::new_with_acceptor(acceptor).run(endpoint).await.unwrap();
    });
    Url::parse(&format!("http://{address}/")).unwrap()
}
