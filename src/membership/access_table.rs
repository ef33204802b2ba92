//! Who has access, by e-mail address, in memory.
//!
//! A partner asks for it on each page view, so the answer must not cost a query. Each
//! process that answers HTTP keeps a table of what every subscription says of access:
//! filled from the read model as of one position of the log, and from there kept by
//! following the log itself, so it is never behind for longer than a wake-up takes.
//! What changed is asked of the aggregate, not guessed from events. The table holds no
//! addresses, only hashes of them; an entry takes less than 200 bytes.
//!
//! Whoever asks while the table is not filled, or while its follower cannot reach the
//! log, is told so and asks the read model instead.

mod entries;

use std::{
    sync::{PoisonError, RwLock},
    time::Duration,
};

use chrono::{DateTime, Utc};
use futures_util::{TryStreamExt, future::try_join_all};
use projections::subscriptions::Access;
use tokio::{sync::watch, time::Instant};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{app::App, log::LogError, retry::Backoff, wake::Topic};
use entries::{Entries, decide};

pub use entries::{Decision, Decisive, Opens, Which, decide_from};

/// Positions of the log looked through at a time.
const WINDOW: i64 = 10_000;
/// Subscriptions asked for at a time. The executor loads them in one query.
const AT_ONCE: usize = 256;
/// Between two looks while there is news: under load, more of it is taken in at once.
const PACE: Duration = Duration::from_millis(15);
/// How long after its last look at the log the table is believed. Without news it looks
/// once a second.
const BELIEVED: Duration = Duration::from_secs(5);

/// The table of a process.
pub struct AccessTable {
    entries: RwLock<Entries>,
    progress: watch::Sender<Progress>,
}

impl Default for AccessTable {
    fn default() -> Self {
        let progress = Progress { position: None, looked: Instant::now() };
        Self { entries: RwLock::default(), progress: watch::Sender::new(progress) }
    }
}

/// How far the table is.
#[derive(Debug, Clone, Copy)]
struct Progress {
    /// The position up to which it shows the log; none before it is filled.
    position: Option<i64>,
    /// When it looked last.
    looked: Instant,
}

/// The table could not look at the log, or not be filled.
#[derive(Debug, thiserror::Error)]
enum FollowError {
    #[error("{operation} failed")]
    Database { operation: &'static str, source: sqlx::Error },
    #[error("a subscription could not be read")]
    Log(#[from] LogError),
}

fn database(operation: &'static str) -> impl Fn(sqlx::Error) -> FollowError {
    move |source| FollowError::Database { operation, source }
}

impl AccessTable {
    /// Whether somebody has access at a time; none when the table cannot be believed now.
    #[must_use]
    pub fn decide(&self, email: &str, which: Which, now: DateTime<Utc>) -> Option<Decision> {
        if !self.is_believed() {
            return None;
        }
        let entries = self.entries.read().unwrap_or_else(PoisonError::into_inner);
        Some(decide(entries.of(email), which, now))
    }

    /// Whether the table is filled and its follower reaches the log.
    #[must_use]
    pub fn is_believed(&self) -> bool {
        let Progress { position, looked } = *self.progress.borrow();
        position.is_some() && looked.elapsed() <= BELIEVED
    }

    /// Waits until the table shows the log up to a position; answers whether it does.
    pub async fn wait_for(&self, position: i64, deadline: Duration) -> bool {
        let mut progress = self.progress.subscribe();
        let reached = progress.wait_for(|progress| progress.position >= Some(position));
        tokio::time::timeout(deadline, reached).await.is_ok_and(|reached| reached.is_ok())
    }

    /// Fills the table and keeps it until told to stop.
    pub async fn follow(&self, app: &App, stop: CancellationToken) {
        let mut wake = app.wake.of(Topic::Events);
        let fresh = || Backoff::new(Duration::from_millis(50), Duration::from_secs(5));
        let (mut backoff, mut failing) = (fresh(), false);
        loop {
            wake.mark_unchanged();
            let turn = tokio::select! { turn = self.turn(app) => turn, () = stop.cancelled() => return };
            let rest = async {
                match turn {
                    Ok(more) => {
                        app.metrics.beat("access_table", app.clock.now());
                        if failing {
                            tracing::info!("the table of access follows the log again");
                        }
                        (backoff, failing) = (fresh(), false);
                        if more {
                            tokio::time::sleep(PACE).await;
                        } else {
                            // (Never closed: the app, which we hold, has the other end.)
                            let _ = wake.changed().await;
                        }
                    }
                    Err(error) => {
                        if !failing {
                            let error = &error as &dyn std::error::Error;
                            tracing::warn!(error, "the table of access cannot follow the log; the read model answers");
                        }
                        failing = true;
                        tokio::time::sleep(backoff.wait()).await;
                    }
                }
            };
            tokio::select! { () = rest => {} () = stop.cancelled() => return }
        }
    }

    /// One look at the log, or the filling; answers whether there may be more.
    async fn turn(&self, app: &App) -> Result<bool, FollowError> {
        let position = self.progress.borrow().position;
        let Some(after) = position else {
            self.fill(app).await?;
            return Ok(true);
        };
        let looked = Instant::now();
        let news = sqlx::query!(
            r#"with upto as (select least($1::bigint + $2::bigint, coalesce(max(position), 0)) as position from events)
               select u.position as "position!",
                      array(select distinct aggregate_id from events
                             where position > $1 and position <= u.position and aggregate_type = 'subscription') as "streams!"
                 from upto u"#,
            after,
            WINDOW,
        )
        .fetch_one(&app.pool)
        .await
        .map_err(database("look for changed subscriptions"))?;
        // (Streams of subscriptions are UUIDs; what is called otherwise is nobody's.)
        let ids: Vec<Uuid> = news.streams.iter().filter_map(|stream| stream.parse().ok()).collect();
        for ids in ids.chunks(AT_ONCE) {
            let says = try_join_all(ids.iter().map(|id| says_now(app, *id))).await?;
            let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
            says.into_iter().flatten().for_each(|access| entries.put(access));
        }
        let position = news.position.max(after);
        self.progress.send_replace(Progress { position: Some(position), looked });
        Ok(position > after)
    }

    /// Reads all there is from the read model. One statement, so rows and position belong together.
    async fn fill(&self, app: &App) -> Result<(), FollowError> {
        let looked = Instant::now();
        let (mut entries, mut position) = (Entries::default(), 0);
        let mut rows = sqlx::query!(
            r#"select c.position as "at!", s.id as "id?", s.email, s.status as "status?", s.entitled as "entitled?",
                      s.rule as "rule?", s.rule_after as "rule_after?", s.ends_at, s.plan_id, s.plan_name, s.channel,
                      s.position as "position?"
                 from checkpoints c left join subscriptions s on true where c.feed = 'subscriptions'"#
        )
        .fetch(&app.pool);
        while let Some(row) = rows.try_next().await.map_err(database("read what subscriptions say"))? {
            position = row.at;
            if let (Some(id), Some(status), Some(rule), Some(rule_after)) =
                (row.id, row.status, row.rule, row.rule_after)
            {
                entries.put(Access {
                    id,
                    email: row.email,
                    status,
                    entitled: row.entitled.unwrap_or_default(),
                    rule,
                    rule_after,
                    ends_at: row.ends_at,
                    plan_id: row.plan_id,
                    plan_name: row.plan_name,
                    channel: row.channel,
                    position: row.position.unwrap_or_default(),
                });
            }
        }
        *self.entries.write().unwrap_or_else(PoisonError::into_inner) = entries;
        self.progress.send_replace(Progress { position: Some(position), looked });
        Ok(())
    }
}

/// What a subscription says, as of its last event.
async fn says_now(app: &App, id: Uuid) -> Result<Option<Access>, LogError> {
    app.subscriptions.look(&id.to_string(), |state, _, position| Access::of(id, state, position)).await
}
