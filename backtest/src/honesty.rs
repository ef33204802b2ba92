//! Whether a decision knew what came after it.

use std::hash::{DefaultHasher, Hasher};

use chrono::{DateTime, Utc};
use serde::Serialize;
use trading::{Candle, Lookout, Strategy};

use crate::{Backtest, Error, Plan, parallel::parallel};

/// What came of the checks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Honesty {
    /// At how many points the future was cut off.
    pub cuts: usize,
    /// How many events there are with all of it.
    pub events: u64,
    /// The cuts before which an event changed; none if nothing knew the future.
    pub changed: Vec<DateTime<Utc>>,
    /// From how many points the past was cut off.
    pub starts: usize,
    /// How many proposals were compared, from the end of the warm-up on.
    pub proposals: u64,
    /// How many of them changed; none if the warm-up is long enough.
    pub unsettled: u64,
}

impl Honesty {
    /// Whether nothing changed.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.changed.is_empty() && self.unsettled == 0
    }
}

/// Replays with the future cut off at so many points: all that happened before must be the
/// same, event by event. Then lets the strategy begin later: once it is warmed up, what it
/// proposes must be the same.
///
/// # Errors
/// [`Error`], when the plan cannot be tested or a candle cannot be.
pub fn check(
    plan: &Plan,
    candles: &[Candle],
    cuts: usize,
    threads: usize,
    progress: impl Fn(usize, usize) + Sync,
) -> Result<Honesty, Error> {
    // Spread over all minutes of the timeframe: where a candle of it is half over, too.
    let points = |count: usize| {
        let points = (1..=count).map(|number| (candles.len() * number / (count + 1) + number % 61).min(candles.len()));
        let mut points: Vec<usize> = points.collect();
        points.dedup();
        points
    };
    let (ends, starts) = (points(cuts), points(STARTS));
    let work = ends.len() + starts.len();
    let (whole, events) = digests(plan, candles, &ends)?;
    let is_same = |number: usize| {
        let cut = ends[number];
        digests(plan, &candles[..cut], &[cut]).map(|(alone, _)| alone == whole[number..=number])
    };
    let same = parallel(ends.len(), threads, is_same, |done| progress(done, work))?;
    let said = sayings(plan, candles);
    let later = |number: usize| Ok::<_, Error>(compare(plan, &candles[starts[number]..], &said));
    let compared = parallel(starts.len(), threads, later, |done| progress(ends.len() + done, work))?;
    let changed = same.iter().zip(&ends).filter(|(same, _)| !**same);
    Ok(Honesty {
        cuts: ends.len(),
        events,
        changed: changed.filter_map(|(_, cut)| candles.get(*cut)).map(|candle| candle.opened_at).collect(),
        starts: starts.len(),
        proposals: compared.iter().map(|(compared, _)| compared).sum(),
        unsettled: compared.iter().map(|(_, unsettled)| unsettled).sum(),
    })
}

/// From how many points the strategy begins anew.
const STARTS: usize = 12;

/// A digest of all events before each of some candles, and how many events there are in all.
fn digests(plan: &Plan, candles: &[Candle], cuts: &[usize]) -> Result<(Vec<u64>, u64), Error> {
    let mut test = Backtest::new(plan.clone())?;
    let (mut hasher, mut events, mut found) = (DefaultHasher::new(), 0, Vec::with_capacity(cuts.len()));
    let mut cuts = cuts.iter().peekable();
    for (number, candle) in candles.iter().enumerate() {
        while cuts.next_if(|cut| **cut == number).is_some() {
            found.push(hasher.finish());
        }
        test.push(candle, |event| {
            events += 1;
            // Shows every field, which is all that counts here.
            hasher.write(format!("{event:?}").as_bytes());
        })?;
    }
    found.extend(cuts.map(|_| hasher.finish()));
    Ok((found, events))
}

/// What the strategy said at the end of each candle of its timeframe, by when that was.
fn sayings(plan: &Plan, candles: &[Candle]) -> Vec<(DateTime<Utc>, u64)> {
    let mut lookout = Lookout::new(plan.strategy, plan.settings.clone(), plan.length);
    let said = |candle: &Candle| {
        let check = lookout.push(candle, None).check?;
        let mut hasher = DefaultHasher::new();
        hasher.write(format!("{:?}", check.outcome).as_bytes());
        Some((candle.opened_at, hasher.finish()))
    };
    candles.iter().filter_map(said).collect()
}

/// How many sayings of a strategy that begins here were compared, and how many differ.
fn compare(plan: &Plan, candles: &[Candle], whole: &[(DateTime<Utc>, u64)]) -> (u64, u64) {
    let later = sayings(plan, candles);
    // The first candle of the timeframe may be cut in half.
    let warm_up = Strategy::warm_up(plan.strategy, &plan.settings) + 1;
    let mut whole = whole.iter().peekable();
    let (mut compared, mut differing) = (0, 0);
    for (at, saying) in later.iter().skip(warm_up) {
        while whole.next_if(|(before, _)| before < at).is_some() {}
        compared += 1;
        differing += u64::from(whole.peek().is_none_or(|other| **other != (*at, *saying)));
    }
    (compared, differing)
}
