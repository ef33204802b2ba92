//! How signals are made, as an admin sets it.

use chrono::{DateTime, NaiveDateTime, Timelike, Utc, Weekday};
use serde::{Deserialize, Serialize};

use crate::{Levels, Price, Timeframe, calendar};

/// A strategy that can be chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StrategyKind {
    /// Two exponential averages cross while ADX says that there is a trend.
    #[default]
    Trend,
    /// The price left its Bollinger bands while RSI is extreme: back to the middle.
    Reversion,
    /// The price closed beyond the highest or lowest of the last candles (Donchian).
    Breakout,
    /// MACD crosses its signal line, with the trend of a slow average.
    Momentum,
}

impl StrategyKind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Trend, Self::Reversion, Self::Breakout, Self::Momentum];

    /// The word stored and shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Trend => "trend",
            Self::Reversion => "reversion",
            Self::Breakout => "breakout",
            Self::Momentum => "momentum",
        }
    }
}

/// A minute of the day in UTC: 0 to 1,439.
pub type MinuteOfDay = u16;

/// A part of the day in UTC. It holds its first minute and not its last; one that ends
/// before it begins goes past midnight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hours {
    /// The first minute.
    pub from: MinuteOfDay,
    /// The minute after the last.
    pub to: MinuteOfDay,
}

impl Hours {
    /// Whether an instant lies in it.
    #[must_use]
    pub fn holds(&self, at: DateTime<Utc>) -> bool {
        let minute = (at.hour() * 60 + at.minute()) as u16;
        if self.from <= self.to {
            (self.from..self.to).contains(&minute)
        } else {
            minute >= self.from || minute < self.to
        }
    }
}

/// A trading session. London and New York work from 8:00 to 17:00 by their own clocks,
/// which go over to summer time on different days; Tokyo's never does, and its session is
/// what is left of the day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Session {
    /// Sydney and Tokyo: from the end of New York's day to the beginning of London's.
    Asia,
    /// London, before New York opens.
    London,
    /// London and New York are both open.
    Overlap,
    /// New York, when London has closed.
    NewYork,
}

impl Session {
    /// All of them, in the order of the day.
    pub const ALL: [Self; 4] = [Self::Asia, Self::London, Self::Overlap, Self::NewYork];

    /// Which one an instant lies in.
    #[must_use]
    pub fn of(at: DateTime<Utc>) -> Self {
        let works = |clock: NaiveDateTime| (8..17).contains(&clock.hour());
        match (works(calendar::london(at)), works(calendar::new_york(at))) {
            (true, false) => Self::London,
            (true, true) => Self::Overlap,
            (false, true) => Self::NewYork,
            (false, false) => Self::Asia,
        }
    }

    /// The word stored and shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Asia => "asia",
            Self::London => "london",
            Self::Overlap => "overlap",
            Self::NewYork => "new_york",
        }
    }
}

/// A time in which no signal is opened, such as around news. It holds `from` and not `to`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Blackout {
    /// When it begins.
    pub from: DateTime<Utc>,
    /// When it is over.
    pub to: DateTime<Utc>,
    /// What for; 1 to 120 characters.
    pub label: String,
}

/// Settings of [`StrategyKind::Trend`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Trend {
    /// Candles of the fast average.
    pub fast: u16,
    /// Candles of the slow average; more than the fast one's.
    pub slow: u16,
    /// Candles of ADX.
    pub adx: u16,
    /// What ADX must be at least; 0 to 100.
    pub adx_min: f64,
}

/// Settings of [`StrategyKind::Reversion`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reversion {
    /// Candles of RSI.
    pub rsi: u16,
    /// RSI is low below this; 0 to 100.
    pub oversold: f64,
    /// RSI is high above this; more than `oversold`, to 100.
    pub overbought: f64,
    /// Candles of the bands.
    pub bands: u16,
    /// Standard deviations from the middle to a band.
    pub deviations: f64,
}

/// Settings of [`StrategyKind::Breakout`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Breakout {
    /// Candles of the channel, without the one that breaks out.
    pub channel: u16,
    /// How long the candle that breaks out must be at least, in average true ranges.
    pub thrust_atr: f64,
}

/// Settings of [`StrategyKind::Momentum`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Momentum {
    /// Candles of MACD's fast average.
    pub fast: u16,
    /// Candles of MACD's slow average; more than the fast one's.
    pub slow: u16,
    /// Candles of its signal line.
    pub signal: u16,
    /// Candles of the average that says where the trend goes.
    pub trend: u16,
    /// Candles of RSI, which keeps from buying what is overbought and selling what is oversold.
    pub rsi: u16,
    /// Nothing is sold below this RSI; 0 to 100.
    pub oversold: f64,
    /// Nothing is bought above this RSI; more than `oversold`, to 100.
    pub overbought: f64,
}

/// A target as the settings have it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Share {
    /// How far from the entry, in average true ranges.
    pub atr: f64,
    /// How much of the position is closed there, in percent.
    pub percent: u8,
}

/// All settings of an instrument's signals.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// The candles that strategies look at.
    pub timeframe: Timeframe,
    /// The smallest step of the price that is quoted.
    pub tick: Price,
    /// What traders call one pip.
    pub pip: Price,
    /// See [`Trend`].
    pub trend: Trend,
    /// See [`Reversion`].
    pub reversion: Reversion,
    /// See [`Breakout`].
    pub breakout: Breakout,
    /// See [`Momentum`].
    pub momentum: Momentum,
    /// Candles of the average true range, which all distances are multiples of.
    pub atr: u16,
    /// From the entry to the stop, in average true ranges.
    pub stop_atr: f64,
    /// From the entry to either end of the entry zone, in average true ranges.
    pub zone_atr: f64,
    /// The nearest first; one to three, whose percents sum to 100.
    pub targets: Vec<Share>,
    /// Whether the stop goes to the entry when the first target is hit.
    pub breakeven: bool,
    /// Signals are opened in these hours only; none: at any time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hours: Option<Hours>,
    /// Signals are opened in these sessions only; none named: in all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sessions: Vec<Session>,
    /// No signal is opened in these times; at most 100.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub blackouts: Vec<Blackout>,
    /// Minutes after the end of a signal in which none is opened.
    pub cool_down: u32,
    /// No more signals on a day (UTC) that lost so many R; none: no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub daily_loss: Option<f64>,
    /// A signal without a target hit is closed after so many minutes of an open market.
    pub stagnant_after: u32,
    /// Minutes between two looks at whether the case for an open signal still holds.
    pub review_every: u32,
    /// Whether a signal is closed when it does not; else people are told.
    pub close_when_weak: bool,
    /// When the recap of a day is made.
    pub recap_at: MinuteOfDay,
    /// On which day, at the same minute, the recap of a week is made.
    pub recap_on: Weekday,
    /// What is suggested to be risked on a signal, in percent of an account; 0.1 to 10.
    pub risk_percent: f64,
}

impl Default for Settings {
    /// For gold in dollars.
    fn default() -> Self {
        Self {
            timeframe: Timeframe::M15,
            tick: Price::from_units(Price::SCALE / 100),
            pip: Price::from_units(Price::SCALE / 10),
            trend: Trend { fast: 9, slow: 21, adx: 14, adx_min: 20.0 },
            reversion: Reversion { rsi: 14, oversold: 30.0, overbought: 70.0, bands: 20, deviations: 2.0 },
            breakout: Breakout { channel: 20, thrust_atr: 1.0 },
            momentum: Momentum { fast: 12, slow: 26, signal: 9, trend: 50, rsi: 14, oversold: 30.0, overbought: 70.0 },
            atr: 14,
            stop_atr: 1.5,
            zone_atr: 0.15,
            targets: vec![
                Share { atr: 1.5, percent: 50 },
                Share { atr: 3.0, percent: 30 },
                Share { atr: 4.5, percent: 20 },
            ],
            breakeven: true,
            hours: None,
            sessions: vec![],
            blackouts: vec![],
            cool_down: 30,
            daily_loss: Some(3.0),
            stagnant_after: 240,
            review_every: 5,
            close_when_weak: false,
            recap_at: 21 * 60,
            recap_on: Weekday::Fri,
            risk_percent: 1.0,
        }
    }
}

/// Settings that make no sense, by the field that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[error("{field}: {reason}")]
pub struct InvalidSettings {
    /// The field's name, with dots: `trend.fast`.
    pub field: String,
    /// What is wrong with it, for the person who wrote it.
    pub reason: String,
}

impl Settings {
    /// Times without signals at the most.
    pub const BLACKOUTS: usize = 100;
    /// Candles of an indicator at the most.
    pub const PERIOD: u16 = 1_000;

    /// Checks the settings by themselves.
    ///
    /// # Errors
    /// [`InvalidSettings`], naming the first field that is wrong.
    pub fn check(&self) -> Result<(), InvalidSettings> {
        self.check_strategies()?;
        self.check_levels()?;
        self.check_times()
    }

    fn check_strategies(&self) -> Result<(), InvalidSettings> {
        let Self { trend, reversion, breakout, momentum, .. } = self;
        for (field, period) in [
            ("atr", self.atr),
            ("trend.fast", trend.fast),
            ("trend.slow", trend.slow),
            ("trend.adx", trend.adx),
            ("reversion.rsi", reversion.rsi),
            ("reversion.bands", reversion.bands),
            ("breakout.channel", breakout.channel),
            ("momentum.fast", momentum.fast),
            ("momentum.slow", momentum.slow),
            ("momentum.signal", momentum.signal),
            ("momentum.trend", momentum.trend),
            ("momentum.rsi", momentum.rsi),
        ] {
            right(field, (2..=Self::PERIOD).contains(&period), "must be 2 to 1000 candles")?;
        }
        right("trend.fast", trend.fast < trend.slow, "must be fewer candles than trend.slow")?;
        right("momentum.fast", momentum.fast < momentum.slow, "must be fewer candles than momentum.slow")?;
        for (field, value) in [
            ("trend.adx_min", trend.adx_min),
            ("reversion.oversold", reversion.oversold),
            ("reversion.overbought", reversion.overbought),
            ("momentum.oversold", momentum.oversold),
            ("momentum.overbought", momentum.overbought),
        ] {
            right(field, (0.0..=100.0).contains(&value), "must be 0 to 100")?;
        }
        right("reversion.oversold", reversion.oversold < reversion.overbought, "must be below reversion.overbought")?;
        right("momentum.oversold", momentum.oversold < momentum.overbought, "must be below momentum.overbought")?;
        right("reversion.deviations", (0.1..=10.0).contains(&reversion.deviations), "must be 0.1 to 10")?;
        right("breakout.thrust_atr", (0.0..=10.0).contains(&breakout.thrust_atr), "must be 0 to 10")
    }

    fn check_levels(&self) -> Result<(), InvalidSettings> {
        let cent = Price::from_units(Price::SCALE);
        right("tick", self.tick > Price::ZERO && self.tick <= cent, "must be above 0 and at most 1")?;
        right(
            "pip",
            self.pip > Price::ZERO && self.pip.units() <= 100 * Price::SCALE,
            "must be above 0 and at most 100",
        )?;
        right("stop_atr", (0.1..=20.0).contains(&self.stop_atr), "must be 0.1 to 20")?;
        right(
            "zone_atr",
            (0.0..=5.0).contains(&self.zone_atr) && self.zone_atr < self.stop_atr,
            "must be 0 to 5 and below stop_atr",
        )?;
        right("targets", (1..=Levels::TARGETS).contains(&self.targets.len()), "must be one to three")?;
        let mut last = self.zone_atr;
        for share in &self.targets {
            right(
                "targets",
                share.atr > last && share.atr <= 100.0,
                "must lie beyond the entry zone, each further than the one before, at most 100",
            )?;
            right("targets", share.percent > 0, "must each close 1 percent or more")?;
            last = share.atr;
        }
        let closed: u32 = self.targets.iter().map(|share| u32::from(share.percent)).sum();
        right("targets", closed == 100, "must close 100 percent together")?;
        right("daily_loss", self.daily_loss.is_none_or(|loss| (0.1..=100.0).contains(&loss)), "must be 0.1 to 100")?;
        right("risk_percent", (0.1..=10.0).contains(&self.risk_percent), "must be 0.1 to 10")
    }

    fn check_times(&self) -> Result<(), InvalidSettings> {
        const DAY: u16 = 24 * 60;
        if let Some(hours) = self.hours {
            right(
                "hours",
                hours.from < DAY && hours.to <= DAY && hours.from != hours.to,
                "must be two different minutes of a day",
            )?;
        }
        right("blackouts", self.blackouts.len() <= Self::BLACKOUTS, "must be at most 100")?;
        for blackout in &self.blackouts {
            right("blackouts", blackout.from < blackout.to, "must begin before they are over")?;
            let letters = blackout.label.chars().count();
            let plain = !blackout.label.chars().any(char::is_control) && !blackout.label.trim().is_empty();
            right(
                "blackouts",
                plain && letters <= 120,
                "must have a label of 1 to 120 characters, no control characters",
            )?;
        }
        right("cool_down", self.cool_down <= 10_080, "must be at most 10080 minutes")?;
        right("stagnant_after", (5..=10_080).contains(&self.stagnant_after), "must be 5 to 10080 minutes")?;
        right("review_every", (1..=1_440).contains(&self.review_every), "must be 1 to 1440 minutes")?;
        right("recap_at", self.recap_at < DAY, "must be 0 to 1439")
    }
}

fn right(field: &str, is_right: bool, reason: &str) -> Result<(), InvalidSettings> {
    if is_right { Ok(()) } else { Err(InvalidSettings { field: field.to_owned(), reason: reason.to_owned() }) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "what cannot be read ends the test")]
mod tests {
    use super::*;

    #[test]
    fn sessions_go_by_the_clocks_of_their_cities() {
        for (text, session) in [
            // In winter London is at UTC, and New York five hours behind.
            ("2026-01-14T07:59:59Z", Session::Asia),
            ("2026-01-14T08:00:00Z", Session::London),
            ("2026-01-14T12:59:59Z", Session::London),
            ("2026-01-14T13:00:00Z", Session::Overlap),
            ("2026-01-14T16:59:59Z", Session::Overlap),
            ("2026-01-14T17:00:00Z", Session::NewYork),
            ("2026-01-14T21:59:59Z", Session::NewYork),
            ("2026-01-14T22:00:00Z", Session::Asia),
            // In summer all is an hour earlier.
            ("2026-07-15T06:59:59Z", Session::Asia),
            ("2026-07-15T07:00:00Z", Session::London),
            ("2026-07-15T12:00:00Z", Session::Overlap),
            ("2026-07-15T16:00:00Z", Session::NewYork),
            ("2026-07-15T21:00:00Z", Session::Asia),
            // For three weeks in March only New York has summer time; for one in autumn, too.
            ("2026-03-18T07:30:00Z", Session::Asia),
            ("2026-03-18T12:00:00Z", Session::Overlap),
            ("2026-03-18T16:59:59Z", Session::Overlap),
            ("2026-03-18T21:00:00Z", Session::Asia),
            ("2026-10-28T12:00:00Z", Session::Overlap),
            ("2026-10-28T07:30:00Z", Session::Asia),
        ] {
            assert_eq!(Session::of(text.parse().unwrap()), session, "{text}");
        }
    }
}
