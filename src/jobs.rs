//! Jobs: one effect on the world each, durable, tried until it is done or dead.

pub mod admin;
mod perform;
pub mod worker;

use std::time::Duration;

use aggregates::{CodeText, PersonId, TelegramUser, UniqueCode, conversation::Topic, submission::Submitted};
use chrono::{DateTime, Utc};
use projections::Event;
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::integrations::telegram::OutgoingMessage;

/// What is to be done.
#[derive(Clone, Serialize, Deserialize)]
#[serde(tag = "kind", content = "payload", rename_all = "snake_case")]
pub enum Job {
    /// Work an update the coupon bot received; the text is as Telegram sent it.
    CouponBotUpdate {
        /// The chat it belongs to, when it does.
        chat_id: Option<i64>,
        /// Telegram's number of the update.
        update_id: i64,
        /// The update, as JSON text.
        body: String,
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
    fn lane(&self) -> Option<String> {
        match self {
            Self::CouponBotUpdate { chat_id: Some(chat_id), .. } => Some(format!("coupon-bot-in:{chat_id}")),
            Self::TelegramMessage(OutgoingMessage { chat_id, .. })
            | Self::ConfirmRedemption { chat_id, .. }
            | Self::CouponCard { chat_id, .. } => Some(format!("coupon-bot-out:{chat_id}")),
            Self::CouponBotUpdate { chat_id: None, .. }
            | Self::AnswerPress { .. }
            | Self::ConversationFinished { .. }
            | Self::ShowSubmission { .. }
            | Self::FulfilSubmission { .. }
            | Self::RejectSubmission { .. }
            | Self::ReleaseCode { .. }
            | Self::BotUserBlocked { .. }
            | Self::ReleaseBroadcast { .. }
            | Self::AddressBroadcast { .. }
            | Self::ResendBroadcast { .. } => None,
        }
    }

    /// The place in its lane; jobs with the same one go in the order they came.
    const fn turn(&self) -> i64 {
        match self {
            Self::CouponBotUpdate { update_id, .. } => *update_id,
            _ => 0,
        }
    }

    /// The kinds of jobs that wait for Telegram's limits, and those that do not:
    /// worked apart, so that a queue of replies does not keep redemptions waiting.
    pub(crate) const GROUPS: [(&str, &[&str]); 2] = [
        ("jobs:messages", Self::MESSAGES),
        (
            "jobs:work",
            &[
                "coupon_bot_update",
                "answer_press",
                "conversation_finished",
                "show_submission",
                "fulfil_submission",
                "reject_submission",
                "release_code",
                "bot_user_blocked",
                "release_broadcast",
                "address_broadcast",
                "resend_broadcast",
            ],
        ),
    ];

    /// Messages to one person, which go before broadcasts.
    pub(crate) const MESSAGES: &[&str] = &["telegram_message", "confirm_redemption", "coupon_card"];

    /// Tries before a person has to look at it. With the waits of [`worker`],
    /// ten tries last about two hours and twenty about three days.
    const fn max_attempts(&self) -> i32 {
        match self {
            // The button waits a quarter of a minute.
            Self::AnswerPress { .. } => 3,
            Self::TelegramMessage(_) | Self::ConfirmRedemption { .. } | Self::CouponCard { .. } => 10,
            Self::CouponBotUpdate { .. }
            | Self::ConversationFinished { .. }
            | Self::ShowSubmission { .. }
            | Self::FulfilSubmission { .. }
            | Self::RejectSubmission { .. }
            | Self::ReleaseCode { .. }
            | Self::BotUserBlocked { .. }
            | Self::ReleaseBroadcast { .. }
            | Self::AddressBroadcast { .. }
            | Self::ResendBroadcast { .. } => 20,
        }
    }
}

/// A job about to be enqueued.
#[derive(Clone)]
pub struct NewJob {
    /// What is to be done.
    pub job: Job,
    /// Shared by all that follows from one first cause.
    pub correlation: Uuid,
    /// The direct cause.
    pub causation: String,
}

impl NewJob {
    /// The effect of an event.
    #[must_use]
    pub fn because_of(event: &Event, job: Job) -> Self {
        Self { job, correlation: event.correlation, causation: format!("event:{}", event.position) }
    }
}

/// Enqueues jobs in the caller's transaction. The caller wakes the workers
/// ([`Topic::Jobs`](crate::wake::Topic::Jobs)) after its commit.
///
/// # Errors
/// What the database says.
pub async fn enqueue(connection: &mut PgConnection, jobs: &[NewJob]) -> Result<(), sqlx::Error> {
    if jobs.is_empty() {
        return Ok(());
    }
    let mut kinds = Vec::with_capacity(jobs.len());
    let mut payloads = Vec::with_capacity(jobs.len());
    for job in jobs {
        let value = serde_json::to_value(&job.job).map_err(|error| sqlx::Error::Encode(Box::new(error)))?;
        kinds.push(value["kind"].as_str().unwrap_or_default().to_owned());
        payloads.push(value["payload"].to_string());
    }
    let lanes: Vec<Option<String>> = jobs.iter().map(|job| job.job.lane()).collect();
    let turns: Vec<i64> = jobs.iter().map(|job| job.job.turn()).collect();
    let attempts: Vec<i32> = jobs.iter().map(|job| job.job.max_attempts()).collect();
    let correlations: Vec<Uuid> = jobs.iter().map(|job| job.correlation).collect();
    let causations: Vec<String> = jobs.iter().map(|job| job.causation.clone()).collect();
    sqlx::query!(
        "select enqueue_jobs($1, $2, $3, $4, $5, $6, $7)",
        &kinds,
        &payloads,
        &lanes as &[Option<String>],
        &turns,
        &attempts,
        &correlations,
        &causations,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Why a job is not done.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// It may work later.
    #[error("to be tried again: {reason}")]
    Retry {
        /// What happened; shown to admins, so free of secrets and personal data.
        reason: String,
        /// Not before this long.
        after: Option<Duration>,
    },
    /// Not its turn yet: a rate limit, or an integration that is not configured
    /// here. Does not count as a try.
    #[error("put off: {reason}")]
    Later {
        /// Why.
        reason: String,
        /// For how long.
        after: Duration,
    },
    /// It will never work as it is: a person has to look.
    #[error("failed: {reason}")]
    Fail {
        /// What happened; shown to admins, so free of secrets and personal data.
        reason: String,
    },
}

impl JobError {
    /// The error with all its causes, in one line.
    #[must_use]
    pub fn retry(error: &dyn std::error::Error) -> Self {
        Self::Retry { reason: chain(error), after: None }
    }

    /// The error with all its causes, in one line.
    #[must_use]
    pub fn fail(error: &dyn std::error::Error) -> Self {
        Self::Fail { reason: chain(error) }
    }
}

/// An error and its sources, in one line.
#[must_use]
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
