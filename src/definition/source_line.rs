//! The line of a field in a definition's file.

use std::path::Path;

use super::tree::{self, Node, NodeKind, Place};

/// The line (from 1) of a field as the tool names it: `network.nat`, `pools[workers].min`,
/// `database.parameters["work.mem"]`. `None` when it is not written there, so has its default, and when
/// the file can't be read.
pub fn source_line(path: &Path, field: &str) -> Option<u32> {
    let text = super::read(path).ok()?;
    line_in(&text, field)
}

fn line_in(text: &str, field: &str) -> Option<u32> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let tree = tree::parse(text).ok()?;
    let place = steps(field).try_fold((tree.root.start(), &tree.root), |(_, node), step| {
        inside(node, &step)
    })?;
    let before = text.get(..place.0.start)?;
    u32::try_from(before.matches('\n').count() + 1).ok()
}

/// What a step leads to, with the place to point at: a key, or the beginning of an item.
fn inside<'a>(node: &'a Node, step: &str) -> Option<(Place, &'a Node)> {
    match &node.kind {
        NodeKind::Scalar { .. } => None,
        NodeKind::Map(_) => node
            .get(step)
            .map(|(key, value)| (key.place.clone(), value)),
        NodeKind::List(items) => {
            let named = |item: &&Node| {
                let name = item.get("name").map(|(_, value)| &value.kind);
                matches!(name, Some(NodeKind::Scalar { text, .. }) if text == step)
            };
            let by_number = || items.get(step.parse::<usize>().ok()?);
            let item = items.iter().find(named).or_else(by_number)?;
            Some((item.start(), item))
        }
    }
}

/// The steps of a path: `a.b`, `[name]`, `[3]`, `["a key"]`.
fn steps(field: &str) -> impl Iterator<Item = String> {
    let mut rest = field;
    std::iter::from_fn(move || {
        rest = rest.strip_prefix('.').unwrap_or(rest);
        if rest.is_empty() {
            return None;
        }
        if let Some(quoted) = rest.strip_prefix("[\"") {
            let (step, after) = quoted.split_once("\"]").unwrap_or((quoted, ""));
            rest = after;
            return Some(step.replace("\\\"", "\"").replace("\\\\", "\\"));
        }
        if let Some(bracket) = rest.strip_prefix('[') {
            let (step, after) = bracket.split_once(']').unwrap_or((bracket, ""));
            rest = after;
            return Some(step.to_owned());
        }
        let end = rest.find(['.', '[']).unwrap_or(rest.len());
        let (step, after) = rest.split_at(end);
        rest = after;
        Some(step.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# a comment\nname: canary\nnetwork:\n  # how\n  nat: single\npools:\n  - \
        instanceTypes: [m7g.large]\n    name: workers\n    min: 2\n  - {name: batch, max: 4}\n\
        tags:\n  \"cost center\": \"7\"\n";

    #[test]
    fn source_line_is_the_line_of_the_key() {
        for (field, line) in [
            ("name", 2),
            ("network", 3),
            ("network.nat", 5),
            ("pools[workers]", 7),
            ("pools[workers].min", 9),
            ("pools[batch].max", 10),
            ("pools[1].max", 10),
            ("pools[workers].instanceTypes[0]", 7),
            ("tags[\"cost center\"]", 12),
        ] {
            assert_eq!(line_in(TEXT, field), Some(line), "{field}");
        }
    }

    #[test]
    fn default_value_has_no_source_line() {
        for field in [
            "network.cidr",
            "database",
            "database.class",
            "pools[none].min",
            "pools[batch].min",
            "name.first",
            "canary.lock.yaml",
        ] {
            assert_eq!(line_in(TEXT, field), None, "{field}");
        }
        assert_eq!(source_line(Path::new("/nowhere/at-all.yaml"), "name"), None);
    }
}
