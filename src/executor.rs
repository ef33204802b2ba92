//! The command bus: load, decide, append, and decide again on a conflict.
//!
//! One [`Executor`] an aggregate type. A stream's state is cached; a command is
//! decided on the state after the one before it, whether or not that one is
//! durable yet, and acknowledged only when its own events are. Refusals go the
//! same way, as appends without events: that is what makes sure they were
//! decided on the newest state, whoever else writes to the stream.

mod load;
mod page;
mod receipt;
mod rest;
mod stream;

use std::{sync::Arc, time::Duration};

use aggregates::Decide;
use quick_cache::sync::Cache;
use sqlx::PgPool;
use tokio::{sync::oneshot, time::Instant};

use crate::{
    clock::Clock,
    log::{Cause, Log, LogError, Once, Outcome, StreamName},
    metrics::Metrics,
    retry::Backoff,
};
pub use load::{LoadTask, Loader};
use stream::{Attempt, Stream};

/// Streams kept in memory, by aggregate type.
const CACHED: usize = 20_000;
/// How often and how long a command is decided again before its sender is told to try later.
/// Often, and with short waits: beside a process that keeps a stream hot, each try wins by chance.
const ATTEMPTS: u32 = 1_000;
const PATIENCE: Duration = Duration::from_secs(10);
const LONGEST_WAIT: Duration = Duration::from_millis(10);

/// A command with all that is not the aggregate's business.
#[derive(Debug, Clone)]
pub struct Wish<C> {
    /// What is wanted.
    pub command: C,
    /// Who wants it, and why.
    pub cause: Cause,
    /// The key under which it takes effect once.
    pub once: Option<Once>,
    /// The version the stream must have (If-Match). 0 is a stream that is new,
    /// which spares looking for it.
    pub expected: Option<i64>,
}

/// A command that was accepted.
#[derive(Debug, Clone)]
pub struct Done<A: Decide> {
    /// The stream it went to: for a repeated command that of the first time.
    pub id: Arc<str>,
    /// A read model that has come this far shows the effect.
    pub position: i64,
    /// The stream's version after it.
    pub version: i64,
    /// What happened.
    pub events: Vec<A::Event>,
    /// Whether it had taken effect before, under the same key.
    pub repeated: bool,
}

/// A command that was not accepted.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SendError<R: std::error::Error> {
    /// The aggregate says no.
    #[error(transparent)]
    Refused(R),
    /// The stream is not at the expected version.
    #[error("expected version {expected}, found {found}")]
    Precondition {
        /// What the sender had seen.
        expected: i64,
        /// What there is.
        found: i64,
    },
    /// The key was used before for something else.
    #[error("the idempotency key was used before for another request")]
    KeyReused,
    /// Others changed the stream each time; try again.
    #[error("the command met other changes {attempts} times")]
    Busy {
        /// How often it was decided.
        attempts: u32,
    },
    /// The log could not take it; it has had no effect.
    #[error(transparent)]
    Log(Arc<LogError>),
}

impl<R: std::error::Error> From<LogError> for SendError<R> {
    fn from(error: LogError) -> Self {
        Self::Log(Arc::new(error))
    }
}

/// Decides commands on one type of aggregate. Cheap to clone.
pub struct Executor<A: Decide>(Arc<Inner<A>>);

impl<A: Decide> Clone for Executor<A> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

struct Inner<A: Decide> {
    log: Log,
    loader: Loader,
    pool: PgPool,
    clock: Clock,
    metrics: Arc<Metrics>,
    streams: Cache<Arc<str>, Arc<Stream<A>>>,
}

impl<A: Decide> Executor<A> {
    /// An executor over a log.
    #[must_use]
    pub fn new(log: Log, loader: Loader, pool: PgPool, clock: Clock, metrics: Arc<Metrics>) -> Self {
        Self(Arc::new(Inner { log, loader, pool, clock, metrics, streams: Cache::new(CACHED) }))
    }

    /// Decides a command and returns when its outcome is durable.
    ///
    /// # Errors
    /// [`SendError`]; the command has then had no effect.
    pub async fn send(&self, id: &str, wish: Wish<A::Command>) -> Result<Done<A>, SendError<A::Error>> {
        let stream = self.stream(id);
        let started = Instant::now();
        let mut backoff = Backoff::new(Duration::from_millis(1), LONGEST_WAIT);
        let mut attempts = 0;
        loop {
            attempts += 1;
            match self.attempt(&stream, &wish).await? {
                Attempt::Accepted { events, position, version } => {
                    return Ok(Done { id: stream.name.id.clone(), position, version, events, repeated: false });
                }
                Attempt::Refused(refusal) if wish.once.as_ref().is_some_and(|once| !once.keeps_refusals) => {
                    // A refusal that is not kept has not met the key's receipt either.
                    return match self.repeated(&wish).await? {
                        Some(done) => Ok(done),
                        None => Err(SendError::Refused(refusal)),
                    };
                }
                Attempt::Refused(refusal) => return Err(SendError::Refused(refusal)),
                Attempt::Repeated => {
                    let answer = self.repeated(&wish).await?;
                    return answer.ok_or(SendError::Busy { attempts });
                }
                // What is cached may itself be behind.
                Attempt::Precondition { expected, found }
                    if expected > found && stream.look(&self.0.loader, |_, newest, _| newest > found).await? => {}
                Attempt::Precondition { expected, found } => {
                    // The first time under this key may have been what changed the version.
                    let answer = self.repeated(&wish).await?;
                    return answer.ok_or(SendError::Precondition { expected, found });
                }
                Attempt::Conflict if attempts >= ATTEMPTS || started.elapsed() > PATIENCE => {
                    return Err(SendError::Busy { attempts });
                }
                Attempt::Conflict => {
                    self.0.metrics.retries.with_label_values(&[A::TYPE]).inc();
                    // At once the first time: whoever won is busy telling its senders, and a
                    // process that waits politely would lose a hot stream to it for ever.
                    if attempts > 1 {
                        tokio::time::sleep(backoff.wait()).await;
                    }
                }
            }
        }
    }

    /// Shows the newest state of a stream, its version and its last position.
    ///
    /// # Errors
    /// [`LogError`] when it cannot be read.
    pub async fn look<T>(&self, id: &str, show: impl FnOnce(&A, i64, i64) -> T) -> Result<T, LogError> {
        self.stream(id).look(&self.0.loader, show).await
    }

    /// Shows what this process remembers of a stream, which others may have changed
    /// since; none when it remembers nothing.
    pub fn glance<T>(&self, id: &str, show: impl FnOnce(&A) -> T) -> Option<T> {
        self.0.streams.get(id)?.glance(show)
    }

    /// The answer that a command under this key got, if one ever came.
    ///
    /// # Errors
    /// The answer itself when it was a refusal, or [`SendError::KeyReused`].
    pub async fn answered(&self, once: &Once) -> Result<Option<Done<A>>, SendError<A::Error>> {
        receipt::answer(&self.0.pool, once).await?.transpose()
    }

    fn stream(&self, id: &str) -> Arc<Stream<A>> {
        if let Some(stream) = self.0.streams.get(id) {
            return stream;
        }
        let id: Arc<str> = id.into();
        let fresh = || -> Result<_, std::convert::Infallible> {
            Ok(Arc::new(Stream::new(StreamName { kind: A::TYPE, id: id.clone() })))
        };
        match self.0.streams.get_or_insert_with(&id, fresh) {
            Ok(stream) => stream,
        }
    }

    async fn attempt(
        &self,
        stream: &Arc<Stream<A>>,
        wish: &Wish<A::Command>,
    ) -> Result<Attempt<A>, SendError<A::Error>> {
        stream.refresh(&self.0.loader, wish.expected).await?;
        let (answer, outcome) = oneshot::channel();
        let decided = stream.decide(wish, &self.0.clock, &self.0.log, answer)?;
        let decided = match decided {
            stream::Decided::Waiting(decided) => decided,
            stream::Decided::Early(attempt) => return Ok(attempt),
        };
        let (outcome, last) = outcome.await.map_err(|_| LogError::Closed)?;
        Ok(match (outcome, decided.result) {
            (Outcome::Written { .. }, Err(refusal)) => Attempt::Refused(refusal),
            (Outcome::Written { position }, Ok(events)) => {
                let position = if events.is_empty() { last } else { position + events.len() as i64 - 1 };
                Attempt::Accepted { events, position, version: decided.version }
            }
            (Outcome::Conflict, _) => Attempt::Conflict,
            (Outcome::Repeated, _) => Attempt::Repeated,
            (Outcome::Failed(error), _) => return Err(SendError::Log(error)),
        })
    }

    /// The answer that was given the first time.
    async fn repeated(&self, wish: &Wish<A::Command>) -> Result<Option<Done<A>>, SendError<A::Error>> {
        match &wish.once {
            Some(once) => self.answered(once).await,
            None => Ok(None),
        }
    }
}
