//! The log: append with optimistic concurrency, read after a position.
//!
//! There is one total order. `position` is gapless and equals the order of
//! commits, so a reader needs nothing but the position it stands at. What makes
//! one order cheap is group commit: all commands in flight in this process
//! share one statement, one lock and one fsync (see `append`).

mod append;
mod read;
mod statement;

use std::sync::Arc;

use sqlx::{PgPool, postgres::PgConnectOptions};
use tokio::sync::mpsc;
use uuid::Uuid;

use crate::{metrics::Metrics, wake::Wake};
pub use append::Ticket;
pub(crate) use read::read;
pub use read::{Page, Recorded, Selection};

/// Which stream of which aggregate.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct StreamName {
    /// The aggregate's type, as in `cqrs_es::Aggregate::TYPE`.
    pub kind: &'static str,
    /// The aggregate's id.
    pub id: Arc<str>,
}

/// Who wanted it and what led to it; written on every event.
#[derive(Debug, Clone)]
pub struct Cause {
    /// Who: `admin:anna`, `key:entrylab`, `person:<pseudonym>`, `system`.
    pub actor: Arc<str>,
    /// Shared by all that follows from one first cause.
    pub correlation: Uuid,
    /// The direct cause: `request:<id>`, `telegram-update:<id>`, `event:<position>`.
    pub causation: Arc<str>,
}

/// An event about to be appended.
#[derive(Debug, Clone)]
pub struct NewEvent {
    /// Its id, made before the append so that it can be looked up when the
    /// connection is lost with the commit in doubt.
    pub id: Uuid,
    /// As in `cqrs_es::DomainEvent::event_type`.
    pub name: String,
    /// As in `cqrs_es::DomainEvent::event_version`.
    pub version: String,
    /// JSON.
    pub payload: String,
}

/// The key under which a command takes effect once.
#[derive(Debug, Clone)]
pub struct Once {
    /// Whose keys these are: two sources may use the same key.
    pub source: Arc<str>,
    /// The key.
    pub key: Arc<str>,
    /// Hash of what was asked under it.
    pub fingerprint: [u8; 32],
    /// Whether a refusal is an answer for ever, too, or the same wish may be
    /// tried again later.
    pub keeps_refusals: bool,
}

/// One command's part of a batch.
#[derive(Debug, Clone)]
pub struct Append {
    /// The stream it was decided on.
    pub stream: StreamName,
    /// One past the version that it was decided on; the stream must be there
    /// and not beyond.
    pub next: i64,
    /// What was decided; may be empty, then only `next` and `once` matter.
    pub events: Vec<NewEvent>,
    /// Why.
    pub cause: Cause,
    /// Under which key, if any.
    pub once: Option<Once>,
    /// The refusal to be kept under that key, as JSON.
    pub refusal: Option<String>,
}

/// What became of an [`Append`].
#[derive(Debug, Clone)]
pub enum Outcome {
    /// It is in the log, durably; its first event stands at this position.
    /// (Without events: that is where it would stand.)
    Written {
        /// Position of the first event.
        position: i64,
    },
    /// It was decided on another state than the stream has: decide again.
    Conflict,
    /// Its key has a receipt: nothing was written now, the answer is there.
    Repeated,
    /// It is not in the log, and will not be.
    Failed(Arc<LogError>),
}

/// Why the log could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The database is away or refuses to work.
    #[error("the event log is unavailable: {operation} failed")]
    Unavailable {
        /// What was tried.
        operation: &'static str,
        /// What the database or the connection said.
        source: sqlx::Error,
    },
    /// The database cannot hold this event (a NUL character, a too large text).
    #[error("an event cannot be stored")]
    Unstorable {
        /// What the database said.
        source: sqlx::Error,
    },
    /// A stored event cannot be understood.
    #[error("event at position {position} cannot be read")]
    Unreadable {
        /// Where it stands.
        position: i64,
        /// What is wrong with it.
        source: aggregates::UnreadableEvent,
    },
    /// A stream lacks an event, though the log gives sequence numbers without gaps.
    #[error("the stream of the event at position {position} lacks an event before it")]
    Incomplete {
        /// Where one of the events after the gap stands.
        position: i64,
    },
    /// More commands wait than this process accepts.
    #[error("too many commands are waiting")]
    Overloaded,
    /// The process is stopping.
    #[error("the event log is closed")]
    Closed,
}

/// Commands waiting for or in an append; more are refused with [`LogError::Overloaded`].
const QUEUE: usize = 16_384;

/// The log of one database. Cheap to clone.
#[derive(Clone)]
pub struct Log {
    pool: PgPool,
    queue: mpsc::Sender<append::Entry>,
}

/// The task behind a [`Log`].
pub struct LogTask(append::Appender);

impl Log {
    /// A log over a pool. Nothing is appended until the task runs.
    #[must_use]
    pub fn new(pool: PgPool, options: PgConnectOptions, wake: Wake, metrics: Arc<Metrics>) -> (Self, LogTask) {
        let (queue, entries) = mpsc::channel(QUEUE);
        (Self { pool, queue }, LogTask(append::Appender::new(options, entries, wake, metrics)))
    }

    /// Appends outside any cache: for tests of the log itself and for imports.
    pub async fn append(&self, append: Append) -> Outcome {
        let (answer, outcome) = tokio::sync::oneshot::channel();
        if let Err(error) = self.submit(append, Box::new(append::Answer(answer))) {
            return Outcome::Failed(Arc::new(error));
        }
        outcome.await.unwrap_or_else(|_| Outcome::Failed(Arc::new(LogError::Closed)))
    }

    /// Queues an append; `ticket` is told the outcome. The order of calls is
    /// the order in the log. Does not wait, so it may be called under a lock.
    ///
    /// # Errors
    /// [`LogError::Overloaded`] or [`LogError::Closed`]; the ticket is dropped.
    pub fn submit(&self, append: Append, ticket: Box<dyn Ticket>) -> Result<(), LogError> {
        self.queue.try_send(append::Entry { append, ticket }).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => LogError::Overloaded,
            mpsc::error::TrySendError::Closed(_) => LogError::Closed,
        })
    }
}

impl LogTask {
    /// Appends until every clone of the [`Log`] is dropped and every queued
    /// command has its outcome.
    pub async fn run(self) {
        self.0.run().await;
    }
}
