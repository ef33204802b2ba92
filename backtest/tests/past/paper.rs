//! A few minutes on paper.

use backtest::{Backtest, Costs, Error, Plan, run};
use chrono::TimeDelta;
use trading::{Breakout, Candle, Direction, Exit, Price, Settings, Share, StrategyKind, Timeframe, Trade};

use crate::common::{at, plan, price};

/// Breaks out of a channel of two candles, with a stop and targets of whole average ranges.
fn on_paper() -> Plan {
    let settings = Settings {
        timeframe: Timeframe::M1,
        breakout: Breakout { channel: 2, thrust_atr: 0.0 },
        atr: 2,
        stop_atr: 1.0,
        zone_atr: 0.0,
        targets: vec![Share { atr: 1.0, percent: 50 }, Share { atr: 2.0, percent: 50 }],
        cool_down: 0,
        daily_loss: None,
        ..Settings::default()
    };
    plan(StrategyKind::Breakout, settings)
}

fn minutes() -> Vec<Candle> {
    let ohlc = [
        ["4000", "4001", "3999", "4000"],
        ["4000", "4001", "3999", "4000"],
        ["4000", "4001", "3999", "4000"], // the range is 2 on average
        ["4000", "4002", "4000", "4002"], // above 4001: buy at 4002, stop 4000, targets 4004 and 4006
        ["4002", "4003", "4001", "4003"],
        ["4003", "4004.5", "4002.5", "4004"], // the first target: 50 % earn 2; the stop goes to 4002
        ["4004", "4004", "4001", "4001"],     // stopped at 4002: the other 50 % earn nothing
        ["4001", "4001", "3998", "3998"],     // below 4001: sell at 3998; the range is 2.75: stop 4000.75
        ["4002", "4003", "4001", "4002"],     // opens beyond the stop: closed at 4002
        ["4002", "4008", "4002", "4008"],     // above 4003: buy at 4008; the range is 4.9375, 4.94 in ticks
        ["4008", "4010", "4007", "4009"],     // open at the end: counted at 4009
    ];
    let minute = |(number, prices): (i64, [&str; 4])| {
        let [open, high, low, close] = prices.map(price);
        Candle { opened_at: at("2026-03-02T10:00:00Z") + TimeDelta::minutes(number), open, high, low, close, volume: 1 }
    };
    (0..).zip(ohlc).map(minute).collect()
}

fn gains(trades: &[Trade]) -> Vec<String> {
    trades.iter().map(|trade| trade.gain.to_string()).collect()
}

#[test]
fn minutes_worked_out_by_hand_come_to_the_same() {
    let report = run(&on_paper(), &minutes(), |_| {}).unwrap();
    let seen: Vec<_> = report
        .trades
        .iter()
        .map(|trade| (trade.direction, trade.entry.to_string(), trade.risk.to_string(), trade.exit))
        .collect();
    assert_eq!(
        seen,
        [
            (Direction::Buy, "4002".to_owned(), "2".to_owned(), Some(Exit::Breakeven)),
            (Direction::Sell, "3998".to_owned(), "2.75".to_owned(), Some(Exit::Stop)),
            (Direction::Buy, "4008".to_owned(), "4.94".to_owned(), None),
        ]
    );
    assert_eq!(gains(&report.trades), ["1", "-4", "1"]);
    let first = &report.trades[0];
    assert_eq!((first.opened_at, first.closed_at), (at("2026-03-02T10:04:00Z"), at("2026-03-02T10:07:00Z")));
    let fills: Vec<_> = first.fills.iter().map(|fill| (fill.price.to_string(), fill.percent)).collect();
    assert_eq!(fills, [("4004".to_owned(), 50), ("4002".to_owned(), 50)]);
    assert_eq!(report.trades[1].fills[0].price, price("4002"));

    let passes: Vec<_> = report.passes.iter().map(|passes| (passes.reason, passes.count)).collect();
    assert_eq!(passes, [("inside_channel", 3), ("warming_up", 2)]);
    assert_eq!((report.candles, report.statistics.total.trades), (11, 3));
    assert!((report.market_percent.unwrap() - 0.225).abs() < 1e-12);
}

#[test]
fn costs_lower_each_result_by_what_they_are() {
    let costs = Costs { spread: price("0.3"), slippage: price("0.1") };
    let report = run(&Plan { costs, ..on_paper() }, &minutes(), |_| {}).unwrap();
    // Half of the first was closed by a target, where no market order is: 0.3 + 0.1 + 0.05.
    assert_eq!(gains(&report.trades), ["0.55", "-4.5", "0.5"]);
}

#[test]
fn candles_before_the_beginning_are_for_the_averages_only() {
    let all = run(&on_paper(), &minutes(), |_| {}).unwrap();
    let from = at("2026-03-02T10:07:00Z");
    let later = run(&Plan { from: Some(from), ..on_paper() }, &minutes(), |_| {}).unwrap();
    assert_eq!(later.from, Some(from));
    assert_eq!(gains(&later.trades), ["-4", "1"]);
    assert_eq!(later.trades[0].risk, all.trades[1].risk);
    let cold = run(&on_paper(), &minutes()[7..], |_| {}).unwrap();
    assert_eq!(gains(&cold.trades), ["1"], "without them the range is not known in time for the second");
}

#[test]
fn what_makes_no_sense_is_named() {
    let refused = |plan: Plan| run(&plan, &minutes(), |_| {}).unwrap_err().to_string();
    let paper = on_paper();
    let five = Plan { length: TimeDelta::minutes(5), ..paper.clone() };
    assert_eq!(refused(five), "timeframe: m1 cannot be made of candles of 5 minutes");
    let costs = Costs { spread: Price::ZERO, slippage: price("-0.1") };
    assert_eq!(refused(Plan { costs, ..paper.clone() }), "slippage: must not be below 0");
    let settings = Settings { atr: 1, ..Settings::default() };
    assert_eq!(refused(plan(StrategyKind::Trend, settings)), "settings: atr: must be 2 to 1000 candles");

    let mut test = Backtest::new(paper).unwrap();
    let candles = minutes();
    test.push(&candles[1], |_| {}).unwrap();
    let error = test.push(&candles[0], |_| {}).unwrap_err();
    assert!(matches!(error, Error::Order { at, .. } if at == candles[0].opened_at), "{error}");
    let wrong = Candle { high: price("1"), ..candles[2] };
    let error = test.push(&wrong, |_| {}).unwrap_err();
    assert_eq!(error.to_string(), "the candle of 2026-03-02 10:02:00 UTC: high 1 is below open 4000");
}
