//! What has to hold for any candles.

use aggregates::signal::Event;
use backtest::{Backtest, Costs, Plan, check, run};
use trading::{Candle, Price, Settings, StrategyKind, Timeframe};

use crate::common::{plan, price, real, weeks};

fn all_plans() -> impl Iterator<Item = Plan> {
    let settings = Settings { timeframe: Timeframe::M5, ..Settings::default() };
    StrategyKind::ALL.into_iter().map(move |strategy| plan(strategy, settings.clone()))
}

fn sets() -> impl Iterator<Item = Vec<Candle>> {
    // The last weeks of the real ones: a test is not optimised.
    let real = real().map(|candles| candles[candles.len() - 20_000..].to_vec());
    [Some(weeks(2)), real].into_iter().flatten()
}

#[test]
fn replaying_twice_gives_the_same_events() {
    let events = |plan: &Plan, candles: &[Candle]| -> Vec<Event> {
        let mut test = Backtest::new(plan.clone()).unwrap();
        let mut events = vec![];
        for candle in candles {
            test.push(candle, |event| events.push(event.clone())).unwrap();
        }
        events
    };
    for candles in sets() {
        for plan in all_plans() {
            let once = events(&plan, &candles);
            assert_eq!(once, events(&plan, &candles));
            let opened = once.iter().filter(|event| matches!(event, Event::Opened { .. })).count();
            assert!(opened > 5, "{} opened only {opened} signals", plan.strategy.as_str());
        }
    }
}

#[test]
fn no_decision_changes_when_the_future_is_cut_off() {
    for candles in sets() {
        for plan in all_plans() {
            let honesty = check(&plan, &candles, 5, 2, |_, _| {}).unwrap();
            assert!(honesty.holds(), "{honesty:?}");
            assert!(honesty.cuts == 5 && honesty.events > 100 && honesty.proposals > 1_000, "{honesty:?}");
        }
    }
}

#[test]
fn a_spread_lowers_every_result_by_exactly_that() {
    let candles = weeks(2);
    for plan in all_plans() {
        let free = run(&plan, &candles, |_| {}).unwrap();
        let costs = Costs { spread: price("0.35"), slippage: Price::ZERO };
        let paid = run(&Plan { costs, ..plan }, &candles, |_| {}).unwrap();
        assert_eq!(free.trades.len(), paid.trades.len(), "the rules know of no costs");
        for (free, paid) in free.trades.iter().zip(&paid.trades) {
            assert_eq!((free.gain - paid.gain, free.opened_at, free.exit), (costs.spread, paid.opened_at, paid.exit));
        }
        let total = Price::from_units(costs.spread.units() * i64::try_from(free.trades.len()).unwrap());
        assert_eq!(free.statistics.total.gain - paid.statistics.total.gain, total);
    }
}

#[test]
fn without_costs_a_trade_earns_what_its_parts_do() {
    for candles in sets() {
        for plan in all_plans() {
            let report = run(&plan, &candles, |_| {}).unwrap();
            for trade in &report.trades {
                assert_eq!(trade.fills.iter().map(|fill| u32::from(fill.percent)).sum::<u32>(), 100, "{trade:?}");
                let gain = |price| trade.direction.gain(trade.entry, price).units();
                let parts: i64 = trade.fills.iter().map(|fill| gain(fill.price) * i64::from(fill.percent)).sum();
                assert_eq!(trade.gain, Price::from_units(parts / 100), "{trade:?}");
                assert!(trade.opened_at <= trade.closed_at && trade.risk > Price::ZERO, "{trade:?}");
            }
            let one_at_a_time = report.trades.windows(2).all(|pair| pair[0].closed_at <= pair[1].opened_at);
            assert!(one_at_a_time);
        }
    }
}
