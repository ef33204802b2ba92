//! Links that lead into a channel.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use sqlx::{FromRow, PgConnection};

use super::super::bot_api::Bot;
use super::person::Person;

const COLUMNS: &str = "link, chat_id, bot_id, name, expires_at, member_limit, creates_join_request, revoked";

#[derive(FromRow)]
pub(super) struct Link {
    pub(super) link: String,
    pub(super) chat_id: i64,
    /// None: the owner's.
    pub(super) bot_id: Option<i64>,
    pub(super) name: Option<String>,
    pub(super) expires_at: Option<DateTime<Utc>>,
    pub(super) member_limit: Option<i32>,
    pub(super) creates_join_request: bool,
    pub(super) revoked: bool,
}

/// What a link is to be.
#[derive(Default)]
pub(super) struct Wanted {
    pub(super) bot_id: Option<i64>,
    pub(super) name: Option<String>,
    pub(super) expires_at: Option<DateTime<Utc>>,
    pub(super) member_limit: Option<i32>,
    pub(super) creates_join_request: bool,
}

impl Link {
    pub(super) async fn make(connection: &mut PgConnection, chat_id: i64, wanted: Wanted) -> sqlx::Result<Self> {
        sqlx::query_as(&format!(
            "insert into sandbox.telegram_invite_link
                    (link, chat_id, bot_id, name, expires_at, member_limit, creates_join_request)
             values ('https://t.me/+' || left(translate(encode(sha256(uuid_send(gen_random_uuid())), 'base64'),
                                                        '+/', '-_'), 16),
                     $1, $2, $3, $4, $5, $6) returning {COLUMNS}"
        ))
        .bind(chat_id)
        .bind(wanted.bot_id)
        .bind(wanted.name)
        .bind(wanted.expires_at)
        .bind(wanted.member_limit)
        .bind(wanted.creates_join_request)
        .fetch_one(connection)
        .await
    }

    pub(super) async fn find(connection: &mut PgConnection, link: &str) -> sqlx::Result<Option<Self>> {
        sqlx::query_as(&format!("select {COLUMNS} from sandbox.telegram_invite_link where link = $1"))
            .bind(link)
            .fetch_optional(connection)
            .await
    }

    pub(super) async fn revoke(&mut self, connection: &mut PgConnection) -> sqlx::Result<()> {
        sqlx::query("update sandbox.telegram_invite_link set revoked = true where link = $1")
            .bind(&self.link)
            .execute(connection)
            .await?;
        self.revoked = true;
        Ok(())
    }

    /// Whether it still leads anywhere. The limit is on those who are in by it now.
    pub(super) async fn works(&self, connection: &mut PgConnection) -> sqlx::Result<bool> {
        sqlx::query_scalar(
            "select not l.revoked and (l.expires_at is null or l.expires_at > clock_timestamp())
                and (l.member_limit is null or l.member_limit > (
                     select count(*) from sandbox.telegram_channel_member m
                      where m.chat_id = l.chat_id and m.link = l.link and m.status = 'member'))
               from sandbox.telegram_invite_link l where l.link = $1",
        )
        .bind(&self.link)
        .fetch_one(connection)
        .await
    }

    /// As Telegram describes it to a bot: others' links not to the end.
    pub(super) fn describe(&self, viewer: Bot, owner: &Person) -> Value {
        let own = self.bot_id == Some(viewer.id);
        let shown = match self.link.get(..self.link.len().saturating_sub(8)).filter(|_| !own) {
            Some(half) => format!("{half}…"),
            None => self.link.clone(),
        };
        let mut link = json!({
            "invite_link": shown,
            "creator": self.bot_id.map_or_else(|| owner.describe(), |id| Bot { id }.user()),
            "creates_join_request": self.creates_join_request,
            "is_primary": self.bot_id.is_none(),
            "is_revoked": self.revoked,
        });
        if let Some(name) = &self.name {
            link["name"] = json!(name);
        }
        if let Some(instant) = self.expires_at {
            link["expire_date"] = json!(instant.timestamp());
        }
        if let Some(limit) = self.member_limit {
            link["member_limit"] = json!(limit);
        }
        link
    }
}
