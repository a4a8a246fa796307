//! What somebody changed by hand, and what of it a run would overwrite.

use serde::Serialize;

use super::Step;
use crate::cloud::{ChangeAction, CloudError, Drift, Replacement, ResourceChange};

/// A resource that was changed by hand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Drifted {
    pub drift: Drift,
    /// Paths that differ and that the change set sets again. CloudFormation leaves the others as they
    /// are: it compares templates with each other, not with the resources.
    pub overwritten: Vec<String>,
}

/// Writes into a step what was seen.
pub(super) fn note(step: &mut Step, seen: Option<Result<Vec<Drift>, CloudError>>) {
    match seen {
        None => {}
        Some(Err(error)) => step.drift_unknown = Some(error.to_string()),
        Some(Ok(all)) => {
            let changes = step.change_set().map_or(&[][..], |set| &set.changes);
            let drifted = |drift: Drift| {
                let change = changes.iter().find(|c| c.logical_id == drift.logical_id);
                let overwritten = change.map_or_else(Vec::new, |c| overwritten(&drift, c));
                Drifted { drift, overwritten }
            };
            step.drift = all.into_iter().map(drifted).collect();
        }
    }
}

/// The paths of a drift that a change touches. A replacement and a removal take all of them.
fn overwritten(drift: &Drift, change: &ResourceChange) -> Vec<String> {
    let whole = change.action == ChangeAction::Remove || change.replacement == Replacement::Yes;
    let touched = |path: &str| {
        let mut set = change.properties.iter().map(|p| p.path.as_str());
        whole || set.any(|other| meets(other, path))
    };
    let paths = drift.differences.iter().map(|d| &d.path);
    paths.filter(|path| touched(path)).cloned().collect()
}

/// Whether two paths are the same, or one is a part of the other.
fn meets(a: &str, b: &str) -> bool {
    a.split('.').zip(b.split('.')).all(|(a, b)| a == b)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloud::{Difference, PropertyChange};

    fn drift(paths: &[&str]) -> Drift {
        let difference = |path: &&str| Difference {
            path: (*path).to_owned(),
            expected: Some("1".to_owned()),
            actual: Some("2".to_owned()),
        };
        Drift {
            logical_id: "Group".to_owned(),
            resource_type: "AWS::AutoScaling::AutoScalingGroup".to_owned(),
            deleted: false,
            differences: paths.iter().map(difference).collect(),
        }
    }

    fn change(replacement: Replacement, paths: &[&str]) -> ResourceChange {
        let property = |path: &&str| PropertyChange {
            path: (*path).to_owned(),
            before: None,
            after: None,
            recreates: Replacement::No,
            cause: None,
        };
        ResourceChange {
            logical_id: "Group".to_owned(),
            physical_id: None,
            resource_type: "AWS::AutoScaling::AutoScalingGroup".to_owned(),
            action: ChangeAction::Modify,
            replacement,
            deletion_policy: None,
            properties: paths.iter().map(property).collect(),
        }
    }

    #[test]
    fn drift_is_overwritten_only_where_the_change_set_changes_it() {
        let drift = drift(&["Properties.MaxSize", "Properties.Tags.0.Value"]);
        let one = change(Replacement::No, &["Properties.MaxSize"]);
        assert_eq!(overwritten(&drift, &one), ["Properties.MaxSize"]);
        let other = change(Replacement::No, &["Properties.Tags", "Properties.MaxSizes"]);
        assert_eq!(overwritten(&drift, &other), ["Properties.Tags.0.Value"]);
        assert_eq!(overwritten(&drift, &change(Replacement::Yes, &[])).len(), 2);
    }
}
