use cqrs_es::test::TestFramework;

use super::*;

fn at(second: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000 + second, 0).unwrap()
}

fn anna(name: &str) -> Personal<Profile> {
    Personal::new(Profile { id: 7, name: Some(name.to_owned()), username: None, language: Some("en".to_owned()) })
}

fn met() -> Event {
    Event::Met { profile: anna("Anna"), at: at(0) }
}

fn used(what: Usage, second: i64) -> Event {
    Event::Used { what, at: at(second) }
}

fn wants(what: Usage, second: i64) -> Command {
    Command::Use { profile: anna("Anna"), what, at: at(second) }
}

fn given(events: Vec<Event>) -> cqrs_es::test::AggregateTestExecutor<BotUser> {
    TestFramework::with(()).given(events)
}

#[test]
fn the_first_word_is_a_meeting() {
    given(vec![]).when(wants(Usage::Code, 0)).then_expect_events(vec![met(), used(Usage::Code, 0)]);
    given(vec![met()]).when(wants(Usage::Help, 1)).then_expect_events(vec![used(Usage::Help, 1)]);
}

#[test]
fn a_new_name_is_noticed() {
    let renamed = anna("Anna Maria");
    given(vec![met()])
        .when(Command::Use { profile: renamed.clone(), what: Usage::Help, at: at(1) })
        .then_expect_events(vec![Event::ProfileChanged { profile: renamed, at: at(1) }, used(Usage::Help, 1)]);
}

#[test]
fn stop_is_kept_until_start() {
    let stopped = || vec![met(), used(Usage::Stop, 1), Event::Stopped { at: at(1) }];
    given(vec![met()])
        .when(wants(Usage::Stop, 1))
        .then_expect_events(vec![used(Usage::Stop, 1), Event::Stopped { at: at(1) }]);
    given(stopped()).when(wants(Usage::Stop, 2)).then_expect_events(vec![used(Usage::Stop, 2)]);
    given(stopped()).when(wants(Usage::Code, 2)).then_expect_events(vec![used(Usage::Code, 2)]);
    given(stopped())
        .when(wants(Usage::Start, 2))
        .then_expect_events(vec![Event::Returned { stopped: false, at: at(2) }, used(Usage::Start, 2)]);
    // Somebody whose first word is /stop means it.
    given(vec![]).when(wants(Usage::Stop, 0)).then_expect_events(vec![
        met(),
        used(Usage::Stop, 0),
        Event::Stopped { at: at(0) },
    ]);
}

#[test]
fn a_block_is_a_fact_until_they_are_heard_of_again() {
    let blocked = || vec![met(), Event::Blocked { at: at(5) }];
    given(vec![met()]).when(Command::Block { at: at(5) }).then_expect_events(vec![Event::Blocked { at: at(5) }]);
    given(blocked()).when(Command::Block { at: at(6) }).then_expect_events(vec![]);
    given(blocked())
        .when(Command::Unblock { at: at(6) })
        .then_expect_events(vec![Event::Returned { stopped: false, at: at(6) }]);
    given(blocked())
        .when(wants(Usage::Code, 6))
        .then_expect_events(vec![Event::Returned { stopped: false, at: at(6) }, used(Usage::Code, 6)]);
    given(vec![met()]).when(Command::Unblock { at: at(6) }).then_expect_events(vec![]);
    given(vec![]).when(Command::Block { at: at(6) }).then_expect_events(vec![]);
}

#[test]
fn news_of_a_block_that_comes_late_is_no_news() {
    given(vec![met(), used(Usage::Help, 9)]).when(Command::Block { at: at(8) }).then_expect_events(vec![]);
    let back = Event::Returned { stopped: false, at: at(9) };
    given(vec![met(), Event::Blocked { at: at(5) }, back])
        .when(Command::Block { at: at(8) })
        .then_expect_events(vec![]);
}

#[test]
fn who_wanted_no_broadcasts_wants_none_after_a_block() {
    let blocked = || vec![met(), used(Usage::Stop, 1), Event::Stopped { at: at(1) }, Event::Blocked { at: at(2) }];
    given(blocked())
        .when(Command::Unblock { at: at(3) })
        .then_expect_events(vec![Event::Returned { stopped: true, at: at(3) }]);
    given(blocked())
        .when(wants(Usage::Help, 3))
        .then_expect_events(vec![Event::Returned { stopped: true, at: at(3) }, used(Usage::Help, 3)]);
    given(blocked())
        .when(wants(Usage::Start, 3))
        .then_expect_events(vec![Event::Returned { stopped: false, at: at(3) }, used(Usage::Start, 3)]);
    // Back with a /stop that is the first one.
    given(vec![met(), Event::Blocked { at: at(2) }]).when(wants(Usage::Stop, 3)).then_expect_events(vec![
        Event::Returned { stopped: false, at: at(3) },
        used(Usage::Stop, 3),
        Event::Stopped { at: at(3) },
    ]);
}
