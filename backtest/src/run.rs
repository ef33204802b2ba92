use chrono::{DateTime, Utc};
use serde::Serialize;
use trading::{
    Candle, Price, Trade,
    statistics::{Accumulator, Options, Statistics},
};

use crate::{Backtest, Error, Plan};

/// How often a check made no signal, by the reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Passes {
    /// Why not, in a word.
    pub reason: &'static str,
    /// How often.
    pub count: u64,
}

/// What a test came to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// What was tested.
    pub plan: Plan,
    /// When the first candle begins that was traded on; none when there was none.
    pub from: Option<DateTime<Utc>>,
    /// When the last one ends.
    pub to: Option<DateTime<Utc>>,
    /// How many they are.
    pub candles: u64,
    /// From the open of the first to the close of the last, in percent.
    pub market_percent: Option<f64>,
    /// What the trades came to.
    pub statistics: Statistics,
    /// Why checks made no signal, the commonest reason first.
    pub passes: Vec<Passes>,
    /// The trades, in order.
    pub trades: Vec<Trade>,
}

/// After how many candles progress is told.
const STEP: u64 = 8_192;

/// Tests a plan on candles that come in order. `progress` hears now and then how many were
/// taken in.
///
/// # Errors
/// [`Error`], when the plan cannot be tested or a candle cannot be.
pub fn run<'a>(
    plan: &Plan,
    candles: impl IntoIterator<Item = &'a Candle>,
    mut progress: impl FnMut(u64),
) -> Result<Report, Error> {
    let mut test = Backtest::new(plan.clone())?;
    let mut trades = vec![];
    let mut taken = 0;
    for candle in candles {
        trades.extend(test.push(candle, |_| {})?);
        taken += 1;
        if taken % STEP == 0 {
            progress(taken);
        }
    }
    progress(taken);
    let finished = test.finish();
    trades.extend(finished.open);
    let seen = finished.seen;
    let options = Options { from: seen.map(|seen| seen.from), to: seen.map(|seen| seen.to), pip: plan.settings.pip };
    let mut statistics = Accumulator::new(options);
    trades.iter().for_each(|trade| statistics.add(trade));
    let mut passes: Vec<_> = finished.passes.into_iter().map(|(reason, count)| Passes { reason, count }).collect();
    passes.sort_by_key(|passes| std::cmp::Reverse(passes.count));
    Ok(Report {
        plan: plan.clone(),
        from: options.from,
        to: options.to,
        candles: finished.traded,
        market_percent: seen.map(|seen| percent(seen.first, seen.last)),
        statistics: statistics.finish(),
        passes,
        trades,
    })
}

fn percent(from: Price, to: Price) -> f64 {
    100.0 * (to - from).units() as f64 / from.units() as f64
}
