//! Telegram as the tests see it: the twin, served on loopback.

use poem::{Server, listener::TcpAcceptor};
use promostack::integrations::{
    http_client,
    telegram::twin::{Twin, TwinLimits},
};
use serde_json::{Value, json};
use sqlx::PgPool;
use tokio::{net::TcpListener, task::JoinSet};

/// The twin and its tasks.
pub struct Telegram {
    /// For TELEGRAM_API_URL.
    pub url: String,
    http: reqwest::Client,
    _tasks: JoinSet<()>,
}

/// For TELEGRAM_BOT_TOKEN.
pub const TOKEN: &str = "4711:secret-token-of-the-bot";

impl Telegram {
    /// Serves a twin whose state is in this (migrated) database.
    pub async fn serve(pool: PgPool, limits: TwinLimits) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let twin = Twin::new(pool, limits);
        let routes = twin.routes();
        let http = http_client().unwrap();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            Server::new_with_acceptor(TcpAcceptor::from_tokio(listener).unwrap()).run(routes).await.unwrap();
        });
        let delivering = http.clone();
        tasks.spawn(async move { twin.deliver(delivering, std::future::pending()).await });
        Self { url, http, _tasks: tasks }
    }

    /// Somebody writes to the bot; Telegram delivers it.
    pub async fn say(&self, user: i64, text: &str) -> Value {
        self.post(&format!("/chats/{user}/messages"), &json!({"text": text, "first_name": "Anna"})).await
    }

    /// Somebody presses the button with this data below the latest message that has one;
    /// Telegram delivers it.
    pub async fn press(&self, user: i64, data: &str) -> Value {
        self.post(&format!("/chats/{user}/press"), &json!({"data": data})).await
    }

    /// All that somebody sees in the chat with the bot, oldest first: `text`, `picture`,
    /// `reply_markup`, and of each press of a button (`presses`) the `notice` it was answered with.
    pub async fn messages(&self, user: i64) -> Vec<Value> {
        let transcript = self.get(&format!("/chats/{user}/messages")).await;
        transcript["messages"].as_array().cloned().unwrap_or_default()
    }

    /// The picture that came with a message.
    pub async fn picture(&self, message: &Value) -> Vec<u8> {
        let path = message["picture"]["path"].as_str().unwrap_or_else(|| panic!("no picture in {message}"));
        let answer = self.http.get(format!("{}/{path}", self.url)).send().await.unwrap();
        assert!(answer.status().is_success(), "{path}");
        answer.bytes().await.unwrap().to_vec()
    }

    pub async fn post(&self, path: &str, body: &Value) -> Value {
        let answer = self.http.post(format!("{}{path}", self.url)).json(body).send().await.unwrap();
        assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
        answer.json().await.unwrap()
    }

    pub async fn get(&self, path: &str) -> Value {
        self.http.get(format!("{}{path}", self.url)).send().await.unwrap().json().await.unwrap()
    }
}
