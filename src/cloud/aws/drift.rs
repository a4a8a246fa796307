//! Drift: changes outside CloudFormation. Detection is started, polled, and read resource by resource.

use crate::common::Clock;
use crate::common::retry::{Backoff, Try, retry};
use std::time::Duration;

use aws_sdk_cloudformation::types::{
    DifferenceType, PropertyDifference, StackDriftDetectionStatus, StackResourceDrift,
    StackResourceDriftStatus,
};

use super::calls::{ApiCall, all_pages};
use super::error::short_name;
use super::{Aws, mapping};
use crate::cloud::{CloudError, Difference, Drift};

const FIRST_LOOK: Duration = Duration::from_millis(500);
/// For 10 minutes. A large stack takes some; after so long something is wrong.
const LOOKS: Backoff = Backoff::new(FIRST_LOOK, 120).at_most(Duration::from_secs(5));

/// Looks for drift in a stack and waits for the outcome. `Refused` where an endpoint cannot look.
pub(super) async fn drift(aws: &Aws, stack_id: &str) -> Result<Vec<Drift>, CloudError> {
    let detection = detect(aws, stack_id).await?;
    wait(aws, stack_id, &detection).await?;
    drifted(aws, stack_id).await
}

async fn detect(aws: &Aws, stack_id: &str) -> Result<String, CloudError> {
    let api_call = ApiCall::stacks("DetectStackDrift", stack_id);
    let request = aws.cloudformation.detect_stack_drift().stack_name(stack_id);
    let answer = aws.ask_newer(api_call, request.send()).await?;
    Ok(answer.stack_drift_detection_id.unwrap_or_default())
}

async fn wait(aws: &Aws, stack_id: &str, detection: &str) -> Result<(), CloudError> {
    let api_call = ApiCall::stacks("DescribeStackDriftDetectionStatus", stack_id);
    aws.sleep(FIRST_LOOK).await;
    let answer = retry(aws, LOOKS, async || {
        let request = aws.cloudformation.describe_stack_drift_detection_status();
        let request = request.stack_drift_detection_id(detection);
        let answer = aws.ask_newer(api_call, request.send()).await;
        Try::pending(answer, |answer| !is_over(answer.detection_status.as_ref()))
    })
    .await?;
    if !is_over(answer.detection_status.as_ref()) {
        return Err(CloudError::Refused {
            operation: format!("the drift detection of {}", short_name(stack_id)),
            message: "it is still looking after 10 minutes".to_owned(),
        });
    }
    // Some resource could not be looked at; what was found on the others still counts.
    if answer.detection_status == Some(StackDriftDetectionStatus::DetectionFailed) {
        let reason = answer.detection_status_reason.unwrap_or_default();
        tracing::warn!("not every resource could be checked for drift: {reason}");
    }
    Ok(())
}

fn is_over(status: Option<&StackDriftDetectionStatus>) -> bool {
    use StackDriftDetectionStatus::{DetectionComplete, DetectionFailed};
    matches!(status, Some(DetectionComplete | DetectionFailed))
}

async fn drifted(aws: &Aws, stack_id: &str) -> Result<Vec<Drift>, CloudError> {
    let api_call = ApiCall::stacks("DescribeStackResourceDrifts", stack_id);
    let all = all_pages(async |next| {
        let request = aws.cloudformation.describe_stack_resource_drifts();
        let request = request
            .stack_name(stack_id)
            .stack_resource_drift_status_filters(StackResourceDriftStatus::Modified)
            .stack_resource_drift_status_filters(StackResourceDriftStatus::Deleted)
            .set_next_token(next);
        let page = aws.ask(api_call, request.send()).await?;
        Ok((page.stack_resource_drifts, page.next_token))
    })
    .await?;
    Ok(all.into_iter().filter_map(ours).collect())
}

/// `None` for a resource that is as it was made: not every endpoint filters.
fn ours(drift: StackResourceDrift) -> Option<Drift> {
    let deleted = match drift.stack_resource_drift_status? {
        StackResourceDriftStatus::Modified => false,
        StackResourceDriftStatus::Deleted => true,
        _ => return None,
    };
    let differences = drift.property_differences.unwrap_or_default();
    Some(Drift {
        logical_id: drift.logical_resource_id.unwrap_or_default(),
        resource_type: drift.resource_type.unwrap_or_default(),
        deleted,
        differences: differences.into_iter().map(difference).collect(),
    })
}

fn difference(found: PropertyDifference) -> Difference {
    let kind = found.difference_type;
    let value = |text: Option<String>, missing: DifferenceType| {
        text.filter(|_| kind.as_ref() != Some(&missing))
            .map(|text| mapping::plain(&text))
    };
    let pointer = found.property_path.unwrap_or_default();
    let mut path = vec!["Properties".to_owned()];
    path.extend(mapping::steps(&pointer));
    Difference {
        path: path.join("."),
        expected: value(found.expected_value, DifferenceType::Add),
        actual: value(found.actual_value, DifferenceType::Remove),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn described(pointer: &str, expected: &str, actual: &str, kind: DifferenceType) -> Difference {
        difference(
            PropertyDifference::builder()
                .property_path(pointer)
                .expected_value(expected)
                .actual_value(actual)
                .difference_type(kind)
                .build(),
        )
    }

    #[test]
    fn drift_has_a_dotted_path_and_both_values() {
        let both = described(
            "/DBInstanceClass",
            "db.t4g.medium",
            "\"db.m7g.large\"",
            DifferenceType::NotEqual,
        );
        assert_eq!(
            both,
            Difference {
                path: "Properties.DBInstanceClass".to_owned(),
                expected: Some("db.t4g.medium".to_owned()),
                actual: Some("db.m7g.large".to_owned()),
            }
        );
    }

    #[test]
    fn drift_of_an_added_or_removed_property_has_one_value() {
        let added = described(
            "/Tags/1",
            "null",
            r#"{"Key":"a","Value":"b"}"#,
            DifferenceType::Add,
        );
        assert_eq!(
            (added.path.as_str(), added.expected, added.actual.as_deref()),
            (
                "Properties.Tags.1",
                None,
                Some(r#"{"Key":"a","Value":"b"}"#)
            )
        );
        let removed = described("/Description", "ours", "null", DifferenceType::Remove);
        assert_eq!(
            (removed.expected.as_deref(), removed.actual),
            (Some("ours"), None)
        );
    }

    #[test]
    fn resource_in_sync_has_no_drift() {
        let same = StackResourceDrift::builder()
            .stack_resource_drift_status(StackResourceDriftStatus::InSync)
            .build();
        assert_eq!(ours(same), None);
    }
}
