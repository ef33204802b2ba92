//! Numbers of campaigns.

use std::collections::BTreeMap;

use chrono::{DateTime, Days, NaiveDate, NaiveTime, TimeDelta, Utc};
use futures_util::stream;
use poem_openapi::{Object, OpenApi, param::Query, payload::Json, types::Example};
use projections::{
    campaigns, misses,
    page::is_usual,
    statistics::{self, Count, Totals},
};
use uuid::Uuid;

use super::{
    Tags,
    auth::{Allowed, CampaignsRead},
    csv::{Columns, Table, line},
    mutation::EXAMPLE_ID,
    params::{At, UNUSUAL, shows, usual_wait},
    problem::{Answer, Kind, Problem},
};
use crate::app::App;

/// The most days in one answer: ten years.
const MOST_DAYS: i64 = 3_660;
/// Days in an answer when nothing is said, today included.
const USUAL_DAYS: u64 = 30;
/// How soon is soon.
const SOON: TimeDelta = TimeDelta::days(7);
/// The most campaigns that end soon in one answer.
const ENDING: i64 = 100;

pub(super) struct Statistics(pub(super) App);

/// A day of a campaign.
#[derive(Object)]
#[oai(example)]
struct Day {
    /// The day in UTC, as in `2027-01-15`.
    day: String,
    /// Redemptions made on it, rolled back since or not.
    redeemed: i64,
    /// Redemptions rolled back on it, whenever they were made.
    released: i64,
    /// Reservations made on it.
    reserved: i64,
    /// Coupons given to a person on it.
    published: i64,
}

impl Example for Day {
    fn example() -> Self {
        Self { day: "2027-01-15".to_owned(), redeemed: 17, released: 1, reserved: 3, published: 20 }
    }
}

/// The redemptions that came through one door.
#[derive(Object)]
struct BySource {
    /// Through which door: `bot` or `api`.
    source: String,
    /// Redemptions made, rolled back since or not.
    redeemed: i64,
}

/// The attempts that failed for one reason.
#[derive(Object)]
struct ByReason {
    /// Why: a word of `MissReason`.
    reason: String,
    /// How many there were.
    misses: i64,
}

/// The numbers of a campaign.
#[derive(Object)]
#[oai(example, skip_serializing_if_is_none)]
struct CampaignStatistics {
    /// Of which campaign.
    campaign_id: Uuid,
    /// Unique codes that were made here.
    minted: i64,
    /// Unique codes that came from outside.
    imported: i64,
    /// Unique codes that were taken back before anybody used them.
    revoked: i64,
    /// What there is to redeem: the unique codes that were not taken back, or the limit of the shared code. Missing for a
    /// shared code without limit. Always `redeemed + reserved + available`.
    issued: Option<i64>,
    /// Coupons that were given to a person.
    published: i64,
    /// Reservations that stand.
    reserved: i64,
    /// Redemptions that stand.
    redeemed: i64,
    /// Redemptions that were rolled back.
    released: i64,
    /// What can still be redeemed or reserved. Missing for a shared code without limit.
    available: Option<i64>,
    /// `redeemed` divided by `issued`, from 0 to 1: of unique codes, the share that was used; of a shared code, the share of
    /// its limit. Missing where it means nothing: for a shared code without limit, and before there is any code.
    conversion: Option<f64>,
    /// The first redemption, rolled back since or not.
    first_redeemed_at: Option<DateTime<Utc>>,
    /// The last redemption so far, rolled back since or not.
    last_redeemed_at: Option<DateTime<Utc>>,
    /// Redemptions from `from` to `to`, by the door they came through; the most first.
    by_source: Vec<BySource>,
    /// Attempts with a code of this campaign that failed, by reason; see `listMisses`.
    misses: Vec<ByReason>,
    /// Every day from `from` to `to`, in order, those without any event included.
    days: Vec<Day>,
}

impl Example for CampaignStatistics {
    fn example() -> Self {
        Self {
            campaign_id: Uuid::from_u128(EXAMPLE_ID),
            minted: 10_000,
            imported: 0,
            revoked: 0,
            issued: Some(10_000),
            published: 320,
            reserved: 3,
            redeemed: 250,
            released: 1,
            available: Some(9_747),
            conversion: Some(0.025),
            first_redeemed_at: DateTime::from_timestamp(1_800_003_600, 0),
            last_redeemed_at: DateTime::from_timestamp(1_800_090_000, 0),
            by_source: vec![BySource { source: "bot".to_owned(), redeemed: 17 }],
            misses: vec![ByReason { reason: "code_used".to_owned(), misses: 4 }],
            days: vec![Day::example()],
        }
    }
}

impl CampaignStatistics {
    fn new(campaign: Uuid, totals: Totals, counts: &[Count], misses: Vec<(String, i64)>, days: Vec<Day>) -> Self {
        let mut sources: BTreeMap<&str, i64> = BTreeMap::new();
        for count in counts.iter().filter(|count| count.what == "redeemed") {
            *sources.entry(&count.source).or_default() += count.count;
        }
        let mut by_source: Vec<_> =
            sources.into_iter().map(|(source, redeemed)| BySource { source: source.to_owned(), redeemed }).collect();
        by_source.sort_by_key(|source| std::cmp::Reverse(source.redeemed));
        let conversion = |issued: i64| totals.redeemed as f64 / issued as f64;
        Self {
            campaign_id: campaign,
            conversion: totals.issued.filter(|issued| *issued > 0).map(conversion),
            minted: totals.minted,
            imported: totals.imported,
            revoked: totals.revoked,
            issued: totals.issued,
            published: totals.published,
            reserved: totals.reserved,
            redeemed: totals.redeemed,
            released: totals.released,
            available: totals.available,
            first_redeemed_at: totals.first_redeemed_at,
            last_redeemed_at: totals.last_redeemed_at,
            by_source,
            misses: misses.into_iter().map(|(reason, misses)| ByReason { reason, misses }).collect(),
            days,
        }
    }
}

struct DayTable;

impl Columns for DayTable {
    const NAMES: &'static str = "day,redeemed,released,reserved,published";
    const EXAMPLE: &'static str = "2027-01-15,17,1,3,20";
}

/// The redemptions of a period and of the one before it, which was as long.
#[derive(Object)]
struct Compared {
    /// Redemptions made, rolled back since or not.
    redeemed: i64,
    /// The same in the period before.
    before: i64,
}

/// How many campaigns are in each status.
#[derive(Object, Default)]
struct CampaignCounts {
    /// Being written.
    draft: i64,
    /// Open by themselves when they start.
    scheduled: i64,
    /// Can be redeemed.
    active: i64,
    /// Stopped for now.
    paused: i64,
    /// Stopped for good.
    ended: i64,
    /// Put away.
    archived: i64,
}

/// A campaign that ends soon.
#[derive(Object)]
#[oai(skip_serializing_if_is_none)]
struct Ending {
    /// Its id.
    id: Uuid,
    /// Its name.
    name: String,
    /// `scheduled`, `active` or `paused`.
    status: String,
    /// First instant at which it can no longer be redeemed.
    ends_at: Option<DateTime<Utc>>,
    /// Redemptions that stand.
    redeemed: i32,
}

/// The numbers of all campaigns.
#[derive(Object)]
#[oai(example)]
struct Overview {
    /// How many there are, by status.
    campaigns: CampaignCounts,
    /// Redemptions since midnight (UTC), beside those of all of yesterday.
    today: Compared,
    /// Of the last 7 days, today included, beside the 7 days before.
    last_7_days: Compared,
    /// Of the last 30 days, today included, beside the 30 days before.
    last_30_days: Compared,
    /// Campaigns that end within 7 days, the next one first; the first 100 of them.
    ending_soon: Vec<Ending>,
}

impl Example for Overview {
    fn example() -> Self {
        Self {
            campaigns: CampaignCounts { draft: 2, active: 3, ended: 11, ..CampaignCounts::default() },
            today: Compared { redeemed: 17, before: 41 },
            last_7_days: Compared { redeemed: 230, before: 198 },
            last_30_days: Compared { redeemed: 812, before: 640 },
            ending_soon: vec![Ending {
                id: Uuid::from_u128(EXAMPLE_ID),
                name: "Gold week".to_owned(),
                status: "active".to_owned(),
                ends_at: DateTime::from_timestamp(1_800_604_800, 0),
                redeemed: 17,
            }],
        }
    }
}

#[OpenApi(tag = "Tags::Campaigns")]
impl Statistics {
    /// Show the numbers of all campaigns
    ///
    /// What is going on: campaigns by status, redemptions of the last days beside the days before, and what ends soon.
    #[oai(path = "/statistics", method = "get", operation_id = "getStatistics")]
    async fn overview(
        &self,
        _caller: Allowed<CampaignsRead>,
        /// The position that the read model must have reached: `Promostack-Position` of an earlier answer.
        #[oai(validator(minimum(value = "0")))]
        min_position: Query<Option<i64>>,
        /// How long to wait for `min_position`, in milliseconds.
        #[oai(default = "usual_wait", validator(maximum(value = "30000")))]
        wait_ms: Query<u64>,
    ) -> Answer<Json<Overview>> {
        for read_model in ["campaigns", "statistics"] {
            shows(&self.0, read_model, min_position.0, wait_ms.0).await?;
        }
        let now = self.0.clock.now();
        let today = now.date_naive();
        let mut campaigns = CampaignCounts::default();
        for (status, count) in campaigns::by_status(&self.0.pool).await? {
            match status.as_str() {
                "draft" => campaigns.draft = count,
                "scheduled" => campaigns.scheduled = count,
                "active" => campaigns.active = count,
                "paused" => campaigns.paused = count,
                "ended" => campaigns.ended = count,
                "archived" => campaigns.archived = count,
                // Written by a newer version than this one.
                _ => return Err(Kind::Internal.into()),
            }
        }
        let redeemed = statistics::redeemed(&self.0.pool, back(today, 59), today).await?;
        let sum = |first: u64, last: u64| {
            let (first, last) = (back(today, first), back(today, last));
            redeemed.iter().filter(|day| day.day >= first && day.day <= last).map(|day| day.count).sum()
        };
        let of = |days: u64| Compared { redeemed: sum(days - 1, 0), before: sum(2 * days - 1, days) };
        let ending = campaigns::ending(&self.0.pool, now, now + SOON, ENDING).await?;
        let ending = ending.into_iter().map(|row| Ending {
            id: row.id,
            name: row.name,
            status: row.status,
            ends_at: row.ends_at,
            redeemed: row.redeemed,
        });
        Ok(Json(Overview {
            campaigns,
            today: of(1),
            last_7_days: of(7),
            last_30_days: of(30),
            ending_soon: ending.collect(),
        }))
    }

    /// Show a campaign's numbers
    ///
    /// The totals are as of now; `days` and `by_source` count what happened on the days from `from` to `to`, in UTC.
    #[oai(path = "/campaigns/:id/statistics", method = "get", operation_id = "getCampaignStatistics")]
    async fn of_campaign(
        &self,
        _caller: Allowed<CampaignsRead>,
        /// The campaign's id.
        id: At<Uuid>,
        /// The first day; without it, 29 days before the last one.
        from: Query<Option<NaiveDate>>,
        /// The last day, at most 3,660 days in all; without it, today.
        to: Query<Option<NaiveDate>>,
        /// The position that the read model must have reached: `Promostack-Position` of an earlier answer.
        #[oai(validator(minimum(value = "0")))]
        min_position: Query<Option<i64>>,
        /// How long to wait for `min_position`, in milliseconds.
        #[oai(default = "usual_wait", validator(maximum(value = "30000")))]
        wait_ms: Query<u64>,
    ) -> Answer<Json<CampaignStatistics>> {
        let (from, to) = self.period(from.0, to.0)?;
        for read_model in ["statistics", "misses"] {
            shows(&self.0, read_model, min_position.0, wait_ms.0).await?;
        }
        // One snapshot, so that the days add up to the totals.
        let mut snapshot = self.0.pool.begin_with("begin isolation level repeatable read read only").await?;
        let totals = statistics::totals(&mut *snapshot, id.0).await?.ok_or(Kind::CampaignMissing)?;
        let counts = statistics::days(&mut *snapshot, id.0, from, to).await?;
        let misses = misses::of_campaign(&mut *snapshot, id.0).await?;
        snapshot.commit().await?;
        let days = dense(&counts, from, to);
        Ok(Json(CampaignStatistics::new(id.0, totals, &counts, misses, days)))
    }

    /// Export a campaign's days
    ///
    /// The `days` of `getCampaignStatistics`, as CSV.
    #[oai(path = "/campaigns/:id/statistics.csv", method = "get", operation_id = "exportCampaignStatistics")]
    async fn export(
        &self,
        _caller: Allowed<CampaignsRead>,
        /// The campaign's id.
        id: At<Uuid>,
        /// The first day; without it, 29 days before the last one.
        from: Query<Option<NaiveDate>>,
        /// The last day, at most 3,660 days in all; without it, today.
        to: Query<Option<NaiveDate>>,
    ) -> Answer<Table<DayTable>> {
        let (from, to) = self.period(from.0, to.0)?;
        statistics::totals(&self.0.pool, id.0).await?.ok_or(Kind::CampaignMissing)?;
        let counts = statistics::days(&self.0.pool, id.0, from, to).await?;
        let lines: String = dense(&counts, from, to).iter().map(day_line).collect();
        Ok(Table::named("statistics", stream::iter([Ok::<_, sqlx::Error>(lines)])))
    }
}

impl Statistics {
    fn period(&self, from: Option<NaiveDate>, to: Option<NaiveDate>) -> Answer<(NaiveDate, NaiveDate)> {
        let to = to.unwrap_or_else(|| self.0.clock.now().date_naive());
        let from = from.unwrap_or_else(|| back(to, USUAL_DAYS - 1));
        for (name, day) in [("from", from), ("to", to)] {
            if !is_usual(&day.and_time(NaiveTime::MIN).and_utc()) {
                return Err(Problem::input(name, UNUSUAL));
            }
        }
        match (to - from).num_days() {
            ..0 => Err(Problem::input("from", "must not be after to")),
            MOST_DAYS.. => Err(Problem::input("from", format!("must be less than {MOST_DAYS} days before to"))),
            _ => Ok((from, to)),
        }
    }
}

/// So many days before a day.
fn back(day: NaiveDate, days: u64) -> NaiveDate {
    // Only the first days of time have none before them.
    day.checked_sub_days(Days::new(days)).unwrap_or(day)
}

/// Every day of a period, with what happened on it.
fn dense(counts: &[Count], from: NaiveDate, to: NaiveDate) -> Vec<Day> {
    let mut counts = counts.iter().peekable();
    let days = from.iter_days().take_while(|day| *day <= to).map(|date| {
        let mut day = Day { day: date.to_string(), redeemed: 0, released: 0, reserved: 0, published: 0 };
        while let Some(count) = counts.next_if(|count| count.day <= date) {
            match count.what.as_str() {
                "redeemed" => day.redeemed += count.count,
                "released" => day.released += count.count,
                "reserved" => day.reserved += count.count,
                "published" => day.published += count.count,
                // Counted by a newer version than this one.
                _ => {}
            }
        }
        day
    });
    days.collect()
}

fn day_line(day: &Day) -> String {
    let number = |number: i64| number.to_string();
    line(&[&day.day, &number(day.redeemed), &number(day.released), &number(day.reserved), &number(day.published)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_without_events_are_there() {
        let date = |day| NaiveDate::from_ymd_opt(2027, 2, day).unwrap();
        let count = |day, what: &str, source: &str, count| Count {
            day: date(day),
            what: what.to_owned(),
            source: source.to_owned(),
            count,
        };
        let counts = [count(27, "redeemed", "api", 2), count(27, "redeemed", "bot", 3), count(28, "released", "", 1)];
        let to = NaiveDate::from_ymd_opt(2027, 3, 2).unwrap();
        let days: Vec<_> =
            dense(&counts, date(26), to).into_iter().map(|day| (day.day, day.redeemed, day.released)).collect();
        let wanted = [("2027-02-26", 0, 0), ("2027-02-27", 5, 0), ("2027-02-28", 0, 1), ("2027-03-01", 0, 0)];
        let wanted = wanted.into_iter().chain([("2027-03-02", 0, 0)]);
        assert_eq!(days, wanted.map(|(day, one, two)| (day.to_owned(), one, two)).collect::<Vec<_>>());
    }
}
