//! What the market did, and what to make of it.
//!
//! Everything here is pure: candles come in, values, proposals and figures come out. What
//! runs live and what is tested on the past is the same code.

pub mod calendar;
mod candle;
pub mod csv;
mod exit;
pub mod indicators;
mod lookout;
mod price;
mod proposal;
mod settings;
pub mod statistics;
mod strategies;
pub mod synthetic;

pub use candle::{Candle, Grouping, InvalidCandle, Pushed, Timeframe};
pub use exit::Exit;
pub use lookout::{Look, Lookout};
pub use price::{InvalidPrice, Price};
pub use proposal::{Check, Direction, InvalidLevels, Levels, NoSetup, Proposal, Readings, Target, Weakness};
pub use settings::{
    Blackout, Breakout, Hours, InvalidSettings, MinuteOfDay, Momentum, Reversion, Session, Settings, Share,
    StrategyKind, Trend,
};
pub use statistics::{Fill, Statistics, Trade};
pub use strategies::Strategy;
