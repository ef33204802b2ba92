//! Leases: one process at a time, until it is done or dead.
//!
//! Rows and not advisory locks, because a lock held by a session breaks behind
//! a pooler. What is done under a lease must stay right even if two hold it: a
//! process that was stopped and goes on does not know that its lease ran out.

use std::time::Duration;

use sqlx::PgPool;
use uuid::Uuid;

/// How long a lease outlives its holder.
pub const LENGTH: Duration = Duration::from_secs(30);

/// Takes the lease on a name, if it is due and nobody has it.
///
/// # Errors
/// What the database says.
pub async fn take(pool: &PgPool, name: &str, holder: Uuid) -> Result<bool, sqlx::Error> {
    let taken = sqlx::query!(
        "update timers set locked_by = $2, locked_until = now() + $3 * interval '1 second' \
          where name = $1 and next_at <= now() and (locked_until is null or locked_until < now() or locked_by = $2)",
        name,
        holder,
        LENGTH.as_secs_f64(),
    )
    .execute(pool)
    .await?;
    Ok(taken.rows_affected() == 1)
}

/// Makes sure that a name exists to be leased.
///
/// # Errors
/// What the database says.
pub async fn register(pool: &PgPool, name: &str) -> Result<(), sqlx::Error> {
    sqlx::query!("insert into timers (name) values ($1) on conflict do nothing", name).execute(pool).await?;
    Ok(())
}

/// Gives the lease back; it is due again after `rest`.
///
/// # Errors
/// What the database says.
pub async fn give_back(
    pool: &PgPool,
    name: &str,
    holder: Uuid,
    rest: Duration,
    error: Option<&str>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update timers set locked_by = null, locked_until = null, last_run_at = now(), runs = runs + 1, last_error = $4, \
                           next_at = now() + $3 * interval '1 second' \
          where name = $1 and locked_by = $2",
        name,
        holder,
        rest.as_secs_f64(),
        error,
    )
    .execute(pool)
    .await?;
    Ok(())
}
