//! How people stand in a channel, and what bots hear when it changes.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use sqlx::{FromRow, PgConnection};

use super::Channel;
use super::link::Link;
use super::person::Person;
use super::seat::seconds_now;

#[derive(Clone, PartialEq, Eq, FromRow)]
pub(super) struct Member {
    pub(super) status: String,
    /// When a ban ends.
    pub(super) until_at: Option<DateTime<Utc>>,
}

impl Member {
    pub(super) fn with(status: &str) -> Self {
        Self { status: status.to_owned(), until_at: None }
    }

    /// Who never was there has left; so has who was banned until a moment ago.
    pub(super) async fn of(connection: &mut PgConnection, chat_id: i64, user_id: i64) -> sqlx::Result<Self> {
        let found = sqlx::query_as(
            "select case when over then 'left' else status end as status, case when not over then until_at end as until_at
               from (select status, until_at, status = 'kicked' and coalesce(until_at <= clock_timestamp(), false) as over
                       from sandbox.telegram_channel_member where chat_id = $1 and user_id = $2) m",
        )
        .bind(chat_id)
        .bind(user_id)
        .fetch_optional(connection)
        .await?;
        Ok(found.unwrap_or_else(|| Self::with("left")))
    }

    pub(super) fn is_in(&self) -> bool {
        matches!(self.status.as_str(), "creator" | "member")
    }

    /// As Telegram describes it.
    pub(super) fn describe(&self, person: &Person) -> Value {
        let mut member = json!({ "user": person.describe(), "status": self.status });
        match self.status.as_str() {
            "creator" => member["is_anonymous"] = json!(false),
            "kicked" => member["until_date"] = json!(self.until_at.map_or(0, |instant| instant.timestamp())),
            _ => {}
        }
        member
    }
}

/// One change of how a person stands.
pub(super) struct Move<'a> {
    pub(super) person: &'a Person,
    pub(super) to: Member,
    /// Who did it, as Telegram describes them.
    pub(super) by: Value,
    /// What they came in by.
    pub(super) link: Option<&'a Link>,
}

impl Move<'_> {
    /// Does it and tells the bots, unless they stand so already. Whoever comes in or is
    /// banned has no open request any more.
    pub(super) async fn make(self, connection: &mut PgConnection, channel: &Channel) -> sqlx::Result<()> {
        let old = Member::of(connection, channel.chat_id, self.person.user_id).await?;
        if old == self.to {
            return Ok(());
        }
        Person::meet(connection, self.person.user_id, Default::default()).await?;
        sqlx::query(
            "insert into sandbox.telegram_channel_member (chat_id, user_id, status, until_at, link)
             values ($1, $2, $3, $4, $5)
             on conflict (chat_id, user_id) do update
                set status = $3, until_at = $4, link = $5, since = clock_timestamp()",
        )
        .bind(channel.chat_id)
        .bind(self.person.user_id)
        .bind(&self.to.status)
        .bind(self.to.until_at)
        .bind(self.link.map(|link| &link.link))
        .execute(&mut *connection)
        .await?;
        if self.to.status != "left" {
            sqlx::query("delete from sandbox.telegram_join_request where chat_id = $1 and user_id = $2")
                .bind(channel.chat_id)
                .bind(self.person.user_id)
                .execute(&mut *connection)
                .await?;
        }
        let mut change = json!({
            "chat": channel.describe(),
            "from": self.by,
            "date": seconds_now(connection).await?,
            "old_chat_member": old.describe(self.person),
            "new_chat_member": self.to.describe(self.person),
            "via_join_request": false,
            "via_chat_folder_invite_link": false,
        });
        let Some(link) = self.link else {
            return channel.tell(connection, "chat_member", |_| change.clone()).await;
        };
        let owner = owner(connection, channel).await?;
        change["invite_link"] = Value::Null;
        let told = |bot| {
            let mut told = change.clone();
            told["invite_link"] = link.describe(bot, &owner);
            told
        };
        channel.tell(connection, "chat_member", told).await
    }
}

pub(super) async fn owner(connection: &mut PgConnection, channel: &Channel) -> sqlx::Result<Person> {
    Person::find(connection, channel.owner_id).await?.ok_or(sqlx::Error::RowNotFound)
}
