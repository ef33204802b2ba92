//! What a subscription says, carried to the member of the channel it opens.

use aggregates::{
    Subscription, member,
    subscription::{self, Access, Rule},
};
use uuid::Uuid;

use super::{retry, tell};
use crate::{
    app::App,
    executor::{SendError, Wish},
    jobs::{Job, JobError},
    log::Cause,
};

/// Somebody who had the place of a subscription, or had it in another channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Seat {
    /// The channel.
    pub channel: i64,
    /// Telegram's id of the user.
    pub user: i64,
}

/// Tells the member whose place it is, or for whom it is kept, what the subscription says
/// now, and `left`, who had it before, that it says nothing for them any more. Answers what
/// else is to be done: a link to be made. (What ends takes its link back by itself.)
///
/// Who is to have the place and is in already, by another subscription or because
/// somebody let them in, has no use for a link: they take the place at once.
///
/// What is sent says which version of the subscription says so, so that two of these
/// at the same time, or one that is late, come to the same.
pub(crate) async fn sync(app: &App, cause: &Cause, id: Uuid, left: Option<Seat>) -> Result<Vec<Job>, JobError> {
    let now = app.clock.now();
    let stream = id.to_string();
    let looked = app.subscriptions.look(&stream, |subscription, version, _| (subscription.clone(), version));
    let (subscription, version) = looked.await.map_err(|error| JobError::retry(&error))?;
    let seat = seat(&subscription);
    if let Some(left) = left.filter(|left| Some(*left) != seat) {
        let rule = gone(&subscription, left);
        let command = member::Command::Disentitle { subscription: id, version, rule, at: now };
        tell(app, cause, left, command).await.map_err(|error| retry(&error))?;
    }
    let access = subscription.access(now);
    if let Some(seat) = seat {
        let command = match access {
            Access::In { until, rule } => member::Command::Entitle { subscription: id, version, until, rule, at: now },
            Access::Out { rule } => member::Command::Disentitle { subscription: id, version, rule, at: now },
        };
        tell(app, cause, seat, command).await.map_err(|error| retry(&error))?;
    }
    let party = subscription.party();
    if matches!(access, Access::Out { .. }) || party.plan.is_none() {
        return Ok(vec![]);
    }
    if is_in(app, seat).await? {
        if let Some(account) = party.account.filter(|_| subscription.joined().is_none()) {
            let command = subscription::Command::Join { account, link: None, at: now };
            let wish = Wish { command, cause: cause.clone(), once: None, expected: None };
            match app.subscriptions.send(&stream, wish).await {
                // It ended or became another's meanwhile, and that is carried, too.
                Ok(_) | Err(SendError::Refused(_)) => {}
                Err(error) => return Err(retry(&error)),
            }
        }
        return Ok(vec![]);
    }
    Ok(if subscription.link().is_none() { vec![Job::IssueLink { subscription: id }] } else { vec![] })
}

/// Why a subscription says nothing any more for who had its place.
fn gone(subscription: &Subscription, left: Seat) -> Rule {
    match subscription.party().plan {
        Some(plan) if plan.channel == left.channel => Rule::Transferred,
        Some(_) => Rule::OtherChannel,
        None => Rule::Missing,
    }
}

/// What is to be done when somebody has come in: each subscription that is to let them in
/// is looked at, as it may be waiting for them. `but` is the one by which they came.
pub(crate) async fn came(app: &App, seat: Seat, but: Option<Uuid>) -> Result<Vec<Job>, JobError> {
    let stream = member::stream(seat.channel, seat.user);
    let looked = app.members.look(&stream, |member, _, _| member.subscriptions().collect::<Vec<_>>()).await;
    let waiting = looked.map_err(|error| JobError::retry(&error))?.into_iter().filter(|id| Some(*id) != but);
    Ok(waiting.map(|subscription| Job::SyncSubscription { subscription, left: None }).collect())
}

/// Who sits in the place of a subscription, or for whom it is kept, and where.
pub(crate) fn seat(subscription: &Subscription) -> Option<Seat> {
    let party = subscription.party();
    Some(Seat { channel: party.plan?.channel, user: *party.account?.telegram.reveal() })
}

/// Whether they are in already.
pub(crate) async fn is_in(app: &App, seat: Option<Seat>) -> Result<bool, JobError> {
    let Some(Seat { channel, user }) = seat else { return Ok(false) };
    let stream = member::stream(channel, user);
    let looked = app.members.look(&stream, |member, _, _| member.is_in());
    looked.await.map_err(|error| JobError::retry(&error))
}
