//! Reading signals.

use chrono::{DateTime, Utc};
use sqlx::{PgExecutor, Postgres, QueryBuilder};
use trading::{Direction, Exit, Session, StrategyKind};
use uuid::Uuid;

use super::{Row, Status};
use crate::page::{Cursor, Key, Page, page};

/// What a list is sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sort {
    /// Its number.
    #[default]
    Number,
    /// When it was opened.
    OpenedAt,
    /// What it came to in R; what has not ended counts as the least.
    R,
    /// What it came to; what has not ended counts as the least.
    Gain,
}

impl Sort {
    const fn column(self) -> &'static str {
        match self {
            Self::Number => "number",
            Self::OpenedAt => "opened_at",
            // As the indexes have them.
            Self::R => "coalesce(r_micros, -9223372036854775808)",
            Self::Gain => "coalesce(gain, -9223372036854775808)",
        }
    }

    fn key(self, row: &Row) -> Key {
        match self {
            Self::Number => Key::Number(row.number.into()),
            Self::OpenedAt => Key::Time(row.opened_at),
            Self::R => Key::Number(row.gain.map_or(i64::MIN, |gain| gain.part(1_000_000, row.risk.units()).units())),
            Self::Gain => Key::Number(row.gain.map_or(i64::MIN, |gain| gain.units())),
        }
    }

    /// Whether a cursor can be one of a list that is sorted so.
    #[must_use]
    pub fn fits(self, cursor: &Cursor) -> bool {
        let is_number = u32::try_from(cursor.id.as_u128()).is_ok_and(|number| i32::try_from(number).is_ok());
        is_number
            && match self {
                Self::OpenedAt => matches!(cursor.key, Key::Time(_)),
                Self::Number => matches!(cursor.key, Key::Number(number) if i32::try_from(number).is_ok()),
                Self::R | Self::Gain => matches!(cursor.key, Key::Number(_)),
            }
    }
}

/// Who proposes signals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// A strategy.
    Strategy(StrategyKind),
    /// An admin.
    ByHand,
}

/// Which signals to list; `None` matches all.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Which stand so.
    pub status: Option<Status>,
    /// Which go this way.
    pub direction: Option<Direction>,
    /// Whose they are.
    pub whose: Option<Whose>,
    /// Which ended so.
    pub exit: Option<Exit>,
    /// Which were opened in these hours of the trading day.
    pub session: Option<Session>,
    /// Which were opened then or later.
    pub from: Option<DateTime<Utc>>,
    /// Which were opened before.
    pub to: Option<DateTime<Utc>>,
}

const ROW: &str = "select instrument, number, strategy, direction, status, entry, zone_low, zone_high, first_stop, targets, hit, \
     stop, milestone, weakness, opened_at, expires_at, entered_at, entered_price, closed_at, exit, exit_price, exit_share, \
     gain, risk, pip, session, opened_by, opened_reason, closed_by, closed_reason, settings, readings, updated_at, position, \
     version from signals where instrument = ";

/// One signal.
///
/// # Errors
/// What the database says.
pub async fn find(executor: impl PgExecutor<'_>, instrument: &str, number: u32) -> Result<Option<Row>, sqlx::Error> {
    let mut query: QueryBuilder<'_, Postgres> = QueryBuilder::new(ROW);
    query.push_bind(instrument).push(" and number = ").push_bind(i64::from(number));
    query.build_query_as().fetch_optional(executor).await
}

/// A page of an instrument's signals.
///
/// # Errors
/// What the database says.
pub async fn list(
    executor: impl PgExecutor<'_>,
    instrument: &str,
    filter: &Filter,
    (sort, descending): (Sort, bool),
    after: Option<&Cursor>,
    limit: i64,
) -> Result<Page<Row>, sqlx::Error> {
    let mut query: QueryBuilder<'_, Postgres> = QueryBuilder::new(ROW);
    query.push_bind(instrument);
    filter.push(&mut query);
    let column = sort.column();
    let (order, beyond) = if descending { ("desc", "<") } else { ("asc", ">") };
    if let Some(Cursor { key, id }) = after {
        let number = i64::try_from(id.as_u128()).unwrap_or(i64::MAX);
        query.push(format_args!(" and ({column}, number) {beyond} ("));
        match key {
            Key::Time(time) => query.push_bind(*time),
            Key::Number(value) => query.push_bind(*value),
            Key::Text(text) => query.push_bind(text.as_str()),
        };
        query.push(", ").push_bind(number).push(")");
    }
    query.push(format_args!(" order by {column} {order}, number {order} limit ")).push_bind(limit + 1);
    let rows: Vec<Row> = query.build_query_as().fetch_all(executor).await?;
    Ok(page(rows, limit, |row| Cursor { key: sort.key(row), id: Uuid::from_u128(row.number.into()) }))
}

impl Filter {
    fn push<'a>(&'a self, query: &mut QueryBuilder<'a, Postgres>) {
        for (column, word) in [
            ("status", self.status.map(Status::as_str)),
            ("direction", self.direction.map(Direction::as_str)),
            ("exit", self.exit.map(Exit::as_str)),
            ("session", self.session.map(Session::as_str)),
        ] {
            if let Some(word) = word {
                query.push(format_args!(" and {column} = ")).push_bind(word);
            }
        }
        whose(query, self.whose);
        if let Some(from) = self.from {
            query.push(" and opened_at >= ").push_bind(from);
        }
        if let Some(to) = self.to {
            query.push(" and opened_at < ").push_bind(to);
        }
    }
}

pub(super) fn whose(query: &mut QueryBuilder<'_, Postgres>, whose: Option<Whose>) {
    match whose {
        None => {}
        Some(Whose::ByHand) => {
            query.push(" and strategy is null");
        }
        Some(Whose::Strategy(kind)) => {
            query.push(" and strategy = ").push_bind(kind.as_str());
        }
    }
}

/// Something that happened to a signal. Prices are in hundred-thousandths of the quote currency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Of the event in the log.
    pub position: i64,
    /// When it happened.
    pub at: DateTime<Utc>,
    /// The event's name in the log.
    pub event: String,
    /// At which price; of a stop, where it is now.
    pub price: Option<i64>,
    /// Which target, from 1.
    pub target: Option<i16>,
    /// What share of the position was closed, in percent.
    pub share: Option<i16>,
    /// What each unit of that share earned; of the end, what all came to.
    pub gain: Option<i64>,
    /// How it ended, or why the case for it does not hold.
    pub reason: Option<String>,
    /// The part of the way to the first target, in percent.
    pub milestone: Option<i16>,
    /// Who did it by hand.
    pub by_name: Option<String>,
    /// And why.
    pub by_reason: Option<String>,
}

/// All that happened to a signal, in order.
///
/// # Errors
/// What the database says.
pub async fn story(executor: impl PgExecutor<'_>, instrument: &str, number: u32) -> Result<Vec<Step>, sqlx::Error> {
    sqlx::query_as!(
        Step,
        "select position, at, event, price, target, share, gain, reason, milestone, by_name, by_reason \
           from signal_events where instrument = $1 and number = $2 order by position",
        instrument,
        number as i32,
    )
    .fetch_all(executor)
    .await
}
