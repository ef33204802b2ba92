//! `promostack backtest` on a file: as people start it, and without a database.

use std::{
    fmt::Write,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use trading::synthetic::Synthetic;

use crate::support::Database;

/// A folder that is gone at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("promostack-backtest-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Two weeks of candles of one minute, as most programs write them.
fn candles(file: &Path) -> usize {
    let from: DateTime<Utc> = "2026-02-01T00:00:00Z".parse().unwrap();
    let mut text = "time,open,high,low,close,tick_volume\n".to_owned();
    let mut count = 0;
    for candle in Synthetic::new(3).candles(from, from + TimeDelta::weeks(2)) {
        let at = candle.opened_at.format("%Y-%m-%d %H:%M:%S");
        writeln!(text, "{at},{},{},{},{},{}", candle.open, candle.high, candle.low, candle.close, candle.volume)
            .unwrap();
        count += 1;
    }
    fs::write(file, text).unwrap();
    count
}

fn backtest(home: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_promostack"));
    command.env_clear().env("PROMOSTACK_HOME", home.join("home")).current_dir(home);
    command.arg("backtest").args(["--candles", "candles.csv"]).args(arguments).output().unwrap()
}

#[test]
fn a_file_is_tested_without_a_database() {
    let folder = Folder::new("file");
    let home = folder.0.as_path();
    let count = candles(&home.join("candles.csv"));
    let write = |name: &str, text: Value| fs::write(home.join(name), text.to_string()).unwrap();
    write("settings.json", json!({ "timeframe": "m5", "trend": { "fast": 5 } }));
    write("grid.json", json!({ "strategy": ["trend", "breakout"], "stop_atr": [1, 2] }));

    let ran = backtest(
        home,
        &[
            "--settings=settings.json",
            "--spread=0.25",
            "--json=all.json",
            "--csv=trades.csv",
            "--html=page.html",
            "--sweep=grid.json",
            "--train=6",
            "--test=3",
            "--least-trades=2",
            "--look-ahead",
            "--cuts=3",
        ],
    );
    let said = String::from_utf8(ran.stdout).unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    for part in ["trend on m5", "Spread 0.25", "Profit factor", "Out of sample", "none of", "By session"] {
        assert!(said.contains(part), "{part} is not in\n{said}");
    }
    let read = |name: &str| fs::read_to_string(home.join(name)).unwrap();
    let all: Value = serde_json::from_str(&read("all.json")).unwrap();
    assert_eq!(all["report"]["candles"], json!(count));
    assert_eq!(all["report"]["plan"]["settings"]["trend"]["fast"], json!(5));
    assert_eq!(all["sweep"]["ranking"].as_array().unwrap().len(), 4);
    assert_eq!(all["checks"]["changed"], json!([]));
    let trades = all["sweep"]["trades"].as_array().unwrap().len();
    assert!(trades > 2 && read("trades.csv").lines().count() == trades + 1, "those of what was chosen");
    let page = read("page.html");
    assert!(page.contains("<title>Backtest: trend on m5</title>"));
    let honest = page.find("what came of choosing").unwrap();
    assert!(honest < page.find("which nothing chose").unwrap(), "what nobody could have had comes second");

    let half = backtest(home, &["--settings=settings.json", "--from=2026-02-05", "--to=2026-02-09T12:00:00Z"]);
    let said = String::from_utf8(half.stdout).unwrap();
    assert!(said.contains("2026-02-05T00:00:00Z to 2026-02-09T12:00:00Z"), "{said}");
    assert!(!home.join("home").exists(), "nothing was started for it");
}

/// What was imported is there for a test, with nothing else running.
#[tokio::test]
async fn candles_that_are_kept_are_tested() {
    let folder = Folder::new("kept");
    let home = folder.0.as_path();
    let count = candles(&home.join("candles.csv"));
    let database = Database::fresh().await;
    let promostack = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_promostack"));
        command.env_clear().env("DATABASE_URL", &database.url).current_dir(home);
        let ran = command.args(arguments).output().unwrap();
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
        String::from_utf8(ran.stdout).unwrap()
    };
    promostack(&["migrate"]);
    promostack(&["candles", "import", "candles.csv"]);
    let said = promostack(&["backtest", "--candles=db", "--from=2026-02-03", "--json=all.json"]);
    assert!(said.contains("trend on m15"), "{said}");
    let all: Value = serde_json::from_str(&fs::read_to_string(home.join("all.json")).unwrap()).unwrap();
    let tested = usize::try_from(all["report"]["candles"].as_u64().unwrap()).unwrap();
    assert!(tested > count / 2 && tested < count, "{tested} of {count}");
}

#[test]
fn what_is_wrong_is_named() {
    let folder = Folder::new("wrong");
    let home = folder.0.as_path();
    candles(&home.join("candles.csv"));
    fs::write(home.join("settings.json"), r#"{ "trend": { "quick": 5 } }"#).unwrap();
    fs::write(home.join("grid.json"), r#"{ "atr": [1] }"#).unwrap();
    fs::write(home.join("fine.json"), r#"{ "atr": [14] }"#).unwrap();
    for (arguments, part) in [
        (&["--settings=settings.json"][..], "trend.quick: there is no such setting"),
        (&["--sweep=grid.json"], "atr: must be 2 to 1000 candles"),
        (&["--settings=nowhere.json"], "nowhere.json cannot be read"),
        (&["--strategy=martingale"], "trend, reversion, breakout and momentum"),
        (&["--from=2027-01-01"], "there are no candles in that time"),
        (&["--spread=-1"], "spread: must not be below 0"),
        (&["--slippage", "-0.1"], "slippage: must not be below 0"),
        (&["--sweep=fine.json", "--train=4294967295"], "one window needs"),
        (&["--look-ahead", "--cuts=0"], "--cuts"),
        (&["--train=5"], "--sweep"),
    ] {
        let ran = backtest(home, arguments);
        let said = String::from_utf8(ran.stderr).unwrap();
        assert!(!ran.status.success() && said.contains(part), "{arguments:?}: {said}");
    }
}
