//! The text of a definition as a tree ([`crate::common::yaml`]), what is wrong with the text in our
//! words, and the place of every path. Decides nothing about types.

use std::collections::HashMap;

use crate::common::yaml::{self, ErrorKind, ScanError, YamlError, YamlErrorKind};
pub(super) use crate::common::yaml::{Node, NodeKind, Place};
use crate::spec::rules::path;

/// What aliases may blow a definition up to. A production cluster has about 150 values.
const MOST_VALUES: usize = 20_000;

/// Something wrong with the text itself.
#[derive(Debug, Clone)]
pub(super) struct SyntaxError {
    pub(super) place: Place,
    pub(super) message: String,
    pub(super) help: String,
}

/// A text as read, with what is wrong but did not stop the reading.
pub(super) struct Tree {
    pub(super) root: Node,
    pub(super) errors: Vec<SyntaxError>,
}

/// Reads one document.
pub(super) fn parse(text: &str) -> Result<Tree, SyntaxError> {
    let document = yaml::parse(text, MOST_VALUES);
    let errors = document.errors.into_iter();
    let mut errors: Vec<_> = errors.map(|fault| syntax_error(text, fault)).collect();
    match document.root {
        Some(root) => Ok(Tree { root, errors }),
        None => Err(errors.pop().unwrap_or_else(|| SyntaxError {
            place: 0..0,
            message: "the definition is empty".to_owned(),
            help: "the least that a cluster needs is `name`, `region` and `kubernetes`".to_owned(),
        })),
    }
}

fn syntax_error(text: &str, fault: YamlError) -> SyntaxError {
    let mut place = fault.place;
    let (message, help) = match fault.kind {
        YamlErrorKind::Syntax(error) => return syntax(text, &error),
        YamlErrorKind::TooLarge => (
            format!("more than {MOST_VALUES} values"),
            "aliases multiply what they stand for: write fewer",
        ),
        YamlErrorKind::Tag(tag) => {
            place = tag;
            (
                "YAML tags are not supported".to_owned(),
                "a definition has no tags such as `!Ref` or `!!str`; quotes make text",
            )
        }
        YamlErrorKind::SecondDocument => (
            "a second document".to_owned(),
            "one file holds one cluster: move what follows `---` to a file of its own",
        ),
        YamlErrorKind::Recursion => (
            "an alias inside the value that it refers to".to_owned(),
            "write the value out",
        ),
        YamlErrorKind::MergeKey => (
            "merge keys (`<<`) are not supported".to_owned(),
            "a definition reads without looking elsewhere: write the fields out, or alias a whole value",
        ),
        YamlErrorKind::DuplicateKey(key) => (
            format!("`{key}` appears here a second time"),
            "YAML would take one of them and drop the other: keep one",
        ),
        YamlErrorKind::EmptyKey => (
            "a key without a name".to_owned(),
            "write one before the `:`",
        ),
        YamlErrorKind::CollectionKey(first) => {
            place = first;
            (
                "a list or mapping as a key".to_owned(),
                "keys are plain words, and templates such as `{{ name }}` mean nothing here",
            )
        }
    };
    SyntaxError {
        place,
        message,
        help: help.to_owned(),
    }
}

/// What the YAML reader stumbled over, in our words.
fn syntax(text: &str, error: &ScanError) -> SyntaxError {
    let mut at = error
        .marker()
        .byte_offset()
        .unwrap_or(text.len())
        .min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    let line_start = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
    let line = text[line_start..].lines().next().unwrap_or_default();
    let tab = line
        .find(|c: char| c != ' ')
        .filter(|first| line[*first..].starts_with('\t'));
    let (message, help) = match error.kind() {
        _ if tab.is_some() => ("a tab in the indentation", "YAML is indented with spaces"),
        ErrorKind::UnknownAnchor => (
            "an alias to an anchor that is not there",
            "define it above as `&name`",
        ),
        ErrorKind::RecursionLimitExceeded => (
            "sections inside sections, too deep",
            "a definition is five deep at most",
        ),
        ErrorKind::UnclosedQuotedScalar => {
            ("a quote that is never closed", "close it on the same line")
        }
        ErrorKind::UnclosedFlowCollection { .. }
        | ErrorKind::ExpectedFlowSequenceSeparator
        | ErrorKind::ExpectedFlowMappingSeparator
        | ErrorKind::UnexpectedEofFlowSequence
        | ErrorKind::UnexpectedEofFlowMapping => (
            "a list or mapping in brackets that is not closed",
            "between `[` and `]` stand values, between `{` and `}` stand `key: value`, with commas",
        ),
        ErrorKind::SimpleKeyExpected => (
            "this line is not `key: value`",
            "put a colon and a space after the key",
        ),
        ErrorKind::ExpectedBlockMappingKey | ErrorKind::InvalidIndentation => (
            "this line does not fit the ones around it",
            "fields of one section start in the same column",
        ),
        ErrorKind::UnexpectedCharacter { .. } => {
            ("a character that YAML reserves", "put the value in quotes")
        }
        _ => ("", ""),
    };
    let place = tab.map_or(at..at, |tab| line_start + tab..line_start + tab + 1);
    if message.is_empty() {
        return SyntaxError {
            place,
            message: format!("not YAML: {error}", error = error.kind()),
            help: "look at the line above too: a missing quote or colon often shows one line late"
                .to_owned(),
        };
    }
    SyntaxError {
        place,
        message: format!("not YAML: {message}"),
        help: help.to_owned(),
    }
}

/// Every path below `root` with the place to point at: the value, or the key of what is not one value.
pub(super) fn places(root: &Node) -> HashMap<String, Place> {
    let mut places = HashMap::new();
    visit(root, "", &mut |at, key, value| {
        let place = match (&value.kind, key) {
            (NodeKind::Scalar { .. }, Some(_)) if !value.place.is_empty() => value.place.clone(),
            (_, Some(key)) => key,
            (_, None) => value.start(),
        };
        places.insert(at, place);
    });
    places
}

/// Every path below `root` with the place of its key.
pub(super) fn keys(root: &Node) -> HashMap<String, Place> {
    let mut keys = HashMap::new();
    visit(root, "", &mut |at, key, _| {
        keys.extend(key.map(|key| (at, key)));
    });
    keys
}

/// Every value below `node` with its path and the place of its key, if it has one.
fn visit(node: &Node, at: &str, see: &mut dyn FnMut(String, Option<Place>, &Node)) {
    match &node.kind {
        NodeKind::Scalar { .. } => {}
        NodeKind::List(items) => {
            for (index, item) in items.iter().enumerate() {
                let at = format!("{at}[{index}]");
                visit(item, &at, see);
                see(at, None, item);
            }
        }
        NodeKind::Map(entries) => {
            for (key, value) in entries {
                let at = path(at, &key.text);
                visit(value, &at, see);
                see(at, Some(key.place.clone()), value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Tree {
        parse(text).unwrap_or_else(|error| panic!("{error:?}"))
    }

    #[test]
    fn tree_keeps_text_and_place_of_values() {
        let text = "größe: 1.10\nlist:\n  - {a: yes, \"b c\": '007'}\n";
        let places = places(&read(text).root);
        let at = |path: &str| &text[places[path].clone()];
        assert_eq!(at("[\"größe\"]"), "1.10");
        assert_eq!(at("list"), "list");
        assert_eq!(at("list[0]"), "a");
        assert_eq!(at("list[0].a"), "yes");
        assert_eq!(at("list[0][\"b c\"]"), "'007'");
    }

    #[test]
    fn alias_has_its_own_place_and_the_anchors_value() {
        let text = "a: &x {k: v}\nb: *x\n";
        let tree = read(text);
        let (_, b) = tree.root.get("b").unwrap();
        assert_eq!(&text[b.place.clone()], "*x");
        assert!(b.get("k").is_some());
        assert!(tree.errors.is_empty());
    }

    #[test]
    fn tree_is_read_despite_syntax_errors() {
        let tree = read("a: 1\na: 2\n<<: {b: 3}\n? [x]\n: 4\nc: !!int 5\n---\nd: 6\n");
        assert_eq!(tree.errors.len(), 5, "{:?}", tree.errors);
        assert!(tree.root.get("c").is_some());
        assert!(tree.root.get("d").is_none());
    }

    #[test]
    fn empty_value_is_null_unless_quoted() {
        let tree = read("a:\nb: ~\nc: ''\nd: null\ne: nullable\n");
        let null = |field: &str| tree.root.get(field).unwrap().1.is_null();
        assert_eq!(
            ["a", "b", "c", "d", "e"].map(null),
            [true, true, false, true, false]
        );
    }
}
