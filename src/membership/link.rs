//! The link into the channel that a subscription has.

use aggregates::{
    Personal,
    subscription::{self, Access, Link, LinkKind},
};
use uuid::Uuid;

use super::{call, retry, sync};
use crate::{
    app::App,
    config::LinkModel,
    executor::{SendError, Wish},
    integrations::telegram::LinkName,
    jobs::{Job, JobError},
    log::Cause,
};

/// What the link of a subscription is called: Telegram says it with everybody who
/// follows the link. 32 characters, which is all there is room for.
fn name(subscription: Uuid) -> Result<LinkName, JobError> {
    LinkName::new(subscription.simple().to_string()).map_err(|error| JobError::fail(&error))
}

/// The subscription whose link is called so; none for a link that is not ours.
pub(crate) fn named(name: Option<&str>) -> Option<Uuid> {
    name.filter(|name| name.len() == 32).and_then(|name| Uuid::try_parse(name).ok())
}

/// Makes a link for a subscription that gives access and has none.
///
/// A link that was made and could not be written down, for the process died, is known
/// to nobody; who guessed it would be asked for its subscription all the same.
pub(crate) async fn issue(app: &App, cause: &Cause, id: Uuid) -> Result<Vec<Job>, JobError> {
    let now = app.clock.now();
    let stream = id.to_string();
    let looked = app.subscriptions.look(&stream, |subscription, _, _| {
        let wanted = matches!(subscription.access(now), Access::In { .. }) && subscription.link().is_none();
        (wanted.then(|| subscription.party().plan).flatten(), sync::seat(subscription))
    });
    let (Some(plan), seat) = looked.await.map_err(|error| JobError::retry(&error))? else { return Ok(vec![]) };
    if sync::is_in(app, seat).await? {
        return Ok(vec![]);
    }
    let telegram = call::in_channel(app, plan.channel).await?;
    let name = name(id)?;
    let (made, kind) = match app.config.membership.links {
        LinkModel::JoinRequest => {
            (telegram.create_request_link(plan.channel, &name, None).await, LinkKind::JoinRequest)
        }
        LinkModel::SingleMember => {
            (telegram.create_single_link(plan.channel, &name, None).await, LinkKind::SingleMember)
        }
    };
    let made = match made {
        Ok(made) => made,
        Err(error) => return Err(call::failed(app, plan.channel, &error).await),
    };
    let link = Link {
        url: Personal::new(made.url.clone()),
        name: name.as_str().to_owned(),
        kind,
        channel: Some(plan.channel),
        expires: made.expires_at,
    };
    let command = subscription::Command::IssueLink { link, at: app.clock.now() };
    let wish = Wish { command, cause: cause.clone(), once: None, expected: None };
    match app.subscriptions.send(&stream, wish).await {
        Ok(_) => Ok(vec![]),
        // It has ended meanwhile, or opens another channel by now.
        Err(SendError::Refused(_)) => {
            let url = Personal::new(made.url);
            Ok(vec![Job::RevokeLink { subscription: id, url, channel: Some(plan.channel) }])
        }
        Err(error) => Err(retry(&error)),
    }
}

/// Makes a link of a subscription useless at Telegram. `channel`: where it leads; none,
/// for a link that was made before this was kept: into the channel that the plan opens.
pub(crate) async fn revoke(app: &App, id: Uuid, url: &str, channel: Option<i64>) -> Result<Vec<Job>, JobError> {
    let stream = id.to_string();
    let looked = app.subscriptions.look(&stream, |subscription, _, _| subscription.party().plan);
    let plan = looked.await.map_err(|error| JobError::retry(&error))?;
    let Some(channel) = channel.or(plan.map(|plan| plan.channel)) else { return Ok(vec![]) };
    match call::in_channel(app, channel).await?.revoke_link(channel, url).await {
        Ok(()) => Ok(vec![]),
        Err(error) => Err(call::failed(app, channel, &error).await),
    }
}
