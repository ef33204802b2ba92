//! What Twelve Data sends.
//!
//! Candles come as `{"meta": {…}, "values": [{"datetime": "2026-05-28 10:00:00", "open":
//! "4012.35", …}], "status": "ok"}`, all values as texts; errors, with any HTTP status, as
//! `{"code": 429, "message": "…", "status": "error"}`.

use chrono::{DateTime, NaiveDateTime, Timelike, Utc};
use serde_json::Value;
use trading::{Candle, Price};

use super::error::Unreadable;

/// Candles of one minute, in order of time.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Series {
    /// Those that can be.
    pub candles: Vec<Candle>,
    /// Those that cannot.
    pub refused: Vec<Refused>,
}

/// A candle that was sent and cannot be one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// When it begins; none when it does not say.
    pub opened_at: Option<DateTime<Utc>>,
    /// What is wrong with it, naming the field.
    pub reason: String,
}

/// An error in the body.
pub(super) struct Failure {
    pub(super) code: u16,
    pub(super) message: String,
}

impl Failure {
    /// None when the body speaks of no error.
    pub(super) fn in_body(json: &Value) -> Option<Self> {
        if json["status"] != "error" && (json.get("code").is_none() || json.get("values").is_some()) {
            return None;
        }
        let code = json["code"].as_u64().and_then(|code| u16::try_from(code).ok()).unwrap_or(500);
        let message = json["message"].as_str().unwrap_or("no reason given");
        Some(Self { code, message: message.chars().filter(|c| !c.is_control()).take(200).collect() })
    }
}

pub(super) fn series(json: &Value) -> Result<Series, Unreadable> {
    let values = json["values"].as_array().ok_or(Unreadable::Field("values"))?;
    let mut series = Series::default();
    for value in values {
        let opened_at = value["datetime"].as_str().and_then(instant);
        match candle(value, opened_at) {
            Ok(candle) => series.candles.push(candle),
            Err(reason) => series.refused.push(Refused { opened_at, reason }),
        }
    }
    series.candles.sort_by_key(|candle| candle.opened_at);
    series.candles.dedup_by(|later, first| {
        let twice = later.opened_at == first.opened_at;
        if twice && later != first {
            let reason = "datetime: there are two candles of this minute".to_owned();
            series.refused.push(Refused { opened_at: Some(first.opened_at), reason });
        }
        twice
    });
    Ok(series)
}

fn candle(value: &Value, opened_at: Option<DateTime<Utc>>) -> Result<Candle, String> {
    let opened_at = opened_at.ok_or("datetime is not as in 2026-05-28 10:00:00")?;
    let price = |field| read_price(value, field).map_err(|error| error.to_string());
    let volume = value["volume"].as_str().and_then(|text| text.parse().ok()).unwrap_or(0);
    let candle = Candle {
        opened_at,
        open: price("open")?,
        high: price("high")?,
        low: price("low")?,
        close: price("close")?,
        volume,
    };
    candle.check().map_err(|error| error.to_string())?;
    Ok(candle)
}

fn read_price(json: &Value, field: &'static str) -> Result<Price, Unreadable> {
    let text = json[field].as_str().ok_or(Unreadable::Field(field))?;
    text.parse().map_err(|source| Unreadable::Price { field, source })
}

/// A whole minute of UTC.
fn instant(text: &str) -> Option<DateTime<Utc>> {
    let instant = NaiveDateTime::parse_from_str(text, DATETIME).ok()?.and_utc();
    (instant.second() == 0).then_some(instant)
}

/// How instants are written.
pub(super) const DATETIME: &str = "%Y-%m-%d %H:%M:%S";
