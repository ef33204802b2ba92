//! What the price of gold did lately.

use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use poem_openapi::{ApiResponse, Object, OpenApi, param::Query, payload::Json, types::Example};
use trading::{Candle, Price};

use super::{
    Tags,
    auth::{Allowed, Anyone},
    problem::Answer,
};
use crate::{
    app::App,
    market::{GOLD, store},
};

pub(super) struct Gold(pub(super) App);

/// Decimal places of its price.
const DECIMALS: u32 = 2;
/// For so long nobody has to ask again: until the next minute is there.
const CACHED: &str = "private, max-age=30";

/// The price at an instant.
#[derive(Object)]
struct SparklinePoint {
    /// The end of the time whose last price it is; the last point may end before.
    at: DateTime<Utc>,
    /// The price in US dollars an ounce, as a decimal number.
    close: String,
}

/// What the price of gold did lately.
#[derive(Object)]
#[oai(example, skip_serializing_if_is_none)]
struct Sparkline {
    /// Always `XAUUSD`.
    instrument: String,
    /// The price last known; missing when there is none.
    price: Option<String>,
    /// When the last minute that is known was over, in the market's time, which in the sandbox is not the world's.
    as_of: Option<DateTime<Utc>>,
    /// How much higher it is than at the beginning; below zero when it is lower.
    change: Option<String>,
    /// The same in percent.
    change_percent: Option<String>,
    /// The highest price in the time.
    high: Option<String>,
    /// The lowest.
    low: Option<String>,
    /// Whether it may be out of date: more than five minutes of an open market are unknown, or there is no source of prices.
    is_stale: bool,
    /// In order of time, evenly spaced; hours in which the market was closed, and minutes without trade, have none.
    points: Vec<SparklinePoint>,
}

impl Example for Sparkline {
    fn example() -> Self {
        let at = |seconds: i64| DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap_or_default();
        let point = |seconds, close: &str| SparklinePoint { at: at(seconds), close: close.to_owned() };
        Self {
            instrument: GOLD.to_owned(),
            price: Some("4012.35".to_owned()),
            as_of: Some(at(1_800)),
            change: Some("2.15".to_owned()),
            change_percent: Some("0.05".to_owned()),
            high: Some("4013.90".to_owned()),
            low: Some("4009.70".to_owned()),
            is_stale: false,
            points: vec![point(0, "4010.20"), point(900, "4011.00"), point(1_800, "4012.35")],
        }
    }
}

#[derive(ApiResponse)]
enum Drawn {
    /// What the price did.
    #[oai(status = 200)]
    Ok(
        Json<Sparkline>,
        /// It may be kept for half a minute.
        #[oai(header = "Cache-Control")]
        String,
    ),
}

fn usual_hours() -> u32 {
    24
}

fn usual_points() -> u32 {
    96
}

#[OpenApi(tag = "Tags::Market")]
impl Gold {
    /// Show what the price of gold did lately
    ///
    /// Closes of the last hours of trade, few enough to be drawn as a small line. Hours in which the market was closed do not
    /// count: on a Sunday, the last 24 hours of trade are Friday's and Thursday's.
    #[oai(path = "/forex/xauusd-sparkline", method = "get", operation_id = "getGoldSparkline")]
    async fn sparkline(
        &self,
        _caller: Allowed<Anyone>,
        /// Hours of trade.
        #[oai(default = "usual_hours", validator(minimum(value = "1"), maximum(value = "168")))]
        hours: Query<u32>,
        /// Points at most.
        #[oai(default = "usual_points", validator(minimum(value = "2"), maximum(value = "500")))]
        points: Query<u32>,
    ) -> Answer<Drawn> {
        let minutes = i64::from(hours.0) * 60;
        let candles = store::last(&self.0.pool, GOLD, minutes).await?;
        let is_stale = match &self.0.market {
            None => true,
            Some(market) => !matches!(market.standing(&self.0).await, Ok(standing) if standing.fresh().is_ok()),
        };
        Ok(Drawn::Ok(Json(line(&candles, minutes, i64::from(points.0), is_stale)), CACHED.to_owned()))
    }
}

fn line(candles: &[Candle], minutes: i64, most: i64, is_stale: bool) -> Sparkline {
    let fixed = |price: Price| price.fixed(DECIMALS);
    let step = TimeDelta::minutes((minutes + most - 2) / (most - 1));
    let mut points: Vec<SparklinePoint> = Vec::new();
    for candle in candles {
        let begins = candle.opened_at.duration_trunc(step).unwrap_or(candle.opened_at);
        let point = SparklinePoint { at: begins + step, close: fixed(candle.close) };
        match points.last_mut() {
            Some(last) if last.at == point.at => *last = point,
            _ => points.push(point),
        }
    }
    // Closed hours may have cut a time in two.
    let surplus = points.len().saturating_sub(usize::try_from(most).unwrap_or(usize::MAX));
    points.drain(..surplus);
    let (first, last) = (candles.first(), candles.last());
    let as_of = last.map(|last| last.opened_at + TimeDelta::minutes(1));
    // The last time is mostly not over.
    if let Some((point, as_of)) = points.last_mut().zip(as_of) {
        point.at = point.at.min(as_of);
    }
    let change = first.zip(last).map(|(first, last)| (last.close - first.open, first.open));
    Sparkline {
        instrument: GOLD.to_owned(),
        price: last.map(|last| fixed(last.close)),
        as_of,
        change: change.map(|(change, _)| fixed(change)),
        change_percent: change
            .map(|(change, from)| fixed(Price::from_units(Price::SCALE * 100).part(change.units(), from.units()))),
        high: candles.iter().map(|candle| candle.high).max().map(fixed),
        low: candles.iter().map(|candle| candle.low).min().map(fixed),
        is_stale,
        points,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "what cannot be read ends the test")]
mod tests {
    use super::*;

    fn candle(minute: i64, open: i64, close: i64) -> Candle {
        let price = |dollars: i64| Price::from_units(dollars * Price::SCALE);
        let opened_at = DateTime::from_timestamp(1_800_000_000 + minute * 60, 0).unwrap();
        let (high, low) = (price(open.max(close) + 1), price(open.min(close) - 1));
        Candle { opened_at, open: price(open), high, low, close: price(close), volume: 1 }
    }

    #[test]
    fn a_line_has_the_last_price_of_each_time_and_the_change_of_all() {
        let candles: Vec<_> =
            (0..120).filter(|n| !(30..50).contains(n)).map(|n| candle(n, 4_000 + n, 4_001 + n)).collect();
        let drawn = line(&candles, 120, 13, false);
        // Ten minutes each; two of them had no trade.
        assert_eq!(drawn.points.len(), 10);
        let seconds: Vec<_> = drawn.points.iter().map(|point| point.at.timestamp() - 1_800_000_000).collect();
        assert_eq!(seconds[..4], [600, 1_200, 1_800, 3_600]);
        assert_eq!((drawn.points[0].close.as_str(), drawn.points[3].close.as_str()), ("4010.00", "4060.00"));
        assert_eq!(drawn.price.as_deref(), Some("4120.00"));
        assert_eq!((drawn.change.as_deref(), drawn.change_percent.as_deref()), (Some("120.00"), Some("3.00")));
        assert_eq!((drawn.high.as_deref(), drawn.low.as_deref()), (Some("4121.00"), Some("3999.00")));
        for most in [2, 3, 7, 100, 500] {
            let drawn = line(&candles, 120, most, false);
            assert!(drawn.points.len() <= usize::try_from(most).unwrap());
            let last = drawn.points.last().unwrap();
            assert_eq!((last.close.as_str(), Some(last.at)), ("4120.00", drawn.as_of));
        }
        let nothing = line(&[], 60, 10, true);
        assert!(nothing.points.is_empty() && nothing.price.is_none() && nothing.is_stale);
    }
}
