//! A Telegram for the sandbox.
//!
//! It has two faces. The bot's face is the Bot API's own wire protocol, so the client
//! under test is the client that goes live. The people's face is plain JSON: say
//! something to the bot, read what it said, press its buttons, block it, found a channel,
//! ask to join it, order a failure, ask what the bot did wrong. On top of it sits a page to talk to the bot with.
//!
//! All state is in PostgreSQL (schema `sandbox`): it outlives a killed process and any
//! number of processes can serve it and deliver its updates at the same time.

use std::collections::HashMap;
use std::sync::{Arc, RwLock};
use std::time::Duration;

use poem::endpoint::make_sync;
use poem::{EndpointExt, IntoEndpoint, Route, delete, get, post};
use sqlx::PgPool;
use sqlx::postgres::types::PgInterval;
use tokio::sync::Notify;

mod answer;
mod bot_api;
mod channel;
mod commands;
mod delivery;
mod edit;
mod faults;
mod fields;
mod markup;
mod params;
mod people;
mod picture;
mod posted;
mod press;
mod problem;
mod report;
mod send;
mod webhook;

/// The twin. Cheap to clone; clones are the same twin.
#[derive(Clone)]
pub struct Twin {
    inner: Arc<Inner>,
}

struct Inner {
    pool: PgPool,
    limits: TwinLimits,
    /// Tokens seen before, with the bot each belongs to.
    tokens: RwLock<HashMap<String, i64>>,
    /// Rung when this process has queued an update; others notice by looking.
    queued: Notify,
}

/// How fast a bot may send before it is told to wait. `None`: as fast as it likes.
#[derive(Clone, Copy, Debug)]
pub struct TwinLimits {
    /// Over all chats.
    pub overall: Option<Rate>,
    /// In one chat.
    pub per_chat: Option<Rate>,
}

/// So many a second, and so many at once.
#[derive(Clone, Copy, Debug)]
pub struct Rate {
    interval: Duration,
    burst: u32,
}

impl Rate {
    /// `n` a second, all of which may come at once after a pause.
    pub const fn per_second(n: u32) -> Self {
        let n = if n == 0 { 1 } else { n };
        Self { interval: Duration::from_micros(1_000_000 / n as u64), burst: n }
    }

    fn interval(rate: Option<Self>) -> Option<PgInterval> {
        let micros = rate?.interval.as_micros();
        let microseconds = i64::try_from(micros).unwrap_or(i64::MAX);
        Some(PgInterval { months: 0, days: 0, microseconds })
    }

    fn burst(rate: Option<Self>) -> i32 {
        rate.map_or(1, |rate| i32::try_from(rate.burst).unwrap_or(i32::MAX))
    }
}

impl TwinLimits {
    /// Nothing is enforced; for measuring how fast we are.
    pub const NONE: Self = Self { overall: None, per_chat: None };
}

/// What Telegram documents: 30 a second over all chats, one a second in each.
impl Default for TwinLimits {
    fn default() -> Self {
        Self { overall: Some(Rate::per_second(30)), per_chat: Some(Rate::per_second(1)) }
    }
}

impl Twin {
    /// A twin over this database. Nothing happens until it is served or delivers.
    pub fn new(pool: PgPool, limits: TwinLimits) -> Self {
        let (tokens, queued) = (RwLock::default(), Notify::new());
        Self { inner: Arc::new(Inner { pool, limits, tokens, queued }) }
    }

    /// Knows a bot before it connects. Whoever does not say which bot they mean, means the first one that is
    /// known: of several that connect at the same time, it would be a matter of chance.
    ///
    /// # Errors
    /// What the database says.
    pub async fn expect(&self, token: &str) -> Result<(), sqlx::Error> {
        bot_api::expect(self, token).await
    }

    /// Both faces and the page, to be mounted under any prefix.
    pub fn routes(&self) -> impl IntoEndpoint<Endpoint: 'static> + use<> {
        Route::new()
            .at("/bot:token/:method", get(bot_api::call).post(bot_api::call))
            .at("/", get(make_sync(|_| page())))
            .at("/chats", get(people::chats))
            .at("/chats/:chat_id/messages", get(people::transcript).post(people::say))
            .at("/chats/:chat_id/press", post(press::press))
            .at("/chats/:chat_id/commands", get(commands::menu))
            .at("/pictures/:file_id", get(picture::show))
            .at("/chats/:chat_id/block", post(people::block))
            .at("/chats/:chat_id/unblock", post(people::unblock))
            .at("/chats/:chat_id/open", post(channel::open))
            .at("/chats/:chat_id/leave", post(channel::leave))
            .at("/channels", get(channel::all).post(channel::found))
            .at("/channels/:chat_id", get(channel::one))
            .at("/channels/:chat_id/posts", get(channel::post::posts).post(channel::post::say))
            .at("/channels/:chat_id/posts/:message_id", delete(channel::post::delete))
            .at("/channels/:chat_id/rights", post(channel::rights))
            .at("/channels/:chat_id/members/:person", post(channel::act))
            .at("/faults", get(faults::list).post(faults::order).delete(faults::clear))
            .at("/violations", get(report::violations))
            .at("/counts", get(report::counts))
            .at("/counts/chats", get(report::chats))
            .at("/webhook", get(report::webhook))
            .catch_all_error(problem::answer)
            .data(self.clone())
    }

    /// Posts waiting updates to the bots' webhooks until `shutdown` is ready, then
    /// finishes those under way. Any number of processes may do this at once. It holds
    /// one connection of the pool while it waits for webhooks.
    pub async fn deliver(&self, http: reqwest::Client, shutdown: impl Future<Output = ()>) {
        delivery::run(&self.inner.pool, &self.inner.queued, &http, shutdown).await;
    }

    fn pool(&self) -> &PgPool {
        &self.inner.pool
    }
}

fn page() -> poem::web::Html<&'static str> {
    // The second half is about channels.
    poem::web::Html(concat!(include_str!("twin/page.html"), include_str!("twin/channels.html")))
}

impl std::fmt::Debug for Twin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Twin").field("limits", &self.inner.limits).finish_non_exhaustive()
    }
}
