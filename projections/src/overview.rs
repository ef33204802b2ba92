//! A few numbers over all read models, for who wants to know how things are going.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgExecutor;

/// The numbers as of an instant.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Numbers {
    /// Campaigns that can be redeemed.
    pub active_campaigns: i64,
    /// Redemptions since midnight (UTC), rolled back since or not.
    pub redeemed_today: i64,
    /// Redemptions on the last seven days, today included.
    pub redeemed_week: i64,
    /// Codes since midnight that were no good.
    pub missed_today: i64,
    /// People who used the bot in the last seven days.
    pub people_week: i64,
    /// People who can and want to be written to.
    pub reachable: i64,
    /// Submissions that wait for somebody.
    pub pending: i64,
}

/// The numbers as of `now`.
///
/// # Errors
/// What the database says.
pub async fn numbers(executor: impl PgExecutor<'_>, now: DateTime<Utc>) -> Result<Numbers, sqlx::Error> {
    let midnight = now.date_naive().and_time(chrono::NaiveTime::MIN).and_utc();
    sqlx::query_as!(
        Numbers,
        r#"select (select count(*) from campaigns where status = 'active') as "active_campaigns!",
                  (select coalesce(sum(count), 0)::bigint from statistics_days
                    where what = 'redeemed' and day >= $3) as "redeemed_today!",
                  (select coalesce(sum(count), 0)::bigint from statistics_days
                    where what = 'redeemed' and day > $3 - 7) as "redeemed_week!",
                  (select coalesce(sum(misses), 0)::bigint from miss_hours where hour >= $1) as "missed_today!",
                  (select count(*) from bot_users where last_seen >= $2) as "people_week!",
                  (select count(*) from bot_users where status = 'active') as "reachable!",
                  (select count(*) from submissions where status = 'pending') as "pending!""#,
        midnight,
        now - TimeDelta::days(7),
        now.date_naive(),
    )
    .fetch_one(executor)
    .await
}
