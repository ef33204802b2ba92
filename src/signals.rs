//! Signals: the market is shown to them, and admins decide on them.

pub mod by_hand;
pub mod chart;
pub mod watch;

use aggregates::Signal;
use chrono::{DateTime, TimeDelta, Utc};
use trading::{Timeframe, calendar};

use crate::{app::App, market::MarketError};

/// The time of the market, by which all of signals is dated; without a market, the world's.
///
/// # Errors
/// In a replay, when it cannot be read.
pub async fn now(app: &App) -> Result<DateTime<Utc>, MarketError> {
    match &app.market {
        Some(market) => market.now(app).await,
        None => Ok(app.clock.now()),
    }
}

/// When the recording ends that the market is; none when it is none.
///
/// # Errors
/// When it cannot be read.
pub async fn ends(app: &App) -> Result<Option<DateTime<Utc>>, MarketError> {
    match &app.market {
        Some(market) => market.ends(app).await,
        None => Ok(None),
    }
}

/// When it is looked for a signal next; none while one is open, without a market, or when the
/// market [`ends`] before.
#[must_use]
pub fn next_check(
    app: &App,
    signal: &Signal,
    now: DateTime<Utc>,
    ends: Option<DateTime<Utc>>,
) -> Option<DateTime<Utc>> {
    let is_looked_for = app.market.is_some() && signal.open().is_none();
    let next = is_looked_for.then(|| next_end(now, signal.settings().timeframe));
    next.filter(|next| ends.is_none_or(|ends| *next <= ends))
}

/// The end of the next candle of the strategy whose last minute is one of an open market.
fn next_end(now: DateTime<Utc>, timeframe: Timeframe) -> DateTime<Utc> {
    let end = timeframe.start_of(now) + timeframe.length();
    if calendar::is_open(end - TimeDelta::minutes(1)) {
        return end;
    }
    timeframe.start_of(calendar::next_open(end)) + timeframe.length()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "what cannot be read ends the test")]
mod tests {
    use super::*;

    #[test]
    fn the_next_check_is_at_the_end_of_a_candle_of_an_open_market() {
        for (now, timeframe, next) in [
            ("2026-05-28T10:07:00Z", Timeframe::M15, "2026-05-28T10:15:00Z"),
            ("2026-05-28T10:15:00Z", Timeframe::M15, "2026-05-28T10:30:00Z"),
            // The market closes on Friday at 21:00 and opens on Sunday at 22:00.
            ("2026-05-29T20:30:00Z", Timeframe::H4, "2026-06-01T00:00:00Z"),
            ("2026-05-29T20:50:00Z", Timeframe::M15, "2026-05-29T21:00:00Z"),
            ("2026-05-30T12:00:00Z", Timeframe::M15, "2026-05-31T22:15:00Z"),
        ] {
            assert_eq!(next_end(now.parse().unwrap(), timeframe), next.parse::<DateTime<Utc>>().unwrap(), "{now}");
        }
    }
}
