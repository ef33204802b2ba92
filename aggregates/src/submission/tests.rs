use cqrs_es::test::TestFramework;

use super::*;

fn at(second: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000 + second, 0).unwrap()
}

fn answers(broker: &str) -> Submitted {
    Submitted {
        campaign: Uuid::from_u128(1),
        person: PersonId(Uuid::from_u128(7)),
        telegram: Personal::new(TelegramUser { id: 7, name: None, language: None }),
        coupon: None,
        answers: Personal::new(vec![Answer { question: "Which broker?".to_owned(), answer: broker.to_owned() }]),
    }
}

fn submitted() -> Event {
    Event::Submitted { submitted: answers("Acme"), at: at(0) }
}

fn approved() -> Event {
    Event::Approved { submitted: answers("Acme"), at: at(1) }
}

fn rejected() -> Event {
    Event::Rejected { submitted: answers("Acme"), reason: Personal::new("no".to_owned()), at: at(1) }
}

fn fulfilled() -> Event {
    Event::Fulfilled { redemption: Uuid::from_u128(3), at: at(2) }
}

fn failed() -> Event {
    Event::Failed { reason: "all are taken".to_owned(), at: at(2) }
}

fn given(events: Vec<Event>) -> cqrs_es::test::AggregateTestExecutor<Submission> {
    TestFramework::with(()).given(events)
}

fn cannot(status: Status, wish: &str) -> Refusal {
    Refusal::Status { status, wish: wish.to_owned() }
}

#[test]
fn answers_are_approved_and_fulfilled() {
    given(vec![]).when(Command::Submit { submitted: answers("Acme"), at: at(0) }).then_expect_events(vec![submitted()]);
    given(vec![submitted()]).when(Command::Approve { at: at(1) }).then_expect_events(vec![approved()]);
    given(vec![submitted(), approved()]).when(Command::Approve { at: at(5) }).then_expect_events(vec![]);
    let fulfil = Command::Fulfil { redemption: Uuid::from_u128(3), at: at(2) };
    given(vec![submitted(), approved()]).when(fulfil.clone()).then_expect_events(vec![fulfilled()]);
    given(vec![submitted(), approved(), fulfilled()]).when(fulfil.clone()).then_expect_events(vec![]);
    given(vec![submitted()]).when(fulfil).then_expect_error(cannot(Status::Pending, "fulfilled"));
}

#[test]
fn a_rejection_says_why_and_leaves_another_try() {
    let reject = |reason: &str| Command::Reject { reason: Personal::new(reason.to_owned()), at: at(1) };
    given(vec![submitted()]).when(reject("no")).then_expect_events(vec![rejected()]);
    given(vec![submitted()]).when(reject(" ")).then_expect_error(Refusal::Reason);
    given(vec![submitted(), approved()]).when(reject("no")).then_expect_error(cannot(Status::Approved, "rejected"));
    given(vec![submitted(), rejected()]).when(reject("no")).then_expect_error(cannot(Status::Rejected, "rejected"));
    given(vec![submitted(), rejected()])
        .when(Command::Submit { submitted: answers("Zenith"), at: at(9) })
        .then_expect_events(vec![Event::Submitted { submitted: answers("Zenith"), at: at(9) }]);
}

#[test]
fn nobody_has_two_sets_of_answers_waiting() {
    let again = Command::Submit { submitted: answers("Zenith"), at: at(9) };
    given(vec![submitted()]).when(again.clone()).then_expect_error(cannot(Status::Pending, "handed in again"));
    given(vec![submitted(), approved()]).when(again).then_expect_error(cannot(Status::Approved, "handed in again"));
    given(vec![]).when(Command::Approve { at: at(1) }).then_expect_error(Refusal::Missing);
}

#[test]
fn what_could_not_be_redeemed_is_looked_at_again() {
    let fail = Command::Fail { reason: "all are taken".to_owned(), at: at(2) };
    given(vec![submitted(), approved()]).when(fail.clone()).then_expect_events(vec![failed()]);
    given(vec![submitted(), approved(), failed()]).when(fail).then_expect_events(vec![]);
    given(vec![submitted(), approved(), failed()])
        .when(Command::Approve { at: at(1) })
        .then_expect_events(vec![approved()]);
}
