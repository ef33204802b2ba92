//! editMessageText, editMessageCaption and editMessageReplyMarkup.

use serde_json::json;
use sqlx::Row;

use super::super::text::{LONGEST, LONGEST_CAPTION, units};
use super::answer::{Answer, Refusal};
use super::bot_api::Bot;
use super::channel::post::{self, Change};
use super::params::Params;
use super::posted::Posted;
use super::{Twin, markup, picture, send};

pub(super) async fn text(twin: &Twin, bot: Bot, params: &Params) -> Answer {
    let (text, entities) = send::formatted(params, "text")?;
    if text.trim().is_empty() {
        return Err(Refusal::bad_request("message text is empty"));
    }
    if units(&text) > LONGEST {
        return Err(Refusal::bad_request("MESSAGE_TOO_LONG"));
    }
    edit(twin, bot, params, Change::Text(text, (!entities.is_empty()).then(|| json!(entities)))).await
}

/// In private chats the twin has no use for it.
pub(super) async fn caption(twin: &Twin, bot: Bot, params: &Params) -> Answer {
    let (caption, entities) = send::formatted(params, "caption")?;
    if units(&caption) > LONGEST_CAPTION {
        return Err(Refusal::bad_request("MEDIA_CAPTION_TOO_LONG"));
    }
    edit(twin, bot, params, Change::Caption(caption, (!entities.is_empty()).then(|| json!(entities)))).await
}

pub(super) async fn buttons(twin: &Twin, bot: Bot, params: &Params) -> Answer {
    edit(twin, bot, params, Change::Buttons).await
}

/// Without a text the buttons alone are changed; without buttons there are none any more.
async fn edit(twin: &Twin, bot: Bot, params: &Params, change: Change) -> Answer {
    let chat_id = send::chat_id(params)?;
    let message_id =
        params.integer("message_id").ok_or_else(|| Refusal::bad_request("message identifier is not specified"))?;
    // A number that no message can have is the number of no message.
    let message_id = i32::try_from(message_id).unwrap_or(0);
    if chat_id < 0 {
        return post::edit(twin, bot, params, message_id, change).await;
    }
    let markup = markup::read(params)?;
    let (text, entities) = match change {
        Change::Text(text, entities) => (Some(text), entities),
        Change::Caption(..) => return Err(Refusal::bad_request("there is no caption in the message to edit")),
        Change::Buttons => (None, None),
    };
    let row = sqlx::query("select * from sandbox.telegram_edit($1, $2, $3, $4, $5, $6)")
        .bind(bot.id)
        .bind(chat_id)
        .bind(message_id)
        .bind(text)
        .bind(entities)
        .bind(&markup)
        .fetch_one(twin.pool())
        .await?;
    match row.try_get::<String, _>("outcome")?.as_str() {
        "edited" => {}
        "unknown_chat" => return Err(Refusal::bad_request("chat not found")),
        "blocked" => return Err(Refusal::new(403, "Forbidden: bot was blocked by the user")),
        "unknown_message" => return Err(Refusal::bad_request("message to edit not found")),
        "not_its_own" => return Err(Refusal::bad_request("message can't be edited")),
        "no_text" => return Err(Refusal::bad_request("there is no text in the message to edit")),
        "unchanged" => {
            return Err(Refusal::bad_request(
                "message is not modified: specified new message content and reply markup are exactly the same \
                 as a current content and reply markup of the message",
            ));
        }
        _ => return Err(Refusal::too_many(row.try_get("retry_after")?)),
    }
    let photo = match row.try_get::<Option<String>, _>("photo")? {
        Some(photo) => Some(picture::sizes(&photo, picture::size(twin.pool(), &photo).await?)),
        None => None,
    };
    let edited = Posted {
        chat_id,
        first_name: row.try_get("first_name")?,
        username: row.try_get("username")?,
        message_id,
        sent_at: row.try_get("sent_at")?,
        edited_at: row.try_get("edited_at")?,
        text: row.try_get("text")?,
        entities: row.try_get("entities")?,
        photo,
        markup,
    };
    Ok(edited.describe(bot))
}
