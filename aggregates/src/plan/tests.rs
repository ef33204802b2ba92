use cqrs_es::test::TestFramework;

use super::*;

const AT: DateTime<Utc> = DateTime::from_timestamp_nanos(0);

fn vip() -> Terms {
    Terms {
        name: "VIP".to_owned(),
        prices: vec!["price_month".to_owned(), "price_month_eur".to_owned()],
        every: Every { count: 1, interval: Interval::Month },
        channel: -100_123,
    }
}

fn defined() -> Event {
    Event::Defined { terms: vip(), at: AT }
}

fn change(terms: Terms) -> Command {
    Command::Change { name: terms.name, prices: terms.prices, channel: terms.channel, at: AT }
}

fn given(events: Vec<Event>) -> cqrs_es::test::AggregateTestExecutor<Plan> {
    TestFramework::with(()).given(events)
}

#[test]
fn a_plan_is_defined_changed_and_retired() {
    given(vec![]).when(Command::Define { terms: vip(), at: AT }).then_expect_events(vec![defined()]);
    given(vec![defined()]).when(Command::Define { terms: vip(), at: AT }).then_expect_events(vec![]);
    let gold = Terms { name: "Gold".to_owned(), ..vip() };
    given(vec![defined()]).when(Command::Define { terms: gold.clone(), at: AT }).then_expect_error(Refusal::Exists);
    given(vec![defined()])
        .when(change(gold.clone()))
        .then_expect_events(vec![Event::Changed { terms: gold.clone(), at: AT }]);
    given(vec![defined()]).when(change(vip())).then_expect_events(vec![]);
    let retired = Event::Retired { at: AT };
    given(vec![defined()]).when(Command::Retire { at: AT }).then_expect_events(vec![retired.clone()]);
    given(vec![defined(), retired.clone()]).when(Command::Retire { at: AT }).then_expect_events(vec![]);
    given(vec![defined(), retired])
        .when(change(gold))
        .then_expect_error(Refusal::Status { status: Status::Retired, wish: "changed".to_owned() });
    given(vec![]).when(change(vip())).then_expect_error(Refusal::Missing);
    given(vec![]).when(Command::Retire { at: AT }).then_expect_error(Refusal::Missing);
}

#[test]
fn names_the_field_that_is_wrong() {
    type Change = fn(&mut Terms);
    let wrong: [(&str, Change); 7] = [
        ("name", |t| t.name = " ".to_owned()),
        ("name", |t| t.name = "nul\0".to_owned()),
        ("prices", |t| t.prices = (0..101).map(|n| format!("price_{n}")).collect()),
        ("prices", |t| t.prices = vec!["price_a".to_owned(), "price_a".to_owned()]),
        ("prices", |t| t.prices = vec![String::new()]),
        ("every", |t| t.every.count = 0),
        ("channel", |t| t.channel = 0),
    ];
    for (field, change) in wrong {
        let mut terms = vip();
        change(&mut terms);
        assert_eq!(terms.check().unwrap_err().field, field);
    }
    assert_eq!(Terms { prices: (0..100).map(|n| format!("price_{n}")).collect(), ..vip() }.check(), Ok(()));
}
