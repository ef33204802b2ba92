//! The HTTP API, over a real socket and a real database.

#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

mod access;
mod broadcasts;
mod campaigns;
mod coupons;
#[allow(dead_code, unreachable_pub, reason = "shared with other tests")]
#[path = "../support/database.rs"]
mod database;
mod document;
mod events;
mod input;
mod lists;
mod operations;
#[allow(dead_code, unreachable_pub, reason = "shared with other tests")]
#[path = "../support/pictures.rs"]
mod pictures;
mod statistics;
mod tables;
mod templates;
mod traces;
mod webhook;
mod world;
