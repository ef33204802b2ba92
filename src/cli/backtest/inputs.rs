//! What people write on the command line and in files.

use std::{fs, path::Path};

use anyhow::Context;
use backtest::sweep::{Objective, put};
use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use serde_json::{Map, Value};
use trading::{Settings, StrategyKind};

pub(super) fn strategy(word: &str) -> Result<StrategyKind, String> {
    let known = StrategyKind::ALL.into_iter().find(|kind| kind.as_str() == word);
    known.ok_or_else(|| "it is one of trend, reversion, breakout and momentum".to_owned())
}

pub(super) fn objective(word: &str) -> Result<Objective, String> {
    let known = Objective::ALL.into_iter().find(|objective| objective.as_str() == word);
    known.ok_or_else(|| "it is one of sharpe, r, expectancy and profit_factor".to_owned())
}

/// A day, for its midnight, or an instant.
pub(super) fn instant(text: &str) -> Result<DateTime<Utc>, String> {
    if let Ok(day) = text.parse::<NaiveDate>() {
        return Ok(day.and_time(NaiveTime::MIN).and_utc());
    }
    let instant = DateTime::parse_from_rfc3339(text);
    instant
        .map(|at| at.to_utc())
        .map_err(|_| "it is a day such as 2026-04-01, or an instant such as 2026-04-01T08:00:00Z".to_owned())
}

/// The object in a JSON file.
pub(super) fn object(file: &Path) -> anyhow::Result<Map<String, Value>> {
    let text = fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))?;
    serde_json::from_str(&text).with_context(|| format!("{} is no JSON object", file.display()))
}

/// The settings with what differs from them.
pub(super) fn settings(given: &Map<String, Value>, base: &Settings) -> anyhow::Result<Settings> {
    let mut settings = serde_json::to_value(base)?;
    for (name, value) in given {
        match (settings.get(name), value) {
            // Of a group of settings, those that are named.
            (Some(Value::Object(_)), Value::Object(fields)) => {
                for (field, value) in fields {
                    settings = put(&settings, &format!("{name}.{field}"), value)?;
                }
            }
            _ => settings = put(&settings, name, value)?,
        }
    }
    let settings: Settings = serde_json::from_value(settings)?;
    settings.check()?;
    Ok(settings)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_file_says_only_what_differs() {
        let base = Settings::default();
        let read = |given: Value| settings(given.as_object().unwrap(), &base);
        let changed =
            read(json!({ "trend": { "fast": 5 }, "stop_atr": 2, "hours": { "from": 420, "to": 960 } })).unwrap();
        assert_eq!((changed.trend.fast, changed.trend.slow), (5, base.trend.slow));
        assert_eq!(changed.hours.map(|hours| hours.from), Some(420));
        assert_eq!(read(json!({ "daily_loss": null })).unwrap().daily_loss, None);
        for (given, said) in [
            (json!({ "trend": { "quick": 5 } }), "trend.quick: there is no such setting"),
            (json!({ "stop": 2 }), "stop: there is no such setting"),
            (json!({ "stop_atr": "2" }), "stop_atr: \"2\" is no value for it, as 1.5 is"),
            (json!({ "atr": 1 }), "atr: must be 2 to 1000 candles"),
        ] {
            assert_eq!(read(given).unwrap_err().to_string(), said);
        }
    }

    #[test]
    fn times_are_days_or_instants() {
        assert_eq!(instant("2026-04-01").unwrap().to_rfc3339(), "2026-04-01T00:00:00+00:00");
        assert_eq!(instant("2026-04-01T08:00:00+02:00").unwrap().to_rfc3339(), "2026-04-01T06:00:00+00:00");
        assert!(instant("April").is_err() && instant("2026-04-01 08:00").is_err());
        assert!(strategy("martingale").is_err() && objective("luck").is_err());
    }
}
