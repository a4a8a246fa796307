//! What EC2, RDS and S3 Control answer about an account, out of their XML. Pure.

use std::collections::BTreeSet;

use roxmltree::{Document, Node};

use super::super::signed::xml::{LocalName, child, elements, parse};
use crate::cloud::account::{DatabaseOffer, MachineType, RunningMachine};

/// One page of a list.
#[derive(Debug)]
pub(super) struct Page<T> {
    pub(super) items: Vec<T>,
    pub(super) next: Option<String>,
}

/// The entries of a list of EC2 by the name of the list, each read by `read`; `None` leaves one out. An answer
/// without the list is none: an empty one has it too.
fn page<T>(
    xml: &str,
    list: &str,
    read: impl Fn(Node<'_, '_>) -> Option<T>,
) -> Result<Page<T>, String> {
    let document = parse(xml)?;
    let lists: Vec<_> = elements(document.root(), list).collect();
    if lists.is_empty() {
        return Err(format!("an answer without {list}"));
    }
    let items = lists.iter().flat_map(Node::children);
    let items = items.filter(|node| node.has_local_name("item"));
    Ok(Page {
        items: items.filter_map(read).collect(),
        next: next(&document, "nextToken"),
    })
}

fn next(document: &Document<'_>, name: &str) -> Option<String> {
    let found = elements(document.root(), name).next();
    let found = found.and_then(|node| node.text().map(str::trim).map(str::to_owned));
    found.filter(|token| !token.is_empty())
}

/// A text further below, by the names that lead to it.
fn below(node: Node<'_, '_>, path: [&str; 2]) -> Option<String> {
    let mut children = node.children();
    let inner = children.find(|node| node.has_local_name(path[0]))?;
    child(inner, path[1])
}

/// Addresses that count: not those of address ranges that the account brought along.
pub(super) fn addresses(xml: &str) -> Result<Page<()>, String> {
    page(xml, "addressesSet", |item| {
        let pool = child(item, "publicIpv4Pool").unwrap_or_default();
        (pool.is_empty() || pool == "amazon").then_some(())
    })
}

/// Whether each VPC is the default one.
pub(super) fn vpcs(xml: &str) -> Result<Page<bool>, String> {
    page(xml, "vpcSet", |item| {
        Some(child(item, "isDefault").is_some_and(|text| text == "true"))
    })
}

pub(super) fn machines(xml: &str) -> Result<Page<RunningMachine>, String> {
    let document = parse(xml)?;
    if elements(document.root(), "reservationSet").next().is_none() {
        return Err("an answer without reservationSet".to_owned());
    }
    let sets = elements(document.root(), "instancesSet");
    let items = sets.flat_map(|set| set.children());
    let items = items.filter(|node| node.has_local_name("item"));
    let items = items.filter_map(|item| {
        let number = |name| below(item, ["cpuOptions", name])?.parse::<u32>().ok();
        let vcpus = number("coreCount").zip(number("threadsPerCore"));
        Some(RunningMachine {
            machine_type: child(item, "instanceType")?,
            vcpus: vcpus.map(|(cores, threads)| cores * threads),
            is_spot: child(item, "instanceLifecycle").is_some_and(|text| text == "spot"),
        })
    });
    Ok(Page {
        items: items.collect(),
        next: next(&document, "nextToken"),
    })
}

/// Availability zones that can be used: not local zones, not those that are impaired for good.
pub(super) fn zones(xml: &str) -> Result<Page<String>, String> {
    page(xml, "availabilityZoneInfo", |item| {
        let is = |name, wanted| child(item, name).is_none_or(|text| text == wanted);
        let usable = is("zoneType", "availability-zone") && is("zoneState", "available");
        child(item, "zoneName").filter(|_| usable)
    })
}

/// Machine type and zone.
pub(super) fn offerings(xml: &str) -> Result<Page<(String, String)>, String> {
    page(xml, "instanceTypeOfferingSet", |item| {
        Some((child(item, "instanceType")?, child(item, "location")?))
    })
}

pub(super) fn machine_types(xml: &str) -> Result<Page<(String, MachineType)>, String> {
    page(xml, "instanceTypeSet", |item| {
        let number = |path| below(item, path)?.parse().ok();
        let lists = elements(item, "supportedArchitectures");
        let architectures = lists.flat_map(|list| elements(list, "item"));
        let architectures = architectures.filter_map(|one| one.text().map(str::to_owned));
        Some((
            child(item, "instanceType")?,
            MachineType {
                vcpus: number(["vCpuInfo", "defaultVCpus"])?,
                memory_mib: number(["memoryInfo", "sizeInMiB"])?,
                architectures: architectures.collect(),
                hypervisor: child(item, "hypervisor").filter(|text| !text.is_empty()),
            },
        ))
    })
}

/// Those with a gp3 disk: one entry for each engine version.
pub(super) fn database_offers(xml: &str) -> Result<Page<DatabaseOffer>, String> {
    let document = parse(xml)?;
    let list = "OrderableDBInstanceOptions";
    if elements(document.root(), list).next().is_none() {
        return Err(format!("an answer without {list}"));
    }
    let options = elements(document.root(), "OrderableDBInstanceOption");
    let offers = options.filter_map(|option| {
        let storage = child(option, "StorageType").unwrap_or_default();
        let zones = elements(option, "AvailabilityZone").filter_map(|zone| child(zone, "Name"));
        (storage == "gp3").then_some(DatabaseOffer {
            version: child(option, "EngineVersion")?,
            zones: zones.collect(),
        })
    });
    Ok(Page {
        items: offers.collect(),
        next: next(&document, "Marker"),
    })
}

/// The named switches that are on.
pub(super) fn switched_on(xml: &str, switches: &[&str]) -> Result<BTreeSet<String>, String> {
    let document = parse(xml)?;
    let list = "PublicAccessBlockConfiguration";
    let block = elements(document.root(), list).next();
    let block = block.ok_or_else(|| format!("an answer without {list}"))?;
    let on = |name: &&&str| child(block, name).is_some_and(|text| text == "true");
    let names = switches.iter().filter(on);
    Ok(names.map(|name| (*name).to_owned()).collect())
}
