//! What runs in every cluster beside Kubernetes itself: one chart an addon, pinned by the hash of its
//! archive. The version of the program in it is in the row of the Kubernetes minor. Look-up only.
//!
//! Charts and their sources: `data/addons.json`.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use semver::Version;
use serde::Deserialize;

use super::kubernetes;

/// The addons in the order in which they go into a cluster: without a network no pod of the others
/// starts, and without the cloud controller manager no node takes any.
pub const ORDER: [&str; 6] = [
    CILIUM,
    CLOUD_CONTROLLER_MANAGER,
    COREDNS,
    EBS_CSI,
    METRICS_SERVER,
    CLUSTER_AUTOSCALER,
];

/// The namespace that all of them, and the control plane's own pods, run in. Their pods use the machine
/// (its network, its disks), so Pod Security exempts it, and no grant is made there.
pub const NAMESPACE: &str = "kube-system";

/// The pod network, and services in place of kube-proxy.
pub const CILIUM: &str = "cilium";
/// Nodes and load balancers as AWS has them.
pub const CLOUD_CONTROLLER_MANAGER: &str = "aws-cloud-controller-manager";
/// Names inside the cluster.
pub const COREDNS: &str = "coredns";
/// Volumes for pods.
pub const EBS_CSI: &str = "aws-ebs-csi-driver";
/// Usage of pods and nodes.
pub const METRICS_SERVER: &str = "metrics-server";
/// The size of the node pools.
pub const CLUSTER_AUTOSCALER: &str = "cluster-autoscaler";

#[derive(Deserialize)]
struct Data {
    charts: BTreeMap<String, Chart>,
}

#[derive(Deserialize)]
struct Chart {
    version: String,
    url: String,
    sha256: String,
}

static DATA: LazyLock<Data> =
    LazyLock::new(|| super::table("addons.json", include_str!("data/addons.json")));

/// An addon as a cluster of one Kubernetes minor runs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Addon {
    /// Name of the chart and of its release.
    pub name: &'static str,
    /// Version of the chart.
    pub chart: &'static str,
    /// Version of the program, as the tag of its image: `v1.36.1`.
    pub app: &'static str,
    /// URL of the chart's archive; a mirror serves the same path under its own base.
    pub url: &'static str,
    /// Of the archive, in lower-case hexadecimal.
    pub sha256: &'static str,
}

/// The addons for a Kubernetes version, in [`ORDER`]. `None` for a minor outside the table.
pub fn of(version: &Version) -> Option<Vec<Addon>> {
    let apps = &kubernetes::minor(version)?.addons;
    ORDER
        .into_iter()
        .map(|name| {
            let chart = DATA.charts.get(name)?;
            Some(Addon {
                name,
                chart: &chart.version,
                app: apps.get(name)?,
                url: &chart.url,
                sha256: &chart.sha256,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addons_exist_for_every_kubernetes_version() {
        for version in kubernetes::versions() {
            let found = of(version).unwrap_or_else(|| panic!("no addons for {version}"));
            let names: Vec<_> = found.iter().map(|addon| addon.name).collect();
            assert_eq!(names, ORDER, "{version}");
        }
        assert_eq!(of(&Version::new(1, 20, 0)), None);
    }

    #[test]
    fn addons_tied_to_kubernetes_have_its_minor() {
        for version in kubernetes::versions() {
            for addon in of(version).unwrap() {
                if [CLOUD_CONTROLLER_MANAGER, CLUSTER_AUTOSCALER].contains(&addon.name) {
                    let minor = format!("v{}.{}.", version.major, version.minor);
                    assert!(addon.app.starts_with(&minor), "{version}: {addon:?}");
                }
            }
        }
    }

    #[test]
    fn charts_are_pinned_and_their_urls_name_the_version() {
        for addon in of(kubernetes::newest().unwrap()).unwrap() {
            let digits = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
            assert!(addon.sha256.len() == 64 && addon.sha256.chars().all(digits));
            let file = format!("{}-{}.tgz", addon.name, addon.chart);
            assert!(addon.url.starts_with("https://") && addon.url.ends_with(&file));
            assert!(Version::parse(addon.app.trim_start_matches('v')).is_ok());
        }
    }
}
