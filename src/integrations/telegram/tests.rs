//! The client against the twin over loopback HTTP, as the server uses them.

mod client;
mod delivery;
mod people;
mod wire;
mod world;
