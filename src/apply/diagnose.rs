//! Why stacks failed, from the history that CloudFormation keeps of their newest operation.

use std::collections::HashSet;

use futures::future::join_all;
use jiff::SignedDuration;

use super::boot::{self, FailedGroup};
pub use super::boot::{FailedMachines, failed_machines};
use super::cause::{self, ResourceLabels};
use crate::cloud::{Cloud, CloudError, LiveStack, StackEvent, StackOperation, StackStatus, Store};
pub use crate::events::Diagnosis;
use crate::events::{Failure, Place, Verb};
use crate::plan::Survey;
use crate::plan::status::rests;
use crate::stacks::{StackKind, description};

/// Where a resource of a stack, or a property of it, comes from.
pub type Explain<'a> = dyn Fn(&StackKind, &str, Option<&str>) -> Option<Place> + 'a;

/// Reads the newest operation of every stack and returns those that failed, in the order of the survey.
/// Leaves out healthy stacks, and those of a kind that this version does not know. Of machines that did not boot
/// it reads what they said, as far as that is still there.
pub async fn diagnose(
    survey: &Survey,
    cloud: &(impl Cloud + Store),
    explain: &Explain<'_>,
) -> Result<Vec<(StackKind, Diagnosis)>, CloudError> {
    let known = survey
        .found
        .iter()
        .filter_map(|found| Some((StackKind::parse(&found.kind)?, found)));
    let failed: Vec<(StackKind, &LiveStack)> = known
        .filter(|(_, found)| may_have_failed(&found.status))
        .collect();
    let histories = join_all(failed.iter().map(|(_, found)| history(cloud, &found.id))).await;
    let mut all = Vec::new();
    for ((kind, found), events) in failed.into_iter().zip(histories) {
        let template = survey.templates.get(&found.id);
        let in_template = |id: &str| template.and_then(|template| description(template, id));
        let labels = ResourceLabels {
            describe: &|id| in_template(id).unwrap_or(id).to_owned(),
            explain: &|id, path| explain(&kind, id, path),
        };
        let events = events?;
        if let Some(diagnosis) = of_stack(found, &events, &labels) {
            let diagnosis = with_boot(diagnosis, found, &events, cloud).await;
            all.push((kind.clone(), diagnosis));
        }
    }
    Ok(all)
}

async fn with_boot(
    diagnosis: Diagnosis,
    found: &LiveStack,
    events: &[StackEvent],
    cloud: &impl Store,
) -> Diagnosis {
    let cause = cause::cause(diagnosis.operation, events);
    let Some(cause) = cause.filter(|_| cause::is_signal_failure(&diagnosis.failure)) else {
        return diagnosis;
    };
    let group = FailedGroup::new(cause, events);
    match boot::of_group(cloud, &group, &found.parameters).await {
        Some(boot) => Diagnosis {
            failure: boot.explain(diagnosis.failure),
            ..diagnosis
        },
        None => diagnosis,
    }
}

async fn history(cloud: &impl Cloud, stack_id: &str) -> Result<Vec<StackEvent>, CloudError> {
    let newest = StackOperation {
        stack_id: stack_id.to_owned(),
        token: None,
    };
    cloud.events(&newest, &HashSet::new()).await
}

/// Whether a stack in this status can have a failure. A moving one may be about to roll back.
fn may_have_failed(status: &StackStatus) -> bool {
    use StackStatus as S;
    !matches!(
        status,
        S::CreateComplete
            | S::UpdateComplete
            | S::UpdateCompleteCleanupInProgress
            | S::DeleteComplete
            | S::ImportComplete
            | S::ReviewInProgress
    )
}

/// The diagnosis of one stack from the events of its newest operation, oldest first.
pub fn of_stack(
    found: &LiveStack,
    events: &[StackEvent],
    labels: &ResourceLabels,
) -> Option<Diagnosis> {
    let operation = operation(events, &found.status);
    let failure = cause::failure(operation, Some(&found.status), events, labels);
    let failure = match failure {
        Some(failure) => failure,
        None if found.status.is_in_progress() => return None,
        None => {
            let silent = || format!("AWS gives no reason; the stack is in {}", found.status);
            let reason = found.reason.clone().unwrap_or_else(silent);
            Failure::of_stack(Some(found.status.clone()), reason)
        }
    };
    let event = cause::cause(operation, events);
    let last = || found.updated.unwrap_or(found.created);
    Some(Diagnosis {
        operation,
        at: event.or(events.last()).map_or_else(last, |event| event.at),
        resource_status: event.map(|event| event.status.clone()),
        took: event.and_then(|event| took(event, events)),
        failure,
        is_over: rests(&found.status),
    })
}

/// The operation on a stack: from its own first event, or from its status if there is none.
fn operation(events: &[StackEvent], status: &StackStatus) -> Verb {
    let first = events.iter().find_map(|event| event.stack_status.as_ref());
    let word = first.unwrap_or(status).as_str();
    match word.split('_').next() {
        Some("DELETE") => Verb::Delete,
        Some("CREATE" | "ROLLBACK") => Verb::Create,
        _ => Verb::Update,
    }
}

/// How long the failed operation on the resource took, from its first event.
fn took(failed: &StackEvent, events: &[StackEvent]) -> Option<SignedDuration> {
    let verb = |event: &StackEvent| event.status.as_str().split('_').next().map(str::to_owned);
    let began = events
        .iter()
        .filter(|event| event.logical_id == failed.logical_id && event.stack_status.is_none())
        .filter(|event| {
            event.id != failed.id && verb(event) == verb(failed) && event.at <= failed.at
        })
        .map(|event| event.at)
        .min()?;
    Some(failed.at.duration_since(began))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_stack_event_names_the_operation() {
        let of = |status: &str| operation(&[], &StackStatus::from(status));
        assert_eq!(of("ROLLBACK_COMPLETE"), Verb::Create);
        assert_eq!(of("CREATE_FAILED"), Verb::Create);
        assert_eq!(of("DELETE_FAILED"), Verb::Delete);
        assert_eq!(of("UPDATE_ROLLBACK_FAILED"), Verb::Update);
        assert_eq!(of("SOMETHING_NEW"), Verb::Update);
    }
}
