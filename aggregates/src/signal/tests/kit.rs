//! Candles and signals for tests: a buy at 4000 with its stop at 3990 and targets at 4010,
//! 4020 and 4030, opened at ten on a Tuesday.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use cqrs_es::Aggregate;
use trading::{
    Candle, Check, Direction, Levels, NoSetup, Price, Proposal, Readings, Settings, StrategyKind, Target, Weakness,
};

use crate::{
    ByHand, Decide, Personal,
    signal::{Basis, Command, Event, Observation, Refusal, Signal},
};

pub(super) fn price(text: &str) -> Price {
    text.parse().unwrap()
}

/// So many minutes after ten.
pub(super) fn minute(minutes: i64) -> DateTime<Utc> {
    "2026-11-24T10:00:00Z".parse::<DateTime<Utc>>().unwrap() + TimeDelta::minutes(minutes)
}

/// The candle of a minute.
pub(super) fn candle(minutes: i64, open: &str, high: &str, low: &str, close: &str) -> Candle {
    let [open, high, low, close] = [open, high, low, close].map(price);
    Candle { opened_at: minute(minutes), open, high, low, close, volume: 1 }
}

pub(super) fn levels(direction: Direction) -> Levels {
    let entry = price("4000");
    let away = |distance: &str| direction.after(entry, price(distance));
    Levels {
        direction,
        entry,
        zone_low: price("3999"),
        zone_high: price("4001"),
        stop: away("-10"),
        targets: vec![
            Target { price: away("10"), share: 50 },
            Target { price: away("20"), share: 30 },
            Target { price: away("30"), share: 20 },
        ],
    }
}

pub(super) fn by_hand() -> ByHand {
    ByHand { by: Personal::new("ann".to_owned()), reason: Personal::new("news".to_owned()) }
}

pub(super) fn proposal() -> Check {
    let proposal = Proposal { levels: levels(Direction::Buy), strategy: StrategyKind::Trend };
    Check { outcome: Ok(proposal), readings: Readings { atr: Some(6.6667), ..Readings::default() } }
}

pub(super) fn nothing() -> Check {
    Check { outcome: Err(NoSetup::NoCross), readings: Readings::default() }
}

/// What the market did, without a check.
pub(super) fn observe(candles: &[Candle]) -> Command {
    seen(candles, None, None)
}

pub(super) fn seen(candles: &[Candle], check: Option<Check>, review: Option<Result<(), Weakness>>) -> Command {
    let (basis, length) = (Signal::default().basis(), TimeDelta::minutes(1));
    Command::Observe(Observation { basis, candles: candles.to_vec(), length, until: None, check, review, late: false })
}

/// That nothing else came until then.
pub(super) fn quiet_until(until: DateTime<Utc>) -> Command {
    let Command::Observe(nothing) = observe(&[]) else { unreachable!() };
    Command::Observe(Observation { until: Some(until), ..nothing })
}

/// A look by these.
pub(super) fn looked_by(basis: Basis, command: Command) -> Command {
    match command {
        Command::Observe(observation) => Command::Observe(Observation { basis, ..observation }),
        other => other,
    }
}

/// What it did before ten, and the proposal then.
pub(super) fn opening() -> Command {
    seen(&[candle(-1, "4000", "4000", "4000", "4000")], Some(proposal()), None)
}

/// The state after commands, and the events of the last.
pub(super) struct World {
    pub(super) signal: Signal,
}

impl World {
    pub(super) fn new() -> Self {
        Self { signal: Signal::default() }
    }

    /// With a buy open since ten.
    pub(super) fn with_open() -> Self {
        let mut world = Self::new();
        world.send(opening());
        world
    }

    pub(super) fn with_settings(change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = Settings::default();
        change(&mut settings);
        let mut world = Self::new();
        world.send(Command::Configure { settings: Arc::new(settings), revision: None, at: minute(-60) });
        world
    }

    pub(super) fn try_send(&mut self, command: Command) -> Result<Vec<Event>, Refusal> {
        let events = self.signal.decide(&command)?;
        for event in &events {
            self.signal.apply(event.clone());
        }
        Ok(events)
    }

    /// Looks at the market are by what signals are made by.
    pub(super) fn send(&mut self, command: Command) -> Vec<Event> {
        self.try_send(looked_by(self.signal.basis(), command)).unwrap()
    }

    /// The events of candles, in words.
    pub(super) fn see(&mut self, candles: &[Candle]) -> Vec<String> {
        self.send(observe(candles)).iter().map(words).collect()
    }
}

/// An event in a few words.
pub(super) fn words(event: &Event) -> String {
    match event {
        Event::Opened { number, .. } => format!("#{number} opened"),
        Event::OpenedByHand { number, waits, .. } => {
            format!("#{number} opened by hand{}", if *waits { ", waits" } else { "" })
        }
        Event::Entered { price, .. } => format!("entered at {price}"),
        Event::MilestoneReached { milestone, .. } => format!("{} %", milestone.percent()),
        Event::TargetHit { target, price, share, gain, .. } => format!("target {target}: {share} % at {price}, {gain}"),
        Event::StopMoved { stop, .. } => format!("stop to {stop}"),
        Event::Weakened { weakness, .. } => format!("weak: {}", weakness.as_str()),
        Event::Regained { .. } => "regained".to_owned(),
        Event::Closed { exit, price: Some(price), share, result, .. } => {
            format!(
                "closed ({}): {share} % at {price}, gain {} = {:.2} R = {:.1} pips",
                exit.as_str(),
                result.gain,
                result.r(),
                result.pips()
            )
        }
        Event::Closed { exit, price: None, .. } => format!("closed ({}), never entered", exit.as_str()),
        Event::Passed { reason, .. } => format!("passed: {}", reason.as_str()),
        Event::Recapped { period, from, to, outcomes, .. } => {
            let numbers: Vec<_> = outcomes.iter().map(|outcome| format!("#{}", outcome.number)).collect();
            format!("{} {from} to {to}: {}", period.as_str(), numbers.join(" "))
        }
        Event::StrategyChosen { strategy, .. } => format!("strategy {}", strategy.as_str()),
        Event::StrategyQueued { strategy, .. } => format!("queued {}", strategy.as_str()),
        Event::Configured { .. } => "configured".to_owned(),
        Event::Paused { .. } => "paused".to_owned(),
        Event::Resumed { .. } => "resumed".to_owned(),
    }
}
