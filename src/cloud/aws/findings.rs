//! What `DescribeEvents` alone says: the findings of early validation, and why a hook refused.
//! Endpoints that lack the call have no findings.

use aws_sdk_cloudformation::operation::describe_events::builders::DescribeEventsFluentBuilder;
use aws_sdk_cloudformation::types::{EventFilter, EventType, OperationEvent};

use super::calls::{ApiCall, each_page};
use super::{Aws, mapping};
use crate::cloud::Finding;
use crate::common::text::one_line;

/// A stack's failed events reach back 90 days: the newest pages are enough.
const PAGES_OF_A_STACK: usize = 3;

/// Whose events are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum FindingScope<'a> {
    /// By ARN.
    ChangeSet(&'a str),
    Operation(&'a str),
    /// The newest failed operation of the stack of this ARN.
    Stack(&'a str),
}

/// What the events say.
#[derive(Debug, Default, PartialEq)]
pub(super) struct ValidationReport {
    /// What keeps the operation from going on.
    pub(super) findings: Vec<Finding>,
    pub(super) warnings: Vec<Finding>,
    pub(super) hooks: Vec<Hook>,
}

/// A hook that refused.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Hook {
    /// The resource that it refused; `None` for the stack or change set as a whole.
    pub(super) logical_id: Option<String>,
    /// `MyOrg::Security::NoPublicBuckets`
    pub(super) name: String,
    pub(super) reason: String,
}

/// Reads and sorts the events. Best effort: without an answer the report is empty.
pub(super) async fn of(aws: &Aws, scope: FindingScope<'_>) -> ValidationReport {
    let (FindingScope::ChangeSet(of) | FindingScope::Operation(of) | FindingScope::Stack(of)) =
        scope;
    let api_call = ApiCall::stacks("DescribeEvents", of);
    let of_a_stack = matches!(scope, FindingScope::Stack(_));
    let mut report = ValidationReport::default();
    let (mut newest, mut pages) = (None, 0);
    let read = each_page(async |next| {
        let request = narrowed(aws.cloudformation.describe_events(), scope);
        let request = request.set_next_token(next);
        let answer = aws.ask_newer(api_call, request.send()).await?;
        for event in answer.operation_events.unwrap_or_default() {
            let operation = event.operation_id.clone();
            if of_a_stack && *newest.get_or_insert_with(|| operation.clone()) != operation {
                return Ok(None);
            }
            report.take(&event);
        }
        pages += 1;
        let is_enough = of_a_stack && pages == PAGES_OF_A_STACK;
        Ok(answer.next_token.filter(|_| !is_enough))
    });
    if let Err(error) = read.await {
        tracing::debug!("what validation and hooks reasons is not to be had: {error}");
    }
    report.sorted()
}

/// Failed events only where it is about failures: a warning is none.
fn narrowed(
    request: DescribeEventsFluentBuilder,
    scope: FindingScope<'_>,
) -> DescribeEventsFluentBuilder {
    let failed = EventFilter::builder().failed_events(true).build();
    match scope {
        FindingScope::ChangeSet(id) => request.change_set_name(id),
        FindingScope::Operation(id) => request.operation_id(id).filters(failed),
        FindingScope::Stack(id) => request.stack_name(id).filters(failed),
    }
}

impl ValidationReport {
    fn take(&mut self, event: &OperationEvent) {
        if let Some(finding) = finding(event) {
            match event.validation_failure_mode.as_ref() {
                Some(mode) if mode.as_str() == "WARN" => self.warnings.push(finding),
                _ => self.findings.push(finding),
            }
        } else if let Some(hook) = hook(event) {
            self.hooks.push(hook);
        }
    }

    fn sorted(mut self) -> Self {
        for list in [&mut self.findings, &mut self.warnings] {
            list.sort();
            list.dedup();
        }
        self.hooks.sort();
        self.hooks.dedup();
        self
    }

    /// Every finding in one line, as the reason of a failure.
    pub(super) fn as_reason(&self) -> Option<String> {
        let hooks = self.hooks.iter().map(ToString::to_string);
        let lines: Vec<_> = self.findings.iter().map(line).chain(hooks).collect();
        (!lines.is_empty()).then(|| lines.join("; "))
    }

    /// The same, about one resource; what hooks said about the whole where nothing is about it alone.
    pub(super) fn about(&self, logical_id: &str) -> Option<String> {
        let hooks = |wanted: Option<&'_ str>| -> Vec<String> {
            let hooks = self.hooks.iter();
            hooks
                .filter(|hook| hook.logical_id.as_deref() == wanted)
                .map(Hook::text)
                .collect()
        };
        let findings = self.findings.iter();
        let mut reasons: Vec<_> = findings
            .filter(|finding| finding.logical_id.as_deref() == Some(logical_id))
            .map(|finding| match &finding.path {
                Some(path) => format!("{path}: {}", finding.reason),
                None => finding.reason.clone(),
            })
            .collect();
        reasons.extend(hooks(Some(logical_id)));
        if reasons.is_empty() {
            reasons = hooks(None);
        }
        (!reasons.is_empty()).then(|| reasons.join("; "))
    }
}

impl Hook {
    fn text(&self) -> String {
        format!("hook {} refused: {}", self.name, self.reason)
    }
}

impl std::fmt::Display for Hook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.logical_id {
            Some(resource) => write!(f, "{resource}: {}", self.text()),
            None => f.write_str(&self.text()),
        }
    }
}

fn finding(event: &OperationEvent) -> Option<Finding> {
    let reason = event.validation_status_reason.as_deref()?;
    if event.validation_status.as_ref()?.as_str() != "FAILED" {
        return None;
    }
    let pointer = event.validation_path.as_deref().unwrap_or_default();
    let (in_path, path) = place(pointer, event.logical_resource_id.as_deref());
    Some(Finding {
        logical_id: event.logical_resource_id.clone().or(in_path),
        path,
        reason: one_line(reason),
    })
}

/// Splits `/Resources/Database/Properties/Class` into `Database` and `Properties.Class`.
fn place(pointer: &str, logical_id: Option<&str>) -> (Option<String>, Option<String>) {
    let mut steps = mapping::steps(pointer.trim_start_matches('#'));
    let mut resource = None;
    if steps.first().is_some_and(|step| step == "Resources") && steps.len() > 1 {
        resource = Some(steps.remove(1));
        steps.remove(0);
    } else if steps.first().map(String::as_str) == logical_id && logical_id.is_some() {
        steps.remove(0);
    }
    let path = steps.join(".");
    (resource, Some(path).filter(|path| !path.is_empty()))
}

fn hook(event: &OperationEvent) -> Option<Hook> {
    if event.event_type != Some(EventType::HookInvocationError) {
        return None;
    }
    let reason = event.hook_status_reason.as_deref()?;
    Some(Hook {
        logical_id: event.logical_resource_id.clone(),
        name: event.hook_type.clone().unwrap_or_default(),
        reason: one_line(reason),
    })
}

/// `Database Properties.Class: Unsupported property [Class]`
fn line(finding: &Finding) -> String {
    let resource = finding.logical_id.as_deref().unwrap_or("template");
    match &finding.path {
        Some(path) => format!("{resource} {path}: {}", finding.reason),
        None => format!("{resource}: {}", finding.reason),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_cloudformation::types::{HookFailureMode, ValidationStatus};

    fn failed(path: &str, mode: HookFailureMode) -> OperationEvent {
        OperationEvent::builder()
            .logical_resource_id("Database")
            .validation_status(ValidationStatus::Failed)
            .validation_failure_mode(mode)
            .validation_path(path)
            .validation_status_reason("Unsupported property\n[DBInstanceClas]")
            .build()
    }

    #[test]
    fn finding_names_resource_path_and_reason() {
        let mut report = ValidationReport::default();
        report.take(&failed(
            "/Resources/Database/Properties/DBInstanceClas",
            HookFailureMode::Fail,
        ));
        report.take(&failed("/Resources/Database", HookFailureMode::Warn));
        let finding = Finding {
            logical_id: Some("Database".to_owned()),
            path: Some("Properties.DBInstanceClas".to_owned()),
            reason: "Unsupported property [DBInstanceClas]".to_owned(),
        };
        assert_eq!(report.findings, [finding]);
        assert_eq!(report.warnings.len(), 1);
        assert_eq!(report.warnings[0].path, None);
        assert_eq!(
            report.as_reason().as_deref(),
            Some("Database Properties.DBInstanceClas: Unsupported property [DBInstanceClas]")
        );
        assert_eq!(
            report.about("Database").as_deref(),
            Some("Properties.DBInstanceClas: Unsupported property [DBInstanceClas]")
        );
    }

    #[test]
    fn finding_path_may_start_with_the_resource() {
        let (_, path) = place("/Database/Metadata/kube-cfn~1means", Some("Database"));
        assert_eq!(path.as_deref(), Some("Metadata.kube-cfn/means"));
        let (resource, path) = place("#/Resources/Vpc/Properties/Tags/0", None);
        assert_eq!(resource.as_deref(), Some("Vpc"));
        assert_eq!(path.as_deref(), Some("Properties.Tags.0"));
        assert_eq!(place("", Some("Database")), (None, None));
    }

    #[test]
    fn hook_message_is_quoted() {
        let mut report = ValidationReport::default();
        report.take(
            &OperationEvent::builder()
                .event_type(EventType::HookInvocationError)
                .logical_resource_id("StateBucket")
                .hook_type("MyOrg::Buckets::Private")
                .hook_status_reason("the bucket has no access block")
                .build(),
        );
        let reason = "hook MyOrg::Buckets::Private refused: the bucket has no access block";
        assert_eq!(report.about("StateBucket").as_deref(), Some(reason));
        assert_eq!(report.about("Vpc"), None);
        let whole = format!("StateBucket: {reason}");
        assert_eq!(report.as_reason(), Some(whole));
    }

    #[test]
    fn other_events_are_not_findings() {
        assert_eq!(finding(&OperationEvent::builder().build()), None);
        let skipped = OperationEvent::builder()
            .validation_status(ValidationStatus::Skipped)
            .validation_status_reason("skipped")
            .build();
        assert_eq!(finding(&skipped), None);
    }
}
