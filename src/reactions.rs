//! Reactions: event in, jobs out. Pure; the feed commits the jobs together
//! with its checkpoint, so each event has its effects exactly once.

mod conversation;
mod coupon_bot;
mod release_code;
mod run_broadcast;

use projections::Event;

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
pub fn all() -> [&'static dyn Reaction; 4] {
    [
        &coupon_bot::ConfirmRedemption,
        &release_code::ReleaseCode,
        &run_broadcast::RunBroadcast,
        &conversation::FinishConversation,
    ]
}
