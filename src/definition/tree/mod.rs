//! YAML as a tree in which every key and value keeps its text and its place. Decides nothing about
//! types: `1.36` is the text `1.36` until the schema says what it should be.

mod read;

use std::collections::HashMap;
use std::ops::Range;

pub(super) use read::parse;

use crate::spec::rules::path;

/// A place in the text, in bytes.
pub(super) type Place = Range<usize>;

/// Something wrong with the text itself.
#[derive(Debug, Clone)]
pub(super) struct Broken {
    pub(super) place: Place,
    pub(super) message: String,
    pub(super) help: String,
}

/// A text as read, with what is wrong but did not stop the reading.
pub(super) struct Tree {
    pub(super) root: Node,
    pub(super) broken: Vec<Broken>,
}

/// A value and its place.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) place: Place,
    pub(super) kind: Kind,
}

#[derive(Debug, Clone)]
pub(super) enum Kind {
    Scalar { text: String, quoted: bool },
    List(Vec<Node>),
    Map(Vec<(Key, Node)>),
}

#[derive(Debug, Clone)]
pub(super) struct Key {
    pub(super) text: String,
    pub(super) place: Place,
}

impl Node {
    /// Whether the field stands there without a value.
    pub(super) fn is_null(&self) -> bool {
        matches!(&self.kind, Kind::Scalar { text, quoted: false }
            if matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL"))
    }

    /// The value of a key, if this is a mapping that has it.
    pub(super) fn get(&self, field: &str) -> Option<(&Key, &Node)> {
        match &self.kind {
            Kind::Map(entries) => entries
                .iter()
                .find(|(key, _)| key.text == field)
                .map(|(key, value)| (key, value)),
            _ => None,
        }
    }

    /// How many values this one is made of.
    pub(super) fn size(&self) -> usize {
        1 + match &self.kind {
            Kind::Scalar { .. } => 0,
            Kind::List(items) => items.iter().map(Node::size).sum(),
            Kind::Map(entries) => entries.iter().map(|(_, value)| value.size()).sum(),
        }
    }

    /// A place of one line to point at: a scalar, or where a section starts.
    pub(super) fn start(&self) -> Place {
        match &self.kind {
            Kind::Scalar { .. } => self.place.clone(),
            Kind::List(items) => items.first().map_or(self.place.clone(), Node::start),
            Kind::Map(entries) => entries
                .first()
                .map_or(self.place.clone(), |(key, _)| key.place.clone()),
        }
    }

    /// Every path below this node with the place to point at.
    pub(super) fn places(&self) -> HashMap<String, Place> {
        let mut places = HashMap::new();
        self.collect("", &mut places);
        places
    }

    /// Every path below this node with the place of its key.
    pub(super) fn keys(&self) -> HashMap<String, Place> {
        let mut keys = HashMap::new();
        let mut waiting = vec![(String::new(), self)];
        while let Some((at, node)) = waiting.pop() {
            match &node.kind {
                Kind::Scalar { .. } => {}
                Kind::List(items) => {
                    let inner = items.iter().enumerate();
                    waiting.extend(inner.map(|(index, item)| (format!("{at}[{index}]"), item)));
                }
                Kind::Map(entries) => {
                    for (key, value) in entries {
                        let at = path(&at, &key.text);
                        keys.insert(at.clone(), key.place.clone());
                        waiting.push((at, value));
                    }
                }
            }
        }
        keys
    }

    fn collect(&self, at: &str, places: &mut HashMap<String, Place>) {
        match &self.kind {
            Kind::Scalar { .. } => {}
            Kind::List(items) => {
                for (index, item) in items.iter().enumerate() {
                    let at = format!("{at}[{index}]");
                    item.collect(&at, places);
                    places.insert(at, item.start());
                }
            }
            Kind::Map(entries) => {
                for (key, value) in entries {
                    let at = path(at, &key.text);
                    value.collect(&at, places);
                    let place = match &value.kind {
                        Kind::Scalar { .. } if !value.place.is_empty() => value.place.clone(),
                        _ => key.place.clone(),
                    };
                    places.insert(at, place);
                }
            }
        }
    }
}
