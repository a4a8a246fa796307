//! Files that a write has begun and not finished: removed when the program is interrupted, and by the next
//! write in the same directory where it was killed. They may hold keys.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tempfile::NamedTempFile;

use crate::common::process::Process;

/// How every unfinished file of this program begins.
const PREFIX: &str = ".kube-cfn-";
/// Random letters and digits at the end of its name.
const RANDOM: usize = 6;
/// No write takes as long. Also says of one on another machine that its writer is gone.
pub const OLD: Duration = Duration::from_mins(10);

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

    /// Makes a file that is registered before a signal can come in between.
    pub(super) fn make(
        make: impl FnOnce() -> io::Result<NamedTempFile>,
    ) -> io::Result<(NamedTempFile, Self)> {
        let mut begun = BEGUN.lock().unwrap_or_else(PoisonError::into_inner);
        let file = make()?;
        begun.push(file.path().to_owned());
        let unfinished = Self(file.path().to_owned());
        Ok((file, unfinished))
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
/// written under it. What can't be removed now is removed by the next write there. For the end of the
/// program: whatever begins another file afterwards waits for that end.
pub fn remove_unfinished() {
    let mut begun = BEGUN.lock().unwrap_or_else(PoisonError::into_inner);
    for path in begun.drain(..).rev() {
        let _ = fs::remove_file(path);
    }
    std::mem::forget(begun);
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
        let Some(made) = name.to_str().and_then(Made::of) else {
            continue;
        };
        // Of the entry itself: a link is none of ours.
        let is_left = entry.metadata().is_ok_and(|about| made.is_left(&about));
        if is_left {
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

/// What the name of an unfinished file says. Any other name is the user's.
enum Made {
    /// `.kube-cfn-PID.START-` and the random part.
    By(Process),
    /// `.kube-cfn-` and the random part, by earlier versions.
    Earlier,
}

impl Made {
    fn of(name: &str) -> Option<Self> {
        let rest = name.strip_prefix(PREFIX)?;
        let (writer, random) = match rest.split_once('-') {
            Some((writer, random)) => (Some(writer), random),
            None => (None, rest),
        };
        if random.len() != RANDOM || !random.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return None;
        }
        let Some(writer) = writer else {
            return is_no_word(random).then_some(Self::Earlier);
        };
        let (pid, started) = writer.split_once('.')?;
        let (pid, started) = (number(pid)?, number(started)?);
        Some(Self::By(Process {
            pid: u32::try_from(pid).ok()?,
            started: (started > 0).then_some(started),
        }))
    }

    /// Whether nobody finishes it any more.
    fn is_left(&self, about: &Metadata) -> bool {
        is_old(about)
            && match self {
                Self::By(writer) => !writer.is_running(),
                Self::Earlier => about.mode() & 0o7777 == 0o600,
            }
    }
}

/// Whether nobody would choose the letters: a part of the random ones looks like a word, and is left alone.
fn is_no_word(text: &str) -> bool {
    let has = |is: fn(&u8) -> bool| text.bytes().skip(1).any(|byte| is(&byte));
    has(u8::is_ascii_uppercase) && has(u8::is_ascii_lowercase) && has(u8::is_ascii_digit)
}

/// Digits alone, as they are written.
fn number(text: &str) -> Option<u64> {
    let number: u64 = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}
