//! The indicators against TA-Lib's values, which `tests/golden/make.py` made.
#![allow(clippy::unwrap_used, reason = "what cannot be read ends the test")]

use std::{
    fs,
    path::{Path, PathBuf},
};

use trading::indicators::{Adx, Atr, Bollinger, Donchian, Ema, Macd, Rsi, Sma, Stochastic};

const COLUMNS: [&str; 25] = [
    "sma20",
    "ema20",
    "ema50",
    "rsi14",
    "atr14",
    "adx14",
    "plus14",
    "minus14",
    "ema200",
    "rsi2",
    "atr50",
    "adx5",
    "macd_signal_5_35_5",
    "upper50",
    "d5",
    "macd",
    "macd_signal",
    "macd_histogram",
    "upper",
    "middle",
    "lower",
    "k",
    "d",
    "highest20",
    "lowest20",
];

/// High, low and close.
type Bar = [f64; 3];

/// Values at every bar, in the order of [`COLUMNS`].
fn values(bars: &[Bar]) -> Vec<[Option<f64>; COLUMNS.len()]> {
    let (mut sma, mut ema20, mut ema50) = (Sma::new(20), Ema::new(20), Ema::new(50));
    let (mut rsi, mut atr, mut adx) = (Rsi::new(14), Atr::new(14), Adx::new(14));
    let (mut macd, mut bollinger) = (Macd::new(12, 26, 9), Bollinger::new(20, 2.0));
    let (mut ema200, mut rsi2, mut atr50, mut adx5) = (Ema::new(200), Rsi::new(2), Atr::new(50), Adx::new(5));
    let (mut macd5, mut bollinger50) = (Macd::new(5, 35, 5), Bollinger::new(50, 1.5));
    let mut stochastic5 = Stochastic::new(5, 2, 4);
    let (mut stochastic, mut donchian) = (Stochastic::new(14, 3, 3), Donchian::new(20));
    bars.iter()
        .map(|&[high, low, close]| {
            let directional = adx.push(high, low, close);
            let macd = macd.push(close);
            let bands = bollinger.push(close);
            let lines = stochastic.push(high, low, close);
            let channel = donchian.push(high, low);
            [
                sma.push(close),
                ema20.push(close),
                ema50.push(close),
                rsi.push(close),
                atr.push(high, low, close),
                directional.and_then(|values| values.adx),
                directional.map(|values| values.plus),
                directional.map(|values| values.minus),
                ema200.push(close),
                rsi2.push(close),
                atr50.push(high, low, close),
                adx5.push(high, low, close).and_then(|values| values.adx),
                macd5.push(close).map(|lines| lines.signal),
                bollinger50.push(close).map(|bands| bands.upper),
                stochastic5.push(high, low, close).map(|lines| lines.d),
                macd.map(|lines| lines.macd),
                macd.map(|lines| lines.signal),
                macd.map(|lines| lines.histogram),
                bands.map(|bands| bands.upper),
                bands.map(|bands| bands.middle),
                bands.map(|bands| bands.lower),
                lines.map(|lines| lines.k),
                lines.map(|lines| lines.d),
                channel.map(|channel| channel.high),
                channel.map(|channel| channel.low),
            ]
        })
        .collect()
}

/// Equal to nine digits. What is a difference, of prices or of parts of 100, has fewer where
/// it is small: there it is equal to a rounding error or some of what it is a difference of.
fn check(name: &str, row: usize, expected: Option<f64>, found: Option<f64>, close: f64) -> f64 {
    let (expected, found) = match (expected, found) {
        (None, None) => return 0.0,
        (Some(expected), Some(found)) => (expected, found),
        _ => panic!("row {row}: {name} is {found:?}, TA-Lib says {expected:?}"),
    };
    let floor = if name.starts_with("macd") {
        1e-14 * close
    } else if ["rsi", "adx", "plus", "minus", "k", "d"].iter().any(|start| name.starts_with(start)) {
        1e-14 * 100.0
    } else {
        0.0
    };
    let deviation = (found - expected).abs();
    let allowed = 1e-9 * expected.abs();
    assert!(deviation <= allowed.max(floor), "row {row}: {name} is {found}, TA-Lib says {expected}");
    if deviation <= floor { 0.0 } else { deviation / expected.abs() }
}

/// The rows of a file: names, then fields.
fn table(path: &Path) -> (Vec<String>, Vec<Vec<String>>) {
    let text = fs::read_to_string(path).unwrap();
    let separator = if text.contains('\t') { '\t' } else { ',' };
    let fields = |line: &str| line.split(separator).map(str::to_owned).collect();
    let mut lines = text.lines();
    let names: Vec<String> = fields(lines.next().unwrap());
    (names, lines.map(fields).collect())
}

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

/// Checks the values that a golden file has, and says how far they are apart at most.
fn compare(file: &str, bars: &[Bar], row_of: impl Fn(usize, &[String]) -> usize, skip: usize) -> usize {
    let (names, rows) = table(&golden(file));
    assert_eq!(names[skip..], COLUMNS);
    let values = values(bars);
    let mut worst = [0.0_f64; COLUMNS.len()];
    let mut compared = 0;
    for (index, fields) in rows.iter().enumerate() {
        let row = row_of(index, fields);
        for (column, field) in fields[skip..].iter().enumerate() {
            let expected = (!field.is_empty()).then(|| field.parse().unwrap());
            compared += usize::from(expected.is_some());
            let deviation = check(COLUMNS[column], row, expected, values[row][column], bars[row][2]);
            worst[column] = worst[column].max(deviation);
        }
    }
    let (column, worst) = worst.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1)).unwrap();
    println!("{file}: {compared} values, at most {worst:.1e} apart ({})", COLUMNS[column]);
    compared
}

/// High, low and close of a table, whose columns may be in angle brackets.
fn bars(path: &Path) -> Vec<Bar> {
    let (names, rows) = table(path);
    let find =
        |name: &str| names.iter().position(|found| found.trim_matches(['<', '>']).eq_ignore_ascii_case(name)).unwrap();
    let columns = ["high", "low", "close"].map(find);
    rows.iter().map(|row| columns.map(|column| row[column].parse().unwrap())).collect()
}

#[test]
fn values_of_generated_candles_are_talibs_from_the_first_to_the_last() {
    let bars = bars(&golden("synthetic.csv"));
    let compared = compare("synthetic.csv", &bars, |index, _| index, 4);
    assert!(compared > 23 * bars.len());
}

#[test]
fn values_of_real_candles_are_talibs() {
    let files =
        ["XAUUSD_H4_2007_2023.csv", "XAUUSD_M15_2024_unix.csv", "XAUUSD_M1_2026.csv", "XAUUSD_M5_2025_metatrader.csv"];
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().map(|place| place.join("shared/data"));
    let Some(folder) = folder.into_iter().find(|folder| folder.is_dir()) else {
        println!("not compared: there is no folder shared/data with real candles beside the project");
        return;
    };
    for file in files {
        let bars = bars(&folder.join(file));
        let compared = compare(file, &bars, |_, fields| fields[0].parse().unwrap(), 1);
        assert!(compared > 2_500);
    }
}
