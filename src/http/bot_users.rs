//! Who uses the bot, and what for.

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::stream;
use poem_openapi::{Enum, Object, OpenApi, param::Query, payload::Json, types::Example};
use projections::{
    bot_usage,
    bot_users::{self, Filter, Row},
    page::{Cursor, Key},
};
use uuid::Uuid;

use super::{
    Tags,
    auth::{Allowed, BotUsersRead},
    csv::{Columns, PIECE, Table, line, pieces, time},
    params::{At, cursor, example_cursor, shows, usual_limit, usual_wait},
    problem::{Answer, Kind, Problem},
};
use crate::app::App;

pub(super) struct BotUsers(pub(super) App);

/// Whether a person can and wants to be written to.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[oai(rename_all = "snake_case")]
enum BotUserStatus {
    /// Yes.
    Active,
    /// Sent /stop: wants no broadcasts.
    Stopped,
    /// Blocked the bot, or has no account any more.
    Blocked,
}

impl BotUserStatus {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Stopped => "stopped",
            Self::Blocked => "blocked",
        }
    }
}

/// A person who uses the bot.
#[derive(Object)]
#[oai(example, skip_serializing_if_is_none)]
struct BotUser {
    /// Their pseudonym, the same in all broadcasts and campaigns.
    id: Uuid,
    /// Their Telegram user id.
    telegram_id: i64,
    /// First name, as of their last message.
    name: Option<String>,
    /// Their public name, without the `@`.
    username: Option<String>,
    /// The language of their client: an IETF tag in lower case.
    language: Option<String>,
    /// `active`, `stopped` (wants no broadcasts) or `blocked` (nothing reaches them).
    status: String,
    /// How often they used the bot.
    uses: i64,
    /// Their first message.
    first_seen: DateTime<Utc>,
    /// Their last message.
    last_seen: DateTime<Utc>,
}

impl Example for BotUser {
    fn example() -> Self {
        Self {
            id: Uuid::from_u128(0x5d1a_8e62_04b7_8c31_9f05_0193_5c2e_7b4a),
            telegram_id: 123_456_789,
            name: Some("Anna".to_owned()),
            username: Some("anna_gold".to_owned()),
            language: Some("en".to_owned()),
            status: "active".to_owned(),
            uses: 12,
            first_seen: DateTime::from_timestamp(1_800_000_000, 0).unwrap_or_default(),
            last_seen: DateTime::from_timestamp(1_800_003_600, 0).unwrap_or_default(),
        }
    }
}

impl From<Row> for BotUser {
    fn from(row: Row) -> Self {
        Self {
            id: row.person,
            telegram_id: row.telegram_id,
            name: row.name,
            username: row.username,
            language: row.language,
            status: row.status,
            uses: row.uses,
            first_seen: row.first_seen,
            last_seen: row.last_seen,
        }
    }
}

/// A page of people.
#[derive(Object)]
#[oai(example, skip_serializing_if_is_none)]
struct BotUserPage {
    /// The people.
    items: Vec<BotUser>,
    /// The `cursor` of the next page; missing on the last one.
    next_cursor: Option<String>,
}

impl Example for BotUserPage {
    fn example() -> Self {
        Self { items: vec![BotUser::example()], next_cursor: Some(example_cursor()) }
    }
}

/// How often the bot was used for one thing on one day.
#[derive(Object)]
struct Usage {
    /// The day in UTC, as in `2027-01-15`.
    day: String,
    /// What for: `start`, `stop`, `help`, `redeem` (without a code), `code`, `campaigns`, `validate`, `coupons`,
    /// `card`, `answer` (a button below a question), `cancel`, `admin` or `other`.
    command: String,
    /// How often.
    uses: i64,
}

impl From<bot_usage::Row> for Usage {
    fn from(row: bot_usage::Row) -> Self {
        Self { day: row.day.to_string(), command: row.command, uses: row.uses }
    }
}

/// How often the bot was used, by day and by what for.
#[derive(Object)]
#[oai(example)]
struct UsageByDay {
    /// The counts that are not zero, in order.
    items: Vec<Usage>,
}

impl Example for UsageByDay {
    fn example() -> Self {
        Self { items: vec![Usage { day: "2027-01-15".to_owned(), command: "code".to_owned(), uses: 41 }] }
    }
}

struct BotUserTable;

impl Columns for BotUserTable {
    const NAMES: &'static str = "id,telegram_id,name,username,language,status,uses,first_seen,last_seen";
    const EXAMPLE: &'static str = "5d1a8e62-04b7-8c31-9f05-01935c2e7b4a,123456789,Anna,anna_gold,en,active,12,\
                                   2027-01-15T08:00:00.000000Z,2027-01-15T09:00:00.000000Z";
}

struct UsageTable;

impl Columns for UsageTable {
    const NAMES: &'static str = "day,command,uses";
    const EXAMPLE: &'static str = "2027-01-15,code,41";
}

fn row_line(row: &Row) -> String {
    line(&[
        &row.person.to_string(),
        &row.telegram_id.to_string(),
        row.name.as_deref().unwrap_or_default(),
        row.username.as_deref().unwrap_or_default(),
        row.language.as_deref().unwrap_or_default(),
        &row.status,
        &row.uses.to_string(),
        &time(row.first_seen),
        &time(row.last_seen),
    ])
}

fn a_month() -> u32 {
    30
}

#[OpenApi(tag = "Tags::BotUsers")]
impl BotUsers {
    /// List who uses the bot
    ///
    /// A page of the people who match all filters, those who came last first. Holds personal data.
    #[oai(path = "/bot-users", method = "get", operation_id = "listBotUsers")]
    #[allow(clippy::too_many_arguments, reason = "each is a parameter of the operation")]
    async fn list(
        &self,
        _caller: Allowed<BotUsersRead>,
        /// Only people in this status.
        status: Query<Option<BotUserStatus>>,
        /// Only people whose client speaks this language; `pt` means `pt-br`, too.
        #[oai(validator(min_length = 2, max_length = 35, pattern = "^[A-Za-z0-9-]+$"))]
        language: Query<Option<String>>,
        /// Only people who used the bot within so many days.
        #[oai(validator(minimum(value = "1"), maximum(value = "3650")))]
        active_within_days: Query<Option<u32>>,
        /// How many at most.
        #[oai(default = "usual_limit", validator(minimum(value = "1"), maximum(value = "200")))]
        limit: Query<i64>,
        /// `next_cursor` of the page before.
        cursor: Query<Option<String>>,
        /// The position that the read model must have reached: `Promostack-Position` of an earlier answer.
        #[oai(validator(minimum(value = "0")))]
        min_position: Query<Option<i64>>,
        /// How long to wait for `min_position`, in milliseconds.
        #[oai(default = "usual_wait", validator(maximum(value = "30000")))]
        wait_ms: Query<u64>,
    ) -> Answer<Json<BotUserPage>> {
        let after = self::cursor(cursor.0.as_ref(), |cursor| matches!(cursor.key, Key::Time(_)))?;
        shows(&self.0, "bot_users", min_position.0, wait_ms.0).await?;
        let filter = self.filter(status.0, language.0, active_within_days.0);
        let page = bot_users::list(&self.0.pool, &filter, after.as_ref(), limit.0).await?;
        Ok(Json(BotUserPage {
            items: page.rows.into_iter().map(BotUser::from).collect(),
            next_cursor: page.next.map(|cursor| cursor.to_string()),
        }))
    }

    /// Show who somebody is
    ///
    /// By their pseudonym, as it stands on redemptions and in lists of recipients. Holds personal data.
    #[oai(path = "/bot-users/:id", method = "get", operation_id = "getBotUser")]
    async fn show(
        &self,
        _caller: Allowed<BotUsersRead>,
        /// The person's pseudonym.
        id: At<Uuid>,
        /// The position that the read model must have reached: `Promostack-Position` of an earlier answer.
        #[oai(validator(minimum(value = "0")))]
        min_position: Query<Option<i64>>,
        /// How long to wait for `min_position`, in milliseconds.
        #[oai(default = "usual_wait", validator(maximum(value = "30000")))]
        wait_ms: Query<u64>,
    ) -> Answer<Json<BotUser>> {
        shows(&self.0, "bot_users", min_position.0, wait_ms.0).await?;
        let row = bot_users::find(&self.0.pool, id.0).await?.ok_or(Kind::BotUserMissing)?;
        Ok(Json(row.into()))
    }

    /// Export who uses the bot
    ///
    /// All people who match the filters, as CSV. Holds personal data.
    #[oai(path = "/bot-users.csv", method = "get", operation_id = "exportBotUsers")]
    async fn export(
        &self,
        _caller: Allowed<BotUsersRead>,
        /// Only people in this status.
        status: Query<Option<BotUserStatus>>,
        /// Only people whose client speaks this language; `pt` means `pt-br`, too.
        #[oai(validator(min_length = 2, max_length = 35, pattern = "^[A-Za-z0-9-]+$"))]
        language: Query<Option<String>>,
        /// Only people who used the bot within so many days.
        #[oai(validator(minimum(value = "1"), maximum(value = "3650")))]
        active_within_days: Query<Option<u32>>,
    ) -> Answer<Table<BotUserTable>> {
        let filter = self.filter(status.0, language.0, active_within_days.0);
        let pool = self.0.pool.clone();
        let lines = pieces(move |after: Option<Cursor>| {
            let (pool, filter) = (pool.clone(), filter.clone());
            async move {
                let page = bot_users::list(&pool, &filter, after.as_ref(), PIECE).await?;
                Ok::<_, sqlx::Error>((page.rows.iter().map(row_line).collect(), page.next))
            }
        });
        Ok(Table::named("bot-users", lines))
    }

    /// Show what the bot is used for
    ///
    /// How often, by day (UTC) and by what for. Holds no personal data.
    #[oai(path = "/bot-usage", method = "get", operation_id = "getBotUsage")]
    async fn usage(
        &self,
        _caller: Allowed<BotUsersRead>,
        /// Of so many days, today included.
        #[oai(default = "a_month", validator(minimum(value = "1"), maximum(value = "3650")))]
        days: Query<u32>,
        /// The position that the read model must have reached: `Promostack-Position` of an earlier answer.
        #[oai(validator(minimum(value = "0")))]
        min_position: Query<Option<i64>>,
        /// How long to wait for `min_position`, in milliseconds.
        #[oai(default = "usual_wait", validator(maximum(value = "30000")))]
        wait_ms: Query<u64>,
    ) -> Answer<Json<UsageByDay>> {
        shows(&self.0, "bot_usage", min_position.0, wait_ms.0).await?;
        let rows = self.counts(days.0).await?;
        Ok(Json(UsageByDay { items: rows.into_iter().map(Usage::from).collect() }))
    }

    /// Export what the bot is used for
    ///
    /// The same as `getBotUsage`, as CSV.
    #[oai(path = "/bot-usage.csv", method = "get", operation_id = "exportBotUsage")]
    async fn export_usage(
        &self,
        _caller: Allowed<BotUsersRead>,
        /// Of so many days, today included.
        #[oai(default = "a_month", validator(minimum(value = "1"), maximum(value = "3650")))]
        days: Query<u32>,
    ) -> Answer<Table<UsageTable>> {
        let rows = self.counts(days.0).await?;
        let lines = rows.iter().map(|row| line(&[&row.day.to_string(), &row.command, &row.uses.to_string()]));
        let lines: String = lines.collect();
        Ok(Table::named("bot-usage", stream::iter([Ok::<_, sqlx::Error>(lines)])))
    }
}

impl BotUsers {
    fn filter(&self, status: Option<BotUserStatus>, language: Option<String>, days: Option<u32>) -> Filter {
        let since = |days: u32| self.0.clock.now().checked_sub_signed(TimeDelta::days(days.into()));
        Filter {
            status: status.map(BotUserStatus::as_str),
            language: language.map(|language| language.to_lowercase()),
            seen_since: days.and_then(since),
        }
    }

    async fn counts(&self, days: u32) -> Answer<Vec<bot_usage::Row>> {
        let today = self.0.clock.now().date_naive();
        let since = today
            .checked_sub_signed(TimeDelta::days(i64::from(days) - 1))
            .ok_or_else(|| Problem::input("days", "is before the beginning of time"))?;
        Ok(bot_usage::since(&self.0.pool, since).await?)
    }
}
