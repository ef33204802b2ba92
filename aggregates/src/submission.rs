//! What a person answered to a campaign's questions, and what became of it.
//!
//! There is one stream for each person and campaign, so that nobody can have two
//! sets of answers waiting at once.

use chrono::{DateTime, Utc};
use cqrs_es::{Aggregate, DomainEvent, event_sink::EventSink};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{Decide, PersonId, Personal, TelegramUser, UniqueCode, decide};

#[cfg(test)]
mod tests;

/// A person's answers to a campaign's questions.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Submission {
    /// There are none.
    #[default]
    Missing,
    /// Somebody has to look at them.
    Pending(Submitted),
    /// They are good; the coupon is about to be redeemed.
    Approved(Submitted),
    /// They were good and the coupon is redeemed.
    Fulfilled,
    /// They were not good.
    Rejected,
}

/// Answers with whose they are and what for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Submitted {
    /// The campaign that asked.
    pub campaign: Uuid,
    /// Who answered.
    pub person: PersonId,
    /// Where to write to.
    pub telegram: Personal<TelegramUser>,
    /// The code they have; none: the shared one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub coupon: Option<UniqueCode>,
    /// What they were asked and what they said, in order.
    pub answers: Personal<Vec<Answer>>,
}

/// One question and its answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// As it was asked.
    pub question: String,
    /// As it was answered.
    pub answer: String,
}

/// Where a submission stands, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// See [`Submission::Pending`].
    Pending,
    /// See [`Submission::Approved`].
    Approved,
    /// See [`Submission::Fulfilled`].
    Fulfilled,
    /// See [`Submission::Rejected`].
    Rejected,
}

impl Status {
    /// The word stored and shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Approved => "approved",
            Self::Fulfilled => "fulfilled",
            Self::Rejected => "rejected",
        }
    }
}

/// Wishes about a submission. `at` is always the time of the wish.
#[derive(Debug, Clone)]
#[allow(missing_docs, reason = "the fields are those of the events")]
pub enum Command {
    /// Hand answers in.
    Submit { submitted: Submitted, at: DateTime<Utc> },
    /// They are good: redeem the coupon.
    Approve { at: DateTime<Utc> },
    /// They are not, and why, for the person to read.
    Reject { reason: Personal<String>, at: DateTime<Utc> },
    /// The coupon is redeemed.
    Fulfil { redemption: Uuid, at: DateTime<Utc> },
    /// It could not be redeemed; somebody has to look again.
    Fail { reason: String, at: DateTime<Utc> },
}

/// Facts about a submission.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "each field says what it is by its name and type")]
pub enum Event {
    /// Answers were handed in.
    Submitted { submitted: Submitted, at: DateTime<Utc> },
    /// They are good.
    Approved { submitted: Submitted, at: DateTime<Utc> },
    /// They are not.
    Rejected { submitted: Submitted, reason: Personal<String>, at: DateTime<Utc> },
    /// The coupon is redeemed.
    Fulfilled { redemption: Uuid, at: DateTime<Utc> },
    /// It could not be redeemed.
    Failed { reason: String, at: DateTime<Utc> },
}

/// Why a wish is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum Refusal {
    /// Nothing exists under this id.
    #[error("there is no such submission")]
    Missing,
    /// The lifecycle does not allow it.
    #[error("a submission that is {} cannot be {wish}", status.as_str())]
    Status {
        /// Where it stands.
        status: Status,
        /// What was wanted.
        wish: String,
    },
    /// A rejection says why.
    #[error("a reason has 1 to 500 characters")]
    Reason,
}

impl Submission {
    /// Where it stands; none when there is none.
    #[must_use]
    pub const fn status(&self) -> Option<Status> {
        match self {
            Self::Missing => None,
            Self::Pending(_) => Some(Status::Pending),
            Self::Approved(_) => Some(Status::Approved),
            Self::Fulfilled => Some(Status::Fulfilled),
            Self::Rejected => Some(Status::Rejected),
        }
    }

    fn not_now(&self, wish: &str) -> Refusal {
        self.status().map_or(Refusal::Missing, |status| Refusal::Status { status, wish: wish.to_owned() })
    }
}

impl Decide for Submission {
    fn decide(&self, command: &Command) -> Result<Vec<Event>, Refusal> {
        Ok(match (self, command) {
            (Self::Missing | Self::Rejected | Self::Fulfilled, Command::Submit { submitted, at }) => {
                vec![Event::Submitted { submitted: submitted.clone(), at: *at }]
            }
            (_, Command::Submit { .. }) => return Err(self.not_now("handed in again")),
            (Self::Pending(submitted), Command::Approve { at }) => {
                vec![Event::Approved { submitted: submitted.clone(), at: *at }]
            }
            (Self::Approved(_) | Self::Fulfilled, Command::Approve { .. }) => vec![],
            (_, Command::Approve { .. }) => return Err(self.not_now("approved")),
            (Self::Pending(submitted), Command::Reject { reason, at }) => {
                if !(1..=500).contains(&reason.reveal().trim().chars().count()) {
                    return Err(Refusal::Reason);
                }
                vec![Event::Rejected { submitted: submitted.clone(), reason: reason.clone(), at: *at }]
            }
            (_, Command::Reject { .. }) => return Err(self.not_now("rejected")),
            (Self::Approved(_), Command::Fulfil { redemption, at }) => {
                vec![Event::Fulfilled { redemption: *redemption, at: *at }]
            }
            (Self::Fulfilled, Command::Fulfil { .. }) => vec![],
            (_, Command::Fulfil { .. }) => return Err(self.not_now("fulfilled")),
            (Self::Approved(_), Command::Fail { reason, at }) => {
                vec![Event::Failed { reason: reason.clone(), at: *at }]
            }
            (Self::Pending(_), Command::Fail { .. }) => vec![],
            (_, Command::Fail { .. }) => return Err(self.not_now("put back")),
        })
    }
}

impl Aggregate for Submission {
    const TYPE: &'static str = "submission";
    type Command = Command;
    type Event = Event;
    type Error = Refusal;
    type Services = ();

    async fn handle(&mut self, command: Command, _: &(), sink: &EventSink<Self>) -> Result<(), Refusal> {
        decide::collect(self, command, sink).await
    }

    fn apply(&mut self, event: Event) {
        *self = match (std::mem::take(self), event) {
            (_, Event::Submitted { submitted, .. }) => Self::Pending(submitted),
            (_, Event::Approved { submitted, .. }) => Self::Approved(submitted),
            (_, Event::Rejected { .. }) => Self::Rejected,
            (_, Event::Fulfilled { .. }) => Self::Fulfilled,
            (Self::Approved(submitted), Event::Failed { .. }) => Self::Pending(submitted),
            (state, Event::Failed { .. }) => state,
        };
    }
}

impl DomainEvent for Event {
    fn event_type(&self) -> String {
        match self {
            Self::Submitted { .. } => "Submitted",
            Self::Approved { .. } => "Approved",
            Self::Rejected { .. } => "Rejected",
            Self::Fulfilled { .. } => "Fulfilled",
            Self::Failed { .. } => "Failed",
        }
        .to_owned()
    }

    fn event_version(&self) -> String {
        "1".to_owned()
    }
}
