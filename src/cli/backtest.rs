mod inputs;

use std::{
    fs,
    num::NonZero,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
    thread,
};

use anyhow::Context;
use backtest::{
    Costs, Honesty, Plan, Report, check, html, run,
    sweep::{Grid, Objective, Options, Sweep, sweep},
    table,
};
use chrono::{DateTime, TimeDelta, Utc};
use clap::Args;
use futures_util::TryStreamExt;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use trading::{Candle, Lookout, Price, Settings, StrategyKind, Timeframe};

use super::candles::{self, ZoneOptions};
use crate::{
    app::{App, Role},
    market::{GOLD, store},
};

/// Test a strategy on the past.
#[derive(Args)]
pub(super) struct Backtest {
    /// A file of MetaTrader, Dukascopy, Twelve Data or others; or `db` for the candles that are kept
    #[arg(long, value_name = "FILE|db")]
    candles: PathBuf,
    #[command(flatten)]
    zone: ZoneOptions,
    /// Which one: trend, reversion, breakout or momentum; the live one with `db`, else trend
    #[arg(long, value_parser = inputs::strategy)]
    strategy: Option<StrategyKind>,
    /// The first day or instant to trade on (UTC); candles before it are for the averages
    #[arg(long, value_name = "TIME", value_parser = inputs::instant)]
    from: Option<DateTime<Utc>>,
    /// The day or instant to stop before (UTC)
    #[arg(long, value_name = "TIME", value_parser = inputs::instant)]
    to: Option<DateTime<Utc>>,
    /// A JSON file with what differs from the settings: the live ones with `db`, else the usual ones
    #[arg(long, value_name = "FILE")]
    settings: Option<PathBuf>,
    /// What one pays between buying and selling, per ounce
    #[arg(long, default_value = "0", value_name = "PRICE", allow_negative_numbers = true)]
    spread: Price,
    /// By how much market orders are filled worse, per ounce
    #[arg(long, default_value = "0", value_name = "PRICE", allow_negative_numbers = true)]
    slippage: Price,
    /// Write everything as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write the trades as CSV; of a sweep, those out of sample
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
    /// Write a report as one HTML page
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Compare settings: a JSON file such as {"trend.fast": [5, 9], "stop_atr": [1, 1.5]}
    #[arg(long, value_name = "FILE")]
    sweep: Option<PathBuf>,
    /// Days by which settings are chosen
    #[arg(long, value_name = "DAYS", default_value_t = 20, requires = "sweep")]
    train: u32,
    /// Days after those, to see what came of the choice
    #[arg(long, value_name = "DAYS", default_value_t = 5, requires = "sweep")]
    test: u32,
    /// What is best: sharpe, r, expectancy or profit_factor
    #[arg(long, default_value = "sharpe", value_parser = inputs::objective, requires = "sweep")]
    objective: Objective,
    /// Settings with fewer trades are not chosen
    #[arg(long, value_name = "TRADES", default_value_t = 10, requires = "sweep")]
    least_trades: u32,
    /// Check that nothing changes when the future is cut off, or the past
    #[arg(long)]
    look_ahead: bool,
    /// At how many points it is cut off
    #[arg(long, value_name = "CUTS", default_value = "50", requires = "look_ahead")]
    cuts: NonZero<usize>,
    /// Cores to use; all of them when nothing is said
    #[arg(long, value_name = "CORES")]
    threads: Option<NonZero<usize>>,
}

/// What is tested on what.
struct Test {
    plan: Plan,
    grid: Option<Grid>,
    candles: Vec<Candle>,
}

/// What came of it.
struct Outcome {
    report: Report,
    sweep: Option<Sweep>,
    honesty: Option<Honesty>,
}

impl Backtest {
    /// Whether the candles are those that are kept, so that there has to be a database.
    pub(super) fn needs_database(&self) -> bool {
        self.candles == Path::new("db")
    }

    /// Tests on the candles of a file.
    pub(super) fn run_on_file(self) -> anyhow::Result<ExitCode> {
        let read = candles::read(&self.candles, self.zone.zone())?;
        if read.bad > 0 {
            eprintln!(
                "{} of {} rows are no candles; `promostack candles import --dry-run` tells why",
                read.bad, read.rows
            );
        }
        if read.zone_is_doubtful() {
            eprintln!(
                "{} candles lie where the market is closed: are the times of another clock? See --offset and --server-time",
                read.closed
            );
        }
        let (settings, strategy) = (Settings::default(), StrategyKind::default());
        let (plan, grid) = self.plan(&settings, strategy, read.timeframe)?;
        self.go(Test { plan, grid, candles: read.candles })
    }

    /// Tests on the candles that are kept, with the live settings but for what is said.
    pub(super) async fn run(self, app: &App) -> anyhow::Result<ExitCode> {
        // States of streams are loaded by what runs in a web process, too.
        let running = app.start(Role::Web).await?;
        let done = self.run_on_kept(app).await;
        running.stop().await;
        done
    }

    async fn run_on_kept(self, app: &App) -> anyhow::Result<ExitCode> {
        let live = app.signals.look(GOLD, |signal, _, _| (signal.settings().clone(), signal.strategy())).await?;
        let (plan, grid) = self.plan(&live.0, live.1, Timeframe::M1)?;
        let warm_up = |kind, settings: &Settings| Lookout::warm_up(kind, settings);
        let variants = grid.iter().flat_map(|grid| &grid.variants);
        let before = variants
            .map(|variant| warm_up(variant.strategy, &variant.settings))
            .fold(warm_up(plan.strategy, &plan.settings), TimeDelta::max);
        let from = self.from.map_or(DateTime::UNIX_EPOCH, |from| from - before);
        let to = self.to.unwrap_or(app.clock.now());
        let candles =
            store::stream(&app.pool, GOLD, from, to).try_collect().await.context("candles could not be read")?;
        tokio::task::spawn_blocking(move || self.go(Test { plan, grid, candles })).await?
    }

    fn plan(
        &self,
        settings: &Settings,
        strategy: StrategyKind,
        timeframe: Timeframe,
    ) -> anyhow::Result<(Plan, Option<Grid>)> {
        let settings = match &self.settings {
            None => settings.clone(),
            Some(file) => inputs::settings(&inputs::object(file)?, settings)
                .with_context(|| format!("{} cannot be used", file.display()))?,
        };
        let strategy = self.strategy.unwrap_or(strategy);
        let grid = match &self.sweep {
            None => None,
            Some(file) => Some(
                Grid::of(&inputs::object(file)?, strategy, &settings)
                    .with_context(|| format!("{} cannot be used", file.display()))?,
            ),
        };
        let plan = Plan {
            strategy,
            settings: Arc::new(settings),
            length: timeframe.length(),
            costs: Costs { spread: self.spread, slippage: self.slippage },
            from: self.from,
        };
        plan.check()?;
        Ok((plan, grid))
    }

    fn go(&self, mut test: Test) -> anyhow::Result<ExitCode> {
        let end = self.to.map_or(test.candles.len(), |to| test.candles.partition_point(|candle| candle.opened_at < to));
        test.candles.truncate(end);
        let tradeable = self.from.is_none_or(|from| test.candles.last().is_some_and(|last| from <= last.opened_at));
        anyhow::ensure!(!test.candles.is_empty() && tradeable, "there are no candles in that time");
        let outcome = self.tested(&test)?;
        super::print(&text(&outcome))?;
        self.write(&test, &outcome)?;
        let holds = outcome.honesty.as_ref().is_none_or(Honesty::holds);
        Ok(if holds { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    fn tested(&self, Test { plan, grid, candles }: &Test) -> anyhow::Result<Outcome> {
        let threads =
            self.threads.map_or_else(|| thread::available_parallelism().map_or(1, NonZero::get), NonZero::get);
        let bar = bar("testing", candles.len(), "candles")?;
        let report = run(plan, candles, |done| bar.set_position(done))?;
        bar.finish_and_clear();
        let mut outcome = Outcome { report, sweep: None, honesty: None };
        if let Some(grid) = grid {
            let options = Options {
                train_days: self.train,
                test_days: self.test,
                objective: self.objective,
                least_trades: self.least_trades,
                threads,
            };
            outcome.sweep = Some(with_bar("comparing", "tests", |told| sweep(plan, grid, candles, options, told))?);
        }
        if self.look_ahead {
            outcome.honesty =
                Some(with_bar("cutting", "cuts", |told| check(plan, candles, self.cuts.get(), threads, told))?);
        }
        Ok(outcome)
    }

    fn write(&self, test: &Test, Outcome { report, sweep, honesty }: &Outcome) -> anyhow::Result<()> {
        let write = |file: &Path, text: String| {
            fs::write(file, text).with_context(|| format!("{} could not be written", file.display()))
        };
        if let Some(file) = &self.json {
            let all = json!({ "report": report, "sweep": sweep, "checks": honesty });
            write(file, serde_json::to_string_pretty(&all)? + "\n")?;
        }
        if let Some(file) = &self.csv {
            let trades = sweep.as_ref().map_or(&report.trades, |sweep| &sweep.trades);
            write(file, table::csv(trades, report.plan.settings.pip))?;
        }
        if let Some(file) = &self.html {
            let (sweep, honesty) = (sweep.as_ref(), honesty.as_ref());
            write(file, html::page(&html::Page { report, candles: &test.candles, sweep, honesty }))?;
        }
        Ok(())
    }
}

fn text(outcome: &Outcome) -> String {
    let report = table::report(&outcome.report);
    let sweep = outcome.sweep.iter().map(|sweep| format!("\n{}", table::sweep(sweep)));
    let honesty = outcome.honesty.iter().map(|honesty| format!("\n{}", table::honesty(honesty)));
    std::iter::once(report).chain(sweep).chain(honesty).collect()
}

fn bar(doing: &'static str, length: usize, what: &str) -> anyhow::Result<ProgressBar> {
    let style = format!("{{msg:10}} {{wide_bar}} {{pos}}/{{len}} {what}  {{per_sec}}  {{eta}} left");
    let bar = ProgressBar::new(length as u64).with_style(ProgressStyle::with_template(&style)?);
    bar.set_message(doing);
    Ok(bar)
}

/// Does what tells how many of how many pieces are done.
fn with_bar<T, E: std::error::Error + Send + Sync + 'static>(
    doing: &'static str,
    what: &str,
    work: impl FnOnce(&(dyn Fn(usize, usize) + Sync)) -> Result<T, E>,
) -> anyhow::Result<T> {
    let bar = bar(doing, 0, what)?;
    let done = work(&|done, of| {
        bar.set_length(of as u64);
        // Those who tell are not in order.
        if done as u64 > bar.position() {
            bar.set_position(done as u64);
        }
    })?;
    bar.finish_and_clear();
    Ok(done)
}
