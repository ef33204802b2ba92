//! Numbers of campaigns, counted as things happen, so that to show them costs a
//! row for each day and source and not one for each redemption.

use std::collections::BTreeMap;

use aggregates::{Fact, UniqueCode, campaign, campaign::Terms};
use chrono::{DateTime, NaiveDate, Utc};
use futures_util::future::BoxFuture;
use sqlx::{PgConnection, PgExecutor};
use uuid::Uuid;

use crate::{Event, Projection, ProjectionError, stream_uuid};

/// The projection.
pub struct Statistics;

/// What there is of a campaign's coupons, and what became of them.
/// `issued = redeemed + reserved + available`, where they are limited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Totals {
    /// Unique codes that were made here.
    pub minted: i64,
    /// Unique codes that came from outside.
    pub imported: i64,
    /// Unique codes that were taken back before anybody used them.
    pub revoked: i64,
    /// Unique codes without those taken back, or the limit of the shared code; none: without limit.
    pub issued: Option<i64>,
    /// Coupons that were given to a person.
    pub published: i64,
    /// Reservations that stand.
    pub reserved: i64,
    /// Redemptions that stand.
    pub redeemed: i64,
    /// Redemptions that were rolled back.
    pub released: i64,
    /// What can still be redeemed or reserved; none: without limit.
    pub available: Option<i64>,
    /// The first redemption there ever was.
    pub first_redeemed_at: Option<DateTime<Utc>>,
    /// The last one so far.
    pub last_redeemed_at: Option<DateTime<Utc>>,
}

/// How often something happened to a campaign on a day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Count {
    /// The day, in UTC.
    pub day: NaiveDate,
    /// `redeemed`, `released`, `reserved` or `published`.
    pub what: String,
    /// Of a redemption: through which door it came. Empty for all else.
    pub source: String,
    /// How often.
    pub count: i64,
}

/// All redemptions of a day, in all campaigns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redeemed {
    /// The day, in UTC.
    pub day: NaiveDate,
    /// How many, rolled back since or not.
    pub count: i64,
}

/// The totals of a campaign; none when there is no such campaign.
///
/// # Errors
/// What the database says.
pub async fn totals(executor: impl PgExecutor<'_>, campaign: Uuid) -> Result<Option<Totals>, sqlx::Error> {
    let row = sqlx::query!(
        r#"select shared, total_limit::bigint as total_limit, redeemed, reserved, released, published,
                  first_redeemed_at, last_redeemed_at, minted as "minted!", imported as "imported!",
                  revoked as "revoked!"
             from statistics_totals t
            cross join lateral (
                   select coalesce(sum(count) filter (where b.minted), 0)::bigint as minted,
                          coalesce(sum(count) filter (where not b.minted), 0)::bigint as imported,
                          coalesce(sum(count - taken) filter (where b.revoked), 0)::bigint as revoked
                     from statistics_batches b where b.campaign_id = t.campaign_id) batches
            where campaign_id = $1"#,
        campaign
    )
    .fetch_optional(executor)
    .await?;
    Ok(row.map(|row| {
        let issued = if row.shared { row.total_limit } else { Some(row.minted + row.imported - row.revoked) };
        Totals {
            minted: row.minted,
            imported: row.imported,
            revoked: row.revoked,
            issued,
            published: row.published,
            reserved: row.reserved,
            redeemed: row.redeemed,
            released: row.released,
            // (A release may leave more than a limit that was lowered since.)
            available: issued.map(|issued| (issued - row.redeemed - row.reserved).max(0)),
            first_redeemed_at: row.first_redeemed_at,
            last_redeemed_at: row.last_redeemed_at,
        }
    }))
}

/// What happened to a campaign on the days from `from` to `to`, both included;
/// in order of days, without those on which nothing did.
///
/// # Errors
/// What the database says.
pub async fn days(
    executor: impl PgExecutor<'_>,
    campaign: Uuid,
    from: NaiveDate,
    to: NaiveDate,
) -> Result<Vec<Count>, sqlx::Error> {
    sqlx::query_as!(
        Count,
        "select day, what, source, count from statistics_days where campaign_id = $1 and day between $2 and $3 \
          order by day, what, source",
        campaign,
        from,
        to
    )
    .fetch_all(executor)
    .await
}

/// The redemptions of all campaigns on the days from `from` to `to`, both
/// included; in order, without days that had none.
///
/// # Errors
/// What the database says.
pub async fn redeemed(
    executor: impl PgExecutor<'_>,
    from: NaiveDate,
    to: NaiveDate,
) -> Result<Vec<Redeemed>, sqlx::Error> {
    sqlx::query_as!(
        Redeemed,
        r#"select day, sum(count)::bigint as "count!" from statistics_days
            where what = 'redeemed' and day between $1 and $2 group by day order by day"#,
        from,
        to
    )
    .fetch_all(executor)
    .await
}

impl Projection for Statistics {
    fn name(&self) -> &'static str {
        "statistics"
    }

    fn tables(&self) -> &'static [&'static str] {
        &["statistics_totals", "statistics_days", "statistics_batches", "statistics_held"]
    }

    fn apply<'a>(
        &'a self,
        connection: &'a mut PgConnection,
        events: &'a [Event],
    ) -> BoxFuture<'a, Result<(), ProjectionError>> {
        Box::pin(async move {
            let failed = |source| ProjectionError::Database { projection: "statistics", source };
            let mut sums = Sums::default();
            for event in events {
                let Fact::Campaign(fact) = &event.fact else { continue };
                let campaign = stream_uuid(event)?;
                sums.take(connection, campaign, fact).await.map_err(failed)?;
            }
            sums.write(connection).await.map_err(failed)
        })
    }
}

/// What changes in the totals of one campaign.
#[derive(Default)]
struct Change {
    redeemed: i64,
    reserved: i64,
    released: i64,
    published: i64,
    first_redeemed_at: Option<DateTime<Utc>>,
    last_redeemed_at: Option<DateTime<Utc>>,
}

/// Events added up, to be written in a few statements.
#[derive(Default)]
struct Sums {
    totals: BTreeMap<Uuid, Change>,
    days: BTreeMap<(Uuid, NaiveDate, &'static str, &'static str), i64>,
    /// By batch.
    taken: BTreeMap<i32, i32>,
}

impl Sums {
    async fn take(
        &mut self,
        connection: &mut PgConnection,
        campaign: Uuid,
        fact: &campaign::Event,
    ) -> Result<(), sqlx::Error> {
        match fact {
            campaign::Event::Drafted { terms, at: _ } | campaign::Event::TermsChanged { terms, .. } => {
                write_terms(connection, campaign, terms).await
            }
            campaign::Event::BatchMinted { batch, count, at: _ } => {
                write_batch(connection, campaign, *batch, true, *count as i32).await
            }
            campaign::Event::BatchImported { batch, codes, at: _ } => {
                write_batch(connection, campaign, *batch, false, codes.len() as i32).await
            }
            campaign::Event::BatchRevoked { batch, at: _ } => {
                sqlx::query!("update statistics_batches set revoked = true where batch = $1", *batch as i32)
                    .execute(connection)
                    .await?;
                Ok(())
            }
            campaign::Event::Published { at, .. } => {
                self.of(campaign).published += 1;
                self.count(campaign, *at, "published", "");
                Ok(())
            }
            campaign::Event::Reserved { reservation, coupon, at, .. } => {
                self.of(campaign).reserved += 1;
                self.count(campaign, *at, "reserved", "");
                self.held(*coupon, 1);
                hold(connection, *reservation, *coupon).await
            }
            campaign::Event::ReservationEnded { reservation, .. } => {
                self.let_go(connection, campaign, *reservation).await
            }
            campaign::Event::Redeemed { coupon, reservation, source, at, .. } => {
                let change = self.of(campaign);
                change.redeemed += 1;
                change.first_redeemed_at = Some(change.first_redeemed_at.map_or(*at, |first| first.min(*at)));
                change.last_redeemed_at = Some(change.last_redeemed_at.map_or(*at, |last| last.max(*at)));
                self.count(campaign, *at, "redeemed", source.as_str());
                self.held(*coupon, 1);
                match reservation {
                    Some(reservation) => self.let_go(connection, campaign, *reservation).await,
                    None => Ok(()),
                }
            }
            campaign::Event::Released { coupon, at, .. } => {
                let change = self.of(campaign);
                change.redeemed -= 1;
                change.released += 1;
                self.count(campaign, *at, "released", "");
                self.held(*coupon, -1);
                Ok(())
            }
            campaign::Event::Scheduled { .. }
            | campaign::Event::Activated { .. }
            | campaign::Event::Paused { .. }
            | campaign::Event::Resumed { .. }
            | campaign::Event::Ended { .. }
            | campaign::Event::Archived { .. }
            | campaign::Event::CardDesigned { .. } => Ok(()),
        }
    }

    fn of(&mut self, campaign: Uuid) -> &mut Change {
        self.totals.entry(campaign).or_default()
    }

    fn count(&mut self, campaign: Uuid, at: DateTime<Utc>, what: &'static str, source: &'static str) {
        *self.days.entry((campaign, at.date_naive(), what, source)).or_default() += 1;
    }

    fn held(&mut self, coupon: Option<UniqueCode>, by: i32) {
        if let Some(code) = coupon {
            *self.taken.entry(code.batch as i32).or_default() += by;
        }
    }

    async fn let_go(
        &mut self,
        connection: &mut PgConnection,
        campaign: Uuid,
        reservation: Uuid,
    ) -> Result<(), sqlx::Error> {
        self.of(campaign).reserved -= 1;
        let batch =
            sqlx::query_scalar!("delete from statistics_held where reservation = $1 returning batch", reservation)
                .fetch_optional(connection)
                .await?;
        if let Some(batch) = batch {
            *self.taken.entry(batch).or_default() -= 1;
        }
        Ok(())
    }

    async fn write(self, connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        if !self.totals.is_empty() {
            self.write_totals(connection).await?;
        }
        if !self.days.is_empty() {
            let campaigns: Vec<Uuid> = self.days.keys().map(|(campaign, ..)| *campaign).collect();
            let days: Vec<NaiveDate> = self.days.keys().map(|(_, day, ..)| *day).collect();
            let whats: Vec<&str> = self.days.keys().map(|(_, _, what, _)| *what).collect();
            let sources: Vec<&str> = self.days.keys().map(|(.., source)| *source).collect();
            let counts: Vec<i64> = self.days.values().copied().collect();
            sqlx::query!(
                "insert into statistics_days (campaign_id, day, what, source, count) \
                 select * from unnest($1::uuid[], $2::date[], $3::text[], $4::text[], $5::bigint[]) \
                 on conflict (campaign_id, day, what, source) \
                 do update set count = statistics_days.count + excluded.count",
                &campaigns,
                &days,
                &whats as &[&str],
                &sources as &[&str],
                &counts,
            )
            .execute(&mut *connection)
            .await?;
        }
        if !self.taken.is_empty() {
            let batches: Vec<i32> = self.taken.keys().copied().collect();
            let taken: Vec<i32> = self.taken.values().copied().collect();
            sqlx::query!(
                "update statistics_batches b set taken = b.taken + c.taken \
                   from unnest($1::int[], $2::int[]) as c (batch, taken) where b.batch = c.batch",
                &batches,
                &taken,
            )
            .execute(&mut *connection)
            .await?;
        }
        Ok(())
    }

    async fn write_totals(&self, connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        let campaigns: Vec<Uuid> = self.totals.keys().copied().collect();
        let numbers = |of: fn(&Change) -> i64| self.totals.values().map(of).collect::<Vec<i64>>();
        let times = |of: fn(&Change) -> Option<DateTime<Utc>>| self.totals.values().map(of).collect::<Vec<_>>();
        sqlx::query!(
            "update statistics_totals t \
                set redeemed = t.redeemed + c.redeemed, reserved = t.reserved + c.reserved, \
                    released = t.released + c.released, published = t.published + c.published, \
                    first_redeemed_at = least(t.first_redeemed_at, c.first_redeemed_at), \
                    last_redeemed_at = greatest(t.last_redeemed_at, c.last_redeemed_at) \
               from unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::timestamptz[], \
                           $7::timestamptz[]) \
                    as c (campaign_id, redeemed, reserved, released, published, first_redeemed_at, last_redeemed_at) \
              where t.campaign_id = c.campaign_id",
            &campaigns,
            &numbers(|change| change.redeemed),
            &numbers(|change| change.reserved),
            &numbers(|change| change.released),
            &numbers(|change| change.published),
            &times(|change| change.first_redeemed_at) as &[Option<DateTime<Utc>>],
            &times(|change| change.last_redeemed_at) as &[Option<DateTime<Utc>>],
        )
        .execute(connection)
        .await?;
        Ok(())
    }
}

async fn write_terms(connection: &mut PgConnection, campaign: Uuid, terms: &Terms) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into statistics_totals (campaign_id, shared, total_limit) values ($1, $2, $3) \
         on conflict (campaign_id) do update set shared = $2, total_limit = $3",
        campaign,
        terms.code.is_some(),
        terms.total_limit.map(|limit| i32::try_from(limit).unwrap_or(i32::MAX)),
    )
    .execute(connection)
    .await?;
    Ok(())
}

async fn write_batch(
    connection: &mut PgConnection,
    campaign: Uuid,
    batch: u32,
    minted: bool,
    count: i32,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into statistics_batches (batch, campaign_id, minted, count) values ($1, $2, $3, $4)",
        batch as i32,
        campaign,
        minted,
        count,
    )
    .execute(connection)
    .await?;
    Ok(())
}

async fn hold(connection: &mut PgConnection, reservation: Uuid, coupon: Option<UniqueCode>) -> Result<(), sqlx::Error> {
    let Some(code) = coupon else { return Ok(()) };
    sqlx::query!("insert into statistics_held (reservation, batch) values ($1, $2)", reservation, code.batch as i32)
        .execute(connection)
        .await?;
    Ok(())
}
