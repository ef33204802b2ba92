//! Unique codes, reservations, releases, publications, and time.

use super::*;

fn unique_terms() -> Terms {
    Terms { code: None, total_limit: None, limit_per_person: None, starts_at: None, ends_at: None, ..terms() }
}

fn unique(count: u32) -> Vec<Event> {
    vec![
        Event::Drafted { terms: unique_terms(), at: at(0) },
        Event::BatchMinted { batch: 7, count, at: at(0) },
        Event::Activated { at: at(0) },
    ]
}

fn coupon(index: u32) -> Option<UniqueCode> {
    Some(UniqueCode { batch: 7, index })
}

fn use_code(n: u128, index: u32, seconds: i64) -> Command {
    Command::Redeem { redemption: redemption(n), asked: Asked { coupon: coupon(index), ..asked(n, seconds) } }
}

fn reserve(n: u128, from: i64, until: i64) -> Command {
    Command::Reserve { reservation: Uuid::from_u128(n), asked: asked(n, from), until: at(until) }
}

fn reserved(n: u128, from: i64, until: i64) -> Event {
    Event::Reserved { reservation: Uuid::from_u128(n), person: person(n), coupon: None, until: at(until), at: at(from) }
}

fn ended(n: u128, expired: bool, seconds: i64) -> Event {
    Event::ReservationEnded { reservation: Uuid::from_u128(n), expired, at: at(seconds) }
}

fn release_because(reason: &str, number: u32, n: u128) -> Command {
    Command::Release {
        redemption: Uuid::from_u128(n),
        number,
        person: person(n),
        coupon: None,
        redeemed_at: at(1),
        reason: Personal::new(reason.to_owned()),
        at: at(50),
    }
}

fn release(number: u32, n: u128) -> Command {
    release_because("sent back", number, n)
}

fn publish(n: u128) -> Command {
    Command::Publish { publication: Uuid::from_u128(n), person: person(n), telegram: None, at: at(5) }
}

fn published(n: u128, coupon: Option<UniqueCode>) -> Event {
    Event::Published { publication: Uuid::from_u128(n), person: person(n), telegram: None, coupon, at: at(5) }
}

/// The state after commands that are all accepted.
fn after(events: Vec<Event>, commands: &[Command]) -> Campaign {
    let mut campaign = Campaign::default();
    events.into_iter().for_each(|event| campaign.apply(event));
    for command in commands {
        let events = campaign.decide(command).unwrap_or_else(|refusal| panic!("{command:?}: {refusal}"));
        events.into_iter().for_each(|event| campaign.apply(event));
    }
    campaign
}

#[test]
fn a_unique_code_is_good_once() {
    let campaign = after(unique(3), &[use_code(1, 0, 1)]);
    assert_eq!(campaign.decide(&use_code(2, 0, 2)), Err(Refusal::CodeUsed));
    assert_eq!(campaign.decide(&use_code(2, 3, 2)), Err(Refusal::UnknownCode));
    assert_eq!(campaign.decide(&redeem(2, 2)), Err(Refusal::OtherKindOfCode));
    let other = Asked { coupon: Some(UniqueCode { batch: 8, index: 0 }), ..asked(2, 2) };
    let other = Command::Redeem { redemption: redemption(2), asked: other };
    assert_eq!(campaign.decide(&other), Err(Refusal::UnknownCode));
    assert!(campaign.decide(&use_code(2, 1, 2)).is_ok());
}

#[test]
fn what_is_left_of_a_batch_can_be_taken_back() {
    let revoke = |batch, seconds| Command::RevokeBatch { batch, at: at(seconds) };
    let campaign = after(unique(3), &[use_code(1, 0, 1), revoke(7, 2)]);
    assert_eq!(campaign.decide(&use_code(2, 1, 3)), Err(Refusal::CodeRevoked));
    assert_eq!(campaign.decide(&revoke(7, 3)), Ok(vec![]));
    assert_eq!(campaign.decide(&revoke(8, 3)), Err(Refusal::BatchMissing { batch: 8 }));
    let supply = campaign.running().unwrap().supply();
    assert_eq!(supply, Supply { issued: Some(1), redeemed: 1, reserved: 0, available: Some(0) });
}

#[test]
fn a_batch_has_a_number_and_a_size_of_its_own() {
    let mint = |batch, count| Command::Mint { batch, count, at: at(1) };
    let campaign = after(unique(3), &[]);
    assert_eq!(campaign.decide(&mint(7, 1)), Err(Refusal::BatchExists { batch: 7 }));
    assert_eq!(campaign.decide(&mint(8, 0)), Err(Refusal::BatchSize { most: UniqueCode::IN_BATCH }));
    assert_eq!(campaign.decide(&mint(8, 1_000_000)).unwrap().len(), 1);
    assert_eq!(after(active(), &[]).decide(&mint(8, 1)), Err(Refusal::OtherKindOfCode));
}

#[test]
fn a_published_coupon_goes_to_one_person() {
    // Code 0 is published, code 1 was redeemed by somebody who found it.
    let campaign = after(unique(3), &[use_code(9, 1, 1), publish(1)]);
    assert_eq!(campaign.decide(&publish(2)), Ok(vec![published(2, coupon(2))]));
    let campaign = after(unique(3), &[use_code(9, 1, 1), publish(1), publish(2)]);
    assert_eq!(campaign.decide(&publish(3)), Err(Refusal::NoCodeLeft));
}

#[test]
fn a_campaign_for_holders_asks_for_a_publication() {
    let mut events = active();
    events[0] = Event::Drafted { terms: Terms { audience: Audience::Holders, ..terms() }, at: at(0) };
    assert_eq!(after(events.clone(), &[]).decide(&redeem(1, 1)), Err(Refusal::NotHolder));
    assert!(after(events, &[publish(1)]).decide(&redeem(1, 6)).is_ok());
}

#[test]
fn a_reservation_keeps_a_place_until_its_time_is_over() {
    let both = [active(), vec![reserved(1, 1, 20), reserved(2, 1, 30)]].concat();
    let with = |reservation: u128, n: u128, seconds| Command::Redeem {
        redemption: redemption(n),
        asked: Asked { reservation: Some(Uuid::from_u128(reservation)), ..asked(n, seconds) },
    };
    given(&[&both]).when(redeem(3, 5)).then_expect_error(Refusal::Exhausted { limit: 2 });
    given(&[&both]).when(with(1, 3, 5)).then_expect_error(Refusal::ReservationOfAnother);
    given(&[&both]).when(with(7, 1, 5)).then_expect_error(Refusal::ReservationMissing);
    let mut with_reservation = redeemed(1, 1, 5);
    if let Event::Redeemed { reservation, .. } = &mut with_reservation {
        *reservation = Some(Uuid::from_u128(1));
    }
    given(&[&both]).when(with(1, 1, 5)).then_expect_events(vec![with_reservation]);
    // At 20 the first is over, and who comes then gets its place; that it is over is written first.
    given(&[&both]).when(redeem(3, 20)).then_expect_events(vec![ended(1, true, 20), redeemed(1, 3, 20)]);
    given(&[&both]).when(with(1, 1, 20)).then_expect_error(Refusal::ReservationMissing);
    given(&[&both]).when(Command::Tick { at: at(20) }).then_expect_events(vec![ended(1, true, 20)]);
    given(&[&both])
        .when(Command::CancelReservation { reservation: Uuid::from_u128(2), at: at(3) })
        .then_expect_events(vec![ended(2, false, 3)]);
    let week = 7 * 24 * 60 * 60;
    for until in [1, 1 + i64::from(week) + 1] {
        given(&[&active()])
            .when(reserve(1, 1, until))
            .then_expect_error(Refusal::ReservationTime { most_seconds: week });
    }
}

#[test]
fn a_release_gives_the_place_back_once() {
    let full = [active(), vec![redeemed(1, 1, 1), redeemed(2, 2, 1)]].concat();
    assert_eq!(after(full.clone(), &[]).decide(&redeem(3, 2)), Err(Refusal::Exhausted { limit: 2 }));
    let campaign = after(full, &[release(1, 1)]);
    assert_eq!(campaign.decide(&release(1, 1)), Err(Refusal::ReleasedBefore));
    assert_eq!(campaign.decide(&release(3, 1)), Err(Refusal::RedemptionMissing));
    assert_eq!(campaign.decide(&release_because("  ", 2, 2)), Err(Refusal::Reason));
    // The person may come again, and the number goes on.
    assert_eq!(campaign.decide(&redeem(1, 2)), Ok(vec![redeemed(3, 1, 2)]));
}

#[test]
fn a_limit_by_day_begins_anew_with_the_day() {
    let terms = Terms { limit_period: Period::Day, total_limit: None, ends_at: None, ..terms() };
    let campaign = after(vec![Event::Drafted { terms, at: at(0) }, Event::Activated { at: at(0) }], &[redeem(1, 0)]);
    // The day of at(0) ends after 6,400 seconds.
    let (today, tomorrow) = (6_399, 6_400);
    let reached = Refusal::PersonLimit { limit: 1, period: Period::Day };
    assert_eq!(campaign.decide(&redeem(1, today)), Err(reached.clone()));
    let mut next = campaign;
    next.decide(&redeem(1, tomorrow)).unwrap().into_iter().for_each(|event| next.apply(event));
    assert_eq!(next.decide(&redeem(1, tomorrow + 1)), Err(reached.clone()));
    // What was asked yesterday and is judged today is not let through twice.
    assert_eq!(next.decide(&redeem(1, today)), Err(reached.clone()));
}

#[test]
fn starts_and_ends_by_time_alone() {
    let drafted = vec![Event::Drafted { terms: terms(), at: at(-9) }];
    let scheduled = [drafted.clone(), vec![Event::Scheduled { at: at(-8) }]].concat();
    let activated = |seconds| Event::Activated { at: at(seconds) };
    given(&[&drafted]).when(Command::Activate { at: at(-8) }).then_expect_events(vec![Event::Scheduled { at: at(-8) }]);
    given(&[&scheduled]).when(redeem(1, -1)).then_expect_error(Refusal::NotStarted { starts_at: at(0) });
    given(&[&scheduled]).when(Command::Tick { at: at(-1) }).then_expect_events(vec![]);
    given(&[&scheduled]).when(Command::Tick { at: at(0) }).then_expect_events(vec![activated(0)]);
    // Nobody waits for a timer that is late.
    given(&[&scheduled]).when(redeem(1, 3)).then_expect_events(vec![activated(3), redeemed(1, 1, 3)]);
    let over = Event::Ended { code: terms().code, on_time: true, at: at(100) };
    given(&[&active()]).when(Command::Tick { at: at(99) }).then_expect_events(vec![]);
    given(&[&active()]).when(Command::Tick { at: at(100) }).then_expect_events(vec![over.clone()]);
    given(&[&active(), std::slice::from_ref(&over)]).when(Command::Tick { at: at(101) }).then_expect_events(vec![]);
    given(&[&active(), &[over]])
        .when(Command::Archive { at: at(102) })
        .then_expect_events(vec![Event::Archived { at: at(102) }]);
}

#[test]
fn issued_coupons_keep_their_terms() {
    let minimum = |minor| Money { minor, currency: Currency::new("EUR").unwrap() };
    let mut dated = unique(3);
    dated[0] = Event::Drafted { terms: Terms { ends_at: Some(at(100)), ..unique_terms() }, at: at(0) };
    let mut campaign = after(dated, &[]);
    let change = |ends_at| Command::ChangeTerms {
        terms: Terms { ends_at, minimum_spend: Some(minimum(500)), ..unique_terms() },
        at: at(2),
    };
    assert_eq!(campaign.decide(&change(Some(at(99)))), Err(Refusal::EndsBeforePromised { promised: Some(at(100)) }));
    campaign.decide(&change(Some(at(200)))).unwrap().into_iter().for_each(|event| campaign.apply(event));
    campaign.apply(Event::BatchMinted { batch: 8, count: 1, at: at(3) });
    let of = |batch, seconds| Asked { coupon: Some(UniqueCode { batch, index: 0 }), ..asked(1, seconds) };
    assert_eq!(campaign.check(&of(7, 99)).map(|terms| terms.minimum_spend), Ok(None));
    assert_eq!(campaign.check(&of(7, 100)), Err(Refusal::Over { ends_at: at(100) }));
    assert_eq!(campaign.check(&of(8, 150)), Err(Refusal::BelowMinimum { minimum: minimum(500) }));
    assert!(campaign.check(&Asked { spend: Some(minimum(500)), ..of(8, 150) }).is_ok());
}

#[test]
fn issued_coupons_keep_whom_they_are_for_and_how_often() {
    let change = |code: Option<CodeText>, audience, limit_per_person| Command::ChangeTerms {
        terms: Terms { code, total_limit: None, ends_at: None, audience, limit_per_person, ..terms() },
        at: at(6),
    };
    // Of a batch: it was for everyone, twice each.
    let twice = Terms { limit_per_person: Some(2), ..unique_terms() };
    let mut events = unique(3);
    events[0] = Event::Drafted { terms: Terms { starts_at: Some(at(0)), ..twice }, at: at(0) };
    let campaign = after(events, &[change(None, Audience::Holders, Some(1)), use_code(1, 0, 7), use_code(1, 1, 8)]);
    let reached = Refusal::PersonLimit { limit: 2, period: Period::Ever };
    assert_eq!(campaign.decide(&use_code(1, 2, 9)), Err(reached));
    // What is issued from now on has the new terms.
    let mut events = unique(3);
    events.push(Event::TermsChanged {
        terms: Terms { audience: Audience::Holders, ..unique_terms() },
        released: None,
        at: at(1),
    });
    events.push(Event::BatchMinted { batch: 8, count: 1, at: at(2) });
    let of_8 = Asked { coupon: Some(UniqueCode { batch: 8, index: 0 }), ..asked(2, 3) };
    assert_eq!(after(events, &[]).check(&of_8), Err(Refusal::NotHolder));
    // Of the shared code: who was given it before may use it as often as it said then.
    let shared = Terms { total_limit: None, ends_at: None, limit_per_person: Some(2), ..terms() };
    let events = vec![Event::Drafted { terms: shared, at: at(0) }, Event::Activated { at: at(0) }];
    let once = change(Some(code("GOLD10")), Audience::Everyone, Some(1));
    let campaign = after(events, &[publish(1), once, redeem(1, 7), redeem(1, 8), redeem(2, 7)]);
    assert_eq!(campaign.decide(&redeem(1, 9)), Err(Refusal::PersonLimit { limit: 2, period: Period::Ever }));
    assert_eq!(campaign.decide(&redeem(2, 9)), Err(Refusal::PersonLimit { limit: 1, period: Period::Ever }));
}

#[test]
fn what_is_issued_in_a_draft_is_promised_as_well() {
    let dated = |ends_at| Terms { ends_at, ..unique_terms() };
    let drafted = Event::Drafted { terms: dated(Some(at(100))), at: at(0) };
    let minted = Event::BatchMinted { batch: 7, count: 1, at: at(0) };
    let change = |terms| Command::ChangeTerms { terms, at: at(5) };
    let changed = |terms| Event::TermsChanged { terms, released: None, at: at(5) };
    let earlier = || change(dated(Some(at(99))));
    given(&[std::slice::from_ref(&drafted)]).when(earlier()).then_expect_events(vec![changed(dated(Some(at(99))))]);
    given(&[&[drafted.clone(), minted.clone()]])
        .when(earlier())
        .then_expect_error(Refusal::EndsBeforePromised { promised: Some(at(100)) });
    let daily = Terms { limit_period: Period::Day, limit_per_person: Some(1), ..dated(Some(at(100))) };
    given(&[&[drafted.clone(), minted.clone()]]).when(change(daily)).then_expect_error(Refusal::PeriodFixed);
    // Where a promise was broken before promises were kept here, the rest can still be changed.
    let renamed = Terms { name: "Silver week".to_owned(), ..dated(Some(at(99))) };
    given(&[&[drafted, minted, changed(dated(Some(at(99))))]])
        .when(change(renamed.clone()))
        .then_expect_events(vec![changed(renamed)]);
}

/// What the events say, counted without any of the campaign's own bookkeeping.
fn counted(events: &[Event], limit: Option<u32>) -> (u32, u32, u32) {
    let (mut redeemed, mut reserved, mut issued) = (0, 0, limit.unwrap_or(0));
    for event in events {
        match event {
            Event::Redeemed { reservation, .. } => {
                redeemed += 1;
                reserved -= u32::from(reservation.is_some());
            }
            Event::Released { .. } => redeemed -= 1,
            Event::Reserved { .. } => reserved += 1,
            Event::ReservationEnded { .. } => reserved -= 1,
            Event::BatchMinted { count, .. } => issued += count,
            Event::BatchImported { codes, .. } => issued += codes.len() as u32,
            _ => {}
        }
    }
    (issued, redeemed, reserved)
}

/// A wish made of numbers, about something that happened where it needs that.
fn wish(events: &[Event], n: usize, wish: u8, nth: usize, asked: Asked) -> Option<Command> {
    let id = Uuid::from_u128(1_000 + n as u128);
    let redemption = Redemption { id, telegram: None, source: Source::Api };
    let past = |wanted: fn(&Event) -> bool| events.iter().filter(|event| wanted(event)).nth(nth);
    Some(match wish {
        0..3 => Command::Redeem { redemption, asked },
        3 => Command::Reserve { reservation: id, until: asked.at + chrono::TimeDelta::seconds(20), asked },
        4 => match past(|event| matches!(event, Event::Redeemed { .. }))?.clone() {
            Event::Redeemed { redemption, number, person, coupon, at: redeemed_at, .. } => {
                let reason = Personal::new("why not".to_owned());
                Command::Release { redemption, number, person, coupon, redeemed_at, reason, at: asked.at }
            }
            _ => return None,
        },
        5 | 6 => match past(|event| matches!(event, Event::Reserved { .. }))?.clone() {
            Event::Reserved { reservation, person, coupon, .. } if wish == 5 => {
                Command::Redeem { redemption, asked: Asked { person, coupon, reservation: Some(reservation), ..asked } }
            }
            Event::Reserved { reservation, .. } => Command::CancelReservation { reservation, at: asked.at },
            _ => return None,
        },
        _ => Command::Tick { at: asked.at },
    })
}

proptest! {
    /// After every event, whatever is wished in whatever order, `issued =
    /// redeemed + reserved + available`, for a shared code and for unique ones, made
    /// here or imported.
    #[test]
    fn nothing_issued_is_ever_lost_or_doubled(
        (shared, imported) in any::<(bool, bool)>(),
        wishes in proptest::collection::vec((0_u8..8, 0_u128..4, 0_u32..6, 0_i64..90), 0..120),
    ) {
        let limit = shared.then_some(5);
        let mut events = if shared {
            let terms = Terms { total_limit: limit, limit_per_person: Some(3), ..terms() };
            vec![Event::Drafted { terms, at: at(0) }, Event::Activated { at: at(0) }]
        } else if imported {
            let mut events = unique(5);
            let codes = (0..5).map(|n| code(&format!("PRINTED-{n}"))).collect();
            events[1] = Event::BatchImported { batch: 7, codes, at: at(0) };
            events
        } else {
            unique(5)
        };
        let mut campaign = after(events.clone(), &[]);
        for (n, (kind, who, index, seconds)) in wishes.into_iter().enumerate() {
            let asked = Asked { coupon: if shared { None } else { coupon(index) }, ..asked(who, seconds) };
            let Some(command) = wish(&events, n, kind, index as usize, asked) else { continue };
            for event in campaign.decide(&command).unwrap_or_default() {
                campaign.apply(event.clone());
                events.push(event);
                let supply = campaign.running().unwrap().supply();
                let (issued, redeemed, reserved) = counted(&events, limit);
                prop_assert_eq!((supply.issued, supply.redeemed, supply.reserved), (Some(issued), redeemed, reserved));
                prop_assert_eq!(supply.available, Some(issued - redeemed - reserved));
            }
        }
    }
}

#[test]
fn questions_are_answered_before_anything_is_redeemed() {
    let question = Question { text: "Which broker?".to_owned(), choices: vec![] };
    let drafted = Event::Drafted { terms: Terms { questions: vec![question], ..terms() }, at: at(0) };
    let asking = [drafted, Event::Activated { at: at(0) }];
    given(&[&asking]).when(redeem_shared(1, 1)).then_expect_error(Refusal::Unanswered);
    let mut approved = redeemed(1, 1, 1);
    if let Event::Redeemed { submission, .. } = &mut approved {
        *submission = Some(Uuid::from_u128(9));
    }
    let asked = Asked { submission: Some(Uuid::from_u128(9)), ..asked(1, 1) };
    given(&[&asking]).when(Command::Redeem { redemption: redemption(1), asked }).then_expect_events(vec![approved]);
    // Who cannot have the benefit anyway is not asked first.
    given(&[&asking]).when(redeem_shared(1, 100)).then_expect_error(Refusal::Over { ends_at: at(100) });
    for (choices, right) in [(vec!["yes"], false), (vec!["yes", "yes"], false), (vec!["yes", "no"], true)] {
        let choices = choices.into_iter().map(str::to_owned).collect();
        let question = Question { text: "Do you trade?".to_owned(), choices };
        assert_eq!(Terms { questions: vec![question], ..terms() }.check().is_ok(), right);
    }
}

fn redeem_shared(n: u128, seconds: i64) -> Command {
    Command::Redeem { redemption: redemption(n), asked: asked(n, seconds) }
}

#[test]
fn a_shared_code_that_is_not_its_own_is_unknown() {
    let wish = |typed| {
        let asked = Asked { code: Some(code(typed)), ..asked(1, 1) };
        given(&[&active()]).when(Command::Redeem { redemption: redemption(1), asked })
    };
    wish("GOLD10").then_expect_events(vec![redeemed(1, 1, 1)]);
    wish("GOLD11").then_expect_error(Refusal::UnknownCode);
}
