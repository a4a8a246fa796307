//! Whether what a plan names is to be had: zones, machine types, database classes with their engine versions. Pure.

use std::collections::{BTreeMap, BTreeSet};

use super::needs::{DatabaseNeed, Fleet};
use super::{Check, CheckCode};
use crate::catalog::instances::{self, Hypervisor};
use crate::cloud::account::{DatabaseOffer, MachineType};
use crate::spec::Architecture;
use crate::spec::rules::{self, MachineFacts, MachineRole};

/// The zones that a plan names, against those that the account has.
pub(super) fn zones(wanted: &BTreeSet<String>, there: &BTreeSet<String>, region: &str) -> Check {
    let code = CheckCode::Zone;
    let missing: Vec<&str> = wanted.difference(there).map(String::as_str).collect();
    if missing.is_empty() {
        return Check::ok(code, format!("{} there", list(wanted)));
    }
    let text = format!(
        "this account has no zone {} in {region}; it has {}",
        missing.join(", "),
        list(there)
    );
    Check::refused(
        code,
        text,
        "write zones that it has as `zones` of the definition",
    )
}

/// Where each type is offered.
pub(super) type Offerings = BTreeMap<String, BTreeSet<String>>;

/// What the catalogue does not know of machine types, as EC2 says it.
pub(super) type MachineTypes = BTreeMap<String, MachineType>;

/// The types of a fleet against where they are offered, and against what the machines need.
pub(super) fn machine_types(
    fleet: &Fleet,
    offered: &Offerings,
    facts: &MachineTypes,
    region: &str,
) -> Vec<Check> {
    let mut checks = vec![offered_somewhere(fleet, offered, region)];
    let known = |name: &&String| instances::find(name).is_some_and(|one| one.vcpu.is_some());
    for name in fleet.types.iter().filter(|name| !known(name)) {
        if let Some(facts) = facts.get(name) {
            checks.extend(unfit(fleet, name, facts));
        }
    }
    checks
}

fn offered_somewhere(fleet: &Fleet, offered: &Offerings, region: &str) -> Check {
    let code = CheckCode::MachineType;
    let there = |name: &String| offered.get(name).cloned().unwrap_or_default();
    // Where the template does not say the zones, the region has to do.
    let lacks = |name: &&String| -> bool {
        let there = there(name);
        there.is_empty() || !fleet.zones.is_subset(&there)
    };
    let lacking: Vec<&String> = fleet.types.iter().filter(lacks).collect();
    let Some(first) = lacking.first() else {
        return Check::ok(
            code,
            format!("{} of {}", fleet.types.join(", "), fleet.what),
        );
    };
    let where_it_is = |name: &String| {
        let there = there(name);
        let here: BTreeSet<String> = there.intersection(&fleet.zones).cloned().collect();
        match (there.is_empty(), here.is_empty()) {
            (true, _) => format!("{name} is not offered in this region"),
            (false, true) => format!("{name} is offered in {} alone", list(&there)),
            (false, false) => format!("{name} is offered in {} alone", list(&here)),
        }
    };
    let mut said: Vec<String> = lacking.iter().map(|name| where_it_is(name)).collect();
    said.dedup();
    let text = format!("{}: {}", fleet.what, said.join("; "));
    let none = |name: &String| there(name).is_disjoint(&fleet.zones) || there(name).is_empty();
    if fleet.pinned || fleet.types.iter().all(none) {
        let next = format!(
            "write a type in place of {first} as {}, or other zones: `aws ec2 \
             describe-instance-type-offerings --region {region} --location-type availability-zone` lists what there is",
            fleet.field
        );
        return Check::refused(code, text, next);
    }
    let next = format!(
        "the group starts machines elsewhere; write a type that all zones have as {}",
        fleet.field
    );
    Check::warning(code, text, next)
}

/// Why machines of a type that the catalogue does not know can't be what the fleet is: by the rules for those that it
/// knows.
fn unfit(fleet: &Fleet, name: &str, facts: &MachineType) -> Option<Check> {
    let role = if fleet.pinned {
        MachineRole::ControlPlane
    } else {
        MachineRole::Pool
    };
    let own = facts.architectures.first();
    let image = fleet.architecture.as_ref().or(own);
    let runs_image = image.filter(|image| facts.architectures.contains(*image));
    let known = MachineFacts {
        vcpu: Some(facts.vcpus),
        memory_mib: Some(facts.memory_mib),
        architecture: runs_image.or(own).cloned(),
        hypervisor: Some(match facts.hypervisor.as_deref() {
            Some("xen") => Hypervisor::Xen,
            _ => Hypervisor::Nitro,
        }),
    };
    let image = match image.map(String::as_str) {
        Some("x86_64") => Architecture::X86_64,
        _ => Architecture::Arm64,
    };
    let found = rules::unfit(role, name, &known, image)?;
    let text = format!("{}: {}", fleet.what, found.what);
    let next = format!("{} (as {})", found.help, fleet.field);
    if fleet.new_types {
        return Some(Check::refused(CheckCode::MachineType, text, next));
    }
    Some(Check::warning(CheckCode::MachineType, text, next))
}

/// A database against how its class can be ordered: with its own engine version (`with_version`), and with any.
pub(super) fn database(
    wanted: &DatabaseNeed,
    zones: &BTreeSet<String>,
    offers: &[DatabaseOffer],
    region: &str,
) -> Check {
    let code = CheckCode::Database;
    let DatabaseNeed { class, version, .. } = wanted;
    let fits = |offer: &&DatabaseOffer| is_version(&offer.version, version);
    let with_version: Vec<&DatabaseOffer> = offers.iter().filter(fits).collect();
    if offers.is_empty() {
        let text = format!("RDS offers no PostgreSQL on {class} with a gp3 disk in this region");
        let next = format!(
            "write another class as database.class: `aws rds describe-orderable-db-instance-options --region {region} \
             --engine postgres` lists them"
        );
        return Check::refused(code, text, next);
    }
    if with_version.is_empty() && wanted.before.as_ref() == Some(version) {
        let text = format!(
            "RDS makes no new database with PostgreSQL {version} on {class}, and may refuse this one the class; it offers {}",
            nearest_versions(version, offers)
        );
        let next = "write one of them as database.engineVersion, or another class";
        return Check::warning(code, text, next);
    }
    if with_version.is_empty() {
        let text = format!(
            "RDS makes no new database with PostgreSQL {version} on {class}; it offers {}",
            nearest_versions(version, offers)
        );
        return Check::refused(code, text, "write one of them as database.engineVersion");
    }
    let needed = if wanted.multi_az { 2 } else { 1 };
    let there = |offer: &&DatabaseOffer| offer.zones.intersection(zones).count() >= needed;
    // Where either side does not say its zones, nothing is known of them.
    // The zones of a database that exists are not among those that the plan adds.
    let said = wanted.before.is_none()
        && !zones.is_empty()
        && with_version.iter().all(|offer| !offer.zones.is_empty());
    if said && !with_version.iter().any(there) {
        let all: BTreeSet<String> = with_version
            .iter()
            .flat_map(|offer| offer.zones.iter().cloned())
            .collect();
        let text = format!(
            "RDS offers {class} with PostgreSQL {version} in {} alone",
            list(&all)
        );
        let next = "write another class as database.class, or other zones";
        return Check::refused(code, text, next);
    }
    Check::ok(code, format!("PostgreSQL {version} on {class}"))
}

/// Whether an engine version is the wanted one, which may be a major alone.
pub(super) fn is_version(version: &str, wanted: &str) -> bool {
    let rest = version.strip_prefix(wanted);
    rest.is_some_and(|rest| rest.is_empty() || (!wanted.contains('.') && rest.starts_with('.')))
}

/// The newest versions of the wanted major; where there are none, the newest of all.
fn nearest_versions(wanted: &str, offers: &[DatabaseOffer]) -> String {
    const SHOWN: usize = 3;
    let numbers = |version: &str| -> Vec<u32> {
        version
            .split('.')
            .filter_map(|part| part.parse().ok())
            .collect()
    };
    let major = wanted.split('.').next().unwrap_or(wanted);
    let mut all: Vec<&str> = offers.iter().map(|offer| offer.version.as_str()).collect();
    all.sort_by_key(|version| std::cmp::Reverse(numbers(version)));
    all.dedup();
    let same: Vec<&str> = all
        .iter()
        .copied()
        .filter(|version| is_version(version, major))
        .collect();
    let shown = if same.is_empty() { &all } else { &same };
    let shown: Vec<&str> = shown.iter().copied().take(SHOWN).collect();
    shown.join(", ")
}

fn list(names: &BTreeSet<String>) -> String {
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    names.join(", ")
}
