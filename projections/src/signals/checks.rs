//! What checks for signals came to: the last one, and how often what, by day.

use std::collections::BTreeMap;

use aggregates::signal::{self, Pass};
use chrono::{DateTime, NaiveDate, Utc};
use sqlx::{FromRow, PgConnection, PgExecutor, types::Json};
use trading::Readings;

use crate::Event;

/// The last check of an instrument.
#[derive(Debug, Clone, PartialEq)]
pub struct Check {
    /// The end of the candle that was looked at.
    pub at: DateTime<Utc>,
    /// By which strategy: see [`trading::StrategyKind::as_str`].
    pub strategy: String,
    /// Which signal was opened, or why none was.
    pub outcome: Result<u32, Pass>,
    /// What the strategy saw.
    pub readings: Readings,
}

/// How often a check of a day came to something.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Count {
    /// The day, in UTC.
    pub day: NaiveDate,
    /// By which strategy.
    pub strategy: String,
    /// `opened`, or why no signal was: see [`Pass::as_str`].
    pub reason: String,
    /// How often.
    pub checks: i32,
}

/// The last check of an instrument; none before the first.
///
/// # Errors
/// What the database says.
pub async fn last_check(executor: impl PgExecutor<'_>, instrument: &str) -> Result<Option<Check>, sqlx::Error> {
    let row = sqlx::query!(
        r#"select at, strategy, number, pass as "pass: Json<Pass>", readings as "readings: Json<Readings>"
             from signal_checks where instrument = $1"#,
        instrument
    )
    .fetch_optional(executor)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let outcome = match (row.number, row.pass) {
        (_, Some(pass)) => Err(pass.0),
        (number, None) => Ok(super::there("number", number.and_then(|number| u32::try_from(number).ok()))?),
    };
    Ok(Some(Check { at: row.at, strategy: row.strategy, outcome, readings: row.readings.0 }))
}

/// How often what came of checks on the days from `from` to `to`, the last day first and on
/// each the most frequent first.
///
/// # Errors
/// What the database says.
pub async fn checks_by_day(
    executor: impl PgExecutor<'_>,
    instrument: &str,
    from: NaiveDate,
    to: NaiveDate,
) -> Result<Vec<Count>, sqlx::Error> {
    sqlx::query_as!(
        Count,
        "select day, strategy, reason, checks from signal_check_days \
          where instrument = $1 and day between $2 and $3 order by day desc, checks desc, strategy, reason",
        instrument,
        from,
        to,
    )
    .fetch_all(executor)
    .await
}

/// What a batch of events says of checks: most events are checks that came to nothing.
#[derive(Default)]
pub(super) struct Batch<'a> {
    last: BTreeMap<&'a str, (&'a Event, &'a signal::Event)>,
    days: BTreeMap<(&'a str, NaiveDate, &'static str, &'static str), i32>,
}

impl<'a> Batch<'a> {
    pub(super) fn add(&mut self, event: &'a Event, fact: &'a signal::Event) {
        let (strategy, reason) = match fact {
            signal::Event::Passed { strategy, reason, .. } => (strategy.as_str(), reason.as_str()),
            signal::Event::Opened { strategy, .. } => (strategy.as_str(), "opened"),
            _ => return,
        };
        *self.days.entry((&event.stream, fact.at().date_naive(), strategy, reason)).or_default() += 1;
        self.last.insert(&event.stream, (event, fact));
    }

    pub(super) async fn write(self, connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        for ((instrument, day, strategy, reason), checks) in self.days {
            sqlx::query!(
                "insert into signal_check_days as d (instrument, day, strategy, reason, checks) values ($1, $2, $3, $4, $5) \
                 on conflict (instrument, day, strategy, reason) do update set checks = d.checks + $5",
                instrument,
                day,
                strategy,
                reason,
                checks,
            )
            .execute(&mut *connection)
            .await?;
        }
        for (instrument, (event, fact)) in self.last {
            let (strategy, number, pass, readings) = match fact {
                signal::Event::Passed { strategy, reason, readings, .. } => {
                    (strategy, None, Some(Json(reason)), readings)
                }
                signal::Event::Opened { strategy, number, readings, .. } => {
                    (strategy, Some(*number as i32), None, readings)
                }
                // Only these two were added.
                _ => continue,
            };
            sqlx::query!(
                "insert into signal_checks (instrument, at, strategy, number, pass, readings, position) \
                 values ($1, $2, $3, $4, $5, $6, $7) \
                 on conflict (instrument) do update set at = $2, strategy = $3, number = $4, pass = $5, readings = $6, \
                     position = $7",
                instrument,
                fact.at(),
                strategy.as_str(),
                number,
                pass as _,
                Json(readings) as _,
                event.position,
            )
            .execute(&mut *connection)
            .await?;
        }
        Ok(())
    }
}
