//! What happened to a subscription.
//!
//! There are two kinds. Some say what was found out or decided; they alone make the
//! state. The others say what that came to, for those who act on it; they carry all
//! that a message or a read model needs, and change nothing by themselves.

use chrono::{DateTime, Utc};
use cqrs_es::DomainEvent;
use serde::{Deserialize, Serialize};

use super::{
    Account, CancelWhen, DisputeFacts, EndReason, InvoiceFacts, Latest, Link, Mrr, RefundFacts, RefundWish, Rule, Seen,
    Standing, Status, StripeIds,
};
use crate::{ByHand, Personal, plan::PlanRef};

/// Whom a subscription concerns, and what it opens.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Party {
    /// The subscriber's address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<Personal<String>>,
    /// The Telegram account that joined, or is expected to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<Account>,
    /// The plan; none when no plan has its prices.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<PlanRef>,
}

/// Something that was so before what is known, and was heard of after it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Past {
    /// An account of it that is older than the newest.
    Observed(Box<Latest>),
    /// An attempt to collect an invoice that failed before it was paid, or before another failed.
    PaymentFailed(InvoiceFacts),
    /// A total of refunds that was less than what is known.
    Refunded(RefundFacts),
}

/// Facts about a subscription.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "each field says what it is by its name and type")]
pub enum Event {
    // What was found out or decided.
    /// Stripe's newest account of it.
    Observed {
        stripe: StripeIds,
        latest: Latest,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        email: Option<Personal<String>>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        account: Option<Account>,
        at: DateTime<Utc>,
    },
    /// Who its customer is.
    Identified {
        stripe: StripeIds,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        email: Option<Personal<String>>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        account: Option<Account>,
        seen: Seen,
        /// By whom it was said, and why, when it is not Stripe that knows. It outweighs Stripe.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by_hand: Option<ByHand>,
        at: DateTime<Utc>,
    },
    /// An invoice was paid.
    InvoicePaid { stripe: StripeIds, party: Party, invoice: InvoiceFacts, at: DateTime<Utc> },
    /// An attempt to collect an invoice failed.
    PaymentFailed { stripe: StripeIds, party: Party, invoice: InvoiceFacts, at: DateTime<Utc> },
    /// The customer has to confirm a payment.
    ActionRequired { stripe: StripeIds, party: Party, invoice: InvoiceFacts, at: DateTime<Utc> },
    /// Money went back: `minor` more than was known, and `full` when nothing is left.
    Refunded {
        stripe: StripeIds,
        party: Party,
        refund: RefundFacts,
        minor: i64,
        full: bool,
        ends_access: bool,
        at: DateTime<Utc>,
    },
    /// The customer's bank wants money back.
    DisputeOpened { stripe: StripeIds, party: Party, dispute: DisputeFacts, ends_access: bool, at: DateTime<Utc> },
    /// It was decided who gets it.
    DisputeClosed { stripe: StripeIds, party: Party, dispute: DisputeFacts, ends_access: bool, at: DateTime<Utc> },
    /// What was so before. It completes the history and nobody acts on it. Where the
    /// subscription stands it changes only in that grace counts from the earliest
    /// attempt that failed, which is told by itself.
    Learned { stripe: StripeIds, past: Past, at: DateTime<Utc> },
    /// An admin gave it.
    Granted {
        plan: PlanRef,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        email: Option<Personal<String>>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        account: Option<Account>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<DateTime<Utc>>,
        by_hand: ByHand,
        at: DateTime<Utc>,
    },
    /// An admin gave more time.
    Extended { party: Party, until: DateTime<Utc>, by_hand: ByHand, at: DateTime<Utc> },
    /// An admin took access away.
    Revoked { party: Party, by_hand: ByHand, at: DateTime<Utc> },
    /// An admin gave it back.
    Restored { party: Party, by_hand: ByHand, at: DateTime<Utc> },
    /// An admin gave the place to another account.
    Transferred {
        party: Party,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<Account>,
        to: Account,
        by_hand: ByHand,
        at: DateTime<Utc>,
    },
    /// A link was made.
    LinkIssued { party: Party, link: Link, at: DateTime<Utc> },
    /// A link is not to be used any more.
    LinkRevoked { link: Link, at: DateTime<Utc> },
    /// Somebody took the place.
    Joined { party: Party, account: Account, at: DateTime<Utc> },
    /// A time passed by which it was to end.
    Lapsed { at: DateTime<Utc> },
    /// It is to be cancelled; what has no ids at Stripe is.
    CancelRequested {
        party: Party,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        stripe: Option<StripeIds>,
        when: CancelWhen,
        by_hand: ByHand,
        at: DateTime<Utc>,
    },
    /// Stripe did as it was asked.
    CancelConfirmed { party: Party, when: CancelWhen, at: DateTime<Utc> },
    /// Stripe did not.
    CancelFailed { party: Party, when: CancelWhen, error: String, at: DateTime<Utc> },
    /// An admin wants money to go back. What went back, `Refunded` says.
    RefundRequested { party: Party, stripe: StripeIds, refund: RefundWish, by_hand: ByHand, at: DateTime<Utc> },
    /// Stripe did not give it back.
    RefundFailed { party: Party, refund: RefundWish, error: String, at: DateTime<Utc> },

    // What it came to.
    /// It is known what it is; `stripe` is none for a grant.
    Started {
        party: Party,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        stripe: Option<StripeIds>,
        at: DateTime<Utc>,
    },
    /// It gives access for the first time.
    Activated {
        party: Party,
        standing: Standing,
        /// When it is paid next, or ends.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<DateTime<Utc>>,
        at: DateTime<Utc>,
    },
    /// There is a link, and somebody to send it to: whichever of the two came last.
    Invited { party: Party, at: DateTime<Utc> },
    /// A trial became a subscription that is paid.
    TrialConverted {
        party: Party,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<DateTime<Utc>>,
        at: DateTime<Utc>,
    },
    /// It goes on for another period.
    Renewed { party: Party, until: DateTime<Utc>, at: DateTime<Utc> },
    /// Something else is sold by it.
    PlanChanged {
        party: Party,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<PlanRef>,
        at: DateTime<Utc>,
    },
    /// A payment is late, and is waited for until then.
    PastDue { party: Party, since: DateTime<Utc>, until: DateTime<Utc>, at: DateTime<Utc> },
    /// What was late is paid.
    Recovered {
        party: Party,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<DateTime<Utc>>,
        at: DateTime<Utc>,
    },
    /// It will end then.
    CancelPlanned { party: Party, until: DateTime<Utc>, at: DateTime<Utc> },
    /// It will not end after all.
    CancelWithdrawn { party: Party, at: DateTime<Utc> },
    /// It gives no access any more, since `ended_at`; or for another reason than was
    /// known, when it `was` ended. None: it never gave any that we knew of.
    Ended {
        party: Party,
        reason: EndReason,
        ended_at: DateTime<Utc>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        was: Option<Status>,
        at: DateTime<Utc>,
    },
    /// It gives access again.
    Reactivated {
        party: Party,
        standing: Standing,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<DateTime<Utc>>,
        at: DateTime<Utc>,
    },
    /// It gives access by another rule, until another time, or to another account, and
    /// nothing else says so. `left` is the account that it gave access to before.
    AccessChanged {
        party: Party,
        rule: Rule,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<DateTime<Utc>>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        left: Option<Account>,
        at: DateTime<Utc>,
    },
    /// It comes to another amount a month, since `effective` by Stripe's time; none: to
    /// nothing. All that changes the amount says so here, and once.
    MrrChanged {
        party: Party,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        before: Option<Mrr>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<Mrr>,
        effective: DateTime<Utc>,
        at: DateTime<Utc>,
    },
}

impl Event {
    /// Whether it says that something about access may be different now: whom the
    /// subscription lets in, where, by which rule, or until when.
    #[must_use]
    pub const fn concerns_access(&self) -> bool {
        match self {
            Self::Activated { .. }
            | Self::Reactivated { .. }
            | Self::Recovered { .. }
            | Self::Renewed { .. }
            | Self::TrialConverted { .. }
            | Self::PastDue { .. }
            | Self::CancelPlanned { .. }
            | Self::CancelWithdrawn { .. }
            | Self::PlanChanged { .. }
            | Self::Ended { .. }
            | Self::AccessChanged { .. }
            | Self::Extended { .. }
            | Self::Revoked { .. }
            | Self::Restored { .. }
            | Self::Transferred { .. }
            | Self::Joined { .. } => true,
            Self::Observed { .. }
            | Self::Identified { .. }
            | Self::InvoicePaid { .. }
            | Self::PaymentFailed { .. }
            | Self::ActionRequired { .. }
            | Self::Refunded { .. }
            | Self::DisputeOpened { .. }
            | Self::DisputeClosed { .. }
            | Self::Learned { .. }
            | Self::Granted { .. }
            | Self::LinkIssued { .. }
            | Self::LinkRevoked { .. }
            | Self::Invited { .. }
            | Self::Lapsed { .. }
            | Self::CancelRequested { .. }
            | Self::CancelConfirmed { .. }
            | Self::CancelFailed { .. }
            | Self::RefundRequested { .. }
            | Self::RefundFailed { .. }
            | Self::Started { .. }
            | Self::MrrChanged { .. } => false,
        }
    }
}

impl DomainEvent for Event {
    fn event_type(&self) -> String {
        match self {
            Self::Observed { .. } => "Observed",
            Self::Identified { .. } => "Identified",
            Self::InvoicePaid { .. } => "InvoicePaid",
            Self::PaymentFailed { .. } => "PaymentFailed",
            Self::ActionRequired { .. } => "ActionRequired",
            Self::Refunded { .. } => "Refunded",
            Self::DisputeOpened { .. } => "DisputeOpened",
            Self::DisputeClosed { .. } => "DisputeClosed",
            Self::Learned { .. } => "Learned",
            Self::Granted { .. } => "Granted",
            Self::Extended { .. } => "Extended",
            Self::Revoked { .. } => "Revoked",
            Self::Restored { .. } => "Restored",
            Self::Transferred { .. } => "Transferred",
            Self::LinkIssued { .. } => "LinkIssued",
            Self::LinkRevoked { .. } => "LinkRevoked",
            Self::Joined { .. } => "Joined",
            Self::Lapsed { .. } => "Lapsed",
            Self::CancelRequested { .. } => "CancelRequested",
            Self::CancelConfirmed { .. } => "CancelConfirmed",
            Self::CancelFailed { .. } => "CancelFailed",
            Self::RefundRequested { .. } => "RefundRequested",
            Self::RefundFailed { .. } => "RefundFailed",
            Self::Started { .. } => "Started",
            Self::Activated { .. } => "Activated",
            Self::Invited { .. } => "Invited",
            Self::TrialConverted { .. } => "TrialConverted",
            Self::Renewed { .. } => "Renewed",
            Self::PlanChanged { .. } => "PlanChanged",
            Self::PastDue { .. } => "PastDue",
            Self::Recovered { .. } => "Recovered",
            Self::CancelPlanned { .. } => "CancelPlanned",
            Self::CancelWithdrawn { .. } => "CancelWithdrawn",
            Self::Ended { .. } => "Ended",
            Self::Reactivated { .. } => "Reactivated",
            Self::AccessChanged { .. } => "AccessChanged",
            Self::MrrChanged { .. } => "MrrChanged",
        }
        .to_owned()
    }

    fn event_version(&self) -> String {
        "1".to_owned()
    }
}
