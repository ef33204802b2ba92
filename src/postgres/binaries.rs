//! Finding the server programs.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::cluster::Settings;
use super::error::ClusterError;
use super::os;

/// The oldest major version that will do.
const OLDEST: u32 = 15;

/// Where packages put one version beside another: what stands before the version, and after it.
const VERSIONED: &[(&str, &str)] = &[
    ("usr/pgsql-", "bin"),
    ("usr/lib/postgresql", "bin"),
    ("usr/libexec/postgresql", ""),
    ("opt/homebrew/opt/postgresql@", "bin"),
    ("usr/local/opt/postgresql@", "bin"),
    ("Applications/Postgres.app/Contents/Versions/", "bin"),
];

const PLAIN: &[&str] = &["usr/local/pgsql/bin", "usr/local/bin", "usr/bin", "opt/homebrew/bin"];

/// The server programs of one version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Binaries {
    pub(super) major: u32,
    dir: PathBuf,
}

impl Binaries {
    /// The newest that will do; for data that exists, the version that wrote it.
    pub(super) fn find(settings: &Settings, data: Option<(&Path, u32)>) -> Result<Self, ClusterError> {
        let candidates = match &settings.bin {
            Some(dir) => vec![dir.clone()],
            None => candidates(Path::new("/"), settings.path.as_deref()),
        };
        let found = choose(candidates, data);
        match (found, &settings.bin) {
            (Err(ClusterError::NoBinaries { .. }), Some(dir)) => Err(ClusterError::NotBinaries { path: dir.clone() }),
            (found, _) => found,
        }
    }

    pub(super) fn initdb(&self) -> PathBuf {
        self.dir.join("initdb")
    }

    pub(super) fn postgres(&self) -> PathBuf {
        self.dir.join("postgres")
    }

    fn at(dir: PathBuf) -> Option<Self> {
        if !dir.join("initdb").is_file() {
            return None;
        }
        let output = Command::new(dir.join("postgres")).arg("--version").output().ok()?;
        let major = major(str::from_utf8(&output.stdout).ok()?)?;
        Some(Self { major, dir })
    }
}

/// `postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)`, `… 18beta1`.
fn major(version: &str) -> Option<u32> {
    let number = version.split_once("(PostgreSQL) ")?.1;
    let digits = number.find(|c: char| !c.is_ascii_digit()).unwrap_or(number.len());
    number[..digits].parse().ok()
}

/// Every directory worth a look, best first.
fn candidates(root: &Path, path: Option<&OsStr>) -> Vec<PathBuf> {
    let mut dirs = versions_under(&root.join("usr/lib/postgresql"), "", "bin");
    if let Some(path) = path {
        dirs.extend(path_entries(path));
    }
    for (stem, rest) in VERSIONED {
        let (parent, prefix) = stem.rsplit_once('/').unwrap_or(("", stem));
        dirs.extend(versions_under(&root.join(parent), prefix, rest));
    }
    dirs.extend(PLAIN.iter().map(|dir| root.join(dir)));
    dirs
}

/// A relative entry means something else in every directory.
fn path_entries(path: &OsStr) -> impl Iterator<Item = PathBuf> {
    std::env::split_paths(path).filter(|dir| dir.is_absolute())
}

/// `<parent>/<prefix><version>/<rest>`, newest first.
fn versions_under(parent: &Path, prefix: &str, rest: &str) -> Vec<PathBuf> {
    let mut found: Vec<(u32, PathBuf)> = fs::read_dir(parent)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let version = entry.file_name().to_str()?.strip_prefix(prefix)?.parse().ok()?;
            Some((version, entry.path().join(rest)))
        })
        .collect();
    found.sort_by_key(|(version, _)| std::cmp::Reverse(*version));
    found.into_iter().map(|(_, dir)| dir).collect()
}

fn choose(candidates: Vec<PathBuf>, data: Option<(&Path, u32)>) -> Result<Binaries, ClusterError> {
    let mut others: Option<Binaries> = None;
    for binaries in candidates.into_iter().filter_map(Binaries::at) {
        let fits = match data {
            Some((_, version)) => binaries.major == version,
            None => binaries.major >= OLDEST,
        };
        if fits {
            return Ok(binaries);
        }
        if others.as_ref().is_none_or(|other| other.major < binaries.major) {
            others = Some(binaries);
        }
    }
    Err(match (others, data) {
        (Some(other), Some((path, data))) => {
            ClusterError::OtherVersion { path: path.to_owned(), data, found: other.major }
        }
        (Some(other), None) => ClusterError::TooOld { found: other.major, oldest: OLDEST, path: other.dir },
        (None, _) => ClusterError::NoBinaries { oldest: OLDEST, install: install_command() },
    })
}

/// The command that installs the server programs on this system.
fn install_command() -> String {
    if cfg!(target_os = "macos") {
        return "brew install postgresql@17".to_owned();
    }
    let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let command = install_command_for(&release);
    if os::effective_uid() == 0 { command.to_owned() } else { format!("sudo {command}") }
}

fn install_command_for(release: &str) -> &'static str {
    let is = |names: &[&str]| {
        release
            .lines()
            .filter_map(|line| line.strip_prefix("ID=").or_else(|| line.strip_prefix("ID_LIKE=")))
            .flat_map(|value| value.trim_matches('"').split_whitespace())
            .any(|id| names.contains(&id))
    };
    if is(&["fedora", "rhel", "centos"]) {
        "dnf install postgresql-server"
    } else if is(&["alpine"]) {
        "apk add postgresql"
    } else if is(&["arch"]) {
        "pacman -S postgresql"
    } else if is(&["suse", "opensuse"]) {
        "zypper install postgresql-server"
    } else {
        "apt-get install postgresql"
    }
}

#[cfg(test)]
mod tests {
    use super::super::cluster::tests::Home;
    use super::*;

    /// Written by another process: what this one has open for writing, a process that another test
    /// is starting may hold open for a moment longer, and nothing in that state can be run.
    fn fake(dir: &Path, version: &str) {
        fs::create_dir_all(dir).unwrap();
        for program in ["initdb", "postgres"] {
            let script = format!("#!/bin/sh\necho '{program} (PostgreSQL) {version}'");
            let write = r#"printf '%s\n' "$1" > "$0" && chmod 755 "$0""#;
            let mut writer = Command::new("sh");
            writer.args(["-c", write]).arg(dir.join(program)).arg(script);
            assert!(writer.status().unwrap().success());
        }
    }

    #[test]
    fn versions_are_read() {
        assert_eq!(major("postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)\n"), Some(15));
        assert_eq!(major("postgres (PostgreSQL) 19beta1\n"), Some(19));
        assert_eq!(major("command not found"), None);
    }

    #[test]
    fn the_newest_is_taken_unless_the_data_says_otherwise() {
        let home = Home::new();
        for version in ["9.6", "15", "17"] {
            fake(&home.path().join("usr/lib/postgresql").join(version).join("bin"), &format!("{version}.3"));
        }
        let all = || candidates(home.path(), None);
        assert_eq!(choose(all(), None).unwrap().major, 17);
        assert_eq!(choose(all(), Some((home.path(), 15))).unwrap().major, 15);
        let refused = choose(all(), Some((home.path(), 16))).unwrap_err().to_string();
        assert!(refused.contains("written by PostgreSQL 16, and only PostgreSQL 17 was found"), "{refused}");
    }

    #[test]
    fn the_path_and_other_usual_places_are_searched() {
        let home = Home::new();
        let elsewhere = home.path().join("elsewhere");
        fake(&home.path().join("usr/pgsql-16/bin"), "16.1");
        assert_eq!(choose(candidates(home.path(), None), None).unwrap().major, 16);
        fake(&elsewhere, "18.0");
        let path = std::env::join_paths([Path::new("relative"), &elsewhere]).unwrap();
        assert_eq!(choose(candidates(home.path(), Some(&path)), None).unwrap().dir, elsewhere);
    }

    #[test]
    fn nothing_found_is_one_sentence_with_the_remedy() {
        let home = Home::new();
        let refused = choose(candidates(home.path(), None), None).unwrap_err().to_string();
        assert!(refused.starts_with("PostgreSQL 15 or newer is needed"), "{refused}");
        assert!(refused.contains(" install ") || refused.contains("apk add") || refused.contains("pacman"));
        assert_eq!(refused.lines().count(), 1);
        assert_eq!(install_command_for("ID=debian\n"), "apt-get install postgresql");
        assert_eq!(install_command_for("ID=\"rocky\"\nID_LIKE=\"rhel fedora\"\n"), "dnf install postgresql-server");
    }

    #[test]
    fn too_old_is_told_apart_from_missing() {
        let home = Home::new();
        let bin = home.path().join("bin");
        fake(&bin, "13.21");
        let mut settings = home.settings();
        settings.bin = Some(bin);
        let refused = Binaries::find(&settings, None).unwrap_err().to_string();
        assert!(refused.contains("PostgreSQL 13 in") && refused.contains("is too old"), "{refused}");
        settings.bin = Some(home.path().join("nothing"));
        let refused = Binaries::find(&settings, None).unwrap_err();
        assert!(matches!(refused, ClusterError::NotBinaries { .. }));
    }
}
