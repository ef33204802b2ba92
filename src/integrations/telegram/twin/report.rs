//! What the twin has seen: its own count, against which the bot's can be held.

use poem::handler;
use poem::web::{Data, Json, Query};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Twin;
use super::people::{self, Whose};
use super::problem::Result;
use super::webhook as registration;

/// How many of the latest are wanted.
#[derive(Deserialize)]
pub(super) struct Latest {
    limit: Option<i64>,
}

/// `GET /violations`: what a well-behaved bot never does, latest first.
#[handler]
pub(super) async fn violations(Data(twin): Data<&Twin>, Query(latest): Query<Latest>) -> Result<Json<Value>> {
    let report: Value = sqlx::query_scalar(
        "select json_build_object(
                'count', (select count(*) from sandbox.telegram_violation),
                'violations', coalesce(json_agg(to_json(v) order by v.id desc), '[]'))
           from (select * from sandbox.telegram_violation order by id desc limit $1) v",
    )
    .bind(latest.limit.unwrap_or(100).clamp(1, 1000))
    .fetch_one(twin.pool())
    .await?;
    Ok(Json(report))
}

/// `GET /counts`: everything, in numbers.
#[handler]
pub(super) async fn counts(Data(twin): Data<&Twin>) -> Result<Json<Value>> {
    let counts: Value = sqlx::query_scalar(
        "select json_build_object(
                'chats', (select count(*) from sandbox.telegram_chat),
                'messages_from_bots', (select count(*) from sandbox.telegram_message where from_bot),
                'messages_from_people', (select count(*) from sandbox.telegram_message where not from_bot),
                'presses', (select count(*) from sandbox.telegram_press),
                'presses_unanswered', (select count(*) from sandbox.telegram_press where answered_at is null),
                'updates_delivered', (select count(*) from sandbox.telegram_delivery where delivered_at is not null),
                'updates_waiting', (select count(*) from sandbox.telegram_delivery where delivered_at is null),
                'delivery_attempts', (select coalesce(sum(attempts), 0) from sandbox.telegram_delivery),
                'violations', (select count(*) from sandbox.telegram_violation))",
    )
    .fetch_one(twin.pool())
    .await?;
    Ok(Json(counts))
}

/// Which messages to count.
#[derive(Deserialize)]
pub(super) struct Which {
    /// Those that a person reads exactly so.
    text: Option<String>,
}

/// `GET /counts/chats?text=`: how many messages a bot got through to each chat.
#[handler]
pub(super) async fn chats(Data(twin): Data<&Twin>, Query(which): Query<Which>) -> Result<Json<Value>> {
    let chats: Value = sqlx::query_scalar(
        "select coalesce(json_object_agg(chat_id, messages), '{}')
           from (select chat_id, count(*) as messages from sandbox.telegram_message
                  where from_bot and ($1::text is null or text = $1) group by chat_id) counted",
    )
    .bind(which.text)
    .fetch_one(twin.pool())
    .await?;
    Ok(Json(json!({ "messages_from_bots": chats })))
}

/// `GET /webhook`: the bot, and how the delivery of its updates goes.
#[handler]
pub(super) async fn webhook(Data(twin): Data<&Twin>, Query(whose): Query<Whose>) -> Result<Json<Value>> {
    let bot = people::bot(twin.pool(), whose.bot).await?;
    let username: String = sqlx::query_scalar("select username from sandbox.telegram_bot where id = $1")
        .bind(bot)
        .fetch_one(twin.pool())
        .await?;
    let mut info = registration::info(twin.pool(), bot).await.unwrap_or_default();
    info["bot"] = json!({ "id": bot, "username": username });
    Ok(Json(info))
}
