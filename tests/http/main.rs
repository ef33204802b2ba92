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
mod localstripe;
#[allow(dead_code, unreachable_pub, reason = "shared with other tests")]
#[path = "../support/localstripe.rs"]
mod localstripe_support;
mod market;
#[allow(dead_code, unreachable_pub, reason = "shared with other tests")]
#[path = "../support/members.rs"]
mod members;
mod operations;
#[allow(dead_code, unreachable_pub, reason = "shared with other tests")]
#[path = "../support/pictures.rs"]
mod pictures;
mod revenue;
mod signals;
mod signals_by_hand;
mod signals_market;
#[allow(dead_code, unreachable_pub, reason = "shared with other tests")]
#[path = "../support/signals.rs"]
mod signals_support;
mod statistics;
mod stripe;
#[allow(dead_code, unreachable_pub, reason = "shared with other tests")]
#[path = "../support/stripe.rs"]
mod stripe_support;
mod subscriptions;
mod subscriptions_access;
mod subscriptions_stripe;
mod tables;
mod templates;
mod traces;
mod webhook;
mod world;
