//! The client against the twin, over sockets.

mod client;
mod journey;
mod world;
