//! What admins wish, and when signals may be opened.

use std::sync::Arc;

use chrono::TimeDelta;
use trading::{Blackout, Direction, Hours, Levels, Price, Session, Settings, StrategyKind};

use super::kit::*;
use crate::signal::{Basis, Command, Event, Observation, Pass, Refusal, Signal};

/// What a proposal at ten comes to.
fn at_ten(world: &mut World) -> String {
    world.send(opening()).iter().map(words).collect::<Vec<_>>().join(", ")
}

#[test]
fn a_proposal_opens_a_signal_where_nothing_speaks_against_it() {
    assert_eq!(at_ten(&mut World::new()), "#1 opened");
    let settings = |change: fn(&mut Settings)| at_ten(&mut World::with_settings(change));
    assert_eq!(settings(|s| s.hours = Some(Hours { from: 600, to: 720 })), "#1 opened");
    assert_eq!(settings(|s| s.hours = Some(Hours { from: 601, to: 600 })), "passed: outside_hours");
    assert_eq!(settings(|s| s.sessions = vec![Session::London]), "#1 opened");
    assert_eq!(settings(|s| s.sessions = vec![Session::Asia, Session::Overlap]), "passed: outside_session");
    let news = |from, to| Blackout { from: minute(from), to: minute(to), label: "CPI".to_owned() };
    let blackout = |from, to| {
        let mut settings = Settings { blackouts: vec![news(from, to)], ..Settings::default() };
        settings.cool_down = 0;
        let mut world = World::new();
        world.send(Command::Configure { settings: Arc::new(settings), revision: None, at: minute(-60) });
        at_ten(&mut world)
    };
    assert_eq!(blackout(-30, 0), "#1 opened");
    assert_eq!(blackout(0, 30), "passed: blackout");

    let mut world = World::new();
    world.send(Command::Pause { by_hand: by_hand(), at: minute(-5) });
    assert_eq!(at_ten(&mut world), "passed: paused");
    world.send(Command::Resume { by_hand: by_hand(), at: minute(1) });
    let candles = [candle(14, "4000", "4000", "4000", "4000")];
    assert_eq!(world.send(seen(&candles, Some(proposal()), None)).iter().map(words).collect::<Vec<_>>(), ["#1 opened"]);

    let late = Command::Observe(Observation {
        basis: Signal::default().basis(),
        candles: vec![candle(-1, "4000", "4000", "4000", "4000")],
        length: TimeDelta::minutes(1),
        until: None,
        check: Some(proposal()),
        review: None,
        late: true,
    });
    assert_eq!(World::new().send(late).iter().map(words).collect::<Vec<_>>(), ["passed: late"]);
    let check = seen(&[candle(-1, "4000", "4000", "4000", "4000")], Some(nothing()), None);
    assert_eq!(World::new().send(check).iter().map(words).collect::<Vec<_>>(), ["passed: no_cross"]);
}

#[test]
fn after_a_signal_it_rests_and_after_a_bad_day_it_stops() {
    let mut world = World::with_settings(|settings| settings.daily_loss = Some(2.0));
    let mut at = 0;
    let mut lose = |world: &mut World| {
        let candles = [candle(at, "4000", "4000", "4000", "4000")];
        let opened = world.send(seen(&candles, Some(proposal()), None));
        world.see(&[candle(at + 1, "4000", "4000", "3990", "3990")]);
        at += 20;
        words(&opened[0])
    };
    assert_eq!(lose(&mut world), "#1 opened");
    assert_eq!(lose(&mut world), "passed: cooling_down");
    assert_eq!(lose(&mut world), "#2 opened");
    assert_eq!(lose(&mut world), "passed: cooling_down");
    assert_eq!(lose(&mut world), "passed: daily_loss");
    at = 24 * 60;
    let candles = [candle(at, "4000", "4000", "4000", "4000")];
    let events = world.send(seen(&candles, Some(proposal()), None));
    assert_eq!(events.iter().map(words).collect::<Vec<_>>()[1..], ["#3 opened"], "a new day, after the recap");
}

#[test]
fn another_strategy_waits_for_the_end_of_the_open_signal() {
    let mut world = World::with_open();
    let choose = |strategy| Command::Choose { strategy, at: minute(1) };
    assert_eq!(world.send(choose(StrategyKind::Trend)), []);
    assert_eq!(world.send(choose(StrategyKind::Breakout)).iter().map(words).collect::<Vec<_>>(), ["queued breakout"]);
    assert_eq!(world.send(choose(StrategyKind::Breakout)), []);
    assert_eq!((world.signal.strategy(), world.signal.queued()), (StrategyKind::Trend, Some(StrategyKind::Breakout)));
    let candles = [candle(14, "4000", "4000", "3990", "3990")];
    let events: Vec<_> = world.send(seen(&candles, Some(proposal()), None)).iter().map(words).collect();
    assert_eq!(events[1..], ["strategy breakout"], "and nothing of the old one's");
    assert_eq!((world.signal.strategy(), world.signal.queued()), (StrategyKind::Breakout, None));

    let mut world = World::with_open();
    world.send(choose(StrategyKind::Breakout));
    world.send(choose(StrategyKind::Trend));
    assert_eq!(world.signal.queued(), None, "it was taken back");
    assert_eq!(World::new().send(choose(StrategyKind::Momentum)).len(), 1);
}

#[test]
fn there_is_one_signal_at_a_time_and_only_it_can_be_cancelled() {
    let mut world = World::with_open();
    let levels = levels(Direction::Sell);
    let price_now = Some(price("4000"));
    let open = Command::OpenByHand { levels, price: price_now, expires_at: None, by_hand: by_hand(), at: minute(1) };
    assert_eq!(world.try_send(open), Err(Refusal::Open { number: 1 }));
    let cancel = |number, at| Command::Cancel { number, price: Some(price("4004")), by_hand: by_hand(), at };
    assert_eq!(world.try_send(cancel(2, minute(1))), Err(Refusal::Another { wanted: 2, number: 1 }));
    let events: Vec<_> = world.send(cancel(1, minute(1))).iter().map(words).collect();
    assert_eq!(events, ["closed (cancelled): 100 % at 4004, gain 4 = 0.40 R = 40.0 pips"]);
    assert_eq!(world.try_send(cancel(1, minute(2))), Err(Refusal::NoneOpen));
    assert_eq!(world.see(&[candle(0, "4000", "4100", "3900", "4000")]), [""; 0]);
}

#[test]
fn no_signal_is_opened_while_the_market_is_closed_or_closes_soon() {
    // Friday, 22 May 2026: the market closes at 21:00 until Sunday, 22:00.
    let check_at = |text: &str| {
        let at = text.parse::<chrono::DateTime<chrono::Utc>>().unwrap();
        let before =
            trading::Candle { opened_at: at - TimeDelta::minutes(1), ..candle(0, "4000", "4000", "4000", "4000") };
        match &World::new().send(seen(&[before], Some(proposal()), None))[..] {
            [Event::Opened { .. }] => "opened".to_owned(),
            [Event::Passed { reason: Pass::ClosesSoon { closes }, .. }] => format!("closes {closes}"),
            [Event::Passed { reason, .. }] => reason.as_str().to_owned(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(check_at("2026-05-22T20:44:00Z"), "opened");
    assert_eq!(check_at("2026-05-22T20:45:00Z"), "closes 2026-05-22 21:00:00 UTC");
    assert_eq!(check_at("2026-05-22T20:59:00Z"), "closes 2026-05-22 21:00:00 UTC");
    assert_eq!(check_at("2026-05-22T21:00:00Z"), "market_closed");
    assert_eq!(check_at("2026-05-24T22:15:00Z"), "opened");
    // The daily break, and an early close on Memorial Day.
    assert_eq!(check_at("2026-05-20T20:45:00Z"), "closes 2026-05-20 21:00:00 UTC");
    assert_eq!(check_at("2026-05-25T18:15:00Z"), "closes 2026-05-25 18:30:00 UTC");
    assert_eq!(check_at("2026-05-25T18:30:00Z"), "market_closed");
}

#[test]
fn one_by_hand_is_entered_at_the_price_there_is_and_its_levels_can_be_quoted() {
    let open = |levels: Levels, price: Option<Price>| Command::OpenByHand {
        levels,
        price,
        expires_at: None,
        by_hand: by_hand(),
        at: minute(0),
    };
    let mut world = World::new();
    let far = world.try_send(open(levels(Direction::Buy), Some(price("4100"))));
    assert_eq!(far, Err(Refusal::OutsideZone { price: price("4100") }), "all targets would be hit at once");
    let mut finer = levels(Direction::Buy);
    finer.stop = price("3990.005");
    assert!(matches!(world.try_send(open(finer, None)), Err(Refusal::Levels(wrong)) if wrong.field == "stop"));
    world.send(open(levels(Direction::Buy), Some(price("4000.61234"))));
    let entered = world.signal.open().unwrap().running().unwrap().entry;
    assert_eq!((entered, world.signal.open().unwrap().levels.entry), (price("4000.61"), price("4000.61")));
}

#[test]
fn the_end_of_a_position_has_a_price_and_one_that_waits_needs_none() {
    let cancel = |price| Command::Cancel { number: 1, price, by_hand: by_hand(), at: minute(1) };
    let mut world = World::with_open();
    assert_eq!(world.try_send(cancel(None)), Err(Refusal::Price));
    assert_eq!(world.try_send(cancel(Some(Price::ZERO))), Err(Refusal::Price));
    let mut world = World::new();
    let levels = levels(Direction::Buy);
    world.send(Command::OpenByHand { levels, price: None, expires_at: None, by_hand: by_hand(), at: minute(0) });
    assert_eq!(world.send(cancel(None)).iter().map(words).collect::<Vec<_>>(), ["closed (cancelled), never entered"]);
}

#[test]
fn what_was_looked_at_by_other_settings_or_another_strategy_is_refused() {
    let mut world = World::new();
    let before = world.signal.basis();
    let settings = Settings { stop_atr: 2.0, ..Settings::default() };
    world.send(Command::Configure { settings: Arc::new(settings), revision: None, at: minute(-1) });
    assert_eq!(world.try_send(looked_by(before, opening())), Err(Refusal::Outdated));
    let other = Basis { strategy: StrategyKind::Breakout, revision: 1 };
    assert_eq!(world.try_send(looked_by(other, opening())), Err(Refusal::Outdated));
    assert_eq!(at_ten(&mut world), "#1 opened");
}

#[test]
fn another_strategy_takes_over_in_the_midst_of_what_is_shown_at_once() {
    let mut world = World::with_open();
    world.send(Command::Choose { strategy: StrategyKind::Breakout, at: minute(1) });
    let candles = [11, 12, 13, 14].map(|at| match at {
        12 => candle(at, "4000", "4000", "3990", "3990"),
        _ => candle(at, "4000", "4000", "4000", "4000"),
    });
    let events = world.send(seen(&candles, Some(proposal()), None));
    assert_eq!(words(&events[1]), "strategy breakout");
    assert_eq!((events[1].at(), events.len()), (minute(13), 2), "at the end of the candle, not of all that was shown");
    // The rest is looked at by the other one.
    assert_eq!(world.signal.looked_until(), Some(minute(13)));
    let again = world.send(seen(&candles, Some(proposal()), None));
    assert_eq!(again.iter().map(words).collect::<Vec<_>>(), ["passed: cooling_down"]);
}

#[test]
fn checks_of_a_time_with_an_open_signal_do_not_come_back_when_it_is_ended_by_hand() {
    let mut world = World::with_open();
    let quiet = |at| seen(&[candle(at, "4000", "4000", "4000", "4000")], Some(nothing()), None);
    assert_eq!(world.send(quiet(14)), []);
    world.send(Command::Cancel { number: 1, price: Some(price("4000")), by_hand: by_hand(), at: minute(20) });
    assert_eq!(world.send(quiet(14)), [], "shown again after a restart");
    assert_eq!(world.send(quiet(29)).iter().map(words).collect::<Vec<_>>(), ["passed: no_cross"]);
}

#[test]
fn settings_are_checked_and_changed_by_who_has_seen_them() {
    let mut world = World::new();
    let configure =
        |settings: Settings, revision| Command::Configure { settings: Arc::new(settings), revision, at: minute(0) };
    let wrong = Settings { stop_atr: 0.0, ..Settings::default() };
    assert!(
        matches!(world.try_send(configure(wrong, None)), Err(Refusal::Settings(wrong)) if wrong.field == "stop_atr")
    );
    let wider = Settings { stop_atr: 2.0, ..Settings::default() };
    assert_eq!(world.send(configure(wider.clone(), Some(0))).len(), 1);
    assert_eq!(world.send(configure(wider.clone(), Some(1))), []);
    let wide = Settings { stop_atr: 3.0, ..wider };
    assert_eq!(world.try_send(configure(wide, Some(0))), Err(Refusal::Revised { revision: 1 }));
}

#[test]
fn a_signal_keeps_the_settings_that_made_it() {
    let mut world = World::with_open();
    let settings = Settings { stagnant_after: 10, breakeven: false, ..Settings::default() };
    world.send(Command::Configure { settings: Arc::new(settings), revision: None, at: minute(1) });
    assert_eq!(world.see(&[candle(20, "4000", "4001", "3999", "4000")]), [""; 0]);
    assert_eq!(world.see(&[candle(21, "4000", "4010", "4000", "4000")])[1..], ["stop to 4000"]);
}
