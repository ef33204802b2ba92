//! What follows from what happens to subscriptions and members of channels.

use aggregates::{
    Fact,
    member::{self, Rule},
    subscription::{Event as Subscription, Party, Rule as Of},
};
use projections::Event;
use uuid::Uuid;

use super::Reaction;
use crate::{
    jobs::{Job, NewJob},
    membership::{notice::Notice, sync::Seat},
};

/// Carries to the members of channels what subscriptions say, keeps their links, and
/// asks Stripe to cancel.
pub(super) struct FollowSubscription;

/// Does in the channel what was decided about a member.
pub(super) struct RunChannel;

/// Writes to subscribers.
pub(super) struct TellSubscribers;

fn stream(event: &Event) -> Option<Uuid> {
    // Ids of subscriptions are UUIDs since the first one.
    Uuid::try_parse(&event.stream).ok()
}

impl Reaction for FollowSubscription {
    fn name(&self) -> &'static str {
        "follow-subscription"
    }

    fn react(&self, event: &Event) -> Vec<NewJob> {
        let Fact::Subscription(fact) = &event.fact else { return vec![] };
        let Some(id) = stream(event) else { return vec![] };
        let sync = |left| Job::SyncSubscription { subscription: id, left };
        let job = match fact {
            Subscription::Transferred { party, from, .. } => {
                let left = from.as_ref().zip(party.plan.as_ref());
                sync(left.map(|(from, plan)| Seat { channel: plan.channel, user: *from.telegram.reveal() }))
            }
            Subscription::PlanChanged { party, from: Some(from), .. } => {
                let user = party.account.as_ref().map(|account| *account.telegram.reveal());
                sync(user.map(|user| Seat { channel: from.channel, user }))
            }
            Subscription::AccessChanged { party, left: Some(left), .. } => {
                let channel = party.plan.as_ref().map(|plan| plan.channel);
                sync(channel.map(|channel| Seat { channel, user: *left.telegram.reveal() }))
            }
            fact if fact.concerns_access() => sync(None),
            Subscription::LinkRevoked { link, .. } => {
                Job::RevokeLink { subscription: id, url: link.url.clone(), channel: link.channel }
            }
            Subscription::CancelRequested { stripe: Some(stripe), when, .. } => Job::CancelAtStripe {
                subscription: id,
                stripe: stripe.subscription.clone(),
                when: *when,
                position: event.position,
            },
            Subscription::RefundRequested { stripe, refund, .. } => Job::RefundAtStripe {
                subscription: id,
                stripe: stripe.subscription.clone(),
                refund: refund.clone(),
                position: event.position,
            },
            _ => return vec![],
        };
        vec![NewJob::because_of(event, job)]
    }
}

impl Reaction for RunChannel {
    fn name(&self) -> &'static str {
        "run-channel"
    }

    fn react(&self, event: &Event) -> Vec<NewJob> {
        let Fact::Member(fact) = &event.fact else { return vec![] };
        let Some((channel, user)) = member::parse_stream(&event.stream) else { return vec![] };
        let seat = Seat { channel, user };
        let job = match fact {
            member::Event::Admitted { .. } => Job::AnswerJoinRequest { seat, admit: true },
            member::Event::RemovalDue { .. } => Job::RemoveMember { seat, due: event.position },
            // They paid while the removal was on its way, and need a link.
            member::Event::Removed { verdict, readmit: true, .. } => match verdict.subscription {
                Some(subscription) => Job::SyncSubscription { subscription, left: None },
                None => return vec![],
            },
            member::Event::Entitled { .. }
            | member::Event::Disentitled { .. }
            | member::Event::Confirmed { .. }
            | member::Event::Joined { .. }
            | member::Event::Left { .. }
            | member::Event::RemovalWithdrawn { .. }
            | member::Event::RemovalFailed { .. }
            | member::Event::Removed { readmit: false, .. }
            | member::Event::Whitelisted { .. }
            | member::Event::Unlisted { .. } => return vec![],
        };
        vec![NewJob::because_of(event, job)]
    }
}

impl Reaction for TellSubscribers {
    fn name(&self) -> &'static str {
        "tell-subscribers"
    }

    fn react(&self, event: &Event) -> Vec<NewJob> {
        match &event.fact {
            Fact::Subscription(fact) => {
                let Some(subscription) = stream(event) else { return vec![] };
                let (party, notice) = match fact {
                    Subscription::Invited { party, .. } => (party, Notice::Link),
                    Subscription::PaymentFailed { party, .. } => (party, Notice::PaymentFailed),
                    Subscription::ActionRequired { party, .. } => (party, Notice::ActionRequired),
                    Subscription::Recovered { party, .. } => (party, Notice::Recovered),
                    _ => return vec![],
                };
                told(party).map(|user| Job::TellSubscriber { subscription, user: Some(user), notice })
            }
            Fact::Member(member::Event::Removed { verdict, readmit: false, .. }) => {
                let (channel, user) = member::parse_stream(&event.stream).unzip();
                let notice = match verdict.rule {
                    Rule::Subscription(Of::Ended(reason)) => Notice::Removed { reason: Some(reason), channel },
                    Rule::Subscription(Of::Transferred) => Notice::PlaceMoved,
                    _ => Notice::Removed { reason: None, channel },
                };
                verdict.subscription.map(|subscription| Job::TellSubscriber { subscription, user, notice })
            }
            &Fact::Member(member::Event::Disentitled { subscription, rule, outside: true, .. }) => {
                let notice = match rule {
                    Of::Ended(reason) => Some(Notice::InvitationOver { reason }),
                    Of::Transferred => Some(Notice::PlaceMoved),
                    _ => None,
                };
                let user = member::parse_stream(&event.stream).map(|(_, user)| user);
                notice.map(|notice| Job::TellSubscriber { subscription, user, notice })
            }
            _ => None,
        }
        .map(|job| NewJob::because_of(event, job))
        .into_iter()
        .collect()
    }
}

/// Whom to write to; none when no Telegram account is known.
fn told(party: &Party) -> Option<i64> {
    party.account.as_ref().map(|account| *account.telegram.reveal())
}
