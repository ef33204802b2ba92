use cqrs_es::test::{AggregateTestExecutor, TestFramework};
use proptest::prelude::*;

use uuid::Uuid;

use super::*;
use crate::{PersonId, Personal, TelegramUser};

mod coupons;

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_700_000_000 + seconds, 0).unwrap()
}

fn code(text: &str) -> CodeText {
    CodeText::new(text).unwrap()
}

fn terms() -> Terms {
    Terms {
        name: "Gold week".to_owned(),
        code: Some(code("GOLD10")),
        starts_at: Some(at(0)),
        ends_at: Some(at(100)),
        total_limit: Some(2),
        limit_per_person: Some(1),
        ..Terms::default()
    }
}

const fn person(n: u128) -> PersonId {
    PersonId(Uuid::from_u128(n))
}

fn user(n: u128) -> TelegramUser {
    TelegramUser { id: n as i64, name: None, language: None }
}

fn asked(n: u128, seconds: i64) -> Asked {
    Asked {
        person: person(n),
        coupon: None,
        code: None,
        reservation: None,
        spend: None,
        submission: None,
        at: at(seconds),
    }
}

fn redemption(n: u128) -> Redemption {
    Redemption { id: Uuid::from_u128(n), telegram: Some(Personal::new(user(n))), source: Source::Bot }
}

fn redeem(n: u128, seconds: i64) -> Command {
    Command::Redeem { redemption: redemption(n), asked: asked(n, seconds) }
}

fn redeemed(number: u32, n: u128, seconds: i64) -> Event {
    Event::Redeemed {
        redemption: Uuid::from_u128(n),
        number,
        person: person(n),
        telegram: Some(Personal::new(user(n))),
        coupon: None,
        reservation: None,
        source: Source::Bot,
        submission: None,
        at: at(seconds),
    }
}

fn active() -> Vec<Event> {
    vec![Event::Drafted { terms: terms(), at: at(0) }, Event::Activated { at: at(0) }]
}

fn given(events: &[&[Event]]) -> AggregateTestExecutor<Campaign> {
    TestFramework::with(()).given(events.concat())
}

#[test]
fn is_drafted_activated_paused_resumed_and_ended() {
    given(&[]).when(Command::Draft { terms: terms(), at: at(0) }).then_expect_events(active()[..1].to_vec());
    given(&[&active()[..1]]).when(Command::Activate { at: at(0) }).then_expect_events(active()[1..].to_vec());
    given(&[&active()]).when(Command::Pause { at: at(1) }).then_expect_events(vec![Event::Paused { at: at(1) }]);
    given(&[&active(), &[Event::Paused { at: at(1) }]])
        .when(Command::Resume { at: at(2) })
        .then_expect_events(vec![Event::Resumed { at: at(2) }]);
    given(&[&active()]).when(Command::End { at: at(3) }).then_expect_events(vec![Event::Ended {
        code: terms().code,
        on_time: false,
        at: at(3),
    }]);
}

#[test]
fn refuses_what_its_status_does_not_allow() {
    let paused = [active(), vec![Event::Paused { at: at(1) }]].concat();
    let refusal = |status, wish: &str| Refusal::Status { status, wish: wish.to_owned() };
    given(&[]).when(Command::Activate { at: at(0) }).then_expect_error(Refusal::Missing);
    given(&[&active()[..1]]).when(redeem(1, 1)).then_expect_error(refusal(Status::Draft, "redeemed"));
    given(&[&paused]).when(redeem(1, 1)).then_expect_error(refusal(Status::Paused, "redeemed"));
    given(&[&active()]).when(Command::Activate { at: at(1) }).then_expect_error(refusal(Status::Active, "activated"));
    given(&[&active(), &[Event::Ended { code: terms().code, on_time: false, at: at(1) }]])
        .when(Command::Resume { at: at(2) })
        .then_expect_error(refusal(Status::Ended, "resumed"));
}

#[test]
fn is_redeemed_inside_its_dates_only() {
    given(&[&active()]).when(redeem(1, -1)).then_expect_error(Refusal::NotStarted { starts_at: at(0) });
    given(&[&active()]).when(redeem(1, 0)).then_expect_events(vec![redeemed(1, 1, 0)]);
    given(&[&active()]).when(redeem(1, 99)).then_expect_events(vec![redeemed(1, 1, 99)]);
    given(&[&active()]).when(redeem(1, 100)).then_expect_error(Refusal::Over { ends_at: at(100) });
}

#[test]
fn counts_in_all_and_by_person() {
    given(&[&active(), &[redeemed(1, 1, 1)]])
        .when(redeem(1, 2))
        .then_expect_error(Refusal::PersonLimit { limit: 1, period: Period::Ever });
    given(&[&active(), &[redeemed(1, 1, 1), redeemed(2, 2, 1)]])
        .when(redeem(3, 2))
        .then_expect_error(Refusal::Exhausted { limit: 2 });
}

#[test]
fn keeps_what_was_promised_when_the_terms_change() {
    let change = |change: fn(&mut Terms)| {
        let mut terms = terms();
        change(&mut terms);
        Command::ChangeTerms { terms, at: at(5) }
    };
    let used = [active(), vec![redeemed(1, 1, 1), redeemed(2, 2, 1)]].concat();
    given(&[&used])
        .when(change(|t| t.total_limit = Some(1)))
        .then_expect_error(Refusal::LimitBelowRedeemed { redeemed: 2 });
    given(&[&used]).when(change(|t| t.code = Some(code("OTHER")))).then_expect_error(Refusal::CodeFixed);
    given(&[&used]).when(change(|_| {})).then_expect_events(vec![]);
    let mut renamed = terms();
    renamed.code = Some(code("OTHER"));
    given(&[&active()[..1]])
        .when(change(|t| t.code = Some(code("OTHER"))))
        .then_expect_events(vec![Event::TermsChanged { terms: renamed, released: terms().code, at: at(5) }]);
}

#[test]
fn has_a_card_of_its_own_until_it_is_put_away() {
    let template = |n| Some(Uuid::from_u128(n));
    let design = |template| Command::DesignCard { template, at: at(5) };
    let designed = |template| Event::CardDesigned { template, at: at(5) };
    let ended = [active(), vec![Event::Ended { code: terms().code, on_time: false, at: at(1) }]].concat();
    for before in [&active()[..1], &active(), &ended] {
        given(&[before]).when(design(template(1))).then_expect_events(vec![designed(template(1))]);
        given(&[before, &[designed(template(1))]]).when(design(template(1))).then_expect_events(vec![]);
        given(&[before, &[designed(template(1))]]).when(design(None)).then_expect_events(vec![designed(None)]);
        given(&[before]).when(design(None)).then_expect_events(vec![]);
    }
    given(&[]).when(design(template(1))).then_expect_error(Refusal::Missing);
    given(&[&ended, &[Event::Archived { at: at(2) }]])
        .when(design(template(1)))
        .then_expect_error(Refusal::Status { status: Status::Archived, wish: "given a card".to_owned() });
}

#[test]
fn names_the_field_that_is_wrong() {
    type Change = fn(&mut Terms);
    let wrong: [(&str, Change); 12] = [
        ("name", |t| t.name = "  ".to_owned()),
        ("name", |t| t.name = "nul\0".to_owned()),
        ("ends_at", |t| t.ends_at = t.starts_at),
        ("total_limit", |t| t.total_limit = Some(0)),
        ("limit_per_person", |t| t.limit_per_person = Some(3)),
        ("description", |t| t.description = "x".repeat(2_001)),
        ("benefit", |t| t.benefit = Some(Benefit::Percent { basis_points: 10_001 })),
        ("benefit", |t| t.benefit = Some(Benefit::Text { text: "bell\u{7}".to_owned() })),
        ("total_limit", |t| t.code = None),
        ("limit_period", |t| (t.limit_period, t.limit_per_person) = (Period::Day, None)),
        ("minimum_spend", |t| {
            t.benefit = Some(Benefit::Amount(Money { minor: 500, currency: Currency::new("EUR").unwrap() }));
            t.minimum_spend = Some(Money { minor: 500, currency: Currency::new("USD").unwrap() });
        }),
        ("metadata", |t| t.metadata = [(String::new(), String::new())].into()),
    ];
    for (field, change) in wrong {
        let mut terms = terms();
        change(&mut terms);
        assert_eq!(terms.check().unwrap_err().field, field);
    }
}

proptest! {
    /// Whatever is asked in whatever order, no limit is passed, numbers count
    /// up by one, and nobody redeems outside an active campaign.
    #[test]
    fn no_order_of_wishes_passes_a_limit(
        total in proptest::option::of(1u32..8),
        each in proptest::option::of(1u32..4),
        wishes in proptest::collection::vec((0u8..9, 0u128..4, -5i64..110), 0..80),
    ) {
        let terms = Terms { total_limit: total, limit_per_person: each.map(|e| total.map_or(e, |t| e.min(t))), ..terms() };
        let mut campaign = Campaign::default();
        for event in campaign.decide(&Command::Draft { terms: terms.clone(), at: at(0) }).unwrap() {
            campaign.apply(event);
        }
        let mut given: Vec<PersonId> = vec![];
        for (wish, n, seconds) in wishes {
            let command = match wish {
                0 => Command::Activate { at: at(seconds) },
                1 => Command::Pause { at: at(seconds) },
                2 => Command::Resume { at: at(seconds) },
                _ => redeem(n, seconds),
            };
            for event in campaign.decide(&command).unwrap_or_default() {
                if let Event::Redeemed { number, person, .. } = event {
                    prop_assert_eq!(campaign.status(), Some(Status::Active));
                    prop_assert!((0..100).contains(&seconds));
                    given.push(person);
                    prop_assert_eq!(number as usize, given.len());
                }
                campaign.apply(event);
            }
        }
        prop_assert!(total.is_none_or(|limit| given.len() <= limit as usize));
        for n in 0..4 {
            let count = given.iter().filter(|p| **p == person(n)).count();
            prop_assert!(terms.limit_per_person.is_none_or(|limit| count <= limit as usize));
        }
    }
}
