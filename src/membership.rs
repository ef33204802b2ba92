//! Who may be in a channel, and who is: subscriptions meet Telegram.
//!
//! A [`Subscription`](aggregates::Subscription) says whether it gives access. The
//! [`Member`] of a channel hears that from all subscriptions of one person
//! and knows whether they are in. What follows from their events are jobs: to make a
//! link, to answer who asks to join, to remove who should not be in, to write to
//! subscribers. Each job looks again at what is so now before it acts, and tells
//! the aggregate what it did; so each can be done again after a crash.

pub mod access_table;
mod account;
pub mod alert;
pub(crate) mod call;
pub mod drift;
pub(crate) mod join;
pub(crate) mod link;
pub mod notice;
pub mod pay;
pub(crate) mod plan;
pub(crate) mod removal;
pub mod rights;
pub mod sync;
pub(crate) mod time;

pub(crate) use account::account_of;

use aggregates::{Member, member};

use crate::{
    app::App,
    executor::{Done, SendError, Wish},
    jobs::JobError,
    log::{Cause, LogError},
};
use sync::Seat;

/// Sends a command to the member who has a seat.
pub(crate) async fn tell(
    app: &App,
    cause: &Cause,
    seat: Seat,
    command: member::Command,
) -> Result<Done<Member>, SendError<member::Refusal>> {
    let wish = Wish { command, cause: cause.clone(), once: None, expected: None };
    app.members.send(&member::stream(seat.channel, seat.user), wish).await
}

/// A command that a job sent was not accepted: whether another try may do better.
pub(crate) fn retry<R: std::error::Error>(error: &SendError<R>) -> JobError {
    match error {
        SendError::Log(log) if matches!(**log, LogError::Unstorable { .. }) => JobError::fail(error),
        SendError::Refused(_) => JobError::fail(error),
        _ => JobError::retry(error),
    }
}
