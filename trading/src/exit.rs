//! How a signal ended.

use serde::{Deserialize, Serialize};

/// Why a signal is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Exit {
    /// Its last target was hit.
    Target,
    /// Its stop was hit where it was first.
    Stop,
    /// Its stop was hit after it had been moved to the entry.
    Breakeven,
    /// It was open for long without a target hit.
    Stagnant,
    /// The case for it no longer held.
    Weak,
    /// Somebody ended it.
    Cancelled,
    /// Its time was over; if it had not been entered by then, nothing was won or lost.
    Expired,
}

impl Exit {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Target, Self::Stop, Self::Breakeven, Self::Stagnant, Self::Weak, Self::Cancelled, Self::Expired];

    /// The word stored and shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Target => "target",
            Self::Stop => "stop",
            Self::Breakeven => "breakeven",
            Self::Stagnant => "stagnant",
            Self::Weak => "weak",
            Self::Cancelled => "cancelled",
            Self::Expired => "expired",
        }
    }
}
