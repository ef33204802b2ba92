//! What a campaign promises.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::CodeText;

/// The terms of a campaign: who may redeem what, when, how often.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// What admins and holders call it; 1 to 120 characters.
    pub name: String,
    /// The one code everybody redeems.
    pub code: CodeText,
    /// First instant at which it can be redeemed; none: from activation on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starts_at: Option<DateTime<Utc>>,
    /// First instant at which it no longer can; none: until ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends_at: Option<DateTime<Utc>>,
    /// Redemptions in all; none: without limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total_limit: Option<u32>,
    /// Redemptions by one person; none: without limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit_per_person: Option<u32>,
}

/// Terms that make no sense, by the field that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[error("{field}: {reason}")]
pub struct InvalidTerms {
    /// The field's name as in [`Terms`].
    pub field: String,
    /// What is wrong with it, for the person who wrote it.
    pub reason: String,
}

impl Terms {
    /// Longest name, in characters.
    pub const NAME_LENGTH: usize = 120;

    /// Checks the terms against each other.
    ///
    /// # Errors
    /// The first field that is wrong.
    pub fn check(&self) -> Result<(), InvalidTerms> {
        let wrong =
            |field: &str, reason: &str| Err(InvalidTerms { field: field.to_owned(), reason: reason.to_owned() });
        if self.name.trim().is_empty() {
            return wrong("name", "must not be empty");
        }
        if self.name.chars().count() > Self::NAME_LENGTH {
            return wrong("name", "must have at most 120 characters");
        }
        if self.name.chars().any(char::is_control) {
            return wrong("name", "must not contain control characters");
        }
        if let (Some(start), Some(end)) = (self.starts_at, self.ends_at)
            && end <= start
        {
            return wrong("ends_at", "must be after starts_at");
        }
        if self.total_limit == Some(0) {
            return wrong("total_limit", "must be at least 1");
        }
        if self.limit_per_person == Some(0) {
            return wrong("limit_per_person", "must be at least 1");
        }
        if let (Some(total), Some(person)) = (self.total_limit, self.limit_per_person)
            && person > total
        {
            return wrong("limit_per_person", "must not be more than total_limit");
        }
        Ok(())
    }
}
