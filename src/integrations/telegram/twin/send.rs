//! sendMessage.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use sqlx::Row;

use super::answer::{Answer, Refusal};
use super::bot_api::Bot;
use super::html::{self, Entity};
use super::params::Params;
use super::text::{LONGEST, cleaned, units};
use super::{Rate, Twin};

struct Message {
    chat_id: i64,
    text: String,
    entities: Vec<Entity>,
    reply_to: Option<i32>,
    reply_required: bool,
    silent: bool,
}

pub(super) async fn message(twin: &Twin, bot: Bot, params: &Params) -> Answer {
    let message = read(params)?;
    let limits = twin.inner.limits;
    let entities = (!message.entities.is_empty()).then(|| json!(message.entities));
    let row = sqlx::query("select * from sandbox.telegram_send($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)")
        .bind(bot.id)
        .bind(message.chat_id)
        .bind(&message.text)
        .bind(&entities)
        .bind(message.reply_to)
        .bind(message.reply_required)
        .bind(message.silent)
        .bind(Rate::interval(limits.overall))
        .bind(Rate::burst(limits.overall))
        .bind(Rate::interval(limits.per_chat))
        .bind(Rate::burst(limits.per_chat))
        .fetch_one(twin.pool())
        .await?;
    match row.try_get("outcome")? {
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
        "message_id": row.try_get::<i32, _>("message_id")?,
        "from": bot.user(),
        "chat": chat,
        "date": sent_at.timestamp(),
        "text": message.text,
    });
    if let Some(entities) = entities {
        sent["entities"] = entities;
    }
    Ok(sent)
}

fn read(params: &Params) -> Result<Message, Refusal> {
    let chat_id = match params.text("chat_id") {
        None => return Err(Refusal::bad_request("chat_id is empty")),
        // A public @name; the twin has private chats only.
        Some(id) => id.trim().parse().map_err(|_| Refusal::bad_request("chat not found"))?,
    };
    let text = cleaned(&params.text("text").unwrap_or_default());
    let (text, entities) = match params.text("parse_mode").map(|mode| mode.to_ascii_lowercase()) {
        None => (text, Vec::new()),
        Some(mode) if mode.is_empty() => (text, Vec::new()),
        Some(mode) if mode == "html" => {
            html::parse(&text).map_err(|reason| Refusal::bad_request(format!("can't parse entities: {reason}")))?
        }
        Some(_) => return Err(Refusal::bad_request("unsupported parse_mode")),
    };
    if text.trim().is_empty() {
        return Err(Refusal::bad_request("message text is empty"));
    }
    if units(&text) > LONGEST {
        return Err(Refusal::bad_request("message is too long"));
    }
    let reply = params.structured("reply_parameters")?.unwrap_or_default();
    let reply_to = reply["message_id"].as_i64().or_else(|| params.integer("reply_to_message_id"));
    let optional_reply =
        reply["allow_sending_without_reply"] == Value::Bool(true) || params.flag("allow_sending_without_reply");
    Ok(Message {
        chat_id,
        text,
        entities,
        // A number that no message can have is the number of no message.
        reply_to: reply_to.map(|id| i32::try_from(id).unwrap_or(0)),
        reply_required: !optional_reply,
        silent: params.flag("disable_notification"),
    })
}
