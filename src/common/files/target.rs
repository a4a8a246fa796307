//! What a path leads to: a regular file or a place for one, or something that must never be replaced.

use std::fs::{self, FileType, Metadata};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

/// More links in a row are a loop.
const MOST_LINKS: usize = 40;

/// Where a path leads once its links are followed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// A regular file, or nothing yet: the path without links at its end.
    File(PathBuf),
    /// A descriptor of this process, such as `/dev/stdout`, whatever is behind it.
    Descriptor(u32),
    /// A pipe or a character device, with the words for it.
    Stream(PathBuf, &'static str),
}

impl Target {
    /// Follows the links of `path`. A directory, a socket or a block device is an error.
    pub(super) fn of(path: &Path) -> io::Result<Self> {
        let mut path = path.to_owned();
        for _ in 0..MOST_LINKS {
            if let Some(number) = descriptor(&path) {
                return Ok(Self::Descriptor(number));
            }
            let about = match fs::symlink_metadata(&path) {
                Ok(about) => about,
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Self::File(path)),
                Err(error) => return Err(error),
            };
            if !about.is_symlink() {
                return Self::of_type(path, about.file_type());
            }
            // The system may forbid to follow it, as a link of somebody else in /tmp.
            match fs::metadata(&path) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            let next = fs::read_link(&path)?;
            path = path.parent().unwrap_or(Path::new("")).join(next);
        }
        Err(io::Error::other("it is a link that leads to itself"))
    }

    fn of_type(path: PathBuf, found: FileType) -> io::Result<Self> {
        if found.is_file() {
            return Ok(Self::File(path));
        }
        let words = words(found);
        if found.is_fifo() || found.is_char_device() {
            return Ok(Self::Stream(path, words));
        }
        Err(io::Error::new(
            ErrorKind::InvalidInput,
            format!("it is {words}"),
        ))
    }
}

/// Where a regular file is or can be made: `path` with its links followed, also to where nothing is yet.
/// An error that says what else is there.
pub fn regular(path: &Path) -> io::Result<PathBuf> {
    match Target::of(path)? {
        Target::File(path) => Ok(path),
        Target::Descriptor(_) => Err(not_regular("a stream of this process")),
        Target::Stream(_, words) => Err(not_regular(words)),
    }
}

/// Whether `path` is the device that swallows everything: by convention, "no file".
pub fn is_null_device(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|about| is_null(&about))
}

/// Whether an output named `path` goes to a stream, not into a file.
pub fn is_stream(path: &Path) -> bool {
    let is_stream = |target| matches!(target, Target::Descriptor(_) | Target::Stream(..));
    path == Path::new("-") || Target::of(path).is_ok_and(is_stream)
}

/// Whether an output named `path` goes to standard output.
pub fn is_stdout(path: &Path) -> bool {
    path == Path::new("-") || Target::of(path).is_ok_and(|it| it == Target::Descriptor(1))
}

pub(super) fn is_null(about: &Metadata) -> bool {
    let (major, minor) = (
        rustix::fs::major(about.rdev()),
        rustix::fs::minor(about.rdev()),
    );
    about.file_type().is_char_device() && (major, minor) == (1, 3)
}

pub(super) fn not_regular(words: &str) -> io::Error {
    let text = format!("it is {words}, not a regular file");
    io::Error::new(ErrorKind::InvalidInput, text)
}

/// What kind of file it is.
pub(super) fn words(found: FileType) -> &'static str {
    if found.is_dir() {
        "a directory"
    } else if found.is_fifo() {
        "a pipe"
    } else if found.is_char_device() {
        "a character device"
    } else if found.is_block_device() {
        "a block device"
    } else if found.is_socket() {
        "a socket"
    } else {
        "of an unknown kind"
    }
}

/// The number in `/dev/fd/3`, `/dev/stdout` and their like.
fn descriptor(path: &Path) -> Option<u32> {
    match path.to_str() {
        Some("/dev/stdin") => return Some(0),
        Some("/dev/stdout") => return Some(1),
        Some("/dev/stderr") => return Some(2),
        _ => {}
    }
    let number = path.file_name()?.to_str()?.parse().ok()?;
    let directory = path.parent()?;
    let is_own = || {
        let own = format!("/proc/{}", std::process::id());
        let found = fs::canonicalize(directory).ok()?;
        // `/proc/thread-self/fd` is below the process too.
        Some(found.starts_with(own) && found.ends_with("fd"))
    };
    (directory == Path::new("/dev/fd") || is_own() == Some(true)).then_some(number)
}
