//! The lock that kubectl takes: `<file>.lock`, made by the writer, removed when it is done. Ours says who
//! holds it, so that one of a process that was killed does not stop the next.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use jiff::SignedDuration;
use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};

use super::KubeconfigError;
use super::file;
use crate::common::duration::age;
use crate::common::files::{self, Unfinished};
use crate::common::process::KnownProcess;

/// Pause between two tries.
const PAUSE: Duration = Duration::from_millis(100);
/// No lock of ours is larger.
const LARGEST: u64 = 4096;

/// How often to try for a lock that is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LockTries {
    tries: u32,
}

impl LockTries {
    /// About five seconds: kubectl holds its lock for milliseconds.
    pub const USUAL: Self = Self { tries: 50 };
    /// One try.
    pub const NONE: Self = Self { tries: 1 };
}

/// Who holds a lock: its content. kubectl's is empty.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Holder {
    /// Always `kube-cfn`.
    program: String,
    #[serde(flatten)]
    process: KnownProcess,
}

impl Holder {
    pub(super) fn this() -> Self {
        Self {
            program: "kube-cfn".to_owned(),
            process: KnownProcess::this(),
        }
    }

    /// Whether it does not hold the lock any more. Of a process elsewhere, as in a container, nothing is known
    /// but that no write takes as long as [`files::OLD`].
    fn is_gone(&self, written: SystemTime) -> bool {
        let this = Self::this();
        if self.program != this.program {
            return false;
        }
        if let Some(has_ended) = self.process.has_ended() {
            return has_ended;
        }
        let is_old = written.elapsed().is_ok_and(|age| age > files::OLD);
        // This machine was started again since.
        let is_before_start = || machine_start().is_some_and(|start| written < start);
        let is_same_host = self.process.host == this.process.host;
        is_old || (self.process.boot.is_some() && is_same_host && is_before_start())
    }
}

/// When the machine was started.
fn machine_start() -> Option<SystemTime> {
    let stat = fs::read_to_string("/proc/stat").ok()?;
    let seconds = stat.lines().find_map(|line| line.strip_prefix("btime "))?;
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds.trim().parse().ok()?))
}

/// A held lock; dropping it lets go.
#[derive(Debug)]
pub(super) struct Lock {
    path: PathBuf,
    content: String,
    /// Also goes when the program is interrupted.
    _unfinished: Unfinished,
}

impl Lock {
    /// Takes the lock of `file`, whose directory is made if it is missing.
    pub(super) fn take(file: &Path, tries: LockTries) -> Result<Self, KubeconfigError> {
        file::make_directory(file)?;
        let path = lock_path(file);
        let failed = |source| KubeconfigError::Io {
            doing: "make the lock",
            path: path.clone(),
            source,
        };
        let content = serde_json::to_string(&Holder::this()).map_err(io::Error::from);
        let content = content.map_err(failed)? + "\n";
        let held = || Self {
            path: path.clone(),
            content: content.clone(),
            _unfinished: Unfinished::new(&path),
        };
        for attempt in 1..=tries.tries {
            if make(&path, &content).map_err(failed)?
                || take_over(&path, &content).map_err(failed)?
            {
                return Ok(held());
            }
            if attempt < tries.tries {
                std::thread::sleep(PAUSE);
            }
        }
        Err(locked(file, path))
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // One that somebody else has taken meanwhile is theirs. One that stays says who held it.
        if files::read_text(&self.path).is_ok_and(|found| found == self.content) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Makes the lock where there is none.
fn make(path: &Path, content: &str) -> io::Result<bool> {
    if fs::symlink_metadata(path).is_ok() {
        return Ok(false);
    }
    match files::create(path, content, files::PRIVATE) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error),
    }
}

/// Takes the lock of a process that is gone. Two that try at once can't both succeed: the file is
/// replaced under its `flock`, and only while it is the one at the path.
fn take_over(path: &Path, content: &str) -> io::Result<bool> {
    let file = match files::open(path) {
        Ok(file) => file,
        // Gone meanwhile, or somebody else's: held.
        Err(error) if is_held(&error) => return Ok(false),
        Err(error) => return Err(error),
    };
    let about = file.metadata()?;
    let is_gone = holder(&file).is_some_and(|holder| {
        let written = about.modified().unwrap_or(SystemTime::UNIX_EPOCH);
        holder.is_gone(written)
    });
    if !is_gone || flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
        return Ok(false);
    }
    let is_there = fs::symlink_metadata(path)
        .is_ok_and(|now| (now.dev(), now.ino()) == (about.dev(), about.ino()));
    if !is_there {
        return Ok(false);
    }
    match files::write(path, content, files::PRIVATE) {
        Ok(()) => Ok(true),
        Err(error) if is_held(&error) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Whether an error of reading or replacing a lock only means that another one has it.
fn is_held(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::NotFound | ErrorKind::PermissionDenied
    )
}

/// Who holds a lock, if it says so.
fn holder(file: &File) -> Option<Holder> {
    let mut text = String::new();
    file.take(LARGEST).read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}

fn locked(file: &Path, lock: PathBuf) -> KubeconfigError {
    let opened = files::open(&lock).ok();
    let holder = opened.as_ref().and_then(holder);
    let written = opened.and_then(|file| file.metadata().ok()?.modified().ok());
    let since = written.and_then(|at| SignedDuration::try_from(at.elapsed().ok()?).ok());
    KubeconfigError::Locked {
        path: file.to_owned(),
        lock,
        holder: holder.map_or_else(
            || "kubectl or another program".to_owned(),
            |Holder { process, .. }| {
                format!("kube-cfn (process {} on {})", process.pid, process.host)
            },
        ),
        age: since.map_or_else(String::new, |since| format!(" since {}", age(since))),
    }
}

fn lock_path(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".lock");
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    fn put(path: &Path, holder: &Holder) {
        fs::write(path, serde_json::to_string(holder).unwrap()).unwrap();
    }

    /// A process of this machine that has ended.
    fn ended() -> Holder {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let pid = child.id();
        child.wait().unwrap();
        holder_with(|process| {
            process.pid = pid;
            process.started = Some(1);
        })
    }

    /// This process, changed.
    fn holder_with(change: impl FnOnce(&mut KnownProcess)) -> Holder {
        let mut holder = Holder::this();
        change(&mut holder.process);
        holder
    }

    #[test]
    fn lock_says_who_holds_it_until_it_is_dropped() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("config");
        let lock = Lock::take(&file, LockTries::NONE).unwrap();
        let path = lock_path(&file);
        let found = holder(&files::open(&path).unwrap()).unwrap();
        assert_eq!(found, Holder::this());
        let error = Lock::take(&file, LockTries::NONE).unwrap_err().to_string();
        let this = format!(
            "kube-cfn (process {} on {})",
            found.process.pid, found.process.host
        );
        assert!(
            error.contains(&this) && error.contains(" since "),
            "{error}"
        );
        drop(lock);
        assert!(!path.exists());
    }

    #[test]
    fn lock_of_an_ended_process_is_taken_over() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("config");
        put(&lock_path(&file), &ended());
        let lock = Lock::take(&file, LockTries::NONE).unwrap();
        assert_eq!(files::read_text(&lock.path).unwrap(), lock.content);
        drop(lock);
        // A number that another process has since.
        let reused = holder_with(|process| process.started = Some(1));
        put(&lock_path(&file), &reused);
        drop(Lock::take(&file, LockTries::NONE).unwrap());
        assert!(!lock_path(&file).exists());
    }

    #[test]
    fn lock_of_another_machine_is_not_taken_over() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("config");
        let mut elsewhere = ended();
        elsewhere.process.host = "elsewhere".to_owned();
        elsewhere.process.boot = Some("another".to_owned());
        // The same host name, but written since this machine started.
        let mut namesake = ended();
        namesake.process.boot = Some("another".to_owned());
        for other in [elsewhere, namesake] {
            put(&lock_path(&file), &other);
            let error = Lock::take(&file, LockTries::NONE).unwrap_err().to_string();
            assert!(
                error.contains(&format!(" on {}", other.process.host)),
                "{error}"
            );
            assert!(lock_path(&file).exists());
        }
    }

    #[test]
    fn old_lock_of_a_process_that_nothing_is_known_of_is_taken_over() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("config");
        let put_old = |holder: &Holder| {
            put(&lock_path(&file), holder);
            let lock = File::options().write(true).open(lock_path(&file)).unwrap();
            lock.set_modified(SystemTime::now() - files::OLD - Duration::from_mins(1))
                .unwrap();
        };
        let elsewhere = |boot: Option<&str>| {
            let mut holder = ended();
            holder.process.host = "elsewhere".to_owned();
            holder.process.boot = boot.map(str::to_owned);
            holder
        };
        for boot in [Some("another"), None] {
            put_old(&elsewhere(boot));
            drop(Lock::take(&file, LockTries::NONE).unwrap());
        }
        let another = Holder {
            program: "another".to_owned(),
            ..elsewhere(None)
        };
        for held in [Holder::this(), another] {
            put_old(&held);
            Lock::take(&file, LockTries::NONE).unwrap_err();
        }
    }

    #[test]
    fn lock_that_may_not_be_read_is_held() {
        let denied = io::Error::from(ErrorKind::PermissionDenied);
        assert!(is_held(&denied));
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("config");
        fs::write(lock_path(&file), "").unwrap();
        let closed = fs::Permissions::from_mode(0o0);
        fs::set_permissions(lock_path(&file), closed).unwrap();
        let error = Lock::take(&file, LockTries::NONE).unwrap_err();
        assert!(matches!(error, KubeconfigError::Locked { .. }), "{error}");
    }

    #[test]
    fn lock_from_before_a_restart_of_the_machine_is_taken_over() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("config");
        let before = holder_with(|process| process.boot = Some("the last one".to_owned()));
        put(&lock_path(&file), &before);
        let long_ago = machine_start().unwrap() - Duration::from_mins(1);
        let lock = File::options().write(true).open(lock_path(&file)).unwrap();
        lock.set_modified(long_ago).unwrap();
        Lock::take(&file, LockTries::NONE).unwrap();
    }

    #[test]
    fn only_one_takes_a_lock_over() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("config");
        let gone = ended();
        for _ in 0..50 {
            put(&lock_path(&file), &gone);
            let taken: usize = std::thread::scope(|scope| {
                let one = || scope.spawn(|| Lock::take(&file, LockTries::NONE).ok());
                let all: Vec<_> = [(); 4].map(|()| one()).into_iter().collect();
                // Held until all have tried.
                let locks: Vec<_> = all.into_iter().map(|one| one.join().unwrap()).collect();
                locks.iter().flatten().count()
            });
            assert_eq!(taken, 1);
        }
    }
}
