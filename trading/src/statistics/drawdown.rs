use std::ops::{Add, Sub};

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;

/// How far, and when, the sum of all results fell below what it had been.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Drawdown<T> {
    /// From the peak down to the trough, as a positive number.
    pub depth: T,
    /// When the sum was last at the peak: the close of a trade, or the beginning.
    pub peak_at: DateTime<Utc>,
    /// The close of the trade that made it deepest.
    pub trough_at: DateTime<Utc>,
    /// The close of the trade with which the sum was at the peak again; none when it never was.
    pub recovered_at: Option<DateTime<Utc>>,
}

/// A running sum, and its deepest drawdown.
#[derive(Debug, Clone)]
pub(super) struct Track<T> {
    sum: T,
    peak: T,
    peak_at: DateTime<Utc>,
    deepest: Option<Drawdown<T>>,
    longest: TimeDelta,
    total: TimeDelta,
}

impl<T: Copy + Default + PartialOrd + Add<Output = T> + Sub<Output = T>> Track<T> {
    pub(super) fn new(from: DateTime<Utc>) -> Self {
        let (nothing, never) = (T::default(), TimeDelta::zero());
        Self { sum: nothing, peak: nothing, peak_at: from, deepest: None, longest: never, total: never }
    }

    pub(super) fn add(&mut self, at: DateTime<Utc>, gain: T) {
        let was_under = self.sum < self.peak;
        self.sum = self.sum + gain;
        if self.sum >= self.peak {
            if was_under {
                self.surface(at);
                // Of an earlier drawdown it is known when it ended.
                if let Some(deepest) = &mut self.deepest {
                    deepest.recovered_at.get_or_insert(at);
                }
            }
            (self.peak, self.peak_at) = (self.sum, at);
            return;
        }
        let depth = self.peak - self.sum;
        if self.deepest.is_none_or(|deepest| depth > deepest.depth) {
            self.deepest = Some(Drawdown { depth, peak_at: self.peak_at, trough_at: at, recovered_at: None });
        }
    }

    fn surface(&mut self, at: DateTime<Utc>) {
        let under = at - self.peak_at;
        self.longest = self.longest.max(under);
        self.total += under;
    }

    pub(super) const fn deepest(&self) -> Option<Drawdown<T>> {
        self.deepest
    }

    /// The longest time below a peak, and all time below one, both up to `to`.
    pub(super) fn under_water(mut self, to: DateTime<Utc>) -> (TimeDelta, TimeDelta) {
        if self.sum < self.peak {
            self.surface(to.max(self.peak_at));
        }
        (self.longest, self.total)
    }
}
