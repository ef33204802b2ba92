//! An installation in this process, served on a port of its own.

use poem::{Route, Server, handler, listener::TcpAcceptor, web::Json};
use promostack::{
    access::{self, Scope, keys},
    app::{App, Role, Running},
    clock::Clock,
    config::Config,
    http,
    secrets::Secret,
};
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinSet};
use tokio_util::sync::CancellationToken;

use crate::database::Database;

/// An app and its server.
pub(crate) struct Site {
    pub(crate) app: App,
    pub(crate) url: String,
    pub(crate) client: reqwest::Client,
    pub(crate) key: Secret,
    running: Running,
    tasks: JoinSet<()>,
}

/// Takes every message that the bot sends.
#[handler]
fn telegram() -> Json<Value> {
    let chat = json!({ "id": 1, "type": "private", "first_name": "Anna" });
    let bot = json!({ "id": 1, "is_bot": true, "first_name": "Bench", "username": "bench_bot" });
    Json(json!({ "ok": true, "result": { "message_id": 1, "date": 1_800_000_000, "chat": chat, "from": bot } }))
}

impl Site {
    pub(crate) async fn start(database: &Database, role: Role) -> Self {
        let mut tasks = JoinSet::new();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let telegram_url = format!("http://{}/", listener.local_addr().expect("it is bound"));
        let acceptor = TcpAcceptor::from_tokio(listener).expect("a listener");
        tasks.spawn(async move {
            let _ = Server::new_with_acceptor(acceptor).run(Route::new().nest("/", telegram)).await;
        });
        let config = Config::read(false, |name| match name {
            "TELEGRAM_BOT_TOKEN" => Some("1:bench".to_owned()),
            "TELEGRAM_API_URL" => Some(telegram_url.clone()),
            "TELEGRAM_MESSAGES_PER_SECOND" | "TELEGRAM_MESSAGES_PER_SECOND_AND_CHAT" => Some("100000".to_owned()),
            _ => None,
        })
        .expect("it is a configuration");
        let app = App::build(config, &database.url(), Clock::system()).expect("its parts fit");
        let running = app.start(role).await.expect("it starts");
        access::prepare(&app).await.expect("access is prepared");
        let scopes = [Scope::CampaignsRead, Scope::CampaignsWrite, Scope::CouponsRedeem];
        let (_, key) = keys::create(&app.pool, &app.clock, &format!("bench-{}", app.clock.new_id()), &scopes, "bench")
            .await
            .expect("a key is made");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let url = format!("http://{}", listener.local_addr().expect("it is bound"));
        let served = app.clone();
        tasks.spawn(async move {
            let _ = http::serve(served, listener, None, CancellationToken::new()).await;
        });
        let client = promostack::integrations::http_client().expect("a client");
        Self { app, url, client, key, running, tasks }
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> reqwest::RequestBuilder {
        self.client.post(format!("{}{path}", self.url)).bearer_auth(self.key.reveal()).json(body)
    }

    pub(crate) async fn made(&self, path: &str, body: &Value) -> Value {
        let answer = self.post(path, body).send().await.expect("it answers");
        assert!(answer.status().is_success(), "{path}: {}", answer.status());
        answer.json().await.expect("it answers JSON")
    }

    /// An active campaign under a shared code, or with unique ones; its id.
    pub(crate) async fn campaign(&self, code: Option<&str>) -> String {
        let terms = match code {
            Some(code) => json!({ "name": "Gold week", "code": code }),
            None => json!({ "name": "Gold week" }),
        };
        let id = self.made("/api/campaigns", &terms).await["id"].as_str().expect("it has an id").to_owned();
        self.made(&format!("/api/campaigns/{id}/activate"), &json!({})).await;
        id
    }

    pub(crate) async fn stop(mut self) {
        self.tasks.shutdown().await;
        self.running.stop().await;
        self.app.pool.close().await;
    }
}
