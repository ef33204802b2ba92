//! A bot's message as Telegram describes it to the bot: in the answer to sending and to
//! editing it, and in the update of a press.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::bot_api::Bot;

/// A message from a bot, as it is kept.
pub(super) struct Posted {
    pub(super) chat_id: i64,
    pub(super) first_name: String,
    pub(super) username: Option<String>,
    pub(super) message_id: i32,
    pub(super) sent_at: DateTime<Utc>,
    pub(super) edited_at: Option<DateTime<Utc>>,
    /// Of a photo, its caption.
    pub(super) text: String,
    pub(super) entities: Option<Value>,
    /// In the sizes it is there.
    pub(super) photo: Option<Value>,
    pub(super) markup: Option<Value>,
}

impl Posted {
    pub(super) fn describe(self, bot: Bot) -> Value {
        let mut chat = json!({ "id": self.chat_id, "type": "private", "first_name": self.first_name });
        if let Some(username) = self.username {
            chat["username"] = json!(username);
        }
        let mut message = json!({
            "message_id": self.message_id,
            "from": bot.user(),
            "chat": chat,
            "date": self.sent_at.timestamp(),
        });
        if let Some(edited_at) = self.edited_at {
            message["edit_date"] = json!(edited_at.timestamp());
        }
        let (text, its_entities) = match &self.photo {
            None => ("text", "entities"),
            Some(_) => ("caption", "caption_entities"),
        };
        if !self.text.is_empty() {
            message[text] = json!(self.text);
        }
        if let Some(entities) = self.entities {
            message[its_entities] = entities;
        }
        if let Some(photo) = self.photo {
            message["photo"] = photo;
        }
        if let Some(markup) = self.markup {
            message["reply_markup"] = markup;
        }
        message
    }
}
