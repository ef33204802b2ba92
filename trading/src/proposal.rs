//! What a strategy proposes, or why it does not.

use serde::{Deserialize, Serialize};

use crate::{Price, Settings, StrategyKind};

/// Which way a signal goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// It earns when the price rises.
    Buy,
    /// It earns when the price falls.
    Sell,
}

impl Direction {
    /// The word stored and shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Buy => "buy",
            Self::Sell => "sell",
        }
    }

    /// The other way.
    #[must_use]
    pub const fn opposite(self) -> Self {
        match self {
            Self::Buy => Self::Sell,
            Self::Sell => Self::Buy,
        }
    }

    /// What is earned between two prices; negative when it is lost.
    #[must_use]
    pub fn gain(self, from: Price, to: Price) -> Price {
        match self {
            Self::Buy => to - from,
            Self::Sell => from - to,
        }
    }

    /// The price from which `gain` was earned since `from`.
    #[must_use]
    pub fn after(self, from: Price, gain: Price) -> Price {
        match self {
            Self::Buy => from + gain,
            Self::Sell => from - gain,
        }
    }
}

/// A price to take a part of the profit at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// Where.
    pub price: Price,
    /// How much of the whole position is closed there, in percent; 1 to 100.
    pub share: u8,
}

/// The prices of a signal. They are frozen when it opens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Levels {
    /// Which way.
    pub direction: Direction,
    /// What results are counted from.
    pub entry: Price,
    /// People may enter from here …
    pub zone_low: Price,
    /// … to here; the entry is within.
    pub zone_high: Price,
    /// Where the loss is taken.
    pub stop: Price,
    /// Where the profit is taken, the nearest first; one to three, whose shares sum to 100.
    pub targets: Vec<Target>,
}

/// Levels that make no sense, by the field that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[error("{field}: {reason}")]
pub struct InvalidLevels {
    /// The field's name as in [`Levels`].
    pub field: String,
    /// What is wrong with it, for the person who wrote it.
    pub reason: String,
}

impl Levels {
    /// Targets of one signal at the most.
    pub const TARGETS: usize = 3;

    /// What is lost when the stop is hit: one R.
    #[must_use]
    pub fn risk(&self) -> Price {
        -self.direction.gain(self.entry, self.stop)
    }

    /// Checks that stop, zone and targets lie in order, and that the shares sum to 100.
    ///
    /// # Errors
    /// [`InvalidLevels`], naming the first field that is wrong.
    pub fn check(&self) -> Result<(), InvalidLevels> {
        let wrong =
            |field: &str, reason: &str| Err(InvalidLevels { field: field.to_owned(), reason: reason.to_owned() });
        if self.entry <= Price::ZERO {
            return wrong("entry", "must be above 0");
        }
        if self.zone_low <= Price::ZERO || self.zone_low > self.entry {
            return wrong("zone_low", "must be above 0 and not above the entry");
        }
        if self.zone_high < self.entry {
            return wrong("zone_high", "must not be below the entry");
        }
        let (worst, best) = match self.direction {
            Direction::Buy => (self.zone_low, self.zone_high),
            Direction::Sell => (self.zone_high, self.zone_low),
        };
        if self.stop <= Price::ZERO || self.direction.gain(worst, self.stop) >= Price::ZERO {
            return wrong("stop", "must be above 0 and on the losing side of the entry zone");
        }
        if self.targets.is_empty() || self.targets.len() > Self::TARGETS {
            return wrong("targets", "must be one to three");
        }
        let mut last = best;
        for target in &self.targets {
            if target.price <= Price::ZERO || self.direction.gain(last, target.price) <= Price::ZERO {
                return wrong("targets", "must lie beyond the entry zone, each further than the one before");
            }
            if target.share == 0 {
                return wrong("targets", "must each close 1 percent or more");
            }
            last = target.price;
        }
        if self.targets.iter().map(|target| u32::from(target.share)).sum::<u32>() != 100 {
            return wrong("targets", "must close 100 percent together");
        }
        Ok(())
    }

    /// Checks that all prices lie on the ticks of an instrument: finer ones cannot be told as they are judged.
    ///
    /// # Errors
    /// [`InvalidLevels`], naming the first field that is wrong.
    pub fn check_ticks(&self, tick: Price) -> Result<(), InvalidLevels> {
        let targets = self.targets.iter().map(|target| ("targets", target.price));
        let others =
            [("entry", self.entry), ("zone_low", self.zone_low), ("zone_high", self.zone_high), ("stop", self.stop)];
        match others.into_iter().chain(targets).find(|(_, price)| price.rounded_to(tick) != *price) {
            None => Ok(()),
            Some((field, _)) => Err(InvalidLevels {
                field: field.to_owned(),
                reason: format!("must be a multiple of the tick, {tick}"),
            }),
        }
    }

    /// Levels around `entry` as the settings have them, in multiples of the average true
    /// range `atr`, on the instrument's ticks; none when the range is too small for that.
    #[must_use]
    pub fn around(entry: Price, direction: Direction, atr: f64, settings: &Settings) -> Option<Self> {
        let away = |multiple: f64| Price::nearest(multiple * atr).map(|distance| distance.rounded_to(settings.tick));
        // Candles may be finer than what is quoted; the levels that are judged are those that are told.
        let entry = entry.rounded_to(settings.tick);
        let half = away(settings.zone_atr)?;
        let targets = settings
            .targets
            .iter()
            .map(|share| Some(Target { price: direction.after(entry, away(share.atr)?), share: share.percent }))
            .collect::<Option<_>>()?;
        let stop = direction.after(entry, -away(settings.stop_atr)?);
        let levels = Self { direction, entry, zone_low: entry - half, zone_high: entry + half, stop, targets };
        levels.check().is_ok().then_some(levels)
    }
}

/// A signal that a strategy would open now.
#[derive(Debug, Clone, PartialEq)]
pub struct Proposal {
    /// Its prices.
    pub levels: Levels,
    /// Whose it is.
    pub strategy: StrategyKind,
}

/// Values of the indicators that led to a decision, rounded to four decimals; absent are
/// those that the strategy does not look at or that are not known yet.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names of the indicators")]
pub struct Readings {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub atr: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adx: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rsi: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ema_fast: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ema_slow: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub band_upper: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub band_middle: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub band_lower: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel_high: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel_low: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub macd: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub macd_signal: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub macd_histogram: Option<f64>,
}

/// Why a strategy proposes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoSetup {
    /// It has not seen enough candles yet.
    WarmingUp,
    /// The averages did not cross on this candle.
    NoCross,
    /// They did, but ADX says that there is no trend.
    WeakTrend,
    /// The price is within its bands.
    InsideBands,
    /// It is outside, but RSI is not extreme.
    RsiNeutral,
    /// The price closed within the channel.
    InsideChannel,
    /// It left it, but the candle is small for the average true range.
    WeakBreak,
    /// MACD did not cross its signal line on this candle.
    NoMomentum,
    /// It did, against the trend of the slow average.
    AgainstTrend,
    /// RSI says that it went too far already.
    Exhausted,
    /// The market moves too little for levels on this instrument's ticks.
    TooQuiet,
}

impl NoSetup {
    /// The word stored and shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::WarmingUp => "warming_up",
            Self::NoCross => "no_cross",
            Self::WeakTrend => "weak_trend",
            Self::InsideBands => "inside_bands",
            Self::RsiNeutral => "rsi_neutral",
            Self::InsideChannel => "inside_channel",
            Self::WeakBreak => "weak_break",
            Self::NoMomentum => "no_momentum",
            Self::AgainstTrend => "against_trend",
            Self::Exhausted => "exhausted",
            Self::TooQuiet => "too_quiet",
        }
    }
}

/// Why the case for an open signal no longer holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Weakness {
    /// The averages have crossed back.
    CrossedBack,
    /// The price is back beyond the middle of the channel it had left.
    BackInChannel,
    /// MACD has crossed back.
    MomentumTurned,
    /// RSI went to the other extreme.
    RsiReversed,
}

impl Weakness {
    /// The word stored and shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CrossedBack => "crossed_back",
            Self::BackInChannel => "back_in_channel",
            Self::MomentumTurned => "momentum_turned",
            Self::RsiReversed => "rsi_reversed",
        }
    }
}

/// What a look at the latest complete candle of the strategy's timeframe came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Check {
    /// What the strategy proposes.
    pub outcome: Result<Proposal, NoSetup>,
    /// What it saw.
    pub readings: Readings,
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "what cannot be read ends the test")]
mod tests {
    use super::*;

    #[test]
    fn levels_lie_on_the_ticks_however_fine_the_candles_are() {
        let settings = Settings::default();
        let price = |text: &str| text.parse::<Price>().unwrap();
        for direction in [Direction::Buy, Direction::Sell] {
            let levels = Levels::around(price("3998.12345"), direction, 6.66667, &settings).unwrap();
            assert_eq!(levels.entry, price("3998.12"));
            assert_eq!(levels.stop, direction.after(levels.entry, price("-10")));
            assert_eq!(levels.check_ticks(settings.tick), Ok(()));
            let finer = Levels { stop: price("3000.005"), ..levels };
            assert_eq!(finer.check_ticks(settings.tick).unwrap_err().field, "stop");
        }
    }
}
