//! Files that a write has begun and not finished: removed when the program is interrupted, and by the next
//! write in the same directory where it was killed. They may hold keys.

use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::common::process::Process;

/// How every unfinished file of this program begins.
const PREFIX: &str = ".kube-cfn-";
/// No write takes as long. Also says of one on another machine that its writer is gone.
const OLD: Duration = Duration::from_mins(10);

/// What this process has begun, oldest first.
static BEGUN: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// A file that has to go when the program is interrupted, as long as this value lives.
#[derive(Debug)]
pub struct Unfinished(PathBuf);

impl Unfinished {
    pub fn new(path: &Path) -> Self {
        let mut begun = BEGUN.lock().unwrap_or_else(PoisonError::into_inner);
        begun.push(path.to_owned());
        Self(path.to_owned())
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        let mut begun = BEGUN.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(index) = begun.iter().rposition(|path| *path == self.0) {
            begun.remove(index);
        }
    }
}

/// Removes what this process has begun and not finished. The newest first: a lock goes after what was
/// written under it. What can't be removed now is removed by the next write there.
pub fn remove_unfinished() {
    let mut begun = BEGUN.lock().unwrap_or_else(PoisonError::into_inner);
    for path in begun.drain(..).rev() {
        let _ = fs::remove_file(path);
    }
}

/// The start of the name of an unfinished file of this process.
pub(super) fn prefix() -> String {
    let Process { pid, started } = Process::this();
    format!("{PREFIX}{pid}.{}-", started.unwrap_or_default())
}

/// Removes what killed runs of this user have left in a directory. Never a reason to fail.
pub(super) fn sweep(directory: &Path) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let Some(rest) = name.to_str().and_then(|name| name.strip_prefix(PREFIX)) else {
            continue;
        };
        // Of the entry itself: a link is none of ours.
        let is_old = entry.metadata().is_ok_and(|about| is_old(&about));
        if is_old && !writer(rest).is_some_and(Process::is_running) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

fn is_old(about: &Metadata) -> bool {
    let age = about.modified().ok().and_then(|at| at.elapsed().ok());
    about.is_file()
        && about.uid() == rustix::process::geteuid().as_raw()
        && age.is_some_and(|age| age > OLD)
}

/// Who writes a file of that name, if it says so.
fn writer(rest: &str) -> Option<Process> {
    let (pid, started) = rest.split_once('-')?.0.split_once('.')?;
    let started = started.parse().ok()?;
    Some(Process {
        pid: pid.parse().ok()?,
        started: (started > 0).then_some(started),
    })
}
