//! Plans as they come in and go out.

use aggregates::plan::{Every, Interval, Status, Terms};
use chrono::{DateTime, Utc};
use poem_openapi::{Enum, Object, types::Example};
use projections::plans::Row;
use serde_json::Value;
use uuid::Uuid;

use super::{
    body::{Fields, Input, text},
    csv::{Columns, line, time},
    mutation::EXAMPLE_ID,
    params::example_cursor,
};

/// Where a plan stands.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[oai(rename_all = "snake_case")]
pub(super) enum PlanStatus {
    /// Can be bought and granted.
    Offered,
    /// Cannot any more. Who has it, keeps it.
    Retired,
}

impl From<PlanStatus> for Status {
    fn from(status: PlanStatus) -> Self {
        match status {
            PlanStatus::Offered => Self::Offered,
            PlanStatus::Retired => Self::Retired,
        }
    }
}

/// A unit of the calendar.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[oai(rename_all = "snake_case")]
pub(super) enum PlanInterval {
    /// 24 hours.
    Day,
    /// Seven days.
    Week,
    /// To the same day of the next month.
    Month,
    /// To the same day of the next year.
    Year,
}

impl PlanInterval {
    fn read(value: Value) -> Result<Interval, String> {
        match value.as_str() {
            Some("day") => Ok(Interval::Day),
            Some("week") => Ok(Interval::Week),
            Some("month") => Ok(Interval::Month),
            Some("year") => Ok(Interval::Year),
            _ => Err("must be day, week, month or year".to_owned()),
        }
    }
}

/// A plan: what the prices at Stripe stand for, and the channel it opens.
#[derive(Object)]
#[oai(example)]
pub(super) struct Plan {
    /// Its id.
    id: Uuid,
    /// What people call it.
    name: String,
    /// `offered` or `retired`.
    status: String,
    /// How many of `interval` pass between two payments.
    interval_count: i32,
    /// `day`, `week`, `month` or `year`.
    interval: String,
    /// Telegram's id of the channel it opens.
    channel: i64,
    /// Ids of the prices at Stripe that stand for it. None: it can only be granted.
    prices: Vec<String>,
    /// When it was defined.
    created_at: DateTime<Utc>,
    /// When it changed last.
    updated_at: DateTime<Utc>,
    /// Its version, which is also its ETag.
    version: i64,
}

impl Example for Plan {
    fn example() -> Self {
        Self {
            id: Uuid::from_u128(EXAMPLE_ID + 4),
            name: "VIP".to_owned(),
            status: "offered".to_owned(),
            interval_count: 1,
            interval: "month".to_owned(),
            channel: -1_001_234_567_890,
            prices: vec!["price_1PgafmB7WZ01zgkW6dKueIc5".to_owned()],
            created_at: DateTime::from_timestamp(1_800_000_000, 0).unwrap_or_default(),
            updated_at: DateTime::from_timestamp(1_800_000_000, 0).unwrap_or_default(),
            version: 1,
        }
    }
}

impl From<Row> for Plan {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            name: row.name,
            status: row.status,
            interval_count: row.every_count,
            interval: row.every_interval,
            channel: row.channel,
            prices: row.prices,
            created_at: row.created_at,
            updated_at: row.updated_at,
            version: row.version,
        }
    }
}

/// A page of plans.
#[derive(Object)]
#[oai(example, skip_serializing_if_is_none)]
pub(super) struct PlanPage {
    /// The plans.
    pub(super) items: Vec<Plan>,
    /// The `cursor` of the next page; missing on the last one.
    pub(super) next_cursor: Option<String>,
}

impl Example for PlanPage {
    fn example() -> Self {
        Self { items: vec![Plan::example()], next_cursor: Some(example_cursor()) }
    }
}

pub(super) struct PlanTable;

impl Columns for PlanTable {
    const NAMES: &'static str = "id,name,status,interval_count,interval,channel,prices,created_at,updated_at,version";
    const EXAMPLE: &'static str = "01935c2e-7b4a-7c31-9f05-5d1a8e6204bb,VIP,offered,1,month,-1001234567890,\
                                   price_1PgafmB7WZ01zgkW6dKueIc5,2027-01-15T08:00:00.000000Z,2027-01-15T08:00:00.000000Z,1";
}

pub(super) fn row_line(row: &Row) -> String {
    line(&[
        &row.id.to_string(),
        &row.name,
        &row.status,
        &row.every_count.to_string(),
        &row.every_interval,
        &row.channel.to_string(),
        &row.prices.join(" "),
        &time(row.created_at),
        &time(row.updated_at),
        &row.version.to_string(),
    ])
}

/// A new plan.
#[derive(Object)]
#[oai(example, skip_serializing_if_is_none, deny_unknown_fields)]
pub(super) struct PlanDraft {
    /// What people call it.
    #[oai(validator(min_length = 1, max_length = 120))]
    name: String,
    /// How many of `interval` pass between two payments; 1 when it is not given.
    #[oai(nullable, validator(minimum(value = "1"), maximum(value = "1000")))]
    interval_count: Option<u16>,
    /// How often it is paid for, for people to read: what is charged is decided by the prices.
    interval: PlanInterval,
    /// Telegram's id of the channel it opens. The bot must be an admin there.
    channel: i64,
    /// Ids of the prices at Stripe that stand for it; at most 100. None: it can only be granted.
    #[oai(nullable, validator(max_items = 100))]
    prices: Option<Vec<String>>,
}

impl Example for PlanDraft {
    fn example() -> Self {
        Self {
            name: "VIP".to_owned(),
            interval_count: Some(1),
            interval: PlanInterval::Month,
            channel: -1_001_234_567_890,
            prices: Some(vec!["price_1PgafmB7WZ01zgkW6dKueIc5".to_owned()]),
        }
    }
}

fn interval_count(value: Value) -> Result<u16, String> {
    let count = value.as_u64().filter(|count| (1..=1_000).contains(count));
    count.and_then(|count| count.try_into().ok()).ok_or_else(|| "must be a whole number from 1 to 1000".to_owned())
}

/// Telegram's id of a chat.
pub(super) fn channel(value: Value) -> Result<i64, String> {
    value.as_i64().filter(|id| *id != 0).ok_or_else(|| "must be a chat's id in Telegram".to_owned())
}

fn prices(value: Value) -> Result<Vec<String>, String> {
    let Value::Array(prices) = value else { return Err("must be a list of ids of prices".to_owned()) };
    prices.into_iter().map(|price| text(price).map_err(|reason| format!("each of them {reason}"))).collect()
}

/// The terms of a new plan, as they were read.
pub(super) struct NewPlan(pub(super) Terms);

impl Input for NewPlan {
    type Document = PlanDraft;

    fn read(fields: &mut Fields) -> Option<Self> {
        let name = fields.required("name", text);
        let count = fields.optional("interval_count", interval_count).unwrap_or(1);
        let interval = fields.required("interval", PlanInterval::read);
        let channel = fields.required("channel", channel);
        let prices = fields.optional("prices", prices).unwrap_or_default();
        let every = Every { count, interval: interval? };
        Some(Self(Terms { name: name?, prices, every, channel: channel? }))
    }
}

/// What to change of a plan: what is not given stays.
#[derive(Object)]
#[oai(example, skip_serializing_if_is_none, deny_unknown_fields)]
pub(super) struct PlanPatch {
    /// What people call it.
    #[oai(validator(min_length = 1, max_length = 120))]
    name: Option<String>,
    /// Telegram's id of the channel it opens.
    channel: Option<i64>,
    /// Ids of the prices at Stripe that stand for it; all of it is replaced.
    #[oai(validator(max_items = 100))]
    prices: Option<Vec<String>>,
}

impl Example for PlanPatch {
    fn example() -> Self {
        let prices = ["price_1PgafmB7WZ01zgkW6dKueIc5", "price_1PgbQRB7WZ01zgkWrbbcLLjs"];
        Self { name: None, channel: None, prices: Some(prices.map(str::to_owned).to_vec()) }
    }
}

/// What to change, as it was read.
pub(super) struct PlanChange {
    pub(super) name: Option<String>,
    pub(super) channel: Option<i64>,
    pub(super) prices: Option<Vec<String>>,
}

impl Input for PlanChange {
    type Document = PlanPatch;

    fn read(fields: &mut Fields) -> Option<Self> {
        Some(Self {
            name: fields.changed("name", text),
            channel: fields.changed("channel", channel),
            prices: fields.changed("prices", prices),
        })
    }
}
