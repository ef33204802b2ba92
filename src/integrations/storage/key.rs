//! The names of objects.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::secrets::hex;

/// The name of an object, such as `templates/0192f0c4-…`: parts of lower-case letters,
/// digits, `-`, `_` and `.`, joined by `/`. Such a name is the same in a bucket, in a
/// folder and in an address, and leads out of none of them.
///
/// A folder cannot keep both `a` and `a/b`; let a first part be of one kind.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Key(String);

/// Why a text is no key.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum KeyError {
    /// There is nothing.
    #[error("a key must not be empty")]
    Empty,
    /// It is longer than [`Key::MOST_BYTES`].
    #[error("a key has at most {} bytes, not {bytes}", Key::MOST_BYTES)]
    TooLong {
        /// How long it is.
        bytes: usize,
    },
    /// Nothing stands before, after or between slashes.
    #[error("a key must not begin or end with a slash, or have two in a row")]
    EmptyPart,
    /// A part that means another folder.
    #[error("\".\" and \"..\" are no parts of a key")]
    Dots,
    /// A character that not every store takes.
    #[error("a key has lower-case letters, digits, \"-\", \"_\", \".\" and \"/\", not {character:?} (byte {at})")]
    Character {
        /// It.
        character: char,
        /// Where, in bytes from the beginning.
        at: usize,
    },
}

impl Key {
    /// How long a key may be.
    pub const MOST_BYTES: usize = 200;

    /// Reads a key.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn new(text: impl Into<String>) -> Result<Self, KeyError> {
        let text = text.into();
        if text.is_empty() {
            return Err(KeyError::Empty);
        }
        if text.len() > Self::MOST_BYTES {
            return Err(KeyError::TooLong { bytes: text.len() });
        }
        let allowed = |character| matches!(character, 'a'..='z' | '0'..='9' | '-' | '_' | '.' | '/');
        if let Some((at, character)) = text.char_indices().find(|(_, character)| !allowed(*character)) {
            return Err(KeyError::Character { character, at });
        }
        for part in text.split('/') {
            match part {
                "" => return Err(KeyError::EmptyPart),
                "." | ".." => return Err(KeyError::Dots),
                _ => {}
            }
        }
        Ok(Self(text))
    }

    /// The key that these bytes have below `folder`: their SHA-256 (FIPS 180-4) in hexadecimal.
    ///
    /// # Errors
    /// [`KeyError`], of the folder.
    pub fn of_content(folder: &str, bytes: &[u8]) -> Result<Self, KeyError> {
        Self::new(format!("{folder}/{}", hex(&Sha256::digest(bytes))))
    }

    /// Of the object that is there to be checked.
    pub(super) fn probe() -> Self {
        Self("health/probe".to_owned())
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Key {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        Self::new(text)
    }
}

impl TryFrom<String> for Key {
    type Error = KeyError;

    fn try_from(text: String) -> Result<Self, KeyError> {
        Self::new(text)
    }
}

impl From<Key> for String {
    fn from(key: Key) -> Self {
        key.0
    }
}
