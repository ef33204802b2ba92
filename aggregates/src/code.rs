//! A shared code, and which campaign holds it.
//!
//! Every code text is a stream of its own, so the log's optimistic concurrency
//! is what keeps two campaigns from running under the same code. A campaign
//! claims its code before it is activated; ending releases it.

use chrono::{DateTime, Utc};
use cqrs_es::{Aggregate, DomainEvent, event_sink::EventSink};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{Decide, decide};

/// The text of a shared code in its one normal form: 3 to 32 of `A-Z0-9_-`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CodeText(String);

/// Why a text cannot be a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidCode {
    /// Too short or too long.
    #[error("a code has 3 to 32 characters")]
    Length,
    /// A character that is not a letter, digit, hyphen or underscore.
    #[error("a code has only the letters A to Z, digits, hyphens and underscores")]
    Character,
}

impl CodeText {
    /// Normalises what a person typed: surrounding space and letter case do not matter.
    ///
    /// # Errors
    /// [`InvalidCode`] when the text cannot be a code.
    pub fn new(typed: &str) -> Result<Self, InvalidCode> {
        let text = typed.trim();
        if !text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_') {
            return Err(InvalidCode::Character);
        }
        if !(3..=32).contains(&text.len()) {
            return Err(InvalidCode::Length);
        }
        Ok(Self(text.to_ascii_uppercase()))
    }

    /// The normal form.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for CodeText {
    type Error = InvalidCode;
    fn try_from(text: String) -> Result<Self, InvalidCode> {
        Self::new(&text)
    }
}

impl From<CodeText> for String {
    fn from(code: CodeText) -> Self {
        code.0
    }
}

impl std::fmt::Display for CodeText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// A shared code: free, or held by one campaign.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Code {
    /// Anyone may claim it.
    #[default]
    Free,
    /// Redeeming it redeems this campaign.
    Held {
        /// The holder.
        campaign: Uuid,
    },
}

/// Wishes about a code.
#[derive(Debug, Clone)]
pub enum Command {
    /// A campaign wants it. Who holds it already claims it again, and says so:
    /// a release that was decided before does then not fit the version any more.
    Claim {
        /// Who wants it.
        campaign: Uuid,
        /// When.
        at: DateTime<Utc>,
    },
    /// A campaign no longer needs it. Releasing what one does not hold is no change.
    Release {
        /// Who lets go.
        campaign: Uuid,
        /// When.
        at: DateTime<Utc>,
    },
}

/// Facts about a code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// It belongs to this campaign from now on.
    Claimed {
        /// The holder.
        campaign: Uuid,
        /// When.
        at: DateTime<Utc>,
    },
    /// It is free again.
    Released {
        /// The former holder.
        campaign: Uuid,
        /// When.
        at: DateTime<Utc>,
    },
}

/// Why a claim is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum Refusal {
    /// Another campaign runs under this code.
    #[error("the code is in use by campaign {campaign}")]
    Held {
        /// Its holder.
        campaign: Uuid,
    },
}

impl DomainEvent for Event {
    fn event_type(&self) -> String {
        match self {
            Self::Claimed { .. } => "Claimed",
            Self::Released { .. } => "Released",
        }
        .to_owned()
    }

    fn event_version(&self) -> String {
        "1".to_owned()
    }
}

impl Aggregate for Code {
    const TYPE: &'static str = "code";
    type Command = Command;
    type Event = Event;
    type Error = Refusal;
    type Services = ();

    async fn handle(&mut self, command: Command, _: &(), sink: &EventSink<Self>) -> Result<(), Refusal> {
        decide::collect(self, command, sink).await
    }

    fn apply(&mut self, event: Event) {
        *self = match event {
            Event::Claimed { campaign, .. } => Self::Held { campaign },
            Event::Released { .. } => Self::Free,
        };
    }
}

impl Decide for Code {
    fn decide(&self, command: &Command) -> Result<Vec<Event>, Refusal> {
        match (self, command) {
            (Self::Free, &Command::Claim { campaign, at }) => Ok(vec![Event::Claimed { campaign, at }]),
            (Self::Held { campaign: holder }, Command::Claim { campaign, .. }) if holder != campaign => {
                Err(Refusal::Held { campaign: *holder })
            }
            (Self::Held { campaign: holder }, &Command::Release { campaign, at }) if *holder == campaign => {
                Ok(vec![Event::Released { campaign, at }])
            }
            (Self::Held { .. }, &Command::Claim { campaign, at }) => Ok(vec![Event::Claimed { campaign, at }]),
            (_, Command::Release { .. }) => Ok(vec![]),
        }
    }
}

#[cfg(test)]
mod tests {
    use cqrs_es::test::TestFramework;

    use super::*;

    const A: Uuid = Uuid::from_u128(1);
    const B: Uuid = Uuid::from_u128(2);
    const AT: DateTime<Utc> = DateTime::from_timestamp_nanos(0);

    fn claimed(campaign: Uuid) -> Event {
        Event::Claimed { campaign, at: AT }
    }

    fn released(campaign: Uuid) -> Event {
        Event::Released { campaign, at: AT }
    }

    fn given(events: Vec<Event>) -> cqrs_es::test::AggregateTestExecutor<Code> {
        TestFramework::with(()).given(events)
    }

    #[test]
    fn a_free_code_goes_to_the_first_who_claims_it() {
        given(vec![]).when(Command::Claim { campaign: A, at: AT }).then_expect_events(vec![claimed(A)]);
        given(vec![claimed(A)]).when(Command::Claim { campaign: A, at: AT }).then_expect_events(vec![claimed(A)]);
        given(vec![claimed(A)])
            .when(Command::Claim { campaign: B, at: AT })
            .then_expect_error(Refusal::Held { campaign: A });
    }

    #[test]
    fn only_its_holder_releases_it() {
        given(vec![claimed(A)]).when(Command::Release { campaign: B, at: AT }).then_expect_events(vec![]);
        given(vec![claimed(A)]).when(Command::Release { campaign: A, at: AT }).then_expect_events(vec![released(A)]);
        given(vec![claimed(A), released(A)])
            .when(Command::Claim { campaign: B, at: AT })
            .then_expect_events(vec![claimed(B)]);
    }

    #[test]
    fn a_typed_code_has_one_normal_form() {
        assert_eq!(CodeText::new("  gold-10 ").map(String::from), Ok("GOLD-10".to_owned()));
        assert_eq!(CodeText::new("ab"), Err(InvalidCode::Length));
        assert_eq!(CodeText::new("золото"), Err(InvalidCode::Character));
        assert_eq!(CodeText::new("a b c"), Err(InvalidCode::Character));
        assert_eq!(CodeText::new("A\0BC"), Err(InvalidCode::Character));
    }
}
