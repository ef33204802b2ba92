//! How long the source is left alone after it was asked, and what is told of it.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use super::{CaughtUp, LATE, Market, MarketError};
use crate::integrations::twelve_data::{Refused, TwelveDataError};

/// A minute that is lacking is asked for again after as long as it has been lacking, but not
/// sooner than the first of these, and not later than the second.
const FIRST: Duration = Duration::from_secs(2);
const LONGEST: Duration = Duration::from_secs(30);
/// After no answer, which the client has asked for a few times already.
const OUTAGE: Duration = Duration::from_secs(10);
/// After an answer that will be the same the next time, as far as one can see.
const SENSELESS: Duration = Duration::from_secs(60);
/// A key that is wrong stays so until somebody mends it.
const WRONG_KEY: Duration = Duration::from_secs(300);
/// The credits of a minute are used up for no longer than that.
const MINUTE: Duration = Duration::from_secs(61);

/// What was told last, so that nothing is told again and again. Clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct Told(Arc<Mutex<(Trouble, Vec<Refused>)>>);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Trouble {
    #[default]
    None,
    Late,
    Key,
    Credits,
    Answer,
    Outage,
    Kept,
}

impl Market {
    /// How long nobody should ask after a run; none when it makes no difference. In a replay it
    /// does not: its twin counts no credits, and its market may be fast.
    ///
    /// It depends on what was found alone, and not on how often this process has asked: the
    /// processes take turns.
    #[must_use]
    pub fn rest(&self, done: &Result<CaughtUp, MarketError>) -> Option<Duration> {
        if self.replayed {
            return None;
        }
        let wait = match done {
            Ok(done) => done.lacking.map(|lacking| lacking.to_std().unwrap_or_default().clamp(FIRST, LONGEST)),
            Err(MarketError::TwelveData(error)) => Some(match error {
                TwelveDataError::OutOfCredits { after, .. } => *after,
                TwelveDataError::Unauthorized { .. } => WRONG_KEY,
                TwelveDataError::Rejected { .. } | TwelveDataError::Unreadable { .. } => SENSELESS,
                TwelveDataError::Unavailable { .. } => OUTAGE,
            }),
            // What cannot be kept was asked for in vain.
            Err(MarketError::Store(_)) => Some(SENSELESS),
            Err(_) => None,
        };
        wait.max(self.client.closed_for())
    }

    /// Logs what came of a run, if it is something else than before.
    pub fn tell(&self, done: &Result<CaughtUp, MarketError>) {
        // That is how a long history is fetched.
        if matches!(done, Err(MarketError::TwelveData(TwelveDataError::OutOfCredits { after, .. })) if *after <= MINUTE)
        {
            tracing::debug!("the credits of this minute are used up");
            return;
        }
        let trouble = match done {
            Ok(done) if done.lacking.is_some_and(|lacking| lacking > LATE) => Trouble::Late,
            Ok(_) => Trouble::None,
            Err(MarketError::TwelveData(TwelveDataError::OutOfCredits { .. })) => Trouble::Credits,
            Err(MarketError::TwelveData(TwelveDataError::Unauthorized { .. })) => Trouble::Key,
            Err(MarketError::TwelveData(TwelveDataError::Unavailable { .. })) => Trouble::Outage,
            Err(MarketError::TwelveData(_)) => Trouble::Answer,
            Err(_) => Trouble::Kept,
        };
        let before = std::mem::replace(&mut self.told.lock().0, trouble);
        match done {
            _ if before == trouble => tracing::debug!(?trouble, ?done, "fetched candles"),
            Err(error) => tracing::warn!(error = error as &dyn std::error::Error, "candles are not complete"),
            Ok(done) if trouble == Trouble::Late => {
                tracing::warn!(until = ?done.until, "candles are lacking, though the market should be open");
            }
            Ok(done) => tracing::info!(until = ?done.until, "candles are complete again"),
        }
    }

    /// Logs which candles cannot be, unless they are the same as before.
    pub(super) fn tell_refused(&self, refused: &[Refused]) {
        if self.told.lock().1 == refused {
            return;
        }
        for Refused { opened_at, reason } in refused {
            let opened_at = opened_at.map(|at| at.to_string());
            tracing::warn!(opened_at, reason, "Twelve Data sent a candle that cannot be");
        }
        self.told.lock().1 = refused.to_vec();
    }
}

impl Told {
    fn lock(&self) -> std::sync::MutexGuard<'_, (Trouble, Vec<Refused>)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
