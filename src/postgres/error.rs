use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;

/// Why the private PostgreSQL could not be started, shared or stopped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClusterError {
    /// A file or directory of the cluster refused an operation.
    #[error("cannot {action} {}", path.display())]
    File {
        /// What was being done to it.
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// No server programs on this machine.
    #[error(
        "PostgreSQL {oldest} or newer is needed and its server programs were not found: \
         install them with `{install}`, or set PROMOSTACK_PG_BIN to the directory that holds \
         initdb and postgres"
    )]
    NoBinaries {
        /// The oldest major version that will do.
        oldest: u32,
        /// The command that installs them here.
        install: String,
    },
    /// The directory that was named holds no server programs.
    #[error(
        "{} holds no working initdb and postgres: PROMOSTACK_PG_BIN must name the directory \
         that does",
        path.display()
    )]
    NotBinaries {
        /// The directory that was named.
        path: PathBuf,
    },
    /// Server programs were found, and all of them are too old.
    #[error(
        "PostgreSQL {found} in {} is too old, {oldest} or newer is needed: see \
         https://www.postgresql.org/download/ for a newer one",
        path.display()
    )]
    TooOld {
        /// The newest major version found.
        found: u32,
        /// The oldest major version that will do.
        oldest: u32,
        /// Where it was found.
        path: PathBuf,
    },
    /// The data was written by a version that is no longer installed.
    #[error(
        "the data in {} was written by PostgreSQL {data}, and only PostgreSQL {found} was \
         found: install version {data} again (its data can then be dumped and loaded into a \
         newer one)",
        path.display()
    )]
    OtherVersion {
        /// The data directory.
        path: PathBuf,
        /// The major version that wrote it.
        data: u32,
        /// The major version found.
        found: u32,
    },
    /// PostgreSQL refuses to run as root, and there is nobody else to run it as.
    #[error(
        "PostgreSQL does not run as root, and there is no user `postgres` or `nobody` to run \
         it as: add one with `useradd --system postgres`"
    )]
    NoServerUser,
    /// PostgreSQL refuses to run as root, and the data belongs to root.
    #[error(
        "PostgreSQL does not run as root, and {} belongs to root: give it to the user \
         `postgres` with `chown -R`",
        path.display()
    )]
    DataOfRoot {
        /// The data directory.
        path: PathBuf,
    },
    /// The user running us is unknown to the system, which initdb does not accept.
    #[error(
        "the user id {uid} has no entry in /etc/passwd, which PostgreSQL needs: add one, or \
         run as a user that has one"
    )]
    UnknownUser {
        /// The user id without a name.
        uid: u32,
    },
    /// The user database could not be read.
    #[error("cannot look up the user {user}")]
    LookUpUser {
        /// The name or id that was looked up.
        user: String,
        /// What the system said.
        source: io::Error,
    },
    /// The directory belongs to somebody else.
    #[error(
        "{} belongs to the user id {owner}, not to us ({uid}): run as that user, or choose \
         another PROMOSTACK_HOME",
        path.display()
    )]
    Foreign {
        /// The directory.
        path: PathBuf,
        /// Whose it is.
        owner: u32,
        /// Who we are.
        uid: u32,
    },
    /// The directory for the socket could be entered by others, or is no directory.
    #[error(
        "{} is not a private directory of the user id {uid}, so the database will not listen \
         there: remove it",
        path.display()
    )]
    SocketDirectory {
        /// The directory.
        path: PathBuf,
        /// Whose it has to be.
        uid: u32,
    },
    /// The home says that its data lies elsewhere, and it doesn't.
    #[error(
        "{} says that the database lies in {}, which is missing: bring it back, or remove the \
         link to begin with an empty database",
        link.display(), target.display()
    )]
    DataMissing {
        /// The link in the home.
        link: PathBuf,
        /// Where it leads.
        target: PathBuf,
    },
    /// Something is in the data directory that PostgreSQL did not put there whole.
    #[error(
        "{} is no complete PostgreSQL data directory: move it away to begin with an empty \
         database",
        path.display()
    )]
    NotData {
        /// The data directory.
        path: PathBuf,
    },
    /// A server program could not be run at all.
    #[error("cannot run {} as {user}", program.display())]
    Run {
        /// The program.
        program: PathBuf,
        /// The user it was to run as.
        user: String,
        /// What the system said.
        source: io::Error,
    },
    /// A program that prepares the data directory failed.
    #[error("{} could not {action} in {} ({status}):\n{output}", program.display(), path.display())]
    Prepare {
        /// The program.
        program: PathBuf,
        /// What it was to do.
        action: &'static str,
        /// The directory it was to do it in.
        path: PathBuf,
        /// How it ended.
        status: ExitStatus,
        /// What it said.
        output: String,
    },
    /// The server ended while starting.
    #[error("PostgreSQL ended while starting ({status}); its log {} says:\n{tail}", log.display())]
    Ended {
        /// How it ended.
        status: ExitStatus,
        /// The server's log.
        log: PathBuf,
        /// What this start wrote to it.
        tail: String,
    },
    /// The server runs, and does not become ready.
    #[error(
        "PostgreSQL was not ready after {seconds} seconds; its log {} says:\n{tail}",
        log.display()
    )]
    NotReady {
        /// How long we waited.
        seconds: u64,
        /// The server's log.
        log: PathBuf,
        /// What this start wrote to it.
        tail: String,
    },
    /// Another process owns the cluster, and its server does not become ready.
    #[error(
        "another process holds {} and its PostgreSQL was not ready after {seconds} seconds: \
         try again, or end that process (the server's log is {})",
        lock.display(), log.display()
    )]
    OwnerNotReady {
        /// The lock that the other process holds.
        lock: PathBuf,
        /// How long we waited.
        seconds: u64,
        /// The server's log.
        log: PathBuf,
    },
    /// Server processes left by a killed owner do not end.
    #[error(
        "PostgreSQL processes left from an earlier run on {} do not end: {pids:?}",
        path.display()
    )]
    Leftovers {
        /// The data directory.
        path: PathBuf,
        /// Their process ids.
        pids: Vec<u32>,
    },
    /// The server could not be watched or did not end when asked to.
    #[error("cannot {action} the PostgreSQL process {pid}")]
    Process {
        /// What was being done to it.
        action: &'static str,
        /// The server's process id.
        pid: u32,
        /// What the system said.
        source: io::Error,
    },
}

impl ClusterError {
    /// For `map_err`: the operation on a file that failed.
    pub(super) fn file(action: &'static str, path: &std::path::Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { action, path, source }
    }
}
