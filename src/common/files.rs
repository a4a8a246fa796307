//! Files that are written whole or not at all: what was there stays until the new content is on the disk.

use std::fs::{File, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

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
    let directory = path.parent().filter(|path| !path.as_os_str().is_empty());
    let mut file = tempfile::Builder::new()
        .prefix(".kube-cfn-")
        .permissions(Permissions::from_mode(mode))
        .tempfile_in(directory.unwrap_or(Path::new(".")))?;
    file.write_all(bytes.as_ref())?;
    prepare(file.as_file())?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn files_are_replaced_whole_with_their_mode() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        fs::write(&path, "a longer text than the next one").unwrap();
        write(&path, "new", PRIVATE).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, PRIVATE);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_failed_write_leaves_the_old_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        fs::write(&path, "old").unwrap();
        let full = |_: &File| Err(io::Error::other("no space"));
        assert!(write_with(&path, "new", PUBLIC, full).is_err());
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }
}
