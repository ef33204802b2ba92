//! What can go wrong when we call Stripe, sorted by what to do about it.

use std::time::Duration;

use thiserror::Error;

use super::object::ObjectError;

/// Why a call to Stripe failed. No variant holds the key, or anything about a person:
/// of Stripe's own words only its codes are kept.
#[derive(Debug, Error)]
pub enum StripeError {
    /// Too fast, or somebody else is changing the same object this moment.
    #[error("Stripe {operation}: busy")]
    Busy {
        /// What was asked.
        operation: &'static str,
        /// How long Stripe asks to wait.
        after: Option<Duration>,
    },
    /// There is no such object: of this account, in this mode (live or test).
    #[error("Stripe {operation}: there is no such object")]
    Missing {
        /// What was asked.
        operation: &'static str,
    },
    /// The key is wrong, or may not do this.
    #[error("Stripe {operation}: the key is not accepted (status {status})")]
    Unauthorized {
        /// What was asked.
        operation: &'static str,
        /// 401 or 403.
        status: u16,
    },
    /// The request is wrong, or what it wants is not possible, and will not be.
    #[error("Stripe {operation}: rejected with status {status}{}", code.as_deref().map(|code| format!(" ({code})")).unwrap_or_default())]
    Rejected {
        /// What was asked.
        operation: &'static str,
        /// 400 to 499.
        status: u16,
        /// Stripe's code for it, as in `charge_already_refunded`; or else the type of error.
        code: Option<String>,
    },
    /// No usable answer.
    #[error("Stripe {operation}: no usable answer")]
    Unavailable {
        /// What was asked.
        operation: &'static str,
        /// What came instead of an answer.
        source: Outage,
    },
    /// It was done, but the object that came back does not say what we need to know.
    #[error("Stripe {operation}: the answer cannot be read")]
    Unreadable {
        /// What was asked.
        operation: &'static str,
        /// What is lacking.
        source: ObjectError,
    },
    /// An id that no object of Stripe has. Nothing was sent.
    #[error("Stripe {operation}: {what} is not an id of Stripe")]
    NoId {
        /// What was asked.
        operation: &'static str,
        /// Which id.
        what: &'static str,
    },
}

/// What came instead of an answer.
#[derive(Debug, Error)]
pub enum Outage {
    /// No connection, a broken one, or none within the time allowed.
    #[error("the connection failed")]
    Network(#[source] reqwest::Error),
    /// Stripe, or something on the way, failed.
    #[error("answered with status {0}")]
    Status(u16),
    /// Stripe failed on an earlier try under this idempotency key and repeats that answer
    /// for a day. Whether that try did anything, it does not say.
    #[error("an earlier try failed with status {0}, which Stripe only repeats")]
    Replayed(u16),
    /// It said yes, but not in JSON.
    #[error("the answer is not JSON (line {line}, column {column})")]
    NotJson {
        /// Where in the answer.
        line: usize,
        /// Where in the line.
        column: usize,
    },
}

impl StripeError {
    /// Whether the same call, under the same key, can succeed later.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Busy { .. } => true,
            Self::Unavailable { source, .. } => !matches!(source, Outage::Replayed(_)),
            Self::Missing { .. }
            | Self::Unauthorized { .. }
            | Self::Rejected { .. }
            | Self::Unreadable { .. }
            | Self::NoId { .. } => false,
        }
    }

    /// What was asked.
    #[must_use]
    pub fn operation(&self) -> &'static str {
        match self {
            Self::Busy { operation, .. }
            | Self::Missing { operation }
            | Self::Unauthorized { operation, .. }
            | Self::Rejected { operation, .. }
            | Self::Unavailable { operation, .. }
            | Self::Unreadable { operation, .. }
            | Self::NoId { operation, .. } => operation,
        }
    }

    /// Stripe's code for a rejection.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Rejected { code, .. } => code.as_deref(),
            _ => None,
        }
    }
}
