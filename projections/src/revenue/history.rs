//! What a subscriber came to in a month, and when that changed: from all that Stripe
//! ever said of their subscriptions, in whatever order it was heard of.
//!
//! The accounts are put in Stripe's order and read anew each time one comes, so a late
//! one changes the past and not the present. Nothing here knows when we heard of it.
//!
//! Sources: the glossary of Stripe Billing's analytics
//! (docs.stripe.com/billing/subscriptions/analytics/glossary), and how Stripe counts
//! churn and trials (support.stripe.com/questions/calculating-churn-rate-in-billing,
//! support.stripe.com/questions/calculating-trial-conversion-rate-in-billing).

use std::collections::BTreeMap;

use aggregates::{
    campaign::Currency,
    subscription::{Contract, Latest, StripeStatus, exact::Fraction, exact::Monthly},
};
use chrono::{DateTime, Utc};

/// From then on, a subscription comes to that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) at: DateTime<Utc>,
    pub(super) monthly: Option<Monthly>,
}

/// A trial that is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Trial {
    pub(super) currency: Currency,
    pub(super) ended_at: DateTime<Utc>,
    /// It was not cancelled, and what followed it was paid.
    pub(super) converted: bool,
}

/// What became of a subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Life {
    pub(super) steps: Vec<Step>,
    /// From when to when it was neither paid, late nor on trial.
    pub(super) stopped: Vec<(DateTime<Utc>, Option<DateTime<Utc>>)>,
    pub(super) trial: Option<Trial>,
}

/// Why a subscriber comes to something else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// They never came to anything before.
    New,
    /// They came to nothing, and once to something.
    Reactivation,
    /// They come to more.
    Expansion,
    /// They come to less: also when one of several subscriptions ends.
    Contraction,
    /// They come to nothing: all their subscriptions are cancelled or unpaid.
    Churn,
}

impl Kind {
    /// All of them, in the order of a roll-forward.
    pub const ALL: [Self; 5] = [Self::New, Self::Reactivation, Self::Expansion, Self::Contraction, Self::Churn];

    /// The word stored and shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Reactivation => "reactivation",
            Self::Expansion => "expansion",
            Self::Contraction => "contraction",
            Self::Churn => "churn",
        }
    }

    /// Reads the word stored.
    pub(super) fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

/// A change of what a subscriber comes to in a month, in one currency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Movement {
    pub(super) currency: Currency,
    pub(super) at: DateTime<Utc>,
    pub(super) kind: Kind,
    pub(super) by: Fraction,
}

/// Reads what Stripe said of one subscription.
pub(super) fn life(mut accounts: Vec<Latest>) -> Life {
    accounts.sort_by(Latest::by_age);
    let mut life = Life { steps: vec![], stopped: vec![], trial: None };
    let (mut before, mut on_trial): (Option<&Latest>, Option<Currency>) = (None, None);
    for account in &accounts {
        let at = since(before, account);
        // What ended in the past did so after all that is known of the time before.
        let at = life.steps.last().map_or(at, |last: &Step| at.max(last.at));
        life.steps.push(Step { at, monthly: account.contract.monthly() });
        let status = &account.contract.status;
        let running = matches!(status, StripeStatus::Active | StripeStatus::PastDue | StripeStatus::Trialing);
        match (running || *status == StripeStatus::Incomplete, life.stopped.last_mut()) {
            (true, Some((_, end @ None))) => *end = Some(at),
            (false, None | Some((_, Some(_)))) => life.stopped.push((at, None)),
            _ => {}
        }
        if life.trial.is_none() {
            let paid_for = before.is_none() && running && on_trial_before(&account.contract, account.seen.at());
            if *status == StripeStatus::Trialing || paid_for {
                on_trial = currency(&account.contract).or(on_trial);
            }
            life.trial = on_trial.and_then(|currency| {
                let converted = match status {
                    StripeStatus::Active => true,
                    // Cancelled, or what followed was never paid.
                    StripeStatus::Canceled | StripeStatus::Unpaid => false,
                    _ => return None,
                };
                Some(Trial { currency, ended_at: at, converted })
            });
        }
        before = Some(account);
    }
    // Stripe has not said yet that it ended as it was to.
    if let Some(last) = before
        && last.contract.status == StripeStatus::Active
        && let Some(end) = last.contract.ends_at()
    {
        let end = end.max(life.steps.last().map_or(end, |step| step.at));
        life.steps.push(Step { at: end, monthly: None });
        life.stopped.push((end, None));
    }
    life
}

/// Whether a subscription that is first heard of when it is paid was on trial before.
fn on_trial_before(contract: &Contract, seen: DateTime<Utc>) -> bool {
    contract.trial_end.is_some_and(|end| end <= seen && end > contract.started_at)
}

fn currency(contract: &Contract) -> Option<Currency> {
    contract.items.first().map(|item| item.currency)
}

/// Since when an account is true, by Stripe's time.
fn since(before: Option<&Latest>, account: &Latest) -> DateTime<Utc> {
    let (contract, seen) = (&account.contract, account.seen.at());
    let trial_end = contract.trial_end.filter(|end| *end <= seen);
    match (&contract.status, before.map(|before| &before.contract.status)) {
        (StripeStatus::Canceled | StripeStatus::IncompleteExpired, _) => contract.ended_at.unwrap_or(seen),
        // The first we hear of it: it may have run for long.
        (StripeStatus::Active | StripeStatus::PastDue, None) => trial_end.unwrap_or(contract.started_at).min(seen),
        (StripeStatus::Active | StripeStatus::PastDue, Some(StripeStatus::Trialing)) => trial_end.unwrap_or(seen),
        _ => seen,
    }
}

/// What changed for a subscriber, by all their subscriptions. Changes of one instant are
/// one: a subscription that takes the place of another in it is neither churn nor new. A
/// currency that is left is churn in it, and the other one is new there.
pub(super) fn movements(subscriptions: &[Vec<Step>]) -> Vec<Movement> {
    let mut changes: BTreeMap<DateTime<Utc>, Vec<(usize, Option<Monthly>)>> = BTreeMap::new();
    for (number, steps) in subscriptions.iter().enumerate() {
        for step in steps {
            changes.entry(step.at).or_default().push((number, step.monthly));
        }
    }
    let mut now: Vec<Option<Monthly>> = vec![None; subscriptions.len()];
    let mut known: BTreeMap<String, (Currency, Fraction)> = BTreeMap::new();
    let mut movements = vec![];
    for (at, changed) in changes {
        for (number, monthly) in changed {
            now[number] = monthly;
            if let Some(monthly) = monthly {
                let fresh = (monthly.currency, Fraction::ZERO);
                known.entry(monthly.currency.as_str().to_owned()).or_insert(fresh);
            }
        }
        for (currency, before) in known.values_mut() {
            let worth = now.iter().flatten().filter(|monthly| monthly.currency == *currency);
            // What no fraction holds is beyond all reason; it stays as it was.
            let after = worth.map(|monthly| monthly.amount).try_fold(Fraction::ZERO, Fraction::plus).unwrap_or(*before);
            let Some(by) = after.minus(*before) else { continue };
            let was_there = movements.iter().any(|movement: &Movement| movement.currency == *currency);
            let kind = match (before.numerator(), after.numerator(), by.numerator()) {
                (_, _, 0) => continue,
                (0, ..) if was_there => Kind::Reactivation,
                (0, ..) => Kind::New,
                (_, 0, _) => Kind::Churn,
                (_, _, 1..) => Kind::Expansion,
                _ => Kind::Contraction,
            };
            movements.push(Movement { currency: *currency, at, kind, by });
            *before = after;
        }
    }
    movements
}

#[cfg(test)]
mod tests {
    use aggregates::{
        plan::{Every, Interval},
        subscription::{Item, Seen},
    };

    use super::*;

    fn at(day: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + day * 86_400, 0).unwrap()
    }

    fn account(day: i64, status: StripeStatus, minor: i64, currency: &str) -> Latest {
        let item = Item {
            price: "price".to_owned(),
            product: None,
            unit_minor: Some(minor),
            currency: Currency::new(currency).unwrap(),
            every: Every { count: 1, interval: Interval::Month },
            quantity: 1,
            metered: false,
        };
        let contract = Contract {
            status,
            livemode: true,
            started_at: at(0),
            period: None,
            cancel_at_period_end: false,
            cancel_at: None,
            canceled_at: None,
            ended_at: None,
            trial_end: None,
            cancellation: None,
            items: vec![item],
            discounts: vec![],
            plan: None,
        };
        let seen = Seen::Carried { created: at(day), event: format!("evt_{day}") };
        Latest { contract, seen, grace_days: 0 }
    }

    fn told(accounts: Vec<Latest>) -> Vec<(&'static str, i64, i128)> {
        let moves = movements(&[life(accounts).steps]);
        let days = |movement: &Movement| (movement.at - at(0)).num_days();
        moves.iter().map(|movement| (movement.kind.as_str(), days(movement), movement.by.numerator())).collect()
    }

    #[test]
    fn what_is_heard_of_late_changes_the_past_and_not_the_present() {
        let began = account(0, StripeStatus::Active, 1_000, "EUR");
        let (more, over) =
            (account(5, StripeStatus::Active, 3_000, "EUR"), account(9, StripeStatus::Canceled, 3_000, "EUR"));
        let without = told(vec![over.clone(), began.clone()]);
        assert_eq!(without, [("new", 0, 1_000), ("churn", 9, -1_000)]);
        let with = [("new", 0, 1_000), ("expansion", 5, 2_000), ("churn", 9, -3_000)];
        assert_eq!(told(vec![over.clone(), began.clone(), more.clone()]), with);
        assert_eq!(told(vec![more, over, began]), with);
    }

    #[test]
    fn another_currency_is_churn_in_one_and_new_in_the_other() {
        let accounts = [(0, "EUR"), (5, "USD"), (9, "EUR")]
            .map(|(day, currency)| account(day, StripeStatus::Active, 1_000, currency));
        let moves = movements(&[life(accounts.into()).steps]);
        let told: Vec<_> =
            moves.iter().map(|movement| (movement.currency.as_str().to_owned(), movement.kind.as_str())).collect();
        let told: Vec<_> = told.iter().map(|(currency, kind)| (currency.as_str(), *kind)).collect();
        assert_eq!(told, [("EUR", "new"), ("EUR", "churn"), ("USD", "new"), ("EUR", "reactivation"), ("USD", "churn")]);
    }
}
