//! A coupon campaign with one shared code.
//!
//! draft → active ⇄ paused → ended. The total limit and the limit per person
//! are judged here and nowhere else.

mod terms;
#[cfg(test)]
mod tests;

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use cqrs_es::{Aggregate, DomainEvent, event_sink::EventSink};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{CodeText, Decide, PersonId, Personal, TelegramUser, decide};
pub use terms::{InvalidTerms, Terms};

/// The lifecycle of a campaign.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Campaign {
    /// Nothing happened under this id.
    #[default]
    Missing,
    /// Being written; nobody can redeem it.
    Draft(Terms),
    /// Can be redeemed inside its dates and limits.
    Active(Running),
    /// Stopped for now.
    Paused(Running),
    /// Stopped for good.
    Ended(Running),
}

/// What a campaign that was ever activated knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Running {
    /// The terms in force.
    pub terms: Terms,
    /// Redemptions so far.
    pub redeemed: u32,
    /// Redemptions so far, by person.
    by_person: HashMap<PersonId, u32>,
}

/// Where a campaign stands, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// See [`Campaign::Draft`].
    Draft,
    /// See [`Campaign::Active`].
    Active,
    /// See [`Campaign::Paused`].
    Paused,
    /// See [`Campaign::Ended`].
    Ended,
}

impl Status {
    /// The word stored and shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Active => "active",
            Self::Paused => "paused",
            Self::Ended => "ended",
        }
    }
}

/// Wishes about a campaign. `at` is always the time of the wish.
#[derive(Debug, Clone)]
#[allow(missing_docs, reason = "the fields are those of the events")]
pub enum Command {
    /// Write a new campaign.
    Draft { terms: Terms, at: DateTime<Utc> },
    /// Change the terms. The code can change only in a draft.
    ChangeTerms { terms: Terms, at: DateTime<Utc> },
    /// Open it. Its code must have been claimed for it.
    Activate { at: DateTime<Utc> },
    /// Stop it for now.
    Pause { at: DateTime<Utc> },
    /// Open it again.
    Resume { at: DateTime<Utc> },
    /// Stop it for good, or discard the draft.
    End { at: DateTime<Utc> },
    /// A person asks for the benefit.
    Redeem { redemption: Uuid, person: PersonId, telegram: Personal<TelegramUser>, at: DateTime<Utc> },
}

/// Facts about a campaign.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "each field says what it is by its name and type")]
pub enum Event {
    /// It was written.
    Drafted { terms: Terms, at: DateTime<Utc> },
    /// Other terms are in force; `released` is the code it no longer wants.
    TermsChanged {
        terms: Terms,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        released: Option<CodeText>,
        at: DateTime<Utc>,
    },
    /// It was opened.
    Activated { at: DateTime<Utc> },
    /// It was stopped for now.
    Paused { at: DateTime<Utc> },
    /// It was opened again.
    Resumed { at: DateTime<Utc> },
    /// It was stopped for good and lets go of its code.
    Ended { code: CodeText, at: DateTime<Utc> },
    /// A person got the benefit; `number` counts the campaign's redemptions from 1.
    Redeemed { redemption: Uuid, number: u32, person: PersonId, telegram: Personal<TelegramUser>, at: DateTime<Utc> },
}

/// Why a wish is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[allow(missing_docs, reason = "each field says what it is by its name and type")]
pub enum Refusal {
    /// Nothing exists under this id.
    #[error("there is no such campaign")]
    Missing,
    /// The id is taken.
    #[error("the campaign exists already")]
    Exists,
    /// The lifecycle does not allow it.
    #[error("a campaign that is {} cannot be {wish}", status.as_str())]
    Status { status: Status, wish: String },
    /// The terms make no sense.
    #[error(transparent)]
    Terms(#[from] InvalidTerms),
    /// The code of a campaign that was activated is fixed.
    #[error("the code can be changed only in a draft")]
    CodeFixed,
    /// The new limit is below what people already got.
    #[error("total_limit is below the {redeemed} redemptions there already are")]
    LimitBelowRedeemed { redeemed: u32 },
    /// Too early.
    #[error("the campaign starts at {starts_at}")]
    NotStarted { starts_at: DateTime<Utc> },
    /// Too late.
    #[error("the campaign ended at {ends_at}")]
    Over { ends_at: DateTime<Utc> },
    /// The total limit is reached.
    #[error("all {limit} redemptions are taken")]
    Exhausted { limit: u32 },
    /// The person's limit is reached.
    #[error("the limit of {limit} per person is reached")]
    PersonLimit { limit: u32 },
}

impl Campaign {
    /// Where it stands; none when there is none.
    #[must_use]
    pub const fn status(&self) -> Option<Status> {
        match self {
            Self::Missing => None,
            Self::Draft(_) => Some(Status::Draft),
            Self::Active(_) => Some(Status::Active),
            Self::Paused(_) => Some(Status::Paused),
            Self::Ended(_) => Some(Status::Ended),
        }
    }

    /// The terms in force; none when there is no campaign.
    #[must_use]
    pub const fn terms(&self) -> Option<&Terms> {
        match self {
            Self::Missing => None,
            Self::Draft(terms) => Some(terms),
            Self::Active(running) | Self::Paused(running) | Self::Ended(running) => Some(&running.terms),
        }
    }

    /// Whether it needs this code to itself, now or once it is opened.
    #[must_use]
    pub fn wants(&self, code: &CodeText) -> bool {
        match self {
            Self::Missing | Self::Ended(_) => false,
            Self::Draft(terms) | Self::Active(Running { terms, .. }) | Self::Paused(Running { terms, .. }) => {
                terms.code == *code
            }
        }
    }

    fn not_in_this_status(&self, wish: &str) -> Refusal {
        self.status().map_or(Refusal::Missing, |status| Refusal::Status { status, wish: wish.to_owned() })
    }

    fn change_terms(&self, terms: &Terms, at: DateTime<Utc>) -> Result<Vec<Event>, Refusal> {
        terms.check()?;
        let released = match self {
            Self::Missing => return Err(Refusal::Missing),
            Self::Ended(_) => return Err(self.not_in_this_status("changed")),
            Self::Draft(old) => (old.code != terms.code).then(|| old.code.clone()),
            Self::Active(running) | Self::Paused(running) => {
                if running.terms.code != terms.code {
                    return Err(Refusal::CodeFixed);
                }
                if terms.total_limit.is_some_and(|limit| limit < running.redeemed) {
                    return Err(Refusal::LimitBelowRedeemed { redeemed: running.redeemed });
                }
                None
            }
        };
        if self.terms() == Some(terms) {
            return Ok(vec![]);
        }
        Ok(vec![Event::TermsChanged { terms: terms.clone(), released, at }])
    }
}

impl Running {
    fn new(terms: Terms) -> Self {
        Self { terms, redeemed: 0, by_person: HashMap::new() }
    }

    /// How often this person redeemed.
    #[must_use]
    pub fn redeemed_by(&self, person: PersonId) -> u32 {
        self.by_person.get(&person).copied().unwrap_or(0)
    }

    fn may_redeem(&self, person: PersonId, at: DateTime<Utc>) -> Result<(), Refusal> {
        match &self.terms {
            Terms { starts_at: Some(starts_at), .. } if at < *starts_at => {
                Err(Refusal::NotStarted { starts_at: *starts_at })
            }
            Terms { ends_at: Some(ends_at), .. } if at >= *ends_at => Err(Refusal::Over { ends_at: *ends_at }),
            Terms { limit_per_person: Some(limit), .. } if self.redeemed_by(person) >= *limit => {
                Err(Refusal::PersonLimit { limit: *limit })
            }
            Terms { total_limit: Some(limit), .. } if self.redeemed >= *limit => {
                Err(Refusal::Exhausted { limit: *limit })
            }
            _ => Ok(()),
        }
    }
}

impl Decide for Campaign {
    fn decide(&self, command: &Command) -> Result<Vec<Event>, Refusal> {
        match (self, command) {
            (Self::Missing, Command::Draft { terms, at }) => {
                terms.check()?;
                Ok(vec![Event::Drafted { terms: terms.clone(), at: *at }])
            }
            (_, Command::Draft { .. }) => Err(Refusal::Exists),

            (_, Command::ChangeTerms { terms, at }) => self.change_terms(terms, *at),

            (Self::Draft(_), &Command::Activate { at }) => Ok(vec![Event::Activated { at }]),
            (_, Command::Activate { .. }) => Err(self.not_in_this_status("activated")),

            (Self::Active(_), &Command::Pause { at }) => Ok(vec![Event::Paused { at }]),
            (_, Command::Pause { .. }) => Err(self.not_in_this_status("paused")),

            (Self::Paused(_), &Command::Resume { at }) => Ok(vec![Event::Resumed { at }]),
            (_, Command::Resume { .. }) => Err(self.not_in_this_status("resumed")),

            (Self::Missing | Self::Ended(_), Command::End { .. }) => Err(self.not_in_this_status("ended")),
            (Self::Draft(terms), &Command::End { at })
            | (Self::Active(Running { terms, .. }) | Self::Paused(Running { terms, .. }), &Command::End { at }) => {
                Ok(vec![Event::Ended { code: terms.code.clone(), at }])
            }

            (Self::Active(running), Command::Redeem { redemption, person, telegram, at }) => {
                running.may_redeem(*person, *at)?;
                Ok(vec![Event::Redeemed {
                    redemption: *redemption,
                    number: running.redeemed + 1,
                    person: *person,
                    telegram: telegram.clone(),
                    at: *at,
                }])
            }
            (_, Command::Redeem { .. }) => Err(self.not_in_this_status("redeemed")),
        }
    }
}

impl Aggregate for Campaign {
    const TYPE: &'static str = "campaign";
    type Command = Command;
    type Event = Event;
    type Error = Refusal;
    type Services = ();

    async fn handle(&mut self, command: Command, _: &(), sink: &EventSink<Self>) -> Result<(), Refusal> {
        decide::collect(self, command, sink).await
    }

    fn apply(&mut self, event: Event) {
        // The common event first, in place: a hot campaign gets it thousands of times a second.
        if let (Self::Active(running), Event::Redeemed { person, .. }) = (&mut *self, &event) {
            running.redeemed += 1;
            *running.by_person.entry(*person).or_default() += 1;
            return;
        }
        *self = match (std::mem::take(self), event) {
            (_, Event::Drafted { terms, .. }) => Self::Draft(terms),
            (Self::Draft(_), Event::TermsChanged { terms, .. }) => Self::Draft(terms),
            (Self::Active(running), Event::TermsChanged { terms, .. }) => Self::Active(Running { terms, ..running }),
            (Self::Paused(running), Event::TermsChanged { terms, .. }) => Self::Paused(Running { terms, ..running }),
            (Self::Draft(terms), Event::Activated { .. }) => Self::Active(Running::new(terms)),
            (Self::Active(running), Event::Paused { .. }) => Self::Paused(running),
            (Self::Paused(running), Event::Resumed { .. }) => Self::Active(running),
            (Self::Draft(terms), Event::Ended { .. }) => Self::Ended(Running::new(terms)),
            (Self::Active(running) | Self::Paused(running), Event::Ended { .. }) => Self::Ended(running),
            // `decide` writes no other pair; a log that holds one changes nothing.
            (state, _) => state,
        };
    }
}

impl DomainEvent for Event {
    fn event_type(&self) -> String {
        match self {
            Self::Drafted { .. } => "Drafted",
            Self::TermsChanged { .. } => "TermsChanged",
            Self::Activated { .. } => "Activated",
            Self::Paused { .. } => "Paused",
            Self::Resumed { .. } => "Resumed",
            Self::Ended { .. } => "Ended",
            Self::Redeemed { .. } => "Redeemed",
        }
        .to_owned()
    }

    fn event_version(&self) -> String {
        "1".to_owned()
    }
}
