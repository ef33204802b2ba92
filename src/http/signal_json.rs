//! Signals as they come in and go out.

use aggregates::{Signal, signal};
use chrono::{DateTime, Utc};
use cqrs_es::DomainEvent;
use poem_openapi::{ApiResponse, Enum, Object, payload::Json, types::Example};
use projections::{
    page::{Cursor, Key},
    signals::{Row, Sort, Status, Step, Whose},
};
use serde_json::Value;
use trading::{Direction, Exit, Levels, Price, Session, StrategyKind};
use uuid::Uuid;

use super::{
    body::{Fields, Input, flag, instant, text},
    csv::{Columns, line, maybe, time},
    mutation::etag,
    problem::Answer,
    signal_config_json::{ForexConfig, SignalReadings},
    signal_words,
};
use crate::executor::Done;

/// Where a signal stands.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[oai(rename_all = "snake_case")]
pub(super) enum SignalStatus {
    /// For the price to come into its zone.
    Waiting,
    /// The position is open.
    Running,
    /// It is over.
    Closed,
}

impl From<SignalStatus> for Status {
    fn from(status: SignalStatus) -> Self {
        match status {
            SignalStatus::Waiting => Self::Waiting,
            SignalStatus::Running => Self::Running,
            SignalStatus::Closed => Self::Closed,
        }
    }
}

/// Which way a signal goes.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[oai(rename_all = "snake_case")]
pub(super) enum SignalDirection {
    /// It earns when the price rises.
    Buy,
    /// It earns when the price falls.
    Sell,
}

impl From<SignalDirection> for Direction {
    fn from(direction: SignalDirection) -> Self {
        match direction {
            SignalDirection::Buy => Self::Buy,
            SignalDirection::Sell => Self::Sell,
        }
    }
}

/// Who proposes signals.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[oai(rename_all = "snake_case")]
pub(super) enum SignalOwner {
    /// Two averages that cross while there is a trend.
    Trend,
    /// A price outside its Bollinger bands that goes back.
    Reversion,
    /// A price that leaves the channel of the last candles.
    Breakout,
    /// MACD that crosses its signal line.
    Momentum,
    /// An admin.
    ByHand,
}

impl From<SignalOwner> for Whose {
    fn from(owner: SignalOwner) -> Self {
        match owner {
            SignalOwner::Trend => Self::Strategy(StrategyKind::Trend),
            SignalOwner::Reversion => Self::Strategy(StrategyKind::Reversion),
            SignalOwner::Breakout => Self::Strategy(StrategyKind::Breakout),
            SignalOwner::Momentum => Self::Strategy(StrategyKind::Momentum),
            SignalOwner::ByHand => Self::ByHand,
        }
    }
}

/// The word for whose a signal is.
pub(super) fn owner(strategy: Option<StrategyKind>) -> &'static str {
    strategy.map_or("by_hand", StrategyKind::as_str)
}

/// How a signal ended.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[oai(rename_all = "snake_case")]
pub(super) enum SignalExit {
    /// Its last target was hit.
    Target,
    /// Its stop was hit where it was first.
    Stop,
    /// Its stop was hit after it had been moved to the entry.
    Breakeven,
    /// It was open for long without a target hit.
    Stagnant,
    /// The case for it no longer held.
    Weak,
    /// Somebody ended it.
    Cancelled,
    /// Its time was over.
    Expired,
}

impl From<SignalExit> for Exit {
    fn from(exit: SignalExit) -> Self {
        match exit {
            SignalExit::Target => Self::Target,
            SignalExit::Stop => Self::Stop,
            SignalExit::Breakeven => Self::Breakeven,
            SignalExit::Stagnant => Self::Stagnant,
            SignalExit::Weak => Self::Weak,
            SignalExit::Cancelled => Self::Cancelled,
            SignalExit::Expired => Self::Expired,
        }
    }
}

/// A part of the trading day. London and New York work from 8:00 to 17:00 by their own clocks, with their summer times.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[oai(rename_all = "snake_case")]
pub(super) enum TradingSession {
    /// Sydney and Tokyo: from the end of New York's day to the beginning of London's.
    Asia,
    /// London, before New York opens.
    London,
    /// London and New York are both open.
    Overlap,
    /// New York, when London has closed.
    NewYork,
}

impl From<TradingSession> for Session {
    fn from(session: TradingSession) -> Self {
        match session {
            TradingSession::Asia => Self::Asia,
            TradingSession::London => Self::London,
            TradingSession::Overlap => Self::Overlap,
            TradingSession::NewYork => Self::NewYork,
        }
    }
}

/// What a list of signals is sorted by; `-` for descending. What has not ended counts as the least by its result.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum SignalSort {
    /// The first one first.
    #[oai(rename = "number")]
    Number,
    /// The last one first.
    #[default]
    #[oai(rename = "-number")]
    NumberDescending,
    /// When it was opened, the oldest first.
    #[oai(rename = "opened_at")]
    OpenedAt,
    /// When it was opened, the newest first.
    #[oai(rename = "-opened_at")]
    OpenedAtDescending,
    /// What it came to in R, the worst first.
    #[oai(rename = "r")]
    R,
    /// What it came to in R, the best first.
    #[oai(rename = "-r")]
    RDescending,
    /// What it came to, the worst first.
    #[oai(rename = "gain")]
    Gain,
    /// What it came to, the best first.
    #[oai(rename = "-gain")]
    GainDescending,
}

impl SignalSort {
    /// By what, and whether descending.
    pub(super) const fn column(self) -> (Sort, bool) {
        match self {
            Self::Number => (Sort::Number, false),
            Self::NumberDescending => (Sort::Number, true),
            Self::OpenedAt => (Sort::OpenedAt, false),
            Self::OpenedAtDescending => (Sort::OpenedAt, true),
            Self::R => (Sort::R, false),
            Self::RDescending => (Sort::R, true),
            Self::Gain => (Sort::Gain, false),
            Self::GainDescending => (Sort::Gain, true),
        }
    }
}

/// A price to take a part of the profit at.
#[derive(Object)]
#[oai(skip_serializing_if_is_none)]
pub(super) struct SignalTarget {
    /// Where, as a decimal text.
    price: String,
    /// How much of the whole position is closed there, in percent.
    share: u8,
    /// When it was hit.
    hit_at: Option<DateTime<Utc>>,
    /// At which price: beyond it when the market gapped over it.
    hit_price: Option<String>,
    /// What each ounce of that share earned.
    gain: Option<String>,
}

/// A signal. Prices are decimal texts in the quote currency; gains are those of one ounce.
#[derive(Object)]
#[oai(example, skip_serializing_if_is_none)]
pub(super) struct ForexSignal {
    /// Its number, from 1.
    number: u32,
    /// What it is about: `XAUUSD`.
    instrument: String,
    /// Whose it is: `trend`, `reversion`, `breakout`, `momentum` or `by_hand`.
    strategy: String,
    /// `buy` or `sell`.
    direction: String,
    /// `waiting` (for the price to come into its zone), `running` or `closed`.
    status: String,
    /// What results are counted from; of one that waited, `entered_price` is.
    entry: String,
    /// People may enter from here …
    zone_low: String,
    /// … to here.
    zone_high: String,
    /// Where the stop was at first.
    first_stop: String,
    /// Where it is now, or was last.
    stop: String,
    /// One to three, the nearest first.
    targets: Vec<SignalTarget>,
    /// How many of them were hit.
    targets_hit: u8,
    /// The part of the way to the first target that was reached: 40 or 70, in percent.
    milestone_percent: Option<u8>,
    /// Why the case for it does not hold: `crossed_back`, `back_in_channel`, `momentum_turned` or `rsi_reversed`; missing
    /// while it does.
    weakness: Option<String>,
    /// In which session it was opened: `asia`, `london`, `overlap` or `new_york`.
    session: String,
    /// When it was opened.
    opened_at: DateTime<Utc>,
    /// When it is over in any case.
    expires_at: Option<DateTime<Utc>>,
    /// When the position was opened; missing when it never was.
    entered_at: Option<DateTime<Utc>>,
    /// At which price.
    entered_price: Option<String>,
    /// When it ended.
    closed_at: Option<DateTime<Utc>>,
    /// How: `target`, `stop`, `breakeven`, `stagnant`, `weak`, `cancelled` or `expired`.
    exit: Option<String>,
    /// At which price the rest was closed.
    exit_price: Option<String>,
    /// What it came to, over all its shares; negative when it lost. Missing before it ended, as `pips` and `r`.
    gain: Option<String>,
    /// The same in pips.
    pips: Option<f64>,
    /// The same in multiples of `risk`.
    r: Option<f64>,
    /// From the entry to the first stop.
    risk: String,
    /// Who opened it by hand.
    opened_by: Option<String>,
    /// And why.
    opened_reason: Option<String>,
    /// Who ended it by hand.
    closed_by: Option<String>,
    /// And why.
    closed_reason: Option<String>,
    /// What the strategy saw; missing of one made by hand.
    readings: Option<SignalReadings>,
    /// When the log took its last event.
    updated_at: DateTime<Utc>,
    /// The version of the instrument's stream after its last event; also its ETag.
    pub(super) version: i64,
}

impl Example for ForexSignal {
    fn example() -> Self {
        let at = |minutes: i64| DateTime::from_timestamp(1_800_003_600 + 60 * minutes, 0).unwrap_or_default();
        let target = |price: &str, share, hit: Option<(i64, &str)>| SignalTarget {
            price: price.to_owned(),
            share,
            hit_at: hit.map(|(minutes, _)| at(minutes)),
            hit_price: hit.map(|_| price.to_owned()),
            gain: hit.map(|(_, gain)| gain.to_owned()),
        };
        Self {
            number: 17,
            instrument: signal::XAUUSD.to_owned(),
            strategy: "trend".to_owned(),
            direction: "buy".to_owned(),
            status: "closed".to_owned(),
            entry: "4012.35".to_owned(),
            zone_low: "4011.35".to_owned(),
            zone_high: "4013.35".to_owned(),
            first_stop: "4002.35".to_owned(),
            stop: "4012.35".to_owned(),
            targets: vec![
                target("4022.35", 50, Some((42, "10"))),
                target("4032.35", 30, None),
                target("4042.35", 20, None),
            ],
            targets_hit: 1,
            milestone_percent: Some(70),
            weakness: None,
            session: "london".to_owned(),
            opened_at: at(0),
            expires_at: None,
            entered_at: Some(at(0)),
            entered_price: Some("4012.35".to_owned()),
            closed_at: Some(at(95)),
            exit: Some("breakeven".to_owned()),
            exit_price: Some("4012.35".to_owned()),
            gain: Some("5".to_owned()),
            pips: Some(50.0),
            r: Some(0.5),
            risk: "10".to_owned(),
            opened_by: None,
            opened_reason: None,
            closed_by: None,
            closed_reason: None,
            readings: Some(SignalReadings::example()),
            updated_at: at(95),
            version: 412,
        }
    }
}

impl From<Row> for ForexSignal {
    fn from(row: Row) -> Self {
        let (result, price) = (row.result(), |price: Price| price.to_string());
        Self {
            number: row.number,
            instrument: row.instrument,
            strategy: owner(row.strategy).to_owned(),
            direction: row.direction.as_str().to_owned(),
            status: row.status.as_str().to_owned(),
            entry: price(row.entry),
            zone_low: price(row.zone_low),
            zone_high: price(row.zone_high),
            first_stop: price(row.first_stop),
            stop: price(row.stop),
            targets: row
                .targets
                .iter()
                .map(|target| SignalTarget {
                    price: price(target.price),
                    share: target.share,
                    hit_at: target.hit_at,
                    hit_price: target.hit_price.map(price),
                    gain: target.gain.map(price),
                })
                .collect(),
            targets_hit: row.hit,
            milestone_percent: row.milestone,
            weakness: row.weakness,
            session: row.session.as_str().to_owned(),
            opened_at: row.opened_at,
            expires_at: row.expires_at,
            entered_at: row.entered_at,
            entered_price: row.entered_price.map(price),
            closed_at: row.closed_at,
            exit: row.exit.map(|exit| exit.as_str().to_owned()),
            exit_price: row.exit_price.map(price),
            gain: row.gain.map(price),
            pips: result.map(|result| result.pips()),
            r: result.map(|result| result.r()),
            risk: price(row.risk),
            opened_by: row.opened_by,
            opened_reason: row.opened_reason,
            closed_by: row.closed_by,
            closed_reason: row.closed_reason,
            readings: row.readings.as_ref().map(SignalReadings::from),
            updated_at: row.updated_at,
            version: row.version,
        }
    }
}

impl ForexSignal {
    /// As a line of the table.
    pub(super) fn line(&self) -> String {
        let word = |text: &Option<String>| text.clone().unwrap_or_default();
        let moment = |at: Option<DateTime<Utc>>| maybe(at.map(time));
        let targets: Vec<String> =
            self.targets.iter().map(|target| format!("{}:{}", target.price, target.share)).collect();
        line(&[
            &self.number.to_string(),
            &self.instrument,
            &self.strategy,
            &self.direction,
            &self.status,
            &self.entry,
            &self.zone_low,
            &self.zone_high,
            &self.first_stop,
            &self.stop,
            &targets.join(" "),
            &self.targets_hit.to_string(),
            &self.session,
            &time(self.opened_at),
            &moment(self.expires_at),
            &moment(self.entered_at),
            &word(&self.entered_price),
            &moment(self.closed_at),
            &word(&self.exit),
            &word(&self.exit_price),
            &word(&self.gain),
            &maybe(self.pips),
            &maybe(self.r),
            &self.risk,
            &word(&self.opened_by),
            &word(&self.opened_reason),
            &word(&self.closed_by),
            &word(&self.closed_reason),
            &time(self.updated_at),
            &self.version.to_string(),
        ])
    }
}

/// A page of signals.
#[derive(Object)]
#[oai(example, skip_serializing_if_is_none)]
pub(super) struct ForexSignalPage {
    /// The signals.
    pub(super) items: Vec<ForexSignal>,
    /// The `cursor` of the next page; missing on the last one.
    pub(super) next_cursor: Option<String>,
}

impl Example for ForexSignalPage {
    fn example() -> Self {
        let cursor = Cursor { key: Key::Number(17), id: Uuid::from_u128(17) };
        Self { items: vec![ForexSignal::example()], next_cursor: Some(cursor.to_string()) }
    }
}

pub(super) struct SignalTable;

impl Columns for SignalTable {
    const NAMES: &'static str = "number,instrument,strategy,direction,status,entry,zone_low,zone_high,first_stop,stop,targets,\
                                 targets_hit,session,opened_at,expires_at,entered_at,entered_price,closed_at,exit,exit_price,\
                                 gain,pips,r,risk,opened_by,opened_reason,closed_by,closed_reason,updated_at,version";
    const EXAMPLE: &'static str = "17,XAUUSD,trend,buy,closed,4012.35,4011.35,4013.35,4002.35,4012.35,\
                                   4022.35:50 4032.35:30 4042.35:20,1,london,2027-01-15T09:00:00.000000Z,,\
                                   2027-01-15T09:00:00.000000Z,4012.35,2027-01-15T10:35:00.000000Z,breakeven,4012.35,5,50,\
                                   0.5,10,,,,,2027-01-15T10:35:00.000000Z,412";
}

/// Something that happened to a signal.
#[derive(Object)]
#[oai(skip_serializing_if_is_none)]
pub(super) struct SignalEvent {
    /// Of the event in the log: see `getEvent`.
    position: i64,
    /// When it happened, by the market's time.
    at: DateTime<Utc>,
    /// The event's name in the log, such as `TargetHit`.
    event: String,
    /// The same in words.
    words: String,
    /// At which price; of a stop that was moved, where it is now.
    price: Option<String>,
    /// Which target, from 1.
    target: Option<i16>,
    /// What share of the position was closed, in percent.
    share: Option<i16>,
    /// What each ounce of that share earned; of the end, what the whole signal came to.
    gain: Option<String>,
    /// How it ended (as `exit`), or why the case for it does not hold (as `weakness`).
    reason: Option<String>,
    /// The part of the way to the first target that was reached, in percent.
    milestone_percent: Option<i16>,
    /// Who did it by hand.
    by: Option<String>,
    /// And why, in their words.
    by_reason: Option<String>,
}

impl From<Step> for SignalEvent {
    fn from(step: Step) -> Self {
        let price = |units: i64| Price::from_units(units).to_string();
        Self {
            words: signal_words::of_step(&step),
            position: step.position,
            at: step.at,
            event: step.event,
            price: step.price.map(price),
            target: step.target,
            share: step.share,
            gain: step.gain.map(price),
            reason: step.reason,
            milestone_percent: step.milestone,
            by: step.by_name,
            by_reason: step.by_reason,
        }
    }
}

/// A signal, what it was made by, and all that happened to it.
#[derive(Object)]
#[oai(example)]
pub(super) struct ForexSignalStory {
    /// The signal.
    pub(super) signal: ForexSignal,
    /// What it was made by, and is judged by. They do not change with the configuration.
    pub(super) settings: ForexConfig,
    /// What happened to it, in order.
    pub(super) events: Vec<SignalEvent>,
}

impl Example for ForexSignalStory {
    fn example() -> Self {
        let hit = SignalEvent {
            position: 2_042,
            at: DateTime::from_timestamp(1_800_006_120, 0).unwrap_or_default(),
            event: "TargetHit".to_owned(),
            words: "Target 1 was hit at 4022.35; 50 % of the position was closed.".to_owned(),
            price: Some("4022.35".to_owned()),
            target: Some(1),
            share: Some(50),
            gain: Some("10".to_owned()),
            reason: None,
            milestone_percent: None,
            by: None,
            by_reason: None,
        };
        Self { signal: ForexSignal::example(), settings: ForexConfig::example(), events: vec![hit] }
    }
}

/// A target of a new signal.
#[derive(Object)]
#[oai(deny_unknown_fields)]
pub(super) struct NewTarget {
    /// Where, as a decimal text: beyond the entry zone, each further than the one before.
    #[oai(validator(pattern = "^[0-9]+([.][0-9]{1,5})?$"))]
    price: String,
    /// How much of the whole position is closed there, in percent. All together close 100.
    #[oai(validator(minimum(value = "1"), maximum(value = "100")))]
    share: u8,
}

/// A signal that an admin makes. Prices are decimal texts in the quote currency.
#[derive(Object)]
#[oai(example, skip_serializing_if_is_none, deny_unknown_fields)]
pub(super) struct SignalByHand {
    /// Which way it goes.
    direction: SignalDirection,
    /// Where it is meant to be entered, within the zone. One that does not wait is entered at the last price instead.
    #[oai(validator(pattern = "^[0-9]+([.][0-9]{1,5})?$"))]
    entry: String,
    /// People may enter from here. When it is not given, it is the entry itself, or, if it does not wait, a tenth of
    /// the risk (at most half of the way to the first target) below the entry.
    #[oai(nullable, validator(pattern = "^[0-9]+([.][0-9]{1,5})?$"))]
    zone_low: Option<String>,
    /// To here. When it is not given, it is the entry itself, or, if it does not wait, a tenth of the risk above the
    /// entry.
    #[oai(nullable, validator(pattern = "^[0-9]+([.][0-9]{1,5})?$"))]
    zone_high: Option<String>,
    /// Where the loss is taken: on the losing side of the zone.
    #[oai(validator(pattern = "^[0-9]+([.][0-9]{1,5})?$"))]
    stop: String,
    /// One to three, the nearest first.
    #[oai(validator(min_items = 1, max_items = 3))]
    targets: Vec<NewTarget>,
    /// Whether it is entered only when the price comes into its zone. Any other is entered now, at the last price,
    /// which must lie in the zone.
    #[oai(default)]
    waits: bool,
    /// When it is over in any case.
    #[oai(nullable)]
    expires_at: Option<DateTime<Utc>>,
    /// In your words. It is kept in the log, with who you are.
    #[oai(validator(min_length = 1, max_length = 500))]
    reason: String,
}

impl Example for SignalByHand {
    fn example() -> Self {
        let target = |price: &str, share| NewTarget { price: price.to_owned(), share };
        Self {
            direction: SignalDirection::Buy,
            entry: "4012.00".to_owned(),
            zone_low: Some("4011.00".to_owned()),
            zone_high: Some("4013.00".to_owned()),
            stop: "4002.00".to_owned(),
            targets: vec![target("4022.00", 50), target("4032.00", 50)],
            waits: true,
            expires_at: DateTime::from_timestamp(1_800_018_000, 0),
            reason: "Support of the week, before the minutes of the Fed.".to_owned(),
        }
    }
}

/// A price, exact.
pub(super) fn price(value: Value) -> Result<Price, String> {
    let price = value.as_str().and_then(|text| text.parse().ok());
    price.ok_or_else(|| "must be a decimal text with at most 5 decimal places, such as \"4012.35\"".to_owned())
}

/// One of a few words.
pub(super) fn one_of<T: Copy>(
    all: &[T],
    as_str: impl Fn(T) -> &'static str,
) -> impl FnOnce(Value) -> Result<T, String> {
    move |value| {
        let found = value.as_str().and_then(|word| all.iter().copied().find(|one| as_str(*one) == word));
        found.ok_or_else(|| {
            let words: Vec<_> = all.iter().map(|one| as_str(*one)).collect();
            format!("must be one of {}", words.join(", "))
        })
    }
}

/// A whole number from `least` to `most`.
pub(super) fn whole<T: TryFrom<u64>>(least: u64, most: u64) -> impl FnOnce(Value) -> Result<T, String> {
    move |value| {
        let number = value.as_u64().filter(|number| (least..=most).contains(number));
        number
            .and_then(|number| T::try_from(number).ok())
            .ok_or_else(|| format!("must be a whole number from {least} to {most}"))
    }
}

impl Input for trading::Target {
    type Document = NewTarget;

    fn read(fields: &mut Fields) -> Option<Self> {
        let (price, share) = (fields.required("price", price), fields.required("share", whole(1, 100)));
        Some(Self { price: price?, share: share? })
    }
}

/// A new signal, as it was read.
pub(super) struct NewSignal {
    levels: Levels,
    zone_low: Option<Price>,
    zone_high: Option<Price>,
    pub(super) waits: bool,
    pub(super) expires_at: Option<DateTime<Utc>>,
    pub(super) reason: String,
}

impl NewSignal {
    /// Its prices. Who enters now meets the price of this moment, and not the one that was typed in: where nobody said
    /// how far apart they may be, a tenth of the risk is no other signal.
    pub(super) fn levels(&self, tick: Price) -> Levels {
        let Levels { entry, direction, ref targets, .. } = self.levels;
        let way = targets.first().map_or(Price::ZERO, |first| direction.gain(entry, first.price));
        let reach = self.levels.risk().part(1, 10).min(way.part(1, 2)).max(Price::ZERO).rounded_to(tick);
        let reach = if self.waits { Price::ZERO } else { reach };
        Levels {
            zone_low: self.zone_low.unwrap_or(entry - reach),
            zone_high: self.zone_high.unwrap_or(entry + reach),
            ..self.levels.clone()
        }
    }
}

impl Input for NewSignal {
    type Document = SignalByHand;

    fn read(fields: &mut Fields) -> Option<Self> {
        let direction = fields.required("direction", one_of(&[Direction::Buy, Direction::Sell], Direction::as_str));
        let entry = fields.required("entry", price);
        let (zone_low, zone_high) = (fields.optional("zone_low", price), fields.optional("zone_high", price));
        let stop = fields.required("stop", price);
        let targets = fields.list("targets", Levels::TARGETS);
        let waits = fields.optional("waits", flag).unwrap_or_default();
        let expires_at = fields.optional("expires_at", instant);
        let reason = fields.required("reason", text);
        let entry = entry?;
        let levels =
            Levels { direction: direction?, entry, zone_low: entry, zone_high: entry, stop: stop?, targets: targets? };
        Some(Self { levels, zone_low, zone_high, waits, expires_at, reason: reason? })
    }
}

/// What a change led to.
#[derive(Object)]
#[oai(example, skip_serializing_if_is_none)]
pub(super) struct SignalChange {
    /// The signal it is about; missing when it is about none.
    number: Option<u32>,
    /// The version of the instrument's stream after the change.
    version: i64,
    /// A read model that has come this far in the log shows the change: see `min_position`.
    position: i64,
    /// What happened, in order. Nothing, when it was so already.
    events: Vec<String>,
}

impl Example for SignalChange {
    fn example() -> Self {
        Self { number: Some(17), version: 412, position: 2_042, events: vec!["Closed".to_owned()] }
    }
}

/// Signals, or how they are made, were changed.
#[derive(ApiResponse)]
pub(super) enum SignalsChanged {
    /// It is as wished. The answer to a repeated request is the first one's.
    #[oai(status = 200)]
    Changed(
        Json<SignalChange>,
        /// As `position` in the body.
        #[oai(header = "Promostack-Position")]
        i64,
        /// `true` when the request had taken effect before, under the same Idempotency-Key.
        #[oai(header = "Idempotency-Replayed")]
        Option<String>,
    ),
}

/// A signal was opened.
#[derive(ApiResponse)]
pub(super) enum SignalOpened {
    /// It is open. The answer to a repeated request is the first one's.
    #[oai(status = 201)]
    Opened(
        Json<SignalChange>,
        /// Where it is.
        #[oai(header = "Location")]
        String,
        /// The version of the instrument's stream after it.
        #[oai(header = "ETag")]
        String,
        /// As `position` in the body.
        #[oai(header = "Promostack-Position")]
        i64,
        /// `true` when the request had taken effect before, under the same Idempotency-Key.
        #[oai(header = "Idempotency-Replayed")]
        Option<String>,
    ),
}

pub(super) fn change(done: &Done<Signal>) -> SignalChange {
    SignalChange {
        number: done.events.iter().find_map(signal::Event::number),
        version: done.version,
        position: done.position,
        events: done.events.iter().map(DomainEvent::event_type).collect(),
    }
}

pub(super) fn replayed(done: &Done<Signal>) -> Option<String> {
    done.repeated.then(|| "true".to_owned())
}

pub(super) fn signals_changed(done: &Done<Signal>) -> Answer<SignalsChanged> {
    Ok(SignalsChanged::Changed(Json(change(done)), done.position, replayed(done)))
}

pub(super) fn opened(done: &Done<Signal>) -> Answer<SignalOpened> {
    let change = change(done);
    let location = format!("/api/forex-signals/{}", change.number.unwrap_or_default());
    Ok(SignalOpened::Opened(Json(change), location, etag(done.version), done.position, replayed(done)))
}
