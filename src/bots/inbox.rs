//! Taking in what Telegram posts to a bot's webhook.

use super::Bot;
use crate::{
    app::App,
    integrations::telegram::update::{self, UpdateError},
    jobs::{self, Job, NewJob},
    wake::Topic,
};

/// Why an update was not taken.
#[derive(Debug, thiserror::Error)]
pub enum ReceiveError {
    /// It is no update.
    #[error(transparent)]
    Update(#[from] UpdateError),
    /// It could not be stored; Telegram should keep it and come again.
    #[error("the update could not be stored")]
    Store(#[source] sqlx::Error),
}

/// Stores an update, once however often it comes. What is in it is worked later.
///
/// # Errors
/// [`ReceiveError`].
pub async fn receive(app: &App, bot: Bot, body: &[u8]) -> Result<(), ReceiveError> {
    let update = update::read(body)?;
    let (chat_id, update_id, member) = (update.chat_id, update.update_id, update.kind.member());
    // NUL can be in JSON only as an escape, which the json type keeps as it is.
    let body = String::from_utf8_lossy(body).into_owned();
    let job = NewJob {
        job: match bot {
            Bot::Coupon => Job::CouponBotUpdate { chat_id, member, update_id, body },
            Bot::Forex => Job::ForexBotUpdate { chat_id, update_id, body },
        },
        correlation: app.clock.new_id(),
        causation: format!("telegram-update:{update_id}"),
    };
    let mut transaction = app.pool.begin().await.map_err(ReceiveError::Store)?;
    let new = sqlx::query!(
        "insert into inbox (source, message) values ($1, $2) on conflict do nothing",
        bot.name(),
        update_id.to_string()
    )
    .execute(&mut *transaction)
    .await
    .map_err(ReceiveError::Store)?;
    if new.rows_affected() == 1 {
        jobs::enqueue(&mut transaction, &[job]).await.map_err(ReceiveError::Store)?;
    }
    transaction.commit().await.map_err(ReceiveError::Store)?;
    app.wake.up(Topic::Jobs);
    Ok(())
}
