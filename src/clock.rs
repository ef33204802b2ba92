//! Time and ids, from one place, so that a test can hold them still.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use chrono::{DateTime, Utc};
use uuid::{NoContext, Timestamp, Uuid};

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

    /// A new id that sorts by time (UUID version 7, RFC 9562).
    #[must_use]
    pub fn new_id(&self) -> Uuid {
        let now = self.now();
        let seconds = u64::try_from(now.timestamp()).unwrap_or_default();
        Uuid::new_v7(Timestamp::from_unix(NoContext, seconds, now.timestamp_subsec_nanos()))
    }
}
