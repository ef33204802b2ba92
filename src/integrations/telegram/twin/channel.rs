//! Channels and supergroups: who is in them, by which links people come, and what bots
//! may do there.
//!
//! Every change holds the row of its channel until it is committed: the numbers of the
//! updates about one channel grow in the order in which they can be seen.

use poem::http::StatusCode;
use serde_json::{Value, json};
use sqlx::{FromRow, PgConnection, Postgres, Transaction};

use super::Twin;
use super::answer::Refusal;
use super::bot_api::Bot;
use super::params::Params;

mod acts;
mod entry;
mod link;
pub(super) mod links;
mod member;
pub(super) mod members;
mod person;
pub(super) mod post;
pub(super) mod requests;
mod seat;
mod show;

pub(super) use acts::{act, leave, rights};
pub(super) use entry::{found, open};
pub(super) use show::{all, one};

use seat::Seat;

/// A channel whose row is held.
#[derive(FromRow)]
struct Channel {
    chat_id: i64,
    kind: String,
    title: String,
    owner_id: i64,
}

impl Channel {
    async fn lock(connection: &mut PgConnection, chat_id: i64) -> sqlx::Result<Option<Self>> {
        sqlx::query_as(
            "update sandbox.telegram_channel set revision = revision + 1 where chat_id = $1
             returning chat_id, kind, title, owner_id",
        )
        .bind(chat_id)
        .fetch_optional(connection)
        .await
    }

    /// As Telegram describes it.
    fn describe(&self) -> Value {
        json!({ "id": self.chat_id, "type": self.kind, "title": self.title })
    }

    /// Queues an update for each bot there that wants to know of it.
    ///
    /// `chat_member` is for those alone who asked for it by name. The content may differ:
    /// not every bot is shown everything.
    async fn tell(
        &self,
        connection: &mut PgConnection,
        kind: &str,
        content: impl Fn(Bot) -> Value,
    ) -> sqlx::Result<()> {
        let bots: Vec<i64> = sqlx::query_scalar(
            "select b.id from sandbox.telegram_channel_bot s join sandbox.telegram_bot b on b.id = s.bot_id
              where s.chat_id = $1 and s.status = 'administrator'
                and ($2 = any (b.allowed_updates) or b.allowed_updates = '{}' and $2 <> 'chat_member')
                and (s.can_invite_users or $2 <> 'chat_join_request')
              order by b.id",
        )
        .bind(self.chat_id)
        .bind(kind)
        .fetch_all(&mut *connection)
        .await?;
        for id in bots {
            queue(connection, id, self.chat_id, kind, &content(Bot { id })).await?;
        }
        Ok(())
    }
}

async fn queue(connection: &mut PgConnection, bot: i64, chat_id: i64, kind: &str, content: &Value) -> sqlx::Result<()> {
    sqlx::query(
        "insert into sandbox.telegram_delivery (update_id, bot_id, chat_id, body)
         select id, $1, $2, jsonb_build_object('update_id', id, $3::text, $4::jsonb)::text
           from (select nextval('sandbox.telegram_update_id') as id) numbered",
    )
    .bind(bot)
    .bind(chat_id)
    .bind(kind)
    .bind(content)
    .execute(connection)
    .await?;
    Ok(())
}

/// A bot's call about a channel it is in.
struct Call {
    transaction: Transaction<'static, Postgres>,
    channel: Channel,
    seat: Seat,
    bot: Bot,
}

impl Call {
    /// Refused as Telegram does it if the bot has to be silent or is not there.
    async fn begin(twin: &Twin, bot: Bot, params: &Params) -> Result<Self, Refusal> {
        let chat_id = super::send::chat_id(params)?;
        let mut transaction = twin.pool().begin().await?;
        let silence: Option<i32> = sqlx::query_scalar(
            "select ceil(extract(epoch from silent_until - clock_timestamp()))::int from sandbox.telegram_bot
              where id = $1 and silent_until > clock_timestamp()",
        )
        .bind(bot.id)
        .fetch_optional(&mut *transaction)
        .await?;
        if let Some(seconds) = silence {
            return Err(Refusal::too_many(seconds.max(1)));
        }
        let not_found = || Refusal::bad_request("chat not found");
        let channel = Channel::lock(&mut transaction, chat_id).await?.ok_or_else(not_found)?;
        let seat = Seat::of(&mut transaction, chat_id, bot.id).await?.ok_or_else(not_found)?;
        let forbidden = |what: &str| {
            Err(Refusal::new(
                StatusCode::FORBIDDEN.as_u16(),
                format!("Forbidden: bot {what} the {} chat", channel.kind),
            ))
        };
        match seat.status.as_str() {
            "administrator" => Ok(Self { transaction, channel, seat, bot }),
            "kicked" => forbidden("was kicked from"),
            _ => forbidden("is not a member of"),
        }
    }

    async fn finish(self, twin: &Twin) -> Result<(), Refusal> {
        self.transaction.commit().await?;
        twin.inner.queued.notify_one();
        Ok(())
    }
}

/// The person a call is about.
fn person_id(params: &Params) -> Result<i64, Refusal> {
    params.integer("user_id").filter(|id| *id > 0).ok_or_else(|| Refusal::bad_request("invalid user_id specified"))
}
