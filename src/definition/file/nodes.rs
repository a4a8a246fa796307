//! The sections `controlPlane` and `pools` of the file.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::forms;
use crate::spec::{Spread, Taint};

/// The machines that run etcd and the API servers.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ControlPlaneFile {
    /// 3 survive the loss of a zone, 1 is for clusters that may pause. One a zone, with
    /// a fixed address and an etcd volume that the next machine takes over.
    #[schemars(range(min = 1, max = 3))]
    pub nodes: u32,

    /// Instance type with 2 vCPU and 2 GiB or more, on AWS Nitro.
    #[schemars(
        regex(pattern = r"^[a-z][a-z0-9-]*[0-9][a-z0-9-]*\.[a-z0-9-]+$"),
        extend("patternErrorMessage" = "expected an instance type"),
        example = &"t4g.medium"
    )]
    pub instance_type: String,

    /// Root volume in GiB.
    #[schemars(range(min = 20, max = 1000))]
    pub volume_gib: u32,

    /// Encrypted volume for etcd in GiB. It outlives its machine; it can grow, never shrink.
    #[schemars(range(min = 10, max = 100))]
    pub etcd_volume_gib: u32,
}

impl Default for ControlPlaneFile {
    fn default() -> Self {
        Self {
            // One fewer and a lost zone is a lost API.
            nodes: 3,
            // 2 vCPU and 4 GiB carry the API of some 50 nodes; burst credits cover an upgrade.
            instance_type: "t4g.medium".to_owned(),
            // Image, container images of the control plane, a week of audit log.
            volume_gib: 30,
            // etcd is held to 4 GiB; the rest is for defragmenting and snapshots.
            etcd_volume_gib: 20,
        }
    }
}

/// A node pool: one launch template and one Auto Scaling group, or one a zone.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PoolFile {
    /// Name of the pool, unique in the cluster. Renaming makes a new pool.
    #[schemars(
        regex(pattern = r"^[a-z]([a-z0-9-]*[a-z0-9])?$"),
        extend("patternErrorMessage" = "expected lower-case letters, digits and single dashes, a letter first"),
        example = &"workers"
    )]
    pub name: String,

    /// Instance types of one architecture, in order of preference. A spot pool wants several. Left out,
    /// `m7g.large`; `m6g.large` in regions that do not have it.
    #[schemars(length(min = 1, max = 20), with = "Vec<forms::InstanceType>")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance_types: Option<Vec<String>>,

    /// Fewest nodes.
    #[schemars(range(min = 0, max = 1000))]
    #[serde(default = "PoolFile::default_min")]
    pub min: u32,

    /// Most nodes, for the autoscaler. Left out, the same as `min`: a pool of fixed size.
    #[schemars(range(min = 0, max = 1000))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<u32>,

    /// Share of spot instances above `onDemandBase`, in percent. Spot is cheaper and may go away
    /// within two minutes.
    #[schemars(range(min = 0, max = 100))]
    #[serde(default)]
    pub spot_percent: u32,

    /// Nodes that are on-demand whatever `spotPercent` says.
    #[schemars(range(min = 0, max = 1000))]
    #[serde(default)]
    pub on_demand_base: u32,

    /// Labels of the nodes.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,

    /// Taints of the nodes: they keep pods away that do not tolerate them.
    #[schemars(length(max = 20))]
    #[serde(default)]
    pub taints: Vec<Taint>,

    /// Root volume in GiB.
    #[schemars(range(min = 20, max = 16384))]
    #[serde(default = "PoolFile::default_volume")]
    pub volume_gib: u32,

    /// How the nodes are spread over the zones.
    #[serde(default = "PoolFile::default_spread")]
    pub spread: Spread,
}

impl PoolFile {
    /// A pool with every default.
    pub fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            instance_types: None,
            min: Self::default_min(),
            max: None,
            spot_percent: 0,
            on_demand_base: 0,
            labels: BTreeMap::new(),
            taints: Vec::new(),
            volume_gib: Self::default_volume(),
            spread: Self::default_spread(),
        }
    }

    /// A node can be replaced while its pods run on the other.
    fn default_min() -> u32 {
        2
    }

    /// Container images and emptyDir volumes of a node full of pods.
    fn default_volume() -> u32 {
        50
    }

    /// One group fails over between zones by itself.
    fn default_spread() -> Spread {
        Spread::Regional
    }
}
