use serde::Serialize;

use super::Trade;
use crate::Price;

/// What a number of trades came to. Gains are per ounce; an average, a rate or a ratio is
/// absent when there is nothing to divide by.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Figures {
    /// How many.
    pub trades: u32,
    /// Those that earned something.
    pub wins: u32,
    /// Those that lost something.
    pub losses: u32,
    /// Those that did neither.
    pub draws: u32,
    /// Wins among all trades, in percent.
    pub win_percent: Option<f64>,
    /// What all of them earned.
    pub gain: Price,
    /// The same in pips, as they were when each trade was made.
    pub pips: f64,
    /// The same in multiples of what each risked.
    pub r: f64,
    /// What the wins earned.
    pub gross_profit: Price,
    /// What the losses lost, as a positive number.
    pub gross_loss: Price,
    /// Gross profit over gross loss.
    pub profit_factor: Option<f64>,
    /// The same with every trade in multiples of what it risked, as for an account that risks
    /// the same amount each time.
    pub profit_factor_r: Option<f64>,
    /// What a win earns on average.
    pub average_win: Option<f64>,
    /// What a loss loses on average, as a positive number.
    pub average_loss: Option<f64>,
    /// [`Figures::average_win`] in R.
    pub average_win_r: Option<f64>,
    /// [`Figures::average_loss`] in R.
    pub average_loss_r: Option<f64>,
    /// How many times an average loss an average win is, in R.
    pub payoff_ratio: Option<f64>,
    /// What a trade earns on average.
    pub expectancy: Option<f64>,
    /// The same in pips.
    pub expectancy_pips: Option<f64>,
    /// The same in R.
    pub expectancy_r: Option<f64>,
}

/// Sums that [`Figures`] are made of.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Tally {
    wins: u32,
    losses: u32,
    draws: u32,
    profit: Price,
    loss: Price,
    profit_r: f64,
    loss_r: f64,
    /// Pips, as decimals.
    pips: Price,
}

impl Tally {
    pub(super) fn add(&mut self, trade: &Trade, pip: Price) {
        if pip > Price::ZERO {
            self.pips += trade.gain.part(Price::SCALE, pip.units());
        }
        if trade.gain > Price::ZERO {
            self.wins += 1;
            self.profit += trade.gain;
            self.profit_r += trade.r();
        } else if trade.gain < Price::ZERO {
            self.losses += 1;
            self.loss -= trade.gain;
            self.loss_r -= trade.r();
        } else {
            self.draws += 1;
        }
    }

    pub(super) fn figures(&self) -> Figures {
        let Self { wins, losses, draws, profit, loss, profit_r, loss_r, pips } = *self;
        let trades = wins + losses + draws;
        let (gain, r) = (profit - loss, profit_r - loss_r);
        let average_win_r = ratio(profit_r, wins.into());
        let average_loss_r = ratio(loss_r, losses.into());
        Figures {
            trades,
            wins,
            losses,
            draws,
            win_percent: ratio(100.0 * f64::from(wins), trades.into()),
            gain,
            pips: pips.to_f64(),
            r,
            gross_profit: profit,
            gross_loss: loss,
            profit_factor: ratio(profit.to_f64(), loss.to_f64()),
            profit_factor_r: ratio(profit_r, loss_r),
            average_win: ratio(profit.to_f64(), wins.into()),
            average_loss: ratio(loss.to_f64(), losses.into()),
            average_win_r,
            average_loss_r,
            payoff_ratio: average_win_r.zip(average_loss_r).and_then(|(win, loss)| ratio(win, loss)),
            expectancy: ratio(gain.to_f64(), trades.into()),
            expectancy_pips: ratio(pips.to_f64(), trades.into()),
            expectancy_r: ratio(r, trades.into()),
        }
    }
}

/// One number over another that is above 0.
pub(super) fn ratio(of: f64, over: f64) -> Option<f64> {
    (over > 0.0).then(|| of / over)
}
