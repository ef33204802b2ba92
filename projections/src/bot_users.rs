//! Who uses the bot, and whether they can be written to.

use aggregates::{
    Fact,
    bot_user::{self, Profile, Standing},
};
use chrono::{DateTime, Utc};
use futures_util::future::BoxFuture;
use sqlx::{FromRow, PgConnection, PgExecutor, Postgres, QueryBuilder};
use uuid::Uuid;

use crate::{
    Event, Projection, ProjectionError,
    page::{Cursor, Key, Page, page},
    stream_uuid,
};

/// The projection.
pub struct BotUsers;

/// A person as they are shown.
#[derive(Debug, Clone, PartialEq, FromRow)]
pub struct Row {
    /// Their pseudonym.
    pub person: Uuid,
    /// Their Telegram user id.
    pub telegram_id: i64,
    /// First name.
    pub name: Option<String>,
    /// Without the `@`.
    pub username: Option<String>,
    /// IETF language tag, in lower case.
    pub language: Option<String>,
    /// `active`, `stopped` or `blocked`.
    pub status: String,
    /// How often they used the bot.
    pub uses: i64,
    /// Their first message.
    pub first_seen: DateTime<Utc>,
    /// Their last message.
    pub last_seen: DateTime<Utc>,
    /// Of the stream.
    pub version: i64,
}

const COLUMNS: &str =
    "select person, telegram_id, name, username, language, status, uses, first_seen, last_seen, version from bot_users";

/// Which people to list; `None` matches all.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// `active`, `stopped` or `blocked`.
    pub status: Option<&'static str>,
    /// Whose client speaks this language, in lower case; `pt` matches `pt-br`.
    pub language: Option<String>,
    /// Who used the bot at or after.
    pub seen_since: Option<DateTime<Utc>>,
}

impl Filter {
    /// The conditions in SQL, each beginning with ` and `.
    pub fn push<'a>(&'a self, query: &mut QueryBuilder<'a, Postgres>) {
        if let Some(status) = self.status {
            query.push(" and status = ").push_bind(status);
        }
        if let Some(language) = &self.language {
            query.push(" and starts_with(language || '-', ").push_bind(language).push(" || '-')");
        }
        if let Some(since) = self.seen_since {
            query.push(" and last_seen >= ").push_bind(since);
        }
    }
}

/// One person.
///
/// # Errors
/// What the database says.
pub async fn find(executor: impl PgExecutor<'_>, person: Uuid) -> Result<Option<Row>, sqlx::Error> {
    sqlx::query_as!(
        Row,
        "select person, telegram_id, name, username, language, status, uses, first_seen, last_seen, version \
           from bot_users where person = $1",
        person
    )
    .fetch_optional(executor)
    .await
}

/// A page of people, the newest first.
///
/// # Errors
/// What the database says.
pub async fn list(
    executor: impl PgExecutor<'_>,
    filter: &Filter,
    after: Option<&Cursor>,
    limit: i64,
) -> Result<Page<Row>, sqlx::Error> {
    let mut query: QueryBuilder<'_, Postgres> = QueryBuilder::new(COLUMNS);
    query.push(" where true");
    filter.push(&mut query);
    if let Some(Cursor { key: Key::Time(time), id }) = after {
        query.push(" and (first_seen, person) < (").push_bind(*time).push(", ").push_bind(*id).push(")");
    }
    query.push(" order by first_seen desc, person desc limit ").push_bind(limit + 1);
    let rows: Vec<Row> = query.build_query_as().fetch_all(executor).await?;
    Ok(page(rows, limit, |row| Cursor { key: Key::Time(row.first_seen), id: row.person }))
}

impl Projection for BotUsers {
    fn name(&self) -> &'static str {
        "bot_users"
    }

    fn tables(&self) -> &'static [&'static str] {
        &["bot_users"]
    }

    fn apply<'a>(
        &'a self,
        connection: &'a mut PgConnection,
        events: &'a [Event],
    ) -> BoxFuture<'a, Result<(), ProjectionError>> {
        Box::pin(async move {
            for event in events {
                let Fact::BotUser(fact) = &event.fact else { continue };
                let person = stream_uuid(event)?;
                apply(connection, person, event.sequence, fact)
                    .await
                    .map_err(|source| ProjectionError::Database { projection: "bot_users", source })?;
            }
            Ok(())
        })
    }
}

async fn apply(
    connection: &mut PgConnection,
    person: Uuid,
    version: i64,
    fact: &bot_user::Event,
) -> Result<(), sqlx::Error> {
    use bot_user::Event;
    match fact {
        Event::Met { profile, at } => write_profile(connection, person, version, profile.reveal(), *at).await,
        Event::ProfileChanged { profile, at } => {
            write_profile(connection, person, version, profile.reveal(), *at).await
        }
        Event::Used { what: _, at } => {
            sqlx::query!(
                "update bot_users set uses = uses + 1, last_seen = greatest(last_seen, $2), version = $3 \
                  where person = $1",
                person,
                at,
                version,
            )
            .execute(connection)
            .await?;
            Ok(())
        }
        Event::Stopped { at: _ } => write_status(connection, person, version, Standing::Stopped).await,
        Event::Returned { stopped, at: _ } => {
            let standing = if *stopped { Standing::Stopped } else { Standing::Active };
            write_status(connection, person, version, standing).await
        }
        Event::Blocked { at: _ } => {
            write_status(connection, person, version, Standing::Blocked { stopped: false }).await
        }
    }
}

async fn write_profile(
    connection: &mut PgConnection,
    person: Uuid,
    version: i64,
    profile: &Profile,
    at: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into bot_users (person, telegram_id, name, username, language, status, first_seen, last_seen, version) \
         values ($1, $2, $3, $4, lower($5), 'active', $6, $6, $7) \
         on conflict (person) do update set name = $3, username = $4, language = lower($5), version = $7",
        person,
        profile.id,
        profile.name,
        profile.username,
        profile.language,
        at,
        version,
    )
    .execute(connection)
    .await?;
    Ok(())
}

async fn write_status(
    connection: &mut PgConnection,
    person: Uuid,
    version: i64,
    standing: Standing,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update bot_users set status = $2, version = $3 where person = $1",
        person,
        standing.as_str(),
        version,
    )
    .execute(connection)
    .await?;
    Ok(())
}
