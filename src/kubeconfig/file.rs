//! A kubeconfig file: read as data, written at once or not at all, closed to everybody else.

use std::fs::{self, DirBuilder, Metadata};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::Path;

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};
use serde_saphyr::DuplicateKeyPolicy;

use super::KubeconfigError;
use super::error::Problem;
use crate::common::files::{self, PRIVATE};

/// The fields of a kubeconfig.
const FIELDS: [&str; 8] = [
    "kind",
    "apiVersion",
    "clusters",
    "users",
    "contexts",
    "current-context",
    "preferences",
    "extensions",
];

/// The longest kind that is quoted.
const LONGEST_WORD: usize = 60;

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
    // By convention it says that there is none.
    if files::is_null_device(path) {
        return Ok(None);
    }
    let text = match files::read_text(path) {
        Ok(text) => SecretString::from(text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(failed("read", path, source)),
    };
    parse(path, text.expose_secret()).map(Some)
}

/// Reads as kubectl does: of a key that is there twice the last one counts. It ignores further documents;
/// here they are an error, unless they are empty, for writing would lose them.
fn parse(path: &Path, text: &str) -> Result<Value, KubeconfigError> {
    let options = serde_saphyr::options! { duplicate_keys: DuplicateKeyPolicy::LastWins };
    let parsed = serde_saphyr::from_multiple_with_options::<Value>(text, options);
    let mut documents = parsed.map_err(|error| {
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
    let document = documents.pop().unwrap_or_else(empty);
    if !documents.is_empty() {
        return Err(Problem::SeveralDocuments.at(path));
    }
    match &document {
        Value::Object(fields) => check_kind(fields)
            .map(|()| document)
            .map_err(|why| why.at(path)),
        _ => Err(Problem::NotAMapping.at(path)),
    }
}

/// Whether a mapping is a kubeconfig. kubectl takes one that says nothing of itself; to write entries into
/// a file of another kind would damage it.
fn check_kind(fields: &Map<String, Value>) -> Result<(), Problem> {
    for (field, wanted) in [("kind", "Config"), ("apiVersion", "v1")] {
        match fields.get(field) {
            None | Some(Value::Null) => {}
            Some(Value::String(found)) if found == wanted || found.is_empty() => {}
            Some(found) => return Err(Problem::AnotherKind(field, word(found))),
        }
    }
    if fields.is_empty() || fields.keys().any(|key| FIELDS.contains(&key.as_str())) {
        return Ok(());
    }
    Err(Problem::UnknownKind)
}

/// A value that is a plain word: nothing else of a file is quoted.
fn word(value: &Value) -> String {
    let text = value.as_str().unwrap_or_default();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || ".-/".contains(c);
    if text.is_empty() || text.len() > LONGEST_WORD || !text.chars().all(is_plain) {
        return "something else".to_owned();
    }
    format!("`{text}`")
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

/// Writes beside the file, then renames over it. A link stays a link and gets its target; the mode gets no wider than
/// 0600 and stays stricter where it was.
pub(super) fn write(path: &Path, document: &Value) -> Result<(), KubeconfigError> {
    let text = to_text(path, document)?;
    replace(path, text.expose_secret()).map_err(|source| failed("write", path, source))
}

/// Checks that a kubeconfig is or can be at `path`: the null device, a pipe or a directory is an error.
pub(super) fn check_place(path: &Path) -> Result<(), KubeconfigError> {
    if files::is_null_device(path) {
        return Err(KubeconfigError::NullDevice(path.to_owned()));
    }
    files::regular(path)
        .map(drop)
        .map_err(|source| failed("write", path, source))
}

fn replace(place: &Path, text: &str) -> io::Result<()> {
    let there = fs::metadata(place).ok();
    // It may hold a private key.
    let mode = there
        .as_ref()
        .map_or(PRIVATE, |there| PRIVATE & there.mode());
    files::write_with(place, text, mode, |file| match there {
        // Root writing for somebody else must not lock them out of their file.
        Some(there) if there.uid() != file.metadata()?.uid() && is_at_home(place, &there)? => {
            std::os::unix::fs::fchown(file, Some(there.uid()), Some(there.gid()))
        }
        _ => Ok(()),
    })
}

/// Whether a file is in a directory of its owner. Elsewhere, as in /tmp, anybody may have put it there to
/// get the key.
fn is_at_home(place: &Path, file: &Metadata) -> io::Result<bool> {
    let whole = fs::canonicalize(place)?;
    let directory = whole.parent().unwrap_or(Path::new("/"));
    Ok(fs::metadata(directory)?.uid() == file.uid())
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

fn failed(doing: &'static str, path: &Path, source: io::Error) -> KubeconfigError {
    KubeconfigError::Io {
        doing,
        path: path.to_owned(),
        source,
    }
}
