//! The rules between the parts of a cluster: what no single field can know of itself, and what only
//! the catalogue knows. Every broken rule is found in one pass; none hides another.
//! Must not know how a definition is written or shown: a rule names fields by their path only.

mod access;
mod additions;
mod database;
mod machines;
mod names;
mod network;
mod nodes;
mod pools;
mod subnets;
mod syntax;
mod warnings;

pub use access::LONGEST_TTL;
pub use additions::{Addition, additions};
pub use machines::{MachineFacts, MachineRole, Unfit, unfit};
pub use names::{LONGEST_NAME, LONGEST_POOL_NAME};
pub use warnings::{RuleWarning, WarningCode, warnings};

use super::ClusterSpec;

/// A broken rule, at a field of the definition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Path of the field to point at, as in the definition: `network.cidr`, `pools[1].min`.
    pub at: String,
    /// Whether the name of the field is wrong rather than its value.
    pub on_key: bool,
    /// Paths of the other fields that take part; a problem in any of them hides this one.
    pub with: Vec<String>,
    /// What is wrong, with the values, as a lower-case fragment.
    pub what: String,
    /// Why it matters or what to write instead.
    pub help: String,
}

impl Violation {
    fn new(at: impl Into<String>, what: impl Into<String>, help: impl Into<String>) -> Self {
        Self {
            at: at.into(),
            on_key: false,
            with: Vec::new(),
            what: what.into(),
            help: help.into(),
        }
    }

    /// Points at the name of the field.
    fn on_key(mut self) -> Self {
        self.on_key = true;
        self
    }

    /// Names the other fields that take part.
    fn with<P: Into<String>>(mut self, paths: impl IntoIterator<Item = P>) -> Self {
        self.with.extend(paths.into_iter().map(Into::into));
        self
    }
}

/// Every broken rule of `spec`, in the order of the definition's fields.
pub fn check(spec: &ClusterSpec) -> Vec<Violation> {
    let mut broken = Vec::new();
    names::check(spec, &mut broken);
    network::check(spec, &mut broken);
    nodes::check(spec, &mut broken);
    pools::check(spec, &mut broken);
    database::check(spec, &mut broken);
    access::check(spec, &mut broken);
    broken
}

/// The path of `field` inside `section` (empty for the whole definition). A field that is not a
/// plain word is in brackets: `labels["example.com/role"]`.
pub fn path(section: &str, field: &str) -> String {
    let plain = !field.is_empty()
        && field
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    match (plain, section.is_empty()) {
        (true, true) => field.to_owned(),
        (true, false) => format!("{section}.{field}"),
        (false, _) => format!("{section}[{field:?}]"),
    }
}

/// The candidate that `word` was most likely meant to be: at most a third of its letters differ.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let reach = (word.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(word, candidate), candidate))
        .filter(|(distance, _)| *distance <= reach && *distance > 0)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// `` `a`, `b` or `c` ``, for messages.
pub fn either<T: ToString>(words: impl IntoIterator<Item = T>) -> String {
    let quoted: Vec<String> = words
        .into_iter()
        .map(|word| format!("`{}`", word.to_string()))
        .collect();
    match quoted.split_last() {
        None => String::new(),
        Some((only, [])) => only.clone(),
        Some((last, before)) => format!("{} or {last}", before.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn violation_path_is_written_as_in_the_definition() {
        assert_eq!(path("", "region"), "region");
        assert_eq!(path("network", "podCidr"), "network.podCidr");
        assert_eq!(
            path("pools[0].labels", "example.com/role"),
            r#"pools[0].labels["example.com/role"]"#
        );
    }

    #[test]
    fn suggestion_allows_a_third_of_the_letters() {
        assert_eq!(nearest("sngle", ["regional", "single"]), Some("single"));
        assert_eq!(nearest("nta", ["nat", "cidr"]), Some("nat"));
        assert_eq!(nearest("mesh", ["single", "none"]), None);
    }

    #[test]
    fn lists_are_joined_with_commas_and_and() {
        assert_eq!(either(["a"]), "`a`");
        assert_eq!(either(["a", "b", "c"]), "`a`, `b` or `c`");
    }
}
