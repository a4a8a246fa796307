//! What early validation found wrong in a change set. It stands in `DescribeEvents` and nowhere else,
//! and endpoints that lack the call say nothing: then nothing is added.

use aws_sdk_cloudformation::types::OperationEvent;

use super::Aws;
use super::error::{Asked, explain};

/// What early validation found: it stands in `DescribeEvents` alone. Best effort.
pub(super) async fn of(aws: &Aws, id: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut next = None;
    loop {
        aws.limiter.turn().await;
        let request = aws.cloudformation.describe_events().change_set_name(id);
        let answer = match request.set_next_token(next).send().await {
            Ok(answer) => answer,
            Err(error) => {
                let asked = Asked {
                    call: "DescribeEvents",
                    of: id,
                };
                tracing::debug!(
                    "no findings of early validation: {}",
                    explain(asked, &error)
                );
                return found;
            }
        };
        let events = answer.operation_events.unwrap_or_default();
        found.extend(events.iter().filter_map(finding));
        next = answer.next_token;
        if next.is_none() {
            found.sort();
            found.dedup();
            return found;
        }
    }
}

fn finding(event: &OperationEvent) -> Option<String> {
    let reason = event.validation_status_reason.as_deref()?;
    let status = event.validation_status.as_ref()?.as_str();
    if status != "FAILED" {
        return None;
    }
    let resource = event.logical_resource_id.as_deref().unwrap_or("template");
    let place = match event.validation_path.as_deref() {
        Some(path) => format!("{resource} at {path}"),
        None => resource.to_owned(),
    };
    Some(format!("{place}: {reason}"))
}

pub(super) fn join(reason: String, findings: &[String]) -> String {
    let reason = if reason.is_empty() {
        "it failed without a reason".to_owned()
    } else {
        reason
    };
    if findings.is_empty() {
        reason
    } else {
        format!("{reason} ({})", findings.join("; "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_cloudformation::types::ValidationStatus;

    #[test]
    fn a_finding_names_resource_path_and_reason() {
        let failed = OperationEvent::builder()
            .logical_resource_id("Database")
            .validation_status(ValidationStatus::Failed)
            .validation_path("/Resources/Database/Properties/DBInstanceClas")
            .validation_status_reason("Unsupported property [DBInstanceClas]")
            .build();
        let finding = finding(&failed).expect("a finding");
        assert_eq!(
            join("Validation failed".to_owned(), &[finding]),
            "Validation failed (Database at /Resources/Database/Properties/DBInstanceClas: \
             Unsupported property [DBInstanceClas])"
        );
    }

    #[test]
    fn an_event_that_is_no_failed_validation_is_no_finding() {
        assert_eq!(finding(&OperationEvent::builder().build()), None);
        let skipped = OperationEvent::builder()
            .validation_status(ValidationStatus::Skipped)
            .validation_status_reason("skipped")
            .build();
        assert_eq!(finding(&skipped), None);
    }
}
