//! Feeds: each reads the log from its checkpoint and hands batches to one
//! consumer, whose writes commit together with the checkpoint.
//!
//! Every process runs every feed. The checkpoint's row lock lets one of them
//! work at a time; the others pass by and look again at the next wake-up.

use std::{sync::Arc, time::Duration};

use projections::{Event, Projection, ProjectionError};
use sqlx::{PgConnection, PgPool};
use tokio_util::sync::CancellationToken;

use crate::{
    clock::Clock,
    jobs,
    log::{self, LogError, Recorded},
    metrics::Metrics,
    reactions::Reaction,
    retry::Backoff,
    wake::{Topic, Wake},
};

/// Events handed over in one transaction.
const BATCH: i64 = 1_000;
/// Between two turns of a feed that is not a whole batch behind. The first event
/// after a rest is handed over at once; under load, more of them share a
/// transaction, or the feeds would take the database from those who append.
const PACE: Duration = Duration::from_millis(15);

/// What a feed feeds.
#[derive(Clone, Copy)]
pub enum Consumer {
    /// Fills a read model. Starts at the beginning of the log.
    Projection(&'static dyn Projection),
    /// Has effects. Starts at the end of the log as it is when first deployed:
    /// what happened before has had its effects.
    Reaction(&'static dyn Reaction),
}

/// A consumer could not take a batch; it is offered again.
#[derive(Debug, thiserror::Error)]
pub enum FeedError {
    /// The log could not be read.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The read model could not be written.
    #[error(transparent)]
    Projection(#[from] ProjectionError),
    /// Checkpoint or jobs could not be written.
    #[error("{operation} failed")]
    Database {
        /// What was tried.
        operation: &'static str,
        /// What the database said.
        source: sqlx::Error,
    },
}

fn database(operation: &'static str) -> impl Fn(sqlx::Error) -> FeedError {
    move |source| FeedError::Database { operation, source }
}

impl Consumer {
    /// Everything that consumes the log.
    pub fn all() -> impl Iterator<Item = Self> {
        projections::all()
            .into_iter()
            .map(Self::Projection)
            .chain(crate::reactions::all().into_iter().map(Self::Reaction))
    }

    /// The feed's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Projection(projection) => projection.name(),
            Self::Reaction(reaction) => reaction.name(),
        }
    }

    /// Whether effects were enqueued.
    async fn consume(self, connection: &mut PgConnection, events: &[Event]) -> Result<bool, FeedError> {
        match self {
            Self::Projection(projection) => {
                projection.apply(connection, events).await?;
                Ok(false)
            }
            Self::Reaction(reaction) => {
                let jobs: Vec<_> = events.iter().flat_map(|event| reaction.react(event)).collect();
                jobs::enqueue(connection, &jobs).await.map_err(database("enqueue jobs"))?;
                Ok(!jobs.is_empty())
            }
        }
    }
}

/// What one turn of a feed did.
#[derive(Debug, PartialEq, Eq)]
enum Turn {
    /// There may be more; whether the batch was a whole one.
    Worked { whole: bool },
    /// Nothing to do, or another process is at it.
    Idle,
}

/// One feed in one process.
pub struct Feed {
    /// What it feeds.
    pub consumer: Consumer,
    /// Where the log and the checkpoint are.
    pub pool: PgPool,
    /// When to look.
    pub wake: Wake,
    /// Where it reports.
    pub metrics: Arc<Metrics>,
    /// For its heartbeat.
    pub clock: Clock,
}

impl Feed {
    /// Feeds until told to stop; a batch that is being worked is finished.
    pub async fn run(self, stop: CancellationToken) {
        let name = self.consumer.name();
        let mut wake = self.wake.of(Topic::Events);
        let mut backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(5));
        let mut failing = false;
        while !stop.is_cancelled() {
            wake.mark_unchanged();
            match self.turn().await {
                Ok(turn) => {
                    self.metrics.beat(name, self.clock.now());
                    if failing {
                        tracing::info!(feed = name, "the feed works again");
                        failing = false;
                    }
                    backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(5));
                    match turn {
                        Turn::Idle => tokio::select! { _ = wake.changed() => {} () = stop.cancelled() => {} },
                        Turn::Worked { whole: false } => {
                            tokio::select! { () = tokio::time::sleep(PACE) => {} () = stop.cancelled() => {} }
                        }
                        Turn::Worked { whole: true } => {}
                    }
                }
                // Never skipped: what cannot be consumed stops the feed, visibly, until it can.
                Err(error) => {
                    tracing::error!(feed = name, error = &error as &dyn std::error::Error, "the feed is held up");
                    failing = true;
                    tokio::select! { () = tokio::time::sleep(backoff.wait()) => {} () = stop.cancelled() => {} }
                }
            }
        }
    }

    async fn turn(&self) -> Result<Turn, FeedError> {
        let name = self.consumer.name();
        let mut transaction = self.pool.begin().await.map_err(database("begin"))?;
        let checkpoint =
            sqlx::query_scalar!("select position from checkpoints where feed = $1 for update skip locked", name)
                .fetch_optional(&mut *transaction)
                .await
                .map_err(database("lock the checkpoint"))?;
        let Some(position) = checkpoint else { return Ok(Turn::Idle) };
        let recorded = log::read(&mut transaction, position, BATCH).await?;
        let Some(last) = recorded.last().map(|event| event.position) else { return Ok(Turn::Idle) };
        let events = typed(&recorded)?;
        let enqueued = self.consumer.consume(&mut transaction, &events).await?;
        move_checkpoint(&mut transaction, name, last).await?;
        transaction.commit().await.map_err(database("commit"))?;
        if enqueued {
            self.wake.up(Topic::Jobs);
        }
        Ok(Turn::Worked { whole: recorded.len() as i64 == BATCH })
    }
}

/// Makes sure that every feed has a checkpoint.
///
/// # Errors
/// [`FeedError::Database`].
pub async fn register(pool: &PgPool) -> Result<(), FeedError> {
    for consumer in Consumer::all() {
        sqlx::query!(
            "insert into checkpoints (feed, position) \
             select $1, case when $2 then (select coalesce(max(position), 0) from events) else 0 end \
             on conflict do nothing",
            consumer.name(),
            matches!(consumer, Consumer::Reaction(_)),
        )
        .execute(pool)
        .await
        .map_err(database("register a feed"))?;
    }
    Ok(())
}

pub(crate) async fn move_checkpoint(connection: &mut PgConnection, feed: &str, position: i64) -> Result<(), FeedError> {
    sqlx::query!("update checkpoints set position = $2, moved_at = now() where feed = $1", feed, position)
        .execute(connection)
        .await
        .map_err(database("move the checkpoint"))?;
    Ok(())
}

pub(crate) fn typed(recorded: &[Recorded]) -> Result<Vec<Event>, LogError> {
    recorded
        .iter()
        .map(|event| {
            Ok(Event {
                position: event.position,
                stream: event.aggregate_id.clone(),
                sequence: event.sequence,
                recorded_at: event.recorded_at,
                correlation: event.correlation_id,
                fact: event.fact()?,
            })
        })
        .collect()
}

/// Where a feed stands.
#[derive(Debug, Clone)]
pub struct Standing {
    /// Its name.
    pub feed: String,
    /// The last position it consumed.
    pub position: i64,
    /// Events it has not consumed.
    pub lag_events: i64,
    /// Age of the oldest of them, in seconds.
    pub lag_seconds: f64,
}

/// Where every feed stands.
///
/// # Errors
/// [`FeedError::Database`].
pub async fn standings(pool: &PgPool) -> Result<Vec<Standing>, FeedError> {
    sqlx::query_as!(
        Standing,
        r#"select c.feed, c.position,
                  greatest(0, (select coalesce(max(position), 0) from events) - c.position) as "lag_events!",
                  coalesce(extract(epoch from greatest(interval '0', now() - e.recorded_at)), 0)::float8 as "lag_seconds!"
             from checkpoints c left join events e on e.position = c.position + 1
            order by c.feed"#
    )
    .fetch_all(pool)
    .await
    .map_err(database("read the checkpoints"))
}

/// Waits until a read model shows everything up to a position.
///
/// Answers where it stands: less than `position` when the deadline came first.
///
/// # Errors
/// [`FeedError::Database`].
pub async fn wait_for(pool: &PgPool, feed: &str, position: i64, deadline: Duration) -> Result<i64, FeedError> {
    let end = tokio::time::Instant::now() + deadline;
    let mut pause = Duration::from_millis(1);
    loop {
        let reached = sqlx::query_scalar!("select position from checkpoints where feed = $1", feed)
            .fetch_optional(pool)
            .await
            .map_err(database("read a checkpoint"))?
            .unwrap_or(0);
        if reached >= position || tokio::time::Instant::now() >= end {
            return Ok(reached);
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_millis(25));
    }
}
