//! How long to wait before trying again.

use std::time::Duration;

use rand::Rng;

/// Exponential backoff with full jitter: each wait is random up to a bound
/// that doubles, so that those who failed together do not return together.
/// (Marc Brooker, "Exponential Backoff And Jitter", AWS, 2015.)
#[derive(Debug, Clone)]
pub struct Backoff {
    bound: Duration,
    most: Duration,
}

impl Backoff {
    /// Waits up to `first`, then up to twice that, … up to `most`.
    #[must_use]
    pub const fn new(first: Duration, most: Duration) -> Self {
        Self { bound: first, most }
    }

    /// The bound of the wait after `attempts` failures.
    #[must_use]
    pub fn after(attempts: u32, first: Duration, most: Duration) -> Duration {
        Self { bound: first.saturating_mul(1 << attempts.saturating_sub(1).min(20)).min(most), most }.wait()
    }

    /// The next wait: at least half of its bound, so that there always is one.
    pub fn wait(&mut self) -> Duration {
        let bound = self.bound;
        self.bound = bound.saturating_mul(2).min(self.most);
        bound.mul_f64(rand::thread_rng().gen_range(0.5..1.0))
    }
}
