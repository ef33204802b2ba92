//! Buttons that report to the bot: a person presses one, the bot answers.

use poem::web::{Data, Json, Path, Query};
use poem::{Body, handler};
use serde_json::{Value, json};
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};

use super::super::text::{cleaned, units};
use super::answer::{Answer, Refusal};
use super::bot_api::Bot;
use super::fields::Fields;
use super::params::Params;
use super::people::{self, Whose};
use super::posted::Posted;
use super::problem::{Problem, Result};
use super::{Twin, picture};

/// UTF-16 units of a notice.
const LONGEST_NOTICE: usize = 200;

/// `POST /chats/{chat_id}/press {"data", "message_id"}`: a person presses the button with
/// this data below this message; without a number, below the latest that has one.
#[handler]
pub(super) async fn press(
    Data(twin): Data<&Twin>,
    Path(chat_id): Path<String>,
    Query(whose): Query<Whose>,
    body: Body,
) -> Result<Json<Value>> {
    let chat_id = people::person(&chat_id)?;
    let mut fields = Fields::read(body).await?;
    let data = fields.text("data")?;
    let message_id = fields.optional_integer("message_id", 1, i64::from(i32::MAX))?;
    if data.contains('\0') {
        return Err(fields.wrong("data", "must not contain the character NUL"));
    }
    fields.finish()?;
    let bot = Bot { id: people::bot(twin.pool(), whose.bot).await? };

    let mut transaction = twin.pool().begin().await?;
    // From here on nothing else is said, pressed or edited in this chat: the numbers of
    // its updates grow in the order in which they can be seen.
    let chat = sqlx::query(
        "update sandbox.telegram_chat c set active_at = now(), revision = revision + 1
           from sandbox.telegram_bot b
          where c.bot_id = $1 and c.chat_id = $2 and b.id = c.bot_id
         returning c.*, b.allowed_updates",
    )
    .bind(bot.id)
    .bind(chat_id)
    .fetch_optional(&mut *transaction)
    .await?
    .ok_or(Problem::Unknown("there is no such chat"))?;
    if chat.try_get("blocked")? {
        return Err(Problem::Conflict("this person has blocked the bot; unblock it first"));
    }
    let message = with_button(&mut transaction, &chat, &data, message_id)
        .await?
        .ok_or(Problem::Conflict("there is no message with such a button"))?;
    let message_id: i32 = message.try_get("message_id")?;
    let allowed: Vec<String> = chat.try_get("allowed_updates")?;
    let heard = allowed.is_empty() || allowed.iter().any(|kind| kind == "callback_query");
    let pressed = sqlx::query(
        "insert into sandbox.telegram_press (bot_id, chat_id, message_id, data, update_id)
         values ($1, $2, $3, $4, case when $5 then nextval('sandbox.telegram_update_id') end)
         returning id, update_id",
    )
    .bind(bot.id)
    .bind(chat_id)
    .bind(message_id)
    .bind(&data)
    .bind(heard)
    .fetch_one(&mut *transaction)
    .await?;
    let callback_id = pressed.try_get::<i64, _>("id")?.to_string();
    let update_id: Option<i64> = pressed.try_get("update_id")?;
    if let Some(update_id) = update_id {
        let message = described(&mut transaction, bot, &chat, &message).await?;
        let update = json!({ "update_id": update_id, "callback_query": {
            "id": callback_id,
            "from": presser(&chat)?,
            "message": message,
            "chat_instance": (-chat_id).to_string(),
            "data": data,
        }});
        sqlx::query("insert into sandbox.telegram_delivery (update_id, bot_id, chat_id, body) values ($1, $2, $3, $4)")
            .bind(update_id)
            .bind(bot.id)
            .bind(chat_id)
            .bind(update.to_string())
            .execute(&mut *transaction)
            .await?;
    }
    transaction.commit().await?;
    twin.inner.queued.notify_one();
    Ok(Json(json!({
        "chat_id": chat_id,
        "message_id": message_id,
        "callback_query_id": callback_id,
        "update_id": update_id,
    })))
}

/// The message that is meant, if it has such a button now.
async fn with_button(
    connection: &mut PgConnection,
    chat: &PgRow,
    data: &str,
    message_id: Option<i64>,
) -> sqlx::Result<Option<PgRow>> {
    sqlx::query(
        "select * from sandbox.telegram_message
          where bot_id = $1 and chat_id = $2 and from_bot and ($3::bigint is null or message_id = $3)
            and jsonb_path_exists(reply_markup, '$.inline_keyboard[*][*] ? (@.callback_data == $data)',
                                  jsonb_build_object('data', $4::text))
          order by message_id desc limit 1",
    )
    .bind(chat.try_get::<i64, _>("bot_id")?)
    .bind(chat.try_get::<i64, _>("chat_id")?)
    .bind(message_id)
    .bind(data)
    .fetch_optional(connection)
    .await
}

async fn described(connection: &mut PgConnection, bot: Bot, chat: &PgRow, message: &PgRow) -> sqlx::Result<Value> {
    let photo = match message.try_get::<Option<String>, _>("photo")? {
        Some(photo) => Some(picture::sizes(&photo, picture::size(connection, &photo).await?)),
        None => None,
    };
    let posted = Posted {
        chat_id: chat.try_get("chat_id")?,
        first_name: chat.try_get("first_name")?,
        username: chat.try_get("username")?,
        message_id: message.try_get("message_id")?,
        sent_at: message.try_get("sent_at")?,
        edited_at: message.try_get("edited_at")?,
        text: message.try_get("text")?,
        entities: message.try_get("entities")?,
        photo,
        markup: message.try_get("reply_markup")?,
    };
    Ok(posted.describe(bot))
}

/// The person, as Telegram describes one in an update.
fn presser(chat: &PgRow) -> sqlx::Result<Value> {
    let mut person = json!({
        "id": chat.try_get::<i64, _>("chat_id")?,
        "is_bot": false,
        "first_name": chat.try_get::<String, _>("first_name")?,
    });
    for name in ["username", "language_code"] {
        if let Some(value) = chat.try_get::<Option<String>, _>(name)? {
            person[name] = json!(value);
        }
    }
    Ok(person)
}

/// answerCallbackQuery: once for each press.
pub(super) async fn answer(twin: &Twin, bot: Bot, params: &Params) -> Answer {
    let late = || Refusal::bad_request("query is too old and response timeout expired or query ID is invalid");
    let id: i64 = params.text("callback_query_id").and_then(|id| id.parse().ok()).ok_or_else(late)?;
    let notice = cleaned(&params.text("text").unwrap_or_default());
    if units(&notice) > LONGEST_NOTICE {
        return Err(Refusal::bad_request("MESSAGE_TOO_LONG"));
    }
    sqlx::query(
        "with answered as (
            update sandbox.telegram_press
               set answered_at = clock_timestamp(), notice = nullif($3, ''), alert = $4
             where id = $1 and bot_id = $2 and answered_at is null
            returning bot_id, chat_id)
         update sandbox.telegram_chat c set revision = revision + 1
           from answered a where c.bot_id = a.bot_id and c.chat_id = a.chat_id
         returning c.chat_id",
    )
    .bind(id)
    .bind(bot.id)
    .bind(notice)
    .bind(params.flag("show_alert"))
    .fetch_optional(twin.pool())
    .await?
    .ok_or_else(late)?;
    Ok(Value::Bool(true))
}
