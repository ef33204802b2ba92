//! What a strategy saw, as it goes out.

use poem_openapi::Object;
use trading::Readings;

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
