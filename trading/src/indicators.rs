//! What traders compute of prices, one bar at a time.
//!
//! Every indicator is made for a number of candles, takes one bar after another in constant
//! time and without allocating, and answers its value as soon as there is one: at the same bar
//! as TA-Lib, and equal to TA-Lib's value to nine digits, because it begins as TA-Lib does
//! (no "unstable period"). A period of 0 is taken for 1.
//!
//! Inputs have to be finite, as [`Price`](crate::Price)s are; then so are the values.

mod adx;
mod atr;
mod bollinger;
mod donchian;
mod ema;
mod macd;
mod rsi;
mod sma;
mod stochastic;
mod wilder;

pub use adx::{Adx, Directional};
pub use atr::Atr;
pub use bollinger::{Bands, Bollinger};
pub use donchian::{Channel, Donchian};
pub use ema::Ema;
pub use macd::{Macd, MacdLines};
pub use rsi::Rsi;
pub use sma::Sma;
pub use stochastic::{Stochastic, StochasticLines};
use wilder::Wilder;

/// How far a bar moved, with the gap to the close before it: Wilder's true range.
#[inline]
fn true_range(high: f64, low: f64, close_before: f64) -> f64 {
    larger(high - low, larger((high - close_before).abs(), (low - close_before).abs()))
}

/// As `f64::max`, which also looks after NaN; one instruction without.
#[inline]
fn larger(a: f64, b: f64) -> f64 {
    if a > b { a } else { b }
}

/// The counterpart of [`larger`].
#[inline]
fn smaller(a: f64, b: f64) -> f64 {
    if a < b { a } else { b }
}
