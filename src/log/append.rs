//! The appender: one task a process, one batch in flight, in order.
//!
//! A batch is whatever came while the batch before it was being committed.
//! Decisions of one stream may follow each other without waiting (pipelining):
//! they come in order, and when one of them fails, those decided on top of it
//! say by [`Ticket::stands`] that they must not be tried.

use std::{collections::HashSet, sync::Arc, time::Duration};

use futures_util::future;
use sqlx::{Connection, PgConnection, postgres::PgConnectOptions};
use tokio::{
    sync::{mpsc, oneshot},
    time::Instant,
};
use uuid::Uuid;

use super::{Append, LogError, Outcome, StreamName, statement};
use crate::{
    metrics::Metrics,
    retry::Backoff,
    wake::{Topic, Wake},
};

/// Commands in one batch at the most.
const BATCH: usize = 2_048;
/// Events in one batch, and bytes of them, at the most, give or take one command's.
const BATCH_EVENTS: usize = 8_192;
const BATCH_BYTES: usize = 16 << 20;
/// How long commands that were not yet tried wait for a lost database.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long an append may take, or a connection to append on.
const SILENCE: Duration = Duration::from_secs(30);

/// Whoever waits for an append.
pub trait Ticket: Send {
    /// Whether what the decision was made on is still true as far as this
    /// process knows.
    fn stands(&self) -> bool {
        true
    }

    /// Takes the outcome. Called once, in the order of appends; must not block.
    fn settle(self: Box<Self>, outcome: Outcome);
}

pub(super) struct Answer(pub(super) oneshot::Sender<Outcome>);

impl Ticket for Answer {
    fn settle(self: Box<Self>, outcome: Outcome) {
        // Whoever asked may have given up; the outcome stands all the same.
        let _ = self.0.send(outcome);
    }
}

pub(super) struct Entry {
    pub(super) append: Append,
    pub(super) ticket: Box<dyn Ticket>,
}

pub(super) struct Appender {
    options: PgConnectOptions,
    entries: mpsc::Receiver<Entry>,
    wake: Wake,
    metrics: Arc<Metrics>,
    writer: Option<Writer>,
    /// The writer that was lost with a batch in doubt or merely lost.
    lost: Option<Uuid>,
    /// Outcomes that are yet to be told: see [`Appender::tell`].
    untold: Vec<(Box<dyn Ticket>, Outcome)>,
}

/// A connection with a name that can be retired.
pub(super) struct Writer {
    pub(super) id: Uuid,
    pub(super) connection: PgConnection,
}

/// How an attempt to append a batch ended.
enum Attempt {
    Done(Vec<Outcome>),
    /// The database said no to the whole statement: nothing of it is stored.
    Refused(sqlx::Error),
    /// Whether it was committed is not known.
    InDoubt(sqlx::Error),
}

impl Appender {
    pub(super) fn new(
        options: PgConnectOptions,
        entries: mpsc::Receiver<Entry>,
        wake: Wake,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self { options, entries, wake, metrics, writer: None, lost: None, untold: vec![] }
    }

    pub(super) async fn run(mut self) {
        let mut received = Vec::with_capacity(BATCH);
        while self.entries.recv_many(&mut received, BATCH).await > 0 {
            let mut waiting = received.drain(..).peekable();
            while waiting.peek().is_some() {
                let (mut events, mut bytes) = (0, 0);
                let mut batch = Vec::with_capacity(waiting.len());
                while events < BATCH_EVENTS
                    && bytes < BATCH_BYTES
                    && let Some(entry) = waiting.next()
                {
                    events += entry.append.events.len();
                    bytes += entry.append.events.iter().map(|event| event.payload.len()).sum::<usize>();
                    batch.push(entry);
                }
                self.work(batch).await;
            }
        }
    }

    /// Brings a batch to its outcomes, however long that takes.
    async fn work(&mut self, mut batch: Vec<Entry>) {
        if self.writer.is_none() {
            self.tell();
        }
        // Before the first try nothing is in doubt, so nobody has to wait for ever.
        if let Err(error) = self.connect_within(PATIENCE).await {
            let error = Arc::new(LogError::Unavailable { operation: "connect", source: error });
            batch.drain(..).for_each(|entry| entry.ticket.settle(Outcome::Failed(error.clone())));
            return;
        }
        let (batch, stale): (Vec<_>, Vec<_>) = batch.into_iter().partition(|entry| entry.ticket.stands());
        if batch.is_empty() || !stale.is_empty() {
            self.tell();
            stale.into_iter().for_each(|entry| entry.ticket.settle(Outcome::Conflict));
        }
        if batch.is_empty() {
            return;
        }
        let (appends, tickets): (Vec<_>, Vec<_>) = batch.into_iter().map(|entry| (entry.append, entry.ticket)).unzip();
        // The batch is on its way to the server before the one before it is told of.
        let untold = std::mem::take(&mut self.untold);
        let (outcomes, ()) = future::join(self.append(&appends), async { tell(untold) }).await;
        if appends.iter().zip(&outcomes).any(|(a, o)| !a.events.is_empty() && matches!(o, Outcome::Written { .. })) {
            self.wake.up(Topic::Events);
        }
        let all_written = outcomes.iter().all(|outcome| matches!(outcome, Outcome::Written { .. }));
        self.untold.extend(tickets.into_iter().zip(outcomes));
        if !all_written || self.entries.is_empty() {
            self.tell();
        }
    }

    /// Tells everybody what became of their appends.
    ///
    /// While the next batch is being appended is the best time, for neither
    /// this process nor the server is idle then. But it must not wait if there
    /// is no next batch yet, nor if something was not written: the next batch
    /// may hold what was decided on top of that.
    fn tell(&mut self) {
        tell(std::mem::take(&mut self.untold));
    }

    async fn append(&mut self, appends: &[Append]) -> Vec<Outcome> {
        let started = Instant::now();
        let mut outcomes: Vec<Outcome> = Vec::with_capacity(appends.len());
        // Streams of which something was not written: what was decided on top of it must not be.
        let mut stale: HashSet<StreamName> = HashSet::new();
        // What is still to be appended; the first part comes last.
        let mut parts = vec![appends];
        while let Some(part) = parts.pop() {
            match part.iter().position(|append| stale.contains(&append.stream)) {
                Some(0) => {
                    outcomes.push(Outcome::Conflict);
                    parts.push(&part[1..]);
                    continue;
                }
                Some(n) => {
                    parts.extend([&part[n..], &part[..n]]);
                    continue;
                }
                None if part.is_empty() => continue,
                None => {}
            }
            let told = match self.attempt(part).await {
                Attempt::Done(outcomes) => outcomes,
                Attempt::InDoubt(error) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, commands = part.len(), "append in doubt");
                    self.settle_doubt(part).await
                }
                // Something in it cannot be stored; the others must not suffer for it.
                Attempt::Refused(error) if is_data_error(&error) && part.len() > 1 => {
                    let (first, second) = part.split_at(part.len() / 2);
                    parts.extend([second, first]);
                    continue;
                }
                Attempt::Refused(error) => {
                    tracing::error!(error = &error as &dyn std::error::Error, commands = part.len(), "append refused");
                    vec![Outcome::Failed(Arc::new(refused(error))); part.len()]
                }
            };
            let unwritten = part.iter().zip(&told).filter(|(_, outcome)| !matches!(outcome, Outcome::Written { .. }));
            stale.extend(unwritten.map(|(append, _)| append.stream.clone()));
            outcomes.extend(told);
        }
        self.metrics.appended(appends, &outcomes, started.elapsed());
        outcomes
    }

    async fn attempt(&mut self, appends: &[Append]) -> Attempt {
        let writer = match self.connected().await {
            Ok(writer) => writer,
            // Not sent, so not in doubt.
            Err(error) => return Attempt::Refused(error),
        };
        // A server that says nothing is as good as gone; what it does is then in doubt.
        let answer = tokio::time::timeout(SILENCE, statement::append(writer, appends)).await;
        match answer.unwrap_or_else(|_| Err(sqlx::Error::Io(std::io::ErrorKind::TimedOut.into()))) {
            Ok(outcomes) => Attempt::Done(outcomes),
            Err(error) if statement::is_certain(&error) => Attempt::Refused(error),
            Err(error) => {
                self.lost = self.writer.take().map(|writer| writer.id);
                Attempt::InDoubt(error)
            }
        }
    }

    /// Looks up what became of a batch whose connection was lost. The lost
    /// writer is retired first (on reconnecting): after that it can no longer
    /// append, so what is not in the log now never will be.
    async fn settle_doubt(&mut self, appends: &[Append]) -> Vec<Outcome> {
        let mut backoff = Backoff::new(Duration::from_millis(20), Duration::from_secs(1));
        loop {
            match self.connected().await {
                Ok(writer) => match statement::look_up(&mut writer.connection, appends).await {
                    Ok(outcomes) => return outcomes,
                    Err(error) => {
                        tracing::warn!(error = &error as &dyn std::error::Error, "cannot look up an append in doubt");
                        self.lost = self.writer.take().map(|writer| writer.id);
                    }
                },
                Err(error) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, "the event log is away");
                }
            }
            tokio::time::sleep(backoff.wait()).await;
        }
    }

    async fn connect_within(&mut self, patience: Duration) -> Result<(), sqlx::Error> {
        let deadline = Instant::now() + patience;
        let mut backoff = Backoff::new(Duration::from_millis(10), Duration::from_millis(500));
        loop {
            match self.connected().await {
                Ok(_) => return Ok(()),
                Err(error) if Instant::now() >= deadline => return Err(error),
                Err(_) => tokio::time::sleep(backoff.wait()).await,
            }
        }
    }

    async fn connected(&mut self) -> Result<&mut Writer, sqlx::Error> {
        if self.writer.is_none() {
            let connecting = tokio::time::timeout(SILENCE, PgConnection::connect_with(&self.options));
            let mut connection =
                connecting.await.unwrap_or_else(|_| Err(sqlx::Error::Io(std::io::ErrorKind::TimedOut.into())))?;
            if let Some(lost) = self.lost {
                statement::retire(&mut connection, lost).await?;
                self.lost = None;
            }
            self.writer = Some(Writer { id: statement::writer_id(), connection });
        }
        Ok(self.writer.as_mut().expect("was just connected"))
    }
}

fn tell(outcomes: Vec<(Box<dyn Ticket>, Outcome)>) {
    outcomes.into_iter().for_each(|(ticket, outcome)| ticket.settle(outcome));
}

/// Classes 22 (data), 23 (constraint) and 54 (limits): a matter of one command's content.
fn is_data_error(error: &sqlx::Error) -> bool {
    let sqlx::Error::Database(error) = error else { return matches!(error, sqlx::Error::Encode(_)) };
    error.code().is_some_and(|code| ["22", "23", "54"].iter().any(|class| code.starts_with(class)))
}

fn refused(source: sqlx::Error) -> LogError {
    if is_data_error(&source) {
        LogError::Unstorable { source }
    } else {
        LogError::Unavailable { operation: "append", source }
    }
}
