//! Signals as they go out.

use aggregates::signal;
use chrono::{DateTime, Utc};
use poem_openapi::{Object, types::Example};
use projections::{
    page::{Cursor, Key},
    signals::{Row, Step},
};
use trading::Price;
use uuid::Uuid;

use super::{
    csv::{Columns, line, maybe, time},
    signal_config_json::ForexConfig,
    signal_names::owner,
    signal_readings_json::SignalReadings,
    signal_words,
};

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
