//! One run of the server, from its start to its end.

use std::convert::Infallible;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Sender};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use super::account::Account;
use super::binaries::Binaries;
use super::error::ClusterError;
use super::pidfile::PidFile;
use super::place::Place;
use super::{PORT, os};

/// Recovery after a crash can take minutes, and cutting it short only makes the next one as long.
const START: Duration = Duration::from_secs(300);
/// A fast shutdown writes everything in memory to disk.
const FAST: Duration = Duration::from_secs(60);
const IMMEDIATE: Duration = Duration::from_secs(15);
/// How long a killed server's children may take to notice.
const STRAGGLERS: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(5);
/// A log longer than this is put aside at the next start, in place of the one put aside before.
const LONGEST_LOG: u64 = 10 << 20;
/// How much memory to ask for; the second when the system does not grant the first.
const SHARED_BUFFERS: [&str; 2] = ["256MB", "32MB"];

const ALWAYS: &[&str] = &["listen_addresses=", "max_connections=200", "timezone=UTC", "log_timezone=UTC"];
const DURABLE: &[&str] = &["wal_compression=on", "max_wal_size=2GB"];
const FLEETING: &[&str] = &["fsync=off", "synchronous_commit=off", "full_page_writes=off"];

/// A server that runs; dropping it stops it.
pub(super) struct Server {
    child: Child,
    /// Dropped, it lets the thread that started the server end.
    _keeper: Sender<Infallible>,
}

impl Server {
    /// Starts it and waits until it is ready for connections.
    pub(super) fn start(
        place: &Place,
        account: &Account,
        binaries: &Binaries,
        durable: bool,
    ) -> Result<Self, ClusterError> {
        Self::start_with(place, account, binaries, durable, SHARED_BUFFERS)
    }

    fn start_with(
        place: &Place,
        account: &Account,
        binaries: &Binaries,
        durable: bool,
        [wanted, frugal]: [&str; 2],
    ) -> Result<Self, ClusterError> {
        let start = |buffers| {
            let command = command(place, account, binaries, durable, buffers);
            Self::launch(place, account, &binaries.postgres(), command)
        };
        let started = Instant::now();
        let mut buffers = wanted;
        loop {
            match start(buffers) {
                // A killed server's children, busy with a query, that we could not see.
                Err(ClusterError::Ended { tail, .. })
                    if tail.contains("pre-existing shared memory") && started.elapsed() < STRAGGLERS =>
                {
                    sleep(Duration::from_millis(100));
                }
                Err(ClusterError::Ended { tail, .. })
                    if tail.contains("could not map anonymous shared memory") && buffers != frugal =>
                {
                    buffers = frugal;
                }
                started => return started,
            }
        }
    }

    fn launch(place: &Place, account: &Account, program: &Path, mut command: Command) -> Result<Self, ClusterError> {
        let (log, begin) = open_log(place)?;
        let second = log.try_clone().map_err(ClusterError::file("open", &place.log))?;
        command.stdin(Stdio::null()).stdout(log).stderr(second);
        os::signal_on_parent_death(&mut command, libc::SIGINT);
        let (child, keeper) = spawn_kept(command).map_err(|source| ClusterError::Run {
            program: program.to_owned(),
            user: account.label.clone(),
            source,
        })?;
        let mut server = Self { child, _keeper: keeper };
        let started = Instant::now();
        loop {
            if PidFile::read(&place.data) == Some(PidFile { pid: server.pid(), ready: true }) {
                return Ok(server);
            }
            let (log, tail) = (place.log.clone(), || tail(&place.log, begin));
            if let Some(status) = server.ended()? {
                return Err(ClusterError::Ended { status, log, tail: tail() });
            }
            if started.elapsed() > START {
                return Err(ClusterError::NotReady { seconds: START.as_secs(), log, tail: tail() });
            }
            sleep(POLL);
        }
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// How it ended, if it has.
    pub(super) fn ended(&mut self) -> Result<Option<ExitStatus>, ClusterError> {
        let pid = self.pid();
        self.child.try_wait().map_err(|source| ClusterError::Process { action: "watch", pid, source })
    }

    /// Has it write everything to disk and end; if that takes too long, end at once and recover at
    /// the next start.
    pub(super) fn stop(&mut self) -> Result<(), ClusterError> {
        for (signal, patience) in [(libc::SIGINT, FAST), (libc::SIGQUIT, IMMEDIATE)] {
            if self.ended()?.is_some() {
                return Ok(());
            }
            let pid = self.pid();
            os::signal(pid, signal).map_err(|source| ClusterError::Process { action: "stop", pid, source })?;
            let asked = Instant::now();
            while asked.elapsed() < patience {
                if self.ended()?.is_some() {
                    return Ok(());
                }
                sleep(POLL);
            }
        }
        let source = io::Error::from(io::ErrorKind::TimedOut);
        Err(ClusterError::Process { action: "stop", pid: self.pid(), source })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Nobody is left to tell; what still runs is ended by the next owner.
        let _ = self.stop();
    }
}

fn command(place: &Place, account: &Account, binaries: &Binaries, durable: bool, buffers: &str) -> Command {
    let mut command = account.command(&binaries.postgres());
    command.arg("-D").arg(&place.data).arg("-k").arg(&place.socket).args(["-p", &PORT.to_string()]);
    command.args(["-B", buffers]);
    for setting in ALWAYS.iter().chain(if durable { DURABLE } else { FLEETING }) {
        command.args(["-c", setting]);
    }
    command
}

/// The kernel signals the server when the *thread* that started it ends: so one is made that does
/// nothing else, and lasts until the sender is dropped or the process ends.
fn spawn_kept(mut command: Command) -> io::Result<(Child, Sender<Infallible>)> {
    let (report, reported) = mpsc::channel();
    let (keeper, kept) = mpsc::channel();
    thread::Builder::new().name("postgres-keeper".to_owned()).spawn(move || {
        if report.send(command.spawn()).is_ok() {
            // Nothing can be sent: this returns when the sender is dropped.
            let _ = kept.recv();
        }
    })?;
    let child = reported.recv().map_err(io::Error::other)??;
    Ok((child, keeper))
}

/// The log, and where this run's part of it begins.
fn open_log(place: &Place) -> Result<(File, u64), ClusterError> {
    let log = place.open(&place.log)?;
    let length = log.metadata().map_err(ClusterError::file("examine", &place.log))?.len();
    if length <= LONGEST_LOG {
        return Ok((log, length));
    }
    let aside = place.log.with_added_extension("1");
    fs::rename(&place.log, &aside).map_err(ClusterError::file("put aside", &place.log))?;
    Ok((place.open(&place.log)?, 0))
}

/// The last lines of the log, none from before `begin`.
fn tail(log: &Path, begin: u64) -> String {
    const LINES: usize = 20;
    const BYTES: u64 = 8 << 10;
    let mut bytes = Vec::new();
    let read = File::open(log).and_then(|mut file| {
        let end = file.seek(SeekFrom::End(0))?;
        file.seek(SeekFrom::Start(begin.max(end.saturating_sub(BYTES))))?;
        file.take(BYTES).read_to_end(&mut bytes)
    });
    if let Err(error) = read {
        return format!("(it cannot be read: {error})");
    }
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(LINES)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::super::cluster::tests::Home;
    use super::*;

    #[test]
    fn less_memory_will_do() {
        let home = Home::new();
        let cluster = home.start();
        let (place, account, binaries) = cluster.parts_for_tests();
        cluster.stop().unwrap();
        let mut server = Server::start_with(&place, &account, &binaries, false, ["4TB", "16MB"]).unwrap();
        assert!(server.ended().unwrap().is_none());
        server.stop().unwrap();
        assert!(fs::read_to_string(&place.log).unwrap().contains("could not map anonymous shared memory"));
    }

    #[test]
    fn a_failed_start_shows_what_the_log_says_of_it() {
        let home = Home::new();
        let cluster = home.start();
        let (place, account, binaries) = cluster.parts_for_tests();
        cluster.stop().unwrap();
        fs::write(place.data.join("postgresql.auto.conf"), "no_such_setting = 1\n").unwrap();
        let Err(refused) = Server::start(&place, &account, &binaries, false) else { panic!("it started") };
        let ClusterError::Ended { tail, .. } = &refused else { panic!("{refused}") };
        assert!(tail.contains("no_such_setting") && !tail.contains("ready to accept"), "{tail}");
    }

    #[test]
    fn a_long_log_is_put_aside() {
        let home = Home::new();
        let cluster = home.start();
        let (place, ..) = cluster.parts_for_tests();
        cluster.stop().unwrap();
        File::options().write(true).open(&place.log).unwrap().set_len(LONGEST_LOG + 1).unwrap();
        let (_, begin) = open_log(&place).unwrap();
        assert_eq!((begin, fs::metadata(&place.log).unwrap().len()), (0, 0));
        assert!(place.log.with_added_extension("1").exists());
    }
}
