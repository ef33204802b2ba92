//! What the bot is used for, by day.

use std::collections::BTreeMap;

use aggregates::{Fact, bot_user};
use chrono::NaiveDate;
use futures_util::future::BoxFuture;
use sqlx::{PgConnection, PgExecutor};

use crate::{Event, Projection, ProjectionError};

/// The projection.
pub struct BotUsage;

/// How often the bot was used for one thing on one day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The day, in UTC.
    pub day: NaiveDate,
    /// For what: see [`bot_user::Usage::as_str`].
    pub command: String,
    /// How often.
    pub uses: i64,
}

/// The counts of the days from `since` on, in order.
///
/// # Errors
/// What the database says.
pub async fn since(executor: impl PgExecutor<'_>, since: NaiveDate) -> Result<Vec<Row>, sqlx::Error> {
    sqlx::query_as!(Row, "select day, command, uses from bot_usage where day >= $1 order by day, command", since)
        .fetch_all(executor)
        .await
}

impl Projection for BotUsage {
    fn name(&self) -> &'static str {
        "bot_usage"
    }

    fn tables(&self) -> &'static [&'static str] {
        &["bot_usage"]
    }

    fn apply<'a>(
        &'a self,
        connection: &'a mut PgConnection,
        events: &'a [Event],
    ) -> BoxFuture<'a, Result<(), ProjectionError>> {
        Box::pin(async move {
            let mut counts: BTreeMap<(NaiveDate, &str), i64> = BTreeMap::new();
            for event in events {
                if let Fact::BotUser(bot_user::Event::Used { what, at }) = &event.fact {
                    *counts.entry((at.date_naive(), what.as_str())).or_default() += 1;
                }
            }
            for ((day, command), uses) in counts {
                sqlx::query!(
                    "insert into bot_usage (day, command, uses) values ($1, $2, $3) \
                     on conflict (day, command) do update set uses = bot_usage.uses + excluded.uses",
                    day,
                    command,
                    uses,
                )
                .execute(&mut *connection)
                .await
                .map_err(|source| ProjectionError::Database { projection: "bot_usage", source })?;
            }
            Ok(())
        })
    }
}
