//! Signals that have ended, as figures are made of them.

use aggregates::signal::SignalResult;
use chrono::{DateTime, Utc};
use sqlx::{FromRow, PgExecutor, Postgres, QueryBuilder, Row as _, postgres::PgRow};
use trading::{Direction, Exit, Price, StrategyKind, Trade};

use super::{number, query, query::Whose, there, word};

/// What a signal came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Ended {
    /// Its number.
    pub number: u32,
    /// Whose it was; none: an admin's.
    pub strategy: Option<StrategyKind>,
    /// Which way it went.
    pub direction: Direction,
    /// When it was entered, and at which price; none when it never was.
    pub entered: Option<(DateTime<Utc>, Price)>,
    /// When it ended.
    pub closed_at: DateTime<Utc>,
    /// How.
    pub exit: Exit,
    /// What it came to, over all its shares.
    pub result: SignalResult,
}

impl Ended {
    /// As statistics have it; none when it was never entered.
    #[must_use]
    pub fn trade(&self) -> Option<Trade> {
        let (opened_at, entry) = self.entered?;
        Some(Trade {
            number: self.number,
            strategy: self.strategy,
            direction: self.direction,
            opened_at,
            closed_at: self.closed_at,
            entry,
            risk: self.result.risk,
            gain: self.result.gain,
            exit: Some(self.exit),
            fills: vec![],
        })
    }

    /// Where a list goes on after it.
    #[must_use]
    pub const fn place(&self) -> Place {
        (self.closed_at, self.number)
    }
}

/// The place of a signal among those that have ended.
pub type Place = (DateTime<Utc>, u32);

/// Which of them; `None` matches all.
#[derive(Debug, Clone, Copy, Default)]
pub struct Which {
    /// Which ended then or later.
    pub from: Option<DateTime<Utc>>,
    /// Which ended before.
    pub to: Option<DateTime<Utc>>,
    /// Whose they are.
    pub whose: Option<Whose>,
    /// Only those that were entered.
    pub entered: bool,
    /// The last one first, instead of in the order in which they ended.
    pub newest_first: bool,
}

/// Of an instrument's signals that have ended, so many at most, from a place on.
///
/// # Errors
/// What the database says.
pub async fn ended(
    executor: impl PgExecutor<'_>,
    instrument: &str,
    which: Which,
    after: Option<Place>,
    limit: i64,
) -> Result<Vec<Ended>, sqlx::Error> {
    let mut query: QueryBuilder<'_, Postgres> = QueryBuilder::new(
        "select number, strategy, direction, entered_at, entered_price, closed_at, exit, gain, risk, pip \
           from signals where closed_at is not null and instrument = ",
    );
    query.push_bind(instrument);
    if which.entered {
        query.push(" and entered_at is not null");
    }
    if let Some(from) = which.from {
        query.push(" and closed_at >= ").push_bind(from);
    }
    if let Some(to) = which.to {
        query.push(" and closed_at < ").push_bind(to);
    }
    query::whose(&mut query, which.whose);
    let (order, beyond) = if which.newest_first { ("desc", "<") } else { ("asc", ">") };
    if let Some((at, number)) = after {
        query.push(format_args!(" and (closed_at, number) {beyond} (")).push_bind(at).push(", ");
        query.push_bind(i64::from(number)).push(")");
    }
    query.push(format_args!(" order by closed_at {order}, number {order} limit ")).push_bind(limit);
    query.build_query_as().fetch_all(executor).await
}

impl FromRow<'_, PgRow> for Ended {
    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        let price = |name| row.try_get::<i64, _>(name).map(Price::from_units);
        let directions = [Direction::Buy, Direction::Sell];
        let (entered_at, entered_price) = (row.try_get("entered_at")?, row.try_get::<Option<i64>, _>("entered_price")?);
        Ok(Self {
            number: number("number", row.try_get::<i32, _>("number")?.into())?,
            strategy: word("strategy", row, &StrategyKind::ALL, StrategyKind::as_str)?,
            direction: there("direction", word("direction", row, &directions, Direction::as_str)?)?,
            entered: Option::zip(entered_at, entered_price.map(Price::from_units)),
            closed_at: row.try_get("closed_at")?,
            exit: there("exit", word("exit", row, &Exit::ALL, Exit::as_str)?)?,
            result: SignalResult { gain: price("gain")?, risk: price("risk")?, pip: price("pip")? },
        })
    }
}
