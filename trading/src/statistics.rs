//! What trades came to, in the figures that traders expect.
//!
//! Every trade is taken as one that risks the same part of the starting account, without
//! compounding: its return is R times that part. So Sharpe, Sortino and Calmar are the same
//! whatever that part is, and are computed on the R of each weekday.

mod days;
mod drawdown;
mod figures;
mod trade;

use std::{collections::BTreeMap, fmt};

use chrono::{DateTime, Datelike, TimeDelta, Utc, Weekday};
use serde::{Serialize, Serializer};

use crate::{Direction, Exit, Price, Session, StrategyKind};
use days::{Days, Ratios, weekday_time};
pub use drawdown::Drawdown;
use drawdown::Track;
pub use figures::Figures;
use figures::Tally;
pub use trade::{Fill, Trade};

/// What statistics are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// When the time they cover begins; none: with the first trade.
    pub from: Option<DateTime<Utc>>,
    /// When it ends; none: with the last trade.
    pub to: Option<DateTime<Utc>>,
    /// What traders call one pip of the instrument, unless a trade has its own.
    pub pip: Price,
}

/// The trades of one kind.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Group<K> {
    /// Which kind.
    pub key: K,
    /// What they came to.
    #[serde(flatten)]
    pub figures: Figures,
}

/// A month of a year, in UTC; written as `2026-03`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Month {
    /// The year.
    pub year: i32,
    /// 1 to 12.
    pub month: u32,
}

impl Month {
    /// The one an instant lies in.
    #[must_use]
    pub fn of(at: DateTime<Utc>) -> Self {
        Self { year: at.year(), month: at.month() }
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.year, self.month)
    }
}

impl Serialize for Month {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// How many trades came to about the same.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Bucket {
    /// The least R in it. It holds this and half an R more, without the upper end.
    pub from_r: f64,
    /// How many.
    pub trades: u32,
}

/// A trade that stands out.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Extreme {
    /// Which one.
    pub number: u32,
    /// When it was closed.
    pub closed_at: DateTime<Utc>,
    /// What it earned, in R.
    pub r: f64,
    /// What it earned per ounce.
    pub gain: Price,
}

/// How long trades were open, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Duration {
    /// On average; none without trades.
    pub average_seconds: Option<f64>,
    /// The longest; none without trades.
    pub longest_seconds: Option<i64>,
}

/// All figures of a number of trades. What cannot be said is absent.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Statistics {
    /// When the time they cover begins; none without trades and an explicit beginning.
    pub from: Option<DateTime<Utc>>,
    /// When it ends.
    pub to: Option<DateTime<Utc>>,
    /// All trades together.
    pub total: Figures,
    /// The one with the most R; the first of equals.
    pub best: Option<Extreme>,
    /// The one with the least R; the first of equals.
    pub worst: Option<Extreme>,
    /// Trades by their R, in steps of half an R, the least first; without empty steps.
    pub distribution: Vec<Bucket>,
    /// The most wins one after another. A draw ends it.
    pub longest_wins: u32,
    /// The most losses one after another. A draw ends it.
    pub longest_losses: u32,
    /// How long wins were open.
    pub wins_open: Duration,
    /// How long losses were open.
    pub losses_open: Duration,
    /// How far the sum of R fell; none when it never did.
    pub drawdown_r: Option<Drawdown<f64>>,
    /// How far the sum of gains per ounce fell; none when it never did.
    pub drawdown: Option<Drawdown<Price>>,
    /// The longest time that the sum of R was below its peak: from the peak until it was there
    /// again, or until the end.
    pub longest_under_water_seconds: i64,
    /// All such times together.
    pub under_water_seconds: i64,
    /// Weekdays (UTC) from the first to the last, both counted, on which trades could close. A
    /// Saturday or Sunday is part of the Monday after it.
    pub days: u32,
    /// Mean over sample standard deviation of the R of each day, times the root of 252; against
    /// nothing, that is, an interest rate of zero. W. Sharpe, "The Sharpe Ratio", Journal of
    /// Portfolio Management 21 (1994).
    pub sharpe: Option<f64>,
    /// Mean of the R of each day over the root of the mean square of what was lost on each day,
    /// counting other days as 0, times the root of 252. F. Sortino, L. Price, "Performance
    /// Measurement in a Downside Risk Framework", Journal of Investing 3 (1994).
    pub sortino: Option<f64>,
    /// Mean of the R of each day times 252, over [`Statistics::drawdown_r`]. T. Young, "Calmar
    /// Ratio: A Smoother Tool", Futures 20 (1991); over the whole time instead of three years.
    pub calmar: Option<f64>,
    /// The part of the time with a position, in percent. Saturdays and Sundays (UTC) do not count.
    pub exposure_percent: Option<f64>,
    /// By why the last part was closed; see [`Trade::exit`].
    pub by_exit: Vec<Group<Option<Exit>>>,
    /// By the month in which the last part was closed.
    pub by_month: Vec<Group<Month>>,
    /// By the strategy that proposed them; see [`Trade::strategy`].
    pub by_strategy: Vec<Group<Option<StrategyKind>>>,
    /// By the session in which they were opened.
    pub by_session: Vec<Group<Session>>,
    /// By the weekday (UTC) on which they were opened.
    pub by_weekday: Vec<Group<Weekday>>,
    /// By which way they went.
    pub by_direction: Vec<Group<Direction>>,
}

impl Statistics {
    /// The figures of trades that come in the order in which they were closed.
    pub fn of<'a>(trades: impl IntoIterator<Item = &'a Trade>, options: Options) -> Self {
        let mut accumulator = Accumulator::new(options);
        for trade in trades {
            accumulator.add(trade);
        }
        accumulator.finish()
    }
}

/// A point of the equity curve: the sums after a trade was closed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Point {
    /// When the trade was closed.
    pub at: DateTime<Utc>,
    /// All R so far.
    pub r: f64,
    /// All gains per ounce so far.
    pub gain: Price,
}

/// Makes the equity curve of trades one by one, and keeps none of them.
#[derive(Debug, Clone, Copy, Default)]
pub struct Curve {
    r: f64,
    gain: Price,
}

impl Curve {
    /// The point after a trade that was closed no earlier than the ones before.
    pub fn add(&mut self, trade: &Trade) -> Point {
        self.r += trade.r();
        self.gain += trade.gain;
        Point { at: trade.closed_at, r: self.r, gain: self.gain }
    }
}

/// The equity curve of trades that come in the order in which they were closed, a point each.
pub fn equity_curve<'a>(trades: impl IntoIterator<Item = &'a Trade>) -> impl Iterator<Item = Point> {
    trades.into_iter().scan(Curve::default(), |curve, trade| Some(curve.add(trade)))
}

/// Makes [`Statistics`] of trades one by one, and keeps none of them.
#[derive(Debug, Clone)]
pub struct Accumulator {
    options: Options,
    course: Option<Course>,
    total: Tally,
    best: Option<Extreme>,
    worst: Option<Extreme>,
    /// By half an R.
    distribution: BTreeMap<i32, u32>,
    wins: Streak,
    losses: Streak,
    by_exit: BTreeMap<Option<Exit>, Tally>,
    by_month: BTreeMap<Month, Tally>,
    by_strategy: BTreeMap<Option<StrategyKind>, Tally>,
    by_session: [Tally; Session::ALL.len()],
    by_weekday: [Tally; 7],
    by_direction: [Tally; 2],
}

/// What depends on when it began.
#[derive(Debug, Clone)]
struct Course {
    from: DateTime<Utc>,
    last: DateTime<Utc>,
    r: Track<f64>,
    gain: Track<Price>,
    days: Days,
    open: TimeDelta,
}

impl Course {
    fn new(from: DateTime<Utc>) -> Self {
        let (r, gain, days) = (Track::new(from), Track::new(from), Days::new(from));
        Self { from, last: from, r, gain, days, open: TimeDelta::zero() }
    }
}

/// Trades that come out the same way.
#[derive(Debug, Clone, Copy, Default)]
struct Streak {
    now: u32,
    longest: u32,
    count: u32,
    open: TimeDelta,
    longest_open: TimeDelta,
}

impl Streak {
    fn add(&mut self, is_one: bool, open: TimeDelta) {
        if !is_one {
            self.now = 0;
            return;
        }
        self.now += 1;
        self.longest = self.longest.max(self.now);
        self.count += 1;
        self.open += open;
        self.longest_open = self.longest_open.max(open);
    }

    fn duration(&self) -> Duration {
        Duration {
            average_seconds: figures::ratio(self.open.num_seconds() as f64, self.count.into()),
            longest_seconds: (self.count > 0).then(|| self.longest_open.num_seconds()),
        }
    }
}

impl Accumulator {
    /// Without trades yet.
    #[must_use]
    pub fn new(options: Options) -> Self {
        Self {
            options,
            course: options.from.map(Course::new),
            total: Tally::default(),
            best: None,
            worst: None,
            distribution: BTreeMap::new(),
            wins: Streak::default(),
            losses: Streak::default(),
            by_exit: BTreeMap::new(),
            by_month: BTreeMap::new(),
            by_strategy: BTreeMap::new(),
            by_session: Default::default(),
            by_weekday: Default::default(),
            by_direction: Default::default(),
        }
    }

    /// Takes in a trade that was closed no earlier than the ones before.
    pub fn add(&mut self, trade: &Trade) {
        self.add_in(trade, self.options.pip);
    }

    /// The same, of which one pip was `pip`.
    pub fn add_in(&mut self, trade: &Trade, pip: Price) {
        let (r, open) = (trade.r(), trade.duration());
        let course = self.course.get_or_insert_with(|| Course::new(trade.opened_at));
        course.r.add(trade.closed_at, r);
        course.gain.add(trade.closed_at, trade.gain);
        course.days.add(trade.closed_at, r);
        course.open += weekday_time(trade.opened_at, trade.closed_at);
        course.last = course.last.max(trade.closed_at);

        let this = Extreme { number: trade.number, closed_at: trade.closed_at, r, gain: trade.gain };
        if self.best.is_none_or(|best| r > best.r) {
            self.best = Some(this);
        }
        if self.worst.is_none_or(|worst| r < worst.r) {
            self.worst = Some(this);
        }
        *self.distribution.entry((r * 2.0).floor() as i32).or_default() += 1;
        self.wins.add(trade.gain > Price::ZERO, open);
        self.losses.add(trade.gain < Price::ZERO, open);

        self.total.add(trade, pip);
        self.by_exit.entry(trade.exit).or_default().add(trade, pip);
        self.by_month.entry(Month::of(trade.closed_at)).or_default().add(trade, pip);
        self.by_strategy.entry(trade.strategy).or_default().add(trade, pip);
        self.by_session[Session::of(trade.opened_at) as usize].add(trade, pip);
        self.by_weekday[trade.opened_at.weekday().num_days_from_monday() as usize].add(trade, pip);
        self.by_direction[trade.direction as usize].add(trade, pip);
    }

    /// The figures of all trades so far.
    #[must_use]
    pub fn finish(self) -> Statistics {
        let drawdown_r = self.course.as_ref().and_then(|course| course.r.deepest());
        let drawdown = self.course.as_ref().and_then(|course| course.gain.deepest());
        let from = self.course.as_ref().map(|course| course.from);
        let to = self.options.to.or(self.course.as_ref().map(|course| course.last));
        let mut ratios = Ratios { days: 0, sharpe: None, sortino: None, calmar: None };
        let (mut longest, mut under) = (TimeDelta::zero(), TimeDelta::zero());
        let mut exposure_percent = None;
        if let (Some(course), Some(to)) = (self.course, to) {
            let whole = weekday_time(course.from, to).num_seconds();
            exposure_percent = figures::ratio(100.0 * course.open.num_seconds() as f64, whole as f64);
            (longest, under) = course.r.under_water(to);
            ratios = course.days.ratios(to, drawdown_r.map(|drawdown| drawdown.depth));
        }
        Statistics {
            from,
            to,
            total: self.total.figures(),
            best: self.best,
            worst: self.worst,
            distribution: self
                .distribution
                .into_iter()
                .map(|(step, trades)| Bucket { from_r: f64::from(step) / 2.0, trades })
                .collect(),
            longest_wins: self.wins.longest,
            longest_losses: self.losses.longest,
            wins_open: self.wins.duration(),
            losses_open: self.losses.duration(),
            drawdown_r,
            drawdown,
            longest_under_water_seconds: longest.num_seconds(),
            under_water_seconds: under.num_seconds(),
            days: ratios.days,
            sharpe: ratios.sharpe,
            sortino: ratios.sortino,
            calmar: ratios.calmar,
            exposure_percent,
            by_exit: groups(self.by_exit),
            by_month: groups(self.by_month),
            by_strategy: groups(self.by_strategy),
            by_session: groups(Session::ALL.into_iter().zip(self.by_session)),
            by_weekday: groups(WEEK.into_iter().zip(self.by_weekday)),
            by_direction: groups([Direction::Buy, Direction::Sell].into_iter().zip(self.by_direction)),
        }
    }
}

const WEEK: [Weekday; 7] =
    [Weekday::Mon, Weekday::Tue, Weekday::Wed, Weekday::Thu, Weekday::Fri, Weekday::Sat, Weekday::Sun];

/// Those that have trades.
fn groups<K>(tallies: impl IntoIterator<Item = (K, Tally)>) -> Vec<Group<K>> {
    let all = tallies.into_iter().map(|(key, tally)| Group { key, figures: tally.figures() });
    all.filter(|group| group.figures.trades > 0).collect()
}
