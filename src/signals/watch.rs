//! Shows the market to the signals, minute by minute, by one process at a time.
//!
//! What was looked at is not written down: after a restart, the candles since the last
//! event are looked at again, and come to the same ([record 0020](../../../docs/decisions/0020-signals.md)).

use std::sync::Arc;

use aggregates::{
    Signal,
    signal::{Basis, Command, Event, Observation, Open, Refusal},
};
use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use futures_util::{StreamExt, TryStreamExt};
use tokio::sync::Mutex;
use trading::{Candle, Direction, Look, Lookout, Settings, StrategyKind, calendar};

use crate::{
    app::App,
    executor::{SendError, Wish},
    log::{Cause, LogError},
    market::{GOLD, Market, MarketError, store},
};

/// How long the candles are that signals are judged on.
const LENGTH: TimeDelta = TimeDelta::minutes(1);
/// How much of the past is shown at a time after a long stop.
const STRETCH: TimeDelta = TimeDelta::days(7);
/// Candles without anything due that are shown together.
const TOGETHER: usize = 1_000;

/// Why the signals could not be shown the market.
#[derive(Debug, thiserror::Error)]
pub enum WatchError {
    /// The market could not be looked at.
    #[error(transparent)]
    Market(#[from] MarketError),
    /// Candles could not be read.
    #[error("candles could not be read")]
    Candles(#[source] sqlx::Error),
    /// The signals could not be looked at.
    #[error(transparent)]
    Log(#[from] LogError),
    /// They could not be told.
    #[error("what the market did could not be told to the signals")]
    Send(#[source] SendError<Refusal>),
}

/// The look-out of this process. It is made again whenever it is in doubt.
#[derive(Debug, Default)]
pub struct Watch(Mutex<Option<Post>>);

/// A look-out and how far it has seen.
#[derive(Debug)]
struct Post {
    /// For new signals.
    lookout: Lookout,
    /// For the open one, where that was made by other settings or another strategy.
    other: Option<Lookout>,
    /// The end of the last candle that the signals were shown.
    until: DateTime<Utc>,
}

/// What the look-out has to know of the signals.
struct Standing {
    basis: Basis,
    settings: Arc<Settings>,
    open: Option<Case>,
    looked_until: Option<DateTime<Utc>>,
    next_recap: Option<DateTime<Utc>>,
}

/// An open signal whose case is looked at: that of a strategy.
struct Case {
    direction: Direction,
    strategy: StrategyKind,
    settings: Arc<Settings>,
}

impl Case {
    fn of(open: &Open) -> Option<Self> {
        let (direction, settings) = (open.levels.direction, open.settings.clone());
        open.strategy.map(|strategy| Self { direction, strategy, settings })
    }

    fn is_of(&self, lookout: &Lookout) -> bool {
        lookout.is_for(self.strategy, &self.settings)
    }
}

/// How a look ended.
enum Looked {
    /// All was shown.
    All,
    /// Signals are made otherwise: what follows is for another look-out to see.
    Otherwise,
}

impl Standing {
    fn of(signal: &Signal) -> Self {
        Self {
            basis: signal.basis(),
            settings: signal.settings().clone(),
            open: signal.open().and_then(Case::of),
            looked_until: signal.looked_until(),
            next_recap: signal.next_recap(),
        }
    }

    async fn now(app: &App) -> Result<Self, LogError> {
        app.signals.look(GOLD, |signal, _, _| Self::of(signal)).await
    }
}

impl Watch {
    /// Shows the signals all complete candles that they have not seen.
    ///
    /// # Errors
    /// [`WatchError`]. The next run begins where the signals are.
    pub async fn run(&self, app: &App) -> Result<(), WatchError> {
        let Some(market) = &app.market else { return Ok(()) };
        let read = WatchError::Candles;
        // Before it is known how far the candles go: that must not lie behind what another run has shown.
        let mut place = self.0.lock().await;
        let Some(covered) = store::coverage(&app.pool, GOLD).await.map_err(read)? else { return Ok(()) };
        // Taken out, so that after an error the next run makes it anew.
        let mut post = place.take();
        let mut seen = None;
        loop {
            let standing = Standing::now(app).await?;
            let mut current = match post.take() {
                Some(post) if post.is_for(&standing) => post,
                other => {
                    let seen = seen.take().or(other.map(|post| post.until)).or(standing.looked_until);
                    let begin = match seen {
                        // A recap may be of a time in which the market was closed, and what is decided by hand
                        // lies within a candle, which is judged as a whole.
                        Some(seen) => Some(seen.duration_trunc(LENGTH).unwrap_or(seen).min(covered.until)),
                        None => beginning(app, market, covered.until).await?,
                    };
                    // The past that strategies want to know is still being fetched.
                    let Some(begin) = begin.filter(|begin| *begin <= covered.until) else { return Ok(()) };
                    Post::taken_up(app, &standing, begin).await?
                }
            };
            let to = covered.until.min(current.until + STRETCH);
            match current.look(app, market, standing, to).await? {
                Looked::Otherwise => seen = Some(current.until),
                Looked::All if to < covered.until => post = Some(current),
                Looked::All => {
                    *place = Some(current);
                    return recap(app, market, covered.until).await;
                }
            }
        }
    }
}

/// Where signals begin that have seen nothing: with the replay, or where the market is now,
/// once its past is known.
async fn beginning(
    app: &App,
    market: &Market,
    covered_until: DateTime<Utc>,
) -> Result<Option<DateTime<Utc>>, WatchError> {
    if let Some(begins) = market.begins(app).await? {
        return Ok(Some(begins));
    }
    match market.fresh(app).await {
        Ok(_) => Ok(Some(covered_until)),
        Err(MarketError::Stale(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

impl Post {
    /// One that knows the candles before `begin`, and acts on those after it.
    async fn taken_up(app: &App, standing: &Standing, begin: DateTime<Utc>) -> Result<Self, WatchError> {
        let lookout = warmed_up(app, standing.basis.strategy, &standing.settings, begin).await?;
        let other = match standing.open.as_ref().filter(|open| !open.is_of(&lookout)) {
            Some(open) => Some(warmed_up(app, open.strategy, &open.settings, begin).await?),
            None => None,
        };
        Ok(Self { lookout, other, until: begin })
    }

    /// Whether it looks for new signals and at the open one as they are made.
    fn is_for(&self, standing: &Standing) -> bool {
        let sees =
            |open: &Case| open.is_of(&self.lookout) || self.other.as_ref().is_some_and(|other| open.is_of(other));
        self.lookout.is_for(standing.basis.strategy, &standing.settings) && standing.open.as_ref().is_none_or(sees)
    }

    /// What is due at the end of a candle: of new signals by the settings in force, of the open
    /// one by its own.
    fn push(&mut self, candle: &Candle, open: Option<&Case>) -> Look {
        let open_here = open.filter(|open| open.is_of(&self.lookout)).map(|open| open.direction);
        let mut look = self.lookout.push(candle, open_here);
        match open.filter(|_| open_here.is_none()) {
            Some(open) => {
                let other = self.other.as_mut().map(|other| other.push(candle, Some(open.direction)));
                look.review = other.and_then(|other| other.review);
            }
            None => self.other = None,
        }
        look
    }

    /// Shows the candles until `to`.
    async fn look(
        &mut self,
        app: &App,
        market: &Market,
        mut standing: Standing,
        to: DateTime<Utc>,
    ) -> Result<Looked, WatchError> {
        let candles = store::read(&app.pool, GOLD, self.until, to).await.map_err(WatchError::Candles)?;
        let mut pending = vec![];
        for candle in candles {
            let look = self.push(&candle, standing.open.as_ref());
            pending.push(candle);
            let was_due = !look.is_empty();
            if !was_due && pending.len() < TOGETHER {
                continue;
            }
            let candles = std::mem::take(&mut pending);
            let Some(events) = tell(app, market, standing.basis, candles, look).await? else {
                return Ok(Looked::Otherwise);
            };
            if let Some(at) = handed_over(&events) {
                self.until = at;
                return Ok(Looked::Otherwise);
            }
            self.until = candle.opened_at + LENGTH;
            // Another process may have been first, and opened or ended a signal.
            if was_due || !events.is_empty() {
                standing = Standing::now(app).await?;
                if !self.is_for(&standing) {
                    return Ok(Looked::Otherwise);
                }
            }
        }
        if !pending.is_empty() {
            let Some(events) = tell(app, market, standing.basis, pending, Look::default()).await? else {
                return Ok(Looked::Otherwise);
            };
            if let Some(at) = handed_over(&events) {
                self.until = at;
                return Ok(Looked::Otherwise);
            }
        }
        self.until = self.until.max(to);
        Ok(Looked::All)
    }
}

/// A look-out that knows the candles before `begin`.
async fn warmed_up(
    app: &App,
    strategy: StrategyKind,
    settings: &Arc<Settings>,
    begin: DateTime<Utc>,
) -> Result<Lookout, WatchError> {
    let mut lookout = Lookout::new(strategy, settings.clone(), LENGTH);
    let from = begin - Lookout::warm_up(strategy, settings);
    let mut candles = store::stream(&app.pool, GOLD, from, begin).boxed();
    while let Some(candle) = candles.try_next().await.map_err(WatchError::Candles)? {
        lookout.push(&candle, None);
    }
    Ok(lookout)
}

/// When another strategy took over; none when none did. Candles after that were not judged.
fn handed_over(events: &[Event]) -> Option<DateTime<Utc>> {
    events.iter().find_map(|event| if let Event::StrategyChosen { at, .. } = event { Some(*at) } else { None })
}

/// Makes the recaps of a time of which nothing else can come: all candles that there are have
/// been shown, and while the market is closed there are none.
async fn recap(app: &App, market: &Market, covered_until: DateTime<Utc>) -> Result<(), WatchError> {
    let standing = Standing::now(app).await?;
    let Some(due) = standing.next_recap else { return Ok(()) };
    let until = calendar::next_open(covered_until).min(market.now(app).await?).max(covered_until);
    if due <= until {
        let (basis, candles) = (standing.basis, vec![]);
        let quiet =
            Observation { basis, candles, length: LENGTH, until: Some(until), check: None, review: None, late: false };
        // If it is refused, the next run sees why.
        observe(app, quiet).await?;
    }
    Ok(())
}

/// Tells the signals what the market did, and what the strategy says at its end; none when
/// they are made otherwise than what that was seen with.
async fn tell(
    app: &App,
    market: &Market,
    basis: Basis,
    candles: Vec<Candle>,
    look: Look,
) -> Result<Option<Vec<Event>>, WatchError> {
    let late = match (market.late_after(), candles.last()) {
        (Some(after), Some(last)) => market.now(app).await? - (last.opened_at + LENGTH) > after,
        _ => false,
    };
    let Look { check, review } = look;
    observe(app, Observation { basis, candles, length: LENGTH, until: None, check, review, late }).await
}

async fn observe(app: &App, observation: Observation) -> Result<Option<Vec<Event>>, WatchError> {
    let command = Command::Observe(observation);
    let cause = Cause { actor: "system".into(), correlation: app.clock.new_id(), causation: "timer:signals".into() };
    let wish = Wish { command, cause, once: None, expected: None };
    match app.signals.send(GOLD, wish).await {
        Ok(done) => Ok(Some(done.events)),
        Err(SendError::Refused(Refusal::Outdated)) => Ok(None),
        Err(error) => Err(WatchError::Send(error)),
    }
}
