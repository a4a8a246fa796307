//! Reading files. A pipe or a device in the place of a file is an error, not a wait without end.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use rustix::fs::OFlags;

use super::target::{Target, not_regular, words};

/// The most that is read from a stream, in bytes.
const LARGEST_STREAM: u64 = 64 << 20;

/// What the streams of this process held, by their numbers: each can be read only once.
static STREAMS: Mutex<BTreeMap<u32, String>> = Mutex::new(BTreeMap::new());

/// Opens a regular file for reading.
pub fn open(path: &Path) -> io::Result<File> {
    // Looked at before it is opened: opening a device may already do something.
    for_regular(&fs::metadata(path)?)?;
    let file = File::options()
        .read(true)
        .custom_flags(flags(OFlags::NONBLOCK | OFlags::NOCTTY))
        .open(path)?;
    for_regular(&file.metadata()?)?;
    Ok(file)
}

/// The content of a regular file.
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open(path)?.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The content of a regular file, as text.
pub fn read_text(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    open(path)?.read_to_string(&mut text)?;
    Ok(text)
}

/// [`read_text`], also from a stream that this process was started with: `-`, `/dev/stdin`, `/dev/fd/3`.
/// A stream gives the same text every time.
pub fn read_text_or_stream(path: &Path) -> io::Result<String> {
    let Some(number) = inherited(path) else {
        return read_text(path);
    };
    let mut streams = STREAMS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(text) = streams.get(&number) {
        return Ok(text.clone());
    }
    let mut text = String::new();
    let limit = LARGEST_STREAM + 1;
    match number {
        // It may be a socket, which can't be opened by its path.
        0 => io::stdin().take(limit).read_to_string(&mut text)?,
        _ => File::open(path)?.take(limit).read_to_string(&mut text)?,
    };
    if text.len() as u64 > LARGEST_STREAM {
        return Err(io::Error::other("it holds more than 64 MiB"));
    }
    streams.insert(number, text.clone());
    Ok(text)
}

/// Whether an input named `path` is a stream that this process was started with.
pub fn is_inherited(path: &Path) -> bool {
    inherited(path).is_some()
}

fn inherited(path: &Path) -> Option<u32> {
    if path == Path::new("-") {
        return Some(0);
    }
    match Target::of(path) {
        Ok(Target::Descriptor(number)) => Some(number),
        Ok(Target::File(_) | Target::Stream(..)) | Err(_) => None,
    }
}

fn for_regular(about: &fs::Metadata) -> io::Result<()> {
    if about.is_file() {
        Ok(())
    } else {
        Err(not_regular(words(about.file_type())))
    }
}

/// Flags of the system as the standard library takes them.
pub(super) fn flags(flags: OFlags) -> i32 {
    i32::try_from(flags.bits()).unwrap_or_default()
}
