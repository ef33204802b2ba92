//! Sending broadcasts: one sender a process, any number of processes.
//!
//! A sender claims a few recipients, and for each waits for a slot that no
//! reply wants, notes durably that the message is about to be on its way, calls
//! Telegram, and notes what came of it. Between two recipients it looks at the
//! broadcast, so that a pause or an end takes effect in all processes at once.

mod deliver;

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use aggregates::{
    Broadcast,
    broadcast::{Command, Run},
};
use sqlx::{Connection, PgConnection};
use tokio::{task::JoinSet, time::Instant};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::recipients::{self, Claimed};
use crate::{
    app::App,
    executor::{SendError, Wish},
    integrations::telegram::{OutgoingMessage, Telegram},
    log::{Cause, LogError},
    rate::{self, Spare},
    retry::Backoff,
    wake::Topic,
};

/// Recipients claimed at a time.
const BATCH: i64 = 20;
/// Calls on their way at a time: when Telegram falls silent, so many are in doubt and no more.
const IN_FLIGHT: usize = 32;
/// Between two looks when there is nothing to do.
const POLL: Duration = Duration::from_millis(250);
/// How old the last look at the broadcast may be when a message goes out.
const LOOK: Duration = Duration::from_millis(200);
/// So many calls without a usable answer in a row are an outage.
const OUTAGE: u32 = 16;

/// Why a turn was not finished; the next one goes on.
#[derive(Debug, thiserror::Error)]
enum TurnError {
    #[error("the table of recipients could not be read or written")]
    Database(#[from] sqlx::Error),
    #[error("the broadcast could not be looked at")]
    Log(#[from] LogError),
    #[error("the broadcast could not be told of")]
    Send(#[source] SendError<aggregates::broadcast::Refusal>),
}

/// What a broadcast wants of its senders.
enum Wanted {
    /// Send.
    Run(Box<Run>),
    /// Not now.
    Wait,
    /// Nothing any more, after so many orders to send again.
    Nothing { resends: u32 },
}

impl Wanted {
    fn by(broadcast: &Broadcast) -> Self {
        match broadcast {
            Broadcast::Sending(run) if run.recipients.is_some() => Self::Run(Box::new(run.clone())),
            Broadcast::Completed { run, .. } => Self::Nothing { resends: run.resends },
            Broadcast::Cancelled => Self::Nothing { resends: u32::MAX },
            _ => Self::Wait,
        }
    }
}

/// How Telegram took the last messages.
struct Weather {
    /// Nothing is sent before.
    quiet_until: Instant,
    backoff: Backoff,
    /// Calls without a usable answer since the last message that went through.
    failures: u32,
    /// Messages refused since then.
    refusals: u32,
}

impl Weather {
    fn fair() -> Self {
        let backoff = Backoff::new(Duration::from_millis(250), Duration::from_secs(30));
        Self { quiet_until: Instant::now(), backoff, failures: 0, refusals: 0 }
    }
}

/// The sender of one process.
pub struct Sender {
    app: App,
    telegram: Telegram,
    id: Uuid,
    /// The recipients in its hands.
    held: Mutex<HashSet<i64>>,
    weather: Mutex<Weather>,
}

impl Sender {
    /// The sender of an app; none without access to Telegram.
    #[must_use]
    pub fn new(app: &App) -> Option<Self> {
        let telegram = app.telegram.clone()?;
        let (id, weather) = (app.clock.new_id(), Mutex::new(Weather::fair()));
        Some(Self { app: app.clone(), telegram, id, held: Mutex::default(), weather })
    }

    /// Sends until told to stop; then waits `grace` for what is on its way and
    /// gives back what is not.
    pub async fn run(self, stop: CancellationToken, grace: Duration) {
        let sender = Arc::new(self);
        let keeper = tokio::spawn(sender.clone().keep_leases());
        let mut calls = JoinSet::new();
        let mut wake = sender.app.wake.of(Topic::Jobs);
        while !stop.is_cancelled() {
            wake.mark_unchanged();
            sender.app.metrics.beat("broadcasts", sender.app.clock.now());
            let worked = sender.turn(&mut calls, &stop).await.unwrap_or_else(|error| {
                tracing::warn!(error = &error as &dyn std::error::Error, "broadcasts are held up");
                false
            });
            while calls.try_join_next().is_some() {}
            if !worked {
                tokio::select! {
                    () = tokio::time::sleep(POLL) => {}
                    _ = wake.changed() => {}
                    () = stop.cancelled() => {}
                }
            }
        }
        let drain = async { while calls.join_next().await.is_some() {} };
        if tokio::time::timeout(grace, drain).await.is_err() {
            // Telegram may have taken these: they are in doubt when their leases have run out.
            calls.shutdown().await;
        }
        keeper.abort();
    }

    fn held(&self) -> MutexGuard<'_, HashSet<i64>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn weather(&self) -> MutexGuard<'_, Weather> {
        self.weather.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lease(&self) -> Duration {
        self.app.config.job_lease
    }

    /// A few recipients of each broadcast. Answers whether there may be more to do at once.
    async fn turn(self: &Arc<Self>, calls: &mut JoinSet<()>, stop: &CancellationToken) -> Result<bool, TurnError> {
        let mut worked = false;
        for broadcast in recipients::active(&self.app.pool).await? {
            match self.look(broadcast).await? {
                Wanted::Wait => {}
                Wanted::Nothing { resends } => recipients::finish(&self.app.pool, broadcast, resends).await?,
                Wanted::Run(run) => worked |= self.work(broadcast, &run, calls, stop).await?,
            }
            if stop.is_cancelled() {
                break;
            }
        }
        Ok(worked)
    }

    async fn look(&self, broadcast: Uuid) -> Result<Wanted, LogError> {
        self.app.broadcasts.look(&broadcast.to_string(), |broadcast, _, _| Wanted::by(broadcast)).await
    }

    async fn work(
        self: &Arc<Self>,
        broadcast: Uuid,
        run: &Run,
        calls: &mut JoinSet<()>,
        stop: &CancellationToken,
    ) -> Result<bool, TurnError> {
        let claimed = recipients::claim(&self.app.pool, broadcast, self.id, self.lease(), BATCH).await?;
        if claimed.is_empty() {
            self.complete(broadcast).await?;
            return Ok(false);
        }
        let ids: Vec<i64> = claimed.iter().map(|recipient| recipient.id).collect();
        self.held().extend(&ids);
        let mut looked = Instant::now();
        let mut next = claimed.into_iter();
        let result = loop {
            let Some(recipient) = next.next() else { break Ok(()) };
            match self.slot(&recipient, &mut looked, calls, stop).await {
                Ok(Some(true)) => {
                    let message = message(run, recipient.chat_id);
                    calls.spawn(self.clone().deliver(recipient, message));
                }
                Ok(Some(false)) => {
                    self.held().remove(&recipient.id);
                }
                Ok(None) => {
                    next = std::iter::once(recipient).chain(next).collect::<Vec<_>>().into_iter();
                    break Ok(());
                }
                Err(error) => break Err(error),
            }
        };
        let rest: Vec<i64> = next.map(|recipient| recipient.id).collect();
        if !rest.is_empty() {
            for id in &rest {
                self.held().remove(id);
            }
            recipients::give_back(&self.app.pool, self.id, &rest, Duration::ZERO).await?;
        }
        result.map(|()| true)
    }

    /// Waits until a message may go to this recipient. Answers false when the
    /// chat's own limit is in the way, and none when nothing may be sent any more.
    async fn slot(
        &self,
        recipient: &Claimed,
        looked: &mut Instant,
        calls: &mut JoinSet<()>,
        stop: &CancellationToken,
    ) -> Result<Option<bool>, TurnError> {
        loop {
            if stop.is_cancelled() {
                return Ok(None);
            }
            if looked.elapsed() >= LOOK {
                if !matches!(self.look(recipient.broadcast).await?, Wanted::Run(_)) {
                    return Ok(None);
                }
                *looked = Instant::now();
            }
            while calls.try_join_next().is_some() {}
            // In an outage one at a time: each may be in doubt, and tells as much as many.
            let in_flight = if self.weather().failures >= OUTAGE { 1 } else { IN_FLIGHT };
            if calls.len() >= in_flight {
                tokio::select! { _ = calls.join_next() => {} () = tokio::time::sleep(LOOK) => {} }
                continue;
            }
            let quiet = self.weather().quiet_until.saturating_duration_since(Instant::now());
            if !quiet.is_zero() {
                tokio::time::sleep(quiet.min(LOOK)).await;
                continue;
            }
            match rate::take_spare(&self.app.pool, &self.app.config.telegram_limits, recipient.chat_id).await? {
                Spare::Taken => return Ok(Some(true)),
                Spare::Busy(wait) => tokio::time::sleep(wait.min(LOOK)).await,
                Spare::ChatBusy(wait) => {
                    recipients::give_back(&self.app.pool, self.id, &[recipient.id], wait).await?;
                    return Ok(Some(false));
                }
            }
        }
    }

    /// Says that everybody was dealt with, if it is so.
    async fn complete(&self, broadcast: Uuid) -> Result<(), TurnError> {
        let pool = &self.app.pool;
        // Read first: an order that is carried out after this is not among those counted.
        let resends = recipients::resends(pool, broadcast).await?;
        if recipients::unfinished(pool, broadcast).await? {
            return Ok(());
        }
        let counts = recipients::counts(pool, &[broadcast]).await?;
        let totals = counts.first().map(|(_, counts)| counts.totals()).unwrap_or_default();
        let resends = u32::try_from(resends).unwrap_or_default();
        let command = Command::Complete { totals, resends, at: self.app.clock.now() };
        self.send(broadcast, command).await.map_err(TurnError::Send)
    }

    async fn send(&self, broadcast: Uuid, command: Command) -> Result<(), SendError<aggregates::broadcast::Refusal>> {
        let cause = Cause {
            actor: "system".into(),
            correlation: broadcast,
            causation: format!("broadcast:{broadcast}").into(),
        };
        let wish = Wish { command, cause, once: None, expected: None };
        self.app.broadcasts.send(&broadcast.to_string(), wish).await.map(drop)
    }

    /// Extends the leases of what is in hand, and notices what a dead process
    /// left behind. On a connection of its own: a lease must not run out
    /// because the pool is busy.
    async fn keep_leases(self: Arc<Self>) {
        let mut ticks = tokio::time::interval(self.lease() / 3);
        let mut own: Option<PgConnection> = None;
        loop {
            ticks.tick().await;
            let kept = async {
                let mut connection = match own.take() {
                    Some(connection) => connection,
                    None => PgConnection::connect_with(&self.app.options).await?,
                };
                let held: Vec<i64> = self.held().iter().copied().collect();
                recipients::extend(&mut connection, self.id, &held, self.lease()).await?;
                let doubted = recipients::doubt(&mut connection).await?;
                if doubted > 0 {
                    tracing::warn!(doubted, "of some messages it is not known whether they arrived");
                }
                own = Some(connection);
                Ok::<_, sqlx::Error>(())
            };
            if let Err(error) = kept.await {
                tracing::warn!(error = &error as &dyn std::error::Error, "leases of recipients were not extended");
            }
        }
    }
}

/// The message to one chat; none when it cannot be put together.
fn message(run: &Run, chat_id: i64) -> Option<OutgoingMessage> {
    let message = super::outgoing(&run.letter.message).ok()?;
    Some(OutgoingMessage { chat_id, ..message })
}
