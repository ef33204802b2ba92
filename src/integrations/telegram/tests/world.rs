//! A twin on a database of its own, served on loopback, and a webhook to deliver to.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use poem::http::StatusCode;
use poem::listener::TcpAcceptor;
use poem::web::Data;
use poem::{Body, EndpointExt, IntoEndpoint, Request, Route, Server, handler, post};
use reqwest::Url;
use serde_json::{Value, json};
use sqlx::PgPool;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinSet;

use super::super::twin::{Twin, TwinLimits};
use super::super::{Button, OutgoingMessage, PressData, Telegram, update};
use crate::{database::Database, integrations::http_client};

pub(super) const TOKEN: &str = "77:a-secret-token_X";
pub(super) const SECRET: &str = "the-webhook-secret";

/// Three pixels by two.
pub(super) const PNG: &[u8] = b"\x89PNG\x0d\x0a\x1a\x0a\x00\x00\x00\x0dIHDR\x00\x00\x00\x03\x00\x00\x00\x02\x08\x02\x00\x00\x00\x12\x16\xf1M\x00\x00\x00\x10IDATx\xdac\xf8\xb4\xc3\x0a\x82\x18\xe0,\x00u\xd4\x0bYZ\xe4kP\x00\x00\x00\x00IEND\xaeB`\x82";

/// Dropping it stops everything it started.
pub(super) struct World {
    pub(super) pool: PgPool,
    pub(super) twin: Twin,
    pub(super) address: Url,
    pub(super) http: reqwest::Client,
    tasks: JoinSet<()>,
    _database: Database,
}

impl World {
    pub(super) async fn new(limits: TwinLimits) -> Self {
        let database = Database::fresh().await;
        let pool = database.pool();
        sqlx::migrate!().run(&pool).await.unwrap();
        let twin = Twin::new(pool.clone(), limits);
        let mut tasks = JoinSet::new();
        // Under a prefix, as in the server.
        let served = Route::new().nest("/sandbox/telegram", twin.routes());
        let address = serve(&mut tasks, served).await.join("/sandbox/telegram").unwrap();
        Self { pool, twin, address, http: http_client().unwrap(), tasks, _database: database }
    }

    pub(super) fn client(&self) -> Telegram {
        Telegram::new(TOKEN, Some(self.address.clone()), self.http.clone())
    }

    /// A client whose bot has connected and been spoken to in these chats.
    pub(super) async fn client_known_to(&self, chats: &[i64]) -> Telegram {
        let client = self.client();
        client.identity().await.unwrap();
        for chat in chats {
            self.say(*chat, "/start").await;
        }
        client
    }

    pub(super) async fn webhook(&mut self) -> Webhook {
        let webhook = Webhook::default();
        let address = serve(&mut self.tasks, post(receive).data(webhook.clone())).await.join("/hook").unwrap();
        self.client().register_webhook(&address, SECRET, &update::WANTED, 40).await.unwrap();
        webhook
    }

    /// Delivers in the background, as one more process would.
    pub(super) fn deliver(&mut self, twin: Twin) {
        let http = self.http.clone();
        self.tasks.spawn(async move { twin.deliver(http, std::future::pending()).await });
    }

    pub(super) async fn say(&self, chat: i64, text: &str) -> Value {
        let (status, said) = self.post(&format!("chats/{chat}/messages"), json!({ "text": text })).await;
        assert_eq!(status, 200, "{said}");
        said
    }

    /// A person presses the button with this data below the latest message that has one.
    pub(super) async fn press(&self, chat: i64, data: &str) -> Value {
        let (status, pressed) = self.post(&format!("chats/{chat}/press"), json!({ "data": data })).await;
        assert_eq!(status, 200, "{pressed}");
        pressed
    }

    /// A call of the Bot API as others than our client may make it.
    pub(super) async fn call(&self, method: &str, body: Value) -> (u16, Value) {
        self.answer(self.http.post(self.url(&format!("bot{TOKEN}/{method}"))).json(&body)).await
    }

    pub(super) async fn order_fault(&self, method: &str, times: u32, error: Value) {
        let fault = json!({ "method": method, "times": times, "error": error });
        let (status, answer) = self.post("faults", fault).await;
        assert_eq!(status, 201, "{answer}");
    }

    pub(super) async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        self.answer(self.http.post(self.url(path)).body(body.to_string())).await
    }

    pub(super) async fn get(&self, path: &str) -> Value {
        let (status, answer) = self.answer(self.http.get(self.url(path))).await;
        assert_eq!(status, 200, "{answer}");
        answer
    }

    pub(super) async fn answer(&self, request: reqwest::RequestBuilder) -> (u16, Value) {
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        (status, response.json().await.unwrap())
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("{}/{path}", self.address)
    }

    pub(super) async fn messages(&self, chat: i64) -> Vec<Value> {
        self.get(&format!("chats/{chat}/messages")).await["messages"].as_array().unwrap().clone()
    }

    /// What the bot has said in a chat.
    pub(super) async fn bot_texts(&self, chat: i64) -> Vec<String> {
        let messages = self.messages(chat).await;
        let from_bot = messages.iter().filter(|message| message["from"] == "bot");
        from_bot.map(|message| message["text"].as_str().unwrap().to_owned()).collect()
    }
}

pub(super) fn message(chat_id: i64, text: &str) -> OutgoingMessage {
    OutgoingMessage { chat_id, text: text.to_owned(), ..OutgoingMessage::default() }
}

pub(super) fn press_button(text: &str, data: &str) -> Button {
    Button::Press { text: text.to_owned(), data: PressData::new(data).unwrap() }
}

/// Collects what is delivered; answers as it is told to, and 200 otherwise.
#[derive(Clone, Default)]
pub(super) struct Webhook {
    inner: Arc<Received>,
}

#[derive(Default)]
struct Received {
    updates: Mutex<Vec<Value>>,
    answers: Mutex<VecDeque<StatusCode>>,
    rung: Notify,
}

impl Webhook {
    pub(super) fn answer_next_with(&self, status: StatusCode) {
        self.inner.answers.lock().unwrap().push_back(status);
    }

    pub(super) fn received(&self) -> Vec<Value> {
        self.inner.updates.lock().unwrap().clone()
    }

    pub(super) fn update_ids(&self) -> Vec<i64> {
        self.received().iter().map(|update| update["update_id"].as_i64().unwrap()).collect()
    }

    /// Waits until this many deliveries have been made, and a little for one too many.
    pub(super) async fn expect(&self, deliveries: usize) -> Vec<Value> {
        let enough = async {
            while self.received().len() < deliveries {
                self.inner.rung.notified().await;
            }
        };
        let waited = tokio::time::timeout(Duration::from_secs(20), enough).await;
        assert!(waited.is_ok(), "{} of {deliveries} deliveries", self.received().len());
        tokio::time::sleep(Duration::from_millis(100)).await;
        let received = self.received();
        assert_eq!(received.len(), deliveries);
        received
    }
}

#[handler]
async fn receive(Data(webhook): Data<&Webhook>, request: &Request, body: Body) -> StatusCode {
    assert_eq!(request.header("x-telegram-bot-api-secret-token"), Some(SECRET));
    let update = serde_json::from_slice(&body.into_bytes().await.unwrap()).unwrap();
    webhook.inner.updates.lock().unwrap().push(update);
    webhook.inner.rung.notify_one();
    webhook.inner.answers.lock().unwrap().pop_front().unwrap_or(StatusCode::OK)
}

pub(super) async fn serve(
    tasks: &mut JoinSet<()>,
    routes: impl IntoEndpoint<Endpoint: 'static> + Send + 'static,
) -> Url {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let endpoint = routes.into_endpoint();
    tasks.spawn(async move {
        let acceptor = TcpAcceptor::from_tokio(listener).unwrap();
        Server::new_with_acceptor(acceptor).run(endpoint).await.unwrap();
    });
    Url::parse(&format!("http://{address}/")).unwrap()
}
