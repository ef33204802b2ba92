//! Which jobs wait for each other, and in which order they are worked.

use super::Job;
use crate::integrations::telegram::OutgoingMessage;

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
