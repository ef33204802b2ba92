//! Campaigns as they come in and go out.

use std::collections::BTreeMap;

use aggregates::campaign::Status;
use chrono::{DateTime, Utc};
use poem_openapi::{
    Enum, Object,
    types::{Example, ToJSON},
};
use projections::campaigns::{Row, Sort};
use uuid::Uuid;

use super::{
    csv::{Columns, line, maybe, time},
    mutation::EXAMPLE_ID,
    problem::{Answer, Kind, Problem},
    terms_json::{Audience, Benefit, Money, Period, Question},
};

/// Where a campaign stands.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[oai(rename_all = "snake_case")]
pub(super) enum CampaignStatus {
    /// Being written; nobody can redeem it.
    Draft,
    /// Opens by itself when it starts.
    Scheduled,
    /// Can be redeemed inside its dates and limits.
    Active,
    /// Stopped for now.
    Paused,
    /// Stopped for good.
    Ended,
    /// Stopped for good and put away.
    Archived,
}

impl From<CampaignStatus> for Status {
    fn from(status: CampaignStatus) -> Self {
        match status {
            CampaignStatus::Draft => Self::Draft,
            CampaignStatus::Scheduled => Self::Scheduled,
            CampaignStatus::Active => Self::Active,
            CampaignStatus::Paused => Self::Paused,
            CampaignStatus::Ended => Self::Ended,
            CampaignStatus::Archived => Self::Archived,
        }
    }
}

/// What a list of campaigns is sorted by; `-` for descending.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum CampaignSort {
    /// When it was drafted, the oldest first.
    #[oai(rename = "created_at")]
    CreatedAt,
    /// When it was drafted, the newest first.
    #[default]
    #[oai(rename = "-created_at")]
    CreatedAtDescending,
    /// Its name, from A to Z.
    #[oai(rename = "name")]
    Name,
    /// Its name, from Z to A.
    #[oai(rename = "-name")]
    NameDescending,
    /// How often it was redeemed, the least first.
    #[oai(rename = "redeemed")]
    Redeemed,
    /// How often it was redeemed, the most first.
    #[oai(rename = "-redeemed")]
    RedeemedDescending,
}

impl CampaignSort {
    /// By what, and whether descending.
    pub(super) const fn column(self) -> (Sort, bool) {
        match self {
            Self::CreatedAt => (Sort::CreatedAt, false),
            Self::CreatedAtDescending => (Sort::CreatedAt, true),
            Self::Name => (Sort::Name, false),
            Self::NameDescending => (Sort::Name, true),
            Self::Redeemed => (Sort::Redeemed, false),
            Self::RedeemedDescending => (Sort::Redeemed, true),
        }
    }
}

/// A campaign.
#[derive(Object)]
#[oai(example, skip_serializing_if_is_none)]
pub(super) struct Campaign {
    /// Its id.
    id: Uuid,
    /// What admins and holders call it.
    name: String,
    /// For holders.
    description: Option<String>,
    /// The one code everybody redeems; without it, the campaign has unique codes in batches.
    code: Option<String>,
    /// What a coupon is good for.
    benefit: Option<Benefit>,
    /// Where it stands.
    status: CampaignStatus,
    /// First instant at which it can be redeemed; without it, from activation on.
    starts_at: Option<DateTime<Utc>>,
    /// First instant at which it no longer can; without it, until it is ended.
    ends_at: Option<DateTime<Utc>>,
    /// Redemptions in all; without it, without limit.
    total_limit: Option<i32>,
    /// Redemptions by one person in each period; without it, without limit.
    limit_per_person: Option<i32>,
    /// Of the limit per person.
    limit_period: Period,
    /// What a purchase must come to.
    minimum_spend: Option<Money>,
    /// Who may redeem.
    audience: Audience,
    /// What people are asked before they get the benefit.
    questions: Vec<Question>,
    /// Whether the bot leaves it out of `/campaigns`.
    unlisted: bool,
    /// Whatever other programs want to find again.
    metadata: BTreeMap<String, String>,
    /// Redemptions that stand.
    redeemed: i32,
    /// Redemptions that are kept free for somebody.
    reserved: i32,
    /// Redemptions that were rolled back.
    released: i32,
    /// Coupons that were given to a person.
    published: i32,
    /// What its coupons are drawn on; without it, our ticket.
    template: Option<Uuid>,
    /// When it was drafted.
    created_at: DateTime<Utc>,
    /// Its last change or redemption.
    updated_at: DateTime<Utc>,
    /// Its version, which is also its ETag.
    version: i64,
}

pub(super) fn example_time(days: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000 + days * 86_400, 0).unwrap_or_default()
}

impl Example for Campaign {
    fn example() -> Self {
        Self {
            id: Uuid::from_u128(EXAMPLE_ID),
            name: "Gold week".to_owned(),
            description: None,
            code: Some("GOLD10".to_owned()),
            benefit: Some(Benefit::example()),
            status: CampaignStatus::Active,
            starts_at: Some(example_time(0)),
            ends_at: Some(example_time(7)),
            total_limit: Some(500),
            limit_per_person: Some(1),
            limit_period: Period::Ever,
            minimum_spend: None,
            audience: Audience::Everyone,
            questions: vec![],
            unlisted: false,
            metadata: BTreeMap::new(),
            redeemed: 17,
            reserved: 2,
            released: 1,
            published: 0,
            template: None,
            created_at: example_time(-3),
            updated_at: example_time(1),
            version: 20,
        }
    }
}

impl TryFrom<Row> for Campaign {
    type Error = Problem;

    fn try_from(row: Row) -> Answer<Self> {
        let status = match row.status.as_str() {
            "draft" => CampaignStatus::Draft,
            "scheduled" => CampaignStatus::Scheduled,
            "active" => CampaignStatus::Active,
            "paused" => CampaignStatus::Paused,
            "ended" => CampaignStatus::Ended,
            "archived" => CampaignStatus::Archived,
            // Written by a newer version than this one.
            _ => return Err(Kind::Internal.into()),
        };
        Ok(Self {
            id: row.id,
            name: row.name,
            description: Some(row.terms.0.description).filter(|text| !text.is_empty()),
            code: row.code,
            benefit: row.terms.0.benefit.map(Benefit::from),
            status,
            starts_at: row.starts_at,
            ends_at: row.ends_at,
            total_limit: row.total_limit,
            limit_per_person: row.limit_per_person,
            limit_period: row.terms.0.limit_period.into(),
            minimum_spend: row.terms.0.minimum_spend.map(Money::from),
            audience: row.terms.0.audience.into(),
            questions: row.terms.0.questions.into_iter().map(Question::from).collect(),
            unlisted: row.terms.0.unlisted,
            metadata: row.terms.0.metadata,
            redeemed: row.redeemed,
            reserved: row.reserved,
            released: row.released,
            published: row.published,
            template: row.template,
            created_at: row.created_at,
            updated_at: row.updated_at,
            version: row.version,
        })
    }
}

/// Campaigns in a table.
pub(super) struct CampaignTable;

impl Columns for CampaignTable {
    const NAMES: &'static str = "id,name,status,code,benefit,starts_at,ends_at,total_limit,limit_per_person,limit_period,\
                                 minimum_spend,audience,redeemed,reserved,released,published,created_at,updated_at,version";
    const EXAMPLE: &'static str = "01935c2e-7b4a-7c31-9f05-5d1a8e6204b7,Gold week,active,GOLD10,\
                                   \"{\"\"kind\"\":\"\"free_days\"\",\"\"days\"\":30}\",2027-01-15T08:00:00.000000Z,\
                                   2027-01-22T08:00:00.000000Z,500,1,ever,,everyone,17,2,1,0,2027-01-12T08:00:00.000000Z,\
                                   2027-01-16T08:00:00.000000Z,20";
}

pub(super) fn row_line(row: &Row) -> String {
    let terms = &row.terms.0;
    line(&[
        &row.id.to_string(),
        &row.name,
        &row.status,
        row.code.as_deref().unwrap_or_default(),
        &terms.benefit.clone().map(|benefit| Benefit::from(benefit).to_json_string()).unwrap_or_default(),
        &row.starts_at.map(time).unwrap_or_default(),
        &row.ends_at.map(time).unwrap_or_default(),
        &maybe(row.total_limit),
        &maybe(row.limit_per_person),
        terms.limit_period.as_str(),
        &maybe(terms.minimum_spend),
        terms.audience.as_str(),
        &row.redeemed.to_string(),
        &row.reserved.to_string(),
        &row.released.to_string(),
        &row.published.to_string(),
        &time(row.created_at),
        &time(row.updated_at),
        &row.version.to_string(),
    ])
}

/// A page of campaigns.
#[derive(Object)]
#[oai(example, skip_serializing_if_is_none)]
pub(super) struct CampaignPage {
    /// The campaigns.
    pub(super) items: Vec<Campaign>,
    /// The `cursor` of the next page; missing on the last one.
    pub(super) next_cursor: Option<String>,
}

impl Example for CampaignPage {
    fn example() -> Self {
        Self { items: vec![Campaign::example()], next_cursor: Some(super::params::example_cursor()) }
    }
}
