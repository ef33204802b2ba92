//! Telegram's limits, kept by all processes together.

use std::time::Duration;

use sqlx::PgPool;

use crate::{bot::Bot, jobs::Job};

/// The limits of one bot: messages a second, in all and to one chat.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// In all; Telegram allows about 30.
    pub in_all: f64,
    /// To one chat; Telegram allows about 1.
    pub per_chat: f64,
}

/// When a call may go out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slot {
    /// The slot is taken; call after this wait.
    After(Duration),
    /// It would be long; nothing is taken, come again.
    Later(Duration),
}

/// The longest wait for a slot that keeps a job in a worker's hands.
const PATIENCE: Duration = Duration::from_secs(2);
const BOT: &str = Bot::Coupon.name();
const BROADCASTS: &str = "coupon-bot broadcasts";

/// Takes the next slot for a message of the coupon bot's to a chat.
///
/// # Errors
/// What the database says.
pub async fn take(pool: &PgPool, limits: &Limits, chat_id: i64) -> Result<Slot, sqlx::Error> {
    take_for(Bot::Coupon, pool, limits, chat_id).await
}

/// Takes the next slot for a bot's message to a chat.
///
/// # Errors
/// What the database says.
pub async fn take_for(bot: Bot, pool: &PgPool, limits: &Limits, chat_id: i64) -> Result<Slot, sqlx::Error> {
    let bot = bot.name();
    let wait = sqlx::query_scalar!(
        r#"select take_slot($1, $2, $3) as "wait!""#,
        &[bot.to_owned(), format!("{bot}:{chat_id}")],
        &[1.0 / limits.in_all, 1.0 / limits.per_chat],
        PATIENCE.as_secs_f64(),
    )
    .fetch_one(pool)
    .await?;
    let wait = Duration::from_secs_f64(wait.max(0.0));
    Ok(if wait > PATIENCE { Slot::Later(wait) } else { Slot::After(wait) })
}

/// Whether a broadcast may call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spare {
    /// The slot is taken; call now.
    Taken,
    /// Others want it, or the limit of the bot is in the way: ask again after this wait.
    Busy(Duration),
    /// The limit of the chat is in the way.
    ChatBusy(Duration),
}

/// The part of the bot's limit that broadcasts use at most. The rest is always
/// there for replies.
const SPARE: f64 = 0.9;

/// Takes a slot for a message of a broadcast, if it is free now and nobody else wants
/// it: no reply is due, and none has taken a slot ahead. So a reply finds at
/// most one message of a broadcast before it.
///
/// # Errors
/// What the database says.
pub async fn take_spare(pool: &PgPool, limits: &Limits, chat_id: i64) -> Result<Spare, sqlx::Error> {
    let spacing = [1.0 / limits.in_all, 1.0 / limits.per_chat, 1.0 / (limits.in_all * SPARE)];
    let replies: Vec<String> = Job::MESSAGES.iter().map(|kind| (*kind).to_owned()).collect();
    let wait = sqlx::query!(
        r#"select bot_wait as "bot!", chat_wait as "chat!" from take_spare_slot($1, $2, $3, $4, $5)"#,
        BOT,
        format!("{BOT}:{chat_id}"),
        BROADCASTS,
        &spacing,
        &replies,
    )
    .fetch_one(pool)
    .await?;
    // Never so short that asking is all that is done.
    let seconds = |wait: f64| Duration::from_secs_f64(wait.clamp(0.001, 86_400.0));
    Ok(if wait.bot > 0.0 {
        Spare::Busy(seconds(wait.bot))
    } else if wait.chat > 0.0 {
        Spare::ChatBusy(seconds(wait.chat))
    } else {
        Spare::Taken
    })
}

/// Lets no message of the coupon bot's out for a while: Telegram said so.
///
/// # Errors
/// What the database says.
pub async fn pause(pool: &PgPool, delay: Duration) -> Result<(), sqlx::Error> {
    pause_for(Bot::Coupon, pool, delay).await
}

/// Lets no message of a bot's out for a while: Telegram said so.
///
/// # Errors
/// What the database says.
pub async fn pause_for(bot: Bot, pool: &PgPool, delay: Duration) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into rate_slots values ($1, now() + $2 * interval '1 second') \
         on conflict (key) do update set next_at = greatest(rate_slots.next_at, excluded.next_at)",
        bot.name(),
        delay.as_secs_f64(),
    )
    .execute(pool)
    .await?;
    Ok(())
}
