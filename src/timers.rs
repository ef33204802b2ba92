//! Timers: what is to be done at times, by one process each time.

use std::time::Duration;

use aggregates::campaign::Command;
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{app::App, executor::Wish, lease, log::Cause};

/// Something to be done again and again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Timer {
    /// Forgets what nobody will ask for any more.
    Housekeeping,
    /// Opens and ends campaigns on time, and lets reservations go.
    Campaigns,
}

impl Timer {
    const ALL: [Self; 2] = [Self::Housekeeping, Self::Campaigns];

    const fn name(self) -> &'static str {
        match self {
            Self::Housekeeping => "housekeeping",
            Self::Campaigns => "campaigns",
        }
    }

    /// Between the end of one run and the next.
    const fn rest(self) -> Duration {
        match self {
            Self::Housekeeping => Duration::from_secs(3600),
            // The dates are judged with every redemption; what waits for this is only what is shown.
            Self::Campaigns => Duration::from_secs(1),
        }
    }

    async fn run(self, app: &App) -> Result<(), sqlx::Error> {
        match self {
            Self::Housekeeping => housekeeping(&app.pool).await,
            Self::Campaigns => campaigns(app).await,
        }
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
    let holder = app.clock.new_id();
    while !stop.is_cancelled() {
        for timer in Timer::ALL {
            if let Err(error) = turn(&app, timer, holder).await {
                tracing::warn!(timer = timer.name(), error = &error as &dyn std::error::Error, "a timer failed");
            }
        }
        app.metrics.beat("timers", app.clock.now());
        tokio::select! { () = tokio::time::sleep(LOOK) => {} () = stop.cancelled() => {} }
    }
}

async fn turn(app: &App, timer: Timer, holder: Uuid) -> Result<(), sqlx::Error> {
    if !lease::take(&app.pool, timer.name(), holder).await? {
        return Ok(());
    }
    let done = tokio::select! {
        done = timer.run(app) => done,
        error = keep(app, timer, holder) => Err(error),
    };
    let error = done.as_ref().err().map(ToString::to_string);
    lease::give_back(&app.pool, timer.name(), holder, timer.rest(), error.as_deref()).await?;
    done
}

/// Extends the lease for as long as the timer runs; returns when it is lost.
async fn keep(app: &App, timer: Timer, holder: Uuid) -> sqlx::Error {
    loop {
        tokio::time::sleep(lease::LENGTH / 3).await;
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

/// Rows deleted at a time, so that no transaction is long.
const CHUNK: i64 = 5_000;

/// Idempotency keys of the API are kept for 30 days; those of Telegram and
/// other sources, and the inbox, for ever.
async fn housekeeping(pool: &PgPool) -> Result<(), sqlx::Error> {
    for (table, old) in [
        ("receipts", "source like 'http:%' and recorded_at < now() - interval '30 days'"),
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
