use std::{path::Path, sync::Arc};

use backtest::{Costs, Plan};
use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use trading::{Candle, Price, Settings, StrategyKind, synthetic::Synthetic};

pub(crate) fn price(text: &str) -> Price {
    text.parse().unwrap()
}

pub(crate) fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

pub(crate) fn plan(strategy: StrategyKind, settings: Settings) -> Plan {
    let (settings, length) = (Arc::new(settings), TimeDelta::minutes(1));
    Plan { strategy, settings, length, costs: Costs::default(), from: None }
}

/// Weeks of one-minute candles that never were.
pub(crate) fn weeks(count: i64) -> Vec<Candle> {
    let from = at("2026-02-01T00:00:00Z");
    Synthetic::new(11).candles(from, from + TimeDelta::weeks(count)).collect()
}

/// Real one-minute candles, where the folder with them is near.
pub(crate) fn real() -> Option<Vec<Candle>> {
    let folders = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    let file = folders.map(|folder| folder.join("shared/data/XAUUSD_M1_2026.csv")).find(|file| file.exists());
    let Some(file) = file else {
        println!("there is no shared/data near; nothing is tested on real candles");
        return None;
    };
    let text = std::fs::read_to_string(file).unwrap();
    let candle = |line: &str| {
        let fields: Vec<_> = line.split(',').collect();
        let opened_at = NaiveDateTime::parse_from_str(fields[0], "%Y-%m-%d %H:%M:%S").unwrap().and_utc();
        // In summer, broker time is three hours ahead.
        let opened_at = opened_at - TimeDelta::hours(3);
        let [open, high, low, close] = [1, 2, 3, 4].map(|n| price(fields[n]));
        Candle { opened_at, open, high, low, close, volume: 0 }
    };
    Some(text.lines().skip(1).map(candle).collect())
}
