//! How fast the past goes by, and how much faster than for others:
//! `cargo bench --bench backtest`.
//!
//! Rows that are compared are the best of a few rounds. TA-Lib and backtesting.py run in a
//! Python of their own: the one that BACKTEST_PYTHON names, or else a virtual environment
//! that is made under the target directory when pip reaches its index. Without either, their
//! rows are missing, and it is said why.

mod memory;
mod others;

use std::{hint::black_box, sync::Arc, thread, time::Instant};

use backtest::{Backtest, Costs, Plan, run};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use trading::{
    Candle, Settings, Share, StrategyKind, Timeframe,
    indicators::{Adx, Atr, Bollinger, Ema, Macd, Rsi, Sma, Stochastic},
    synthetic::Synthetic,
};

#[global_allocator]
static ALLOCATOR: memory::Counting = memory::Counting;

const MANY: usize = 1_000_000;
const ROUNDS: usize = 5;
/// Candles that backtesting.py is shown; a million take it minutes.
const FEWER: usize = 100_000;

/// Rows, shown as they come and in one line at the end.
#[derive(Default)]
struct Bench(Vec<Value>);

impl Bench {
    /// Adds a measured value and the aim, if there is one: `+` for at least, `-` for at most.
    fn add(&mut self, name: &str, value: f64, unit: &str, aim: Option<f64>) {
        let verdict = match aim {
            None => String::new(),
            Some(aim) if aim >= 0.0 => format!("aim >= {aim}{}", if value >= aim { "" } else { "  MISSED" }),
            Some(aim) => format!("aim <= {}{}", -aim, if value <= -aim { "" } else { "  MISSED" }),
        };
        println!("{name:<58} {value:>14.3} {unit:<10} {verdict}");
        let value = (value * 1_000.0).round() / 1_000.0;
        self.0.push(json!({ "name": name, "value": value, "unit": unit }));
    }
}

/// Whether to measure something: every word of the command line is one of its words.
fn wanted(word: &str) -> bool {
    std::env::args().skip(1).filter(|word| word != "--bench").all(|given| given == word)
}

fn main() {
    let mut bench = Bench::default();
    let candles = candles(MANY);
    if wanted("strategies") {
        strategies(&mut bench, &candles);
    }
    if wanted("lengths") {
        lengths(&mut bench, &candles);
    }
    if wanted("cores") {
        cores(&mut bench, &candles);
    }
    if wanted("memory") {
        memory_is_flat(&mut bench, &candles);
    }
    if wanted("others") {
        let ours = indicators(&mut bench, &candles);
        let cross = ema_cross(&mut bench, &candles[..FEWER]);
        match others::measure(&candles, FEWER) {
            Ok(others) => compared(&mut bench, &ours, cross, &others),
            Err(reason) => println!("TA-Lib and backtesting.py are not measured: {reason}"),
        }
    }
    println!("{}", json!({ "bench": "backtest", "rows": bench.0 }));
}

fn candles(count: usize) -> Vec<Candle> {
    let from: DateTime<Utc> = DateTime::from_timestamp_nanos(1_640_995_200_000_000_000);
    let candles: Vec<_> = Synthetic::new(7).candles(from, from + TimeDelta::weeks(200)).take(count).collect();
    assert_eq!(candles.len(), count, "200 weeks have more minutes than that");
    candles
}

fn plan(strategy: StrategyKind, settings: Settings) -> Plan {
    let settings = Arc::new(settings);
    Plan { strategy, settings, length: TimeDelta::minutes(1), costs: Costs::default(), from: None }
}

fn every_minute(strategy: StrategyKind) -> Plan {
    plan(strategy, Settings { timeframe: Timeframe::M1, ..Settings::default() })
}

/// The best of a few rounds, in seconds.
fn best<T>(mut work: impl FnMut() -> T) -> f64 {
    let round = |_| {
        let start = Instant::now();
        black_box(work());
        start.elapsed().as_secs_f64()
    };
    (0..ROUNDS).map(round).fold(f64::INFINITY, f64::min)
}

fn tested(plan: &Plan, candles: &[Candle]) -> usize {
    run(plan, candles, |_| {}).map_or(0, |report| report.trades.len())
}

fn strategies(bench: &mut Bench, candles: &[Candle]) {
    for strategy in StrategyKind::ALL {
        let plan = every_minute(strategy);
        let trades = tested(&plan, candles);
        assert!(trades > 1_000, "{} made {trades} trades", strategy.as_str());
        let seconds = best(|| tested(&plan, candles));
        let name = format!("1,000,000 minutes through everything, {}", strategy.as_str());
        bench.add(&name, seconds, "s", Some(-0.5));
        bench.add(&format!("{name}, candles"), MANY as f64 / seconds / 1e6, "million/s", None);
        bench.add(&format!("{name}, trades"), trades as f64, "", None);
    }
    let plan = plan(StrategyKind::Trend, Settings::default());
    bench.add("the same, trend on candles of 15 minutes", best(|| tested(&plan, candles)), "s", Some(-0.5));
}

fn lengths(bench: &mut Bench, candles: &[Candle]) {
    for count in [10_000, 100_000, MANY] {
        let plan = every_minute(StrategyKind::Trend);
        let seconds = best(|| tested(&plan, &candles[..count]));
        bench.add(&format!("trend, {count} minutes"), count as f64 / seconds / 1e6, "million/s", None);
    }
}

/// The same test on each of so many cores.
fn cores(bench: &mut Bench, candles: &[Candle]) {
    let most = thread::available_parallelism().map_or(1, usize::from);
    for cores in std::iter::successors(Some(1), |cores| Some(cores * 2)).take_while(|cores| *cores <= most) {
        let plan = every_minute(StrategyKind::Trend);
        let seconds = best(|| {
            thread::scope(|scope| (0..cores).for_each(|_| drop(scope.spawn(|| tested(&plan, candles)))));
        });
        let name = format!("trend on {cores} cores at once, together");
        bench.add(&name, (cores * MANY) as f64 / seconds / 1e6, "million/s", None);
    }
}

/// What a test needs beyond the candles, at the most.
fn memory_is_flat(bench: &mut Bench, candles: &[Candle]) {
    let peak = |count: usize| {
        let start = memory::begin();
        let Ok(mut test) = Backtest::new(every_minute(StrategyKind::Trend)) else { return 0.0 };
        for candle in &candles[..count] {
            // Trades go to whoever asks; they are not kept.
            let _ = black_box(test.push(candle, |_| {}));
        }
        memory::peak_since(start) as f64 / 1024.0
    };
    let (few, many) = (peak(MANY / 10), peak(MANY));
    bench.add("memory beyond the candles, 100,000 minutes", few, "KiB", None);
    bench.add("memory beyond the candles, 1,000,000 minutes", many, "KiB", Some(-(few * 1.5 + 64.0).round()));
}

/// The indicators that TA-Lib has, too, each over all candles: nanoseconds a candle.
fn indicators(bench: &mut Bench, candles: &[Candle]) -> Vec<(&'static str, f64)> {
    let bars: Vec<[f64; 3]> =
        candles.iter().map(|candle| [candle.high.to_f64(), candle.low.to_f64(), candle.close.to_f64()]).collect();
    // As TA-Lib does, into an array.
    fn over<T: Default + Clone>(bars: &[[f64; 3]], mut push: impl FnMut(f64, f64, f64) -> Option<T>) -> f64 {
        let mut values = vec![T::default(); bars.len()];
        let seconds = best(|| {
            for (value, [high, low, close]) in values.iter_mut().zip(bars) {
                if let Some(pushed) = push(*high, *low, *close) {
                    *value = pushed;
                }
            }
            black_box(&values);
        });
        seconds * 1e9 / bars.len() as f64
    }
    let (mut rsi, mut ema, mut sma) = (Rsi::new(14), Ema::new(21), Sma::new(50));
    let (mut macd, mut atr, mut adx) = (Macd::new(12, 26, 9), Atr::new(14), Adx::new(14));
    let (mut bands, mut stochastic) = (Bollinger::new(20, 2.0), Stochastic::new(14, 3, 3));
    let rows = vec![
        ("RSI", over(&bars, |_, _, close| rsi.push(close))),
        ("EMA", over(&bars, |_, _, close| ema.push(close))),
        ("SMA", over(&bars, |_, _, close| sma.push(close))),
        ("MACD", over(&bars, |_, _, close| macd.push(close).map(|lines| [lines.macd, lines.signal, lines.histogram]))),
        ("ATR", over(&bars, |high, low, close| atr.push(high, low, close))),
        ("ADX", over(&bars, |high, low, close| adx.push(high, low, close).and_then(|values| values.adx))),
        ("BBANDS", over(&bars, |_, _, close| bands.push(close).map(|bands| [bands.upper, bands.middle, bands.lower]))),
        ("STOCH", over(&bars, |high, low, close| stochastic.push(high, low, close).map(|lines| [lines.k, lines.d]))),
    ];
    for (name, nanoseconds) in &rows {
        bench.add(&format!("{name} of 1,000,000 candles, a candle"), *nanoseconds, "ns", None);
    }
    rows
}

/// Averages that cross, one target and a stop, a position at a time: what backtesting.py is
/// asked for, too. Candles a second.
fn ema_cross(bench: &mut Bench, candles: &[Candle]) -> f64 {
    let mut settings = Settings { timeframe: Timeframe::M1, cool_down: 0, daily_loss: None, ..Settings::default() };
    settings.trend.adx_min = 0.0;
    settings.targets = vec![Share { atr: 3.0, percent: 100 }];
    settings.stagnant_after = 10_080;
    let plan = plan(StrategyKind::Trend, settings);
    let a_second = candles.len() as f64 / best(|| tested(&plan, candles));
    bench.add("an EMA cross on 100,000 minutes", a_second / 1e6, "million/s", None);
    bench.add("an EMA cross on 100,000 minutes, trades", tested(&plan, candles) as f64, "", None);
    a_second
}

fn compared(bench: &mut Bench, ours: &[(&'static str, f64)], cross: f64, others: &others::Measured) {
    let (mut all_ours, mut all_theirs) = (0.0, 0.0);
    for (name, nanoseconds) in ours {
        let Some(theirs) = others.talib.get(*name) else { continue };
        bench.add(&format!("{name} of 1,000,000 candles, a candle, TA-Lib"), *theirs, "ns", None);
        bench.add(&format!("{name}, times of TA-Lib's"), nanoseconds / theirs, "x", Some(-2.0));
        all_ours += nanoseconds;
        all_theirs += theirs;
    }
    bench.add("all indicators, times of TA-Lib's", all_ours / all_theirs, "x", Some(-2.0));
    bench.add("an EMA cross on 100,000 minutes, backtesting.py", others.cross / 1e6, "million/s", None);
    bench.add("an EMA cross on 100,000 minutes, backtesting.py, trades", others.trades, "", None);
    bench.add("an EMA cross, times as fast as backtesting.py", cross / others.cross, "x", Some(20.0));
}
