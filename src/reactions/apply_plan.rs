//! What follows from a plan that is defined or changed.

use aggregates::{Fact, plan};
use projections::Event;
use uuid::Uuid;

use super::Reaction;
use crate::jobs::{Job, NewJob};

/// Has subscriptions know their plan that were bought before it was what it is.
pub(super) struct ApplyPlan;

impl Reaction for ApplyPlan {
    fn name(&self) -> &'static str {
        "apply-plan"
    }

    fn react(&self, event: &Event) -> Vec<NewJob> {
        let Fact::Plan(plan::Event::Defined { terms, .. } | plan::Event::Changed { terms, .. }) = &event.fact else {
            return vec![];
        };
        let Ok(plan) = Uuid::try_parse(&event.stream) else { return vec![] };
        let job = Job::ApplyPlan { plan, prices: terms.prices.clone(), position: event.position };
        vec![NewJob::because_of(event, job)]
    }
}
