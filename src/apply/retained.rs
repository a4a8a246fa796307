//! Finds out what a deletion leaves behind on purpose: from its events, or from the template alone.

use crate::cloud::StackEvent;
use crate::cloud::status::ResourcePhase;
use crate::events::Retained;
use crate::plan::deletion::{DeleteStep, Loss, policy};
use crate::stacks::description;

/// What the events of its deletion say is left of a stack.
pub(super) fn retained(step: &DeleteStep, events: &[StackEvent]) -> Vec<Retained> {
    let resources = events.iter().filter(|event| event.stack_status.is_none());
    let one = |event: &StackEvent| {
        let (id, of_type) = (&event.logical_id, &event.resource_type);
        match event.status.phase() {
            ResourcePhase::Skipped => left(step, id, of_type, "Retain", Some(event)),
            ResourcePhase::Done if event.status.is_delete() => match step.policy(id, of_type) {
                // It is gone all the same.
                policy if policy.starts_with("Retain") => None,
                policy => left(step, id, of_type, &policy, Some(event)),
            },
            _ => None,
        }
    };
    let deleted = |event: &StackEvent| {
        event.status.is_delete() && event.status.phase() == ResourcePhase::Done
    };
    let beside = |event: &StackEvent| {
        let left = deleted(event)
            .then(|| of_database(step, &event.logical_id, event.physical_id.as_deref()));
        left.unwrap_or_default()
    };
    let all = resources.flat_map(|event| one(event).into_iter().chain(beside(event)));
    all.collect()
}

/// What RDS leaves behind of a database.
fn of_database(step: &DeleteStep, logical_id: &str, physical_id: Option<&str>) -> Vec<Retained> {
    let Some(left) = step.database_leftovers(logical_id, physical_id) else {
        return Vec::new();
    };
    let stack = || step.kind.clone();
    let backups = left.backup_days.map(|days| Retained::Backups {
        stack: stack(),
        database: left.database,
        days,
    });
    let logs = (!left.log_groups.is_empty()).then(|| Retained::LogGroups {
        stack: stack(),
        names: left.log_groups,
    });
    backups.into_iter().chain(logs).collect()
}

/// What a deletion will leave, by the stack's template alone.
pub(super) fn expected_retained(step: &DeleteStep) -> Vec<Retained> {
    let losses = step.losses().into_iter();
    let one = |loss: Loss| {
        let id = &loss.logical_id;
        let left = left(step, id, &loss.resource_type, &loss.policy, None);
        left.into_iter().chain(of_database(step, id, None))
    };
    losses.flat_map(one).collect()
}

/// What is left of a resource with this deletion policy; `event` is the end of it, once seen.
fn left(
    step: &DeleteStep,
    logical_id: &str,
    resource_type: &str,
    policy: &str,
    event: Option<&StackEvent>,
) -> Option<Retained> {
    let (stack, description) = (step.kind.clone(), step.description(logical_id));
    let physical_id = event.and_then(|event| event.physical_id.clone());
    if policy.starts_with("Retain") {
        let resource_type = resource_type.to_owned();
        return Some(Retained::Kept {
            stack,
            description,
            resource_type,
            physical_id,
        });
    }
    if resource_type == "AWS::KMS::Key" {
        let days = step.key_window(logical_id);
        return Some(Retained::Key {
            stack,
            physical_id,
            days,
        });
    }
    let reason = event.and_then(|event| event.reason.as_deref());
    let rds = resource_type.starts_with("AWS::RDS::");
    (policy == "Snapshot").then(|| Retained::Snapshot {
        stack,
        description,
        of: physical_id,
        name: reason.and_then(|reason| snapshot_name(reason, step)),
        begins_with: rds.then(|| name_start(step, logical_id)),
    })
}

/// How CloudFormation begins the name of an RDS snapshot.
fn name_start(step: &DeleteStep, logical_id: &str) -> String {
    format!("{}-snapshot-{logical_id}-", step.found.name).to_lowercase()
}

/// A snapshot's full name, where the event's reason has it.
fn snapshot_name(reason: &str, step: &DeleteStep) -> Option<String> {
    let begin = format!("{}-snapshot-", step.found.name).to_lowercase();
    let mut words =
        reason.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == ':' || c == '/'));
    words
        .find(|word| word.to_lowercase().contains(&begin))
        .map(str::to_owned)
}

impl DeleteStep {
    /// The description of a resource; its logical id if the template has none.
    pub fn description(&self, logical_id: &str) -> String {
        let template = self.template.as_ref();
        let found = template.and_then(|template| description(template, logical_id));
        found.unwrap_or(logical_id).to_owned()
    }

    /// Whether the template keeps a resource when its stack goes.
    pub fn keeps(&self, logical_id: &str) -> bool {
        self.policy(logical_id, "").starts_with("Retain")
    }

    fn policy(&self, logical_id: &str, resource_type: &str) -> String {
        let template = self.template.as_ref();
        template.map_or_else(String::new, |template| {
            policy(template, logical_id, resource_type)
        })
    }
}
