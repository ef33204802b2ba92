//! What is to be told of each candle to who holds the signals.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use crate::{Candle, Check, Direction, Grouping, Settings, Strategy, StrategyKind, Weakness};

/// Feeds a strategy with candles, and says when a look at it is due. Live signals and
/// backtests have the same.
#[derive(Debug, Clone)]
pub struct Lookout {
    settings: Arc<Settings>,
    strategy: Strategy,
    grouping: Grouping,
    length: TimeDelta,
}

/// What is due at the end of a candle.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Look {
    /// What the strategy says of the candle of its timeframe that ended.
    pub check: Option<Check>,
    /// Whether the case for the open signal still holds.
    pub review: Option<Result<(), Weakness>>,
}

impl Look {
    /// Whether nothing is due.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.check.is_none() && self.review.is_none()
    }
}

impl Lookout {
    /// One that has seen nothing, for candles `length` long, which must not be longer than
    /// the settings' timeframe.
    #[must_use]
    pub fn new(kind: StrategyKind, settings: Arc<Settings>, length: TimeDelta) -> Self {
        let (strategy, grouping) = (Strategy::new(kind, &settings), Grouping::new(settings.timeframe));
        Self { settings, strategy, grouping, length }
    }

    /// Whether it is one for these.
    #[must_use]
    pub fn is_for(&self, kind: StrategyKind, settings: &Arc<Settings>) -> bool {
        self.strategy.kind() == kind && (Arc::ptr_eq(&self.settings, settings) || self.settings == *settings)
    }

    /// How long before a first candle it should have seen others: 7/5 of what the strategy
    /// asks for, as there are weekends, and a week for holidays.
    #[must_use]
    pub fn warm_up(kind: StrategyKind, settings: &Settings) -> TimeDelta {
        let candles = i64::try_from(Strategy::warm_up(kind, settings)).unwrap_or(i64::MAX / 1_000_000);
        TimeDelta::minutes(candles * settings.timeframe.minutes() * 7 / 5) + TimeDelta::days(7)
    }

    /// Takes the next candle. `open` is the direction of the signal that is open.
    #[inline]
    pub fn push(&mut self, candle: &Candle, open: Option<Direction>) -> Look {
        let pushed = self.grouping.push(candle, self.length);
        // Of an interval whose end was not seen, the strategy learns late; nothing is made of it.
        if let Some(before) = &pushed.before {
            self.strategy.push(before);
        }
        let check = pushed.now.map(|now| {
            self.strategy.push(&now);
            Check { outcome: self.strategy.propose(&self.settings), readings: self.strategy.readings() }
        });
        let review = open
            .filter(|_| self.is_review_due(candle.opened_at + self.length))
            .map(|direction| self.strategy.review(direction));
        Look { check, review }
    }

    fn is_review_due(&self, at: DateTime<Utc>) -> bool {
        let every = i64::from(self.settings.review_every.max(1)) * 60;
        at.timestamp() % every < self.length.num_seconds()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "what is missing ends the test")]
mod tests {
    use super::*;
    use crate::{NoSetup, Price, Timeframe};

    fn candle(minute: i64) -> Candle {
        let price = Price::from_units(4_000 * Price::SCALE);
        let opened_at = DateTime::from_timestamp(1_767_600_000 + minute * 60, 0).unwrap();
        Candle { opened_at, open: price, high: price, low: price, close: price, volume: 1 }
    }

    #[test]
    fn checks_are_due_with_the_timeframe_and_reviews_with_the_open_signal() {
        let settings = Settings { timeframe: Timeframe::M5, review_every: 2, ..Settings::default() };
        let mut lookout = Lookout::new(StrategyKind::Trend, Arc::new(settings), TimeDelta::minutes(1));
        let looks: Vec<_> = (0..10).map(|minute| lookout.push(&candle(minute), Some(Direction::Buy))).collect();
        let at = |is_due: fn(&Look) -> bool| -> Vec<usize> { (0..10).filter(|n| is_due(&looks[*n])).collect() };
        assert_eq!(at(|look| look.check.is_some()), [4, 9]);
        assert_eq!(at(|look| look.review.is_some()), [1, 3, 5, 7, 9]);
        assert_eq!(looks[9].check.as_ref().unwrap().outcome, Err(NoSetup::WarmingUp));
        assert!(lookout.push(&candle(10), None).review.is_none());
    }

    #[test]
    fn an_interval_whose_end_was_not_seen_is_learnt_and_not_acted_on() {
        let settings = Arc::new(Settings { atr: 2, ..Settings::default() });
        let of = |minutes: &[i64]| {
            let mut lookout = Lookout::new(StrategyKind::Trend, settings.clone(), TimeDelta::minutes(1));
            minutes.iter().filter_map(|minute| lookout.push(&candle(*minute), None).check).collect::<Vec<_>>()
        };
        assert_eq!(of(&[0, 13, 20, 29]).len(), 1, "the first ended unseen");
        assert_eq!(of(&[14, 29, 44]).last().unwrap().readings, of(&[13, 29, 44]).last().unwrap().readings);
    }
}
