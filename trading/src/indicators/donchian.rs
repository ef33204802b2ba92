use super::{larger, smaller};

/// Donchian channel: the highest high and the lowest low of the last `period` bars.
///
/// Bars are kept in blocks of `period`. A window is the end of one block and the beginning of
/// the next; for the former the extremes of all ends are computed when the block is full, for
/// the latter they are carried along (M. van Herk, *Pattern Recognition Letters* 13, 1992).
/// That is three comparisons a bar, and no branch depends on the prices.
#[derive(Debug, Clone)]
pub struct Donchian {
    /// From `next` on: the extremes from there to the end of the block before. Up to it: the bars of this block.
    ends: Box<[Channel]>,
    /// Where the next bar goes.
    next: usize,
    full: bool,
    /// Of this block.
    current: Channel,
}

/// Values of [`Donchian`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Channel {
    /// The highest high.
    pub high: f64,
    /// The lowest low.
    pub low: f64,
}

impl Channel {
    const EMPTY: Self = Self { high: f64::NEG_INFINITY, low: f64::INFINITY };

    /// Its middle.
    #[must_use]
    pub fn middle(self) -> f64 {
        0.5 * (self.high + self.low)
    }

    fn and(self, other: Self) -> Self {
        Self { high: larger(self.high, other.high), low: smaller(self.low, other.low) }
    }
}

impl Donchian {
    /// Over `period` bars.
    #[must_use]
    pub fn new(period: u16) -> Self {
        let ends = vec![Channel::EMPTY; period.max(1).into()].into();
        Self { ends, next: 0, full: false, current: Channel::EMPTY }
    }

    /// Takes the next bar; answers the channel with it from bar `period` on.
    #[inline]
    pub fn push(&mut self, high: f64, low: f64) -> Option<Channel> {
        let bar = Channel { high, low };
        self.current = self.current.and(bar);
        self.ends[self.next] = bar;
        self.next += 1;
        if let Some(end) = self.ends.get(self.next) {
            return self.full.then(|| self.current.and(*end));
        }
        let whole = std::mem::replace(&mut self.current, Channel::EMPTY);
        let mut end = Channel::EMPTY;
        for bar in self.ends.iter_mut().rev() {
            end = end.and(*bar);
            *bar = end;
        }
        self.next = 0;
        self.full = true;
        Some(whole)
    }
}
