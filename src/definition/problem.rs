//! Problems with their places, for people (`Display`, with their lines) and for
//! programs (`Serialize`). Decides nothing about what is a problem.

use std::collections::HashMap;
use std::fmt;

use miette::GraphicalTheme;
use serde::Serialize;

use super::check::{self, Finding, Location};
use super::render;
use super::tree::{self, Place, SyntaxError, Tree};

/// One thing that is wrong with a definition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The file as it was asked for.
    pub file: String,
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// The field, `network.cidr`; empty for the text itself.
    pub path: String,
    /// What was expected, and what was found.
    pub message: String,
    /// What to write instead, or why.
    pub help: String,
    #[serde(skip)]
    pub(super) place: Place,
    #[serde(skip)]
    pub(super) label: String,
}

/// Everything that is wrong with a definition, in the order of its lines.
#[derive(Debug, Clone, Serialize)]
#[serde(transparent)]
pub struct Problems {
    problems: Vec<Problem>,
    #[serde(skip)]
    pub(super) text: String,
}

impl Problems {
    /// The text could not even be read as YAML.
    pub(super) fn of_text(file: &str, text: &str, error: SyntaxError) -> Self {
        let mut problems = Self::empty(text);
        let finding = Finding {
            at: String::new(),
            location: Location::Text(error.place),
            message: error.message,
            help: error.help,
        };
        problems.add(file, &HashMap::new(), None, finding);
        problems
    }

    /// What a whole check has found.
    pub(super) fn of_fields(file: &str, text: &str, tree: &Tree, report: check::Report) -> Self {
        let mut problems = Self::empty(text);
        let places = tree::places(&tree.root);
        for finding in report.findings {
            problems.add(file, &places, Some(tree), finding);
        }
        problems.problems.sort_by_key(|problem| problem.place.start);
        problems
    }

    fn empty(text: &str) -> Self {
        Self {
            problems: Vec::new(),
            text: text.to_owned(),
        }
    }

    fn add(
        &mut self,
        file: &str,
        places: &HashMap<String, Place>,
        tree: Option<&Tree>,
        found: Finding,
    ) {
        let (place, written) = match &found.location {
            Location::Text(place) => (place.clone(), true),
            Location::Key => (key_place(tree, &found.at).unwrap_or_default(), true),
            Location::Value => nearest_place(places, tree, &found.at),
        };
        let place = self.within_a_line(place);
        let before = &self.text[..place.start];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let label = match (written, found.at.as_str()) {
            (_, "") => String::new(),
            (true, at) => at.to_owned(),
            (false, at) => format!("{at} (not written here)"),
        };
        self.problems.push(Problem {
            file: file.to_owned(),
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            path: found.at,
            message: found.message,
            help: found.help,
            place,
            label,
        });
    }

    /// The first line of a place, at character boundaries of the text.
    fn within_a_line(&self, place: Place) -> Place {
        let boundary = |mut at: usize| {
            at = at.min(self.text.len());
            while !self.text.is_char_boundary(at) {
                at -= 1;
            }
            at
        };
        let start = boundary(place.start);
        let end = boundary(place.end).max(start);
        let line = self.text[start..end].lines().next().unwrap_or_default();
        start..start + line.trim_end().len()
    }

    /// The problems, in the order of their lines.
    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.problems.iter()
    }

    /// How many there are: never zero.
    #[expect(
        clippy::len_without_is_empty,
        reason = "there is no error without a problem"
    )]
    pub fn len(&self) -> usize {
        self.problems.len()
    }

    /// For a terminal with colours; `Display` is without.
    pub fn coloured(&self) -> String {
        render::render(self, GraphicalTheme::unicode())
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&render::render(self, GraphicalTheme::unicode_nocolor()))
    }
}

impl std::error::Error for Problems {}

/// The place of a path, or of the section it would be in. The second part says whether the field
/// itself is written in the file.
fn nearest_place(places: &HashMap<String, Place>, tree: Option<&Tree>, at: &str) -> (Place, bool) {
    let mut here = at;
    loop {
        if let Some(place) = places.get(here) {
            return (place.clone(), here == at);
        }
        if here.is_empty() {
            let start = tree.map(|tree| tree.root.start()).unwrap_or_default();
            return (start, at.is_empty());
        }
        here = parent(here);
    }
}

/// The key that a path ends in.
fn key_place(tree: Option<&Tree>, at: &str) -> Option<Place> {
    let tree = tree?;
    tree::keys(&tree.root).remove(at)
}

/// `pools[1]` of `pools[1].min`, `tags` of `tags["a b"]`, nothing of `name`.
fn parent(at: &str) -> &str {
    let end = if at.ends_with("\"]") {
        at.rfind("[\"")
    } else {
        at.rfind(['.', '['])
    };
    &at[..end.unwrap_or(0)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn problem_path_has_its_section() {
        assert_eq!(parent("pools[1].min"), "pools[1]");
        assert_eq!(parent("pools[1]"), "pools");
        assert_eq!(parent("name"), "");
        assert_eq!(parent(r#"tags["a.b [c]"]"#), "tags");
    }
}
