//! What a candle does to the open signal.
//!
//! Within a candle nobody knows what came first, so the worst is taken: the stop before the
//! targets, as freqtrade's backtests do ("Assumptions made by backtesting"). Only the open is
//! known to come first: what is beyond a level then is filled at the open, to whoever's good.

use chrono::{DateTime, Utc};
use trading::{Candle, Direction, Exit, Price, Target, Weakness};

use super::{Event, Milestone, Open, Phase, open::Running};

/// Judges one complete candle, which ends at `at`.
///
/// A signal opened within a candle is judged from the next one on: what the price did
/// before and after cannot be told apart.
pub(super) fn candle(open: &Open, candle: &Candle, at: DateTime<Utc>) -> Vec<Event> {
    if candle.opened_at < open.opened_at {
        return vec![];
    }
    match &open.phase {
        Phase::Waiting => waiting(open, candle, at),
        Phase::Running(running) => position(open, running, candle, at),
    }
}

/// The worst and the best price of a candle for a direction.
const fn extremes(direction: Direction, candle: &Candle) -> (Price, Price) {
    match direction {
        Direction::Buy => (candle.low, candle.high),
        Direction::Sell => (candle.high, candle.low),
    }
}

fn waiting(open: &Open, candle: &Candle, at: DateTime<Utc>) -> Vec<Event> {
    let levels = &open.levels;
    let expired = || vec![open.closed(Exit::Expired, Price::ZERO, at)];
    let is_void = levels.direction.gain(levels.stop, candle.open) <= Price::ZERO;
    if is_void || open.expires_at.is_some_and(|expiry| expiry <= candle.opened_at) {
        return expired();
    }
    if candle.high < levels.zone_low || levels.zone_high < candle.low {
        let is_over = open.expires_at.is_some_and(|expiry| expiry <= at);
        return if is_over { expired() } else { vec![] };
    }
    // Where it opened, if that is in the zone; else the end of the zone that it came to first.
    let price = candle.open.clamp(levels.zone_low, levels.zone_high);
    let mut course = Course::of(open, at);
    course.note(Event::Entered { number: open.number, price, at });
    // Whether the targets came after the entry nobody knows; that the stop did is supposed.
    let (worst, _) = extremes(levels.direction, candle);
    course.stop(worst, None);
    course.events
}

fn position(open: &Open, running: &Running, candle: &Candle, at: DateTime<Utc>) -> Vec<Event> {
    let direction = open.levels.direction;
    let (worst, best) = extremes(direction, candle);
    // The usual minute: nothing was reached, nothing is due.
    let next = open.targets_left(running.hit).next();
    let is_quiet = direction.gain(running.stop, worst) > Price::ZERO
        && next.is_none_or(|(_, target)| direction.gain(target.price, best) < Price::ZERO)
        && reached(open, running, best).is_none()
        && !is_stagnant(open, running, at)
        && open.expires_at.is_none_or(|expiry| at < expiry);
    if is_quiet {
        return vec![];
    }
    let mut course = Course::of(open, at);
    course.stop(candle.open, Some(candle.open));
    course.take(candle.open, Some(candle.open));
    course.stop(worst, None);
    course.take(best, None);
    course.look(best, candle.close);
    course.events
}

/// What happens within a candle, one thing after the other, until the signal is over.
struct Course {
    open: Open,
    at: DateTime<Utc>,
    events: Vec<Event>,
}

impl Course {
    fn of(open: &Open, at: DateTime<Utc>) -> Self {
        Self { open: open.clone(), at, events: vec![] }
    }

    fn note(&mut self, event: Event) {
        self.open.apply(&event);
        self.events.push(event);
    }

    /// The position, until it is over.
    fn running(&self) -> Option<&Running> {
        if matches!(self.events.last(), Some(Event::Closed { .. })) { None } else { self.open.running() }
    }

    /// Ends the signal if `price` is at the stop or beyond: at `fill`, or else at the stop.
    fn stop(&mut self, price: Price, fill: Option<Price>) {
        let levels = &self.open.levels;
        let Some(stop) = self.running().map(|running| running.stop) else { return };
        if levels.direction.gain(stop, price) > Price::ZERO {
            return;
        }
        let exit = if stop == levels.stop { Exit::Stop } else { Exit::Breakeven };
        self.events.push(self.open.closed(exit, fill.unwrap_or(stop), self.at));
    }

    /// Hits the targets that lie before `price`: at `fill`, or else at their own price.
    fn take(&mut self, price: Price, fill: Option<Price>) {
        let (direction, number, at) = (self.open.levels.direction, self.open.number, self.at);
        while let Some(running) = self.running() {
            let (entry, hit) = (running.entry, running.hit);
            let next = self.open.targets_left(hit).next();
            let Some((target, Target { price: level, share })) =
                next.filter(|(_, target)| direction.gain(target.price, price) >= Price::ZERO)
            else {
                return;
            };
            let price = fill.unwrap_or(level);
            let gain = direction.gain(entry, price);
            self.note(Event::TargetHit { number, target, price, share, gain, at });
            if usize::from(target) == self.open.levels.targets.len() {
                self.events.push(self.open.closed(Exit::Target, price, at));
            } else if target == 1 && self.open.settings.breakeven {
                self.note(Event::StopMoved { number, stop: entry, at });
            }
        }
    }

    /// Tells of the way to the first target, and ends what was open for too long.
    fn look(&mut self, best: Price, close: Price) {
        let (number, at) = (self.open.number, self.at);
        let Some(milestone) = self.running().map(|running| reached(&self.open, running, best)) else { return };
        if let Some(milestone) = milestone {
            self.note(Event::MilestoneReached { number, milestone, price: best, at });
        }
        let is_stagnant = self.running().is_some_and(|running| is_stagnant(&self.open, running, at));
        if is_stagnant {
            self.events.push(self.open.closed(Exit::Stagnant, close, at));
        } else if self.open.expires_at.is_some_and(|expiry| expiry <= at) {
            self.events.push(self.open.closed(Exit::Expired, close, at));
        }
    }
}

/// The furthest milestone that `best` reaches and that was not reached before.
fn reached(open: &Open, running: &Running, best: Price) -> Option<Milestone> {
    let first = open.levels.targets.first().filter(|_| running.hit == 0)?;
    let way = open.levels.direction.gain(running.entry, first.price).units();
    let gone = open.levels.direction.gain(running.entry, best).units();
    [Milestone::Seventy, Milestone::Forty]
        .into_iter()
        .find(|milestone| gone * 100 >= way * i64::from(milestone.percent()))
        .filter(|milestone| running.milestone < Some(*milestone))
}

/// Whether a strategy's signal is open for too long without a target hit, while the market
/// was open. An admin's is ended by its admin, or at its own time.
fn is_stagnant(open: &Open, running: &Running, at: DateTime<Utc>) -> bool {
    running.hit == 0 && open.strategy.is_some() && running.stagnant_at <= at
}

/// What it means that the case for the signal holds, or does not, at `at`. After the first
/// target the stop looks after it.
pub(super) fn review(
    open: &Open,
    review: std::result::Result<(), Weakness>,
    price: Price,
    at: DateTime<Utc>,
) -> Option<Event> {
    let running = open.running().filter(|running| running.hit == 0 && open.strategy.is_some())?;
    let number = open.number;
    match review {
        Ok(()) => running.weakness.map(|_| Event::Regained { number, price, at }),
        Err(_) if open.settings.close_when_weak => Some(open.closed(Exit::Weak, price, at)),
        Err(_) if running.weakness.is_some() => None,
        Err(weakness) => Some(Event::Weakened { number, weakness, price, at }),
    }
}
