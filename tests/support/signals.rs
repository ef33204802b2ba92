//! Signals as commands, for tests that begin behind what makes them.

use aggregates::{
    ByHand, Personal,
    signal::{Command, Event, Observation, XAUUSD},
};
use chrono::{DateTime, TimeDelta, Utc};
use promostack::{
    app::App,
    executor::{Done, Wish},
    log::Cause,
};
use trading::{Candle, Check, Direction, Levels, NoSetup, Price, Proposal, Readings, StrategyKind, Target, Weakness};
use uuid::Uuid;

pub fn price(text: &str) -> Price {
    text.parse().unwrap()
}

/// So many minutes after ten on a Tuesday.
pub fn minute(minutes: i64) -> DateTime<Utc> {
    "2026-11-24T10:00:00Z".parse::<DateTime<Utc>>().unwrap() + TimeDelta::minutes(minutes)
}

/// The candle of a minute.
pub fn candle(minutes: i64, low: &str, high: &str, close: &str) -> Candle {
    let (low, high, close) = (price(low), price(high), price(close));
    Candle { opened_at: minute(minutes), open: close, high, low, close, volume: 1 }
}

/// From 4000, with 10 of risk and targets at 10, 20 and 30.
pub fn levels(direction: Direction) -> Levels {
    let entry = price("4000");
    let away = |distance: &str| direction.after(entry, price(distance));
    let target = |distance, share| Target { price: away(distance), share };
    Levels {
        direction,
        entry,
        zone_low: price("3999"),
        zone_high: price("4001"),
        stop: away("-10"),
        targets: vec![target("10", 50), target("20", 30), target("30", 20)],
    }
}

pub fn by_hand(reason: &str) -> ByHand {
    ByHand { by: Personal::new("=root".to_owned()), reason: Personal::new(reason.to_owned()) }
}

pub async fn send(app: &App, command: Command) -> Done<aggregates::Signal> {
    let cause = Cause { actor: "test".into(), correlation: Uuid::from_u128(7), causation: "test".into() };
    app.signals.send(XAUUSD, Wish { command, cause, once: None, expected: None }).await.unwrap()
}

/// What a check says: a proposal, or why there is none.
pub fn check(outcome: Result<(Direction, StrategyKind), NoSetup>) -> Check {
    let outcome = outcome.map(|(direction, strategy)| Proposal { levels: levels(direction), strategy });
    Check { outcome, readings: Readings { atr: Some(6.6667), adx: Some(24.3), ..Readings::default() } }
}

/// Shows candles, and what is due at the end of the last one.
pub async fn observe(
    app: &App,
    candles: Vec<Candle>,
    check: Option<Check>,
    review: Option<Result<(), Weakness>>,
) -> Vec<Event> {
    let basis = app.signals.look(XAUUSD, |signal, _, _| signal.basis()).await.unwrap();
    let length = TimeDelta::minutes(1);
    let observation = Observation { basis, candles, length, until: None, check, review, late: false };
    send(app, Command::Observe(observation)).await.events
}

/// Opens a signal of a strategy at the end of a quiet minute.
pub async fn open(app: &App, at: i64, direction: Direction, strategy: StrategyKind) {
    let events =
        observe(app, vec![candle(at, "3999.5", "4000.5", "4000")], Some(check(Ok((direction, strategy)))), None);
    assert!(matches!(events.await[..], [Event::Opened { .. }]));
}

/// A signal that hit all its targets, one that was stopped, one by hand that waited and was
/// cancelled, and one that is open and weak; and checks between them.
pub async fn some_of_all(app: &App) {
    open(app, 0, Direction::Buy, StrategyKind::Trend).await;
    let rise = [("4000", "4004.5"), ("4004", "4011"), ("4010", "4021"), ("4020", "4031")];
    let rise =
        (1..).zip(rise).map(|(at, (low, high))| Candle { open: price(low), ..candle(at, low, high, high) }).collect();
    let events = observe(app, rise, None, None).await;
    assert!(matches!(events.last(), Some(Event::Closed { .. })), "{events:?}");
    for (at, outcome) in [(14, Ok((Direction::Buy, StrategyKind::Trend))), (29, Err(NoSetup::NoCross))] {
        let events = observe(app, vec![candle(at, "4000", "4000", "4000")], Some(check(outcome)), None).await;
        assert!(matches!(events[..], [Event::Passed { .. }]), "{events:?}");
    }
    open(app, 59, Direction::Sell, StrategyKind::Breakout).await;
    observe(app, vec![candle(60, "4000", "4010.5", "4010")], None, None).await;

    let at = minute(70);
    let expires_at = Some(at + TimeDelta::hours(4));
    let by_hand = by_hand("=before the Fed");
    let levels = levels(Direction::Buy);
    send(app, Command::OpenByHand { levels, price: None, expires_at, by_hand: by_hand.clone(), at }).await;
    let zone = observe(app, vec![candle(71, "4000.5", "4003", "4002")], None, None).await;
    assert!(matches!(zone[..], [Event::Entered { .. }]), "{zone:?}");
    send(app, Command::Cancel { number: 3, price: Some(price("4004")), by_hand, at: minute(75) }).await;

    open(app, 119, Direction::Sell, StrategyKind::Momentum).await;
    let quiet = |at| vec![candle(at, "3999", "4001", "4000")];
    for (at, review) in [(124, Err(Weakness::MomentumTurned)), (129, Ok(())), (134, Err(Weakness::RsiReversed))] {
        let events = observe(app, quiet(at), None, Some(review)).await;
        assert_eq!(events.len(), 1, "{events:?}");
    }
}
