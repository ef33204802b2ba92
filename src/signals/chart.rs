//! Charts of signals: what the price did around one, and what happened to it.

use aggregates::signal::{Event, SignalResult};
use charts::{Mark, Status, Tone};
use chrono::{DateTime, TimeDelta, Utc};
use trading::{Candle, Exit, Grouping, Levels, Price, Timeframe};

use crate::{app::App, market::store};

/// Candles before a signal that its chart shows.
const BEFORE: i32 = 60;
/// Candles of a chart.
const CANDLES: i32 = 120;

/// What a chart shows.
#[derive(Debug, Clone)]
pub struct Chart {
    /// The instrument, as its stream is called.
    pub stream: String,
    /// The signal's number.
    pub number: u32,
    /// How long the candles are.
    pub timeframe: Timeframe,
    /// The smallest step of the price.
    pub tick: Price,
    /// When the signal was opened.
    pub opened_at: DateTime<Utc>,
    /// Its prices.
    pub levels: Levels,
    /// Where the chart ends.
    pub until: DateTime<Utc>,
    /// What happened to it, in order: see [`mark`].
    pub marks: Vec<charts::Event>,
    /// What it came to, or would.
    pub result: Option<SignalResult>,
}

/// Why a chart could not be drawn.
#[derive(Debug, thiserror::Error)]
pub enum ChartError {
    /// Candles could not be read.
    #[error("candles could not be read")]
    Candles(#[source] sqlx::Error),
    /// It could not be drawn.
    #[error("the chart could not be drawn")]
    Draw(#[from] charts::Error),
    /// Whatever drew it gave up.
    #[error("the drawing was broken off")]
    BrokenOff(#[source] tokio::task::JoinError),
}

impl Chart {
    /// Draws it as PNG; none without candles.
    ///
    /// # Errors
    /// [`ChartError`].
    pub async fn draw(self, app: &App) -> Result<Option<Vec<u8>>, ChartError> {
        let candles = self.candles(app).await.map_err(ChartError::Candles)?;
        if candles.is_empty() {
            return Ok(None);
        }
        let drawn = tokio::task::spawn_blocking(move || {
            let status = self.result.map(|result| (in_r(result), tone(result)));
            charts::signal(&charts::Chart {
                instrument: &shown(&self.stream),
                number: u64::from(self.number),
                timeframe: self.timeframe,
                decimals: decimals(self.tick),
                candles: &candles,
                levels: &self.levels,
                opened_at: last_minute(self.opened_at),
                events: &self.marks,
                status: status.as_ref().map(|(text, tone)| Status { text, tone: *tone }),
            })
        });
        Ok(Some(drawn.await.map_err(ChartError::BrokenOff)??))
    }

    /// The candles around the signal.
    async fn candles(&self, app: &App) -> Result<Vec<Candle>, sqlx::Error> {
        let Self { timeframe, until, .. } = *self;
        let lived = (until - self.opened_at).num_minutes() / timeframe.minutes().max(1);
        // Of a long one the beginning is left out rather than the end; weekends have no candles.
        let shown = i32::try_from(lived).unwrap_or(CANDLES).saturating_add(BEFORE).min(CANDLES);
        let from = timeframe.start_of(until - timeframe.length() * shown - TimeDelta::days(3));
        let minutes = store::read(&app.pool, &self.stream, from, until).await?;
        let mut grouping = Grouping::new(timeframe);
        let mut candles: Vec<Candle> = vec![];
        let mut current: Option<Candle> = None;
        for minute in &minutes {
            let start = timeframe.start_of(minute.opened_at);
            let pushed = grouping.push(minute, TimeDelta::minutes(1));
            candles.extend([pushed.before, pushed.now].into_iter().flatten());
            current = match (pushed.now, current.filter(|candle| candle.opened_at == start)) {
                (Some(_), _) => None,
                (None, Some(candle)) => Some(candle.and_then(minute)),
                (None, None) => Some(Candle { opened_at: start, ..*minute }),
            };
        }
        // The last one is shown as far as it has come.
        candles.extend(current);
        let spare = candles.len().saturating_sub(usize::try_from(shown).unwrap_or_default());
        Ok(candles.split_off(spare))
    }
}

/// `+1.70 R`.
fn in_r(result: SignalResult) -> String {
    let text = format!("{:.2}", result.r().abs());
    let sign = match result.gain {
        _ if text == "0.00" => "",
        gain if gain < Price::ZERO => "−",
        _ => "+",
    };
    format!("{sign}{text} R")
}

fn tone(result: SignalResult) -> Tone {
    match result.gain {
        gain if gain > Price::ZERO => Tone::Good,
        gain if gain < Price::ZERO => Tone::Bad,
        _ => Tone::Neutral,
    }
}

/// What a chart shows of an event; none when nothing.
#[must_use]
pub fn mark(event: &Event) -> Option<charts::Event> {
    let (price, mark) = match event {
        Event::TargetHit { price, target, .. } => (*price, Mark::Target(*target)),
        Event::StopMoved { stop, .. } => (*stop, Mark::StopMoved),
        Event::Closed { price: Some(price), exit, .. } => (*price, end(*exit)?),
        _ => return None,
    };
    Some(charts::Event { at: last_minute(event.at()), price, mark })
}

/// What a chart shows of an end; nothing of the last target, whose own mark is there.
#[must_use]
pub const fn end(exit: Exit) -> Option<Mark> {
    match exit {
        Exit::Target => None,
        Exit::Stop | Exit::Breakeven => Some(Mark::Stop),
        Exit::Stagnant | Exit::Weak | Exit::Cancelled | Exit::Expired => Some(Mark::Closed),
    }
}

/// In the candle that brought an event, whose end the event says.
#[must_use]
pub fn last_minute(at: DateTime<Utc>) -> DateTime<Utc> {
    at - TimeDelta::seconds(1)
}

/// Decimal places of prices whose smallest step this is.
#[must_use]
pub fn decimals(tick: Price) -> u32 {
    (0..5).find(|decimals| tick.units() % (Price::SCALE / 10_i64.pow(*decimals)) == 0).unwrap_or(5)
}

/// `XAU/USD` of `XAUUSD`.
#[must_use]
pub fn shown(stream: &str) -> String {
    match stream.len() == 6 && stream.is_ascii() {
        true => format!("{}/{}", &stream[..3], &stream[3..]),
        false => stream.to_owned(),
    }
}
