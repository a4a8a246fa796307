//! Kubernetes versions that the tool can install, and the files that make them up.
//! A version is in the catalogue when the sha256 of its kubelet is.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use semver::Version;
use serde::Deserialize;

#[derive(Deserialize)]
struct Binaries {
    urls: BTreeMap<String, String>,
    /// Binary, version, architecture (`amd64`, `arm64`) to sha256.
    sha256: BTreeMap<String, BTreeMap<Version, BTreeMap<String, String>>>,
}

static BINARIES: LazyLock<Binaries> = LazyLock::new(|| {
    serde_json::from_str(include_str!("data/node-binaries.json")).unwrap_or_else(|error| {
        unreachable!("node-binaries.json is part of this program and parses: {error}")
    })
});

/// A file from its publisher, pinned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binary {
    /// Upstream address; a mirror serves the same path under its own base.
    pub url: String,
    /// Lower-case hexadecimal.
    pub sha256: &'static str,
}

/// Every Kubernetes version of the catalogue, oldest first.
pub fn versions() -> impl DoubleEndedIterator<Item = &'static Version> {
    BINARIES
        .sha256
        .get("kubelet")
        .into_iter()
        .flat_map(BTreeMap::keys)
}

/// Whether `version` can be installed.
pub fn knows(version: &Version) -> bool {
    versions().any(|known| known == version)
}

/// The newest patch of a minor, `None` for a minor outside the catalogue.
pub fn newest_patch(major: u64, minor: u64) -> Option<&'static Version> {
    versions()
        .rev()
        .find(|known| known.major == major && known.minor == minor)
}

/// The newest version of the catalogue.
pub fn newest() -> Option<&'static Version> {
    versions().next_back()
}

/// One of the files of a node (`kubelet`, `etcd`, `containerd`, …) for an architecture as its
/// publisher spells it (`amd64`, `arm64`). `None` when the catalogue has no hash for it.
pub fn binary(name: &str, version: &Version, architecture: &str) -> Option<Binary> {
    let sha256 = BINARIES.sha256.get(name)?.get(version)?.get(architecture)?;
    let url = BINARIES.urls.get(name)?;
    Some(Binary {
        url: url
            .replace("{version}", &version.to_string())
            .replace("{arch}", architecture),
        sha256,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_patch_of_a_minor_is_found() {
        assert_eq!(newest_patch(1, 36), Some(&Version::new(1, 36, 4)));
        assert_eq!(newest_patch(1, 35), Some(&Version::new(1, 35, 8)));
        assert_eq!(newest_patch(1, 20), None);
        assert!(!knows(&Version::new(1, 36, 99)));
    }

    #[test]
    fn a_binary_has_its_address_and_hash() {
        let kubelet = binary("kubelet", &Version::new(1, 36, 4), "arm64").unwrap();
        assert_eq!(
            kubelet.url,
            "https://dl.k8s.io/release/v1.36.4/bin/linux/arm64/kubelet"
        );
        assert_eq!(kubelet.sha256.len(), 64);
    }

    #[test]
    fn every_version_has_all_three_kubernetes_binaries_on_both_architectures() {
        for version in versions() {
            for name in ["kubelet", "kubeadm", "kubectl"] {
                for architecture in ["amd64", "arm64"] {
                    assert!(
                        binary(name, version, architecture).is_some(),
                        "{name} {version} {architecture}"
                    );
                }
            }
        }
    }
}
