//! Not faster than Stripe allows.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// Between two calls of one process: 25 a second, of the 100 that Stripe allows a live
/// account for all of its programs, and the 25 in test mode
/// (<https://docs.stripe.com/rate-limits>).
const SPACING: Duration = Duration::from_millis(40);
/// So many may go at once after a pause.
const BURST: u32 = 5;

/// When the next call may go out.
#[derive(Debug)]
pub(super) struct Pace(Mutex<Instant>);

impl Pace {
    pub(super) fn new() -> Self {
        Self(Mutex::new(Instant::now()))
    }

    /// Waits for a place. Whoever stops waiting leaves it empty.
    pub(super) async fn wait(&self) {
        let at = self.take(Instant::now());
        tokio::time::sleep_until(at).await;
    }

    /// Lets nobody go before this long.
    pub(super) fn pause(&self, delay: Duration) {
        let until = Instant::now() + delay + SPACING * (BURST - 1);
        let mut next = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *next = until.max(*next);
    }

    /// Takes the next place (generic cell rate algorithm, ITU-T I.371): the theoretical time
    /// of arrival moves by a spacing each time, and may lie so many of them ahead.
    fn take(&self, now: Instant) -> Instant {
        let mut next = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let arrival = (*next).max(now);
        *next = arrival + SPACING;
        arrival.checked_sub(SPACING * (BURST - 1)).unwrap_or(now).max(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_go_at_once_and_then_25_a_second() {
        let now = Instant::now() + Duration::from_secs(10);
        let pace = Pace::new();
        let waits: Vec<u128> = (0..30).map(|_| (pace.take(now) - now).as_millis()).collect();
        assert_eq!(waits[..6], [0, 0, 0, 0, 0, 40]);
        assert_eq!(waits[29], 1_000);
        let later = now + Duration::from_secs(5);
        assert_eq!((pace.take(later) - later).as_millis(), 0);
    }

    #[tokio::test]
    async fn a_pause_holds_everybody() {
        let pace = Pace::new();
        pace.pause(Duration::from_secs(3));
        let now = Instant::now();
        assert!(pace.take(now) - now > Duration::from_millis(2_900));
    }
}
