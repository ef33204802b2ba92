//! Server processes that a killed owner, or a killed server, left on the data directory.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::error::ClusterError;
use super::os;
use super::pidfile::PidFile;
use super::place::Place;

const POLITE: Duration = Duration::from_secs(15);
const PATIENCE: Duration = Duration::from_secs(30);

/// Whether the process is a PostgreSQL server process on this data directory; process ids are used
/// again.
pub(super) fn is_server(pid: u32, data: &Path) -> bool {
    let process = Path::new("/proc").join(pid.to_string());
    if !Path::new("/proc/self").exists() {
        let output = Command::new("ps").args(["-o", "args=", "-p", &pid.to_string()]).output();
        let args = output.map(|output| output.stdout).unwrap_or_default();
        let args = String::from_utf8_lossy(&args);
        return args.contains("postgres") && args.contains(&*data.to_string_lossy());
    }
    // A server works inside its data directory from its first moment to its last. A dead one that
    // nobody has collected yet works nowhere.
    match fs::read_link(process.join("cwd")) {
        Ok(cwd) => {
            let program = fs::read_to_string(process.join("comm")).unwrap_or_default();
            cwd == data && program.trim_end() == "postgres"
        }
        // In a container even root may not see where another user's process works, only how it was
        // started; which shows the server, not its children.
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            let line = fs::read(process.join("cmdline")).unwrap_or_default();
            let arguments: Vec<&[u8]> = line.split(|byte| *byte == 0).collect();
            arguments.windows(2).any(|pair| pair == [b"-D", data.as_os_str().as_bytes()])
        }
        Err(_) => false,
    }
}

/// Every server process on this data directory.
fn servers(data: &Path) -> Vec<u32> {
    let mut pids: Vec<u32> = match fs::read_dir("/proc") {
        Ok(entries) => entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect(),
        Err(_) => PidFile::read(data).map(|file| file.pid).into_iter().collect(),
    };
    pids.retain(|pid| is_server(*pid, data));
    pids
}

/// Ends whatever still runs on the data directory and clears away what it left. Only for the holder
/// of the lock.
pub(super) fn clear(place: &Place) -> Result<(), ClusterError> {
    end(&place.data)?;
    // Nothing runs here any more. A server refuses to start while the process id in these files is
    // in use, even by a stranger; in a container, where numbers are small, that happens.
    let stale = PidFile::read(&place.data).is_some_and(|file| os::signal(file.pid, 0).is_ok());
    let sockets = [place.socket_file(), place.socket_file().with_added_extension("lock")];
    let pid_file = place.data.join("postmaster.pid");
    for path in stale.then_some(pid_file).into_iter().chain(sockets) {
        match fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(ClusterError::file("remove the stale", &path)(error));
            }
            _ => {}
        }
    }
    Ok(())
}

fn end(data: &Path) -> Result<(), ClusterError> {
    let started = Instant::now();
    let mut last_sent = None;
    loop {
        let left = servers(data);
        if left.is_empty() {
            return Ok(());
        }
        if started.elapsed() > PATIENCE {
            return Err(ClusterError::Leftovers { path: data.to_owned(), pids: left });
        }
        let polite = started.elapsed() < POLITE;
        let main = PidFile::read(data).map(|file| file.pid).filter(|pid| left.contains(pid));
        let (signal, to) = match main {
            // A fast shutdown; then one that leaves the rest to recovery at the next start.
            Some(main) => (if polite { libc::SIGINT } else { libc::SIGQUIT }, vec![main]),
            // Its children notice by themselves, unless they are in the middle of something.
            None => (if polite { libc::SIGTERM } else { libc::SIGQUIT }, left),
        };
        if last_sent != Some(signal) {
            last_sent = Some(signal);
            for pid in to {
                // One that is gone by now is what we want.
                let _ = os::signal(pid, signal);
            }
        }
        sleep(Duration::from_millis(5));
    }
}
