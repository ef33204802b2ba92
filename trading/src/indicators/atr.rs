use super::{Wilder, true_range};

/// Average true range, by Wilder's smoothing (J. W. Wilder, *New Concepts in Technical
/// Trading Systems*, 1978).
#[derive(Debug, Clone)]
pub struct Atr {
    close: Option<f64>,
    average: Wilder,
}

impl Atr {
    /// Over about `period` bars.
    #[must_use]
    pub fn new(period: u16) -> Self {
        Self { close: None, average: Wilder::new(period) }
    }

    /// Takes the next bar; answers the average from bar `period + 1` on, as the first bar has
    /// no close before it.
    #[inline]
    pub fn push(&mut self, high: f64, low: f64, close: f64) -> Option<f64> {
        let before = self.close.replace(close)?;
        self.average.push(true_range(high, low, before))
    }
}
