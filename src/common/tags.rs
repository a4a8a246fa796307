//! Names of the tags by which the tool finds its own resources, and of the labels of its nodes. Templates and node programs
//! name the same ones.

/// Tag on every stack, and through it on every resource, that names its cluster.
pub const TAG_CLUSTER: &str = "kube-cfn/cluster";
/// Tag on every stack, and through it on every resource, that names its kind (`base`, `pool-workers`).
pub const TAG_STACK: &str = "kube-cfn/stack";
/// Tag on an instance that a roll takes out of its group, with the group's name; and annotation of a node that a roll cordons.
pub const TAG_ROLL: &str = "kube-cfn/roll";
/// The label of a node that says which pool it belongs to; the kubelet sets it as the node joins.
pub const POOL_LABEL: &str = "kube-cfn/pool";
/// The label of a node that says which slot of the control plane it fills, by its zone's letter.
pub const SLOT_LABEL: &str = "kube-cfn/slot";
