//! Files that are written whole or not at all: what was there stays until the new content is on the disk.
//! Only a regular file is replaced, never a device, a pipe, a socket or a directory; a link stays a link, and
//! gets its target where that is missing. What the user asked to be put out may go to a stream instead.

mod input;
mod leftovers;
mod output;
mod target;
#[cfg(test)]
mod tests;

use std::fs::{File, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use tempfile::NamedTempFile;

pub use input::{is_inherited, open, read, read_text, read_text_or_stream};
pub use leftovers::{OLD, Unfinished, remove_unfinished};
pub use output::{Written, output};
pub use target::{is_null_device, is_stdout, is_stream, regular};

/// For what only the user may read.
pub const PRIVATE: u32 = 0o600;
/// For what everybody may read.
pub const PUBLIC: u32 = 0o644;

/// Writes a file. It has `mode` from its first byte on, narrowed by the umask.
pub fn write(path: &Path, bytes: impl AsRef<[u8]>, mode: u32) -> io::Result<()> {
    write_with(path, bytes, mode, |_| Ok(()))
}

/// [`write`], with something to do to the new file before it takes the place of the old one.
pub fn write_with(
    path: &Path,
    bytes: impl AsRef<[u8]>,
    mode: u32,
    prepare: impl FnOnce(&File) -> io::Result<()>,
) -> io::Result<()> {
    let place = regular(path)?;
    let (file, _unfinished) = prepared(&place, bytes.as_ref(), mode, prepare)?;
    file.persist(&place).map_err(|error| in_use(error.error))?;
    Ok(())
}

/// Writes a new file; an error of kind `AlreadyExists` where anything is there, a link included.
pub fn create(path: &Path, bytes: impl AsRef<[u8]>, mode: u32) -> io::Result<()> {
    let (file, _unfinished) = prepared(path, bytes.as_ref(), mode, |_| Ok(()))?;
    file.persist_noclobber(path).map_err(|error| error.error)?;
    Ok(())
}

/// The new content beside its place, on the disk.
fn prepared(
    place: &Path,
    bytes: &[u8],
    mode: u32,
    prepare: impl FnOnce(&File) -> io::Result<()>,
) -> io::Result<(NamedTempFile, Unfinished)> {
    let directory = place.parent().filter(|path| !path.as_os_str().is_empty());
    let directory = directory.unwrap_or(Path::new("."));
    leftovers::sweep(directory);
    let (mut file, unfinished) = Unfinished::make(|| {
        tempfile::Builder::new()
            .prefix(&leftovers::prefix())
            .permissions(Permissions::from_mode(mode))
            .tempfile_in(directory)
    })?;
    file.write_all(bytes)?;
    prepare(file.as_file())?;
    file.as_file().sync_all()?;
    Ok((file, unfinished))
}

/// A file that is mounted by itself, as into a container, can't be replaced.
fn in_use(error: io::Error) -> io::Error {
    if error.kind() == io::ErrorKind::ResourceBusy {
        let text = "it is mounted by itself and can't be replaced: mount its directory instead";
        return io::Error::new(error.kind(), text);
    }
    error
}
