//! The tags by which a cluster's resources are found. Others may tell more about a resource; these tell whose it is.

use std::collections::BTreeMap;

use crate::common::tags::TAG_CLUSTER;

/// Who puts a tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tagger {
    /// The cloud controller manager, the EBS CSI driver and our templates.
    Kubernetes,
    /// The AWS Load Balancer Controller.
    LoadBalancerController,
    /// The VPC CNI plugin, on interfaces.
    Cni,
    /// Our stacks.
    Stack,
}

/// On every kind of resource that Kubernetes itself or a stack makes.
pub(super) const USUAL: &[Tagger] = &[Tagger::Kubernetes, Tagger::Stack];
/// On what belongs to load balancers.
pub(super) const OF_BALANCERS: &[Tagger] = &[
    Tagger::Kubernetes,
    Tagger::LoadBalancerController,
    Tagger::Stack,
];
/// On interfaces.
pub(super) const OF_INTERFACES: &[Tagger] = &[Tagger::Kubernetes, Tagger::Cni, Tagger::Stack];
/// On what nothing but stacks makes.
pub(super) const OF_STACKS: &[Tagger] = &[Tagger::Stack];

impl Tagger {
    /// Key and value of its tag on what is a cluster's. The value `shared` under Kubernetes's key says that it is not.
    pub(super) fn tag(self, cluster: &str) -> (String, String) {
        let named = |key: &str| (key.to_owned(), cluster.to_owned());
        match self {
            Self::Kubernetes => (
                format!("kubernetes.io/cluster/{cluster}"),
                "owned".to_owned(),
            ),
            Self::LoadBalancerController => named("elbv2.k8s.aws/cluster"),
            Self::Cni => named("cluster.k8s.amazonaws.com/name"),
            Self::Stack => named(TAG_CLUSTER),
        }
    }
}

/// Whether one of these tags names the cluster.
pub(super) fn are_of(tags: &BTreeMap<String, String>, taggers: &[Tagger], cluster: &str) -> bool {
    taggers.iter().any(|tagger| {
        let (key, value) = tagger.tag(cluster);
        tags.get(&key) == Some(&value)
    })
}
