//! The lock that kubectl takes: `<file>.lock`, made by the writer, removed when it is done.

use std::fs::{self, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::KubeconfigError;
use super::file;

/// Pause between two tries.
const PAUSE: Duration = Duration::from_millis(100);

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

/// A held lock; dropping it lets go.
#[derive(Debug)]
pub(super) struct Lock {
    path: PathBuf,
}

impl Lock {
    /// Takes the lock of `file`, whose directory is made if it is missing.
    pub(super) fn take(file: &Path, tries: LockTries) -> Result<Self, KubeconfigError> {
        file::make_directory(file)?;
        let path = lock_path(file);
        for attempt in 1..=tries.tries {
            match OpenOptions::new().write(true).create_new(true).open(&path) {
                Ok(_) => return Ok(Self { path }),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    if attempt < tries.tries {
                        std::thread::sleep(PAUSE);
                    }
                }
                Err(source) => {
                    return Err(KubeconfigError::Io {
                        doing: "make the lock",
                        path,
                        source,
                    });
                }
            }
        }
        Err(KubeconfigError::Locked {
            path: file.to_owned(),
            lock: path,
        })
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // A lock that stays is named by the next writer.
        let _ = fs::remove_file(&self.path);
    }
}

fn lock_path(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".lock");
    name.into()
}
