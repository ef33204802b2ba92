//! sendMessage and sendPhoto.

use serde_json::{Value, json};
use sqlx::postgres::PgRow;
use sqlx::{PgExecutor, Row};

use super::super::html::{self, Entity};
use super::super::text::{LONGEST, LONGEST_CAPTION, cleaned, units};
use super::answer::{Answer, Refusal};
use super::bot_api::Bot;
use super::channel::post;
use super::params::Params;
use super::picture::{self, Picture};
use super::posted::Posted;
use super::{Rate, Twin, TwinLimits, markup};

const SEND: &str = "select * from sandbox.telegram_send($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)";

/// The same for a photo that came along: both are kept or neither.
const SEND_PICTURE: &str = "with sent as materialized (
        select * from sandbox.telegram_send($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)),
     kept as (
        insert into sandbox.telegram_picture (file_id, bot_id, media_type, width, height, bytes)
        select $5, $1, $14, $15, $16, $17 from sent where outcome = 'sent'
        on conflict (file_id) do nothing)
     select * from sent";

pub(super) struct Message {
    pub(super) chat_id: i64,
    /// Of a photo, its caption.
    pub(super) text: String,
    pub(super) entities: Vec<Entity>,
    pub(super) photo: Option<String>,
    /// The photo itself, if it came along.
    pub(super) picture: Option<Picture>,
    pub(super) markup: Option<Value>,
    pub(super) reply_to: Option<i32>,
    pub(super) reply_required: bool,
    pub(super) silent: bool,
    /// Whether it can be forwarded and saved. In a private chat that makes no difference here.
    pub(super) protect: bool,
}

pub(super) async fn message(twin: &Twin, bot: Bot, params: &Params) -> Answer {
    let (text, entities) = formatted(params, "text")?;
    if text.trim().is_empty() {
        return Err(Refusal::bad_request("message text is empty"));
    }
    if units(&text) > LONGEST {
        return Err(Refusal::bad_request("message is too long"));
    }
    deliver(twin, bot, params, read(params, text, entities)?).await
}

pub(super) async fn photo(twin: &Twin, bot: Bot, params: &Params) -> Answer {
    let picture = params.file("photo").map(|bytes| Picture::read(bot.id, bytes)).transpose()?;
    let photo = match &picture {
        Some(picture) => picture.file_id.clone(),
        None => elsewhere(params)?,
    };
    let (caption, entities) = formatted(params, "caption")?;
    if units(&caption) > LONGEST_CAPTION {
        return Err(Refusal::bad_request("message caption is too long"));
    }
    deliver(twin, bot, params, Message { photo: Some(photo), picture, ..read(params, caption, entities)? }).await
}

/// The photo of a request that does not bring it along.
fn elsewhere(params: &Params) -> Result<String, Refusal> {
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
    Ok(photo)
}

async fn deliver(twin: &Twin, bot: Bot, params: &Params, message: Message) -> Answer {
    if message.chat_id < 0 {
        return post::send(twin, bot, params, message).await;
    }
    let limits = twin.inner.limits;
    let entities = (!message.entities.is_empty()).then(|| json!(message.entities));
    let row = judged(twin.pool(), limits, bot, &message, entities.as_ref()).await?;
    let outcome: String = row.try_get("outcome")?;
    match outcome.as_str() {
        "sent" => {}
        "unknown_chat" => return Err(Refusal::bad_request("chat not found")),
        "blocked" => return Err(Refusal::new(403, "Forbidden: bot was blocked by the user")),
        "unknown_reply" => return Err(Refusal::bad_request("message to be replied not found")),
        _ => return Err(Refusal::too_many(row.try_get("retry_after")?)),
    }
    let photo = match (&message.photo, &message.picture) {
        (Some(photo), Some(picture)) => Some(picture::sizes(photo, Some(picture.size))),
        (Some(photo), None) => Some(picture::sizes(photo, picture::size(twin.pool(), photo).await?)),
        (None, _) => None,
    };
    let sent = Posted {
        chat_id: message.chat_id,
        first_name: row.try_get("first_name")?,
        username: row.try_get("username")?,
        message_id: row.try_get("message_id")?,
        sent_at: row.try_get("sent_at")?,
        edited_at: None,
        text: message.text,
        entities,
        photo,
        markup: message.markup,
    };
    Ok(sent.describe(bot))
}

/// What Telegram makes of it, kept.
async fn judged(
    executor: impl PgExecutor<'_>,
    limits: TwinLimits,
    bot: Bot,
    message: &Message,
    entities: Option<&Value>,
) -> sqlx::Result<PgRow> {
    let query = sqlx::query(if message.picture.is_some() { SEND_PICTURE } else { SEND })
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
        .bind(Rate::burst(limits.per_chat));
    let query = match &message.picture {
        None => query,
        Some(picture) => {
            query.bind(picture.media_type).bind(picture.size.width).bind(picture.size.height).bind(&picture.bytes[..])
        }
    };
    query.fetch_one(executor).await
}

/// A text and its formatting.
pub(super) fn formatted(params: &Params, name: &str) -> Result<(String, Vec<Entity>), Refusal> {
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

/// A public @name is a chat, too; nobody has one in the twin.
pub(super) fn chat_id(params: &Params) -> Result<i64, Refusal> {
    let id = params.text("chat_id").ok_or_else(|| Refusal::bad_request("chat_id is empty"))?;
    id.trim().parse().map_err(|_| Refusal::bad_request("chat not found"))
}

fn read(params: &Params, text: String, entities: Vec<Entity>) -> Result<Message, Refusal> {
    let reply = params.structured("reply_parameters")?.unwrap_or_default();
    let reply_to = reply["message_id"].as_i64().or_else(|| params.integer("reply_to_message_id"));
    let optional_reply =
        reply["allow_sending_without_reply"] == Value::Bool(true) || params.flag("allow_sending_without_reply");
    Ok(Message {
        chat_id: chat_id(params)?,
        text,
        entities,
        photo: None,
        picture: None,
        markup: markup::read(params)?,
        // A number that no message can have is the number of no message.
        reply_to: reply_to.map(|id| i32::try_from(id).unwrap_or(0)),
        reply_required: !optional_reply,
        silent: params.flag("disable_notification"),
        protect: params.flag("protect_content"),
    })
}
