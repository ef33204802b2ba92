//! The client against the twin over loopback HTTP, as the server uses them.

mod channel;
mod channel_failures;
mod client;
mod commands;
mod delivery;
mod edits;
mod people;
mod pictures;
mod posts;
mod presses;
mod wire;
mod world;
