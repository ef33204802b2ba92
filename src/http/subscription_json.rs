//! Subscriptions as they come in and go out.

use aggregates::subscription::Status;
use chrono::{DateTime, Utc};
use poem_openapi::{Enum, Object, types::Example};
use projections::subscriptions::{Row, Sort};
use uuid::Uuid;

use super::{
    body::{Fields, Input, instant, text},
    csv::{Columns, line, maybe, time},
    mutation::EXAMPLE_ID,
    params::example_cursor,
};

/// Where a subscription stands.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[oai(rename_all = "snake_case")]
pub(super) enum SubscriptionStatus {
    /// Its first payment is on its way.
    Pending,
    /// It gives access, and the link that was sent has not been used.
    Invited,
    /// It gives access.
    Active,
    /// A payment is late, and is waited for.
    PastDue,
    /// It gives access, and will end.
    Cancelling,
    /// It gives no access any more.
    Ended,
}

impl From<SubscriptionStatus> for Status {
    fn from(status: SubscriptionStatus) -> Self {
        match status {
            SubscriptionStatus::Pending => Self::Pending,
            SubscriptionStatus::Invited => Self::Invited,
            SubscriptionStatus::Active => Self::Active,
            SubscriptionStatus::PastDue => Self::PastDue,
            SubscriptionStatus::Cancelling => Self::Cancelling,
            SubscriptionStatus::Ended => Self::Ended,
        }
    }
}

/// Where a subscription comes from.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[oai(rename_all = "snake_case")]
pub(super) enum Origin {
    /// It was bought at Stripe.
    Stripe,
    /// An admin or the partner gave it.
    Grant,
}

impl Origin {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Stripe => "stripe",
            Self::Grant => "grant",
        }
    }
}

/// What a list of subscriptions is sorted by; `-` for descending.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum SubscriptionSort {
    /// When it was first heard of, the oldest first.
    #[oai(rename = "created_at")]
    CreatedAt,
    /// When it was first heard of, the newest first.
    #[default]
    #[oai(rename = "-created_at")]
    CreatedAtDescending,
    /// When it changed, those that rest longest first.
    #[oai(rename = "updated_at")]
    UpdatedAt,
    /// When it changed, the last one first.
    #[oai(rename = "-updated_at")]
    UpdatedAtDescending,
    /// When it ends, the next one first; those that do not end by themselves come last.
    #[oai(rename = "ends_at")]
    EndsAt,
    /// When it ends, those first that do not end by themselves.
    #[oai(rename = "-ends_at")]
    EndsAtDescending,
}

impl SubscriptionSort {
    /// By what, and whether descending.
    pub(super) const fn column(self) -> (Sort, bool) {
        match self {
            Self::CreatedAt => (Sort::CreatedAt, false),
            Self::CreatedAtDescending => (Sort::CreatedAt, true),
            Self::UpdatedAt => (Sort::UpdatedAt, false),
            Self::UpdatedAtDescending => (Sort::UpdatedAt, true),
            Self::EndsAt => (Sort::EndsAt, false),
            Self::EndsAtDescending => (Sort::EndsAt, true),
        }
    }
}

/// A subscription.
#[derive(Object)]
#[oai(example, skip_serializing_if_is_none)]
pub(super) struct TelegramSubscription {
    /// Its id.
    id: Uuid,
    /// The subscriber's address.
    email: Option<String>,
    /// The Telegram account that joined or is expected to.
    telegram_id: Option<i64>,
    /// Its pseudonym.
    person: Option<Uuid>,
    /// The plan; none when no plan has the prices it is paid by.
    plan_id: Option<Uuid>,
    /// What the plan was called when the subscription was last looked at.
    plan_name: Option<String>,
    /// Telegram's id of the channel it opens.
    channel: Option<i64>,
    /// `stripe` or `grant`.
    origin: String,
    /// `pending`, `invited` (entitled, and the link that was sent is unused), `active`, `past_due`, `cancelling` or
    /// `ended`.
    status: String,
    /// What an active one is entitled by: `paid`, `trial`, `granted`, `extended` or `unknown_status`.
    standing: Option<String>,
    /// Whether it gives access now.
    has_access: bool,
    /// By which rule. In: `active_paid`, `trialing`, `cancelling_until`, `grace_until`, `manual_grant`, `extended` or
    /// `unknown_status`. Out: `incomplete`, or why it ended, such as `canceled`, `grace_over` or `revoked`.
    rule: String,
    /// When time alone ends it; missing when it does not: a paid one is renewed.
    ends_at: Option<DateTime<Utc>>,
    /// Since when it gives no access any more.
    ended_at: Option<DateTime<Utc>>,
    /// Since when a payment is late.
    past_due_since: Option<DateTime<Utc>>,
    /// `at_period_end` or `now`, while Stripe has not yet done what it was asked.
    cancelling: Option<String>,
    /// Until when it is paid.
    period_end: Option<DateTime<Utc>>,
    /// When its trial ends or ended.
    trial_end: Option<DateTime<Utc>>,
    /// The currency of `mrr_micros`.
    mrr_currency: Option<String>,
    /// What it comes to in a month, by Stripe's definition, in millionths of the currency's smallest unit.
    mrr_micros: Option<i64>,
    /// Its id at Stripe.
    stripe_subscription: Option<String>,
    /// The customer's id at Stripe.
    stripe_customer: Option<String>,
    /// The link that can be used to come in. Whoever has it can try.
    link_url: Option<String>,
    /// `join_request` (who follows it asks to join) or `single_member` (who follows it is in, once).
    link_kind: Option<String>,
    /// Until when the link works.
    link_expires: Option<DateTime<Utc>>,
    /// When who sits in its place took it.
    joined_at: Option<DateTime<Utc>>,
    /// Why it was last decided on by hand.
    last_reason: Option<String>,
    /// Who did.
    last_by: Option<String>,
    /// When it was first heard of.
    created_at: DateTime<Utc>,
    /// When it changed last.
    updated_at: DateTime<Utc>,
    /// Its version, which is also its ETag.
    version: i64,
}

impl Example for TelegramSubscription {
    fn example() -> Self {
        let at = |seconds: i64| DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap_or_default();
        Self {
            id: Uuid::from_u128(EXAMPLE_ID + 5),
            email: Some("anna@example.com".to_owned()),
            telegram_id: Some(123_456_789),
            person: Some(Uuid::from_u128(0x5d1a_8e62_04b7_8c31_9f05_0193_5c2e_7b4a)),
            plan_id: Some(Uuid::from_u128(EXAMPLE_ID + 4)),
            plan_name: Some("VIP".to_owned()),
            channel: Some(-1_001_234_567_890),
            origin: "stripe".to_owned(),
            status: "active".to_owned(),
            standing: Some("paid".to_owned()),
            has_access: true,
            rule: "active_paid".to_owned(),
            ends_at: None,
            ended_at: None,
            past_due_since: None,
            cancelling: None,
            period_end: Some(at(2_678_400)),
            trial_end: None,
            mrr_currency: Some("EUR".to_owned()),
            mrr_micros: Some(4_900_000_000),
            stripe_subscription: Some("sub_1PgafmB7WZ01zgkWqPvSkc9e".to_owned()),
            stripe_customer: Some("cus_QXg1o8vcGmoR32".to_owned()),
            link_url: None,
            link_kind: None,
            link_expires: None,
            joined_at: Some(at(600)),
            last_reason: None,
            last_by: None,
            created_at: at(0),
            updated_at: at(600),
            version: 7,
        }
    }
}

impl TelegramSubscription {
    /// As it stands at a time.
    pub(super) fn at(row: Row, now: DateTime<Utc>) -> Self {
        let (status, rule) = (row.status_at(now).to_owned(), row.rule_at(now).to_owned());
        let over = row.entitled && !row.has_access(now);
        Self {
            id: row.id,
            has_access: row.has_access(now),
            standing: row.standing.filter(|_| !over),
            ended_at: if over { row.ends_at } else { row.ended_at },
            past_due_since: row.past_due_since.filter(|_| !over),
            status,
            rule,
            email: row.email,
            telegram_id: row.telegram_id,
            person: row.person,
            plan_id: row.plan_id,
            plan_name: row.plan_name,
            channel: row.channel,
            origin: row.origin,
            ends_at: row.ends_at,
            cancelling: row.cancelling,
            period_end: row.period_end,
            trial_end: row.trial_end,
            mrr_currency: row.mrr_currency,
            mrr_micros: row.mrr_micros,
            stripe_subscription: row.stripe_subscription,
            stripe_customer: row.stripe_customer,
            link_url: row.link_url,
            link_kind: row.link_kind,
            link_expires: row.link_expires,
            joined_at: row.joined_at,
            last_reason: row.last_reason,
            last_by: row.last_by,
            created_at: row.created_at,
            updated_at: row.updated_at,
            version: row.version,
        }
    }

    /// As a line of the table.
    pub(super) fn line(&self) -> String {
        let word = |text: &Option<String>| text.clone().unwrap_or_default();
        let moment = |at: Option<DateTime<Utc>>| maybe(at.map(time));
        line(&[
            &self.id.to_string(),
            &word(&self.email),
            &maybe(self.telegram_id),
            &maybe(self.person),
            &maybe(self.plan_id),
            &word(&self.plan_name),
            &maybe(self.channel),
            &self.origin,
            &self.status,
            &word(&self.standing),
            &self.has_access.to_string(),
            &self.rule,
            &moment(self.ends_at),
            &moment(self.ended_at),
            &moment(self.past_due_since),
            &word(&self.cancelling),
            &moment(self.period_end),
            &moment(self.trial_end),
            &word(&self.mrr_currency),
            &maybe(self.mrr_micros),
            &word(&self.stripe_subscription),
            &word(&self.stripe_customer),
            &moment(self.joined_at),
            &word(&self.last_reason),
            &word(&self.last_by),
            &time(self.created_at),
            &time(self.updated_at),
            &self.version.to_string(),
        ])
    }
}

/// A page of subscriptions.
#[derive(Object)]
#[oai(example, skip_serializing_if_is_none)]
pub(super) struct TelegramSubscriptionPage {
    /// The subscriptions.
    pub(super) items: Vec<TelegramSubscription>,
    /// The `cursor` of the next page; missing on the last one.
    pub(super) next_cursor: Option<String>,
}

impl Example for TelegramSubscriptionPage {
    fn example() -> Self {
        Self { items: vec![TelegramSubscription::example()], next_cursor: Some(example_cursor()) }
    }
}

pub(super) struct SubscriptionTable;

impl Columns for SubscriptionTable {
    const NAMES: &'static str = "id,email,telegram_id,person,plan_id,plan_name,channel,origin,status,standing,has_access,rule,\
                                 ends_at,ended_at,past_due_since,cancelling,period_end,trial_end,mrr_currency,mrr_micros,\
                                 stripe_subscription,stripe_customer,joined_at,last_reason,last_by,created_at,updated_at,\
                                 version";
    const EXAMPLE: &'static str = "01935c2e-7b4a-7c31-9f05-5d1a8e6204bc,anna@example.com,123456789,\
                                   5d1a8e62-04b7-8c31-9f05-01935c2e7b4a,01935c2e-7b4a-7c31-9f05-5d1a8e6204bb,VIP,\
                                   -1001234567890,stripe,active,paid,true,active_paid,,,,,2027-02-15T08:00:00.000000Z,,EUR,\
                                   4900000000,sub_1PgafmB7WZ01zgkWqPvSkc9e,cus_QXg1o8vcGmoR32,2027-01-15T08:10:00.000000Z,,,\
                                   2027-01-15T08:00:00.000000Z,2027-01-15T08:10:00.000000Z,7";
}

/// Why something is decided by hand.
#[derive(Object)]
#[oai(example, deny_unknown_fields)]
pub(super) struct HandReason {
    /// In your words. It is kept in the log, with who you are.
    #[oai(validator(min_length = 1, max_length = 500))]
    pub(super) reason: String,
}

impl Example for HandReason {
    fn example() -> Self {
        Self { reason: "Asked for by support, ticket 4711.".to_owned() }
    }
}

impl Input for HandReason {
    type Document = Self;

    fn read(fields: &mut Fields) -> Option<Self> {
        Some(Self { reason: fields.required("reason", text)? })
    }
}

/// More time.
#[derive(Object)]
#[oai(example, deny_unknown_fields)]
pub(super) struct Extension {
    /// It gives access until then at least, whatever else would end it before.
    pub(super) until: DateTime<Utc>,
    /// In your words. It is kept in the log, with who you are.
    #[oai(validator(min_length = 1, max_length = 500))]
    pub(super) reason: String,
}

impl Example for Extension {
    fn example() -> Self {
        let until = DateTime::from_timestamp(1_800_000_000 + 14 * 86_400, 0).unwrap_or_default();
        Self { until, reason: "Two weeks on us, after the outage.".to_owned() }
    }
}

impl Input for Extension {
    type Document = Self;

    fn read(fields: &mut Fields) -> Option<Self> {
        let (until, reason) = (fields.required("until", instant), fields.required("reason", text));
        Some(Self { until: until?, reason: reason? })
    }
}

/// Another Telegram account.
#[derive(Object)]
#[oai(example, deny_unknown_fields)]
pub(super) struct Transfer {
    /// Telegram's user id of who gets the place.
    #[oai(validator(minimum(value = "1")))]
    pub(super) telegram_id: i64,
    /// In your words. It is kept in the log, with who you are.
    #[oai(validator(min_length = 1, max_length = 500))]
    pub(super) reason: String,
}

impl Example for Transfer {
    fn example() -> Self {
        Self { telegram_id: 987_654_321, reason: "Has a new phone and a new account.".to_owned() }
    }
}

impl Input for Transfer {
    type Document = Self;

    fn read(fields: &mut Fields) -> Option<Self> {
        let telegram_id = fields.required("telegram_id", |value| {
            value.as_i64().filter(|id| *id > 0).ok_or_else(|| "must be a user's id in Telegram".to_owned())
        });
        let reason = fields.required("reason", text);
        Some(Self { telegram_id: telegram_id?, reason: reason? })
    }
}
