//! The forex bot: posts signals in its channel, and answers who asks about them.

mod commands;
mod input;
pub(crate) mod posting;
mod posts;
pub(crate) mod story;
pub mod words;

use crate::{
    app::App,
    bots::texts,
    integrations::telegram::{OutgoingMessage, TelegramError},
    jobs::{Job, JobError},
};

pub(crate) use commands::work;

/// The languages of menus; none stands for all others.
fn languages() -> impl Iterator<Item = Option<&'static str>> {
    std::iter::once(None).chain(texts::LANGUAGES.into_iter().map(Some))
}

/// Shows the commands of the bot, for everybody and for admins, in each language; and says
/// in the log what is amiss in its channel. An admin who never wrote to the bot has no menu
/// of their own.
///
/// # Errors
/// What Telegram says, if it may say something else the next time.
pub async fn show_menu(app: &App) -> Result<(), TelegramError> {
    let Some(telegram) = &app.forex else { return Ok(()) };
    for language in languages() {
        let texts = texts::in_language(language);
        telegram.set_commands(texts.forex_commands(), language, None).await?;
        let all = [texts.forex_commands(), texts.forex_admin_commands()].concat();
        for admin in &app.config.telegram_admin_ids {
            match telegram.set_commands(&all, language, Some(*admin)).await {
                Err(error) if !error.is_transient() => tracing::info!(%error, "an admin has no menu yet"),
                answer => answer?,
            }
        }
    }
    if let Some(channel) = app.config.forex.channel {
        match telegram.own_rights(channel).await {
            Ok(rights) if !rights.can_post_messages => {
                tracing::warn!("the forex bot may not post in its channel: give it can_post_messages");
            }
            Ok(rights) if rights.can_edit_messages => tracing::warn!(
                "the forex bot may edit what others post in its channel: take can_edit_messages from it, or a post \
                 whose answer was lost cannot be told from theirs"
            ),
            Ok(_) => {}
            // Nothing depends on it.
            Err(error) => tracing::warn!(%error, "the forex bot cannot look into its channel"),
        }
    }
    Ok(())
}

/// Sends a message of the bot's to a person.
///
/// # Errors
/// [`JobError`].
pub(crate) async fn send(app: &App, message: &OutgoingMessage) -> Result<Vec<Job>, JobError> {
    let Some(telegram) = &app.forex else { return Ok(vec![]) };
    posting::slot(app, message.chat_id).await?;
    match telegram.send_message(message).await {
        Ok(_) => Ok(vec![]),
        Err(TelegramError::RetryAfter { delay, .. }) => Err(posting::wait(app, delay).await),
        // Nothing to repeat and nobody to alarm: people block bots.
        Err(error @ TelegramError::RecipientGone { .. }) => {
            tracing::info!(%error, "a message has no recipient");
            Ok(vec![])
        }
        Err(error) if error.is_transient() => Err(JobError::retry(&error)),
        Err(error) => Err(JobError::fail(&error)),
    }
}
