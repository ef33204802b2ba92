//! Wishes about the signals of an instrument, and why they are refused.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use trading::{Candle, Check, InvalidLevels, InvalidSettings, Levels, Price, Settings, StrategyKind, Weakness};

use crate::{ByHand, InvalidByHand};

/// Wishes about the signals of an instrument. `at` is always the time of the wish, by the
/// market's clock.
#[derive(Debug, Clone)]
#[allow(missing_docs, reason = "the fields are those of the events")]
pub enum Command {
    /// Look at what the market did.
    Observe(Observation),
    /// Make signals by other settings; those of an open one stay what they are. With a
    /// `revision`, only if the settings were changed just so often.
    Configure { settings: Arc<Settings>, revision: Option<u32>, at: DateTime<Utc> },
    /// Make signals by another strategy: now, or when the open one has ended.
    Choose { strategy: StrategyKind, at: DateTime<Utc> },
    /// Open no more signals for now. The open one goes on.
    Pause { by_hand: ByHand, at: DateTime<Utc> },
    /// Open them again.
    Resume { by_hand: ByHand, at: DateTime<Utc> },
    /// Open a signal by hand. It is entered now, at the `price` that the market has, which
    /// lies in its zone; without one it waits for the price to come there. At `expires_at`
    /// it is over.
    OpenByHand {
        levels: Levels,
        price: Option<Price>,
        expires_at: Option<DateTime<Utc>>,
        by_hand: ByHand,
        at: DateTime<Utc>,
    },
    /// End the open signal, whose number is this, at a price; one that was never entered
    /// needs none.
    Cancel { number: u32, price: Option<Price>, by_hand: ByHand, at: DateTime<Utc> },
}

/// By what a look at the market was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Basis {
    /// The strategy that is active.
    pub strategy: StrategyKind,
    /// The revision of the settings.
    pub revision: u32,
}

/// What the market did since it was looked at, and what is made of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Observation {
    /// By what. If signals are made otherwise meanwhile, it is refused.
    pub basis: Basis,
    /// Complete candles in order. Those judged before are passed over.
    pub candles: Vec<Candle>,
    /// How long each is.
    pub length: TimeDelta,
    /// Until when nothing else comes, such as a closed market; if that is later than the
    /// end of the last one.
    pub until: Option<DateTime<Utc>>,
    /// What the strategy says at the end of the last one, where a check is due then.
    pub check: Option<Check>,
    /// Whether the case for the open signal still holds then, where a look is due.
    pub review: Option<std::result::Result<(), Weakness>>,
    /// Whether the end of the last one is too long ago to open a signal.
    pub late: bool,
}

impl Observation {
    /// When the last candle ends; none without candles.
    #[must_use]
    pub fn end(&self) -> Option<DateTime<Utc>> {
        self.candles.last().map(|candle| candle.opened_at + self.length)
    }
}

/// Why a wish is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[allow(missing_docs, reason = "each field says what it is by its name and type")]
pub enum Refusal {
    /// There is one already.
    #[error("signal #{number} is open")]
    Open { number: u32 },
    /// There is none.
    #[error("no signal is open")]
    NoneOpen,
    /// Another one is.
    #[error("signal #{wanted} is not open; #{number} is")]
    Another { wanted: u32, number: u32 },
    /// Somebody else changed the settings.
    #[error("the settings have been changed; they are at revision {revision}")]
    Revised { revision: u32 },
    /// The settings make no sense.
    #[error(transparent)]
    Settings(#[from] InvalidSettings),
    /// Signals are made by another strategy or other settings than what was looked with.
    #[error("signals are made otherwise now")]
    Outdated,
    /// Nobody could enter it where it says.
    #[error("the price is {price} now, outside of the entry zone")]
    OutsideZone { price: Price },
    /// The levels make no sense.
    #[error(transparent)]
    Levels(#[from] InvalidLevels),
    /// It would be over before it began.
    #[error("expires_at: must be later than now")]
    Expiry,
    /// There is none at which a position could be closed.
    #[error("price: must be known, and above 0")]
    Price,
    /// What is decided by hand says by whom and why.
    #[error(transparent)]
    ByHand(#[from] InvalidByHand),
}
