//! Jobs, timers, leases, rate limits and the schema, on a real PostgreSQL.
#![allow(clippy::unwrap_used, reason = "a step that fails ends the test")]

#[path = "../support/mod.rs"]
mod support;

mod backtest;
mod jobs;
mod leases;
mod market;
mod rates;
mod schema;
mod storage;
