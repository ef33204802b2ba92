use super::{Bar, Rule, above, against, crossed, rounded, settled};
use crate::{
    Direction, Momentum, NoSetup, Readings, Weakness,
    indicators::{Ema, Macd, MacdLines, Rsi},
};

/// Goes the way in which MACD crosses its signal line, when the price is on that side of a
/// slow average and RSI does not say that it went too far already.
#[derive(Debug, Clone)]
pub(super) struct MomentumRule {
    oversold: f64,
    overbought: f64,
    macd: Macd,
    average: Ema,
    index: Rsi,
    lines: Option<MacdLines>,
    /// How far MACD is above its signal line …
    above: Option<f64>,
    /// … and was a candle before.
    before: Option<f64>,
    trend: Option<f64>,
    rsi: Option<f64>,
}

impl MomentumRule {
    pub(super) fn new(settings: &Momentum) -> Self {
        Self {
            oversold: settings.oversold,
            overbought: settings.overbought,
            macd: Macd::new(settings.fast, settings.slow, settings.signal),
            average: Ema::new(settings.trend),
            index: Rsi::new(settings.rsi),
            lines: None,
            above: None,
            before: None,
            trend: None,
            rsi: None,
        }
    }

    pub(super) fn warm_up(settings: &Momentum) -> usize {
        // The signal line begins when MACD does, and forgets what MACD was before it had settled.
        let macd = settled::ema(settings.fast.max(settings.slow)) + settled::ema(settings.signal);
        macd.max(settled::ema(settings.trend)).max(settled::wilder(settings.rsi))
    }
}

impl Rule for MomentumRule {
    #[inline]
    fn push(&mut self, bar: &Bar) {
        self.before = self.above;
        self.lines = self.macd.push(bar.close);
        self.above = self.lines.map(|lines| above(lines.macd, lines.signal, bar.close));
        self.trend = self.average.push(bar.close);
        self.rsi = self.index.push(bar.close);
    }

    fn decide(&self, bar: &Bar, _: f64) -> Result<Direction, NoSetup> {
        let (Some(above), Some(before), Some(trend), Some(rsi)) = (self.above, self.before, self.trend, self.rsi)
        else {
            return Err(NoSetup::WarmingUp);
        };
        let direction = crossed(before, above).ok_or(NoSetup::NoMomentum)?;
        if against(direction, bar.close - trend) {
            return Err(NoSetup::AgainstTrend);
        }
        let exhausted = match direction {
            Direction::Buy => rsi > self.overbought,
            Direction::Sell => rsi < self.oversold,
        };
        if exhausted { Err(NoSetup::Exhausted) } else { Ok(direction) }
    }

    fn review(&self, _: &Bar, direction: Direction) -> Result<(), Weakness> {
        match self.above {
            Some(above) if against(direction, above) => Err(Weakness::MomentumTurned),
            _ => Ok(()),
        }
    }

    fn read(&self, readings: &mut Readings) {
        readings.rsi = rounded(self.rsi);
        readings.ema_slow = rounded(self.trend);
        readings.macd = rounded(self.lines.map(|lines| lines.macd));
        readings.macd_signal = rounded(self.lines.map(|lines| lines.signal));
        readings.macd_histogram = rounded(self.lines.map(|lines| lines.histogram));
    }
}
