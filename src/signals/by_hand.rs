//! What admins decide about signals has the market's prices: those of a market that is open
//! and known, after all that is known of it was judged.

use aggregates::{
    ByHand,
    signal::{Command, XAUUSD},
};
use chrono::{DateTime, Utc};
use trading::{Levels, Price, calendar};

use super::watch::WatchError;
use crate::{
    app::App,
    log::LogError,
    market::{Market, MarketError, Stale},
};

/// Why an admin cannot decide it now.
#[derive(Debug, thiserror::Error)]
pub enum ByHandError {
    /// There is no market.
    #[error("the market is not configured")]
    NoMarket,
    /// Nothing is bought or sold now.
    #[error("the market is closed{}", opens.map(|at| format!(" until {at}")).unwrap_or_default())]
    Closed {
        /// When it opens; none after the end of a recording.
        opens: Option<DateTime<Utc>>,
    },
    /// The market could not be looked at, or is not known well enough.
    #[error(transparent)]
    Market(#[from] MarketError),
    /// What is known of it could not be judged first.
    #[error(transparent)]
    Watch(#[from] WatchError),
    /// The signals could not be looked at.
    #[error(transparent)]
    Log(#[from] LogError),
}

/// A signal as an admin wants it.
#[derive(Debug)]
pub struct Wanted {
    /// Its prices.
    pub levels: Levels,
    /// Whether it is entered only when the price comes into its zone.
    pub waits: bool,
    /// When it is over in any case.
    pub expires_at: Option<DateTime<Utc>>,
}

/// The command that opens a signal: at the last price, or, if it waits, with a market that
/// says when it is entered.
///
/// # Errors
/// [`ByHandError`].
pub async fn opening(app: &App, wanted: Wanted, by_hand: ByHand) -> Result<Command, ByHandError> {
    let Wanted { levels, waits, expires_at } = wanted;
    let (price, at) = if waits {
        (None, market(app)?.fresh(app).await?.now)
    } else {
        let (price, at) = price(app).await?;
        (Some(price), at)
    };
    app.watch.run(app).await?;
    Ok(Command::OpenByHand { levels, price, expires_at, by_hand, at })
}

/// The command that ends a signal: a position at the last price, after what the market did
/// was judged, so that a stop that was hit is not undone. One that waits needs no price.
///
/// # Errors
/// [`ByHandError`].
pub async fn ending(app: &App, number: u32, by_hand: ByHand) -> Result<Command, ByHandError> {
    // The price first, so that all that came before it is judged.
    let price = price(app).await;
    app.watch.run(app).await?;
    let is_position = app.signals.look(XAUUSD, |signal, _, _| {
        signal.open().is_some_and(|open| open.number == number && open.running().is_some())
    });
    let (price, at) = match price {
        Ok((price, at)) => (Some(price), at),
        Err(error) if is_position.await? => return Err(error),
        Err(_) => (None, super::now(app).await?),
    };
    Ok(Command::Cancel { number, price, by_hand, at })
}

/// The last price of a market that is open and known well enough, and the market's time.
async fn price(app: &App) -> Result<(Price, DateTime<Utc>), ByHandError> {
    let standing = market(app)?.fresh(app).await?;
    if !standing.is_open() {
        return Err(ByHandError::Closed { opens: standing.opens_at() });
    }
    let latest = standing.latest.ok_or(MarketError::Stale(Stale::Nothing))?;
    // Nobody knows yet how far it jumped.
    if latest.opened_at < calendar::last_close(standing.now) {
        return Err(MarketError::Stale(Stale::JustOpened).into());
    }
    Ok((latest.close, standing.now))
}

fn market(app: &App) -> Result<&Market, ByHandError> {
    app.market.as_ref().ok_or(ByHandError::NoMarket)
}
