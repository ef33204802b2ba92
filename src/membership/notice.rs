//! What subscribers are written to, each thing once.
//!
//! A notice is written when it is sent, with what is so then: a link that was replaced
//! is not handed out, and an end that was moved is not reminded of.

use aggregates::{
    Fact, Subscription, member,
    subscription::{Access, EndReason, Event, Rule},
};
use chrono::{DateTime, Utc};
use cqrs_es::Aggregate;
use reqwest::Url;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::pay;
use crate::{
    app::App,
    bots::texts,
    integrations::telegram::{Button, OutgoingMessage},
    jobs::{Job, JobError},
    log::Selection,
};

use super::sync::{self, Seat};

/// What a subscriber is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Notice {
    /// Here is the link: welcome, or welcome back.
    Link,
    /// A payment failed: where to pay, and how long access lasts.
    PaymentFailed,
    /// The payment has to be confirmed at the bank.
    ActionRequired,
    /// What was late is paid.
    Recovered,
    /// Access ends soon.
    Reminder {
        /// It was to be told so many days before: three, or one.
        days: u8,
        /// When it ends.
        until: DateTime<Utc>,
    },
    /// They were removed from the channel.
    Removed {
        /// Because the subscription ended so; none: it does not open this channel to them any more.
        reason: Option<EndReason>,
        /// From which.
        #[serde(default)]
        channel: Option<i64>,
    },
    /// Access is over, and they had not come in, or not again.
    InvitationOver {
        /// Because the subscription ended so.
        reason: EndReason,
    },
    /// Their place was given to another account.
    PlaceMoved,
    /// Somebody else followed their link.
    LinkMisused,
}

/// Writes a notice to whom the subscription concerns, or to `user`. Answers the message
/// to be sent; none when there is nobody to write to, or nothing to say any more.
pub(crate) async fn write(app: &App, id: Uuid, user: Option<i64>, notice: Notice) -> Result<Vec<Job>, JobError> {
    let at = app.clock.now();
    let stream = id.to_string();
    let looked = app.subscriptions.look(&stream, |subscription, _, _| subscription.clone());
    let subscription = looked.await.map_err(|error| JobError::retry(&error))?;
    let party = subscription.party();
    let account = party.account;
    let Some(chat_id) = user.or_else(|| account.map(|account| *account.telegram.reveal())) else { return Ok(vec![]) };
    let person = app.person_of_telegram(chat_id).await.map_err(|error| JobError::retry(&error))?;
    let known = projections::bot_users::find(&app.pool, person.0).await.map_err(|error| JobError::retry(&error))?;
    let texts = texts::in_language(known.and_then(|row| row.language).as_deref());
    let opens = party.plan.as_ref().map(|plan| plan.channel);
    let plan = party.plan.map(|plan| plan.name).unwrap_or_default();
    let (is_in, until, rule) = match subscription.access(at) {
        Access::In { until, rule } => (true, until, rule),
        Access::Out { rule } => (false, None, rule),
    };
    let place = async || pay::place(app, id, &subscription).await.map_err(|error| JobError::retry(&error));
    let (text, button) = match notice {
        Notice::Link => {
            let Some(link) = subscription.link().filter(|_| is_in) else { return Ok(vec![]) };
            // By another subscription, so they have no use for it.
            if sync::is_in(app, opens.map(|channel| Seat { channel, user: chat_id })).await? {
                return Ok(vec![]);
            }
            let text = match was_in(app, &subscription).await? {
                false => texts.channel_welcome(&plan, until),
                true => texts.channel_welcome_back(&plan, until),
            };
            (text, Some((texts.join_button(), Url::parse(link.url.reveal()).ok())))
        }
        // It is not waited for, so they hear by what takes their access that it did not arrive.
        Notice::PaymentFailed if rule == Rule::Ended(EndReason::GraceOver) && subscription.is_late_first() => {
            return Ok(vec![]);
        }
        Notice::PaymentFailed => {
            let text = texts.payment_failed(&plan, until, is_in);
            (text, Some((texts.pay_button(), place().await?)))
        }
        Notice::ActionRequired => (texts.payment_unconfirmed(&plan), Some((texts.pay_button(), place().await?))),
        Notice::Recovered if !is_in => return Ok(vec![]),
        Notice::Recovered => (texts.payment_received(&plan), None),
        // Extended or cancelled otherwise since.
        Notice::Reminder { until: then, .. } if until != Some(then) => return Ok(vec![]),
        Notice::Reminder { days: _, until } => {
            let button = match subscription.stripe() {
                Some(_) => Some((texts.renew_button(), place().await?)),
                None => None,
            };
            (texts.access_ends(&plan, until - at, until), button)
        }
        Notice::Removed { reason, channel } => {
            let plan = match channel.filter(|channel| opens != Some(*channel)) {
                Some(other) => plan_before(app, id, other).await?.unwrap_or(plan),
                None => plan,
            };
            let button = match reason {
                Some(EndReason::GraceOver | EndReason::Unpaid) => Some((texts.pay_button(), place().await?)),
                _ => None,
            };
            (texts.removed_from_channel(&plan, reason), button)
        }
        Notice::InvitationOver { .. } if is_in => return Ok(vec![]),
        Notice::InvitationOver { reason } => {
            let button = match reason {
                EndReason::GraceOver | EndReason::Unpaid => Some((texts.pay_button(), place().await?)),
                _ => None,
            };
            (texts.invitation_over(&plan, reason), button)
        }
        Notice::PlaceMoved => (texts.place_moved(&plan), None),
        Notice::LinkMisused => (texts.link_misused(&plan), None),
    };
    let buttons = match button {
        Some((text, Some(url))) => vec![vec![Button::Link { text: text.to_owned(), url }]],
        _ => vec![],
    };
    Ok(vec![Job::TelegramMessage(OutgoingMessage { chat_id, text, buttons, ..OutgoingMessage::default() })])
}

/// Whether who sits in the place of a subscription was in the channel that it opens before.
async fn was_in(app: &App, subscription: &Subscription) -> Result<bool, JobError> {
    let Some(Seat { channel, user }) = sync::seat(subscription) else { return Ok(false) };
    let stream = member::stream(channel, user);
    let looked = app.members.look(&stream, |member, _, _| member.has_been_in());
    looked.await.map_err(|error| JobError::retry(&error))
}

/// What the plan was called by which a subscription opened a channel before it opened
/// another.
async fn plan_before(app: &App, id: Uuid, channel: i64) -> Result<Option<String>, JobError> {
    let changes = Selection {
        aggregate_type: Some(Subscription::TYPE.to_owned()),
        aggregate_id: Some(id.to_string()),
        event_type: Some("PlanChanged".to_owned()),
        newest_first: true,
        ..Selection::default()
    };
    let page = app.log.select(&changes, None, 100).await.map_err(|error| JobError::retry(&error))?;
    for event in page.events {
        let fact = event.fact().map_err(|error| JobError::fail(&error))?;
        if let Fact::Subscription(Event::PlanChanged { from: Some(from), .. }) = fact
            && from.channel == channel
        {
            return Ok(Some(from.name));
        }
    }
    Ok(None)
}
