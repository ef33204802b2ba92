//! Reactions: event in, jobs out. Pure; the feed commits the jobs together
//! with its checkpoint, so each event has its effects exactly once.

mod apply_plan;
mod conversation;
mod coupon_bot;
mod membership;
mod release_code;
mod run_broadcast;
mod signals;

use projections::Event;
pub(crate) use signals::is_posted;

use crate::jobs::NewJob;

/// A process that follows events with effects.
pub trait Reaction: Send + Sync {
    /// Its name, which is its feed's.
    fn name(&self) -> &'static str;

    /// The effects of one event.
    fn react(&self, event: &Event) -> Vec<NewJob>;
}

/// All reactions.
#[must_use]
pub fn all() -> [&'static dyn Reaction; 9] {
    [
        &coupon_bot::ConfirmRedemption,
        &release_code::ReleaseCode,
        &run_broadcast::RunBroadcast,
        &conversation::FinishConversation,
        &membership::FollowSubscription,
        &membership::RunChannel,
        &membership::TellSubscribers,
        &signals::PostSignals,
        &apply_plan::ApplyPlan,
    ]
}
