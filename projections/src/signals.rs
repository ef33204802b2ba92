//! Signals, what happened to each, and what checks for them came to.

mod checks;
mod ended;
mod query;
mod write;

use aggregates::{Fact, signal::SignalResult};
use chrono::{DateTime, Utc};
use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};
use sqlx::{FromRow, PgConnection, Row as _, postgres::PgRow, types::Json};
use trading::{Direction, Exit, Levels, Price, Readings, Session, Settings, StrategyKind};

use crate::{Event, Projection, ProjectionError};
pub use checks::{Check, Count, checks_by_day, last_check};
pub use ended::{Ended, Place, Which, ended};
pub use query::{Filter, Sort, Step, Whose, find, list, story};

/// The projection.
pub struct Signals;

/// Where a signal stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// For the price to come into its zone.
    Waiting,
    /// The position is open.
    Running,
    /// It is over.
    Closed,
}

impl Status {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Waiting, Self::Running, Self::Closed];

    /// The word stored and shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Closed => "closed",
        }
    }
}

/// A price to take a part of the profit at, and whether it was hit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// Where.
    pub price: Price,
    /// How much of the whole position is closed there, in percent.
    pub share: u8,
    /// When it was hit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hit_at: Option<DateTime<Utc>>,
    /// At which price: beyond it when the market gapped over it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hit_price: Option<Price>,
    /// What each unit of that share earned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gain: Option<Price>,
}

/// A signal as it is shown. Gains are those of one unit of the instrument (an ounce of gold).
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// What it is about: the id of the stream.
    pub instrument: String,
    /// Its number, from 1.
    pub number: u32,
    /// Whose it is; none: an admin's.
    pub strategy: Option<StrategyKind>,
    /// Which way it goes.
    pub direction: Direction,
    /// Where it stands.
    pub status: Status,
    /// What results are counted from, unless it waited: then from [`Row::entered_price`].
    pub entry: Price,
    /// People may enter from here …
    pub zone_low: Price,
    /// … to here.
    pub zone_high: Price,
    /// Where the stop was at first.
    pub first_stop: Price,
    /// Where it is now, or was last.
    pub stop: Price,
    /// The nearest first.
    pub targets: Vec<Target>,
    /// How many of them were hit.
    pub hit: u8,
    /// The part of the way to the first target that was reached, in percent.
    pub milestone: Option<u8>,
    /// See [`trading::Weakness::as_str`]; none while the case for it holds.
    pub weakness: Option<String>,
    /// When it was opened.
    pub opened_at: DateTime<Utc>,
    /// When it is over in any case.
    pub expires_at: Option<DateTime<Utc>>,
    /// When the position was opened.
    pub entered_at: Option<DateTime<Utc>>,
    /// At which price.
    pub entered_price: Option<Price>,
    /// When it ended.
    pub closed_at: Option<DateTime<Utc>>,
    /// How.
    pub exit: Option<Exit>,
    /// At which price the rest was closed; none when it was never entered.
    pub exit_price: Option<Price>,
    /// What share that was, in percent.
    pub exit_share: Option<u8>,
    /// What it came to, over all its shares; none before it ended.
    pub gain: Option<Price>,
    /// From the entry to the first stop: one R.
    pub risk: Price,
    /// What one pip was.
    pub pip: Price,
    /// In which session it was opened.
    pub session: Session,
    /// Who opened it by hand.
    pub opened_by: Option<String>,
    /// And why.
    pub opened_reason: Option<String>,
    /// Who ended it by hand.
    pub closed_by: Option<String>,
    /// And why.
    pub closed_reason: Option<String>,
    /// What it was made by, and is judged by.
    pub settings: Settings,
    /// What the strategy saw; none of one made by hand.
    pub readings: Option<Readings>,
    /// When the log took its last event.
    pub updated_at: DateTime<Utc>,
    /// Of its last event in the log.
    pub position: i64,
    /// The version of the stream after its last event.
    pub version: i64,
}

impl Row {
    /// What it came to; none before it ended.
    #[must_use]
    pub fn result(&self) -> Option<SignalResult> {
        self.gain.map(|gain| SignalResult { gain, risk: self.risk, pip: self.pip })
    }

    /// Its prices as they were when it was opened.
    #[must_use]
    pub fn levels(&self) -> Levels {
        let target = |target: &Target| trading::Target { price: target.price, share: target.share };
        Levels {
            direction: self.direction,
            entry: self.entry,
            zone_low: self.zone_low,
            zone_high: self.zone_high,
            stop: self.first_stop,
            targets: self.targets.iter().map(target).collect(),
        }
    }
}

/// A word in a table that this program does not know.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is none of the words it can be")]
struct UnknownWord(String);

/// A value by the word stored for it.
fn word<T>(name: &str, row: &PgRow, all: &[T], as_str: impl Fn(T) -> &'static str) -> Result<Option<T>, sqlx::Error>
where
    T: Copy,
{
    let Some(text) = row.try_get::<Option<String>, _>(name)? else { return Ok(None) };
    match all.iter().copied().find(|value| as_str(*value) == text) {
        Some(value) => Ok(Some(value)),
        None => Err(sqlx::Error::ColumnDecode { index: name.to_owned(), source: UnknownWord(text).into() }),
    }
}

fn there<T>(name: &str, value: Option<T>) -> Result<T, sqlx::Error> {
    value.ok_or_else(|| sqlx::Error::ColumnDecode {
        index: name.to_owned(),
        source: UnknownWord("null".to_owned()).into(),
    })
}

fn number<T: TryFrom<i64>>(name: &str, value: i64) -> Result<T, sqlx::Error> {
    there(name, T::try_from(value).ok())
}

impl FromRow<'_, PgRow> for Row {
    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        let price = |name| row.try_get::<i64, _>(name).map(Price::from_units);
        let maybe_price = |name| Ok::<_, sqlx::Error>(row.try_get::<Option<i64>, _>(name)?.map(Price::from_units));
        let maybe_small = |name| {
            let value = row.try_get::<Option<i16>, _>(name)?;
            value.map(|value| number(name, value.into())).transpose()
        };
        let directions = [Direction::Buy, Direction::Sell];
        Ok(Self {
            instrument: row.try_get("instrument")?,
            number: number("number", row.try_get::<i32, _>("number")?.into())?,
            strategy: word("strategy", row, &StrategyKind::ALL, StrategyKind::as_str)?,
            direction: there("direction", word("direction", row, &directions, Direction::as_str)?)?,
            status: there("status", word("status", row, &Status::ALL, Status::as_str)?)?,
            entry: price("entry")?,
            zone_low: price("zone_low")?,
            zone_high: price("zone_high")?,
            first_stop: price("first_stop")?,
            stop: price("stop")?,
            targets: row.try_get::<Json<Vec<Target>>, _>("targets")?.0,
            hit: number("hit", row.try_get::<i16, _>("hit")?.into())?,
            milestone: maybe_small("milestone")?,
            weakness: row.try_get("weakness")?,
            opened_at: row.try_get("opened_at")?,
            expires_at: row.try_get("expires_at")?,
            entered_at: row.try_get("entered_at")?,
            entered_price: maybe_price("entered_price")?,
            closed_at: row.try_get("closed_at")?,
            exit: word("exit", row, &Exit::ALL, Exit::as_str)?,
            exit_price: maybe_price("exit_price")?,
            exit_share: maybe_small("exit_share")?,
            gain: maybe_price("gain")?,
            risk: price("risk")?,
            pip: price("pip")?,
            session: there("session", word("session", row, &Session::ALL, Session::as_str)?)?,
            opened_by: row.try_get("opened_by")?,
            opened_reason: row.try_get("opened_reason")?,
            closed_by: row.try_get("closed_by")?,
            closed_reason: row.try_get("closed_reason")?,
            settings: row.try_get::<Json<Settings>, _>("settings")?.0,
            readings: row.try_get::<Option<Json<Readings>>, _>("readings")?.map(|readings| readings.0),
            updated_at: row.try_get("updated_at")?,
            position: row.try_get("position")?,
            version: row.try_get("version")?,
        })
    }
}

impl Projection for Signals {
    fn name(&self) -> &'static str {
        "signals"
    }

    fn tables(&self) -> &'static [&'static str] {
        &["signals", "signal_events", "signal_checks", "signal_check_days"]
    }

    fn apply<'a>(
        &'a self,
        connection: &'a mut PgConnection,
        events: &'a [Event],
    ) -> BoxFuture<'a, Result<(), ProjectionError>> {
        Box::pin(async move {
            let mut checks = checks::Batch::default();
            for event in events {
                let Fact::Signal(fact) = &event.fact else { continue };
                checks.add(event, fact);
                write::signal(connection, event, fact).await.map_err(failed)?;
            }
            checks.write(connection).await.map_err(failed)
        })
    }
}

fn failed(source: sqlx::Error) -> ProjectionError {
    ProjectionError::Database { projection: "signals", source }
}
