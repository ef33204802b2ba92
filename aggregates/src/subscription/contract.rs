//! What Stripe says of a subscription, and which of two such accounts is the newer.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{Account, Item, Refusal, StripeIds, mrr};
use crate::{Personal, by_hand::sensible, plan::PlanRef};

/// A subscription at Stripe, as far as it concerns us.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contract {
    /// Where it stands by Stripe's words.
    pub status: StripeStatus,
    /// Whether real money moves.
    pub livemode: bool,
    /// Stripe's `start_date`.
    pub started_at: DateTime<Utc>,
    /// What is paid for now; none while nothing was ever to be paid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub period: Option<Period>,
    /// Whether it ends with its period.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cancel_at_period_end: bool,
    /// When it is going to end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancel_at: Option<DateTime<Utc>>,
    /// When it was decided that it ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub canceled_at: Option<DateTime<Utc>>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<DateTime<Utc>>,
    /// When the trial ends or ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trial_end: Option<DateTime<Utc>>,
    /// Why it was cancelled, as Stripe's `cancellation_details.reason` says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancellation: Option<String>,
    /// What is sold.
    pub items: Vec<Item>,
    /// Coupons that last for ever, in the order in which Stripe applies them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub discounts: Vec<mrr::Discount>,
    /// What its prices stand for here; none when no plan has one of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<PlanRef>,
}

/// A span of time that is paid for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Period {
    /// Its first instant.
    pub start: DateTime<Utc>,
    /// The first instant after it.
    pub end: DateTime<Utc>,
}

/// Where a subscription stands by Stripe's own words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StripeStatus {
    /// Its first payment is on its way.
    Incomplete,
    /// Its first payment never came.
    IncompleteExpired,
    /// Nothing is to be paid yet.
    Trialing,
    /// Paid.
    Active,
    /// A payment failed and is tried again.
    PastDue,
    /// Over.
    Canceled,
    /// A payment failed and is not tried again.
    Unpaid,
    /// A trial ended without a way to pay.
    Paused,
    /// A word that this program does not know.
    #[serde(untagged)]
    Unknown(String),
}

impl StripeStatus {
    /// Reads Stripe's word.
    #[must_use]
    pub fn of(word: &str) -> Self {
        match word {
            "incomplete" => Self::Incomplete,
            "incomplete_expired" => Self::IncompleteExpired,
            "trialing" => Self::Trialing,
            "active" => Self::Active,
            "past_due" => Self::PastDue,
            "canceled" => Self::Canceled,
            "unpaid" => Self::Unpaid,
            "paused" => Self::Paused,
            other => Self::Unknown(other.to_owned()),
        }
    }

    /// Whether it counts as revenue by Stripe's definition: paid, or late.
    pub(super) const fn counts(&self) -> bool {
        matches!(self, Self::Active | Self::PastDue)
    }

    /// Whether nothing follows it, ever.
    pub(super) const fn is_terminal(&self) -> bool {
        matches!(self, Self::Canceled | Self::IncompleteExpired)
    }

    /// How far a subscription has come, for two accounts of one second. Of two that
    /// could follow each other either way, the one that is better for the person.
    const fn progress(&self) -> u8 {
        match self {
            Self::Incomplete => 0,
            Self::Unknown(_) => 1,
            Self::Trialing => 2,
            Self::Paused => 3,
            Self::Unpaid => 4,
            Self::PastDue => 5,
            Self::Active => 6,
            Self::Canceled | Self::IncompleteExpired => 7,
        }
    }
}

/// How we know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Seen {
    /// We asked Stripe.
    Fetched {
        /// When the question was sent.
        at: DateTime<Utc>,
    },
    /// An event brought it.
    Carried {
        /// The second in which Stripe made the event.
        created: DateTime<Utc>,
        /// The event's id.
        event: String,
    },
}

impl Seen {
    /// The time as of which it is known.
    #[must_use]
    pub const fn at(&self) -> DateTime<Utc> {
        match self {
            Self::Fetched { at } => *at,
            Self::Carried { created, .. } => *created,
        }
    }

    pub(super) const fn is_fetched(&self) -> bool {
        matches!(self, Self::Fetched { .. })
    }

    /// The order of what is known about a person: by time, then what was fetched
    /// over what was carried, then by the event's id.
    pub(super) fn order(&self) -> impl Ord + use<'_> {
        match self {
            Self::Fetched { at } => (*at, true, ""),
            Self::Carried { created, event } => (*created, false, event.as_str()),
        }
    }
}

/// What somebody found out about a subscription at Stripe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observation {
    /// Whose it is.
    pub stripe: StripeIds,
    /// What it is.
    pub contract: Contract,
    /// The customer's address, when it is known.
    pub email: Option<Personal<String>>,
    /// The Telegram account that its metadata names, when it does.
    pub account: Option<Account>,
    /// How we know.
    pub seen: Seen,
}

/// The newest account of a subscription at Stripe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Latest {
    /// What it is.
    pub contract: Contract,
    /// How we know.
    pub seen: Seen,
    /// For how many days a late payment is waited for.
    pub grace_days: u16,
}

impl Contract {
    /// When it ends, if nobody changes that.
    #[must_use]
    pub fn ends_at(&self) -> Option<DateTime<Utc>> {
        let with_period = self.period.filter(|_| self.cancel_at_period_end).map(|period| period.end);
        self.cancel_at.or(with_period)
    }

    /// Until when it is paid.
    #[must_use]
    pub fn paid_until(&self) -> Option<DateTime<Utc>> {
        self.period.map(|period| period.end)
    }

    /// The total order of all accounts of one subscription. Whichever arrives last,
    /// the greatest is believed.
    ///
    /// First the time as of which it is known. Stripe's events know only the second:
    /// within it, what was fetched is newer than what an event carried, an end is
    /// newer than what can end, a later period newer than an earlier one, and a
    /// decision to end newer than none; the event's id settles the rest.
    fn order<'a>(&'a self, seen: &'a Seen) -> impl Ord + use<'a> {
        let (at, fetched, event) = match seen {
            Seen::Fetched { at } => (*at, true, ""),
            Seen::Carried { created, event } => (*created, false, event.as_str()),
        };
        let ended = (self.status.is_terminal(), self.ended_at);
        (at, fetched, ended, self.paid_until(), self.status.progress(), self.canceled_at, event)
    }
}

impl Contract {
    /// What it comes to in a month while it stands so, by Stripe's definitions: paid or
    /// late, not on trial.
    #[must_use]
    pub fn mrr(&self) -> Option<super::Mrr> {
        if self.status.counts() { mrr::monthly(&self.items, &self.discounts) } else { None }
    }

    /// The same without rounding.
    #[must_use]
    pub fn monthly(&self) -> Option<super::exact::Monthly> {
        if self.status.counts() { super::exact::monthly(&self.items, &self.discounts) } else { None }
    }
}

impl Latest {
    /// The order in which accounts of one subscription follow each other, however they came.
    #[must_use]
    pub fn by_age(&self, other: &Self) -> std::cmp::Ordering {
        self.contract.order(&self.seen).cmp(&other.contract.order(&other.seen))
    }

    /// Whether an observation is newer than this.
    pub(super) fn is_older_than(&self, observation: &Observation) -> bool {
        self.contract.order(&self.seen) < observation.contract.order(&observation.seen)
    }
}

impl Observation {
    /// Items of one subscription at the most; Stripe allows fewer.
    const ITEMS: usize = 100;

    /// Checks what came from outside.
    ///
    /// # Errors
    /// [`Refusal::Invalid`], naming the field.
    pub(super) fn check(&self) -> Result<(), Refusal> {
        self.stripe.check()?;
        let id = |text: &str| sensible(text, 255, false);
        if self.contract.items.len() > Self::ITEMS {
            return Err(Refusal::invalid("items"));
        }
        for item in &self.contract.items {
            if !id(&item.price) || item.every.count == 0 {
                return Err(Refusal::invalid("items"));
            }
        }
        if self.contract.discounts.len() > Self::ITEMS {
            return Err(Refusal::invalid("discounts"));
        }
        if self.contract.cancellation.as_deref().is_some_and(|reason| !id(reason)) {
            return Err(Refusal::invalid("cancellation"));
        }
        if let StripeStatus::Unknown(word) = &self.contract.status
            && !id(word)
        {
            return Err(Refusal::invalid("status"));
        }
        if self.email.as_ref().is_some_and(|email| !super::is_email(email.reveal())) {
            return Err(Refusal::invalid("email"));
        }
        match &self.seen {
            Seen::Carried { event, .. } if !id(event) => Err(Refusal::invalid("event")),
            _ => Ok(()),
        }
    }
}
