//! A definition that was read and checked, with the places of its fields in the file.

use std::path::PathBuf;

use super::{DefinitionError, load, source_line};
use crate::spec::ClusterSpec;

/// A definition that was read and checked.
#[derive(Debug)]
pub struct Defined {
    pub path: PathBuf,
    pub spec: ClusterSpec,
}

impl Defined {
    /// Reads and checks the definition at `path`.
    pub fn load(path: PathBuf) -> Result<Self, DefinitionError> {
        let spec = load(&path)?;
        Ok(Self { path, spec })
    }

    /// A field with its place in the file, where the file has it: `network.nat (clusters/a.yaml:17)`.
    pub fn field(&self, field: &str) -> String {
        match source_line(&self.path, field) {
            Some(_) => format!("{field} ({})", self.line(field)),
            None => field.to_owned(),
        }
    }

    /// The place of a field in the file: `clusters/a.yaml:17`; the file alone where it has no such field.
    pub fn line(&self, field: &str) -> String {
        let path = self.path.display();
        match source_line(&self.path, field) {
            Some(line) => format!("{path}:{line}"),
            None => path.to_string(),
        }
    }
}
