//! A person who uses the bot, and whether they can and want to be written to.
//!
//! Every person is a stream of its own, under their pseudonym. Replies are
//! always sent; what a person refuses with `/stop` is broadcasts.

use chrono::{DateTime, Utc};
use cqrs_es::{Aggregate, DomainEvent, event_sink::EventSink};
use serde::{Deserialize, Serialize};

use crate::{Decide, Personal, decide};

#[cfg(test)]
mod tests;

/// A person, as far as the bot knows them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum BotUser {
    /// Never wrote to the bot.
    #[default]
    Unmet,
    /// Wrote to it at least once.
    Met(Known),
}

/// What is known of a person who wrote to the bot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    /// Their account, as it was in their last message.
    pub profile: Personal<Profile>,
    /// Whether they can and want to be written to.
    pub standing: Standing,
    /// When they last did anything.
    heard_at: DateTime<Utc>,
}

/// A Telegram account with all that the bot gets to see of it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile {
    /// Telegram's user id, which is also the private chat's.
    pub id: i64,
    /// First name, as the user wrote it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Without the `@`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// IETF language tag of the user's client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
}

/// Whether a person can and wants to be written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Yes.
    Active,
    /// Wants no broadcasts.
    Stopped,
    /// Telegram delivers nothing to them: they blocked the bot, or their account is gone.
    Blocked {
        /// Whether they wanted no broadcasts before that.
        stopped: bool,
    },
}

impl Standing {
    /// The word stored and shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Stopped => "stopped",
            Self::Blocked { .. } => "blocked",
        }
    }

    const fn wants_no_broadcasts(self) -> bool {
        matches!(self, Self::Stopped | Self::Blocked { stopped: true })
    }
}

/// What a person used the bot for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Usage {
    /// `/start` without anything.
    Start,
    /// `/stop`.
    Stop,
    /// `/help`.
    Help,
    /// `/redeem` without a code.
    Redeem,
    /// A code, however it was sent.
    Code,
    /// `/campaigns`.
    Campaigns,
    /// `/validate`, with or without a code.
    Validate,
    /// `/mycoupons`.
    Coupons,
    /// The card of a coupon.
    Card,
    /// A button below a question.
    Answer,
    /// `/cancel`.
    Cancel,
    /// What only admins may.
    Admin,
    /// Whatever else.
    Other,
}

impl Usage {
    /// The word stored and shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Help => "help",
            Self::Redeem => "redeem",
            Self::Code => "code",
            Self::Campaigns => "campaigns",
            Self::Validate => "validate",
            Self::Coupons => "coupons",
            Self::Card => "card",
            Self::Answer => "answer",
            Self::Cancel => "cancel",
            Self::Admin => "admin",
            Self::Other => "other",
        }
    }
}

/// Wishes about a person. `at` is always the time of what led to the wish.
#[derive(Debug, Clone)]
pub enum Command {
    /// They wrote to the bot. Who does so has not blocked it (any more);
    /// `/stop` and `/start` say whether they want broadcasts.
    Use {
        /// Their account as it is now.
        profile: Personal<Profile>,
        /// What for.
        what: Usage,
        /// When.
        at: DateTime<Utc>,
    },
    /// Telegram says that nothing reaches them. No news when they were heard of
    /// since: the answer to a message took its time.
    Block {
        /// When it was so.
        at: DateTime<Utc>,
    },
    /// Telegram says that they can be reached again.
    Unblock {
        /// When.
        at: DateTime<Utc>,
    },
}

/// Facts about a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "each field says what it is by its name and type")]
pub enum Event {
    /// They wrote for the first time.
    Met { profile: Personal<Profile>, at: DateTime<Utc> },
    /// Their name, username or language is another.
    ProfileChanged { profile: Personal<Profile>, at: DateTime<Utc> },
    /// They used the bot.
    Used { what: Usage, at: DateTime<Utc> },
    /// They want no broadcasts.
    Stopped { at: DateTime<Utc> },
    /// They can be reached again, or want broadcasts again; `stopped` when they still want none.
    Returned { stopped: bool, at: DateTime<Utc> },
    /// Nothing reaches them any more.
    Blocked { at: DateTime<Utc> },
}

/// Why a wish is refused. None is: what a person does is a fact.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum Refusal {}

impl Decide for BotUser {
    fn decide(&self, command: &Command) -> Result<Vec<Event>, Refusal> {
        Ok(match (self, command) {
            (_, Command::Use { profile, what, at }) => self.used(profile, *what, *at),
            // Nobody whom the bot would write to.
            (Self::Unmet, Command::Block { .. } | Command::Unblock { .. }) => vec![],
            (Self::Met(known), &Command::Block { at }) => match known.standing {
                Standing::Blocked { .. } => vec![],
                _ if at < known.heard_at => vec![],
                _ => vec![Event::Blocked { at }],
            },
            (Self::Met(known), &Command::Unblock { at }) => match known.standing {
                Standing::Blocked { stopped } => vec![Event::Returned { stopped, at }],
                _ => vec![],
            },
        })
    }
}

impl BotUser {
    fn used(&self, profile: &Personal<Profile>, what: Usage, at: DateTime<Utc>) -> Vec<Event> {
        let mut events = vec![];
        let standing = match self {
            Self::Unmet => {
                events.push(Event::Met { profile: profile.clone(), at });
                Standing::Active
            }
            Self::Met(known) => {
                if known.profile != *profile {
                    events.push(Event::ProfileChanged { profile: profile.clone(), at });
                }
                known.standing
            }
        };
        let stopped = match what {
            Usage::Start => false,
            Usage::Stop => true,
            _ => standing.wants_no_broadcasts(),
        };
        let reached_again = matches!(standing, Standing::Blocked { .. });
        if reached_again || (standing == Standing::Stopped && !stopped) {
            events.push(Event::Returned { stopped: standing.wants_no_broadcasts() && stopped, at });
        }
        events.push(Event::Used { what, at });
        if stopped && !standing.wants_no_broadcasts() {
            events.push(Event::Stopped { at });
        }
        events
    }
}

impl Aggregate for BotUser {
    const TYPE: &'static str = "bot_user";
    type Command = Command;
    type Event = Event;
    type Error = Refusal;
    type Services = ();

    async fn handle(&mut self, command: Command, _: &(), sink: &EventSink<Self>) -> Result<(), Refusal> {
        decide::collect(self, command, sink).await
    }

    fn apply(&mut self, event: Event) {
        match (&mut *self, event) {
            (state, Event::Met { profile, at }) => {
                *state = Self::Met(Known { profile, standing: Standing::Active, heard_at: at });
            }
            // `decide` writes nothing else of a person whom the bot never met.
            (Self::Unmet, _) => {}
            (Self::Met(known), Event::ProfileChanged { profile, .. }) => known.profile = profile,
            (Self::Met(known), Event::Used { at, .. }) => known.heard_at = known.heard_at.max(at),
            (Self::Met(known), Event::Stopped { .. }) => known.standing = Standing::Stopped,
            (Self::Met(known), Event::Returned { stopped, at }) => {
                known.standing = if stopped { Standing::Stopped } else { Standing::Active };
                known.heard_at = known.heard_at.max(at);
            }
            (Self::Met(known), Event::Blocked { .. }) => {
                known.standing = Standing::Blocked { stopped: known.standing.wants_no_broadcasts() };
            }
        }
    }
}

impl DomainEvent for Event {
    fn event_type(&self) -> String {
        match self {
            Self::Met { .. } => "Met",
            Self::ProfileChanged { .. } => "ProfileChanged",
            Self::Used { .. } => "Used",
            Self::Stopped { .. } => "Stopped",
            Self::Returned { .. } => "Returned",
            Self::Blocked { .. } => "Blocked",
        }
        .to_owned()
    }

    fn event_version(&self) -> String {
        "1".to_owned()
    }
}
