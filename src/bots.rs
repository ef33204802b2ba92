//! Bots: entrances from Telegram.

pub mod coupon;
pub mod texts;
