//! Stacks whose last operation failed: which of them this tool recovers by itself, and what is in the way
//! of the others.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::Value;

use super::status::manual_action;
use super::{Action, Blocked, PlanError, Step};
use crate::catalog::resources::stored_data;
use crate::cloud::status::ResourcePhase;
use crate::cloud::{LiveResource, LiveStack, OpenChangeSet, StackEvent, StackStatus};
use crate::stacks::description;

/// Prefix of the names of this tool's change sets.
const OWN_PREFIX: &str = "kube-cfn-";

/// A resource that blocks the rollback of its stack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StuckResource {
    pub logical_id: String,
    /// The description in its template `Metadata`; the logical id if there is none.
    pub sentence: String,
    /// AWS's reason.
    pub reason: String,
}

/// Whether an update continues where a failed operation of this stack stopped.
pub fn resumes(status: &StackStatus) -> bool {
    matches!(
        status,
        StackStatus::CreateFailed | StackStatus::UpdateFailed
    )
}

/// AWS rejects an update that would continue from here.
pub fn not_resumed(found: &LiveStack, why: &str) -> Blocked {
    let plain = manual_action(&found.status, found.named());
    Blocked {
        reason: format!(
            "{}; an update can't continue from there: {why}",
            plain.reason
        ),
        ..plain
    }
}

/// Whether a placeholder is this tool's: all change sets in it are. An empty one with our tags is, too.
pub fn is_ours(sets: &[OpenChangeSet]) -> bool {
    sets.iter().all(|set| set.name.starts_with(OWN_PREFIX))
}

/// An empty placeholder of a change set is replaced if this tool made it.
pub(super) fn under_review(
    found: &LiveStack,
    held: &[LiveResource],
    sets: &[OpenChangeSet],
) -> Action {
    if held.is_empty() && is_ours(sets) {
        Action::Replace
    } else {
        Action::Blocked(manual_action(&found.status, found.named()))
    }
}

/// The leftover of a failed creation is replaced if it retained nothing. If its rollback failed, its
/// deletion is tried again, unless something in it holds data.
pub(super) fn leftovers(found: &LiveStack, resources: &[LiveResource]) -> Action {
    let failed = found.status == StackStatus::RollbackFailed;
    let kept: Vec<String> = resources
        .iter()
        .filter(|resource| resource.status.as_str() != "DELETE_COMPLETE")
        .filter(|resource| {
            !failed
                || is_data(&resource.resource_type)
                || resource.status.phase() == ResourcePhase::Skipped
        })
        .filter_map(|resource| {
            let id = resource.physical_id.as_deref()?;
            Some(format!("{} ({id})", resource.logical_id))
        })
        .collect();
    if kept.is_empty() {
        return Action::Replace;
    }
    let plain = manual_action(&found.status, found.named());
    Action::Blocked(Blocked {
        reason: format!(
            "{}; these resources still exist, save what you need: {}",
            plain.reason,
            kept.join(", ")
        ),
        ..plain
    })
}

/// Whether a resource of this type holds data of its own; a network does not.
pub fn is_data(resource_type: &str) -> bool {
    let network = matches!(
        resource_type,
        "AWS::EC2::VPC" | "AWS::EC2::Subnet" | "AWS::RDS::DBSubnetGroup"
    );
    !network && stored_data(resource_type).is_some()
}

/// Why a stack could not be deleted.
pub(super) fn delete_failed(
    found: &LiveStack,
    events: &[StackEvent],
    before: Option<&Value>,
) -> Action {
    let failed = |event: &StackEvent| event.status.as_str() == "DELETE_FAILED";
    let reasons: Vec<String> = stuck(events, before, failed)
        .iter()
        .map(StuckResource::text)
        .collect();
    let mut why = manual_action(&found.status, found.named());
    if !reasons.is_empty() {
        why.reason = format!("{}; blocked by: {}", why.reason, reasons.join("; "));
    }
    Action::Blocked(why)
}

/// Continues a rollback that failed, without the resources in `skip` (`STACK/RESOURCE`).
pub(super) fn continuing(
    found: &LiveStack,
    stuck: Vec<StuckResource>,
    skip: &BTreeSet<String>,
) -> Action {
    let named = |one: &&StuckResource| skip.contains(&format!("{}/{}", found.name, one.logical_id));
    let skip = stuck.iter().filter(named).map(|one| one.logical_id.clone());
    Action::Continue {
        skip: skip.collect(),
        stuck,
    }
}

/// The resources that failed in the last rollback; a failure before it was its cause.
pub(super) fn stuck_in_rollback(
    events: &[StackEvent],
    before: Option<&Value>,
) -> Vec<StuckResource> {
    let back = events
        .iter()
        .rposition(|event| event.stack_status == Some(StackStatus::UpdateRollbackInProgress));
    let failed = |event: &StackEvent| event.status.phase() == ResourcePhase::Failed;
    stuck(&events[back.unwrap_or(0)..], before, failed)
}

/// The resources that are in a failed state.
pub(super) fn failed_resources(
    held: &[LiveResource],
    before: Option<&Value>,
) -> Vec<StuckResource> {
    held.iter()
        .filter(|one| one.status.phase() == ResourcePhase::Failed)
        .map(|one| StuckResource::new(&one.logical_id, one.reason.as_deref(), before))
        .collect()
}

/// Resources whose last status in these events is a failure, in the order of their first event.
fn stuck(
    events: &[StackEvent],
    before: Option<&Value>,
    failed: impl Fn(&StackEvent) -> bool,
) -> Vec<StuckResource> {
    let of_resources = || events.iter().filter(|event| event.stack_status.is_none());
    let last: BTreeMap<&str, &StackEvent> = of_resources()
        .map(|event| (event.logical_id.as_str(), event))
        .collect();
    let mut met = BTreeSet::new();
    of_resources()
        .filter(|event| met.insert(event.logical_id.as_str()))
        .filter_map(|event| last.get(event.logical_id.as_str()))
        .filter(|event| failed(event))
        .map(|event| StuckResource::new(&event.logical_id, event.reason.as_deref(), before))
        .collect()
}

impl StuckResource {
    fn new(logical_id: &str, reason: Option<&str>, before: Option<&Value>) -> Self {
        let known = before.and_then(|template| description(template, logical_id));
        Self {
            logical_id: logical_id.to_owned(),
            sentence: known.unwrap_or(logical_id).to_owned(),
            reason: reason.unwrap_or("AWS gives no reason").to_owned(),
        }
    }

    /// `NAT gateway in eu-west-1a (Nat): in use`.
    pub fn text(&self) -> String {
        format!("{} ({}): {}", self.sentence, self.logical_id, self.reason)
    }
}

/// Every name given with `--skip-resource` has to name a resource that blocks the rollback of its stack.
pub fn known_skips(
    cluster: &str,
    steps: &[Step],
    skip: &BTreeSet<String>,
) -> Result<(), PlanError> {
    let names = |step: &Step| -> Vec<String> {
        let Action::Continue { stuck, .. } = &step.action else {
            return Vec::new();
        };
        let full = |one: &StuckResource| format!("{}/{}", step.stack.name, one.logical_id);
        stuck.iter().map(full).collect()
    };
    let stuck: BTreeSet<String> = steps.iter().flat_map(names).collect();
    let Some(unknown) = skip.iter().find(|name| !stuck.contains(*name)) else {
        return Ok(());
    };
    let hint = if stuck.is_empty() {
        "no resource does".to_owned()
    } else {
        let all: Vec<&str> = stuck.iter().map(String::as_str).collect();
        format!("these do: {}", all.join(", "))
    };
    Err(PlanError::NotStuck {
        name: unknown.clone(),
        cluster: cluster.to_owned(),
        hint,
    })
}
