//! Codes that did not do what their senders hoped, by hour, and whom the bot does
//! not listen to.

use std::collections::BTreeMap;

use aggregates::{Fact, guard};
use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use futures_util::future::BoxFuture;
use sqlx::{FromRow, PgConnection, PgExecutor, Postgres, QueryBuilder};
use uuid::Uuid;

use crate::{
    Event, Projection, ProjectionError,
    page::{Cursor, Key, Page, page},
    stream_uuid,
};

/// The projection.
pub struct Misses;

/// A miss as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Row {
    /// Of its event.
    pub position: i64,
    /// When somebody tried.
    pub at: DateTime<Utc>,
    /// Who.
    pub person: Uuid,
    /// Of which campaign the code was, when it was of one.
    pub campaign_id: Option<Uuid>,
    /// Why: see [`guard::Miss::as_str`].
    pub reason: String,
    /// Through which door: `bot` or `api`.
    pub source: String,
}

/// Which misses to list; `None` matches all.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Of codes of this campaign.
    pub campaign: Option<Uuid>,
    /// By this person.
    pub person: Option<Uuid>,
    /// For this reason.
    pub reason: Option<String>,
    /// At or after.
    pub since: Option<DateTime<Utc>>,
    /// Before.
    pub until: Option<DateTime<Utc>>,
}

/// How many misses there were in an hour.
#[derive(Debug, Clone, PartialEq, FromRow)]
pub struct Hour {
    /// Its first instant.
    pub hour: DateTime<Utc>,
    /// Misses in it.
    pub misses: i64,
    /// Of these, codes that nobody knows.
    pub unknown: i64,
    /// What was usual: the mean of the 24 hours before it.
    pub usual: f64,
}

/// Somebody whom the bot does not listen to.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Lockout {
    /// Who.
    pub person: Uuid,
    /// Since when.
    pub since: DateTime<Utc>,
    /// Until when.
    pub until: DateTime<Utc>,
    /// How many lock-outs in a row this one is.
    pub in_a_row: i32,
}

/// A page of misses, the newest first.
///
/// # Errors
/// What the database says.
pub async fn list(
    executor: impl PgExecutor<'_>,
    filter: &Filter,
    after: Option<&Cursor>,
    limit: i64,
) -> Result<Page<Row>, sqlx::Error> {
    let mut query: QueryBuilder<'_, Postgres> =
        QueryBuilder::new("select position, at, person, campaign_id, reason, source from misses where true");
    if let Some(campaign) = filter.campaign {
        query.push(" and campaign_id = ").push_bind(campaign);
    }
    if let Some(person) = filter.person {
        query.push(" and person = ").push_bind(person);
    }
    if let Some(reason) = &filter.reason {
        query.push(" and reason = ").push_bind(reason);
    }
    if let Some(since) = filter.since {
        query.push(" and at >= ").push_bind(since);
    }
    if let Some(until) = filter.until {
        query.push(" and at < ").push_bind(until);
    }
    if let Some(Cursor { key: Key::Number(position), .. }) = after {
        query.push(" and position < ").push_bind(*position);
    }
    query.push(" order by position desc limit ").push_bind(limit + 1);
    let rows: Vec<Row> = query.build_query_as().fetch_all(executor).await?;
    Ok(page(rows, limit, |row| Cursor { key: Key::Number(row.position), id: row.person }))
}

/// The hours from `since` to `until` in order, those without a miss as well, each
/// with what was usual before it; as many as there are, so whoever asks keeps them few.
///
/// # Errors
/// What the database says.
pub async fn hours(
    executor: impl PgExecutor<'_>,
    campaign: Option<Uuid>,
    since: DateTime<Utc>,
    until: DateTime<Utc>,
) -> Result<Vec<Hour>, sqlx::Error> {
    sqlx::query_as!(
        Hour,
        r#"with counts as (
             select hour, sum(misses)::bigint as misses, coalesce(sum(misses) filter (where reason = 'unknown'), 0)::bigint as unknown
               from miss_hours
              where hour >= $2::timestamptz - interval '24 hours' and hour < $3 and ($1::uuid is null or campaign_id = $1)
              group by hour),
           all_hours as (
             select hour, coalesce(misses, 0) as misses, coalesce(unknown, 0) as unknown
               from generate_series(date_trunc('hour', $2::timestamptz, 'UTC') - interval '24 hours',
                                    $3::timestamptz - interval '1 microsecond', interval '1 hour') as hour
                    left join counts using (hour)),
           beside as (
             select hour, misses, unknown,
                    coalesce(avg(misses) over (order by hour rows between 24 preceding and 1 preceding), 0)::float8 as usual
               from all_hours)
           select hour as "hour!", misses as "misses!", unknown as "unknown!", usual as "usual!"
             from beside where hour >= date_trunc('hour', $2::timestamptz, 'UTC') order by hour"#,
        campaign,
        since,
        until,
    )
    .fetch_all(executor)
    .await
}

/// How many codes of a campaign did not do what was hoped, by reason.
///
/// # Errors
/// What the database says.
pub async fn of_campaign(executor: impl PgExecutor<'_>, campaign: Uuid) -> Result<Vec<(String, i64)>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"select reason, sum(misses)::bigint as "misses!" from miss_hours where campaign_id = $1 group by reason order by reason"#,
        campaign
    )
    .fetch_all(executor)
    .await?;
    Ok(rows.into_iter().map(|row| (row.reason, row.misses)).collect())
}

/// Whom the bot does not listen to at an instant, those who are locked out longest first; at most 1,000.
///
/// # Errors
/// What the database says.
pub async fn locked_out(executor: impl PgExecutor<'_>, now: DateTime<Utc>) -> Result<Vec<Lockout>, sqlx::Error> {
    sqlx::query_as!(
        Lockout,
        "select person, since, until, in_a_row from lockouts where until > $1 order by until desc, person limit 1000",
        now
    )
    .fetch_all(executor)
    .await
}

#[derive(Default)]
struct Columns {
    position: Vec<i64>,
    at: Vec<DateTime<Utc>>,
    person: Vec<Uuid>,
    campaign: Vec<Option<Uuid>>,
    reason: Vec<String>,
    source: Vec<String>,
}

impl Projection for Misses {
    fn name(&self) -> &'static str {
        "misses"
    }

    fn tables(&self) -> &'static [&'static str] {
        &["misses", "miss_hours", "lockouts"]
    }

    fn apply<'a>(
        &'a self,
        connection: &'a mut PgConnection,
        events: &'a [Event],
    ) -> BoxFuture<'a, Result<(), ProjectionError>> {
        Box::pin(async move {
            let mut rows = Columns::default();
            let mut hours: BTreeMap<(DateTime<Utc>, Uuid, &str, &str), i64> = BTreeMap::new();
            for event in events {
                let Fact::Guard(fact) = &event.fact else { continue };
                let person = stream_uuid(event)?;
                let kept = match fact {
                    guard::Event::Missed { miss, campaign, source, at } => {
                        // Of an instant that PostgreSQL can hold, there always is an hour.
                        let hour = at.duration_trunc(TimeDelta::hours(1)).unwrap_or(*at);
                        let counted = (hour, campaign.unwrap_or_default(), miss.as_str(), source.as_str());
                        *hours.entry(counted).or_default() += 1;
                        rows.position.push(event.position);
                        rows.at.push(*at);
                        rows.person.push(person);
                        rows.campaign.push(*campaign);
                        rows.reason.push(miss.as_str().to_owned());
                        rows.source.push(source.as_str().to_owned());
                        Ok(())
                    }
                    guard::Event::LockedOut { until, in_a_row, at } => {
                        lock(connection, person, *at, *until, *in_a_row, event.sequence).await
                    }
                    guard::Event::Lifted { at } => lift(connection, person, *at, event.sequence).await,
                };
                kept.map_err(database)?;
            }
            insert(connection, &rows).await.map_err(database)?;
            for ((hour, campaign, reason, source), misses) in hours {
                count(connection, hour, campaign, reason, source, misses).await.map_err(database)?;
            }
            Ok(())
        })
    }
}

fn database(source: sqlx::Error) -> ProjectionError {
    ProjectionError::Database { projection: "misses", source }
}

async fn insert(connection: &mut PgConnection, rows: &Columns) -> Result<(), sqlx::Error> {
    if rows.position.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "insert into misses (position, at, person, campaign_id, reason, source) \
         select * from unnest($1::bigint[], $2::timestamptz[], $3::uuid[], $4::uuid[], $5::text[], $6::text[])",
        &rows.position,
        &rows.at,
        &rows.person,
        &rows.campaign as &[Option<Uuid>],
        &rows.reason,
        &rows.source,
    )
    .execute(connection)
    .await?;
    Ok(())
}

async fn count(
    connection: &mut PgConnection,
    hour: DateTime<Utc>,
    campaign: Uuid,
    reason: &str,
    source: &str,
    misses: i64,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into miss_hours (hour, campaign_id, reason, source, misses) values ($1, $2, $3, $4, $5) \
         on conflict (hour, campaign_id, reason, source) do update set misses = miss_hours.misses + excluded.misses",
        hour,
        campaign,
        reason,
        source,
        misses,
    )
    .execute(connection)
    .await?;
    Ok(())
}

async fn lock(
    connection: &mut PgConnection,
    person: Uuid,
    since: DateTime<Utc>,
    until: DateTime<Utc>,
    in_a_row: u32,
    version: i64,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into lockouts (person, since, until, in_a_row, version) values ($1, $2, $3, $4, $5) \
         on conflict (person) do update set since = excluded.since, until = excluded.until, \
             in_a_row = excluded.in_a_row, version = excluded.version",
        person,
        since,
        until,
        i32::try_from(in_a_row).unwrap_or(i32::MAX),
        version,
    )
    .execute(connection)
    .await?;
    Ok(())
}

async fn lift(connection: &mut PgConnection, person: Uuid, at: DateTime<Utc>, version: i64) -> Result<(), sqlx::Error> {
    sqlx::query!("update lockouts set until = $2, version = $3 where person = $1", person, at, version)
        .execute(connection)
        .await?;
    Ok(())
}
