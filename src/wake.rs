//! Wake-ups: telling readers of the log and workers on jobs, here and in other
//! processes, to look.
//!
//! A wake-up is a hint. It may be lost or come early; whoever waits for one
//! also looks by itself (every wake-up channel changes at least once a second).

use std::time::Duration;

use sqlx::{
    Connection, PgConnection,
    postgres::{PgConnectOptions, PgListener, PgPoolOptions},
};
use tokio::{sync::watch, time::MissedTickBehavior};

/// Between two notifications of one process. NOTIFY takes a lock of the whole
/// cluster at commit, so it must not go out with every append.
const DEBOUNCE: Duration = Duration::from_millis(5);
const POLL: Duration = Duration::from_secs(1);

/// Something that readers may wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Topic {
    /// Events were appended.
    Events,
    /// Jobs were enqueued.
    Jobs,
}

impl Topic {
    const ALL: [Self; 2] = [Self::Events, Self::Jobs];

    const fn channel(self) -> &'static str {
        match self {
            Self::Events => "promostack_events",
            Self::Jobs => "promostack_jobs",
        }
    }
}

/// The wake-ups of one process. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Wake {
    /// What happened here and others must be told.
    tell: [watch::Sender<u64>; 2],
    /// What happened here or elsewhere.
    heard: [watch::Sender<u64>; 2],
}

impl Default for Wake {
    fn default() -> Self {
        let channels = || [watch::Sender::new(0), watch::Sender::new(0)];
        Self { tell: channels(), heard: channels() }
    }
}

impl Wake {
    /// Something of this topic was committed here.
    pub fn up(&self, topic: Topic) {
        bump(&self.heard[topic as usize]);
        bump(&self.tell[topic as usize]);
    }

    /// Changes after each wake-up of this topic.
    #[must_use]
    pub fn of(&self, topic: Topic) -> watch::Receiver<u64> {
        self.heard[topic as usize].subscribe()
    }

    /// Tells other processes and hears of them, until dropped.
    pub async fn run(self, options: PgConnectOptions) {
        tokio::join!(self.announce(&options), self.listen(&options));
    }

    async fn announce(&self, options: &PgConnectOptions) {
        let mut connection: Option<PgConnection> = None;
        let mut told = Topic::ALL.map(|topic| self.tell[topic as usize].subscribe());
        loop {
            let [events, jobs] = &mut told;
            let topic = tokio::select! {
                _ = events.changed() => Topic::Events,
                _ = jobs.changed() => Topic::Jobs,
            };
            if connection.is_none() {
                connection = PgConnection::connect_with(options).await.ok();
            }
            if let Some(open) = &mut connection
                && let Err(error) = sqlx::query("select pg_notify($1, '')").bind(topic.channel()).execute(open).await
            {
                tracing::debug!(error = &error as &dyn std::error::Error, "a wake-up was not sent");
                connection = None;
            }
            tokio::time::sleep(DEBOUNCE).await;
        }
    }

    async fn listen(&self, options: &PgConnectOptions) {
        loop {
            if let Err(error) = self.hear(options).await {
                tracing::warn!(error = &error as &dyn std::error::Error, "cannot hear other processes");
            }
            self.heard.iter().for_each(bump);
            tokio::time::sleep(POLL).await;
        }
    }

    async fn hear(&self, options: &PgConnectOptions) -> Result<(), sqlx::Error> {
        let pool = PgPoolOptions::new().max_connections(1).connect_with(options.clone()).await?;
        let mut listener = PgListener::connect_with(&pool).await?;
        listener.listen_all(Topic::ALL.map(Topic::channel)).await?;
        let mut poll = tokio::time::interval(POLL);
        poll.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                heard = listener.recv() => {
                    let heard = heard?;
                    for topic in Topic::ALL.into_iter().filter(|topic| topic.channel() == heard.channel()) {
                        bump(&self.heard[topic as usize]);
                    }
                }
                _ = poll.tick() => self.heard.iter().for_each(bump),
            }
        }
    }
}

fn bump(count: &watch::Sender<u64>) {
    count.send_modify(|count| *count += 1);
}
