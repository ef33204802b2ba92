//! Calls about a channel, as jobs make them: what failed says when to try again.

use std::time::Duration;

use super::rights;
use crate::{
    app::App,
    integrations::telegram::{
        Telegram,
        channel::{ChannelError, Remedy},
    },
    jobs::JobError,
    rate,
};

/// The bot's client.
pub(crate) fn telegram(app: &App) -> Result<&Telegram, JobError> {
    app.telegram.as_ref().ok_or_else(|| JobError::Later {
        reason: "no TELEGRAM_BOT_TOKEN here".to_owned(),
        after: Duration::from_secs(60),
    })
}

/// The bot's client, for a call that needs rights in a channel. Where they were lost, one job
/// a minute looks whether they are there again; the others wait without a call.
pub(crate) async fn in_channel(app: &App, channel: i64) -> Result<&Telegram, JobError> {
    let telegram = telegram(app)?;
    match rights::wait(app, telegram, channel).await {
        Ok(None) => Ok(telegram),
        Ok(Some(after)) => Err(JobError::Later { reason: "the bot lacks a right in the channel".to_owned(), after }),
        Err(error) => Err(JobError::retry(&error)),
    }
}

/// What a failed call means for the job that made it.
pub(crate) async fn failed(app: &App, channel: i64, error: &ChannelError) -> JobError {
    match error.remedy() {
        Remedy::Retry => JobError::retry(error),
        Remedy::Wait(delay) => {
            if let Err(error) = rate::pause(&app.pool, delay).await {
                return JobError::retry(&error);
            }
            JobError::Later { reason: "Telegram asks to wait".to_owned(), after: delay }
        }
        Remedy::Rights => {
            if let Err(error) = rights::lost(app, channel).await {
                return JobError::retry(&error);
            }
            JobError::Later { reason: error.to_string(), after: rights::PATIENCE }
        }
        // Which number it has now is for an admin to write into the plan.
        Remedy::Readdress(_) | Remedy::None => JobError::fail(error),
    }
}
