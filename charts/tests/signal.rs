//! Charts are read back: is what should be there where it should be?

#![allow(clippy::unwrap_used, reason = "what cannot be read ends the test")]

use charts::{Chart, Event, HEIGHT, Mark, Status, Tone, WIDTH, palette};
use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;
use trading::{Candle, Direction, Levels, Price, Target, Timeframe};

type Rgb = [u8; 3];

fn price(value: f64) -> Price {
    Price::nearest(value).unwrap()
}

fn candle(index: i64, open: f64, high: f64, low: f64, close: f64) -> Candle {
    let opened_at = DateTime::UNIX_EPOCH + TimeDelta::minutes(15 * index);
    Candle { opened_at, open: price(open), high: price(high), low: price(low), close: price(close), volume: 0 }
}

fn buy() -> Levels {
    let target = |value, share| Target { price: price(value), share };
    Levels {
        direction: Direction::Buy,
        entry: price(4000.0),
        zone_low: price(3999.0),
        zone_high: price(4001.0),
        stop: price(3990.0),
        targets: vec![target(4010.0, 50), target(4020.0, 30), target(4030.0, 20)],
    }
}

fn chart<'a>(candles: &'a [Candle], levels: &'a Levels, events: &'a [Event]) -> Chart<'a> {
    let opened_at = candles.last().map_or(DateTime::UNIX_EPOCH, |candle| candle.opened_at);
    Chart {
        instrument: "XAU/USD",
        number: 7,
        timeframe: Timeframe::M15,
        decimals: 2,
        candles,
        levels,
        opened_at,
        events,
        status: None,
    }
}

/// The picture's pixels, by row.
fn drawn(chart: &Chart<'_>) -> Vec<Vec<Rgb>> {
    read(&charts::signal(chart).unwrap())
}

fn read(png: &[u8]) -> Vec<Vec<Rgb>> {
    let mut reader = png::Decoder::new(std::io::Cursor::new(png)).read_info().unwrap();
    let mut data = vec![0; reader.output_buffer_size().unwrap()];
    let frame = reader.next_frame(&mut data).unwrap();
    assert_eq!((frame.width, frame.height, frame.color_type), (WIDTH, HEIGHT, png::ColorType::Rgb));
    let row = |row: &[u8]| row.chunks_exact(3).map(|pixel| [pixel[0], pixel[1], pixel[2]]).collect();
    data.chunks_exact(WIDTH as usize * 3).map(row).collect()
}

/// The middles of what runs through a column in a colour, from the top.
fn bands(picture: &[Vec<Rgb>], x: usize, rgb: Rgb) -> Vec<f64> {
    let rows: Vec<usize> = (0..picture.len()).filter(|y| picture[*y][x] == rgb).collect();
    rows.chunk_by(|a, b| a + 1 == *b).map(|band| (band[0] + band[band.len() - 1]) as f64 / 2.0).collect()
}

#[test]
fn each_level_is_a_line_of_its_colour_as_far_apart_as_the_prices() {
    let (candles, levels) = ([candle(0, 4000.0, 4001.0, 3999.0, 4000.0)], buy());
    let picture = drawn(&chart(&candles, &levels, &[]));
    // Between the only candle and the labels.
    let x = 950;
    let green = bands(&picture, x, palette::GREEN);
    let (entry, stop) = (bands(&picture, x, palette::BLUE), bands(&picture, x, palette::RED));
    assert_eq!((green.len(), entry.len(), stop.len()), (3, 1, 1), "{green:?} {entry:?} {stop:?}");
    // From the top: 4030, 4020, 4010, 4000, 3990.
    let rows = [green[0], green[1], green[2], entry[0], stop[0]];
    let step = (rows[4] - rows[0]) / 4.0;
    assert!(step > 80.0, "{rows:?}");
    for (index, row) in rows.iter().enumerate() {
        assert!((row - (rows[0] + step * index as f64)).abs() <= 1.5, "{rows:?}");
    }
}

#[test]
fn the_plate_of_a_target_is_filled_once_it_is_hit() {
    let candles: Vec<Candle> = (0..60).map(|index| candle(index, 4000.0, 4012.0, 3998.0, 4005.0)).collect();
    let levels = buy();
    let filled = |events: &[Event]| {
        // The rim of the plates, left of their texts.
        bands(&drawn(&chart(&candles, &levels, events)), 990, palette::GREEN).len()
    };
    let hit = |number| Event { at: candles[59].opened_at, price: price(4010.0), mark: Mark::Target(number) };
    assert_eq!(filled(&[]), 0);
    assert_eq!(filled(&[hit(1)]), 1);
    assert_eq!(filled(&[hit(1), hit(2)]), 2);
}

#[test]
fn a_stop_that_was_moved_is_where_it_is_now() {
    let (candles, levels) = ([candle(0, 4000.0, 4001.0, 3999.0, 4000.0)], buy());
    let moved = [Event { at: candles[0].opened_at, price: price(4005.0), mark: Mark::StopMoved }];
    let (before, after) = (drawn(&chart(&candles, &levels, &[])), drawn(&chart(&candles, &levels, &moved)));
    let (before, after) = (bands(&before, 950, palette::RED), bands(&after, 950, palette::RED));
    assert!(after[0] < before[0] - 100.0, "{before:?} {after:?}");
}

#[test]
fn candles_rise_green_and_fall_red() {
    let candles: Vec<Candle> = (0..100)
        .map(|index| {
            if index < 50 {
                candle(index, 3995.0, 4006.0, 3994.0, 4005.0)
            } else {
                candle(index, 4005.0, 4006.0, 3994.0, 3995.0)
            }
        })
        .collect();
    let picture = drawn(&Chart { opened_at: candles[99].opened_at, ..chart(&candles, &buy(), &[]) });
    let count = |x: std::ops::Range<usize>, rgb| {
        picture.iter().flat_map(|row| &row[x.clone()]).filter(|pixel| **pixel == rgb).count()
    };
    // Below the header, in the first half; and in the second, left of the levels.
    assert!(count(30..450, palette::GREEN) > 5_000);
    assert_eq!(count(30..450, palette::RED), 0);
    assert!(count(500..880, palette::RED) > 5_000);
    assert_eq!(count(500..880, palette::GREEN), 0);
}

#[test]
fn the_same_chart_is_the_same_file_and_another_is_not() {
    let (candles, levels) = ([candle(0, 4000.0, 4001.0, 3999.0, 4000.0)], buy());
    let one = chart(&candles, &levels, &[]);
    let two = Chart { status: Some(Status { text: "+1.35 R", tone: Tone::Good }), ..one };
    assert_eq!(charts::signal(&one).unwrap(), charts::signal(&one).unwrap());
    assert_ne!(charts::signal(&one).unwrap(), charts::signal(&two).unwrap());
}

#[test]
fn nothing_to_show_is_shown() {
    let levels = buy();
    drawn(&chart(&[], &levels, &[]));
    let none =
        Levels { targets: vec![], stop: levels.entry, zone_low: levels.entry, zone_high: levels.entry, ..levels };
    let flat = [candle(0, 4000.0, 4000.0, 4000.0, 4000.0); 3];
    drawn(&chart(&flat, &none, &[]));
    drawn(&Chart { instrument: &"山\u{202e}".repeat(500), number: u64::MAX, ..chart(&flat, &none, &[]) });
}

#[test]
fn a_spike_does_not_flatten_the_levels() {
    let levels = buy();
    let mut candles: Vec<Candle> = (0..50).map(|index| candle(index, 4000.0, 4002.0, 3998.0, 4001.0)).collect();
    candles.push(candle(50, 4000.0, 900_000.0, 1.0, 4001.0));
    let picture = drawn(&chart(&candles, &levels, &[]));
    let green = bands(&picture, 955, palette::GREEN);
    assert_eq!(green.len(), 3, "{green:?}");
    assert!(green[2] - green[0] > 40.0, "{green:?}");
}

fn any_candle() -> impl Strategy<Value = Candle> {
    let prices = prop::array::uniform4(prop_oneof![0_i64..=1_000_000_000, 0_i64..=100_000_000_000_000]);
    (any::<i32>(), prices).prop_map(|(minute, prices)| {
        let [open, high, low, close] = prices.map(Price::from_units);
        let opened_at: DateTime<Utc> = DateTime::UNIX_EPOCH + TimeDelta::minutes(i64::from(minute));
        Candle { opened_at, open, high, low, close, volume: 0 }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Not even of what cannot be: prices out of order, times out of order, levels without sense.
    #[test]
    fn nothing_panics(
        candles in prop::collection::vec(any_candle(), 0..200),
        levels in prop::collection::vec(0_i64..=100_000_000_000_000, 8),
        sell in any::<bool>(),
        marks in prop::collection::vec((any::<i32>(), 0_i64..=100_000_000_000_000, 0_u8..7), 0..6),
        decimals in 0_u32..9,
    ) {
        let [entry, zone_low, zone_high, stop, targets @ ..] = &levels[..] else { unreachable!() };
        let [entry, zone_low, zone_high, stop] = [entry, zone_low, zone_high, stop].map(|units| Price::from_units(*units));
        let targets = targets.iter().map(|units| Target { price: Price::from_units(*units), share: 25 }).collect();
        let direction = if sell { Direction::Sell } else { Direction::Buy };
        let levels = Levels { direction, entry, zone_low, zone_high, stop, targets };
        let events: Vec<Event> = marks
            .into_iter()
            .map(|(minute, units, mark)| Event {
                at: DateTime::UNIX_EPOCH + TimeDelta::minutes(i64::from(minute)),
                price: Price::from_units(units),
                mark: match mark { 0 => Mark::Stop, 1 => Mark::Closed, 2 => Mark::StopMoved, number => Mark::Target(number) },
            })
            .collect();
        drawn(&Chart { decimals, ..chart(&candles, &levels, &events) });
    }
}
