//! A tar.gz that is the same byte for byte wherever and whenever it is written.

use std::borrow::Cow;
use std::io::{self, Read, Write};

use flate2::read::GzDecoder;
use flate2::{Compression, GzBuilder};
use tar::{Archive, Builder, EntryType, Header};

/// A file of a bundle, by its path on the node without the leading slash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    pub path: Cow<'static, str>,
    pub text: String,
    /// Permission bits.
    pub mode: u32,
}

impl File {
    /// A file that is read.
    pub fn plain(path: impl Into<Cow<'static, str>>, text: String) -> Self {
        let path = path.into();
        let mode = 0o644;
        Self { path, text, mode }
    }

    /// A file that is run.
    pub fn executable(path: impl Into<Cow<'static, str>>, text: String) -> Self {
        let path = path.into();
        let mode = 0o755;
        Self { path, text, mode }
    }
}

/// Packs the files in the order given, owned by root, dated 1970.
pub fn pack(files: &[File]) -> io::Result<Vec<u8>> {
    let mut builder = Builder::new(Vec::new());
    for file in files {
        let mut header = Header::new_ustar();
        header.set_entry_type(EntryType::Regular);
        header.set_mode(file.mode);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        header.set_size(file.text.len() as u64);
        builder.append_data(&mut header, file.path.as_ref(), file.text.as_bytes())?;
    }
    let archive = builder.into_inner()?;
    // 255 is "unknown" among gzip's operating systems: the default would be the builder's own.
    let mut gzip = GzBuilder::new()
        .mtime(0)
        .operating_system(255)
        // A few KiB: the best level would take longer than all else that a bundle needs.
        .write(Vec::new(), Compression::fast());
    gzip.write_all(&archive)?;
    gzip.flush()?;
    gzip.finish()
}

/// The text of the first file whose path is wanted; `None` where there is none, or no archive.
pub fn find(bytes: &[u8], wanted: impl Fn(&str) -> bool) -> Option<String> {
    let mut archive = Archive::new(GzDecoder::new(bytes));
    let mut entries = archive.entries().ok()?.filter_map(Result::ok);
    let mut entry = entries.find(|entry| {
        let path = entry.path().ok();
        path.is_some_and(|path| path.to_str().is_some_and(&wanted))
    })?;
    let mut text = String::new();
    entry.read_to_string(&mut text).ok()?;
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn archive_round_trip() {
        let files = [
            File::executable("run.sh", "echo\n".to_owned()),
            File::plain("a.json", "{}".to_owned()),
        ];
        let bytes = pack(&files).unwrap();
        assert_eq!(bytes, pack(&files).unwrap());
        let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(bytes.as_slice()));
        let found: Vec<_> = archive
            .entries()
            .unwrap()
            .map(|entry| {
                let mut entry = entry.unwrap();
                let mut text = String::new();
                entry.read_to_string(&mut text).unwrap();
                let header = entry.header();
                assert_eq!(header.mtime().unwrap(), 0);
                (
                    entry.path().unwrap().display().to_string(),
                    header.mode().unwrap(),
                    text,
                )
            })
            .collect();
        assert_eq!(
            found,
            [
                ("run.sh".to_owned(), 0o755, "echo\n".to_owned()),
                ("a.json".to_owned(), 0o644, "{}".to_owned())
            ]
        );
    }
}
