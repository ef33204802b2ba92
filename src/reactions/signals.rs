//! What happens to signals is posted.

use aggregates::{Fact, signal::Event as Signal};
use projections::Event;

use super::Reaction;
use crate::jobs::{Job, NewJob};

/// Has each event of a signal posted in the channel.
pub(super) struct PostSignals;

impl Reaction for PostSignals {
    fn name(&self) -> &'static str {
        "post-signals"
    }

    fn react(&self, event: &Event) -> Vec<NewJob> {
        match &event.fact {
            Fact::Signal(fact) if is_posted(fact) => {
                let job = Job::PostSignal { stream: event.stream.clone(), position: event.position };
                vec![NewJob::because_of(event, job)]
            }
            _ => vec![],
        }
    }
}

/// Whether an event is posted at all.
pub(crate) const fn is_posted(event: &Signal) -> bool {
    match event {
        Signal::Opened { .. }
        | Signal::OpenedByHand { .. }
        | Signal::Entered { .. }
        | Signal::MilestoneReached { .. }
        | Signal::TargetHit { .. }
        | Signal::StopMoved { .. }
        | Signal::Weakened { .. }
        | Signal::Regained { .. }
        | Signal::Closed { .. }
        | Signal::Recapped { .. } => true,
        Signal::Configured { .. }
        | Signal::StrategyChosen { .. }
        | Signal::StrategyQueued { .. }
        | Signal::Paused { .. }
        | Signal::Resumed { .. }
        | Signal::Passed { .. } => false,
    }
}
