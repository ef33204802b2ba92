//! Facts about the signals of an instrument.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use cqrs_es::DomainEvent;
use serde::{Deserialize, Serialize};
use trading::{Exit, Levels, NoSetup, Price, Readings, Session, Settings, StrategyKind, Weakness};

use super::{Milestone, Outcome, SignalResult};
use crate::ByHand;

/// Facts about the signals of an instrument. `at` is in the market's time: the end of the
/// candle that brought it, or when an admin wished it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "each field says what it is by its name and type")]
pub enum Event {
    /// Other settings are in force.
    Configured { settings: Arc<Settings>, at: DateTime<Utc> },
    /// Another strategy makes the signals.
    StrategyChosen { strategy: StrategyKind, at: DateTime<Utc> },
    /// Another strategy will when the open signal has ended; the active one, that none will.
    StrategyQueued { strategy: StrategyKind, at: DateTime<Utc> },
    /// No signals are opened.
    Paused { by_hand: ByHand, at: DateTime<Utc> },
    /// They are again.
    Resumed { by_hand: ByHand, at: DateTime<Utc> },
    /// It was looked for a signal, and none was opened.
    Passed { strategy: StrategyKind, reason: Pass, readings: Readings, at: DateTime<Utc> },
    /// A strategy's signal is open, and entered.
    Opened {
        number: u32,
        strategy: StrategyKind,
        levels: Levels,
        /// What the strategy saw.
        readings: Readings,
        /// What it was made by.
        settings: Arc<Settings>,
        at: DateTime<Utc>,
    },
    /// An admin's signal is open. It is entered unless it `waits`.
    OpenedByHand {
        number: u32,
        levels: Levels,
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        waits: bool,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expires_at: Option<DateTime<Utc>>,
        settings: Arc<Settings>,
        by_hand: ByHand,
        at: DateTime<Utc>,
    },
    /// The price came into the zone of one that waited. Results are counted from `price`.
    Entered { number: u32, price: Price, at: DateTime<Utc> },
    /// The price has gone a part of the way to the first target.
    MilestoneReached { number: u32, milestone: Milestone, price: Price, at: DateTime<Utc> },
    /// The price reached a target, counted from 1, and a share of the position is closed.
    TargetHit { number: u32, target: u8, price: Price, share: u8, gain: Price, at: DateTime<Utc> },
    /// The stop is at the entry now.
    StopMoved { number: u32, stop: Price, at: DateTime<Utc> },
    /// The case for it no longer holds.
    Weakened { number: u32, weakness: Weakness, price: Price, at: DateTime<Utc> },
    /// It does again.
    Regained { number: u32, price: Price, at: DateTime<Utc> },
    /// It is over.
    Closed {
        number: u32,
        exit: Exit,
        /// At which price the rest of the position was closed; none when it was never entered.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        price: Option<Price>,
        /// What share of the position that was, in percent.
        share: u8,
        result: SignalResult,
        /// Who ended it, when somebody did.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by_hand: Option<ByHand>,
        at: DateTime<Utc>,
    },
    /// A time with signals is over, from `from` to just before `to`.
    Recapped { period: Period, from: DateTime<Utc>, to: DateTime<Utc>, outcomes: Vec<Outcome>, at: DateTime<Utc> },
}

/// What a recap is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Period {
    /// 24 hours.
    Day,
    /// Seven days.
    Week,
}

impl Period {
    /// The word stored and shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Week => "week",
        }
    }
}

/// Why a check opened no signal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "each field says what it is by its name and type")]
pub enum Pass {
    /// The strategy proposed none.
    NoSetup(NoSetup),
    /// It did, but an admin wants none opened.
    Paused,
    /// It did, but the candles came too late.
    Late,
    /// It did, but the market is closed.
    MarketClosed,
    /// It did, just before a close.
    ClosesSoon { closes: DateTime<Utc> },
    /// It did, but a time without signals is set.
    Blackout { label: String },
    /// It did, outside the hours.
    OutsideHours,
    /// It did, in a session that is not wanted.
    OutsideSession { session: Session },
    /// It did, too soon after the last.
    CoolingDown { until: DateTime<Utc> },
    /// It did, on a day that lost too much.
    DailyLoss {
        /// What the day came to, in R, rounded to two decimals.
        r: f64,
    },
}

impl Pass {
    /// The word stored and shown.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::NoSetup(reason) => reason.as_str(),
            Self::Paused => "paused",
            Self::Late => "late",
            Self::MarketClosed => "market_closed",
            Self::ClosesSoon { .. } => "closes_soon",
            Self::Blackout { .. } => "blackout",
            Self::OutsideHours => "outside_hours",
            Self::OutsideSession { .. } => "outside_session",
            Self::CoolingDown { .. } => "cooling_down",
            Self::DailyLoss { .. } => "daily_loss",
        }
    }
}

impl Event {
    /// When it happened.
    #[must_use]
    pub const fn at(&self) -> DateTime<Utc> {
        match self {
            Self::Configured { at, .. }
            | Self::StrategyChosen { at, .. }
            | Self::StrategyQueued { at, .. }
            | Self::Paused { at, .. }
            | Self::Resumed { at, .. }
            | Self::Passed { at, .. }
            | Self::Opened { at, .. }
            | Self::OpenedByHand { at, .. }
            | Self::Entered { at, .. }
            | Self::MilestoneReached { at, .. }
            | Self::TargetHit { at, .. }
            | Self::StopMoved { at, .. }
            | Self::Weakened { at, .. }
            | Self::Regained { at, .. }
            | Self::Closed { at, .. }
            | Self::Recapped { at, .. } => *at,
        }
    }

    /// Whether all candles until then are judged: where a candle brought it, and where an
    /// admin ended what they would have been judged for.
    #[must_use]
    pub(super) const fn is_of_the_market(&self) -> bool {
        match self {
            Self::Passed { .. }
            | Self::Opened { .. }
            | Self::Entered { .. }
            | Self::MilestoneReached { .. }
            | Self::TargetHit { .. }
            | Self::StopMoved { .. }
            | Self::Weakened { .. }
            | Self::Regained { .. }
            | Self::Closed { .. }
            | Self::Recapped { .. } => true,
            Self::Configured { .. }
            | Self::StrategyChosen { .. }
            | Self::StrategyQueued { .. }
            | Self::Paused { .. }
            | Self::Resumed { .. }
            | Self::OpenedByHand { .. } => false,
        }
    }

    /// Which signal it is about; none when about none.
    #[must_use]
    pub const fn number(&self) -> Option<u32> {
        match self {
            Self::Opened { number, .. }
            | Self::OpenedByHand { number, .. }
            | Self::Entered { number, .. }
            | Self::MilestoneReached { number, .. }
            | Self::TargetHit { number, .. }
            | Self::StopMoved { number, .. }
            | Self::Weakened { number, .. }
            | Self::Regained { number, .. }
            | Self::Closed { number, .. } => Some(*number),
            Self::Configured { .. }
            | Self::StrategyChosen { .. }
            | Self::StrategyQueued { .. }
            | Self::Paused { .. }
            | Self::Resumed { .. }
            | Self::Passed { .. }
            | Self::Recapped { .. } => None,
        }
    }
}

impl DomainEvent for Event {
    fn event_type(&self) -> String {
        match self {
            Self::Configured { .. } => "Configured",
            Self::StrategyChosen { .. } => "StrategyChosen",
            Self::StrategyQueued { .. } => "StrategyQueued",
            Self::Paused { .. } => "Paused",
            Self::Resumed { .. } => "Resumed",
            Self::Passed { .. } => "Passed",
            Self::Opened { .. } => "Opened",
            Self::OpenedByHand { .. } => "OpenedByHand",
            Self::Entered { .. } => "Entered",
            Self::MilestoneReached { .. } => "MilestoneReached",
            Self::TargetHit { .. } => "TargetHit",
            Self::StopMoved { .. } => "StopMoved",
            Self::Weakened { .. } => "Weakened",
            Self::Regained { .. } => "Regained",
            Self::Closed { .. } => "Closed",
            Self::Recapped { .. } => "Recapped",
        }
        .to_owned()
    }

    fn event_version(&self) -> String {
        "1".to_owned()
    }
}
