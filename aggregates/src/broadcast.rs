//! A message to many users of the bot.
//!
//! draft → (scheduled →) sending ⇄ paused → completed, or cancelled before that.
//! Who got it is no business of this aggregate: the recipients are a table of
//! work, and an event for each would say nothing that anybody decides by.

mod message;
#[cfg(test)]
mod tests;

use chrono::{DateTime, Utc};
use cqrs_es::{Aggregate, DomainEvent, event_sink::EventSink};
use serde::{Deserialize, Serialize};

use crate::{Decide, decide};
pub use message::{Audience, Button, Invalid, Message};

/// The lifecycle of a broadcast.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Broadcast {
    /// Nothing happened under this id.
    #[default]
    Missing,
    /// Written, and waits to be started.
    Draft(Letter),
    /// Starts by itself.
    Scheduled {
        /// What and to whom.
        letter: Letter,
        /// When it starts.
        send_at: DateTime<Utc>,
    },
    /// On its way.
    Sending(Run),
    /// Stopped for now.
    Paused(Run),
    /// Everybody was dealt with.
    Completed {
        /// How it went.
        run: Run,
        /// What became of the recipients.
        totals: Totals,
    },
    /// Stopped for good.
    Cancelled,
}

/// What is sent, and to whom.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Letter {
    /// What.
    pub message: Message,
    /// To whom.
    pub audience: Audience,
}

/// A broadcast that was released.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// What and to whom.
    pub letter: Letter,
    /// How many the audience is; none until it is fixed.
    pub recipients: Option<u32>,
    /// How often it was ordered that the unconfirmed get it again.
    pub resends: u32,
}

/// What became of the recipients.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Telegram confirmed it.
    pub sent: u32,
    /// Telegram would not take it.
    pub failed: u32,
    /// Cannot be reached (any more).
    pub gone: u32,
    /// It may have arrived: Telegram's answer is not known.
    pub unconfirmed: u32,
}

/// Where a broadcast stands, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// See [`Broadcast::Draft`].
    Draft,
    /// See [`Broadcast::Scheduled`].
    Scheduled,
    /// See [`Broadcast::Sending`].
    Sending,
    /// See [`Broadcast::Paused`].
    Paused,
    /// See [`Broadcast::Completed`].
    Completed,
    /// See [`Broadcast::Cancelled`].
    Cancelled,
}

impl Status {
    /// The word stored and shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Scheduled => "scheduled",
            Self::Sending => "sending",
            Self::Paused => "paused",
            Self::Completed => "completed",
            Self::Cancelled => "cancelled",
        }
    }
}

/// When a new broadcast is to start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// When somebody says so.
    Later,
    /// At once.
    Now,
    /// By itself at this time; at once when it has come.
    At(DateTime<Utc>),
}

/// Wishes about a broadcast. `at` is always the time of the wish.
#[derive(Debug, Clone)]
#[allow(missing_docs, reason = "the fields are those of the events")]
pub enum Command {
    /// Write a new broadcast, and perhaps send it.
    Draft { letter: Letter, when: When, at: DateTime<Utc> },
    /// Send it: a draft, or a scheduled one before its time.
    Release { at: DateTime<Utc> },
    /// Send it, if it is still scheduled for this time.
    Due { send_at: DateTime<Utc>, at: DateTime<Utc> },
    /// The audience is fixed: so many.
    Start { recipients: u32, at: DateTime<Utc> },
    /// Send no more for now.
    Pause { at: DateTime<Utc> },
    /// Go on.
    Resume { at: DateTime<Utc> },
    /// Send no more.
    Cancel { at: DateTime<Utc> },
    /// Send it again to those of whom it is not known whether they got it.
    Resend { at: DateTime<Utc> },
    /// Nobody is left. `resends` is how many orders to send again were carried out by then.
    Complete { totals: Totals, resends: u32, at: DateTime<Utc> },
}

/// Facts about a broadcast.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "each field says what it is by its name and type")]
pub enum Event {
    /// It was written.
    Drafted { letter: Letter, at: DateTime<Utc> },
    /// It will start by itself.
    Scheduled { send_at: DateTime<Utc>, at: DateTime<Utc> },
    /// It is to be sent; its audience is being fixed.
    Released { at: DateTime<Utc> },
    /// Its audience is fixed: from now on it is sent.
    Started { recipients: u32, at: DateTime<Utc> },
    /// It was stopped for now.
    Paused { at: DateTime<Utc> },
    /// It goes on.
    Resumed { at: DateTime<Utc> },
    /// It was stopped for good.
    Cancelled { at: DateTime<Utc> },
    /// Those of whom it is not known get it again; `number` counts such orders from 1.
    ResendOrdered { number: u32, at: DateTime<Utc> },
    /// Everybody was dealt with.
    Completed { totals: Totals, at: DateTime<Utc> },
}

/// Why a wish is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[allow(missing_docs, reason = "each field says what it is by its name and type")]
pub enum Refusal {
    /// Nothing exists under this id.
    #[error("there is no such broadcast")]
    Missing,
    /// The id is taken.
    #[error("the broadcast exists already")]
    Exists,
    /// The lifecycle does not allow it.
    #[error("a broadcast that is {} cannot be {wish}", status.as_str())]
    Status { status: Status, wish: String },
    /// What is to be sent, or to whom, makes no sense.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// It is known of everybody.
    #[error("of every recipient it is known what became of the message")]
    NothingUnconfirmed,
}

impl Broadcast {
    /// Where it stands; none when there is none.
    #[must_use]
    pub const fn status(&self) -> Option<Status> {
        match self {
            Self::Missing => None,
            Self::Draft(_) => Some(Status::Draft),
            Self::Scheduled { .. } => Some(Status::Scheduled),
            Self::Sending(_) => Some(Status::Sending),
            Self::Paused(_) => Some(Status::Paused),
            Self::Completed { .. } => Some(Status::Completed),
            Self::Cancelled => Some(Status::Cancelled),
        }
    }

    /// The run that is under way or paused.
    #[must_use]
    pub const fn run(&self) -> Option<&Run> {
        match self {
            Self::Sending(run) | Self::Paused(run) => Some(run),
            _ => None,
        }
    }

    fn not_in_this_status(&self, wish: &str) -> Refusal {
        self.status().map_or(Refusal::Missing, |status| Refusal::Status { status, wish: wish.to_owned() })
    }

    fn draft(letter: &Letter, when: When, at: DateTime<Utc>) -> Result<Vec<Event>, Refusal> {
        letter.message.check()?;
        letter.audience.check()?;
        let drafted = Event::Drafted { letter: letter.clone(), at };
        Ok(match when {
            When::Later => vec![drafted],
            When::At(send_at) if send_at > at => vec![drafted, Event::Scheduled { send_at, at }],
            When::Now | When::At(_) => vec![drafted, Event::Released { at }],
        })
    }

    fn resend(&self, at: DateTime<Utc>) -> Result<Vec<Event>, Refusal> {
        let run = match self {
            Self::Completed { totals: Totals { unconfirmed: 0, .. }, .. } => return Err(Refusal::NothingUnconfirmed),
            Self::Sending(run) | Self::Paused(run) | Self::Completed { run, .. } => run,
            _ => return Err(self.not_in_this_status("sent again")),
        };
        Ok(vec![Event::ResendOrdered { number: run.resends + 1, at }])
    }
}

impl Decide for Broadcast {
    fn decide(&self, command: &Command) -> Result<Vec<Event>, Refusal> {
        match (self, command) {
            (Self::Missing, Command::Draft { letter, when, at }) => Self::draft(letter, *when, *at),
            (_, Command::Draft { .. }) => Err(Refusal::Exists),

            (Self::Draft(_) | Self::Scheduled { .. }, &Command::Release { at }) => Ok(vec![Event::Released { at }]),
            (_, Command::Release { .. }) => Err(self.not_in_this_status("started")),

            (Self::Scheduled { send_at, .. }, Command::Due { send_at: due, at }) if send_at == due => {
                Ok(vec![Event::Released { at: *at }])
            }
            // It was started, or cancelled, before its time.
            (_, Command::Due { .. }) => Ok(vec![]),

            (
                Self::Sending(Run { recipients: None, .. }) | Self::Paused(Run { recipients: None, .. }),
                &Command::Start { recipients, at },
            ) => Ok(vec![Event::Started { recipients, at }]),
            (Self::Missing | Self::Draft(_) | Self::Scheduled { .. }, Command::Start { .. }) => {
                Err(self.not_in_this_status("given an audience"))
            }
            // It has one, or needs none any more.
            (_, Command::Start { .. }) => Ok(vec![]),

            (Self::Sending(_), &Command::Pause { at }) => Ok(vec![Event::Paused { at }]),
            (_, Command::Pause { .. }) => Err(self.not_in_this_status("paused")),

            (Self::Paused(_), &Command::Resume { at }) => Ok(vec![Event::Resumed { at }]),
            (_, Command::Resume { .. }) => Err(self.not_in_this_status("resumed")),

            (Self::Missing | Self::Completed { .. } | Self::Cancelled, Command::Cancel { .. }) => {
                Err(self.not_in_this_status("cancelled"))
            }
            (_, &Command::Cancel { at }) => Ok(vec![Event::Cancelled { at }]),

            (_, &Command::Resend { at }) => self.resend(at),

            (
                Self::Sending(Run { recipients: Some(_), resends: ordered, .. }),
                &Command::Complete { totals, resends, at },
            ) if *ordered == resends => Ok(vec![Event::Completed { totals, at }]),
            // Another process said so before, or there is more to do by now.
            (_, Command::Complete { .. }) => Ok(vec![]),
        }
    }
}

impl Aggregate for Broadcast {
    const TYPE: &'static str = "broadcast";
    type Command = Command;
    type Event = Event;
    type Error = Refusal;
    type Services = ();

    async fn handle(&mut self, command: Command, _: &(), sink: &EventSink<Self>) -> Result<(), Refusal> {
        decide::collect(self, command, sink).await
    }

    fn apply(&mut self, event: Event) {
        *self = match (std::mem::take(self), event) {
            (_, Event::Drafted { letter, .. }) => Self::Draft(letter),
            (Self::Draft(letter), Event::Scheduled { send_at, .. }) => Self::Scheduled { letter, send_at },
            (Self::Draft(letter) | Self::Scheduled { letter, .. }, Event::Released { .. }) => {
                Self::Sending(Run { letter, recipients: None, resends: 0 })
            }
            (Self::Sending(run), Event::Started { recipients, .. }) => {
                Self::Sending(Run { recipients: Some(recipients), ..run })
            }
            (Self::Paused(run), Event::Started { recipients, .. }) => {
                Self::Paused(Run { recipients: Some(recipients), ..run })
            }
            (Self::Sending(run), Event::Paused { .. }) => Self::Paused(run),
            (Self::Paused(run), Event::Resumed { .. }) => Self::Sending(run),
            (Self::Sending(run) | Self::Completed { run, .. }, Event::ResendOrdered { number, .. }) => {
                Self::Sending(Run { resends: number, ..run })
            }
            (Self::Paused(run), Event::ResendOrdered { number, .. }) => Self::Paused(Run { resends: number, ..run }),
            (Self::Sending(run), Event::Completed { totals, .. }) => Self::Completed { run, totals },
            (_, Event::Cancelled { .. }) => Self::Cancelled,
            // `decide` writes no other pair; a log that holds one changes nothing.
            (state, _) => state,
        };
    }
}

impl DomainEvent for Event {
    fn event_type(&self) -> String {
        match self {
            Self::Drafted { .. } => "Drafted",
            Self::Scheduled { .. } => "Scheduled",
            Self::Released { .. } => "Released",
            Self::Started { .. } => "Started",
            Self::Paused { .. } => "Paused",
            Self::Resumed { .. } => "Resumed",
            Self::Cancelled { .. } => "Cancelled",
            Self::ResendOrdered { .. } => "ResendOrdered",
            Self::Completed { .. } => "Completed",
        }
        .to_owned()
    }

    fn event_version(&self) -> String {
        "1".to_owned()
    }
}
