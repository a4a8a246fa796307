//! Processes of this machine: which one this is, and whether another one still runs.

use std::fs;

use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};
use serde::{Deserialize, Serialize};

/// A process. Its start distinguishes it from a later one with the same number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Process {
    pub pid: u32,
    /// When it started, in clock ticks since the machine's start; `None` where the system does not say.
    pub started: Option<u64>,
}

impl Process {
    /// This one.
    pub fn this() -> Self {
        let pid = std::process::id();
        Self {
            pid,
            started: stat(pid).map(|(_, started)| started),
        }
    }

    /// Whether it still runs. One of which nothing can be learned counts as running.
    pub fn is_running(self) -> bool {
        let pid = i32::try_from(self.pid).ok().and_then(Pid::from_raw);
        // A signal to a process of somebody else is refused: it runs.
        if pid.is_some_and(|pid| test_kill_process(pid) == Err(Errno::SRCH)) {
            return false;
        }
        match (stat(self.pid), self.started) {
            // It has ended, and only its parent has not looked yet.
            (Some(('Z' | 'X', _)), _) => false,
            (Some((_, now)), Some(then)) => now == then,
            (Some(_), None) | (None, _) => true,
        }
    }
}

/// A process with where it runs, as a lock names its holder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownProcess {
    pub pid: u32,
    /// As [`Process::started`].
    pub started: Option<u64>,
    pub host: String,
    /// The start of the machine and the set of processes in which `pid` counts: a container has its own.
    /// `None` where the system does not say.
    pub boot: Option<String>,
}

impl KnownProcess {
    /// This one.
    pub fn this() -> Self {
        let Process { pid, started } = Process::this();
        let read = |path: &str| {
            let text = fs::read_to_string(path).ok()?;
            Some(text.trim().to_owned())
        };
        let boot = || {
            let boot = read("/proc/sys/kernel/random/boot_id")?;
            let namespace = fs::read_link("/proc/self/ns/pid").ok()?;
            Some(format!("{boot} {}", namespace.display()))
        };
        let host = read("/proc/sys/kernel/hostname").or_else(|| {
            let name = rustix::system::uname();
            Some(name.nodename().to_string_lossy().into_owned())
        });
        Self {
            pid,
            started,
            host: host.unwrap_or_default(),
            boot: boot(),
        }
    }

    /// Whether it has ended; `None` for a process elsewhere, as in a container, of which nothing is known.
    pub fn has_ended(&self) -> Option<bool> {
        let this = Self::this();
        if self.boot.is_none() || self.boot != this.boot {
            return None;
        }
        let &Self { pid, started, .. } = self;
        Some(!Process { pid, started }.is_running())
    }
}

/// State and start of a process, where the system has `/proc`.
fn stat(pid: u32) -> Option<(char, u64)> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name before may hold blanks and parentheses.
    let mut fields = text.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?.chars().next()?;
    // Field 22 of the line; the state is the third.
    Some((state, fields.nth(18)?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_runs_until_it_ends() {
        assert!(Process::this().is_running());
        let mut child = std::process::Command::new("sleep")
            .arg("60")
            .spawn()
            .unwrap();
        let pid = child.id();
        let started = stat(pid).map(|(_, started)| started);
        let process = Process { pid, started };
        assert!(process.is_running());
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!process.is_running());
    }

    #[test]
    fn a_reused_number_is_another_process() {
        let this = Process::this();
        let earlier = Process {
            started: this.started.map(|started| started - 1),
            ..this
        };
        assert_eq!(earlier.is_running(), this.started.is_none());
    }
}
