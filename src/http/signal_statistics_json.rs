//! What signals came to, as it goes out.

use chrono::{DateTime, Utc};
use poem_openapi::{Object, types::Example};
use trading::{
    Direction, Exit, Price, Settings, StrategyKind, Trade,
    statistics::{Drawdown, Duration, Extreme, Figures, Group, Options, Point, Statistics, equity_curve},
};

use super::{
    csv::{Columns, line, time},
    signal_config_json::weekday,
    signal_names::owner,
};

/// What a number of signals came to. Gains are per ounce, as decimal texts. An average, a rate or a ratio is missing when there
/// is nothing to divide by.
#[derive(Object)]
#[oai(skip_serializing_if_is_none)]
pub(super) struct SignalFigures {
    /// How many were entered and have ended.
    trades: u32,
    /// Those that earned something.
    wins: u32,
    /// Those that lost something.
    losses: u32,
    /// Those that did neither.
    draws: u32,
    /// Wins among all, in percent.
    win_percent: Option<f64>,
    /// What all of them earned.
    gain: String,
    /// The same in pips.
    pips: f64,
    /// The same in multiples of what each risked.
    r: f64,
    /// What the wins earned.
    gross_profit: String,
    /// What the losses lost, as a positive number.
    gross_loss: String,
    /// Gross profit over gross loss.
    profit_factor: Option<f64>,
    /// The same with each in multiples of what it risked, as for an account that risks the same amount each time.
    profit_factor_r: Option<f64>,
    /// What a win earns on average.
    average_win: Option<f64>,
    /// What a loss loses on average, as a positive number.
    average_loss: Option<f64>,
    /// `average_win` in R.
    average_win_r: Option<f64>,
    /// `average_loss` in R.
    average_loss_r: Option<f64>,
    /// How many times an average loss an average win is, in R.
    payoff_ratio: Option<f64>,
    /// What a signal earns on average.
    expectancy: Option<f64>,
    /// The same in pips.
    expectancy_pips: Option<f64>,
    /// The same in R.
    expectancy_r: Option<f64>,
}

impl From<&Figures> for SignalFigures {
    fn from(figures: &Figures) -> Self {
        Self {
            trades: figures.trades,
            wins: figures.wins,
            losses: figures.losses,
            draws: figures.draws,
            win_percent: figures.win_percent,
            gain: figures.gain.to_string(),
            pips: figures.pips,
            r: figures.r,
            gross_profit: figures.gross_profit.to_string(),
            gross_loss: figures.gross_loss.to_string(),
            profit_factor: figures.profit_factor,
            profit_factor_r: figures.profit_factor_r,
            average_win: figures.average_win,
            average_loss: figures.average_loss,
            average_win_r: figures.average_win_r,
            average_loss_r: figures.average_loss_r,
            payoff_ratio: figures.payoff_ratio,
            expectancy: figures.expectancy,
            expectancy_pips: figures.expectancy_pips,
            expectancy_r: figures.expectancy_r,
        }
    }
}

/// The signals of one kind.
#[derive(Object)]
pub(super) struct SignalGroup {
    /// Which kind: a strategy (or `by_hand`), a session, a weekday as `mon`, a month as `2027-01`, an exit or a direction.
    key: String,
    /// What they came to.
    #[oai(flatten)]
    figures: SignalFigures,
}

fn groups<K: Copy>(groups: &[Group<K>], word: impl Fn(K) -> String) -> Vec<SignalGroup> {
    groups.iter().map(|group| SignalGroup { key: word(group.key), figures: (&group.figures).into() }).collect()
}

/// How many signals came to about the same.
#[derive(Object)]
pub(super) struct SignalBucket {
    /// The least R in it. It holds this and half an R more, without the upper end.
    from_r: f64,
    /// How many.
    trades: u32,
}

/// A signal that stands out.
#[derive(Object)]
pub(super) struct SignalExtreme {
    /// Its number.
    number: u32,
    /// When it ended.
    closed_at: DateTime<Utc>,
    /// What it earned, in R.
    r: f64,
    /// What it earned per ounce.
    gain: String,
}

impl From<Extreme> for SignalExtreme {
    fn from(extreme: Extreme) -> Self {
        let Extreme { number, closed_at, r, gain } = extreme;
        Self { number, closed_at, r, gain: gain.to_string() }
    }
}

/// How long signals were open, in seconds.
#[derive(Object)]
#[oai(skip_serializing_if_is_none)]
pub(super) struct SignalDuration {
    /// On average.
    average_seconds: Option<f64>,
    /// The longest.
    longest_seconds: Option<i64>,
}

impl From<Duration> for SignalDuration {
    fn from(duration: Duration) -> Self {
        Self { average_seconds: duration.average_seconds, longest_seconds: duration.longest_seconds }
    }
}

/// How far the sum of R fell below what it had been.
#[derive(Object)]
#[oai(skip_serializing_if_is_none)]
pub(super) struct DrawdownInR {
    /// From the peak down to the trough, in R, as a positive number.
    depth: f64,
    /// When the sum was last at the peak.
    peak_at: DateTime<Utc>,
    /// When it was deepest.
    trough_at: DateTime<Utc>,
    /// When it was at the peak again; missing while it is not.
    recovered_at: Option<DateTime<Utc>>,
}

impl From<Drawdown<f64>> for DrawdownInR {
    fn from(drawdown: Drawdown<f64>) -> Self {
        let Drawdown { depth, peak_at, trough_at, recovered_at } = drawdown;
        Self { depth, peak_at, trough_at, recovered_at }
    }
}

/// How far the sum of gains per ounce fell below what it had been.
#[derive(Object)]
#[oai(skip_serializing_if_is_none)]
pub(super) struct DrawdownPerOunce {
    /// From the peak down to the trough, as a decimal text.
    depth: String,
    /// When the sum was last at the peak.
    peak_at: DateTime<Utc>,
    /// When it was deepest.
    trough_at: DateTime<Utc>,
    /// When it was at the peak again; missing while it is not.
    recovered_at: Option<DateTime<Utc>>,
}

impl From<Drawdown<Price>> for DrawdownPerOunce {
    fn from(drawdown: Drawdown<Price>) -> Self {
        let Drawdown { depth, peak_at, trough_at, recovered_at } = drawdown;
        Self { depth: depth.to_string(), peak_at, trough_at, recovered_at }
    }
}

/// What signals came to that were entered and have ended. Each is taken as risking the same part of the starting account,
/// without compounding.
#[derive(Object)]
#[oai(example, skip_serializing_if_is_none)]
pub(super) struct ForexStatistics {
    /// When the time they cover begins; missing without any and without an explicit beginning.
    from: Option<DateTime<Utc>>,
    /// When it ends.
    to: Option<DateTime<Utc>>,
    /// All together.
    total: SignalFigures,
    /// The one with the most R.
    best: Option<SignalExtreme>,
    /// The one with the least R.
    worst: Option<SignalExtreme>,
    /// By their R, in steps of half an R, the least first; without empty steps.
    distribution: Vec<SignalBucket>,
    /// The most wins one after another. A draw ends it.
    longest_wins: u32,
    /// The most losses one after another. A draw ends it.
    longest_losses: u32,
    /// How long wins were open.
    wins_open: SignalDuration,
    /// How long losses were open.
    losses_open: SignalDuration,
    /// How far the sum of R fell; missing when it never did.
    drawdown_r: Option<DrawdownInR>,
    /// How far the sum of gains per ounce fell; missing when it never did.
    drawdown: Option<DrawdownPerOunce>,
    /// The longest time that the sum of R was below its peak.
    longest_under_water_seconds: i64,
    /// All such times together.
    under_water_seconds: i64,
    /// Weekdays (UTC) from the first to the last, both counted. A Saturday or Sunday is part of the Monday after it.
    days: u32,
    /// Mean over standard deviation of the R of each day, times the root of 252; against an interest rate of zero.
    sharpe: Option<f64>,
    /// Mean of the R of each day over the root of the mean square of what was lost on each day, times the root of 252.
    sortino: Option<f64>,
    /// Mean of the R of each day times 252, over the depth of `drawdown_r`.
    calmar: Option<f64>,
    /// The part of the time with a position, in percent. Saturdays and Sundays (UTC) do not count.
    exposure_percent: Option<f64>,
    /// By how they ended.
    by_exit: Vec<SignalGroup>,
    /// By the month in which they ended.
    by_month: Vec<SignalGroup>,
    /// By the strategy that proposed them, and by hand.
    by_strategy: Vec<SignalGroup>,
    /// By the session in which they were entered.
    by_session: Vec<SignalGroup>,
    /// By the weekday (UTC) on which they were entered.
    by_weekday: Vec<SignalGroup>,
    /// By which way they went.
    by_direction: Vec<SignalGroup>,
}

impl From<&Statistics> for ForexStatistics {
    fn from(statistics: &Statistics) -> Self {
        let by_exit = |exit: Option<Exit>| exit.map_or("open", Exit::as_str).to_owned();
        Self {
            from: statistics.from,
            to: statistics.to,
            total: (&statistics.total).into(),
            best: statistics.best.map(Into::into),
            worst: statistics.worst.map(Into::into),
            distribution: statistics
                .distribution
                .iter()
                .map(|bucket| SignalBucket { from_r: bucket.from_r, trades: bucket.trades })
                .collect(),
            longest_wins: statistics.longest_wins,
            longest_losses: statistics.longest_losses,
            wins_open: statistics.wins_open.into(),
            losses_open: statistics.losses_open.into(),
            drawdown_r: statistics.drawdown_r.map(Into::into),
            drawdown: statistics.drawdown.map(Into::into),
            longest_under_water_seconds: statistics.longest_under_water_seconds,
            under_water_seconds: statistics.under_water_seconds,
            days: statistics.days,
            sharpe: statistics.sharpe,
            sortino: statistics.sortino,
            calmar: statistics.calmar,
            exposure_percent: statistics.exposure_percent,
            by_exit: groups(&statistics.by_exit, by_exit),
            by_month: groups(&statistics.by_month, |month| month.to_string()),
            by_strategy: groups(&statistics.by_strategy, |strategy| owner(strategy).to_owned()),
            by_session: groups(&statistics.by_session, |session| session.as_str().to_owned()),
            by_weekday: groups(&statistics.by_weekday, |day| weekday(day).to_owned()),
            by_direction: groups(&statistics.by_direction, |direction| direction.as_str().to_owned()),
        }
    }
}

impl Example for ForexStatistics {
    fn example() -> Self {
        (&Statistics::of(&example_trades(), example_options())).into()
    }
}

fn example_options() -> Options {
    Options { from: None, to: DateTime::from_timestamp(1_800_200_000, 0), pip: Settings::default().pip }
}

/// A win and a loss.
fn example_trades() -> [Trade; 2] {
    let price = |units: i64| Price::from_units(units * Price::SCALE);
    let at = |minutes: i64| DateTime::from_timestamp(1_800_003_600 + 60 * minutes, 0).unwrap_or_default();
    let win = Trade {
        number: 17,
        strategy: Some(StrategyKind::Trend),
        direction: Direction::Buy,
        opened_at: at(0),
        closed_at: at(95),
        entry: price(4_012),
        risk: price(10),
        gain: price(17),
        exit: Some(Exit::Target),
        fills: vec![],
    };
    let loss = Trade {
        number: 18,
        strategy: None,
        direction: Direction::Sell,
        opened_at: at(1_500),
        closed_at: at(1_530),
        gain: price(-10),
        exit: Some(Exit::Stop),
        ..win.clone()
    };
    [win, loss]
}

/// A point of the equity curve: the sums after a signal ended.
#[derive(Object)]
pub(super) struct EquityPoint {
    /// When it ended.
    at: DateTime<Utc>,
    /// All R so far.
    r: f64,
    /// All gains per ounce so far, as a decimal text.
    gain: String,
}

impl From<Point> for EquityPoint {
    fn from(point: Point) -> Self {
        Self { at: point.at, r: point.r, gain: point.gain.to_string() }
    }
}

/// The equity curve: points after signals that were entered and have ended, in the order in which they ended.
#[derive(Object)]
#[oai(example)]
pub(super) struct EquityCurve {
    /// The points: one for each signal, or of many signals some, evenly apart, and the last.
    pub(super) items: Vec<EquityPoint>,
    /// How many signals there were.
    pub(super) signals: u64,
}

impl Example for EquityCurve {
    fn example() -> Self {
        let items: Vec<_> = equity_curve(&example_trades()).map(Into::into).collect();
        Self { signals: items.len() as u64, items }
    }
}

pub(super) struct EquityTable;

impl Columns for EquityTable {
    const NAMES: &'static str = "at,r,gain";
    const EXAMPLE: &'static str = "2027-01-15T10:35:00.000000Z,1.7,17";
}

pub(super) fn point_line(point: &Point) -> String {
    line(&[&time(point.at), &point.r.to_string(), &point.gain.to_string()])
}
