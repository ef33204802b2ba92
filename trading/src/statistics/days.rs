//! Results by day, and the ratios made of them.

use chrono::{DateTime, Datelike, TimeDelta, Timelike, Utc};

use super::figures::ratio;

/// Days in a year on which one can trade.
const YEAR: f64 = 252.0;
const DAY: i64 = 24 * 60 * 60;

/// Which weekday it is, counted through all weeks. A Saturday or Sunday counts as the
/// Monday after it: what trades then is the market of that Monday.
fn weekday_number(at: DateTime<Utc>) -> i64 {
    // The first day of the first year was a Monday.
    let day = i64::from(at.num_days_from_ce() - 1);
    day.div_euclid(7) * 5 + day.rem_euclid(7).min(5)
}

/// How much of the time between two instants is from Monday to Friday in UTC.
pub(super) fn weekday_time(from: DateTime<Utc>, to: DateTime<Utc>) -> TimeDelta {
    let seconds = |at: DateTime<Utc>| {
        let of_day =
            if at.weekday().num_days_from_monday() < 5 { i64::from(at.num_seconds_from_midnight()) } else { 0 };
        weekday_number(at) * DAY + of_day
    };
    TimeDelta::seconds((seconds(to) - seconds(from)).max(0))
}

/// What each weekday earned in R, zero where no trade was closed.
#[derive(Debug, Clone)]
pub(super) struct Days {
    /// Those before it are counted.
    today: i64,
    earned: f64,
    count: f64,
    mean: f64,
    /// Of squared distances from the mean.
    squares: f64,
    /// Of squares of what was lost.
    lost: f64,
}

impl Days {
    pub(super) fn new(from: DateTime<Utc>) -> Self {
        Self { today: weekday_number(from), earned: 0.0, count: 0.0, mean: 0.0, squares: 0.0, lost: 0.0 }
    }

    pub(super) fn add(&mut self, at: DateTime<Utc>, r: f64) {
        self.reach(weekday_number(at));
        self.earned += r;
    }

    fn reach(&mut self, day: i64) {
        if day <= self.today {
            return;
        }
        let earned = std::mem::take(&mut self.earned);
        self.merge(1.0, earned);
        self.merge((day - self.today - 1) as f64, 0.0);
        self.lost += earned.min(0.0).powi(2);
        self.today = day;
    }

    /// Takes in `many` days that earned the same: T. Chan, G. Golub, R. LeVeque, "Updating
    /// formulae and a pairwise algorithm for computing sample variances" (1979).
    fn merge(&mut self, many: f64, earned: f64) {
        let all = self.count + many;
        if all > 0.0 {
            let off = earned - self.mean;
            self.mean += off * many / all;
            self.squares += off * off * self.count * many / all;
            self.count = all;
        }
    }

    /// How many days, up to the one of `to`, and their ratios.
    pub(super) fn ratios(mut self, to: DateTime<Utc>, deepest_r: Option<f64>) -> Ratios {
        self.reach(weekday_number(to).max(self.today) + 1);
        let Self { count, mean, squares, lost, .. } = self;
        let deviation = if count > 1.0 { (squares / (count - 1.0)).sqrt() } else { 0.0 };
        Ratios {
            days: count as u32,
            sharpe: ratio(mean * YEAR.sqrt(), deviation),
            sortino: ratio(mean * YEAR.sqrt(), (lost / count).sqrt()),
            calmar: deepest_r.and_then(|depth| ratio(mean * YEAR, depth)),
        }
    }
}

pub(super) struct Ratios {
    pub(super) days: u32,
    pub(super) sharpe: Option<f64>,
    pub(super) sortino: Option<f64>,
    pub(super) calmar: Option<f64>,
}
