//! The stable codes of what is refused or blocked: in JSON, on the screen and in docs/refusals.md. A code that was
//! released keeps its text and its meaning.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Makes the codes, their texts and the list of them of one table.
macro_rules! codes {
    ($($(#[$doc:meta])* $code:ident = $text:literal,)+) => {
        /// Why something is refused or blocked.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum Code {
            $($(#[$doc])* #[serde(rename = $text)] $code,)+
        }

        impl Code {
            /// Every code.
            pub const ALL: &'static [Self] = &[$(Self::$code),+];

            /// The code in lower case with dashes.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$code => $text,)+
                }
            }
        }
    };
}

codes! {
    /// The API would get another address.
    ApiAddress = "api-address",
    /// Machines of a pool would get another architecture.
    Architecture = "architecture",
    /// Authorities are encrypted under a key that is not the cluster's.
    AuthoritiesKey = "authorities-key",
    /// Authorities of a living cluster are missing.
    AuthoritiesLost = "authorities-lost",
    /// The cluster's key can't be used.
    ClusterKey = "cluster-key",
    /// A new cluster's name gives another cluster too much.
    ClusterName = "cluster-name",
    /// Another number of control-plane nodes.
    ControlPlaneNodes = "control-plane-nodes",
    /// Data would be lost that nobody has named.
    DataLoss = "data-loss",
    /// An older version of the database's engine.
    EngineDowngrade = "engine-downgrade",
    /// Another major version of the database's engine.
    EngineMajor = "engine-major",
    /// A version of the database's engine that RDS creates no database of any more.
    EngineRetired = "engine-version-retired",
    /// The lock file lacks a machine image.
    ImageNotLocked = "image-not-locked",
    /// Another Kubernetes version than runs.
    KubernetesVersion = "kubernetes-version",
    /// Nobody knows which Kubernetes version runs.
    KubernetesVersionUnknown = "kubernetes-version-unknown",
    /// New machines would be of a type that can't be a node.
    MachineUnfit = "machine-unfit",
    /// More machines of a pool run than its new maximum allows.
    MaxBelowRunning = "max-below-running",
    /// Another range of the VPC.
    NetworkCidr = "network-cidr",
    /// Machines would move between public and private subnets.
    NodeSubnets = "node-subnets",
    /// Something outside the stacks could not be looked for.
    NotLookedFor = "not-looked-for",
    /// Not looked at, because the plan is refused for another reason.
    PlanRefused = "plan-refused",
    /// Another range of pod addresses.
    PodCidr = "pod-cidr",
    /// The groups of a pool would be replaced by others.
    PoolSpread = "pool-spread",
    /// A pool whose version fits neither the control plane's nor this program.
    PoolVersion = "pool-version",
    /// A check before the first stack found what AWS would refuse.
    Preflight = "preflight",
    /// The definition or the stack protects the cluster from deletion.
    Protected = "protected",
    /// What is to be deleted is locked, or the caller may not remove it.
    RemovalBlocked = "removal-blocked",
    /// A resource was deleted outside CloudFormation.
    ResourceGone = "resource-gone",
    /// Another range of service addresses.
    ServiceCidr = "service-cidr",
    /// A stack of a kind that this version does not know.
    StackKind = "stack-kind",
    /// The status of a stack needs manual action.
    StackStatus = "stack-status",
    /// Less storage of the database.
    StorageShrink = "storage-shrink",
    /// Storage of the database that grows by less than RDS's least step.
    StorageStep = "storage-step",
    /// Pools would grow beyond the addresses of their subnets.
    SubnetsTooSmall = "subnets-too-small",
    /// CloudFormation refused the template.
    TemplateRefused = "template-refused",
    /// What the cluster has can't be read, so it can't be compared.
    ValuesUnknown = "values-unknown",
    /// A smaller volume.
    VolumeShrink = "volume-shrink",
    /// Volumes that are to be kept could not be protected.
    VolumesNotKept = "volumes-not-kept",
    /// Other zones, or another order of them.
    Zones = "zones",
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The codes in the first column of the paper's table.
    fn documented() -> Vec<&'static str> {
        let paper = include_str!("../../docs/refusals.md");
        let rows = paper.lines().filter_map(|line| line.strip_prefix("| `"));
        rows.filter_map(|row| Some(row.split_once('`')?.0))
            .collect()
    }

    #[test]
    fn every_code_is_documented_once() {
        let codes: Vec<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(
            documented(),
            codes,
            "docs/refusals.md has them in this order"
        );
        assert!(codes.is_sorted());
    }

    #[test]
    fn code_is_read_as_it_is_written() {
        for code in Code::ALL {
            let text = serde_json::to_string(code).unwrap();
            assert_eq!(text, format!("\"{code}\""));
            assert_eq!(serde_json::from_str::<Code>(&text).unwrap(), *code);
        }
    }
}
