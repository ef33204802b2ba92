//! What can go wrong when we call Telegram, sorted by what to do about it.

use std::fmt;
use std::time::Duration;

use thiserror::Error;

/// Why a call to Telegram failed. No variant shows the token, a chat id or a text.
#[derive(Debug, Error)]
pub enum TelegramError {
    /// We are too fast. The whole bot is refused until the delay has passed.
    #[error("Telegram {operation}: too many requests, retry after {}s", delay.as_secs())]
    RetryAfter {
        /// The method that was called.
        operation: &'static str,
        /// How long to be silent, in every chat.
        delay: Duration,
    },
    /// The recipient blocked the bot, left, or never started it. Final for this
    /// recipient, and nothing to be alarmed about.
    #[error("Telegram {operation}: the recipient is out of reach: {reason}")]
    RecipientGone {
        /// The method that was called.
        operation: &'static str,
        /// Telegram's words.
        reason: String,
    },
    /// What it was about is over: a message that was deleted, a press that has been
    /// answered or waited too long. Final, and nothing to be alarmed about.
    #[error("Telegram {operation}: too late: {reason}")]
    TooLate {
        /// The method that was called.
        operation: &'static str,
        /// Telegram's words.
        reason: String,
    },
    /// The group has become a supergroup, which has another number. Final for this one.
    #[error("Telegram {operation}: the chat has another number now")]
    Moved {
        /// The method that was called.
        operation: &'static str,
        /// The number.
        to: ChatNumber,
    },
    /// The request is wrong and will be wrong again.
    #[error("Telegram {operation}: rejected: {reason}")]
    Rejected {
        /// The method that was called.
        operation: &'static str,
        /// Telegram's words.
        reason: String,
    },
    /// No usable answer. Try again.
    #[error("Telegram {operation}: no usable answer")]
    Unavailable {
        /// The method that was called.
        operation: &'static str,
        /// What came instead of an answer.
        source: Outage,
    },
}

/// The number of a chat, in an error that may be logged.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ChatNumber(pub i64);

/// Without the number.
impl fmt::Debug for ChatNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ChatNumber(..)")
    }
}

/// What came instead of an answer.
#[derive(Debug, Error)]
pub enum Outage {
    /// No connection, a broken one, or none within the time allowed.
    #[error("the connection failed")]
    Network(#[source] reqwest::Error),
    /// Telegram says in its own words that it failed: it did not do it.
    #[error("failed with status {0}")]
    Failed(u16),
    /// Something on the way answered for Telegram, which may have acted.
    #[error("answered with status {0}")]
    Status(u16),
    /// It said yes in a form we cannot read.
    #[error("the answer cannot be read (line {line}, column {column})")]
    Unreadable {
        /// Where in the answer.
        line: usize,
        /// Where in the line.
        column: usize,
    },
}

impl TelegramError {
    /// Whether the same call can succeed later.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::RetryAfter { .. } | Self::Unavailable { .. } => true,
            Self::RecipientGone { .. } | Self::TooLate { .. } | Self::Moved { .. } | Self::Rejected { .. } => false,
        }
    }

    /// Whether Telegram may have acted although we have no answer that says so.
    pub fn may_have_been_delivered(&self) -> bool {
        match self {
            Self::Unavailable { source, .. } => match source {
                Outage::Network(error) => !error.is_connect() && !error.is_builder(),
                Outage::Failed(_) => false,
                Outage::Status(_) | Outage::Unreadable { .. } => true,
            },
            Self::RetryAfter { .. }
            | Self::RecipientGone { .. }
            | Self::TooLate { .. }
            | Self::Moved { .. }
            | Self::Rejected { .. } => false,
        }
    }

    /// The method that was called.
    pub fn operation(&self) -> &'static str {
        match self {
            Self::RetryAfter { operation, .. }
            | Self::RecipientGone { operation, .. }
            | Self::TooLate { operation, .. }
            | Self::Moved { operation, .. }
            | Self::Rejected { operation, .. }
            | Self::Unavailable { operation, .. } => operation,
        }
    }
}
