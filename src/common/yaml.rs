//! YAML as a tree in which every key and value keeps its text and its place. Decides nothing about
//! types: `1.36` is the text `1.36` until the caller converts it. What is not plain data (tags,
//! merge keys, a second document) is left out and reported; the rest is read all the same.

use std::collections::HashMap;
use std::ops::Range;

use serde_saphyr::granit_parser::{self, Event, Parser, ScalarStyle, Span};

pub use serde_saphyr::granit_parser::{ErrorKind, ScanError};

/// A place in the text, in bytes.
pub type Place = Range<usize>;

/// A value and its place.
#[derive(Debug, Clone)]
pub struct Node {
    pub place: Place,
    pub kind: NodeKind,
}

#[derive(Debug, Clone)]
pub enum NodeKind {
    Scalar { text: String, quoted: bool },
    List(Vec<Node>),
    Map(Vec<(Key, Node)>),
}

#[derive(Debug, Clone)]
pub struct Key {
    pub text: String,
    pub place: Place,
}

/// What can't be read.
#[derive(Debug)]
pub struct YamlError {
    pub place: Place,
    pub kind: YamlErrorKind,
}

#[derive(Debug)]
pub enum YamlErrorKind {
    /// Not YAML. Nothing after it is read.
    Syntax(ScanError),
    /// More values than the limit, aliases expanded. Nothing after it is read.
    TooLarge,
    /// With the place of the tag.
    Tag(Place),
    SecondDocument,
    /// An alias inside the value that it refers to.
    Recursion,
    /// `<<`.
    MergeKey,
    DuplicateKey(String),
    EmptyKey,
    /// A list or mapping as a key, with the place of its first value.
    CollectionKey(Place),
}

/// A text as far as it can be read.
#[derive(Debug)]
pub struct Document {
    /// `None` for an empty text, and where reading had to stop: then the last fault says why.
    pub root: Option<Node>,
    /// In the order of the text.
    pub errors: Vec<YamlError>,
}

impl Node {
    /// Whether the field has no value.
    pub fn is_null(&self) -> bool {
        matches!(&self.kind, NodeKind::Scalar { text, quoted: false }
            if matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL"))
    }

    /// The value of a key, if this is a mapping that has it.
    pub fn get(&self, field: &str) -> Option<(&Key, &Node)> {
        let NodeKind::Map(entries) = &self.kind else {
            return None;
        };
        let entry = entries.iter().find(|(key, _)| key.text == field);
        entry.map(|(key, value)| (key, value))
    }

    /// A place of one line to point at: a scalar, or where a section starts.
    pub fn start(&self) -> Place {
        let first = match &self.kind {
            NodeKind::Scalar { .. } => None,
            NodeKind::List(items) => items.first().map(Node::start),
            NodeKind::Map(entries) => entries.first().map(|(key, _)| key.place.clone()),
        };
        first.unwrap_or_else(|| self.place.clone())
    }

    /// How many values this one is made of.
    fn size(&self) -> usize {
        1 + match &self.kind {
            NodeKind::Scalar { .. } => 0,
            NodeKind::List(items) => items.iter().map(Node::size).sum(),
            NodeKind::Map(entries) => entries.iter().map(|(_, value)| value.size()).sum(),
        }
    }
}

/// Reads one document of at most `most` values.
pub fn parse(text: &str, most: usize) -> Document {
    let mut reader = Reader {
        room: most,
        ..Reader::default()
    };
    let options = granit_parser::options! { emit_comments: false };
    for next in Parser::new_from_str_with_options(text, options) {
        let read = match next {
            Ok((event, span)) => reader.take(event, &span),
            Err(error) => {
                let at = error.marker().byte_offset().unwrap_or(text.len());
                Err(YamlError {
                    place: at..at,
                    kind: YamlErrorKind::Syntax(error),
                })
            }
        };
        if let Err(fault) = read {
            reader.errors.push(fault);
            reader.root = None;
            break;
        }
    }
    Document {
        root: reader.root,
        errors: reader.errors,
    }
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
    /// The value of an alias, by the number of its anchor; 0 is none.
    anchors: HashMap<usize, Node>,
    /// How many more values there may be.
    room: usize,
    documents: usize,
    root: Option<Node>,
    errors: Vec<YamlError>,
}

impl Reader {
    fn take(&mut self, event: Event<'_>, span: &Span) -> Result<(), YamlError> {
        let place = place(span);
        if event.tag().is_some() {
            let tag = span.tag_span().map(|tag| self::place(&tag));
            let tag = YamlErrorKind::Tag(tag.unwrap_or_else(|| place.clone()));
            self.report(place.clone(), tag);
        }
        match event {
            Event::DocumentStart(..) => {
                self.documents += 1;
                if self.documents == 2 {
                    self.report(place, YamlErrorKind::SecondDocument);
                }
            }
            Event::Scalar(text, style, anchor, _) => {
                let kind = NodeKind::Scalar {
                    text: text.into_owned(),
                    quoted: style != ScalarStyle::Plain,
                };
                self.close(Node { place, kind }, anchor, 1)?;
            }
            Event::SequenceStart(_, anchor, _) => {
                self.start(place, NodeKind::List(Vec::new()), anchor);
            }
            Event::MappingStart(_, anchor, _) => {
                self.start(place, NodeKind::Map(Vec::new()), anchor);
            }
            Event::SequenceEnd | Event::MappingEnd => {
                if let Some(mut open) = self.open.pop() {
                    open.node.place.end = place.end.max(open.node.place.start);
                    self.close(open.node, open.anchor, 1)?;
                }
            }
            Event::Alias(anchor) => self.alias(anchor, place)?,
            _ => {}
        }
        Ok(())
    }

    /// An alias is a copy of the value at its anchor, at its own place.
    fn alias(&mut self, anchor: usize, place: Place) -> Result<(), YamlError> {
        let kind = self.anchors.get(&anchor).map(|node| node.kind.clone());
        let kind = kind.unwrap_or_else(|| {
            self.report(place.clone(), YamlErrorKind::Recursion);
            NodeKind::Scalar {
                text: String::new(),
                quoted: true,
            }
        });
        let node = Node { place, kind };
        let size = node.size();
        self.close(node, 0, size)
    }

    fn start(&mut self, place: Place, kind: NodeKind, anchor: usize) {
        let node = Node { place, kind };
        self.open.push(Open {
            node,
            anchor,
            key: None,
        });
    }

    /// Puts a finished node of `size` new values where it belongs.
    fn close(&mut self, node: Node, anchor: usize, size: usize) -> Result<(), YamlError> {
        let Some(room) = self.room.checked_sub(size) else {
            return Err(YamlError {
                place: node.place,
                kind: YamlErrorKind::TooLarge,
            });
        };
        self.room = room;
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        let Some(open) = self.open.last_mut() else {
            self.root.get_or_insert(node);
            return Ok(());
        };
        match &mut open.node.kind {
            NodeKind::Scalar { .. } => {}
            NodeKind::List(items) => items.push(node),
            NodeKind::Map(entries) => match open.key.take() {
                Some(Ok(key)) => entries.push((key, node)),
                Some(Err(())) => {}
                None => {
                    let key = key(node, entries);
                    open.key = Some(key.map_err(|fault| self.errors.push(fault)));
                }
            },
        }
        Ok(())
    }

    fn report(&mut self, place: Place, kind: YamlErrorKind) {
        self.errors.push(YamlError { place, kind });
    }
}

/// A node as a key beside those of `entries`, or why it can't be one.
fn key(node: Node, entries: &[(Key, Node)]) -> Result<Key, YamlError> {
    let start = node.start();
    let Node { place, kind } = node;
    let kind = match kind {
        NodeKind::Scalar {
            text,
            quoted: false,
        } if text == "<<" => YamlErrorKind::MergeKey,
        NodeKind::Scalar { text, .. } if text.is_empty() => YamlErrorKind::EmptyKey,
        NodeKind::Scalar { text, .. } if entries.iter().any(|(key, _)| key.text == text) => {
            YamlErrorKind::DuplicateKey(text)
        }
        NodeKind::Scalar { text, .. } => return Ok(Key { text, place }),
        NodeKind::List(_) | NodeKind::Map(_) => YamlErrorKind::CollectionKey(start),
    };
    Err(YamlError { place, kind })
}

fn place(span: &Span) -> Place {
    let byte = |marker: &granit_parser::Marker| marker.byte_offset().unwrap_or(0);
    let start = byte(&span.start);
    start..byte(&span.end).max(start)
}
