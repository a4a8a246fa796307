//! What AWS resized by itself, and what of a plan does not fit it: machines of a group, storage and version of a
//! database. Pure: [`super::live`] reads.

mod refusals;

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::changes::moves_major;
use super::{Action, Step, compare::scalar};
use crate::cloud::{ChangeAction, Difference, Drift, Replacement};
pub(super) use refusals::{note_database, note_groups};

const GROUP: &str = "AWS::AutoScaling::AutoScalingGroup";
const DATABASE: &str = "AWS::RDS::DBInstance";
const STORAGE: &str = "AllocatedStorage";
const LIMIT: &str = "MaxAllocatedStorage";
const VERSION: &str = "EngineVersion";

/// What is known of a stack's live sizes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LiveSizes {
    /// Groups over several zones in which a run suspends `AZRebalance`, by logical id.
    pub rebalancing: Vec<String>,
    /// What AWS changed by itself.
    pub grown: Vec<Grown>,
    /// The engine versions that run, of the databases that were read, by logical id.
    pub engines: BTreeMap<String, String>,
    /// What could not be read, a sentence each.
    pub unknown: Vec<String>,
}

/// A value of a database that AWS raised by itself: nothing is wrong, but the definition should say it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Grown {
    pub logical_id: String,
    /// The property.
    pub property: &'static str,
    /// As the template has it.
    pub template: String,
    pub live: String,
}

impl Grown {
    /// What happened, and what to write.
    pub fn text(&self) -> String {
        let (template, live) = (&self.template, &self.live);
        if self.property == STORAGE {
            return format!(
                "RDS grew its storage from {template} to {live} GiB by itself; write `storageGib: {live}` under \
                 `database:`, or the next change of the database is refused"
            );
        }
        format!(
            "RDS runs version {live}, the template has {template}: RDS upgrades by itself when AWS withdraws a version; \
             write `engineVersion: \"{live}\"` under `database:`"
        )
    }
}

/// The groups of a template that may span several zones, by logical id.
pub fn regional_groups(template: &Value) -> Vec<String> {
    let several = |value: &Value| match value {
        Value::Null => false,
        Value::Array(items) => items.len() > 1,
        // A list in one parameter.
        Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => true,
    };
    let spans = |properties: &Value| {
        ["VPCZoneIdentifier", "AvailabilityZones"]
            .iter()
            .any(|name| several(&properties[*name]))
    };
    of_type(template, GROUP)
        .filter(|(_, body)| spans(&body["Properties"]))
        .map(|(id, _)| id.clone())
        .collect()
}

fn of_type<'a>(
    template: &'a Value,
    wanted: &'a str,
) -> impl Iterator<Item = (&'a String, &'a Value)> {
    let resources = template.get("Resources").and_then(Value::as_object);
    let all = resources.into_iter().flatten();
    all.filter(move |(_, body)| body["Type"] == wanted)
}

/// The databases of which a change of template moves the major version of the engine, by logical id.
pub(super) fn moving_majors(before: &Value, after: &Value) -> Vec<String> {
    let version = |template: &Value, id: &str| plain(template, id, VERSION);
    let moves = |id: &&String| {
        let versions = version(before, id).zip(version(after, id));
        versions.is_some_and(|(was, is)| moves_major(&was, &is))
    };
    let ids = of_type(after, DATABASE).map(|(id, _)| id);
    ids.filter(moves).cloned().collect()
}

fn plain(template: &Value, id: &str, property: &str) -> Option<String> {
    scalar(&template["Resources"][id]["Properties"][property])
}

fn whole(template: &Value, id: &str, property: &str) -> Option<u32> {
    plain(template, id, property)?.parse().ok()
}

/// What there is to read about a step, by logical id.
#[derive(Debug, Default)]
pub(super) struct Questions {
    pub(super) groups: Vec<String>,
    pub(super) databases: Vec<String>,
}

impl Questions {
    pub(super) fn is_empty(&self) -> bool {
        self.groups.is_empty() && self.databases.is_empty()
    }
}

/// Groups that may span zones or whose bounds change, and databases that change: those that exist already.
pub(super) fn questions(step: &Step) -> Questions {
    let (Some(before), after) = (&step.before, &step.stack.template) else {
        return Questions::default();
    };
    match step.action {
        Action::NoChange | Action::Update(_) | Action::Deferred => {}
        Action::Create
        | Action::Replace
        | Action::Continue { .. }
        | Action::Follow(_)
        | Action::Blocked(_) => return Questions::default(),
    }
    let exists = |id: &str| before["Resources"].get(id).is_some();
    let regional = regional_groups(after);
    let groups = of_type(after, GROUP).map(|(id, _)| id.clone());
    let groups = groups.filter(|id| regional.contains(id) || resizes(step, id));
    let databases = of_type(after, DATABASE).map(|(id, _)| id.clone());
    let databases = databases.filter(|id| modifies(step, id));
    Questions {
        groups: groups.filter(|id| exists(id)).collect(),
        databases: databases.filter(|id| exists(id)).collect(),
    }
}

/// Whether the bounds of a group change: those that do not are not sent (`IgnoreUnmodifiedGroupSizeProperties`).
fn resizes(step: &Step, id: &str) -> bool {
    let differs = |property| differs(step, id, property);
    step.action != Action::NoChange && (differs("MinSize") || differs("MaxSize"))
}

fn differs(step: &Step, id: &str, property: &str) -> bool {
    let before = step.starting_point();
    let before = before.and_then(|before| plain(&before, id, property));
    before != plain(&step.stack.template, id, property)
}

/// Whether a resource is changed in place.
fn modifies(step: &Step, id: &str) -> bool {
    match (step.change_set(), &step.before) {
        (Some(set), _) => set.changes.iter().any(|change| {
            change.logical_id == id
                && change.action == ChangeAction::Modify
                && change.replacement != Replacement::Yes
        }),
        (None, Some(before)) => {
            let of = |template: &Value| template["Resources"][id]["Properties"].clone();
            step.action == Action::Deferred && of(before) != of(&step.stack.template)
        }
        (None, None) => false,
    }
}

/// Notes what could not be read of a resource.
pub(super) fn note_unknown(step: &mut Step, id: &str, why: &str) {
    let what = format!("{} ({id})", step.description(id));
    let template = &step.stack.template;
    let text = if template["Resources"][id]["Type"] == DATABASE {
        format!("the size of {what} is unknown: {why}; RDS refuses less storage than it has")
    } else if let (true, Some(max)) = (resizes(step, id), whole(template, id, "MaxSize")) {
        format!(
            "how many machines run in {what} is unknown: {why}; if more than {max} do, AWS terminates the rest undrained"
        )
    } else {
        format!("whether AZRebalance is suspended for {what} is unknown: {why}")
    };
    step.sizes.unknown.push(text);
}

fn note_grown(step: &mut Step, grown: Grown) {
    let known = &mut step.sizes.grown;
    if !known.contains(&grown) {
        known.push(grown);
    }
}

/// Takes out of the drift of a stack what AWS did by itself: storage within the limit, a newer minor of the engine.
pub(super) fn take_grown(step: &mut Step, drift: Vec<Drift>) -> Vec<Drift> {
    let mut left = Vec::new();
    for mut drift in drift {
        if drift.resource_type == DATABASE {
            let limit = step.before.as_ref();
            let limit = limit.and_then(|before| whole(before, &drift.logical_id, LIMIT));
            let (grown, others) = std::mem::take(&mut drift.differences)
                .into_iter()
                .partition(|difference| by_aws(difference, limit).is_some());
            drift.differences = others;
            for difference in grown {
                if let Some(property) = by_aws(&difference, limit) {
                    let Difference {
                        expected, actual, ..
                    } = difference;
                    let wanted = plain(&step.stack.template, &drift.logical_id, property);
                    if wanted == actual {
                        continue;
                    }
                    note_grown(
                        step,
                        Grown {
                            logical_id: drift.logical_id.clone(),
                            property,
                            template: expected.unwrap_or_default(),
                            live: actual.unwrap_or_default(),
                        },
                    );
                }
            }
            if drift.differences.is_empty() && !drift.deleted {
                continue;
            }
        }
        left.push(drift);
    }
    left
}

/// The property, where a difference is what RDS does by itself.
fn by_aws(difference: &Difference, limit: Option<u32>) -> Option<&'static str> {
    let (expected, actual) = (difference.expected.as_ref()?, difference.actual.as_ref()?);
    match difference.path.strip_prefix("Properties.")? {
        STORAGE => {
            let (was, is): (u32, u32) = (expected.parse().ok()?, actual.parse().ok()?);
            (was < is && limit.is_some_and(|limit| is <= limit)).then_some(STORAGE)
        }
        VERSION => {
            let major = |text: &String| text.split('.').next().map(str::to_owned);
            (major(expected) == major(actual) && is_older(expected, actual)).then_some(VERSION)
        }
        _ => None,
    }
}

/// Whether an engine version is older than another: `18.4` than `18.10`. One without a minor is not older than its
/// minors.
fn is_older(version: &str, than: &str) -> bool {
    let parts = |text: &str| -> Option<Vec<u64>> {
        text.split('.').map(|part| part.parse().ok()).collect()
    };
    let (Some(version), Some(than)) = (parts(version), parts(than)) else {
        return false;
    };
    let differs = version.iter().zip(&than).find(|(a, b)| a != b);
    differs.is_some_and(|(a, b)| a < b)
}

#[cfg(test)]
mod tests;
