//! A private PostgreSQL: one server of our own under the home directory, so that a fresh machine
//! needs no database set up by hand.
//!
//! It listens on a Unix socket in a directory only its owner can enter, and nowhere else: no port,
//! no password. Whoever holds the lock file owns the server: starts it, restarts it, and stops it
//! at the end. Any other process with the same home uses the owner's server, and takes over when
//! the owner is gone.
//!
//! The server never outlives its owner: it is asked to stop when the owner is dropped, and the
//! kernel asks it when the owner is killed.

mod account;
mod binaries;
mod cluster;
mod error;
mod initialize;
mod leftovers;
mod os;
mod pidfile;
mod place;
mod server;

pub use self::cluster::{Cluster, Settings};
pub use self::error::ClusterError;

use std::io;
use std::process::{Command, ExitStatus};

/// The role, and the database, that everything in the cluster belongs to.
const NAME: &str = "promostack";
/// Part of the socket's name only: the server listens on no port.
const PORT: u16 = 5432;

/// Runs a command against the cluster and returns how it ended.
///
/// `DATABASE_URL` is set, and `PGHOST`, `PGPORT`, `PGUSER` and `PGDATABASE`, so that `psql` and
/// `pg_dump` need no arguments. While it runs, Ctrl-C is the command's alone: in `psql` it cancels
/// the query, and this process and its server stay.
pub fn run_with(cluster: &Cluster, command: &mut Command) -> io::Result<ExitStatus> {
    command
        .env("DATABASE_URL", cluster.url())
        .env("PGHOST", cluster.socket_dir())
        .env("PGPORT", PORT.to_string())
        .env("PGUSER", NAME)
        .env("PGDATABASE", NAME)
        // These would win over the ones above.
        .env_remove("PGHOSTADDR")
        .env_remove("PGSERVICE");
    os::leave_interrupts_to(command, |command| command.status())
}
