use cqrs_es::test::TestFramework;

use super::*;

fn at(second: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000 + second, 0).unwrap()
}

fn letter() -> Letter {
    let message = Message { text: "Gold is up".to_owned(), html: false, photo: None, buttons: vec![] };
    Letter { message, audience: Audience::default() }
}

fn drafted() -> Event {
    Event::Drafted { letter: letter(), at: at(0) }
}

fn scheduled() -> Vec<Event> {
    vec![drafted(), Event::Scheduled { send_at: at(60), at: at(0) }]
}

fn started() -> Vec<Event> {
    vec![drafted(), Event::Released { at: at(1) }, Event::Started { recipients: 3, at: at(2) }]
}

fn and(mut events: Vec<Event>, more: Event) -> Vec<Event> {
    events.push(more);
    events
}

fn completed(unconfirmed: u32) -> Vec<Event> {
    and(
        started(),
        Event::Completed { totals: Totals { sent: 3 - unconfirmed, unconfirmed, ..Totals::default() }, at: at(9) },
    )
}

fn given(events: Vec<Event>) -> cqrs_es::test::AggregateTestExecutor<Broadcast> {
    TestFramework::with(()).given(events)
}

fn refused(status: Status, wish: &str) -> Refusal {
    Refusal::Status { status, wish: wish.to_owned() }
}

#[test]
fn it_starts_when_it_was_told_to() {
    let draft = |when| Command::Draft { letter: letter(), when, at: at(0) };
    given(vec![]).when(draft(When::Later)).then_expect_events(vec![drafted()]);
    given(vec![]).when(draft(When::Now)).then_expect_events(vec![drafted(), Event::Released { at: at(0) }]);
    given(vec![]).when(draft(When::At(at(60)))).then_expect_events(scheduled());
    given(vec![]).when(draft(When::At(at(-1)))).then_expect_events(vec![drafted(), Event::Released { at: at(0) }]);
    given(vec![drafted()]).when(draft(When::Now)).then_expect_error(Refusal::Exists);
    given(vec![drafted()]).when(Command::Release { at: at(1) }).then_expect_events(vec![Event::Released { at: at(1) }]);
    given(vec![]).when(Command::Release { at: at(1) }).then_expect_error(Refusal::Missing);
    given(started()).when(Command::Release { at: at(1) }).then_expect_error(refused(Status::Sending, "started"));
}

#[test]
fn a_scheduled_one_starts_once_by_its_own_schedule() {
    let due = |second| Command::Due { send_at: at(second), at: at(61) };
    given(scheduled()).when(due(60)).then_expect_events(vec![Event::Released { at: at(61) }]);
    given(scheduled()).when(due(59)).then_expect_events(vec![]);
    given(and(scheduled(), Event::Cancelled { at: at(5) })).when(due(60)).then_expect_events(vec![]);
    given(started()).when(due(60)).then_expect_events(vec![]);
}

#[test]
fn its_audience_is_fixed_once_even_while_it_is_paused() {
    let start = |recipients| Command::Start { recipients, at: at(2) };
    let released = || vec![drafted(), Event::Released { at: at(1) }];
    let paused = || and(released(), Event::Paused { at: at(1) });
    let fixed = vec![Event::Started { recipients: 3, at: at(2) }];
    given(released()).when(start(3)).then_expect_events(fixed.clone());
    given(paused()).when(start(3)).then_expect_events(fixed);
    given(started()).when(start(4)).then_expect_events(vec![]);
    given(and(released(), Event::Cancelled { at: at(1) })).when(start(3)).then_expect_events(vec![]);
    given(vec![drafted()]).when(start(3)).then_expect_error(refused(Status::Draft, "given an audience"));
}

#[test]
fn it_is_paused_resumed_and_cancelled() {
    let paused = || and(started(), Event::Paused { at: at(3) });
    given(started()).when(Command::Pause { at: at(3) }).then_expect_events(vec![Event::Paused { at: at(3) }]);
    given(paused()).when(Command::Pause { at: at(3) }).then_expect_error(refused(Status::Paused, "paused"));
    given(paused()).when(Command::Resume { at: at(4) }).then_expect_events(vec![Event::Resumed { at: at(4) }]);
    given(started()).when(Command::Resume { at: at(4) }).then_expect_error(refused(Status::Sending, "resumed"));
    for before in [vec![drafted()], scheduled(), started(), paused()] {
        given(before).when(Command::Cancel { at: at(5) }).then_expect_events(vec![Event::Cancelled { at: at(5) }]);
    }
    given(completed(0)).when(Command::Cancel { at: at(10) }).then_expect_error(refused(Status::Completed, "cancelled"));
    given(and(started(), Event::Cancelled { at: at(5) }))
        .when(Command::Resume { at: at(6) })
        .then_expect_error(refused(Status::Cancelled, "resumed"));
}

#[test]
fn it_is_complete_once_and_not_while_there_is_more_to_do() {
    let totals = Totals { sent: 2, unconfirmed: 1, ..Totals::default() };
    let complete = |resends| Command::Complete { totals, resends, at: at(9) };
    given(started()).when(complete(0)).then_expect_events(vec![Event::Completed { totals, at: at(9) }]);
    given(completed(1)).when(complete(0)).then_expect_events(vec![]);
    given(and(started(), Event::Paused { at: at(3) })).when(complete(0)).then_expect_events(vec![]);
    given(vec![drafted(), Event::Released { at: at(1) }]).when(complete(0)).then_expect_events(vec![]);
    // An order to send again came between the counting and the word.
    let ordered = || and(started(), Event::ResendOrdered { number: 1, at: at(8) });
    given(ordered()).when(complete(0)).then_expect_events(vec![]);
    given(ordered()).when(complete(1)).then_expect_events(vec![Event::Completed { totals, at: at(9) }]);
}

#[test]
fn the_unconfirmed_get_it_again_only_by_order() {
    let resend = || Command::Resend { at: at(10) };
    let ordered = |number| vec![Event::ResendOrdered { number, at: at(10) }];
    given(completed(1)).when(resend()).then_expect_events(ordered(1));
    given(started()).when(resend()).then_expect_events(ordered(1));
    given(and(completed(1), Event::ResendOrdered { number: 1, at: at(9) }))
        .when(resend())
        .then_expect_events(ordered(2));
    given(completed(0)).when(resend()).then_expect_error(Refusal::NothingUnconfirmed);
    given(vec![drafted()]).when(resend()).then_expect_error(refused(Status::Draft, "sent again"));
    // It is under way again and can be paused.
    given(and(completed(1), Event::ResendOrdered { number: 1, at: at(9) }))
        .when(Command::Pause { at: at(11) })
        .then_expect_events(vec![Event::Paused { at: at(11) }]);
}

#[test]
fn what_makes_no_sense_is_refused_by_name() {
    let button = |text: &str, url: &str| vec![vec![Button { text: text.to_owned(), url: url.to_owned() }]];
    let with = |change: &dyn Fn(&mut Letter)| {
        let mut letter = letter();
        change(&mut letter);
        Command::Draft { letter, when: When::Now, at: at(0) }
    };
    type Change<'a> = &'a dyn Fn(&mut Letter);
    let wrong: [(&str, Change<'_>); 10] = [
        ("text", &|l| l.message.text = " \n".to_owned()),
        ("text", &|l| l.message.text = "x".repeat(Message::SOURCE_LENGTH + 1)),
        ("photo", &|l| l.message.photo = Some("http://example.com/a.png".to_owned())),
        ("photo", &|l| l.message.photo = Some(String::new())),
        ("buttons[0]", &|l| l.message.buttons = vec![vec![]]),
        ("buttons[0][0].text", &|l| l.message.buttons = button(" ", "https://example.com")),
        ("buttons[0][0].url", &|l| l.message.buttons = button("Open", "javascript:alert(1)")),
        ("buttons", &|l| l.message.buttons = vec![button("Open", "https://example.com").remove(0); 9]),
        ("active_within_days", &|l| l.audience.active_within_days = Some(0)),
        ("language", &|l| l.audience.language = Some("e%".to_owned())),
    ];
    for (field, change) in wrong {
        let refusal = Broadcast::Missing.decide(&with(change)).unwrap_err();
        let Refusal::Invalid(invalid) = refusal else { panic!("{refusal:?}") };
        assert_eq!(invalid.field, field);
    }
    let right = with(&|l| {
        l.message.photo = Some("AgACAgIAAxkB-_9".to_owned());
        l.message.buttons = button("Open", "https://example.com/?a=1");
        l.audience.language = Some("pt-br".to_owned());
    });
    assert!(Broadcast::Missing.decide(&right).is_ok());
}
