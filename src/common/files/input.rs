//! Reading files. A pipe or a device in the place of a file is an error, not a wait without end.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use rustix::fs::OFlags;

use super::target::{Target, not_regular, words};

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
pub fn read_text_or_stream(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    match Target::of(path) {
        _ if path == Path::new("-") => io::stdin().read_to_string(&mut text)?,
        Ok(Target::Descriptor(0)) => io::stdin().read_to_string(&mut text)?,
        Ok(Target::Descriptor(_)) => File::open(path)?.read_to_string(&mut text)?,
        Ok(Target::File(_) | Target::Stream(..)) | Err(_) => return read_text(path),
    };
    Ok(text)
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
