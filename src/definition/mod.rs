//! Reads a definition, reports everything that is wrong with it and where, and gives a [`ClusterSpec`].
//! Knows the file format and its defaults; must not know AWS or templates.
//!
//! The way of a text: `tree` (YAML with places) -> `structure` (against the schema) -> `file` (typed,
//! with defaults) -> `check` (scalars to exact types) -> `spec::rules` (between the parts). A stage that
//! finds problems does not stop the next one: what is wrong is set aside and the rest is checked.

mod check;
mod defined;
mod discovery;
pub mod file;
pub mod lock;
mod messages;
mod problem;
mod render;
mod scaffold;
mod schema;
mod source_line;
mod structure;
mod tree;
mod warnings;

use std::io::Read;
use std::path::{Path, PathBuf};

use crate::common::files;
use crate::spec::{ClusterSpec, rules};

pub use defined::Defined;
pub use discovery::{Found, find, resolve};
pub use problem::{Problem, Problems};
pub use scaffold::{NewCluster, NewDatabase, Scaffold, scaffold};
pub use schema::schema;
pub use source_line::source_line;
pub use warnings::Warning;

/// The largest definition that is read; a complete one with comments has about 8 KiB.
const LARGEST: u64 = 256 * 1024;

/// Why there is no spec.
#[derive(Debug, thiserror::Error)]
pub enum DefinitionError {
    /// The file can't be read at all.
    #[error("can't read {}: {source}", path.display())]
    Unreadable {
        /// As asked for.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is no text, or far too long for a definition.
    #[error("{} is not a valid definition: {why}", path.display())]
    NotText {
        /// As asked for.
        path: PathBuf,
        /// What is wrong with its bytes.
        why: String,
    },
    /// No definition of this name.
    #[error("no definition `{name}` in {}{hint}", dir.display())]
    Unknown {
        /// As asked for.
        name: String,
        /// Where it was looked for.
        dir: PathBuf,
        /// A did-you-mean or the names there are, as a further sentence.
        hint: String,
    },
    /// Two files of one name.
    #[error("`{name}` is both {} and {}: remove one of them", first.display(), second.display())]
    Ambiguous {
        /// As asked for.
        name: String,
        /// The one.
        first: PathBuf,
        /// The other.
        second: PathBuf,
    },
    /// A new definition can't be written from what was asked.
    #[error("can't write the definition `{name}`: {why}")]
    CannotWrite {
        /// Name of the new cluster.
        name: String,
        /// What is in the way.
        why: String,
    },
    /// The definition was read, and this is wrong with it.
    #[error("{0}")]
    Wrong(#[from] Problems),
}

/// Reads and checks the definition at `path`. Its `name` must be the name of the file.
pub fn load(path: &Path) -> Result<ClusterSpec, DefinitionError> {
    let text = read(path)?;
    let shown = path.display().to_string();
    // A stream has no name of its own.
    let stem = path.file_stem().filter(|_| !files::is_inherited(path));
    let stem = stem.map(|stem| stem.to_string_lossy().into_owned());
    Ok(parse_file(&shown, &text, stem.as_deref())?)
}

/// Checks the text of a definition; `name` is the path to show in problems.
pub fn parse(name: &str, text: &str) -> Result<ClusterSpec, Problems> {
    parse_file(name, text, None)
}

/// Reads the text of a definition, also from a stream such as `/dev/stdin`, without checking it.
pub fn read(path: &Path) -> Result<String, DefinitionError> {
    let unreadable = |source| DefinitionError::Unreadable {
        path: path.to_owned(),
        source,
    };
    let not_text = |why: String| DefinitionError::NotText {
        path: path.to_owned(),
        why,
    };
    let mut bytes = Vec::new();
    if files::is_inherited(path) {
        bytes = files::read_text_or_stream(path)
            .map_err(unreadable)?
            .into_bytes();
    } else {
        files::open(path)
            .and_then(|file| file.take(LARGEST + 1).read_to_end(&mut bytes))
            .map_err(unreadable)?;
    }
    if bytes.len() as u64 > LARGEST {
        let limit = LARGEST / 1024;
        return Err(not_text(format!("it is larger than {limit} KiB")));
    }
    String::from_utf8(bytes).map_err(|error| {
        let good = error.utf8_error().valid_up_to();
        let before = String::from_utf8_lossy(&error.as_bytes()[..good]);
        let line = before.matches('\n').count() + 1;
        not_text(format!("line {line} is not UTF-8; save the file as UTF-8"))
    })
}

/// Checks the text of a definition whose `name` must be `stem`, if there is one.
pub fn parse_file(name: &str, text: &str, stem: Option<&str>) -> Result<ClusterSpec, Problems> {
    // Editors on Windows write a byte-order mark; it is no part of the text.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let tree = tree::parse(text).map_err(|error| Problems::of_text(name, text, error))?;
    let mut report = check::Report::default();
    let file = structure::read(&tree, &mut report);
    let spec = file.map(|file| check::cluster(file, stem, &mut report));
    if let Some(spec) = &spec {
        for violation in rules::check(spec) {
            report.violation(violation);
        }
    }
    match spec {
        Some(spec) if report.is_clean() => Ok(spec),
        _ => Err(Problems::of_fields(name, text, &tree, report)),
    }
}
