//! Which comments of a copied definition are no longer true: its heading, what names another cluster, and what stands
//! beside a value that is no longer that value.

use std::ops::Range;

use crate::definition::tree::{Node, NodeKind};

/// Lines of the heading that are true of every definition.
const ALWAYS_TRUE: [&str; 2] = ["yaml-language-server:", "kube-cfn schema"];

/// A line of a text and the comment in it.
struct Line {
    place: Range<usize>,
    /// Where the comment begins; `None` without one.
    comment: Option<usize>,
    /// Whether it holds nothing but the comment.
    whole: bool,
}

/// The comments of a definition that are not true of its copy.
#[derive(Debug, Default)]
pub(super) struct Untrue {
    /// Lines of the heading.
    pub(super) heading: Vec<Range<usize>>,
    pub(super) others: Vec<Range<usize>>,
}

/// Looks for them. `changed` are values that the copy changes, `names` clusters.
pub(super) fn untrue(text: &str, root: &Node, changed: &[Range<usize>], names: &[&str]) -> Untrue {
    let lines = lines(text, root);
    let body = first_key(root);
    let names_one = |line: &Line| {
        let comment = line.comment.map_or("", |at| &text[at..line.place.end]);
        let mut words = comment.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-'));
        words.any(|word| names.contains(&word))
    };
    let has_change = |line: &Line| {
        changed
            .iter()
            .any(|place| line.place.contains(&place.start))
    };
    let mut gone = Untrue::default();
    for block in lines.chunk_by(|line, next| line.whole && next.whole) {
        let Some((first, last)) = block.first().zip(block.last()) else {
            continue;
        };
        if first.whole {
            let heading = first.place.start < body;
            let next = lines.iter().find(|line| line.place.start == last.place.end);
            if heading {
                let untrue = |line: &&Line| {
                    !ALWAYS_TRUE
                        .iter()
                        .any(|words| text[line.place.clone()].contains(words))
                };
                gone.heading
                    .extend(block.iter().filter(untrue).map(|line| line.place.clone()));
            } else if block.iter().any(names_one) || next.is_some_and(has_change) {
                gone.others.push(first.place.start..last.place.end);
            }
        } else if let Some(at) = first.comment
            && (names_one(first) || has_change(first))
        {
            let start = text[..at].trim_end().len();
            gone.others
                .push(start..text[..first.place.end].trim_end().len());
        }
    }
    gone
}

fn first_key(root: &Node) -> usize {
    match &root.kind {
        NodeKind::Map(entries) => entries.first().map_or(0, |(key, _)| key.place.start),
        _ => 0,
    }
}

fn lines(text: &str, root: &Node) -> Vec<Line> {
    let mut scalars = Vec::new();
    places(root, &mut scalars);
    let mut start = 0;
    let line = |content: &str| {
        let place = start..start + content.len();
        start = place.end;
        let mut hashes = content.match_indices('#').map(|(at, _)| place.start + at);
        let comment = hashes.find(|at| {
            let before = text[place.start..*at].chars().next_back();
            before.is_none_or(char::is_whitespace)
                && !scalars.iter().any(|scalar| scalar.contains(at))
        });
        Line {
            whole: comment.is_some_and(|at| text[place.start..at].trim().is_empty()),
            place,
            comment,
        }
    };
    text.split_inclusive('\n').map(line).collect()
}

/// The places of all scalars: a `#` in them begins no comment.
fn places(node: &Node, all: &mut Vec<Range<usize>>) {
    match &node.kind {
        NodeKind::Scalar { .. } => all.push(node.place.clone()),
        NodeKind::List(items) => items.iter().for_each(|item| places(item, all)),
        NodeKind::Map(entries) => {
            for (key, value) in entries {
                all.push(key.place.clone());
                places(value, all);
            }
        }
    }
}
