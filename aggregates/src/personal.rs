//! Personal data in events, in one wrapper.

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A person, by a pseudonym: a keyed hash of the identity they came with.
///
/// Rules count and compare by it, so a person's data can become unreadable
/// without changing what any rule decides. The key is the installation's.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PersonId(pub Uuid);

impl fmt::Display for PersonId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for PersonId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "person:{}", self.0)
    }
}

/// Data about a person: an e-mail address, a name, a Telegram id, free text.
///
/// All personal data in events sits in this type and is stored as
/// `{"personal": …}`, so that the log can later seal it with a key per person.
/// It never prints its content.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Personal<T> {
    personal: T,
}

impl<T> Personal<T> {
    /// Wraps personal data.
    pub const fn new(personal: T) -> Self {
        Self { personal }
    }

    /// The data itself, for the one place that needs it.
    pub const fn reveal(&self) -> &T {
        &self.personal
    }
}

impl<T> fmt::Debug for Personal<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[personal]")
    }
}

/// A Telegram account as the bot saw it. In a private chat the chat's id is the
/// user's id, so this is also where to write to.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TelegramUser {
    /// Telegram's user id.
    pub id: i64,
    /// First name, as the user wrote it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// IETF language tag of the user's client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
}
