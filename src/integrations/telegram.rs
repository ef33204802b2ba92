//! Telegram: the client for its Bot API, the reading of its updates, and a twin of
//! the service for the sandbox.
//!
//! There is one client. In the sandbox it is given the twin's address; the requests
//! on the wire are the same.
//!
//! The payloads are teloxide's. The transport is not: teloxide's own drops the status
//! code of an answer, sleeps ten seconds on every 5xx, and reads a sent message that
//! has a field it does not know as a failure, after which we would send it again.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use reqwest::{RequestBuilder, Url};
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};
use teloxide::payloads::{
    AnswerCallbackQuery, AnswerCallbackQuerySetters, GetMe, SetMyCommands, SetMyCommandsSetters, SetWebhook,
    SetWebhookSetters,
};
use teloxide::types::{BotCommand, BotCommandScope, CallbackQueryId, ChatId, Recipient};

mod answer;
pub mod channel;
mod error;
pub(crate) mod html;
mod link;
mod message;
mod standing;
#[cfg(test)]
mod tests;
pub(crate) mod text;
pub mod twin;
pub mod update;

pub use error::{ChatNumber, Outage, TelegramError};
pub use link::{InviteLink, LinkName, LinkNameError};
pub use message::{Button, MessageId, OutgoingMessage, PressData, PressDataError, TextFormat};
pub use standing::{Rights, Standing};
pub use teloxide::types::AllowedUpdate;

const LIVE: &str = "https://api.telegram.org";

/// How long one call may take. Telegram answers within a second or not at all.
const PATIENCE: Duration = Duration::from_secs(10);
/// How many times as long a call may take that brings a picture along.
const UPLOAD: u32 = 3;

/// One bot's access to the Bot API. Cheap to clone.
#[derive(Clone)]
pub struct Telegram {
    inner: Arc<Inner>,
}

struct Inner {
    /// Ends in `/bot<token>`: never to be shown.
    base: Url,
    http: reqwest::Client,
    patience: Duration,
}

/// Who the token says we are.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct BotIdentity {
    /// The bot's user id.
    pub id: i64,
    /// The bot's name without the `@`, as used in `t.me/<username>?start=…`.
    pub username: String,
}

impl Telegram {
    /// A client for the bot with this token; `api_url` is the twin's address, `None` the live service.
    pub fn new(token: &str, api_url: Option<Url>, http: reqwest::Client) -> Self {
        let mut base = api_url.unwrap_or_else(|| Url::parse(LIVE).expect("a constant address"));
        base.set_query(None);
        base.set_fragment(None);
        if let Ok(mut path) = base.path_segments_mut() {
            path.pop_if_empty().push(&format!("bot{token}"));
        }
        Self { inner: Arc::new(Inner { base, http, patience: PATIENCE }) }
    }

    /// The same client with another limit on the time one call may take.
    pub fn with_patience(self, patience: Duration) -> Self {
        let Inner { base, http, .. } = &*self.inner;
        Self { inner: Arc::new(Inner { base: base.clone(), http: http.clone(), patience }) }
    }

    /// Asks who we are; the cheapest proof that the token is good.
    pub async fn identity(&self) -> Result<BotIdentity, TelegramError> {
        self.call("getMe", &GetMe::new()).await
    }

    /// Has updates of these kinds posted to `url`, each bearing `secret` in the header
    /// `X-Telegram-Bot-Api-Secret-Token`. Repeating it is harmless.
    pub async fn register_webhook(
        &self,
        url: &Url,
        secret: &str,
        allowed_updates: &[AllowedUpdate],
        max_connections: u8,
    ) -> Result<(), TelegramError> {
        let webhook = SetWebhook::new(url.clone())
            .secret_token(secret)
            .allowed_updates(allowed_updates.iter().copied())
            .max_connections(max_connections);
        let _: IgnoredAny = self.call("setWebhook", &webhook).await?;
        Ok(())
    }

    /// Sends one message. Telegram knows no idempotency key: repeating a call whose
    /// error [may have been delivered](TelegramError::may_have_been_delivered) can show
    /// the message twice.
    pub async fn send_message(&self, message: &OutgoingMessage) -> Result<MessageId, TelegramError> {
        let sent: Sent = match &message.photo {
            None => self.call("sendMessage", &message::text(message)).await?,
            Some(photo) => self.call("sendPhoto", &message::photo(message, photo)).await?,
        };
        Ok(sent.message_id)
    }

    /// Sends one message below a picture (PNG, up to 10 MB, width and height together up
    /// to 10000) that is uploaded with it; the message's own `photo` does not count. Its
    /// text has at most 1024 characters after formatting. The call may take three times
    /// as long as others. Repeating it is as for [`send_message`](Self::send_message).
    pub async fn send_picture(&self, message: &OutgoingMessage, png: Vec<u8>) -> Result<MessageId, TelegramError> {
        let (form, patience) = (message::picture(message, png), self.inner.patience.saturating_mul(UPLOAD));
        let sent: Sent = self.post("sendPhoto", patience, |request| request.multipart(form)).await?;
        Ok(sent.message_id)
    }

    /// Gives a message of ours that has no photo another text and other buttons. Those it
    /// has already are no error. The chat is the message's; whom it answers, its sound
    /// and its photo do not count.
    ///
    /// # Errors
    /// [`TelegramError::TooLate`] if it has been deleted.
    pub async fn edit_message(&self, id: MessageId, message: &OutgoingMessage) -> Result<(), TelegramError> {
        let edited: Result<IgnoredAny, _> = self.call("editMessageText", &message::edit(id, message)).await;
        match edited {
            Err(TelegramError::Rejected { reason, .. }) if answer::says_unchanged(&reason) => Ok(()),
            edited => edited.map(drop),
        }
    }

    /// Tells the app of whoever pressed a button that we noticed, with a notice of up to
    /// 200 characters or without. Until then the button shows that it waits. Each press
    /// is answered once.
    ///
    /// # Errors
    /// [`TelegramError::TooLate`] if it has been answered already or the app has stopped
    /// waiting: nobody would see the notice any more.
    pub async fn answer_press(&self, callback_id: &str, text: Option<&str>) -> Result<(), TelegramError> {
        let mut payload = AnswerCallbackQuery::new(CallbackQueryId(callback_id.to_owned()));
        if let Some(text) = text {
            payload = payload.text(text);
        }
        let _: IgnoredAny = self.call("answerCallbackQuery", &payload).await?;
        Ok(())
    }

    /// Sets the menu of commands, each with its description, for people whose app speaks
    /// this language (two letters; `None`: for all others) in this chat (`None`: in all
    /// that have no menu of their own). Repeating it is harmless.
    pub async fn set_commands(
        &self,
        commands: &[(&str, &str)],
        language: Option<&str>,
        chat: Option<i64>,
    ) -> Result<(), TelegramError> {
        let scope = match chat {
            Some(chat) => BotCommandScope::Chat { chat_id: Recipient::Id(ChatId(chat)) },
            None => BotCommandScope::Default,
        };
        let commands = commands.iter().map(|(command, description)| BotCommand::new(*command, *description));
        let mut payload = SetMyCommands::new(commands).scope(scope);
        if let Some(language) = language {
            payload = payload.language_code(language);
        }
        let _: IgnoredAny = self.call("setMyCommands", &payload).await?;
        Ok(())
    }

    async fn call<T: DeserializeOwned>(
        &self,
        operation: &'static str,
        payload: &impl Serialize,
    ) -> Result<T, TelegramError> {
        self.post(operation, self.inner.patience, |request| request.json(payload)).await
    }

    async fn post<T: DeserializeOwned>(
        &self,
        operation: &'static str,
        patience: Duration,
        fill: impl FnOnce(RequestBuilder) -> RequestBuilder,
    ) -> Result<T, TelegramError> {
        let mut url = self.inner.base.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.push(operation);
        }
        let no_answer = |error: reqwest::Error| TelegramError::Unavailable {
            operation,
            // Its address carries the token.
            source: Outage::Network(error.without_url()),
        };
        let request = fill(self.inner.http.post(url).timeout(patience));
        let response = request.send().await.map_err(no_answer)?;
        let status = response.status().as_u16();
        let body = response.bytes().await.map_err(no_answer)?;
        answer::read(operation, status, &body)
    }
}

/// All that we read of a message that was sent.
#[derive(Deserialize)]
struct Sent {
    message_id: MessageId,
}

impl fmt::Debug for Telegram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Telegram").finish_non_exhaustive()
    }
}
