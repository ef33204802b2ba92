//! Failed attempts and lock-outs as they go out.

use aggregates::guard::Miss;
use chrono::{DateTime, Utc};
use poem_openapi::{Enum, Object, types::Example};
use projections::{
    misses::{self, Row},
    page::{Cursor, Key},
};
use uuid::Uuid;

use super::{
    csv::{Columns, line, maybe, time},
    mutation::EXAMPLE_ID,
};

/// Why a code did not do what its sender hoped.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[oai(rename_all = "snake_case")]
pub(super) enum MissReason {
    /// Nobody knows it.
    Unknown,
    /// Its check symbol says that it was typed wrong.
    Mistyped,
    /// The campaign is not open.
    NotOpen,
    /// It starts later.
    NotStarted,
    /// It is over.
    Over,
    /// Nothing is left.
    Exhausted,
    /// The person had it as often as they may.
    PersonLimit,
    /// The person had others of the campaign as often as they may, and this one is not known to be theirs.
    OverLimit,
    /// It is for others.
    NotHolder,
    /// The purchase is too small.
    BelowMinimum,
    /// Somebody had it.
    CodeUsed,
    /// It was taken back.
    CodeRevoked,
    /// The campaign's questions were not answered.
    Unanswered,
    /// It does not go with its reservation.
    Reservation,
}

impl From<MissReason> for Miss {
    fn from(reason: MissReason) -> Self {
        match reason {
            MissReason::Unknown => Self::Unknown,
            MissReason::Mistyped => Self::Mistyped,
            MissReason::NotOpen => Self::NotOpen,
            MissReason::NotStarted => Self::NotStarted,
            MissReason::Over => Self::Over,
            MissReason::Exhausted => Self::Exhausted,
            MissReason::PersonLimit => Self::PersonLimit,
            MissReason::OverLimit => Self::OverLimit,
            MissReason::NotHolder => Self::NotHolder,
            MissReason::BelowMinimum => Self::BelowMinimum,
            MissReason::CodeUsed => Self::CodeUsed,
            MissReason::CodeRevoked => Self::CodeRevoked,
            MissReason::Unanswered => Self::Unanswered,
            MissReason::Reservation => Self::Reservation,
        }
    }
}

/// A code that did not do what its sender hoped. The code itself is not kept: it may be a good one of somebody else.
#[derive(Object)]
#[oai(example, skip_serializing_if_is_none)]
pub(super) struct MissedCode {
    /// Of its event in the log.
    pub(super) position: i64,
    /// When it was tried.
    pub(super) at: DateTime<Utc>,
    /// By whom: their pseudonym.
    pub(super) person: Uuid,
    /// Of which campaign the code was, when it was of one.
    pub(super) campaign_id: Option<Uuid>,
    /// Why: a word of `MissReason`.
    pub(super) reason: String,
    /// Through which door: `bot` or `api`.
    pub(super) source: String,
}

impl Example for MissedCode {
    fn example() -> Self {
        Self {
            position: 1042,
            at: DateTime::from_timestamp(1_800_003_600, 0).unwrap_or_default(),
            person: Uuid::from_u128(0x5d1a_8e62_04b7_8c31_9f05_0193_5c2e_7b4a),
            campaign_id: Some(Uuid::from_u128(EXAMPLE_ID)),
            reason: "code_used".to_owned(),
            source: "bot".to_owned(),
        }
    }
}

impl From<Row> for MissedCode {
    fn from(row: Row) -> Self {
        let Row { position, at, person, campaign_id, reason, source } = row;
        Self { position, at, person, campaign_id, reason, source }
    }
}

/// A page of misses.
#[derive(Object)]
#[oai(example, skip_serializing_if_is_none)]
pub(super) struct MissPage {
    /// The misses.
    pub(super) items: Vec<MissedCode>,
    /// The `cursor` of the next page; missing on the last one.
    pub(super) next_cursor: Option<String>,
}

impl Example for MissPage {
    fn example() -> Self {
        let cursor = Cursor { key: Key::Number(1042), id: Uuid::from_u128(EXAMPLE_ID + 1) };
        Self { items: vec![MissedCode::example()], next_cursor: Some(cursor.to_string()) }
    }
}

/// The misses of an hour.
#[derive(Object)]
pub(super) struct MissHour {
    /// Its first instant, in UTC.
    pub(super) hour: DateTime<Utc>,
    /// How many there were.
    pub(super) misses: i64,
    /// How many of them were codes that nobody knows: what guessing looks like.
    pub(super) unknown: i64,
    /// What was usual: the mean of the 24 hours before it.
    pub(super) usual: f64,
    /// Whether it stands out: at least 20 misses, and more than 3 times what was usual.
    pub(super) spike: bool,
}

/// Misses by hour.
#[derive(Object)]
#[oai(example)]
pub(super) struct MissHours {
    /// Every hour of the time asked for, in order, also those without any.
    pub(super) items: Vec<MissHour>,
}

impl Example for MissHours {
    fn example() -> Self {
        let hour = DateTime::from_timestamp(1_800_003_600, 0).unwrap_or_default();
        Self { items: vec![MissHour { hour, misses: 211, unknown: 209, usual: 3.5, spike: true }] }
    }
}

/// Somebody whose codes the bot does not look at for a while.
#[derive(Object)]
#[oai(example)]
pub(super) struct Lockout {
    /// Their pseudonym.
    pub(super) person: Uuid,
    /// Since when.
    pub(super) since: DateTime<Utc>,
    /// Until when.
    pub(super) until: DateTime<Utc>,
    /// How many in a row it is; each lasts twice as long as the one before, a day at the most.
    pub(super) in_a_row: i32,
}

impl Example for Lockout {
    fn example() -> Self {
        Self {
            person: Uuid::from_u128(0x5d1a_8e62_04b7_8c31_9f05_0193_5c2e_7b4a),
            since: DateTime::from_timestamp(1_800_003_600, 0).unwrap_or_default(),
            until: DateTime::from_timestamp(1_800_004_500, 0).unwrap_or_default(),
            in_a_row: 1,
        }
    }
}

/// Who is locked out.
#[derive(Object)]
#[oai(example)]
pub(super) struct Lockouts {
    /// Those who are longest first; at most 1,000.
    pub(super) items: Vec<Lockout>,
}

impl Example for Lockouts {
    fn example() -> Self {
        Self { items: vec![Lockout::example()] }
    }
}

pub(super) struct MissTable;

impl Columns for MissTable {
    const NAMES: &'static str = "position,at,person,campaign_id,reason,source";
    const EXAMPLE: &'static str = "1042,2027-01-15T09:00:00.000000Z,5d1a8e62-04b7-8c31-9f05-01935c2e7b4a,\
                                   01935c2e-7b4a-7c31-9f05-5d1a8e6204b7,code_used,bot";
}

pub(super) fn row_line(row: &Row) -> String {
    line(&[
        &row.position.to_string(),
        &time(row.at),
        &row.person.to_string(),
        &maybe(row.campaign_id),
        &row.reason,
        &row.source,
    ])
}

pub(super) struct HourTable;

impl Columns for HourTable {
    const NAMES: &'static str = "hour,misses,unknown,usual,spike";
    const EXAMPLE: &'static str = "2027-01-15T09:00:00.000000Z,211,209,3.5,true";
}

pub(super) fn hour_line(hour: &MissHour) -> String {
    line(&[
        &time(hour.hour),
        &hour.misses.to_string(),
        &hour.unknown.to_string(),
        &hour.usual.to_string(),
        &hour.spike.to_string(),
    ])
}

pub(super) struct LockoutTable;

impl Columns for LockoutTable {
    const NAMES: &'static str = "person,since,until,in_a_row";
    const EXAMPLE: &'static str =
        "5d1a8e62-04b7-8c31-9f05-01935c2e7b4a,2027-01-15T09:00:00.000000Z,2027-01-15T09:15:00.000000Z,1";
}

pub(super) fn lockout_line(row: &misses::Lockout) -> String {
    line(&[&row.person.to_string(), &time(row.since), &time(row.until), &row.in_a_row.to_string()])
}
