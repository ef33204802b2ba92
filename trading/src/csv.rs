//! Candles from files, as the usual programs write them.
//!
//! | dialect | looks like |
//! |---|---|
//! | MetaTrader | `<DATE>⇥<TIME>⇥<OPEN>⇥…`, `2026.05.28⇥10:00:00⇥…`; also without a header, with commas |
//! | Dukascopy | `Gmt time,Open,High,Low,Close,Volume`, `28.05.2026 10:00:00.000,…` |
//! | Twelve Data | `datetime;open;high;low;close`, `2026-05-28 10:00:00;…`, the latest first |
//! | others | commas, semicolons or tabs; a column `time`, `date`, `datetime` or `timestamp`; also seconds since 1970 |

mod columns;
mod time;

use std::io::{self, BufRead};

use chrono::{DateTime, Utc};

use crate::{Candle, Price, Timeframe, calendar};
use columns::{Columns, Stamp};
pub use columns::{Dialect, HeaderError};
pub use time::{InvalidOffset, Zone};

/// Bad rows that are described; all are counted.
pub const SHOWN: usize = 20;
/// The longest line: what is longer is no line of a table.
const LONGEST: usize = 4_096;

/// What a file held.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// By its header.
    pub dialect: Dialect,
    /// The good rows, in order of time, each minute once.
    pub candles: Vec<Candle>,
    /// How long most candles are.
    pub timeframe: Timeframe,
    /// Rows read, without the header.
    pub rows: u64,
    /// Rows that are no candles.
    pub bad: u64,
    /// The first [`SHOWN`] of them.
    pub bad_rows: Vec<BadRow>,
    /// Rows about a time that another row had been about; the first one counts.
    pub duplicates: u64,
    /// Those of the duplicates that say something else.
    pub contradictions: u64,
    /// Times without candles while the market was open.
    pub gaps: u64,
    /// Candles that are lacking in them.
    pub missing: u64,
    /// Candles while the market was closed. A fair share of them tells that the times are not of the zone that was said.
    pub closed: u64,
}

/// A row that is no candle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadRow {
    /// The number of the line, the first being 1.
    pub line: u64,
    /// The column it is about.
    pub field: &'static str,
    /// What is wrong.
    pub reason: String,
}

/// A file that cannot be read as candles.
#[derive(Debug, thiserror::Error)]
pub enum CsvError {
    /// It cannot be read at all.
    #[error("the file cannot be read")]
    Read(#[from] io::Error),
    /// Its first line does not say what the columns are.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// Nothing in it is a candle.
    #[error("there is no candle among its {rows} rows{}", first.as_ref().map(|bad| format!("; line {}: {}: {}", bad.line, bad.field, bad.reason)).unwrap_or_default())]
    NoCandles {
        /// Rows read.
        rows: u64,
        /// The first bad one.
        first: Option<BadRow>,
    },
    /// Its candles are of no length that is known.
    #[error("its candles are {0} minutes apart; known are 1, 5, 15, 30, 60 and 240")]
    Length(i64),
    /// The length cannot be told.
    #[error("there is only one candle, whose length cannot be told")]
    OneCandle,
}

/// Reads candles whose times are of this zone. The whole file may be larger than memory,
/// its good rows may not: 48 bytes each.
///
/// # Errors
/// [`CsvError`]. Rows that are no candles are no error: the [`Report`] has them.
pub fn read(mut reader: impl BufRead, zone: Zone) -> Result<Report, CsvError> {
    let mut line = Vec::with_capacity(256);
    let mut number = 0;
    let mut rows = Rows { candles: Vec::new(), bad: 0, bad_rows: Vec::new() };
    let mut clock = time::Clock::new(zone);
    // Blank lines before the header are none.
    let columns = loop {
        number += 1;
        if next_line(&mut reader, &mut line)? == 0 {
            return Err(HeaderError::Empty.into());
        }
        if !trimmed(&line).is_empty() {
            break Columns::find(trimmed(&line))?;
        }
    };
    let mut count = 0;
    let mut is_row = !columns.has_header;
    loop {
        let row = trimmed(&line);
        if is_row && !row.is_empty() {
            count += 1;
            match parse(row, &columns, &mut clock) {
                Ok(candle) => rows.candles.push(candle),
                Err((field, reason)) => rows.refuse(number, field, reason),
            }
        }
        is_row = true;
        number += 1;
        if next_line(&mut reader, &mut line)? == 0 {
            break;
        }
    }
    rows.report(columns.dialect, count)
}

/// Reads a line; of one that is too long, only the beginning.
fn next_line(reader: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<usize> {
    line.clear();
    let mut read = 0;
    loop {
        let buffer = reader.fill_buf()?;
        if buffer.is_empty() {
            return Ok(read);
        }
        let end = buffer.iter().position(|byte| *byte == b'\n');
        let taken = end.map_or(buffer.len(), |end| end + 1);
        let room = LONGEST.saturating_sub(line.len());
        line.extend_from_slice(&buffer[..taken.min(room)]);
        reader.consume(taken);
        read += taken;
        if end.is_some() {
            return Ok(read);
        }
    }
}

fn trimmed(line: &[u8]) -> &[u8] {
    // Some programs begin a file with the mark of UTF-8.
    line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(line).trim_ascii()
}

type Wrong = (&'static str, String);

fn parse(row: &[u8], columns: &Columns, clock: &mut time::Clock) -> Result<Candle, Wrong> {
    let mut fields: [&[u8]; columns::MOST] = [b""; columns::MOST];
    let mut count = 0;
    for field in row.split(|byte| *byte == columns.delimiter).take(columns::MOST) {
        fields[count] = unquoted(field);
        count += 1;
    }
    let at = |index: usize, name: &'static str| match fields[..count].get(index) {
        Some(field) if !field.is_empty() => Ok(*field),
        Some(_) => Err((name, "is empty".to_owned())),
        None => Err((name, format!("is missing: the row has {count} fields"))),
    };
    let opened_at = match columns.stamp {
        Stamp::One(index) => clock.read(at(index, "time")?),
        Stamp::DateAndTime(date, time) => clock.read_two(at(date, "date")?, at(time, "time")?),
    };
    let opened_at = opened_at.map_err(|reason| ("time", reason))?;
    let mut prices = [Price::ZERO; 4];
    for ((price, name), index) in prices.iter_mut().zip(["open", "high", "low", "close"]).zip(columns.prices) {
        *price = self::price(at(index, name)?).map_err(|reason| (name, reason))?;
    }
    let volume = match columns.volume {
        // A volume in ounces or lots, which may be a fraction, tells as much as one in ticks: only whether there was trade.
        Some(index) => volume(at(index, "volume")?).map_err(|reason| ("volume", reason))?,
        None => 0,
    };
    let [open, high, low, close] = prices;
    let candle = Candle { opened_at, open, high, low, close, volume };
    candle.check().map_err(|invalid| {
        let field = match &invalid {
            crate::InvalidCandle::NotPositive { field, .. } => field,
            crate::InvalidCandle::High { .. } => "high",
            crate::InvalidCandle::Low { .. } => "low",
        };
        (field, invalid.to_string())
    })?;
    Ok(candle)
}

fn unquoted(field: &[u8]) -> &[u8] {
    let field = field.trim_ascii();
    field.strip_prefix(b"\"").and_then(|field| field.strip_suffix(b"\"")).unwrap_or(field)
}

/// The usual price without the way over text: digits, a point, at most five more.
fn price(field: &[u8]) -> Result<Price, String> {
    let (mut units, mut decimals, mut point) = (0_i64, 0, false);
    // Ten digits and five are far from overflow.
    if field.len() <= 15 && field.first().is_some_and(u8::is_ascii_digit) && field.last() != Some(&b'.') {
        let usual = field.iter().all(|byte| match byte {
            b'0'..=b'9' if decimals < 5 => {
                units = units * 10 + i64::from(byte - b'0');
                decimals += i32::from(point);
                true
            }
            b'.' if !point => {
                point = true;
                true
            }
            _ => false,
        });
        if usual && units < 1_000_000_000 {
            return Ok(Price::from_units((decimals..5).fold(units, |units, _| units * 10)));
        }
    }
    let text = std::str::from_utf8(field).map_err(|_| "is no text".to_owned())?;
    // Between semicolons or tabs, many countries' programs write a comma for the point.
    let text = if text.contains('.') { text.into() } else { text.replacen(',', ".", 1) };
    text.parse().map_err(|error: crate::InvalidPrice| error.to_string())
}

/// Whole; what is beyond the largest number counts as that.
fn volume(field: &[u8]) -> Result<u32, String> {
    let whole = field.split(|byte| *byte == b'.').next().unwrap_or(field);
    if whole.iter().all(u8::is_ascii_digit) {
        let sum = whole.iter().fold(0_u64, |sum, digit| sum.saturating_mul(10).saturating_add(u64::from(digit - b'0')));
        return Ok(u32::try_from(sum).unwrap_or(u32::MAX));
    }
    let text = String::from_utf8_lossy(field);
    match text.parse::<f64>() {
        Ok(volume) if volume >= 0.0 => Ok(volume as u32),
        _ => Err(format!("{:?} is no volume", text.chars().take(40).collect::<String>())),
    }
}

struct Rows {
    candles: Vec<Candle>,
    bad: u64,
    bad_rows: Vec<BadRow>,
}

impl Rows {
    fn refuse(&mut self, line: u64, field: &'static str, reason: String) {
        self.bad += 1;
        if self.bad_rows.len() < SHOWN {
            self.bad_rows.push(BadRow { line, field, reason });
        }
    }

    fn report(self, dialect: Dialect, rows: u64) -> Result<Report, CsvError> {
        let Self { mut candles, bad, bad_rows } = self;
        if candles.is_empty() {
            return Err(CsvError::NoCandles { rows, first: bad_rows.into_iter().next() });
        }
        if !candles.is_sorted_by_key(|candle| candle.opened_at) {
            // Stable, so that the first of two stays the first.
            candles.sort_by_key(|candle| candle.opened_at);
        }
        let (mut duplicates, mut contradictions) = (0, 0);
        candles.dedup_by(|later, first| {
            let twice = later.opened_at == first.opened_at;
            duplicates += u64::from(twice);
            contradictions += u64::from(twice && later != first);
            twice
        });
        let timeframe = timeframe(&candles)?;
        let Holes { gaps, missing, closed } = Holes::of(&candles, timeframe);
        Ok(Report {
            dialect,
            candles,
            timeframe,
            rows,
            bad,
            bad_rows,
            duplicates,
            contradictions,
            gaps,
            missing,
            closed,
        })
    }
}

/// The time that most candles are apart.
fn timeframe(candles: &[Candle]) -> Result<Timeframe, CsvError> {
    let mut steps = std::collections::BTreeMap::<i64, u64>::new();
    for pair in candles.windows(2) {
        *steps.entry((pair[1].opened_at - pair[0].opened_at).num_seconds()).or_default() += 1;
    }
    // Of equals the shortest: the others are gaps.
    let usual = steps.into_iter().rev().max_by_key(|(_, count)| *count).ok_or(CsvError::OneCandle)?.0;
    let known = Timeframe::ALL.into_iter().find(|timeframe| timeframe.minutes() * 60 == usual);
    known.ok_or(CsvError::Length(usual / 60))
}

#[derive(Default)]
struct Holes {
    gaps: u64,
    missing: u64,
    closed: u64,
}

impl Holes {
    fn of(candles: &[Candle], timeframe: Timeframe) -> Self {
        let mut holes = Self::default();
        let length = timeframe.length();
        let mut end: Option<DateTime<Utc>> = None;
        // The trading day that was looked at last: nearly all candles lie in the same as the one before.
        let mut day = calendar::TradingDay { opens: DateTime::<Utc>::MIN_UTC, closes: DateTime::<Utc>::MIN_UTC };
        for candle in candles {
            let (from, to) = (candle.opened_at, candle.opened_at + length);
            if from < day.opens || from >= day.closes {
                day = calendar::next_trading_day(from);
            }
            holes.closed += u64::from(to <= day.opens);
            if let Some(end) = end.filter(|end| *end < from) {
                let open = calendar::open_time_between(end, from);
                let lacking = open.num_minutes() / timeframe.minutes();
                holes.gaps += u64::from(lacking > 0);
                holes.missing += lacking.unsigned_abs();
            }
            end = Some(to);
        }
        holes
    }
}

impl Report {
    /// From the beginning of the first candle to the end of the last.
    #[must_use]
    pub fn span(&self) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
        Some((self.candles.first()?.opened_at, self.candles.last()?.opened_at + self.timeframe.length()))
    }

    /// Whether so many candles lie where the market is closed that the times must be of
    /// another zone than was said.
    #[must_use]
    pub fn zone_is_doubtful(&self) -> bool {
        // Some brokers go on for some minutes, and older files have other holidays.
        self.closed * 200 > u64::try_from(self.candles.len()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests;
