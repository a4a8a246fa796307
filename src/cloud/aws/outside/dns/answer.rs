//! Hosted zones and record sets out of Route 53's XML, and the request that deletes one. Pure.

use roxmltree::{Document, Node};

use super::super::answer::{direct, optional, required};
use crate::cloud::aws::signed::xml::{LocalName, parse};

const NAMESPACE: &str = "https://route53.amazonaws.com/doc/2013-04-01/";

/// A hosted zone.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Zone {
    pub(super) id: String,
    /// How many record sets it has.
    pub(super) sets: Option<u64>,
    /// Another service made it, and only that one changes it.
    pub(super) is_linked: bool,
}

/// A record set, with its names as Route 53 writes them: lower case, a dot at the end, `\052` for an asterisk.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct RecordSet {
    pub(super) name: String,
    pub(super) kind: String,
    /// Tells sets of one name and type apart.
    pub(super) identifier: Option<String>,
    pub(super) values: Vec<String>,
    pub(super) is_alias: bool,
    /// Its XML.
    pub(super) body: String,
}

/// Where a page of record sets begins.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Start {
    pub(super) name: String,
    pub(super) kind: Option<String>,
    pub(super) identifier: Option<String>,
}

impl RecordSet {
    /// `ZONE NAME TYPE`, with its identifier where it has one.
    pub(super) fn id(&self, zone: &str) -> String {
        let mut id = format!("{zone} {} {}", self.name, self.kind);
        if let Some(identifier) = &self.identifier {
            id.push(' ');
            id.push_str(identifier);
        }
        id
    }
}

/// What [`RecordSet::id`] was made of, without the zone. Only an identifier can have blanks.
pub(super) fn start_of(id: &str) -> Option<Start> {
    let mut parts = id.splitn(4, ' ').skip(1).map(str::to_owned);
    Some(Start {
        name: parts.next()?,
        kind: Some(parts.next()?),
        identifier: parts.next(),
    })
}

/// A page of zones, and where the next one begins.
pub(super) fn zones(xml: &str) -> Result<(Vec<Zone>, Option<String>), String> {
    let document = parse(xml)?;
    let (entries, is_cut) = list(
        &document,
        "ListHostedZonesResponse",
        ["HostedZones", "HostedZone"],
    )?;
    let zone = |zone: &Node<'_, '_>| {
        let id = required(*zone, "Id")?;
        Ok(Zone {
            id: id.rsplit('/').next().unwrap_or(&id).to_owned(),
            sets: optional(*zone, "ResourceRecordSetCount").and_then(|text| text.parse().ok()),
            is_linked: direct(*zone, "LinkedService").is_some(),
        })
    };
    let zones: Result<_, String> = entries.iter().map(zone).collect();
    let next = next(is_cut, || required(document.root_element(), "NextMarker"))?;
    Ok((zones?, next))
}

/// A page of record sets, and where the next one begins.
pub(super) fn record_sets(xml: &str) -> Result<(Vec<RecordSet>, Option<Start>), String> {
    let document = parse(xml)?;
    let root = document.root_element();
    let names = ["ResourceRecordSets", "ResourceRecordSet"];
    let (entries, is_cut) = list(&document, "ListResourceRecordSetsResponse", names)?;
    let set = |set: &Node<'_, '_>| {
        let records = direct(*set, "ResourceRecords").into_iter();
        let values = records.flat_map(|records| records.children());
        Ok(RecordSet {
            name: required(*set, "Name")?,
            kind: required(*set, "Type")?,
            identifier: optional(*set, "SetIdentifier"),
            values: values
                .filter_map(|record| optional(record, "Value"))
                .collect(),
            is_alias: direct(*set, "AliasTarget").is_some(),
            body: xml.get(set.range()).unwrap_or_default().to_owned(),
        })
    };
    let sets: Result<_, String> = entries.iter().map(set).collect();
    let next = next(is_cut, || {
        Ok(Start {
            name: required(root, "NextRecordName")?,
            kind: optional(root, "NextRecordType"),
            identifier: optional(root, "NextRecordIdentifier"),
        })
    })?;
    Ok((sets?, next))
}

/// The entries of a list, and whether the next page has more.
fn list<'a>(
    document: &'a Document<'a>,
    root: &str,
    [list, entry]: [&str; 2],
) -> Result<(Vec<Node<'a, 'a>>, bool), String> {
    let found = document.root_element();
    if !found.has_local_name(root) {
        return Err(format!("an answer that is no {root}"));
    }
    let inner = direct(found, list).ok_or_else(|| format!("an answer without {list}"))?;
    let entries = inner.children().filter(|node| node.has_local_name(entry));
    let is_cut = required(found, "IsTruncated")? == "true";
    Ok((entries.collect(), is_cut))
}

/// A list that is cut has to say where it goes on.
fn next<T>(is_cut: bool, read: impl FnOnce() -> Result<T, String>) -> Result<Option<T>, String> {
    if is_cut { read().map(Some) } else { Ok(None) }
}

/// The request that deletes a record set as it is.
pub(super) fn deletion(record_set: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ChangeResourceRecordSetsRequest xmlns=\"{NAMESPACE}\">\
         <ChangeBatch><Changes><Change><Action>DELETE</Action>{record_set}</Change></Changes></ChangeBatch>\
         </ChangeResourceRecordSetsRequest>"
    )
}
