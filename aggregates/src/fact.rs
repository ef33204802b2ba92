//! Any event of any aggregate, typed.

use cqrs_es::Aggregate;

use crate::{
    BotUser, Broadcast, Campaign, Code, Conversation, Decide, Guard, Member, Plan, Signal, Submission, Subscription,
    Template, bot_user, broadcast, campaign, code, conversation, guard, member, plan, signal, submission, subscription,
    template,
};

/// An event of one of the aggregates. Projections and reactions match on it:
/// exhaustively inside an aggregate, with `_` only between aggregates.
#[derive(Debug, Clone, PartialEq)]
pub enum Fact {
    /// Of a coupon campaign.
    Campaign(campaign::Event),
    /// Of a shared code.
    Code(code::Event),
    /// Of a person who uses the bot.
    BotUser(bot_user::Event),
    /// Of a broadcast.
    Broadcast(broadcast::Event),
    /// Of a person who tries codes.
    Guard(guard::Event),
    /// Of what the bot and a person talk about.
    Conversation(conversation::Event),
    /// Of the answers to a campaign's questions.
    Submission(submission::Event),
    /// Of a template of cards.
    Template(template::Event),
    /// Of a plan that can be subscribed to.
    Plan(plan::Event),
    /// Of a subscription.
    Subscription(subscription::Event),
    /// Of somebody in a channel.
    Member(member::Event),
    /// Of the signals of an instrument.
    Signal(signal::Event),
}

impl Fact {
    /// Reads a stored event.
    ///
    /// # Errors
    /// [`UnreadableEvent`] when this program knows neither the aggregate nor
    /// the version, or the payload is damaged. A reader must stop there: to
    /// skip a fact is to lose it.
    pub fn read(aggregate_type: &str, event_type: &str, version: &str, payload: &str) -> Result<Self, UnreadableEvent> {
        match aggregate_type {
            Campaign::TYPE => Campaign::read(event_type, version, payload).map(Self::Campaign),
            Code::TYPE => Code::read(event_type, version, payload).map(Self::Code),
            BotUser::TYPE => BotUser::read(event_type, version, payload).map(Self::BotUser),
            Broadcast::TYPE => Broadcast::read(event_type, version, payload).map(Self::Broadcast),
            Guard::TYPE => Guard::read(event_type, version, payload).map(Self::Guard),
            Conversation::TYPE => Conversation::read(event_type, version, payload).map(Self::Conversation),
            Submission::TYPE => Submission::read(event_type, version, payload).map(Self::Submission),
            Template::TYPE => Template::read(event_type, version, payload).map(Self::Template),
            Plan::TYPE => Plan::read(event_type, version, payload).map(Self::Plan),
            Subscription::TYPE => Subscription::read(event_type, version, payload).map(Self::Subscription),
            Member::TYPE => Member::read(event_type, version, payload).map(Self::Member),
            Signal::TYPE => Signal::read(event_type, version, payload).map(Self::Signal),
            unknown => Err(UnreadableEvent::Aggregate(unknown.to_owned())),
        }
    }
}

/// A stored event this program cannot read; most often it was written by a
/// newer one.
#[derive(Debug, thiserror::Error)]
pub enum UnreadableEvent {
    /// No such aggregate here.
    #[error("no aggregate is called {0:?}")]
    Aggregate(String),
    /// The event exists, this version of it does not.
    #[error("event {event} has unknown version {version:?}")]
    Version {
        /// Aggregate and event type.
        event: String,
        /// The version found.
        version: String,
    },
    /// The payload does not have the event's shape.
    #[error("payload of {event} is not readable")]
    Payload {
        /// Aggregate and event type.
        event: String,
        /// What serde says.
        source: serde_json::Error,
    },
}
