//! The one interface the executor knows an aggregate by.

use cqrs_es::{Aggregate, event_sink::EventSink};
use serde::{Serialize, de::DeserializeOwned};

use crate::UnreadableEvent;

/// An aggregate whose rules are a pure function of its state and a command.
///
/// The executor calls [`decide`](Self::decide) and may call it again on a newer
/// state when another process appended first, so it must not have effects.
/// `cqrs_es::Aggregate::handle` is kept for the given/when/then kit and for
/// anything else that speaks cqrs-es.
pub trait Decide:
    Aggregate<Services = (), Command: Sync, Error: Serialize + DeserializeOwned + Clone + Send + Sync> + Clone + 'static
{
    /// Judges `command` on this state.
    ///
    /// No events means that the wish is already fulfilled.
    ///
    /// # Errors
    /// The refusal, when a rule forbids it.
    fn decide(&self, command: &Self::Command) -> Result<Vec<Self::Event>, Self::Error>;

    /// Reads a stored event, of whatever version it was written in.
    ///
    /// When an event changes its shape, its version is raised and the old one
    /// is translated here; `stored/` keeps a sample of each version for ever.
    ///
    /// # Errors
    /// [`UnreadableEvent`] when the payload is not an event of this aggregate.
    fn read(event_type: &str, version: &str, payload: &str) -> Result<Self::Event, UnreadableEvent> {
        match version {
            "1" => serde_json::from_str(payload)
                .map_err(|source| UnreadableEvent::Payload { event: format!("{}.{event_type}", Self::TYPE), source }),
            _ => Err(UnreadableEvent::Version {
                event: format!("{}.{event_type}", Self::TYPE),
                version: version.to_owned(),
            }),
        }
    }
}

/// The body of every `cqrs_es::Aggregate::handle` here: decide, then hand the
/// events to the sink, which applies them.
///
/// # Errors
/// The aggregate's refusal.
pub async fn collect<A: Decide>(aggregate: &mut A, command: A::Command, sink: &EventSink<A>) -> Result<(), A::Error> {
    for event in aggregate.decide(&command)? {
        sink.write(event, aggregate).await;
    }
    Ok(())
}
