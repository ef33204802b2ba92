//! Broadcasts, each with what it says, to whom, and where it stands.
//!
//! How many got it is told by the table of work, not by this read model.

use aggregates::{
    Fact,
    broadcast::{self, Letter, Status},
};
use chrono::{DateTime, Utc};
use futures_util::future::BoxFuture;
use sqlx::{FromRow, PgConnection, PgExecutor, Postgres, QueryBuilder, types::Json};
use uuid::Uuid;

use crate::{
    Event, Projection, ProjectionError,
    page::{Cursor, Key, Page, page},
    stream_uuid,
};

/// The projection.
pub struct Broadcasts;

/// A broadcast as it is shown.
#[derive(Debug, Clone, PartialEq, FromRow)]
pub struct Row {
    /// Its id.
    pub id: Uuid,
    /// See [`Status::as_str`].
    pub status: String,
    /// What is sent, and to whom.
    pub letter: Json<Letter>,
    /// When it starts, or was to start, by itself.
    pub send_at: Option<DateTime<Utc>>,
    /// How many its audience is, once that is fixed.
    pub recipients: Option<i32>,
    /// When it was written.
    pub created_at: DateTime<Utc>,
    /// Its last change.
    pub updated_at: DateTime<Utc>,
    /// When its audience was fixed.
    pub started_at: Option<DateTime<Utc>>,
    /// When everybody was dealt with, or it was cancelled.
    pub finished_at: Option<DateTime<Utc>>,
    /// Of the stream.
    pub version: i64,
}

/// One broadcast.
///
/// # Errors
/// What the database says.
pub async fn find(executor: impl PgExecutor<'_>, id: Uuid) -> Result<Option<Row>, sqlx::Error> {
    sqlx::query_as!(
        Row,
        r#"select id, status, letter as "letter: Json<Letter>", send_at, recipients, created_at, updated_at, started_at,
                  finished_at, version
             from broadcasts where id = $1"#,
        id
    )
    .fetch_optional(executor)
    .await
}

/// A page of broadcasts, the newest first.
///
/// # Errors
/// What the database says.
pub async fn list(
    executor: impl PgExecutor<'_>,
    status: Option<Status>,
    after: Option<&Cursor>,
    limit: i64,
) -> Result<Page<Row>, sqlx::Error> {
    let mut query: QueryBuilder<'_, Postgres> = QueryBuilder::new(
        "select id, status, letter, send_at, recipients, created_at, updated_at, started_at, finished_at, version \
           from broadcasts where true",
    );
    if let Some(status) = status {
        query.push(" and status = ").push_bind(status.as_str());
    }
    if let Some(Cursor { key: Key::Time(time), id }) = after {
        query.push(" and (created_at, id) < (").push_bind(*time).push(", ").push_bind(*id).push(")");
    }
    query.push(" order by created_at desc, id desc limit ").push_bind(limit + 1);
    let rows: Vec<Row> = query.build_query_as().fetch_all(executor).await?;
    Ok(page(rows, limit, |row| Cursor { key: Key::Time(row.created_at), id: row.id }))
}

impl Projection for Broadcasts {
    fn name(&self) -> &'static str {
        "broadcasts"
    }

    fn tables(&self) -> &'static [&'static str] {
        &["broadcasts"]
    }

    fn apply<'a>(
        &'a self,
        connection: &'a mut PgConnection,
        events: &'a [Event],
    ) -> BoxFuture<'a, Result<(), ProjectionError>> {
        Box::pin(async move {
            for event in events {
                let Fact::Broadcast(fact) = &event.fact else { continue };
                let id = stream_uuid(event)?;
                apply(connection, id, event, fact)
                    .await
                    .map_err(|source| ProjectionError::Database { projection: "broadcasts", source })?;
            }
            Ok(())
        })
    }
}

async fn apply(
    connection: &mut PgConnection,
    id: Uuid,
    event: &Event,
    fact: &broadcast::Event,
) -> Result<(), sqlx::Error> {
    let mut change = Change::default();
    match fact {
        broadcast::Event::Drafted { letter, at: _ } => return insert(connection, id, event, letter).await,
        broadcast::Event::Scheduled { send_at, at: _ } => {
            change.status = Some(Status::Scheduled);
            change.send_at = Some(*send_at);
        }
        broadcast::Event::Released { at: _ } | broadcast::Event::Resumed { at: _ } => {
            change.status = Some(Status::Sending);
        }
        broadcast::Event::Started { recipients, at } => {
            change.recipients = Some(i32::try_from(*recipients).unwrap_or(i32::MAX));
            change.started_at = Some(*at);
        }
        broadcast::Event::Paused { at: _ } => change.status = Some(Status::Paused),
        // One that was paused stays so; one that was complete is no longer.
        broadcast::Event::ResendOrdered { number: _, at: _ } => change.reopened = true,
        broadcast::Event::Cancelled { at } => {
            change.status = Some(Status::Cancelled);
            change.finished_at = Some(*at);
        }
        broadcast::Event::Completed { totals: _, at } => {
            change.status = Some(Status::Completed);
            change.finished_at = Some(*at);
        }
    }
    change.write(connection, id, event).await
}

async fn insert(connection: &mut PgConnection, id: Uuid, event: &Event, letter: &Letter) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into broadcasts (id, status, letter, created_at, updated_at, version) \
         values ($1, 'draft', $2, $3, $3, $4)",
        id,
        Json(letter) as _,
        event.recorded_at,
        event.sequence,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// What an event changes; what is not given stays.
#[derive(Default)]
struct Change {
    status: Option<Status>,
    send_at: Option<DateTime<Utc>>,
    recipients: Option<i32>,
    started_at: Option<DateTime<Utc>>,
    finished_at: Option<DateTime<Utc>>,
    reopened: bool,
}

impl Change {
    async fn write(&self, connection: &mut PgConnection, id: Uuid, event: &Event) -> Result<(), sqlx::Error> {
        sqlx::query!(
            "update broadcasts \
                set status = case when $8 and status = 'completed' then 'sending' else coalesce($2, status) end, \
                    send_at = coalesce($3, send_at), recipients = coalesce($4, recipients), \
                    started_at = coalesce($5, started_at), \
                    finished_at = case when not $8 then coalesce($6, finished_at) end, \
                    updated_at = $7, version = $9 \
              where id = $1",
            id,
            self.status.map(Status::as_str),
            self.send_at,
            self.recipients,
            self.started_at,
            self.finished_at,
            event.recorded_at,
            self.reopened,
            event.sequence,
        )
        .execute(connection)
        .await?;
        Ok(())
    }
}
