//! What can go wrong with a call about who is in a chat, sorted by what to do about it.

use std::time::Duration;

use thiserror::Error;

use super::super::error::{ChatNumber, TelegramError};
use super::Settled;

/// The bot is an administrator, or was, but may not do this.
const RIGHTS: [&str; 5] = [
    "not enough rights",
    "need administrator rights",
    "member list is inaccessible",
    "chat_admin_required",
    "right_forbidden",
];

/// The bot is not in the chat, or there is no such chat any more.
const OUTSIDE: [&str; 9] = [
    "bot was kicked",
    "bot is not a member",
    "chat not found",
    "chat was deleted",
    "group is deactivated",
    "channel_private",
    "channel_invalid",
    "chat_id_invalid",
    "peer_id_invalid",
];

/// People who cannot be removed.
const PROTECTED: [&str; 4] =
    ["can't remove chat owner", "user is an administrator of the chat", "user_admin_invalid", "can't restrict self"];

/// Telegram does not know the person, or not in this chat.
const NOBODY: [&str; 8] = [
    "user not found",
    "member not found",
    "invalid user_id specified",
    "user_id_invalid",
    "participant_id_invalid",
    "user_not_participant",
    "user is deactivated",
    "input_user_deactivated",
];

/// The link does not work, which is all that revoking wishes.
const NO_SUCH_LINK: [&str; 3] = ["invite_hash_expired", "invite_hash_invalid", "invite_revoked_missing"];

/// Why a call about a chat failed. No variant shows the token, a number or a name.
#[derive(Debug, Error)]
pub enum ChannelError {
    /// The bot lacks a right there. Somebody has to give it.
    #[error("Telegram {operation}: the bot lacks a right in the chat: {reason}")]
    NotAllowed {
        /// The method that was called.
        operation: &'static str,
        /// Telegram's words.
        reason: String,
    },
    /// The bot is not in the chat: it was removed, or was never there, or the chat is gone.
    /// Somebody has to let it in.
    #[error("Telegram {operation}: the bot is not in the chat: {reason}")]
    Outside {
        /// The method that was called.
        operation: &'static str,
        /// Telegram's words.
        reason: String,
    },
    /// The group has become a supergroup, which has another number.
    #[error("Telegram {operation}: the chat has another number now")]
    Moved {
        /// The method that was called.
        operation: &'static str,
        /// The number.
        to: ChatNumber,
    },
    /// Owners and administrators cannot be removed, nor can the bot itself.
    #[error("Telegram {operation}: this person cannot be removed: {reason}")]
    Protected {
        /// The method that was called.
        operation: &'static str,
        /// Telegram's words.
        reason: String,
    },
    /// Anything else, as with every other call.
    #[error(transparent)]
    Call(TelegramError),
}

/// What may help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// The same call, later.
    Retry,
    /// The same call after this time, in which the bot has to be silent everywhere.
    Wait(Duration),
    /// Somebody who lets the bot into the chat or gives it a right; then the same call.
    Rights,
    /// The same call with another number for the chat.
    Readdress(ChatNumber),
    /// Nothing.
    None,
}

impl ChannelError {
    /// What may help.
    pub fn remedy(&self) -> Remedy {
        match self {
            Self::NotAllowed { .. } | Self::Outside { .. } => Remedy::Rights,
            Self::Moved { to, .. } => Remedy::Readdress(*to),
            Self::Protected { .. } => Remedy::None,
            Self::Call(TelegramError::RetryAfter { delay, .. }) => Remedy::Wait(*delay),
            Self::Call(error) if error.is_transient() => Remedy::Retry,
            Self::Call(_) => Remedy::None,
        }
    }

    /// Whether Telegram may have acted although we have no answer that says so.
    pub fn may_have_been_done(&self) -> bool {
        matches!(self, Self::Call(error) if error.may_have_been_delivered())
    }

    /// The method that was called.
    pub fn operation(&self) -> &'static str {
        match self {
            Self::NotAllowed { operation, .. }
            | Self::Outside { operation, .. }
            | Self::Moved { operation, .. }
            | Self::Protected { operation, .. } => operation,
            Self::Call(error) => error.operation(),
        }
    }
}

impl From<TelegramError> for ChannelError {
    fn from(error: TelegramError) -> Self {
        match error {
            TelegramError::Moved { operation, to } => Self::Moved { operation, to },
            TelegramError::Rejected { operation, reason } | TelegramError::RecipientGone { operation, reason }
                if says(&reason, &RIGHTS) =>
            {
                Self::NotAllowed { operation, reason }
            }
            TelegramError::Rejected { operation, reason } | TelegramError::RecipientGone { operation, reason }
                if says(&reason, &OUTSIDE) =>
            {
                Self::Outside { operation, reason }
            }
            TelegramError::Rejected { operation, reason } | TelegramError::RecipientGone { operation, reason }
                if says(&reason, &PROTECTED) =>
            {
                Self::Protected { operation, reason }
            }
            error => Self::Call(error),
        }
    }
}

/// What a refusal to settle a request comes to, if it is none to be alarmed about.
pub(super) fn settled(refusal: &TelegramError) -> Option<Settled> {
    let reason = words(refusal)?;
    if says(reason, &["user_already_participant"]) {
        Some(Settled::AlreadyIn)
    } else if says(reason, &["hide_requester_missing"]) {
        Some(Settled::RequestGone)
    } else if says(reason, &["user_channels_too_much"]) {
        Some(Settled::TooManyChannels)
    } else {
        is_nobody(reason).then_some(Settled::PersonGone)
    }
}

pub(super) fn says_nobody(refusal: &TelegramError) -> bool {
    words(refusal).is_some_and(is_nobody)
}

pub(super) fn says_no_such_link(refusal: &TelegramError) -> bool {
    words(refusal).is_some_and(|reason| says(reason, &NO_SUCH_LINK))
}

pub(super) fn is_nobody(reason: &str) -> bool {
    says(reason, &NOBODY)
}

/// Telegram's words, if it said no.
fn words(refusal: &TelegramError) -> Option<&str> {
    match refusal {
        TelegramError::Rejected { reason, .. } | TelegramError::RecipientGone { reason, .. } => Some(reason),
        TelegramError::RetryAfter { .. }
        | TelegramError::TooLate { .. }
        | TelegramError::Moved { .. }
        | TelegramError::Unavailable { .. } => None,
    }
}

fn says(reason: &str, phrases: &[&str]) -> bool {
    let reason = reason.to_ascii_lowercase();
    phrases.iter().any(|phrase| reason.contains(phrase))
}
