use super::{Bar, Rule, against, rounded};
use crate::{
    Breakout, Direction, NoSetup, Readings, Weakness,
    indicators::{Channel, Donchian},
};

/// Goes with a close beyond the channel of the candles before, when the candle is long enough.
#[derive(Debug, Clone)]
pub(super) struct BreakoutRule {
    thrust: f64,
    donchian: Donchian,
    /// Of the candles before the last one.
    channel: Option<Channel>,
    /// With the last one.
    next: Option<Channel>,
}

impl BreakoutRule {
    pub(super) fn new(settings: &Breakout) -> Self {
        Self { thrust: settings.thrust_atr, donchian: Donchian::new(settings.channel), channel: None, next: None }
    }

    pub(super) fn warm_up(settings: &Breakout) -> usize {
        usize::from(settings.channel) + 1
    }
}

impl Rule for BreakoutRule {
    #[inline]
    fn push(&mut self, bar: &Bar) {
        self.channel = self.next;
        self.next = self.donchian.push(bar.high, bar.low);
    }

    fn decide(&self, bar: &Bar, atr: f64) -> Result<Direction, NoSetup> {
        let channel = self.channel.ok_or(NoSetup::WarmingUp)?;
        let direction = if bar.close > channel.high {
            Direction::Buy
        } else if bar.close < channel.low {
            Direction::Sell
        } else {
            return Err(NoSetup::InsideChannel);
        };
        if bar.high - bar.low >= self.thrust * atr { Ok(direction) } else { Err(NoSetup::WeakBreak) }
    }

    // The channel that was left is not kept: what is said must not depend on when the
    // strategy was started. The middle of the present one comes to the same.
    fn review(&self, bar: &Bar, direction: Direction) -> Result<(), Weakness> {
        match self.channel {
            Some(channel) if against(direction, bar.close - channel.middle()) => Err(Weakness::BackInChannel),
            _ => Ok(()),
        }
    }

    fn read(&self, readings: &mut Readings) {
        readings.channel_high = rounded(self.channel.map(|channel| channel.high));
        readings.channel_low = rounded(self.channel.map(|channel| channel.low));
    }
}
