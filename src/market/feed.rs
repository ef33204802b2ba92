//! Fetching what is missing.

use std::time::Duration;

use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use tokio::time::Instant;
use trading::{Candle, calendar};

use super::{
    GOLD, Market, MarketError, SYMBOL,
    store::{self, Coverage, LIVE},
};
use crate::{
    app::App,
    integrations::twelve_data::{MOST_CANDLES, Series},
};

/// How much of the past is fetched when there is nothing yet: enough for the slowest
/// indicators, and for somebody to see how the strategies would have done.
const HISTORY: TimeDelta = TimeDelta::days(90);
/// The same in a replay.
const REPLAY_HISTORY: TimeDelta = TimeDelta::days(60);
/// In one request: fewer than what makes the service leave some away, wherever it sees the bounds.
const PAGE: TimeDelta = TimeDelta::minutes(MOST_CANDLES - 10);
/// A minute is asked for so long after its end, as the service has to sum it up.
const SETTLE: TimeDelta = TimeDelta::seconds(3);
/// So long after the close, nothing more comes of the day.
const CLOSED_FOR_GOOD: TimeDelta = TimeDelta::minutes(10);
/// Silence of a market that should be open is believed when it is so long ago.
const SILENCE: TimeDelta = TimeDelta::days(1);
/// After so long, one run ends; the next goes on.
const RUN: Duration = Duration::from_secs(5);

/// What a run fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CaughtUp {
    /// New candles.
    pub candles: u64,
    /// How far they are complete now; none when there is nothing.
    pub until: Option<DateTime<Utc>>,
    /// Whether more is known to be missing, for the next run.
    pub more: bool,
    /// For how long the source has had nothing of a minute that it should have; none in a replay.
    pub lacking: Option<TimeDelta>,
}

impl Market {
    /// Fetches what is missing up to the last minute that is over, in pages, and stores
    /// it: for a few seconds, so that a long history takes several runs. When nothing is
    /// missing, as while the market is closed, nobody is asked.
    ///
    /// Safe to repeat, to break off, and to be done by two processes at once.
    ///
    /// # Errors
    /// [`MarketError`]; what was fetched before stays.
    pub async fn catch_up(&self, app: &App) -> Result<CaughtUp, MarketError> {
        let replay = self.replay(app).await?;
        let (now, history, source) = match &replay {
            None => (app.clock.now() - SETTLE, HISTORY, LIVE.to_owned()),
            Some(replay) => (replay.at(app.clock.now()), REPLAY_HISTORY, replay.source().to_owned()),
        };
        let now = now.duration_trunc(TimeDelta::minutes(1)).unwrap_or(now);
        let kept = store::coverage(&app.pool, GOLD)
            .await
            .map_err(|source| MarketError::Database { operation: "read how far the candles go", source })?;
        let mut done = CaughtUp { until: kept.as_ref().map(|kept| kept.until), ..CaughtUp::default() };
        let mut at = done.until.unwrap_or_else(|| {
            let begins = now - history;
            replay.as_ref().map_or(begins, |replay| begins.min(replay.origin() - history))
        });
        let ends = Instant::now() + RUN;
        while calendar::open_minutes_between(at, now) > 0 {
            let to = now.min(at + PAGE);
            let series = self.client.time_series(SYMBOL, at, to).await?;
            self.tell_refused(&series.refused);
            let reached = reach(at, to, now, &series);
            // Before the first candle nothing is known, not even that there was nothing.
            let from = done.until.map(|_| at).or_else(|| series.candles.first().map(|first| first.opened_at));
            if let Some(from) = from {
                let candles: Vec<Candle> =
                    series.candles.into_iter().take_while(|candle| candle.opened_at < reached).collect();
                let covered = Coverage { source: source.clone(), from: from.min(reached), until: reached };
                done.candles += store::store(&app.pool, GOLD, &candles, &covered).await?;
                done.until = Some(reached);
            }
            done.more = reached == to && to < now;
            at = reached;
            if !done.more || Instant::now() > ends {
                break;
            }
        }
        if replay.is_none() && !done.more && calendar::open_minutes_between(at, now) > 0 {
            let due = calendar::next_open(at) + TimeDelta::minutes(1) + SETTLE;
            done.lacking = Some((app.clock.now() - due).max(TimeDelta::zero()));
        }
        Ok(done)
    }
}

/// How far the candles are complete after a page of them from `at` to `to`, asked for at
/// `now`.
///
/// What is after the last candle is complete only where that is certain, for the service
/// may be late: when the market has closed, and when it is long ago. The same holds for
/// what is after a candle that cannot be.
fn reach(at: DateTime<Utc>, to: DateTime<Utc>, now: DateTime<Utc>, series: &Series) -> DateTime<Utc> {
    let certain = calendar::last_close(now - CLOSED_FOR_GOOD).max(now - SILENCE);
    let last = series.candles.last().map_or(at, |last| last.opened_at + TimeDelta::minutes(1));
    let spoilt = series.refused.iter().map(|refused| refused.opened_at.unwrap_or(certain)).min();
    let known = match spoilt {
        Some(spoilt) => last.min(spoilt.max(certain)),
        None => last,
    };
    let known = known.max(certain).clamp(at, to);
    calendar::next_open(known).min(to)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "what cannot be read ends the test")]
mod tests {
    use trading::Price;

    use super::*;
    use crate::integrations::twelve_data::Refused;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn series(candles: &[&str], refused: &[Option<&str>]) -> Series {
        let price = Price::from_units(400_000_000);
        let candle =
            |text: &&str| Candle { opened_at: at(text), open: price, high: price, low: price, close: price, volume: 0 };
        let refuse = |text: &Option<&str>| Refused { opened_at: text.map(at), reason: String::new() };
        Series { candles: candles.iter().map(candle).collect(), refused: refused.iter().map(refuse).collect() }
    }

    #[test]
    fn what_may_still_come_is_not_complete() {
        let from = at("2026-05-28T10:00:00Z");
        let reach = |now: &str, series: Series| reach(from, at(now), at(now), &series).to_rfc3339();
        // Up to the last candle.
        let some = || series(&["2026-05-28T10:00:00Z", "2026-05-28T10:03:00Z"], &[]);
        assert_eq!(reach("2026-05-28T10:06:00Z", some()), "2026-05-28T10:04:00+00:00");
        assert_eq!(reach("2026-05-28T10:06:00Z", Series::default()), "2026-05-28T10:00:00+00:00");
        // The market closes at 21:00 and opens at 22:00.
        let late = || series(&["2026-05-28T20:57:00Z"], &[]);
        assert_eq!(reach("2026-05-28T21:05:00Z", late()), "2026-05-28T20:58:00+00:00");
        assert_eq!(reach("2026-05-28T21:10:00Z", late()), "2026-05-28T21:10:00+00:00");
        assert_eq!(reach("2026-05-28T22:05:00Z", late()), "2026-05-28T22:00:00+00:00");
        // Long ago.
        assert_eq!(reach("2026-05-29T19:00:00Z", some()), "2026-05-28T22:00:00+00:00");
        // Nothing is complete beyond a candle that cannot be, until it is long ago.
        let spoilt = || series(&["2026-05-28T10:00:00Z", "2026-05-28T10:05:00Z"], &[Some("2026-05-28T10:02:00Z")]);
        assert_eq!(reach("2026-05-28T10:06:00Z", spoilt()), "2026-05-28T10:02:00+00:00");
        assert_eq!(reach("2026-05-29T23:00:00Z", spoilt()), "2026-05-29T23:00:00+00:00");
        let nowhere = || series(&["2026-05-28T10:00:00Z"], &[None]);
        assert_eq!(reach("2026-05-28T10:06:00Z", nowhere()), "2026-05-28T10:00:00+00:00");
    }
}
