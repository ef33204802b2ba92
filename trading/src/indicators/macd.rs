use super::Ema;

/// Moving average convergence/divergence (G. Appel): the distance of two exponential averages,
/// and an exponential average of that distance.
#[derive(Debug, Clone)]
pub struct Macd {
    /// Values that the fast average leaves out, so that both begin at the same value.
    skip: u16,
    fast: Ema,
    slow: Ema,
    signal: Ema,
}

/// Values of [`Macd`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MacdLines {
    /// The fast average less the slow one.
    pub macd: f64,
    /// Its average.
    pub signal: f64,
    /// How far it is above its average.
    pub histogram: f64,
}

impl Macd {
    /// Of averages over about `fast` and `slow` values, in either order, and a signal line over
    /// about `signal`.
    #[must_use]
    pub fn new(fast: u16, slow: u16, signal: u16) -> Self {
        let (fast, slow) = (fast.min(slow).max(1), fast.max(slow).max(1));
        Self { skip: slow - fast, fast: Ema::new(fast), slow: Ema::new(slow), signal: Ema::new(signal) }
    }

    /// Takes the next value; answers all lines from value `slow + signal - 1` on.
    #[inline]
    pub fn push(&mut self, value: f64) -> Option<MacdLines> {
        let slow = self.slow.push(value);
        if self.skip > 0 {
            self.skip -= 1;
            return None;
        }
        let macd = self.fast.push(value)? - slow?;
        let signal = self.signal.push(macd)?;
        Some(MacdLines { macd, signal, histogram: macd - signal })
    }
}
