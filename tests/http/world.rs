//! One database, one app and one server on a port of its own for each test.

use std::{
    sync::{Mutex, OnceLock},
    time::Duration,
};

use crate::{database::Database, document::declares};
use promostack::{
    access,
    app::{App, Role, Running},
    clock::Clock,
    config::Config,
    http,
    secrets::Secret,
};
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;

pub(crate) const PASSWORD: &str = "a-password-for-tests";
pub(crate) const ENTRYLAB: &str = "entrylab-key-for-tests";
pub(crate) const BOT_TOKEN: &str = "12345:bot-token-for-tests";

/// The environment of most tests.
pub(crate) fn variables() -> Vec<(&'static str, String)> {
    vec![
        ("ADMIN_PASSWORD", PASSWORD.to_owned()),
        ("ENTRYLAB_API_KEY", ENTRYLAB.to_owned()),
        ("TELEGRAM_BOT_TOKEN", BOT_TOKEN.to_owned()),
        ("TELEGRAM_API_URL", "http://127.0.0.1:9/".to_owned()),
        ("SHUTDOWN_SECONDS", "60".to_owned()),
        ("PROMOSTACK_HOME", env!("CARGO_TARGET_TMPDIR").to_owned()),
    ]
}

pub(crate) fn config(variables: &[(&str, String)]) -> Config {
    Config::read(false, |name| variables.iter().find(|(n, _)| *n == name).map(|(_, value)| value.clone())).unwrap()
}

pub(crate) struct World {
    pub(crate) app: App,
    pub(crate) database: Option<Database>,
    pub(crate) base: String,
    pub(crate) client: reqwest::Client,
    pub(crate) stop: CancellationToken,
    server: JoinHandle<std::io::Result<()>>,
    running: Running,
    token: Mutex<Option<String>>,
    document: OnceLock<Value>,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(Database::fresh().await, &variables(), Role::All).await
    }

    pub(crate) async fn with(database: Database, variables: &[(&str, String)], role: Role) -> Self {
        Self::at(database, variables, role, Clock::system()).await
    }

    /// With a clock of one's own.
    pub(crate) async fn at(database: Database, variables: &[(&str, String)], role: Role, clock: Clock) -> Self {
        crate::traces::capture();
        let app = App::build(config(variables), &database.url, clock).unwrap();
        let running = app.start(role).await.unwrap();
        access::prepare(&app).await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let stop = CancellationToken::new();
        let server = tokio::spawn(http::serve(app.clone(), listener, None, stop.clone()));
        let client = promostack::integrations::http_client().unwrap();
        Self {
            app,
            database: Some(database),
            base,
            client,
            stop,
            server,
            running,
            token: Mutex::default(),
            document: OnceLock::new(),
        }
    }

    /// Stops everything; the database is dropped.
    pub(crate) async fn end(self) {
        drop(self.halt().await);
    }

    /// Stops everything but the database.
    pub(crate) async fn halt(mut self) -> Database {
        self.stop.cancel();
        tokio::time::timeout(Duration::from_secs(30), self.server).await.unwrap().unwrap().unwrap();
        self.running.stop().await;
        self.app.pool.close().await;
        self.database.take().unwrap()
    }

    pub(crate) fn plain(&self, method: &str, path: &str) -> RequestBuilder {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        self.client.request(method, format!("{}{path}", self.base))
    }

    pub(crate) async fn token(&self) -> String {
        if let Some(token) = self.token.lock().unwrap().clone() {
            return token;
        }
        let answer = self.plain("POST", "/api/login").json(&json!({ "password": PASSWORD })).answer().await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let token = answer.json["token"].as_str().unwrap().to_owned();
        *self.token.lock().unwrap() = Some(token.clone());
        token
    }

    /// A request of the admin.
    pub(crate) async fn admin(&self, method: &str, path: &str) -> RequestBuilder {
        self.plain(method, path).bearer_auth(self.token().await)
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.admin("GET", path).await.answer().await
    }

    /// A problem that comes of it must be one that the document foretells.
    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        let answer = self.admin("POST", path).await.json(&body).answer().await;
        if !answer.problem().is_empty() {
            let (status, problem) = (answer.status.as_u16(), answer.problem());
            let declared = declares(self.document(), "POST", path, status, problem);
            assert_ne!(declared, Some(false), "POST {path} is not said to answer {status} {problem}: {answer:#?}");
        }
        answer
    }

    fn document(&self) -> &Value {
        self.document.get_or_init(|| serde_json::from_str(&http::document(&self.app)).unwrap())
    }

    /// A new key with these scopes.
    pub(crate) async fn key(&self, name: &str, scopes: &[&str]) -> String {
        let answer = self.post("/api/keys", json!({ "name": name, "scopes": scopes })).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        answer.json["key"].as_str().unwrap().to_owned()
    }

    /// A new draft under this code.
    pub(crate) async fn draft(&self, code: &str) -> Answer {
        let answer = self.post("/api/campaigns", json!({ "name": format!("Campaign {code}"), "code": code })).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        answer
    }

    pub(crate) async fn webhook_secret(&self) -> Secret {
        access::telegram_webhook_secret(&self.app, promostack::bots::Bot::Coupon).await.unwrap()
    }
}

/// Waits until something holds. A machine may be slow, but not as slow as this.
#[track_caller]
pub(crate) fn until(mut holds: impl AsyncFnMut() -> bool) -> impl Future<Output = ()> {
    let asked = std::panic::Location::caller();
    async move {
        let began = std::time::Instant::now();
        while !holds().await {
            assert!(began.elapsed() < Duration::from_secs(120), "it never came to what {asked} waits for");
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
    }
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) text: String,
    /// Null when it is no JSON.
    pub(crate) json: Value,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The problem's slug; empty when it is none.
    pub(crate) fn problem(&self) -> &str {
        if self.header("content-type") != "application/problem+json" {
            return "";
        }
        self.json["type"].as_str().unwrap_or_default().trim_start_matches("/problems/")
    }

    /// The fields that `errors` names.
    pub(crate) fn fields(&self) -> Vec<&str> {
        self.json["errors"].as_array().into_iter().flatten().filter_map(|error| error["field"].as_str()).collect()
    }

    #[track_caller]
    pub(crate) fn expect(&self, status: u16, problem: &str) {
        assert_eq!((self.status.as_u16(), self.problem()), (status, problem), "{self:#?}");
    }
}

pub(crate) trait Send {
    fn answer(self) -> impl Future<Output = Answer>;
}

impl Send for RequestBuilder {
    async fn answer(self) -> Answer {
        let response = self.send().await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        let text = response.text().await.unwrap();
        let json = serde_json::from_str(&text).unwrap_or_default();
        Answer { status, headers, text, json }
    }
}
