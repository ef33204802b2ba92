//! The recipients of broadcasts: rows of work, each in one of six states.
//!
//! pending → sending → sent, failed, gone or unconfirmed; back to pending when
//! the message surely did not arrive, or when an admin orders it sent again.

use std::time::Duration;

use aggregates::broadcast::Totals;
use chrono::{DateTime, Utc};
use sqlx::{FromRow, PgConnection, PgPool, Postgres, QueryBuilder};
use uuid::Uuid;

use crate::jobs::{self, NewJob};

/// What became of a recipient.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Not sent.
    Pending,
    /// On its way; or a process died with it, which shows when its lease has run out.
    Sending,
    /// Telegram confirmed it.
    Sent,
    /// Telegram would not take it.
    Failed,
    /// Cannot be reached.
    Gone,
    /// It may have arrived: Telegram's answer is not known.
    Unconfirmed,
}

impl State {
    /// The word stored and shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Sending => "sending",
            Self::Sent => "sent",
            Self::Failed => "failed",
            Self::Gone => "gone",
            Self::Unconfirmed => "unconfirmed",
        }
    }
}

/// How many recipients are in each state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields are the states")]
pub struct Counts {
    pub pending: i64,
    pub sending: i64,
    pub sent: i64,
    pub failed: i64,
    pub gone: i64,
    pub unconfirmed: i64,
}

impl Counts {
    /// What is told when nobody is left.
    #[must_use]
    pub fn totals(&self) -> Totals {
        let count = |count: i64| u32::try_from(count).unwrap_or(u32::MAX);
        Totals {
            sent: count(self.sent),
            failed: count(self.failed),
            gone: count(self.gone),
            unconfirmed: count(self.unconfirmed),
        }
    }
}

/// The counts of some broadcasts; those without recipients are not among them.
///
/// # Errors
/// What the database says.
pub async fn counts(pool: &PgPool, broadcasts: &[Uuid]) -> Result<Vec<(Uuid, Counts)>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"select broadcast,
                  count(*) filter (where state = 'pending') as "pending!",
                  count(*) filter (where state = 'sending') as "sending!",
                  count(*) filter (where state = 'sent') as "sent!",
                  count(*) filter (where state = 'failed') as "failed!",
                  count(*) filter (where state = 'gone') as "gone!",
                  count(*) filter (where state = 'unconfirmed') as "unconfirmed!"
             from broadcast_recipients where broadcast = any ($1) group by broadcast"#,
        broadcasts
    )
    .fetch_all(pool)
    .await?;
    let counts = rows.into_iter().map(|row| {
        let counts = Counts {
            pending: row.pending,
            sending: row.sending,
            sent: row.sent,
            failed: row.failed,
            gone: row.gone,
            unconfirmed: row.unconfirmed,
        };
        (row.broadcast, counts)
    });
    Ok(counts.collect())
}

/// A recipient as admins see them.
#[derive(Debug, Clone, FromRow)]
pub struct Row {
    /// Grows in the order in which they get it.
    pub id: i64,
    /// Their pseudonym.
    pub person: Uuid,
    /// Their Telegram user id.
    pub chat_id: i64,
    /// See [`State::as_str`].
    pub state: String,
    /// Calls to Telegram so far.
    pub tries: i32,
    /// The message's number in the chat, when it is known.
    pub message_id: Option<i32>,
    /// What the last call that failed said.
    pub last_error: Option<String>,
    /// When the state changed last.
    pub changed_at: DateTime<Utc>,
}

/// Recipients after an id, in order.
///
/// # Errors
/// What the database says.
pub async fn list(
    pool: &PgPool,
    broadcast: Uuid,
    state: Option<State>,
    after: i64,
    limit: i64,
) -> Result<Vec<Row>, sqlx::Error> {
    let mut query: QueryBuilder<'_, Postgres> = QueryBuilder::new(
        "select id, person, chat_id, state, tries, message_id, last_error, changed_at from broadcast_recipients \
          where broadcast = ",
    );
    query.push_bind(broadcast).push(" and id > ").push_bind(after);
    if let Some(state) = state {
        query.push(" and state = ").push_bind(state.as_str());
    }
    query.push(" order by id limit ").push_bind(limit).build_query_as().fetch_all(pool).await
}

/// A recipient in a sender's hands.
#[derive(Debug, Clone)]
pub(super) struct Claimed {
    pub(super) id: i64,
    pub(super) broadcast: Uuid,
    pub(super) person: Uuid,
    pub(super) chat_id: i64,
    pub(super) tries: i32,
}

/// Broadcasts that may have something to be sent.
pub(super) async fn active(pool: &PgPool) -> Result<Vec<Uuid>, sqlx::Error> {
    sqlx::query_scalar!("select broadcast from broadcast_runs where finished_at is null order by fixed_at")
        .fetch_all(pool)
        .await
}

/// Claims the next recipients that are due, for as long as the lease lasts.
pub(super) async fn claim(
    pool: &PgPool,
    broadcast: Uuid,
    sender: Uuid,
    lease: Duration,
    limit: i64,
) -> Result<Vec<Claimed>, sqlx::Error> {
    sqlx::query_as!(
        Claimed,
        // Materialized: a plan that asked for the due ones again and again would take more than wanted.
        "with due as materialized ( \
             select id from broadcast_recipients \
              where broadcast = $1 and state = 'pending' and not_before <= now() \
                and (claimed_until is null or claimed_until < now()) \
              order by id limit $4 for update skip locked) \
         update broadcast_recipients r set claimed_by = $2, claimed_until = now() + $3 * interval '1 second' \
           from due where r.id = due.id \
         returning r.id, r.broadcast, r.person, r.chat_id, r.tries",
        broadcast,
        sender,
        lease.as_secs_f64(),
        limit,
    )
    .fetch_all(pool)
    .await
}

/// Gives claimed recipients that were not tried back, not to be tried before `after`.
pub(super) async fn give_back(pool: &PgPool, sender: Uuid, ids: &[i64], after: Duration) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update broadcast_recipients set claimed_by = null, claimed_until = null, \
                not_before = now() + $3 * interval '1 second' \
          where id = any ($1) and claimed_by = $2 and state = 'pending'",
        ids,
        sender,
        after.as_secs_f64(),
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// Notes durably that the message is about to be on its way. Whoever lost its
/// lease meanwhile has no say any more and must not send.
pub(super) async fn mark_sending(pool: &PgPool, sender: Uuid, id: i64, lease: Duration) -> Result<bool, sqlx::Error> {
    let marked = sqlx::query!(
        "update broadcast_recipients set state = 'sending', tries = tries + 1, changed_at = now(), \
                claimed_until = now() + $3 * interval '1 second' \
          where id = $1 and claimed_by = $2 and state = 'pending'",
        id,
        sender,
        lease.as_secs_f64(),
    )
    .execute(pool)
    .await?;
    Ok(marked.rows_affected() == 1)
}

/// What came of a call.
#[derive(Debug, Clone)]
pub(super) struct Outcome {
    pub(super) state: State,
    pub(super) message_id: Option<i32>,
    /// Free of secrets and personal data.
    pub(super) error: Option<String>,
    /// Of one that is pending again: not before so long.
    pub(super) after: Duration,
    /// Whether the call counts as a try.
    pub(super) counts: bool,
}

/// Writes down what came of a call, with the job that follows from it. A
/// recipient whose lease ran out meanwhile counts as unconfirmed, which is now
/// better known; one that was ordered to be sent to again is another's.
pub(super) async fn record(
    pool: &PgPool,
    sender: Uuid,
    id: i64,
    outcome: &Outcome,
    follows: &[NewJob],
) -> Result<(), sqlx::Error> {
    let mut transaction = pool.begin().await?;
    let recorded = sqlx::query!(
        "update broadcast_recipients \
            set state = $3, message_id = $4, last_error = $5, not_before = now() + $6 * interval '1 second', \
                tries = tries - $7, claimed_by = null, claimed_until = null, changed_at = now() \
          where id = $1 and claimed_by = $2 and state in ('sending', 'unconfirmed')",
        id,
        sender,
        outcome.state.as_str(),
        outcome.message_id,
        outcome.error,
        outcome.after.as_secs_f64(),
        i32::from(!outcome.counts),
    )
    .execute(&mut *transaction)
    .await?;
    if recorded.rows_affected() == 1 {
        jobs::enqueue(&mut transaction, follows).await?;
    }
    transaction.commit().await
}

/// Extends the leases of those in a sender's hands.
pub(super) async fn extend(
    connection: &mut PgConnection,
    sender: Uuid,
    held: &[i64],
    lease: Duration,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update broadcast_recipients set claimed_until = now() + $3 * interval '1 second' \
          where id = any ($1) and claimed_by = $2 and state in ('pending', 'sending')",
        held,
        sender,
        lease.as_secs_f64(),
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Those whose sender died with the message on its way are in doubt from now on.
pub(super) async fn doubt(connection: &mut PgConnection) -> Result<u64, sqlx::Error> {
    let doubted = sqlx::query!(
        "update broadcast_recipients \
            set state = 'unconfirmed', last_error = 'the process died with the message on its way', \
                changed_at = now() \
          where state = 'sending' and claimed_until < now()"
    )
    .execute(connection)
    .await?;
    Ok(doubted.rows_affected())
}

/// Whether somebody is still to be dealt with.
pub(super) async fn unfinished(pool: &PgPool, broadcast: Uuid) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select exists (select from broadcast_recipients
                           where broadcast = $1 and state in ('pending', 'sending')) as "left!""#,
        broadcast
    )
    .fetch_one(pool)
    .await
}

/// How many orders to send again were carried out.
pub(super) async fn resends(pool: &PgPool, broadcast: Uuid) -> Result<i32, sqlx::Error> {
    sqlx::query_scalar!("select resends from broadcast_runs where broadcast = $1", broadcast).fetch_one(pool).await
}

/// Nobody needs to look at the broadcast any more, unless it was ordered to be
/// sent again since.
pub(super) async fn finish(pool: &PgPool, broadcast: Uuid, resends: u32) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update broadcast_runs set finished_at = now() where broadcast = $1 and resends <= $2",
        broadcast,
        i32::try_from(resends).unwrap_or(i32::MAX),
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// Carries out the order with this number: the unconfirmed are pending again.
///
/// # Errors
/// What the database says; nothing was changed.
pub async fn resend(pool: &PgPool, broadcast: Uuid, number: u32) -> Result<(), sqlx::Error> {
    let mut transaction = pool.begin().await?;
    let new = sqlx::query!(
        "update broadcast_runs set resends = $2, finished_at = null where broadcast = $1 and resends < $2",
        broadcast,
        i32::try_from(number).unwrap_or(i32::MAX),
    )
    .execute(&mut *transaction)
    .await?;
    if new.rows_affected() == 1 {
        sqlx::query!(
            "update broadcast_recipients set state = 'pending', tries = 0, not_before = now(), claimed_by = null, \
                    claimed_until = null, changed_at = now() \
              where broadcast = $1 and state = 'unconfirmed'",
            broadcast
        )
        .execute(&mut *transaction)
        .await?;
    }
    transaction.commit().await
}
