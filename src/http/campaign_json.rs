//! Campaigns as they come in and go out.

use aggregates::{
    CodeText,
    campaign::{Status, Terms},
};
use chrono::{DateTime, Utc};
use poem_openapi::{
    Enum, Object,
    types::{Example, MaybeUndefined},
};
use projections::campaigns::{Row, Sort};
use uuid::Uuid;

use super::{
    body::{Fields, Input, count, instant, text},
    mutation::EXAMPLE_ID,
    problem::{Answer, Kind, Problem},
};

/// Where a campaign stands.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[oai(rename_all = "snake_case")]
pub(super) enum CampaignStatus {
    /// Being written; nobody can redeem it.
    Draft,
    /// Can be redeemed inside its dates and limits.
    Active,
    /// Stopped for now.
    Paused,
    /// Stopped for good.
    Ended,
}

impl From<CampaignStatus> for Status {
    fn from(status: CampaignStatus) -> Self {
        match status {
            CampaignStatus::Draft => Self::Draft,
            CampaignStatus::Active => Self::Active,
            CampaignStatus::Paused => Self::Paused,
            CampaignStatus::Ended => Self::Ended,
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
    /// The one code everybody redeems.
    code: String,
    /// Where it stands.
    status: CampaignStatus,
    /// First instant at which it can be redeemed; without it, from activation on.
    starts_at: Option<DateTime<Utc>>,
    /// First instant at which it no longer can; without it, until it is ended.
    ends_at: Option<DateTime<Utc>>,
    /// Redemptions in all; without it, without limit.
    total_limit: Option<i32>,
    /// Redemptions by one person; without it, without limit.
    limit_per_person: Option<i32>,
    /// Redemptions so far.
    redeemed: i32,
    /// When it was drafted.
    created_at: DateTime<Utc>,
    /// Its last change or redemption.
    updated_at: DateTime<Utc>,
    /// Its version, which is also its ETag.
    version: i64,
}

fn example_time(days: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000 + days * 86_400, 0).unwrap_or_default()
}

impl Example for Campaign {
    fn example() -> Self {
        Self {
            id: Uuid::from_u128(EXAMPLE_ID),
            name: "Gold week".to_owned(),
            code: "GOLD10".to_owned(),
            status: CampaignStatus::Active,
            starts_at: Some(example_time(0)),
            ends_at: Some(example_time(7)),
            total_limit: Some(500),
            limit_per_person: Some(1),
            redeemed: 17,
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
            "active" => CampaignStatus::Active,
            "paused" => CampaignStatus::Paused,
            "ended" => CampaignStatus::Ended,
            // Written by a newer version than this one.
            _ => return Err(Kind::Internal.into()),
        };
        Ok(Self {
            id: row.id,
            name: row.name,
            code: row.code,
            status,
            starts_at: row.starts_at,
            ends_at: row.ends_at,
            total_limit: row.total_limit,
            limit_per_person: row.limit_per_person,
            redeemed: row.redeemed,
            created_at: row.created_at,
            updated_at: row.updated_at,
            version: row.version,
        })
    }
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

/// The terms of a new campaign.
#[derive(Object)]
#[oai(example, skip_serializing_if_is_none, deny_unknown_fields)]
pub(super) struct CampaignDraft {
    /// What admins and holders call it.
    #[oai(validator(min_length = 1, max_length = 120))]
    name: String,
    /// The one code everybody redeems: 3 to 32 letters A to Z, digits, hyphens and underscores. Letter case does not
    /// matter; it is kept in capitals.
    #[oai(validator(min_length = 3, max_length = 32, pattern = "^[A-Za-z0-9_-]+$"))]
    code: String,
    /// First instant at which it can be redeemed; without it, from activation on.
    #[oai(nullable)]
    starts_at: Option<DateTime<Utc>>,
    /// First instant at which it no longer can; without it, until it is ended.
    #[oai(nullable)]
    ends_at: Option<DateTime<Utc>>,
    /// Redemptions in all; without it, without limit.
    #[oai(nullable, validator(minimum(value = "1"), maximum(value = "2147483647")))]
    total_limit: Option<u32>,
    /// Redemptions by one person; without it, without limit.
    #[oai(nullable, validator(minimum(value = "1"), maximum(value = "2147483647")))]
    limit_per_person: Option<u32>,
}

impl Example for CampaignDraft {
    fn example() -> Self {
        Self {
            name: "Gold week".to_owned(),
            code: "GOLD10".to_owned(),
            starts_at: Some(example_time(0)),
            ends_at: Some(example_time(7)),
            total_limit: Some(500),
            limit_per_person: Some(1),
        }
    }
}

/// A code in its normal form.
pub(super) fn code(typed: String) -> Answer<CodeText> {
    CodeText::new(&typed).map_err(|error| Problem::input("code", error.to_string()))
}

fn code_text(value: serde_json::Value) -> Result<String, String> {
    CodeText::new(&text(value)?).map(String::from).map_err(|error| error.to_string())
}

impl Input for CampaignDraft {
    fn read(fields: &mut Fields) -> Option<Self> {
        let name = fields.required("name", text);
        let code = fields.required("code", code_text);
        let starts_at = fields.optional("starts_at", instant);
        let ends_at = fields.optional("ends_at", instant);
        let total_limit = fields.optional("total_limit", count);
        let limit_per_person = fields.optional("limit_per_person", count);
        Some(Self { name: name?, code: code?, starts_at, ends_at, total_limit, limit_per_person })
    }
}

impl CampaignDraft {
    pub(super) fn terms(self) -> Answer<Terms> {
        Ok(Terms {
            name: self.name,
            code: code(self.code)?,
            starts_at: self.starts_at,
            ends_at: self.ends_at,
            total_limit: self.total_limit,
            limit_per_person: self.limit_per_person,
        })
    }
}

/// The terms to change: what is not given stays, null takes an optional term away.
#[derive(Object)]
#[oai(example, skip_serializing_if_is_none, deny_unknown_fields)]
pub(super) struct CampaignPatch {
    /// What admins and holders call it.
    #[oai(validator(min_length = 1, max_length = 120))]
    name: Option<String>,
    /// The one code everybody redeems; can change only in a draft.
    #[oai(validator(min_length = 3, max_length = 32, pattern = "^[A-Za-z0-9_-]+$"))]
    code: Option<String>,
    /// First instant at which it can be redeemed.
    #[oai(nullable)]
    starts_at: MaybeUndefined<DateTime<Utc>>,
    /// First instant at which it no longer can.
    #[oai(nullable)]
    ends_at: MaybeUndefined<DateTime<Utc>>,
    /// Redemptions in all.
    #[oai(nullable, validator(minimum(value = "1"), maximum(value = "2147483647")))]
    total_limit: MaybeUndefined<u32>,
    /// Redemptions by one person.
    #[oai(nullable, validator(minimum(value = "1"), maximum(value = "2147483647")))]
    limit_per_person: MaybeUndefined<u32>,
}

impl Example for CampaignPatch {
    fn example() -> Self {
        Self {
            name: Some("Golden week".to_owned()),
            code: None,
            starts_at: MaybeUndefined::Undefined,
            ends_at: MaybeUndefined::Null,
            total_limit: MaybeUndefined::Value(1_000),
            limit_per_person: MaybeUndefined::Undefined,
        }
    }
}

impl Input for CampaignPatch {
    fn read(fields: &mut Fields) -> Option<Self> {
        Some(Self {
            name: fields.changed("name", text),
            code: fields.changed("code", code_text),
            starts_at: fields.given("starts_at", instant),
            ends_at: fields.given("ends_at", instant),
            total_limit: fields.given("total_limit", count),
            limit_per_person: fields.given("limit_per_person", count),
        })
    }
}

impl CampaignPatch {
    /// The terms after the change.
    pub(super) fn applied(&self, mut terms: Terms) -> Answer<Terms> {
        fn apply<T: Clone>(term: &mut Option<T>, given: &MaybeUndefined<T>) {
            match given {
                MaybeUndefined::Undefined => {}
                MaybeUndefined::Null => *term = None,
                MaybeUndefined::Value(value) => *term = Some(value.clone()),
            }
        }
        if let Some(name) = &self.name {
            terms.name.clone_from(name);
        }
        if let Some(text) = &self.code {
            terms.code = code(text.clone())?;
        }
        apply(&mut terms.starts_at, &self.starts_at);
        apply(&mut terms.ends_at, &self.ends_at);
        apply(&mut terms.total_limit, &self.total_limit);
        apply(&mut terms.limit_per_person, &self.limit_per_person);
        Ok(terms)
    }
}
