//! What there is to be done, and how: in which lane, by which workers, how often.

use std::time::Duration;

use aggregates::{
    CodeText, PersonId, Personal, TelegramUser, UniqueCode,
    conversation::Topic,
    submission::Submitted,
    subscription::{CancelWhen, RefundWish},
};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    integrations::telegram::OutgoingMessage,
    membership::{notice::Notice, sync::Seat},
};

/// Waits between tries grow up to this.
pub(super) const LONGEST_WAIT: Duration = Duration::from_secs(6 * 3600);
/// Tries of a job whose time is over: one that an admin has tried again has them anew.
pub(super) const LEAST_TRIES: i32 = 20;

/// What is to be done.
#[derive(Clone, Serialize, Deserialize)]
#[serde(tag = "kind", content = "payload", rename_all = "snake_case")]
pub enum Job {
    /// Work an update the coupon bot received; the text is as Telegram sent it.
    CouponBotUpdate {
        /// The chat it belongs to, when it does.
        chat_id: Option<i64>,
        /// Whom it concerns, in a chat of many.
        #[serde(default)]
        member: Option<i64>,
        /// Telegram's number of the update.
        update_id: i64,
        /// The update, as JSON text.
        body: String,
    },
    /// Work an update the forex bot received; the text is as Telegram sent it.
    ForexBotUpdate {
        /// The chat it belongs to, when it does.
        chat_id: Option<i64>,
        /// Telegram's number of the update.
        update_id: i64,
        /// The update, as JSON text.
        body: String,
    },
    /// Have the forex bot send a message.
    ForexMessage(OutgoingMessage),
    /// Post in the channel what happened to a signal.
    PostSignal {
        /// The instrument.
        stream: String,
        /// Of the event.
        position: i64,
    },
    /// Send a message.
    TelegramMessage(OutgoingMessage),
    /// Tell a person that their redemption counts.
    ConfirmRedemption {
        /// Of this campaign.
        campaign: String,
        /// The redemption's number.
        number: u32,
        /// The unique code; none: the shared one.
        #[serde(default)]
        coupon: Option<UniqueCode>,
        /// Where to write to.
        chat_id: i64,
        /// In which language.
        language: Option<String>,
    },
    /// Send somebody the card of their coupon.
    CouponCard {
        /// Of this campaign.
        campaign: Uuid,
        /// The unique code; none: the shared one.
        #[serde(default)]
        coupon: Option<UniqueCode>,
        /// Where to send it.
        chat_id: i64,
        /// Whose it is.
        holder_name: String,
        /// In which language.
        language: Option<String>,
    },
    /// Tell Telegram that a press of a button was seen.
    AnswerPress {
        /// Telegram's id of the press.
        callback_id: String,
        /// Shown for a moment to who pressed.
        text: Option<String>,
    },
    /// Give an admin a menu with their commands.
    ShowAdminMenu {
        /// Their chat.
        chat_id: i64,
    },
    /// Do what a conversation was about.
    ConversationFinished {
        /// Its id.
        conversation: Uuid,
        /// Whose it was.
        person: String,
        /// What it was about.
        topic: Topic,
        /// All answers.
        answers: Vec<String>,
        /// Where to write to.
        telegram: TelegramUser,
    },
    /// Show admins what somebody answered to a campaign's questions.
    ShowSubmission {
        /// The submission.
        submission: String,
        /// Its version: what is decided on it is decided on these answers.
        version: i64,
        /// What was handed in.
        submitted: Submitted,
    },
    /// Show admins again what they approved in vain.
    ShowFailedSubmission {
        /// The submission.
        submission: String,
        /// Its version: what is decided on it now is decided on it as it is after the failure.
        version: i64,
        /// Why the coupon could not be redeemed.
        reason: String,
    },
    /// Redeem the coupon for answers that were approved.
    FulfilSubmission {
        /// The submission.
        submission: String,
        /// Of the approval.
        position: i64,
        /// What was approved.
        submitted: Submitted,
    },
    /// Tell somebody that their answers were not accepted.
    RejectSubmission {
        /// Which campaign had asked.
        campaign: Uuid,
        /// Where to write to.
        telegram: TelegramUser,
        /// Why.
        reason: String,
    },
    /// Give a code back.
    ReleaseCode {
        /// The holder.
        campaign: String,
        /// What it holds.
        code: CodeText,
    },
    /// Note that nothing reaches a person any more.
    BotUserBlocked {
        /// Who.
        person: PersonId,
        /// When the call began that said so.
        at: DateTime<Utc>,
    },
    /// Start a broadcast at its time.
    ReleaseBroadcast {
        /// Which.
        broadcast: String,
        /// When.
        send_at: DateTime<Utc>,
    },
    /// Fix a broadcast's audience.
    AddressBroadcast {
        /// Which.
        broadcast: String,
        /// The audience is taken from read models that have come so far.
        position: i64,
    },
    /// Work an event of Stripe's that was kept.
    StripeEvent {
        /// Its id.
        event: String,
    },
    /// Carry to the member of a channel what a subscription says.
    SyncSubscription {
        /// Which.
        subscription: Uuid,
        /// Who had its place before.
        #[serde(default)]
        left: Option<Seat>,
    },
    /// Have subscriptions know their plan that were bought before it was what it is.
    ApplyPlan {
        /// Which.
        plan: Uuid,
        /// Its prices at Stripe.
        prices: Vec<String>,
        /// Of the event by which it is so.
        position: i64,
    },
    /// Make a link into the channel for a subscription.
    IssueLink {
        /// Which.
        subscription: Uuid,
    },
    /// Make a link useless.
    RevokeLink {
        /// Whose it was.
        subscription: Uuid,
        /// The link.
        url: Personal<String>,
        /// The channel it leads into; none: the one that the plan opens.
        #[serde(default)]
        channel: Option<i64>,
    },
    /// Let in, or turn away, who asks to join.
    AnswerJoinRequest {
        /// Who, and where.
        seat: Seat,
        /// Whether they are let in.
        admit: bool,
    },
    /// Remove somebody from a channel.
    RemoveMember {
        /// Who, and where.
        seat: Seat,
        /// The position of the event by which it is due.
        due: i64,
    },
    /// Write to a subscriber.
    TellSubscriber {
        /// Whose subscription.
        subscription: Uuid,
        /// Whom to write to; none: whom it concerns.
        #[serde(default)]
        user: Option<i64>,
        /// What about.
        notice: Notice,
    },
    /// Compare Stripe, what is known here, and the channels.
    CheckDrift {
        /// The comparison.
        run: Uuid,
        /// Whether to repair what it finds.
        repair: bool,
        /// Whether to remove those of whom nothing is known, too.
        #[serde(default)]
        strangers: bool,
    },
    /// Cancel a subscription at Stripe.
    CancelAtStripe {
        /// Which.
        subscription: Uuid,
        /// What it is called there.
        stripe: String,
        /// When.
        when: CancelWhen,
        /// Of the wish: each is sent to Stripe once.
        position: i64,
    },
    /// Give money back at Stripe.
    RefundAtStripe {
        /// Of which subscription.
        subscription: Uuid,
        /// What it is called there.
        stripe: String,
        /// What is to go back.
        refund: RefundWish,
        /// Of the wish: each is sent to Stripe once.
        position: i64,
    },
    /// Send a broadcast again to those of whom it is not known whether they got it.
    ResendBroadcast {
        /// Which.
        broadcast: String,
        /// Which order to do so, from 1.
        number: u32,
    },
}

impl Job {
    /// Jobs of one lane are worked one at a time, by turn.
    pub(super) fn lane(&self) -> Option<String> {
        match self {
            Self::ForexBotUpdate { chat_id: Some(chat_id), .. } => Some(format!("forex-bot-in:{chat_id}")),
            Self::ForexMessage(OutgoingMessage { chat_id, .. }) => Some(format!("forex-bot-out:{chat_id}")),
            // There is one channel, and what is found in it is counted from the post before.
            Self::PostSignal { .. } => Some("signal-posts".to_owned()),
            // In a channel each person is apart: one whose update cannot be worked keeps no other waiting.
            Self::CouponBotUpdate { chat_id: Some(chat_id), member: Some(member), .. } => {
                Some(format!("coupon-bot-in:{chat_id}:{member}"))
            }
            Self::CouponBotUpdate { chat_id: Some(chat_id), member: None, .. } => {
                Some(format!("coupon-bot-in:{chat_id}"))
            }
            Self::TelegramMessage(OutgoingMessage { chat_id, .. })
            | Self::ConfirmRedemption { chat_id, .. }
            | Self::CouponCard { chat_id, .. } => Some(format!("coupon-bot-out:{chat_id}")),
            Self::SyncSubscription { subscription, .. } => Some(format!("subscription:{subscription}")),
            // In lanes of their own: what waits for rights or for Stripe keeps nothing else waiting.
            Self::IssueLink { subscription } => Some(format!("link:{subscription}")),
            Self::CancelAtStripe { subscription, .. } => Some(format!("cancel:{subscription}")),
            Self::RefundAtStripe { subscription, .. } => Some(format!("refund:{subscription}")),
            Self::TellSubscriber { subscription, .. } => Some(format!("subscriber:{subscription}")),
            Self::AnswerJoinRequest { seat, .. } | Self::RemoveMember { seat, .. } => {
                Some(format!("member:{}:{}", seat.channel, seat.user))
            }
            Self::CouponBotUpdate { chat_id: None, .. }
            | Self::ForexBotUpdate { chat_id: None, .. }
            | Self::RevokeLink { .. }
            | Self::CheckDrift { .. }
            | Self::AnswerPress { .. }
            | Self::ShowAdminMenu { .. }
            | Self::ConversationFinished { .. }
            | Self::ShowSubmission { .. }
            | Self::ShowFailedSubmission { .. }
            | Self::FulfilSubmission { .. }
            | Self::RejectSubmission { .. }
            | Self::ReleaseCode { .. }
            | Self::BotUserBlocked { .. }
            | Self::ReleaseBroadcast { .. }
            | Self::AddressBroadcast { .. }
            | Self::StripeEvent { .. }
            | Self::ApplyPlan { .. }
            | Self::ResendBroadcast { .. } => None,
        }
    }

    /// The place in its lane; jobs with the same one go in the order they came.
    pub(super) const fn turn(&self) -> i64 {
        match self {
            Self::CouponBotUpdate { update_id, .. } | Self::ForexBotUpdate { update_id, .. } => *update_id,
            Self::PostSignal { position, .. } => *position,
            _ => 0,
        }
    }

    /// The kinds of jobs that wait for Telegram's limits, those that wait for Stripe, and
    /// those that wait for neither: worked apart, so that a queue of replies or a Stripe
    /// that does not answer keeps no redemption waiting.
    pub(crate) const GROUPS: [(&str, &[&str]); 5] = [
        ("jobs:messages", Self::MESSAGES),
        (
            "jobs:work",
            &[
                "coupon_bot_update",
                "forex_bot_update",
                "answer_press",
                "show_admin_menu",
                "conversation_finished",
                "show_submission",
                "show_failed_submission",
                "fulfil_submission",
                "reject_submission",
                "release_code",
                "bot_user_blocked",
                "release_broadcast",
                "address_broadcast",
                "resend_broadcast",
                "sync_subscription",
                "tell_subscriber",
                "apply_plan",
            ],
        ),
        ("jobs:stripe", Self::STRIPE),
        ("jobs:channel", Self::CHANNEL),
        ("jobs:signals", Self::SIGNALS),
    ];

    /// What calls Stripe, which may take a minute to say that it cannot.
    pub(crate) const STRIPE: &[&str] = &["stripe_event", "cancel_at_stripe", "refund_at_stripe"];

    /// What the bot does in its channels, for which it needs rights there: worked apart,
    /// so that a channel in which it has none keeps nothing else waiting.
    pub(crate) const CHANNEL: &[&str] =
        &["issue_link", "revoke_link", "answer_join_request", "remove_member", "check_drift"];

    /// What the forex bot sends, under limits of its own.
    pub(crate) const SIGNALS: &[&str] = &["post_signal", "forex_message"];

    /// Messages to one person, which go before broadcasts.
    pub(crate) const MESSAGES: &[&str] = &["telegram_message", "confirm_redemption", "coupon_card"];

    /// Between two tries, at the most.
    pub(super) const fn longest_wait(&self) -> Duration {
        match self {
            // It is news, and all later ones wait behind it: once the channel can be reached, it is there.
            Self::PostSignal { .. } => Duration::from_secs(30),
            _ => LONGEST_WAIT,
        }
    }

    /// For how long it is tried, at [least so many times](LEAST_TRIES); none: as often as
    /// [`max_attempts`](Self::max_attempts) says.
    pub(super) const fn patience(&self) -> Option<Duration> {
        match self {
            Self::PostSignal { .. } => Some(Duration::from_secs(3 * 24 * 3600)),
            _ => None,
        }
    }

    /// Tries before a person has to look at it. With the waits of [`worker`](super::worker),
    /// ten tries last about two hours and twenty about three days.
    pub(super) const fn max_attempts(&self) -> i32 {
        match self {
            // The button waits a quarter of a minute.
            Self::AnswerPress { .. } => 3,
            Self::TelegramMessage(_)
            | Self::ForexMessage(_)
            | Self::ConfirmRedemption { .. }
            | Self::CouponCard { .. }
            | Self::ShowAdminMenu { .. } => 10,
            // More than it is tried in all its time; so that one on which processes die has an end, too.
            Self::PostSignal { .. } => 20_000,
            Self::CouponBotUpdate { .. }
            | Self::ForexBotUpdate { .. }
            | Self::ConversationFinished { .. }
            | Self::ShowSubmission { .. }
            | Self::ShowFailedSubmission { .. }
            | Self::FulfilSubmission { .. }
            | Self::RejectSubmission { .. }
            | Self::ReleaseCode { .. }
            | Self::BotUserBlocked { .. }
            | Self::ReleaseBroadcast { .. }
            | Self::AddressBroadcast { .. }
            | Self::StripeEvent { .. }
            | Self::ApplyPlan { .. }
            | Self::SyncSubscription { .. }
            | Self::IssueLink { .. }
            | Self::RevokeLink { .. }
            | Self::AnswerJoinRequest { .. }
            | Self::RemoveMember { .. }
            | Self::TellSubscriber { .. }
            | Self::CheckDrift { .. }
            | Self::CancelAtStripe { .. }
            | Self::RefundAtStripe { .. }
            | Self::ResendBroadcast { .. } => 20,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn update(member: Option<i64>, update_id: i64) -> Job {
        Job::CouponBotUpdate { chat_id: Some(-100), member, update_id, body: String::new() }
    }

    #[test]
    fn in_a_channel_each_person_is_a_lane() {
        assert_eq!(update(Some(7), 1).lane(), update(Some(7), 2).lane(), "theirs are worked in order");
        assert_ne!(update(Some(7), 1).lane(), update(Some(8), 1).lane(), "one does not wait for another");
        let old = r#"{"kind":"coupon_bot_update","payload":{"chat_id":-100,"update_id":1,"body":""}}"#;
        let old: Job = serde_json::from_str(old).unwrap();
        assert_eq!(old.lane(), update(None, 1).lane(), "jobs of an earlier version are read");
    }
}
