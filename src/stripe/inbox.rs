//! Keeping webhooks: many that wait share one statement and one commit.
//!
//! One task a process, one batch in flight. A batch is whatever came while the batch
//! before it was being committed. If a batch fails, or nobody knows whether it was
//! kept, everybody in it is told so, and Stripe sends it again: the event's id keeps
//! it from being taken twice.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use sqlx::{Connection, PgConnection, postgres::PgConnectOptions};
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

use super::hint;
use crate::{
    integrations::stripe::object::Envelope,
    secrets::hex,
    wake::{Topic, Wake},
};

/// Webhooks in one batch at the most, and bytes of them, give or take one.
const BATCH: usize = 512;
const BATCH_BYTES: usize = 8 << 20;
/// Webhooks that wait; more are sent away.
const WAITING: usize = 2_048;
/// How long a statement or a connection may take. Stripe gives up soon after.
const PATIENCE: Duration = Duration::from_secs(8);
/// Tries before a person has to look at a job: about three days.
const TRIES: i32 = 20;
/// What came of an event that nobody here needs.
const NOTHING: &str = "nothing to do";
/// What came of a body that is no event.
const NO_EVENT: &str = "unreadable: no event";

/// Why a webhook was not kept.
#[derive(Debug, Clone, thiserror::Error)]
pub enum KeepError {
    /// The database could not do it, or did not say that it did.
    #[error("webhooks could not be kept")]
    Store(#[source] Arc<sqlx::Error>),
    /// Too many wait.
    #[error("too many webhooks wait to be kept")]
    Full,
    /// This process is stopping, or was never started.
    #[error("nobody keeps webhooks here")]
    Closed,
}

/// A webhook that is believed, about to be kept.
#[derive(Debug)]
pub struct Incoming {
    /// Byte for byte.
    pub body: Bytes,
    /// When it came.
    pub received_at: DateTime<Utc>,
    /// Shared by all that follows from it.
    pub correlation: Uuid,
}

type Entry = (Incoming, oneshot::Sender<Result<(), KeepError>>);

/// Where webhooks are handed in. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Inbox(mpsc::Sender<Entry>);

/// What keeps them; to be run.
pub struct InboxTask {
    entries: mpsc::Receiver<Entry>,
    options: PgConnectOptions,
    wake: Wake,
    connection: Option<PgConnection>,
}

impl Inbox {
    /// An inbox, and the task that has to run behind it.
    #[must_use]
    pub fn new(options: PgConnectOptions, wake: Wake) -> (Self, InboxTask) {
        let (sender, entries) = mpsc::channel(WAITING);
        (Self(sender), InboxTask { entries, options, wake, connection: None })
    }

    /// Keeps a webhook. When this returns, it is durable; one that was kept before is kept.
    ///
    /// # Errors
    /// [`KeepError`]: its sender has to keep it.
    pub async fn keep(&self, incoming: Incoming) -> Result<(), KeepError> {
        let (told, kept) = oneshot::channel();
        self.0.try_send((incoming, told)).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => KeepError::Full,
            mpsc::error::TrySendError::Closed(_) => KeepError::Closed,
        })?;
        // Three times: one batch before it, its own, and a connection.
        match tokio::time::timeout(PATIENCE * 3, kept).await {
            Ok(Ok(kept)) => kept,
            Ok(Err(_)) | Err(_) => Err(KeepError::Closed),
        }
    }
}

impl InboxTask {
    /// Keeps what is handed in, for ever.
    pub async fn run(mut self) {
        let mut received = Vec::with_capacity(BATCH);
        while self.entries.recv_many(&mut received, BATCH).await > 0 {
            let mut waiting = received.drain(..).peekable();
            while waiting.peek().is_some() {
                let mut bytes = 0;
                let mut batch = vec![];
                while bytes < BATCH_BYTES
                    && let Some(entry) = waiting.next()
                {
                    bytes += entry.0.body.len();
                    batch.push(entry);
                }
                let (incoming, told): (Vec<_>, Vec<_>) = batch.into_iter().unzip();
                let kept = self.keep(&incoming).await;
                if let Err(error) = &kept {
                    tracing::warn!(%error, webhooks = incoming.len(), "webhooks were not kept");
                }
                if kept.as_ref().is_ok_and(|jobs| *jobs > 0) {
                    self.wake.up(Topic::Jobs);
                }
                for told in told {
                    // Whoever waited may have given up.
                    let _ = told.send(kept.as_ref().map(|_| ()).map_err(Clone::clone));
                }
            }
        }
    }

    /// Answers how many jobs came of it.
    async fn keep(&mut self, incoming: &[Incoming]) -> Result<i64, KeepError> {
        let batch = Batch::of(incoming);
        let silence = |_| sqlx::Error::Io(std::io::ErrorKind::TimedOut.into());
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => tokio::time::timeout(PATIENCE, PgConnection::connect_with(&self.options))
                .await
                .unwrap_or_else(|elapsed| Err(silence(elapsed)))
                .map_err(|error| KeepError::Store(Arc::new(error)))?,
        };
        let kept = tokio::time::timeout(PATIENCE, batch.insert(&mut connection))
            .await
            .unwrap_or_else(|elapsed| Err(silence(elapsed)))
            .map_err(|error| KeepError::Store(Arc::new(error)))?;
        // One that failed is not used again: it may be in the middle of something.
        self.connection = Some(connection);
        Ok(kept)
    }
}

/// The arrays of `take_stripe_events`.
#[derive(Default)]
struct Batch<'a> {
    ids: Vec<String>,
    types: Vec<String>,
    created: Vec<Option<DateTime<Utc>>>,
    versions: Vec<Option<String>>,
    live: Vec<bool>,
    received: Vec<DateTime<Utc>>,
    bodies: Vec<&'a [u8]>,
    outcomes: Vec<Option<&'static str>>,
    correlations: Vec<Uuid>,
}

impl<'a> Batch<'a> {
    fn of(incoming: &'a [Incoming]) -> Self {
        let mut all = Self::default();
        for Incoming { body, received_at, correlation } in incoming {
            let (envelope, outcome) = match Envelope::of(body) {
                Some(envelope) => {
                    let outcome = (!hint::is_worked(&envelope.kind)).then_some(NOTHING);
                    (envelope, outcome)
                }
                None => (unknown(body), Some(NO_EVENT)),
            };
            all.ids.push(envelope.id);
            all.types.push(envelope.kind);
            all.created.push(envelope.created);
            all.versions.push(envelope.api_version);
            all.live.push(envelope.livemode);
            all.received.push(*received_at);
            all.bodies.push(body);
            all.outcomes.push(outcome);
            all.correlations.push(*correlation);
        }
        all
    }

    async fn insert(self, connection: &mut PgConnection) -> Result<i64, sqlx::Error> {
        sqlx::query_scalar("select take_stripe_events($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)")
            .bind(self.ids)
            .bind(self.types)
            .bind(self.created)
            .bind(self.versions)
            .bind(self.live)
            .bind(self.received)
            .bind(self.bodies)
            .bind(self.outcomes)
            .bind(self.correlations)
            .bind(TRIES)
            .fetch_one(connection)
            .await
    }
}

/// A body that is no event is known by its hash.
fn unknown(body: &[u8]) -> Envelope {
    use sha2::{Digest, Sha256};
    let id = format!("sha256:{}", hex(&Sha256::digest(body)));
    Envelope { id, kind: String::new(), created: None, api_version: None, livemode: false }
}
