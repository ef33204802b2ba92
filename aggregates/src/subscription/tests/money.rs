//! Invoices, refunds and disputes.
use super::*;

fn refund(charge: &str, refunded: i64, charged_at: DateTime<Utc>, policy: RefundPolicy) -> Command {
    let refund = RefundFacts {
        charge: charge.to_owned(),
        charged_minor: 4_900,
        charged_at,
        refunded_minor: refunded,
        currency: eur(),
        at: day(5),
    };
    let settings = Settings { refunds: policy, ..Settings::default() };
    Command::Refund { stripe: ids(), refund: Box::new(refund), settings, at: day(5) }
}

fn dispute(status: DisputeStatus, policy: DisputePolicy) -> Command {
    let dispute = DisputeFacts {
        dispute: "dp_1".to_owned(),
        charge: "ch_1".to_owned(),
        amount_minor: 4_900,
        currency: eur(),
        status,
        at: day(if status == DisputeStatus::Opened { 6 } else { 9 }),
    };
    let settings = Settings { disputes: policy, ..Settings::default() };
    Command::Dispute { stripe: ids(), dispute: Box::new(dispute), settings, at: day(9) }
}

#[test]
fn each_outcome_of_an_invoice_counts_once_and_paid_is_the_last() {
    let mut story = Story::active();
    assert_eq!(story.tells(failed("in_2", day(30), 1)), "PaymentFailed");
    assert_eq!(story.tells(failed("in_2", day(30), 1)), "");
    let action = Command::Invoice {
        stripe: ids(),
        invoice: Box::new(invoice("in_2", day(30), 1)),
        outcome: InvoiceOutcome::ActionRequired,
        at: day(30),
    };
    assert_eq!(story.tells(action.clone()), "ActionRequired");
    assert_eq!(story.tells(action), "");
    assert_eq!(story.tells(failed("in_2", day(30), 3)), "PaymentFailed");
    // What failed before is history, once.
    assert_eq!(story.tells(failed("in_2", day(30), 2)), "Learned");
    assert_eq!(story.tells(failed("in_2", day(30), 2)), "");
    assert_eq!(story.tells(paid("in_2", day(30))), "InvoicePaid");
    assert_eq!(story.tells(failed("in_2", day(30), 4)), "Learned");
    assert_eq!(story.tells(failed("in_2", day(30), 4)), "");
    assert_eq!(story.tells(paid("in_2", day(30))), "");
}

#[test]
fn money_may_be_heard_of_before_the_subscription() {
    let mut story = Story::default();
    assert_eq!(story.tells(paid("in_1", day(0))), "InvoicePaid");
    assert_eq!(story.now.status(), Some(Status::Pending));
    let active = observe(contract(StripeStatus::Active), carried(day(0)));
    assert_eq!(story.tells(active), "Observed Started Activated MrrChanged");
}

#[test]
fn refunds_are_told_as_differences_of_a_total_that_grows() {
    let mut story = Story::active();
    let part = |minor| refund("ch_1", minor, day(0), RefundPolicy::EndOnFullRefund);
    let told: Vec<_> = [1_000, 1_000, 900, 2_500].into_iter().flat_map(|minor| story.send(part(minor))).collect();
    let minor = told.iter().map(|event| match event {
        Event::Refunded { minor, full: false, ends_access: false, .. } => *minor,
        // The total of 900, before that of 1,000.
        Event::Learned { past: Past::Refunded(_), .. } => 0,
        other => panic!("{other:?}"),
    });
    assert_eq!(minor.collect::<Vec<_>>(), [1_000, 0, 1_500]);
    assert_eq!(story.tells(part(4_900)), "Refunded Ended");
}

#[test]
fn who_got_all_back_is_out_until_they_pay_again() {
    let mut story = Story::active();
    story.send(paid("in_1", day(0)));
    let full = |policy| refund("ch_1", 4_900, day(0), policy);
    assert_eq!(story.tells(full(RefundPolicy::EndOnFullRefund)), "Refunded Ended");
    assert_eq!(story.now.access(day(6)), Access::Out { rule: Rule::Ended(EndReason::Refunded) });
    assert_eq!(story.tells(paid("in_2", day(30))), "InvoicePaid Reactivated");
    // A payment of long ago, out of kindness.
    assert_eq!(story.tells(refund("ch_0", 4_900, day(-30), RefundPolicy::EndOnFullRefund)), "Refunded");

    let mut kept = Story::active();
    assert_eq!(kept.tells(full(RefundPolicy::KeepAccess)), "Refunded");
    assert_eq!(kept.now.status(), Some(Status::Active));
}

#[test]
fn a_dispute_does_what_the_policy_says() {
    use DisputePolicy::{EndWhenLost, EndWhenOpened, KeepAccess};
    use DisputeStatus::{Lost, Opened, Won};
    for (policy, closed, opens, closes) in [
        (EndWhenOpened, Won, "DisputeOpened Ended", "DisputeClosed Reactivated"),
        (EndWhenOpened, Lost, "DisputeOpened Ended", "DisputeClosed"),
        (EndWhenLost, Won, "DisputeOpened", "DisputeClosed"),
        (EndWhenLost, Lost, "DisputeOpened", "DisputeClosed Ended"),
        (KeepAccess, Lost, "DisputeOpened", "DisputeClosed"),
    ] {
        let mut story = Story::active();
        assert_eq!(story.tells(dispute(Opened, policy)), opens, "{policy:?} {closed:?}");
        assert_eq!(story.tells(dispute(Opened, policy)), "");
        assert_eq!(story.tells(dispute(closed, policy)), closes, "{policy:?} {closed:?}");
        assert_eq!(story.tells(dispute(Opened, policy)), "", "it is not opened after it is closed");
    }
}

#[test]
fn an_admin_lets_a_dispute_pass_but_not_the_next() {
    let mut story = Story::active();
    story.send(dispute(DisputeStatus::Opened, DisputePolicy::EndWhenOpened));
    let extend = Command::Extend { until: day(99), by_hand: by_hand(), at: day(7) };
    assert_eq!(story.tells(extend), "Extended Reactivated");
    assert_eq!(story.tells(dispute(DisputeStatus::Lost, DisputePolicy::EndWhenOpened)), "DisputeClosed Ended");
    let restore = Command::Restore { by_hand: by_hand(), at: day(10) };
    assert_eq!(story.tells(restore), "Restored Reactivated");
}
