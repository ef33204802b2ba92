//! Who the server runs as: we ourselves, or, as PostgreSQL refuses root, somebody else.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use super::error::ClusterError;
use super::os::{self, User};

/// The user that the server runs as and that its data belongs to.
#[derive(Debug, Clone)]
pub(super) struct Account {
    pub(super) uid: u32,
    pub(super) gid: u32,
    /// For people to read: the name, or the number when there is none.
    pub(super) label: String,
    /// We are root and step down to this user.
    pub(super) other: bool,
}

impl Account {
    /// As root, the one that an existing data directory belongs to, else `postgres`, else `nobody`.
    pub(super) fn for_data(data: &Path) -> Result<Self, ClusterError> {
        let uid = os::effective_uid();
        if uid != 0 {
            return Self::of(uid, 0, false);
        }
        match fs::metadata(data) {
            Ok(found) if found.uid() == 0 => Err(ClusterError::DataOfRoot { path: data.to_owned() }),
            Ok(found) => Self::of(found.uid(), found.gid(), true),
            Err(_) => {
                for name in ["postgres", "nobody"] {
                    let found = os::user_named(name)
                        .map_err(|source| ClusterError::LookUpUser { user: name.to_owned(), source })?;
                    if let Some(User { name, uid, gid }) = found {
                        return Ok(Self { uid, gid, label: name, other: true });
                    }
                }
                Err(ClusterError::NoServerUser)
            }
        }
    }

    fn of(uid: u32, gid: u32, other: bool) -> Result<Self, ClusterError> {
        let label = look_up(uid)?.map_or_else(|| format!("user id {uid}"), |user| user.name);
        Ok(Self { uid, gid, label, other })
    }

    /// initdb refuses a user without a name; the server itself does not mind.
    pub(super) fn must_have_a_name(&self) -> Result<(), ClusterError> {
        match look_up(self.uid)? {
            Some(_) => Ok(()),
            None => Err(ClusterError::UnknownUser { uid: self.uid }),
        }
    }

    /// A server program, run as this user, out of reach of the terminal, and without our
    /// environment: it holds secrets that are none of the server's business, and settings that
    /// would change what the server does.
    pub(super) fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin").env("LC_ALL", "C");
        // Ours may be closed to this user.
        command.current_dir("/");
        // Ctrl-C goes to the whole group; the server has to outlast our own orderly end.
        command.process_group(0);
        if self.other {
            command.uid(self.uid).gid(self.gid);
        }
        command
    }
}

fn look_up(uid: u32) -> Result<Option<User>, ClusterError> {
    os::user_with_id(uid).map_err(|source| ClusterError::LookUpUser { user: uid.to_string(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_server_never_runs_as_root() {
        let account = Account::for_data(Path::new("/no/such/directory")).unwrap();
        assert_ne!(account.uid, 0);
        assert_eq!(account.other, os::effective_uid() == 0);
        if account.other {
            let refused = Account::for_data(Path::new("/")).unwrap_err();
            assert!(matches!(refused, ClusterError::DataOfRoot { .. }));
        }
    }

    #[test]
    fn a_user_without_a_name_is_told_so() {
        let account = Account::of(4_000_000_001, 0, false).unwrap();
        let refused = account.must_have_a_name().unwrap_err().to_string();
        assert!(refused.contains("4000000001 has no entry in /etc/passwd"), "{refused}");
    }

    #[test]
    fn the_environment_stays_with_us() {
        let account = Account::for_data(Path::new("/no/such/directory")).unwrap();
        let output = account.command(Path::new("/usr/bin/env")).output().unwrap();
        let mut names: Vec<_> =
            str::from_utf8(&output.stdout).unwrap().lines().filter_map(|line| line.split('=').next()).collect();
        names.sort_unstable();
        assert_eq!(names, ["LC_ALL", "PATH"]);
    }
}
