//! New definitions: a short commented one, or a copy of another in which only what must differ
//! changes. Copies are edited as text, so comments, order and formatting stay. Writes no file.

mod comments;
mod edit;
mod fresh;

use std::net::Ipv4Addr;
use std::ops::Range;

use ipnet::Ipv4Net;
use semver::Version;

use super::tree::{self, Node, NodeKind};
use super::{DefinitionError, parse};
use crate::catalog::regions;
use crate::spec::{ClusterSpec, Nat};
use edit::Edits;

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub struct NewCluster<'a> {
    /// Name of the new cluster.
    pub name: &'a str,
    /// Text of the definition to copy; `None` writes a short one.
    pub from: Option<&'a str>,
    /// The definitions that there are, by name: their ranges are kept clear of.
    pub others: &'a [(String, ClusterSpec)],
    /// `None` keeps the version of the copied one, else takes the newest.
    pub kubernetes: Option<&'a Version>,
    /// `None` keeps the region of the copied one, else takes that of the first other definition.
    pub region: Option<&'a str>,
    /// Name or ARN of the snapshot that the database shall start from.
    pub restore_from: Option<&'a str>,
    /// What becomes of the copied database.
    pub database: NewDatabase,
}

/// What becomes of the database of a copied definition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NewDatabase {
    /// Small, in one zone, unprotected: for a cluster to try something on.
    Small,
    /// As in the definition that is copied, and as protected.
    Same,
}

/// A new definition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scaffold {
    pub text: String,
    /// Fields of the copied definition that were left out, as they were: they say what the copied cluster is.
    pub left_out: Vec<String>,
}

/// Writes a new definition. Its text has been checked: what is wrong with the request comes back as
/// problems of the new text.
pub fn scaffold(request: &NewCluster<'_>) -> Result<Scaffold, DefinitionError> {
    if request.others.iter().any(|(name, _)| name == request.name) {
        return Err(cannot(request, "there is one of this name already"));
    }
    let new = match request.from {
        Some(source) => copy(request, source)?,
        None => Scaffold {
            text: fresh::text(request)?,
            left_out: Vec::new(),
        },
    };
    parse(&format!("{}.yaml", request.name), &new.text)?;
    Ok(new)
}

fn cannot(request: &NewCluster<'_>, why: &str) -> DefinitionError {
    DefinitionError::CannotWrite {
        name: request.name.to_owned(),
        why: why.to_owned(),
    }
}

fn copy(request: &NewCluster<'_>, source: &str) -> Result<Scaffold, DefinitionError> {
    let source = source.strip_prefix('\u{feff}').unwrap_or(source);
    let spec = parse("the definition to copy", source)?;
    let tree = tree::parse(source)
        .map_err(|error| super::Problems::of_text("the definition to copy", source, error))?;
    let root = &tree.root;
    let mut edits = Edits::new(source);
    edits.set(root, "", "name", request.name);
    if let Some(version) = request.kubernetes {
        edits.set(root, "", "kubernetes", &version.to_string());
    }
    region(request, root, &spec, &mut edits);
    let cidr = free_range(request, &spec)?;
    edits.set(root, "network", "cidr", &cidr.to_string());
    dns(request, root, &spec, &mut edits);
    // These are as true of the copy.
    let same: usize = edits.changed().len();
    database(request, root, &spec, &mut edits);
    let changed = edits.changed().split_off(same);
    let left_out = tags(root, &spec, &mut edits);
    comments(request, source, root, &spec, &changed, &mut edits);
    Ok(Scaffold {
        text: edits.apply(),
        left_out,
    })
}

/// A tag that says what the copied cluster is would put the copy under its bills, alarms and backups.
fn tags(root: &Node, spec: &ClusterSpec, edits: &mut Edits<'_>) -> Vec<String> {
    let untrue = |(key, value): &(&String, &String)| {
        let of_stage = ["env", "environment", "stage"].iter();
        of_stage
            .into_iter()
            .any(|name| key.eq_ignore_ascii_case(name))
            || **value == spec.name
    };
    let gone: Vec<_> = spec.tags.iter().filter(untrue).collect();
    if gone.len() == spec.tags.len() && !gone.is_empty() {
        edits.remove_section(root, "tags");
    } else {
        for (key, _) in &gone {
            edits.remove(root, "tags", key);
        }
    }
    let words = gone
        .iter()
        .map(|(key, value)| format!("tags.{key}: {value}"));
    words.collect()
}

/// Leaves out what comments say of the copied cluster.
fn comments(
    request: &NewCluster<'_>,
    source: &str,
    root: &Node,
    spec: &ClusterSpec,
    changed: &[Range<usize>],
    edits: &mut Edits<'_>,
) {
    let others = request.others.iter().map(|(name, _)| name.as_str());
    let names: Vec<&str> = others.chain([spec.name.as_str()]).collect();
    let untrue = comments::untrue(source, root, changed, &names);
    if let Some(first) = untrue.heading.first() {
        let heading = format!("# {}: a copy of {}\n", request.name, spec.name);
        edits.put_before(first.start, heading);
    }
    for place in untrue.heading.into_iter().chain(untrue.others) {
        edits.take_out(place);
    }
}

/// Zones keep their letters; where the new region has other ones, the check of AWS will say so.
fn region(request: &NewCluster<'_>, root: &Node, spec: &ClusterSpec, edits: &mut Edits<'_>) {
    let Some(region) = request.region.filter(|region| *region != spec.region) else {
        return;
    };
    edits.set(root, "", "region", region);
    if spec.network.nat == Nat::Regional && !regions::has_regional_nat(region) {
        edits.set(root, "network", "nat", "single");
    }
    if let Some((
        _,
        Node {
            kind: NodeKind::List(zones),
            ..
        },
    )) = root.get("zones")
    {
        for zone in zones {
            if let NodeKind::Scalar { text, .. } = &zone.kind {
                edits.replace(zone, &text.replacen(&spec.region, region, 1));
            }
        }
    }
}

/// Two clusters can't share the name of their API.
fn dns(request: &NewCluster<'_>, root: &Node, spec: &ClusterSpec, edits: &mut Edits<'_>) {
    let Some(dns) = &spec.api.dns else { return };
    let name = if dns.name.split('.').any(|part| part.contains(&spec.name)) {
        dns.name.replacen(&spec.name, request.name, 1)
    } else {
        let (first, rest) = dns.name.split_once('.').unwrap_or((&dns.name, ""));
        format!("{first}-{}.{rest}", request.name)
    };
    if let Some((_, node)) = root
        .get("api")
        .and_then(|(_, api)| api.get("dns")?.1.get("name"))
    {
        edits.replace(node, &name);
    }
}

fn database(request: &NewCluster<'_>, root: &Node, spec: &ClusterSpec, edits: &mut Edits<'_>) {
    let section = "database";
    if spec.database.is_some() && request.database == NewDatabase::Small {
        let region = request.region.unwrap_or(&spec.region);
        edits.set(root, section, "class", regions::small_database(region));
        edits.set(root, section, "multiAz", "false");
        edits.set(root, section, "backupDays", "1");
        // A snapshot does not fit into less storage than it was taken from.
        if request.restore_from.is_none() {
            edits.set(root, section, "storageGib", "20");
            edits.set(root, section, "storageLimitGib", "100");
        }
    }
    if request.database == NewDatabase::Small {
        edits.set(root, "", "protect", "false");
    }
    match request.restore_from {
        Some(snapshot) => edits.set(root, section, "restoreFrom", snapshot),
        // The copied cluster started from it; the new one was not asked to.
        None => edits.remove(root, section, "restoreFrom"),
    }
}

/// The first range in 10.0.0.0/8, from 10.20.0.0 on, that touches no other cluster's and none of
/// the new cluster's own.
fn free_range(request: &NewCluster<'_>, spec: &ClusterSpec) -> Result<Ipv4Net, DefinitionError> {
    let network = &spec.network;
    let mut taken: Vec<Ipv4Net> = request
        .others
        .iter()
        .map(|(_, other)| other.network.cidr)
        .collect();
    taken.extend([network.cidr, network.pod_cidr, network.service_cidr]);
    first_free(network.cidr.prefix_len(), &taken)
        .ok_or_else(|| cannot(request, "10.0.0.0/8 has no free range of this size left"))
}

/// The first range of this size from 10.20.0.0 on that touches none of `taken`.
fn first_free(prefix: u8, taken: &[Ipv4Net]) -> Option<Ipv4Net> {
    let all = Ipv4Net::new(Ipv4Addr::new(10, 0, 0, 0), 8).ok()?;
    let first = Ipv4Addr::new(10, 20, 0, 0);
    let free = |range: &Ipv4Net| {
        !taken
            .iter()
            .any(|other| other.contains(&range.network()) || range.contains(&other.network()))
    };
    all.subnets(prefix)
        .ok()?
        .find(|range| range.network() >= first && free(range))
}
