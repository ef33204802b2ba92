//! A subscription: what was bought at Stripe or given by hand, and the access it gives.
//!
//! pending → active ⇄ past due, ⇄ cancelling → ended, and sometimes active again. Where
//! it stands is no field that is written: it is made from the facts (see [`Stage`]). Facts
//! come from Stripe late, twice and in any order, so the newest account of the
//! subscription is kept by a total order, each invoice, refund and dispute by itself,
//! and the same facts make the same state however they came.

mod command;
mod contract;
mod event;
pub mod exact;
mod facts;
mod money;
pub mod mrr;
mod refusal;
mod seat;
mod stage;
#[cfg(test)]
mod tests;
mod transitions;

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use cqrs_es::{Aggregate, event_sink::EventSink};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{Decide, Personal, decide, plan::PlanRef};
pub use command::{CancelWhen, Command, Settings, StripeIds, is_email};
pub use contract::{Contract, Latest, Observation, Period, Seen, StripeStatus};
pub use event::{Event, Party, Past};
use money::{About, Ledger};
pub use money::{
    DisputeFacts, DisputePolicy, DisputeStatus, InvoiceFacts, InvoiceOutcome, RefundFacts, RefundPolicy, RefundWish,
};
pub use mrr::{Discount, Item, Mrr};
pub use refusal::Refusal;
use seat::Seat;
pub use seat::{Account, Link, LinkKind};
pub use stage::{Access, EndReason, Rule, Stage, Standing, Status};

/// Of ids made from Stripe's. Random, and never another.
const STRIPE: Uuid = Uuid::from_u128(0x3f0d_9c52_7a1e_4b86_9d43_b1c8_60e7_25fa);

/// The stream of a subscription at Stripe (UUID version 5, RFC 9562), so that whoever
/// knows Stripe's id finds it without looking anything up.
#[must_use]
pub fn stripe_subscription_stream(subscription: &str) -> Uuid {
    Uuid::new_v5(&STRIPE, subscription.as_bytes())
}

/// A subscription.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Subscription {
    /// Nothing happened under this id.
    #[default]
    Missing,
    /// Something did.
    Known(Box<Known>),
}

/// What is known of a subscription.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    basis: Basis,
    email: Option<Noted<Personal<String>>>,
    /// The account that was named when it was bought.
    named: Option<Noted<Account>>,
    seat: Seat,
    manual: Manual,
    /// By when all has ended that was to end. Who is in never depends on it, as it is
    /// earlier than the time that is asked about; it says what was told of.
    passed: Option<DateTime<Utc>>,
}

/// What a subscription rests on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
enum Basis {
    Stripe(Box<AtStripe>),
    Grant(Grant),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct AtStripe {
    ids: StripeIds,
    /// None while only its money is known.
    latest: Option<Latest>,
    ledger: Ledger,
    /// Stripe's events that brought an account of it.
    #[serde(default)]
    heard: BTreeSet<String>,
    /// What Stripe is asked to do and has not answered.
    cancelling: Option<CancelWhen>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Grant {
    plan: PlanRef,
    until: Option<DateTime<Utc>>,
    cancelled: Option<DateTime<Utc>>,
}

/// The last word of an admin. There is one, so none contradicts another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Manual {
    None,
    Extended { until: DateTime<Utc>, at: DateTime<Utc> },
    Revoked { at: DateTime<Utc> },
    Restored { at: DateTime<Utc> },
}

/// Something that may be told differently later, with how it is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Noted<T> {
    value: T,
    seen: Seen,
    /// An admin, or a partner's site, said so.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    by_hand: bool,
}

/// Who says something about a person, and as of when.
#[derive(Clone, Copy)]
struct Source<'a> {
    seen: &'a Seen,
    by_hand: bool,
}

impl Source<'_> {
    /// What was said by hand outweighs Stripe, whatever Stripe says later.
    fn order(&self) -> impl Ord + use<'_> {
        (self.by_hand, self.seen.order())
    }
}

impl<T: Clone + PartialEq> Noted<T> {
    /// Whether an account is newer. What was fetched and says the same is none: it
    /// would be one at each look.
    fn is_news(known: Option<&Self>, value: Option<&T>, source: Source<'_>) -> bool {
        match (known, value) {
            (_, None) => false,
            (None, Some(_)) => true,
            (Some(known), Some(value)) => {
                let again = known.value == *value && known.by_hand == source.by_hand && source.seen.is_fetched();
                !again && known.source().order() < source.order()
            }
        }
    }

    fn note(known: &mut Option<Self>, value: Option<T>, source: Source<'_>) {
        if let Some(value) = value
            && known.as_ref().is_none_or(|known| known.source().order() < source.order())
        {
            *known = Some(Self { value, seen: source.seen.clone(), by_hand: source.by_hand });
        }
    }

    const fn source(&self) -> Source<'_> {
        Source { seen: &self.seen, by_hand: self.by_hand }
    }
}

impl Subscription {
    /// What is known of it.
    #[must_use]
    const fn known(&self) -> Option<&Known> {
        match self {
            Self::Missing => None,
            Self::Known(known) => Some(known),
        }
    }

    /// Where it stands; none when there is none.
    #[must_use]
    pub fn stage(&self) -> Option<Stage> {
        self.known().map(|known| known.stage(None))
    }

    /// Where it stands, in one word; none when there is none.
    #[must_use]
    pub fn status(&self) -> Option<Status> {
        self.known().map(Known::status)
    }

    /// Whether it gives access at a time, and by which rule. This is the only place
    /// that says so.
    #[must_use]
    pub fn access(&self, now: DateTime<Utc>) -> Access {
        match self.known() {
            Some(known) => known.stage(Some(now)).access(),
            None => Access::Out { rule: Rule::Missing },
        }
    }

    /// When it ends without further news: when [`Command::Lapse`] is due.
    #[must_use]
    pub fn ends_at(&self) -> Option<DateTime<Utc>> {
        self.stage().and_then(|stage| stage.until())
    }

    /// When the subscriber is to be reminded that access ends, and in how many days it
    /// does then: three, and one. Empty when it does not end by itself.
    #[must_use]
    pub fn reminders(&self) -> Vec<(DateTime<Utc>, u8)> {
        let Some(until) = self.ends_at() else { return vec![] };
        let before = |days: u8| until.checked_sub_signed(TimeDelta::days(days.into())).map(|at| (at, days));
        [3, 1].into_iter().filter_map(before).collect()
    }

    /// What it comes to in a month, by Stripe's definitions: paid or late, not on trial.
    #[must_use]
    pub fn mrr(&self) -> Option<Mrr> {
        self.known().and_then(Known::mrr)
    }

    /// Whom it concerns, and what it opens.
    #[must_use]
    pub fn party(&self) -> Party {
        self.known().map(Known::party).unwrap_or_default()
    }

    /// What it is called at Stripe; none when it was given by hand.
    #[must_use]
    pub fn stripe(&self) -> Option<&StripeIds> {
        self.known().and_then(Known::at_stripe).map(|side| &side.ids)
    }

    /// Stripe's newest account of it.
    #[must_use]
    pub fn latest(&self) -> Option<&Latest> {
        self.known().and_then(Known::at_stripe).and_then(|side| side.latest.as_ref())
    }

    /// Whether the payment that is late has failed once only.
    #[must_use]
    pub fn is_late_first(&self) -> bool {
        self.known().and_then(Known::at_stripe).is_some_and(|side| side.ledger.attempts() == 1)
    }

    /// Where the invoice can be paid that waits for it; whoever knows the address sees it.
    #[must_use]
    pub fn payable(&self) -> Option<&Personal<String>> {
        self.known().and_then(Known::at_stripe).and_then(|side| side.ledger.payable())
    }

    /// Whether there is nothing left to cancel: nothing follows it at Stripe, or what was
    /// given by hand has ended. One that gives no access here may still be collected there.
    #[must_use]
    pub fn is_over(&self) -> bool {
        let Some(known) = self.known() else { return true };
        match &known.basis {
            Basis::Stripe(side) => side.latest.as_ref().is_some_and(|latest| latest.contract.status.is_terminal()),
            Basis::Grant(_) => known.status() == Status::Ended,
        }
    }

    /// The link that can be used to come in.
    #[must_use]
    pub fn link(&self) -> Option<&Link> {
        self.known().and_then(|known| known.seat.link())
    }

    /// Who sits in its place.
    #[must_use]
    pub fn joined(&self) -> Option<&Account> {
        match self.known().map(|known| &known.seat) {
            Some(Seat::Taken { account, .. }) => Some(account),
            _ => None,
        }
    }

    /// How Stripe was asked to cancel it, while it has not answered.
    #[must_use]
    pub fn cancelling(&self) -> Option<CancelWhen> {
        self.known().and_then(Known::at_stripe).and_then(|side| side.cancelling)
    }

    fn at_stripe_mut(&mut self, ids: &StripeIds) -> Option<&mut Known> {
        if matches!(self, Self::Missing) {
            let (ids, ledger, heard) = (ids.clone(), Ledger::default(), BTreeSet::new());
            let side = AtStripe { ids, latest: None, ledger, heard, cancelling: None };
            *self = Self::Known(Box::new(Known::new(Basis::Stripe(Box::new(side)))));
        }
        let Self::Known(known) = self else { return None };
        if let Basis::Stripe(side) = &mut known.basis
            && side.ids.customer.is_none()
        {
            side.ids.customer.clone_from(&ids.customer);
        }
        Some(known)
    }
}

impl Known {
    const fn new(basis: Basis) -> Self {
        Self {
            basis,
            email: None,
            named: None,
            seat: Seat::Empty { expected: None },
            manual: Manual::None,
            passed: None,
        }
    }

    const fn at_stripe(&self) -> Option<&AtStripe> {
        match &self.basis {
            Basis::Stripe(side) => Some(side),
            Basis::Grant(_) => None,
        }
    }

    fn plan(&self) -> Option<&PlanRef> {
        match &self.basis {
            Basis::Stripe(side) => side.latest.as_ref().and_then(|latest| latest.contract.plan.as_ref()),
            Basis::Grant(grant) => Some(&grant.plan),
        }
    }

    fn party(&self) -> Party {
        Party {
            email: self.email.as_ref().map(|noted| noted.value.clone()),
            account: self.account().cloned(),
            plan: self.plan().cloned(),
        }
    }

    fn mrr(&self) -> Option<Mrr> {
        let contract = &self.at_stripe()?.latest.as_ref()?.contract;
        if self.basis.has_run_out(self.passed) { None } else { contract.mrr() }
    }
}

impl AtStripe {
    fn hear(&mut self, seen: &Seen) {
        if let Seen::Carried { event, .. } = seen {
            self.heard.insert(event.clone());
        }
    }
}

impl Decide for Subscription {
    fn decide(&self, command: &Command) -> Result<Vec<Event>, Refusal> {
        let mut events = self.facts(command)?;
        if events.is_empty() {
            return Ok(events);
        }
        let mut after = self.clone();
        for event in &events {
            after.apply(event.clone());
        }
        // Nobody is told to be in whose time is over by now.
        if let Some(lapsed) = after.known().and_then(|known| known.lapse(command.at())) {
            after.apply(lapsed.clone());
            events.push(lapsed);
        }
        let told = transitions::between(self, &after, &events, command.at());
        events.extend(told);
        Ok(events)
    }
}

impl Aggregate for Subscription {
    const TYPE: &'static str = "subscription";
    type Command = Command;
    type Event = Event;
    type Error = Refusal;
    type Services = ();

    async fn handle(&mut self, command: Command, _: &(), sink: &EventSink<Self>) -> Result<(), Refusal> {
        decide::collect(self, command, sink).await
    }

    fn apply(&mut self, event: Event) {
        match &event {
            Event::Observed { stripe, .. }
            | Event::Identified { stripe, .. }
            | Event::InvoicePaid { stripe, .. }
            | Event::PaymentFailed { stripe, .. }
            | Event::ActionRequired { stripe, .. }
            | Event::Refunded { stripe, .. }
            | Event::DisputeOpened { stripe, .. }
            | Event::DisputeClosed { stripe, .. }
            | Event::Learned { stripe, .. } => {
                if let Some(known) = self.at_stripe_mut(stripe) {
                    known.apply(event);
                }
            }
            Event::Granted { plan, until, .. } => {
                let grant = Grant { plan: plan.clone(), until: *until, cancelled: None };
                *self = Self::Known(Box::new(Known::new(Basis::Grant(grant))));
                if let Self::Known(known) = self {
                    known.apply(event);
                }
            }
            _ => {
                if let Self::Known(known) = self {
                    known.apply(event);
                }
            }
        }
    }
}

impl Known {
    fn apply(&mut self, event: Event) {
        self.seat.apply(&event);
        if let Basis::Stripe(side) = &mut self.basis {
            side.ledger.apply(&event);
        }
        match (event, &mut self.basis) {
            (Event::Observed { latest, email, account, .. }, Basis::Stripe(side)) => {
                let source = Source { seen: &latest.seen, by_hand: false };
                Noted::note(&mut self.email, email, source);
                Noted::note(&mut self.named, account, source);
                side.hear(&latest.seen);
                side.latest = Some(latest);
            }
            (Event::Learned { past: Past::Observed(past), .. }, Basis::Stripe(side)) => side.hear(&past.seen),
            (Event::Identified { email, account, seen, by_hand, .. }, _) => {
                let source = Source { seen: &seen, by_hand: by_hand.is_some() };
                Noted::note(&mut self.email, email, source);
                Noted::note(&mut self.named, account, source);
            }
            (Event::Granted { email, at, .. }, _) => {
                Noted::note(&mut self.email, email, Source { seen: &Seen::Fetched { at }, by_hand: true });
            }
            (Event::Extended { until, at, .. }, _) => self.manual = Manual::Extended { until, at },
            (Event::Revoked { at, .. }, _) => self.manual = Manual::Revoked { at },
            (Event::Restored { at, .. }, _) => self.manual = Manual::Restored { at },
            (Event::Lapsed { at }, _) => self.passed = self.passed.max(Some(at)),
            (Event::CancelRequested { when, .. }, Basis::Stripe(side)) => side.cancelling = Some(when),
            (Event::CancelRequested { at, .. }, Basis::Grant(grant)) => {
                grant.cancelled = Some(at);
                // What was added by hand was given by hand, too.
                if matches!(self.manual, Manual::Extended { .. }) {
                    self.manual = Manual::None;
                }
            }
            (Event::CancelConfirmed { .. } | Event::CancelFailed { .. }, Basis::Stripe(side)) => {
                side.cancelling = None;
            }
            // What facts come to changes nothing by itself.
            _ => {}
        }
    }
}
