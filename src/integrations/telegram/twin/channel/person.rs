//! People, wherever they are known from.

use serde_json::{Value, json};
use sqlx::{FromRow, PgConnection};

#[derive(FromRow)]
pub(super) struct Person {
    pub(super) user_id: i64,
    pub(super) first_name: String,
    pub(super) username: Option<String>,
    pub(super) language_code: Option<String>,
}

/// What somebody says of themselves; what they do not say stays as it was.
#[derive(Default)]
pub(super) struct Introduction {
    pub(super) first_name: Option<String>,
    pub(super) username: Option<String>,
    pub(super) language_code: Option<String>,
}

impl Person {
    /// Somebody who has done something in a channel or has spoken to a bot.
    pub(super) async fn find(connection: &mut PgConnection, user_id: i64) -> sqlx::Result<Option<Self>> {
        sqlx::query_as(
            "select user_id, first_name, username, language_code from (
                select user_id, first_name, username, language_code, null::timestamptz as active_at
                  from sandbox.telegram_person where user_id = $1
                union all
                select chat_id, first_name, username, language_code, active_at
                  from sandbox.telegram_chat where chat_id = $1) known
              order by active_at desc nulls first limit 1",
        )
        .bind(user_id)
        .fetch_optional(connection)
        .await
    }

    /// The same, or somebody new.
    pub(super) async fn meet(
        connection: &mut PgConnection,
        user_id: i64,
        introduction: Introduction,
    ) -> sqlx::Result<Self> {
        let known = Self::find(connection, user_id).await?;
        let (name, username, language) = match known {
            Some(known) => (known.first_name, known.username, known.language_code),
            None => (format!("Person {user_id}"), None, None),
        };
        sqlx::query_as(
            "insert into sandbox.telegram_person as p (user_id, first_name, username, language_code)
             values ($1, $2, $3, $4)
             on conflict (user_id) do update set first_name = $2, username = $3, language_code = $4
             returning user_id, first_name, username, language_code",
        )
        .bind(user_id)
        .bind(introduction.first_name.unwrap_or(name))
        .bind(introduction.username.or(username))
        .bind(introduction.language_code.or(language))
        .fetch_one(connection)
        .await
    }

    /// As Telegram describes them.
    pub(super) fn describe(&self) -> Value {
        let mut person = json!({ "id": self.user_id, "is_bot": false, "first_name": self.first_name });
        if let Some(username) = &self.username {
            person["username"] = json!(username);
        }
        if let Some(language) = &self.language_code {
            person["language_code"] = json!(language);
        }
        person
    }
}
