//! The cluster as the rest of the program sees it.

use std::ffi::OsString;
use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::account::Account;
use super::binaries::Binaries;
use super::error::ClusterError;
use super::leftovers::{self, is_server};
use super::pidfile::PidFile;
use super::place::{self, Place};
use super::server::Server;
use super::{NAME, PORT, initialize};

/// Where data goes that the server's user could not get at inside the home.
const ELSEWHERE: &str = "/var/lib/promostack";
/// How long to wait for another process's server.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a cluster is to be like.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The directory that everything lies in, made if need be.
    pub home: PathBuf,
    /// What is committed survives a power cut. Only tests can do without.
    pub durable: bool,
    /// The directory with `initdb` and `postgres`; without it, the usual places are searched.
    pub bin: Option<PathBuf>,
    /// The value of `PATH`, one of the usual places.
    pub path: Option<OsString>,
}

/// A private PostgreSQL under the home directory.
///
/// While its owner lives, so does the server; see the [module](super) for who the owner is.
pub struct Cluster {
    settings: Settings,
    place: Place,
    account: Account,
    url: String,
    pid: u32,
    // In this order: the server ends before the lock is let go.
    server: Option<Server>,
    lock: Option<File>,
}

impl Cluster {
    /// Starts the server, or finds the one that another process has started; makes the database the
    /// first time.
    ///
    /// Blocks until the server takes connections. May be called on any thread.
    pub fn start(settings: &Settings) -> Result<Self, ClusterError> {
        Self::start_with(settings, Path::new(ELSEWHERE))
    }

    fn start_with(settings: &Settings, elsewhere: &Path) -> Result<Self, ClusterError> {
        let home = place::open_home(&settings.home)?;
        let account = Account::for_data(&home.join("postgres/data"))?;
        let place = Place::settle(&home, elsewhere, &account)?;
        let mut cluster = Self {
            settings: settings.clone(),
            url: url(&place.socket),
            place,
            account,
            pid: 0,
            server: None,
            lock: None,
        };
        cluster.join()?;
        Ok(cluster)
    }

    /// For `DATABASE_URL`: the database, as its owner, for sqlx and for everything built on libpq.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The directory of the socket: `PGHOST` for libpq.
    pub fn socket_dir(&self) -> &Path {
        &self.place.socket
    }

    /// Whether the server is ours. If not, another process has started it and will stop it.
    pub fn owned(&self) -> bool {
        self.lock.is_some()
    }

    /// The directory with the data.
    pub fn data_dir(&self) -> &Path {
        &self.place.data
    }

    /// The server's log.
    pub fn log_file(&self) -> &Path {
        &self.place.log
    }

    /// The process id of the server.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Something people should be told: that the data lies outside the home, and where.
    pub fn note(&self) -> Option<&str> {
        self.place.note.as_deref()
    }

    /// Stops the server and waits until it has; does nothing if it is not ours. Connections are
    /// cut.
    ///
    /// Dropping the cluster does the same, without telling whether it worked.
    pub fn stop(mut self) -> Result<(), ClusterError> {
        match &mut self.server {
            Some(server) => server.stop(),
            None => Ok(()),
        }
    }

    /// Starts the server again if it is dead, as after `kill -9` or the kernel running out of
    /// memory. True if it was.
    ///
    /// If the server was another process's and that process is gone, this one becomes the owner; if
    /// that process is still there, restarting is left to it, and this waits until it has.
    pub fn restart_if_dead(&mut self) -> Result<bool, ClusterError> {
        if self.lock.is_none() {
            if is_server(self.pid, &self.place.data) {
                return Ok(false);
            }
            self.join()?;
            return Ok(self.owned());
        }
        if let Some(server) = &mut self.server
            && server.ended()?.is_none()
        {
            return Ok(false);
        }
        self.server = None;
        self.launch()?;
        Ok(true)
    }

    /// Becomes the owner and starts the server, or finds the owner's.
    fn join(&mut self) -> Result<(), ClusterError> {
        let started = Instant::now();
        loop {
            if let Some(lock) = self.place.try_own()? {
                self.lock = Some(lock);
                return self.launch();
            }
            match PidFile::read(&self.place.data) {
                // A file left by a killed server says "ready" too.
                Some(PidFile { pid, ready: true }) if is_server(pid, &self.place.data) => {
                    self.pid = pid;
                    return Ok(());
                }
                _ => sleep(Duration::from_millis(20)),
            }
            if started.elapsed() > PATIENCE {
                return Err(ClusterError::OwnerNotReady {
                    lock: self.place.lock.clone(),
                    seconds: PATIENCE.as_secs(),
                    log: self.place.log.clone(),
                });
            }
        }
    }

    fn launch(&mut self) -> Result<(), ClusterError> {
        let Self { settings, place, account, .. } = self;
        let version = initialize::version(place)?;
        let binaries = Binaries::find(settings, version.map(|version| (&*place.data, version)))?;
        place.open_socket_dir(account)?;
        leftovers::clear(place)?;
        if version.is_none() {
            initialize::initialize(place, account, &binaries, settings.durable)?;
        }
        let server = Server::start(place, account, &binaries, settings.durable)?;
        self.pid = server.pid();
        self.server = Some(server);
        Ok(())
    }
}

/// The host is the socket's directory; the slashes in it are escaped. What the environment might
/// say about the port and about encryption is said here.
fn url(socket: &Path) -> String {
    let mut host = String::new();
    for &byte in socket.as_os_str().as_bytes() {
        if byte.is_ascii_alphanumeric() || b"-._".contains(&byte) {
            host.push(byte.into());
        } else {
            host.push_str(&format!("%{byte:02X}"));
        }
    }
    format!("postgresql://{NAME}@{host}:{PORT}/{NAME}?sslmode=disable")
}

#[cfg(test)]
pub(super) mod tests;
