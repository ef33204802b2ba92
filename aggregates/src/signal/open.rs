//! The open signal, and what comes of it.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use trading::{Exit, Levels, Price, Settings, StrategyKind, Target, Weakness, calendar};

use super::Event;

/// A signal that is open.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Open {
    /// Its number, from 1.
    pub number: u32,
    /// Whose it is; none: an admin's.
    pub strategy: Option<StrategyKind>,
    /// Its prices. They never change.
    pub levels: Levels,
    /// What it was made by, and is judged by.
    pub settings: Arc<Settings>,
    /// When it was opened.
    pub opened_at: DateTime<Utc>,
    /// When it is over in any case.
    pub expires_at: Option<DateTime<Utc>>,
    /// Whether it is entered.
    pub phase: Phase,
}

/// Whether a signal is entered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Phase {
    /// For the price to come into its zone.
    Waiting,
    /// The position is open.
    Running(Running),
}

/// A position.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Running {
    /// At which price it was entered.
    pub entry: Price,
    /// When.
    pub since: DateTime<Utc>,
    /// When the market will have been open for too long since then. It is known from the
    /// beginning, as a calendar takes too long for each candle.
    pub stagnant_at: DateTime<Utc>,
    /// Where the stop is now.
    pub stop: Price,
    /// How many of the targets were hit.
    pub hit: u8,
    /// The part of the way to the first target that was reached.
    pub milestone: Option<Milestone>,
    /// Why the case for it does not hold; none while it does.
    pub weakness: Option<Weakness>,
    /// What the closed shares came to: the sum of gain × percent.
    pub banked: i64,
    /// What share is still open, in percent.
    pub remaining: u8,
}

/// A part of the way to the first target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Milestone {
    /// 40 % of it.
    Forty,
    /// 70 % of it: time to move the stop to the entry.
    Seventy,
}

impl Milestone {
    /// In percent of the way.
    #[must_use]
    pub const fn percent(self) -> u8 {
        match self {
            Self::Forty => 40,
            Self::Seventy => 70,
        }
    }
}

/// What a signal came to, over all its shares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Result {
    /// What one unit of the instrument (an ounce of gold) earned; negative when it lost.
    pub gain: Price,
    /// What it had risked: from the entry to the first stop.
    pub risk: Price,
    /// What one pip was.
    pub pip: Price,
}

impl Result {
    /// In pips.
    #[must_use]
    pub fn pips(&self) -> f64 {
        self.gain.units() as f64 / self.pip.units() as f64
    }

    /// In multiples of the risk.
    #[must_use]
    pub fn r(&self) -> f64 {
        if self.risk == Price::ZERO { 0.0 } else { self.gain.units() as f64 / self.risk.units() as f64 }
    }
}

/// A signal that is over, in a line of a recap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// Which.
    pub number: u32,
    /// How it ended.
    pub exit: Exit,
    /// Whether there ever was a position.
    pub entered: bool,
    /// What it came to.
    pub result: Result,
    /// When it ended.
    pub at: DateTime<Utc>,
}

impl Open {
    /// The signal that an event opens; none when it opens none.
    pub(super) fn of(event: Event) -> Option<Self> {
        match event {
            Event::Opened { number, strategy, levels, settings, at, .. } => Some(Self {
                number,
                strategy: Some(strategy),
                phase: Phase::Running(Running::at(levels.entry, &levels, &settings, at)),
                levels,
                settings,
                opened_at: at,
                expires_at: None,
            }),
            Event::OpenedByHand { number, levels, waits, expires_at, settings, at, .. } => Some(Self {
                number,
                strategy: None,
                phase: if waits {
                    Phase::Waiting
                } else {
                    Phase::Running(Running::at(levels.entry, &levels, &settings, at))
                },
                levels,
                settings,
                opened_at: at,
                expires_at,
            }),
            _ => None,
        }
    }

    pub(super) fn apply(&mut self, event: &Event) {
        if let &Event::Entered { price, at, .. } = event {
            self.phase = Phase::Running(Running::at(price, &self.levels, &self.settings, at));
        }
        let Phase::Running(running) = &mut self.phase else { return };
        match *event {
            Event::MilestoneReached { milestone, .. } => running.milestone = Some(milestone),
            Event::TargetHit { target, share, gain, .. } => {
                running.hit = target;
                running.close(share, gain);
            }
            Event::StopMoved { stop, .. } => running.stop = stop,
            Event::Weakened { weakness, .. } => running.weakness = Some(weakness),
            Event::Regained { .. } => running.weakness = None,
            _ => {}
        }
    }

    /// The position; none while it waits.
    #[must_use]
    pub const fn running(&self) -> Option<&Running> {
        match &self.phase {
            Phase::Waiting => None,
            Phase::Running(running) => Some(running),
        }
    }

    /// What it would come to if the rest were closed at `price`.
    #[must_use]
    pub fn result_at(&self, price: Price) -> Result {
        match &self.phase {
            Phase::Waiting => Result { gain: Price::ZERO, risk: self.levels.risk(), pip: self.settings.pip },
            Phase::Running(running) => {
                let mut whole = running.clone();
                whole.close(running.remaining, self.levels.direction.gain(running.entry, price));
                Result {
                    gain: Price::from_units(whole.banked).part(1, 100),
                    risk: -self.levels.direction.gain(running.entry, self.levels.stop),
                    pip: self.settings.pip,
                }
            }
        }
    }

    /// The targets that were not hit, with their numbers from 1.
    pub(super) fn targets_left(&self, hit: u8) -> impl Iterator<Item = (u8, Target)> + '_ {
        (1..).zip(self.levels.targets.iter().copied()).skip(usize::from(hit))
    }

    /// How it ends.
    pub(super) fn closed(&self, exit: Exit, price: Price, at: DateTime<Utc>) -> Event {
        let share = self.running().map_or(0, |running| running.remaining);
        let price = self.running().map(|_| price);
        let result = self.result_at(price.unwrap_or_default());
        Event::Closed { number: self.number, exit, price, share, result, by_hand: None, at }
    }
}

impl Running {
    fn at(entry: Price, levels: &Levels, settings: &Settings, since: DateTime<Utc>) -> Self {
        let stagnant_after = TimeDelta::minutes(i64::from(settings.stagnant_after));
        Self {
            entry,
            since,
            stagnant_at: calendar::when_open_for(since, stagnant_after),
            stop: levels.stop,
            hit: 0,
            milestone: None,
            weakness: None,
            banked: 0,
            remaining: 100,
        }
    }

    pub(super) fn close(&mut self, share: u8, gain: Price) {
        self.banked += gain.units() * i64::from(share);
        self.remaining = self.remaining.saturating_sub(share);
    }
}
