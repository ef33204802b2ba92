//! Jobs: one effect on the world each, durable, tried until it is done or dead.

pub mod admin;
mod groups;
mod job;
mod lanes;
mod perform;
mod tries;
pub mod worker;

use std::time::Duration;

use projections::Event;
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

pub use job::Job;

/// A job about to be enqueued.
#[derive(Clone)]
pub struct NewJob {
    /// What is to be done.
    pub job: Job,
    /// Shared by all that follows from one first cause.
    pub correlation: Uuid,
    /// The direct cause.
    pub causation: String,
}

impl NewJob {
    /// The effect of an event.
    #[must_use]
    pub fn because_of(event: &Event, job: Job) -> Self {
        Self { job, correlation: event.correlation, causation: format!("event:{}", event.position) }
    }
}

/// Enqueues jobs in the caller's transaction. The caller wakes the workers
/// ([`Topic::Jobs`](crate::wake::Topic::Jobs)) after its commit.
///
/// # Errors
/// What the database says.
pub async fn enqueue(connection: &mut PgConnection, jobs: &[NewJob]) -> Result<(), sqlx::Error> {
    if jobs.is_empty() {
        return Ok(());
    }
    let mut kinds = Vec::with_capacity(jobs.len());
    let mut payloads = Vec::with_capacity(jobs.len());
    for job in jobs {
        let value = serde_json::to_value(&job.job).map_err(|error| sqlx::Error::Encode(Box::new(error)))?;
        kinds.push(value["kind"].as_str().unwrap_or_default().to_owned());
        payloads.push(value["payload"].to_string());
    }
    let lanes: Vec<Option<String>> = jobs.iter().map(|job| job.job.lane()).collect();
    let turns: Vec<i64> = jobs.iter().map(|job| job.job.turn()).collect();
    let attempts: Vec<i32> = jobs.iter().map(|job| job.job.max_attempts()).collect();
    let correlations: Vec<Uuid> = jobs.iter().map(|job| job.correlation).collect();
    let causations: Vec<String> = jobs.iter().map(|job| job.causation.clone()).collect();
    sqlx::query!(
        "select enqueue_jobs($1, $2, $3, $4, $5, $6, $7)",
        &kinds,
        &payloads,
        &lanes as &[Option<String>],
        &turns,
        &attempts,
        &correlations,
        &causations,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Whether a job of the same kind and in the same lane as this one is still to be done.
///
/// # Errors
/// What the database says.
pub async fn is_waiting(pool: &PgPool, job: &Job) -> Result<bool, sqlx::Error> {
    let value = serde_json::to_value(job).map_err(|error| sqlx::Error::Encode(Box::new(error)))?;
    sqlx::query_scalar!(
        r#"select exists (select from jobs where kind = $1 and lane = $2 and dead_at is null) as "waiting!""#,
        value["kind"].as_str().unwrap_or_default(),
        job.lane(),
    )
    .fetch_one(pool)
    .await
}

/// Has jobs of these kinds tried now that were put off or are to be tried again later.
/// The caller wakes the workers after it.
///
/// # Errors
/// What the database says.
pub async fn hurry(pool: &PgPool, kinds: &[&str]) -> Result<(), sqlx::Error> {
    let kinds: Vec<String> = kinds.iter().map(|kind| (*kind).to_owned()).collect();
    sqlx::query!(
        "update jobs set run_at = now() where kind = any ($1) and dead_at is null and locked_until is null and run_at > now()",
        &kinds,
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// Why a job is not done.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// It may work later.
    #[error("to be tried again: {reason}")]
    Retry {
        /// What happened; shown to admins, so free of secrets and personal data.
        reason: String,
        /// Not before this long.
        after: Option<Duration>,
    },
    /// Not its turn yet: a rate limit, or an integration that is not configured
    /// here. Does not count as a try.
    #[error("put off: {reason}")]
    Later {
        /// Why.
        reason: String,
        /// For how long.
        after: Duration,
    },
    /// It will never work as it is: a person has to look.
    #[error("failed: {reason}")]
    Fail {
        /// What happened; shown to admins, so free of secrets and personal data.
        reason: String,
    },
}

impl JobError {
    /// The error with all its causes, in one line.
    #[must_use]
    pub fn retry(error: &dyn std::error::Error) -> Self {
        Self::Retry { reason: chain(error), after: None }
    }

    /// The error with all its causes, in one line.
    #[must_use]
    pub fn fail(error: &dyn std::error::Error) -> Self {
        Self::Fail { reason: chain(error) }
    }
}

/// An error and its sources, in one line.
#[must_use]
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
