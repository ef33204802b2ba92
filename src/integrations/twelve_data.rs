//! Twelve Data: the client for its prices and candles, and a twin of the service for the
//! sandbox.
//!
//! There is one client. In the sandbox it is given the twin's address; the requests on the
//! wire are the same.

mod client;
mod error;
mod pace;
#[cfg(test)]
mod tests;
pub mod twin;
mod wire;

pub use client::{MOST_CANDLES, TwelveData};
pub use error::{Outage, TwelveDataError, Unreadable};
pub use wire::{Refused, Series};
