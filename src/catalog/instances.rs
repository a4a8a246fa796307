//! EC2 instance types: architecture and size.
//! Source and date of the figures are in `data/instance-types.json`.

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

/// What kubeadm asks of a control-plane machine: two CPUs and about 2 GiB.
pub const CONTROL_PLANE_VCPU: u32 = 2;
pub const CONTROL_PLANE_MIB: u32 = 2048;
/// What a node needs: the system itself (kubelet and system reservations) takes 700 MiB of it.
pub const NODE_MIB: u32 = 1024;

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

/// The figures of an instance type, `None` for one outside the catalogue.
pub fn find(name: &str) -> Option<&'static InstanceType> {
    TABLE.types.get(name)
}

/// Every instance type of the catalogue by name.
pub fn names() -> impl Iterator<Item = &'static str> {
    TABLE.types.keys().map(String::as_str)
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
    }
}
