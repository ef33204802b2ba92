//! The event log and the executor against a real server, with everything that
//! goes wrong at once: many appenders, several processes, lost connections.

mod append;
mod batch;
mod doubt;
mod executor;
mod history;
mod interop;
mod long_stream;
mod process;
mod reading;
mod unchanging;
mod wire;
