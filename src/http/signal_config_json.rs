//! How signals are made, as it looks in JSON.

use chrono::{DateTime, Utc, Weekday};
use poem_openapi::{Enum, Object, types::Example};
use trading::{Blackout, Hours, Session, Settings, Share, Timeframe};

use super::signal_names::TradingSession;

/// How long candles are.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[oai(rename_all = "snake_case")]
pub(super) enum CandleLength {
    /// One minute.
    M1,
    /// Five minutes.
    M5,
    /// Fifteen minutes.
    M15,
    /// Thirty minutes.
    M30,
    /// One hour.
    H1,
    /// Four hours.
    H4,
}

/// A day of the week.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[oai(rename_all = "snake_case")]
pub(super) enum DayOfWeek {
    /// Monday.
    Mon,
    /// Tuesday.
    Tue,
    /// Wednesday.
    Wed,
    /// Thursday.
    Thu,
    /// Friday.
    Fri,
    /// Saturday.
    Sat,
    /// Sunday.
    Sun,
}

/// The days of a week.
pub(super) const WEEK: [Weekday; 7] =
    [Weekday::Mon, Weekday::Tue, Weekday::Wed, Weekday::Thu, Weekday::Fri, Weekday::Sat, Weekday::Sun];

/// The word shown for a day of the week.
pub(super) const fn weekday(day: Weekday) -> &'static str {
    match day {
        Weekday::Mon => "mon",
        Weekday::Tue => "tue",
        Weekday::Wed => "wed",
        Weekday::Thu => "thu",
        Weekday::Fri => "fri",
        Weekday::Sat => "sat",
        Weekday::Sun => "sun",
    }
}

/// Two exponential averages that cross while ADX says that there is a trend.
#[derive(Object)]
#[oai(deny_unknown_fields)]
pub(super) struct TrendConfig {
    /// Candles of the fast average; 2 to 1000, fewer than `slow`.
    #[oai(validator(minimum(value = "2"), maximum(value = "1000")))]
    fast: u16,
    /// Candles of the slow average; 2 to 1000.
    #[oai(validator(minimum(value = "2"), maximum(value = "1000")))]
    slow: u16,
    /// Candles of ADX; 2 to 1000.
    #[oai(validator(minimum(value = "2"), maximum(value = "1000")))]
    adx: u16,
    /// What ADX must be at least; 0 to 100.
    #[oai(validator(minimum(value = "0"), maximum(value = "100")))]
    adx_min: f64,
}

/// The price left its Bollinger bands while RSI is extreme: back to the middle.
#[derive(Object)]
#[oai(deny_unknown_fields)]
pub(super) struct ReversionConfig {
    /// Candles of RSI; 2 to 1000.
    #[oai(validator(minimum(value = "2"), maximum(value = "1000")))]
    rsi: u16,
    /// RSI is low below this; 0 to 100, below `overbought`.
    #[oai(validator(minimum(value = "0"), maximum(value = "100")))]
    oversold: f64,
    /// RSI is high above this; 0 to 100.
    #[oai(validator(minimum(value = "0"), maximum(value = "100")))]
    overbought: f64,
    /// Candles of the bands; 2 to 1000.
    #[oai(validator(minimum(value = "2"), maximum(value = "1000")))]
    bands: u16,
    /// Standard deviations from the middle to a band; 0.1 to 10.
    #[oai(validator(minimum(value = "0.1"), maximum(value = "10")))]
    deviations: f64,
}

/// The price closed beyond the highest or lowest of the last candles (Donchian).
#[derive(Object)]
#[oai(deny_unknown_fields)]
pub(super) struct BreakoutConfig {
    /// Candles of the channel, without the one that breaks out; 2 to 1000.
    #[oai(validator(minimum(value = "2"), maximum(value = "1000")))]
    channel: u16,
    /// How long the candle that breaks out must be at least, in average true ranges; 0 to 10.
    #[oai(validator(minimum(value = "0"), maximum(value = "10")))]
    thrust_atr: f64,
}

/// MACD crosses its signal line, with the trend of a slow average.
#[derive(Object)]
#[oai(deny_unknown_fields)]
pub(super) struct MomentumConfig {
    /// Candles of MACD's fast average; 2 to 1000, fewer than `slow`.
    #[oai(validator(minimum(value = "2"), maximum(value = "1000")))]
    fast: u16,
    /// Candles of MACD's slow average; 2 to 1000.
    #[oai(validator(minimum(value = "2"), maximum(value = "1000")))]
    slow: u16,
    /// Candles of its signal line; 2 to 1000.
    #[oai(validator(minimum(value = "2"), maximum(value = "1000")))]
    signal: u16,
    /// Candles of the average that says where the trend goes; 2 to 1000.
    #[oai(validator(minimum(value = "2"), maximum(value = "1000")))]
    trend: u16,
    /// Candles of RSI; 2 to 1000.
    #[oai(validator(minimum(value = "2"), maximum(value = "1000")))]
    rsi: u16,
    /// Nothing is sold below this RSI; 0 to 100, below `overbought`.
    #[oai(validator(minimum(value = "0"), maximum(value = "100")))]
    oversold: f64,
    /// Nothing is bought above this RSI; 0 to 100.
    #[oai(validator(minimum(value = "0"), maximum(value = "100")))]
    overbought: f64,
}

/// A target, in average true ranges.
#[derive(Object)]
#[oai(deny_unknown_fields)]
pub(super) struct TargetConfig {
    /// How far from the entry, in average true ranges: beyond the entry zone, each further than the one before, at most 100.
    #[oai(validator(minimum(value = "0"), maximum(value = "100")))]
    atr: f64,
    /// How much of the position is closed there, in percent; 1 to 100, and 100 together.
    #[oai(validator(minimum(value = "1"), maximum(value = "100")))]
    percent: u8,
}

/// A part of the day. It holds its first minute and not its last; one that ends before it begins goes past midnight.
#[derive(Object)]
#[oai(deny_unknown_fields)]
pub(super) struct HoursConfig {
    /// The first minute of the day in UTC; 0 to 1439.
    #[oai(validator(minimum(value = "0"), maximum(value = "1439")))]
    from: u16,
    /// The minute after the last; 0 to 1440, another one than `from`.
    #[oai(validator(minimum(value = "0"), maximum(value = "1440")))]
    to: u16,
}

/// A time in which no signal is opened, such as around news. It holds `from` and not `to`.
#[derive(Object)]
#[oai(deny_unknown_fields)]
pub(super) struct BlackoutConfig {
    /// When it begins.
    from: DateTime<Utc>,
    /// When it is over.
    to: DateTime<Utc>,
    /// What for; 1 to 120 characters.
    #[oai(validator(min_length = 1, max_length = 120))]
    label: String,
}

/// How signals are made. Those of an open signal stay what they were when it opened.
#[derive(Object)]
#[oai(example, skip_serializing_if_is_none, deny_unknown_fields)]
pub(super) struct ForexConfig {
    /// The candles that strategies look at.
    timeframe: CandleLength,
    /// The smallest step of the price that is quoted, as a decimal text; above 0, at most 1.
    #[oai(validator(pattern = "^[0-9]+([.][0-9]{1,5})?$"))]
    tick: String,
    /// What traders call one pip, as a decimal text; above 0, at most 100.
    #[oai(validator(pattern = "^[0-9]+([.][0-9]{1,5})?$"))]
    pip: String,
    /// The strategy `trend`.
    trend: TrendConfig,
    /// The strategy `reversion`.
    reversion: ReversionConfig,
    /// The strategy `breakout`.
    breakout: BreakoutConfig,
    /// The strategy `momentum`.
    momentum: MomentumConfig,
    /// Candles of the average true range, which all distances are multiples of; 2 to 1000.
    #[oai(validator(minimum(value = "2"), maximum(value = "1000")))]
    atr: u16,
    /// From the entry to the stop, in average true ranges; 0.1 to 20.
    #[oai(validator(minimum(value = "0.1"), maximum(value = "20")))]
    stop_atr: f64,
    /// From the entry to either end of the entry zone, in average true ranges; 0 to 5, below `stop_atr`.
    #[oai(validator(minimum(value = "0"), maximum(value = "5")))]
    zone_atr: f64,
    /// Where profit is taken; one to three, the nearest first.
    #[oai(validator(min_items = 1, max_items = 3))]
    targets: Vec<TargetConfig>,
    /// Whether the stop goes to the entry when the first target is hit.
    breakeven: bool,
    /// Signals are opened in these hours only; missing: at any time.
    #[oai(nullable)]
    hours: Option<HoursConfig>,
    /// Signals are opened in these sessions only; missing or empty: in all.
    #[oai(nullable)]
    sessions: Option<Vec<TradingSession>>,
    /// No signal is opened in these times; at most 100.
    #[oai(nullable, validator(max_items = 100))]
    blackouts: Option<Vec<BlackoutConfig>>,
    /// Minutes after the end of a signal in which none is opened; 0 to 10080.
    #[oai(validator(minimum(value = "0"), maximum(value = "10080")))]
    cool_down: u32,
    /// No more signals on a day (UTC) that lost so many R; 0.1 to 100. Missing: no limit.
    #[oai(nullable, validator(minimum(value = "0.1"), maximum(value = "100")))]
    daily_loss: Option<f64>,
    /// A signal without a target hit is closed after so many minutes of an open market; 5 to 10080.
    #[oai(validator(minimum(value = "5"), maximum(value = "10080")))]
    stagnant_after: u32,
    /// Minutes between two looks at whether the case for an open signal still holds; 1 to 1440. Each is at the last
    /// complete candle of the timeframe.
    #[oai(validator(minimum(value = "1"), maximum(value = "1440")))]
    review_every: u32,
    /// Whether a signal is closed when it does not; else people are told.
    close_when_weak: bool,
    /// When the recap of a day is made, as a minute of the day in UTC; 0 to 1439.
    #[oai(validator(minimum(value = "0"), maximum(value = "1439")))]
    recap_at: u16,
    /// On which day, at the same minute, the recap of a week is made.
    recap_on: DayOfWeek,
    /// What is suggested to be risked on a signal, in percent of an account; 0.1 to 10.
    #[oai(validator(minimum(value = "0.1"), maximum(value = "10")))]
    risk_percent: f64,
}

impl Example for ForexConfig {
    fn example() -> Self {
        let at = |minutes: i64| DateTime::from_timestamp(1_800_019_800 + 60 * minutes, 0).unwrap_or_default();
        let blackouts = vec![Blackout { from: at(-15), to: at(30), label: "US retail sales".to_owned() }];
        (&Settings { hours: Some(Hours { from: 420, to: 1_200 }), blackouts, ..Settings::default() }).into()
    }
}

impl From<&Settings> for ForexConfig {
    fn from(settings: &Settings) -> Self {
        let Settings { trend, reversion, breakout, momentum, .. } = settings;
        let session = |session: &Session| match session {
            Session::Asia => TradingSession::Asia,
            Session::London => TradingSession::London,
            Session::Overlap => TradingSession::Overlap,
            Session::NewYork => TradingSession::NewYork,
        };
        let blackout =
            |Blackout { from, to, label }: &Blackout| BlackoutConfig { from: *from, to: *to, label: label.clone() };
        let target = |share: &Share| TargetConfig { atr: share.atr, percent: share.percent };
        Self {
            timeframe: match settings.timeframe {
                Timeframe::M1 => CandleLength::M1,
                Timeframe::M5 => CandleLength::M5,
                Timeframe::M15 => CandleLength::M15,
                Timeframe::M30 => CandleLength::M30,
                Timeframe::H1 => CandleLength::H1,
                Timeframe::H4 => CandleLength::H4,
            },
            tick: settings.tick.to_string(),
            pip: settings.pip.to_string(),
            trend: TrendConfig { fast: trend.fast, slow: trend.slow, adx: trend.adx, adx_min: trend.adx_min },
            reversion: ReversionConfig {
                rsi: reversion.rsi,
                oversold: reversion.oversold,
                overbought: reversion.overbought,
                bands: reversion.bands,
                deviations: reversion.deviations,
            },
            breakout: BreakoutConfig { channel: breakout.channel, thrust_atr: breakout.thrust_atr },
            momentum: MomentumConfig {
                fast: momentum.fast,
                slow: momentum.slow,
                signal: momentum.signal,
                trend: momentum.trend,
                rsi: momentum.rsi,
                oversold: momentum.oversold,
                overbought: momentum.overbought,
            },
            atr: settings.atr,
            stop_atr: settings.stop_atr,
            zone_atr: settings.zone_atr,
            targets: settings.targets.iter().map(target).collect(),
            breakeven: settings.breakeven,
            hours: settings.hours.map(|Hours { from, to }| HoursConfig { from, to }),
            sessions: Some(settings.sessions.iter().map(session).collect()),
            blackouts: Some(settings.blackouts.iter().map(blackout).collect()),
            cool_down: settings.cool_down,
            daily_loss: settings.daily_loss,
            stagnant_after: settings.stagnant_after,
            review_every: settings.review_every,
            close_when_weak: settings.close_when_weak,
            recap_at: settings.recap_at,
            recap_on: match settings.recap_on {
                Weekday::Mon => DayOfWeek::Mon,
                Weekday::Tue => DayOfWeek::Tue,
                Weekday::Wed => DayOfWeek::Wed,
                Weekday::Thu => DayOfWeek::Thu,
                Weekday::Fri => DayOfWeek::Fri,
                Weekday::Sat => DayOfWeek::Sat,
                Weekday::Sun => DayOfWeek::Sun,
            },
            risk_percent: settings.risk_percent,
        }
    }
}
