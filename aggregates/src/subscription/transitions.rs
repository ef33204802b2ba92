//! What new facts come to: where a subscription stood before them, and where it stands after.

use chrono::{DateTime, Utc};

use crate::{PersonId, Personal};

use super::{Account, Contract, Event, Known, Stage, Standing, StripeStatus, Subscription};

/// The events that say what has changed between two states, for those who act on it.
/// `facts` are those that changed it.
pub(super) fn between(before: &Subscription, after: &Subscription, facts: &[Event], at: DateTime<Utc>) -> Vec<Event> {
    let Subscription::Known(now) = after else { return vec![] };
    let Some(is) = now.settled() else { return vec![] };
    let was = before.known().and_then(Known::settled);
    let (party, paid_until) = (now.party(), after.contract().and_then(Contract::paid_until));
    let mut events = vec![];
    if was.is_none() {
        events.push(Event::Started { party: party.clone(), stripe: after.stripe().cloned(), at });
    }

    if let Stage::Ended { reason, at: ended_at } = is {
        if !matches!(was, Some(Stage::Ended { reason: known, .. }) if known == reason) {
            let was = was.as_ref().and(before.status());
            events.push(Event::Ended { party: party.clone(), reason, ended_at, was, at });
            // Nobody is to come in by it any more.
            events.extend(now.without_link(at));
        }
    } else if is.is_entitled() {
        let (standing, until) = (after.standing(&is), is.until().or(paid_until));
        match was {
            None | Some(Stage::Pending) => {
                events.push(Event::Activated { party: party.clone(), standing, until, at });
            }
            Some(Stage::Ended { .. }) => events.push(Event::Reactivated { party: party.clone(), standing, until, at }),
            // (More time is no payment, and a word that nobody knows may be none.)
            Some(Stage::PastDue { .. })
                if !matches!(
                    is,
                    Stage::PastDue { .. }
                        | Stage::Active { standing: Standing::Extended | Standing::UnknownStatus, .. }
                ) =>
            {
                events.push(Event::Recovered { party: party.clone(), until, at });
            }
            Some(_) if before.is(&StripeStatus::Trialing) && after.is(&StripeStatus::Active) => {
                events.push(Event::TrialConverted { party: party.clone(), until: paid_until, at });
            }
            Some(Stage::Active { .. }) if matches!(is, Stage::Active { .. }) => {
                let earlier = before.contract().and_then(Contract::paid_until);
                if let Some(until) = paid_until.filter(|until| earlier.is_some_and(|earlier| earlier < *until)) {
                    events.push(Event::Renewed { party: party.clone(), until, at });
                }
            }
            Some(_) => {}
        }
        match (&was, &is) {
            (Some(Stage::PastDue { since: s, until: u }), Stage::PastDue { since, until })
                if s == since && u == until => {}
            (_, &Stage::PastDue { since, until }) => {
                events.push(Event::PastDue { party: party.clone(), since, until, at });
            }
            (Some(Stage::Cancelling { until: known }), Stage::Cancelling { until }) if known == until => {}
            (_, &Stage::Cancelling { until }) => events.push(Event::CancelPlanned { party: party.clone(), until, at }),
            (Some(Stage::Cancelling { .. }), Stage::Active { standing, .. }) if *standing != Standing::Extended => {
                events.push(Event::CancelWithdrawn { party: party.clone(), at });
            }
            _ => {}
        }
    }

    let (invited, known) = (after.invited(), before.invited());
    let came = before.joined().is_none() && after.joined().is_some();
    if is.is_entitled() && !came && invited.is_some() && invited != known {
        events.push(Event::Invited { party: party.clone(), at });
    }

    if let (Some(old), Some(new)) = (before.contract(), after.contract())
        && (old.items != new.items || old.plan != new.plan)
    {
        events.push(Event::PlanChanged { party: party.clone(), from: old.plan.clone(), at });
        // It leads into a channel that is not theirs any more. Another is made for the one that is.
        if !matches!(is, Stage::Ended { .. }) {
            events.extend(now.without_link_elsewhere(old.plan.as_ref().map(|plan| plan.channel), at));
        }
    }
    let told = facts.iter().chain(&events).any(Event::concerns_access);
    let left = left(before, after, facts);
    let news = was.is_some_and(|was| was.access() != is.access()) || (is.is_entitled() && is_named(before, after));
    if left.is_some() || (news && !told) {
        events.push(Event::AccessChanged { party: party.clone(), rule: is.rule(), until: is.until(), left, at });
    }
    let (was_worth, is_worth) = (before.mrr(), after.mrr());
    if was_worth != is_worth {
        let effective = effective(before, after).unwrap_or(at);
        events.push(Event::MrrChanged { party, before: was_worth, after: is_worth, effective, at });
    }
    events
}

/// The account that the place is not for any more, where no transfer says so.
fn left(before: &Subscription, after: &Subscription, facts: &[Event]) -> Option<Account> {
    let (had, has) = (before.party().account?, after.party().account);
    let moved = facts.iter().any(|fact| matches!(fact, Event::Transferred { .. }));
    (!moved && has.is_none_or(|has| has.person != had.person)).then_some(had)
}

/// Whether it became known whose the place is.
fn is_named(before: &Subscription, after: &Subscription) -> bool {
    before.party().account.is_none() && after.party().account.is_some()
}

/// Since when a subscription comes to another amount, by Stripe's time.
fn effective(before: &Subscription, after: &Subscription) -> Option<DateTime<Utc>> {
    let latest = after.latest()?;
    let (contract, seen) = (&latest.contract, latest.seen.at());
    Some(if after.mrr().is_none() {
        // It ended; if Stripe has not said so yet, when it was to.
        let planned = contract.ends_at().filter(|_| contract.status.counts());
        contract.ended_at.or(planned).unwrap_or(seen)
    } else if before.contract().is_none() {
        // The first we hear of it: it may have run for long.
        contract.trial_end.filter(|end| *end <= seen).unwrap_or(contract.started_at)
    } else {
        seen
    })
}

impl Subscription {
    fn contract(&self) -> Option<&Contract> {
        self.latest().map(|latest| &latest.contract)
    }

    /// By which link who can come in, if both are known.
    fn invited(&self) -> Option<(&Personal<String>, PersonId)> {
        let known = self.known()?;
        Some((&known.seat.link()?.url, known.account()?.person))
    }

    fn is(&self, status: &StripeStatus) -> bool {
        self.contract().is_some_and(|contract| contract.status == *status)
    }

    /// What it is entitled by, also when a payment is late or it is going to end.
    fn standing(&self, stage: &Stage) -> Standing {
        match stage {
            Stage::Active { standing, .. } => *standing,
            _ if self.is(&StripeStatus::Trialing) => Standing::Trial,
            _ => Standing::Paid,
        }
    }
}

impl Known {
    /// Where it stands, once it is known what it is.
    fn settled(&self) -> Option<Stage> {
        let money_only = self.at_stripe().is_some_and(|side| side.latest.is_none());
        (!money_only).then(|| self.stage(None))
    }
}
