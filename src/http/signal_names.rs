//! The names that are used of signals: where one stands, which way it goes, whose it is, how it ended, in which session
//! it was opened, and what many are sorted by.

use poem_openapi::Enum;
use projections::signals::{Sort, Status, Whose};
use trading::{Direction, Exit, Session, StrategyKind};

/// Where a signal stands.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[oai(rename_all = "snake_case")]
pub(super) enum SignalStatus {
    /// For the price to come into its zone.
    Waiting,
    /// The position is open.
    Running,
    /// It is over.
    Closed,
}

impl From<SignalStatus> for Status {
    fn from(status: SignalStatus) -> Self {
        match status {
            SignalStatus::Waiting => Self::Waiting,
            SignalStatus::Running => Self::Running,
            SignalStatus::Closed => Self::Closed,
        }
    }
}

/// Which way a signal goes.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[oai(rename_all = "snake_case")]
pub(super) enum SignalDirection {
    /// It earns when the price rises.
    Buy,
    /// It earns when the price falls.
    Sell,
}

impl From<SignalDirection> for Direction {
    fn from(direction: SignalDirection) -> Self {
        match direction {
            SignalDirection::Buy => Self::Buy,
            SignalDirection::Sell => Self::Sell,
        }
    }
}

/// Who proposes signals.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[oai(rename_all = "snake_case")]
pub(super) enum SignalOwner {
    /// Two averages that cross while there is a trend.
    Trend,
    /// A price outside its Bollinger bands that goes back.
    Reversion,
    /// A price that leaves the channel of the last candles.
    Breakout,
    /// MACD that crosses its signal line.
    Momentum,
    /// An admin.
    ByHand,
}

impl From<SignalOwner> for Whose {
    fn from(owner: SignalOwner) -> Self {
        match owner {
            SignalOwner::Trend => Self::Strategy(StrategyKind::Trend),
            SignalOwner::Reversion => Self::Strategy(StrategyKind::Reversion),
            SignalOwner::Breakout => Self::Strategy(StrategyKind::Breakout),
            SignalOwner::Momentum => Self::Strategy(StrategyKind::Momentum),
            SignalOwner::ByHand => Self::ByHand,
        }
    }
}

/// The word for whose a signal is.
pub(super) fn owner(strategy: Option<StrategyKind>) -> &'static str {
    strategy.map_or("by_hand", StrategyKind::as_str)
}

/// How a signal ended.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[oai(rename_all = "snake_case")]
pub(super) enum SignalExit {
    /// Its last target was hit.
    Target,
    /// Its stop was hit where it was first.
    Stop,
    /// Its stop was hit after it had been moved to the entry.
    Breakeven,
    /// It was open for long without a target hit.
    Stagnant,
    /// The case for it no longer held.
    Weak,
    /// Somebody ended it.
    Cancelled,
    /// Its time was over.
    Expired,
}

impl From<SignalExit> for Exit {
    fn from(exit: SignalExit) -> Self {
        match exit {
            SignalExit::Target => Self::Target,
            SignalExit::Stop => Self::Stop,
            SignalExit::Breakeven => Self::Breakeven,
            SignalExit::Stagnant => Self::Stagnant,
            SignalExit::Weak => Self::Weak,
            SignalExit::Cancelled => Self::Cancelled,
            SignalExit::Expired => Self::Expired,
        }
    }
}

/// A part of the trading day. London and New York work from 8:00 to 17:00 by their own clocks, with their summer times.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[oai(rename_all = "snake_case")]
pub(super) enum TradingSession {
    /// Sydney and Tokyo: from the end of New York's day to the beginning of London's.
    Asia,
    /// London, before New York opens.
    London,
    /// London and New York are both open.
    Overlap,
    /// New York, when London has closed.
    NewYork,
}

impl From<TradingSession> for Session {
    fn from(session: TradingSession) -> Self {
        match session {
            TradingSession::Asia => Self::Asia,
            TradingSession::London => Self::London,
            TradingSession::Overlap => Self::Overlap,
            TradingSession::NewYork => Self::NewYork,
        }
    }
}

/// What a list of signals is sorted by; `-` for descending. What has not ended counts as the least by its result.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum SignalSort {
    /// The first one first.
    #[oai(rename = "number")]
    Number,
    /// The last one first.
    #[default]
    #[oai(rename = "-number")]
    NumberDescending,
    /// When it was opened, the oldest first.
    #[oai(rename = "opened_at")]
    OpenedAt,
    /// When it was opened, the newest first.
    #[oai(rename = "-opened_at")]
    OpenedAtDescending,
    /// What it came to in R, the worst first.
    #[oai(rename = "r")]
    R,
    /// What it came to in R, the best first.
    #[oai(rename = "-r")]
    RDescending,
    /// What it came to, the worst first.
    #[oai(rename = "gain")]
    Gain,
    /// What it came to, the best first.
    #[oai(rename = "-gain")]
    GainDescending,
}

impl SignalSort {
    /// By what, and whether descending.
    pub(super) const fn column(self) -> (Sort, bool) {
        match self {
            Self::Number => (Sort::Number, false),
            Self::NumberDescending => (Sort::Number, true),
            Self::OpenedAt => (Sort::OpenedAt, false),
            Self::OpenedAtDescending => (Sort::OpenedAt, true),
            Self::R => (Sort::R, false),
            Self::RDescending => (Sort::R, true),
            Self::Gain => (Sort::Gain, false),
            Self::GainDescending => (Sort::Gain, true),
        }
    }
}
