//! Making the data directory, the role and the database.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::thread::sleep;
use std::time::Duration;

use super::account::Account;
use super::binaries::Binaries;
use super::error::ClusterError;
use super::place::Place;
use super::{NAME, os};

/// The major version that wrote the data; nothing when there is no data yet.
pub(super) fn version(place: &Place) -> Result<Option<u32>, ClusterError> {
    let missing = |error: &io::Error| error.kind() == ErrorKind::NotFound;
    let path = place.data.join("PG_VERSION");
    let not_data = || ClusterError::NotData { path: place.data.clone() };
    match fs::read_to_string(&path) {
        Ok(text) => return text.trim().parse().map(Some).map_err(|_| not_data()),
        Err(error) if missing(&error) => {}
        Err(error) => return Err(ClusterError::file("read", &path)(error)),
    }
    match fs::read_dir(&place.data) {
        Ok(entries) => {
            if entries.count() == 0 {
                Ok(None)
            } else {
                Err(not_data())
            }
        }
        Err(error) if missing(&error) => Ok(None),
        Err(error) => Err(ClusterError::file("read", &place.data)(error)),
    }
}

/// Makes the data directory, whole or not at all: under another name, which it loses when
/// everything is in it.
pub(super) fn initialize(
    place: &Place,
    account: &Account,
    binaries: &Binaries,
    durable: bool,
) -> Result<(), ClusterError> {
    account.must_have_a_name()?;
    let partial = place.base.join("data.partial");
    match init_db(place, account, binaries, durable, &partial, "C.UTF-8") {
        // Not every system has it. "C" sorts the same and only knows the case of fewer letters.
        Err(ClusterError::Prepare { output, .. }) if output.contains("locale") => {
            init_db(place, account, binaries, durable, &partial, "C")?;
        }
        made => made?,
    }
    create_database(account, binaries, durable, &partial)?;
    fs::rename(&partial, &place.data).map_err(ClusterError::file("rename the finished", &partial))?;
    File::open(&place.base).and_then(|base| base.sync_all()).map_err(ClusterError::file("write to disk", &place.base))
}

fn init_db(
    place: &Place,
    account: &Account,
    binaries: &Binaries,
    durable: bool,
    partial: &Path,
    ctype: &str,
) -> Result<(), ClusterError> {
    remove(partial).map_err(ClusterError::file("remove the half-finished", partial))?;
    place.make_private(partial, account)?;
    let program = binaries.initdb();
    let mut command = account.command(&program);
    command.arg("--pgdata").arg(partial).arg(format!("--username={NAME}"));
    // Collation "C", for ever the same order whatever the system's libraries think.
    command.args(["--auth=trust", "--encoding=UTF8", "--locale=C", "--no-instructions"]);
    command.arg(format!("--lc-ctype={ctype}"));
    if !durable {
        command.arg("--no-sync");
    }
    prepare(command, &program, account, "make the database files", partial, "")
}

/// Without a client and without a socket: the server itself reads the statement from its standard
/// input.
fn create_database(account: &Account, binaries: &Binaries, durable: bool, partial: &Path) -> Result<(), ClusterError> {
    let program = binaries.postgres();
    let mut command = account.command(&program);
    command.arg("--single").arg("-D").arg(partial).args(["-c", "exit_on_error=on"]);
    if !durable {
        command.args(["-c", "fsync=off"]);
    }
    command.arg("template1");
    let statement = format!("CREATE DATABASE {NAME} OWNER {NAME};\n");
    prepare(command, &program, account, "create the database", partial, &statement)
}

fn prepare(
    mut command: Command,
    program: &Path,
    account: &Account,
    action: &'static str,
    path: &Path,
    input: &str,
) -> Result<(), ClusterError> {
    os::signal_on_parent_death(&mut command, libc::SIGTERM);
    let run = output(&mut command, input);
    let Output { status, stdout, stderr } =
        run.map_err(|source| ClusterError::Run { program: program.to_owned(), user: account.label.clone(), source })?;
    if status.success() {
        return Ok(());
    }
    let said = if stderr.is_empty() { stdout } else { stderr };
    Err(ClusterError::Prepare {
        program: program.to_owned(),
        action,
        path: path.to_owned(),
        status,
        output: String::from_utf8_lossy(&said).trim().to_owned(),
    })
}

fn output(command: &mut Command, input: &str) -> io::Result<Output> {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        // One that ended without reading tells why in its output.
        let _ = stdin.write_all(input.as_bytes());
    }
    child.wait_with_output()
}

/// A killed initdb's own children may need a moment to notice, and write until then.
fn remove(dir: &Path) -> io::Result<()> {
    let mut tries = 0;
    loop {
        match fs::remove_dir_all(dir) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(error) if error.kind() == ErrorKind::DirectoryNotEmpty && tries < 100 => tries += 1,
            removed => return removed,
        }
        sleep(Duration::from_millis(20));
    }
}
