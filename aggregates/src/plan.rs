//! A plan: what the prices at Stripe stand for, and which channel they open.
//!
//! offered → retired. Retiring takes it off the shelf; who has it, keeps it.

#[cfg(test)]
mod tests;

use std::{collections::BTreeSet, fmt};

use chrono::{DateTime, Utc};
use cqrs_es::{Aggregate, DomainEvent, event_sink::EventSink};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{Decide, by_hand::sensible, decide};

/// The lifecycle of a plan.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Plan {
    /// Nothing happened under this id.
    #[default]
    Missing,
    /// Can be bought and granted.
    Offered(Terms),
    /// Cannot any more. Who has it, keeps it.
    Retired(Terms),
}

/// What a plan is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// What people call it; 1 to 120 characters.
    pub name: String,
    /// Ids of the prices at Stripe that stand for it; at most 100, each once. None: it can only be granted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub prices: Vec<String>,
    /// How often it is paid for, for people to read: what is charged is decided by the prices.
    pub every: Every,
    /// Telegram's id of the channel it opens; negative, as only those of people are positive.
    pub channel: i64,
}

/// A length of time by the calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Every {
    /// How many of the unit; 1 or more.
    pub count: u16,
    /// The unit.
    pub interval: Interval,
}

/// A unit of the calendar, in Stripe's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Interval {
    /// 24 hours.
    Day,
    /// Seven days.
    Week,
    /// To the same day of the next month.
    Month,
    /// To the same day of the next year.
    Year,
}

impl Interval {
    /// The word stored and shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
            Self::Year => "year",
        }
    }
}

impl fmt::Display for Every {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.count {
            1 => f.write_str(self.interval.as_str()),
            count => write!(f, "{count} {}s", self.interval.as_str()),
        }
    }
}

/// A plan as a subscription knows it, with what a message says of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanRef {
    /// The plan's id.
    pub id: Uuid,
    /// Its name when the subscription was looked at.
    pub name: String,
    /// The channel it opened then.
    pub channel: i64,
}

/// Where a plan stands, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// See [`Plan::Offered`].
    Offered,
    /// See [`Plan::Retired`].
    Retired,
}

impl Status {
    /// The word stored and shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Offered => "offered",
            Self::Retired => "retired",
        }
    }
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

/// Wishes about a plan. `at` is always the time of the wish.
#[derive(Debug, Clone)]
#[allow(missing_docs, reason = "the fields are those of the events")]
pub enum Command {
    /// Offer a new plan.
    Define { terms: Terms, at: DateTime<Utc> },
    /// Change what it is called, which prices stand for it, or which channel it
    /// opens. How often it is paid for is what its buyers agreed to, and stays.
    Change { name: String, prices: Vec<String>, channel: i64, at: DateTime<Utc> },
    /// Offer it no more.
    Retire { at: DateTime<Utc> },
}

/// Facts about a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "each field says what it is by its name and type")]
pub enum Event {
    /// It is offered.
    Defined { terms: Terms, at: DateTime<Utc> },
    /// Other terms are in force.
    Changed { terms: Terms, at: DateTime<Utc> },
    /// It is offered no more.
    Retired { at: DateTime<Utc> },
}

/// Why a wish is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[allow(missing_docs, reason = "each field says what it is by its name and type")]
pub enum Refusal {
    /// Nothing exists under this id.
    #[error("there is no such plan")]
    Missing,
    /// The id is taken.
    #[error("the plan exists already")]
    Exists,
    /// The lifecycle does not allow it.
    #[error("a plan that is {} cannot be {wish}", status.as_str())]
    Status { status: Status, wish: String },
    /// The terms make no sense.
    #[error(transparent)]
    Terms(#[from] InvalidTerms),
}

impl Terms {
    /// Prices of one plan at the most.
    pub const PRICES: usize = 100;

    /// Checks the terms by themselves.
    ///
    /// # Errors
    /// [`InvalidTerms`], naming the first field that is wrong.
    pub fn check(&self) -> Result<(), InvalidTerms> {
        let wrong =
            |field: &str, reason: &str| Err(InvalidTerms { field: field.to_owned(), reason: reason.to_owned() });
        if !sensible(&self.name, 120, false) {
            return wrong("name", "must have 1 to 120 characters, no control characters");
        }
        if self.prices.len() > Self::PRICES {
            return wrong("prices", "must be at most 100");
        }
        if !self.prices.iter().all(|price| sensible(price, 255, false)) {
            return wrong("prices", "must be ids of prices at Stripe");
        }
        if self.prices.iter().collect::<BTreeSet<_>>().len() < self.prices.len() {
            return wrong("prices", "must be different");
        }
        if self.every.count == 0 {
            return wrong("every", "must be 1 or more of its unit");
        }
        if self.channel >= 0 {
            return wrong("channel", "must be the id of a channel, which is negative");
        }
        Ok(())
    }
}

impl Plan {
    /// What it is; none when there is none.
    #[must_use]
    pub const fn terms(&self) -> Option<&Terms> {
        match self {
            Self::Missing => None,
            Self::Offered(terms) | Self::Retired(terms) => Some(terms),
        }
    }

    /// Where it stands; none when there is none.
    #[must_use]
    pub const fn status(&self) -> Option<Status> {
        match self {
            Self::Missing => None,
            Self::Offered(_) => Some(Status::Offered),
            Self::Retired(_) => Some(Status::Retired),
        }
    }

    fn not_now(&self, wish: &str) -> Refusal {
        self.status().map_or(Refusal::Missing, |status| Refusal::Status { status, wish: wish.to_owned() })
    }
}

impl Decide for Plan {
    fn decide(&self, command: &Command) -> Result<Vec<Event>, Refusal> {
        Ok(match (self, command) {
            (Self::Missing, Command::Define { terms, at }) => {
                terms.check()?;
                vec![Event::Defined { terms: terms.clone(), at: *at }]
            }
            (Self::Offered(known), Command::Define { terms, .. }) if known == terms => vec![],
            (_, Command::Define { .. }) => return Err(Refusal::Exists),
            (Self::Offered(known), Command::Change { name, prices, channel, at }) => {
                let terms = Terms { name: name.clone(), prices: prices.clone(), channel: *channel, ..*known };
                terms.check()?;
                if terms == *known { vec![] } else { vec![Event::Changed { terms, at: *at }] }
            }
            (_, Command::Change { .. }) => return Err(self.not_now("changed")),
            (Self::Offered(_), &Command::Retire { at }) => vec![Event::Retired { at }],
            (Self::Retired(_), Command::Retire { .. }) => vec![],
            (Self::Missing, Command::Retire { .. }) => return Err(Refusal::Missing),
        })
    }
}

impl Aggregate for Plan {
    const TYPE: &'static str = "plan";
    type Command = Command;
    type Event = Event;
    type Error = Refusal;
    type Services = ();

    async fn handle(&mut self, command: Command, _: &(), sink: &EventSink<Self>) -> Result<(), Refusal> {
        decide::collect(self, command, sink).await
    }

    fn apply(&mut self, event: Event) {
        *self = match (std::mem::take(self), event) {
            (_, Event::Defined { terms, .. } | Event::Changed { terms, .. }) => Self::Offered(terms),
            (Self::Offered(terms), Event::Retired { .. }) => Self::Retired(terms),
            // `decide` writes no other pair; a log that holds one changes nothing.
            (state, Event::Retired { .. }) => state,
        };
    }
}

impl DomainEvent for Event {
    fn event_type(&self) -> String {
        match self {
            Self::Defined { .. } => "Defined",
            Self::Changed { .. } => "Changed",
            Self::Retired { .. } => "Retired",
        }
        .to_owned()
    }

    fn event_version(&self) -> String {
        "1".to_owned()
    }
}
