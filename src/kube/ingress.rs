//! Ingresses as the AWS Load Balancer Controller sees them: which load balancers belong to each.
//!
//! Load balancers are asked about by the controller's tag `ingress.k8s.aws/stack`: `NAMESPACE/NAME` of an Ingress with one of
//! its own, the name of a group of Ingresses that share one. The verb that this needs: `list` of ingresses.

use ::kube::api::ListParams;
use k8s_openapi::api::networking::v1 as networking;

use super::storage::ObjectState;
use super::{Api, KubeError};

/// The annotation that puts an Ingress into a group. A class can do so too: then only the finalizer says it.
const GROUP: &str = "alb.ingress.kubernetes.io/group.name";
/// The controller sets a finalizer before it makes the load balancer of a group, and takes it away when the Ingress has none
/// there any more: this with the group's name behind it, the other one for an Ingress without a group
/// (`pkg/ingress/finalizer.go` of kubernetes-sigs/aws-load-balancer-controller).
const OF_GROUP: &str = "group.ingress.k8s.aws/";
const OF_ITSELF: &str = "ingress.k8s.aws/resources";

/// An Ingress.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IngressObject {
    pub object: ObjectState,
    /// What the tag says of load balancers that it has or may have: its own `NAMESPACE/NAME`, names of groups. Never empty.
    pub stacks: Vec<String>,
}

impl Api {
    /// Every Ingress, also those of other controllers.
    pub async fn ingresses(&self) -> Result<Vec<IngressObject>, KubeError> {
        let typed = self.everywhere::<networking::Ingress>();
        let found = self.all(&typed, ListParams::default()).await?;
        Ok(found.into_iter().map(Into::into).collect())
    }
}

impl From<networking::Ingress> for IngressObject {
    fn from(found: networking::Ingress) -> Self {
        let object = ObjectState::of(&found.metadata);
        let notes = found.metadata.annotations.unwrap_or_default();
        let named = notes.get(GROUP).filter(|name| !name.is_empty());
        let held = object.finalizers.iter();
        let held = held.filter_map(|one| one.strip_prefix(OF_GROUP));
        let mut stacks: Vec<String> = held.map(str::to_owned).collect();
        stacks.extend(named.cloned());
        // Only an annotation says for sure that it is to have none of its own.
        if named.is_none() || object.finalizers.iter().any(|one| one == OF_ITSELF) {
            stacks.push(object.path());
        }
        stacks.sort();
        stacks.dedup();
        Self { object, stacks }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn stacks(annotations: &Value, finalizers: &Value) -> Vec<String> {
        let found = json!({"metadata": {"namespace": "web", "name": "shop",
            "annotations": annotations, "finalizers": finalizers}});
        let found: networking::Ingress = serde_json::from_value(found).unwrap();
        IngressObject::from(found).stacks
    }

    #[test]
    fn ingress_without_a_group_has_a_load_balancer_of_its_own() {
        assert_eq!(stacks(&json!({}), &json!([])), ["web/shop"]);
        assert_eq!(stacks(&json!({GROUP: ""}), &json!([])), ["web/shop"]);
        assert_eq!(stacks(&json!({}), &json!([OF_ITSELF])), ["web/shop"]);
    }

    #[test]
    fn group_is_named_by_an_annotation_or_by_the_finalizer() {
        let edge = json!({GROUP: "edge"});
        assert_eq!(stacks(&edge, &json!([])), ["edge"]);
        let of_edge = format!("{OF_GROUP}edge");
        assert_eq!(stacks(&edge, &json!([of_edge])), ["edge"]);
        // A class named the group.
        assert_eq!(stacks(&json!({}), &json!([of_edge])), ["edge", "web/shop"]);
    }

    #[test]
    fn ingress_that_leaves_a_group_has_both_until_the_finalizer_is_gone() {
        let of_old = format!("{OF_GROUP}old");
        let moved = json!({GROUP: "edge"});
        assert_eq!(stacks(&moved, &json!([of_old])), ["edge", "old"]);
        assert_eq!(stacks(&moved, &json!([OF_ITSELF])), ["edge", "web/shop"]);
    }
}
