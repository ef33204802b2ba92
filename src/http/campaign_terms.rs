//! The terms of campaigns as they come in.

use std::collections::BTreeMap;

use aggregates::{
    CodeText,
    campaign::{self, Terms},
};
use chrono::{DateTime, Utc};
use poem_openapi::{
    Object,
    types::{Example, MaybeUndefined},
};

use super::{
    body::{Fields, Input, count, flag, instant, text},
    campaign_json::example_time,
    problem::{Answer, Problem},
    terms_json::{Audience, Benefit, Money, Period, Question, audience, benefit, metadata, money, period, questions},
};

/// The terms of a new campaign.
#[derive(Object)]
#[oai(example, skip_serializing_if_is_none, deny_unknown_fields)]
pub(super) struct CampaignDraft {
    /// What admins and holders call it.
    #[oai(validator(min_length = 1, max_length = 120))]
    name: String,
    /// For holders.
    #[oai(nullable, validator(max_length = 2000))]
    description: Option<String>,
    /// The one code everybody redeems: 3 to 32 letters A to Z, digits, hyphens and underscores. Letter case does not
    /// matter; it is kept in capitals. Without it, the campaign has unique codes, which are made in batches.
    #[oai(nullable, validator(min_length = 3, max_length = 32, pattern = "^[A-Za-z0-9_-]+$"))]
    code: Option<String>,
    /// What a coupon is good for.
    #[oai(nullable)]
    benefit: Option<Benefit>,
    /// First instant at which it can be redeemed; without it, from activation on.
    #[oai(nullable)]
    starts_at: Option<DateTime<Utc>>,
    /// First instant at which it no longer can; without it, until it is ended.
    #[oai(nullable)]
    ends_at: Option<DateTime<Utc>>,
    /// Redemptions of the shared code in all; without it, without limit.
    #[oai(nullable, validator(minimum(value = "1"), maximum(value = "2147483647")))]
    total_limit: Option<u32>,
    /// Redemptions by one person in each period; without it, without limit.
    #[oai(nullable, validator(minimum(value = "1"), maximum(value = "2147483647")))]
    limit_per_person: Option<u32>,
    /// Of the limit per person; all time is one without it.
    #[oai(nullable)]
    limit_period: Option<Period>,
    /// What a purchase must come to, in the currency of the benefit if that has one.
    #[oai(nullable)]
    minimum_spend: Option<Money>,
    /// Who may redeem; everyone without it.
    #[oai(nullable)]
    audience: Option<Audience>,
    /// What the bot asks people who send the code; an admin then approves the answers, or not. At most 10.
    #[oai(nullable)]
    questions: Option<Vec<Question>>,
    /// Whether the bot leaves it out of `/campaigns`, where strangers see what there is.
    #[oai(nullable)]
    unlisted: Option<bool>,
    /// Whatever other programs want to find again: at most 50 texts, with names of at most 40 characters.
    #[oai(nullable)]
    metadata: Option<BTreeMap<String, String>>,
}

impl Example for CampaignDraft {
    fn example() -> Self {
        Self {
            name: "Gold week".to_owned(),
            description: Some("Ten percent off every plan.".to_owned()),
            code: Some("GOLD10".to_owned()),
            benefit: Some(Benefit::example()),
            starts_at: Some(example_time(0)),
            ends_at: Some(example_time(7)),
            total_limit: Some(500),
            limit_per_person: Some(1),
            limit_period: None,
            minimum_spend: None,
            audience: None,
            questions: None,
            unlisted: None,
            metadata: None,
        }
    }
}

/// A code in its normal form.
pub(super) fn code(typed: String) -> Answer<CodeText> {
    CodeText::new(&typed).map_err(|error| Problem::input("code", error.to_string()))
}

fn code_text(value: serde_json::Value) -> Result<CodeText, String> {
    CodeText::new(&text(value)?).map_err(|error| error.to_string())
}

/// The terms of a new campaign, as they were read.
pub(super) struct NewTerms(pub(super) Terms);

impl Input for NewTerms {
    type Document = CampaignDraft;

    fn read(fields: &mut Fields) -> Option<Self> {
        let name = fields.required("name", text);
        let terms = Terms {
            name: String::new(),
            description: fields.optional("description", text).unwrap_or_default(),
            code: fields.optional("code", code_text),
            benefit: fields.optional("benefit", benefit),
            starts_at: fields.optional("starts_at", instant),
            ends_at: fields.optional("ends_at", instant),
            total_limit: fields.optional("total_limit", count),
            limit_per_person: fields.optional("limit_per_person", count),
            limit_period: fields.optional("limit_period", period).unwrap_or_default(),
            minimum_spend: fields.optional("minimum_spend", money),
            audience: fields.optional("audience", audience).unwrap_or_default(),
            questions: fields.optional("questions", questions).unwrap_or_default(),
            unlisted: fields.optional("unlisted", flag).unwrap_or_default(),
            metadata: fields.optional("metadata", metadata).unwrap_or_default(),
        };
        Some(Self(Terms { name: name?, ..terms }))
    }
}

/// The terms to change: what is not given stays, null takes an optional term away.
#[derive(Object)]
#[oai(example, skip_serializing_if_is_none, deny_unknown_fields)]
pub(super) struct CampaignPatch {
    /// What admins and holders call it.
    #[oai(validator(min_length = 1, max_length = 120))]
    name: Option<String>,
    /// For holders.
    #[oai(nullable, validator(max_length = 2000))]
    description: MaybeUndefined<String>,
    /// The one code everybody redeems; can change only in a draft, and be taken away only there.
    #[oai(nullable, validator(min_length = 3, max_length = 32, pattern = "^[A-Za-z0-9_-]+$"))]
    code: MaybeUndefined<String>,
    /// What a coupon is good for. Coupons that were issued keep what they were good for.
    #[oai(nullable)]
    benefit: MaybeUndefined<Benefit>,
    /// First instant at which it can be redeemed.
    #[oai(nullable)]
    starts_at: MaybeUndefined<DateTime<Utc>>,
    /// First instant at which it no longer can; not earlier than promised with coupons that were issued.
    #[oai(nullable)]
    ends_at: MaybeUndefined<DateTime<Utc>>,
    /// Redemptions of the shared code in all.
    #[oai(nullable, validator(minimum(value = "1"), maximum(value = "2147483647")))]
    total_limit: MaybeUndefined<u32>,
    /// Redemptions by one person in each period.
    #[oai(nullable, validator(minimum(value = "1"), maximum(value = "2147483647")))]
    limit_per_person: MaybeUndefined<u32>,
    /// Of the limit per person; can change only in a draft.
    limit_period: Option<Period>,
    /// What a purchase must come to.
    #[oai(nullable)]
    minimum_spend: MaybeUndefined<Money>,
    /// Who may redeem.
    audience: Option<Audience>,
    /// What people are asked; all of it is replaced. Coupons that were issued keep what was asked for them.
    #[oai(nullable)]
    questions: MaybeUndefined<Vec<Question>>,
    /// Whether the bot leaves it out of `/campaigns`.
    unlisted: Option<bool>,
    /// Whatever other programs want to find again; all of it is replaced.
    #[oai(nullable)]
    metadata: MaybeUndefined<BTreeMap<String, String>>,
}

impl Example for CampaignPatch {
    fn example() -> Self {
        Self {
            name: Some("Golden week".to_owned()),
            description: MaybeUndefined::Undefined,
            code: MaybeUndefined::Undefined,
            benefit: MaybeUndefined::Undefined,
            starts_at: MaybeUndefined::Undefined,
            ends_at: MaybeUndefined::Null,
            total_limit: MaybeUndefined::Value(1_000),
            limit_per_person: MaybeUndefined::Undefined,
            limit_period: None,
            minimum_spend: MaybeUndefined::Undefined,
            audience: None,
            questions: MaybeUndefined::Undefined,
            unlisted: None,
            metadata: MaybeUndefined::Undefined,
        }
    }
}

/// The terms to change, as they were read.
pub(super) struct TermsChange {
    name: Option<String>,
    description: MaybeUndefined<String>,
    code: MaybeUndefined<CodeText>,
    benefit: MaybeUndefined<campaign::Benefit>,
    starts_at: MaybeUndefined<DateTime<Utc>>,
    ends_at: MaybeUndefined<DateTime<Utc>>,
    total_limit: MaybeUndefined<u32>,
    limit_per_person: MaybeUndefined<u32>,
    limit_period: Option<campaign::Period>,
    minimum_spend: MaybeUndefined<campaign::Money>,
    audience: Option<campaign::Audience>,
    questions: MaybeUndefined<Vec<campaign::Question>>,
    unlisted: Option<bool>,
    metadata: MaybeUndefined<BTreeMap<String, String>>,
}

impl Input for TermsChange {
    type Document = CampaignPatch;

    fn read(fields: &mut Fields) -> Option<Self> {
        Some(Self {
            name: fields.changed("name", text),
            description: fields.given("description", text),
            code: fields.given("code", code_text),
            benefit: fields.given("benefit", benefit),
            starts_at: fields.given("starts_at", instant),
            ends_at: fields.given("ends_at", instant),
            total_limit: fields.given("total_limit", count),
            limit_per_person: fields.given("limit_per_person", count),
            limit_period: fields.changed("limit_period", period),
            minimum_spend: fields.given("minimum_spend", money),
            audience: fields.changed("audience", audience),
            questions: fields.given("questions", questions),
            unlisted: fields.changed("unlisted", flag),
            metadata: fields.given("metadata", metadata),
        })
    }
}

impl TermsChange {
    /// The terms after the change.
    pub(super) fn applied(&self, mut terms: Terms) -> Terms {
        fn apply<T: Clone>(term: &mut Option<T>, given: &MaybeUndefined<T>) {
            match given {
                MaybeUndefined::Undefined => {}
                MaybeUndefined::Null => *term = None,
                MaybeUndefined::Value(value) => *term = Some(value.clone()),
            }
        }
        fn replace<T: Clone + Default>(term: &mut T, given: &MaybeUndefined<T>) {
            match given {
                MaybeUndefined::Undefined => {}
                MaybeUndefined::Null => *term = T::default(),
                MaybeUndefined::Value(value) => *term = value.clone(),
            }
        }
        if let Some(name) = &self.name {
            terms.name.clone_from(name);
        }
        replace(&mut terms.description, &self.description);
        apply(&mut terms.code, &self.code);
        apply(&mut terms.benefit, &self.benefit);
        apply(&mut terms.starts_at, &self.starts_at);
        apply(&mut terms.ends_at, &self.ends_at);
        apply(&mut terms.total_limit, &self.total_limit);
        apply(&mut terms.limit_per_person, &self.limit_per_person);
        terms.limit_period = self.limit_period.unwrap_or(terms.limit_period);
        apply(&mut terms.minimum_spend, &self.minimum_spend);
        terms.audience = self.audience.unwrap_or(terms.audience);
        replace(&mut terms.questions, &self.questions);
        if let Some(unlisted) = self.unlisted {
            terms.unlisted = unlisted;
        }
        replace(&mut terms.metadata, &self.metadata);
        terms
    }
}
