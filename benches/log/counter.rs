//! The aggregate of the benchmark: it counts up to a limit.

use aggregates::{Decide, collect};
use cqrs_es::{Aggregate, DomainEvent, event_sink::EventSink};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Never reached.
pub(crate) const LIMIT: u32 = 1_000_000_000;

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Counter {
    counted: u32,
}

/// Count one more, for somebody.
#[derive(Debug, Clone)]
pub(crate) struct Count {
    pub(crate) person: Uuid,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Event {
    Counted { number: u32, person: Uuid, note: String },
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[error("that is enough")]
pub(crate) struct Enough;

impl Event {
    pub(crate) fn counted(number: u32, person: Uuid) -> Self {
        Self::Counted { number, person, note: "one more of a hundred bytes or so".to_owned() }
    }
}

impl DomainEvent for Event {
    fn event_type(&self) -> String {
        "Counted".to_owned()
    }

    fn event_version(&self) -> String {
        "1".to_owned()
    }
}

impl Aggregate for Counter {
    const TYPE: &'static str = "counter";
    type Command = Count;
    type Event = Event;
    type Error = Enough;
    type Services = ();

    async fn handle(&mut self, command: Count, (): &(), sink: &EventSink<Self>) -> Result<(), Enough> {
        collect(self, command, sink).await
    }

    fn apply(&mut self, Event::Counted { number, .. }: Event) {
        self.counted = number;
    }
}

impl Decide for Counter {
    fn decide(&self, command: &Count) -> Result<Vec<Event>, Enough> {
        if self.counted >= LIMIT {
            return Err(Enough);
        }
        Ok(vec![Event::counted(self.counted + 1, command.person)])
    }
}
