//! Looking at jobs, and deciding on dead ones.

use chrono::{DateTime, Utc};
use sqlx::{FromRow, PgConnection, PgPool, Postgres, QueryBuilder};

use super::worker::{lock_lane, open_lane};

/// A job as admins see it: without its payload, which may hold personal data.
#[derive(Debug, Clone, FromRow)]
pub struct Row {
    /// Its id.
    pub id: i64,
    /// What it does.
    pub kind: String,
    /// `ready`, `later`, `running` or `dead`.
    pub state: String,
    /// Tries so far.
    pub attempts: i32,
    /// Tries before it is dead.
    pub max_attempts: i32,
    /// When it was enqueued.
    pub created_at: DateTime<Utc>,
    /// When it is tried next.
    pub run_at: DateTime<Utc>,
    /// Since when it is dead.
    pub dead_at: Option<DateTime<Utc>>,
    /// What the last try said.
    pub last_error: Option<String>,
    /// What led to it.
    pub causation: String,
}

/// Which jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Can be worked now.
    Ready,
    /// Waits for its time.
    Later,
    /// Is being worked.
    Running,
    /// Waits for a person.
    Dead,
}

impl State {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Ready, Self::Later, Self::Running, Self::Dead];

    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Later => "later",
            Self::Running => "running",
            Self::Dead => "dead",
        }
    }
}

const STATE: &str = "case when dead_at is not null then 'dead' when locked_until >= now() then 'running' \
                     when run_at > now() or blocked then 'later' else 'ready' end";

/// Jobs after an id, in the order they were enqueued.
///
/// # Errors
/// What the database says.
pub async fn list(
    pool: &PgPool,
    state: Option<State>,
    kind: Option<&str>,
    after: i64,
    limit: i64,
) -> Result<Vec<Row>, sqlx::Error> {
    let mut query: QueryBuilder<'_, Postgres> = QueryBuilder::new("select id, kind, ");
    query
        .push(STATE)
        .push(" as state, attempts, max_attempts, created_at, run_at, dead_at, last_error, causation from jobs where id > ")
        .push_bind(after);
    if let Some(state) = state {
        query.push(" and ").push(STATE).push(" = ").push_bind(state.as_str());
    }
    if let Some(kind) = kind {
        query.push(" and kind = ").push_bind(kind);
    }
    query.push(" order by id limit ").push_bind(limit);
    query.build_query_as().fetch_all(pool).await
}

/// How many jobs are in each state.
///
/// # Errors
/// What the database says.
pub async fn count(pool: &PgPool) -> Result<Vec<(State, i64)>, sqlx::Error> {
    let counts: Vec<(String, i64)> =
        sqlx::query_as(&format!("select {STATE}, count(*) from jobs group by 1")).fetch_all(pool).await?;
    Ok(State::ALL
        .into_iter()
        .map(|state| {
            let count = counts.iter().find(|(word, _)| word == state.as_str()).map_or(0, |(_, count)| *count);
            (state, count)
        })
        .collect())
}

/// What became of a decision on a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// As wished.
    Done,
    /// There is no such job (any more).
    Missing,
    /// A process is working it right now.
    Running,
}

/// Gives a dead or waiting job all its tries again, from now on.
///
/// # Errors
/// What the database says.
pub async fn retry(pool: &PgPool, id: i64) -> Result<Decision, sqlx::Error> {
    let mut transaction = pool.begin().await?;
    let lane = lane_of(&mut transaction, id).await?;
    let changed = sqlx::query!(
        "update jobs j set dead_at = null, attempts = 0, run_at = now(), locked_by = null, locked_until = null, \
                blocked = exists (select from jobs o where o.lane = j.lane and o.dead_at is null and not o.blocked \
                                                       and o.id <> j.id) \
          where id = $1 and (locked_until is null or locked_until < now())",
        id
    )
    .execute(&mut *transaction)
    .await?
    .rows_affected();
    open_lane(&mut transaction, &lane).await?;
    transaction.commit().await?;
    decision(pool, id, changed).await
}

/// Deletes a job that is not being worked; its effect will not happen.
///
/// # Errors
/// What the database says.
pub async fn drop(pool: &PgPool, id: i64) -> Result<Decision, sqlx::Error> {
    let mut transaction = pool.begin().await?;
    let lane = lane_of(&mut transaction, id).await?;
    let changed = sqlx::query!("delete from jobs where id = $1 and (locked_until is null or locked_until < now())", id)
        .execute(&mut *transaction)
        .await?
        .rows_affected();
    open_lane(&mut transaction, &lane).await?;
    transaction.commit().await?;
    decision(pool, id, changed).await
}

/// A job's lane, locked.
async fn lane_of(connection: &mut PgConnection, id: i64) -> Result<Option<String>, sqlx::Error> {
    let lane = sqlx::query_scalar!("select lane from jobs where id = $1", id).fetch_optional(&mut *connection).await?;
    let lane = lane.flatten();
    lock_lane(connection, &lane).await?;
    Ok(lane)
}

async fn decision(pool: &PgPool, id: i64, changed: u64) -> Result<Decision, sqlx::Error> {
    if changed > 0 {
        return Ok(Decision::Done);
    }
    let exists = sqlx::query_scalar!(r#"select exists (select from jobs where id = $1) as "exists!""#, id)
        .fetch_one(pool)
        .await?;
    Ok(if exists { Decision::Running } else { Decision::Missing })
}
