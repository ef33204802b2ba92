//! PromoStack: coupon campaigns, trading signals and paid access for a Telegram
//! community, on one event log in PostgreSQL.

pub mod access;
pub mod app;
pub mod bots;
pub mod clock;
pub mod config;
pub mod executor;
pub mod feed;
pub mod http;
pub mod integrations;
pub mod jobs;
pub mod lease;
pub mod log;
pub mod metrics;
pub mod rate;
pub mod reactions;
pub mod rebuild;
pub mod retry;
pub mod secrets;
pub mod timers;
pub mod wake;
