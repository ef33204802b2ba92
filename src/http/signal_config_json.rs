//! How signals are made, as it comes in and goes out.

use chrono::{DateTime, Utc, Weekday};
use poem_openapi::{Enum, Object, types::Example};
use serde_json::Value;
use trading::{
    Blackout, Breakout, Hours, Momentum, Price, Readings, Reversion, Session, Settings, Share, Timeframe, Trend,
};

use super::{
    body::{Fields, Input, flag, instant, one_of, price, text, whole},
    signal_names::TradingSession,
};

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

/// A number, within what the settings check themselves.
fn number(value: Value) -> Result<f64, String> {
    value.as_f64().ok_or_else(|| "must be a number".to_owned())
}

/// So many candles.
fn period(value: Value) -> Result<u16, String> {
    whole(2, Settings::PERIOD.into())(value)
}

/// Minutes, within what the settings check themselves.
fn minutes(value: Value) -> Result<u32, String> {
    whole(0, 10_080)(value)
}

impl Input for Trend {
    type Document = TrendConfig;

    fn read(fields: &mut Fields) -> Option<Self> {
        let (fast, slow) = (fields.required("fast", period), fields.required("slow", period));
        let (adx, adx_min) = (fields.required("adx", period), fields.required("adx_min", number));
        Some(Self { fast: fast?, slow: slow?, adx: adx?, adx_min: adx_min? })
    }
}

impl Input for Reversion {
    type Document = ReversionConfig;

    fn read(fields: &mut Fields) -> Option<Self> {
        let (rsi, oversold) = (fields.required("rsi", period), fields.required("oversold", number));
        let (overbought, bands) = (fields.required("overbought", number), fields.required("bands", period));
        let deviations = fields.required("deviations", number);
        Some(Self { rsi: rsi?, oversold: oversold?, overbought: overbought?, bands: bands?, deviations: deviations? })
    }
}

impl Input for Breakout {
    type Document = BreakoutConfig;

    fn read(fields: &mut Fields) -> Option<Self> {
        let (channel, thrust_atr) = (fields.required("channel", period), fields.required("thrust_atr", number));
        Some(Self { channel: channel?, thrust_atr: thrust_atr? })
    }
}

impl Input for Momentum {
    type Document = MomentumConfig;

    fn read(fields: &mut Fields) -> Option<Self> {
        let (fast, slow) = (fields.required("fast", period), fields.required("slow", period));
        let (signal, trend) = (fields.required("signal", period), fields.required("trend", period));
        let rsi = fields.required("rsi", period);
        let (oversold, overbought) = (fields.required("oversold", number), fields.required("overbought", number));
        Some(Self {
            fast: fast?,
            slow: slow?,
            signal: signal?,
            trend: trend?,
            rsi: rsi?,
            oversold: oversold?,
            overbought: overbought?,
        })
    }
}

impl Input for Share {
    type Document = TargetConfig;

    fn read(fields: &mut Fields) -> Option<Self> {
        let (atr, percent) = (fields.required("atr", number), fields.required("percent", whole(1, 100)));
        Some(Self { atr: atr?, percent: percent? })
    }
}

impl Input for Hours {
    type Document = HoursConfig;

    fn read(fields: &mut Fields) -> Option<Self> {
        let (from, to) = (fields.required("from", whole(0, 1_439)), fields.required("to", whole(0, 1_440)));
        Some(Self { from: from?, to: to? })
    }
}

impl Input for Blackout {
    type Document = BlackoutConfig;

    fn read(fields: &mut Fields) -> Option<Self> {
        let (from, to) = (fields.required("from", instant), fields.required("to", instant));
        let label = fields.required("label", text);
        Some(Self { from: from?, to: to?, label: label? })
    }
}

/// Sessions, each once.
fn sessions(value: Value) -> Result<Vec<Session>, String> {
    let Value::Array(words) = value else { return Err("must be a list of sessions".to_owned()) };
    let mut sessions: Vec<Session> = vec![];
    for word in words {
        let session = one_of(&Session::ALL, Session::as_str)(word).map_err(|reason| format!("each {reason}"))?;
        if sessions.contains(&session) {
            return Err(format!("has {} twice", session.as_str()));
        }
        sessions.push(session);
    }
    Ok(sessions)
}

/// New settings, as they were read.
pub(super) struct NewSettings(pub(super) Settings);

impl Input for NewSettings {
    type Document = ForexConfig;

    fn read(fields: &mut Fields) -> Option<Self> {
        let timeframe = fields.required("timeframe", one_of(&Timeframe::ALL, Timeframe::as_str));
        let (tick, pip): (_, Option<Price>) = (fields.required("tick", price), fields.required("pip", price));
        let (trend, reversion) = (fields.required_object("trend"), fields.required_object("reversion"));
        let (breakout, momentum) = (fields.required_object("breakout"), fields.required_object("momentum"));
        let atr = fields.required("atr", period);
        let (stop_atr, zone_atr) = (fields.required("stop_atr", number), fields.required("zone_atr", number));
        let targets = fields.list("targets", trading::Levels::TARGETS);
        let breakeven = fields.required("breakeven", flag);
        let hours = fields.object("hours");
        let sessions = fields.optional("sessions", sessions).unwrap_or_default();
        let blackouts = fields.optional_list("blackouts", Settings::BLACKOUTS).unwrap_or_default();
        let cool_down = fields.required("cool_down", minutes);
        let daily_loss = fields.optional("daily_loss", number);
        let (stagnant_after, review_every) =
            (fields.required("stagnant_after", minutes), fields.required("review_every", minutes));
        let close_when_weak = fields.required("close_when_weak", flag);
        let recap_at = fields.required("recap_at", whole(0, 1_439));
        let recap_on = fields.required("recap_on", one_of(&WEEK, weekday));
        let risk_percent = fields.required("risk_percent", number);
        Some(Self(Settings {
            timeframe: timeframe?,
            tick: tick?,
            pip: pip?,
            trend: trend?,
            reversion: reversion?,
            breakout: breakout?,
            momentum: momentum?,
            atr: atr?,
            stop_atr: stop_atr?,
            zone_atr: zone_atr?,
            targets: targets?,
            breakeven: breakeven?,
            hours,
            sessions,
            blackouts,
            cool_down: cool_down?,
            daily_loss,
            stagnant_after: stagnant_after?,
            review_every: review_every?,
            close_when_weak: close_when_weak?,
            recap_at: recap_at?,
            recap_on: recap_on?,
            risk_percent: risk_percent?,
        }))
    }
}

/// Values of the indicators that led to a decision, rounded to four decimals. Those are missing that the strategy does not
/// look at, or that are not known yet.
#[derive(Object)]
#[oai(skip_serializing_if_is_none)]
pub(super) struct SignalReadings {
    /// The average true range.
    atr: Option<f64>,
    /// The average directional index, 0 to 100: how much of a trend there is.
    adx: Option<f64>,
    /// The relative strength index, 0 to 100.
    rsi: Option<f64>,
    /// The fast exponential average.
    ema_fast: Option<f64>,
    /// The slow one.
    ema_slow: Option<f64>,
    /// The upper Bollinger band.
    band_upper: Option<f64>,
    /// The middle of the bands.
    band_middle: Option<f64>,
    /// The lower Bollinger band.
    band_lower: Option<f64>,
    /// The highest price of the channel.
    channel_high: Option<f64>,
    /// The lowest price of the channel.
    channel_low: Option<f64>,
    /// MACD.
    macd: Option<f64>,
    /// Its signal line.
    macd_signal: Option<f64>,
    /// MACD above its signal line; negative when below.
    macd_histogram: Option<f64>,
}

impl SignalReadings {
    pub(super) fn example() -> Self {
        let (ema_fast, ema_slow) = (Some(4_010.112), Some(4_009.877));
        (&Readings { atr: Some(6.6667), adx: Some(24.3), ema_fast, ema_slow, ..Readings::default() }).into()
    }
}

impl From<&Readings> for SignalReadings {
    fn from(readings: &Readings) -> Self {
        let Readings {
            atr,
            adx,
            rsi,
            ema_fast,
            ema_slow,
            band_upper,
            band_middle,
            band_lower,
            channel_high,
            channel_low,
            macd,
            macd_signal,
            macd_histogram,
        } = *readings;
        Self {
            atr,
            adx,
            rsi,
            ema_fast,
            ema_slow,
            band_upper,
            band_middle,
            band_lower,
            channel_high,
            channel_low,
            macd,
            macd_signal,
            macd_histogram,
        }
    }
}
