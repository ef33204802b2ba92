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
use super::{
    Bot,
    texts::{self, Texts},
};
use crate::{
    app::App,
    executor::{SendError, Wish},
    integrations::telegram::{
        Button, Telegram, TelegramError,
        update::{self, Kind, Sender},
    },
    jobs::{Job, JobError},
    log::{Cause, Once},
    membership,
    secrets::fingerprint,
};

/// The source of idempotency keys.
const SOURCE: &str = Bot::Coupon.name();

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
/// judged by when it was received, on what was written by when it is worked: the
/// end of a campaign may have been.
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
        Kind::JoinRequest(request) => {
            let cause = channel_cause(correlation, update.update_id);
            return membership::join::requested(app, &cause, update.update_id, &request).await;
        }
        Kind::MemberChanged(change) => {
            return membership::join::changed(app, &channel_cause(correlation, update.update_id), &change).await;
        }
        Kind::BotChanged(change) => {
            membership::rights::changed(app, &change).await.map_err(|error| JobError::retry(&error))?;
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

/// Why things happen that an update tells of a channel.
fn channel_cause(correlation: Uuid, update_id: i64) -> Cause {
    Cause { actor: "telegram".into(), correlation, causation: format!("telegram-update:{update_id}").into() }
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
        Input::Start => {
            let mut jobs = turn.say(texts.welcome(&turn.from.first_name));
            if turn.is_admin() {
                jobs.push(Job::ShowAdminMenu { chat_id: turn.from.id });
            }
            jobs.into()
        }
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

/// The languages of menus; none stands for all others.
fn languages() -> impl Iterator<Item = Option<&'static str>> {
    std::iter::once(None).chain(texts::LANGUAGES.into_iter().map(Some))
}

/// Shows the commands that the menu of the bot has, for everybody and for admins, in
/// each language.
///
/// # Errors
/// What Telegram says.
pub async fn show_menu(app: &App) -> Result<(), TelegramError> {
    let Some(telegram) = &app.telegram else { return Ok(()) };
    for language in languages() {
        telegram.set_commands(texts::in_language(language).commands(), language, None).await?;
    }
    for admin in &app.config.telegram_admin_ids {
        show_admin_menu(telegram, *admin).await?;
    }
    Ok(())
}

/// Shows an admin the commands that are theirs, in each language. Who never wrote to the
/// bot has no menu of their own yet; they get it with `/start`.
///
/// # Errors
/// What Telegram says, if it may say something else the next time.
pub(crate) async fn show_admin_menu(telegram: &Telegram, admin: i64) -> Result<(), TelegramError> {
    for language in languages() {
        let texts = texts::in_language(language);
        let all = [texts.commands(), texts.admin_commands()].concat();
        match telegram.set_commands(&all, language, Some(admin)).await {
            Err(error) if !error.is_transient() => tracing::info!(%error, "an admin has no menu yet"),
            answer => answer?,
        }
    }
    Ok(())
}
