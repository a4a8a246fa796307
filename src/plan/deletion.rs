//! What deleting a cluster would do: which stack goes when, what is lost, what refuses.
//! The order follows from the kinds alone, so that it works without the definition too.

use serde_json::Value;

use super::recovery::{is_data, is_ours};
use super::removal_policy::key_window;
use super::status::{DeleteAction, manual_action, on_delete};
use super::{Blocked, Code, Survey, resources_of};
use crate::catalog::resources::stored_data;
use crate::cloud::{LiveStack, StackRef, StackStatus};
use crate::stacks::StackKind;

/// Whether the definition protects the cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guard {
    /// It says `protect: true`.
    Protected,
    /// It says `protect: false`.
    Open,
    /// There is no definition.
    Undefined,
}

/// What a deletion would do, in the order in which stacks may go.
#[derive(Debug, Clone, PartialEq)]
pub struct DeletePlan {
    pub cluster: String,
    pub steps: Vec<DeleteStep>,
    /// Why nothing may be deleted (exit code 5), or can't be.
    pub refused: Option<Blocked>,
}

/// What a deletion would do to one stack.
#[derive(Debug, Clone, PartialEq)]
pub struct DeleteStep {
    pub kind: StackKind,
    pub found: LiveStack,
    pub template: Option<Value>,
    pub action: DeleteAction,
    /// Stacks that use this one and have to be gone first.
    pub after: Vec<StackKind>,
}

/// Something that holds data and what becomes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loss {
    pub logical_id: String,
    pub resource_type: String,
    pub sentence: String,
    pub holds: &'static str,
    /// `Delete`, `Retain`, `Snapshot`, …: the template's `DeletionPolicy`.
    pub policy: String,
}

impl Loss {
    /// Whether people would miss it. The network under it all holds nothing once the rest is gone.
    pub fn is_data(&self) -> bool {
        is_data(&self.resource_type)
    }
}

/// Plans the deletion of everything that a survey found.
pub fn deletion(survey: &Survey, guard: Guard) -> DeletePlan {
    let kinds: Vec<StackKind> = survey
        .found
        .iter()
        .filter_map(|found| StackKind::parse(&found.kind))
        .collect();
    let mut steps: Vec<DeleteStep> = survey
        .found
        .iter()
        .filter_map(|found| step(found, survey, &kinds))
        .collect();
    steps.sort_by_key(|step| std::cmp::Reverse(step.kind.clone()));
    DeletePlan {
        cluster: survey.cluster.clone(),
        refused: unknown_kind(survey).or_else(|| refusal(&survey.cluster, &steps, guard)),
        steps,
    }
}

fn step(found: &LiveStack, survey: &Survey, kinds: &[StackKind]) -> Option<DeleteStep> {
    let kind = StackKind::parse(&found.kind)?;
    let sets = survey.placeholders.get(&found.id);
    let action = match on_delete(&found.status, found.named()) {
        DeleteAction::Placeholder if sets.is_some_and(|sets| is_ours(sets)) => DeleteAction::Delete,
        DeleteAction::Placeholder => {
            DeleteAction::Blocked(manual_action(&found.status, found.named()))
        }
        other => other,
    };
    let users = kinds.iter().filter(|other| other.uses(&kind));
    Some(DeleteStep {
        after: users.cloned().collect(),
        template: survey.templates.get(&found.id).cloned(),
        found: found.clone(),
        kind,
        action,
    })
}

/// A stack of this cluster whose kind this version can't place in the order.
fn unknown_kind(survey: &Survey) -> Option<Blocked> {
    let found = survey
        .found
        .iter()
        .find(|found| StackKind::parse(&found.kind).is_none())?;
    let options = found.named().options();
    Some(Blocked::by_state(
        Code::StackKind,
        format!(
            "{} belongs to {} and is of a kind that this version does not know: {:?}",
            found.name, survey.cluster, found.kind
        ),
        format!(
            "use the kube-cfn that made it, or delete that stack with \
             `aws cloudformation delete-stack{options}`",
        ),
    ))
}

fn refusal(cluster: &str, steps: &[DeleteStep], guard: Guard) -> Option<Blocked> {
    let locked = steps.iter().filter(|step| step.is_locked());
    let locked: Vec<StackRef<'_>> = locked.map(|step| step.found.named()).collect();
    let reason = match guard {
        Guard::Protected => format!("the definition of {cluster} says `protect: true`"),
        Guard::Open | Guard::Undefined if !locked.is_empty() => {
            let names: Vec<&str> = locked.iter().map(|stack| stack.name).collect();
            format!("termination protection is on for {}", names.join(", "))
        }
        Guard::Open | Guard::Undefined => {
            return steps.iter().find_map(|step| match &step.action {
                DeleteAction::Blocked(why) => Some(why.clone()),
                _ => None,
            });
        }
    };
    let remedy = match guard {
        // An apply would make the cluster that is to go.
        Guard::Protected if steps.is_empty() => format!(
            "set `protect: false` in the definition, then run `kube-cfn delete {cluster}` again"
        ),
        Guard::Protected | Guard::Open => format!(
            "set `protect: false` in the definition, run `kube-cfn apply {cluster}`, \
             then `kube-cfn delete {cluster}` again"
        ),
        Guard::Undefined => unlocked(&locked),
    };
    Some(Blocked::by_guard(Code::Protected, reason, remedy))
}

/// How the protection of these stacks is switched off where no definition does it.
fn unlocked(stacks: &[StackRef<'_>]) -> String {
    let command = |stack: &StackRef<'_>| {
        let options = stack.options();
        format!(
            "`aws cloudformation update-termination-protection{options} --no-enable-termination-protection`"
        )
    };
    let commands: Vec<String> = stacks.iter().map(command).collect();
    format!(
        "there is no definition to change: run {}, then this command again",
        commands.join(", ")
    )
}

impl DeleteStep {
    /// Whether termination protection keeps the stack. An empty or half removed leftover of a failed
    /// creation is not worth it: its protection is lifted.
    fn is_locked(&self) -> bool {
        let goes = matches!(
            self.action,
            DeleteAction::Delete | DeleteAction::FollowThenDelete
        );
        let leftover = matches!(
            self.found.status,
            StackStatus::RollbackComplete
                | StackStatus::RollbackFailed
                | StackStatus::RollbackInProgress
                | StackStatus::ReviewInProgress
        );
        self.found.termination_protection && goes && !leftover
    }

    /// Days in which a key of this stack can be called back.
    pub fn key_window(&self, logical_id: &str) -> u64 {
        let template = self.template.as_ref().unwrap_or(&Value::Null);
        key_window(&template["Resources"][logical_id]["Properties"])
    }

    /// What holds data in this stack, and what the template says about it.
    pub fn losses(&self) -> Vec<Loss> {
        let Some(template) = &self.template else {
            return Vec::new();
        };
        let loss = |resource: super::PlannedResource| {
            Some(Loss {
                holds: stored_data(&resource.resource_type)?,
                policy: policy(template, &resource.logical_id, &resource.resource_type),
                logical_id: resource.logical_id,
                resource_type: resource.resource_type,
                sentence: resource.sentence,
            })
        };
        resources_of(template)
            .into_iter()
            .filter_map(loss)
            .collect()
    }
}

/// The deletion policy of a resource. CloudFormation's default is `Delete`, but for a database
/// instance of its own it is `Snapshot`.
pub fn policy(template: &Value, logical_id: &str, resource_type: &str) -> String {
    let body = &template["Resources"][logical_id];
    let standalone = resource_type == "AWS::RDS::DBInstance"
        && body["Properties"].get("DBClusterIdentifier").is_none();
    let default = if standalone { "Snapshot" } else { "Delete" };
    body["DeletionPolicy"]
        .as_str()
        .unwrap_or(default)
        .to_owned()
}
