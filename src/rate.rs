//! Telegram's limits, kept by all processes together.

use std::time::Duration;

use sqlx::PgPool;

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
const BOT: &str = "coupon-bot";

/// Takes the next slot for a message to a chat.
///
/// # Errors
/// What the database says.
pub async fn take(pool: &PgPool, limits: &Limits, chat_id: i64) -> Result<Slot, sqlx::Error> {
    let wait = sqlx::query_scalar!(
        r#"select take_slot($1, $2, $3) as "wait!""#,
        &[BOT.to_owned(), format!("{BOT}:{chat_id}")],
        &[1.0 / limits.in_all, 1.0 / limits.per_chat],
        PATIENCE.as_secs_f64(),
    )
    .fetch_one(pool)
    .await?;
    let wait = Duration::from_secs_f64(wait.max(0.0));
    Ok(if wait > PATIENCE { Slot::Later(wait) } else { Slot::After(wait) })
}

/// Lets no message out for a while: Telegram said so.
///
/// # Errors
/// What the database says.
pub async fn pause(pool: &PgPool, delay: Duration) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into rate_slots values ($1, now() + $2 * interval '1 second') \
         on conflict (key) do update set next_at = greatest(rate_slots.next_at, excluded.next_at)",
        BOT,
        delay.as_secs_f64(),
    )
    .execute(pool)
    .await?;
    Ok(())
}
