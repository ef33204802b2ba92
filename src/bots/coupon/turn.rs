//! One update that is being worked: who did it, and what is sent back.

use aggregates::{PersonId, Personal, TelegramUser};
use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::super::texts::{self, Texts};
use crate::{
    app::App,
    executor::SendError,
    integrations::telegram::{Button, OutgoingMessage, PressData, update::Sender},
    jobs::{Job, JobError},
    log::{Cause, LogError, Once},
    secrets::fingerprint,
};

/// The source of the keys under which updates tell of people.
pub(super) const USERS: &str = "coupon-bot:users";

pub(super) struct Turn<'a> {
    pub(super) app: &'a App,
    correlation: Uuid,
    pub(super) update_id: i64,
    /// When the update was received.
    pub(super) at: DateTime<Utc>,
    pub(super) from: &'a Sender,
    pub(super) person: PersonId,
    pub(super) texts: &'static dyn Texts,
    message_id: Option<i32>,
}

impl<'a> Turn<'a> {
    pub(super) async fn new(
        app: &'a App,
        correlation: Uuid,
        update_id: i64,
        at: DateTime<Utc>,
        from: &'a Sender,
        message_id: Option<i32>,
    ) -> Result<Self, JobError> {
        let person = app.person_of_telegram(from.id).await.map_err(|error| JobError::retry(&error))?;
        let texts = texts::in_language(from.language_code.as_deref());
        Ok(Self { app, correlation, update_id, at, from, person, texts, message_id })
    }

    pub(super) fn is_admin(&self) -> bool {
        self.app.config.telegram_admin_ids.contains(&self.from.id)
    }

    pub(super) fn telegram(&self) -> Personal<TelegramUser> {
        Personal::new(TelegramUser {
            id: self.from.id,
            name: Some(self.from.first_name.clone()),
            language: self.from.language_code.clone(),
        })
    }

    pub(super) fn cause(&self) -> Cause {
        Cause {
            actor: format!("person:{}", self.person).into(),
            correlation: self.correlation,
            causation: format!("telegram-update:{}", self.update_id).into(),
        }
    }

    /// The key under which this update does something once; each thing it does
    /// has a source of its own.
    pub(super) fn once(&self, source: &'static str, what: &[&[u8]]) -> Once {
        let id = self.from.id.to_be_bytes();
        Once {
            source: source.into(),
            key: self.update_id.to_string().into(),
            fingerprint: fingerprint(&[what, &[&id]].concat()),
            keeps_refusals: true,
        }
    }

    /// A reply.
    pub(super) fn say(&self, text: impl Into<String>) -> Vec<Job> {
        self.ask(text, vec![])
    }

    /// A reply with buttons.
    pub(super) fn ask(&self, text: impl Into<String>, buttons: Vec<Vec<Button>>) -> Vec<Job> {
        vec![Job::TelegramMessage(OutgoingMessage {
            chat_id: self.from.id,
            text: text.into(),
            reply_to: self.message_id,
            buttons,
            ..OutgoingMessage::default()
        })]
    }
}

/// A button that tells the bot something; none when that is too long for one.
pub(super) fn button(text: impl Into<String>, data: String) -> Option<Button> {
    // More would be cut off on a phone anyway.
    let text = text.into().chars().take(64).collect();
    PressData::new(data).ok().map(|data| Button::Press { text, data })
}

pub(super) fn reused() -> JobError {
    JobError::Fail { reason: "the update id came before with another content".to_owned() }
}

pub(super) fn retry<R: std::error::Error>(error: &SendError<R>) -> JobError {
    match error {
        SendError::KeyReused => reused(),
        // It is the same for ever, and the person's next messages must not wait for it.
        SendError::Refused(_) => JobError::fail(error),
        SendError::Log(log) if matches!(**log, LogError::Unstorable { .. }) => JobError::fail(error),
        _ => JobError::retry(error),
    }
}
