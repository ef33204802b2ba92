//! `postmaster.pid`: what a running server says about itself.

use std::fs;
use std::path::Path;

/// Line numbers in the file, from zero.
const PID: usize = 0;
const STATUS: usize = 7;

/// The part of `postmaster.pid` that we act on.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct PidFile {
    pub(super) pid: u32,
    pub(super) ready: bool,
}

impl PidFile {
    /// Nothing when there is none, or it is only half written.
    pub(super) fn read(data: &Path) -> Option<Self> {
        Self::parse(&fs::read_to_string(data.join("postmaster.pid")).ok()?)
    }

    fn parse(text: &str) -> Option<Self> {
        let lines: Vec<&str> = text.lines().collect();
        Some(Self {
            pid: lines.get(PID)?.trim().parse().ok()?,
            ready: lines.get(STATUS).is_some_and(|status| status.trim() == "ready"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_file_is_ready() {
        let whole = "4711\n/home/data\n1700000000\n5432\n/home/socket\n\n 1234 5\nready   \n";
        assert_eq!(PidFile::parse(whole), Some(PidFile { pid: 4711, ready: true }));
        let starting = whole.replace("ready", "starting");
        assert_eq!(PidFile::parse(&starting), Some(PidFile { pid: 4711, ready: false }));
        assert_eq!(PidFile::parse("4711\n/home/data\n"), Some(PidFile { pid: 4711, ready: false }));
        assert_eq!(PidFile::parse(""), None);
    }
}
