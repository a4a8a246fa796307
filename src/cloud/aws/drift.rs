//! Drift: changes outside CloudFormation. Detection is started, polled, and read resource by resource.

use crate::common::Clock;
use crate::common::retry::{Backoff, Try, retry};
use std::time::Duration;

use aws_sdk_cloudformation::types::{
    DifferenceType, PropertyDifference, StackDriftDetectionStatus, StackResourceDrift,
    StackResourceDriftStatus,
};

use serde_json::Value;

use super::calls::{ApiCall, all_pages};
use super::error::short_name;
use super::{Aws, mapping};
use crate::cloud::{CloudError, Difference, Drift, DriftReport};

const FIRST_LOOK: Duration = Duration::from_millis(500);
/// For 10 minutes. A large stack takes some; after so long something is wrong.
const LOOKS: Backoff = Backoff::new(FIRST_LOOK, 120).at_most(Duration::from_secs(5));

/// Looks for drift in a stack and waits for the outcome. `Refused` where an endpoint cannot look.
pub(super) async fn drift(aws: &Aws, stack_id: &str) -> Result<DriftReport, CloudError> {
    let detection = detect(aws, stack_id).await?;
    let unknown = wait(aws, stack_id, &detection).await?;
    let resources = drifted(aws, stack_id).await?;
    Ok(DriftReport { resources, unknown })
}

async fn detect(aws: &Aws, stack_id: &str) -> Result<String, CloudError> {
    let api_call = ApiCall::stacks("DetectStackDrift", stack_id);
    let request = aws.cloudformation.detect_stack_drift().stack_name(stack_id);
    let answer = aws.ask_newer(api_call, request.send()).await?;
    Ok(answer.stack_drift_detection_id.unwrap_or_default())
}

/// Waits for the end of a detection. Returns why it could not compare some resource: what it found on the others
/// still counts, and of that one nothing is known.
async fn wait(aws: &Aws, stack_id: &str, detection: &str) -> Result<Option<String>, CloudError> {
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
    let failed = answer.detection_status == Some(StackDriftDetectionStatus::DetectionFailed);
    let reason = answer
        .detection_status_reason
        .filter(|reason| !reason.is_empty());
    Ok(failed.then(|| reason.unwrap_or_else(|| "AWS compared not every resource".to_owned())))
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

/// Whether both values say the same. Documents that a template gives as text are compared as values: the order of
/// keys and the blanks between them mean nothing, and whether CloudFormation compares the text is not documented.
fn is_same(found: &PropertyDifference) -> bool {
    if found.difference_type != Some(DifferenceType::NotEqual) {
        return false;
    }
    match (&found.expected_value, &found.actual_value) {
        (Some(expected), Some(actual)) => document(expected) == document(actual),
        (None, None) => true,
        (Some(_), None) | (None, Some(_)) => false,
    }
}

/// A value as JSON; a document given as text, as what it says.
fn document(text: &str) -> Value {
    let plain = mapping::plain(text);
    let value = serde_json::from_str(&plain).ok();
    let value = value.filter(|value: &Value| value.is_object() || value.is_array());
    value.unwrap_or(Value::String(plain))
}

/// `None` for a resource that is as it was made: not every endpoint filters.
fn ours(drift: StackResourceDrift) -> Option<Drift> {
    let deleted = match drift.stack_resource_drift_status? {
        StackResourceDriftStatus::Modified => false,
        StackResourceDriftStatus::Deleted => true,
        _ => return None,
    };
    let stated = drift.property_differences.unwrap_or_default();
    let is_listed = !stated.is_empty();
    let differences: Vec<Difference> = stated
        .into_iter()
        .filter(|one| !is_same(one))
        .map(difference)
        .collect();
    // Every difference that CloudFormation lists is one of form.
    if !deleted && is_listed && differences.is_empty() {
        return None;
    }
    Some(Drift {
        logical_id: drift.logical_resource_id.unwrap_or_default(),
        resource_type: drift.resource_type.unwrap_or_default(),
        deleted,
        differences,
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

    fn modified(expected: &str, actual: &str) -> Option<Drift> {
        let one = PropertyDifference::builder()
            .property_path("/AssumeRolePolicyDocument")
            .expected_value(expected)
            .actual_value(actual)
            .difference_type(DifferenceType::NotEqual);
        let drift = StackResourceDrift::builder()
            .stack_resource_drift_status(StackResourceDriftStatus::Modified)
            .property_differences(one.build());
        ours(drift.build())
    }

    #[test]
    fn drift_compares_documents_given_as_text_as_values() {
        let document = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow"}]}"#;
        let other = r#"{"Statement": [{"Effect": "Allow"}], "Version": "2012-10-17"}"#;
        let quoted = serde_json::to_string(document).unwrap();
        for (expected, actual) in [(document, other), (&quoted, other), (other, &quoted)] {
            assert_eq!(modified(expected, actual), None, "{expected} {actual}");
        }
        for actual in [
            r#"{"Statement":[{"Effect":"Deny"}],"Version":"2012-10-17"}"#,
            r#"{"Statement":[{"Effect":"Allow"},{}],"Version":"2012-10-17"}"#,
            "",
            "null",
        ] {
            assert!(modified(document, actual).is_some(), "{actual}");
        }
    }

    #[test]
    fn modified_resource_without_listed_differences_is_drift() {
        let drift = StackResourceDrift::builder()
            .stack_resource_drift_status(StackResourceDriftStatus::Modified)
            .build();
        assert_eq!(ours(drift).map(|drift| drift.differences), Some(Vec::new()));
    }

    #[test]
    fn resource_in_sync_has_no_drift() {
        let same = StackResourceDrift::builder()
            .stack_resource_drift_status(StackResourceDriftStatus::InSync)
            .build();
        assert_eq!(ours(same), None);
    }
}
