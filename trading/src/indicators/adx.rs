use super::{Wilder, larger, true_range};

/// Average directional movement index with its two directional indicators, by Wilder's
/// smoothing (J. W. Wilder, *New Concepts in Technical Trading Systems*, 1978): how strong a
/// trend is, whichever way it goes; all 0 to 100.
#[derive(Debug, Clone)]
pub struct Adx {
    before: Option<Bar>,
    /// Bars that the sums still lack before they are smoothed.
    lacking: u16,
    weight: f64,
    up: f64,
    down: f64,
    range: f64,
    average: Wilder,
}

#[derive(Debug, Clone, Copy)]
struct Bar {
    high: f64,
    low: f64,
    close: f64,
}

/// Values of [`Adx`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Directional {
    /// How much of the range was movement up: +DI.
    pub plus: f64,
    /// How much of the range was movement down: -DI.
    pub minus: f64,
    /// The average of their distance in percent of their sum; from bar `2 * period` on.
    pub adx: Option<f64>,
}

impl Adx {
    /// Over about `period` bars.
    #[must_use]
    pub fn new(period: u16) -> Self {
        let period = period.max(1);
        Self {
            before: None,
            lacking: period - 1,
            weight: 1.0 / f64::from(period),
            up: 0.0,
            down: 0.0,
            range: 0.0,
            average: Wilder::new(period),
        }
    }

    /// Takes the next bar; answers the indicators from bar `period + 1` on.
    #[inline]
    pub fn push(&mut self, high: f64, low: f64, close: f64) -> Option<Directional> {
        let before = self.before.replace(Bar { high, low, close })?;
        let (rise, fall) = (high - before.high, before.low - low);
        let up = if rise > larger(fall, 0.0) { rise } else { 0.0 };
        let down = if fall > larger(rise, 0.0) { fall } else { 0.0 };
        let range = true_range(high, low, before.close);
        if self.lacking > 0 {
            self.lacking -= 1;
            self.up += up;
            self.down += down;
            self.range += range;
            return None;
        }
        self.up += up - self.up * self.weight;
        self.down += down - self.down * self.weight;
        self.range += range - self.range * self.weight;
        if self.range <= 0.0 {
            return Some(Directional { plus: 0.0, minus: 0.0, adx: self.average.hold() });
        }
        let (plus, minus) = (100.0 * (self.up / self.range), 100.0 * (self.down / self.range));
        let moved = self.up + self.down;
        // Without movement either way there is no direction to average.
        let adx = if moved > 0.0 {
            self.average.push(100.0 * ((self.up - self.down).abs() / moved))
        } else {
            self.average.hold()
        };
        Some(Directional { plus, minus, adx })
    }
}
