//! What can go wrong when we ask Twelve Data, sorted by what to do about it.

use std::time::Duration;

use thiserror::Error;

/// Why a call to Twelve Data failed. No variant holds the key.
#[derive(Debug, Error)]
pub enum TwelveDataError {
    /// The credits of this minute, or of this day, are used up.
    #[error("Twelve Data {operation}: no credits left for {} s", after.as_secs())]
    OutOfCredits {
        /// What was asked.
        operation: &'static str,
        /// When there will be some again, as far as is known.
        after: Duration,
    },
    /// The key is wrong, or its plan does not include this.
    #[error("Twelve Data {operation}: the key is not accepted (code {code})")]
    Unauthorized {
        /// What was asked.
        operation: &'static str,
        /// 401 or 403.
        code: u16,
    },
    /// The request is wrong and will not be right.
    #[error("Twelve Data {operation}: rejected with code {code}: {message}")]
    Rejected {
        /// What was asked.
        operation: &'static str,
        /// 400 to 499.
        code: u16,
        /// Twelve Data's words, at most 200 characters of them.
        message: String,
    },
    /// No usable answer; there may be one later.
    #[error("Twelve Data {operation}: no usable answer")]
    Unavailable {
        /// What was asked.
        operation: &'static str,
        /// What came instead.
        source: Outage,
    },
    /// It said yes, but not what we need to know.
    #[error("Twelve Data {operation}: the answer cannot be read")]
    Unreadable {
        /// What was asked.
        operation: &'static str,
        /// What is wrong with it.
        source: Unreadable,
    },
}

/// What came instead of an answer.
#[derive(Debug, Error)]
pub enum Outage {
    /// No connection, a broken one, or none within the time allowed.
    #[error("the connection failed")]
    Network(#[source] reqwest::Error),
    /// Twelve Data, or something on the way, failed.
    #[error("answered with status {0}")]
    Status(u16),
    /// An answer that is no JSON.
    #[error("the answer is not JSON (line {line}, column {column})")]
    NotJson {
        /// Where in the answer.
        line: usize,
        /// Where in the line.
        column: usize,
    },
}

/// What is wrong with an answer.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Unreadable {
    /// A field is missing or is of another kind.
    #[error("{0} is missing or is no text")]
    Field(&'static str),
    /// A price that is none.
    #[error("{field}: {source}")]
    Price {
        /// Which.
        field: &'static str,
        /// What is wrong with it.
        source: trading::InvalidPrice,
    },
}

impl TwelveDataError {
    /// Whether the same call can succeed later.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        matches!(self, Self::OutOfCredits { .. } | Self::Unavailable { .. })
    }
}
