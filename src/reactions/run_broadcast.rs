//! What is decided about a broadcast is carried out.

use aggregates::{Fact, broadcast};
use projections::Event;

use super::Reaction;
use crate::jobs::{Job, NewJob};

pub(super) struct RunBroadcast;

impl Reaction for RunBroadcast {
    fn name(&self) -> &'static str {
        "run-broadcast"
    }

    fn react(&self, event: &Event) -> Vec<NewJob> {
        let broadcast = || event.stream.clone();
        let job = match &event.fact {
            Fact::Broadcast(broadcast::Event::Scheduled { send_at, .. }) => {
                Job::ReleaseBroadcast { broadcast: broadcast(), send_at: *send_at }
            }
            Fact::Broadcast(broadcast::Event::Released { .. }) => {
                Job::AddressBroadcast { broadcast: broadcast(), position: event.position }
            }
            Fact::Broadcast(broadcast::Event::ResendOrdered { number, .. }) => {
                Job::ResendBroadcast { broadcast: broadcast(), number: *number }
            }
            // The senders look at the broadcast itself.
            Fact::Broadcast(
                broadcast::Event::Drafted { .. }
                | broadcast::Event::Started { .. }
                | broadcast::Event::Paused { .. }
                | broadcast::Event::Resumed { .. }
                | broadcast::Event::Cancelled { .. }
                | broadcast::Event::Completed { .. },
            )
            | Fact::Campaign(_)
            | Fact::Code(_)
            | Fact::BotUser(_)
            | Fact::Guard(_)
            | Fact::Conversation(_)
            | Fact::Submission(_)
            | Fact::Template(_)
            | Fact::Plan(_)
            | Fact::Subscription(_)
            | Fact::Member(_)
            | Fact::Signal(_) => return vec![],
        };
        vec![NewJob::because_of(event, job)]
    }
}
