//! Stacks that something went wrong with: what of them heals without a hand, and what stands in the
//! way of the rest. Asks; changes nothing.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use serde::Serialize;
use serde_json::Value;

use super::status::hand;
use super::{Action, Blocked, PlanError, Step, Terms};
use crate::catalog::resources::holds;
use crate::cloud::status::Phase;
use crate::cloud::{
    Cloud, CloudError, LiveResource, LiveStack, OpenChangeSet, Operation, StackEvent, StackStatus,
};
use crate::stacks::sentence;

/// What every change set of this tool is called begins with this.
const OURS: &str = "kube-cfn-";

/// A resource that keeps a stack from going back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Stuck {
    pub logical_id: String,
    /// The human sentence of its template `Metadata`; the logical id where there is none.
    pub sentence: String,
    /// AWS's reason.
    pub reason: String,
}

/// Whether an update goes on where a failed operation of this stack stopped.
pub fn resumes(status: &StackStatus) -> bool {
    matches!(
        status,
        StackStatus::CreateFailed | StackStatus::UpdateFailed
    )
}

/// AWS does not take an update that would go on from here.
pub fn not_resumed(found: &LiveStack, why: &str) -> Blocked {
    let plain = hand(&found.status, &found.name);
    Blocked {
        reason: format!("{}; an update can't go on from there: {why}", plain.reason),
        ..plain
    }
}

/// Whether a shell is this tool's: all change sets in it are. An empty one with our tags is, too.
pub fn is_ours(sets: &[OpenChangeSet]) -> bool {
    sets.iter().all(|set| set.name.starts_with(OURS))
}

/// Decides by what a stack holds. `before` is its template, as far as it has one.
pub async fn look_inside(
    found: &LiveStack,
    before: Option<&Value>,
    cloud: &impl Cloud,
    terms: &Terms<'_>,
) -> Result<Action, CloudError> {
    match found.status {
        StackStatus::UpdateRollbackFailed => continuing(found, before, cloud, terms).await,
        StackStatus::DeleteFailed => delete_failed(found, before, cloud).await,
        StackStatus::ReviewInProgress => {
            let held = cloud.resources(&found.id).await?;
            let sets = cloud.change_sets(&found.id).await?;
            if held.is_empty() && is_ours(&sets) {
                return Ok(Action::Recreate);
            }
            Ok(Action::Blocked(hand(&found.status, &found.name)))
        }
        _ => Ok(leftovers(found, &cloud.resources(&found.id).await?)),
    }
}

/// The leftover of a failed creation may go if nothing was kept back. Where removing it failed, it is
/// tried once more, unless something in it holds data.
fn leftovers(found: &LiveStack, resources: &[LiveResource]) -> Action {
    let failed = found.status == StackStatus::RollbackFailed;
    let kept: Vec<String> = resources
        .iter()
        .filter(|resource| resource.status.as_str() != "DELETE_COMPLETE")
        .filter(|resource| {
            !failed || is_data(&resource.resource_type) || resource.status.phase() == Phase::Skipped
        })
        .filter_map(|resource| {
            let id = resource.physical_id.as_deref()?;
            Some(format!("{} ({id})", resource.logical_id))
        })
        .collect();
    if kept.is_empty() {
        return Action::Recreate;
    }
    let plain = hand(&found.status, &found.name);
    Action::Blocked(Blocked {
        reason: format!(
            "{}; these are still there, save what you need: {}",
            plain.reason,
            kept.join(", ")
        ),
        ..plain
    })
}

/// Whether people would miss it; the network holds nothing once the rest is gone.
pub fn is_data(resource_type: &str) -> bool {
    let network = matches!(
        resource_type,
        "AWS::EC2::VPC" | "AWS::EC2::Subnet" | "AWS::RDS::DBSubnetGroup"
    );
    !network && holds(resource_type).is_some()
}

async fn delete_failed(
    found: &LiveStack,
    before: Option<&Value>,
    cloud: &impl Cloud,
) -> Result<Action, CloudError> {
    let events = newest(found, cloud).await?;
    let failed = |event: &StackEvent| event.status.as_str() == "DELETE_FAILED";
    let stuck = stuck(&events, before, failed);
    let told: Vec<String> = stuck.iter().map(Stuck::told).collect();
    let mut why = hand(&found.status, &found.name);
    if !told.is_empty() {
        why.reason = format!("{}; in the way: {}", why.reason, told.join("; "));
    }
    Ok(Action::Blocked(why))
}

async fn continuing(
    found: &LiveStack,
    before: Option<&Value>,
    cloud: &impl Cloud,
    terms: &Terms<'_>,
) -> Result<Action, CloudError> {
    let events = newest(found, cloud).await?;
    // Only what failed on the way back is in the way; what failed before was the cause.
    let back = events
        .iter()
        .rposition(|event| event.stack_status == Some(StackStatus::UpdateRollbackInProgress));
    let failed = |event: &StackEvent| event.status.phase() == Phase::Failed;
    let mut stuck = stuck(&events[back.unwrap_or(0)..], before, failed);
    if stuck.is_empty() {
        let held = cloud.resources(&found.id).await?;
        let failed = |one: &&LiveResource| one.status.phase() == Phase::Failed;
        stuck = held
            .iter()
            .filter(failed)
            .map(|one| Stuck::new(&one.logical_id, one.reason.as_deref(), before))
            .collect();
    }
    let named = |one: &&Stuck| {
        terms
            .skip
            .contains(&format!("{}/{}", found.name, one.logical_id))
    };
    let skip = stuck.iter().filter(named).map(|one| one.logical_id.clone());
    Ok(Action::Continue {
        skip: skip.collect(),
        stuck,
    })
}

async fn newest(found: &LiveStack, cloud: &impl Cloud) -> Result<Vec<StackEvent>, CloudError> {
    let operation = Operation {
        stack_id: found.id.clone(),
        token: None,
    };
    cloud.events(&operation, &HashSet::new()).await
}

/// Resources whose last word in these events is a failure, in the order of their first one.
fn stuck(
    events: &[StackEvent],
    before: Option<&Value>,
    failed: impl Fn(&StackEvent) -> bool,
) -> Vec<Stuck> {
    let of_resources = || events.iter().filter(|event| event.stack_status.is_none());
    let last: BTreeMap<&str, &StackEvent> = of_resources()
        .map(|event| (event.logical_id.as_str(), event))
        .collect();
    let mut met = BTreeSet::new();
    of_resources()
        .filter(|event| met.insert(event.logical_id.as_str()))
        .filter_map(|event| last.get(event.logical_id.as_str()))
        .filter(|event| failed(event))
        .map(|event| Stuck::new(&event.logical_id, event.reason.as_deref(), before))
        .collect()
}

impl Stuck {
    fn new(logical_id: &str, reason: Option<&str>, before: Option<&Value>) -> Self {
        let told = before.and_then(|template| sentence(template, logical_id));
        Self {
            logical_id: logical_id.to_owned(),
            sentence: told.unwrap_or(logical_id).to_owned(),
            reason: reason.unwrap_or("AWS gives no reason").to_owned(),
        }
    }

    /// `NAT gateway in eu-west-1a (Nat): in use`.
    pub fn told(&self) -> String {
        format!("{} ({}): {}", self.sentence, self.logical_id, self.reason)
    }
}

/// Every name given with `--skip` has to name a resource that keeps its stack from going back.
pub fn known_skips(
    cluster: &str,
    steps: &[Step],
    skip: &BTreeSet<String>,
) -> Result<(), PlanError> {
    let stuck: BTreeSet<String> = steps
        .iter()
        .filter_map(|step| match &step.action {
            Action::Continue { stuck, .. } => Some((step.stack.name.as_str(), stuck)),
            _ => None,
        })
        .flat_map(|(name, stuck)| {
            let full = move |one: &Stuck| format!("{name}/{}", one.logical_id);
            stuck.iter().map(full)
        })
        .collect();
    let Some(stranger) = skip.iter().find(|name| !stuck.contains(*name)) else {
        return Ok(());
    };
    let hint = if stuck.is_empty() {
        "nothing is".to_owned()
    } else {
        let all: Vec<&str> = stuck.iter().map(String::as_str).collect();
        format!("these are: {}", all.join(", "))
    };
    Err(PlanError::NotStuck {
        name: stranger.clone(),
        cluster: cluster.to_owned(),
        hint,
    })
}
