//! The next events of a stream, as the log hands them over.

use aggregates::Decide;
use sqlx::{FromRow, Row, postgres::PgRow};

use crate::log::LogError;

/// Between the texts of a page: no JSON contains it (RFC 8259, section 7), and
/// no event is called by it.
const SEPARATOR: char = '\u{1e}';

/// Events of a stream, side by side: a long stream has a million, and an
/// allocation for each of their texts costs more than reading them.
#[derive(Debug, Default)]
pub(super) struct Page {
    /// Of the last event; without events, what they were to come after.
    pub(super) sequence: i64,
    /// Of each event.
    positions: Vec<i64>,
    names: String,
    versions: String,
    payloads: String,
    /// Whether there were no more at that time.
    pub(super) last: bool,
}

impl Page {
    /// What a stream has when there is nothing more of it.
    pub(super) fn end(after: i64) -> Self {
        Self { sequence: after, last: true, ..Self::default() }
    }

    /// How many events.
    pub(super) fn len(&self) -> usize {
        self.positions.len()
    }

    /// The sequence number before the first event.
    pub(super) fn after(&self) -> i64 {
        self.sequence - self.len() as i64
    }

    /// The page, if it is what follows a sequence number.
    ///
    /// # Errors
    /// [`LogError::Incomplete`] when there is anything between: a state that lacks
    /// an event must not decide.
    pub(super) fn following(self, after: i64) -> Result<Self, LogError> {
        match self.position() {
            Some(position) if self.after() != after => Err(LogError::Incomplete { position }),
            _ => Ok(self),
        }
    }

    /// The last event's position; none without events.
    pub(super) fn position(&self) -> Option<i64> {
        self.positions.last().copied()
    }

    /// The events, typed.
    ///
    /// # Errors
    /// [`LogError::Unreadable`] at the first that is not an event of the aggregate.
    pub(super) fn read<A: Decide>(&self) -> Result<Vec<A::Event>, LogError> {
        let texts = self.names.split(SEPARATOR).zip(self.versions.split(SEPARATOR));
        let stored = self.positions.iter().zip(texts.zip(self.payloads.split(SEPARATOR)));
        let typed = stored.map(|(&position, ((name, version), payload))| {
            A::read(name, version, payload).map_err(|source| LogError::Unreadable { position, source })
        });
        typed.collect()
    }
}

impl FromRow<'_, PgRow> for Page {
    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        let page = Self {
            sequence: row.try_get("sequence")?,
            positions: row.try_get("positions")?,
            names: row.try_get("names")?,
            versions: row.try_get("versions")?,
            payloads: row.try_get("payloads")?,
            last: false,
        };
        // A text more or less would give events another's version, or lose one.
        for (column, texts) in [("names", &page.names), ("versions", &page.versions), ("payloads", &page.payloads)] {
            // By bytes, which a core counts many at a time: all but the first text begin with one.
            let begun = texts.bytes().filter(|byte| *byte == SEPARATOR as u8).count();
            if page.positions.len() != begun + 1 {
                let source = "there is not one for each event of the page".into();
                return Err(sqlx::Error::ColumnDecode { index: column.to_owned(), source });
            }
        }
        Ok(page)
    }
}
