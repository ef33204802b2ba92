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
    /// Their Telegram user id.
    pub telegram_id: i64,
    /// When it was asked for.
    pub redeemed_at: DateTime<Utc>,
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
        "select id, campaign_id, number, person, telegram_id, redeemed_at, position from redemptions where true",
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
                if let Fact::Campaign(campaign::Event::Redeemed { redemption, number, person, telegram, at }) =
                    &event.fact
                {
                    rows.id.push(*redemption);
                    rows.campaign.push(stream_uuid(event)?);
                    rows.number.push(i32::try_from(*number).unwrap_or(i32::MAX));
                    rows.person.push(person.0);
                    rows.telegram_id.push(telegram.reveal().id);
                    rows.redeemed_at.push(*at);
                    rows.position.push(event.position);
                }
            }
            if rows.id.is_empty() {
                return Ok(());
            }
            rows.insert(connection)
                .await
                .map_err(|source| ProjectionError::Database { projection: "redemptions", source })
        })
    }
}

#[derive(Default)]
struct Columns {
    id: Vec<Uuid>,
    campaign: Vec<Uuid>,
    number: Vec<i32>,
    person: Vec<Uuid>,
    telegram_id: Vec<i64>,
    redeemed_at: Vec<DateTime<Utc>>,
    position: Vec<i64>,
}

impl Columns {
    async fn insert(&self, connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        sqlx::query!(
            "insert into redemptions (id, campaign_id, number, person, telegram_id, redeemed_at, position) \
             select * from unnest($1::uuid[], $2::uuid[], $3::int[], $4::uuid[], $5::bigint[], $6::timestamptz[], \
                                  $7::bigint[])",
            &self.id,
            &self.campaign,
            &self.number,
            &self.person,
            &self.telegram_id,
            &self.redeemed_at,
            &self.position,
        )
        .execute(connection)
        .await?;
        Ok(())
    }
}
