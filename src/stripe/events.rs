//! The events as they came, for whoever wants to look.

use chrono::{DateTime, Utc};
use sqlx::{FromRow, PgConnection, PgPool, Postgres, QueryBuilder};

/// An event as it is listed.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Row {
    /// Stripe's id; of a body that is no event, `sha256:` and its hash.
    pub id: String,
    /// The order in which they came.
    pub position: i64,
    /// As in `invoice.paid`; empty for a body that is no event.
    #[sqlx(rename = "type")]
    pub kind: String,
    /// When it happened, says Stripe.
    pub created: Option<DateTime<Utc>>,
    /// The version that shaped the object in it.
    pub api_version: Option<String>,
    /// No test.
    pub livemode: bool,
    /// When it came here.
    pub received_at: DateTime<Utc>,
    /// What came of it; none until it is worked, or given up.
    pub outcome: Option<String>,
    /// When.
    pub worked_at: Option<DateTime<Utc>>,
}

/// Which events to list; `None` matches all.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Of this type.
    pub kind: Option<String>,
    /// With an outcome that begins so.
    pub outcome: Option<String>,
    /// Worked, or not yet.
    pub worked: Option<bool>,
    /// Received at or after.
    pub since: Option<DateTime<Utc>>,
    /// Received before.
    pub until: Option<DateTime<Utc>>,
}

const COLUMNS: &str = "id, position, type, created, api_version, livemode, received_at, outcome, worked_at";

/// The latest events before a position, and where the next page begins.
///
/// # Errors
/// What the database says.
pub async fn list(
    pool: &PgPool,
    filter: &Filter,
    before: Option<i64>,
    limit: i64,
) -> Result<(Vec<Row>, Option<i64>), sqlx::Error> {
    let mut query: QueryBuilder<'_, Postgres> =
        QueryBuilder::new(format!("select {COLUMNS} from stripe_events where true"));
    if let Some(kind) = &filter.kind {
        query.push(" and type = ").push_bind(kind);
    }
    if let Some(outcome) = &filter.outcome {
        // As its index has it.
        query.push(" and starts_with(outcome collate \"C\", ").push_bind(outcome).push(")");
    }
    match filter.worked {
        Some(true) => query.push(" and worked_at is not null"),
        Some(false) => query.push(" and worked_at is null"),
        None => &mut query,
    };
    if let Some(since) = filter.since {
        query.push(" and received_at >= ").push_bind(since);
    }
    if let Some(until) = filter.until {
        query.push(" and received_at < ").push_bind(until);
    }
    if let Some(before) = before {
        query.push(" and position < ").push_bind(before);
    }
    query.push(" order by position desc limit ").push_bind(limit + 1);
    let mut rows: Vec<Row> = query.build_query_as().fetch_all(pool).await?;
    let limit = usize::try_from(limit).unwrap_or_default();
    let more = rows.len() > limit;
    rows.truncate(limit);
    let next = rows.last().filter(|_| more).map(|row| row.position);
    Ok((rows, next))
}

/// One event and its body, byte for byte.
///
/// # Errors
/// What the database says.
pub async fn find(pool: &PgPool, id: &str) -> Result<Option<(Row, Vec<u8>)>, sqlx::Error> {
    let query = format!("select {COLUMNS} from stripe_events where id = $1");
    let Some(row) = sqlx::query_as(&query).bind(id).fetch_optional(pool).await? else { return Ok(None) };
    Ok(body(pool, id).await?.map(|body| (row, body)))
}

/// The body of an event.
///
/// # Errors
/// What the database says.
pub async fn body(pool: &PgPool, id: &str) -> Result<Option<Vec<u8>>, sqlx::Error> {
    sqlx::query_scalar("select body from stripe_events where id = $1").bind(id).fetch_optional(pool).await
}

/// Notes that nothing came of an event, and why: it was tried as often as it is. If it is
/// worked all the same later, what came of it takes the place of this.
///
/// # Errors
/// What the database says.
pub(crate) async fn give_up(
    connection: &mut PgConnection,
    id: &str,
    reason: &str,
    at: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query("update stripe_events set outcome = 'given up: ' || $2::text, worked_at = $3 where id = $1")
        .bind(id)
        .bind(reason)
        .bind(at)
        .execute(connection)
        .await?;
    Ok(())
}

/// Notes what came of an event.
///
/// # Errors
/// What the database says.
pub async fn settle(pool: &PgPool, id: &str, outcome: &str, at: DateTime<Utc>) -> Result<(), sqlx::Error> {
    sqlx::query("update stripe_events set outcome = $2, worked_at = $3 where id = $1")
        .bind(id)
        .bind(outcome)
        .bind(at)
        .execute(pool)
        .await?;
    Ok(())
}
