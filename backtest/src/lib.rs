//! What the strategies would have come to.
//!
//! Candles of the past go through the look-out, the strategies and the aggregate that make
//! the live signals, in the same order and by the same calls; there is no other rule here. On top of
//! that: what trading costs, walk-forward tests of settings, checks that nothing knew the
//! future, and reports.

mod engine;
mod honesty;
pub mod html;
mod parallel;
mod plan;
mod run;
pub mod sweep;
pub mod table;

pub use engine::Backtest;
pub use honesty::{Honesty, check};
pub use plan::{Costs, Error, Plan};
pub use run::{Passes, Report, run};
