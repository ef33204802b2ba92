//! Which column is what.

/// Columns that are looked at; more are not read.
pub(super) const MOST: usize = 32;

/// Who wrote a file, by its header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// MetaTrader's export.
    MetaTrader,
    /// Dukascopy's.
    Dukascopy,
    /// Twelve Data's.
    TwelveData,
    /// Somebody else.
    Other,
}

impl Dialect {
    /// For people.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::MetaTrader => "MetaTrader",
            Self::Dukascopy => "Dukascopy",
            Self::TwelveData => "Twelve Data",
            Self::Other => "plain",
        }
    }
}

/// A first line that does not say what the columns are.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// There is no line.
    #[error("the file is empty")]
    Empty,
    /// It is in another encoding.
    #[error("the file is UTF-16 text: save it as UTF-8")]
    Utf16,
    /// It is no table.
    #[error("the first line has no columns: between them must be commas, semicolons or tabs")]
    NoColumns,
    /// A column is missing.
    #[error("the first line names no column {0}")]
    Missing(&'static str),
    /// Times of nobody knows where.
    #[error("the column {0:?} has the times of somebody's machine: export them in GMT")]
    LocalTime(String),
}

/// Where the time is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stamp {
    One(usize),
    DateAndTime(usize, usize),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Columns {
    pub(super) dialect: Dialect,
    pub(super) delimiter: u8,
    pub(super) has_header: bool,
    pub(super) stamp: Stamp,
    /// Open, high, low, close.
    pub(super) prices: [usize; 4],
    pub(super) volume: Option<usize>,
}

impl Columns {
    pub(super) fn find(line: &[u8]) -> Result<Self, HeaderError> {
        if line.starts_with(b"\xFF\xFE") || line.starts_with(b"\xFE\xFF") {
            return Err(HeaderError::Utf16);
        }
        let line = String::from_utf8_lossy(line);
        let count = |delimiter| line.matches(delimiter).count();
        let delimiter = ['\t', ';', ','].into_iter().max_by_key(|delimiter| count(*delimiter)).unwrap_or(',');
        if count(delimiter) < 4 {
            return Err(HeaderError::NoColumns);
        }
        let fields: Vec<String> = line.split(delimiter).take(MOST).map(plain).collect();
        // All three are ASCII.
        let delimiter = delimiter as u8;
        if fields.iter().all(|field| field.starts_with(|c: char| c.is_ascii_digit())) {
            return Ok(Self::without_header(&fields, delimiter));
        }
        let position = |names: &[&str]| fields.iter().position(|field| names.contains(&field.as_str()));
        if let Some(local) = position(&["local time"]) {
            return Err(HeaderError::LocalTime(fields[local].clone()));
        }
        let price = |name, short| position(&[name, short]).ok_or(HeaderError::Missing(name));
        let prices = [price("open", "o")?, price("high", "h")?, price("low", "l")?, price("close", "c")?];
        let stamp = match (position(&["date"]), position(&["time"])) {
            (Some(date), Some(time)) => Stamp::DateAndTime(date, time),
            (one, other) => {
                let names = ["datetime", "timestamp", "gmt time", "utc time", "etc/utc", "date time", "opened_at"];
                Stamp::One(position(&names).or(other).or(one).ok_or(HeaderError::Missing("time"))?)
            }
        };
        // Of several, the number of ticks: there are always some, while real volume is often 0.
        let volume = ["tickvol", "tick_volume", "tick volume", "volume", "vol", "real_volume", "v"]
            .iter()
            .find_map(|name| position(&[name]));
        let dialect = if line.contains("<OPEN>") || line.contains("<open>") {
            Dialect::MetaTrader
        } else if position(&["gmt time"]).is_some() {
            Dialect::Dukascopy
        } else if delimiter == b';' && position(&["datetime"]) == Some(0) {
            Dialect::TwelveData
        } else {
            Dialect::Other
        };
        Ok(Self { dialect, delimiter, has_header: true, stamp, prices, volume })
    }

    /// MetaTrader 4 writes date and time, others one time; then the prices and the volume.
    fn without_header(fields: &[String], delimiter: u8) -> Self {
        let two = fields.get(1).is_some_and(|field| field.contains(':'));
        let first = if two { 2 } else { 1 };
        Self {
            dialect: if two { Dialect::MetaTrader } else { Dialect::Other },
            delimiter,
            has_header: false,
            stamp: if two { Stamp::DateAndTime(0, 1) } else { Stamp::One(0) },
            prices: std::array::from_fn(|n| first + n),
            volume: (fields.len() > first + 4).then_some(first + 4),
        }
    }
}

/// A name without what programs put around it.
fn plain(name: &str) -> String {
    name.trim().trim_matches(['<', '>', '"', '\'']).trim().to_lowercase()
}
