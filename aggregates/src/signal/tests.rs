#![allow(clippy::unwrap_used, reason = "what is missing ends the test")]

mod admin;
mod judging;
mod kit;
mod properties;
mod recaps;
