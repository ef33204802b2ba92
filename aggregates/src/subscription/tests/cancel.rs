//! Cancelling on request.
use super::*;

fn request(when: CancelWhen) -> Command {
    Command::RequestCancel { when, by_hand: by_hand(), at: day(1) }
}

fn confirm(when: CancelWhen) -> Command {
    Command::ConfirmCancel { when, at: day(1) }
}

fn fail(when: CancelWhen) -> Command {
    Command::FailCancel { when, error: "no such subscription".to_owned(), at: day(1) }
}

#[test]
fn stripe_is_asked_once_and_answers() {
    let mut story = Story::active();
    let told = story.send(request(CancelWhen::AtPeriodEnd));
    assert!(matches!(&told[..], [Event::CancelRequested { stripe: Some(stripe), .. }] if *stripe == ids()));
    assert_eq!(story.tells(request(CancelWhen::AtPeriodEnd)), "");
    assert_eq!(story.now.cancelling(), Some(CancelWhen::AtPeriodEnd));
    assert_eq!(story.tells(confirm(CancelWhen::AtPeriodEnd)), "CancelConfirmed");
    assert_eq!(story.tells(confirm(CancelWhen::AtPeriodEnd)), "");
    let cancelling = Contract { cancel_at_period_end: true, ..contract(StripeStatus::Active) };
    story.send(observe(cancelling, carried(day(1))));
    assert_eq!(story.tells(request(CancelWhen::AtPeriodEnd)), "", "it ends then already");
    assert_eq!(story.tells(request(CancelWhen::Now)), "CancelRequested");
    assert_eq!(story.tells(request(CancelWhen::AtPeriodEnd)), "", "more was asked for");
    let fail = fail(CancelWhen::Now);
    assert_eq!(story.tells(fail.clone()), "CancelFailed");
    assert_eq!(story.tells(fail), "");
    story.send(observe(contract(StripeStatus::Canceled), carried(day(2))));
    assert_eq!(story.tells(request(CancelWhen::Now)), "");
}

#[test]
fn an_answer_to_an_earlier_wish_is_none_to_a_later_one() {
    let mut story = Story::active();
    story.send(request(CancelWhen::AtPeriodEnd));
    assert_eq!(story.tells(request(CancelWhen::Now)), "CancelRequested");
    assert_eq!(story.tells(confirm(CancelWhen::AtPeriodEnd)), "");
    assert_eq!(story.tells(fail(CancelWhen::AtPeriodEnd)), "");
    assert_eq!(story.now.cancelling(), Some(CancelWhen::Now), "that is still to be done");
    assert_eq!(story.tells(confirm(CancelWhen::Now)), "CancelConfirmed");
    assert_eq!(story.now.cancelling(), None);
}

#[test]
fn a_grant_ends_at_once() {
    let mut story = Story::granted(None);
    assert_eq!(story.tells(request(CancelWhen::AtPeriodEnd)), "CancelRequested Ended");
    assert_eq!(story.tells(request(CancelWhen::Now)), "");
    assert_eq!(story.now.access(day(1)), Access::Out { rule: Rule::Ended(EndReason::Canceled) });
}

#[test]
fn a_grant_ends_with_the_time_that_was_added_to_it() {
    let extend = |until| Command::Extend { until: day(until), by_hand: by_hand(), at: day(1) };
    let canceled = Access::Out { rule: Rule::Ended(EndReason::Canceled) };
    let mut story = Story::granted(Some(day(3)));
    story.send(extend(9));
    assert_eq!(story.tells(request(CancelWhen::Now)), "CancelRequested Ended");
    assert_eq!(story.now.access(day(1)), canceled);
    // Time that is added afterwards is given anew, and ends like all of it.
    assert_eq!(story.tells(extend(9)), "Extended Reactivated");
    assert_eq!(story.tells(request(CancelWhen::Now)), "CancelRequested Ended");
    assert_eq!(story.now.access(day(1)), canceled);
    // What is at Stripe ends there; more time holds for what Stripe ends.
    let mut bought = Story::active();
    bought.send(extend(9));
    bought.send(request(CancelWhen::Now));
    bought.send(observe(contract(StripeStatus::Canceled), carried(day(2))));
    assert_eq!(bought.now.access(day(2)), Access::In { until: Some(day(9)), rule: Rule::Extended });
}
