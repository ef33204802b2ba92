//! Reading the log: everything after a position, or a selection of it.

use aggregates::Fact;
use chrono::{DateTime, Utc};
use sqlx::{FromRow, PgConnection, PgPool, Postgres, QueryBuilder};
use uuid::Uuid;

use super::{Log, LogError};

/// An event as it is stored.
#[derive(Debug, Clone, FromRow)]
pub struct Recorded {
    /// Its place in the one order; gapless from 1.
    pub position: i64,
    /// Its id.
    pub id: Uuid,
    /// When the log took it.
    pub recorded_at: DateTime<Utc>,
    /// Of which aggregate.
    pub aggregate_type: String,
    /// Of which instance.
    pub aggregate_id: String,
    /// Its place in its stream; gapless from 1.
    pub sequence: i64,
    /// What happened.
    pub event_type: String,
    /// In which version of its shape.
    pub event_version: String,
    /// The event, as JSON text.
    pub payload: String,
    /// Who wanted it.
    pub actor: String,
    /// Shared by all that follows from one first cause.
    pub correlation_id: Uuid,
    /// The direct cause.
    pub causation: String,
}

const COLUMNS: &str = "position, id, recorded_at, aggregate_type, aggregate_id, sequence, event_type, \
                       event_version, payload::text as payload, actor, correlation_id, causation";

impl Recorded {
    /// The event itself, typed.
    ///
    /// # Errors
    /// [`LogError::Unreadable`] when this program does not know it.
    pub fn fact(&self) -> Result<Fact, LogError> {
        Fact::read(&self.aggregate_type, &self.event_type, &self.event_version, &self.payload)
            .map_err(|source| LogError::Unreadable { position: self.position, source })
    }
}

/// Which events to list; everything that is `None` matches all.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// Of this aggregate type.
    pub aggregate_type: Option<String>,
    /// Of this instance.
    pub aggregate_id: Option<String>,
    /// Of this event type.
    pub event_type: Option<String>,
    /// By this actor.
    pub actor: Option<String>,
    /// Recorded at or after.
    pub since: Option<DateTime<Utc>>,
    /// Recorded before.
    pub until: Option<DateTime<Utc>>,
    /// Newest first instead of in order.
    pub newest_first: bool,
}

/// A part of a selection.
#[derive(Debug)]
pub struct Page {
    /// The events.
    pub events: Vec<Recorded>,
    /// Where to go on; none at the end. A page may be short, or empty, and
    /// still have one: looking for rare events stops after a while.
    pub next: Option<i64>,
}

/// Positions looked at for one page, so that a rare type in a long log costs
/// many short requests and not one that never ends.
const WINDOW: i64 = 100_000;

fn unavailable(operation: &'static str) -> impl Fn(sqlx::Error) -> LogError {
    move |source| LogError::Unavailable { operation, source }
}

impl Log {
    /// The last position; 0 in an empty log.
    ///
    /// # Errors
    /// [`LogError::Unavailable`].
    pub async fn last_position(&self) -> Result<i64, LogError> {
        last_position(&self.pool).await
    }

    /// Up to `limit` events after a position, in order.
    ///
    /// # Errors
    /// [`LogError::Unavailable`].
    pub async fn read(&self, after: i64, limit: i64) -> Result<Vec<Recorded>, LogError> {
        let mut connection = self.pool.acquire().await.map_err(unavailable("read"))?;
        read(&mut connection, after, limit).await
    }

    /// The same, typed and without the circumstances: for replays.
    ///
    /// # Errors
    /// [`LogError::Unavailable`], or [`LogError::Unreadable`] at the first event
    /// this program does not know.
    pub async fn facts(&self, after: i64, limit: i64) -> Result<Vec<(i64, Fact)>, LogError> {
        let rows: Vec<(i64, String, String, String, String)> = sqlx::query_as(
            "select position, aggregate_type, event_type, event_version, payload::text from events \
             where position > $1 and position <= $1 + $2 order by position",
        )
        .bind(after)
        .bind(limit)
        .fetch_all(&self.pool)
        .await
        .map_err(unavailable("replay"))?;
        rows.iter()
            .map(|(position, aggregate, name, version, payload)| {
                Fact::read(aggregate, name, version, payload)
                    .map(|fact| (*position, fact))
                    .map_err(|source| LogError::Unreadable { position: *position, source })
            })
            .collect()
    }

    /// One event.
    ///
    /// # Errors
    /// [`LogError::Unavailable`].
    pub async fn at(&self, position: i64) -> Result<Option<Recorded>, LogError> {
        Ok(self.read(position - 1, 1).await?.pop())
    }

    /// Which of these streams there are.
    ///
    /// # Errors
    /// [`LogError::Unavailable`].
    pub async fn streams(&self, aggregate_type: &str, ids: &[String]) -> Result<Vec<String>, LogError> {
        sqlx::query_scalar!(
            "select aggregate_id from events where aggregate_type = $1 and aggregate_id = any ($2) and sequence = 1",
            aggregate_type,
            ids,
        )
        .fetch_all(&self.pool)
        .await
        .map_err(unavailable("look streams up"))
    }

    /// The events of one kind that a feed has yet to consume, in order.
    ///
    /// # Errors
    /// [`LogError::Unavailable`].
    pub async fn unconsumed(
        &self,
        feed: &str,
        aggregate_type: &str,
        event_type: &str,
    ) -> Result<Vec<Recorded>, LogError> {
        let mut query: QueryBuilder<'_, Postgres> = QueryBuilder::new("select ");
        query
            .push(COLUMNS)
            .push(" from events where position > coalesce((select position from checkpoints where feed = ");
        query.push_bind(feed).push("), 0) and aggregate_type = ").push_bind(aggregate_type);
        query.push(" and event_type = ").push_bind(event_type).push(" order by position");
        query.build_query_as().fetch_all(&self.pool).await.map_err(unavailable("look events up"))
    }

    /// A page of a selection, going on from `cursor`.
    ///
    /// # Errors
    /// [`LogError::Unavailable`].
    pub async fn select(&self, selection: &Selection, cursor: Option<i64>, limit: i64) -> Result<Page, LogError> {
        let failed = unavailable("select events");
        let last = last_position(&self.pool).await?;
        // Both ends inclusive.
        let mut from = 1;
        let mut to = last;
        if let Some(since) = selection.since {
            from = position_at(&self.pool, since).await.map_err(&failed)?;
        }
        if let Some(until) = selection.until {
            to = to.min(position_at(&self.pool, until).await.map_err(&failed)? - 1);
        }
        match cursor {
            Some(cursor) if selection.newest_first => to = to.min(cursor - 1),
            Some(cursor) => from = from.max(cursor + 1),
            None => {}
        }
        // A stream has its own index; anything else is looked for in a window.
        let whole_stream = selection.aggregate_type.is_some() && selection.aggregate_id.is_some();
        let (low, high) = match (whole_stream, selection.newest_first) {
            (true, _) => (from, to),
            (false, false) => (from, to.min(from + WINDOW - 1)),
            (false, true) => (from.max(to - WINDOW + 1), to),
        };
        let mut query: QueryBuilder<'_, Postgres> = QueryBuilder::new("select ");
        query.push(COLUMNS).push(" from events where position between ").push_bind(low).push(" and ").push_bind(high);
        for (column, value) in [
            ("aggregate_type", &selection.aggregate_type),
            ("aggregate_id", &selection.aggregate_id),
            ("event_type", &selection.event_type),
            ("actor", &selection.actor),
        ] {
            if let Some(value) = value {
                query.push(format_args!(" and {column} = ")).push_bind(value);
            }
        }
        // Within a stream the sequence runs as the position does, and is indexed.
        let order = if whole_stream { "sequence" } else { "position" };
        query.push(format_args!(" order by {order} {} limit ", if selection.newest_first { "desc" } else { "asc" }));
        query.push_bind(limit);
        let events: Vec<Recorded> = query.build_query_as().fetch_all(&self.pool).await.map_err(failed)?;
        let next = if events.len() as i64 == limit {
            events.last().map(|event| event.position)
        } else if selection.newest_first {
            (low > from).then_some(low)
        } else {
            (high < to).then_some(high)
        };
        Ok(Page { events, next })
    }
}

/// Up to `limit` events after a position, in order, on a given connection.
///
/// # Errors
/// [`LogError::Unavailable`].
pub(crate) async fn read(connection: &mut PgConnection, after: i64, limit: i64) -> Result<Vec<Recorded>, LogError> {
    // Positions are gapless, so the limit is a range and the plan is always the index.
    let mut query: QueryBuilder<'_, Postgres> = QueryBuilder::new("select ");
    query.push(COLUMNS).push(" from events where position > ").push_bind(after);
    query.push(" and position <= ").push_bind(after.saturating_add(limit)).push(" order by position");
    query.build_query_as().fetch_all(connection).await.map_err(unavailable("read"))
}

async fn last_position(pool: &PgPool) -> Result<i64, LogError> {
    sqlx::query_scalar!(r#"select coalesce(max(position), 0) as "last!" from events"#)
        .fetch_one(pool)
        .await
        .map_err(unavailable("read the last position"))
}

async fn position_at(pool: &PgPool, moment: DateTime<Utc>) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar!(r#"select position_at($1) as "position!""#, moment).fetch_one(pool).await
}
