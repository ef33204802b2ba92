//! The reconciler: compares Stripe, what is known here, and the channels.
//!
//! It takes no input but whether it may repair: it reads what should be so and what is
//! so, and makes them equal by the same commands that webhooks send. Telegram does not
//! list the members of a channel, so it asks for each person who is known, and counts
//! the others. Whoever cannot be asked about is reported, and the next one is; how far it
//! is stands with the run, so that one that is broken off goes on where it was.

mod check;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sqlx::{FromRow, PgConnection};
use uuid::Uuid;

use crate::{
    app::App,
    jobs::{self, Job, NewJob},
    wake::Topic,
};

pub(crate) use check::check;

/// What does not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Somebody is in who should not be.
    InAndShouldNotBe,
    /// Somebody is not in who was, and may be.
    OutAndMayBeIn,
    /// Telegram says otherwise than is known here about whether somebody is in.
    PresenceDiffers,
    /// More are in the channel than are known here.
    Strangers,
    /// The bot may not look: it is not in the channel, or lacks a right there.
    CannotLook,
    /// Telegram or Stripe was asked and gave no answer that is one.
    NotAnswered,
    /// Stripe says otherwise than is known here about a subscription.
    StripeDiffers,
    /// Stripe does not know the subscription.
    MissingAtStripe,
}

impl Kind {
    /// The word stored and shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InAndShouldNotBe => "in_and_should_not_be",
            Self::OutAndMayBeIn => "out_and_may_be_in",
            Self::PresenceDiffers => "presence_differs",
            Self::Strangers => "strangers",
            Self::CannotLook => "cannot_look",
            Self::NotAnswered => "not_answered",
            Self::StripeDiffers => "stripe_differs",
            Self::MissingAtStripe => "missing_at_stripe",
        }
    }
}

/// Something that does not fit.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Found {
    /// See [`Kind::as_str`].
    pub kind: String,
    /// In which channel.
    pub channel: Option<i64>,
    /// Whom it concerns.
    pub telegram_id: Option<i64>,
    /// Which subscription.
    pub subscription: Option<Uuid>,
    /// In words.
    pub detail: String,
    /// Whether something was done about it.
    pub repaired: bool,
}

/// A comparison.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Run {
    /// Its id.
    pub id: Uuid,
    /// Whether it was to repair what it found.
    pub repair: bool,
    /// Whether those of whom nothing is known were to be removed, too.
    pub strangers: bool,
    /// When it was asked for.
    pub started_at: DateTime<Utc>,
    /// When it was done, or given up; none: it is under way.
    pub finished_at: Option<DateTime<Utc>>,
    /// Why it was given up.
    pub failure: Option<String>,
    /// People Telegram was asked about.
    pub members_checked: i64,
    /// Subscriptions Stripe was asked about.
    pub subscriptions_checked: i64,
}

/// Asks for a comparison; answers its id. One that is under way and does as much is it.
/// With `strangers`, a repair also removes those of whom nothing is known but that they
/// are in: whoever runs the channel may have let them in.
///
/// # Errors
/// What the database says.
pub async fn ask(app: &App, repair: bool, strangers: bool, correlation: Uuid) -> Result<Uuid, sqlx::Error> {
    let mut transaction = app.pool.begin().await?;
    sqlx::query!("select pg_advisory_xact_lock('drift_runs'::regclass::oid::int, 0)")
        .execute(&mut *transaction)
        .await?;
    give_up(&mut transaction, app.clock.now()).await?;
    let running = sqlx::query_scalar!(
        "select id from drift_runs where finished_at is null and repair >= $1 and strangers >= $2 \
          order by started_at limit 1",
        repair,
        strangers,
    )
    .fetch_optional(&mut *transaction)
    .await?;
    if let Some(running) = running {
        transaction.commit().await?;
        return Ok(running);
    }
    let (id, now) = (app.clock.new_id(), app.clock.now());
    sqlx::query!(
        "insert into drift_runs (id, repair, strangers, started_at) values ($1, $2, $3, $4)",
        id,
        repair,
        strangers,
        now,
    )
    .execute(&mut *transaction)
    .await?;
    // The last fifty are kept.
    sqlx::query!("delete from drift_runs where id in (select id from drift_runs order by started_at desc offset 50)")
        .execute(&mut *transaction)
        .await?;
    let job = Job::CheckDrift { run: id, repair, strangers };
    let job = NewJob { job, correlation, causation: format!("drift:{id}") };
    jobs::enqueue(&mut transaction, &[job]).await?;
    transaction.commit().await?;
    app.wake.up(Topic::Jobs);
    Ok(id)
}

/// Ends the comparisons that nobody works any more: their job is dead, or gone.
async fn give_up(connection: &mut PgConnection, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update drift_runs r set finished_at = $1, failure = coalesce( \
             (select last_error from jobs where kind = 'check_drift' and payload->>'run' = r.id::text \
               order by id desc limit 1), 'its job is gone') \
          where finished_at is null and not exists \
             (select from jobs where kind = 'check_drift' and dead_at is null and payload->>'run' = r.id::text)",
        now,
    )
    .execute(connection)
    .await
    .map(drop)
}

/// The last comparison that was asked for, or the one of this id.
///
/// # Errors
/// What the database says.
pub async fn run_of(app: &App, id: Option<Uuid>) -> Result<Option<Run>, sqlx::Error> {
    let mut connection = app.pool.acquire().await?;
    give_up(&mut connection, app.clock.now()).await?;
    sqlx::query_as!(
        Run,
        "select id, repair, strangers, started_at, finished_at, failure, members_checked, subscriptions_checked from drift_runs \
          where $1::uuid is null or id = $1 order by started_at desc limit 1",
        id,
    )
    .fetch_optional(&mut *connection)
    .await
}

/// What a comparison found, after the `after`th.
///
/// # Errors
/// What the database says.
pub async fn found(app: &App, run: Uuid, after: i64, limit: i64) -> Result<Vec<(i64, Found)>, sqlx::Error> {
    let rows = sqlx::query!(
        "select number, kind, channel, telegram_id, subscription, detail, repaired from drift_found \
          where run = $1 and number > $2 order by number limit $3",
        run,
        after,
        limit,
    )
    .fetch_all(&app.pool)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| {
            let found = Found {
                kind: row.kind,
                channel: row.channel,
                telegram_id: row.telegram_id,
                subscription: row.subscription,
                detail: row.detail,
                repaired: row.repaired,
            };
            (row.number, found)
        })
        .collect())
}
