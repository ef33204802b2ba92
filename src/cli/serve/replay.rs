//! What the command line says of the sandbox's market.

use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use clap::Args;
use trading::{Timeframe, csv::Zone};

use crate::{
    cli::candles::{self, ZoneOptions},
    integrations::twelve_data::twin::{Source, Wanted},
    secrets::{fingerprint, hex},
};

/// What the sandbox's market is. Without any of it, what the database replays already, or candles of seed 1.
#[derive(Args)]
pub(super) struct ReplayOptions {
    /// Make the sandbox's candles of this seed
    #[arg(long, value_name = "NUMBER", requires = "sandbox")]
    seed: Option<u64>,
    /// Replay candles of one minute from this file in the sandbox
    #[arg(long, value_name = "FILE", requires = "sandbox", conflicts_with = "seed")]
    candles: Option<PathBuf>,
    #[command(flatten)]
    zone: ZoneOptions,
    /// Minutes of an open market that pass in a second: 60 by default; 0.0167 is the pace of the world
    #[arg(long, value_name = "MINUTES", requires = "sandbox")]
    speed: Option<f64>,
    /// Begin the sandbox's market at this instant, such as 2026-04-20T08:00:00Z
    #[arg(long, value_name = "INSTANT", requires = "sandbox")]
    market_from: Option<DateTime<Utc>>,
}

impl ReplayOptions {
    pub(super) async fn wanted(&self) -> anyhow::Result<Wanted> {
        let source = match (&self.candles, self.seed) {
            (Some(path), _) => {
                let (path, zone) = (path.clone(), self.zone.zone());
                Some(tokio::task::spawn_blocking(move || from_file(&path, zone)).await??)
            }
            (None, seed) => seed.map(Source::Seed),
        };
        Ok(Wanted { source, begins: self.market_from, speed: self.speed })
    }
}

fn from_file(path: &Path, zone: Zone) -> anyhow::Result<Source> {
    let report = candles::read(path, zone)?;
    anyhow::ensure!(
        report.timeframe == Timeframe::M1,
        "only candles of one minute can be replayed; those of {} are of {} minutes",
        path.display(),
        report.timeframe.minutes()
    );
    anyhow::ensure!(
        !report.zone_is_doubtful(),
        "{} candles of {} lie where the market is closed, so its times are of another clock: name it with --offset or --server-time",
        report.closed,
        path.display(),
    );
    let mut content = Vec::with_capacity(report.candles.len() * 40);
    for candle in &report.candles {
        let at = candle.opened_at.timestamp();
        for number in [at, candle.open.units(), candle.high.units(), candle.low.units(), candle.close.units()] {
            content.extend_from_slice(&number.to_be_bytes());
        }
    }
    let hash = hex(&fingerprint(&[&content])[..8]);
    Ok(Source::File { hash, candles: report.candles })
}
