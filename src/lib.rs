//! PromoStack: coupon campaigns, trading signals and paid access for a Telegram
//! community, on one event log in PostgreSQL.

// The harness of the integration tests, used by unit tests that need a database, names this crate.
#[cfg(test)]
extern crate self as promostack;

pub mod access;
mod activation;
pub mod app;
pub mod bot;
pub mod bots;
pub mod broadcasts;
pub mod cards;
pub mod cli;
pub mod clock;
pub mod codes;
pub mod config;
pub mod coupons;
pub mod executor;
pub mod feed;
mod guard;
pub mod http;
mod imports;
pub mod integrations;
pub mod jobs;
pub mod lease;
pub mod log;
pub mod market;
pub mod membership;
pub mod metrics;
pub mod postgres;
pub mod rate;
pub mod reactions;
pub mod rebuild;
pub mod retry;
pub mod secrets;
pub mod signals;
pub mod stripe;
pub mod timers;
pub mod wake;

/// For everything that links this library: what is measured is what is shipped.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[cfg(test)]
#[path = "../tests/support/database.rs"]
#[allow(dead_code, unreachable_pub, reason = "unit tests use a part of the harness")]
mod database;
