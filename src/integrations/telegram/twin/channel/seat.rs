//! How a bot stands in a channel.

use serde_json::{Value, json};
use sqlx::{FromRow, PgConnection};

use super::super::bot_api::Bot;
use super::{Channel, queue};

#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub(super) struct Seat {
    pub(super) status: String,
    pub(super) can_invite_users: bool,
    pub(super) can_restrict_members: bool,
    pub(super) can_post_messages: bool,
    pub(super) can_edit_messages: bool,
}

impl Seat {
    /// None if it has never been there.
    pub(super) async fn of(connection: &mut PgConnection, chat_id: i64, bot: i64) -> sqlx::Result<Option<Self>> {
        sqlx::query_as(
            "select status, can_invite_users, can_restrict_members, can_post_messages, can_edit_messages
               from sandbox.telegram_channel_bot where chat_id = $1 and bot_id = $2",
        )
        .bind(chat_id)
        .bind(bot)
        .fetch_optional(connection)
        .await
    }

    pub(super) fn absent() -> Self {
        Self {
            can_invite_users: true,
            can_restrict_members: true,
            can_post_messages: true,
            can_edit_messages: false,
            status: "left".to_owned(),
        }
    }

    pub(super) fn administrator() -> Self {
        Self { status: "administrator".to_owned(), ..Self::absent() }
    }

    /// Gives a bot this seat, which it hears of unless it had it already.
    pub(super) async fn give(
        &self,
        connection: &mut PgConnection,
        channel: &Channel,
        bot: Bot,
        by: &Value,
    ) -> sqlx::Result<()> {
        let old = Self::of(connection, channel.chat_id, bot.id).await?.unwrap_or_else(Self::absent);
        sqlx::query(
            "insert into sandbox.telegram_channel_bot
                    (chat_id, bot_id, status, can_invite_users, can_restrict_members, can_post_messages,
                     can_edit_messages)
             values ($1, $2, $3, $4, $5, $6, $7)
             on conflict (chat_id, bot_id) do update set status = $3, can_invite_users = $4,
                can_restrict_members = $5, can_post_messages = $6, can_edit_messages = $7",
        )
        .bind(channel.chat_id)
        .bind(bot.id)
        .bind(&self.status)
        .bind(self.can_invite_users)
        .bind(self.can_restrict_members)
        .bind(self.can_post_messages)
        .bind(self.can_edit_messages)
        .execute(&mut *connection)
        .await?;
        let wants: Option<bool> = sqlx::query_scalar(
            "select allowed_updates = '{}' or 'my_chat_member' = any (allowed_updates)
               from sandbox.telegram_bot where id = $1",
        )
        .bind(bot.id)
        .fetch_optional(&mut *connection)
        .await?;
        if old == *self || wants != Some(true) {
            return Ok(());
        }
        let change = json!({
            "chat": channel.describe(),
            "from": by,
            "date": seconds_now(connection).await?,
            "old_chat_member": old.describe(bot),
            "new_chat_member": self.describe(bot),
        });
        queue(connection, bot.id, channel.chat_id, "my_chat_member", &change).await
    }

    /// As Telegram describes it.
    pub(super) fn describe(&self, bot: Bot) -> Value {
        let mut member = json!({ "user": bot.user(), "status": self.status });
        let rest = match self.status.as_str() {
            "administrator" => json!({
                "can_be_edited": false,
                "is_anonymous": false,
                "can_manage_chat": true,
                "can_change_info": false,
                "can_post_messages": self.can_post_messages,
                "can_edit_messages": self.can_edit_messages,
                "can_delete_messages": true,
                "can_post_stories": false,
                "can_edit_stories": false,
                "can_delete_stories": false,
                "can_manage_video_chats": false,
                "can_invite_users": self.can_invite_users,
                "can_restrict_members": self.can_restrict_members,
                "can_promote_members": false,
            }),
            "kicked" => json!({ "until_date": 0 }),
            _ => json!({}),
        };
        if let (Value::Object(member), Value::Object(rest)) = (&mut member, rest) {
            member.extend(rest);
        }
        member
    }
}

/// The database's time, which is the twin's, in seconds.
pub(super) async fn seconds_now(connection: &mut PgConnection) -> sqlx::Result<i64> {
    sqlx::query_scalar("select extract(epoch from clock_timestamp())::bigint").fetch_one(connection).await
}
