//! The eviction of a pod, and what the API answers to it.

use ::kube::core::Status;
use serde_json::json;

use super::{Api, KubeError};
use crate::cloud::{Eviction, PodRef};

/// The cause in a 429 that a budget gave. `policyv1.DisruptionBudgetCause` of k8s.io/api.
const BUDGET: &str = "DisruptionBudget";

impl Api {
    /// Asks for the eviction of a pod. The client crate's own request names the options of the deletion wrongly, so that the
    /// API does not see the uid in them.
    pub(super) async fn evicted(&self, pod: &PodRef) -> Result<Eviction, KubeError> {
        let eviction = json!({
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"namespace": pod.namespace, "name": pod.name},
            "deleteOptions": {"preconditions": {"uid": pod.uid}},
        });
        let path = format!(
            "/api/v1/namespaces/{}/pods/{}/eviction",
            pod.namespace, pod.name
        );
        match self.post(&path, &eviction).await {
            Ok(_) => Ok(Eviction::Begun),
            Err(::kube::Error::Api(status)) => {
                answered(&status).ok_or_else(|| KubeError::of_status(status.code, &status.message))
            }
            Err(error) => Err(self.failed(error)),
        }
    }
}

/// What a refusal says of the pod; `None` for one that says something of the request or of the API server.
///
/// pkg/registry/core/pod/storage/eviction.go of kubernetes/kubernetes; apiserver/pkg/admission/plugin/webhook/errors.
fn answered(status: &Status) -> Option<Eviction> {
    let says = status.message.clone();
    let has = |text: &str| says.contains(text);
    match status.code {
        404 => Some(Eviction::Gone),
        // A pod of another uid has its name, or a budget was written in between.
        409 if has("precondition") => Some(Eviction::Gone),
        409 => Some(Eviction::Slower),
        429 => {
            let causes = status.details.iter().flat_map(|details| &details.causes);
            let mut budgets = causes.filter(|cause| cause.reason == BUDGET);
            Some(match budgets.next() {
                Some(cause) if !cause.message.is_empty() => {
                    Eviction::Blocked(cause.message.clone())
                }
                Some(_) => Eviction::Blocked(says),
                None => Eviction::Slower,
            })
        }
        500 if has("more than one PodDisruptionBudget") => Some(Eviction::SeveralBudgets(says)),
        500.. if has("failed calling webhook") => Some(Eviction::Denied(says)),
        // Of RBAC: a right is missing, of the pod it says nothing.
        403 if has("cannot create resource") => None,
        400 | 403 | 422 if has("denied") || has("is forbidden") => Some(Eviction::Denied(says)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    fn of(code: u16, message: &str, details: &Value) -> Option<Eviction> {
        let status =
            json!({"status": "Failure", "code": code, "message": message, "details": details});
        answered(&serde_json::from_value(status).unwrap())
    }

    #[test]
    fn refusal_of_a_budget_has_its_numbers() {
        let cause = "The disruption budget web needs 2 healthy pods and has 2 currently";
        let details = json!({"causes": [{"reason": BUDGET, "message": cause}]});
        let violates = "Cannot evict pod as it would violate the pod's disruption budget.";
        assert_eq!(
            of(429, violates, &details),
            Some(Eviction::Blocked(cause.to_owned()))
        );
        assert_eq!(
            of(429, "too many requests", &json!({})),
            Some(Eviction::Slower)
        );
        let several = "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.";
        assert_eq!(
            of(500, several, &json!({})),
            Some(Eviction::SeveralBudgets(several.to_owned()))
        );
    }

    #[test]
    fn denial_of_a_webhook_differs_from_missing_rights() {
        for (code, says) in [
            (
                403,
                "admission webhook \"keep.example.com\" denied the request: pinned",
            ),
            (
                422,
                "ValidatingAdmissionPolicy 'keep' with binding 'all' denied request: pinned",
            ),
            (
                500,
                "Internal error occurred: failed calling webhook \"keep.example.com\": connection refused",
            ),
        ] {
            assert_eq!(
                of(code, says, &json!({})),
                Some(Eviction::Denied(says.to_owned()))
            );
        }
        let rights = "pods \"a\" is forbidden: User \"ci\" cannot create resource \"pods/eviction\" in API group \"\"";
        assert_eq!(of(403, rights, &json!({})), None);
        assert_eq!(of(500, "etcdserver: request timed out", &json!({})), None);
    }

    #[test]
    fn pod_that_is_gone_or_replaced_is_gone() {
        assert_eq!(
            of(404, "pods \"a\" not found", &json!({})),
            Some(Eviction::Gone)
        );
        let other = "Operation cannot be fulfilled on pods \"a\": the UID in the precondition (1) does not match";
        assert_eq!(of(409, other, &json!({})), Some(Eviction::Gone));
        let written = "Operation cannot be fulfilled on poddisruptionbudgets.policy \"web\": the object has been modified";
        assert_eq!(of(409, written, &json!({})), Some(Eviction::Slower));
    }
}
