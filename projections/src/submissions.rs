//! Answers to the questions of campaigns, and what became of them.

use aggregates::{Fact, submission};
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
pub struct Submissions;

/// A submission as it is shown.
#[derive(Debug, Clone, PartialEq, FromRow)]
pub struct Row {
    /// Its id.
    pub id: Uuid,
    /// Which campaign asked.
    pub campaign_id: Uuid,
    /// Who answered.
    pub person: Uuid,
    /// Their Telegram user id.
    pub telegram_id: i64,
    /// Their first name.
    pub name: Option<String>,
    /// What they were asked and what they said.
    pub answers: Json<Vec<submission::Answer>>,
    /// See [`submission::Status::as_str`].
    pub status: String,
    /// Why it was rejected, or why the coupon could not be redeemed.
    pub reason: Option<String>,
    /// The redemption that came of it.
    pub redemption: Option<Uuid>,
    /// When it was handed in, for the last time.
    pub submitted_at: DateTime<Utc>,
    /// When somebody approved or rejected it.
    pub decided_at: Option<DateTime<Utc>>,
    /// Of the event that handed it in.
    pub position: i64,
    /// Of the stream.
    pub version: i64,
}

/// Which submissions to list; `None` matches all.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// To this campaign.
    pub campaign: Option<Uuid>,
    /// By this person.
    pub person: Option<Uuid>,
    /// Which stand so.
    pub status: Option<&'static str>,
}

const ROW: &str = "select id, campaign_id, person, telegram_id, name, answers, status, reason, redemption, submitted_at, \
                   decided_at, position, version from submissions";

/// One submission.
///
/// # Errors
/// What the database says.
pub async fn find(executor: impl PgExecutor<'_>, id: Uuid) -> Result<Option<Row>, sqlx::Error> {
    sqlx::query_as(&format!("{ROW} where id = $1")).bind(id).fetch_optional(executor).await
}

/// A page of submissions, those that wait longest first.
///
/// # Errors
/// What the database says.
pub async fn list(
    executor: impl PgExecutor<'_>,
    filter: &Filter,
    after: Option<&Cursor>,
    limit: i64,
) -> Result<Page<Row>, sqlx::Error> {
    let mut query: QueryBuilder<'_, Postgres> = QueryBuilder::new(ROW);
    query.push(" where true");
    if let Some(campaign) = filter.campaign {
        query.push(" and campaign_id = ").push_bind(campaign);
    }
    if let Some(person) = filter.person {
        query.push(" and person = ").push_bind(person);
    }
    if let Some(status) = filter.status {
        query.push(" and status = ").push_bind(status);
    }
    if let Some(Cursor { key: Key::Number(position), .. }) = after {
        query.push(" and position > ").push_bind(*position);
    }
    query.push(" order by position limit ").push_bind(limit + 1);
    let rows: Vec<Row> = query.build_query_as().fetch_all(executor).await?;
    Ok(page(rows, limit, |row| Cursor { key: Key::Number(row.position), id: row.id }))
}

impl Projection for Submissions {
    fn name(&self) -> &'static str {
        "submissions"
    }

    fn tables(&self) -> &'static [&'static str] {
        &["submissions"]
    }

    fn apply<'a>(
        &'a self,
        connection: &'a mut PgConnection,
        events: &'a [Event],
    ) -> BoxFuture<'a, Result<(), ProjectionError>> {
        Box::pin(async move {
            for event in events {
                let Fact::Submission(fact) = &event.fact else { continue };
                let id = stream_uuid(event)?;
                apply(connection, event, id, fact)
                    .await
                    .map_err(|source| ProjectionError::Database { projection: "submissions", source })?;
            }
            Ok(())
        })
    }
}

async fn apply(
    connection: &mut PgConnection,
    event: &Event,
    id: Uuid,
    fact: &submission::Event,
) -> Result<(), sqlx::Error> {
    let (status, reason, redemption, decided_at) = match fact {
        submission::Event::Submitted { submitted, at } => {
            return insert(connection, event, id, submitted, *at).await;
        }
        submission::Event::Approved { at, .. } => ("approved", None, None, Some(*at)),
        submission::Event::Rejected { reason, at, .. } => ("rejected", Some(reason.reveal().as_str()), None, Some(*at)),
        submission::Event::Fulfilled { redemption, .. } => ("fulfilled", None, Some(*redemption), None),
        submission::Event::Failed { reason, .. } => ("pending", Some(reason.as_str()), None, None),
    };
    sqlx::query!(
        "update submissions set status = $2, reason = $3, redemption = $4, decided_at = coalesce($5, decided_at), \
             version = $6 where id = $1",
        id,
        status,
        reason,
        redemption,
        decided_at,
        event.sequence,
    )
    .execute(connection)
    .await?;
    Ok(())
}

async fn insert(
    connection: &mut PgConnection,
    event: &Event,
    id: Uuid,
    submitted: &submission::Submitted,
    at: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let telegram = submitted.telegram.reveal();
    sqlx::query!(
        "insert into submissions (id, campaign_id, person, telegram_id, name, answers, status, submitted_at, position, version) \
         values ($1, $2, $3, $4, $5, $6, 'pending', $7, $8, $9) \
         on conflict (id) do update set telegram_id = excluded.telegram_id, name = excluded.name, answers = excluded.answers, \
             status = 'pending', reason = null, redemption = null, decided_at = null, \
             submitted_at = excluded.submitted_at, position = excluded.position, version = excluded.version",
        id,
        submitted.campaign,
        submitted.person.0,
        telegram.id,
        telegram.name,
        Json(submitted.answers.reveal()) as _,
        at,
        event.position,
        event.sequence,
    )
    .execute(connection)
    .await?;
    Ok(())
}
