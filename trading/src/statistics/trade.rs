use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::{Direction, Exit, Price, StrategyKind};

/// A part of a position that was closed at one price.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fill {
    /// When.
    pub at: DateTime<Utc>,
    /// Where.
    pub price: Price,
    /// How much of the whole position, in percent.
    pub percent: u8,
}

/// A position that is closed, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trade {
    /// Which one it is, counted from 1.
    pub number: u32,
    /// Whose proposal it was; none: a person's.
    #[serde(default)]
    pub strategy: Option<StrategyKind>,
    /// Which way it went.
    pub direction: Direction,
    /// When it was opened.
    pub opened_at: DateTime<Utc>,
    /// When the last of it was closed.
    pub closed_at: DateTime<Utc>,
    /// What the result is counted from.
    pub entry: Price,
    /// From the entry to the first stop: one R.
    pub risk: Price,
    /// What it earned per ounce, its parts weighted by their shares; negative when it lost.
    pub gain: Price,
    /// Why the last of it was closed; none when it was still open at the end of the time looked
    /// at, and is counted at the last price.
    #[serde(default)]
    pub exit: Option<Exit>,
    /// How it was closed, the earliest first; not needed for any figure.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fills: Vec<Fill>,
}

impl Trade {
    /// The gain in multiples of what was risked; 0 when nothing was.
    #[must_use]
    pub fn r(&self) -> f64 {
        if self.risk > Price::ZERO { self.gain.units() as f64 / self.risk.units() as f64 } else { 0.0 }
    }

    /// How long it was open.
    #[must_use]
    pub fn duration(&self) -> TimeDelta {
        self.closed_at - self.opened_at
    }
}
