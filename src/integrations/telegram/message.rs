//! What we send: a message, its buttons, and the payloads they become.

use std::fmt;

use reqwest::Url;
use reqwest::multipart::{Form, Part};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use teloxide::payloads::{
    EditMessageText, EditMessageTextSetters, SendMessage, SendMessageSetters, SendPhoto, SendPhotoSetters,
};
use teloxide::types::{
    ChatId, FileId, InlineKeyboardButton, InlineKeyboardMarkup, InputFile, ParseMode, Recipient, ReplyParameters,
};
use thiserror::Error;

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
    /// Cannot be forwarded or saved.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub protect: bool,
    /// A photo above the text: an address that Telegram fetches it from, or the
    /// `file_id` of one that it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub photo: Option<String>,
    /// Buttons below the text, in rows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub buttons: Vec<Vec<Button>>,
}

/// A button below a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Button {
    /// Opens a page.
    Link {
        /// What stands on it.
        text: String,
        /// What it opens.
        url: Url,
    },
    /// Tells the bot that it was pressed.
    Press {
        /// What stands on it.
        text: String,
        /// What the bot is told.
        data: PressData,
    },
}

/// What a button tells the bot: 1 to 64 bytes, of which none is NUL.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PressData(String);

/// Why a text cannot be the data of a button.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum PressDataError {
    /// Telegram takes 1 to 64 bytes.
    #[error("the data of a button must have 1 to 64 bytes, not {0}")]
    Length(usize),
    /// PostgreSQL stores no NUL.
    #[error("the data of a button must not contain the character NUL")]
    Nul,
}

impl PressData {
    /// Bytes that the data of a button can have.
    pub const LONGEST: usize = 64;

    /// The data, if it can be that of a button.
    ///
    /// # Errors
    /// It is empty, too long or contains NUL.
    pub fn new(data: impl Into<String>) -> Result<Self, PressDataError> {
        let data = data.into();
        match data.len() {
            1..=Self::LONGEST if data.contains('\0') => Err(PressDataError::Nul),
            1..=Self::LONGEST => Ok(Self(data)),
            length => Err(PressDataError::Length(length)),
        }
    }

    /// As it comes back in [`Kind::Pressed`](super::update::Kind::Pressed).
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for PressData {
    type Error = PressDataError;

    fn try_from(data: String) -> Result<Self, PressDataError> {
        Self::new(data)
    }
}

impl From<PressData> for String {
    fn from(data: PressData) -> Self {
        data.0
    }
}

/// It may say what somebody is about to do.
impl fmt::Debug for PressData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PressData").finish_non_exhaustive()
    }
}

pub(super) fn text(message: &OutgoingMessage) -> SendMessage {
    let mut payload = SendMessage::new(recipient(message), message.text.as_str());
    if message.silent {
        payload = payload.disable_notification(true);
    }
    if message.protect {
        payload = payload.protect_content(true);
    }
    if let Some(format) = message.format {
        payload = payload.parse_mode(format.into());
    }
    if let Some(original) = original(message) {
        payload = payload.reply_parameters(original);
    }
    if let Some(keyboard) = keyboard(message) {
        payload = payload.reply_markup(keyboard);
    }
    payload
}

pub(super) fn photo(message: &OutgoingMessage, photo: &str) -> SendPhoto {
    let file = match Url::parse(photo) {
        Ok(url) => InputFile::url(url),
        Err(_) => InputFile::file_id(FileId(photo.to_owned())),
    };
    let mut payload = SendPhoto::new(recipient(message), file).caption(message.text.as_str());
    if message.silent {
        payload = payload.disable_notification(true);
    }
    if message.protect {
        payload = payload.protect_content(true);
    }
    if let Some(format) = message.format {
        payload = payload.parse_mode(format.into());
    }
    if let Some(original) = original(message) {
        payload = payload.reply_parameters(original);
    }
    if let Some(keyboard) = keyboard(message) {
        payload = payload.reply_markup(keyboard);
    }
    payload
}

/// The same as a form, for the photo goes along: texts as they are, all else as JSON.
pub(super) fn picture(message: &OutgoingMessage, png: Vec<u8>) -> Form {
    let payload = serde_json::to_value(photo(message, "")).expect("a payload is plain data");
    let fields = payload.as_object().into_iter().flatten().filter(|(name, _)| *name != "photo");
    let form = fields.fold(Form::new(), |form, (name, value)| {
        let value = match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        form.text(name.clone(), value)
    });
    let file = Part::bytes(png).file_name("picture.png");
    form.part("photo", file.mime_str("image/png").expect("a constant media type"))
}

pub(super) fn edit(id: MessageId, message: &OutgoingMessage) -> EditMessageText {
    let id = teloxide::types::MessageId(id.0);
    let mut payload = EditMessageText::new(recipient(message), id, message.text.as_str());
    if let Some(format) = message.format {
        payload = payload.parse_mode(format.into());
    }
    if let Some(keyboard) = keyboard(message) {
        payload = payload.reply_markup(keyboard);
    }
    payload
}

fn recipient(message: &OutgoingMessage) -> Recipient {
    Recipient::Id(ChatId(message.chat_id))
}

fn original(message: &OutgoingMessage) -> Option<ReplyParameters> {
    let id = teloxide::types::MessageId(message.reply_to?);
    Some(ReplyParameters::new(id).allow_sending_without_reply())
}

fn keyboard(message: &OutgoingMessage) -> Option<InlineKeyboardMarkup> {
    let button = |button: &Button| match button {
        Button::Link { text, url } => InlineKeyboardButton::url(text.as_str(), url.clone()),
        Button::Press { text, data } => InlineKeyboardButton::callback(text.as_str(), data.as_str()),
    };
    let rows: Vec<Vec<_>> = message.buttons.iter().map(|row| row.iter().map(button).collect()).collect();
    (!rows.is_empty()).then(|| InlineKeyboardMarkup::new(rows))
}

impl From<TextFormat> for ParseMode {
    fn from(format: TextFormat) -> Self {
        match format {
            TextFormat::Html => Self::Html,
        }
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_data_of_a_button_has_1_to_64_bytes() {
        for good in ["a", &"x".repeat(64), &"é".repeat(32)] {
            assert_eq!(PressData::new(good).unwrap().as_str(), good);
        }
        assert_eq!(PressData::new(""), Err(PressDataError::Length(0)));
        assert_eq!(PressData::new("é".repeat(33)), Err(PressDataError::Length(66)));
        assert_eq!(PressData::new("a\0b"), Err(PressDataError::Nul));
    }

    #[test]
    fn buttons_are_kept_as_json_and_the_first_ones_are_still_read() {
        let link = json!({ "text": "Open", "url": "https://example.com/" });
        let press = json!({ "text": "Redeem", "data": "redeem:7" });
        let read = |json: &serde_json::Value| serde_json::from_value::<Button>(json.clone());
        let url = Url::parse("https://example.com/").unwrap();
        assert_eq!(read(&link).unwrap(), Button::Link { text: "Open".to_owned(), url });
        let data = PressData::new("redeem:7").unwrap();
        assert_eq!(read(&press).unwrap(), Button::Press { text: "Redeem".to_owned(), data });
        for kept in [link, press] {
            assert_eq!(serde_json::to_value(read(&kept).unwrap()).unwrap(), kept);
        }
        assert!(read(&json!({ "text": "Redeem", "data": "x".repeat(65) })).is_err());
    }
}
