//! What a campaign promises.

use std::collections::BTreeMap;

use chrono::{DateTime, Datelike, Utc};
use serde::{Deserialize, Serialize};

use super::{Benefit, Money};
use crate::CodeText;

/// The terms of a campaign: who may redeem what, when, how often.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// What admins and holders call it; 1 to 120 characters.
    pub name: String,
    /// For holders; at most 2,000 characters.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// The one code everybody redeems; none: unique codes, each good for one redemption.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<CodeText>,
    /// What a coupon is good for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub benefit: Option<Benefit>,
    /// First instant at which it can be redeemed; none: from activation on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starts_at: Option<DateTime<Utc>>,
    /// First instant at which it no longer can; none: until ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends_at: Option<DateTime<Utc>>,
    /// Redemptions of the shared code in all; none: without limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total_limit: Option<u32>,
    /// Redemptions by one person in each period; none: without limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit_per_person: Option<u32>,
    /// Of the limit per person.
    #[serde(default, skip_serializing_if = "Period::is_ever")]
    pub limit_period: Period,
    /// What a purchase must come to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimum_spend: Option<Money>,
    /// Who may redeem.
    #[serde(default, skip_serializing_if = "Audience::is_everyone")]
    pub audience: Audience,
    /// What people are asked before they get the benefit: at most 10. An admin looks
    /// at the answers and approves them, or not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub questions: Vec<Question>,
    /// Whether it is kept out of what strangers are shown.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unlisted: bool,
    /// Whatever other programs want to find again: at most 50 entries.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
}

/// A question to those who want to redeem.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Question {
    /// 1 to 300 characters.
    pub text: String,
    /// The answers to choose from, 2 to 8; none: whatever somebody writes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<String>,
}

/// A period of the calendar, in UTC.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Period {
    /// All time is one.
    #[default]
    Ever,
    /// From midnight to midnight.
    Day,
    /// From Monday to Monday (ISO 8601).
    Week,
    /// From the first of a month to the next.
    Month,
}

/// Who may redeem.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Audience {
    /// Whoever has a code.
    #[default]
    Everyone,
    /// Those to whom a coupon of the campaign was published.
    Holders,
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

impl Question {
    fn check(&self) -> Result<(), &'static str> {
        let text = |text: &str, most: usize| {
            !text.trim().is_empty() && text.chars().count() <= most && !text.chars().any(char::is_control)
        };
        if !text(&self.text, 300) {
            return Err("the text of a question must have 1 to 300 characters, no control characters");
        }
        if !self.choices.is_empty() && !(2..=8).contains(&self.choices.len()) {
            return Err("a question has 2 to 8 choices, or none");
        }
        if !self.choices.iter().all(|choice| text(choice, 60)) {
            return Err("a choice must have 1 to 60 characters, no control characters");
        }
        let different: std::collections::BTreeSet<_> = self.choices.iter().collect();
        if different.len() < self.choices.len() {
            return Err("the choices of a question must differ");
        }
        Ok(())
    }
}

impl Period {
    /// Which of its periods an instant falls into, counted from some past one.
    #[must_use]
    pub fn number(self, at: DateTime<Utc>) -> i32 {
        // 1970-01-01 was a Thursday.
        let days = || at.timestamp().div_euclid(86_400) as i32;
        match self {
            Self::Ever => 0,
            Self::Day => days(),
            Self::Week => (days() + 3).div_euclid(7),
            Self::Month => at.year() * 12 + at.month0() as i32,
        }
    }

    /// The word stored and shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ever => "ever",
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
        }
    }

    pub(super) const fn is_ever(&self) -> bool {
        matches!(self, Self::Ever)
    }

    /// What follows "per person".
    pub(super) const fn and_a(self) -> &'static str {
        match self {
            Self::Ever => "",
            Self::Day => " and day",
            Self::Week => " and week",
            Self::Month => " and month",
        }
    }
}

impl Audience {
    /// The word stored and shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Everyone => "everyone",
            Self::Holders => "holders",
        }
    }

    const fn is_everyone(&self) -> bool {
        matches!(self, Self::Everyone)
    }
}

impl Terms {
    /// Longest name, in characters.
    pub const NAME_LENGTH: usize = 120;
    /// Longest description, in characters.
    pub const DESCRIPTION_LENGTH: usize = 2_000;
    /// Most entries of the metadata; a name has at most 40 characters, a value 500.
    pub const METADATA_ENTRIES: usize = 50;

    /// Most questions.
    pub const QUESTIONS: usize = 10;

    /// Checks the terms by themselves and against each other.
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
        if self.description.chars().count() > Self::DESCRIPTION_LENGTH {
            return wrong("description", "must have at most 2000 characters");
        }
        if self.description.chars().any(|c| c.is_control() && c != '\n') {
            return wrong("description", "must not contain control characters but line breaks");
        }
        if let Some(Err(reason)) = self.benefit.as_ref().map(Benefit::check) {
            return wrong("benefit", reason);
        }
        if let (Some(start), Some(end)) = (self.starts_at, self.ends_at)
            && end <= start
        {
            return wrong("ends_at", "must be after starts_at");
        }
        if self.total_limit == Some(0) {
            return wrong("total_limit", "must be at least 1");
        }
        if self.total_limit.is_some() && self.code.is_none() {
            return wrong("total_limit", "is for a shared code; unique codes are limited by how many there are");
        }
        if self.limit_per_person == Some(0) {
            return wrong("limit_per_person", "must be at least 1");
        }
        if let (Some(total), Some(person)) = (self.total_limit, self.limit_per_person)
            && person > total
        {
            return wrong("limit_per_person", "must not be more than total_limit");
        }
        if self.limit_period != Period::Ever && self.limit_per_person.is_none() {
            return wrong("limit_period", "needs a limit_per_person");
        }
        if let Some(minimum) = self.minimum_spend {
            if minimum.minor == 0 {
                return wrong("minimum_spend", "must be more than nothing");
            }
            if let Some(Benefit::Amount(amount)) = &self.benefit
                && amount.currency != minimum.currency
            {
                return wrong("minimum_spend", "must be in the currency of the benefit");
            }
        }
        if self.questions.len() > Self::QUESTIONS {
            return wrong("questions", "must be at most 10");
        }
        if let Some(reason) = self.questions.iter().find_map(|question| question.check().err()) {
            return wrong("questions", reason);
        }
        if self.metadata.len() > Self::METADATA_ENTRIES {
            return wrong("metadata", "must have at most 50 entries");
        }
        for (name, value) in &self.metadata {
            if name.is_empty() || name.chars().count() > 40 || name.chars().any(char::is_control) {
                return wrong("metadata", "the name of an entry must have 1 to 40 characters, no control characters");
            }
            if value.chars().count() > 500 || value.chars().any(char::is_control) {
                return wrong("metadata", "a value must have at most 500 characters, no control characters");
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_are_those_of_the_calendar() {
        let at = |text: &str| text.parse::<DateTime<Utc>>().expect("an instant");
        let same = |period: Period, a: &str, b: &str| period.number(at(a)) == period.number(at(b));
        assert!(same(Period::Day, "2026-11-24T00:00:00Z", "2026-11-24T23:59:59Z"));
        assert!(!same(Period::Day, "2026-11-24T23:59:59Z", "2026-11-25T00:00:00Z"));
        // 2026-11-23 is a Monday.
        assert!(same(Period::Week, "2026-11-23T00:00:00Z", "2026-11-29T23:59:59Z"));
        assert!(!same(Period::Week, "2026-11-22T23:59:59Z", "2026-11-23T00:00:00Z"));
        assert!(same(Period::Month, "2026-11-01T00:00:00Z", "2026-11-30T23:59:59Z"));
        assert!(!same(Period::Month, "2026-11-30T23:59:59Z", "2026-12-01T00:00:00Z"));
        assert!(!same(Period::Month, "2025-11-24T00:00:00Z", "2026-11-24T00:00:00Z"));
        assert!(same(Period::Ever, "1970-01-01T00:00:00Z", "2026-12-01T00:00:00Z"));
        assert_eq!(Period::Week.number(at("1969-12-28T00:00:00Z")), -1);
    }
}
