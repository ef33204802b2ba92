//! The HTTP API, over a real socket and a real database.

#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

mod campaigns;
mod world;
