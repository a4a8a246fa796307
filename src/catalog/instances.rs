//! EC2 instance types: architecture, size, hypervisor. Sources and dates of the figures are in
//! `data/instance-types.json` (with prices) and `data/instance-families.json` (without).

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Table {
    /// Where the prices are from.
    region: String,
    /// The day of the prices, `2026-07-20`.
    priced_on: String,
    types: BTreeMap<String, InstanceType>,
}

/// Families without prices.
#[derive(Deserialize)]
struct Families {
    families: BTreeMap<String, Family>,
}

#[derive(Deserialize)]
struct Family {
    arch: String,
    #[serde(default)]
    xen: bool,
    /// vCPU and MiB of each size.
    sizes: BTreeMap<String, (u32, u32)>,
}

/// What an instance runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hypervisor {
    /// EBS volumes are NVMe devices; so they are on bare metal.
    Nitro,
    /// EBS volumes are `/dev/xvd*`, without a name that holds the id of the volume.
    Xen,
}

/// What is known of an instance type.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InstanceType {
    /// `arm64` or `x86_64`; `None` where only the price is known.
    pub arch: Option<String>,
    pub vcpu: Option<u32>,
    #[serde(rename = "memoryMiB")]
    pub memory_mib: Option<u32>,
    /// US dollars an hour on demand with Linux, in the region of [`priced`].
    pub usd_per_hour: Option<f64>,
}

/// Where and when the prices of the catalogue were asked: region and day.
pub fn priced() -> (&'static str, &'static str) {
    (&TABLE.region, &TABLE.priced_on)
}

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    super::table(
        "instance-types.json",
        include_str!("data/instance-types.json"),
    )
});

static FAMILIES: LazyLock<BTreeMap<String, Family>> = LazyLock::new(|| {
    let table: Families = super::table(
        "instance-families.json",
        include_str!("data/instance-families.json"),
    );
    table.families
});

/// Every type of both tables.
static TYPES: LazyLock<BTreeMap<String, InstanceType>> = LazyLock::new(|| {
    let unpriced = FAMILIES.iter().flat_map(|(name, family)| {
        let known = family.sizes.iter();
        known.map(move |(size, (vcpu, memory))| {
            let known = InstanceType {
                arch: Some(family.arch.clone()),
                vcpu: Some(*vcpu),
                memory_mib: Some(*memory),
                usd_per_hour: None,
            };
            (format!("{name}.{size}"), known)
        })
    });
    let priced = TABLE.types.iter();
    let priced = priced.map(|(name, known)| (name.clone(), known.clone()));
    unpriced.chain(priced).collect()
});

/// Families on Xen that AWS lists as such and the tables do not have any more.
const OTHER_XEN: [&str; 11] = [
    "cc2", "cg1", "cr1", "f1", "g2", "g3", "g3s", "hi1", "hs1", "p2", "p3",
];

/// The figures of an instance type, `None` for one outside the catalogue.
pub fn find(name: &str) -> Option<&'static InstanceType> {
    TYPES.get(name)
}

/// Every instance type of the catalogue by name.
pub fn names() -> impl Iterator<Item = &'static str> {
    TYPES.keys().map(String::as_str)
}

/// What the instances of a type run on. No new family is on Xen: one outside the catalogue is on Nitro.
pub fn hypervisor(name: &str) -> Hypervisor {
    let (family, size) = name.split_once('.').unwrap_or((name, ""));
    let listed = FAMILIES.get(family).is_some_and(|known| known.xen);
    if (listed || OTHER_XEN.contains(&family)) && !is_metal(size) {
        Hypervisor::Xen
    } else {
        Hypervisor::Nitro
    }
}

/// Whether a size is bare metal: the tables leave those out.
fn is_metal(size: &str) -> bool {
    size.starts_with("metal")
}

/// Whether the catalogue knows the size of a type, or knows that it is bare metal of a known family: whatever else
/// has to be looked up.
pub fn is_known(name: &str) -> bool {
    let metal = |(family, size)| is_metal(size) && knows_family(family);
    find(name).is_some() || name.split_once('.').is_some_and(metal)
}

/// Whether the catalogue has any type of this family (`m7g` of `m7g.large`).
pub fn knows_family(family: &str) -> bool {
    names().any(|name| name.split('.').next() == Some(family))
}

/// `arm64` or `x86_64`: from the catalogue, else from AWS's naming rule (a `g` after the generation
/// is Graviton). `None` for what is not `family.size`.
pub fn architecture(name: &str) -> Option<&'static str> {
    if let Some(arch) = find(name).and_then(|known| known.arch.as_deref()) {
        return Some(arch);
    }
    let (family, size) = name.split_once('.')?;
    let generation = family.find(|c: char| c.is_ascii_digit())?;
    if generation == 0 || size.is_empty() {
        return None;
    }
    let options = family[generation..].trim_start_matches(|c: char| c.is_ascii_digit());
    let graviton = family == "a1" || options.split('-').next().is_some_and(|o| o.contains('g'));
    Some(if graviton { "arm64" } else { "x86_64" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instance_architecture_follows_the_type_name() {
        for name in names() {
            let known = find(name).and_then(|t| t.arch.clone());
            let (family, size) = name.split_once('.').unwrap();
            let unknown_size = format!("{family}.{size}x");
            if let Some(known) = known {
                assert_eq!(architecture(&unknown_size), Some(known.as_str()), "{name}");
            }
        }
    }

    #[test]
    fn invalid_instance_type_has_no_architecture() {
        assert_eq!(architecture("large"), None);
        assert_eq!(architecture("m7g."), None);
        assert_eq!(architecture("7.large"), None);
        assert_eq!(architecture("g5g.xlarge"), Some("arm64"));
        assert_eq!(architecture("g5.xlarge"), Some("x86_64"));
        assert_eq!(architecture("u-6tb1.56xlarge"), Some("x86_64"));
    }

    #[test]
    fn old_families_are_on_xen_but_not_their_bare_metal() {
        for name in [
            "t2.medium",
            "m4.large",
            "i3.large",
            "p3.2xlarge",
            "x1e.xlarge",
        ] {
            assert_eq!(hypervisor(name), Hypervisor::Xen, "{name}");
        }
        for name in [
            "i3.metal",
            "t3.medium",
            "m7g.large",
            "i3en.large",
            "m99.large",
        ] {
            assert_eq!(hypervisor(name), Hypervisor::Nitro, "{name}");
        }
    }

    #[test]
    fn type_outside_the_tables_is_not_known() {
        for name in ["t2.micro", "m7g.large", "m7g.metal", "c6gd.medium"] {
            assert!(is_known(name), "{name}");
        }
        for name in ["m99.large", "m99.metal", "m7g.huge"] {
            assert!(!is_known(name), "{name}");
        }
        assert_eq!(
            find("t2.micro").and_then(|known| known.memory_mib),
            Some(1024)
        );
        assert_eq!(find("t2.micro").and_then(|known| known.usd_per_hour), None);
    }
}
