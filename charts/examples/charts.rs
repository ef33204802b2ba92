//! Draws charts into a directory, to be looked at. Candles are made up.
//!
//! `cargo run -p charts --example charts -- DIRECTORY`

use std::{error::Error, fs, path::PathBuf};

use charts::{Chart, Event, Mark, Status, Tone};
use chrono::{DateTime, TimeDelta, Utc};
use trading::{Candle, Direction, Levels, Price, Target, Timeframe};

/// A walk of `count` candles of a quarter of an hour that is the same each time.
fn candles(count: usize, drift: f64) -> Vec<Candle> {
    let start: DateTime<Utc> = DateTime::UNIX_EPOCH + TimeDelta::hours(492_300);
    let mut seed = 7_u64;
    let mut random = move || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as f64 / (1_u64 << 31) as f64 - 0.5
    };
    let price = |value: f64| Price::nearest(value).unwrap_or_default().rounded_to(Price::from_units(1_000));
    let mut last = 4_000.0;
    (0..count)
        .map(|index| {
            let (open, close) = (last, last + random() * 7.0 + if index > count / 2 { drift } else { 0.0 });
            last = close;
            Candle {
                opened_at: start + TimeDelta::minutes(15 * index as i64),
                open: price(open),
                high: price(open.max(close) + random().abs() * 4.0),
                low: price(open.min(close) - random().abs() * 4.0),
                close: price(close),
                volume: 0,
            }
        })
        .collect()
}

fn levels(entry: Price, direction: Direction) -> Levels {
    let away = |points: i64| direction.after(entry, Price::from_units(points * Price::SCALE));
    let half = Price::from_units(Price::SCALE);
    let target = |points, share| Target { price: away(points), share };
    Levels {
        direction,
        entry,
        zone_low: entry - half,
        zone_high: entry + half,
        stop: away(-8),
        targets: vec![target(9, 50), target(18, 30), target(27, 20)],
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let directory = PathBuf::from(std::env::args().nth(1).ok_or("name a directory")?);
    let rising = candles(96, 0.9);
    let (opened, entry) = (rising[56].opened_at, rising[56].close);
    let buy = levels(entry, Direction::Buy);
    let open = Chart {
        instrument: "XAU/USD",
        number: 128,
        timeframe: Timeframe::M15,
        decimals: 2,
        candles: &rising[..62],
        levels: &buy,
        opened_at: opened,
        events: &[],
        status: None,
    };
    fs::write(directory.join("open.png"), charts::signal(&open)?)?;
    let at = |price: Price, mark, direction: Direction| {
        let reached = |candle: &&Candle| match direction {
            Direction::Buy => candle.high >= price,
            Direction::Sell => candle.low <= price,
        };
        let candle = rising.iter().filter(|candle| candle.opened_at > opened).find(reached).unwrap_or(&rising[95]);
        Event { at: candle.opened_at, price, mark }
    };
    let first = at(buy.targets[0].price, Mark::Target(1), Direction::Buy);
    let second = at(buy.targets[1].price, Mark::Target(2), Direction::Buy);
    let end = Event { at: rising[92].opened_at, price: rising[92].close, mark: Mark::Closed };
    let events = [first, Event { mark: Mark::StopMoved, price: entry, ..first }, second, end];
    let status = Some(Status { text: "+1.35 R", tone: Tone::Good });
    let won = Chart { candles: &rising, events: &events, status, ..open };
    fs::write(directory.join("won.png"), charts::signal(&won)?)?;
    let sell = levels(entry, Direction::Sell);
    let stop = at(sell.stop, Mark::Stop, Direction::Buy);
    let status = Some(Status { text: "−1.00 R", tone: Tone::Bad });
    let lost = Chart { levels: &sell, candles: &rising[..80], events: &[stop], status, ..open };
    fs::write(directory.join("lost.png"), charts::signal(&lost)?)?;
    let few = Chart { candles: &rising[55..58], ..open };
    fs::write(directory.join("few.png"), charts::signal(&few)?)?;
    Ok(())
}
