//! Who redeemed what, and when.

use aggregates::{Fact, campaign};
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
pub struct Redemptions;

/// A redemption as it is shown.
#[derive(Debug, Clone, PartialEq, FromRow)]
pub struct Row {
    /// Its id.
    pub id: Uuid,
    /// Of which campaign.
    pub campaign_id: Uuid,
    /// Its number in the campaign, from 1.
    pub number: i32,
    /// By whom.
    pub person: Uuid,
    /// Their Telegram user id, if they came from there.
    pub telegram_id: Option<i64>,
    /// The batch of the unique code; none: the shared code.
    pub batch: Option<i32>,
    /// Its place in the batch.
    pub index: Option<i32>,
    /// Through which door: `bot` or `api`.
    pub source: String,
    /// When it was asked for.
    pub redeemed_at: DateTime<Utc>,
    /// When it was rolled back, if it was.
    pub released_at: Option<DateTime<Utc>>,
    /// Of its event.
    pub position: i64,
}

/// Which redemptions to list; `None` matches all.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Of this campaign.
    pub campaign: Option<Uuid>,
    /// By this person.
    pub person: Option<Uuid>,
    /// By this Telegram user.
    pub telegram_id: Option<i64>,
    /// At or after.
    pub since: Option<DateTime<Utc>>,
    /// Before.
    pub until: Option<DateTime<Utc>>,
}

/// One redemption.
///
/// # Errors
/// What the database says.
pub async fn find(executor: impl PgExecutor<'_>, id: Uuid) -> Result<Option<Row>, sqlx::Error> {
    sqlx::query_as!(
        Row,
        "select id, campaign_id, number, person, telegram_id, batch, index, source, redeemed_at, released_at, position \
           from redemptions where id = $1",
        id
    )
    .fetch_optional(executor)
    .await
}

/// A page of redemptions, in the order they happened.
///
/// # Errors
/// What the database says.
pub async fn list(
    executor: impl PgExecutor<'_>,
    filter: &Filter,
    descending: bool,
    after: Option<&Cursor>,
    limit: i64,
) -> Result<Page<Row>, sqlx::Error> {
    let mut query: QueryBuilder<'_, Postgres> = QueryBuilder::new(
        "select id, campaign_id, number, person, telegram_id, batch, index, source, redeemed_at, released_at, position \
           from redemptions where true",
    );
    if let Some(campaign) = filter.campaign {
        query.push(" and campaign_id = ").push_bind(campaign);
    }
    if let Some(person) = filter.person {
        query.push(" and person = ").push_bind(person);
    }
    if let Some(telegram_id) = filter.telegram_id {
        query.push(" and telegram_id = ").push_bind(telegram_id);
    }
    if let Some(since) = filter.since {
        query.push(" and redeemed_at >= ").push_bind(since);
    }
    if let Some(until) = filter.until {
        query.push(" and redeemed_at < ").push_bind(until);
    }
    let (order, beyond) = if descending { ("desc", "<") } else { ("asc", ">") };
    if let Some(Cursor { key: Key::Number(number), .. }) = after {
        query.push(format_args!(" and position {beyond} ")).push_bind(*number);
    }
    query.push(format_args!(" order by position {order} limit ")).push_bind(limit + 1);
    let rows: Vec<Row> = query.build_query_as().fetch_all(executor).await?;
    Ok(page(rows, limit, |row| Cursor { key: Key::Number(row.position), id: row.id }))
}

impl Projection for Redemptions {
    fn name(&self) -> &'static str {
        "redemptions"
    }

    fn tables(&self) -> &'static [&'static str] {
        &["redemptions"]
    }

    fn apply<'a>(
        &'a self,
        connection: &'a mut PgConnection,
        events: &'a [Event],
    ) -> BoxFuture<'a, Result<(), ProjectionError>> {
        Box::pin(async move {
            let mut rows = Columns::default();
            for event in events {
                match &event.fact {
                    Fact::Campaign(campaign::Event::Redeemed {
                        redemption,
                        number,
                        person,
                        telegram,
                        coupon,
                        source,
                        at,
                        ..
                    }) => {
                        rows.id.push(*redemption);
                        rows.campaign.push(stream_uuid(event)?);
                        rows.number.push(i32::try_from(*number).unwrap_or(i32::MAX));
                        rows.person.push(person.0);
                        rows.telegram_id.push(telegram.as_ref().map(|telegram| telegram.reveal().id));
                        rows.batch.push(coupon.map(|code| code.batch as i32));
                        rows.index.push(coupon.map(|code| code.index as i32));
                        rows.source.push(source.as_str());
                        rows.redeemed_at.push(*at);
                        rows.position.push(event.position);
                    }
                    Fact::Campaign(campaign::Event::Released { redemption, at, .. }) => {
                        std::mem::take(&mut rows).insert(connection).await.map_err(failed)?;
                        sqlx::query!("update redemptions set released_at = $2 where id = $1", redemption, at)
                            .execute(&mut *connection)
                            .await
                            .map_err(failed)?;
                    }
                    _ => {}
                }
            }
            rows.insert(connection).await.map_err(failed)
        })
    }
}

fn failed(source: sqlx::Error) -> ProjectionError {
    ProjectionError::Database { projection: "redemptions", source }
}

#[derive(Default)]
struct Columns {
    id: Vec<Uuid>,
    campaign: Vec<Uuid>,
    number: Vec<i32>,
    person: Vec<Uuid>,
    telegram_id: Vec<Option<i64>>,
    batch: Vec<Option<i32>>,
    index: Vec<Option<i32>>,
    source: Vec<&'static str>,
    redeemed_at: Vec<DateTime<Utc>>,
    position: Vec<i64>,
}

impl Columns {
    async fn insert(self, connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        if self.id.is_empty() {
            return Ok(());
        }
        sqlx::query!(
            "insert into redemptions (id, campaign_id, number, person, telegram_id, batch, index, source, redeemed_at, \
                                      position) \
             select * from unnest($1::uuid[], $2::uuid[], $3::int[], $4::uuid[], $5::bigint[], $6::int[], $7::int[], \
                                  $8::text[], $9::timestamptz[], $10::bigint[])",
            &self.id,
            &self.campaign,
            &self.number,
            &self.person,
            &self.telegram_id as &[Option<i64>],
            &self.batch as &[Option<i32>],
            &self.index as &[Option<i32>],
            &self.source as &[&str],
            &self.redeemed_at,
            &self.position,
        )
        .execute(connection)
        .await?;
        Ok(())
    }
}
