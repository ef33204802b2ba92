//! How often a job is tried, and for how long.

use std::time::Duration;

use super::Job;

/// Waits between tries grow up to this.
pub(super) const LONGEST_WAIT: Duration = Duration::from_secs(6 * 3600);
/// Tries of a job whose time is over: one that an admin has tried again has them anew.
pub(super) const LEAST_TRIES: i32 = 20;

impl Job {
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
