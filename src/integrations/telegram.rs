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

use reqwest::Url;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};
use teloxide::payloads::{
    GetMe, SendMessage, SendMessageSetters, SendPhoto, SendPhotoSetters, SetWebhook, SetWebhookSetters,
};
use teloxide::types::{
    ChatId, FileId, InlineKeyboardButton, InlineKeyboardMarkup, InputFile, ParseMode, Recipient, ReplyParameters,
};

mod answer;
mod error;
pub(crate) mod html;
#[cfg(test)]
mod tests;
pub(crate) mod text;
pub mod twin;
pub mod update;

pub use error::{Outage, TelegramError};
pub use teloxide::types::AllowedUpdate;

const LIVE: &str = "https://api.telegram.org";

/// How long one call may take. Telegram answers within a second or not at all.
const PATIENCE: Duration = Duration::from_secs(10);

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

/// The number of a message within its chat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MessageId(pub i32);

/// How the text of a message is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TextFormat {
    /// Telegram's subset of HTML; everything that came from a person must be escaped.
    Html,
}

/// A message to be sent.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutgoingMessage {
    /// Whom to.
    pub chat_id: i64,
    /// At most 4096 characters after formatting; below a photo at most 1024.
    pub text: String,
    /// `None`: the text is shown as it stands.
    pub format: Option<TextFormat>,
    /// The message this one answers. If that one is gone, this one is sent all the same.
    pub reply_to: Option<i32>,
    /// Arrives without a sound.
    pub silent: bool,
    /// A photo above the text: an address that Telegram fetches it from, or the
    /// `file_id` of one that it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub photo: Option<String>,
    /// Buttons below the text, in rows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub buttons: Vec<Vec<LinkButton>>,
}

/// A button below a message that opens a page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkButton {
    /// What stands on it.
    pub text: String,
    /// What it opens.
    pub url: Url,
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
        #[derive(Deserialize)]
        struct Sent {
            message_id: MessageId,
        }

        let sent: Sent = match &message.photo {
            None => self.call("sendMessage", &payload(message)).await?,
            Some(photo) => self.call("sendPhoto", &photo_payload(message, photo)).await?,
        };
        Ok(sent.message_id)
    }

    async fn call<T: DeserializeOwned>(
        &self,
        operation: &'static str,
        payload: &impl Serialize,
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
        let response =
            self.inner.http.post(url).timeout(self.inner.patience).json(payload).send().await.map_err(no_answer)?;
        let status = response.status().as_u16();
        let body = response.bytes().await.map_err(no_answer)?;
        answer::read(operation, status, &body)
    }
}

fn payload(message: &OutgoingMessage) -> SendMessage {
    let mut payload = SendMessage::new(Recipient::Id(ChatId(message.chat_id)), message.text.as_str());
    if message.silent {
        payload = payload.disable_notification(true);
    }
    if let Some(TextFormat::Html) = message.format {
        payload = payload.parse_mode(ParseMode::Html);
    }
    if let Some(original) = original(message) {
        payload = payload.reply_parameters(original);
    }
    if let Some(keyboard) = keyboard(message) {
        payload = payload.reply_markup(keyboard);
    }
    payload
}

fn photo_payload(message: &OutgoingMessage, photo: &str) -> SendPhoto {
    let file = match Url::parse(photo) {
        Ok(url) => InputFile::url(url),
        Err(_) => InputFile::file_id(FileId(photo.to_owned())),
    };
    let mut payload = SendPhoto::new(Recipient::Id(ChatId(message.chat_id)), file).caption(message.text.as_str());
    if message.silent {
        payload = payload.disable_notification(true);
    }
    if let Some(TextFormat::Html) = message.format {
        payload = payload.parse_mode(ParseMode::Html);
    }
    if let Some(original) = original(message) {
        payload = payload.reply_parameters(original);
    }
    if let Some(keyboard) = keyboard(message) {
        payload = payload.reply_markup(keyboard);
    }
    payload
}

fn original(message: &OutgoingMessage) -> Option<ReplyParameters> {
    let id = teloxide::types::MessageId(message.reply_to?);
    Some(ReplyParameters::new(id).allow_sending_without_reply())
}

fn keyboard(message: &OutgoingMessage) -> Option<InlineKeyboardMarkup> {
    let button = |button: &LinkButton| InlineKeyboardButton::url(button.text.as_str(), button.url.clone());
    let rows: Vec<Vec<_>> = message.buttons.iter().map(|row| row.iter().map(button).collect()).collect();
    (!rows.is_empty()).then(|| InlineKeyboardMarkup::new(rows))
}

impl fmt::Debug for Telegram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Telegram").finish_non_exhaustive()
    }
}

/// Says nothing of whom it goes to or what it tells them.
impl fmt::Debug for OutgoingMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OutgoingMessage")
            .field("format", &self.format)
            .field("silent", &self.silent)
            .finish_non_exhaustive()
    }
}
