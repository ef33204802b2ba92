//! Where a subscription stands, and what follows from that for access.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::{Basis, Contract, Grant, Known, Latest, Manual, Seat, StripeStatus};

/// Where a subscription stands. It is made from the facts each time it is asked for,
/// so it cannot contradict them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stage {
    /// Known, and not yet entitled: its first payment is on its way.
    Pending,
    /// Entitled.
    Active {
        /// By what.
        standing: Standing,
        /// Until when, if it ends by itself. A paid one does not: Stripe tells.
        until: Option<DateTime<Utc>>,
    },
    /// A payment is late.
    PastDue {
        /// Since when.
        since: DateTime<Utc>,
        /// Until when it is waited for.
        until: DateTime<Utc>,
    },
    /// Entitled, and will end.
    Cancelling {
        /// When.
        until: DateTime<Utc>,
    },
    /// Not entitled any more.
    Ended {
        /// Why.
        reason: EndReason,
        /// Since when.
        at: DateTime<Utc>,
    },
}

/// What an active subscription is entitled by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// It is paid.
    Paid,
    /// Nothing is to be paid yet.
    Trial,
    /// An admin gave it.
    Granted,
    /// It is over, and an admin gave more time.
    Extended,
    /// Stripe says a word that this program does not know, and the paid period is not over.
    UnknownStatus,
}

/// Why a subscription does not entitle any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    /// It was cancelled.
    Canceled,
    /// Its first payment never came.
    IncompleteExpired,
    /// Stripe tries no more to collect what is due.
    Unpaid,
    /// Its trial ended without a way to pay.
    Paused,
    /// A late payment did not come while it was waited for.
    GraceOver,
    /// It was to end, and the time has come.
    PeriodOver,
    /// What an admin gave has run out.
    GrantOver,
    /// The time that an admin added has run out.
    ExtensionOver,
    /// An admin took it away.
    Revoked,
    /// The customer's bank wants the money back.
    Disputed,
    /// The customer got back what they paid last.
    Refunded,
    /// Stripe says a word that this program does not know, and the paid period is over.
    UnknownStatus,
}

/// Whether a subscription gives access, and by which rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Access {
    /// It does.
    In {
        /// Until when, if it ends without further news.
        until: Option<DateTime<Utc>>,
        /// Why.
        rule: Rule,
    },
    /// It does not.
    Out {
        /// Why.
        rule: Rule,
    },
}

/// The rule by which somebody is in or out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// In: paid.
    ActivePaid,
    /// In: on trial.
    Trialing,
    /// In: cancelled, until what is paid is over.
    CancellingUntil,
    /// In: a payment is late, until it has been waited for long enough.
    GraceUntil,
    /// In: an admin gave it.
    ManualGrant,
    /// In: an admin gave more time.
    Extended,
    /// In: Stripe's word for it is not known here, until what is paid is over.
    UnknownStatus,
    /// Out: the first payment is on its way.
    Incomplete,
    /// Out: there is no such subscription.
    Missing,
    /// Out: the place was given to another account.
    Transferred,
    /// Out: the subscription opens another channel.
    OtherChannel,
    /// Out: it is over.
    Ended(EndReason),
}

/// Where a subscription stands, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// See [`Stage::Pending`].
    Pending,
    /// [`Stage::Active`], and the link that was sent has not been used.
    Invited,
    /// See [`Stage::Active`].
    Active,
    /// See [`Stage::PastDue`].
    PastDue,
    /// See [`Stage::Cancelling`].
    Cancelling,
    /// See [`Stage::Ended`].
    Ended,
}

impl Status {
    /// The word stored and shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Invited => "invited",
            Self::Active => "active",
            Self::PastDue => "past_due",
            Self::Cancelling => "cancelling",
            Self::Ended => "ended",
        }
    }
}

impl EndReason {
    /// The word stored and shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Canceled => "canceled",
            Self::IncompleteExpired => "incomplete_expired",
            Self::Unpaid => "unpaid",
            Self::Paused => "paused",
            Self::GraceOver => "grace_over",
            Self::PeriodOver => "period_over",
            Self::GrantOver => "grant_over",
            Self::ExtensionOver => "extension_over",
            Self::Revoked => "revoked",
            Self::Disputed => "disputed",
            Self::Refunded => "refunded",
            Self::UnknownStatus => "unknown_status",
        }
    }
}

impl Rule {
    /// The word stored and shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ActivePaid => "active_paid",
            Self::Trialing => "trialing",
            Self::CancellingUntil => "cancelling_until",
            Self::GraceUntil => "grace_until",
            Self::ManualGrant => "manual_grant",
            Self::Extended => "extended",
            Self::UnknownStatus => "unknown_status",
            Self::Incomplete => "incomplete",
            Self::Missing => "missing",
            Self::Transferred => "transferred",
            Self::OtherChannel => "other_channel",
            Self::Ended(reason) => reason.as_str(),
        }
    }

    /// What it becomes when its time runs out without further news.
    #[must_use]
    pub const fn run_out(self) -> Self {
        match self {
            Self::CancellingUntil => Self::Ended(EndReason::PeriodOver),
            Self::GraceUntil => Self::Ended(EndReason::GraceOver),
            Self::ManualGrant => Self::Ended(EndReason::GrantOver),
            Self::Extended => Self::Ended(EndReason::ExtensionOver),
            Self::UnknownStatus => Self::Ended(EndReason::UnknownStatus),
            Self::ActivePaid
            | Self::Trialing
            | Self::Incomplete
            | Self::Missing
            | Self::Transferred
            | Self::OtherChannel
            | Self::Ended(_) => self,
        }
    }
}

impl Stage {
    /// Whether it entitles, leaving aside that its time may have run out.
    #[must_use]
    pub const fn is_entitled(&self) -> bool {
        matches!(self, Self::Active { .. } | Self::PastDue { .. } | Self::Cancelling { .. })
    }

    /// When it ends without further news.
    #[must_use]
    pub const fn until(&self) -> Option<DateTime<Utc>> {
        match self {
            Self::Active { until, .. } => *until,
            Self::PastDue { until, .. } | Self::Cancelling { until } => Some(*until),
            Self::Pending | Self::Ended { .. } => None,
        }
    }

    /// The rule it stands for.
    #[must_use]
    pub const fn rule(&self) -> Rule {
        match self {
            Self::Pending => Rule::Incomplete,
            Self::Active { standing: Standing::Paid, .. } => Rule::ActivePaid,
            Self::Active { standing: Standing::Trial, .. } => Rule::Trialing,
            Self::Active { standing: Standing::Granted, .. } => Rule::ManualGrant,
            Self::Active { standing: Standing::Extended, .. } => Rule::Extended,
            Self::Active { standing: Standing::UnknownStatus, .. } => Rule::UnknownStatus,
            Self::PastDue { .. } => Rule::GraceUntil,
            Self::Cancelling { .. } => Rule::CancellingUntil,
            Self::Ended { reason, .. } => Rule::Ended(*reason),
        }
    }

    /// What it gives.
    #[must_use]
    pub const fn access(&self) -> Access {
        if self.is_entitled() {
            Access::In { until: self.until(), rule: self.rule() }
        } else {
            Access::Out { rule: self.rule() }
        }
    }

    /// What is left of it when it is `now`.
    fn by(self, now: Option<DateTime<Utc>>) -> Self {
        match (self.until(), self.rule().run_out()) {
            (Some(until), Rule::Ended(reason)) if Some(until) <= now => Self::Ended { reason, at: until },
            _ => self,
        }
    }

    /// It with more time.
    fn extended(self, to: DateTime<Utc>) -> Self {
        match self {
            Self::Active { standing, until } => Self::Active { standing, until: until.map(|until| until.max(to)) },
            Self::PastDue { since, until } => Self::PastDue { since, until: until.max(to) },
            Self::Cancelling { until } => Self::Cancelling { until: until.max(to) },
            Self::Pending | Self::Ended { .. } => Self::Active { standing: Standing::Extended, until: Some(to) },
        }
    }
}

impl Known {
    /// Where it stands, when it is at least `now`.
    pub(super) fn stage(&self, now: Option<DateTime<Utc>>) -> Stage {
        let now = now.max(self.passed);
        let lifted = match self.manual {
            Manual::Revoked { at } => return Stage::Ended { reason: EndReason::Revoked, at },
            Manual::Extended { at, .. } | Manual::Restored { at } => Some(at),
            Manual::None => None,
        };
        let stage = self.basis.stage();
        if let Some((reason, at)) = self.block(lifted) {
            // Whatever time an admin added, they added it before they knew of this.
            let stage = stage.by(now);
            return if stage.is_entitled() { Stage::Ended { reason, at } } else { stage };
        }
        match self.manual {
            Manual::Extended { until, .. } if stage.is_entitled() => stage.extended(until).by(now),
            Manual::Extended { until, .. } if Some(until) > now => stage.extended(until),
            _ => stage.by(now),
        }
    }

    fn block(&self, lifted: Option<DateTime<Utc>>) -> Option<(EndReason, DateTime<Utc>)> {
        match &self.basis {
            Basis::Stripe(side) => side.ledger.block(lifted),
            Basis::Grant(_) => None,
        }
    }

    /// Where it stands, in one word.
    pub(super) fn status(&self) -> Status {
        match (self.stage(None), &self.seat) {
            (Stage::Pending, _) => Status::Pending,
            (Stage::Active { .. }, Seat::Invited { .. }) => Status::Invited,
            (Stage::Active { .. }, _) => Status::Active,
            (Stage::PastDue { .. }, _) => Status::PastDue,
            (Stage::Cancelling { .. }, _) => Status::Cancelling,
            (Stage::Ended { .. }, _) => Status::Ended,
        }
    }
}

impl Basis {
    /// Whether it was to end at Stripe, and that time is over.
    pub(super) fn has_run_out(&self, now: Option<DateTime<Utc>>) -> bool {
        self.stage().by(now).rule() == Rule::Ended(EndReason::PeriodOver)
    }

    /// Where it stands by itself: without time, and without what admins decided.
    fn stage(&self) -> Stage {
        match self {
            Self::Stripe(side) => match &side.latest {
                Some(latest) => latest.stage(side.ledger.late_since()),
                None => Stage::Pending,
            },
            Self::Grant(Grant { cancelled: Some(at), .. }) => Stage::Ended { reason: EndReason::Canceled, at: *at },
            Self::Grant(Grant { until, .. }) => Stage::Active { standing: Standing::Granted, until: *until },
        }
    }
}

impl Latest {
    /// `late` is since when an invoice is not paid, if one is known.
    /// Until it is, the time of this account serves: rather too long a grace than
    /// a door shut on somebody whose invoice is on its way to us.
    fn stage(&self, late: Option<DateTime<Utc>>) -> Stage {
        let contract = &self.contract;
        let ended = |reason| Stage::Ended { reason, at: contract.ended().unwrap_or(self.seen.at()) };
        let standing = match contract.status {
            StripeStatus::Incomplete => return Stage::Pending,
            StripeStatus::IncompleteExpired => return ended(EndReason::IncompleteExpired),
            StripeStatus::Canceled => return ended(EndReason::Canceled),
            StripeStatus::Unpaid => return ended(EndReason::Unpaid),
            StripeStatus::Paused => return ended(EndReason::Paused),
            StripeStatus::PastDue => {
                let since = late.unwrap_or(self.seen.at());
                let grace = since.checked_add_signed(TimeDelta::days(self.grace_days.into()));
                let until = grace.unwrap_or(DateTime::<Utc>::MAX_UTC);
                return Stage::PastDue { since, until: contract.ends_at().map_or(until, |end| until.min(end)) };
            }
            StripeStatus::Trialing => Standing::Trial,
            StripeStatus::Active => Standing::Paid,
            StripeStatus::Unknown(_) => {
                let until = contract.paid_until().unwrap_or(self.seen.at());
                return Stage::Active { standing: Standing::UnknownStatus, until: Some(until) };
            }
        };
        match contract.ends_at() {
            Some(until) => Stage::Cancelling { until },
            None => Stage::Active { standing, until: None },
        }
    }
}

impl Contract {
    /// When it ended, or was told to.
    pub(super) fn ended(&self) -> Option<DateTime<Utc>> {
        self.ended_at.or(self.canceled_at)
    }
}
