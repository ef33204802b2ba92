//! Not more than Twelve Data's plan allows: it counts credits by the minute of its clock
//! and by the day, and says with each answer how many are left of the minute
//! (<https://support.twelvedata.com/en/articles/5615854-credits>).

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use chrono::{DateTime, Timelike, Utc};

/// Clocks differ by so much.
const GRACE: Duration = Duration::from_secs(1);
/// When the credits of the day are used up, it is asked so often whether there are new ones.
const NEXT_DAY: Duration = Duration::from_secs(900);

/// Credits of a minute in the least of its plans: what is used when an answer does not say
/// how many are left.
const LEAST: u64 = 8;

/// When there will be credits again.
#[derive(Debug, Default)]
pub(super) struct Pace {
    closed: Mutex<Option<Instant>>,
    /// What was used of a minute of the service's clock.
    used: Mutex<(i64, u64)>,
}

impl Pace {
    /// How long nobody may ask; none when one may.
    pub(super) fn closed_for(&self) -> Option<Duration> {
        self.closed_after(Instant::now())
    }

    fn closed_after(&self, now: Instant) -> Option<Duration> {
        let until = (*self.closed.lock().unwrap_or_else(PoisonError::into_inner))?;
        let left = until.saturating_duration_since(now);
        (left > Duration::ZERO).then_some(left)
    }

    /// An answer said that this many credits are left of the minute of `now`.
    pub(super) fn left(&self, credits: u64, now: DateTime<Utc>) {
        if credits == 0 {
            self.close(next_minute(now));
        }
    }

    /// An answer did not say how many are left, but perhaps how many are used.
    pub(super) fn used(&self, credits: Option<u64>, now: DateTime<Utc>) {
        let minute = now.timestamp().div_euclid(60);
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        let before = if used.0 == minute { used.1 } else { 0 };
        *used = (minute, credits.unwrap_or(before + 1));
        if used.1 >= LEAST {
            self.close(next_minute(now));
        }
    }

    /// An answer said that there are none left, of the day or of the minute of `now`.
    pub(super) fn refused(&self, of_the_day: bool, now: DateTime<Utc>) -> Duration {
        let wait = if of_the_day { NEXT_DAY } else { next_minute(now) };
        self.close(wait);
        wait
    }

    fn close(&self, wait: Duration) {
        let until = Instant::now() + wait;
        let mut closed = self.closed.lock().unwrap_or_else(PoisonError::into_inner);
        *closed = Some(closed.map_or(until, |before| before.max(until)));
    }
}

fn next_minute(now: DateTime<Utc>) -> Duration {
    let milliseconds = u64::from(now.second()) * 1_000 + u64::from(now.timestamp_subsec_millis());
    Duration::from_millis(60_000_u64.saturating_sub(milliseconds)) + GRACE
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap_or_default()
    }

    #[test]
    fn it_opens_again_with_the_next_minute() {
        let began = Instant::now();
        let pace = Pace::default();
        pace.left(1, at(50));
        assert_eq!(pace.closed_for(), None);
        pace.left(0, at(50));
        let open = |seconds| pace.closed_after(began + Duration::from_secs(seconds)).is_none();
        assert!(!open(10));
        assert_eq!(pace.refused(false, at(57)), Duration::from_secs(4));
        assert!(!open(10), "what is known already stands");
        assert!(open(60));
        assert_eq!(pace.refused(true, at(0)), NEXT_DAY);
        assert!(pace.closed_for().is_some());
    }

    #[test]
    fn where_credits_are_not_told_they_are_counted() {
        let pace = Pace::default();
        for second in [50, 51, 52, 53, 54, 55, 56] {
            pace.used(None, at(second));
        }
        // Of another minute.
        pace.used(None, at(60));
        assert_eq!(pace.closed_for(), None);
        pace.used(Some(7), at(61));
        assert_eq!(pace.closed_for(), None);
        pace.used(None, at(62));
        assert!(pace.closed_for().is_some());
        let told = Pace::default();
        told.used(Some(8), at(0));
        assert!(told.closed_for().is_some());
    }
}
