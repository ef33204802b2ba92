use std::ops::AddAssign;

use serde::Serialize;

use crate::Report;

/// What settings came to on one side, in the sample they were chosen by or out of it.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Side {
    /// How many trades.
    pub trades: u32,
    /// Those that earned something.
    pub wins: u32,
    /// What the wins earned, in R.
    pub profit_r: f64,
    /// What the losses lost, in R, as a positive number.
    pub loss_r: f64,
    /// Weekdays.
    pub days: u32,
    /// The deepest drawdown, in R; of several times, of the worst of them.
    pub drawdown_r: f64,
    /// Of the R of each day; of several times, the mean of those that have one.
    pub sharpe: Option<f64>,
    /// Of how many times it is the mean.
    #[serde(skip)]
    sharpes: u32,
}

/// What makes settings better than others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Objective {
    /// The Sharpe ratio of the R of each day.
    #[default]
    Sharpe,
    /// All R.
    R,
    /// R a trade.
    Expectancy,
    /// Profits over losses, in R.
    ProfitFactor,
}

impl Objective {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Sharpe, Self::R, Self::Expectancy, Self::ProfitFactor];

    /// The word shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sharpe => "sharpe",
            Self::R => "r",
            Self::Expectancy => "expectancy",
            Self::ProfitFactor => "profit_factor",
        }
    }

    /// How good a side is by it, to compare sides; none when that cannot be said of so few trades.
    #[must_use]
    pub fn of(self, side: &Side, least_trades: u32) -> Option<f64> {
        if side.trades < least_trades {
            return None;
        }
        match self {
            Self::Sharpe => side.sharpe,
            Self::R => Some(side.r()),
            Self::Expectancy => side.expectancy_r(),
            // Without a loss it is beyond all others.
            Self::ProfitFactor => side.profit_factor().or((side.profit_r > 0.0).then_some(f64::INFINITY)),
        }
    }
}

impl Side {
    pub(super) fn of(report: &Report) -> Self {
        let (statistics, total) = (&report.statistics, &report.statistics.total);
        Self {
            trades: total.trades,
            wins: total.wins,
            profit_r: total.average_win_r.unwrap_or_default() * f64::from(total.wins),
            loss_r: total.average_loss_r.unwrap_or_default() * f64::from(total.losses),
            days: statistics.days,
            drawdown_r: statistics.drawdown_r.map_or(0.0, |drawdown| drawdown.depth),
            sharpe: statistics.sharpe,
            sharpes: u32::from(statistics.sharpe.is_some()),
        }
    }

    /// What it came to, in R.
    #[must_use]
    pub fn r(&self) -> f64 {
        self.profit_r - self.loss_r
    }

    /// R a weekday.
    #[must_use]
    pub fn r_per_day(&self) -> Option<f64> {
        (self.days > 0).then(|| self.r() / f64::from(self.days))
    }

    /// R a trade.
    #[must_use]
    pub fn expectancy_r(&self) -> Option<f64> {
        (self.trades > 0).then(|| self.r() / f64::from(self.trades))
    }

    /// Wins among all trades, in percent.
    #[must_use]
    pub fn win_percent(&self) -> Option<f64> {
        (self.trades > 0).then(|| 100.0 * f64::from(self.wins) / f64::from(self.trades))
    }

    /// Profits over losses.
    #[must_use]
    pub fn profit_factor(&self) -> Option<f64> {
        (self.loss_r > 0.0).then(|| self.profit_r / self.loss_r)
    }
}

/// Another time of the same.
impl AddAssign for Side {
    fn add_assign(&mut self, other: Self) {
        let sharpes = self.sharpes + other.sharpes;
        let sum = self.sharpe.unwrap_or_default() * f64::from(self.sharpes)
            + other.sharpe.unwrap_or_default() * f64::from(other.sharpes);
        *self = Self {
            trades: self.trades + other.trades,
            wins: self.wins + other.wins,
            profit_r: self.profit_r + other.profit_r,
            loss_r: self.loss_r + other.loss_r,
            days: self.days + other.days,
            drawdown_r: self.drawdown_r.max(other.drawdown_r),
            sharpe: (sharpes > 0).then(|| sum / f64::from(sharpes)),
            sharpes,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_losses_are_better_than_some() {
        let side = |profit_r, loss_r| Side { trades: 12, profit_r, loss_r, ..Side::default() };
        let factor = |profit_r, loss_r| Objective::ProfitFactor.of(&side(profit_r, loss_r), 12);
        assert!(factor(12.0, 0.0) > factor(30.0, 0.1));
        assert_eq!(factor(3.0, 2.0), Some(1.5));
        assert_eq!(factor(0.0, 0.0), None, "nothing but draws");
        assert_eq!(Objective::ProfitFactor.of(&side(12.0, 0.0), 13), None, "too few");
        assert_eq!(side(12.0, 0.0).profit_factor(), None, "there is no number to show");
    }
}
