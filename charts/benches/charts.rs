//! What a chart costs.
//!
//! `cargo bench -p charts`

use std::{hint::black_box, time::Instant};

use charts::{Chart, Status, Tone};
use chrono::{DateTime, TimeDelta};
use trading::{Candle, Direction, Levels, Price, Target, Timeframe};

const ROUNDS: u32 = 200;

fn main() -> Result<(), charts::Error> {
    let price = |value: f64| Price::nearest(value).unwrap_or_default();
    let candles: Vec<Candle> = (0..120)
        .map(|index| {
            let (open, close) = (4000.0 + f64::from(index % 17), 4000.0 + f64::from((index + 1) % 17));
            Candle {
                opened_at: DateTime::UNIX_EPOCH + TimeDelta::minutes(15 * i64::from(index)),
                open: price(open),
                high: price(open.max(close) + 2.0),
                low: price(open.min(close) - 2.0),
                close: price(close),
                volume: 0,
            }
        })
        .collect();
    let target = |value, share| Target { price: price(value), share };
    let levels = Levels {
        direction: Direction::Buy,
        entry: price(4008.0),
        zone_low: price(4007.0),
        zone_high: price(4009.0),
        stop: price(3998.0),
        targets: vec![target(4016.0, 50), target(4024.0, 30), target(4032.0, 20)],
    };
    let chart = Chart {
        instrument: "XAU/USD",
        number: 128,
        timeframe: Timeframe::M15,
        decimals: 2,
        candles: &candles,
        levels: &levels,
        opened_at: candles[80].opened_at,
        events: &[],
        status: Some(Status { text: "+1.35 R", tone: Tone::Good }),
    };
    let started = Instant::now();
    let bytes = charts::signal(&chart)?.len();
    let first = started.elapsed();
    let started = Instant::now();
    for _ in 0..ROUNDS {
        black_box(charts::signal(black_box(&chart))?);
    }
    let each = started.elapsed() / ROUNDS;
    println!(
        "{:.1} ms a chart of {bytes} bytes; the first, with the fonts, {:.1} ms",
        each.as_secs_f64() * 1e3,
        first.as_secs_f64() * 1e3
    );
    Ok(())
}
