//! Time and ids, from one place, so that a test can hold them still.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use chrono::{DateTime, Utc};
use uuid::{Builder, Uuid};

/// Where the time and new ids come from. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Clock(Option<Arc<AtomicI64>>);

impl Clock {
    /// The machine's clock.
    #[must_use]
    pub const fn system() -> Self {
        Self(None)
    }

    /// A clock that stands still until it is [set](Self::set).
    #[must_use]
    pub fn fixed(now: DateTime<Utc>) -> Self {
        Self(Some(Arc::new(AtomicI64::new(now.timestamp_micros()))))
    }

    /// Moves a fixed clock and all its clones; no effect on the machine's.
    pub fn set(&self, now: DateTime<Utc>) {
        if let Some(fixed) = &self.0 {
            fixed.store(now.timestamp_micros(), Ordering::SeqCst);
        }
    }

    /// Now, in whole microseconds: what PostgreSQL keeps.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        let micros = match &self.0 {
            Some(fixed) => fixed.load(Ordering::SeqCst),
            #[allow(clippy::disallowed_methods, reason = "this is the place it is taken from")]
            None => Utc::now().timestamp_micros(),
        };
        DateTime::from_timestamp_micros(micros).unwrap_or_default()
    }

    /// A new id that sorts by time, to the microsecond (UUID version 7; RFC 9562,
    /// section 6.2, method 3): ids made one after the other lie side by side in
    /// an index, even a thousand in the same millisecond.
    #[must_use]
    pub fn new_id(&self) -> Uuid {
        let micros = u64::try_from(self.now().timestamp_micros()).unwrap_or_default();
        let mut random: [u8; 10] = rand::random();
        // The 12 bits after the milliseconds hold the fraction of one.
        let [_, .., high, low] = ((micros % 1_000) * 4_096 / 1_000).to_be_bytes();
        random[..2].copy_from_slice(&[high, low]);
        Builder::from_unix_timestamp_millis(micros / 1_000, &random).into_uuid()
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    #[test]
    fn ids_sort_by_the_microsecond_and_differ_within_it() {
        let start = DateTime::from_timestamp_micros(1_795_000_000_123_999).unwrap_or_default();
        let clock = Clock::fixed(start);
        let mut last = clock.new_id();
        assert_eq!(last.get_version_num(), 7);
        assert_eq!(last.get_timestamp().map(|at| at.to_unix()), Some((1_795_000_000, 123_000_000)));
        assert_ne!(last, clock.new_id());
        for n in 1..3_000 {
            clock.set(start + TimeDelta::microseconds(n));
            let next = clock.new_id();
            assert!(next > last, "{next} after {last}");
            last = next;
        }
    }
}
