//! The gold market: what its time is, what the price did, and whether we know it all.
//!
//! Candles of one minute come from Twelve Data, or in the sandbox from its twin, and are
//! kept in PostgreSQL. Whoever decides on them asks first whether they are
//! [complete](Market::fresh).

mod feed;
mod rest;
pub mod store;

use chrono::{DateTime, TimeDelta, Utc};
use trading::{Candle, calendar};

use crate::{
    app::App,
    integrations::twelve_data::{
        TwelveData, TwelveDataError,
        twin::{Replay, ReplayError},
    },
};
pub use feed::CaughtUp;
use store::{Coverage, StoreError};

/// Gold in US dollars, as it is called here.
pub const GOLD: &str = "XAUUSD";
/// The same, as Twelve Data calls it.
const SYMBOL: &str = "XAU/USD";
/// So many minutes of an open market may be unknown.
const LATE: TimeDelta = TimeDelta::minutes(5);
/// In a replay, as much more as passes in this time of the world.
const REPLAY_LATE: TimeDelta = TimeDelta::seconds(10);

/// Access to the market.
#[derive(Debug, Clone)]
pub struct Market {
    client: TwelveData,
    replayed: bool,
    told: rest::Told,
}

/// What is known of the market.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// The market's time.
    pub now: DateTime<Utc>,
    /// How far the candles are complete; none when there are none.
    pub coverage: Option<Coverage>,
    /// The last candle.
    pub latest: Option<Candle>,
    /// So long an open market may be unknown.
    late: TimeDelta,
    /// Whether it is a recording, which is over.
    is_over: bool,
}

/// The candles are not complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Stale {
    /// There are none.
    #[error("there are no candles yet")]
    Nothing,
    /// The market has opened, and its first candle is not known.
    #[error("there is no price yet since the market opened")]
    JustOpened,
    /// They end too long ago.
    #[error("the candles are complete until {until} only: {minutes} minutes of trade are missing")]
    Behind {
        /// How far they are complete.
        until: DateTime<Utc>,
        /// Minutes since then in which the market was open.
        minutes: i64,
    },
}

/// Why the market could not be looked at.
#[derive(Debug, thiserror::Error)]
pub enum MarketError {
    /// The sandbox's replay cannot be read.
    #[error("the replay of the market cannot be read")]
    Replay(#[from] ReplayError),
    /// Twelve Data could not be asked.
    #[error("candles could not be fetched")]
    TwelveData(#[from] TwelveDataError),
    /// Candles could not be kept.
    #[error("candles could not be kept")]
    Store(#[from] StoreError),
    /// The database said no.
    #[error("{operation} failed")]
    Database {
        /// What was tried.
        operation: &'static str,
        /// What the database said.
        source: sqlx::Error,
    },
    /// Nothing may be decided on the candles.
    #[error(transparent)]
    Stale(#[from] Stale),
}

impl Market {
    /// The market that this client sees. In a replay its time is that of
    /// [`Replay`], and not the world's.
    #[must_use]
    pub fn new(client: TwelveData, replayed: bool) -> Self {
        Self { client, replayed, told: rest::Told::default() }
    }

    /// Whether it is the sandbox's, whose time is not the world's.
    #[must_use]
    pub const fn is_replayed(&self) -> bool {
        self.replayed
    }

    /// How long after its minute something may still be told to people as news; none in a
    /// replay, whose time is not theirs.
    #[must_use]
    pub const fn late_after(&self) -> Option<TimeDelta> {
        if self.replayed { None } else { Some(LATE) }
    }

    /// The market's time.
    ///
    /// # Errors
    /// In a replay, when it cannot be read.
    pub async fn now(&self, app: &App) -> Result<DateTime<Utc>, MarketError> {
        Ok(match self.replay(app).await? {
            None => app.clock.now(),
            Some(replay) => replay.at(app.clock.now()),
        })
    }

    async fn replay(&self, app: &App) -> Result<Option<Replay>, MarketError> {
        if !self.replayed {
            return Ok(None);
        }
        Ok(Some(Replay::read(&app.pool).await?))
    }

    /// When a replay began; none when it is no replay. Before that, nothing is acted on.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn begins(&self, app: &App) -> Result<Option<DateTime<Utc>>, MarketError> {
        Ok(self.replay(app).await?.map(|replay| replay.origin()))
    }

    /// When the recording ends that is replayed; none when there is no such end.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn ends(&self, app: &App) -> Result<Option<DateTime<Utc>>, MarketError> {
        Ok(self.replay(app).await?.and_then(|replay| replay.ends_at()))
    }

    /// What is known of the market.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn standing(&self, app: &App) -> Result<Standing, MarketError> {
        let replay = self.replay(app).await?;
        let real = app.clock.now();
        let now = replay.as_ref().map_or(real, |replay| replay.at(real));
        let late = LATE + replay.as_ref().map_or(TimeDelta::zero(), |replay| replay.open_time_in(REPLAY_LATE));
        let is_over = replay.as_ref().and_then(Replay::ends_at).is_some_and(|ends_at| ends_at <= now);
        let read = |source| MarketError::Database { operation: "read candles", source };
        let coverage = store::coverage(&app.pool, GOLD).await.map_err(read)?;
        let latest = store::latest(&app.pool, GOLD).await.map_err(read)?;
        Ok(Standing { now, coverage, latest, late, is_over })
    }

    /// What is known of the market, if something may be decided on it: while the market is
    /// open, its candles must be complete up to within five minutes. (In a fast replay,
    /// within what passes in ten seconds more.)
    ///
    /// # Errors
    /// [`MarketError::Stale`], or when it cannot be read.
    pub async fn fresh(&self, app: &App) -> Result<Standing, MarketError> {
        let standing = self.standing(app).await?;
        standing.fresh()?;
        Ok(standing)
    }
}

impl Standing {
    /// Whether gold is traded now.
    #[must_use]
    pub fn is_open(&self) -> bool {
        calendar::is_open(self.now) && !self.is_over
    }

    /// When gold is traded again; none while it is, and after the end of a recording.
    #[must_use]
    pub fn opens_at(&self) -> Option<DateTime<Utc>> {
        (!self.is_open() && !self.is_over).then(|| calendar::next_open(self.now))
    }

    /// Whether it is a recording, which is over.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        self.is_over
    }

    /// Whether something may be decided on the candles.
    ///
    /// # Errors
    /// [`Stale`].
    pub fn fresh(&self) -> Result<(), Stale> {
        let until = self.coverage.as_ref().ok_or(Stale::Nothing)?.until;
        let missing = calendar::open_time_between(until, self.now);
        if missing > self.late {
            return Err(Stale::Behind { until, minutes: missing.num_minutes() });
        }
        Ok(())
    }
}
