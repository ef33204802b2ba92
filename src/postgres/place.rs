//! Where the cluster lives: the data, the socket, the lock and the log.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, chown, fchown, symlink};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use super::account::Account;
use super::error::ClusterError;
use super::{PORT, os};

/// The longest path a socket may have: the kernel's field holds 108 bytes with the final zero, on
/// macOS 104.
const LONGEST_SOCKET: usize = if cfg!(target_os = "linux") { 107 } else { 103 };

/// The directories and files of one cluster.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) base: PathBuf,
    pub(super) data: PathBuf,
    pub(super) socket: PathBuf,
    pub(super) lock: PathBuf,
    pub(super) log: PathBuf,
    pub(super) note: Option<String>,
}

impl Place {
    /// `<home>/postgres`; or, when the server's user cannot get there, a directory under
    /// `elsewhere` which `<home>/postgres` then links to.
    pub(super) fn settle(home: &Path, elsewhere: &Path, account: &Account) -> Result<Self, ClusterError> {
        let inside = home.join("postgres");
        if !exists(&inside)? {
            if reaches(account, home)? {
                make_base(&inside, account)?;
            } else {
                let outside = elsewhere.join(digest(home));
                make_base(elsewhere, account)?;
                make_base(&outside, account)?;
                match symlink(&outside, &inside) {
                    // Another process was quicker.
                    Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                    made => made.map_err(ClusterError::file("link the database's directory from", &inside))?,
                }
            }
        }
        let base = fs::canonicalize(&inside).map_err(|source| match fs::read_link(&inside) {
            Ok(target) if source.kind() == ErrorKind::NotFound => {
                ClusterError::DataMissing { link: inside.clone(), target }
            }
            _ => ClusterError::file("open", &inside)(source),
        })?;
        let owner = fs::metadata(&base).map_err(ClusterError::file("examine", &base))?.uid();
        let uid = os::effective_uid();
        if uid != 0 && uid != owner {
            return Err(ClusterError::Foreign { path: base, owner, uid });
        }
        let note = (inside != base).then(|| {
            let (home, base, user) = (home.display(), base.display(), &account.label);
            format!(
                "the database lies in {base}, because the user {user}, whom it runs as, cannot \
                 enter {home}"
            )
        });
        Ok(Self {
            data: base.join("data"),
            socket: socket_dir(&base),
            lock: base.join("owner.lock"),
            log: base.join("server.log"),
            base,
            note,
        })
    }

    pub(super) fn socket_file(&self) -> PathBuf {
        self.socket.join(format!(".s.PGSQL.{PORT}"))
    }

    /// Ownership of the cluster for as long as the file lives, unless another process has it.
    pub(super) fn try_own(&self) -> Result<Option<File>, ClusterError> {
        let file = self.open(&self.lock)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(file)),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(source)) => Err(ClusterError::file("lock", &self.lock)(source)),
        }
    }

    /// A file in the base directory, made if need be, that belongs to whoever the directory belongs
    /// to.
    pub(super) fn open(&self, path: &Path) -> Result<File, ClusterError> {
        let open = || {
            let file = OpenOptions::new()
                .read(true)
                .append(true)
                .create(true)
                .mode(0o600)
                .custom_flags(libc::O_NOFOLLOW)
                .open(path)?;
            let base = fs::metadata(&self.base)?;
            if os::effective_uid() == 0 && file.metadata()?.uid() != base.uid() {
                fchown(&file, Some(base.uid()), Some(base.gid()))?;
            }
            Ok(file)
        };
        open().map_err(ClusterError::file("open", path))
    }

    /// An empty directory in the base directory that belongs to the server's user.
    pub(super) fn make_private(&self, path: &Path, account: &Account) -> Result<(), ClusterError> {
        let make = || {
            DirBuilder::new().mode(0o700).create(path)?;
            give(path, account)
        };
        make().map_err(ClusterError::file("create the directory", path))
    }

    /// Makes the directory of the socket, and sees to it that nobody else can enter it.
    pub(super) fn open_socket_dir(&self, account: &Account) -> Result<(), ClusterError> {
        let path = &self.socket;
        match self.make_private(path, account) {
            Err(ClusterError::File { source, .. }) if source.kind() == ErrorKind::AlreadyExists => {}
            made => return made,
        }
        // It may be in a directory where anybody can make one of that name.
        let found = fs::symlink_metadata(path).map_err(ClusterError::file("examine", path))?;
        let private = found.is_dir() && found.mode() & 0o777 == 0o700;
        match found.uid() {
            owner if private && owner == account.uid => Ok(()),
            // We were stopped before we could give it away.
            owner if private && owner == os::effective_uid() => {
                give(path, account).map_err(ClusterError::file("give away the directory", path))
            }
            _ => Err(ClusterError::SocketDirectory { path: path.clone(), uid: account.uid }),
        }
    }
}

/// The home directory, made if need be, by the one name it is known by.
pub(super) fn open_home(home: &Path) -> Result<PathBuf, ClusterError> {
    fs::create_dir_all(home).map_err(ClusterError::file("create the home directory", home))?;
    fs::canonicalize(home).map_err(ClusterError::file("open the home directory", home))
}

fn exists(path: &Path) -> Result<bool, ClusterError> {
    match fs::symlink_metadata(path) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(ClusterError::file("examine", path)(error)),
    }
}

/// As root it stays root's and others may only pass through, so that the server's user cannot
/// exchange the files that root opens.
fn make_base(path: &Path, account: &Account) -> Result<(), ClusterError> {
    let mode = if account.other { 0o711 } else { 0o700 };
    let make = || {
        match DirBuilder::new().create(path) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
            // Another process was quicker.
            _ => {}
        }
        // Whatever our umask is.
        fs::set_permissions(path, Permissions::from_mode(mode))
    };
    make().map_err(ClusterError::file("create the directory", path))
}

/// Tries it out: modes are not all that decides.
fn reaches(account: &Account, dir: &Path) -> Result<bool, ClusterError> {
    if !account.other {
        return Ok(true);
    }
    let enter = |dir: &Path| {
        let mut command = account.command(Path::new("/bin/sh"));
        command.args(["-c", ":"]).current_dir(dir);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status()
    };
    match enter(dir) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            // Or is it the user that we cannot become?
            enter(Path::new("/")).map(|_| false).map_err(|source| run_error(account, source))
        }
        Err(source) => Err(run_error(account, source)),
    }
}

fn run_error(account: &Account, source: io::Error) -> ClusterError {
    ClusterError::Run { program: "/bin/sh".into(), user: account.label.clone(), source }
}

fn give(path: &Path, account: &Account) -> io::Result<()> {
    if account.other { chown(path, Some(account.uid), Some(account.gid)) } else { Ok(()) }
}

/// Beside the data; or, when that makes too long a path, or one that a URL or the server's list of
/// directories could misread, in /tmp.
fn socket_dir(base: &Path) -> PathBuf {
    let beside = base.join("socket");
    let bytes = beside.as_os_str().as_bytes();
    let plain = bytes.iter().all(|b| b.is_ascii_alphanumeric() || b"/._-+".contains(b));
    if plain && bytes.len() + format!("/.s.PGSQL.{PORT}").len() <= LONGEST_SOCKET {
        beside
    } else {
        Path::new("/tmp").join(format!("promostack-{}", digest(base)))
    }
}

/// A name for a path, the same for ever: FNV-1a, as the standard library promises that of none of
/// its hashes.
fn digest(path: &Path) -> String {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for byte in path.as_os_str().as_bytes() {
        hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    }
    format!("{hash:016x}")
}

#[cfg(test)]
mod tests {
    use super::super::cluster::tests::Home;
    use super::*;

    fn account() -> Account {
        Account::for_data(Path::new("/no/such/directory")).unwrap()
    }

    #[test]
    fn a_digest_never_changes() {
        assert_eq!(digest(Path::new("/home/ada/.promostack")), "b7818a62410b29fe");
    }

    #[test]
    fn long_and_odd_paths_get_a_short_socket_directory() {
        assert_eq!(socket_dir(Path::new("/srv/app/postgres")), Path::new("/srv/app/postgres/socket"));
        for base in [format!("/srv/{}/postgres", "x".repeat(80)), "/srv/a,b/postgres".to_owned()] {
            let short = socket_dir(Path::new(&base));
            assert!(short.starts_with("/tmp"), "{}", short.display());
            assert_eq!(short, socket_dir(Path::new(&base)));
        }
    }

    #[test]
    fn a_socket_directory_of_somebody_else_is_refused() {
        let home = Home::new();
        let mut place = Place::settle(home.path(), home.path(), &account()).unwrap();
        place.open_socket_dir(&account()).unwrap();
        place.open_socket_dir(&account()).unwrap();
        let found = fs::metadata(&place.socket).unwrap();
        assert_eq!((found.uid(), found.mode() & 0o777), (account().uid, 0o700));

        place.socket = home.path().join("link");
        symlink("/etc", &place.socket).unwrap();
        let refused = place.open_socket_dir(&account()).unwrap_err();
        assert!(matches!(refused, ClusterError::SocketDirectory { .. }));
    }

    #[test]
    fn a_link_to_nowhere_is_not_an_empty_database() {
        let home = Home::new();
        symlink("/no/such/directory", home.path().join("postgres")).unwrap();
        let refused = Place::settle(home.path(), home.path(), &account()).unwrap_err();
        assert!(matches!(refused, ClusterError::DataMissing { .. }), "{refused}");
    }
}
