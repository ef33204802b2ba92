//! Walk-forward tests.

use std::sync::Mutex;

use backtest::{
    Plan, run,
    sweep::{Grid, Objective, Options, SweepError, sweep},
};
use serde_json::json;
use trading::{Settings, StrategyKind, Timeframe};

use crate::common::{plan, weeks};

const OPTIONS: Options = Options { train_days: 6, test_days: 4, objective: Objective::R, least_trades: 3, threads: 2 };

fn five_minutes() -> Plan {
    plan(StrategyKind::Trend, Settings { timeframe: Timeframe::M5, ..Settings::default() })
}

fn grid(plan: &Plan) -> Grid {
    let lists = json!({ "strategy": ["trend", "breakout"], "stop_atr": [1, 2], "trend.fast": [5, 30] });
    Grid::of(lists.as_object().unwrap(), plan.strategy, &plan.settings).unwrap()
}

#[test]
fn what_was_chosen_is_tested_on_what_came_after() {
    let (plan, candles) = (five_minutes(), weeks(3));
    let grid = grid(&plan);
    let told = Mutex::new(vec![]);
    let swept = sweep(&plan, &grid, &candles, OPTIONS, |done, of| told.lock().unwrap().push((done, of))).unwrap();

    // Almost nineteen days from Sunday evening to the third Friday: 10, 14 and 18 of them.
    assert_eq!(swept.windows.len(), 3);
    assert_eq!((grid.variants.len(), swept.senseless), (4, 4));
    for pair in swept.windows.windows(2) {
        assert_eq!(pair[0].test.to, pair[1].test.from, "the times out of sample lie side by side");
    }
    for window in &swept.windows {
        assert_eq!(window.train.to, window.test.from);
        // The same by hand, with the whole past to warm up on.
        let of = |span: backtest::sweep::Span, variant: &backtest::sweep::Variant| {
            let plan = Plan {
                strategy: variant.strategy,
                settings: variant.settings.clone(),
                from: Some(span.from),
                ..plan.clone()
            };
            let end = candles.partition_point(|candle| candle.opened_at < span.to);
            run(&plan, &candles[..end], |_| {}).unwrap()
        };
        let best = grid.variants.iter().map(|variant| (variant, of(window.train, variant).statistics.total.r));
        let (best, r) = best.max_by(|left, right| left.1.total_cmp(&right.1)).unwrap();
        assert_eq!(window.chosen.as_ref(), Some(&best.values));
        assert!((window.in_sample.unwrap().r() - r).abs() < 1e-9);
        let after = of(window.test, best);
        assert!((window.out_of_sample.unwrap().r() - after.statistics.total.r).abs() < 1e-9);
        let record =
            swept.trades.iter().filter(|trade| window.test.from < trade.opened_at && trade.opened_at <= window.test.to);
        assert!(record.map(|trade| trade.opened_at).eq(after.trades.iter().map(|trade| trade.opened_at)));
    }
    assert_eq!(swept.out_of_sample.total.trades as usize, swept.trades.len());
    let best = swept.ranking.windows(2).all(|pair| pair[0].in_sample.r() >= pair[1].in_sample.r());
    assert!(best, "the ranking is by what was known in sample");
    let chosen: u32 = swept.ranking.iter().map(|ranked| ranked.chosen).sum();
    assert_eq!(chosen, 3);
    assert!(told.into_inner().unwrap().contains(&(24, 24)));
}

#[test]
fn cores_do_not_change_what_comes_out() {
    let (plan, candles) = (five_minutes(), weeks(2));
    let sweep_on = |threads| sweep(&plan, &grid(&plan), &candles, Options { threads, ..OPTIONS }, |_, _| {}).unwrap();
    let (one, three) = (sweep_on(1), sweep_on(3));
    assert_eq!(serde_json::to_value(one).unwrap(), serde_json::to_value(three).unwrap());
}

#[test]
fn too_few_candles_are_refused() {
    let (plan, candles) = (five_minutes(), weeks(1));
    let refused = |options| sweep(&plan, &grid(&plan), &candles, options, |_, _| {}).unwrap_err();
    let SweepError::Short { days, needed } = refused(OPTIONS) else { panic!("there is no window") };
    assert_eq!((days, needed), (4, 10), "from Sunday evening to Friday evening");
    assert_eq!(refused(Options { test_days: 0, ..OPTIONS }), SweepError::Days("test"));
}
