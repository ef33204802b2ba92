//! The client against the twin over loopback HTTP, as the server uses them.

mod client;
mod commands;
mod delivery;
mod edits;
mod people;
mod pictures;
mod presses;
mod wire;
mod world;
