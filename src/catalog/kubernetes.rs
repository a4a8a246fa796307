//! Kubernetes versions that the tool can install, the files that make them up, and what goes with
//! each minor. A version is in the catalogue when the sha256 of its kubelet is. All that belongs to a
//! minor is one row of `data/kubernetes-minors.json`.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use semver::Version;
use serde::Deserialize;

#[derive(Deserialize)]
struct Binaries {
    urls: BTreeMap<String, String>,
    /// Of the binaries with versions of their own: name, version.
    sha256: BTreeMap<String, BTreeMap<Version, Hashes>>,
}

/// Architecture (`amd64`, `arm64`) to sha256.
type Hashes = BTreeMap<String, String>;

static BINARIES: LazyLock<Binaries> = LazyLock::new(|| {
    super::table(
        "node-binaries.json",
        include_str!("data/node-binaries.json"),
    )
});

/// What goes with a minor of Kubernetes.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Minor {
    /// Tag of the etcd image: ours to say, since kubeadm's own moves with its patch. Nothing to do
    /// with the version of etcdctl, which is a download.
    pub etcd: String,
    /// Image of the container that holds a pod's namespaces.
    pub pause: String,
    /// Kernel of the machine image.
    pub kernel: String,
    /// Whether it runs pods with a volume of the kind `gitRepo`.
    #[serde(default = "yes", rename = "gitRepo")]
    pub git_repo: bool,
    /// Addon to the version of its program, as its image tag has it.
    pub addons: BTreeMap<String, String>,
    /// Exact version, binary.
    binaries: BTreeMap<Version, BTreeMap<String, Hashes>>,
}

const fn yes() -> bool {
    true
}

impl Minor {
    /// The version of etcd: its tag without the number of the image's build.
    pub fn etcd_version(&self) -> &str {
        self.etcd
            .split_once('-')
            .map_or(&self.etcd, |(version, _)| version)
    }
}

#[derive(Deserialize)]
struct Minors {
    /// Where the rows come from.
    #[serde(rename = "source")]
    _source: String,
    #[serde(flatten)]
    rows: BTreeMap<String, Minor>,
}

static MINORS: LazyLock<Minors> = LazyLock::new(|| {
    super::table(
        "kubernetes-minors.json",
        include_str!("data/kubernetes-minors.json"),
    )
});

/// The row of the minor of `version`; every version of the catalogue has one.
pub fn minor(version: &Version) -> Option<&'static Minor> {
    MINORS
        .rows
        .get(&format!("{}.{}", version.major, version.minor))
}

/// A file from its publisher, pinned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binary {
    /// Upstream address; a mirror serves the same path under its own base.
    pub url: String,
    /// Lower-case hexadecimal.
    pub sha256: &'static str,
}

static VERSIONS: LazyLock<Vec<&Version>> = LazyLock::new(|| {
    let all = MINORS.rows.values().flat_map(|row| &row.binaries);
    let mut versions: Vec<_> = all
        .filter(|(_, binaries)| binaries.contains_key("kubelet"))
        .map(|(version, _)| version)
        .collect();
    versions.sort();
    versions
});

/// Every Kubernetes version of the catalogue, oldest first.
pub fn versions() -> impl DoubleEndedIterator<Item = &'static Version> {
    VERSIONS.iter().copied()
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
    let of_minor = minor(version).and_then(|row| row.binaries.get(version)?.get(name));
    let hashes = of_minor.or_else(|| BINARIES.sha256.get(name)?.get(version))?;
    let sha256 = hashes.get(architecture)?;
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
    fn newest_patch_of_a_minor() {
        assert_eq!(newest_patch(1, 36), Some(&Version::new(1, 36, 4)));
        assert_eq!(newest_patch(1, 35), Some(&Version::new(1, 35, 8)));
        assert_eq!(newest_patch(1, 20), None);
        assert!(!knows(&Version::new(1, 36, 99)));
    }

    #[test]
    fn build_of_an_image_is_no_part_of_the_version_of_etcd() {
        let row = minor(&Version::new(1, 36, 4)).unwrap();
        assert_eq!(row.etcd, "3.6.11-0");
        assert_eq!(row.etcd_version(), "3.6.11");
    }

    /// The tags of `registry.k8s.io/etcd` that are known to exist: kubernetes PR 138746.
    const ETCD_TAGS: [&str; 1] = ["3.6.11-0"];

    /// The version of etcd in a tag such as `3.6.11-0`.
    fn etcd(tag: &str) -> Version {
        let (version, revision) = tag.rsplit_once('-').unwrap();
        revision.parse::<u32>().unwrap();
        version.parse().unwrap()
    }

    /// What is wrong with the etcd tags of a table of minors, if anything is.
    fn wrong(table: &[(u64, &str)], known: &[&str]) -> Option<String> {
        for (minor, tag) in table {
            if !known.contains(tag) {
                return Some(format!("1.{minor}: {tag} is not published"));
            }
            // Every member has to be there before one of them may be 3.7.
            if etcd(tag) < Version::new(3, 6, 11) {
                return Some(format!("1.{minor}: no way from {tag} to 3.7"));
            }
        }
        let minor_of = |tag: &str| (etcd(tag).major, etcd(tag).minor);
        let moves = |pair: &&[(u64, &str)]| minor_of(pair[0].1) != minor_of(pair[1].1);
        let pair = table.windows(2).find(moves)?;
        Some(format!(
            "1.{} to 1.{} moves etcd's minor",
            pair[0].0, pair[1].0
        ))
    }

    #[test]
    fn every_version_has_a_minor_row() {
        for version in versions() {
            assert!(minor(version).is_some(), "{version}");
        }
        for (name, row) in &MINORS.rows {
            let own = |version: &Version| name == &format!("{}.{}", version.major, version.minor);
            assert!(row.binaries.keys().all(own), "{name}");
        }
        assert!(minor(&Version::new(1, 20, 0)).is_none());
    }

    #[test]
    fn etcd_minor_never_moves_with_a_kubernetes_minor() {
        let rows = MINORS.rows.iter();
        let number = |name: &str| name.split_once('.').unwrap().1.parse().unwrap();
        let mut table: Vec<_> = rows
            .map(|(name, row)| (number(name), row.etcd.as_str()))
            .collect();
        table.sort_unstable();
        assert_eq!(wrong(&table, &ETCD_TAGS), None);
    }

    #[test]
    fn etcd_rules_are_checked_in_the_table() {
        let known = ["3.6.8-0", "3.6.11-0", "3.6.14-0", "3.7.1-0"];
        for (table, found) in [
            ([(36, "3.6.11-0"), (37, "3.6.14-0")], None),
            (
                [(36, "3.6.11-0"), (37, "3.7.1-0")],
                Some("1.36 to 1.37 moves etcd's minor"),
            ),
            (
                [(36, "3.6.8-0"), (37, "3.6.11-0")],
                Some("1.36: no way from 3.6.8-0 to 3.7"),
            ),
            (
                [(36, "3.6.11-0"), (37, "3.6.12-0")],
                Some("1.37: 3.6.12-0 is not published"),
            ),
        ] {
            assert_eq!(wrong(&table, &known).as_deref(), found);
        }
    }

    #[test]
    fn binary_has_url_and_hash() {
        let kubelet = binary("kubelet", &Version::new(1, 36, 4), "arm64").unwrap();
        assert_eq!(
            kubelet.url,
            "https://dl.k8s.io/release/v1.36.4/bin/linux/arm64/kubelet"
        );
        assert_eq!(kubelet.sha256.len(), 64);
    }

    #[test]
    fn binaries_exist_for_every_version_and_architecture() {
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
