//! What each kind of job does.

use std::time::Duration;

use aggregates::CodeText;

use super::{Job, JobError, worker::Claimed};
use crate::{
    app::App,
    bots::{coupon, texts},
    codes, coupons,
    integrations::telegram::{OutgoingMessage, TelegramError},
    log::Cause,
    rate::{self, Slot},
};

/// Performs a job and answers the jobs that follow from it.
pub(super) async fn perform(app: &App, claimed: &Claimed, job: &Job) -> Result<Vec<Job>, JobError> {
    match job {
        Job::CouponBotUpdate { body, .. } => coupon::work(app, claimed.correlation, claimed.created_at, body).await,
        Job::TelegramMessage(message) => send(app, message).await,
        Job::ConfirmRedemption { campaign, number, coupon, chat_id, language } => {
            let id = campaign.parse().map_err(|error: uuid::Error| JobError::fail(&error))?;
            let found = projections::campaigns::find(&app.pool, id).await.map_err(|e| JobError::retry(&e))?;
            let behind =
                || JobError::Retry { reason: "the campaign is not in the read model yet".to_owned(), after: None };
            let campaign = found.ok_or_else(behind)?;
            let code = match coupon {
                Some(coupon) => {
                    coupons::text(app, *coupon).await.map_err(|e| JobError::retry(&e))?.ok_or_else(behind)?
                }
                None => campaign.code.unwrap_or_default(),
            };
            let texts = texts::in_language(language.as_deref());
            let text = texts.redeemed(&campaign.name, &code, *number);
            send(app, &OutgoingMessage { chat_id: *chat_id, text, format: None, reply_to: None, silent: false }).await
        }
        Job::ReleaseCode { campaign, code } => release(app, claimed, campaign, code).await,
    }
}

/// Sends a message inside Telegram's limits, which all processes share.
async fn send(app: &App, message: &OutgoingMessage) -> Result<Vec<Job>, JobError> {
    let Some(telegram) = &app.telegram else {
        return Err(JobError::Later {
            reason: "no TELEGRAM_BOT_TOKEN here".to_owned(),
            after: Duration::from_secs(60),
        });
    };
    match rate::take(&app.pool, &app.config.telegram_limits, message.chat_id).await {
        Ok(Slot::After(wait)) => tokio::time::sleep(wait).await,
        Ok(Slot::Later(after)) => return Err(JobError::Later { reason: "rate limit".to_owned(), after }),
        Err(error) => return Err(JobError::retry(&error)),
    }
    match telegram.send_message(message).await {
        Ok(_) => Ok(vec![]),
        Err(TelegramError::RetryAfter { delay, .. }) => {
            rate::pause(&app.pool, delay).await.map_err(|error| JobError::retry(&error))?;
            Err(JobError::Later { reason: "Telegram asks to wait".to_owned(), after: delay })
        }
        Err(error @ TelegramError::RecipientGone { .. }) => {
            // Nothing to repeat and nobody to alarm: people block bots.
            tracing::info!(%error, "a message has no recipient");
            Ok(vec![])
        }
        Err(error) if error.is_transient() => Err(JobError::retry(&error)),
        Err(error) => Err(JobError::fail(&error)),
    }
}

async fn release(app: &App, claimed: &Claimed, campaign: &str, code: &CodeText) -> Result<Vec<Job>, JobError> {
    let campaign = campaign.parse().map_err(|error: uuid::Error| JobError::fail(&error))?;
    let cause = Cause {
        actor: "system".into(),
        correlation: claimed.correlation,
        causation: format!("job:{}", claimed.id).into(),
    };
    codes::release_unwanted(app, campaign, code, &cause).await.map_err(|error| JobError::retry(&error))?;
    Ok(vec![])
}
