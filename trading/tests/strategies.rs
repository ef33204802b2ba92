//! What the strategies do with candles made by hand.
#![allow(clippy::unwrap_used, reason = "what cannot be made ends the test")]

use chrono::{DateTime, TimeDelta};
use trading::{
    Breakout, Candle, Direction, Momentum, NoSetup, Price, Proposal, Reversion, Settings, Strategy, StrategyKind,
    Trend, Weakness,
};

/// Candles that open where the last one closed and reach a little beyond open and close; in cents.
struct Market {
    price: i64,
    candles: Vec<Candle>,
}

impl Market {
    fn at(price: i64) -> Self {
        Self { price, candles: vec![] }
    }

    /// A candle that closes `change` away, with wicks so long.
    fn candle(mut self, change: i64, wick: i64) -> Self {
        let (open, close) = (self.price, self.price + change);
        self.price = close;
        let price = |cents: i64| Price::from_units(cents * Price::SCALE / 100);
        self.candles.push(Candle {
            opened_at: DateTime::UNIX_EPOCH + TimeDelta::minutes(15 * self.candles.len() as i64),
            open: price(open),
            high: price(open.max(close) + wick),
            low: price(open.min(close) - wick),
            close: price(close),
            volume: 1,
        });
        self
    }

    fn candles(self, count: usize, change: i64) -> Self {
        (0..count).fold(self, |market, _| market.candle(change, 10))
    }

    /// Up and down by so much.
    fn range(self, count: usize, width: i64) -> Self {
        (0..count).fold(self, |market, n| market.candle(if n % 2 == 0 { width } else { -width }, 10))
    }

    /// The same with rises for falls.
    fn mirrored(&self) -> Self {
        let first = self.candles.first().unwrap().open;
        let flip = |price: Price| first + first - price;
        let candles = self.candles.iter().map(|candle| Candle {
            open: flip(candle.open),
            high: flip(candle.low),
            low: flip(candle.high),
            close: flip(candle.close),
            ..*candle
        });
        Self { price: 0, candles: candles.collect() }
    }
}

/// A strategy that has seen them all, and what it said after each.
fn run(kind: StrategyKind, settings: &Settings, market: &Market) -> (Strategy, Vec<Result<Proposal, NoSetup>>) {
    settings.check().unwrap();
    let mut strategy = Strategy::new(kind, settings);
    let answers = market.candles.iter().map(|candle| {
        candle.check().unwrap();
        strategy.push(candle);
        strategy.propose(settings)
    });
    let answers = answers.collect();
    (strategy, answers)
}

fn directions(answers: &[Result<Proposal, NoSetup>]) -> Vec<Direction> {
    answers.iter().flatten().map(|proposal| proposal.levels.direction).collect()
}

/// What it says after the last candle.
fn answer(kind: StrategyKind, settings: &Settings, market: &Market) -> Result<Direction, NoSetup> {
    let (_, answers) = run(kind, settings, market);
    answers.last().unwrap().clone().map(|proposal| proposal.levels.direction)
}

fn quick() -> Settings {
    Settings {
        trend: Trend { fast: 3, slow: 6, adx: 3, adx_min: 25.0 },
        reversion: Reversion { rsi: 5, oversold: 30.0, overbought: 70.0, bands: 10, deviations: 2.0 },
        breakout: Breakout { channel: 10, thrust_atr: 1.0 },
        momentum: Momentum { fast: 3, slow: 6, signal: 3, trend: 12, rsi: 5, oversold: 5.0, overbought: 95.0 },
        atr: 5,
        ..Settings::default()
    }
}

#[test]
fn nothing_is_proposed_before_every_indicator_is_known() {
    let settings = Settings::default();
    let market = Market::at(200_000).range(60, 50);
    // What needs the most candles: the average of DX; the bands; the channel before the last
    // candle; the slow average, as MACD's cross is known after 26 + 9 candles.
    for (kind, first) in StrategyKind::ALL.into_iter().zip([28, 20, 21, 50]) {
        let (_, answers) = run(kind, &settings, &market);
        let warming = answers.iter().take_while(|answer| **answer == Err(NoSetup::WarmingUp)).count();
        assert_eq!(warming + 1, first, "{kind:?}");
    }
}

#[test]
fn a_trend_is_followed_when_the_averages_cross_and_adx_is_high() {
    let settings = quick();
    let market = Market::at(200_000).candles(20, -50).candles(10, 80);
    for (market, direction) in [(market.mirrored(), Direction::Sell), (market, Direction::Buy)] {
        let (strategy, answers) = run(StrategyKind::Trend, &settings, &market);
        assert_eq!(directions(&answers), [direction]);
        assert_eq!(strategy.review(direction), Ok(()));
        assert_eq!(strategy.review(direction.opposite()), Err(Weakness::CrossedBack));
        let crossed = answers.iter().position(Result::is_ok).unwrap();
        assert!(crossed > 20, "the averages crossed after the turn, not at {crossed}");
        assert!(answers[12..crossed].iter().chain(&answers[crossed + 1..]).all(|no| *no == Err(NoSetup::NoCross)));
        let strict = Settings { trend: Trend { adx_min: 100.0, ..settings.trend.clone() }, ..settings.clone() };
        let (_, answers) = run(StrategyKind::Trend, &strict, &market);
        assert_eq!(answers[crossed], Err(NoSetup::WeakTrend));
    }
}

#[test]
fn a_price_outside_its_bands_goes_back_when_rsi_is_extreme() {
    let settings = quick();
    let calm = || Market::at(200_000).range(20, 30);
    assert_eq!(answer(StrategyKind::Reversion, &settings, &calm()), Err(NoSetup::InsideBands));
    let fell = calm().candle(-200, 10);
    assert_eq!(answer(StrategyKind::Reversion, &settings, &fell), Ok(Direction::Buy));
    assert_eq!(answer(StrategyKind::Reversion, &settings, &fell.mirrored()), Ok(Direction::Sell));
    let patient = Reversion { oversold: 1.0, overbought: 99.0, ..settings.reversion.clone() };
    let patient = Settings { reversion: patient, ..settings.clone() };
    assert_eq!(answer(StrategyKind::Reversion, &patient, &fell), Err(NoSetup::RsiNeutral));
    assert_eq!(answer(StrategyKind::Reversion, &patient, &fell.mirrored()), Err(NoSetup::RsiNeutral));

    let (strategy, _) = run(StrategyKind::Reversion, &settings, &fell);
    assert_eq!(strategy.review(Direction::Buy), Ok(()));
    let rallied = fell.candles(6, 100);
    let (strategy, _) = run(StrategyKind::Reversion, &settings, &rallied);
    assert_eq!(strategy.review(Direction::Buy), Err(Weakness::RsiReversed));
    assert_eq!(strategy.review(Direction::Sell), Ok(()));
    let (strategy, _) = run(StrategyKind::Reversion, &settings, &rallied.mirrored());
    assert_eq!(strategy.review(Direction::Sell), Err(Weakness::RsiReversed));
}

#[test]
fn a_breakout_is_a_close_beyond_the_channel_before_by_a_long_candle() {
    let settings = quick();
    let calm = || Market::at(200_000).range(20, 50);
    // The range is 200,000 to 200,050 and 10 of wicks either way; true ranges are 70.
    assert_eq!(answer(StrategyKind::Breakout, &settings, &calm().candle(20, 500)), Err(NoSetup::InsideChannel));
    assert_eq!(answer(StrategyKind::Breakout, &settings, &calm().candle(60, 10)), Err(NoSetup::InsideChannel));
    // The candle counts in the average it is compared with: (4 * 70 + 65) / 5 = 69.
    assert_eq!(answer(StrategyKind::Breakout, &settings, &calm().candle(61, 2)), Err(NoSetup::WeakBreak));
    let left = calm().candle(61, 10);
    assert_eq!(answer(StrategyKind::Breakout, &settings, &left), Ok(Direction::Buy));
    assert_eq!(answer(StrategyKind::Breakout, &settings, &left.mirrored()), Ok(Direction::Sell));

    let (strategy, _) = run(StrategyKind::Breakout, &settings, &left);
    assert_eq!(strategy.readings().channel_high, Some(2_000.60), "the candle that breaks out is not in the channel");
    assert_eq!(strategy.readings().channel_low, Some(1_999.90));
    assert_eq!(strategy.review(Direction::Buy), Ok(()));
    let back = left.candle(-61, 10);
    let (strategy, _) = run(StrategyKind::Breakout, &settings, &back);
    assert_eq!(strategy.review(Direction::Buy), Err(Weakness::BackInChannel));
    let (strategy, _) = run(StrategyKind::Breakout, &settings, &back.mirrored());
    assert_eq!(strategy.review(Direction::Sell), Err(Weakness::BackInChannel));
}

#[test]
fn momentum_turns_with_the_trend() {
    let settings = quick();
    // Up, a rest, on.
    let market = Market::at(200_000).candles(30, 40).candles(4, -20).candles(4, 60);
    for (market, direction) in [(market.mirrored(), Direction::Sell), (market, Direction::Buy)] {
        let (strategy, answers) = run(StrategyKind::Momentum, &settings, &market);
        assert_eq!(directions(&answers), [direction]);
        assert_eq!(strategy.review(direction), Ok(()));
        assert_eq!(strategy.review(direction.opposite()), Err(Weakness::MomentumTurned));
        let crossed = answers.iter().rposition(Result::is_ok).unwrap();
        assert!(crossed >= 34, "MACD crossed after the rest, not at {crossed}");
        assert_eq!(answers[crossed - 1], Err(NoSetup::NoMomentum));
        // It crossed the other way during the rest, while the price was on the trend's side.
        assert!(answers[30..34].contains(&Err(NoSetup::AgainstTrend)), "{:?}", &answers[30..34]);
        let careful = Momentum { oversold: 49.0, overbought: 51.0, ..settings.momentum.clone() };
        let careful = Settings { momentum: careful, ..settings.clone() };
        assert_eq!(run(StrategyKind::Momentum, &careful, &market).1[crossed], Err(NoSetup::Exhausted));
    }
}

#[test]
fn levels_are_multiples_of_the_average_true_range_on_ticks() {
    let settings = Settings { tick: "0.05".parse().unwrap(), ..quick() };
    let market = Market::at(200_000).range(20, 50).candle(61, 10);
    let (strategy, answers) = run(StrategyKind::Breakout, &settings, &market);
    let Proposal { levels, strategy: kind } = answers.last().unwrap().clone().unwrap();
    // True ranges: 0.70 each, then 0.81 of the last: (4 * 0.70 + 0.81) / 5.
    assert_eq!(strategy.readings().atr, Some(0.722));
    assert_eq!(kind, StrategyKind::Breakout);
    assert_eq!(levels.check(), Ok(()));
    let price = |text: &str| text.parse::<Price>().unwrap();
    assert_eq!(market.candles.last().unwrap().close, price("2000.61"));
    assert_eq!(levels.entry, price("2000.6"));
    assert_eq!([levels.zone_low, levels.zone_high], ["2000.5", "2000.7"].map(price));
    assert_eq!(levels.stop, price("1999.5"));
    let targets: Vec<Price> = levels.targets.iter().map(|target| target.price).collect();
    assert_eq!(targets, ["2001.7", "2002.75", "2003.85"].map(price));
}

#[test]
fn a_market_that_hardly_moves_has_no_levels() {
    let settings = Settings { tick: Price::from_units(Price::SCALE), ..quick() };
    let market = Market::at(200_000).range(20, 5).candle(20, 10);
    assert_eq!(answer(StrategyKind::Breakout, &settings, &market), Err(NoSetup::TooQuiet));
}

#[test]
fn what_is_not_looked_at_is_not_read() {
    let market = Market::at(200_000).range(60, 50);
    let read = |kind| {
        let (strategy, _) = run(kind, &Settings::default(), &market);
        let value = serde_json::to_value(strategy.readings()).unwrap();
        value.as_object().unwrap().keys().cloned().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(read(StrategyKind::Trend), "adx atr ema_fast ema_slow");
    assert_eq!(read(StrategyKind::Reversion), "atr band_lower band_middle band_upper rsi");
    assert_eq!(read(StrategyKind::Breakout), "atr channel_high channel_low");
    assert_eq!(read(StrategyKind::Momentum), "atr ema_slow macd macd_histogram macd_signal rsi");
}
