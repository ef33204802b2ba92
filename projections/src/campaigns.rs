//! Campaigns, each with its terms, status and count.

use std::collections::BTreeMap;

use aggregates::{
    Fact,
    campaign::{self, Status, Terms},
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
pub struct Campaigns;

/// A campaign as it is shown.
#[derive(Debug, Clone, PartialEq, FromRow)]
#[allow(missing_docs, reason = "the fields are those of Terms, and say what they are")]
pub struct Row {
    pub id: Uuid,
    pub name: String,
    pub code: Option<String>,
    pub status: String,
    pub terms: Json<Terms>,
    pub starts_at: Option<DateTime<Utc>>,
    pub ends_at: Option<DateTime<Utc>>,
    pub total_limit: Option<i32>,
    pub limit_per_person: Option<i32>,
    pub redeemed: i32,
    pub reserved: i32,
    pub released: i32,
    pub published: i32,
    /// What its coupons are drawn on; none: our ticket.
    pub template: Option<Uuid>,
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
        r#"select id, name, code, status, terms as "terms: _", starts_at, ends_at, total_limit, limit_per_person, redeemed,
                  reserved, released, published, template, created_at, updated_at, version
             from campaigns where id = $1"#,
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

/// How many campaigns are in each status that any is in.
///
/// # Errors
/// What the database says.
pub async fn by_status(executor: impl PgExecutor<'_>) -> Result<Vec<(String, i64)>, sqlx::Error> {
    let rows = sqlx::query!(r#"select status, count(*) as "count!" from campaigns group by status order by status"#)
        .fetch_all(executor)
        .await?;
    Ok(rows.into_iter().map(|row| (row.status, row.count)).collect())
}

/// Campaigns that can be redeemed, now or soon, and end after one instant and
/// not after another; up to `limit`, those that end first.
///
/// # Errors
/// What the database says.
pub async fn ending(
    executor: impl PgExecutor<'_>,
    after: DateTime<Utc>,
    until: DateTime<Utc>,
    limit: i64,
) -> Result<Vec<Row>, sqlx::Error> {
    sqlx::query_as!(
        Row,
        r#"select id, name, code, status, terms as "terms: _", starts_at, ends_at, total_limit, limit_per_person, redeemed,
                  reserved, released, published, template, created_at, updated_at, version
             from campaigns where status in ('scheduled', 'active', 'paused') and ends_at > $1 and ends_at <= $2
            order by ends_at, id limit $3"#,
        after,
        until,
        limit
    )
    .fetch_all(executor)
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
        "select id, name, code, status, terms, starts_at, ends_at, total_limit, limit_per_person, redeemed, reserved, \
                released, published, template, created_at, updated_at, version \
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
            // What happens to coupons is many events: those between two others are added up.
            let mut counts: BTreeMap<Uuid, Counts> = BTreeMap::new();
            for event in events {
                let Fact::Campaign(fact) = &event.fact else { continue };
                let id = stream_uuid(event)?;
                if let Some(change) = Counts::of(fact) {
                    counts.entry(id).or_default().add(change, event);
                    continue;
                }
                add_up(connection, &mut counts).await.map_err(failed)?;
                apply(connection, id, event, fact).await.map_err(failed)?;
            }
            add_up(connection, &mut counts).await.map_err(failed)
        })
    }
}

/// What coupons did to the numbers of a campaign.
#[derive(Default)]
struct Counts {
    redeemed: i32,
    reserved: i32,
    released: i32,
    published: i32,
    version: i64,
    at: DateTime<Utc>,
}

impl Counts {
    /// None when the event is not about a coupon in somebody's hands.
    fn of(fact: &campaign::Event) -> Option<Self> {
        let none = Self::default();
        Some(match fact {
            campaign::Event::Redeemed { reservation: None, .. } => Self { redeemed: 1, ..none },
            campaign::Event::Redeemed { reservation: Some(_), .. } => Self { redeemed: 1, reserved: -1, ..none },
            campaign::Event::Released { .. } => Self { redeemed: -1, released: 1, ..none },
            campaign::Event::Reserved { .. } => Self { reserved: 1, ..none },
            campaign::Event::ReservationEnded { .. } => Self { reserved: -1, ..none },
            campaign::Event::Published { .. } => Self { published: 1, ..none },
            campaign::Event::BatchMinted { .. }
            | campaign::Event::BatchImported { .. }
            | campaign::Event::BatchRevoked { .. } => none,
            campaign::Event::Drafted { .. }
            | campaign::Event::TermsChanged { .. }
            | campaign::Event::Scheduled { .. }
            | campaign::Event::Activated { .. }
            | campaign::Event::Paused { .. }
            | campaign::Event::Resumed { .. }
            | campaign::Event::Ended { .. }
            | campaign::Event::Archived { .. }
            | campaign::Event::CardDesigned { .. } => return None,
        })
    }

    fn add(&mut self, change: Self, event: &Event) {
        self.redeemed += change.redeemed;
        self.reserved += change.reserved;
        self.released += change.released;
        self.published += change.published;
        self.version = event.sequence;
        self.at = event.recorded_at;
    }
}

fn failed(source: sqlx::Error) -> ProjectionError {
    ProjectionError::Database { projection: "campaigns", source }
}

async fn add_up(connection: &mut PgConnection, counts: &mut BTreeMap<Uuid, Counts>) -> Result<(), sqlx::Error> {
    while let Some((id, sum)) = counts.pop_first() {
        sqlx::query!(
            "update campaigns set redeemed = redeemed + $2, reserved = reserved + $3, released = released + $4, \
                                  published = published + $5, version = $6, updated_at = $7 where id = $1",
            id,
            sum.redeemed,
            sum.reserved,
            sum.released,
            sum.published,
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
        campaign::Event::Scheduled { at: _ } => write_status(connection, id, event, Status::Scheduled).await,
        campaign::Event::Paused { at: _ } => write_status(connection, id, event, Status::Paused).await,
        campaign::Event::Ended { code: _, on_time: _, at: _ } => {
            write_status(connection, id, event, Status::Ended).await
        }
        campaign::Event::Archived { at: _ } => write_status(connection, id, event, Status::Archived).await,
        campaign::Event::CardDesigned { template, at: _ } => write_template(connection, id, event, *template).await,
        // Added up by the caller.
        campaign::Event::BatchMinted { .. }
        | campaign::Event::BatchImported { .. }
        | campaign::Event::BatchRevoked { .. }
        | campaign::Event::Published { .. }
        | campaign::Event::Reserved { .. }
        | campaign::Event::ReservationEnded { .. }
        | campaign::Event::Redeemed { .. }
        | campaign::Event::Released { .. } => Ok(()),
    }
}

async fn write_terms(connection: &mut PgConnection, id: Uuid, event: &Event, terms: &Terms) -> Result<(), sqlx::Error> {
    let limit = |limit: Option<u32>| limit.map(|limit| i32::try_from(limit).unwrap_or(i32::MAX));
    sqlx::query!(
        "insert into campaigns (id, name, code, status, starts_at, ends_at, total_limit, limit_per_person, \
                                created_at, updated_at, version, terms) \
         values ($1, $2, $3, 'draft', $4, $5, $6, $7, $8, $8, $9, $10) \
         on conflict (id) do update set name = $2, code = $3, starts_at = $4, ends_at = $5, total_limit = $6, \
                                        limit_per_person = $7, updated_at = $8, version = $9, terms = $10",
        id,
        terms.name,
        terms.code.as_ref().map(aggregates::CodeText::as_str),
        terms.starts_at,
        terms.ends_at,
        limit(terms.total_limit),
        limit(terms.limit_per_person),
        event.recorded_at,
        event.sequence,
        Json(terms) as _,
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

async fn write_template(
    connection: &mut PgConnection,
    id: Uuid,
    event: &Event,
    template: Option<Uuid>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update campaigns set template = $2, version = $3, updated_at = $4 where id = $1",
        id,
        template,
        event.sequence,
        event.recorded_at,
    )
    .execute(connection)
    .await?;
    Ok(())
}
