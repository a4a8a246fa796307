//! `PodDisruptionBudgets` as they are read.

use ::kube::api::ListParams;
use k8s_openapi::api::policy::v1 as policy;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;

use super::{Api, KubeError};
use crate::cloud::{Budget, Expression, Selector};

impl Api {
    /// Every budget that selects pods.
    pub(super) async fn disruption_budgets(&self) -> Result<Vec<Budget>, KubeError> {
        let typed = self.everywhere::<policy::PodDisruptionBudget>();
        let found = self.reduced(&typed, ListParams::default(), budget).await?;
        Ok(found.into_iter().flatten().collect())
    }
}

/// None for one without a selector: it selects nothing.
fn budget(found: policy::PodDisruptionBudget) -> Option<Budget> {
    let selector = selector(found.spec?.selector?);
    let status = found.status.unwrap_or_default();
    Some(Budget {
        namespace: found.metadata.namespace.unwrap_or_default(),
        name: found.metadata.name.unwrap_or_default(),
        selector,
        allowed: status.disruptions_allowed.into(),
        healthy: status.current_healthy.into(),
        desired_healthy: status.desired_healthy.into(),
        expected: status.expected_pods.into(),
    })
}

fn selector(found: LabelSelector) -> Selector {
    let expressions = found.match_expressions.unwrap_or_default();
    let expression = expressions.into_iter().filter_map(|one| {
        let values = one.values.unwrap_or_default();
        match one.operator.as_str() {
            "In" => Some(Expression::In(one.key, values)),
            "NotIn" => Some(Expression::NotIn(one.key, values)),
            "Exists" => Some(Expression::Exists(one.key)),
            "DoesNotExist" => Some(Expression::DoesNotExist(one.key)),
            // The API server takes no other.
            _ => None,
        }
    });
    Selector {
        labels: found.match_labels.unwrap_or_default(),
        expressions: expression.collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn of(object: Value) -> Option<Budget> {
        budget(serde_json::from_value(object).unwrap())
    }

    #[test]
    fn budget_has_its_numbers_and_its_selector() {
        let found = of(json!({
            "metadata": {"namespace": "shop", "name": "web"},
            "spec": {"minAvailable": 2, "selector": {"matchLabels": {"app": "web"},
                "matchExpressions": [{"key": "tier", "operator": "NotIn", "values": ["test"]}]}},
            "status": {"disruptionsAllowed": 1, "currentHealthy": 3, "desiredHealthy": 2, "expectedPods": 3},
        }));
        let found = found.unwrap();
        assert_eq!(
            (found.namespace.as_str(), found.name.as_str()),
            ("shop", "web")
        );
        let numbers = (
            found.allowed,
            found.healthy,
            found.desired_healthy,
            found.expected,
        );
        assert_eq!(numbers, (1, 3, 2, 3));
        assert_eq!(found.selector.labels["app"], "web");
        let wanted = Expression::NotIn("tier".to_owned(), vec!["test".to_owned()]);
        assert_eq!(found.selector.expressions, [wanted]);
    }

    #[test]
    fn budget_without_a_selector_is_none() {
        assert_eq!(
            of(json!({"metadata": {"name": "a"}, "spec": {"minAvailable": 1}})),
            None
        );
        let all = of(json!({"metadata": {"name": "a"}, "spec": {"selector": {}}})).unwrap();
        assert_eq!(all.selector, Selector::default());
    }
}
