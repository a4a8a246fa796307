//! Warnings about a definition with their places. Reads the definitions beside it, to compare them.

use std::path::Path;

use serde::Serialize;

use super::{Defined, find, load};
use crate::common::files;
use crate::spec::ClusterSpec;
use crate::spec::rules::{self, WarningCode};

/// What is allowed in a definition, and probably not meant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Warning {
    /// Stable, for scripts.
    pub code: WarningCode,
    /// The field: `network.cidr`.
    pub path: String,
    /// File and line of the field; the file alone where the field has its default.
    pub place: String,
    /// What was found.
    pub message: String,
    /// What comes of it, and what to do.
    pub help: String,
}

impl Warning {
    /// The whole warning in one paragraph.
    pub fn text(&self) -> String {
        let Self {
            code: _,
            path,
            place,
            message,
            help,
        } = self;
        format!("{place}: {path}: {message}; {help}")
    }
}

impl Defined {
    /// The warnings about this definition, in the order of its fields.
    pub fn warnings(&self) -> Vec<Warning> {
        let found = rules::warnings(&self.spec, &self.others());
        let warning = |found: rules::RuleWarning| Warning {
            code: found.code,
            place: self.line(&found.at),
            path: found.at,
            message: found.what,
            help: found.help,
        };
        found.into_iter().map(warning).collect()
    }

    /// The valid definitions in the same directory. What is wrong with another one is not this one's matter.
    fn others(&self) -> Vec<ClusterSpec> {
        if files::is_inherited(&self.path) {
            return Vec::new();
        }
        let beside = self.path.parent().filter(|dir| *dir != Path::new(""));
        let found = find(beside.unwrap_or(Path::new("."))).unwrap_or_default();
        let others = found.into_iter().filter(|one| one.name != self.spec.name);
        others.filter_map(|one| load(&one.path).ok()).collect()
    }
}
