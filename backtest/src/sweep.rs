//! Which settings would have been chosen, and what they came to afterwards.
//!
//! The time is cut into windows, each a time to choose by (in sample) and a time after it to
//! see what came of the choice (out of sample), and each begins where the last one's second
//! part did. In every window all settings are tested on both, the best in sample is chosen,
//! and only what it came to out of sample counts: R. Pardo, "The Evaluation and Optimization
//! of Trading Strategies" (2008), "Walk-Forward Analysis".

mod grid;
mod side;

use std::cmp::Ordering;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use serde_json::{Map, Value};
use trading::{
    Candle, Strategy, Trade,
    statistics::{self, Statistics},
};

use crate::{Error, Plan, Report, parallel::parallel, run};
pub use grid::{Grid, InvalidGrid, Variant, put};
pub use side::{Objective, Side};

/// How a sweep is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Options {
    /// Days to choose by.
    pub train_days: u32,
    /// Days to see what came of it.
    pub test_days: u32,
    /// What is best.
    pub objective: Objective,
    /// Settings with fewer trades in sample are not chosen.
    pub least_trades: u32,
    /// How many cores to use.
    #[serde(skip)]
    pub threads: usize,
}

/// Why there is no sweep.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SweepError {
    /// A window of no length.
    #[error("{0}: must be at least 1 day")]
    Days(&'static str),
    /// The candles are not enough.
    #[error("the candles cover {days} days; one window needs {needed}")]
    Short {
        /// How many days they cover.
        days: i64,
        /// How many are needed.
        needed: i64,
    },
    /// A test failed.
    #[error(transparent)]
    Test(#[from] Error),
}

/// From an instant to just before another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Span {
    /// The first instant.
    pub from: DateTime<Utc>,
    /// The one after the last.
    pub to: DateTime<Utc>,
}

/// A time to choose by, and the time after it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Window {
    /// In sample.
    pub train: Span,
    /// Out of sample.
    pub test: Span,
    /// The best settings in sample; none when all had too few trades.
    pub chosen: Option<Map<String, Value>>,
    /// What they came to in sample.
    pub in_sample: Option<Side>,
    /// What they came to out of sample; nothing is traded when none were chosen.
    pub out_of_sample: Option<Side>,
}

/// What settings came to in all windows.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Ranked {
    /// The settings.
    #[serde(flatten)]
    pub variant: Variant,
    /// In how many windows they were chosen.
    pub chosen: u32,
    /// In sample, all windows together; times that lie in several count several times.
    pub in_sample: Side,
    /// Out of sample, all windows together.
    pub out_of_sample: Side,
}

/// A sweep.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Sweep {
    /// How it was done.
    pub options: Options,
    /// How many combinations made no sense.
    pub senseless: usize,
    /// The windows, in order.
    pub windows: Vec<Window>,
    /// All settings, the best in sample first.
    pub ranking: Vec<Ranked>,
    /// What came of choosing in each window.
    pub out_of_sample: Statistics,
    /// The trades of that, in order.
    pub trades: Vec<Trade>,
    /// R a day out of sample over R a day in sample, of the chosen ones: 1 when the choice
    /// kept its promise. None when it promised nothing.
    pub efficiency: Option<f64>,
    /// How far the order of all settings by R out of sample is that in sample: Spearman's
    /// rank correlation, 1 for the same order, 0 when one says nothing of the other.
    pub rank_correlation: Option<f64>,
}

/// Tests all settings of a grid in all windows. `progress` hears how many of how many tests
/// are done; `plan` says what they have in common.
///
/// # Errors
/// [`SweepError`], when the candles are too few or a test fails.
pub fn sweep(
    plan: &Plan,
    grid: &Grid,
    candles: &[Candle],
    options: Options,
    progress: impl Fn(usize, usize) + Sync,
) -> Result<Sweep, SweepError> {
    let spans = windows(plan, candles, options)?;
    let parts = spans.len() * 2;
    let count = grid.variants.len() * parts;
    let test = |number: usize| {
        let (train, test) = spans[number % parts / 2];
        let span = if number.is_multiple_of(2) { train } else { test };
        within(plan, &grid.variants[number / parts], candles, span).map(|report| Side::of(&report))
    };
    let sides = parallel(count, options.threads, test, |done| progress(done, count))?;
    // By settings, then by window, then in and out of sample.
    let side = |variant: usize, window: usize| {
        let at = variant * parts + window * 2;
        (sides[at], sides[at + 1])
    };
    let mut ranking: Vec<Ranked> = grid
        .variants
        .iter()
        .map(|variant| Ranked {
            variant: variant.clone(),
            chosen: 0,
            in_sample: Side::default(),
            out_of_sample: Side::default(),
        })
        .collect();
    let (mut windows, mut trades) = (Vec::new(), Vec::<Trade>::new());
    let (mut promised, mut kept) = (Side::default(), Side::default());
    for (number, &(train, test)) in spans.iter().enumerate() {
        let mut best: Option<(usize, [f64; 2])> = None;
        for (variant, ranked) in ranking.iter_mut().enumerate() {
            let (inside, outside) = side(variant, number);
            ranked.in_sample += inside;
            ranked.out_of_sample += outside;
            // Of equals, as all are that have no losses, those that earned more.
            let score = options.objective.of(&inside, options.least_trades).map(|score| [score, inside.r()]);
            if let Some(score) = score.filter(|score| best.is_none_or(|(_, best)| *score > best)) {
                best = Some((variant, score));
            }
        }
        let chosen = best.map(|(variant, _)| variant);
        if let Some(variant) = chosen {
            ranking[variant].chosen += 1;
            promised += side(variant, number).0;
            kept += side(variant, number).1;
            let before = trades.len();
            trades.extend(within(plan, &grid.variants[variant], candles, test)?.trades);
            (1..).zip(&mut trades).skip(before).for_each(|(number, trade)| trade.number = number);
        }
        windows.push(Window {
            train,
            test,
            chosen: chosen.map(|variant| grid.variants[variant].values.clone()),
            in_sample: chosen.map(|variant| side(variant, number).0),
            out_of_sample: chosen.map(|variant| side(variant, number).1),
        });
    }
    let rank_correlation = spearman(
        &ranking.iter().map(|ranked| ranked.in_sample.r()).collect::<Vec<_>>(),
        &ranking.iter().map(|ranked| ranked.out_of_sample.r()).collect::<Vec<_>>(),
    );
    let score = |ranked: &Ranked| options.objective.of(&ranked.in_sample, 1).unwrap_or(f64::NEG_INFINITY);
    let r = |ranked: &Ranked| ranked.in_sample.r();
    ranking.sort_by(|left, right| score(right).total_cmp(&score(left)).then(r(right).total_cmp(&r(left))));
    let record = statistics::Options {
        from: spans.first().map(|(_, test)| test.from),
        to: spans.last().map(|(_, test)| test.to),
        pip: plan.settings.pip,
    };
    Ok(Sweep {
        options,
        senseless: grid.senseless,
        windows,
        ranking,
        out_of_sample: Statistics::of(&trades, record),
        trades,
        efficiency: kept
            .r_per_day()
            .zip(promised.r_per_day().filter(|promised| *promised > 0.0))
            .map(|(kept, promised)| kept / promised),
        rank_correlation,
    })
}

/// The windows that lie in the candles as a whole.
fn windows(plan: &Plan, candles: &[Candle], options: Options) -> Result<Vec<(Span, Span)>, SweepError> {
    for (name, days) in [("train", options.train_days), ("test", options.test_days)] {
        if days == 0 {
            return Err(SweepError::Days(name));
        }
    }
    let (train, test) = (TimeDelta::days(options.train_days.into()), TimeDelta::days(options.test_days.into()));
    let needed = (train + test).num_days();
    let short = |days| SweepError::Short { days, needed };
    let (Some(first), Some(last)) = (candles.first(), candles.last()) else { return Err(short(0)) };
    let start = plan.from.map_or(first.opened_at, |from| from.max(first.opened_at));
    let end = last.opened_at + plan.length;
    // Before an instant is made of it that no calendar has.
    if end - start < train + test {
        return Err(short((end - start).num_days()));
    }
    let begins = std::iter::successors(Some(start), |from| Some(*from + test));
    let spans = begins
        .map(|from| (Span { from, to: from + train }, Span { from: from + train, to: from + train + test }))
        .take_while(|(_, test)| test.to <= end)
        .collect();
    Ok(spans)
}

/// Tests settings in a span. What the strategy has to see before comes from the time before.
fn within(plan: &Plan, variant: &Variant, candles: &[Candle], span: Span) -> Result<Report, Error> {
    let settings = &variant.settings;
    let each = settings.timeframe.length().num_seconds() / plan.length.num_seconds().max(1);
    let before = Strategy::warm_up(variant.strategy, settings).saturating_mul(each.unsigned_abs() as usize);
    let from = candles.partition_point(|candle| candle.opened_at < span.from);
    let to = candles.partition_point(|candle| candle.opened_at < span.to);
    let plan = Plan { strategy: variant.strategy, settings: settings.clone(), from: Some(span.from), ..plan.clone() };
    run(&plan, &candles[from.saturating_sub(before)..to], |_| {})
}

/// The correlation of ranks; equals share theirs. C. Spearman, "The Proof and Measurement of
/// Association between Two Things", American Journal of Psychology 15 (1904).
fn spearman(left: &[f64], right: &[f64]) -> Option<f64> {
    let (left, right) = (ranks(left), ranks(right));
    let mean = (left.len() as f64 - 1.0) / 2.0;
    let product = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| (a - mean) * (b - mean)).sum::<f64>();
    let norm = (product(&left, &left) * product(&right, &right)).sqrt();
    (norm > 0.0).then(|| product(&left, &right) / norm)
}

fn ranks(values: &[f64]) -> Vec<f64> {
    let count = |value: &f64, order| values.iter().filter(|other| other.total_cmp(value) == order).count() as f64;
    values.iter().map(|value| count(value, Ordering::Less) + (count(value, Ordering::Equal) - 1.0) / 2.0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_correlate_as_in_the_textbook() {
        // No ties: 1 − 6 Σd² / (n (n² − 1)) with d = 1, 1, 1, 1, 0.
        let rho = spearman(&[10.0, 20.0, 30.0, 40.0, 50.0], &[2.0, 1.0, 4.0, 3.0, 5.0]);
        assert!((rho.unwrap_or_default() - 0.8).abs() < 1e-12, "{rho:?}");
        assert_eq!(spearman(&[1.0, 2.0], &[3.0, 3.0]), None);
        assert_eq!(ranks(&[5.0, 1.0, 5.0]), [1.5, 0.0, 1.5]);
    }
}
