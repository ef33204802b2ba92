use super::{Wilder, larger};

/// Relative strength index: the share of gains in all changes, 0 to 100, by Wilder's smoothing
/// (J. W. Wilder, *New Concepts in Technical Trading Systems*, 1978). Where nothing changes
/// it is 0, as in TA-Lib.
#[derive(Debug, Clone)]
pub struct Rsi {
    before: Option<f64>,
    gain: Wilder,
    loss: Wilder,
}

impl Rsi {
    /// Over about `period` changes.
    #[must_use]
    pub fn new(period: u16) -> Self {
        Self { before: None, gain: Wilder::new(period), loss: Wilder::new(period) }
    }

    /// Takes the next value; answers the index from value `period + 1` on.
    #[inline]
    pub fn push(&mut self, value: f64) -> Option<f64> {
        let change = value - self.before.replace(value)?;
        let gain = self.gain.push(larger(change, 0.0));
        let loss = self.loss.push(larger(-change, 0.0));
        let (gain, all) = (gain?, gain? + loss?);
        Some(if all > 0.0 { 100.0 * (gain / all) } else { 0.0 })
    }
}
