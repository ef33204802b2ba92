//! Tests of the past: one worked out by hand, and what has to hold for any.
#![allow(clippy::unwrap_used, reason = "what cannot be read ends the test")]

mod common;
mod honest;
mod paper;
mod reports;
mod swept;
