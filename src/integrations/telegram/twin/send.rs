//! sendMessage and sendPhoto.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use sqlx::postgres::PgRow;
use sqlx::{PgExecutor, Row};

use super::super::html::{self, Entity};
use super::super::text::{LONGEST, LONGEST_CAPTION, cleaned, units};
use super::answer::{Answer, Refusal};
use super::bot_api::Bot;
use super::params::Params;
use super::{Rate, Twin, TwinLimits, markup};

struct Message {
    chat_id: i64,
    /// Of a photo, its caption.
    text: String,
    entities: Vec<Entity>,
    photo: Option<String>,
    markup: Option<Value>,
    reply_to: Option<i32>,
    reply_required: bool,
    silent: bool,
}

pub(super) async fn message(twin: &Twin, bot: Bot, params: &Params) -> Answer {
    let (text, entities) = formatted(params, "text")?;
    if text.trim().is_empty() {
        return Err(Refusal::bad_request("message text is empty"));
    }
    if units(&text) > LONGEST {
        return Err(Refusal::bad_request("message is too long"));
    }
    deliver(twin, bot, read(params, text, entities, None)?).await
}

pub(super) async fn photo(twin: &Twin, bot: Bot, params: &Params) -> Answer {
    let photo = params.text("photo").filter(|photo| !photo.is_empty());
    let photo = photo.ok_or_else(|| Refusal::bad_request("there is no photo in the request"))?;
    if photo.contains(':') {
        // Telegram fetches it itself, over http and https.
        let url = reqwest::Url::parse(&photo).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
        if url.is_none() {
            return Err(Refusal::bad_request("invalid file HTTP URL specified: Wrong HTTP URL"));
        }
    } else if !photo.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-') {
        return Err(Refusal::bad_request("wrong remote file identifier specified: Wrong character in the string"));
    }
    let (caption, entities) = formatted(params, "caption")?;
    if units(&caption) > LONGEST_CAPTION {
        return Err(Refusal::bad_request("message caption is too long"));
    }
    deliver(twin, bot, read(params, caption, entities, Some(photo))?).await
}

async fn deliver(twin: &Twin, bot: Bot, message: Message) -> Answer {
    let limits = twin.inner.limits;
    let entities = (!message.entities.is_empty()).then(|| json!(message.entities));
    let row = judged(twin.pool(), limits, bot, &message, entities.as_ref()).await?;
    let outcome: String = row.try_get("outcome")?;
    let message_id: Option<i32> = row.try_get("message_id")?;
    match outcome.as_str() {
        "sent" => {}
        "unknown_chat" => return Err(Refusal::bad_request("chat not found")),
        "blocked" => return Err(Refusal::new(403, "Forbidden: bot was blocked by the user")),
        "unknown_reply" => return Err(Refusal::bad_request("message to be replied not found")),
        _ => return Err(Refusal::too_many(row.try_get("retry_after")?)),
    }
    let mut chat = json!({
        "id": message.chat_id,
        "type": "private",
        "first_name": row.try_get::<String, _>("first_name")?,
    });
    if let Some(username) = row.try_get::<Option<String>, _>("username")? {
        chat["username"] = json!(username);
    }
    let sent_at: DateTime<Utc> = row.try_get("sent_at")?;
    let mut sent = json!({
        "message_id": message_id,
        "from": bot.user(),
        "chat": chat,
        "date": sent_at.timestamp(),
    });
    let (text, its_entities) = match &message.photo {
        None => ("text", "entities"),
        Some(_) => ("caption", "caption_entities"),
    };
    if !message.text.is_empty() {
        sent[text] = json!(message.text);
    }
    if let Some(entities) = entities {
        sent[its_entities] = entities;
    }
    if message.photo.is_some() {
        let id = format!("sandbox-photo-{}", message_id.unwrap_or_default());
        sent["photo"] = json!([{ "file_id": id, "file_unique_id": id, "width": 90, "height": 90, "file_size": 1024 }]);
    }
    if let Some(markup) = message.markup {
        sent["reply_markup"] = markup;
    }
    Ok(sent)
}

/// What Telegram makes of it, kept.
async fn judged(
    executor: impl PgExecutor<'_>,
    limits: TwinLimits,
    bot: Bot,
    message: &Message,
    entities: Option<&Value>,
) -> sqlx::Result<PgRow> {
    sqlx::query("select * from sandbox.telegram_send($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)")
        .bind(bot.id)
        .bind(message.chat_id)
        .bind(&message.text)
        .bind(entities)
        .bind(&message.photo)
        .bind(&message.markup)
        .bind(message.reply_to)
        .bind(message.reply_required)
        .bind(message.silent)
        .bind(Rate::interval(limits.overall))
        .bind(Rate::burst(limits.overall))
        .bind(Rate::interval(limits.per_chat))
        .bind(Rate::burst(limits.per_chat))
        .fetch_one(executor)
        .await
}

/// A text and its formatting.
fn formatted(params: &Params, name: &str) -> Result<(String, Vec<Entity>), Refusal> {
    let text = cleaned(&params.text(name).unwrap_or_default());
    match params.text("parse_mode").map(|mode| mode.to_ascii_lowercase()) {
        None => Ok((text, Vec::new())),
        Some(mode) if mode.is_empty() => Ok((text, Vec::new())),
        Some(mode) if mode == "html" => {
            html::parse(&text).map_err(|reason| Refusal::bad_request(format!("can't parse entities: {reason}")))
        }
        Some(_) => Err(Refusal::bad_request("unsupported parse_mode")),
    }
}

fn read(params: &Params, text: String, entities: Vec<Entity>, photo: Option<String>) -> Result<Message, Refusal> {
    let chat_id = match params.text("chat_id") {
        None => return Err(Refusal::bad_request("chat_id is empty")),
        // A public @name; the twin has private chats only.
        Some(id) => id.trim().parse().map_err(|_| Refusal::bad_request("chat not found"))?,
    };
    let reply = params.structured("reply_parameters")?.unwrap_or_default();
    let reply_to = reply["message_id"].as_i64().or_else(|| params.integer("reply_to_message_id"));
    let optional_reply =
        reply["allow_sending_without_reply"] == Value::Bool(true) || params.flag("allow_sending_without_reply");
    Ok(Message {
        chat_id,
        text,
        entities,
        photo,
        markup: markup::read(params)?,
        // A number that no message can have is the number of no message.
        reply_to: reply_to.map(|id| i32::try_from(id).unwrap_or(0)),
        reply_required: !optional_reply,
        silent: params.flag("disable_notification"),
    })
}
