//! Statistics against what others make of the same trades, and against themselves.
#![allow(clippy::unwrap_used, reason = "what cannot be read ends the test")]

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;
use serde_json::Value;
use trading::{
    Direction, Exit, Price, StrategyKind, Trade,
    statistics::{Options, Statistics, equity_curve},
};

const PIP: Price = Price::from_units(Price::SCALE / 10);

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// `tests/golden/statistics.py` makes the file with pandas.
fn golden() -> Value {
    serde_json::from_str(include_str!("golden/statistics.json")).unwrap()
}

fn golden_trades() -> Vec<Trade> {
    serde_json::from_value(golden()["trades"].clone()).unwrap()
}

/// Compares all that is expected: numbers with a fraction to 1e-9 of their size, all else exactly.
fn differences(path: &str, ours: &Value, expected: &Value, found: &mut Vec<String>, compared: &mut usize) {
    match (ours, expected) {
        (Value::Object(ours), Value::Object(expected)) => {
            let missing = ours.keys().filter(|key| !expected.contains_key(*key));
            found.extend(missing.map(|key| format!("{path}.{key} is not in the file")));
            for (key, expected) in expected {
                let ours = ours.get(key).unwrap_or(&Value::Null);
                differences(&format!("{path}.{key}"), ours, expected, found, compared);
            }
        }
        (Value::Array(ours), Value::Array(expected)) if ours.len() == expected.len() => {
            for (n, (ours, expected)) in ours.iter().zip(expected).enumerate() {
                differences(&format!("{path}[{n}]"), ours, expected, found, compared);
            }
        }
        _ => {
            *compared += 1;
            let same = match (ours.as_f64(), expected.as_f64()) {
                (Some(a), Some(b)) if ours.is_f64() || expected.is_f64() => (a - b).abs() <= 1e-9 * b.abs(),
                _ => ours == expected,
            };
            if !same {
                found.push(format!("{path}: {ours}, pandas says {expected}"));
            }
        }
    }
}

#[test]
fn every_figure_is_the_one_that_pandas_finds() {
    let trades = golden_trades();
    let options = Options { from: Some(at("2024-11-29T06:00:00Z")), to: Some(at("2026-02-14T12:00:00Z")), pip: PIP };
    let ours = serde_json::to_value(Statistics::of(&trades, options)).unwrap();
    let (mut found, mut compared) = (vec![], 0);
    differences("", &ours, &golden()["statistics"], &mut found, &mut compared);
    assert!(found.is_empty(), "{found:#?}");
    assert!(compared > 800, "only {compared} figures were compared");

    let curve = equity_curve(&trades).map(|point| Value::from(point.r)).collect();
    differences("curve", &Value::Array(curve), &golden()["curve_r"], &mut found, &mut compared);
    assert!(found.is_empty(), "{found:#?}");
}

fn trade(number: u32, opened_at: DateTime<Utc>, minutes: i64, gain: i64) -> Trade {
    Trade {
        number,
        strategy: Some(StrategyKind::ALL[number as usize % 4]),
        direction: if number.is_multiple_of(3) { Direction::Sell } else { Direction::Buy },
        opened_at,
        closed_at: opened_at + TimeDelta::minutes(minutes),
        entry: Price::from_units(4_000 * Price::SCALE),
        risk: Price::from_units(10 * Price::SCALE),
        gain: Price::from_units(gain * Price::SCALE),
        exit: Some(Exit::ALL[number as usize % Exit::ALL.len()]),
        fills: vec![],
    }
}

/// A week from Monday to Monday, worked out by hand.
#[test]
fn a_week_comes_to_what_it_comes_to_on_paper() {
    let trades = [
        trade(1, at("2026-03-02T08:00:00Z"), 60, 20),  // Mon, +2 R
        trade(2, at("2026-03-02T13:00:00Z"), 30, -10), // Mon, −1 R
        trade(3, at("2026-03-04T16:00:00Z"), 90, -10), // Wed, −1 R
        trade(4, at("2026-03-05T23:30:00Z"), 60, 0),   // opened Thu, closed Fri
        trade(5, at("2026-03-08T22:00:00Z"), 120, 15), // opened Sun, closed Mon at midnight, +1.5 R
    ];
    let statistics = Statistics::of(&trades, Options { from: None, to: None, pip: PIP });
    let total = &statistics.total;
    assert_eq!((total.trades, total.wins, total.losses, total.draws), (5, 2, 2, 1));
    assert_eq!(total.gain.to_string(), "15");
    let near =
        |ours: Option<f64>, expected: f64| assert!((ours.unwrap() - expected).abs() < 1e-12, "{ours:?} {expected}");
    near(Some(total.pips), 150.0);
    near(total.profit_factor, 35.0 / 20.0);
    near(total.payoff_ratio, 1.75);
    near(total.expectancy_r, 0.3);
    assert_eq!((statistics.longest_wins, statistics.longest_losses), (1, 2));

    // From +2 R after the first trade to 0 R, and never back.
    let drawdown = statistics.drawdown_r.unwrap();
    near(Some(drawdown.depth), 2.0);
    assert_eq!((drawdown.peak_at, drawdown.trough_at), (trades[0].closed_at, trades[2].closed_at));
    assert_eq!(drawdown.recovered_at, None);
    assert_eq!(statistics.under_water_seconds, (trades[4].closed_at - trades[0].closed_at).num_seconds());

    // Mon +1, Tue 0, Wed −1, Thu 0, Fri 0, Mon +1.5: mean 0.25.
    assert_eq!(statistics.days, 6);
    let deviation = ((0.75_f64.powi(2) + 3.0 * 0.25_f64.powi(2) + 1.25_f64.powi(2) * 2.0) / 5.0).sqrt();
    near(statistics.sharpe, 0.25 / deviation * 252_f64.sqrt());
    near(statistics.sortino, 0.25 / (1.0_f64 / 6.0).sqrt() * 252_f64.sqrt());
    near(statistics.calmar, 0.25 * 252.0 / 2.0);

    // Sunday does not count: 60 + 30 + 90 + 60 minutes of four days and 16 hours.
    near(statistics.exposure_percent, 100.0 * 240.0 / f64::from((4 * 24 + 16) * 60));
    let months: Vec<_> = statistics.by_month.iter().map(|group| group.key.to_string()).collect();
    assert_eq!(months, ["2026-03"]);
}

#[test]
fn without_trades_nothing_is_said() {
    let statistics = Statistics::of([], Options { from: None, to: None, pip: PIP });
    assert_eq!((statistics.total.trades, statistics.total.win_percent, statistics.days), (0, None, 0));
    assert_eq!((statistics.best, statistics.drawdown, statistics.sharpe), (None, None, None));
    let quiet = Options { from: Some(at("2026-03-02T00:00:00Z")), to: Some(at("2026-03-06T00:00:00Z")), pip: PIP };
    let statistics = Statistics::of([], quiet);
    assert_eq!((statistics.days, statistics.sharpe, statistics.exposure_percent), (5, None, Some(0.0)));
}

fn any_trades() -> impl Strategy<Value = Vec<Trade>> {
    let any = (0_i64..5_000, 1_i64..6_000, -40_i64..60, 0_u32..1_000);
    prop::collection::vec(any, 1..120).prop_map(|rows| {
        let mut now = at("2025-11-20T00:00:00Z");
        let trades = rows.into_iter().map(|(wait, minutes, gain, kind)| {
            let trade = trade(kind, now + TimeDelta::minutes(wait), minutes, gain);
            now = trade.closed_at;
            trade
        });
        trades.collect()
    })
}

proptest! {
    #[test]
    fn the_parts_sum_to_the_whole(trades in any_trades()) {
        let statistics = Statistics::of(&trades, Options { from: None, to: None, pip: PIP });
        let total = &statistics.total;
        let parts = serde_json::to_value(&statistics).unwrap();
        for by in ["by_exit", "by_month", "by_strategy", "by_session", "by_weekday", "by_direction"] {
            let groups = parts[by].as_array().unwrap();
            let sum = |field: &str| groups.iter().map(|group| group[field].as_u64().unwrap()).sum::<u64>();
            prop_assert_eq!(sum("trades"), u64::from(total.trades), "{}", by);
            prop_assert_eq!(sum("wins") + sum("losses") + sum("draws"), u64::from(total.trades), "{}", by);
            let gain: Price = groups.iter().map(|group| group["gain"].as_str().unwrap().parse::<Price>().unwrap()).sum();
            prop_assert_eq!(gain, total.gain, "{}", by);
        }
        prop_assert_eq!(total.gain, trades.iter().map(|trade| trade.gain).sum::<Price>());
        prop_assert_eq!(total.gross_profit - total.gross_loss, total.gain);
        prop_assert_eq!(statistics.distribution.iter().map(|bucket| bucket.trades).sum::<u32>(), total.trades);
        prop_assert!(statistics.longest_wins <= total.wins && statistics.longest_losses <= total.losses);
    }

    #[test]
    fn no_fall_of_the_curve_is_deeper_than_the_drawdown(trades in any_trades()) {
        let statistics = Statistics::of(&trades, Options { from: None, to: None, pip: PIP });
        let curve: Vec<_> = std::iter::once(Price::ZERO).chain(equity_curve(&trades).map(|point| point.gain)).collect();
        let falls = (0..curve.len()).flat_map(|from| curve[from..].iter().map(|to| curve[from] - *to).collect::<Vec<_>>());
        let deepest = falls.max().unwrap();
        prop_assert_eq!(statistics.drawdown.map_or(Price::ZERO, |drawdown| drawdown.depth), deepest);
        prop_assert!(statistics.longest_under_water_seconds <= statistics.under_water_seconds);
        prop_assert!(statistics.exposure_percent.unwrap_or_default() <= 100.0);
    }

    #[test]
    fn scaling_all_risks_scales_r_and_leaves_the_ratios(trades in any_trades()) {
        let halved: Vec<Trade> = trades
            .iter()
            .map(|trade| Trade { risk: Price::from_units(trade.risk.units() * 2), ..trade.clone() })
            .collect();
        let options = Options { from: None, to: None, pip: PIP };
        let (full, half) = (Statistics::of(&trades, options), Statistics::of(&halved, options));
        let near = |left: Option<f64>, right: Option<f64>| match (left, right) {
            (Some(left), Some(right)) => (left - right).abs() <= 1e-9 * left.abs().max(1.0),
            (left, right) => left.is_none() && right.is_none(),
        };
        prop_assert!(near(Some(full.total.r), Some(half.total.r * 2.0)));
        for (left, right) in [(full.sharpe, half.sharpe), (full.sortino, half.sortino), (full.calmar, half.calmar)] {
            prop_assert!(near(left, right), "{left:?} {right:?}");
        }
    }
}
