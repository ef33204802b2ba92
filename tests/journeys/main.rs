//! Journeys through the public doors: HTTP, Telegram updates and the command
//! line, over real processes, a real PostgreSQL and Telegram's twin.
#![allow(clippy::unwrap_used, reason = "a step that fails ends the journey")]

#[path = "../support/mod.rs"]
mod support;

mod broadcasts;
mod conversations;
mod coupons;
mod crash;
mod drift;
mod first_campaign;
mod lifecycle;
mod market;
mod other_stripe;
mod places;
mod race;
mod rebuild;
mod removals;
mod replay;
mod several;
mod shop;
mod signals_delivery;
mod steps;
mod subscriptions;
mod templates;
mod unique_codes;
mod webhook;
