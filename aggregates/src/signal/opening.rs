//! Whether a signal may be opened, and how one is ended by hand.

use std::result::Result;

use chrono::{DateTime, TimeDelta, Utc};
use trading::{Check, Exit, Levels, Price, Session, calendar};

use super::{Event, Pass, Refusal, Signal, recap::Record};
use crate::ByHand;

/// Before a close no signal is opened for so long: what it waits for would hardly come, and
/// nobody wants to hold it over a gap.
const LAST_OPENING: TimeDelta = TimeDelta::minutes(15);

impl Signal {
    /// What a check at `at` comes to, when no signal is open.
    pub(super) fn check(
        &self,
        check: &Check,
        late: bool,
        ended_at: Option<DateTime<Utc>>,
        record: &Record,
        at: DateTime<Utc>,
    ) -> Event {
        let passed = |reason| Event::Passed { strategy: self.strategy, reason, readings: check.readings, at };
        let proposal = match &check.outcome {
            Ok(proposal) => proposal,
            Err(reason) => return passed(Pass::NoSetup(*reason)),
        };
        if let Some(reason) = self.gate(late, ended_at, record, at) {
            return passed(reason);
        }
        Event::Opened {
            number: self.last + 1,
            strategy: proposal.strategy,
            levels: proposal.levels.clone(),
            readings: check.readings,
            settings: self.settings.clone(),
            at,
        }
    }

    /// Why no signal may be opened at `at`; none when it may.
    fn gate(&self, late: bool, ended_at: Option<DateTime<Utc>>, record: &Record, at: DateTime<Utc>) -> Option<Pass> {
        let settings = &self.settings;
        if self.paused.is_some() {
            return Some(Pass::Paused);
        }
        if late {
            return Some(Pass::Late);
        }
        if !calendar::is_open(at) {
            return Some(Pass::MarketClosed);
        }
        let closes = calendar::next_close(at);
        if closes - at <= LAST_OPENING {
            return Some(Pass::ClosesSoon { closes });
        }
        if let Some(blackout) = settings.blackouts.iter().find(|blackout| blackout.from <= at && at < blackout.to) {
            return Some(Pass::Blackout { label: blackout.label.clone() });
        }
        if settings.hours.is_some_and(|hours| !hours.holds(at)) {
            return Some(Pass::OutsideHours);
        }
        let session = Session::of(at);
        if !settings.sessions.is_empty() && !settings.sessions.contains(&session) {
            return Some(Pass::OutsideSession { session });
        }
        let until = ended_at.map(|ended| ended + TimeDelta::minutes(i64::from(settings.cool_down)));
        if let Some(until) = until.filter(|until| at < *until) {
            return Some(Pass::CoolingDown { until });
        }
        let r = record.r_on(at.date_naive());
        if settings.daily_loss.is_some_and(|most| r <= -most) {
            return Some(Pass::DailyLoss { r: (r * 100.0).round() / 100.0 });
        }
        None
    }

    pub(super) fn open_by_hand(
        &self,
        levels: &Levels,
        price: Option<Price>,
        expires_at: Option<DateTime<Utc>>,
        by_hand: &ByHand,
        at: DateTime<Utc>,
    ) -> Result<Vec<Event>, Refusal> {
        by_hand.check()?;
        levels.check()?;
        levels.check_ticks(self.settings.tick)?;
        if expires_at.is_some_and(|expiry| expiry <= at) {
            return Err(Refusal::Expiry);
        }
        if let Some(open) = &self.open {
            return Err(Refusal::Open { number: open.number });
        }
        let mut levels = levels.clone();
        if let Some(price) = price {
            let price = price.rounded_to(self.settings.tick);
            if price < levels.zone_low || levels.zone_high < price {
                return Err(Refusal::OutsideZone { price });
            }
            levels.entry = price;
        }
        Ok(vec![Event::OpenedByHand {
            number: self.last + 1,
            levels,
            waits: price.is_none(),
            expires_at,
            settings: self.settings.clone(),
            by_hand: by_hand.clone(),
            at,
        }])
    }

    pub(super) fn cancel(
        &self,
        wanted: u32,
        price: Option<Price>,
        by_hand: &ByHand,
        at: DateTime<Utc>,
    ) -> Result<Vec<Event>, Refusal> {
        by_hand.check()?;
        let open = self.open.as_ref().ok_or(Refusal::NoneOpen)?;
        if open.number != wanted {
            return Err(Refusal::Another { wanted, number: open.number });
        }
        let price = price.filter(|price| *price > Price::ZERO);
        if open.running().is_some() && price.is_none() {
            return Err(Refusal::Price);
        }
        let mut closed = open.closed(Exit::Cancelled, price.unwrap_or_default(), at);
        if let Event::Closed { by_hand: whose, .. } = &mut closed {
            *whose = Some(by_hand.clone());
        }
        let chosen = self.queued.map(|strategy| Event::StrategyChosen { strategy, at });
        Ok([closed].into_iter().chain(chosen).collect())
    }
}
