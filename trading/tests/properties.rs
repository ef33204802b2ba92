//! What holds for indicators and strategies whatever the market does.
#![allow(clippy::unwrap_used, reason = "what cannot be made ends the test")]

use chrono::{DateTime, TimeDelta};
use proptest::{collection::vec, prelude::*, strategy::Strategy as Generator};
use trading::{
    Candle, Direction, NoSetup, Price, Proposal, Readings, Settings, Strategy, StrategyKind,
    indicators::{Adx, Bollinger, Rsi, Sma, Stochastic},
};

fn candle(number: usize, open: i64, high: i64, low: i64, close: i64) -> Candle {
    Candle {
        opened_at: DateTime::UNIX_EPOCH + TimeDelta::minutes(15 * number as i64),
        open: Price::from_units(open),
        high: Price::from_units(high),
        low: Price::from_units(low),
        close: Price::from_units(close),
        volume: 0,
    }
}

/// Candles that have nothing to do with one another, from the smallest price to the largest,
/// with some that stand still.
fn wild() -> impl Generator<Value = Vec<Candle>> {
    let price = || prop_oneof![1..=10_i64, 1..=100_000_000_000_000_i64, Just(42_i64), 400_000_000..=400_500_000_i64];
    vec(([price(), price(), price(), price()], 1..20_usize, any::<bool>()), 1..60).prop_map(|shapes| {
        let mut candles = vec![];
        for (mut prices, times, still) in shapes {
            prices.sort_unstable();
            let [low, open, close, high] = if still { [prices[0]; 4] } else { prices };
            for _ in 0..times {
                candles.push(candle(candles.len(), open, high, low, close));
            }
        }
        candles
    })
}

/// A walk of a price of gold, with a gap now and then.
fn walk(count: usize) -> impl Generator<Value = Vec<Candle>> {
    let gap = prop_oneof![60 => Just(0_i64), 1 => -20_000_000..20_000_000_i64];
    vec((gap, -200_000..200_000_i64, 0..50_000_i64, 0..50_000_i64), count).prop_map(|steps| {
        let mut price = 400_000_000;
        let mut candles = vec![];
        for (gap, change, above, below) in steps {
            let open = (price + gap).max(100_000_000);
            price = open + change;
            candles.push(candle(candles.len(), open, open.max(price) + above, open.min(price) - below, price));
        }
        candles
    })
}

/// Readings and proposal after every candle.
fn run(kind: StrategyKind, candles: &[Candle]) -> Vec<(Readings, Result<Proposal, NoSetup>)> {
    let settings = Settings::default();
    let mut strategy = Strategy::new(kind, &settings);
    candles
        .iter()
        .map(|candle| {
            strategy.push(candle);
            (strategy.readings(), strategy.propose(&settings))
        })
        .collect()
}

/// A rounding error may take an average a little beyond what it is an average of.
fn is_percent(value: f64) -> bool {
    (-1e-9..=100.0 + 1e-9).contains(&value)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn values_are_finite_and_oscillators_within_their_bounds(candles in wild()) {
        let (mut rsi, mut adx, mut stochastic) = (Rsi::new(14), Adx::new(14), Stochastic::new(14, 3, 3));
        let mut bollinger = Bollinger::new(20, 2.0);
        for candle in &candles {
            let [high, low, close] = [candle.high, candle.low, candle.close].map(Price::to_f64);
            let directional = adx.push(high, low, close);
            let lines = stochastic.push(high, low, close);
            let percents = [
                rsi.push(close),
                directional.and_then(|values| values.adx),
                directional.map(|values| values.plus),
                directional.map(|values| values.minus),
                lines.map(|lines| lines.k),
                lines.map(|lines| lines.d),
            ];
            prop_assert!(percents.into_iter().flatten().all(is_percent), "{percents:?}");
            if let Some(bands) = bollinger.push(close) {
                prop_assert!(bands.lower <= bands.middle && bands.middle <= bands.upper);
            }
        }
        for kind in StrategyKind::ALL {
            for (readings, proposal) in run(kind, &candles) {
                for (name, value) in serde_json::to_value(readings).unwrap().as_object().unwrap() {
                    // What is not finite is written as null.
                    prop_assert!(value.is_f64(), "{name} is {value}");
                }
                if let Ok(proposal) = proposal {
                    prop_assert_eq!(proposal.levels.check(), Ok(()));
                }
            }
        }
    }

    #[test]
    fn where_a_strategy_was_started_is_forgotten(candles in walk(1_500), earlier in 1..300_usize) {
        let settings = Settings::default();
        for kind in StrategyKind::ALL {
            let warm_up = Strategy::warm_up(kind, &settings);
            let from = candles.len() - 100 - warm_up;
            let late = run(kind, &candles[from..]);
            let early = run(kind, &candles[from - earlier..]);
            prop_assert_eq!(&late[warm_up..], &early[warm_up + earlier..]);
        }
    }

    #[test]
    fn the_future_decides_nothing(past in walk(120), future in walk(40)) {
        for kind in StrategyKind::ALL {
            let known = run(kind, &past);
            let whole = run(kind, &[&past[..], &future].concat());
            prop_assert_eq!(&whole[..past.len()], &known[..]);
        }
    }

    #[test]
    fn the_case_for_a_fresh_signal_holds(candles in walk(600)) {
        let settings = Settings::default();
        for kind in StrategyKind::ALL {
            let mut strategy = Strategy::new(kind, &settings);
            for candle in &candles {
                strategy.push(candle);
                if let Ok(proposal) = strategy.propose(&settings) {
                    prop_assert_eq!(proposal.levels.entry, candle.close.rounded_to(settings.tick));
                    prop_assert_eq!(strategy.review(proposal.levels.direction), Ok(()));
                }
            }
        }
    }
}

#[test]
fn a_market_that_stands_still_proposes_nothing() {
    let candles: Vec<Candle> =
        (0..2_000).map(|number| candle(number, 400_012_300, 400_012_300, 400_012_300, 400_012_300)).collect();
    for kind in StrategyKind::ALL {
        let answers = run(kind, &candles);
        assert!(answers.iter().all(|(_, answer)| answer.is_err()), "{kind:?}");
        // RSI is 0 there, as in TA-Lib.
        if kind == StrategyKind::Reversion {
            continue;
        }
        let mut strategy = Strategy::new(kind, &Settings::default());
        candles.iter().for_each(|candle| strategy.push(candle));
        for direction in [Direction::Buy, Direction::Sell] {
            assert_eq!(strategy.review(direction), Ok(()), "{kind:?}");
        }
    }
}

/// The mean and the standard deviation, computed of the values at hand.
fn moments(values: &[f64]) -> (f64, f64) {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let squares: f64 = values.iter().map(|value| (value - mean) * (value - mean)).sum();
    (mean, (squares / count).sqrt())
}

#[test]
fn sums_do_not_drift_in_a_million_bars() {
    let mut state = 1_u32;
    let mut price = 4_000.0;
    // Wild, then so quiet that the square of the price has no digits left for its moves.
    let values: Vec<f64> = (0..1_000_000)
        .map(|bar| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let step = f64::from(state >> 8) / f64::from(1 << 24) - 0.5;
            price += if bar < 999_000 { 10.0 * step + (4_000.0 - price) / 1_000.0 } else { 1e-4 * step };
            price
        })
        .collect();
    let (mut sma, mut bollinger) = (Sma::new(20), Bollinger::new(20, 2.0));
    for (bar, &value) in values.iter().enumerate() {
        let (average, bands) = (sma.push(value), bollinger.push(value));
        if bar % 9_973 == 20 || bar > 999_100 {
            let (mean, deviation) = moments(&values[bar - 19..=bar]);
            let (average, bands) = (average.unwrap(), bands.unwrap());
            let width = (bands.upper - bands.lower) / 4.0;
            // Some times the last digit that a price has.
            let rounding = 1e-15 * mean;
            assert!((average - mean).abs() <= rounding, "bar {bar}: {average}, not {mean}");
            assert!((bands.middle - mean).abs() <= rounding, "bar {bar}: {bands:?}, not {mean}");
            assert!((width - deviation).abs() <= rounding, "bar {bar}: {width}, not {deviation}");
        }
    }
}
