//! Who got a broadcast, and who did not.

use chrono::{DateTime, Utc};
use poem_openapi::{Enum, Object, OpenApi, param::Query, payload::Json, types::Example};
use projections::broadcasts;
use uuid::Uuid;

use super::{
    Tags,
    auth::{Allowed, BotUsersRead},
    csv::{Columns, PIECE, Table, line, maybe, pieces, time},
    params::{At, usual_limit},
    problem::{Answer, Kind, Problem},
};
use crate::{
    app::App,
    broadcasts::recipients::{self, Row, State},
};

pub(super) struct Recipients(pub(super) App);

/// What became of a recipient.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[oai(rename_all = "snake_case")]
enum RecipientState {
    /// Not sent (yet).
    Pending,
    /// On its way right now.
    Sending,
    /// Confirmed by Telegram.
    Sent,
    /// Refused by Telegram.
    Failed,
    /// Out of reach.
    Gone,
    /// In doubt: it may have arrived.
    Unconfirmed,
}

impl From<RecipientState> for State {
    fn from(state: RecipientState) -> Self {
        match state {
            RecipientState::Pending => Self::Pending,
            RecipientState::Sending => Self::Sending,
            RecipientState::Sent => Self::Sent,
            RecipientState::Failed => Self::Failed,
            RecipientState::Gone => Self::Gone,
            RecipientState::Unconfirmed => Self::Unconfirmed,
        }
    }
}

/// A recipient of a broadcast.
#[derive(Object)]
#[oai(example, skip_serializing_if_is_none)]
struct Recipient {
    /// Their pseudonym, the same in all broadcasts and campaigns.
    person: Uuid,
    /// Their Telegram user id.
    telegram_id: i64,
    /// What became of it: `pending`, `sending`, `sent`, `failed`, `gone` or `unconfirmed`.
    state: String,
    /// Calls to Telegram so far.
    tries: i32,
    /// The message's number in their chat, when it is known.
    message_id: Option<i32>,
    /// What the last call that failed said.
    last_error: Option<String>,
    /// When the state changed last.
    changed_at: DateTime<Utc>,
}

impl Example for Recipient {
    fn example() -> Self {
        Self {
            person: Uuid::from_u128(0x5d1a_8e62_04b7_8c31_9f05_0193_5c2e_7b4a),
            telegram_id: 123_456_789,
            state: "sent".to_owned(),
            tries: 1,
            message_id: Some(1365),
            last_error: None,
            changed_at: DateTime::from_timestamp(1_800_003_600, 0).unwrap_or_default(),
        }
    }
}

impl From<Row> for Recipient {
    fn from(row: Row) -> Self {
        Self {
            person: row.person,
            telegram_id: row.chat_id,
            state: row.state,
            tries: row.tries,
            message_id: row.message_id,
            last_error: row.last_error,
            changed_at: row.changed_at,
        }
    }
}

/// A page of recipients.
#[derive(Object)]
#[oai(example, skip_serializing_if_is_none)]
struct RecipientPage {
    /// The recipients, in the order in which they get it.
    items: Vec<Recipient>,
    /// The `cursor` of the next page; missing on the last one.
    next_cursor: Option<String>,
}

impl Example for RecipientPage {
    fn example() -> Self {
        Self { items: vec![Recipient::example()], next_cursor: Some("815".to_owned()) }
    }
}

struct RecipientTable;

impl Columns for RecipientTable {
    const NAMES: &'static str = "person,telegram_id,state,tries,message_id,last_error,changed_at";
    const EXAMPLE: &'static str =
        "5d1a8e62-04b7-8c31-9f05-01935c2e7b4a,123456789,sent,1,1365,,2027-01-15T09:00:00.000000Z";
}

fn row_line(row: &Row) -> String {
    line(&[
        &row.person.to_string(),
        &row.chat_id.to_string(),
        &row.state,
        &row.tries.to_string(),
        &maybe(row.message_id),
        row.last_error.as_deref().unwrap_or_default(),
        &time(row.changed_at),
    ])
}

#[OpenApi(tag = "Tags::Broadcasts")]
impl Recipients {
    /// List a broadcast's recipients
    ///
    /// A page of them, with what became of each as of now. There are none before the broadcast has started.
    #[oai(path = "/broadcasts/:id/recipients", method = "get", operation_id = "listRecipients")]
    async fn list(
        &self,
        _caller: Allowed<BotUsersRead>,
        /// The broadcast's id.
        id: At<Uuid>,
        /// Only recipients in this state.
        state: Query<Option<RecipientState>>,
        /// How many at most.
        #[oai(default = "usual_limit", validator(minimum(value = "1"), maximum(value = "200")))]
        limit: Query<i64>,
        /// `next_cursor` of the page before.
        cursor: Query<Option<String>>,
    ) -> Answer<Json<RecipientPage>> {
        let after = match &cursor.0 {
            None => 0,
            Some(text) => text
                .parse()
                .ok()
                .filter(|id| *id >= 0)
                .ok_or_else(|| Problem::input("cursor", "is not a cursor of this list"))?,
        };
        self.exists(id.0).await?;
        let state = state.0.map(State::from);
        let mut rows = recipients::list(&self.0.pool, id.0, state, after, limit.0 + 1).await?;
        let more = rows.len() as i64 > limit.0;
        rows.truncate(usize::try_from(limit.0).unwrap_or_default());
        let next_cursor = rows.last().filter(|_| more).map(|row| row.id.to_string());
        Ok(Json(RecipientPage { items: rows.into_iter().map(Recipient::from).collect(), next_cursor }))
    }

    /// Export a broadcast's recipients
    ///
    /// All of them as CSV, with what became of each as of now.
    #[oai(path = "/broadcasts/:id/recipients.csv", method = "get", operation_id = "exportRecipients")]
    async fn export(
        &self,
        _caller: Allowed<BotUsersRead>,
        /// The broadcast's id.
        id: At<Uuid>,
        /// Only recipients in this state.
        state: Query<Option<RecipientState>>,
    ) -> Answer<Table<RecipientTable>> {
        self.exists(id.0).await?;
        let (pool, broadcast, state) = (self.0.pool.clone(), id.0, state.0.map(State::from));
        let lines = pieces(move |after: Option<i64>| {
            let pool = pool.clone();
            async move {
                let rows = recipients::list(&pool, broadcast, state, after.unwrap_or(0), PIECE).await?;
                let more = rows.last().filter(|_| rows.len() as i64 == PIECE).map(|row| row.id);
                Ok::<_, sqlx::Error>((rows.iter().map(row_line).collect(), more))
            }
        });
        Ok(Table::named("recipients", lines))
    }
}

impl Recipients {
    async fn exists(&self, broadcast: Uuid) -> Answer<()> {
        broadcasts::find(&self.0.pool, broadcast).await?.ok_or(Kind::BroadcastMissing)?;
        Ok(())
    }
}
