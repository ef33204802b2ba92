//! Stripe: the client for its API, the reading of what it sends, the proof that it
//! was Stripe who sent it, and a twin of the service for the sandbox.
//!
//! There is one client. In the sandbox it is given the twin's address; the requests
//! on the wire are the same.
//!
//! The requests are async-stripe's. What comes back is read by [`object`]: the crate's
//! own types take a field that is missing in an older shape for a failure of the whole
//! answer, and do not say which.

mod client;
mod error;
pub mod object;
mod pace;
mod pages;
pub mod signature;
#[cfg(test)]
mod tests;
pub mod twin;

pub use client::{Paid, Refund, RefundReason, Stripe, StripeKey};
pub use error::{Outage, StripeError};
pub use pages::{Created, Listed};
