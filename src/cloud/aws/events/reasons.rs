//! Reasons that only say where to look: a hook's bare name, a number of failed validations. What hook
//! and validation said themselves takes their place.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use aws_sdk_cloudformation::types;

use super::super::Aws;
use super::super::findings::{self, FindingScope, ValidationReport};
use crate::cloud::StackEvent;

/// The event's id and its operation's, if the reason says nothing by itself.
pub(super) fn operation(event: &types::StackEvent) -> Option<(String, String)> {
    let reason = event.resource_status_reason.as_deref()?;
    if !points_elsewhere(reason) {
        return None;
    }
    Some((event.event_id.clone()?, event.operation_id.clone()?))
}

/// Puts the true reasons in, as far as they are to be had.
pub(super) async fn resolve(
    aws: &Aws,
    stack_id: &str,
    events: &mut [StackEvent],
    operations: &HashMap<String, String>,
) {
    let mut answers: HashMap<FindingScope<'_>, ValidationReport> = HashMap::new();
    let says_nothing =
        |event: &&mut StackEvent| event.reason.as_deref().is_some_and(points_elsewhere);
    for event in events.iter_mut().filter(says_nothing) {
        let operation = operations.get(&event.id);
        let scope = operation.map_or(FindingScope::Stack(stack_id), |id| {
            FindingScope::Operation(id)
        });
        let report = match answers.entry(scope) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(missing) => missing.insert(findings::of(aws, scope).await),
        };
        let better = match event.stack_status {
            Some(_) => report.as_reason(),
            None => report.about(&event.logical_id),
        };
        event.reason = better.or(event.reason.take());
    }
}

/// CloudFormation's sentences for hooks ("The following hook(s) failed: [NAME]", with "/validation"
/// too) and for validation ("Call `DescribeEvents` to retrieve the full list").
fn points_elsewhere(reason: &str) -> bool {
    reason.contains("The following hook(s)") || reason.contains("DescribeEvents")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn event_reasons_that_refer_elsewhere_are_resolved() {
        for reason in [
            "The following hook(s) failed: [MyOrg::Buckets::Private]",
            "The following hook(s)/validation failed: [AWS::EarlyValidation::PropertyValidation].",
            "Validation failed with 2 error(s). Call DescribeEvents to retrieve the full list",
        ] {
            assert!(points_elsewhere(reason), "{reason}");
        }
        assert!(!points_elsewhere("Resource creation cancelled"));
    }
}
