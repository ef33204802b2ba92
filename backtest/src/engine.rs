use std::collections::BTreeMap;

use aggregates::{
    Decide, Signal,
    signal::{Command, Event, Observation},
};
use chrono::{DateTime, Utc};
use cqrs_es::Aggregate;
use trading::{Candle, Fill, Lookout, Price, Trade};

use crate::{Error, Plan};

/// A test at work. It takes candles in order, hands out trades as they are closed, and keeps
/// nothing that grows with their number.
#[derive(Debug, Clone)]
pub struct Backtest {
    plan: Plan,
    lookout: Lookout,
    signal: Signal,
    /// Always [`Command::Observe`]; one, so that it need not be made again for each candle.
    command: Command,
    trade: Option<Trade>,
    /// When the last candle was over.
    end: Option<DateTime<Utc>>,
    seen: Option<Seen>,
    traded: u64,
    passes: BTreeMap<&'static str, u64>,
}

/// Between the first and the last candle that were traded on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen {
    pub(crate) from: DateTime<Utc>,
    pub(crate) to: DateTime<Utc>,
    pub(crate) first: Price,
    pub(crate) last: Price,
}

/// What is left when the candles are over.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) open: Option<Trade>,
    pub(crate) seen: Option<Seen>,
    pub(crate) traded: u64,
    pub(crate) passes: BTreeMap<&'static str, u64>,
}

impl Backtest {
    /// One that has seen nothing.
    ///
    /// # Errors
    /// [`Error`], when the plan cannot be tested.
    pub fn new(plan: Plan) -> Result<Self, Error> {
        plan.check()?;
        let signal = Signal::default();
        let nothing = Observation {
            basis: signal.basis(),
            candles: vec![],
            length: plan.length,
            until: None,
            check: None,
            review: None,
            late: false,
        };
        Ok(Self {
            lookout: Lookout::new(plan.strategy, plan.settings.clone(), plan.length),
            signal,
            command: Command::Observe(nothing),
            trade: None,
            end: None,
            seen: None,
            traded: 0,
            passes: BTreeMap::new(),
            plan,
        })
    }

    /// The signals as they stand.
    #[must_use]
    pub const fn signal(&self) -> &Signal {
        &self.signal
    }

    /// Takes the next candle; answers the trade that it closes. `on_event` sees every event
    /// of the aggregate.
    ///
    /// # Errors
    /// [`Error`], when the candle cannot be, or comes out of order.
    pub fn push(&mut self, candle: &Candle, mut on_event: impl FnMut(&Event)) -> Result<Option<Trade>, Error> {
        let at = candle.opened_at;
        candle.check().map_err(|source| Error::Candle { at, source })?;
        if let Some(end) = self.end.filter(|end| at < *end) {
            return Err(Error::Order { at, end });
        }
        let to = at + self.plan.length;
        self.end = Some(to);
        if self.plan.from.is_some_and(|from| at < from) {
            self.lookout.push(candle, None);
            return Ok(None);
        }
        if self.traded == 0 {
            self.configure(at, &mut on_event)?;
        }
        self.traded += 1;
        let seen = self.seen.get_or_insert(Seen { from: at, to, first: candle.open, last: candle.close });
        (seen.to, seen.last) = (to, candle.close);

        let open = self.signal.open().map(|open| open.levels.direction);
        if let Command::Observe(observation) = &mut self.command {
            let look = self.lookout.push(candle, open);
            observation.basis = self.signal.basis();
            observation.candles.clear();
            observation.candles.push(*candle);
            (observation.check, observation.review) = (look.check, look.review);
        }
        let mut closed = None;
        for event in self.signal.decide(&self.command)? {
            on_event(&event);
            closed = self.note(&event).or(closed);
            self.signal.apply(event);
        }
        Ok(closed)
    }

    /// Sets up the signals as an admin does.
    fn configure(&mut self, at: DateTime<Utc>, on_event: &mut impl FnMut(&Event)) -> Result<(), Error> {
        let settings = self.plan.settings.clone();
        let commands =
            [Command::Configure { settings, revision: None, at }, Command::Choose { strategy: self.plan.strategy, at }];
        for command in commands {
            for event in self.signal.decide(&command)? {
                on_event(&event);
                self.signal.apply(event);
            }
        }
        Ok(())
    }

    /// Keeps of an event what belongs to the open trade; answers the one that it closes.
    fn note(&mut self, event: &Event) -> Option<Trade> {
        match event {
            Event::Passed { reason, .. } => {
                *self.passes.entry(reason.as_str()).or_default() += 1;
                None
            }
            Event::Opened { number, strategy, levels, at, .. } => {
                self.trade = Some(Trade {
                    number: *number,
                    strategy: Some(*strategy),
                    direction: levels.direction,
                    opened_at: *at,
                    closed_at: *at,
                    entry: levels.entry,
                    risk: levels.risk(),
                    gain: Price::ZERO,
                    exit: None,
                    fills: vec![],
                });
                None
            }
            &Event::TargetHit { price, share, at, .. } => {
                if let Some(trade) = &mut self.trade {
                    trade.fills.push(Fill { at, price, percent: share });
                }
                None
            }
            &Event::Closed { exit, price, share, result, at, .. } => {
                let mut trade = self.trade.take()?;
                let by_targets = trade.fills.iter().map(|fill| fill.percent).sum();
                // The last target is told of by its own event.
                if let Some(price) = price.filter(|_| share > 0) {
                    trade.fills.push(Fill { at, price, percent: share });
                }
                trade.closed_at = at;
                trade.exit = Some(exit);
                Some(Trade { gain: result.gain - self.plan.costs.of(by_targets), ..trade })
            }
            _ => None,
        }
    }

    /// Ends the test. What is open is counted at the last price.
    pub(crate) fn finish(mut self) -> Finished {
        let open = self.trade.take().zip(self.seen).zip(self.signal.open());
        let open = open.map(|((mut trade, seen), open)| {
            let by_targets = trade.fills.iter().map(|fill| fill.percent).sum::<u8>();
            trade.fills.push(Fill { at: seen.to, price: seen.last, percent: 100 - by_targets.min(100) });
            let gain = open.result_at(seen.last).gain - self.plan.costs.of(by_targets);
            Trade { closed_at: seen.to, gain, ..trade }
        });
        Finished { open, seen: self.seen, traded: self.traded, passes: self.passes }
    }
}
