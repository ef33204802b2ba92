//! A market that never was: candles of one minute like those of gold, made of a seed.
//!
//! The price is a slow course, smooth noise with waves of months down to an hour and a
//! half, times a walk of each trading day that begins and ends on the course. So it has
//! trends and ranges of all lengths, gaps over the weekend, hours that are quiet and hours
//! that are not, and sudden moves; and any day can be made without those before it.
//!
//! Only additions, multiplications, divisions and square roots are used, which IEEE 754
//! defines to the last bit: a seed makes the same candles on every machine.

use chrono::{DateTime, NaiveDate, TimeDelta, Timelike, Utc};

use crate::{Candle, Price, calendar};

/// Makes candles of one minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Synthetic {
    seed: u64,
}

/// Around what the price moves.
const LEVEL: f64 = 4_000.0;
/// What prices are multiples of: a cent.
const TICK: Price = Price::from_units(1_000);
/// The waves of the course: minutes of one, and how far it leads away, as a share of the price.
const WAVES: [(i64, f64); 6] =
    [(90 * 1_440, 0.08), (21 * 1_440, 0.035), (5 * 1_440, 0.014), (1_440, 0.006), (360, 0.0035), (90, 0.0014)];
/// Steps of the price in a minute.
const STEPS: u32 = 6;
/// The standard deviation of a minute's walk, as a share of the price, in an hour of middling unrest.
const UNREST: f64 = 0.00017;

impl Synthetic {
    /// Of this seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self { seed }
    }

    /// The candles of a trading day, in order; a quiet minute may have none.
    #[must_use]
    pub fn day(&self, date: NaiveDate) -> Vec<Candle> {
        let Some(day) = calendar::trading_day(date) else { return Vec::new() };
        let mut random = Random::of(&[self.seed, 1, day.opens.timestamp().unsigned_abs()]);
        // Some days are wilder than others.
        let temper = 0.6 + 0.9 * random.share() * random.share() + 0.3 * random.share();
        let minutes = (day.closes - day.opens).num_minutes();
        let steps: Vec<Minute> =
            (0..minutes).map(|n| Minute::draw(&mut random, day.opens + TimeDelta::minutes(n), temper)).collect();
        // The walk comes back to the course at the end: each minute gives up its part of the whole way.
        let way: f64 = steps.iter().flat_map(|minute| minute.steps).sum();
        let width: f64 = steps.iter().map(|minute| minute.width * minute.width).sum();
        let mut walked = 0.0;
        let mut candles = Vec::with_capacity(steps.len());
        let mut to = self.course(day.opens);
        for minute in steps {
            let give = way * minute.width * minute.width / width / f64::from(STEPS);
            let from = to;
            to = self.course(minute.at + TimeDelta::minutes(1));
            let price = |step: u32, walked: f64| {
                let course = from + (to - from) * f64::from(step) / f64::from(STEPS);
                let price = Price::nearest(LEVEL * course * (1.0 + walked)).unwrap_or(TICK);
                price.rounded_to(TICK).max(TICK)
            };
            let open = price(0, walked);
            let mut candle =
                Candle { opened_at: minute.at, open, high: open, low: open, close: open, volume: minute.changes };
            for (step, way) in (1..).zip(minute.steps) {
                walked += way - give;
                candle.close = price(step, walked);
                candle.high = candle.high.max(candle.close);
                candle.low = candle.low.min(candle.close);
            }
            if minute.changes > 0 {
                candles.push(candle);
            }
        }
        candles
    }

    /// The candles that begin from `from` on and before `to`, in order.
    pub fn candles(&self, from: DateTime<Utc>, to: DateTime<Utc>) -> impl Iterator<Item = Candle> + use<> {
        let this = *self;
        let days = calendar::date_at(from).iter_days().take_while(move |date| *date <= calendar::date_at(to));
        days.flat_map(move |date| this.day(date))
            .filter(move |candle| from <= candle.opened_at && candle.opened_at < to)
    }

    /// The course at an instant, around 1.
    fn course(&self, at: DateTime<Utc>) -> f64 {
        let minute = at.timestamp().div_euclid(60);
        let waves = (1_u64..).zip(WAVES).map(|(n, (length, height))| {
            let (knot, within) = (minute.div_euclid(length), minute.rem_euclid(length));
            let height_at = |knot: i64| Random::of(&[self.seed, 2, n, knot.cast_unsigned()]).share() * 2.0 - 1.0;
            let (from, to) = (height_at(knot), height_at(knot + 1));
            let part = within as f64 / length as f64;
            // Level at both ends, so that the waves have no corners.
            height * (from + (to - from) * part * part * (3.0 - 2.0 * part))
        });
        1.0 + waves.sum::<f64>()
    }
}

/// What is drawn for a minute.
struct Minute {
    at: DateTime<Utc>,
    /// The standard deviation of its walk.
    width: f64,
    steps: [f64; STEPS as usize],
    changes: u32,
}

impl Minute {
    fn draw(random: &mut Random, at: DateTime<Utc>, temper: f64) -> Self {
        let sudden = if random.share() < 0.0012 { 3.0 + 4.0 * random.share() } else { 1.0 };
        let busy = unrest(at);
        let width = UNREST * temper * busy * sudden;
        let step = width / f64::from(STEPS).sqrt();
        let steps = std::array::from_fn(|_| step * random.normal());
        let changes =
            if random.share() < 0.004 / (busy * busy) { 0 } else { 1 + (busy * 240.0 * random.share()) as u32 };
        Self { at, width, steps, changes }
    }
}

/// How lively the market is at this time of the day (UTC): quiet in the evening and in Asia,
/// lively in London, most of all while London and New York are both at work.
fn unrest(at: DateTime<Utc>) -> f64 {
    match at.hour() {
        21..=23 => 0.45,
        0 => 0.7,
        1..=3 => 0.85,
        4..=6 => 0.65,
        7..=9 => 1.2,
        10..=11 => 0.95,
        12 => 1.25,
        13..=15 => 1.7,
        16..=17 => 1.2,
        _ => 0.8,
    }
}

/// SplitMix64 (G. Steele, D. Lea, C. Flood, "Fast splittable pseudorandom number
/// generators", OOPSLA 2014).
struct Random(u64);

impl Random {
    /// A sequence of its own for each list of numbers.
    fn of(numbers: &[u64]) -> Self {
        let mut random = Self(0x5851_F42D_4C95_7F2D);
        for number in numbers {
            random.0 ^= *number;
            random.0 = random.next();
        }
        random
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// From 0 on and below 1.
    fn share(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Nearly normally distributed, with mean 0 and standard deviation 1: the sum of four
    /// uniform numbers, each of variance 1/12.
    fn normal(&mut self) -> f64 {
        let sum: f64 = (0..4).map(|_| self.share()).sum();
        (sum - 2.0) * 3.0_f64.sqrt()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "what cannot be read ends the test")]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn a_seed_makes_the_same_candles_wherever_one_begins() {
        let market = Synthetic::new(7);
        let week: Vec<_> = market.candles(at("2026-05-03T00:00:00Z"), at("2026-05-10T00:00:00Z")).collect();
        let (from, to) = (at("2026-05-05T10:17:00Z"), at("2026-05-06T03:00:00Z"));
        let part: Vec<_> = market.candles(from, to).collect();
        assert!(part.len() > 900);
        let same = week.iter().filter(|candle| from <= candle.opened_at && candle.opened_at < to);
        assert_eq!(part, same.copied().collect::<Vec<_>>());
        assert_ne!(part, Synthetic::new(8).candles(from, to).collect::<Vec<_>>());
    }

    /// In its figures it is like gold of 2025: a typical day spans 0.7 to 2 percent.
    #[test]
    fn it_looks_like_gold() {
        let market = Synthetic::new(1);
        let first: NaiveDate = "2025-01-01".parse().unwrap();
        let (mut spans, mut last) = (Vec::new(), None::<Candle>);
        let (mut minutes, mut candles, mut gaps) = (0, 0, 0);
        for date in first.iter_days().take(365) {
            let day = market.day(date);
            let Some(hours) = calendar::trading_day(date) else { continue };
            minutes += (hours.closes - hours.opens).num_minutes();
            candles += i64::try_from(day.len()).unwrap();
            for candle in &day {
                candle.check().unwrap();
                assert!(calendar::is_open(candle.opened_at));
                assert_eq!(candle.open.rounded_to(TICK), candle.open);
                assert!(candle.volume > 0);
            }
            assert!(day.is_sorted_by(|one, next| one.opened_at < next.opened_at));
            let whole = day.iter().skip(1).fold(day[0], |whole, next| whole.and_then(next));
            spans.push((whole.high - whole.low).to_f64() / whole.open.to_f64());
            gaps += i32::from(last.is_some_and(|last| (whole.open - last.close).abs() > Price::from_units(100_000)));
            assert!((2_800.0..5_200.0).contains(&whole.close.to_f64()), "{whole:?}");
            last = day.last().copied();
        }
        spans.sort_by(f64::total_cmp);
        let median = spans[spans.len() / 2];
        assert!((0.007..0.02).contains(&median), "{median}");
        assert!(spans[spans.len() - 1] < 0.06, "{spans:?}");
        assert!(gaps > 20, "{gaps}");
        let share = candles as f64 / minutes as f64;
        assert!((0.97..0.9999).contains(&share), "{share}");
    }
}
