//! Which files make up a node, and where it gets them.
//! The versions beside Kubernetes move with this program, so every cluster of a version runs the same.

use semver::Version;
use serde::Serialize;

use super::{NodeError, Role};
use crate::catalog::kubernetes;
use crate::spec::Architecture;

/// 2.3.0 to 2.3.3 fail on a pause image that is pinned by digest; 2.3 has support until April 2028.
const CONTAINERD: Version = Version::new(2, 3, 4);
const RUNC: Version = Version::new(1, 4, 3);
const CNI_PLUGINS: Version = Version::new(1, 9, 1);
/// etcdctl and etcdutl alone: the members' image is named by the catalogue's row of the Kubernetes minor.
const ETCD: Version = Version::new(3, 6, 14);

/// Puts the addons in place.
const HELM: Version = Version::new(3, 18, 4);

/// Answers the kubelet's question for a login to ECR; its API has been stable since 1.26, whatever the kubelet's version.
const ECR_CREDENTIAL_PROVIDER: Version = Version::new(1, 31, 7);

/// A file that a node downloads and checks before use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Pinned {
    pub name: &'static str,
    pub version: String,
    pub url: String,
    /// Lower-case hexadecimal.
    pub sha256: &'static str,
}

/// The files of a node, sorted by name. `mirror` serves the publishers' paths under its own base.
pub fn of(
    version: &Version,
    architecture: Architecture,
    role: Role,
    mirror: Option<&str>,
) -> Result<Vec<Pinned>, NodeError> {
    let mut wanted = vec![
        ("cni-plugins", CNI_PLUGINS),
        ("containerd", CONTAINERD),
        ("crictl", Version::new(version.major, version.minor, 0)),
        ("ecr-credential-provider", ECR_CREDENTIAL_PROVIDER),
        ("kubelet", version.clone()),
        ("runc", RUNC),
    ];
    if matches!(role, Role::ControlPlane) {
        wanted.extend([
            ("etcd", ETCD),
            ("helm", HELM),
            ("kubeadm", version.clone()),
            ("kubectl", version.clone()),
        ]);
    }
    wanted.sort();
    wanted
        .into_iter()
        .map(|(name, version)| pin(name, &version, architecture.download_name(), mirror))
        .collect()
}

fn pin(
    name: &'static str,
    version: &Version,
    architecture: &'static str,
    mirror: Option<&str>,
) -> Result<Pinned, NodeError> {
    let known = kubernetes::binary(name, version, architecture).ok_or_else(|| {
        NodeError::UnknownBinary {
            name,
            version: version.to_string(),
            architecture,
        }
    })?;
    Ok(Pinned {
        name,
        version: version.to_string(),
        url: mirror.map_or_else(|| known.url.clone(), |base| mirrored(base, &known.url)),
        sha256: known.sha256,
    })
}

/// The path of `url` under `base`.
pub(super) fn mirrored(base: &str, url: &str) -> String {
    let path = url
        .split_once("://")
        .and_then(|(_, rest)| rest.split_once('/'))
        .map_or(url, |(_, path)| path);
    format!("{}/{path}", base.trim_end_matches('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn binaries_of_every_version_exist_for_both_architectures() {
        for version in kubernetes::versions() {
            for architecture in [Architecture::Arm64, Architecture::X86_64] {
                let found = of(version, architecture, Role::ControlPlane, None).unwrap();
                let names: Vec<_> = found.iter().map(|pinned| pinned.name).collect();
                let want = [
                    "cni-plugins",
                    "containerd",
                    "crictl",
                    "ecr-credential-provider",
                    "etcd",
                    "helm",
                    "kubeadm",
                    "kubectl",
                    "kubelet",
                    "runc",
                ];
                assert_eq!(names, want, "{version} {architecture}");
            }
        }
    }

    #[test]
    fn mirror_serves_the_same_path_and_hash() {
        let version = Version::new(1, 36, 4);
        let base = "https://mirror.example.com/k8s/";
        let of = |mirror| of(&version, Architecture::Arm64, Role::ControlPlane, mirror).unwrap();
        let (upstream, mirrored) = (of(None), of(Some(base)));
        for (a, b) in upstream.iter().zip(&mirrored) {
            assert_eq!(a.sha256, b.sha256);
            assert!(
                b.url.starts_with("https://mirror.example.com/k8s/"),
                "{}",
                b.url
            );
            let path = b.url.trim_start_matches(base);
            assert!(
                a.url.ends_with(path) && !path.is_empty(),
                "{} {}",
                a.url,
                b.url
            );
        }
    }

    #[test]
    fn unknown_version_is_named() {
        let version = Version::new(1, 36, 99);
        let error = of(&version, Architecture::Arm64, Role::ControlPlane, None).unwrap_err();
        assert!(
            error.to_string().contains("kubeadm 1.36.99 for arm64"),
            "{error}"
        );
    }
}
