//! The few calls to the system that the standard library does not offer.
#![allow(unsafe_code)]

use std::ffi::{CStr, CString};
use std::io;
use std::mem::{MaybeUninit, zeroed};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::ptr;

use libc::{c_char, c_int, passwd, size_t};

/// A user as the system knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct User {
    pub(super) name: String,
    pub(super) uid: u32,
    pub(super) gid: u32,
}

/// The user whose rights this process has.
pub(super) fn effective_uid() -> u32 {
    // SAFETY: takes nothing, touches no memory and cannot fail.
    unsafe { libc::geteuid() }
}

/// The user of that name, if there is one.
pub(super) fn user_named(name: &str) -> io::Result<Option<User>> {
    let name = CString::new(name)?;
    look_up(|entry, buffer, length, found| {
        // SAFETY: `look_up` hands over valid pointers and the buffer's true length; `name` ends in
        // a zero byte.
        unsafe { libc::getpwnam_r(name.as_ptr(), entry, buffer, length, found) }
    })
}

/// The user of that id, if it has an entry.
pub(super) fn user_with_id(uid: u32) -> io::Result<Option<User>> {
    look_up(|entry, buffer, length, found| {
        // SAFETY: `look_up` hands over valid pointers and the buffer's true length.
        unsafe { libc::getpwuid_r(uid, entry, buffer, length, found) }
    })
}

fn look_up(call: impl Fn(*mut passwd, *mut c_char, size_t, *mut *mut passwd) -> c_int) -> io::Result<Option<User>> {
    let mut buffer: Vec<c_char> = vec![0; 1024];
    loop {
        let mut entry = MaybeUninit::<passwd>::uninit();
        let mut found = ptr::null_mut();
        match call(entry.as_mut_ptr(), buffer.as_mut_ptr(), buffer.len(), &mut found) {
            0 if found.is_null() => return Ok(None),
            0 => {
                // SAFETY: the call succeeded and found an entry, so it is filled in, and its name
                // is a C string in `buffer`, which is still alive.
                let (entry, name) = unsafe {
                    let entry = entry.assume_init();
                    (entry, CStr::from_ptr(entry.pw_name))
                };
                return Ok(Some(User {
                    name: name.to_string_lossy().into_owned(),
                    uid: entry.pw_uid,
                    gid: entry.pw_gid,
                }));
            }
            libc::ERANGE if buffer.len() < 1 << 20 => buffer.resize(buffer.len() * 2, 0),
            // The ways to say "no such user" that the manual page warns of.
            libc::ENOENT | libc::ESRCH => return Ok(None),
            error => return Err(io::Error::from_raw_os_error(error)),
        }
    }
}

/// Sends a signal to one process.
pub(super) fn signal(pid: u32, signal: c_int) -> io::Result<()> {
    let pid = libc::pid_t::try_from(pid).map_err(io::Error::other)?;
    // 0 and negative numbers mean whole groups of processes.
    if pid <= 0 {
        return Err(io::Error::from(io::ErrorKind::InvalidInput));
    }
    // SAFETY: plain numbers, no memory involved.
    match unsafe { libc::kill(pid, signal) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Has the kernel send the command's process `signal` when the thread that spawned it ends, in
/// whatever way. Only Linux offers this; elsewhere a killed parent leaves its child running.
pub(super) fn signal_on_parent_death(command: &mut Command, signal: c_int) {
    #[cfg(target_os = "linux")]
    {
        let parent = std::process::id();
        let ask = move || {
            // SAFETY: the documented arguments of this option; `getppid` takes none.
            let orphaned = unsafe {
                if libc::prctl(libc::PR_SET_PDEATHSIG, signal) == -1 {
                    return Err(io::Error::last_os_error());
                }
                libc::getppid().unsigned_abs() != parent
            };
            // It ended before we asked: no signal will come.
            if orphaned { Err(io::Error::from_raw_os_error(libc::ESRCH)) } else { Ok(()) }
        };
        // SAFETY: between fork and exec only prctl and getppid are called; nothing allocates or
        // takes a lock.
        unsafe { command.pre_exec(ask) };
    }
    #[cfg(not(target_os = "linux"))]
    let _ = (command, signal);
}

/// Runs the command with the terminal's Ctrl-C and Ctrl-\ meant for it alone, as `system(3)` does.
pub(super) fn leave_interrupts_to<T>(command: &mut Command, run: impl FnOnce(&mut Command) -> T) -> T {
    let _ignored = [Ignored::new(libc::SIGINT), Ignored::new(libc::SIGQUIT)];
    let restore = || {
        // SAFETY: known signals and a known action; what is ignored would stay so through exec.
        unsafe {
            libc::signal(libc::SIGINT, libc::SIG_DFL);
            libc::signal(libc::SIGQUIT, libc::SIG_DFL);
        }
        Ok(())
    };
    // SAFETY: between fork and exec only signal is called, which POSIX allows there.
    unsafe { command.pre_exec(restore) };
    run(command)
}

/// A signal this process does not react to until the value is dropped.
struct Ignored {
    signal: c_int,
    before: libc::sigaction,
}

impl Ignored {
    fn new(signal: c_int) -> Self {
        // SAFETY: zeroes are a valid `sigaction` (no flags, empty mask); both pointers are to live
        // values. It fails only for a signal that does not exist.
        let before = unsafe {
            let mut ignore: libc::sigaction = zeroed();
            ignore.sa_sigaction = libc::SIG_IGN;
            let mut before = zeroed();
            libc::sigaction(signal, &ignore, &mut before);
            before
        };
        Self { signal, before }
    }
}

impl Drop for Ignored {
    fn drop(&mut self) {
        // SAFETY: puts back what `new` was given by the same call.
        unsafe { libc::sigaction(self.signal, &self.before, ptr::null_mut()) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_found_by_name_and_by_id() {
        let root = user_named("root").unwrap().unwrap();
        assert_eq!((root.uid, root.name.as_str()), (0, "root"));
        assert_eq!(user_with_id(0).unwrap(), Some(root));
        assert_eq!(user_named("no-such-user-here").unwrap(), None);
        assert_eq!(user_with_id(4_000_000_001).unwrap(), None);
    }

    #[test]
    fn a_group_is_never_signalled() {
        assert!(signal(0, 0).is_err());
        assert!(signal(u32::MAX, 0).is_err());
        assert!(signal(std::process::id(), 0).is_ok());
    }
}
