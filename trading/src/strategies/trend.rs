use super::{Bar, Rule, above, against, crossed, rounded, settled};
use crate::{
    Direction, NoSetup, Readings, Trend, Weakness,
    indicators::{Adx, Ema},
};

/// Goes the way in which the fast average crosses the slow one, when ADX says that there is a trend.
#[derive(Debug, Clone)]
pub(super) struct TrendRule {
    adx_min: f64,
    fast: Ema,
    slow: Ema,
    strength: Adx,
    /// Their values, the averages' only when both are known.
    averages: Option<Averages>,
    adx: Option<f64>,
    /// How far the fast average was above the slow one a candle before.
    before: Option<f64>,
}

#[derive(Debug, Clone, Copy)]
struct Averages {
    fast: f64,
    slow: f64,
    /// How far the fast one is above the slow one.
    above: f64,
}

impl TrendRule {
    pub(super) fn new(settings: &Trend) -> Self {
        Self {
            adx_min: settings.adx_min,
            fast: Ema::new(settings.fast),
            slow: Ema::new(settings.slow),
            strength: Adx::new(settings.adx),
            averages: None,
            adx: None,
            before: None,
        }
    }

    pub(super) fn warm_up(settings: &Trend) -> usize {
        settled::ema(settings.fast.max(settings.slow)).max(settled::adx(settings.adx))
    }
}

impl Rule for TrendRule {
    #[inline]
    fn push(&mut self, bar: &Bar) {
        self.before = self.averages.map(|averages| averages.above);
        let (fast, slow) = (self.fast.push(bar.close), self.slow.push(bar.close));
        self.averages = fast.zip(slow).map(|(fast, slow)| Averages { fast, slow, above: above(fast, slow, slow) });
        self.adx = self.strength.push(bar.high, bar.low, bar.close).and_then(|values| values.adx);
    }

    fn decide(&self, _: &Bar, _: f64) -> Result<Direction, NoSetup> {
        let (Some(averages), Some(before), Some(adx)) = (self.averages, self.before, self.adx) else {
            return Err(NoSetup::WarmingUp);
        };
        let direction = crossed(before, averages.above).ok_or(NoSetup::NoCross)?;
        if adx >= self.adx_min { Ok(direction) } else { Err(NoSetup::WeakTrend) }
    }

    fn review(&self, _: &Bar, direction: Direction) -> Result<(), Weakness> {
        match self.averages {
            Some(averages) if against(direction, averages.above) => Err(Weakness::CrossedBack),
            _ => Ok(()),
        }
    }

    fn read(&self, readings: &mut Readings) {
        readings.adx = rounded(self.adx);
        readings.ema_fast = rounded(self.averages.map(|averages| averages.fast));
        readings.ema_slow = rounded(self.averages.map(|averages| averages.slow));
    }
}
