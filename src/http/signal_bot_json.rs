//! The state of what makes signals, as it goes out, and what changes it, as it comes in.

use aggregates::{Signal, signal::Open};
use chrono::{DateTime, Utc};
use poem_openapi::{Enum, Object, types::Example};
use projections::signals::{Check, Count};
use trading::{Price, StrategyKind};

use super::{
    body::{Fields, Input, one_of},
    signal_names::owner,
    signal_readings_json::SignalReadings,
    signal_words,
};

/// A strategy that can be chosen.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[oai(rename_all = "snake_case")]
pub(super) enum StrategyName {
    /// Two averages that cross while there is a trend.
    Trend,
    /// A price outside its Bollinger bands that goes back.
    Reversion,
    /// A price that leaves the channel of the last candles.
    Breakout,
    /// MACD that crosses its signal line.
    Momentum,
}

/// Which strategy is to make the signals.
#[derive(Object)]
#[oai(example, deny_unknown_fields)]
pub(super) struct StrategyChoice {
    /// Its name.
    strategy: StrategyName,
}

impl Example for StrategyChoice {
    fn example() -> Self {
        Self { strategy: StrategyName::Breakout }
    }
}

/// The strategy, as it was read.
pub(super) struct Chosen(pub(super) StrategyKind);

impl Input for Chosen {
    type Document = StrategyChoice;

    fn read(fields: &mut Fields) -> Option<Self> {
        fields.required("strategy", one_of(&StrategyKind::ALL, StrategyKind::as_str)).map(Self)
    }
}

/// Whether signals are opened.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[oai(rename_all = "snake_case")]
pub(super) enum BotState {
    /// They are, when a strategy proposes them.
    Running,
    /// An admin wants none opened. An open one goes on.
    Paused,
}

/// Whether the market can be judged.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[oai(rename_all = "snake_case")]
pub(super) enum MarketState {
    /// Gold is traded, and its candles are complete.
    Open,
    /// Gold is not traded now.
    Closed,
    /// Candles are missing: nothing is decided until they are there.
    Stale,
    /// No source of prices is configured.
    Unavailable,
}

/// What is known of the market.
#[derive(Object)]
#[oai(skip_serializing_if_is_none)]
pub(super) struct MarketStatus {
    /// Whether it can be judged.
    pub(super) state: MarketState,
    /// What that means, in words.
    pub(super) words: String,
    /// The market's time; in a replay it is not the world's.
    pub(super) now: DateTime<Utc>,
    /// The last price, as a decimal text.
    pub(super) price: Option<String>,
    /// When that was: the end of the last candle.
    pub(super) price_at: Option<DateTime<Utc>>,
    /// How far the candles are complete.
    pub(super) complete_until: Option<DateTime<Utc>>,
    /// When gold is traded again; missing while it is.
    pub(super) opens_at: Option<DateTime<Utc>>,
}

/// The signal that is open.
#[derive(Object)]
#[oai(skip_serializing_if_is_none)]
pub(super) struct OpenSignal {
    /// Its number.
    number: u32,
    /// Whose it is: `trend`, `reversion`, `breakout`, `momentum` or `by_hand`.
    strategy: String,
    /// `buy` or `sell`.
    direction: String,
    /// `waiting` or `running`.
    status: String,
    /// At which price it was entered; of one that waits, what it was opened for.
    entry: String,
    /// Where the stop is now.
    stop: String,
    /// How many targets were hit.
    targets_hit: u8,
    /// The next target; missing when all were hit.
    next_target: Option<String>,
    /// When it was opened.
    opened_at: DateTime<Utc>,
    /// Why the case for it does not hold; missing while it does.
    weakness: Option<String>,
    /// What it would come to per ounce, with the shares that were closed before, if the rest were closed at the last price.
    /// Missing without one, as `live_pips` and `live_r`.
    live_gain: Option<String>,
    /// The same in pips.
    live_pips: Option<f64>,
    /// The same in multiples of what it risked.
    live_r: Option<f64>,
}

impl OpenSignal {
    /// As it stands at the last price.
    pub(super) fn at(open: &Open, price: Option<Price>) -> Self {
        let (running, levels) = (open.running(), &open.levels);
        let live = price.map(|price| open.result_at(price));
        let hit = running.map_or(0, |running| running.hit);
        Self {
            number: open.number,
            strategy: owner(open.strategy).to_owned(),
            direction: levels.direction.as_str().to_owned(),
            status: if running.is_some() { "running" } else { "waiting" }.to_owned(),
            entry: running.map_or(levels.entry, |running| running.entry).to_string(),
            stop: running.map_or(levels.stop, |running| running.stop).to_string(),
            targets_hit: hit,
            next_target: levels.targets.get(usize::from(hit)).map(|target| target.price.to_string()),
            opened_at: open.opened_at,
            weakness: running.and_then(|running| running.weakness).map(|weakness| weakness.as_str().to_owned()),
            live_gain: live.map(|result| result.gain.to_string()),
            live_pips: live.map(|result| result.pips()),
            live_r: live.map(|result| result.r()),
        }
    }
}

/// The last time that it was looked for a signal.
#[derive(Object)]
#[oai(skip_serializing_if_is_none)]
pub(super) struct LastCheck {
    /// The end of the candle that was looked at.
    at: DateTime<Utc>,
    /// By which strategy.
    strategy: String,
    /// The signal that was opened.
    number: Option<u32>,
    /// Why none was, as a word: `no_cross`, `paused`, `blackout` …
    reason: Option<String>,
    /// What it came to, in words.
    words: String,
    /// What the strategy saw.
    readings: SignalReadings,
}

impl From<Check> for LastCheck {
    fn from(check: Check) -> Self {
        Self {
            words: signal_words::of_check(&check),
            at: check.at,
            number: check.outcome.as_ref().ok().copied(),
            reason: check.outcome.as_ref().err().map(|pass| pass.as_str().to_owned()),
            readings: (&check.readings).into(),
            strategy: check.strategy,
        }
    }
}

/// How often checks of a day came to something.
#[derive(Object)]
pub(super) struct CheckCount {
    /// By which strategy.
    strategy: String,
    /// `opened`, or why no signal was.
    reason: String,
    /// How often.
    checks: i32,
}

impl From<Count> for CheckCount {
    fn from(count: Count) -> Self {
        Self { strategy: count.strategy, reason: count.reason, checks: count.checks }
    }
}

/// What makes signals, and how it stands.
#[derive(Object)]
#[oai(example, skip_serializing_if_is_none)]
pub(super) struct SignalBotStatus {
    /// Whether signals are opened.
    pub(super) state: BotState,
    /// Since when none are.
    pub(super) paused_since: Option<DateTime<Utc>>,
    /// Who wants it.
    pub(super) paused_by: Option<String>,
    /// And why.
    pub(super) paused_reason: Option<String>,
    /// Which strategy makes them.
    pub(super) strategy: String,
    /// Which one will, when the open signal has ended.
    pub(super) queued_strategy: Option<String>,
    /// How often the configuration was changed: its ETag.
    pub(super) config_revision: u32,
    /// The number of the last signal; 0 before the first.
    pub(super) last_number: u32,
    /// The signal that is open.
    pub(super) open: Option<OpenSignal>,
    /// When it is looked for a signal again, if the market is open then; missing while one is open, and without a market.
    pub(super) next_check_at: Option<DateTime<Utc>>,
    /// The last time it was; missing before the first.
    pub(super) last_check: Option<LastCheck>,
    /// What the checks of the day (UTC, by the market's time) came to, the most frequent first.
    pub(super) checks_today: Vec<CheckCount>,
    /// The market.
    pub(super) market: MarketStatus,
}

/// What the aggregate says of itself.
pub(super) struct Bot {
    pub(super) paused: Option<(DateTime<Utc>, String, String)>,
    pub(super) strategy: StrategyKind,
    pub(super) queued: Option<StrategyKind>,
    pub(super) revision: u32,
    pub(super) last: u32,
    pub(super) open: Option<Open>,
}

impl Bot {
    pub(super) fn of(signal: &Signal) -> Self {
        Self {
            paused: signal
                .paused()
                .map(|pause| (pause.since, pause.by_hand.by.reveal().clone(), pause.by_hand.reason.reveal().clone())),
            strategy: signal.strategy(),
            queued: signal.queued(),
            revision: signal.revision(),
            last: signal.last(),
            open: signal.open().cloned(),
        }
    }
}

impl Example for SignalBotStatus {
    fn example() -> Self {
        let at = |minutes: i64| DateTime::from_timestamp(1_800_003_600 + 60 * minutes, 0).unwrap_or_default();
        Self {
            state: BotState::Running,
            paused_since: None,
            paused_by: None,
            paused_reason: None,
            strategy: "trend".to_owned(),
            queued_strategy: None,
            config_revision: 3,
            last_number: 17,
            open: None,
            next_check_at: Some(at(15)),
            last_check: Some(LastCheck {
                at: at(0),
                strategy: "trend".to_owned(),
                number: None,
                reason: Some("no_cross".to_owned()),
                words: "No signal: the averages did not cross.".to_owned(),
                readings: SignalReadings::example(),
            }),
            checks_today: vec![CheckCount { strategy: "trend".to_owned(), reason: "no_cross".to_owned(), checks: 31 }],
            market: MarketStatus {
                state: MarketState::Open,
                words: "Gold is traded, and its candles are complete.".to_owned(),
                now: at(4),
                price: Some("4013.1".to_owned()),
                price_at: Some(at(4)),
                complete_until: Some(at(4)),
                opens_at: None,
            },
        }
    }
}
