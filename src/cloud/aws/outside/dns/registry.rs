//! The registry of external-dns: TXT records that say which cluster owns which record sets. Pure.
//!
//! A TXT record has the name of what it stands for, or, since external-dns 0.12, the type and a dash before it
//! (`a-web.example.org`, `cname-web.example.org`); `cname` stands for aliases too. That is ambiguous where a record set is
//! itself called `a-web`: other TXT records decide then. Names with a prefix or suffix of the user's choice
//! (`--txt-prefix`, `--txt-suffix`) look like others: where one may be meant, nothing is guessed, and it is an error. An
//! encrypted registry, and one in `DynamoDB`, can't be read.

use std::collections::BTreeMap;

use super::answer::RecordSet;
use crate::cloud::outside::{OutsideKind, OutsideResource};

/// The types that external-dns manages unless other ones are named.
const MANAGED: [&str; 3] = ["A", "AAAA", "CNAME"];
/// Types before names, with the types that each stands for.
const TYPES: [(&str, &[&str]); 9] = [
    ("a-", &["A"]),
    ("aaaa-", &["AAAA"]),
    ("cname-", &["CNAME"]),
    ("mx-", &["MX"]),
    ("naptr-", &["NAPTR"]),
    ("ns-", &["NS"]),
    ("ptr-", &["PTR"]),
    ("srv-", &["SRV"]),
    ("txt-", &["TXT"]),
];

/// How a TXT record names a record set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// By its name alone.
    Name,
    /// By its type and its name.
    Type,
}

/// A TXT record of the registry.
#[derive(Debug, Clone, Copy)]
struct Entry<'a> {
    set: &'a RecordSet,
    owner: &'a str,
    /// The whole text: it also says for which object of Kubernetes.
    text: &'a str,
}

/// The record sets of a zone that a cluster owns, the TXT records among them, by id. Each is described by its registry's
/// text. An error where a TXT record may stand for a set with a name that is not understood.
pub(super) fn owned(
    zone: &str,
    sets: &[RecordSet],
    cluster: &str,
) -> Result<Vec<OutsideResource>, String> {
    let entries: Vec<_> = sets.iter().filter_map(entry).collect();
    let mut found = BTreeMap::new();
    for entry in entries.iter().filter(|entry| entry.owner == cluster) {
        let named = named(entry, &entries, sets)?;
        for set in named.into_iter().chain([entry.set]) {
            let id = set.id(zone);
            let record = OutsideResource {
                description: Some(entry.text.to_owned()),
                body: set.body.clone(),
                ..OutsideResource::new(OutsideKind::DnsRecord, id.clone())
            };
            found.insert(id, record);
        }
    }
    Ok(found.into_values().collect())
}

/// A TXT record of external-dns.
fn entry(set: &RecordSet) -> Option<Entry<'_>> {
    let texts = set.values.iter().filter(|_| set.kind == "TXT");
    texts.into_iter().find_map(|value| {
        let text = value.trim().trim_matches('"');
        let mut parts = text.split(',');
        let is_registry = parts.clone().any(|part| part == "heritage=external-dns");
        let owner = parts.find_map(|part| part.strip_prefix("external-dns/owner="))?;
        is_registry.then_some(Entry { set, owner, text })
    })
}

/// Whether and how an entry names a record set.
fn form(entry: &RecordSet, set: &RecordSet) -> Option<Form> {
    if entry.identifier != set.identifier {
        return None;
    }
    if entry.name == set.name {
        return MANAGED.contains(&set.kind.as_str()).then_some(Form::Name);
    }
    let names = |(word, kinds): &(&str, &[&str])| {
        let is_kind = kinds.contains(&set.kind.as_str()) || (*word == "cname-" && set.is_alias);
        is_kind && entry.name.strip_prefix(word) == Some(set.name.as_str())
    };
    TYPES.iter().any(names).then_some(Form::Type)
}

/// The record sets that an entry stands for.
fn named<'a>(
    entry: &Entry<'a>,
    entries: &[Entry<'a>],
    sets: &'a [RecordSet],
) -> Result<Vec<&'a RecordSet>, String> {
    let others = |set: &RecordSet| {
        let others = entries
            .iter()
            .filter(|other| other.set.id("") != entry.set.id(""));
        let others = others.filter(|other| form(other.set, set).is_some());
        others.copied().collect::<Vec<_>>()
    };
    let is_own = |set: &&RecordSet| others(set).iter().all(|other| other.owner == entry.owner);
    let of_form = |wanted: Form| -> Vec<&RecordSet> {
        let sets = sets
            .iter()
            .filter(|set| form(entry.set, set) == Some(wanted));
        sets.filter(is_own).collect()
    };
    let (by_name, by_type) = (of_form(Form::Name), of_form(Form::Type));
    if by_name.is_empty() && by_type.is_empty() {
        let may_be = sets
            .iter()
            .find(|set| may_name(entry.set, set) && others(set).is_empty());
        return may_be.map_or(Ok(Vec::new()), |set| Err(unclear(entry, set)));
    }
    let (Some(first), Some(_)) = (by_name.first(), by_type.first()) else {
        return Ok([by_name, by_type].concat());
    };
    // Both can't be meant: the one that another entry names too is.
    let is_confirmed = |sets: &[&RecordSet]| sets.iter().any(|set| !others(set).is_empty());
    match (is_confirmed(&by_name), is_confirmed(&by_type)) {
        (true, false) => Ok(by_name),
        (false, true) => Ok(by_type),
        (true, true) | (false, false) => Err(unclear(entry, first)),
    }
}

/// Whether an entry may name a set with a prefix or a suffix: its name has that of the set in it, in the same domain.
fn may_name(entry: &RecordSet, set: &RecordSet) -> bool {
    let Some((label, domain)) = set.name.split_once('.') else {
        return false;
    };
    let is_managed = MANAGED.contains(&set.kind.as_str()) && entry.identifier == set.identifier;
    let rest = entry.name.strip_suffix(domain);
    let rest = rest.and_then(|rest| rest.strip_suffix('.'));
    is_managed && rest.is_some_and(|rest| label == "\\052" || rest.contains(label))
}

fn unclear(entry: &Entry<'_>, set: &RecordSet) -> String {
    format!(
        "external-dns's TXT record {} of {} may stand for {} {} or for another one",
        entry.set.name, entry.owner, set.name, set.kind
    )
}

#[cfg(test)]
mod tests;
