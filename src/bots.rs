//! Bots: entrances from Telegram.

pub mod coupon;
pub mod forex;
pub mod inbox;
pub mod texts;

pub use crate::bot::Bot;
