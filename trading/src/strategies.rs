//! The strategies: candles in, a proposal or the reason there is none out.

mod breakout;
mod momentum;
mod reversion;
mod trend;

use breakout::BreakoutRule;
use momentum::MomentumRule;
use reversion::ReversionRule;
use trend::TrendRule;

use crate::{
    Candle, Direction, Levels, NoSetup, Price, Proposal, Readings, Settings, StrategyKind, Weakness, indicators::Atr,
};

/// A strategy at work. It takes complete candles of the settings' timeframe in order and
/// keeps what it needs of them, nothing else; so it cannot know the future. Its periods and
/// thresholds are those it was made with: when the settings change, it is made anew.
#[derive(Debug, Clone)]
pub struct Strategy {
    entry: Price,
    last: Bar,
    average: Atr,
    /// The average true range, once it is known.
    atr: Option<f64>,
    rule: AnyRule,
}

/// A candle as indicators take it.
#[derive(Debug, Clone, Copy, Default)]
struct Bar {
    high: f64,
    low: f64,
    close: f64,
}

/// What one strategy does that others do not.
trait Rule {
    /// Takes the next candle.
    fn push(&mut self, bar: &Bar);

    /// Which way to go after `bar`, the last one, when the average true range is `atr`.
    fn decide(&self, bar: &Bar, atr: f64) -> Result<Direction, NoSetup>;

    /// Whether going that way still makes sense after `bar`, the last one. What is not known
    /// yet speaks against nothing.
    fn review(&self, bar: &Bar, direction: Direction) -> Result<(), Weakness>;

    /// Adds the values of its indicators, rounded.
    fn read(&self, readings: &mut Readings);
}

#[derive(Debug, Clone)]
enum AnyRule {
    Trend(TrendRule),
    Reversion(ReversionRule),
    Breakout(BreakoutRule),
    Momentum(MomentumRule),
}

impl Strategy {
    /// One that has seen nothing.
    #[must_use]
    pub fn new(kind: StrategyKind, settings: &Settings) -> Self {
        let rule = match kind {
            StrategyKind::Trend => AnyRule::Trend(TrendRule::new(&settings.trend)),
            StrategyKind::Reversion => AnyRule::Reversion(ReversionRule::new(&settings.reversion)),
            StrategyKind::Breakout => AnyRule::Breakout(BreakoutRule::new(&settings.breakout)),
            StrategyKind::Momentum => AnyRule::Momentum(MomentumRule::new(&settings.momentum)),
        };
        Self { entry: Price::ZERO, last: Bar::default(), average: Atr::new(settings.atr), atr: None, rule }
    }

    /// After how many candles its values no longer depend on what was before, for practical
    /// purposes: the start then weighs less than 1e-15 of them.
    #[must_use]
    pub fn warm_up(kind: StrategyKind, settings: &Settings) -> usize {
        let rule = match kind {
            StrategyKind::Trend => TrendRule::warm_up(&settings.trend),
            StrategyKind::Reversion => ReversionRule::warm_up(&settings.reversion),
            StrategyKind::Breakout => BreakoutRule::warm_up(&settings.breakout),
            StrategyKind::Momentum => MomentumRule::warm_up(&settings.momentum),
        };
        rule.max(settled::wilder(settings.atr))
    }

    /// Which one it is.
    #[must_use]
    pub const fn kind(&self) -> StrategyKind {
        match self.rule {
            AnyRule::Trend(_) => StrategyKind::Trend,
            AnyRule::Reversion(_) => StrategyKind::Reversion,
            AnyRule::Breakout(_) => StrategyKind::Breakout,
            AnyRule::Momentum(_) => StrategyKind::Momentum,
        }
    }

    /// Takes the next candle, which has to be complete.
    pub fn push(&mut self, candle: &Candle) {
        let bar = Bar { high: candle.high.to_f64(), low: candle.low.to_f64(), close: candle.close.to_f64() };
        self.entry = candle.close;
        self.last = bar;
        self.atr = self.average.push(bar.high, bar.low, bar.close);
        match &mut self.rule {
            AnyRule::Trend(rule) => rule.push(&bar),
            AnyRule::Reversion(rule) => rule.push(&bar),
            AnyRule::Breakout(rule) => rule.push(&bar),
            AnyRule::Momentum(rule) => rule.push(&bar),
        }
    }

    /// The signal it would open at the close of the last candle, with the distances that
    /// `settings` have.
    ///
    /// # Errors
    /// [`NoSetup`]: the first thing that is missing for one.
    pub fn propose(&self, settings: &Settings) -> Result<Proposal, NoSetup> {
        let atr = self.atr.ok_or(NoSetup::WarmingUp)?;
        let direction = self.rule().decide(&self.last, atr)?;
        let levels = Levels::around(self.entry, direction, atr, settings).ok_or(NoSetup::TooQuiet)?;
        Ok(Proposal { levels, strategy: self.kind() })
    }

    /// The values of its indicators at the last candle.
    #[must_use]
    pub fn readings(&self) -> Readings {
        let mut readings = Readings { atr: rounded(self.atr), ..Readings::default() };
        self.rule().read(&mut readings);
        readings
    }

    /// Whether the case for an open signal that goes in `direction` still holds.
    ///
    /// # Errors
    /// [`Weakness`]: what speaks against it now.
    pub fn review(&self, direction: Direction) -> Result<(), Weakness> {
        self.rule().review(&self.last, direction)
    }

    fn rule(&self) -> &dyn Rule {
        match &self.rule {
            AnyRule::Trend(rule) => rule,
            AnyRule::Reversion(rule) => rule,
            AnyRule::Breakout(rule) => rule,
            AnyRule::Momentum(rule) => rule,
        }
    }
}

/// To four decimals, half away from zero.
#[inline]
fn rounded(value: impl Into<Option<f64>>) -> Option<f64> {
    // Prices have at most ten digits before the point, so this fits; `round` is a call.
    value.into().map(|value| (value * 1e4 + 0.5_f64.copysign(value)) as i64 as f64 / 1e4)
}

/// After how many values an indicator has forgotten where it began, but for 1e-15: the start
/// of an average in which each value weighs `w` weighs `(1 - w)^n < exp(-w * n)` after `n`
/// more. They are counted a little longer, as a start can be some times the value.
mod settled {
    /// Wilder's smoothing: each value weighs `1 / period`.
    pub(super) fn wilder(period: u16) -> usize {
        1 + 40 * usize::from(period)
    }

    /// ADX smooths what is smoothed: the start weighs `n / period` times as much.
    pub(super) fn adx(period: u16) -> usize {
        1 + 45 * usize::from(period)
    }

    /// Exponential average: each value weighs `2 / (period + 1)`.
    pub(super) fn ema(period: u16) -> usize {
        20 * (usize::from(period) + 1)
    }
}

/// How far a line is above another; 0 where the distance is but the rounding errors of lines
/// at `scale`, as in a market that stands still: they must not cross there.
fn above(line: f64, other: f64, scale: f64) -> f64 {
    let distance = line - other;
    if distance.abs() > 1e-12 * scale { distance } else { 0.0 }
}

/// Which way a line crossed another, by how far it was above it before and is now.
fn crossed(before: f64, now: f64) -> Option<Direction> {
    if before <= 0.0 && now > 0.0 {
        Some(Direction::Buy)
    } else if before >= 0.0 && now < 0.0 {
        Some(Direction::Sell)
    } else {
        None
    }
}

/// Whether a line is on the wrong side of another for `direction`, by how far it is above it.
fn against(direction: Direction, above: f64) -> bool {
    match direction {
        Direction::Buy => above < 0.0,
        Direction::Sell => above > 0.0,
    }
}
