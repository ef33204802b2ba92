//! Uploads that mean harm, and cards as people get them.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod hostile;
mod kit;
mod look;
mod mutations;
mod names;
mod svg;
