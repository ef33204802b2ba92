//! Links that lead into a chat.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::Deserialize;
use thiserror::Error;

use super::update::storable;

/// What a link is called in the list that administrators see, and in the updates that
/// tell who used it. 1 to 32 characters.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LinkName(String);

/// Why a text cannot be the name of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum LinkNameError {
    /// Telegram takes 1 to 32 characters, and cuts off the rest unasked.
    #[error("the name of a link must have 1 to 32 characters, not {0}")]
    Length(usize),
    /// Telegram would change it.
    #[error("the name of a link must not contain control characters or white space at its ends")]
    Changed,
}

impl LinkName {
    /// Characters that the name of a link can have.
    pub const LONGEST: usize = 32;

    /// The name, if Telegram gives it back as it is.
    ///
    /// # Errors
    /// It is empty, too long, or Telegram would change it.
    pub fn new(name: impl Into<String>) -> Result<Self, LinkNameError> {
        let name = name.into();
        if name.trim() != name || name.chars().any(char::is_control) {
            return Err(LinkNameError::Changed);
        }
        match name.chars().count() {
            1..=Self::LONGEST => Ok(Self(name)),
            length => Err(LinkNameError::Length(length)),
        }
    }

    /// As it comes back in [`InviteLink::name`].
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A link that leads into a chat.
#[derive(Clone, PartialEq, Eq)]
pub struct InviteLink {
    /// What to open. Whoever has it can use it. In updates, the second half of a link
    /// that another administrator made is left out: it ends in `…`.
    pub url: String,
    /// What it is called.
    pub name: Option<String>,
    /// Whether it lets people ask to join. Otherwise it lets them in.
    pub asks: bool,
    /// How many people can be in the chat by it *at the same time*: when one leaves, the
    /// next can use it.
    pub member_limit: Option<u32>,
    /// When it stops working.
    pub expires_at: Option<DateTime<Utc>>,
    /// Whether it has stopped working.
    pub revoked: bool,
}

/// A `ChatInviteLink`, as far as we read it.
#[derive(Deserialize)]
pub(super) struct Described {
    invite_link: String,
    name: Option<String>,
    #[serde(default)]
    creates_join_request: bool,
    #[serde(default)]
    is_revoked: bool,
    member_limit: Option<u32>,
    expire_date: Option<i64>,
}

impl From<Described> for InviteLink {
    fn from(described: Described) -> Self {
        let expires_at = described.expire_date.filter(|instant| *instant > 0);
        Self {
            url: storable(described.invite_link),
            name: described.name.map(storable),
            asks: described.creates_join_request,
            member_limit: described.member_limit.filter(|limit| *limit > 0),
            expires_at: expires_at.and_then(|instant| DateTime::from_timestamp(instant, 0)),
            revoked: described.is_revoked,
        }
    }
}

/// Without the address and the name: who has the one gets in, the other may tell who they are.
impl fmt::Debug for InviteLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InviteLink")
            .field("asks", &self.asks)
            .field("member_limit", &self.member_limit)
            .field("expires_at", &self.expires_at)
            .field("revoked", &self.revoked)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_1_to_32_characters_and_comes_back_as_it_is() {
        for good in ["a", &"é".repeat(32), "VIP 7f3a"] {
            assert_eq!(LinkName::new(good).unwrap().as_str(), good);
        }
        assert_eq!(LinkName::new(""), Err(LinkNameError::Length(0)));
        assert_eq!(LinkName::new("é".repeat(33)), Err(LinkNameError::Length(33)));
        for changed in [" a", "a\n", "a\0b", "\u{a0}a"] {
            assert_eq!(LinkName::new(changed), Err(LinkNameError::Changed));
        }
    }
}
