//! What people and programs get to see.

use std::fs;

use backtest::{
    check, html, run,
    sweep::{Grid, Objective, Options, sweep},
    table,
};
use serde_json::{Value, json};
use trading::{Blackout, Settings, StrategyKind, Timeframe};

use crate::common::{at, plan, weeks};

#[test]
fn a_test_is_reported_to_people_and_to_programs() {
    let candles = weeks(3);
    let label = "news </script><b>&".to_owned();
    let blackouts = vec![Blackout { from: at("2026-02-03T12:00:00Z"), to: at("2026-02-03T14:00:00Z"), label }];
    let settings = Settings { timeframe: Timeframe::M5, blackouts, ..Settings::default() };
    let plan = plan(StrategyKind::Breakout, settings);
    let report = run(&plan, &candles, |_| {}).unwrap();
    let total = &report.statistics.total;

    let text = table::report(&report);
    for part in ["breakout on m5", "Profit factor", "By month", "  2026-02", "By weekday", "  inside_channel"] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
    assert!(text.contains(&format!("Trades                  {} (", total.trades)), "{text}");

    let csv = table::csv(&report.trades, plan.settings.pip);
    let rows: Vec<Vec<&str>> = csv.lines().map(|line| line.split(',').collect()).collect();
    assert_eq!(rows.len(), report.trades.len() + 1);
    assert!(rows.iter().all(|row| row.len() == rows[0].len()));
    let sum: trading::Price = rows[1..].iter().map(|row| row[8].parse::<trading::Price>().unwrap()).sum();
    assert_eq!((rows[0][8], sum), ("gain", total.gain));

    let document: Value = serde_json::to_value(&report).unwrap();
    assert_eq!(document["statistics"]["total"]["trades"], json!(total.trades));
    assert_eq!(document["plan"]["strategy"], json!("breakout"));
    assert_eq!(document["trades"].as_array().unwrap().len(), report.trades.len());
}

#[test]
fn the_page_needs_nothing_else_and_has_all_trades() {
    let candles = weeks(3);
    let label = "news </script><b>&".to_owned();
    let blackouts = vec![Blackout { from: at("2026-02-03T12:00:00Z"), to: at("2026-02-03T14:00:00Z"), label }];
    let settings = Settings { timeframe: Timeframe::M5, blackouts, ..Settings::default() };
    let plan = plan(StrategyKind::Breakout, settings);
    let report = run(&plan, &candles, |_| {}).unwrap();
    let lists = json!({ "stop_atr": [1, 1.5] });
    let grid = Grid::of(lists.as_object().unwrap(), plan.strategy, &plan.settings).unwrap();
    let options = Options { train_days: 6, test_days: 4, objective: Objective::Sharpe, least_trades: 3, threads: 2 };
    let swept = sweep(&plan, &grid, &candles, options, |_, _| {}).unwrap();
    let honesty = check(&plan, &candles[..5_000], 2, 1, |_, _| {}).unwrap();
    let html =
        html::page(&html::Page { report: &report, candles: &candles, sweep: Some(&swept), honesty: Some(&honesty) });

    for outside in ["http:", "https:", "src=", "href=", "@import", "url("] {
        assert!(!html.contains(outside), "the page asks for {outside}");
    }
    assert_eq!(html.matches("</script>").count(), 1, "what people wrote is escaped");
    let data = html.split("const DATA = ").nth(1).unwrap().split(";\n").next().unwrap();
    let data: Value = serde_json::from_str(data).unwrap();
    assert_eq!(data["trades"].as_array().unwrap().len(), report.trades.len());
    // The last close, summed up from the differences.
    let rows = data["candles"].as_array().unwrap();
    let row = |row: &[Value], at: usize| row[at].as_i64().unwrap();
    let ticks: i64 = rows.chunks(5).map(|candle| row(candle, 1) + row(candle, 4)).sum();
    let last = candles.last().unwrap().close.units() / plan.settings.tick.units();
    assert_eq!(ticks, last);

    let file = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("backtest.html");
    fs::write(file, html).unwrap();
}
