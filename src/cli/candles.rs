use std::{
    fs::File,
    io::BufReader,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context;
use chrono::{DateTime, TimeDelta, Utc};
use clap::{Args, Subcommand, ValueEnum};
use futures_util::TryStreamExt;
use indicatif::{ProgressBar, ProgressStyle};
use trading::{
    Candle, Price, Timeframe,
    csv::{self, Report, Zone},
};

use crate::{
    app::App,
    clock::Clock,
    market::{
        GOLD,
        store::{self, Coverage, LIVE},
    },
};

/// Keep candles of gold in US dollars.
#[derive(Args)]
pub(super) struct Candles {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Take in candles of one minute from a file of MetaTrader, Dukascopy, Twelve Data or others
    Import(Import),
}

#[derive(Args)]
struct Import {
    /// The file: comma, semicolon or tab between the columns, which the first line names
    file: PathBuf,
    #[command(flatten)]
    zone: ZoneOptions,
    /// Only read it, and say what is wrong with it
    #[arg(long)]
    dry_run: bool,
}

/// Of which clock the times in a file are; UTC when nothing is said.
#[derive(Args, Debug, Clone, Copy)]
#[group(multiple = false)]
pub(super) struct ZoneOptions {
    /// Its times are so far ahead of UTC all year, as in +02:00
    #[arg(long, value_name = "±HH:MM", allow_hyphen_values = true, value_parser = Zone::from_offset)]
    offset: Option<Zone>,
    /// Its times are of a broker's server
    #[arg(long, value_enum, value_name = "CLOCK")]
    server_time: Option<ServerTime>,
}

/// A broker's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ServerTime {
    /// UTC+2, and UTC+3 while New York has summer time: days end with New York's
    #[value(name = "eet", alias = "eet-us")]
    NewYorkClose,
    /// UTC+2, and UTC+3 while the European Union has summer time
    #[value(name = "eet-eu")]
    EasternEurope,
}

impl ZoneOptions {
    pub(super) fn zone(self) -> Zone {
        match (self.offset, self.server_time) {
            (Some(zone), _) => zone,
            (None, Some(ServerTime::NewYorkClose)) => Zone::NewYorkClose,
            (None, Some(ServerTime::EasternEurope)) => Zone::EasternEurope,
            (None, None) => Zone::Utc,
        }
    }
}

/// Reads a file of candles, showing how far it is.
pub(super) fn read(path: &Path, zone: Zone) -> anyhow::Result<Report> {
    let open = || -> std::io::Result<_> {
        let file = File::open(path)?;
        let bytes = file.metadata()?.len();
        Ok((file, bytes))
    };
    let (file, bytes) = open().with_context(|| format!("cannot read {}", path.display()))?;
    let style = ProgressStyle::with_template("reading {wide_bar} {bytes}/{total_bytes}  {eta} left")?;
    let bar = ProgressBar::new(bytes).with_style(style);
    let report = csv::read(BufReader::with_capacity(1 << 18, bar.wrap_read(file)), zone);
    bar.finish_and_clear();
    report.with_context(|| format!("{} cannot be used", path.display()))
}

impl Candles {
    /// Whether anything is stored, so that there has to be a database.
    pub(super) const fn needs_database(&self) -> bool {
        let Verb::Import(import) = &self.verb;
        !import.dry_run
    }

    /// Says what is in a file.
    pub(super) fn run_dry(self) -> anyhow::Result<ExitCode> {
        let Verb::Import(import) = self.verb;
        let report = import.look(Clock::system().now())?;
        if report.timeframe != Timeframe::M1 {
            println!("Only candles of one minute can be stored; a backtest takes these as they are.");
        }
        println!("Nothing is stored (--dry-run).");
        Ok(ExitCode::SUCCESS)
    }

    pub(super) async fn run(self, app: &App) -> anyhow::Result<ExitCode> {
        let Verb::Import(import) = self.verb;
        import.run(app).await
    }
}

impl Import {
    /// Reads the file and says what is in it.
    fn look(&self, now: DateTime<Utc>) -> anyhow::Result<Report> {
        let mut report = read(&self.file, self.zone.zone())?;
        let unfinished = drop_unfinished(&mut report.candles, report.timeframe.length(), now);
        print!("{}", said(&report, unfinished));
        anyhow::ensure!(
            unfinished <= FORMING,
            "{unfinished} candles lie in the future, so the times are of another clock: name it with --offset or --server-time"
        );
        anyhow::ensure!(
            !report.zone_is_doubtful(),
            "{} candles lie where the market is closed, so the times are of another clock: name it with --offset or --server-time",
            report.closed
        );
        Ok(report)
    }

    async fn run(self, app: &App) -> anyhow::Result<ExitCode> {
        let now = app.clock.now();
        let (import, report) =
            tokio::task::spawn_blocking(move || self.look(now).map(|report| (self, report))).await??;
        anyhow::ensure!(
            report.timeframe == Timeframe::M1,
            "only candles of one minute are kept, as signals are judged on those; these are of {} minutes. A backtest takes the file as it is",
            report.timeframe.minutes()
        );
        app.prepare().await?;
        import.compare(app, &report.candles).await?;
        let new = import.store(app, &report).await?;
        println!(
            "{new} candles are new; {} were there already and stay as they are.",
            report.candles.len() as u64 - new
        );
        Ok(ExitCode::SUCCESS)
    }

    /// Refuses candles that say something else than those that are kept: one of the two is of
    /// another clock or instrument, and what is decided would be decided on both.
    async fn compare(&self, app: &App, candles: &[Candle]) -> anyhow::Result<()> {
        let ([first, ..], [.., last]) = (candles, candles) else { return Ok(()) };
        let to = last.opened_at + TimeDelta::minutes(1);
        let mut compared = Compared::default();
        let kept = store::stream(&app.pool, GOLD, first.opened_at, to);
        let mut kept = std::pin::pin!(kept);
        while let Some(kept) = kept.try_next().await.context("cannot read the candles that are kept")? {
            if let Ok(index) = candles.binary_search_by_key(&kept.opened_at, |candle| candle.opened_at) {
                compared.add(&kept, &candles[index]);
            }
        }
        anyhow::ensure!(
            !compared.is_doubtful(),
            "{} of {} candles contradict those that are kept, the first at {} UTC: the times are of another clock (name it \
             with --offset or --server-time), or it is another instrument",
            compared.apart,
            compared.both,
            compared.first.unwrap_or(first.opened_at).format("%Y-%m-%d %H:%M"),
        );
        Ok(())
    }

    async fn store(&self, app: &App, report: &Report) -> anyhow::Result<u64> {
        let style = ProgressStyle::with_template("storing {wide_bar} {pos}/{len} candles  {per_sec}  {eta} left")?;
        let bar = ProgressBar::new(report.candles.len() as u64).with_style(style);
        let mut new = 0;
        for chunk in report.candles.chunks(PIECE) {
            let (Some(first), Some(last)) = (chunk.first(), chunk.last()) else { break };
            // The next piece goes on where this one ends, though there be no candle.
            let next = report.candles.partition_point(|candle| candle.opened_at <= last.opened_at);
            let until =
                report.candles.get(next).map_or(last.opened_at + TimeDelta::minutes(1), |candle| candle.opened_at);
            let covered = Coverage { source: LIVE.to_owned(), from: first.opened_at, until };
            new += store::store(&app.pool, GOLD, chunk, &covered).await?;
            bar.inc(chunk.len() as u64);
        }
        bar.finish_and_clear();
        Ok(new)
    }
}

/// Candles at the end that may not be over yet: the one that is being made, and some for
/// clocks that differ.
const FORMING: usize = 5;

/// Leaves out candles that are not over: what they will have been, nobody knows. Answers how
/// many.
fn drop_unfinished(candles: &mut Vec<Candle>, length: TimeDelta, now: DateTime<Utc>) -> usize {
    let over = candles.partition_point(|candle| candle.opened_at + length <= now);
    let unfinished = candles.len() - over;
    candles.truncate(over);
    unfinished
}

/// Candles of the same minutes from two sources.
#[derive(Debug, Default)]
struct Compared {
    both: u64,
    /// Whose prices have nothing in common.
    apart: u64,
    /// The first of these.
    first: Option<DateTime<Utc>>,
}

impl Compared {
    fn add(&mut self, kept: &Candle, offered: &Candle) {
        self.both += 1;
        // Brokers' prices differ by some cents: a ten-thousandth.
        let slack = kept.close.part(1, 10_000).max(Price::ZERO);
        if kept.low > offered.high + slack || offered.low > kept.high + slack {
            self.apart += 1;
            self.first.get_or_insert(kept.opened_at);
        }
    }

    /// Whether it is more than a spike here and there.
    const fn is_doubtful(&self) -> bool {
        self.apart > 0 && self.apart * 20 > self.both
    }
}

/// Candles in one transaction.
const PIECE: usize = 50_000;

/// What a file held, for people.
fn said(report: &Report, unfinished: usize) -> String {
    let Report { dialect, timeframe, rows, bad, duplicates, contradictions, gaps, missing, closed, .. } = report;
    let mut text = format!(
        "{} rows, {} dialect, candles of {} min: {} good, {bad} bad\n",
        rows,
        dialect.as_str(),
        timeframe.minutes(),
        report.candles.len(),
    );
    if let Some((from, to)) = report.span() {
        text += &format!("from {} to {} UTC\n", from.format("%Y-%m-%d %H:%M"), to.format("%Y-%m-%d %H:%M"));
    }
    text += &format!("duplicates: {duplicates} ({contradictions} of them say something else; the first one counts)\n");
    text += &format!("gaps while the market was open: {gaps} (candles missing: {missing})\n");
    text += &format!("candles while it was closed: {closed}\n");
    if unfinished > 0 {
        text += &format!("candles that are not over yet, and are left out: {unfinished}\n");
    }
    for row in &report.bad_rows {
        text += &format!("  line {}: {}: {}\n", row.line, row.field, row.reason);
    }
    let untold = bad.saturating_sub(report.bad_rows.len() as u64);
    if untold > 0 {
        text += &format!("  … and {untold} more\n");
    }
    text
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "what cannot be read ends the test")]
mod tests {
    use trading::synthetic::Synthetic;

    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn day() -> Vec<Candle> {
        Synthetic::new(4).candles(at("2026-05-27T22:00:00Z"), at("2026-05-28T21:00:00Z")).collect()
    }

    #[test]
    fn a_candle_that_is_being_made_is_left_out() {
        let whole = day();
        let (minute, now) = (TimeDelta::minutes(1), at("2026-05-28T20:59:59Z"));
        let mut candles = whole.clone();
        assert_eq!(drop_unfinished(&mut candles, minute, now), 1);
        assert_eq!(candles, whole[..whole.len() - 1]);
        let mut candles = whole.clone();
        assert_eq!(drop_unfinished(&mut candles, minute, at("2026-05-28T21:00:00Z")), 0);
        assert_eq!(drop_unfinished(&mut candles, minute, at("2026-05-28T18:00:00Z")), 180, "the wrong clock");
    }

    #[test]
    fn another_clock_contradicts_and_another_broker_does_not() {
        let day = day();
        let compared = |offered: &dyn Fn(usize) -> Candle| {
            let mut compared = Compared::default();
            (0..day.len() - 180).for_each(|index| compared.add(&day[index], &offered(index)));
            compared
        };
        assert!(!compared(&|index| day[index]).is_doubtful());
        let cents = |candle: Candle| {
            let [open, high, low, close] =
                [candle.open, candle.high, candle.low, candle.close].map(|price| price + Price::from_units(25_000));
            Candle { open, high, low, close, ..candle }
        };
        assert!(!compared(&|index| cents(day[index])).is_doubtful());
        for hours in [1, 2, 3] {
            let shifted = compared(&|index| Candle { opened_at: day[index].opened_at, ..day[index + 60 * hours] });
            assert!(shifted.is_doubtful(), "{hours}: {shifted:?}");
        }
        let spike = Candle { low: Price::from_units(1), high: Price::from_units(2), ..day[0] };
        assert!(!compared(&|index| if index % 100 == 7 { spike } else { day[index] }).is_doubtful());
    }
}
