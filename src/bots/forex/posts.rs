//! What was posted in the channel, and what may have been: the table `signal_posts`.

use std::time::Duration;

use sqlx::{FromRow, PgPool};

use crate::integrations::telegram::MessageId;

/// How far a post has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// It was not posted.
    Due,
    /// It is being posted, or was when the process died.
    Sending,
    /// It was.
    Sent,
    /// It may have been, and cannot be told from others' posts.
    Unconfirmed,
}

/// A post as it is kept.
#[derive(Debug, Clone, FromRow)]
pub(super) struct Post {
    state: String,
    pub(super) text: String,
    pub(super) reply_to: Option<i32>,
    pub(super) silent: bool,
    /// How often it was tried.
    pub(super) attempts: i32,
    /// Seconds since the last try began.
    since_sending: Option<f64>,
    /// Seconds since it was known that no answer will come.
    since_doubted: Option<f64>,
}

/// A post that is about to be.
#[derive(Debug, Clone)]
pub(super) struct Draft {
    pub(super) number: Option<u32>,
    pub(super) kind: &'static str,
    pub(super) text: String,
    pub(super) reply_to: Option<i32>,
    pub(super) silent: bool,
}

/// The name of the kind of post that opens a signal.
pub(super) const OPENING: &str = "opening";

/// A call whose end nobody saw may be on its way for so long.
const FLIGHT: f64 = 10.0;
/// One that broke may still be carried out for so long.
const LANDING: f64 = 3.0;

impl Post {
    pub(super) fn state(&self) -> State {
        match self.state.as_str() {
            "sent" => State::Sent,
            "sending" => State::Sending,
            "unconfirmed" => State::Unconfirmed,
            _ => State::Due,
        }
    }

    /// How long to wait before it can be looked whether the last try came to something.
    pub(super) fn landing(&self) -> Option<Duration> {
        let left = match (self.since_doubted, self.since_sending) {
            (Some(since), _) => LANDING - since,
            (None, Some(since)) => FLIGHT - since,
            (None, None) => 0.0,
        };
        (left > 0.0).then(|| Duration::from_secs_f64(left.min(FLIGHT)))
    }
}

/// The post of an event.
pub(super) async fn find(pool: &PgPool, channel: i64, position: i64) -> sqlx::Result<Option<Post>> {
    sqlx::query_as(
        "select state, text, reply_to, silent, attempts, \
                extract(epoch from now() - sending_at)::float8 as since_sending, \
                extract(epoch from now() - doubted_at)::float8 as since_doubted \
           from signal_posts where channel = $1 and position = $2",
    )
    .bind(channel)
    .bind(position)
    .fetch_optional(pool)
    .await
}

/// Keeps a draft, unless there is one.
pub(super) async fn keep(pool: &PgPool, channel: i64, position: i64, draft: &Draft) -> sqlx::Result<()> {
    sqlx::query(
        "insert into signal_posts (channel, position, number, kind, state, text, reply_to, silent) \
         values ($1, $2, $3, $4, 'due', $5, $6, $7) on conflict (channel, position) do nothing",
    )
    .bind(channel)
    .bind(position)
    .bind(draft.number.map(|number| i32::try_from(number).unwrap_or(i32::MAX)))
    .bind(draft.kind)
    .bind(&draft.text)
    .bind(draft.reply_to)
    .bind(draft.silent)
    .execute(pool)
    .await?;
    Ok(())
}

/// Notes that a post is being sent, with this text. Whether it was for the one who saw so
/// many `attempts`: if not, another is at it.
pub(super) async fn begin(pool: &PgPool, channel: i64, position: i64, attempts: i32, text: &str) -> sqlx::Result<bool> {
    let begun = sqlx::query(
        "update signal_posts \
            set state = 'sending', text = $4, attempts = attempts + 1, sending_at = now(), doubted_at = null \
          where channel = $1 and position = $2 and attempts = $3 and state <> 'sent'",
    )
    .bind(channel)
    .bind(position)
    .bind(attempts)
    .bind(text)
    .execute(pool)
    .await?;
    Ok(begun.rows_affected() == 1)
}

/// Notes that a post is in the channel.
pub(super) async fn sent(pool: &PgPool, channel: i64, position: i64, id: MessageId) -> sqlx::Result<()> {
    sqlx::query(
        "update signal_posts set state = 'sent', message_id = $3, sent_at = now(), doubted_at = null \
          where channel = $1 and position = $2 and state <> 'sent'",
    )
    .bind(channel)
    .bind(position)
    .bind(id.0)
    .execute(pool)
    .await?;
    Ok(())
}

/// Notes what else became of the try number `attempt`, unless there was another since.
pub(super) async fn failed(
    pool: &PgPool,
    channel: i64,
    position: i64,
    attempt: i32,
    outcome: Failed,
) -> sqlx::Result<()> {
    let (state, is_doubted) = match outcome {
        Failed::NotSent => ("due", false),
        Failed::Doubted => ("sending", true),
        Failed::Unconfirmed => ("unconfirmed", true),
    };
    sqlx::query(
        "update signal_posts set state = $4, doubted_at = case when $5 then coalesce(doubted_at, now()) end \
          where channel = $1 and position = $2 and attempts = $3 and state <> 'sent'",
    )
    .bind(channel)
    .bind(position)
    .bind(attempt)
    .bind(state)
    .bind(is_doubted)
    .execute(pool)
    .await?;
    Ok(())
}

/// What became of a try that is no success.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Failed {
    /// It was refused, or never arrived.
    NotSent,
    /// Nobody knows.
    Doubted,
    /// Nobody can find out.
    Unconfirmed,
}

/// Whether anything is known to be in the channel.
pub(super) async fn any(pool: &PgPool, channel: i64) -> sqlx::Result<bool> {
    sqlx::query_scalar("select exists (select from signal_posts where channel = $1 and state = 'sent')")
        .bind(channel)
        .fetch_one(pool)
        .await
}

/// What is known of the posts around one in doubt.
#[derive(Debug, Clone, Copy, FromRow)]
pub(super) struct Around {
    /// The number of the last one before it.
    pub(super) before: Option<i32>,
    /// The number of the first one after it.
    pub(super) after: Option<i32>,
    /// Whether another one between these is in doubt.
    pub(super) is_crowded: bool,
}

/// What is known of the posts around one in doubt.
pub(super) async fn around(pool: &PgPool, channel: i64, position: i64) -> sqlx::Result<Around> {
    sqlx::query_as(
        "with known as ( \
            select max(position) filter (where position < $2) as low, min(position) filter (where position > $2) as high \
              from signal_posts where channel = $1 and state = 'sent') \
         select (select message_id from signal_posts where channel = $1 and position = low) as before, \
                (select message_id from signal_posts where channel = $1 and position = high) as after, \
                exists (select from signal_posts \
                         where channel = $1 and position <> $2 and state in ('sending', 'unconfirmed') \
                           and position > coalesce(low, -1) and (high is null or position < high)) as is_crowded \
           from known",
    )
    .bind(channel)
    .bind(position)
    .fetch_one(pool)
    .await
}

/// The number of the post that opened a signal, if it is there.
pub(super) async fn opening(pool: &PgPool, channel: i64, number: u32) -> sqlx::Result<Option<i32>> {
    let id: Option<Option<i32>> =
        sqlx::query_scalar("select message_id from signal_posts where channel = $1 and kind = $2 and number = $3")
            .bind(channel)
            .bind(OPENING)
            .bind(i32::try_from(number).unwrap_or(i32::MAX))
            .fetch_optional(pool)
            .await?;
    Ok(id.flatten())
}
