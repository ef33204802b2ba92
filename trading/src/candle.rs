//! What the price did in an interval of time.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::Price;

/// Open, high, low and close of an interval that begins at `opened_at`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candle {
    /// When the interval begins. It ends where the next begins.
    pub opened_at: DateTime<Utc>,
    /// The first price.
    pub open: Price,
    /// The highest.
    pub high: Price,
    /// The lowest.
    pub low: Price,
    /// The last.
    pub close: Price,
    /// Changes of the price in it, where the source counts them; else 0.
    #[serde(default)]
    pub volume: u32,
}

/// A candle that cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidCandle {
    /// A price is not positive.
    #[error("{field} is {price}, not above 0")]
    NotPositive {
        /// Which price.
        field: &'static str,
        /// What it is.
        price: Price,
    },
    /// The high is below another of its prices.
    #[error("high {high} is below {field} {price}")]
    High {
        /// The high.
        high: Price,
        /// Which price is above it.
        field: &'static str,
        /// That price.
        price: Price,
    },
    /// The low is above another of its prices.
    #[error("low {low} is above {field} {price}")]
    Low {
        /// The low.
        low: Price,
        /// Which price is below it.
        field: &'static str,
        /// That price.
        price: Price,
    },
}

impl Candle {
    /// Whether its prices can be those of one interval.
    ///
    /// # Errors
    /// [`InvalidCandle`], naming the first price that is wrong.
    pub fn check(&self) -> Result<(), InvalidCandle> {
        let prices = [("open", self.open), ("high", self.high), ("low", self.low), ("close", self.close)];
        if let Some((field, price)) = prices.into_iter().find(|(_, price)| *price <= Price::ZERO) {
            return Err(InvalidCandle::NotPositive { field, price });
        }
        if let Some((field, price)) = prices.into_iter().find(|(_, price)| *price > self.high) {
            return Err(InvalidCandle::High { high: self.high, field, price });
        }
        if let Some((field, price)) = prices.into_iter().find(|(_, price)| *price < self.low) {
            return Err(InvalidCandle::Low { low: self.low, field, price });
        }
        Ok(())
    }

    /// The candle of an interval that holds this one and then `next`.
    #[must_use]
    pub fn and_then(self, next: &Self) -> Self {
        Self {
            high: self.high.max(next.high),
            low: self.low.min(next.low),
            close: next.close,
            volume: self.volume.saturating_add(next.volume),
            ..self
        }
    }
}

/// How long candles are, in whole minutes. Intervals begin at multiples of it since midnight UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Timeframe {
    /// One minute.
    M1,
    /// Five minutes.
    M5,
    /// Fifteen minutes.
    M15,
    /// Thirty minutes.
    M30,
    /// One hour.
    H1,
    /// Four hours.
    H4,
}

impl Timeframe {
    /// All of them, the shortest first.
    pub const ALL: [Self; 6] = [Self::M1, Self::M5, Self::M15, Self::M30, Self::H1, Self::H4];

    /// In minutes.
    #[must_use]
    pub const fn minutes(self) -> i64 {
        match self {
            Self::M1 => 1,
            Self::M5 => 5,
            Self::M15 => 15,
            Self::M30 => 30,
            Self::H1 => 60,
            Self::H4 => 240,
        }
    }

    /// As a length of time.
    #[must_use]
    pub const fn length(self) -> TimeDelta {
        TimeDelta::minutes(self.minutes())
    }

    /// The word stored and shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::M1 => "m1",
            Self::M5 => "m5",
            Self::M15 => "m15",
            Self::M30 => "m30",
            Self::H1 => "h1",
            Self::H4 => "h4",
        }
    }

    /// When the interval begins that `at` lies in.
    #[must_use]
    pub fn start_of(self, at: DateTime<Utc>) -> DateTime<Utc> {
        let length = self.minutes() * 60;
        let seconds = at.timestamp();
        // A day has a whole number of each, so multiples since 1970 are multiples since midnight.
        DateTime::from_timestamp(seconds - seconds.rem_euclid(length), 0).unwrap_or(at)
    }
}

/// Makes longer candles of shorter ones that come in order.
#[derive(Debug, Clone)]
pub struct Grouping {
    timeframe: Timeframe,
    current: Option<Candle>,
}

impl Grouping {
    /// Into candles so long.
    #[must_use]
    pub const fn new(timeframe: Timeframe) -> Self {
        Self { timeframe, current: None }
    }

    /// Takes the next one, `length` long; answers the longer candle that it completes.
    ///
    /// A candle that does not reach the end of its interval completes it all the same when
    /// the next one begins a new interval: then [`Pushed::before`] has the old one.
    pub fn push(&mut self, candle: &Candle, length: TimeDelta) -> Pushed {
        let start = self.timeframe.start_of(candle.opened_at);
        let (before, merged) = match self.current.take() {
            Some(current) if current.opened_at == start => (None, current.and_then(candle)),
            other => (other, Candle { opened_at: start, ..*candle }),
        };
        let complete = candle.opened_at + length >= start + self.timeframe.length();
        if complete {
            Pushed { before, now: Some(merged) }
        } else {
            self.current = Some(merged);
            Pushed { before, now: None }
        }
    }
}

/// What a candle completed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pushed {
    /// The interval before, which had not been known to be over.
    pub before: Option<Candle>,
    /// The interval this candle ends.
    pub now: Option<Candle>,
}
