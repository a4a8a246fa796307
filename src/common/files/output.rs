//! What the user asked to be put out: into a file, or into the stream that the path names.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::Errno;

use super::PRIVATE;
use super::input::flags;
use super::target::{Target, is_null};

/// How often to look for a reader of a pipe, and the pause between two looks: five seconds.
const LOOKS: u32 = 50;
const PAUSE: Duration = Duration::from_millis(100);

/// Where an output went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// Into a regular file.
    File,
    /// Into a pipe, a terminal or another device.
    Stream,
    /// Into the device that swallows everything.
    Nowhere,
}

/// Writes to the file at `path`, as [`super::write`] does, or to the stream that it names: `-` is standard
/// output; `/dev/stdout`, `/dev/fd/3`, a pipe or a character device are written to and never replaced.
/// A pipe that nobody reads within five seconds is an error, and so is one of somebody else for what only
/// the user may read.
pub fn output(path: &Path, bytes: impl AsRef<[u8]>, mode: u32) -> io::Result<Written> {
    let bytes = bytes.as_ref();
    if path == Path::new("-") {
        return to_descriptor(1, bytes);
    }
    match Target::of(path)? {
        Target::File(place) => super::write(&place, bytes, mode).map(|()| Written::File),
        Target::Descriptor(number) => to_descriptor(number, bytes),
        Target::Stream(place, _) => {
            let stream = open(&place)?;
            if mode == PRIVATE {
                require_own(&stream)?;
            }
            to_stream(stream, bytes)
        }
    }
}

/// Refuses a pipe that somebody else has put there: they read it. One that this process was started with is
/// as good as its standard output.
fn require_own(stream: &File) -> io::Result<()> {
    let about = stream.metadata()?;
    let user = rustix::process::geteuid().as_raw();
    if about.file_type().is_fifo() && !is_trusted(about.uid(), user) {
        let text = format!("it is a pipe of another user (uid {})", about.uid());
        return Err(io::Error::new(ErrorKind::PermissionDenied, text));
    }
    Ok(())
}

/// Whether what `owner` reads may be read in the name of `user`.
pub(super) fn is_trusted(owner: u32, user: u32) -> bool {
    owner == user || owner == 0
}

fn to_descriptor(number: u32, bytes: &[u8]) -> io::Result<Written> {
    match number {
        // These two may be sockets, which can't be opened by their path.
        1 => {
            let mut stream = io::stdout().lock();
            stream.write_all(bytes).and_then(|()| stream.flush())?;
        }
        2 => io::stderr().lock().write_all(bytes)?,
        _ => return to_stream(open(&PathBuf::from(format!("/dev/fd/{number}")))?, bytes),
    }
    Ok(Written::Stream)
}

fn to_stream(mut stream: File, bytes: &[u8]) -> io::Result<Written> {
    let about = stream.metadata()?;
    // Only the opening must not wait: from here on the reader sets the pace.
    let now = fcntl_getfl(&stream)?;
    fcntl_setfl(&stream, now - OFlags::NONBLOCK)?;
    stream.write_all(bytes)?;
    Ok(if is_null(&about) {
        Written::Nowhere
    } else {
        Written::Stream
    })
}

/// Opens a stream to write to its end; waits some seconds for the reader of a pipe.
fn open(path: &Path) -> io::Result<File> {
    let wanted = OFlags::APPEND | OFlags::NONBLOCK | OFlags::NOCTTY;
    let mut options = File::options();
    options.append(true).custom_flags(flags(wanted));
    if !fs::metadata(path)?.file_type().is_fifo() {
        return options.open(path);
    }
    for _ in 0..LOOKS {
        match options.open(path) {
            Err(error) if Errno::from_io_error(&error) == Some(Errno::NXIO) => sleep(PAUSE),
            opened => return opened,
        }
    }
    Err(io::Error::new(
        ErrorKind::NotConnected,
        "it is a pipe that nobody reads",
    ))
}
