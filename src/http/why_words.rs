//! Rules and events in words, for the person who has to explain them to somebody.

use aggregates::{
    ByHand,
    campaign::{Currency, Money},
    member,
    plan::PlanRef,
    subscription::{self, CancelWhen, EndReason, InvoiceFacts, Link, Past, Rule, Seen, Standing, StripeStatus},
};
use chrono::{DateTime, SecondsFormat, Utc};

fn day(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

fn until(at: Option<DateTime<Utc>>) -> String {
    at.map_or_else(String::new, |at| format!(" until {}", day(at)))
}

fn money(minor: i64, currency: Currency) -> String {
    let sign = if minor < 0 { "-" } else { "" };
    format!("{sign}{}", Money { minor: minor.unsigned_abs(), currency })
}

fn plan(plan: Option<&PlanRef>) -> String {
    plan.map_or_else(|| "no plan of ours".to_owned(), |plan| format!("the plan {:?}", plan.name))
}

fn hand(by_hand: &ByHand) -> String {
    format!("{}: {:?}", by_hand.by.reveal(), by_hand.reason.reveal())
}

const fn reason(reason: EndReason) -> &'static str {
    match reason {
        EndReason::Canceled => "it was cancelled",
        EndReason::IncompleteExpired => "its first payment never came",
        EndReason::Unpaid => "Stripe tries no more to collect what is due",
        EndReason::Paused => "its trial ended without a way to pay",
        EndReason::GraceOver => "a payment is late, and is not waited for any longer",
        EndReason::PeriodOver => "it was to end, and the time has come",
        EndReason::GrantOver => "what was given by hand has run out",
        EndReason::ExtensionOver => "the time that was added by hand has run out",
        EndReason::Revoked => "access was taken away by hand",
        EndReason::Disputed => "the customer's bank wants the money back",
        EndReason::Refunded => "the customer got back what they paid last",
        EndReason::UnknownStatus => "Stripe's word for it is not known here, and what was paid is over",
    }
}

/// A rule by its word, in words: `entitled` tells apart what has one word for both.
pub(super) fn rule(word: &str, entitled: bool) -> String {
    let known = match word {
        "whitelisted" => "they are on the list of those who are never removed",
        "no_subscription" => "no subscription is known to be theirs",
        _ => {
            let rules = [
                (Rule::ActivePaid, "the subscription is paid"),
                (Rule::Trialing, "the trial runs"),
                (Rule::CancellingUntil, "it is cancelled, and paid until then"),
                (Rule::GraceUntil, "a payment is late, and is waited for until then"),
                (Rule::ManualGrant, "it was given by hand"),
                (Rule::Extended, "it is over, and more time was given by hand"),
                (Rule::Incomplete, "the first payment is on its way"),
                (Rule::Missing, "there is no such subscription"),
                (Rule::Transferred, "the place was given to another Telegram account"),
                (Rule::OtherChannel, "the subscription opens another channel by now"),
            ];
            let ends = [
                EndReason::Canceled,
                EndReason::IncompleteExpired,
                EndReason::Unpaid,
                EndReason::Paused,
                EndReason::GraceOver,
                EndReason::PeriodOver,
                EndReason::GrantOver,
                EndReason::ExtensionOver,
                EndReason::Revoked,
                EndReason::Disputed,
                EndReason::Refunded,
            ];
            let unknown = match entitled {
                true => "Stripe's word for it is not known here, and what was paid is not over",
                false => reason(EndReason::UnknownStatus),
            };
            let found = rules.into_iter().find(|(rule, _)| rule.as_str() == word).map(|(_, text)| text);
            let found = found.or_else(|| ends.into_iter().find(|end| end.as_str() == word).map(reason));
            match found {
                Some(text) => text,
                None if word == Rule::UnknownStatus.as_str() => unknown,
                // A newer program wrote it.
                None => return format!("of the rule {word}"),
            }
        }
    };
    known.to_owned()
}

const fn standing(standing: Standing) -> &'static str {
    match standing {
        Standing::Paid => "it is paid",
        Standing::Trial => "it is on trial",
        Standing::Granted => "it was given by hand",
        Standing::Extended => "more time was given by hand",
        Standing::UnknownStatus => "Stripe's word for it is not known here, and what was paid is not over",
    }
}

fn stripe_status(status: &StripeStatus) -> &str {
    match status {
        StripeStatus::Incomplete => "incomplete",
        StripeStatus::IncompleteExpired => "incomplete_expired",
        StripeStatus::Trialing => "trialing",
        StripeStatus::Active => "active",
        StripeStatus::PastDue => "past_due",
        StripeStatus::Canceled => "canceled",
        StripeStatus::Unpaid => "unpaid",
        StripeStatus::Paused => "paused",
        StripeStatus::Unknown(word) => word,
    }
}

fn seen(seen: &Seen) -> String {
    match seen {
        Seen::Fetched { at } => format!("asked {}", day(*at)),
        Seen::Carried { created, event } => format!("event {event} of {}", day(*created)),
    }
}

fn invoice(invoice: &InvoiceFacts) -> String {
    format!("invoice {} over {}", invoice.id, money(invoice.due_minor, invoice.currency))
}

/// A link, so that it can be told from the others of its subscription, which are all
/// called the same, and not be followed.
fn link(link: &Link) -> String {
    let end = link.url.reveal().char_indices().rev().nth(3).map_or("", |(at, _)| &link.url.reveal()[at..]);
    format!("{:?}, which ends in {end}", link.name)
}

const fn when(when: CancelWhen) -> &'static str {
    match when {
        CancelWhen::AtPeriodEnd => "at the end of what is paid",
        CancelWhen::Now => "at once",
    }
}

/// What happened to a subscription, in a sentence.
pub(super) fn of_subscription(event: &subscription::Event) -> String {
    use subscription::Event;
    match event {
        Event::Observed { latest, .. } => {
            let contract = &latest.contract;
            let ends = contract.ends_at().map_or_else(String::new, |at| format!(", and ends {}", day(at)));
            let paid = contract.paid_until().map_or_else(String::new, |at| format!(", paid until {}", day(at)));
            let status = stripe_status(&contract.status);
            format!(
                "Stripe calls it {status}{paid}{ends}, for {} ({}).",
                plan(contract.plan.as_ref()),
                seen(&latest.seen)
            )
        }
        Event::Identified { email, account, seen: how, by_hand, .. } => {
            let what = match (email.is_some(), account.is_some()) {
                (true, true) => "Its address and its Telegram account became known",
                (true, false) => "Its address became known",
                (false, _) => "Its Telegram account became known",
            };
            match by_hand {
                Some(by_hand) => format!("{what}, by {}.", hand(by_hand)),
                None => format!("{what} ({}).", seen(how)),
            }
        }
        Event::InvoicePaid { invoice: paid, .. } => {
            format!(
                "{} was paid.",
                capital(&format!("invoice {} over {}", paid.id, money(paid.paid_minor, paid.currency)))
            )
        }
        Event::PaymentFailed { invoice: failed, .. } => {
            let again = failed.next_attempt_at.map_or_else(String::new, |at| format!("; the next try is {}", day(at)));
            format!("{} could not be collected, try {}{again}.", capital(&invoice(failed)), failed.attempts.max(1))
        }
        Event::ActionRequired { invoice: waits, .. } => {
            format!("{} waits for the customer to confirm the payment.", capital(&invoice(waits)))
        }
        Event::Refunded { refund, minor, full, ends_access, .. } => {
            let all = if *full { ", and nothing is left of it" } else { "" };
            format!("{} went back to the customer{all}{}.", money(*minor, refund.currency), shuts_out(*ends_access))
        }
        Event::DisputeOpened { dispute, ends_access, .. } => {
            let amount = money(dispute.amount_minor, dispute.currency);
            format!("The customer's bank wants {amount} back{}.", shuts_out(*ends_access))
        }
        Event::DisputeClosed { dispute, ends_access, .. } => {
            let won = if dispute.status == subscription::DisputeStatus::Won { "won" } else { "lost" };
            format!(
                "The dispute over {} was {won}{}.",
                money(dispute.amount_minor, dispute.currency),
                shuts_out(*ends_access)
            )
        }
        Event::Learned { past: Past::Observed(earlier), .. } => {
            let status = stripe_status(&earlier.contract.status);
            format!(
                "Stripe had called it {status} before ({}). This came late and changed nothing.",
                seen(&earlier.seen)
            )
        }
        Event::Learned { past: Past::PaymentFailed(failed), .. } => format!(
            "{} had not been collected before, try {}. This came late.",
            capital(&invoice(failed)),
            failed.attempts.max(1)
        ),
        Event::Learned { past: Past::Refunded(refund), .. } => format!(
            "{} had gone back to the customer before. This came late and changed nothing.",
            money(refund.refunded_minor, refund.currency)
        ),
        Event::Granted { plan: given, until: end, by_hand, .. } => {
            format!("Given by hand, {}{}, by {}.", plan(Some(given)), until(*end), hand(by_hand))
        }
        Event::Extended { until: end, by_hand, .. } => format!("More time{}, by {}.", until(Some(*end)), hand(by_hand)),
        Event::Revoked { by_hand, .. } => format!("Access was taken away by {}.", hand(by_hand)),
        Event::Restored { by_hand, .. } => format!("Access was given back by {}.", hand(by_hand)),
        Event::Transferred { to, by_hand, .. } => {
            format!("Its place was given to the Telegram account {} by {}.", to.telegram.reveal(), hand(by_hand))
        }
        Event::LinkIssued { link: made, .. } => format!("A link was made, {}{}.", link(made), until(made.expires)),
        Event::Invited { .. } => "The link was sent to the subscriber.".to_owned(),
        Event::LinkRevoked { link: old, .. } => format!("The link {} was taken back.", link(old)),
        Event::Joined { account, .. } => format!("The Telegram account {} took its place.", account.telegram.reveal()),
        Event::Lapsed { .. } => "The time came by which it was to end.".to_owned(),
        Event::CancelRequested { when: asked, by_hand, .. } => {
            format!("It is to be cancelled {}, by {}.", when(*asked), hand(by_hand))
        }
        Event::CancelConfirmed { when: asked, .. } => format!("Stripe cancels it {}, as it was asked.", when(*asked)),
        Event::CancelFailed { error, .. } => format!("Stripe did not cancel it: {error}"),
        Event::RefundRequested { refund, by_hand, .. } => {
            format!("Money of the invoice {} is to go back, by {}.", refund.invoice, hand(by_hand))
        }
        Event::RefundFailed { refund, error, .. } => {
            format!("Stripe gave nothing back of the invoice {}: {error}", refund.invoice)
        }
        Event::Started { party, .. } => format!("It is known what it is: {}.", plan(party.plan.as_ref())),
        Event::Activated { standing: by, until: end, .. } => {
            format!("It gives access for the first time{}: {}.", until(*end), standing(*by))
        }
        Event::TrialConverted { until: end, .. } => {
            format!("The trial became a paid subscription, paid{}.", until(*end))
        }
        Event::Renewed { until: end, .. } => format!("It was renewed{}.", until(Some(*end))),
        Event::PlanChanged { party, from, .. } => {
            format!("It changed from {} to {}.", plan(from.as_ref()), plan(party.plan.as_ref()))
        }
        Event::PastDue { since, until: end, .. } => {
            format!("A payment is late since {}, and is waited for{}.", day(*since), until(Some(*end)))
        }
        Event::Recovered { until: end, .. } => format!("What was late is paid{}.", until(*end)),
        Event::CancelPlanned { until: end, .. } => format!("It gives access{}, and ends then.", until(Some(*end))),
        Event::CancelWithdrawn { .. } => "It does not end after all.".to_owned(),
        Event::Ended { reason: why, ended_at, .. } => {
            format!("It gives no access since {}: {}.", day(*ended_at), reason(*why))
        }
        Event::Reactivated { standing: by, until: end, .. } => {
            format!("It gives access again{}: {}.", until(*end), standing(*by))
        }
        Event::AccessChanged { left: Some(left), party, .. } => {
            let to = party.account.as_ref().map(|account| format!("; it is for {}", account.telegram.reveal()));
            let to = to.unwrap_or_default();
            format!("The place is not for the Telegram account {} any more{to}.", left.telegram.reveal())
        }
        Event::AccessChanged { rule: by, until: end, .. } => {
            use subscription::Rule::{Ended, Incomplete, Missing};
            let is_in = !matches!(by, Incomplete | Missing | Ended(_));
            let gives = if is_in { "gives access" } else { "gives no access" };
            format!("It {gives}{} now: {}.", until(*end), rule(by.as_str(), is_in))
        }
        Event::MrrChanged { before, after, .. } => {
            let amount = |mrr: &Option<subscription::Mrr>| {
                mrr.map_or_else(
                    || "nothing".to_owned(),
                    |mrr| money(subscription::mrr::to_minor(i128::from(mrr.micros)), mrr.currency),
                )
            };
            format!("It comes to {} a month instead of {}.", amount(after), amount(before))
        }
    }
}

const fn shuts_out(ends_access: bool) -> &'static str {
    if ends_access { ", which ends access" } else { "" }
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// What happened to somebody in a channel, in a sentence.
pub(super) fn of_member(event: &member::Event) -> String {
    use member::Event;
    let because = |verdict: &member::Verdict| rule(verdict.rule.as_str(), verdict.is_in);
    match event {
        Event::Entitled { until: end, rule: by, .. } => {
            format!("A subscription lets them in{}: {}.", until(*end), rule(by.as_str(), true))
        }
        Event::Disentitled { rule: by, .. } => {
            format!("A subscription does not let them in: {}.", rule(by.as_str(), false))
        }
        Event::Confirmed { .. } => "A newer version of the subscription says the same.".to_owned(),
        Event::Admitted { verdict, .. } => format!("They asked to join, and may: {}.", because(verdict)),
        Event::Joined { link: Some(link), .. } => format!("They came in by our link {link:?}."),
        Event::Joined { link: None, .. } => "They are in; not by a link of ours.".to_owned(),
        Event::Left { .. } => "They left by themselves.".to_owned(),
        Event::RemovalDue { verdict, .. } => format!("They are in and should not be: {}.", because(verdict)),
        Event::RemovalWithdrawn { verdict, .. } => format!("They may stay after all: {}.", because(verdict)),
        Event::RemovalFailed { error, .. } => format!("Telegram would not remove them: {error}"),
        Event::Removed { verdict, readmit, .. } => {
            let late = if *readmit { " By then they should have been in again." } else { "" };
            format!("They were removed: {}.{late}", because(verdict))
        }
        Event::Whitelisted { by_hand, .. } => {
            format!("They were put on the list of those who are never removed, by {}.", hand(by_hand))
        }
        Event::Unlisted { by_hand, .. } => {
            format!("They were taken off the list of those who are never removed, by {}.", hand(by_hand))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_has_words_and_none_is_a_guess() {
        let ends = [EndReason::Revoked, EndReason::GraceOver, EndReason::UnknownStatus].map(Rule::Ended);
        for one in
            [Rule::ActivePaid, Rule::Trialing, Rule::Extended, Rule::UnknownStatus, Rule::Missing].iter().chain(&ends)
        {
            assert!(!rule(one.as_str(), false).starts_with("of the rule"), "{one:?}");
        }
        assert_ne!(rule("unknown_status", true), rule("unknown_status", false));
        assert_eq!(rule("of_tomorrow", true), "of the rule of_tomorrow");
        let eur = Currency::new("EUR").unwrap();
        assert_eq!((money(-1_250, eur), money(5, eur)), ("-12.50 EUR".to_owned(), "0.05 EUR".to_owned()));
    }
}
