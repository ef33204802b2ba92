//! Who is in, and by which rule.
use super::*;

fn is_in(story: &Story, now: DateTime<Utc>) -> Rule {
    match story.now.access(now) {
        Access::In { rule, .. } => rule,
        Access::Out { rule } => panic!("out: {rule:?}"),
    }
}

fn is_out(story: &Story, now: DateTime<Utc>) -> Rule {
    match story.now.access(now) {
        Access::Out { rule } => rule,
        Access::In { rule, .. } => panic!("in: {rule:?}"),
    }
}

#[test]
fn every_status_of_stripe_has_its_rule() {
    use StripeStatus::{Active, Canceled, Incomplete, IncompleteExpired, PastDue, Paused, Trialing, Unknown, Unpaid};
    let cases = [
        (Active, Access::In { until: None, rule: Rule::ActivePaid }),
        (Trialing, Access::In { until: None, rule: Rule::Trialing }),
        (PastDue, Access::In { until: Some(day(2)), rule: Rule::GraceUntil }),
        (Unknown("new".to_owned()), Access::In { until: Some(day(30)), rule: Rule::UnknownStatus }),
        (Incomplete, Access::Out { rule: Rule::Incomplete }),
        (IncompleteExpired, Access::Out { rule: Rule::Ended(EndReason::IncompleteExpired) }),
        (Canceled, Access::Out { rule: Rule::Ended(EndReason::Canceled) }),
        (Unpaid, Access::Out { rule: Rule::Ended(EndReason::Unpaid) }),
        (Paused, Access::Out { rule: Rule::Ended(EndReason::Paused) }),
    ];
    for (status, access) in cases {
        let mut story = Story::default();
        story.send(observe_with(contract(status.clone()), carried(day(0)), grace(2)));
        assert_eq!(story.now.access(day(1)), access, "{status:?}");
    }
    assert_eq!(Subscription::Missing.access(day(1)), Access::Out { rule: Rule::Missing });
}

#[test]
fn a_paid_one_stays_in_when_news_of_its_renewal_is_late() {
    let mut story = Story::active();
    assert_eq!(is_in(&story, day(31)), Rule::ActivePaid);
    assert_eq!(story.tells(Command::Lapse { at: day(31) }), "");
}

#[test]
fn a_late_payment_is_waited_for_as_long_as_the_setting_says() {
    let late = |grace_days| {
        let mut story = Story::active();
        story.send(failed("in_2", day(30), 1));
        let late = from_day(30, StripeStatus::PastDue);
        let told = story.tells(observe_with(late, carried(day(31)), grace(grace_days)));
        (story, told)
    };
    let recovered = observe(from_day(30, StripeStatus::Active), carried(day(41)));
    let (mut at_once, told) = late(0);
    assert_eq!(told, "Observed Lapsed Ended");
    assert_eq!(is_out(&at_once, day(31)), Rule::Ended(EndReason::GraceOver));
    assert_eq!(at_once.tells(recovered.clone()), "Observed Reactivated");

    let (mut waits, told) = late(3);
    assert_eq!(told, "Observed PastDue");
    assert_eq!(is_in(&waits, day(32)), Rule::GraceUntil);
    assert_eq!(waits.tells(Command::Lapse { at: day(32) }), "");
    assert_eq!(is_out(&waits, day(33)), Rule::Ended(EndReason::GraceOver));
    assert_eq!(waits.tells(Command::Lapse { at: day(33) }), "Lapsed Ended");
    assert_eq!(waits.tells(Command::Lapse { at: day(40) }), "");
    assert!(waits.now.mrr().is_some(), "Stripe counts what is past due");
    assert_eq!(waits.tells(recovered), "Observed Reactivated");
}

#[test]
fn grace_is_counted_from_the_first_invoice_that_is_not_paid() {
    let mut story = Story::active();
    story.send(paid("in_1", day(0)));
    // The state of the subscription comes before the invoice: as long as that is not
    // known, nobody is late for longer than we know.
    story.send(observe_with(from_day(30, StripeStatus::PastDue), carried(day(32)), grace(3)));
    assert_eq!(story.now.ends_at(), Some(day(35)));
    assert_eq!(story.tells(failed("in_2", day(30), 1)), "PaymentFailed PastDue");
    assert_eq!(story.now.ends_at(), Some(day(33)));
    assert_eq!(story.tells(failed("in_2", day(30), 2)), "PaymentFailed", "another attempt gives no more time");
    // What was never paid, long before what was, does not count.
    assert_eq!(story.tells(failed("in_0", day(-30), 4)), "PaymentFailed");
    assert_eq!(story.now.ends_at(), Some(day(33)));
}

#[test]
fn a_cancelled_one_is_in_until_it_ends_and_out_by_time_alone() {
    let mut story = Story::active();
    let cancelling = Contract { cancel_at: Some(day(20)), ..contract(StripeStatus::Active) };
    story.send(observe(cancelling, carried(day(1))));
    assert_eq!(story.now.access(day(19)), Access::In { until: Some(day(20)), rule: Rule::CancellingUntil });
    assert_eq!(story.now.reminders(), [(day(17), 3), (day(19), 1)]);
    assert_eq!(story.tells(Command::Lapse { at: day(19) }), "");
    assert_eq!(story.tells(Command::Lapse { at: day(20) }), "Lapsed Ended MrrChanged");
    assert_eq!(is_out(&story, day(20)), Rule::Ended(EndReason::PeriodOver));
    // Stripe says so a little later, which is another reason, and no other amount.
    let over = Contract { ended_at: Some(day(20)), ..contract(StripeStatus::Canceled) };
    let told = story.send(observe(over, carried(day(21))));
    assert!(matches!(told[1], Event::Ended { reason: EndReason::Canceled, was: Some(Status::Ended), .. }));
    assert_eq!(told.len(), 2);
}

#[test]
fn a_grant_lasts_as_long_as_it_was_given() {
    let mut story = Story::default();
    assert_eq!(story.tells(grant(Some(day(10)))), "Granted Started Activated");
    assert_eq!(story.tells(grant(Some(day(10)))), "");
    assert_eq!(story.refuses(&grant(None)), Refusal::Exists);
    assert_eq!(is_in(&story, day(9)), Rule::ManualGrant);
    assert_eq!(story.tells(Command::Extend { until: day(20), by_hand: by_hand(), at: day(9) }), "Extended");
    assert_eq!(is_in(&story, day(19)), Rule::ManualGrant);
    assert_eq!(story.tells(Command::Lapse { at: day(10) }), "");
    assert_eq!(story.tells(Command::Lapse { at: day(20) }), "Lapsed Ended");
    assert_eq!(is_out(&story, day(20)), Rule::Ended(EndReason::GrantOver));
    let more = Command::Extend { until: day(40), by_hand: by_hand(), at: day(30) };
    assert_eq!(story.tells(more.clone()), "Extended Reactivated");
    assert_eq!(story.tells(more), "");
    let mut forever = Story::granted(None);
    assert_eq!(forever.tells(Command::Lapse { at: day(10_000) }), "");
    assert_eq!(is_in(&forever, day(10_000)), Rule::ManualGrant);
}

#[test]
fn a_grant_says_to_whom_why_and_for_a_time_to_come() {
    let story = Story::default();
    type Change = fn(&mut Option<Personal<String>>, &mut Option<DateTime<Utc>>, &mut ByHand);
    let refusal = |change: Change| {
        let (mut email, mut until, mut hand) = (Some(email("anna")), None, by_hand());
        change(&mut email, &mut until, &mut hand);
        story.refuses(&Command::Grant { plan: vip(), email, account: None, until, by_hand: hand, at: day(0) })
    };
    assert_eq!(refusal(|email, _, _| *email = None), Refusal::Nobody);
    assert_eq!(refusal(|email, _, _| *email = Some(Personal::new("anna@".to_owned()))), Refusal::Email);
    assert_eq!(refusal(|_, until, _| *until = Some(day(0))), Refusal::UntilPast);
    assert_eq!(
        refusal(|_, _, hand| hand.reason = Personal::new(" ".to_owned())),
        Refusal::ByHand(crate::InvalidByHand::Reason)
    );
}

#[test]
fn more_time_outlasts_whatever_ends_before() {
    let extend = |until| Command::Extend { until, by_hand: by_hand(), at: day(1) };
    let mut story = Story::active();
    story.send(extend(day(50)));
    let over = Contract { ended_at: Some(day(5)), ..contract(StripeStatus::Canceled) };
    assert_eq!(story.tells(observe(over, carried(day(5)))), "Observed AccessChanged MrrChanged");
    assert_eq!(story.now.access(day(49)), Access::In { until: Some(day(50)), rule: Rule::Extended });
    assert_eq!(story.tells(Command::Lapse { at: day(50) }), "Lapsed Ended");
    assert_eq!(is_out(&story, day(50)), Rule::Ended(EndReason::Canceled));

    let mut late = Story::active();
    late.send(observe_with(from_day(30, StripeStatus::PastDue), carried(day(30)), grace(3)));
    assert_eq!(late.tells(extend(day(50))), "Extended PastDue");
    assert_eq!(is_in(&late, day(49)), Rule::GraceUntil);
    assert_eq!(is_out(&late, day(50)), Rule::Ended(EndReason::GraceOver));
    assert_eq!(late.refuses(&extend(day(1))), Refusal::UntilPast);
}

#[test]
fn an_admin_takes_access_away_and_gives_it_back() {
    let mut story = Story::active();
    let revoke = Command::Revoke { by_hand: by_hand(), at: day(2) };
    assert_eq!(story.tells(revoke.clone()), "Revoked Ended");
    assert_eq!(story.tells(revoke), "");
    assert_eq!(is_out(&story, day(3)), Rule::Ended(EndReason::Revoked));
    assert_eq!(story.tells(observe(from_day(30, StripeStatus::Active), carried(day(30)))), "Observed");
    assert!(story.now.mrr().is_some(), "it is paid all the same");
    let restore = Command::Restore { by_hand: by_hand(), at: day(31) };
    assert_eq!(story.tells(restore.clone()), "Restored Reactivated");
    assert_eq!(story.tells(restore), "");
}

#[test]
fn who_pays_while_an_extension_runs_is_in_by_what_they_paid() {
    let extend = Command::Extend { until: day(45), by_hand: by_hand(), at: day(32) };
    for status in [StripeStatus::Unpaid, StripeStatus::Incomplete] {
        let mut story = Story::default();
        story.send(observe(from_day(30, status.clone()), carried(day(31))));
        story.send(extend.clone());
        assert_eq!(is_in(&story, day(33)), Rule::Extended);
        story.send(observe(from_day(30, StripeStatus::Active), carried(day(33))));
        let Some(Event::AccessChanged { rule, until, .. }) = story.events.iter().rfind(|event| event.concerns_access())
        else {
            panic!("{status:?}: nobody is told: {:?}", story.events)
        };
        assert_eq!((*rule, *until), (Rule::ActivePaid, None), "{status:?}");
    }
    let mut unknown = Story::default();
    unknown.send(observe(contract(StripeStatus::Unknown("new".to_owned())), carried(day(1))));
    assert_eq!(
        unknown.tells(observe(contract(StripeStatus::Active), carried(day(2)))),
        "Observed AccessChanged MrrChanged"
    );
}

#[test]
fn more_time_is_no_payment() {
    let mut story = Story::active();
    story.send(observe_with(from_day(30, StripeStatus::PastDue), carried(day(30)), grace(3)));
    story.send(Command::Extend { until: day(50), by_hand: by_hand(), at: day(31) });
    let unpaid = observe_with(from_day(30, StripeStatus::Unpaid), carried(day(40)), grace(3));
    assert_eq!(story.tells(unpaid), "Observed AccessChanged MrrChanged");
    assert_eq!(is_in(&story, day(41)), Rule::Extended);
}

#[test]
fn grace_is_counted_from_the_first_attempt_that_failed() {
    let attempt = |attempts, failed| {
        let invoice = Box::new(InvoiceFacts { at: Some(day(failed)), ..invoice("in_2", day(30), attempts) });
        Command::Invoice { stripe: ids(), invoice, outcome: InvoiceOutcome::PaymentFailed, at: day(failed) }
    };
    let mut story = Story::active();
    story.send(observe_with(from_day(30, StripeStatus::PastDue), carried(day(34)), grace(3)));
    assert_eq!(story.tells(attempt(2, 36)), "PaymentFailed PastDue");
    assert_eq!(story.now.ends_at(), Some(day(39)));
    // The first one is heard of last. The invoice had been made days before it was tried to collect it.
    assert_eq!(story.tells(attempt(1, 33)), "Learned PastDue");
    assert_eq!(story.now.ends_at(), Some(day(36)));
    assert_eq!(story.tells(attempt(3, 35)), "PaymentFailed", "another attempt gives no more time");
}
