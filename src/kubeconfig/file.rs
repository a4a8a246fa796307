//! A kubeconfig file: read as data, written at once or not at all, closed to everybody else.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::KubeconfigError;
use super::error::Problem;
use crate::common::files::{self, PRIVATE};

/// A kubeconfig without entries.
pub(super) fn empty() -> Value {
    json!({
        "apiVersion": "v1",
        "clusters": [],
        "contexts": [],
        "current-context": "",
        "kind": "Config",
        "users": [],
    })
}

/// The file as data; `None` if there is none. One without content is an empty kubeconfig.
pub(super) fn read(path: &Path) -> Result<Option<Value>, KubeconfigError> {
    let text = match fs::read_to_string(path) {
        Ok(text) => SecretString::from(text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(failed("read", path, source)),
    };
    let document: Value = serde_saphyr::from_str(text.expose_secret()).map_err(|error| {
        // The error's own text quotes the file.
        let at = error.location().map(|place| {
            let (line, column) = (place.line(), place.column());
            format!(" (line {line}, column {column})")
        });
        KubeconfigError::Syntax {
            path: path.to_owned(),
            at: at.unwrap_or_default(),
        }
    })?;
    match document {
        Value::Null => Ok(Some(empty())),
        Value::Object(_) => Ok(Some(document)),
        _ => Err(Problem::NotAMapping.at(path)),
    }
}

/// YAML as kubectl writes it: no block scalars, and quotes where a string looks like something else.
pub(super) fn to_text(path: &Path, document: &Value) -> Result<SecretString, KubeconfigError> {
    let options = serde_saphyr::ser_options! { prefer_block_scalars: false };
    serde_saphyr::to_string_with_options(document, options)
        .map(SecretString::from)
        .map_err(|error| KubeconfigError::Encode {
            path: path.to_owned(),
            reason: error.to_string(),
        })
}

/// Writes beside the file, then renames over it. A link stays a link; the mode gets no wider than
/// 0600 and stays stricter where it was.
pub(super) fn write(path: &Path, document: &Value) -> Result<(), KubeconfigError> {
    let text = to_text(path, document)?;
    let place = resolve(path)?;
    replace(&place, text.expose_secret()).map_err(|source| failed("write", path, source))
}

fn replace(place: &Path, text: &str) -> io::Result<()> {
    let there = fs::metadata(place).ok();
    // It may hold a private key.
    let mode = there
        .as_ref()
        .map_or(PRIVATE, |there| PRIVATE & there.mode());
    files::write_with(place, text, mode, |file| match there {
        // Root writing for somebody else must not lock them out of their file.
        Some(there) if there.uid() != file.metadata()?.uid() => {
            std::os::unix::fs::fchown(file, Some(there.uid()), Some(there.gid()))
        }
        _ => Ok(()),
    })
}

/// Makes the directory of `path` and those above it, 0700 where they are new.
pub(super) fn make_directory(path: &Path) -> Result<(), KubeconfigError> {
    let Some(directory) = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
    else {
        return Ok(());
    };
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)
        .map_err(|source| failed("make the directory", directory, source))
}

/// Where a link leads; the path itself if it is none, or nothing is there yet.
fn resolve(path: &Path) -> Result<PathBuf, KubeconfigError> {
    if fs::symlink_metadata(path).is_err() {
        return Ok(path.to_owned());
    }
    fs::canonicalize(path).map_err(|source| failed("follow the link", path, source))
}

fn failed(doing: &'static str, path: &Path, source: io::Error) -> KubeconfigError {
    KubeconfigError::Io {
        doing,
        path: path.to_owned(),
        source,
    }
}
