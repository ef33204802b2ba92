//! What indicators and strategies cost a bar, on a million generated ones:
//! `cargo bench -p trading`. With `TALIB_PYTHON`, a Python that has TA-Lib and numpy, TA-Lib's
//! own time for the same bars is measured in the same run.
#![allow(clippy::unwrap_used, reason = "what fails ends the benchmark")]

use std::{
    collections::HashMap,
    hint::black_box,
    io::Write,
    ops::Range,
    process::{Command, Stdio},
    time::Instant,
};

use chrono::DateTime;
use trading::{
    Candle, Price, Settings, Strategy, StrategyKind,
    indicators::{Adx, Atr, Bollinger, Donchian, Ema, Macd, Rsi, Sma, Stochastic},
};

const BARS: usize = 1_000_000;
const RUNS: usize = 15;
/// Bars that are timed at once.
const CHUNK: usize = 10_000;

/// Prices as TA-Lib takes them.
struct Columns {
    high: Vec<f64>,
    low: Vec<f64>,
    close: Vec<f64>,
}

/// A random walk from 4,000 dollars, in cents, by splitmix64.
fn candles() -> Vec<Candle> {
    let mut state = 7_u64;
    let mut random = |below: u64| {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((mixed ^ (mixed >> 31)) % below) as i64
    };
    let cents = |cents: i64| Price::from_units(cents * 1_000);
    let mut price = 400_000;
    (0..BARS as i64)
        .map(|minute| {
            let open = price;
            price += random(201) - 100;
            // Back, when it went too far to be a price of gold.
            price += (400_000 - price) / 10_000;
            let (high, low) = (open.max(price) + random(60), open.min(price) - random(60));
            Candle {
                opened_at: DateTime::from_timestamp(1_700_000_000 + 60 * minute, 0).unwrap(),
                open: cents(open),
                high: cents(high),
                low: cents(low),
                close: cents(price),
                volume: 0,
            }
        })
        .collect()
}

/// Nanoseconds a bar. Every chunk counts by its fastest run: the others were disturbed.
fn time<S>(start: impl Fn() -> S, mut step: impl FnMut(&mut S, usize)) -> f64 {
    let mut fastest = [u128::MAX; BARS / CHUNK];
    for _ in 0..RUNS {
        let mut state = start();
        for (chunk, fastest) in fastest.iter_mut().enumerate() {
            let started = Instant::now();
            state = run(state, chunk * CHUNK..(chunk + 1) * CHUNK, &mut step);
            *fastest = started.elapsed().as_nanos().min(*fastest);
        }
    }
    fastest.iter().sum::<u128>() as f64 / BARS as f64
}

/// By itself, so that a small state is kept in registers, as in TA-Lib's loops.
#[inline(never)]
fn run<S>(mut state: S, bars: Range<usize>, step: &mut impl FnMut(&mut S, usize)) -> S {
    for bar in bars {
        step(&mut state, bar);
    }
    state
}

/// TA-Lib's nanoseconds a bar, by the indicator's name.
#[allow(clippy::disallowed_methods, reason = "a benchmark has no configuration but its environment")]
fn talib(columns: &Columns) -> HashMap<String, f64> {
    let Ok(python) = std::env::var("TALIB_PYTHON") else {
        println!("TA-Lib's own time is not measured: TALIB_PYTHON names no Python that has it");
        return HashMap::new();
    };
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/talib_time.py");
    let mut child =
        Command::new(python).arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("TALIB_PYTHON");
    let columns = [&columns.high, &columns.low, &columns.close];
    let bytes: Vec<u8> = columns.into_iter().flatten().flat_map(|price| price.to_le_bytes()).collect();
    child.stdin.take().unwrap().write_all(&bytes).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "TA-Lib's time: {}", output.status);
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines()
        .map(|line| {
            let (name, time) = line.split_once('\t').unwrap();
            (name.to_owned(), time.parse().unwrap())
        })
        .collect()
}

fn main() {
    let candles = candles();
    let column = |price: fn(&Candle) -> Price| candles.iter().map(|candle| price(candle).to_f64()).collect();
    let columns = Columns {
        high: column(|candle| candle.high),
        low: column(|candle| candle.low),
        close: column(|candle| candle.close),
    };
    let Columns { high, low, close } = &columns;
    let theirs = talib(&columns);
    let report = |name: &str, ours: f64| match theirs.get(name) {
        Some(theirs) => println!("{name:<18} {ours:6.2} ns/bar, TA-Lib {theirs:6.2}, ratio {:.2}", ours / theirs),
        None => println!("{name:<18} {ours:6.2} ns/bar"),
    };
    // Values are written down, as TA-Lib's are.
    macro_rules! indicator {
        ($name:literal, $new:expr, ($($column:ident),+), |$value:ident| $values:expr) => {{
            let mut out = vec![[f64::NAN; _]; BARS];
            report($name, time(|| $new, |indicator, bar| {
                if let Some($value) = indicator.push($($column[bar]),+) {
                    out[bar] = $values;
                }
            }));
            black_box(out);
        }};
    }
    indicator!("SMA 20", Sma::new(20), (close), |value| [value]);
    indicator!("EMA 20", Ema::new(20), (close), |value| [value]);
    indicator!("RSI 14", Rsi::new(14), (close), |value| [value]);
    indicator!("ATR 14", Atr::new(14), (high, low, close), |value| [value]);
    indicator!("ADX 14, +DI, -DI", Adx::new(14), (high, low, close), |value| [
        value.adx.unwrap_or(f64::NAN),
        value.plus,
        value.minus
    ]);
    indicator!("MACD 12 26 9", Macd::new(12, 26, 9), (close), |value| [value.macd, value.signal, value.histogram]);
    indicator!("Bollinger 20 2", Bollinger::new(20, 2.0), (close), |value| [value.upper, value.middle, value.lower]);
    indicator!("Stochastic 14 3 3", Stochastic::new(14, 3, 3), (high, low, close), |value| [value.k, value.d]);
    indicator!("Donchian 20", Donchian::new(20), (high, low), |value| [value.high, value.low]);

    let settings = Settings::default();
    for kind in StrategyKind::ALL {
        let mut proposed = 0;
        let start = || Strategy::new(kind, &settings);
        let push = time(start, |strategy, bar| strategy.push(&candles[bar]));
        let propose = time(start, |strategy, bar| {
            strategy.push(&candles[bar]);
            proposed += usize::from(black_box(strategy.propose(&settings)).is_ok());
        });
        let read = time(start, |strategy, bar| {
            strategy.push(&candles[bar]);
            let _ = black_box(strategy.propose(&settings));
            black_box(strategy.readings());
        });
        let share = 100.0 * proposed as f64 / (BARS * RUNS) as f64;
        println!(
            "{:<18} {push:6.2} ns/bar, with proposals {propose:.2} ({share:.2} % of bars), and readings {read:.2}",
            kind.as_str()
        );
    }
}
