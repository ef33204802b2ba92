//! The coupon bot: updates in, redemptions and replies out.
//!
//! An update is stored when it comes and worked as a job, in the order of its
//! chat. Working it again after a crash comes to the same: whatever it changes
//! takes effect once under the update's number, and replies are jobs that are
//! enqueued in the transaction that ends this one.

mod admin;
mod campaign_draft;
mod codes;
pub(crate) mod finished;
mod input;
mod lists;
mod talk;
mod turn;

use aggregates::{
    Personal, UniqueCode,
    bot_user::{self, Profile},
};
use chrono::{DateTime, Utc};
use uuid::Uuid;

use self::{
    input::Input,
    turn::{Turn, USERS},
};
use super::texts::{self, Texts};
use crate::{
    app::App,
    executor::{SendError, Wish},
    integrations::telegram::{
        Button,
        update::{self, Kind, Sender, UpdateError},
    },
    jobs::{self, Job, JobError, NewJob},
    log::Once,
    secrets::fingerprint,
    wake::Topic,
};

/// The source of its updates: of inbox messages and idempotency keys.
const SOURCE: &str = "coupon-bot";

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
pub async fn receive(app: &App, body: &[u8]) -> Result<(), ReceiveError> {
    let update = update::read(body)?;
    let job = NewJob {
        job: Job::CouponBotUpdate {
            chat_id: update.chat_id,
            update_id: update.update_id,
            // NUL can be in JSON only as an escape, which the json type keeps as it is.
            body: String::from_utf8_lossy(body).into_owned(),
        },
        correlation: app.clock.new_id(),
        causation: format!("telegram-update:{}", update.update_id),
    };
    let mut transaction = app.pool.begin().await.map_err(ReceiveError::Store)?;
    let new = sqlx::query!(
        "insert into inbox (source, message) values ($1, $2) on conflict do nothing",
        SOURCE,
        update.update_id.to_string()
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

/// What somebody did in their chat with the bot.
struct Done {
    from: Sender,
    input: Input,
    /// The message it answers with its replies.
    message_id: Option<i32>,
    /// The press that waits for an answer.
    callback: Option<String>,
}

/// Works a stored update and answers the replies to send. What was asked is
/// judged by when it was received: who was in time is not late because we were.
///
/// # Errors
/// [`JobError`]; working it again is harmless.
pub async fn work(app: &App, correlation: Uuid, received_at: DateTime<Utc>, body: &str) -> Result<Vec<Job>, JobError> {
    let update = update::read(body.as_bytes()).map_err(|error| JobError::fail(&error))?;
    let done = match update.kind {
        Kind::PrivateText { from, text, message_id } => {
            Done { from, input: Input::written(&text), message_id: Some(message_id), callback: None }
        }
        Kind::Pressed { from, data, callback_id, .. } => {
            Done { from, input: Input::pressed(&data), message_id: None, callback: Some(callback_id) }
        }
        Kind::Membership { from, blocked } => {
            let turn = Turn::new(app, correlation, update.update_id, received_at, &from, None).await?;
            let command = match blocked {
                true => bot_user::Command::Block { at: received_at },
                false => bot_user::Command::Unblock { at: received_at },
            };
            know(&turn, command).await?;
            return Ok(vec![]);
        }
        Kind::Other { .. } => return Ok(vec![]),
    };
    let turn = Turn::new(app, correlation, update.update_id, received_at, &done.from, done.message_id).await?;
    let profile = Personal::new(Profile {
        id: done.from.id,
        name: Some(done.from.first_name.clone()),
        username: done.from.username.clone(),
        language: done.from.language_code.clone(),
    });
    know(&turn, bot_user::Command::Use { profile, what: done.input.usage(), at: received_at }).await?;
    let mut replies = reply(&turn, done.input).await?;
    if let Some(callback_id) = done.callback {
        // Until it is answered, the button seems to be busy.
        let notice = replies.notice.map(str::to_owned);
        replies.jobs.push(Job::AnswerPress { callback_id, text: notice });
    }
    Ok(replies.jobs)
}

/// What is sent back.
#[derive(Default)]
struct Replies {
    jobs: Vec<Job>,
    /// Shown for a moment to who pressed a button.
    notice: Option<&'static str>,
}

impl From<Vec<Job>> for Replies {
    fn from(jobs: Vec<Job>) -> Self {
        Self { jobs, notice: None }
    }
}

async fn reply(turn: &Turn<'_>, input: Input) -> Result<Replies, JobError> {
    // Whatever a person writes while they are asked something is the answer.
    let input = match talk::go_on(turn, input).await? {
        talk::Heard::Replies(replies) => return Ok(replies),
        talk::Heard::Other(input) => input,
    };
    let texts = turn.texts;
    Ok(match input {
        Input::Start => turn.say(texts.welcome(&turn.from.first_name)).into(),
        Input::Stop => turn.say(texts.stopped()).into(),
        Input::WhichCode => turn.say(texts.which_code()).into(),
        Input::WhichCodeToCheck => turn.say(texts.which_code_to_check()).into(),
        Input::Code(code) | Input::Text(code) => codes::redeem(turn, &code).await?.into(),
        Input::Check(code) => codes::check(turn, &code).await?.into(),
        Input::Campaigns => lists::campaigns(turn).await?.into(),
        Input::Coupons => lists::coupons(turn).await?.into(),
        Input::Card(campaign, coupon) => lists::card(turn, campaign, coupon).await?,
        Input::Cancel => talk::cancel(turn).await?.into(),
        Input::Admin(wish) if turn.is_admin() => admin::work(turn, wish).await?.into(),
        Input::Choice(_) | Input::OldButton => Replies { jobs: vec![], notice: Some(texts.button_is_old()) },
        // To everybody else there are no admins' commands.
        Input::Help | Input::Admin(_) => {
            let help = match turn.is_admin() {
                true => format!("{}\n\n{}", texts.help(), texts.admin_help()),
                false => texts.help().to_owned(),
            };
            turn.say(help).into()
        }
    })
}

/// Keeps what an update tells of a person, once.
async fn know(turn: &Turn<'_>, command: bot_user::Command) -> Result<(), JobError> {
    let once = Once {
        source: USERS.into(),
        key: turn.update_id.to_string().into(),
        // Not of the command: how an update is read may change between two tries.
        fingerprint: fingerprint(&[b"bot-user", &turn.from.id.to_be_bytes()]),
        keeps_refusals: true,
    };
    let wish = Wish { command, cause: turn.cause(), once: Some(once), expected: None };
    match turn.app.bot_users.send(&turn.person.to_string(), wish).await {
        Ok(_) => Ok(()),
        Err(SendError::KeyReused) => Err(turn::reused()),
        Err(error) => Err(turn::retry(&error)),
    }
}

/// The button below a message that shows a coupon's card.
pub(crate) fn card_button(
    texts: &dyn Texts,
    name: &str,
    campaign: Uuid,
    coupon: Option<UniqueCode>,
) -> Vec<Vec<Button>> {
    let button = turn::button(texts.card_button(name), input::card_data(campaign, coupon));
    button.map(|button| vec![button]).into_iter().collect()
}

/// The commands that the menu of the bot shows, for everybody and for admins, in
/// each language.
///
/// # Errors
/// What Telegram says.
pub async fn show_menu(app: &App) -> Result<(), crate::integrations::telegram::TelegramError> {
    let Some(telegram) = &app.telegram else { return Ok(()) };
    for language in std::iter::once(None).chain(texts::LANGUAGES.into_iter().map(Some)) {
        let texts = texts::in_language(language);
        telegram.set_commands(texts.commands(), language, None).await?;
        let all = [texts.commands(), texts.admin_commands()].concat();
        for admin in &app.config.telegram_admin_ids {
            match telegram.set_commands(&all, language, Some(*admin)).await {
                // Who never wrote to the bot has no menu of their own yet.
                Err(error) if !error.is_transient() => {
                    tracing::info!(%error, "an admin has no menu yet");
                }
                answer => answer?,
            }
        }
    }
    Ok(())
}
