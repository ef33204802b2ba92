//! What others need for the same.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde::Deserialize;
use trading::Candle;

/// What they need.
#[derive(Deserialize)]
pub(crate) struct Measured {
    /// Nanoseconds a candle, by the function's name in TA-Lib.
    pub(crate) talib: BTreeMap<String, f64>,
    /// Candles a second of backtesting.py.
    pub(crate) cross: f64,
    /// How many trades that made.
    pub(crate) trades: f64,
}

const PACKAGES: [&str; 4] = ["numpy", "pandas", "TA-Lib==0.8.2", "backtesting==0.6.6"];

/// Measures them on the same candles, of which backtesting.py sees the first `fewer`.
pub(crate) fn measure(candles: &[Candle], fewer: usize) -> Result<Measured, String> {
    let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join("backtest-bench");
    fs::create_dir_all(&place).map_err(|error| format!("{} cannot be made: {error}", place.display()))?;
    let python = python(&place)?;
    let file = place.join("candles.f64");
    let numbers = candles.iter().flat_map(|candle| {
        [candle.open, candle.high, candle.low, candle.close].map(|price| price.to_f64().to_ne_bytes())
    });
    fs::write(&file, numbers.flatten().collect::<Vec<_>>()).map_err(|error| error.to_string())?;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/backtest/others.py");
    let ran = Command::new(python).arg(script).arg(&file).arg(fewer.to_string()).output();
    let ran = ran.map_err(|error| format!("Python does not run: {error}"))?;
    if !ran.status.success() {
        return Err(String::from_utf8_lossy(&ran.stderr).trim().to_owned());
    }
    let said = String::from_utf8_lossy(&ran.stdout);
    let line = said.lines().last().unwrap_or_default();
    serde_json::from_str(line).map_err(|error| format!("{line:?} is not what was asked for: {error}"))
}

fn python(place: &Path) -> Result<PathBuf, String> {
    #[allow(clippy::disallowed_methods, reason = "a bench has no configuration but this")]
    if let Some(python) = std::env::var_os("BACKTEST_PYTHON") {
        return Ok(python.into());
    }
    let (python, ready) = (place.join("venv/bin/python"), place.join("venv/ready"));
    if ready.exists() {
        return Ok(python);
    }
    println!("Installing {} for the comparison", PACKAGES.join(", "));
    let made = |command: &mut Command| match command.output() {
        Ok(ran) if ran.status.success() => Ok(()),
        Ok(ran) => Err(String::from_utf8_lossy(&ran.stderr).trim().to_owned()),
        Err(error) => Err(error.to_string()),
    };
    made(Command::new("python3").args(["-m", "venv"]).arg(place.join("venv")))?;
    made(Command::new(&python).args(["-m", "pip", "install", "--quiet"]).args(PACKAGES))?;
    fs::write(ready, "").map_err(|error| error.to_string())?;
    Ok(python)
}
