use super::{Donchian, Sma};

/// Slow stochastic oscillator (G. Lane): where the close lies between the lowest and the
/// highest of the last bars, 0 to 100, averaged twice. Where they are the same it is 0, as in
/// TA-Lib.
#[derive(Debug, Clone)]
pub struct Stochastic {
    range: Donchian,
    k: Sma,
    d: Sma,
}

/// Values of [`Stochastic`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StochasticLines {
    /// The average of where the close lies: slow %K.
    pub k: f64,
    /// The average of that: slow %D.
    pub d: f64,
}

impl Stochastic {
    /// Over `period` bars, averaged over `slowing`, and that over `signal`.
    #[must_use]
    pub fn new(period: u16, slowing: u16, signal: u16) -> Self {
        Self { range: Donchian::new(period), k: Sma::new(slowing), d: Sma::new(signal) }
    }

    /// Takes the next bar; answers both lines from bar `period + slowing + signal - 2` on.
    #[inline]
    pub fn push(&mut self, high: f64, low: f64, close: f64) -> Option<StochasticLines> {
        let range = self.range.push(high, low)?;
        let width = range.high - range.low;
        let position = if width > 0.0 { 100.0 * ((close - range.low) / width) } else { 0.0 };
        let k = self.k.push(position)?;
        Some(StochasticLines { k, d: self.d.push(k)? })
    }
}
