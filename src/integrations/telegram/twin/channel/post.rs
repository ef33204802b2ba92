//! Posts in a channel: those of bots, and those of its owner.

use chrono::{DateTime, Utc};
use poem::web::{Data, Json, Path, Query};
use poem::{Body, handler};
use serde::Deserialize;
use serde_json::{Value, json};
use sqlx::{FromRow, Row};

use super::super::answer::{Answer, Refusal};
use super::super::bot_api::Bot;
use super::super::fields::Fields;
use super::super::params::Params;
use super::super::people::short;
use super::super::problem::{Problem, Result};
use super::super::send::Message;
use super::super::{Rate, Twin, markup, picture};
use super::acts::channel;
use super::{Call, Channel};

const LONGEST: usize = 4096;

/// A post as it is kept.
#[derive(FromRow)]
struct Post {
    message_id: i32,
    bot_id: Option<i64>,
    text: String,
    entities: Option<Value>,
    photo: Option<String>,
    reply_markup: Option<Value>,
    sent_at: DateTime<Utc>,
    edited_at: Option<DateTime<Utc>>,
}

/// sendMessage and sendPhoto to a channel.
pub(in super::super) async fn send(twin: &Twin, bot: Bot, params: &Params, message: Message) -> Answer {
    let mut call = Call::begin(twin, bot, params).await?;
    if !call.seat.can_post_messages {
        return Err(Refusal::bad_request("need administrator rights in the channel chat"));
    }
    let limits = twin.inner.limits;
    let entities = (!message.entities.is_empty()).then(|| json!(message.entities));
    let row =
        sqlx::query("select * from sandbox.telegram_post($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)")
            .bind(bot.id)
            .bind(message.chat_id)
            .bind(&message.text)
            .bind(&entities)
            .bind(&message.photo)
            .bind(&message.markup)
            .bind(message.reply_to)
            .bind(message.reply_required)
            .bind(message.silent)
            .bind(message.protect)
            .bind(Rate::interval(limits.overall))
            .bind(Rate::burst(limits.overall))
            .bind(Rate::interval(limits.per_chat))
            .bind(Rate::burst(limits.per_chat))
            .fetch_one(&mut *call.transaction)
            .await?;
    match row.try_get::<String, _>("outcome")?.as_str() {
        "sent" => {}
        "unknown_reply" => return Err(Refusal::bad_request("message to be replied not found")),
        _ => {
            let seconds: i32 = row.try_get("retry_after")?;
            // Kept, for what was wrong about it is noted.
            call.finish(twin).await?;
            return Err(Refusal::too_many(seconds));
        }
    }
    if let Some(picture) = &message.picture {
        picture::keep(&mut *call.transaction, bot.id, picture).await?;
    }
    let post = Post {
        message_id: row.try_get("message_id")?,
        bot_id: Some(bot.id),
        text: message.text,
        entities,
        photo: message.photo,
        reply_markup: message.markup,
        sent_at: row.try_get("sent_at")?,
        edited_at: None,
    };
    let described = post.describe(&mut call).await?;
    call.finish(twin).await?;
    Ok(described)
}

/// What is to be edited.
pub(in super::super) enum Change {
    /// The text of a post without a photo.
    Text(String, Option<Value>),
    /// The text below a photo.
    Caption(String, Option<Value>),
    /// The buttons alone.
    Buttons,
}

/// editMessageText, editMessageCaption and editMessageReplyMarkup in a channel.
pub(in super::super) async fn edit(twin: &Twin, bot: Bot, params: &Params, message_id: i32, change: Change) -> Answer {
    let markup = markup::read(params)?;
    let mut call = Call::begin(twin, bot, params).await?;
    let post: Option<Post> = sqlx::query_as(
        "select message_id, bot_id, text, entities, photo, reply_markup, sent_at, edited_at
           from sandbox.telegram_post where chat_id = $1 and message_id = $2 and not deleted",
    )
    .bind(call.channel.chat_id)
    .bind(message_id)
    .fetch_optional(&mut *call.transaction)
    .await?;
    let mut post = post.ok_or_else(|| Refusal::bad_request("message to edit not found"))?;
    if post.bot_id != Some(bot.id) && !call.seat.can_edit_messages {
        return Err(Refusal::bad_request("message can't be edited"));
    }
    let before = (post.text.clone(), post.entities.clone(), post.reply_markup.clone());
    match change {
        Change::Text(..) if post.photo.is_some() => {
            return Err(Refusal::bad_request("there is no text in the message to edit"));
        }
        Change::Caption(..) if post.photo.is_none() => {
            return Err(Refusal::bad_request("there is no caption in the message to edit"));
        }
        Change::Text(text, entities) | Change::Caption(text, entities) => {
            (post.text, post.entities) = (text, entities);
        }
        Change::Buttons => {}
    }
    post.reply_markup = markup;
    if before == (post.text.clone(), post.entities.clone(), post.reply_markup.clone()) {
        return Err(Refusal::bad_request(
            "message is not modified: specified new message content and reply markup are exactly the same \
             as a current content and reply markup of the message",
        ));
    }
    let edited_at: DateTime<Utc> = sqlx::query_scalar(
        "update sandbox.telegram_post set text = $3, entities = $4, reply_markup = $5, edited_at = clock_timestamp()
          where chat_id = $1 and message_id = $2 returning edited_at",
    )
    .bind(call.channel.chat_id)
    .bind(message_id)
    .bind(&post.text)
    .bind(&post.entities)
    .bind(&post.reply_markup)
    .fetch_one(&mut *call.transaction)
    .await?;
    post.edited_at = Some(edited_at);
    let described = post.describe(&mut call).await?;
    call.finish(twin).await?;
    Ok(described)
}

impl Post {
    /// As Telegram describes it. A channel's posts are from the channel.
    async fn describe(self, call: &mut Call) -> sqlx::Result<Value> {
        let chat = call.channel.describe();
        let mut message = json!({
            "message_id": self.message_id,
            "sender_chat": chat,
            "chat": chat,
            "date": self.sent_at.timestamp(),
        });
        if let Some(edited_at) = self.edited_at {
            message["edit_date"] = json!(edited_at.timestamp());
        }
        let (text, its_entities) =
            if self.photo.is_some() { ("caption", "caption_entities") } else { ("text", "entities") };
        if !self.text.is_empty() {
            message[text] = json!(self.text);
        }
        if let Some(entities) = self.entities {
            message[its_entities] = entities;
        }
        if let Some(photo) = self.photo {
            message["photo"] = picture::sizes(&photo, picture::size(&mut *call.transaction, &photo).await?);
        }
        if let Some(markup) = self.reply_markup {
            message["reply_markup"] = markup;
        }
        Ok(message)
    }
}

/// What part of a channel is wanted.
#[derive(Deserialize)]
pub(in super::super) struct Part {
    after: Option<i32>,
    limit: Option<i64>,
}

/// `GET /channels/{chat_id}/posts?after=&limit=`: what its members see, oldest first.
/// Without `after` the latest ones. `bot` says whose a post is; the owner's have none.
#[handler]
pub(in super::super) async fn posts(
    Data(twin): Data<&Twin>,
    Path(chat_id): Path<String>,
    Query(part): Query<Part>,
) -> Result<Json<Value>> {
    let chat_id = channel(&chat_id)?;
    let order = if part.after.is_some() { "asc" } else { "desc" };
    let posts: Value = sqlx::query_scalar(&format!(
        "select coalesce(json_agg(json_strip_nulls(json_build_object(
                'message_id', p.message_id, 'bot', p.bot_id, 'text', p.text, 'entities', p.entities,
                'photo', p.photo,
                'picture', (select json_build_object('path', 'pictures/' || file_id, 'media_type', media_type,
                                                     'width', width, 'height', height)
                              from sandbox.telegram_picture where file_id = p.photo),
                'reply_markup', p.reply_markup, 'reply_to', p.reply_to, 'silent', p.silent,
                'protected', p.protected, 'sent_at', p.sent_at, 'edited_at', p.edited_at))
                order by p.message_id), '[]')
           from (select * from sandbox.telegram_post where chat_id = $1 and message_id > $2 and not deleted
                  order by message_id {order} limit $3) p",
    ))
    .bind(chat_id)
    .bind(part.after.unwrap_or(0))
    .bind(part.limit.unwrap_or(100).clamp(1, 1000))
    .fetch_one(twin.pool())
    .await?;
    Ok(Json(json!({ "posts": posts })))
}

/// `POST /channels/{chat_id}/posts {"text"}`: the owner posts.
#[handler]
pub(in super::super) async fn say(
    Data(twin): Data<&Twin>,
    Path(chat_id): Path<String>,
    body: Body,
) -> Result<Json<Value>> {
    let chat_id = channel(&chat_id)?;
    let mut fields = Fields::read(body).await?;
    let text = short(&mut fields, "text", LONGEST)?.ok_or_else(|| fields.wrong("text", "is missing"))?;
    fields.finish()?;
    let mut transaction = twin.pool().begin().await?;
    Channel::lock(&mut transaction, chat_id).await?.ok_or(Problem::Unknown("there is no such channel"))?;
    let message_id: i32 = sqlx::query_scalar(
        "with numbered as (
            update sandbox.telegram_channel set last_message_id = last_message_id + 1
             where chat_id = $1 returning last_message_id)
         insert into sandbox.telegram_post (chat_id, message_id, text, sent_at)
         select $1, last_message_id, $2, clock_timestamp() from numbered returning message_id",
    )
    .bind(chat_id)
    .bind(text)
    .fetch_one(&mut *transaction)
    .await?;
    transaction.commit().await?;
    Ok(Json(json!({ "message_id": message_id })))
}

/// `DELETE /channels/{chat_id}/posts/{message_id}`: the owner deletes a post, whoever's it is.
#[handler]
pub(in super::super) async fn delete(
    Data(twin): Data<&Twin>,
    Path((chat_id, message_id)): Path<(String, i32)>,
) -> Result<Json<Value>> {
    let chat_id = channel(&chat_id)?;
    let deleted = sqlx::query(
        "update sandbox.telegram_post set deleted = true where chat_id = $1 and message_id = $2 and not deleted",
    )
    .bind(chat_id)
    .bind(message_id)
    .execute(twin.pool())
    .await?;
    if deleted.rows_affected() == 0 {
        return Err(Problem::Unknown("there is no such post"));
    }
    Ok(Json(json!({ "message_id": message_id })))
}
