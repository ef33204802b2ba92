//! What an admin decides by hand, with their name and their reason.

use serde::{Deserialize, Serialize};

use crate::Personal;

/// Who decided something by hand, and why. Both are kept in the event: an
/// auditor asks for nothing more often.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ByHand {
    /// The admin, as they sign in.
    pub by: Personal<String>,
    /// In their words; 1 to 500 characters.
    pub reason: Personal<String>,
}

/// A decision by hand that does not say by whom or why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InvalidByHand {
    /// No admin.
    #[error("by: must have 1 to 200 characters, no control characters")]
    By,
    /// No reason.
    #[error("reason: must have 1 to 500 characters, no control characters but line breaks")]
    Reason,
}

impl ByHand {
    /// Checks both texts.
    ///
    /// # Errors
    /// [`InvalidByHand`], naming the field.
    pub fn check(&self) -> Result<(), InvalidByHand> {
        if !sensible(self.by.reveal(), 200, false) {
            return Err(InvalidByHand::By);
        }
        if !sensible(self.reason.reveal(), 500, true) {
            return Err(InvalidByHand::Reason);
        }
        Ok(())
    }
}

/// Whether a text has 1 to `most` characters besides space, and none that a
/// screen or the database would stumble over.
pub(crate) fn sensible(text: &str, most: usize, lines: bool) -> bool {
    let control = |c: char| c.is_control() && !(lines && c == '\n');
    !text.trim().is_empty() && text.chars().count() <= most && !text.chars().any(control)
}
