//! The people's face: what a person does in a chat, and what the chat shows.

use poem::web::{Data, Json, Path, Query};
use poem::{Body, handler};
use serde::Deserialize;
use serde_json::{Value, json};
use sqlx::{PgPool, Row};

use super::super::text::{LONGEST, cleaned, command_length, units};
use super::Twin;
use super::fields::Fields;
use super::problem::{Problem, Result};

/// The one who spoke, as Telegram describes a person in an update. Ends a column list.
const PERSON: &str = "json_build_object('id', chat_id, 'is_bot', false,
    'first_name', first_name, 'username', username, 'language_code', language_code)";

/// Which bot is meant; without it, the one that connected first.
#[derive(Deserialize)]
pub(super) struct Whose {
    pub(super) bot: Option<i64>,
}

/// What part of a transcript is wanted.
#[derive(Deserialize)]
pub(super) struct Part {
    bot: Option<i64>,
    after: Option<i32>,
    limit: Option<i64>,
}

/// `POST /chats/{chat_id}/messages`: a person says something. The first word creates the chat.
#[handler]
pub(super) async fn say(
    Data(twin): Data<&Twin>,
    Path(chat_id): Path<String>,
    Query(whose): Query<Whose>,
    body: Body,
) -> Result<Json<Value>> {
    let chat_id = person(&chat_id)?;
    let mut fields = Fields::read(body).await?;
    let text = cleaned(&fields.text("text")?);
    if text.is_empty() || units(&text) > LONGEST {
        return Err(fields.wrong("text", &format!("must have 1 to {LONGEST} characters")));
    }
    let first_name = short(&mut fields, "first_name", 64)?;
    let username = short(&mut fields, "username", 32)?;
    let language_code = short(&mut fields, "language_code", 35)?;
    fields.finish()?;

    let bot = bot(twin.pool(), whose.bot).await?;
    let entities =
        command_length(&text).map(|length| json!([{ "type": "bot_command", "offset": 0, "length": length }]));
    // The chat's row is locked before the update is numbered, so that the numbers of one
    // chat grow in the order in which they can be seen.
    let said = sqlx::query(&format!(
        "with chat as (
            insert into sandbox.telegram_chat as c
                   (bot_id, chat_id, first_name, username, language_code, last_message_id)
            values ($1, $2, coalesce($3, 'Person ' || $2), $4, $5, 1)
            on conflict (bot_id, chat_id) do update
               set first_name = coalesce($3, c.first_name), username = coalesce($4, c.username),
                   language_code = coalesce($5, c.language_code),
                   last_message_id = c.last_message_id + 1, active_at = now()
             where not c.blocked
            returning c.*),
         numbered as materialized (
            select chat.*, case when {allowed} then nextval('sandbox.telegram_update_id') end as update_id
              from chat join sandbox.telegram_bot b on b.id = chat.bot_id),
         said as (
            insert into sandbox.telegram_message
                   (bot_id, chat_id, message_id, from_bot, text, entities, update_id)
            select bot_id, chat_id, last_message_id, false, $6, $7, update_id from numbered),
         queued as (
            insert into sandbox.telegram_delivery (update_id, bot_id, chat_id, body)
            select update_id, bot_id, chat_id, json_strip_nulls(json_build_object(
                   'update_id', update_id,
                   'message', json_build_object(
                       'message_id', last_message_id, 'from', {PERSON},
                       'chat', json_build_object('id', chat_id, 'type', 'private',
                           'first_name', first_name, 'username', username),
                       'date', extract(epoch from now())::bigint, 'text', $6, 'entities', $7)))::text
              from numbered where update_id is not null)
         select update_id, last_message_id as message_id from numbered",
        allowed = allowed("message"),
    ))
    .bind(bot)
    .bind(chat_id)
    .bind(first_name)
    .bind(username)
    .bind(language_code)
    .bind(text)
    .bind(entities)
    .fetch_optional(twin.pool())
    .await?
    .ok_or(Problem::Conflict("this person has blocked the bot; unblock it first"))?;
    twin.inner.queued.notify_one();
    Ok(Json(json!({
        "chat_id": chat_id,
        "message_id": said.try_get::<i32, _>("message_id")?,
        "update_id": said.try_get::<Option<i64>, _>("update_id")?,
    })))
}

/// `GET /chats`: those last spoken in first.
#[handler]
pub(super) async fn chats(Data(twin): Data<&Twin>, Query(whose): Query<Whose>) -> Result<Json<Value>> {
    let bot = bot(twin.pool(), whose.bot).await?;
    let chats: Value = sqlx::query_scalar(
        "select coalesce(json_agg(json_build_object(
                'chat_id', c.chat_id, 'first_name', c.first_name, 'username', c.username,
                'language_code', c.language_code, 'blocked', c.blocked,
                'messages', c.last_message_id, 'active_at', c.active_at,
                'last_text', left(m.text, 200), 'last_photo', m.photo is not null,
                'last_from_bot', m.from_bot)
                order by c.active_at desc, c.chat_id), '[]')
           from (select * from sandbox.telegram_chat where bot_id = $1
                  order by active_at desc, chat_id limit 200) c
           left join sandbox.telegram_message m
             on m.bot_id = c.bot_id and m.chat_id = c.chat_id and m.message_id = c.last_message_id",
    )
    .bind(bot)
    .fetch_one(twin.pool())
    .await?;
    Ok(Json(json!({ "chats": chats })))
}

/// `GET /chats/{chat_id}/messages?after=&limit=`: both sides, oldest first, with what has
/// become of each since. Without `after` the latest ones. The chat's `revision` grows
/// when an earlier message is edited or its buttons are pressed or answered.
#[handler]
pub(super) async fn transcript(
    Data(twin): Data<&Twin>,
    Path(chat_id): Path<String>,
    Query(part): Query<Part>,
) -> Result<Json<Value>> {
    let chat_id = person(&chat_id)?;
    let bot = bot(twin.pool(), part.bot).await?;
    let chat: Value = sqlx::query_scalar(
        "select json_build_object('chat_id', chat_id, 'first_name', first_name,
                'username', username, 'language_code', language_code, 'blocked', blocked,
                'revision', revision)
           from sandbox.telegram_chat where bot_id = $1 and chat_id = $2",
    )
    .bind(bot)
    .bind(chat_id)
    .fetch_optional(twin.pool())
    .await?
    .ok_or(Problem::Unknown("there is no such chat"))?;
    // From a given message forwards, else from the end backwards.
    let order = if part.after.is_some() { "asc" } else { "desc" };
    let messages: Value = sqlx::query_scalar(&format!(
        "select coalesce(json_agg(json_strip_nulls(json_build_object(
                'message_id', m.message_id, 'from', case when m.from_bot then 'bot' else 'person' end,
                'text', m.text, 'entities', m.entities, 'photo', m.photo,
                'picture', (select json_build_object('path', 'pictures/' || file_id, 'media_type', media_type,
                                                     'width', width, 'height', height)
                              from sandbox.telegram_picture where file_id = m.photo),
                'reply_markup', m.reply_markup, 'reply_to', m.reply_to,
                'silent', m.silent, 'sent_at', m.sent_at, 'edited_at', m.edited_at, 'update_id', m.update_id,
                'presses', (select json_agg(json_build_object('id', p.id::text, 'data', p.data,
                                   'pressed_at', p.pressed_at, 'answered_at', p.answered_at,
                                   'notice', p.notice, 'alert', p.alert) order by p.id)
                              from sandbox.telegram_press p
                             where p.bot_id = $1 and p.chat_id = $2 and p.message_id = m.message_id),
                'delivered', case when m.update_id is not null then d.delivered_at is not null end))
                order by m.message_id), '[]')
           from (select * from sandbox.telegram_message
                  where bot_id = $1 and chat_id = $2 and message_id > $3
                  order by message_id {order} limit $4) m
           left join sandbox.telegram_delivery d on d.update_id = m.update_id",
    ))
    .bind(bot)
    .bind(chat_id)
    .bind(part.after.unwrap_or(0))
    .bind(part.limit.unwrap_or(200).clamp(1, 1000))
    .fetch_one(twin.pool())
    .await?;
    Ok(Json(json!({ "chat": chat, "messages": messages })))
}

/// `POST /chats/{chat_id}/block`
#[handler]
pub(super) async fn block(
    Data(twin): Data<&Twin>,
    Path(chat_id): Path<String>,
    Query(whose): Query<Whose>,
) -> Result<Json<Value>> {
    set_blocked(twin, &chat_id, whose.bot, true).await
}

/// `POST /chats/{chat_id}/unblock`
#[handler]
pub(super) async fn unblock(
    Data(twin): Data<&Twin>,
    Path(chat_id): Path<String>,
    Query(whose): Query<Whose>,
) -> Result<Json<Value>> {
    set_blocked(twin, &chat_id, whose.bot, false).await
}

/// The bot hears of it through a `my_chat_member` update, once for each change.
async fn set_blocked(twin: &Twin, chat_id: &str, whose: Option<i64>, blocked: bool) -> Result<Json<Value>> {
    let chat_id = person(chat_id)?;
    let bot = bot(twin.pool(), whose).await?;
    let status = |blocked: bool| if blocked { "kicked" } else { "member" };
    let exists: bool = sqlx::query_scalar(&format!(
        "with changed as (
            update sandbox.telegram_chat set blocked = $3, active_at = now()
             where bot_id = $1 and chat_id = $2 and blocked <> $3 returning *),
         numbered as materialized (
            select changed.*, b.username as bot_name, nextval('sandbox.telegram_update_id') as update_id
              from changed join sandbox.telegram_bot b on b.id = changed.bot_id where {allowed}),
         queued as (
            insert into sandbox.telegram_delivery (update_id, bot_id, chat_id, body)
            select update_id, bot_id, chat_id, json_strip_nulls(json_build_object(
                   'update_id', update_id,
                   'my_chat_member', json_build_object(
                       'from', {PERSON},
                       'chat', json_build_object('id', chat_id, 'type', 'private',
                           'first_name', first_name, 'username', username),
                       'date', extract(epoch from now())::bigint,
                       'old_chat_member', {old}, 'new_chat_member', {new})))::text
              from numbered)
         select exists (select from sandbox.telegram_chat where bot_id = $1 and chat_id = $2)",
        allowed = allowed("my_chat_member"),
        old = membership(status(!blocked)),
        new = membership(status(blocked)),
    ))
    .bind(bot)
    .bind(chat_id)
    .bind(blocked)
    .fetch_one(twin.pool())
    .await?;
    if !exists {
        return Err(Problem::Unknown("there is no such chat"));
    }
    twin.inner.queued.notify_one();
    Ok(Json(json!({ "chat_id": chat_id, "blocked": blocked })))
}

/// SQL for whether bot `b` wants updates of this kind.
fn allowed(kind: &str) -> String {
    format!("(b.allowed_updates = '{{}}' or '{kind}' = any (b.allowed_updates))")
}

/// SQL for the bot's standing with the person. `until_date` 0: for ever.
fn membership(status: &str) -> String {
    format!(
        "json_build_object('status', '{status}', 'until_date', 0, 'user', json_build_object(
            'id', bot_id, 'is_bot', true, 'first_name', 'Sandbox bot', 'username', bot_name))"
    )
}

pub(super) async fn bot(pool: &PgPool, wanted: Option<i64>) -> Result<i64> {
    sqlx::query_scalar(
        "select id from sandbox.telegram_bot where $1 is null or id = $1
          order by created_at, id limit 1",
    )
    .bind(wanted)
    .fetch_optional(pool)
    .await?
    .ok_or(match wanted {
        Some(_) => Problem::Unknown("there is no such bot"),
        None => Problem::Conflict("no bot has connected yet: start one that uses this address as its Bot API"),
    })
}

pub(super) fn person(chat_id: &str) -> Result<i64> {
    // Telegram's own ids have at most 52 significant bits, so that JavaScript can hold them.
    let id = chat_id.parse().ok().filter(|id| (1..1 << 52).contains(id));
    id.ok_or_else(|| Problem::field("chat_id", "must be a whole number, 1 or more: people have such"))
}

/// A text of 1 to `longest` UTF-16 units, if there is one.
pub(super) fn short(fields: &mut Fields, name: &str, longest: usize) -> Result<Option<String>> {
    let Some(text) = fields.optional_text(name)? else {
        return Ok(None);
    };
    let text = cleaned(&text);
    if text.is_empty() || units(&text) > longest {
        return Err(fields.wrong(name, &format!("must have 1 to {longest} characters")));
    }
    Ok(Some(text))
}
