//! Lists out of the XML of the query APIs: a page of entries, tags, sizes and times. Pure.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use roxmltree::Node;

use super::super::signed::xml::{LocalName, child, elements, parse};

/// One page of a list.
#[derive(Debug)]
pub(in crate::cloud::aws) struct Page<T> {
    pub(in crate::cloud::aws) items: Vec<T>,
    pub(in crate::cloud::aws) next: Option<String>,
}

/// How an API writes a list.
#[derive(Debug, Clone, Copy)]
pub(in crate::cloud::aws) struct List {
    /// The call whose answer it is.
    pub(in crate::cloud::aws) call: &'static str,
    /// The lists inside each other that lead to the entries: EC2 puts instances into reservations.
    pub(in crate::cloud::aws) path: &'static [&'static str],
    /// The element of an entry.
    pub(in crate::cloud::aws) entry: &'static str,
    /// The element that names the next page.
    pub(in crate::cloud::aws) next: &'static str,
}

/// A page of a list. An answer to another call is none, nor is one without the list: an empty one has it too.
pub(in crate::cloud::aws) fn page<T>(
    xml: &str,
    list: List,
    read: impl Fn(Node<'_, '_>) -> Result<T, String>,
) -> Result<Page<T>, String> {
    let document = parse(xml)?;
    let root = document.root_element();
    if root.tag_name().name().strip_suffix("Response") != Some(list.call) {
        return Err(format!("an answer that is not that of {}", list.call));
    }
    let result = format!("{}Result", list.call);
    let body = direct(root, &result).unwrap_or(root);
    let mut nodes = vec![body];
    for name in list.path {
        let mut entries = Vec::new();
        for node in nodes {
            let inner = direct(node, name).ok_or_else(|| format!("an answer without {name}"))?;
            entries.extend(inner.children().filter(|it| it.has_local_name(list.entry)));
        }
        nodes = entries;
    }
    Ok(Page {
        items: nodes.into_iter().map(read).collect::<Result<_, _>>()?,
        next: child(body, list.next).filter(|token| !token.is_empty()),
    })
}

/// A direct child.
pub(in crate::cloud::aws) fn direct<'a>(node: Node<'a, 'a>, name: &str) -> Option<Node<'a, 'a>> {
    node.children().find(|node| node.has_local_name(name))
}

/// The text of a direct child that has to be there.
pub(in crate::cloud::aws) fn required(node: Node<'_, '_>, name: &str) -> Result<String, String> {
    child(node, name)
        .filter(|text| !text.is_empty())
        .ok_or_else(|| format!("an answer with an entry without {name}"))
}

/// The text of a direct child that says something.
pub(in crate::cloud::aws) fn optional(node: Node<'_, '_>, name: &str) -> Option<String> {
    child(node, name).filter(|text| !text.is_empty())
}

/// Tags, by the elements of the list, of an entry, of a key and of a value.
pub(in crate::cloud::aws) fn tags(
    node: Node<'_, '_>,
    names: [&str; 4],
) -> BTreeMap<String, String> {
    let [list, entry, key, value] = names;
    let list = node.children().find(|node| node.has_local_name(list));
    let entries = list.into_iter().flat_map(|list| list.children());
    let entries = entries.filter(|node| node.has_local_name(entry));
    let tag = |tag| Some((child(tag, key)?, child(tag, value).unwrap_or_default()));
    entries.filter_map(tag).collect()
}

/// Every text of an element of this name below another one, however deep.
pub(in crate::cloud::aws) fn texts(node: Node<'_, '_>, list: &str, name: &str) -> BTreeSet<String> {
    let Some(list) = node.children().find(|node| node.has_local_name(list)) else {
        return BTreeSet::new();
    };
    let found = elements(list, name).filter_map(|node| node.text());
    let found = found.map(|text| text.trim().to_owned());
    found.filter(|text| !text.is_empty()).collect()
}

/// Bytes of a size in GiB.
pub(in crate::cloud::aws) fn bytes_of_gib(node: Node<'_, '_>, name: &str) -> Option<u64> {
    let gib: u64 = child(node, name)?.parse().ok()?;
    gib.checked_mul(1 << 30)
}

pub(in crate::cloud::aws) fn time(node: Node<'_, '_>, name: &str) -> Option<Timestamp> {
    child(node, name)?.parse().ok()
}
