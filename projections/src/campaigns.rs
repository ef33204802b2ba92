//! Campaigns, each with its terms, status and count.

use std::collections::BTreeMap;

use aggregates::{
    Fact,
    campaign::{self, Status, Terms},
};
use chrono::{DateTime, Utc};
use futures_util::future::BoxFuture;
use sqlx::{FromRow, PgConnection, PgExecutor, Postgres, QueryBuilder};
use uuid::Uuid;

use crate::{
    Event, Projection, ProjectionError,
    page::{Cursor, Key, Page, page},
    stream_uuid,
};

/// The projection.
pub struct Campaigns;

/// A campaign as it is shown.
#[derive(Debug, Clone, PartialEq, FromRow)]
#[allow(missing_docs, reason = "the fields are those of Terms, and say what they are")]
pub struct Row {
    pub id: Uuid,
    pub name: String,
    pub code: String,
    pub status: String,
    pub starts_at: Option<DateTime<Utc>>,
    pub ends_at: Option<DateTime<Utc>>,
    pub total_limit: Option<i32>,
    pub limit_per_person: Option<i32>,
    pub redeemed: i32,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
    pub version: i64,
}

/// What a list is sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sort {
    /// When it was drafted.
    #[default]
    CreatedAt,
    /// Its name.
    Name,
    /// How often it was redeemed.
    Redeemed,
}

impl Sort {
    const fn column(self) -> &'static str {
        match self {
            Self::CreatedAt => "created_at",
            Self::Name => "name",
            Self::Redeemed => "redeemed::bigint",
        }
    }
}

/// Which campaigns to list; `None` matches all.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// In this status.
    pub status: Option<Status>,
    /// With this code, in normal form.
    pub code: Option<String>,
    /// With this in the name, whatever the case.
    pub name: Option<String>,
}

/// One campaign.
///
/// # Errors
/// What the database says.
pub async fn find(executor: impl PgExecutor<'_>, id: Uuid) -> Result<Option<Row>, sqlx::Error> {
    sqlx::query_as!(
        Row,
        "select id, name, code, status, starts_at, ends_at, total_limit, limit_per_person, redeemed, created_at, \
                updated_at, version \
           from campaigns where id = $1",
        id
    )
    .fetch_optional(executor)
    .await
}

/// Whether there is such a campaign.
///
/// # Errors
/// What the database says.
pub async fn exists(executor: impl PgExecutor<'_>, id: Uuid) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(r#"select exists (select from campaigns where id = $1) as "exists!""#, id)
        .fetch_one(executor)
        .await
}

/// A page of campaigns.
///
/// # Errors
/// What the database says.
pub async fn list(
    executor: impl PgExecutor<'_>,
    filter: &Filter,
    sort: Sort,
    descending: bool,
    after: Option<&Cursor>,
    limit: i64,
) -> Result<Page<Row>, sqlx::Error> {
    let mut query: QueryBuilder<'_, Postgres> = QueryBuilder::new(
        "select id, name, code, status, starts_at, ends_at, total_limit, limit_per_person, redeemed, created_at, \
                updated_at, version \
           from campaigns where true",
    );
    if let Some(status) = filter.status {
        query.push(" and status = ").push_bind(status.as_str());
    }
    if let Some(code) = &filter.code {
        query.push(" and code = ").push_bind(code);
    }
    if let Some(name) = &filter.name {
        query.push(" and strpos(lower(name), lower(").push_bind(name).push(")) > 0");
    }
    let column = sort.column();
    let (order, beyond) = if descending { ("desc", "<") } else { ("asc", ">") };
    if let Some(Cursor { key, id }) = after {
        query.push(format_args!(" and ({column}, id) {beyond} ("));
        match key {
            Key::Time(time) => query.push_bind(*time),
            Key::Text(text) => query.push_bind(text),
            Key::Number(number) => query.push_bind(*number),
        };
        query.push(", ").push_bind(*id).push(")");
    }
    query.push(format_args!(" order by {column} {order}, id {order} limit ")).push_bind(limit + 1);
    let rows: Vec<Row> = query.build_query_as().fetch_all(executor).await?;
    Ok(page(rows, limit, |row| Cursor {
        key: match sort {
            Sort::CreatedAt => Key::Time(row.created_at),
            Sort::Name => Key::Text(row.name.clone()),
            Sort::Redeemed => Key::Number(row.redeemed.into()),
        },
        id: row.id,
    }))
}

impl Sort {
    /// Whether a cursor was given out by a list sorted this way.
    #[must_use]
    pub const fn fits(self, cursor: &Cursor) -> bool {
        matches!(
            (self, &cursor.key),
            (Self::CreatedAt, Key::Time(_)) | (Self::Name, Key::Text(_)) | (Self::Redeemed, Key::Number(_))
        )
    }
}

impl Projection for Campaigns {
    fn name(&self) -> &'static str {
        "campaigns"
    }

    fn tables(&self) -> &'static [&'static str] {
        &["campaigns"]
    }

    fn apply<'a>(
        &'a self,
        connection: &'a mut PgConnection,
        events: &'a [Event],
    ) -> BoxFuture<'a, Result<(), ProjectionError>> {
        Box::pin(async move {
            // Redemptions are many: those between two other events are added up.
            let mut redeemed: BTreeMap<Uuid, Redeemed> = BTreeMap::new();
            for event in events {
                let Fact::Campaign(fact) = &event.fact else { continue };
                let id = stream_uuid(event)?;
                if let campaign::Event::Redeemed { .. } = fact {
                    let sum = redeemed.entry(id).or_insert(Redeemed { count: 0, version: 0, at: event.recorded_at });
                    sum.count += 1;
                    sum.version = event.sequence;
                    sum.at = event.recorded_at;
                    continue;
                }
                add_up(connection, &mut redeemed).await.map_err(failed)?;
                apply(connection, id, event, fact).await.map_err(failed)?;
            }
            add_up(connection, &mut redeemed).await.map_err(failed)
        })
    }
}

struct Redeemed {
    count: i32,
    version: i64,
    at: DateTime<Utc>,
}

fn failed(source: sqlx::Error) -> ProjectionError {
    ProjectionError::Database { projection: "campaigns", source }
}

async fn add_up(connection: &mut PgConnection, redeemed: &mut BTreeMap<Uuid, Redeemed>) -> Result<(), sqlx::Error> {
    while let Some((id, sum)) = redeemed.pop_first() {
        sqlx::query!(
            "update campaigns set redeemed = redeemed + $2, version = $3, updated_at = $4 where id = $1",
            id,
            sum.count,
            sum.version,
            sum.at,
        )
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}

async fn apply(
    connection: &mut PgConnection,
    id: Uuid,
    event: &Event,
    fact: &campaign::Event,
) -> Result<(), sqlx::Error> {
    match fact {
        campaign::Event::Drafted { terms, at: _ } => write_terms(connection, id, event, terms).await,
        campaign::Event::TermsChanged { terms, released: _, at: _ } => write_terms(connection, id, event, terms).await,
        campaign::Event::Activated { at: _ } | campaign::Event::Resumed { at: _ } => {
            write_status(connection, id, event, Status::Active).await
        }
        campaign::Event::Paused { at: _ } => write_status(connection, id, event, Status::Paused).await,
        campaign::Event::Ended { code: _, at: _ } => write_status(connection, id, event, Status::Ended).await,
        // Added up by the caller.
        campaign::Event::Redeemed { .. } => Ok(()),
    }
}

async fn write_terms(connection: &mut PgConnection, id: Uuid, event: &Event, terms: &Terms) -> Result<(), sqlx::Error> {
    let limit = |limit: Option<u32>| limit.map(|limit| i32::try_from(limit).unwrap_or(i32::MAX));
    sqlx::query!(
        "insert into campaigns (id, name, code, status, starts_at, ends_at, total_limit, limit_per_person, \
                                created_at, updated_at, version) \
         values ($1, $2, $3, 'draft', $4, $5, $6, $7, $8, $8, $9) \
         on conflict (id) do update set name = $2, code = $3, starts_at = $4, ends_at = $5, total_limit = $6, \
                                        limit_per_person = $7, updated_at = $8, version = $9",
        id,
        terms.name,
        terms.code.as_str(),
        terms.starts_at,
        terms.ends_at,
        limit(terms.total_limit),
        limit(terms.limit_per_person),
        event.recorded_at,
        event.sequence,
    )
    .execute(connection)
    .await?;
    Ok(())
}

async fn write_status(
    connection: &mut PgConnection,
    id: Uuid,
    event: &Event,
    status: Status,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update campaigns set status = $2, version = $3, updated_at = $4 where id = $1",
        id,
        status.as_str(),
        event.sequence,
        event.recorded_at,
    )
    .execute(connection)
    .await?;
    Ok(())
}
