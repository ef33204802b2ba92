//! Batches of unique codes, publications and reservations.

use aggregates::{Fact, UniqueCode, campaign};
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
pub struct Coupons;

/// A batch of unique codes.
#[derive(Debug, Clone, PartialEq, FromRow)]
pub struct Batch {
    /// Its number in the installation.
    pub number: i32,
    /// Of which campaign.
    pub campaign_id: Uuid,
    /// Whether its codes are made from the key; otherwise they were imported.
    pub minted: bool,
    /// How many codes it has.
    pub count: i32,
    /// Since when what is left of it is taken back.
    pub revoked_at: Option<DateTime<Utc>>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

/// A coupon that somebody was given or redeemed.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Held {
    /// Of which campaign.
    pub campaign_id: Uuid,
    /// The batch of the unique code; none: the shared code.
    pub batch: Option<i32>,
    /// Its place in the batch.
    pub index: Option<i32>,
    /// When it was redeemed, if it was.
    pub redeemed_at: Option<DateTime<Utc>>,
}

/// The coupons of a person, the newest first: those they were given, and those
/// they redeemed, each once.
///
/// # Errors
/// What the database says.
pub async fn held_by(executor: impl PgExecutor<'_>, person: Uuid, limit: i64) -> Result<Vec<Held>, sqlx::Error> {
    sqlx::query_as!(
        Held,
        r#"select campaign_id as "campaign_id!", batch, index, max(redeemed_at) as redeemed_at from (
               select campaign_id, batch, index, null::timestamptz as redeemed_at, position
                 from publications where person = $1
               union all
               select campaign_id, batch, index, redeemed_at, position
                 from redemptions where person = $1 and released_at is null) held
            group by campaign_id, batch, index
            order by max(position) desc
            limit $2"#,
        person,
        limit
    )
    .fetch_all(executor)
    .await
}

/// What a person has to do with a coupon.
#[derive(Debug, Clone, Copy, PartialEq, Eq, FromRow)]
pub struct Holds {
    /// They were given it.
    pub given: bool,
    /// They redeemed it.
    pub redeemed: bool,
}

/// Whether a person was given a coupon or redeemed it.
///
/// # Errors
/// What the database says.
pub async fn holds(
    executor: impl PgExecutor<'_>,
    person: Uuid,
    campaign: Uuid,
    coupon: Option<UniqueCode>,
) -> Result<Holds, sqlx::Error> {
    sqlx::query_as!(
        Holds,
        r#"select exists (select from publications
                           where person = $1 and campaign_id = $2 and batch is not distinct from $3
                             and index is not distinct from $4) as "given!",
                  exists (select from redemptions
                           where person = $1 and campaign_id = $2 and batch is not distinct from $3
                             and index is not distinct from $4 and released_at is null) as "redeemed!""#,
        person,
        campaign,
        coupon.map(|coupon| coupon.batch as i32),
        coupon.map(|coupon| coupon.index as i32),
    )
    .fetch_one(executor)
    .await
}

/// One batch.
///
/// # Errors
/// What the database says.
pub async fn batch(executor: impl PgExecutor<'_>, number: i32) -> Result<Option<Batch>, sqlx::Error> {
    sqlx::query_as!(
        Batch,
        "select number, campaign_id, minted, count, revoked_at, created_at from batches where number = $1",
        number
    )
    .fetch_optional(executor)
    .await
}

/// The batches of a campaign, in the order of their numbers.
///
/// # Errors
/// What the database says.
pub async fn batches(executor: impl PgExecutor<'_>, campaign: Uuid) -> Result<Vec<Batch>, sqlx::Error> {
    sqlx::query_as!(
        Batch,
        "select number, campaign_id, minted, count, revoked_at, created_at from batches \
          where campaign_id = $1 order by number",
        campaign
    )
    .fetch_all(executor)
    .await
}

/// A coupon that was given to somebody.
#[derive(Debug, Clone, PartialEq, FromRow)]
pub struct Publication {
    /// Its id.
    pub id: Uuid,
    /// Of which campaign.
    pub campaign_id: Uuid,
    /// To whom.
    pub person: Uuid,
    /// Their Telegram user id, if they came from there.
    pub telegram_id: Option<i64>,
    /// The batch of the unique code; none: the shared code.
    pub batch: Option<i32>,
    /// Its place in the batch.
    pub index: Option<i32>,
    /// When.
    pub published_at: DateTime<Utc>,
    /// Of its event.
    pub position: i64,
}

/// A page of a campaign's publications, the newest first.
///
/// # Errors
/// What the database says.
pub async fn publications(
    executor: impl PgExecutor<'_>,
    campaign: Uuid,
    person: Option<Uuid>,
    after: Option<&Cursor>,
    limit: i64,
) -> Result<Page<Publication>, sqlx::Error> {
    let mut query: QueryBuilder<'_, Postgres> = QueryBuilder::new(
        "select id, campaign_id, person, telegram_id, batch, index, published_at, position from publications \
          where campaign_id = ",
    );
    query.push_bind(campaign);
    if let Some(person) = person {
        query.push(" and person = ").push_bind(person);
    }
    if let Some(Cursor { key: Key::Number(position), .. }) = after {
        query.push(" and position < ").push_bind(*position);
    }
    query.push(" order by position desc limit ").push_bind(limit + 1);
    let rows: Vec<Publication> = query.build_query_as().fetch_all(executor).await?;
    Ok(page(rows, limit, |row| Cursor { key: Key::Number(row.position), id: row.id }))
}

/// A redemption that is or was kept free for somebody.
#[derive(Debug, Clone, PartialEq, FromRow)]
pub struct Reservation {
    /// Its id.
    pub id: Uuid,
    /// Of which campaign.
    pub campaign_id: Uuid,
    /// For whom.
    pub person: Uuid,
    /// The batch of the unique code; none: the shared code.
    pub batch: Option<i32>,
    /// Its place in the batch.
    pub index: Option<i32>,
    /// Until when it is kept free, or was to be.
    pub until: DateTime<Utc>,
    /// `standing`, `redeemed`, `cancelled` or `expired`.
    pub state: String,
}

/// Which reservations to list; `None` matches all.
#[derive(Debug, Clone, Copy, Default)]
pub struct ReservationFilter {
    /// For this person.
    pub person: Option<Uuid>,
    /// In this state.
    pub state: Option<&'static str>,
}

/// A page of a campaign's reservations, those that end last first.
///
/// # Errors
/// What the database says.
pub async fn reservations(
    executor: impl PgExecutor<'_>,
    campaign: Uuid,
    filter: ReservationFilter,
    after: Option<&Cursor>,
    limit: i64,
) -> Result<Page<Reservation>, sqlx::Error> {
    let mut query: QueryBuilder<'_, Postgres> = QueryBuilder::new(
        "select id, campaign_id, person, batch, index, until, state from reservations where campaign_id = ",
    );
    query.push_bind(campaign);
    if let Some(person) = filter.person {
        query.push(" and person = ").push_bind(person);
    }
    if let Some(state) = filter.state {
        query.push(" and state = ").push_bind(state);
    }
    if let Some(Cursor { key: Key::Time(until), id }) = after {
        query.push(" and (until, id) < (").push_bind(*until).push(", ").push_bind(*id).push(")");
    }
    query.push(" order by until desc, id desc limit ").push_bind(limit + 1);
    let rows: Vec<Reservation> = query.build_query_as().fetch_all(executor).await?;
    Ok(page(rows, limit, |row| Cursor { key: Key::Time(row.until), id: row.id }))
}

/// The campaign and place of a code that was imported.
///
/// # Errors
/// What the database says.
pub async fn imported(executor: impl PgExecutor<'_>, code: &str) -> Result<Option<(Uuid, UniqueCode)>, sqlx::Error> {
    let row = sqlx::query!("select campaign_id, batch, index from imported_codes where code = $1", code)
        .fetch_optional(executor)
        .await?;
    Ok(row.map(|row| (row.campaign_id, UniqueCode { batch: row.batch as u32, index: row.index as u32 })))
}

/// Up to `limit` codes of an imported batch, from a place on.
///
/// # Errors
/// What the database says.
pub async fn imported_codes(
    executor: impl PgExecutor<'_>,
    batch: i32,
    from: i32,
    limit: i64,
) -> Result<Vec<(i32, String)>, sqlx::Error> {
    let rows = sqlx::query!(
        "select index, code from imported_codes where batch = $1 and index >= $2 order by index limit $3",
        batch,
        from,
        limit
    )
    .fetch_all(executor)
    .await?;
    Ok(rows.into_iter().map(|row| (row.index, row.code)).collect())
}

/// The campaign that a reservation was made with.
///
/// # Errors
/// What the database says.
pub async fn campaign_of_reservation(executor: impl PgExecutor<'_>, id: Uuid) -> Result<Option<Uuid>, sqlx::Error> {
    sqlx::query_scalar!("select campaign_id from reservations where id = $1", id).fetch_optional(executor).await
}

/// Which of these codes an import has already.
///
/// # Errors
/// What the database says.
pub async fn known(executor: impl PgExecutor<'_>, codes: &[String]) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar!("select code from imported_codes where code = any ($1)", codes).fetch_all(executor).await
}

/// Campaigns to which time has brought something that is not written yet.
///
/// # Errors
/// What the database says.
pub async fn due(executor: impl PgExecutor<'_>, now: DateTime<Utc>, limit: i64) -> Result<Vec<Uuid>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select id as "id!" from (
               select id from campaigns where status = 'scheduled' and starts_at <= $1
               union select id from campaigns where status in ('scheduled', 'active', 'paused') and ends_at <= $1
               union select campaign_id from reservations where state = 'standing' and until <= $1) due
            limit $2"#,
        now,
        limit
    )
    .fetch_all(executor)
    .await
}

impl Projection for Coupons {
    fn name(&self) -> &'static str {
        "coupons"
    }

    fn tables(&self) -> &'static [&'static str] {
        &["batches", "imported_codes", "publications", "reservations"]
    }

    fn apply<'a>(
        &'a self,
        connection: &'a mut PgConnection,
        events: &'a [Event],
    ) -> BoxFuture<'a, Result<(), ProjectionError>> {
        Box::pin(async move {
            for event in events {
                let Fact::Campaign(fact) = &event.fact else { continue };
                let id = stream_uuid(event)?;
                apply(connection, id, event, fact)
                    .await
                    .map_err(|source| ProjectionError::Database { projection: "coupons", source })?;
            }
            Ok(())
        })
    }
}

fn places(coupon: Option<UniqueCode>) -> (Option<i32>, Option<i32>) {
    (coupon.map(|code| code.batch as i32), coupon.map(|code| code.index as i32))
}

async fn apply(
    connection: &mut PgConnection,
    campaign: Uuid,
    event: &Event,
    fact: &campaign::Event,
) -> Result<(), sqlx::Error> {
    match fact {
        campaign::Event::BatchMinted { batch, count, at } => {
            write_batch(connection, campaign, *batch, true, *count as i32, *at).await
        }
        campaign::Event::BatchImported { batch, codes, at } => {
            write_batch(connection, campaign, *batch, false, codes.len() as i32, *at).await?;
            let codes: Vec<String> = codes.iter().map(|code| code.as_str().to_owned()).collect();
            sqlx::query!(
                "insert into imported_codes (code, batch, index, campaign_id) \
                 select code, $2, n::int - 1, $3 from unnest($1::text[]) with ordinality as c (code, n) \
                 on conflict do nothing",
                &codes,
                *batch as i32,
                campaign,
            )
            .execute(connection)
            .await?;
            Ok(())
        }
        campaign::Event::BatchRevoked { batch, at } => {
            sqlx::query!("update batches set revoked_at = $2 where number = $1", *batch as i32, at)
                .execute(connection)
                .await?;
            Ok(())
        }
        campaign::Event::Published { publication, person, telegram, coupon, at } => {
            let (batch, index) = places(*coupon);
            sqlx::query!(
                "insert into publications (id, campaign_id, person, telegram_id, batch, index, published_at, position) \
                 values ($1, $2, $3, $4, $5, $6, $7, $8)",
                publication,
                campaign,
                person.0,
                telegram.as_ref().map(|telegram| telegram.reveal().id),
                batch,
                index,
                at,
                event.position,
            )
            .execute(connection)
            .await?;
            Ok(())
        }
        campaign::Event::Reserved { reservation, person, coupon, until, at: _ } => {
            let (batch, index) = places(*coupon);
            sqlx::query!(
                "insert into reservations (id, campaign_id, person, batch, index, until, state) \
                 values ($1, $2, $3, $4, $5, $6, 'standing')",
                reservation,
                campaign,
                person.0,
                batch,
                index,
                until,
            )
            .execute(connection)
            .await?;
            Ok(())
        }
        campaign::Event::ReservationEnded { reservation, expired, at: _ } => {
            end_reservation(connection, *reservation, if *expired { "expired" } else { "cancelled" }).await
        }
        campaign::Event::Redeemed { reservation: Some(reservation), .. } => {
            end_reservation(connection, *reservation, "redeemed").await
        }
        campaign::Event::Redeemed { reservation: None, .. }
        | campaign::Event::Released { .. }
        | campaign::Event::Drafted { .. }
        | campaign::Event::TermsChanged { .. }
        | campaign::Event::Scheduled { .. }
        | campaign::Event::Activated { .. }
        | campaign::Event::Paused { .. }
        | campaign::Event::Resumed { .. }
        | campaign::Event::Ended { .. }
        | campaign::Event::Archived { .. }
        | campaign::Event::CardDesigned { .. } => Ok(()),
    }
}

async fn write_batch(
    connection: &mut PgConnection,
    campaign: Uuid,
    number: u32,
    minted: bool,
    count: i32,
    at: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into batches (number, campaign_id, minted, count, created_at) values ($1, $2, $3, $4, $5)",
        number as i32,
        campaign,
        minted,
        count,
        at,
    )
    .execute(connection)
    .await?;
    Ok(())
}

async fn end_reservation(connection: &mut PgConnection, id: Uuid, state: &str) -> Result<(), sqlx::Error> {
    sqlx::query!("update reservations set state = $2 where id = $1", id, state).execute(connection).await?;
    Ok(())
}
