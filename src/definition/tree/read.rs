//! Reading a text into the tree, and what the YAML reader stumbles over in our words.

use std::collections::HashMap;

use serde_saphyr::granit_parser::{ErrorKind, Event, Parser, ScalarStyle, ScanError, Span};

use super::{Broken, Key, Kind, Node, Place, Tree};

/// What aliases may blow a definition up to. A production cluster has about 150 values.
const MOST_NODES: usize = 20_000;

/// Reads one document.
pub(in crate::definition) fn parse(text: &str) -> Result<Tree, Broken> {
    let mut reader = Reader::default();
    for next in Parser::new_from_str(text) {
        let (event, span) = next.map_err(|error| syntax(text, &error))?;
        reader.take(event, &span)?;
    }
    let root = reader.root.ok_or_else(|| Broken {
        place: 0..0,
        message: "the definition is empty".to_owned(),
        help: "the least that a cluster needs is `name`, `region` and `kubernetes`".to_owned(),
    })?;
    Ok(Tree {
        root,
        broken: reader.broken,
    })
}

/// A collection that is still open.
struct Open {
    node: Node,
    anchor: usize,
    /// The key that waits for its value. `Err` is one that can't be used.
    key: Option<Result<Key, ()>>,
}

#[derive(Default)]
struct Reader {
    open: Vec<Open>,
    anchors: HashMap<usize, Node>,
    nodes: usize,
    documents: usize,
    root: Option<Node>,
    broken: Vec<Broken>,
}

impl Reader {
    fn take(&mut self, event: Event<'_>, span: &Span) -> Result<(), Broken> {
        let place = place(span);
        match event {
            Event::DocumentStart(..) => self.document(place),
            Event::Scalar(text, style, anchor, tag) => {
                self.refuse_tag(tag.is_some(), span, &place);
                let kind = Kind::Scalar {
                    text: text.into_owned(),
                    quoted: style != ScalarStyle::Plain,
                };
                self.close(Node { place, kind }, anchor)?;
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.refuse_tag(tag.is_some(), span, &place);
                self.start(place, Kind::List(Vec::new()), anchor);
            }
            Event::MappingStart(_, anchor, tag) => {
                self.refuse_tag(tag.is_some(), span, &place);
                self.start(place, Kind::Map(Vec::new()), anchor);
            }
            Event::SequenceEnd | Event::MappingEnd => {
                if let Some(mut open) = self.open.pop() {
                    open.node.place.end = place.end.max(open.node.place.start);
                    self.close(open.node, open.anchor)?;
                }
            }
            Event::Alias(id) => self.alias(id, place)?,
            _ => {}
        }
        Ok(())
    }

    fn document(&mut self, place: Place) {
        self.documents += 1;
        if self.documents == 2 {
            let help = "one file holds one cluster: move what follows `---` to a file of its own";
            self.report(place, "a second document", help);
        }
    }

    /// An alias is a copy of what it stands for, at its own place.
    fn alias(&mut self, id: usize, place: Place) -> Result<(), Broken> {
        let node = if let Some(node) = self.anchors.get(&id) {
            Node {
                place,
                ..node.clone()
            }
        } else {
            let message = "an alias inside what it stands for";
            self.report(place.clone(), message, "write the value out");
            let kind = Kind::Scalar {
                text: String::new(),
                quoted: true,
            };
            Node { place, kind }
        };
        self.close(node, 0)
    }

    fn start(&mut self, place: Place, kind: Kind, anchor: usize) {
        let node = Node { place, kind };
        self.open.push(Open {
            node,
            anchor,
            key: None,
        });
    }

    /// Puts a finished node where it belongs.
    fn close(&mut self, node: Node, anchor: usize) -> Result<(), Broken> {
        self.nodes += if anchor == 0 {
            node.size().min(MOST_NODES)
        } else {
            1
        };
        if self.nodes > MOST_NODES {
            return Err(Broken {
                place: node.place,
                message: format!("more than {MOST_NODES} values"),
                help: "aliases multiply what they stand for: write fewer".to_owned(),
            });
        }
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        let Some(open) = self.open.last_mut() else {
            self.root.get_or_insert(node);
            return Ok(());
        };
        match &mut open.node.kind {
            Kind::List(items) => items.push(node),
            Kind::Map(entries) => match open.key.take() {
                None => {
                    let taken = |text: &str| entries.iter().any(|(key, _)| key.text == text);
                    match key(&node, taken) {
                        Ok(key) => open.key = Some(Ok(key)),
                        Err(broken) => {
                            open.key = Some(Err(()));
                            self.broken.push(broken);
                        }
                    }
                }
                Some(Ok(key)) => entries.push((key, node)),
                Some(Err(())) => {}
            },
            Kind::Scalar { .. } => {}
        }
        Ok(())
    }

    fn refuse_tag(&mut self, tagged: bool, span: &Span, node: &Place) {
        if tagged {
            let place = span
                .tag_span()
                .map_or_else(|| node.clone(), |tag| place(&tag));
            let help = "a definition has no tags such as `!Ref` or `!!str`; quotes make text";
            self.report(place, "YAML tags are not supported", help);
        }
    }

    fn report(&mut self, place: Place, message: &str, help: &str) {
        self.broken.push(Broken {
            place,
            message: message.to_owned(),
            help: help.to_owned(),
        });
    }
}

/// A node as a key, or why it can't be one.
fn key(node: &Node, taken: impl Fn(&str) -> bool) -> Result<Key, Broken> {
    let place = node.start();
    let wrong = |message: String, help: &str| {
        Err(Broken {
            place: node.start(),
            message,
            help: help.to_owned(),
        })
    };
    match &node.kind {
        Kind::Scalar {
            text,
            quoted: false,
        } if text == "<<" => wrong(
            "merge keys (`<<`) are not supported".to_owned(),
            "a definition reads without looking elsewhere: write the fields out, or alias a whole value",
        ),
        Kind::Scalar { text, .. } if taken(text) => wrong(
            format!("`{text}` stands here a second time"),
            "YAML would take one of them and drop the other: keep one",
        ),
        Kind::Scalar { text, .. } if !text.is_empty() => Ok(Key {
            text: text.clone(),
            place,
        }),
        Kind::Scalar { .. } => wrong(
            "a key without a name".to_owned(),
            "write one before the `:`",
        ),
        _ => wrong(
            "a list or mapping as a key".to_owned(),
            "keys are plain words, and templates such as `{{ name }}` mean nothing here",
        ),
    }
}

fn place(span: &Span) -> Place {
    let byte = |marker: &serde_saphyr::granit_parser::Marker| marker.byte_offset().unwrap_or(0);
    let start = byte(&span.start);
    start..byte(&span.end).max(start)
}

/// What the YAML reader stumbled over, in our words.
fn syntax(text: &str, error: &ScanError) -> Broken {
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
            "this line is no `key: value`",
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
        return Broken {
            place,
            message: format!("not YAML: {error}", error = error.kind()),
            help: "look at the line above too: a missing quote or colon often shows one line late"
                .to_owned(),
        };
    }
    Broken {
        place,
        message: format!("not YAML: {message}"),
        help: help.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Tree {
        parse(text).unwrap_or_else(|broken| panic!("{broken:?}"))
    }

    #[test]
    fn every_value_keeps_its_text_and_place() {
        let text = "größe: 1.10\nlist:\n  - {a: yes, \"b c\": '007'}\n";
        let places = read(text).root.places();
        let at = |path: &str| &text[places[path].clone()];
        assert_eq!(at("[\"größe\"]"), "1.10");
        assert_eq!(at("list"), "list");
        assert_eq!(at("list[0]"), "a");
        assert_eq!(at("list[0].a"), "yes");
        assert_eq!(at("list[0][\"b c\"]"), "'007'");
    }

    #[test]
    fn an_alias_stands_at_its_own_place_with_the_value_of_another() {
        let text = "a: &x {k: v}\nb: *x\n";
        let tree = read(text);
        let (_, b) = tree.root.get("b").unwrap();
        assert_eq!(&text[b.place.clone()], "*x");
        assert!(b.get("k").is_some());
        assert!(tree.broken.is_empty());
    }

    #[test]
    fn what_can_be_read_is_read_despite_what_can_not() {
        let tree = read("a: 1\na: 2\n<<: {b: 3}\n? [x]\n: 4\nc: !!int 5\n---\nd: 6\n");
        assert_eq!(tree.broken.len(), 5, "{:?}", tree.broken);
        assert!(tree.root.get("c").is_some());
        assert!(tree.root.get("d").is_none());
    }

    #[test]
    fn empty_is_null_unless_quoted() {
        let tree = read("a:\nb: ~\nc: ''\nd: null\ne: nullable\n");
        let null = |field: &str| tree.root.get(field).unwrap().1.is_null();
        assert_eq!(
            ["a", "b", "c", "d", "e"].map(null),
            [true, true, false, true, false]
        );
    }
}
