//! What the bot and a person are in the middle of: one question after the other.
//!
//! Every person is a stream of its own, under their pseudonym, and talks about one
//! thing at a time. Being events, a conversation goes on after a restart where it was.

use chrono::{DateTime, TimeDelta, Utc};
use cqrs_es::{Aggregate, DomainEvent, event_sink::EventSink};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{Decide, Personal, TelegramUser, UniqueCode, campaign::Question, decide};

#[cfg(test)]
mod tests;

/// What a person and the bot talk about.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conversation {
    open: Option<Open>,
    last: Option<Last>,
}

/// What moved a conversation last. Updates of a chat are worked in order, so one
/// that comes again is this one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Last {
    /// Telegram's number of the update.
    update: i64,
    how: Move,
}

/// What an update did to a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Move {
    /// It began it.
    Began,
    /// It answered a question, and another one follows.
    Answered,
    /// It answered the last one.
    Finished,
    /// It stopped it.
    Cancelled,
}

/// A conversation that is not finished.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Open {
    /// Its id.
    pub id: Uuid,
    /// What it is about.
    pub topic: Topic,
    /// What was answered so far, in order.
    pub answers: Personal<Vec<String>>,
    /// When the person last said something in it.
    heard_at: DateTime<Utc>,
}

/// What a conversation is about, and what is asked in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Topic {
    /// The questions of a campaign to somebody who has its code.
    Submission {
        /// Which campaign.
        campaign: Uuid,
        /// Which of its codes; none: the shared one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        coupon: Option<UniqueCode>,
        /// As they were when the conversation began.
        questions: Vec<Question>,
    },
    /// An admin writes a campaign.
    NewCampaign,
    /// An admin writes a broadcast.
    Broadcast,
    /// An admin says why a submission is rejected.
    Rejection {
        /// Which.
        submission: Uuid,
        /// Its version when the admin saw it: other answers are judged anew.
        version: i64,
    },
}

/// What an admin is asked for a campaign, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CampaignStep {
    /// What it is called.
    Name,
    /// The shared code.
    Code,
    /// What it is good for.
    Benefit,
    /// How many can redeem it.
    TotalLimit,
    /// How often each can.
    LimitPerPerson,
    /// Until when.
    EndsAt,
    /// Whether it is right like this.
    Confirm,
}

impl CampaignStep {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Name, Self::Code, Self::Benefit, Self::TotalLimit, Self::LimitPerPerson, Self::EndsAt, Self::Confirm];
}

/// What an admin is asked for a broadcast, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BroadcastStep {
    /// The text.
    Text,
    /// Whether to send it.
    Confirm,
}

impl BroadcastStep {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Text, Self::Confirm];
}

impl Topic {
    /// How many answers make it complete.
    #[must_use]
    pub const fn steps(&self) -> usize {
        match self {
            Self::Submission { questions, .. } => questions.len(),
            Self::NewCampaign => CampaignStep::ALL.len(),
            Self::Broadcast => BroadcastStep::ALL.len(),
            Self::Rejection { .. } => 1,
        }
    }
}

/// Wishes about a conversation. `at` is always the time of the update that led to
/// the wish, and `update` its number: the same one again changes nothing.
#[derive(Debug, Clone)]
#[allow(missing_docs, reason = "the fields are those of the events")]
pub enum Command {
    /// Talk about something; whatever was talked about before is dropped.
    Begin { id: Uuid, topic: Topic, update: i64, at: DateTime<Utc> },
    /// Answer the question that is asked. `step` says which one it answers, from 0:
    /// a button of an earlier question answers nothing.
    Answer { step: usize, answer: Personal<String>, telegram: Personal<TelegramUser>, update: i64, at: DateTime<Utc> },
    /// Talk about it no more.
    Cancel { update: i64, at: DateTime<Utc> },
}

/// Facts about a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "each field says what it is by its name and type")]
pub enum Event {
    /// The first question was asked.
    Began { id: Uuid, topic: Topic, update: i64, at: DateTime<Utc> },
    /// A question was answered.
    Answered { answer: Personal<String>, update: i64, at: DateTime<Utc> },
    /// The last one was.
    Finished {
        id: Uuid,
        topic: Topic,
        answers: Personal<Vec<String>>,
        telegram: Personal<TelegramUser>,
        update: i64,
        at: DateTime<Utc>,
    },
    /// It was given up.
    Cancelled { update: i64, at: DateTime<Utc> },
}

/// Why a wish is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum Refusal {
    /// Nothing is asked, or not any more.
    #[error("nothing is asked")]
    NothingAsked,
    /// It answers another question than the one that is asked.
    #[error("the answer is to another question")]
    OtherQuestion,
    /// There is nothing to ask.
    #[error("a conversation has at least one question")]
    NoQuestions,
}

impl Conversation {
    /// For how long an answer is waited for: who comes back later has forgotten
    /// the question, and what they write is not the answer.
    pub const PATIENCE: TimeDelta = TimeDelta::hours(24);

    /// What is being talked about.
    #[must_use]
    pub fn open(&self, now: DateTime<Utc>) -> Option<&Open> {
        self.open.as_ref().filter(|open| now < open.heard_at + Self::PATIENCE)
    }

    /// What this update did to it, if it was the last one that did anything.
    #[must_use]
    pub fn moved_by(&self, update: i64) -> Option<Move> {
        self.last.filter(|last| last.update == update).map(|last| last.how)
    }
}

impl Decide for Conversation {
    fn decide(&self, command: &Command) -> Result<Vec<Event>, Refusal> {
        let (Command::Begin { update, .. } | Command::Answer { update, .. } | Command::Cancel { update, .. }) = command;
        if self.moved_by(*update).is_some() {
            return Ok(vec![]);
        }
        let update = *update;
        match command {
            Command::Begin { topic, .. } if topic.steps() == 0 => Err(Refusal::NoQuestions),
            Command::Begin { id, topic, at, .. } => {
                Ok(vec![Event::Began { id: *id, topic: topic.clone(), update, at: *at }])
            }
            Command::Answer { step, answer, telegram, at, .. } => {
                let Open { id, topic, answers, .. } = self.open(*at).ok_or(Refusal::NothingAsked)?;
                if *step != answers.reveal().len() {
                    return Err(Refusal::OtherQuestion);
                }
                let mut events = vec![Event::Answered { answer: answer.clone(), update, at: *at }];
                if step + 1 == topic.steps() {
                    let mut all = answers.reveal().clone();
                    all.push(answer.reveal().clone());
                    events.push(Event::Finished {
                        id: *id,
                        topic: topic.clone(),
                        answers: Personal::new(all),
                        telegram: telegram.clone(),
                        update,
                        at: *at,
                    });
                }
                Ok(events)
            }
            Command::Cancel { at, .. } => Ok(match self.open(*at) {
                Some(_) => vec![Event::Cancelled { update, at: *at }],
                None => vec![],
            }),
        }
    }
}

impl Aggregate for Conversation {
    const TYPE: &'static str = "conversation";
    type Command = Command;
    type Event = Event;
    type Error = Refusal;
    type Services = ();

    async fn handle(&mut self, command: Command, _: &(), sink: &EventSink<Self>) -> Result<(), Refusal> {
        decide::collect(self, command, sink).await
    }

    fn apply(&mut self, event: Event) {
        let (update, how) = match event {
            Event::Began { id, topic, update, at } => {
                self.open = Some(Open { id, topic, answers: Personal::new(vec![]), heard_at: at });
                (update, Move::Began)
            }
            Event::Answered { answer, update, at } => {
                if let Some(open) = &mut self.open {
                    let mut answers = open.answers.reveal().clone();
                    answers.push(answer.reveal().clone());
                    open.answers = Personal::new(answers);
                    open.heard_at = at;
                }
                (update, Move::Answered)
            }
            Event::Finished { update, .. } => {
                self.open = None;
                (update, Move::Finished)
            }
            Event::Cancelled { update, .. } => {
                self.open = None;
                (update, Move::Cancelled)
            }
        };
        self.last = Some(Last { update, how });
    }
}

impl DomainEvent for Event {
    fn event_type(&self) -> String {
        match self {
            Self::Began { .. } => "Began",
            Self::Answered { .. } => "Answered",
            Self::Finished { .. } => "Finished",
            Self::Cancelled { .. } => "Cancelled",
        }
        .to_owned()
    }

    fn event_version(&self) -> String {
        "1".to_owned()
    }
}
