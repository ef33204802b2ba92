//! Timers: what is to be done at times, by one process each time. Each has a task of its
//! own: one that takes long, or waits for somebody who does not answer, delays no other.

use std::time::Duration;

use aggregates::campaign::Command;
use sqlx::PgPool;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    app::App,
    executor::Wish,
    lease,
    log::Cause,
    market::{MarketError, store::StoreError},
    membership, stripe,
};

/// Something to be done again and again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Timer {
    /// Forgets what nobody will ask for any more.
    Housekeeping,
    /// Opens and ends campaigns on time, and lets reservations go.
    Campaigns,
    /// Ends access that runs out, and reminds of it.
    Memberships,
    /// Compares Stripe, what is known here, and the channels.
    Drift,
    /// Takes in what Stripe told in vain.
    Stripe,
    /// Fetches candles.
    Market,
    /// Shows them to the signals.
    Signals,
}

impl Timer {
    const ALL: [Self; 7] = [
        Self::Housekeeping,
        Self::Campaigns,
        Self::Memberships,
        Self::Drift,
        Self::Stripe,
        Self::Market,
        Self::Signals,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Housekeeping => "housekeeping",
            Self::Campaigns => "campaigns",
            Self::Memberships => "memberships",
            Self::Drift => "drift",
            Self::Stripe => "stripe",
            Self::Market => "market",
            Self::Signals => "signals",
        }
    }

    /// Of its heartbeat.
    const fn task(self) -> &'static str {
        match self {
            Self::Housekeeping => "timer:housekeeping",
            Self::Campaigns => "timer:campaigns",
            Self::Memberships => "timer:memberships",
            Self::Drift => "timer:drift",
            Self::Stripe => "timer:stripe",
            Self::Market => "timer:market",
            Self::Signals => "timer:signals",
        }
    }

    /// Between the end of one run and the next.
    const fn rest(self) -> Duration {
        match self {
            Self::Housekeeping => Duration::from_secs(3600),
            // The dates are judged with every redemption; what waits for this is only what is shown.
            Self::Campaigns | Self::Memberships => Duration::from_secs(1),
            // It only asks when a minute is over, and nobody else has; and says itself when to ask again in vain.
            Self::Market | Self::Signals => Duration::from_millis(500),
            Self::Drift => Duration::from_secs(6 * 3600),
            Self::Stripe => Duration::from_secs(900),
        }
    }

    /// Answers how long to rest, where that is longer than usual.
    async fn run(self, app: &App) -> Result<Option<Duration>, sqlx::Error> {
        match self {
            Self::Housekeeping => housekeeping(&app.pool).await?,
            Self::Campaigns => campaigns(app).await?,
            Self::Memberships => membership::time::run(app).await?,
            // Only reports: a person decides whether it may repair.
            Self::Drift => drop(membership::drift::ask(app, false, false, app.clock.new_id()).await?),
            Self::Stripe => catch_up(app).await,
            Self::Market => return market(app).await,
            Self::Signals => {
                if let Err(error) = app.watch.run(app).await {
                    tracing::warn!(error = &error as &dyn std::error::Error, "the market was not shown to the signals");
                }
            }
        }
        Ok(None)
    }
}

/// How often a process looks whether a timer is due.
const LOOK: Duration = Duration::from_secs(1);

/// Makes the timers known to the database.
///
/// # Errors
/// What the database says.
pub async fn register(pool: &PgPool) -> Result<(), sqlx::Error> {
    for timer in Timer::ALL {
        lease::register(pool, timer.name()).await?;
    }
    Ok(())
}

/// Runs due timers until told to stop.
pub async fn run(app: App, stop: CancellationToken) {
    let mut tasks: JoinSet<()> =
        Timer::ALL.into_iter().map(|timer| keep_time(app.clone(), timer, stop.clone())).collect();
    while tasks.join_next().await.is_some() {}
}

/// Runs one timer whenever it is due, until told to stop.
async fn keep_time(app: App, timer: Timer, stop: CancellationToken) {
    let holder = app.clock.new_id();
    while !stop.is_cancelled() {
        app.metrics.beat(timer.task(), app.clock.now());
        if let Err(error) = turn(&app, timer, holder, &stop).await {
            tracing::warn!(timer = timer.name(), error = &error as &dyn std::error::Error, "a timer failed");
        }
        tokio::select! { () = tokio::time::sleep(LOOK) => {} () = stop.cancelled() => {} }
    }
}

async fn turn(app: &App, timer: Timer, holder: Uuid, stop: &CancellationToken) -> Result<(), sqlx::Error> {
    if !lease::take(&app.pool, timer.name(), holder).await? {
        return Ok(());
    }
    let (done, rest) = tokio::select! {
        done = timer.run(app) => match done {
            Ok(rest) => (Ok(()), timer.rest().max(rest.unwrap_or_default())),
            Err(error) => (Err(error), timer.rest()),
        },
        error = keep(app, timer, holder) => (Err(error), timer.rest()),
        // Some take an hour. Whatever was broken off is done again, by another process at once.
        () = stop.cancelled() => (Ok(()), Duration::ZERO),
    };
    let error = done.as_ref().err().map(ToString::to_string);
    lease::give_back(&app.pool, timer.name(), holder, rest, error.as_deref()).await?;
    done
}

/// Extends the lease for as long as the timer runs; returns when it is lost.
async fn keep(app: &App, timer: Timer, holder: Uuid) -> sqlx::Error {
    loop {
        tokio::time::sleep(lease::LENGTH / 3).await;
        app.metrics.beat(timer.task(), app.clock.now());
        match lease::take(&app.pool, timer.name(), holder).await {
            Ok(true) => {}
            Ok(false) => return sqlx::Error::Protocol("the lease was lost".to_owned()),
            Err(error) => return error,
        }
    }
}

/// Campaigns looked at in one run.
const CAMPAIGNS: i64 = 500;

/// Has campaigns do what is due. One that cannot must not keep the others waiting.
async fn campaigns(app: &App) -> Result<(), sqlx::Error> {
    let now = app.clock.now();
    for campaign in projections::coupons::due(&app.pool, now, CAMPAIGNS).await? {
        let cause =
            Cause { actor: "system".into(), correlation: app.clock.new_id(), causation: "timer:campaigns".into() };
        let wish = Wish { command: Command::Tick { at: now }, cause, once: None, expected: None };
        if let Err(error) = app.campaigns.send(&campaign.to_string(), wish).await {
            tracing::warn!(%campaign, error = &error as &dyn std::error::Error, "a campaign did not do what is due");
        }
    }
    Ok(())
}

/// Fetches candles. What cannot be had now is asked for again after a while, by whichever
/// process; who needs it sees that it is lacking.
async fn market(app: &App) -> Result<Option<Duration>, sqlx::Error> {
    let Some(market) = &app.market else { return Ok(None) };
    let done = match market.catch_up(app).await {
        Err(MarketError::Database { source, .. } | MarketError::Store(StoreError::Database(source))) => {
            return Err(source);
        }
        done => done,
    };
    market.tell(&done);
    Ok(market.rest(&done))
}

/// Rows deleted at a time, so that no transaction is long.
const CHUNK: i64 = 5_000;

/// Idempotency keys of the API are kept for 30 days; those of Telegram and
/// other sources, and the inbox, for ever.
async fn housekeeping(pool: &PgPool) -> Result<(), sqlx::Error> {
    for (table, old) in [
        ("receipts", "source like 'http:%' and recorded_at < now() - interval '30 days'"),
        ("removals", "at < now() - interval '1 day'"),
        ("reminders", "ends_at < now() - interval '30 days'"),
        ("rate_slots", "next_at < now() - interval '1 minute'"),
        ("login_failures", "failed_at < now() - interval '1 day'"),
        ("retired_writers", "retired_at < now() - interval '7 days'"),
    ] {
        let statement = format!(
            "delete from {table} where ctid = any (array (select ctid from {table} where {old} limit {CHUNK} for update skip locked))"
        );
        while sqlx::query(&statement).execute(pool).await?.rows_affected() > 0 {}
    }
    Ok(())
}

/// Takes in what Stripe told in vain. What goes wrong does so again in the next run, or
/// has been mended.
async fn catch_up(app: &App) {
    if app.stripe.is_none() {
        return;
    }
    match stripe::sync::sync(app, false, |_| {}).await {
        Ok(done) if done.missed > 0 => tracing::warn!(missed = done.missed, "events of Stripe's had not come here"),
        Ok(_) => {}
        Err(error) => tracing::warn!(error = &error as &dyn std::error::Error, "could not catch up with Stripe"),
    }
}
