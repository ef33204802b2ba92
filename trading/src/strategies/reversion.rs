use super::{Bar, Rule, rounded, settled};
use crate::{
    Direction, NoSetup, Readings, Reversion, Weakness,
    indicators::{Bands, Bollinger, Rsi},
};

/// Goes back to the middle when the price closed outside its bands while RSI is extreme.
#[derive(Debug, Clone)]
pub(super) struct ReversionRule {
    oversold: f64,
    overbought: f64,
    bollinger: Bollinger,
    index: Rsi,
    bands: Option<Bands>,
    rsi: Option<f64>,
}

impl ReversionRule {
    pub(super) fn new(settings: &Reversion) -> Self {
        Self {
            oversold: settings.oversold,
            overbought: settings.overbought,
            bollinger: Bollinger::new(settings.bands, settings.deviations),
            index: Rsi::new(settings.rsi),
            bands: None,
            rsi: None,
        }
    }

    pub(super) fn warm_up(settings: &Reversion) -> usize {
        usize::from(settings.bands).max(settled::wilder(settings.rsi))
    }
}

impl Rule for ReversionRule {
    #[inline]
    fn push(&mut self, bar: &Bar) {
        self.bands = self.bollinger.push(bar.close);
        self.rsi = self.index.push(bar.close);
    }

    fn decide(&self, bar: &Bar, _: f64) -> Result<Direction, NoSetup> {
        let (Some(bands), Some(rsi)) = (self.bands, self.rsi) else {
            return Err(NoSetup::WarmingUp);
        };
        let (direction, extreme) = if bar.close < bands.lower {
            (Direction::Buy, rsi < self.oversold)
        } else if bar.close > bands.upper {
            (Direction::Sell, rsi > self.overbought)
        } else {
            return Err(NoSetup::InsideBands);
        };
        if extreme { Ok(direction) } else { Err(NoSetup::RsiNeutral) }
    }

    fn review(&self, _: &Bar, direction: Direction) -> Result<(), Weakness> {
        let reversed = self.rsi.is_some_and(|rsi| match direction {
            Direction::Buy => rsi > self.overbought,
            Direction::Sell => rsi < self.oversold,
        });
        if reversed { Err(Weakness::RsiReversed) } else { Ok(()) }
    }

    fn read(&self, readings: &mut Readings) {
        readings.rsi = rounded(self.rsi);
        readings.band_upper = rounded(self.bands.map(|bands| bands.upper));
        readings.band_middle = rounded(self.bands.map(|bands| bands.middle));
        readings.band_lower = rounded(self.bands.map(|bands| bands.lower));
    }
}
