//! What a wish adds to what is known: the facts, or the refusal.

use chrono::{DateTime, Utc};

use super::{
    About, Account, Basis, CancelWhen, Command, Contract, Event, Grant, Known, Latest, Ledger, Manual, Noted,
    Observation, Past, Refusal, Seen, Settings, Source, Stage, StripeIds, Subscription, is_email,
};
use crate::{ByHand, Personal, plan::PlanRef};

impl Subscription {
    /// The events that make the state, without what they come to.
    pub(super) fn facts(&self, command: &Command) -> Result<Vec<Event>, Refusal> {
        match command {
            Command::Observe { observation, settings, at } => self.observe(observation, None, settings, *at),
            Command::Hear { observation, told, settings, at } => {
                told.check()?;
                let told = Some(&**told).filter(|told| !self.has_heard(told));
                let mut events = self.observe(observation, told, settings, *at)?;
                events.extend(told.and_then(|told| self.learn(told, settings, *at)));
                Ok(events)
            }
            Command::Identify { stripe, email, account, seen, by_hand, at } => {
                stripe.check()?;
                by_hand.as_ref().map_or(Ok(()), ByHand::check)?;
                self.ledger()?;
                if email.as_ref().is_some_and(|email| !is_email(email.reveal())) {
                    return Err(Refusal::Email);
                }
                let known = self.known();
                // Who has the place keeps it until it is transferred.
                let taken = known.and_then(|known| known.seat.account()).zip(account.as_ref());
                if by_hand.is_some() && taken.is_some_and(|(known, account)| known.person != account.person) {
                    return Err(Refusal::Stranger);
                }
                let source = Source { seen, by_hand: by_hand.is_some() };
                let news = Noted::is_news(known.and_then(|known| known.email.as_ref()), email.as_ref(), source)
                    || Noted::is_news(known.and_then(|known| known.named.as_ref()), account.as_ref(), source);
                let (stripe, email, account, seen) = (stripe.clone(), email.clone(), account.clone(), seen.clone());
                let by_hand = by_hand.clone();
                Ok(only_if(news, || Event::Identified { stripe, email, account, seen, by_hand, at: *at }))
            }
            Command::Replan { plan, at } => Ok(self.replan(plan.as_ref(), *at).into_iter().collect()),
            Command::Invoice { stripe, invoice, outcome, at } => {
                invoice.check()?;
                let about = self.about(stripe, *at)?;
                Ok(self.ledger()?.invoice(about, invoice, *outcome).into_iter().collect())
            }
            Command::Refund { stripe, refund, settings, at } => {
                refund.check()?;
                let about = self.about(stripe, *at)?;
                Ok(self.ledger()?.refund(about, refund, settings.refunds).into_iter().collect())
            }
            Command::Dispute { stripe, dispute, settings, at } => {
                dispute.check()?;
                let about = self.about(stripe, *at)?;
                Ok(self.ledger()?.dispute(about, dispute, settings.disputes).into_iter().collect())
            }
            Command::Grant { plan, email, account, until, by_hand, at } => {
                self.grant(plan, email.as_ref(), account.as_ref(), *until, by_hand, *at)
            }
            wish => match self {
                Self::Missing => Err(Refusal::Missing),
                Self::Known(known) => known.facts(wish),
            },
        }
    }

    /// What is known of the money of one at Stripe, or of one that may be.
    fn ledger(&self) -> Result<&Ledger, Refusal> {
        match self.known().map(|known| &known.basis) {
            None => Ok(Ledger::EMPTY),
            Some(Basis::Stripe(side)) => Ok(&side.ledger),
            Some(Basis::Grant(_)) => Err(Refusal::NotAtStripe),
        }
    }

    fn about(&self, stripe: &StripeIds, at: DateTime<Utc>) -> Result<About, Refusal> {
        stripe.check()?;
        Ok(About { stripe: stripe.clone(), party: self.party(), at })
    }

    /// What an answer of Stripe's, or an event, adds; `told` is what the event said for whose
    /// sake Stripe was asked, if that is new.
    fn observe(
        &self,
        seen: &Observation,
        told: Option<&Observation>,
        settings: &Settings,
        at: DateTime<Utc>,
    ) -> Result<Vec<Event>, Refusal> {
        seen.check()?;
        self.ledger()?;
        let known = self.known();
        let email = || known.and_then(|known| known.email.as_ref());
        let named = || known.and_then(|known| known.named.as_ref());
        let source = Source { seen: &seen.seen, by_hand: false };
        let somebody = Noted::is_news(email(), seen.email.as_ref(), source)
            || Noted::is_news(named(), seen.account.as_ref(), source);
        let news = match self.latest() {
            None => true,
            Some(latest) if latest.is_older_than(seen) => {
                let same = latest.contract == seen.contract && latest.grace_days == settings.grace_days;
                // It was otherwise in between, and is so again.
                let between = told.is_some_and(|told| latest.is_older_than(told) && told.contract != seen.contract);
                // The next look would say it again. What an event says comes once, and
                // must be remembered: an event from before it may come later.
                !(same && latest.seen.is_fetched() && seen.seen.is_fetched()) || somebody || between
            }
            Some(_) => {
                let identified = only_if(somebody, || Event::Identified {
                    stripe: seen.stripe.clone(),
                    email: seen.email.clone(),
                    account: seen.account.clone(),
                    seen: seen.seen.clone(),
                    by_hand: None,
                    at,
                });
                return Ok(identified.into_iter().chain(self.learn(seen, settings, at)).collect());
            }
        };
        Ok(only_if(news, || Event::Observed {
            stripe: seen.stripe.clone(),
            latest: Latest {
                contract: seen.contract.clone(),
                seen: seen.seen.clone(),
                grace_days: settings.grace_days,
            },
            email: seen.email.clone(),
            account: seen.account.clone(),
            at,
        }))
    }

    /// Whether this account was brought by an event that brought it before.
    fn has_heard(&self, seen: &Observation) -> bool {
        let Seen::Carried { event, .. } = &seen.seen else { return false };
        self.known().and_then(Known::at_stripe).is_some_and(|side| side.heard.contains(event))
    }

    /// What an event brings that is older than what is known. What was fetched shows
    /// nothing that another event does not: it is older by a moment only.
    fn learn(&self, seen: &Observation, settings: &Settings, at: DateTime<Utc>) -> Option<Event> {
        let news = !seen.seen.is_fetched() && !self.has_heard(seen);
        news.then(|| Event::Learned {
            stripe: seen.stripe.clone(),
            past: Past::Observed(Box::new(Latest {
                contract: seen.contract.clone(),
                seen: seen.seen.clone(),
                grace_days: settings.grace_days,
            })),
            at,
        })
    }

    /// The newest account again, if its prices stand for another plan by now.
    fn replan(&self, plan: Option<&PlanRef>, at: DateTime<Utc>) -> Option<Event> {
        let latest = self.latest().filter(|latest| latest.contract.plan.as_ref() != plan)?;
        let contract = Contract { plan: plan.cloned(), ..latest.contract.clone() };
        Some(Event::Observed {
            stripe: self.stripe()?.clone(),
            latest: Latest { contract, ..latest.clone() },
            email: None,
            account: None,
            at,
        })
    }

    fn grant(
        &self,
        plan: &PlanRef,
        email: Option<&Personal<String>>,
        account: Option<&Account>,
        until: Option<DateTime<Utc>>,
        by_hand: &ByHand,
        at: DateTime<Utc>,
    ) -> Result<Vec<Event>, Refusal> {
        by_hand.check()?;
        if email.is_none() && account.is_none() {
            return Err(Refusal::Nobody);
        }
        if email.is_some_and(|email| !is_email(email.reveal())) {
            return Err(Refusal::Email);
        }
        if let Self::Known(known) = self {
            let Basis::Grant(Grant { plan: given, until: ends, .. }) = &known.basis else {
                return Err(Refusal::Exists);
            };
            let runs = known.stage(Some(at)).is_entitled();
            let somebody = known.email.as_ref().map(|noted| &noted.value) == email;
            // Asked again. Another Telegram account may have the place by now.
            return if runs && given == plan && *ends == until && somebody { Ok(vec![]) } else { Err(Refusal::Exists) };
        }
        if until.is_some_and(|until| until <= at) {
            return Err(Refusal::UntilPast);
        }
        Ok(vec![Event::Granted {
            plan: plan.clone(),
            email: email.cloned(),
            account: account.cloned(),
            until,
            by_hand: by_hand.clone(),
            at,
        }])
    }
}

impl Known {
    /// What can be wished for what there is, wherever it comes from.
    fn facts(&self, command: &Command) -> Result<Vec<Event>, Refusal> {
        match command {
            Command::Extend { until, by_hand, at } => {
                by_hand.check()?;
                if until <= at {
                    return Err(Refusal::UntilPast);
                }
                let same = matches!(self.manual, Manual::Extended { until: known, .. } if known == *until);
                Ok(only_if(!same, || Event::Extended {
                    party: self.party(),
                    until: *until,
                    by_hand: by_hand.clone(),
                    at: *at,
                }))
            }
            Command::Revoke { by_hand, at } => {
                by_hand.check()?;
                let revoked = matches!(self.manual, Manual::Revoked { .. });
                Ok(only_if(!revoked, || Event::Revoked { party: self.party(), by_hand: by_hand.clone(), at: *at }))
            }
            Command::Restore { by_hand, at } => {
                by_hand.check()?;
                Ok(only_if(self.is_shut_out(*at), || Event::Restored {
                    party: self.party(),
                    by_hand: by_hand.clone(),
                    at: *at,
                }))
            }
            Command::Transfer { to, by_hand, at } => {
                by_hand.check()?;
                if !self.stage(Some(*at)).is_entitled() {
                    return Err(self.not_now("transferred"));
                }
                if self.seat.account().is_some_and(|account| account.person == to.person) {
                    return Ok(vec![]);
                }
                let (from, mut party) = (self.account().cloned(), self.party());
                party.account = Some(to.clone());
                let mut events = self.without_link(*at);
                let (to, by_hand) = (to.clone(), by_hand.clone());
                events.push(Event::Transferred { party, from, to, by_hand, at: *at });
                Ok(events)
            }
            Command::IssueLink { link, at } => self.issue(link, *at),
            Command::RevokeLink { at } => Ok(self.without_link(*at)),
            Command::Join { account, link, at } => self.join(account, link.as_ref(), *at),
            &Command::Lapse { at } => Ok(self.lapse(at).into_iter().collect()),
            Command::RequestCancel { when, by_hand, at } => self.request_cancel(*when, by_hand, *at),
            &Command::ConfirmCancel { when, at } => {
                Ok(only_if(self.is_asked_to_cancel(when), || Event::CancelConfirmed { party: self.party(), when, at }))
            }
            &Command::FailCancel { when, ref error, at } => {
                let error = in_short(error);
                let party = || self.party();
                Ok(only_if(self.is_asked_to_cancel(when), || Event::CancelFailed { party: party(), when, error, at }))
            }
            Command::RequestRefund { refund, by_hand, at } => {
                by_hand.check()?;
                refund.check()?;
                let stripe = self.at_stripe().ok_or(Refusal::NotAtStripe)?.ids.clone();
                let (party, refund, by_hand) = (self.party(), refund.clone(), by_hand.clone());
                Ok(vec![Event::RefundRequested { party, stripe, refund, by_hand, at: *at }])
            }
            Command::FailRefund { refund, error, at } => {
                let (party, refund, error) = (self.party(), refund.clone(), in_short(error));
                Ok(vec![Event::RefundFailed { party, refund, error, at: *at }])
            }
            // `Subscription::facts` answers the others.
            _ => Ok(vec![]),
        }
    }

    /// What time alone has ended.
    pub(super) fn lapse(&self, at: DateTime<Utc>) -> Option<Event> {
        (self.stage(None) != self.stage(Some(at))).then_some(Event::Lapsed { at })
    }

    fn request_cancel(&self, when: CancelWhen, by_hand: &ByHand, at: DateTime<Utc>) -> Result<Vec<Event>, Refusal> {
        by_hand.check()?;
        let stripe = match &self.basis {
            Basis::Grant(Grant { cancelled: Some(_), .. }) if !matches!(self.manual, Manual::Extended { .. }) => {
                return Ok(vec![]);
            }
            Basis::Grant(_) => None,
            Basis::Stripe(side) => {
                let contract = side.latest.as_ref().map(|latest| &latest.contract);
                let over = contract.is_some_and(|contract| contract.status.is_terminal());
                let ends = contract.is_some_and(|contract| contract.ends_at().is_some());
                let asked = side.cancelling == Some(when) || side.cancelling == Some(CancelWhen::Now);
                if over || asked || (ends && when == CancelWhen::AtPeriodEnd) {
                    return Ok(vec![]);
                }
                Some(side.ids.clone())
            }
        };
        Ok(vec![Event::CancelRequested { party: self.party(), stripe, when, by_hand: by_hand.clone(), at }])
    }

    /// Whether that is what Stripe is asked to do, and has not answered: a later wish outweighs an earlier one.
    fn is_asked_to_cancel(&self, when: CancelWhen) -> bool {
        self.at_stripe().and_then(|side| side.cancelling) == Some(when)
    }

    fn not_now(&self, wish: &str) -> Refusal {
        Refusal::Status { status: self.status(), wish: wish.to_owned() }
    }

    /// Whether somebody is out by a decision that [`Command::Restore`] takes back.
    fn is_shut_out(&self, now: DateTime<Utc>) -> bool {
        use super::EndReason::{Disputed, Refunded, Revoked};
        matches!(self.stage(Some(now)), Stage::Ended { reason: Revoked | Disputed | Refunded, .. })
    }
}

/// An error as it is kept.
fn in_short(error: &str) -> String {
    error.chars().filter(|c| !c.is_control()).take(500).collect()
}

fn only_if(news: bool, event: impl FnOnce() -> Event) -> Vec<Event> {
    if news { vec![event()] } else { vec![] }
}
