use std::sync::Arc;

use aggregates::signal::Refusal;
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Serialize, Serializer};
use trading::{InvalidCandle, InvalidSettings, Price, Settings, StrategyKind, Timeframe};

/// What is tested.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Plan {
    /// Which strategy.
    pub strategy: StrategyKind,
    /// With which settings.
    pub settings: Arc<Settings>,
    /// How long the candles are; written in minutes.
    #[serde(serialize_with = "minutes", rename = "candle_minutes")]
    pub length: TimeDelta,
    /// What trading costs.
    pub costs: Costs,
    /// Candles that begin before this are shown to the strategy only, so that it knows its
    /// averages; none: all are traded on.
    pub from: Option<DateTime<Utc>>,
}

fn minutes<S: Serializer>(length: &TimeDelta, serializer: S) -> Result<S::Ok, S::Error> {
    length.num_minutes().serialize(serializer)
}

/// What trading costs, per ounce. The rules of the signal do not know of it: what a trade
/// earned by them is lowered afterwards.
///
/// A trade pays the spread once: one buys at the higher price and sells at the lower. It
/// pays the slippage wherever it has to take the price there is: when it is entered, and for
/// the share of it that is not closed by a target, where an order waits at its own price.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Costs {
    /// From the price to sell at to the one to buy at.
    pub spread: Price,
    /// By how much a market order is filled worse than the price that was seen.
    pub slippage: Price,
}

impl Costs {
    /// What a trade pays, of which `by_targets` percent were closed by targets.
    #[must_use]
    pub fn of(self, by_targets: u8) -> Price {
        let at_market = 200 - i64::from(by_targets.min(100));
        self.spread + self.slippage.part(at_market, 100)
    }
}

/// Why a test cannot go on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The settings make no sense.
    #[error("settings: {0}")]
    Settings(#[from] InvalidSettings),
    /// Costs lower results, and never raise them.
    #[error("{0}: must not be below 0")]
    Costs(&'static str),
    /// No candles of the strategy's timeframe can be made of those.
    #[error("timeframe: {} cannot be made of candles of {} minutes", timeframe.as_str(), length.num_minutes())]
    Length {
        /// What the settings want.
        timeframe: Timeframe,
        /// What there is.
        length: TimeDelta,
    },
    /// A candle that cannot be.
    #[error("the candle of {at}: {source}")]
    Candle {
        /// When it begins.
        at: DateTime<Utc>,
        /// What is wrong with it.
        source: InvalidCandle,
    },
    /// A candle begins before the one before it is over.
    #[error("the candle of {at} begins before the one before it is over, at {end}")]
    Order {
        /// When it begins.
        at: DateTime<Utc>,
        /// When the one before is over.
        end: DateTime<Utc>,
    },
    /// The aggregate refused what the live watcher would have asked of it.
    #[error("the signal refused: {0}")]
    Refused(#[from] Refusal),
}

impl Plan {
    /// Whether it can be tested.
    ///
    /// # Errors
    /// [`Error`], naming what is wrong with it.
    pub fn check(&self) -> Result<(), Error> {
        self.settings.check()?;
        if self.costs.spread < Price::ZERO {
            return Err(Error::Costs("spread"));
        }
        if self.costs.slippage < Price::ZERO {
            return Err(Error::Costs("slippage"));
        }
        let (timeframe, seconds) = (self.settings.timeframe, self.length.num_seconds());
        if seconds <= 0 || timeframe.length().num_seconds() % seconds != 0 {
            return Err(Error::Length { timeframe, length: self.length });
        }
        Ok(())
    }
}
