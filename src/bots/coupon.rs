//! The coupon bot: updates in, redemptions and replies out.

use aggregates::{
    PersonId, Personal, TelegramUser,
    bot_user::{self, Profile, Usage},
    campaign::{self, Asked, Redemption, Source},
};
use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::texts::{self, Texts};
use crate::{
    app::App,
    coupons::{self, Found},
    executor::{SendError, Wish},
    integrations::telegram::{
        OutgoingMessage,
        update::{self, Kind, Sender, UpdateError},
    },
    jobs::{self, Job, JobError, NewJob},
    log::{Cause, LogError, Once},
    secrets::fingerprint,
    wake::Topic,
};

/// The source of its updates: of inbox messages and idempotency keys.
const SOURCE: &str = "coupon-bot";
/// The source of the keys under which updates tell of people.
const USERS: &str = "coupon-bot:users";

/// Bytes of a text that may still be a code, with the hyphens and spaces people put in.
const LONGEST_CODE: usize = 64;

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

/// Works a stored update and answers the replies to send. What was asked is
/// judged by when it was received: who was in time is not late because we were.
///
/// # Errors
/// [`JobError`]; working it again is harmless.
pub async fn work(app: &App, correlation: Uuid, received_at: DateTime<Utc>, body: &str) -> Result<Vec<Job>, JobError> {
    let update = update::read(body.as_bytes()).map_err(|error| JobError::fail(&error))?;
    let (from, text, message_id) = match update.kind {
        Kind::PrivateText { from, text, message_id } => (from, text, message_id),
        Kind::Membership { from, blocked } => {
            let command = match blocked {
                true => bot_user::Command::Block { at: received_at },
                false => bot_user::Command::Unblock { at: received_at },
            };
            know(app, correlation, update.update_id, from.id, command).await?;
            return Ok(vec![]);
        }
        Kind::Pressed { .. } | Kind::Other { .. } => return Ok(vec![]),
    };
    let texts = texts::in_language(from.language_code.as_deref());
    let input = Input::read(&text);
    let profile = Personal::new(Profile {
        id: from.id,
        name: Some(from.first_name.clone()),
        username: from.username.clone(),
        language: from.language_code.clone(),
    });
    let command = bot_user::Command::Use { profile, what: input.usage(), at: received_at };
    know(app, correlation, update.update_id, from.id, command).await?;
    let reply = match input {
        Input::Stop => Some(texts.stopped().to_owned()),
        Input::Start => Some(texts.welcome(&from.first_name)),
        Input::Help => Some(texts.help().to_owned()),
        Input::WhichCode => Some(texts.which_code().to_owned()),
        Input::Code(code) => redeem(app, correlation, received_at, update.update_id, &from, code, texts).await?,
    };
    Ok(reply
        .map(|text| {
            Job::TelegramMessage(OutgoingMessage {
                chat_id: from.id,
                text,
                reply_to: Some(message_id),
                ..OutgoingMessage::default()
            })
        })
        .into_iter()
        .collect())
}

/// What a person wants from the bot.
#[derive(Debug, PartialEq, Eq)]
enum Input<'a> {
    Start,
    Stop,
    Help,
    WhichCode,
    Code(&'a str),
}

impl<'a> Input<'a> {
    /// What it counts as.
    const fn usage(&self) -> Usage {
        match self {
            Self::Start => Usage::Start,
            Self::Stop => Usage::Stop,
            Self::Help => Usage::Help,
            Self::WhichCode => Usage::Redeem,
            Self::Code(_) => Usage::Code,
        }
    }

    fn read(text: &'a str) -> Self {
        let text = text.trim();
        let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        let rest = rest.trim();
        // In a command menu Telegram may add the bot's name: /start@promo_bot.
        let command = word.split('@').next().unwrap_or(word).to_lowercase();
        match command.as_str() {
            "/start" if rest.is_empty() => Self::Start,
            "/stop" => Self::Stop,
            "/redeem" if rest.is_empty() => Self::WhichCode,
            // A deep link (t.me/<bot>?start=CODE) arrives as "/start CODE".
            "/start" | "/redeem" => Self::Code(rest),
            "" => Self::Help,
            _ if command.starts_with('/') => Self::Help,
            _ => Self::Code(text),
        }
    }
}

/// Keeps what an update tells of a person, once.
async fn know(
    app: &App,
    correlation: Uuid,
    update_id: i64,
    user_id: i64,
    command: bot_user::Command,
) -> Result<(), JobError> {
    let person = app.person_of_telegram(user_id).await.map_err(|error| JobError::retry(&error))?;
    let once = Once {
        source: USERS.into(),
        key: update_id.to_string().into(),
        // Not of the command: how an update is read may change between two tries.
        fingerprint: fingerprint(&[b"bot-user", &user_id.to_be_bytes()]),
        keeps_refusals: true,
    };
    let wish = Wish { command, cause: cause(person, correlation, update_id), once: Some(once), expected: None };
    match app.bot_users.send(&person.to_string(), wish).await {
        Ok(_) => Ok(()),
        Err(SendError::KeyReused) => Err(reused()),
        Err(error) => Err(retry(&error)),
    }
}

fn cause(person: PersonId, correlation: Uuid, update_id: i64) -> Cause {
    Cause {
        actor: format!("person:{person}").into(),
        correlation,
        causation: format!("telegram-update:{update_id}").into(),
    }
}

fn reused() -> JobError {
    JobError::Fail { reason: "the update id came before with another content".to_owned() }
}

/// The reply; none when the redemption counts, for the event itself is answered.
async fn redeem(
    app: &App,
    correlation: Uuid,
    received_at: DateTime<Utc>,
    update_id: i64,
    from: &Sender,
    typed: &str,
    texts: Texts,
) -> Result<Option<String>, JobError> {
    let refused = || Ok(Some(texts.not_redeemable().to_owned()));
    let typed = typed.trim();
    // Longer than any code, and what it is does not fit on a line of a reply either.
    if typed.len() > LONGEST_CODE {
        return refused();
    }
    let once = Once {
        source: SOURCE.into(),
        key: update_id.to_string().into(),
        fingerprint: fingerprint(&[b"redeem", typed.to_ascii_uppercase().as_bytes(), &from.id.to_be_bytes()]),
        keeps_refusals: true,
    };
    let found = coupons::find(app, typed).await.map_err(|error| JobError::retry(&error))?;
    let answer = match found {
        Some(Found { campaign, coupon }) => {
            let person = app.person_of_telegram(from.id).await.map_err(|error| JobError::retry(&error))?;
            let telegram = Some(Personal::new(TelegramUser {
                id: from.id,
                name: Some(from.first_name.clone()),
                language: from.language_code.clone(),
            }));
            let command = campaign::Command::Redeem {
                redemption: Redemption { id: app.clock.new_id(), telegram, source: Source::Bot },
                asked: Asked { person, coupon, reservation: None, spend: None, submission: None, at: received_at },
            };
            let cause = cause(person, correlation, update_id);
            let wish = Wish { command, cause, once: Some(once), expected: None };
            app.campaigns.send(&campaign.to_string(), wish).await
        }
        // Nobody holds it now; but this update may have been worked when somebody did.
        None => match app.campaigns.answered(&once).await {
            Ok(Some(done)) => Ok(done),
            Ok(None) => return refused(),
            Err(error) => Err(error),
        },
    };
    match answer {
        Ok(_) => Ok(None),
        Err(SendError::Refused(campaign::Refusal::PersonLimit { limit })) => {
            Ok(Some(texts.redeemed_before(&typed.to_uppercase(), limit)))
        }
        Err(SendError::Refused(_)) => refused(),
        Err(SendError::KeyReused) => Err(reused()),
        Err(error) => Err(retry(&error)),
    }
}

fn retry<R: std::error::Error>(error: &SendError<R>) -> JobError {
    match error {
        SendError::Log(log) if matches!(**log, LogError::Unstorable { .. }) => JobError::fail(error),
        _ => JobError::retry(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn understands_what_people_write() {
        for (text, wanted) in [
            ("/start", Input::Start),
            ("/start@promo_bot", Input::Start),
            ("/START GOLD10", Input::Code("GOLD10")),
            ("/redeem", Input::WhichCode),
            ("/redeem   gold10 ", Input::Code("gold10")),
            (" gold10\n", Input::Code("gold10")),
            ("/stop", Input::Stop),
            ("/Stop@promo_bot please", Input::Stop),
            ("/help", Input::Help),
            ("/whatever now", Input::Help),
            ("", Input::Help),
            ("hello there", Input::Code("hello there")),
        ] {
            assert_eq!(Input::read(text), wanted, "{text:?}");
        }
    }
}
