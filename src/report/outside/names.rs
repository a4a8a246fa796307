//! One resource outside the stacks in words: its short name, its size, what it is for and why it is the cluster's.

use crate::cloud::outside::{OutsideKind, OutsideResource};
use crate::common::text::clean;
use crate::report::format::grouped;
use crate::sweep::kinds::row;
use crate::sweep::{Found, Owner, Purpose};

/// `1 more load balancer`, `3 more rules of security groups`: behind others of them.
pub(in crate::report) fn more_of(kind: OutsideKind, number: usize) -> String {
    match number {
        1 => format!("1 more {}", row(kind).name),
        _ => format!("{number} more {}", row(kind).plural),
    }
}

/// What people call it: the name in an ARN, a record without its zone first, a rule with its group. Commands take the whole id.
pub(in crate::report) fn short(resource: &OutsideResource) -> String {
    let id = resource.id.as_str();
    let name = match resource.kind {
        OutsideKind::LoadBalancer => balancer(id),
        OutsideKind::TargetGroup => behind(id, ":targetgroup/")
            .and_then(|rest| rest.split('/').next())
            .map(str::to_owned),
        OutsideKind::Key => behind(id, ":key/").map(str::to_owned),
        OutsideKind::Backup => behind(id, ":auto-backup:").map(str::to_owned),
        OutsideKind::DnsRecord => record(id),
        OutsideKind::GroupRule if !resource.body.is_empty() => {
            Some(format!("{id} in {}", resource.body))
        }
        OutsideKind::Address => {
            let ip = resource.description.as_ref();
            ip.map(|ip| format!("{ip} ({id})"))
        }
        _ => None,
    };
    clean(name.as_deref().unwrap_or(id))
}

fn behind<'a>(id: &'a str, mark: &str) -> Option<&'a str> {
    Some(id.split_once(mark)?.1)
}

fn balancer(arn: &str) -> Option<String> {
    let mut parts = behind(arn, ":loadbalancer/")?.split('/');
    let kind = match parts.next()? {
        "net" => "network",
        "app" => "application",
        "gwy" => "gateway",
        other => other,
    };
    Some(format!("{} ({kind})", parts.next()?))
}

/// The parts of a record's id: its zone, its name, its type and, where it has one, its set identifier.
pub(super) fn record_parts(id: &str) -> Option<(&str, &str, &str, Option<&str>)> {
    let mut parts = id.splitn(4, ' ');
    Some((parts.next()?, parts.next()?, parts.next()?, parts.next()))
}

fn record(id: &str) -> Option<String> {
    let (zone, name, kind, set) = record_parts(id)?;
    let set = set.map_or(String::new(), |set| format!(" \"{set}\""));
    Some(format!("{name} {kind}{set} (zone {zone})"))
}

/// `20 GiB`, `1.5 GiB`, `12 MiB`, `3 bytes`.
pub(in crate::report) fn size(bytes: u64) -> String {
    const UNITS: [(&str, u64); 4] = [
        ("TiB", 1 << 40),
        ("GiB", 1 << 30),
        ("MiB", 1 << 20),
        ("KiB", 1 << 10),
    ];
    // A volume is ordered in GiB: 2000 GiB stay that.
    let fits = |(name, unit): &&(&str, u64)| {
        bytes >= *unit && (*name != "TiB" || bytes.is_multiple_of(*unit))
    };
    let Some((name, unit)) = UNITS.iter().find(fits) else {
        return format!("{bytes} bytes");
    };
    let tenths = (u128::from(bytes) * 10 + u128::from(unit / 2)) / u128::from(*unit);
    let whole = grouped(&(tenths / 10).to_string());
    match tenths % 10 {
        0 => format!("{whole} {name}"),
        tenth => format!("{whole}.{tenth} {name}"),
    }
}

/// What it is for, and where nothing says that: whose it is. `cluster` is the name of the cluster.
pub(in crate::report) fn purpose(found: &Found, cluster: &str) -> String {
    let text = match &found.purpose {
        Some(Purpose::Service(name)) => format!("Service {name}"),
        // The AWS Load Balancer Controller names a group by one word.
        Some(Purpose::Ingress(name)) if !name.contains('/') => format!("Ingress group {name}"),
        Some(Purpose::Ingress(name)) => format!("Ingress {name}"),
        Some(Purpose::Claim(name)) => format!("claim {name}"),
        Some(Purpose::Volume(name)) => format!("PersistentVolume {name}"),
        Some(Purpose::Stack(kind)) => {
            format!("made by stack {kind}, and not in it any more")
        }
        Some(Purpose::Database(id)) => format!("database {id}"),
        Some(Purpose::Text(text)) if *text != short(&found.resource) => text.clone(),
        Some(Purpose::Text(_)) | None => match found.owner {
            Owner::Kubernetes | Owner::Past(_) => {
                format!("tagged by Kubernetes as {cluster}'s")
            }
            Owner::Stack => format!("tagged as {cluster}'s, and in none of its stacks"),
            Owner::Foreign | Owner::Unclear => label(&found.resource),
        },
    };
    clean(&text)
}

/// What the owner calls it, besides its short name: its tag `Name`, and its description.
fn label(resource: &OutsideResource) -> String {
    let short = short(resource);
    let name = resource.tag("Name").filter(|name| *name != short);
    let name = name.map(|name| format!("\"{name}\""));
    let description = resource.description.clone();
    let parts = name
        .into_iter()
        .chain(description.filter(|text| *text != short));
    parts.collect::<Vec<_>>().join(", ")
}

/// Why a foreign resource is there, as far as it says so: purpose, name, description.
pub(super) fn foreign(found: &Found, cluster: &str) -> String {
    let label = clean(&label(&found.resource));
    if found.purpose.is_none() || label.is_empty() {
        return purpose(found, cluster);
    }
    let purpose = purpose(found, cluster);
    if label.contains(&purpose) {
        label
    } else {
        format!("{label}, {purpose}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_names_are_those_of_the_console() {
        let arn = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:";
        let pairs = [
            (
                OutsideKind::LoadBalancer,
                format!("{arn}loadbalancer/app/k8s-shop/50dc"),
                "k8s-shop (application)",
            ),
            (
                OutsideKind::TargetGroup,
                format!("{arn}targetgroup/k8s-shop-web/73e2"),
                "k8s-shop-web",
            ),
            (
                OutsideKind::Backup,
                "arn:aws:rds:eu-west-1:123456789012:auto-backup:ab-x".to_owned(),
                "ab-x",
            ),
            (
                OutsideKind::DnsRecord,
                "Z1 web.example.org. A".to_owned(),
                "web.example.org. A (zone Z1)",
            ),
            (
                OutsideKind::DnsRecord,
                "Z1 w. A one two".to_owned(),
                "w. A \"one two\" (zone Z1)",
            ),
            (OutsideKind::LoadBalancer, "odd".to_owned(), "odd"),
        ];
        for (kind, id, name) in pairs {
            assert_eq!(short(&OutsideResource::new(kind, id)), name);
        }
    }

    #[test]
    fn sizes_have_the_unit_in_which_they_were_ordered() {
        let pairs = [
            (20 << 30, "20 GiB"),
            (2000 << 30, "2,000 GiB"),
            (2 << 40, "2 TiB"),
            (3 << 29, "1.5 GiB"),
            (12 << 20, "12 MiB"),
            (1536, "1.5 KiB"),
            (0, "0 bytes"),
        ];
        for (bytes, text) in pairs {
            assert_eq!(size(bytes), text);
        }
        assert_eq!(size(u64::MAX), "17,179,869,184 GiB");
    }
}
