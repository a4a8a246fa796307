//! What a deletion leaves behind on purpose: kept resources, snapshots, keys that wait for their end.

use serde::Serialize;
use serde_json::Value;

use crate::cloud::StackEvent;
use crate::cloud::status::Phase;
use crate::plan::deletion::DeleteStep;
use crate::stacks::StackKind;

/// Days that a key waits for its deletion where the template does not say: the default of KMS.
const KEY_WINDOW: u64 = 30;

/// Something that is still there after a deletion.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(
    rename_all = "camelCase",
    rename_all_fields = "camelCase",
    tag = "type"
)]
pub enum Remains {
    /// CloudFormation was told to keep it.
    Kept {
        stack: StackKind,
        sentence: String,
        resource_type: String,
        physical_id: Option<String>,
    },
    /// A snapshot made before its source went away. CloudFormation rarely tells its full name.
    Snapshot {
        stack: StackKind,
        sentence: String,
        /// Physical id of what it is a snapshot of.
        of: Option<String>,
        /// Its full name, where CloudFormation told it.
        name: Option<String>,
        /// What its name begins with, where it has one: a volume's snapshot has only an id.
        begins_with: Option<String>,
    },
    /// A key that is disabled, and deleted for good after this many days; until then it can be saved.
    Key {
        stack: StackKind,
        physical_id: Option<String>,
        days: u64,
    },
}

/// What remains of a stack after the events of its deletion.
pub(super) fn remains(step: &DeleteStep, events: &[StackEvent]) -> Vec<Remains> {
    events
        .iter()
        .filter(|event| event.stack_status.is_none())
        .filter_map(|event| match event.status.phase() {
            Phase::Skipped => Some(Remains::Kept {
                stack: step.kind.clone(),
                sentence: step.sentence(&event.logical_id),
                resource_type: event.resource_type.clone(),
                physical_id: event.physical_id.clone(),
            }),
            Phase::Done if event.status.is_delete() => gone(step, event),
            _ => None,
        })
        .collect()
}

/// What a deletion will leave, by the stack's template alone.
pub(super) fn expected_remains(step: &DeleteStep) -> Vec<Remains> {
    let stack = || step.kind.clone();
    let left = |loss: crate::plan::deletion::Loss| {
        let key = loss.resource_type == "AWS::KMS::Key";
        match loss.policy.as_str() {
            "Snapshot" => Some(Remains::Snapshot {
                stack: stack(),
                sentence: loss.sentence,
                of: None,
                name: None,
                begins_with: named_by_rds(step, &loss.logical_id, &loss.resource_type),
            }),
            policy if policy.starts_with("Retain") => Some(Remains::Kept {
                stack: stack(),
                sentence: loss.sentence,
                resource_type: loss.resource_type,
                physical_id: None,
            }),
            _ if key => Some(Remains::Key {
                stack: stack(),
                physical_id: None,
                days: days(step, &loss.logical_id),
            }),
            _ => None,
        }
    };
    step.losses().into_iter().filter_map(left).collect()
}

/// Days that a key waits for its end.
fn days(step: &DeleteStep, logical_id: &str) -> u64 {
    let body = step.resource(logical_id);
    let days = body.and_then(|body| body["Properties"]["PendingWindowInDays"].as_u64());
    days.unwrap_or(KEY_WINDOW)
}

fn named_by_rds(step: &DeleteStep, logical_id: &str, resource_type: &str) -> Option<String> {
    let rds = resource_type.starts_with("AWS::RDS::");
    rds.then(|| begin(step, logical_id))
}

/// What the end of a resource leaves.
fn gone(step: &DeleteStep, event: &StackEvent) -> Option<Remains> {
    let stack = step.kind.clone();
    if event.resource_type == "AWS::KMS::Key" {
        return Some(Remains::Key {
            stack,
            physical_id: event.physical_id.clone(),
            days: days(step, &event.logical_id),
        });
    }
    let policy = step.policy(&event.logical_id, &event.resource_type);
    (policy == "Snapshot").then(|| Remains::Snapshot {
        stack,
        sentence: step.sentence(&event.logical_id),
        of: event.physical_id.clone(),
        name: event.reason.as_deref().and_then(|text| named(text, step)),
        begins_with: named_by_rds(step, &event.logical_id, &event.resource_type),
    })
}

/// How CloudFormation begins the name of an RDS snapshot.
fn begin(step: &DeleteStep, logical_id: &str) -> String {
    format!("{}-snapshot-{logical_id}-", step.found.name).to_lowercase()
}

/// A snapshot's full name, where the event's reason has it.
fn named(reason: &str, step: &DeleteStep) -> Option<String> {
    let begin = format!("{}-snapshot-", step.found.name).to_lowercase();
    let mut words =
        reason.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == ':' || c == '/'));
    words
        .find(|word| word.to_lowercase().contains(&begin))
        .map(str::to_owned)
}

impl DeleteStep {
    /// The human sentence of a resource.
    pub fn sentence(&self, logical_id: &str) -> String {
        let told = self.template.as_ref();
        told.and_then(|template| crate::stacks::sentence(template, logical_id))
            .unwrap_or(logical_id)
            .to_owned()
    }

    fn resource(&self, logical_id: &str) -> Option<&Value> {
        self.template.as_ref()?.get("Resources")?.get(logical_id)
    }

    /// Whether the template keeps a resource when its stack goes.
    pub(super) fn keeps(&self, logical_id: &str) -> bool {
        self.policy(logical_id, "").starts_with("Retain")
    }

    fn policy(&self, logical_id: &str, resource_type: &str) -> String {
        let template = self.template.as_ref();
        template.map_or_else(String::new, |template| {
            crate::plan::deletion::policy(template, logical_id, resource_type)
        })
    }
}
