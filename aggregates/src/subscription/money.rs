//! Invoices, refunds and disputes: facts of their own, which come in any order.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{EndReason, Event, Party, Past, Period, Refusal, StripeIds};
use crate::{Personal, by_hand::sensible, campaign::Currency};

/// An invoice, as one of its events shows it. Amounts are in the currency's smallest
/// unit as Stripe gives them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InvoiceFacts {
    /// Stripe's id.
    pub id: String,
    /// What was paid of it.
    pub paid_minor: i64,
    /// What is to be paid.
    pub due_minor: i64,
    /// The tax in it.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub tax_minor: i64,
    /// Of which currency.
    pub currency: Currency,
    /// Why there is one, in Stripe's word: `subscription_cycle` for a renewal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub billing_reason: Option<String>,
    /// How often it was tried to collect it.
    pub attempts: u32,
    /// When it is tried again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_attempt_at: Option<DateTime<Utc>>,
    /// Where the customer can pay it. Whoever knows it sees the invoice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hosted_url: Option<Personal<String>>,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub period: Option<Period>,
    /// When Stripe made it.
    pub created: DateTime<Utc>,
    /// When it came to what is told of it: when it was paid, or when the attempt
    /// failed. None where Stripe did not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<DateTime<Utc>>,
}

fn is_zero(minor: &i64) -> bool {
    *minor == 0
}

/// What became of an invoice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InvoiceOutcome {
    /// It was paid.
    Paid,
    /// An attempt to collect it failed.
    PaymentFailed,
    /// The customer has to confirm the payment.
    ActionRequired,
}

/// What went back to a customer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefundFacts {
    /// Stripe's id of what was paid.
    pub charge: String,
    /// What had been paid.
    pub charged_minor: i64,
    /// When it had been paid.
    pub charged_at: DateTime<Utc>,
    /// What went back of it so far, in total.
    pub refunded_minor: i64,
    /// Of which currency.
    pub currency: Currency,
    /// When the total came to that.
    pub at: DateTime<Utc>,
}

/// What is to go back to a customer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefundWish {
    /// By what it was paid: Stripe's id of the payment (`pi_…`) or of the charge.
    pub paid_by: String,
    /// Which invoice was paid so.
    pub invoice: String,
    /// How much, in the currency's smallest unit; all that is left of it when nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount_minor: Option<i64>,
}

/// A customer's bank that wants the money back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DisputeFacts {
    /// Stripe's id.
    pub dispute: String,
    /// Of what was paid.
    pub charge: String,
    /// How much.
    pub amount_minor: i64,
    /// Of which currency.
    pub currency: Currency,
    /// How far it is.
    pub status: DisputeStatus,
    /// When it came that far.
    pub at: DateTime<Utc>,
}

/// How far a dispute is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DisputeStatus {
    /// Nobody has decided yet.
    Opened,
    /// The money stays here, or an inquiry came to nothing.
    Won,
    /// The money is gone.
    Lost,
}

/// What a refund does to access.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefundPolicy {
    /// Nothing: it was a kindness.
    KeepAccess,
    /// Who got everything back that they paid last is out until they pay again.
    #[default]
    EndOnFullRefund,
}

/// What a dispute does to access.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DisputePolicy {
    /// Nothing.
    KeepAccess,
    /// Out at once, since the bank takes the money at once; in again when it is won.
    #[default]
    EndWhenOpened,
    /// Out when it is lost.
    EndWhenLost,
}

/// What is known of a subscription's money.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Ledger {
    invoices: BTreeMap<String, Invoice>,
    refunds: BTreeMap<String, Refund>,
    disputes: BTreeMap<String, Dispute>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Invoice {
    created: DateTime<Utc>,
    /// The attempts that failed, as far as they are known.
    failed: BTreeSet<u32>,
    /// When the first of them did, or, where Stripe does not say, when the invoice was made.
    #[serde(default)]
    late: Option<DateTime<Utc>>,
    /// The last attempt that the customer had to confirm.
    action: u32,
    /// What was paid, once it is; nothing, if there was nothing to pay.
    paid: Option<i64>,
    /// Where it can be paid, while it is not.
    #[serde(default)]
    hosted_url: Option<Personal<String>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Refund {
    charged_at: DateTime<Utc>,
    /// The totals that are known to have been; the last one is what it came to.
    totals: BTreeSet<i64>,
    ends_access: bool,
    at: DateTime<Utc>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Dispute {
    status: DisputeStatus,
    ends_access: bool,
    at: DateTime<Utc>,
}

impl Invoice {
    /// An attempt to collect it failed; the `newest` says where it can be paid.
    fn fail(&mut self, facts: &InvoiceFacts, newest: bool) {
        let at = facts.at.unwrap_or(facts.created);
        self.failed.insert(facts.attempt());
        self.late = Some(self.late.map_or(at, |late| late.min(at)));
        if newest {
            self.hosted_url.clone_from(&facts.hosted_url);
        }
    }
}

/// What all events about money say.
pub(super) struct About {
    pub(super) stripe: StripeIds,
    pub(super) party: Party,
    pub(super) at: DateTime<Utc>,
}

impl Ledger {
    /// What is known of money that was never heard of.
    pub(super) const EMPTY: &Self =
        &Self { invoices: BTreeMap::new(), refunds: BTreeMap::new(), disputes: BTreeMap::new() };

    /// What an invoice's event adds to what is known: once for each attempt that fails
    /// and each that has to be confirmed. Once it is paid, or a later attempt failed, an
    /// attempt that failed before is the past.
    pub(super) fn invoice(&self, about: About, invoice: &InvoiceFacts, outcome: InvoiceOutcome) -> Option<Event> {
        let known = self.invoices.get(&invoice.id);
        let paid = known.is_some_and(|known| known.paid.is_some());
        let failed = known.and_then(|known| known.failed.last().copied()).unwrap_or(0);
        let action = known.map_or(0, |known| known.action);
        let About { stripe, party, at } = about;
        let (invoice, attempt) = (invoice.clone(), invoice.attempt());
        match outcome {
            InvoiceOutcome::Paid if !paid => Some(Event::InvoicePaid { stripe, party, invoice, at }),
            InvoiceOutcome::PaymentFailed if !paid && failed < attempt => {
                Some(Event::PaymentFailed { stripe, party, invoice, at })
            }
            InvoiceOutcome::PaymentFailed if known.is_none_or(|known| !known.failed.contains(&attempt)) => {
                Some(Event::Learned { stripe, past: Past::PaymentFailed(invoice), at })
            }
            InvoiceOutcome::ActionRequired if !paid && action < attempt => {
                Some(Event::ActionRequired { stripe, party, invoice, at })
            }
            InvoiceOutcome::Paid | InvoiceOutcome::PaymentFailed | InvoiceOutcome::ActionRequired => None,
        }
    }

    /// What a refund adds: the difference, because Stripe tells totals. A total that was
    /// there before a greater one is the past.
    pub(super) fn refund(&self, about: About, refund: &RefundFacts, policy: RefundPolicy) -> Option<Event> {
        let known = self.refunds.get(&refund.charge);
        let before = known.map_or(0, Refund::minor);
        let minor = refund.refunded_minor.saturating_sub(before);
        let full = refund.refunded_minor >= refund.charged_minor;
        let ends_access = full && policy == RefundPolicy::EndOnFullRefund;
        let About { stripe, party, at } = about;
        let refund = refund.clone();
        if minor > 0 {
            return Some(Event::Refunded { stripe, party, refund, minor, full, ends_access, at });
        }
        let news =
            refund.refunded_minor > 0 && known.is_some_and(|known| !known.totals.contains(&refund.refunded_minor));
        news.then_some(Event::Learned { stripe, past: Past::Refunded(refund), at })
    }

    /// What a dispute adds. One that was decided is not opened any more.
    pub(super) fn dispute(&self, about: About, dispute: &DisputeFacts, policy: DisputePolicy) -> Option<Event> {
        if self.disputes.get(&dispute.dispute).is_some_and(|known| known.status >= dispute.status) {
            return None;
        }
        let ends_access = match dispute.status {
            DisputeStatus::Opened => policy == DisputePolicy::EndWhenOpened,
            DisputeStatus::Won => false,
            DisputeStatus::Lost => policy != DisputePolicy::KeepAccess,
        };
        let About { stripe, party, at } = about;
        let dispute = dispute.clone();
        Some(match dispute.status {
            DisputeStatus::Opened => Event::DisputeOpened { stripe, party, dispute, ends_access, at },
            DisputeStatus::Won | DisputeStatus::Lost => {
                Event::DisputeClosed { stripe, party, dispute, ends_access, at }
            }
        })
    }

    /// Takes in what an event says.
    pub(super) fn apply(&mut self, event: &Event) {
        match event {
            Event::InvoicePaid { invoice, .. } => {
                let known = self.of(invoice);
                (known.paid, known.created) = (Some(invoice.paid_minor), invoice.created);
                // Nothing is to be confirmed any more; whether it was, nobody asks.
                known.action = 0;
                known.hosted_url = None;
            }
            Event::PaymentFailed { invoice, .. } => self.of(invoice).fail(invoice, true),
            Event::Learned { past: Past::PaymentFailed(invoice), .. } => self.of(invoice).fail(invoice, false),
            Event::ActionRequired { invoice, .. } => {
                let known = self.of(invoice);
                known.action = invoice.attempt();
                known.hosted_url.clone_from(&invoice.hosted_url);
            }
            Event::Refunded { refund, ends_access, .. } => {
                let mut totals = self.refunds.remove(&refund.charge).map(|known| known.totals).unwrap_or_default();
                totals.insert(refund.refunded_minor);
                let known = Refund { charged_at: refund.charged_at, totals, ends_access: *ends_access, at: refund.at };
                self.refunds.insert(refund.charge.clone(), known);
            }
            Event::Learned { past: Past::Refunded(refund), .. } => {
                if let Some(known) = self.refunds.get_mut(&refund.charge) {
                    known.totals.insert(refund.refunded_minor);
                }
            }
            Event::DisputeOpened { dispute, ends_access, .. } | Event::DisputeClosed { dispute, ends_access, .. } => {
                let known = Dispute { status: dispute.status, ends_access: *ends_access, at: dispute.at };
                self.disputes.insert(dispute.dispute.clone(), known);
            }
            _ => {}
        }
    }

    /// What is known of an invoice.
    fn of(&mut self, facts: &InvoiceFacts) -> &mut Invoice {
        let fresh = Invoice {
            created: facts.created,
            failed: BTreeSet::new(),
            late: None,
            action: 0,
            paid: None,
            hosted_url: None,
        };
        self.invoices.entry(facts.id.clone()).or_insert(fresh)
    }

    /// Since when payments are late: when it was first tried in vain to collect an
    /// invoice that is newer than the last one that was paid. None when no such invoice
    /// is known. (Days can pass from its making to the first try.)
    pub(super) fn late_since(&self) -> Option<DateTime<Utc>> {
        let paid = self.last_paid(i64::MIN);
        let late = self.invoices.values().filter(|invoice| invoice.paid.is_none() && !invoice.failed.is_empty());
        late.filter(|invoice| Some(invoice.created) > paid).map(|invoice| invoice.late.unwrap_or(invoice.created)).min()
    }

    /// How often it was tried in vain to collect the newest invoice that is not paid.
    pub(super) fn attempts(&self) -> u32 {
        let late = self.invoices.values().filter(|invoice| invoice.paid.is_none());
        let newest = late.max_by_key(|invoice| invoice.created);
        newest.and_then(|invoice| invoice.failed.last().copied()).unwrap_or(0)
    }

    /// Where the newest invoice can be paid that waits for it.
    pub(super) fn payable(&self) -> Option<&Personal<String>> {
        let open = self.invoices.values().filter(|invoice| invoice.paid.is_none());
        open.max_by_key(|invoice| invoice.created).and_then(|invoice| invoice.hosted_url.as_ref())
    }

    /// When the newest invoice was made that was paid with more than this.
    fn last_paid(&self, more_than: i64) -> Option<DateTime<Utc>> {
        let paid = self.invoices.values().filter(|invoice| invoice.paid.is_some_and(|minor| minor > more_than));
        paid.map(|invoice| invoice.created).max()
    }

    /// What keeps a person out although the subscription runs, and since when. What an
    /// admin decided after it, `lifted`, outweighs it.
    ///
    /// A refund counts until an invoice is paid that is newer than what was refunded.
    pub(super) fn block(&self, lifted: Option<DateTime<Utc>>) -> Option<(EndReason, DateTime<Utc>)> {
        let paid = self.last_paid(0);
        let disputes = self.disputes.values().filter(|dispute| dispute.ends_access);
        let disputed = disputes.map(|dispute| (EndReason::Disputed, dispute.at));
        let refunds = self.refunds.values().filter(|refund| refund.ends_access && Some(refund.charged_at) >= paid);
        let refunded = refunds.map(|refund| (EndReason::Refunded, refund.at));
        disputed.chain(refunded).filter(|(_, at)| Some(*at) > lifted).min_by_key(|(_, at)| *at)
    }
}

impl Refund {
    /// What went back in total.
    fn minor(&self) -> i64 {
        self.totals.last().copied().unwrap_or(0)
    }
}

impl RefundFacts {
    /// Checks what came from outside.
    ///
    /// # Errors
    /// [`Refusal::Invalid`], naming the field.
    pub(super) fn check(&self) -> Result<(), Refusal> {
        if sensible(&self.charge, 255, false) { Ok(()) } else { Err(Refusal::invalid("charge")) }
    }
}

impl RefundWish {
    /// Checks what came from outside.
    ///
    /// # Errors
    /// [`Refusal::Invalid`], naming the field.
    pub(super) fn check(&self) -> Result<(), Refusal> {
        for (field, text) in [("payment", &self.paid_by), ("invoice", &self.invoice)] {
            if !sensible(text, 255, false) {
                return Err(Refusal::invalid(field));
            }
        }
        if self.amount_minor.is_some_and(|minor| minor <= 0) { Err(Refusal::invalid("amount_minor")) } else { Ok(()) }
    }
}

impl DisputeFacts {
    /// Checks what came from outside.
    ///
    /// # Errors
    /// [`Refusal::Invalid`], naming the field.
    pub(super) fn check(&self) -> Result<(), Refusal> {
        if !sensible(&self.dispute, 255, false) {
            return Err(Refusal::invalid("dispute"));
        }
        if sensible(&self.charge, 255, false) { Ok(()) } else { Err(Refusal::invalid("charge")) }
    }
}

impl InvoiceFacts {
    /// The number of the last attempt to collect it; one that fails before the first counts as it.
    fn attempt(&self) -> u32 {
        self.attempts.max(1)
    }

    /// Checks what came from outside.
    ///
    /// # Errors
    /// [`Refusal::Invalid`], naming the field.
    pub(super) fn check(&self) -> Result<(), Refusal> {
        if !sensible(&self.id, 255, false) {
            return Err(Refusal::invalid("invoice"));
        }
        if self.billing_reason.as_deref().is_some_and(|text| !sensible(text, 255, false)) {
            return Err(Refusal::invalid("billing_reason"));
        }
        if self.hosted_url.as_ref().is_some_and(|url| !sensible(url.reveal(), 2_000, false)) {
            return Err(Refusal::invalid("hosted_url"));
        }
        Ok(())
    }
}
