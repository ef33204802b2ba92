//! Wishes about a subscription.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{
    Account, DisputeFacts, DisputePolicy, InvoiceFacts, InvoiceOutcome, Link, Observation, RefundFacts, RefundPolicy,
    RefundWish, Refusal, Seen,
};
use crate::{ByHand, Personal, by_hand::sensible, plan::PlanRef};

/// What a subscription is called at Stripe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StripeIds {
    /// `sub_…`
    pub subscription: String,
    /// `cus_…`, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer: Option<String>,
}

/// What the installation has decided for all subscriptions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Settings {
    /// For how many days somebody whose payment is late stays in.
    pub grace_days: u16,
    /// What a refund does to access.
    pub refunds: RefundPolicy,
    /// What a dispute does to access.
    pub disputes: DisputePolicy,
}

/// When to cancel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CancelWhen {
    /// When what is paid is over.
    AtPeriodEnd,
    /// At once.
    Now,
}

/// Wishes about a subscription. `at` is always the time of the wish; every other time
/// is Stripe's. Each can be sent again, and in any order: what is known is no news.
#[derive(Debug, Clone)]
#[allow(missing_docs, reason = "the fields are those of the events")]
pub enum Command {
    /// Take in what Stripe says of it.
    Observe { observation: Box<Observation>, settings: Settings, at: DateTime<Utc> },
    /// Take in what Stripe says of it now, when it was asked because of an event, and what
    /// that event `told`: what is so is known from the answer, and when it came to be so
    /// from the event. The answer is the later of the two.
    Hear { observation: Box<Observation>, told: Box<Observation>, settings: Settings, at: DateTime<Utc> },
    /// Take in who its customer is: from a checkout, or a change of their address.
    Identify {
        stripe: StripeIds,
        email: Option<Personal<String>>,
        account: Option<Account>,
        seen: Seen,
        /// Who says so, and why, when it is not Stripe. Nothing that Stripe says later undoes it.
        by_hand: Option<ByHand>,
        at: DateTime<Utc>,
    },
    /// Take in what its prices stand for by now: plans are defined and changed after they were bought.
    Replan { plan: Option<PlanRef>, at: DateTime<Utc> },
    /// Take in what became of an invoice.
    Invoice { stripe: StripeIds, invoice: Box<InvoiceFacts>, outcome: InvoiceOutcome, at: DateTime<Utc> },
    /// Take in what went back to the customer.
    Refund { stripe: StripeIds, refund: Box<RefundFacts>, settings: Settings, at: DateTime<Utc> },
    /// Take in that the customer's bank wants money back.
    Dispute { stripe: StripeIds, dispute: Box<DisputeFacts>, settings: Settings, at: DateTime<Utc> },
    /// Give access without Stripe; without `until`, for as long as nobody takes it away.
    Grant {
        plan: PlanRef,
        email: Option<Personal<String>>,
        account: Option<Account>,
        until: Option<DateTime<Utc>>,
        by_hand: ByHand,
        at: DateTime<Utc>,
    },
    /// Give access until then at least, whatever else would end it before.
    Extend { until: DateTime<Utc>, by_hand: ByHand, at: DateTime<Utc> },
    /// Take access away, whatever was paid.
    Revoke { by_hand: ByHand, at: DateTime<Utc> },
    /// Take back a revocation, and let pass the refunds and disputes there were.
    Restore { by_hand: ByHand, at: DateTime<Utc> },
    /// Give the place to another Telegram account.
    Transfer { to: Account, by_hand: ByHand, at: DateTime<Utc> },
    /// A link was made for it. The one before is taken back.
    IssueLink { link: Link, at: DateTime<Utc> },
    /// Take the link back.
    RevokeLink { at: DateTime<Utc> },
    /// Somebody came, or wants to, by this link. Without one, somebody whom the
    /// caller knows to be the subscriber.
    Join { account: Account, link: Option<Personal<String>>, at: DateTime<Utc> },
    /// End what time alone ends; nothing, if it is not time yet.
    Lapse { at: DateTime<Utc> },
    /// Cancel it. What is at Stripe is cancelled there, and ends when Stripe says so; what
    /// was given by hand ends at once, with the time that was added to it.
    RequestCancel { when: CancelWhen, by_hand: ByHand, at: DateTime<Utc> },
    /// Stripe did as it was asked. What was asked for since is still to be done.
    ConfirmCancel { when: CancelWhen, at: DateTime<Utc> },
    /// Stripe did not do what it was asked, and why, in words without secrets.
    FailCancel { when: CancelWhen, error: String, at: DateTime<Utc> },
    /// Give money back, at Stripe. Each time it is wished it is done.
    RequestRefund { refund: RefundWish, by_hand: ByHand, at: DateTime<Utc> },
    /// Stripe did not, and why, in words without secrets.
    FailRefund { refund: RefundWish, error: String, at: DateTime<Utc> },
}

impl Command {
    /// The time of the wish.
    #[must_use]
    pub const fn at(&self) -> DateTime<Utc> {
        match self {
            Self::Observe { at, .. }
            | Self::Hear { at, .. }
            | Self::Replan { at, .. }
            | Self::Identify { at, .. }
            | Self::Invoice { at, .. }
            | Self::Refund { at, .. }
            | Self::Dispute { at, .. }
            | Self::Grant { at, .. }
            | Self::Extend { at, .. }
            | Self::Revoke { at, .. }
            | Self::Restore { at, .. }
            | Self::Transfer { at, .. }
            | Self::IssueLink { at, .. }
            | Self::RevokeLink { at }
            | Self::Join { at, .. }
            | Self::Lapse { at }
            | Self::RequestCancel { at, .. }
            | Self::ConfirmCancel { at, .. }
            | Self::FailCancel { at, .. }
            | Self::RequestRefund { at, .. }
            | Self::FailRefund { at, .. } => *at,
        }
    }
}

impl StripeIds {
    /// Checks what came from outside.
    ///
    /// # Errors
    /// [`Refusal::Invalid`], naming the field.
    pub(super) fn check(&self) -> Result<(), Refusal> {
        if !sensible(&self.subscription, 255, false) {
            return Err(Refusal::invalid("subscription"));
        }
        if self.customer.as_deref().is_some_and(|customer| !sensible(customer, 255, false)) {
            return Err(Refusal::invalid("customer"));
        }
        Ok(())
    }
}

/// Whether a text could be an e-mail address: one `@` with something on both sides,
/// no spaces, nothing that cannot be seen, at most 254 bytes (RFC 5321). Whether it is
/// one, only a message tells.
#[must_use]
pub fn is_email(text: &str) -> bool {
    let plain = !text.chars().any(|c| c.is_control() || c.is_whitespace() || is_unseen(c));
    let sides = text.rsplit_once('@').is_some_and(|(name, host)| !name.is_empty() && !host.is_empty());
    plain && sides && text.len() <= 254
}

/// Whether a character is not seen, or only turns others around: two addresses that look
/// the same would be two. (Of Unicode's category Cf what can come into a text by copying.)
const fn is_unseen(c: char) -> bool {
    matches!(
        c,
        '\u{AD}' | '\u{61C}' | '\u{180E}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}'
            | '\u{2060}'..='\u{206F}' | '\u{FEFF}'
    )
}
