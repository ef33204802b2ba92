/// Wilder's smoothing: an exponential average in which each value weighs `1 / period`. It
/// begins with the plain average of the first `period` values.
#[derive(Debug, Clone)]
pub(super) struct Wilder {
    weight: f64,
    /// What the average before weighs: the rest of 1.
    rest: f64,
    /// Values that the first average still lacks.
    lacking: u16,
    /// The average; before there is one, the sum of the values so far.
    value: f64,
}

impl Wilder {
    pub(super) fn new(period: u16) -> Self {
        let period = period.max(1);
        let weight = 1.0 / f64::from(period);
        Self { weight, rest: 1.0 - weight, lacking: period, value: 0.0 }
    }

    #[inline]
    pub(super) fn push(&mut self, value: f64) -> Option<f64> {
        if self.lacking == 0 {
            self.value = self.value * self.rest + value * self.weight;
            return Some(self.value);
        }
        self.value += value;
        self.lacking -= 1;
        if self.lacking > 0 {
            return None;
        }
        self.value *= self.weight;
        Some(self.value)
    }

    /// Where there is no value: the average stays, the first one takes it for nothing.
    #[inline]
    pub(super) fn hold(&mut self) -> Option<f64> {
        if self.lacking > 0 { self.push(0.0) } else { Some(self.value) }
    }
}
