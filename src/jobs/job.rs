//! What there is to be done.

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
