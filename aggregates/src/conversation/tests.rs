use cqrs_es::test::TestFramework;

use super::*;

fn at(hour: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000 + 3_600 * hour, 0).unwrap()
}

fn question(text: &str) -> Question {
    Question { text: text.to_owned(), choices: vec![] }
}

fn topic() -> Topic {
    Topic::Submission {
        campaign: Uuid::from_u128(1),
        coupon: None,
        questions: vec![question("Which broker?"), question("Since when?")],
    }
}

fn anna() -> Personal<TelegramUser> {
    Personal::new(TelegramUser { id: 7, name: Some("Anna".to_owned()), language: None })
}

fn began() -> Event {
    Event::Began { id: Uuid::from_u128(9), topic: topic(), update: 0, at: at(0) }
}

fn answered(text: &str, hour: i64) -> Event {
    Event::Answered { answer: Personal::new(text.to_owned()), update: hour, at: at(hour) }
}

fn answer(step: usize, text: &str, hour: i64) -> Command {
    Command::Answer { step, answer: Personal::new(text.to_owned()), telegram: anna(), update: hour, at: at(hour) }
}

fn given(events: Vec<Event>) -> cqrs_es::test::AggregateTestExecutor<Conversation> {
    TestFramework::with(()).given(events)
}

#[test]
fn the_last_answer_finishes_it() {
    given(vec![])
        .when(Command::Begin { id: Uuid::from_u128(9), topic: topic(), update: 0, at: at(0) })
        .then_expect_events(vec![began()]);
    given(vec![began()]).when(answer(0, "Acme", 1)).then_expect_events(vec![answered("Acme", 1)]);
    given(vec![began(), answered("Acme", 1)]).when(answer(1, "2020", 2)).then_expect_events(vec![
        answered("2020", 2),
        Event::Finished {
            id: Uuid::from_u128(9),
            topic: topic(),
            answers: Personal::new(vec!["Acme".to_owned(), "2020".to_owned()]),
            telegram: anna(),
            update: 2,
            at: at(2),
        },
    ]);
}

#[test]
fn a_button_of_an_earlier_question_answers_nothing() {
    given(vec![began(), answered("Acme", 1)]).when(answer(0, "Acme", 2)).then_expect_error(Refusal::OtherQuestion);
    given(vec![]).when(answer(0, "Acme", 2)).then_expect_error(Refusal::NothingAsked);
}

#[test]
fn who_comes_back_a_day_later_is_not_in_it_any_more() {
    given(vec![began()]).when(answer(0, "Acme", 23)).then_expect_events(vec![answered("Acme", 23)]);
    given(vec![began()]).when(answer(0, "Acme", 24)).then_expect_error(Refusal::NothingAsked);
    let mut kept = Conversation::default();
    [began(), answered("Acme", 23)].into_iter().for_each(|event| kept.apply(event));
    assert_eq!(kept.decide(&answer(1, "2020", 46)).map(|events| events.len()), Ok(2));
}

#[test]
fn it_can_be_given_up_and_begun_anew() {
    given(vec![began()])
        .when(Command::Cancel { update: 1, at: at(1) })
        .then_expect_events(vec![Event::Cancelled { update: 1, at: at(1) }]);
    given(vec![]).when(Command::Cancel { update: 1, at: at(1) }).then_expect_events(vec![]);
    let again = Command::Begin { id: Uuid::from_u128(10), topic: Topic::Broadcast, update: 2, at: at(1) };
    given(vec![began(), answered("Acme", 1)]).when(again).then_expect_events(vec![Event::Began {
        id: Uuid::from_u128(10),
        topic: Topic::Broadcast,
        update: 2,
        at: at(1),
    }]);
    let nothing = Topic::Submission { campaign: Uuid::nil(), coupon: None, questions: vec![] };
    given(vec![])
        .when(Command::Begin { id: Uuid::nil(), topic: nothing, update: 1, at: at(1) })
        .then_expect_error(Refusal::NoQuestions);
}

#[test]
fn an_update_that_comes_again_changes_nothing() {
    given(vec![began()]).when(answer(0, "Acme", 0)).then_expect_events(vec![]);
    given(vec![began(), answered("Acme", 1)]).when(answer(1, "Acme", 1)).then_expect_events(vec![]);
    let mut talk = Conversation::default();
    talk.apply(began());
    assert_eq!((talk.moved_by(0), talk.moved_by(1)), (Some(Move::Began), None));
    talk.apply(answered("Acme", 1));
    assert_eq!((talk.moved_by(0), talk.moved_by(1)), (None, Some(Move::Answered)));
}
