/// Exponential moving average: each value weighs `2 / (period + 1)`. It begins with the plain
/// average of the first `period` values.
#[derive(Debug, Clone)]
pub struct Ema {
    weight: f64,
    period: u16,
    /// Values that the first average still lacks.
    lacking: u16,
    /// The average; before there is one, the sum of the values so far.
    value: f64,
}

impl Ema {
    /// Over about `period` values.
    #[must_use]
    pub fn new(period: u16) -> Self {
        let period = period.max(1);
        Self { weight: 2.0 / (f64::from(period) + 1.0), period, lacking: period, value: 0.0 }
    }

    /// Takes the next value; answers the average from the `period`th on.
    #[inline]
    pub fn push(&mut self, value: f64) -> Option<f64> {
        if self.lacking == 0 {
            self.value += (value - self.value) * self.weight;
            return Some(self.value);
        }
        self.value += value;
        self.lacking -= 1;
        if self.lacking > 0 {
            return None;
        }
        self.value /= f64::from(self.period);
        Some(self.value)
    }
}
