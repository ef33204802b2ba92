//! A person who tries codes, and how long the bot will not listen to more.
//!
//! Every person is a stream of its own, under their pseudonym. What they tried is
//! not kept: it may be a good code of somebody else.

use chrono::{DateTime, TimeDelta, Utc};
use cqrs_es::{Aggregate, DomainEvent, event_sink::EventSink};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    Decide,
    campaign::{self, Source},
    decide,
};

#[cfg(test)]
mod tests;

/// What counts against a person.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Guard {
    /// Guesses within [`Guard::DAY`] of the last one, oldest first. There are few: a
    /// day's worth locks out, and then each further one does.
    recent: Vec<DateTime<Utc>>,
    /// The last lock-out: until when, and how many there were in a row.
    last: Option<Lock>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Lock {
    until: DateTime<Utc>,
    in_a_row: u32,
}

/// Why a code did not do what its sender hoped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Miss {
    /// Nobody knows it.
    Unknown,
    /// Its check symbol says that it was typed wrong.
    Mistyped,
    /// The campaign is not open.
    NotOpen,
    /// It starts later.
    NotStarted,
    /// It is over.
    Over,
    /// Nothing is left.
    Exhausted,
    /// The person had it as often as they may.
    PersonLimit,
    /// The person had others of the campaign as often as they may, and this one is
    /// not known to be theirs.
    OverLimit,
    /// It is for others.
    NotHolder,
    /// The purchase is too small.
    BelowMinimum,
    /// Somebody had it.
    CodeUsed,
    /// It was taken back.
    CodeRevoked,
    /// The campaign's questions were not answered.
    Unanswered,
    /// It does not go with its reservation.
    Reservation,
}

impl Miss {
    /// The word stored and shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Mistyped => "mistyped",
            Self::NotOpen => "not_open",
            Self::NotStarted => "not_started",
            Self::Over => "over",
            Self::Exhausted => "exhausted",
            Self::PersonLimit => "person_limit",
            Self::OverLimit => "over_limit",
            Self::NotHolder => "not_holder",
            Self::BelowMinimum => "below_minimum",
            Self::CodeUsed => "code_used",
            Self::CodeRevoked => "code_revoked",
            Self::Unanswered => "unanswered",
            Self::Reservation => "reservation",
        }
    }

    /// What a refusal of a redemption comes to; none for one that says nothing of the code.
    #[must_use]
    pub const fn of(refusal: &campaign::Refusal) -> Option<Self> {
        use campaign::Refusal;
        Some(match refusal {
            Refusal::Missing | Refusal::Status { .. } => Self::NotOpen,
            Refusal::NotStarted { .. } => Self::NotStarted,
            Refusal::Over { .. } => Self::Over,
            Refusal::Exhausted { .. } => Self::Exhausted,
            Refusal::PersonLimit { .. } => Self::PersonLimit,
            Refusal::NotHolder => Self::NotHolder,
            Refusal::BelowMinimum { .. } => Self::BelowMinimum,
            Refusal::OtherKindOfCode | Refusal::UnknownCode => Self::Unknown,
            Refusal::CodeUsed => Self::CodeUsed,
            Refusal::CodeRevoked => Self::CodeRevoked,
            Refusal::Unanswered => Self::Unanswered,
            Refusal::ReservationMissing | Refusal::ReservationOfAnother => Self::Reservation,
            _ => return None,
        })
    }

    /// Whether it is what a guesser would do. A typing error can be told without
    /// asking us, and who repeats what they had does not guess.
    const fn is_a_guess(self) -> bool {
        !matches!(self, Self::Mistyped | Self::PersonLimit | Self::Unanswered)
    }
}

/// Wishes about what counts against a person.
#[derive(Debug, Clone)]
pub enum Command {
    /// A code of theirs did not do what they hoped.
    Miss {
        /// Why.
        miss: Miss,
        /// Of which campaign it was, when it was of one.
        campaign: Option<Uuid>,
        /// Through which door. Only who asks the bot is a stranger who can be locked out.
        source: Source,
        /// When they asked.
        at: DateTime<Utc>,
    },
    /// Listen to them again.
    Lift {
        /// When.
        at: DateTime<Utc>,
    },
}

/// Facts about a person who tries codes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "each field says what it is by its name and type")]
pub enum Event {
    /// A code of theirs did not do what they hoped.
    Missed {
        miss: Miss,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        campaign: Option<Uuid>,
        source: Source,
        at: DateTime<Utc>,
    },
    /// The bot does not listen to their codes for a while.
    LockedOut { until: DateTime<Utc>, in_a_row: u32, at: DateTime<Utc> },
    /// It listens again, earlier than it would have.
    Lifted { at: DateTime<Utc> },
}

/// Why a wish is refused. None is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum Refusal {}

impl Guard {
    /// So many guesses within [`Self::WINDOW`] lock a person out.
    pub const IN_WINDOW: usize = 5;
    /// A short while, for who is in a hurry.
    pub const WINDOW: TimeDelta = TimeDelta::minutes(15);
    /// So many guesses within [`Self::DAY`] lock a person out.
    pub const IN_DAY: usize = 20;
    /// A long while, for who has time.
    pub const DAY: TimeDelta = TimeDelta::hours(24);
    /// How long a first lock-out lasts. Each that follows within a day of the
    /// last one's end lasts twice as long.
    pub const FIRST: TimeDelta = TimeDelta::minutes(15);
    /// How long one lasts at the most.
    pub const LONGEST: TimeDelta = TimeDelta::hours(24);
    /// How long a lock-out is remembered after its end.
    const MEMORY: TimeDelta = TimeDelta::hours(24);

    /// Until when the bot does not listen; none when it does.
    #[must_use]
    pub fn locked_until(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.last.map(|lock| lock.until).filter(|until| now < *until)
    }

    fn missed(&self, miss: Miss, campaign: Option<Uuid>, source: Source, at: DateTime<Utc>) -> Vec<Event> {
        let stranger = source == Source::Bot;
        // Nothing was looked at for them.
        if stranger && self.locked_until(at).is_some() {
            return vec![];
        }
        let missed = Event::Missed { miss, campaign, source, at };
        let within = |time: TimeDelta| self.recent.iter().filter(|earlier| **earlier > at - time).count() + 1;
        let many = within(Self::WINDOW) >= Self::IN_WINDOW || within(Self::DAY) >= Self::IN_DAY;
        if !stranger || !miss.is_a_guess() || !many {
            return vec![missed];
        }
        let in_a_row = match self.last {
            Some(lock) if at < lock.until + Self::MEMORY => lock.in_a_row.saturating_add(1),
            _ => 1,
        };
        let longer = 1_i32.checked_shl(in_a_row - 1).and_then(|times| Self::FIRST.checked_mul(times));
        let until = at + longer.unwrap_or(Self::LONGEST).min(Self::LONGEST);
        vec![missed, Event::LockedOut { until, in_a_row, at }]
    }
}

impl Decide for Guard {
    fn decide(&self, command: &Command) -> Result<Vec<Event>, Refusal> {
        Ok(match *command {
            Command::Miss { miss, campaign, source, at } => self.missed(miss, campaign, source, at),
            Command::Lift { at } => match self.locked_until(at) {
                Some(_) => vec![Event::Lifted { at }],
                None => vec![],
            },
        })
    }
}

impl Aggregate for Guard {
    const TYPE: &'static str = "guard";
    type Command = Command;
    type Event = Event;
    type Error = Refusal;
    type Services = ();

    async fn handle(&mut self, command: Command, _: &(), sink: &EventSink<Self>) -> Result<(), Refusal> {
        decide::collect(self, command, sink).await
    }

    fn apply(&mut self, event: Event) {
        match event {
            Event::Missed { miss, source: Source::Bot, at, .. } if miss.is_a_guess() => {
                self.recent.retain(|earlier| *earlier > at - Self::DAY);
                self.recent.push(at);
            }
            Event::Missed { .. } => {}
            Event::LockedOut { until, in_a_row, .. } => {
                self.last = Some(Lock { until, in_a_row });
            }
            Event::Lifted { at } => {
                self.recent.clear();
                if let Some(lock) = &mut self.last {
                    lock.until = at;
                }
            }
        }
    }
}

impl DomainEvent for Event {
    fn event_type(&self) -> String {
        match self {
            Self::Missed { .. } => "Missed",
            Self::LockedOut { .. } => "LockedOut",
            Self::Lifted { .. } => "Lifted",
        }
        .to_owned()
    }

    fn event_version(&self) -> String {
        "1".to_owned()
    }
}
