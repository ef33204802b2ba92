//! Pages of a list: where a page ends, and how the next one is asked for.

use std::fmt;

use chrono::{DateTime, Datelike, Utc};
use uuid::Uuid;

/// Whether an instant lies in the years 0 to 9999, which RFC 3339 can write and
/// PostgreSQL can hold.
#[must_use]
pub fn is_usual(time: &DateTime<Utc>) -> bool {
    (0..=9999).contains(&time.year())
}

/// A page of rows.
#[derive(Debug, Clone)]
pub struct Page<T> {
    /// The rows.
    pub rows: Vec<T>,
    /// Where the next page begins; none at the end.
    pub next: Option<Cursor>,
}

/// The value a list is sorted by, in the last row of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Key {
    /// Sorted by a time.
    Time(DateTime<Utc>),
    /// Sorted by a text.
    Text(String),
    /// Sorted by a number.
    Number(i64),
}

/// The last row of a page: what comes after it is the next page, whatever was
/// inserted in between. Opaque to clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    /// What it is sorted by.
    pub key: Key,
    /// Tells rows with the same key apart.
    pub id: Uuid,
}

/// A text that no list gave out as a cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not a cursor of this list; take next_cursor of a page")]
pub struct InvalidCursor;

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (tag, value) = match &self.key {
            Key::Time(time) => ('t', time.timestamp_micros().to_string()),
            Key::Number(number) => ('n', number.to_string()),
            Key::Text(text) => ('s', text.bytes().map(|byte| format!("{byte:02x}")).collect()),
        };
        write!(f, "{}{tag}{value}", self.id.simple())
    }
}

impl std::str::FromStr for Cursor {
    type Err = InvalidCursor;

    fn from_str(text: &str) -> Result<Self, InvalidCursor> {
        let id = text.get(..32).and_then(|id| Uuid::try_parse(id).ok()).ok_or(InvalidCursor)?;
        let value = text.get(33..).ok_or(InvalidCursor)?;
        let number = || value.parse::<i64>().map_err(|_| InvalidCursor);
        let key = match text.as_bytes()[32] {
            b't' => Key::Time(DateTime::from_timestamp_micros(number()?).filter(is_usual).ok_or(InvalidCursor)?),
            b'n' => Key::Number(number()?),
            b's' => Key::Text(from_hex(value).ok_or(InvalidCursor)?),
            _ => return Err(InvalidCursor),
        };
        Ok(Self { key, id })
    }
}

fn from_hex(hex: &str) -> Option<String> {
    if !hex.len().is_multiple_of(2) || !hex.is_ascii() {
        return None;
    }
    let bytes =
        (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).ok()).collect::<Option<_>>()?;
    String::from_utf8(bytes).ok().filter(|text| !text.contains('\0'))
}

/// Rows fetched with a limit of one more than asked for, made a page.
pub(crate) fn page<T>(mut rows: Vec<T>, limit: i64, cursor: impl Fn(&T) -> Cursor) -> Page<T> {
    let limit = usize::try_from(limit).unwrap_or_default();
    let more = rows.len() > limit;
    rows.truncate(limit);
    let next = if more { rows.last().map(cursor) } else { None };
    Page { rows, next }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_comes_back_as_it_went() {
        for key in [Key::Text("Gold wéek".to_owned()), Key::Number(-5), Key::Time(DateTime::UNIX_EPOCH)] {
            let cursor = Cursor { key, id: Uuid::from_u128(7) };
            assert_eq!(cursor.to_string().parse(), Ok(cursor));
        }
    }

    #[test]
    fn other_texts_are_refused() {
        let id = Uuid::from_u128(7).simple().to_string();
        for text in [
            "",
            "x",
            &id,
            &format!("{id}t"),
            &format!("{id}s0"),
            &format!("{id}s00"),
            &format!("{id}é1"),
            &format!("{id}t99999999999999999999"),
            &format!("{id}t-8000000000000000000"),
            &format!("{id}t8000000000000000000"),
            &format!("{id}t253402300800000000"),
        ] {
            assert_eq!(text.parse::<Cursor>(), Err(InvalidCursor), "{text}");
        }
    }
}
