//! The signals of one instrument: at most one is active.
//!
//! There is one stream for each instrument, so that there cannot be two open signals. It
//! lives in the market's time: complete one-minute candles come in order, each is judged
//! once, and every event says the end of the candle that brought it. What was looked at is
//! known from the events alone, so after a stop the candles since the last event are judged
//! again, and come to the same.

mod command;
mod event;
mod judge;
mod open;
mod opening;
mod recap;
#[cfg(test)]
mod tests;

use std::{borrow::Cow, sync::Arc};

use chrono::{DateTime, Utc};
use cqrs_es::{Aggregate, event_sink::EventSink};
use serde::{Deserialize, Serialize};
use trading::{Candle, Price, Settings, StrategyKind, Weakness};

use crate::{ByHand, Decide, decide};
pub use command::{Basis, Command, Observation, Refusal};
pub use event::{Event, Pass, Period};
pub use open::{Milestone, Open, Outcome, Phase, Result as SignalResult, Running};
use recap::Record;

/// The stream of the signals of gold in US dollars: what every installation makes signals of.
pub const XAUUSD: &str = "XAUUSD";

/// The signals of an instrument.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Signal {
    settings: Arc<Settings>,
    /// How often the settings were changed.
    revision: u32,
    strategy: StrategyKind,
    queued: Option<StrategyKind>,
    paused: Option<Pause>,
    open: Option<Open>,
    /// The number of the last signal; 0 before the first.
    last: u32,
    /// The end of the last candle that brought an event, or when an admin ended a signal.
    /// All before it is judged.
    looked_until: Option<DateTime<Utc>>,
    /// When the last signal ended.
    ended_at: Option<DateTime<Utc>>,
    record: Record,
}

/// That no signals are opened for now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    /// Since when.
    pub since: DateTime<Utc>,
    /// Who wants it, and why.
    pub by_hand: ByHand,
}

impl Signal {
    /// How signals are made now.
    #[must_use]
    pub const fn settings(&self) -> &Arc<Settings> {
        &self.settings
    }

    /// How often the settings were changed.
    #[must_use]
    pub const fn revision(&self) -> u32 {
        self.revision
    }

    /// Which strategy makes them.
    #[must_use]
    pub const fn strategy(&self) -> StrategyKind {
        self.strategy
    }

    /// By what a look at the market is made now.
    #[must_use]
    pub const fn basis(&self) -> Basis {
        Basis { strategy: self.strategy, revision: self.revision }
    }

    /// When the next recap is due; none when there is nothing to tell.
    #[must_use]
    pub fn next_recap(&self) -> Option<DateTime<Utc>> {
        self.record.next(&self.settings).and_then(|due| DateTime::from_timestamp(due, 0))
    }

    /// Which one will, when the open signal has ended.
    #[must_use]
    pub const fn queued(&self) -> Option<StrategyKind> {
        self.queued
    }

    /// Why none are opened now; none when they are.
    #[must_use]
    pub const fn paused(&self) -> Option<&Pause> {
        self.paused.as_ref()
    }

    /// The one that is open.
    #[must_use]
    pub const fn open(&self) -> Option<&Open> {
        self.open.as_ref()
    }

    /// The number of the last signal; 0 before the first.
    #[must_use]
    pub const fn last(&self) -> u32 {
        self.last
    }

    /// Candles that end by then need not be shown to it again.
    #[must_use]
    pub const fn looked_until(&self) -> Option<DateTime<Utc>> {
        self.looked_until
    }

    /// Judges candles in order, and then what the strategy says at the end of the last.
    ///
    /// It ends with the candle at which another strategy takes over: what is made of the rest
    /// is for that one to say.
    fn observe(&self, observation: &Observation) -> std::result::Result<Vec<Event>, Refusal> {
        if observation.basis != self.basis() {
            return Err(Refusal::Outdated);
        }
        let is_news = |end: DateTime<Utc>| self.looked_until.is_none_or(|looked| looked < end);
        let mut course = Course::of(self);
        for candle in &observation.candles {
            let end = candle.opened_at + observation.length;
            if is_news(end) {
                // What ended before this candle is told of before it is judged.
                course.recap(candle.opened_at);
                course.judge(candle, end);
                if course.is_handed_over() {
                    return Ok(course.events);
                }
            }
        }
        let end = observation.end();
        if let Some((last, end)) = observation.candles.last().zip(end).filter(|(_, end)| is_news(*end)) {
            if let Some(review) = observation.review {
                course.review(review, last.close, end);
                if course.is_handed_over() {
                    return Ok(course.events);
                }
            }
            if let (None, Some(check)) = (&course.open, &observation.check) {
                let event = self.check(check, observation.late, course.ended_at, &course.record, end);
                // Mostly the only one.
                course.events.reserve_exact(1);
                course.events.push(event);
            }
        }
        // After all that happened by then.
        if let Some(until) = end.max(observation.until) {
            course.recap(until);
        }
        Ok(course.events)
    }
}

/// What candles do to the state, one after the other. What is borrowed has not changed:
/// most candles change nothing, and there are millions of them in a backtest.
struct Course<'a> {
    settings: &'a Settings,
    /// Which strategy takes over when the open signal has ended.
    queued: Option<StrategyKind>,
    open: Option<Cow<'a, Open>>,
    record: Cow<'a, Record>,
    /// When the next recap is due, in seconds since 1970.
    due: Option<i64>,
    ended_at: Option<DateTime<Utc>>,
    events: Vec<Event>,
}

impl<'a> Course<'a> {
    fn of(signal: &'a Signal) -> Self {
        Self {
            settings: &signal.settings,
            queued: signal.queued,
            open: signal.open.as_ref().map(Cow::Borrowed),
            record: Cow::Borrowed(&signal.record),
            due: signal.record.next(&signal.settings),
            ended_at: signal.ended_at,
            events: vec![],
        }
    }

    fn judge(&mut self, candle: &Candle, end: DateTime<Utc>) {
        let Some(open) = &self.open else { return };
        for event in judge::candle(open, candle, end) {
            self.note(event);
        }
    }

    fn review(&mut self, review: std::result::Result<(), Weakness>, price: Price, end: DateTime<Utc>) {
        let event = self.open.as_ref().and_then(|open| judge::review(open, review, price, end));
        event.into_iter().for_each(|event| self.note(event));
    }

    /// Makes the recaps that are due by `now`.
    fn recap(&mut self, now: DateTime<Utc>) {
        if self.due.is_none_or(|due| now.timestamp() < due) {
            return;
        }
        while let Some(event) = self.record.due(now, self.settings) {
            self.note(event);
        }
    }

    /// Whether another strategy has taken over.
    fn is_handed_over(&self) -> bool {
        matches!(self.events.last(), Some(Event::StrategyChosen { .. }))
    }

    fn note(&mut self, event: Event) {
        match &event {
            &Event::Closed { at, .. } => {
                self.ended_at = Some(at);
                self.open = None;
                self.record(&event);
                self.events.push(event);
                self.events.extend(self.queued.map(|strategy| Event::StrategyChosen { strategy, at }));
                return;
            }
            Event::Recapped { .. } => self.record(&event),
            _ => {
                if let Some(open) = &mut self.open {
                    open.to_mut().apply(&event);
                }
            }
        }
        self.events.push(event);
    }

    fn record(&mut self, event: &Event) {
        self.record.to_mut().apply(event);
        self.due = self.record.next(self.settings);
    }
}

impl Decide for Signal {
    fn decide(&self, command: &Command) -> std::result::Result<Vec<Event>, Refusal> {
        Ok(match command {
            Command::Observe(observation) => self.observe(observation)?,
            Command::Configure { settings, revision, at } => {
                if revision.is_some_and(|revision| revision != self.revision) {
                    return Err(Refusal::Revised { revision: self.revision });
                }
                settings.check()?;
                if *settings == self.settings {
                    vec![]
                } else {
                    vec![Event::Configured { settings: settings.clone(), at: *at }]
                }
            }
            &Command::Choose { strategy, at } => match (&self.open, self.queued) {
                (None, _) if strategy == self.strategy => vec![],
                (None, _) => vec![Event::StrategyChosen { strategy, at }],
                (Some(_), None) if strategy == self.strategy => vec![],
                (Some(_), Some(queued)) if strategy == queued => vec![],
                (Some(_), _) => vec![Event::StrategyQueued { strategy, at }],
            },
            Command::Pause { by_hand, at } => {
                by_hand.check()?;
                let by_hand = by_hand.clone();
                if self.paused.is_some() { vec![] } else { vec![Event::Paused { by_hand, at: *at }] }
            }
            Command::Resume { by_hand, at } => {
                by_hand.check()?;
                let by_hand = by_hand.clone();
                if self.paused.is_none() { vec![] } else { vec![Event::Resumed { by_hand, at: *at }] }
            }
            Command::OpenByHand { levels, price, expires_at, by_hand, at } => {
                self.open_by_hand(levels, *price, *expires_at, by_hand, *at)?
            }
            Command::Cancel { number, price, by_hand, at } => self.cancel(*number, *price, by_hand, *at)?,
        })
    }
}

impl Aggregate for Signal {
    const TYPE: &'static str = "signal";
    type Command = Command;
    type Event = Event;
    type Error = Refusal;
    type Services = ();

    async fn handle(&mut self, command: Command, _: &(), sink: &EventSink<Self>) -> std::result::Result<(), Refusal> {
        decide::collect(self, command, sink).await
    }

    fn apply(&mut self, event: Event) {
        if event.is_of_the_market() {
            self.looked_until = self.looked_until.max(Some(event.at()));
        }
        self.record.apply(&event);
        match event {
            Event::Configured { settings, .. } => {
                self.settings = settings;
                self.revision += 1;
            }
            Event::StrategyChosen { strategy, .. } => {
                self.strategy = strategy;
                self.queued = None;
            }
            // Queueing the one that is active takes the queue back.
            Event::StrategyQueued { strategy, .. } => {
                self.queued = (strategy != self.strategy).then_some(strategy);
            }
            Event::Paused { by_hand, at } => self.paused = Some(Pause { since: at, by_hand }),
            Event::Resumed { .. } => self.paused = None,
            Event::Opened { number, .. } | Event::OpenedByHand { number, .. } => {
                self.last = number;
                self.open = Open::of(event);
            }
            Event::Closed { at, .. } => {
                self.ended_at = Some(at);
                self.open = None;
            }
            Event::Passed { .. } | Event::Recapped { .. } => {}
            change @ (Event::Entered { .. }
            | Event::MilestoneReached { .. }
            | Event::TargetHit { .. }
            | Event::StopMoved { .. }
            | Event::Weakened { .. }
            | Event::Regained { .. }) => {
                if let Some(open) = &mut self.open {
                    open.apply(&change);
                }
            }
        }
    }
}
