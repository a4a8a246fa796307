//! What was changed outside CloudFormation, and what becomes of it: what a run overwrites, what is expected, and what
//! needs action, with the way back. CloudFormation compares templates with each other, not with the resources: only a
//! change set that is asked to ([`crate::cloud::Comparison::Resources`]) puts anything back.

mod equal;
mod kinds;
mod remedy;
mod verdict;

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Step, sizes};
use crate::cloud::{ChangeAction, CloudError, Drift, DriftReport, Replacement, ResourceChange};
use crate::stacks::StackKind;
use kinds::{GoneKind, PropertyKind};
pub(super) use verdict::block_gone;

/// A resource that was changed outside CloudFormation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Drifted {
    pub drift: Drift,
    pub state: DriftState,
    /// Paths that differ and that the change set sets again. CloudFormation leaves the others as they
    /// are: it compares templates with each other, not with the resources.
    pub overwritten: Vec<String>,
    /// Paths that differ because AWS or the cluster changes them, with the reason.
    pub expected: BTreeMap<String, &'static str>,
    /// By path that needs action, the field of the definition that decides it, where one does: written there, the
    /// value stays.
    pub kept_by: BTreeMap<String, String>,
    /// Paths that AWS refuses to set back.
    #[serde(skip)]
    only_grows: Vec<String>,
    /// Whether anything else in it can be set back.
    #[serde(skip)]
    reversible: bool,
    /// The way back, where action is needed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

/// What becomes of a resource that differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum DriftState {
    /// AWS or the cluster makes every difference.
    Expected,
    /// The change set of this plan sets it again, or creates again what is gone.
    Overwritten,
    /// No run of this tool changes it.
    NeedsAction,
}

/// Writes into a step what was found. `None` where nobody looked.
pub(super) fn note(step: &mut Step, found: Option<Result<DriftReport, CloudError>>) {
    match found {
        None => {}
        Some(Err(error)) => step.drift_unknown = Some(error.to_string()),
        Some(Ok(report)) => {
            step.drift_unknown = report.unknown;
            step.drift_checked = true;
            let all = sizes::take_grown(step, report.resources).into_iter();
            step.drift = all.filter_map(|drift| drifted(step, drift)).collect();
            let gone = step.drift.iter().filter(|one| one.drift.deleted);
            for id in gone.map(|one| &one.drift.logical_id) {
                let mut risks = step.risks.iter_mut();
                if let Some(risk) = risks.find(|risk| risk.logical_id == *id) {
                    "it is gone already: nothing is left to keep, and no last snapshot is taken"
                        .clone_into(&mut risk.becomes);
                }
            }
            let stuck = Stuck::of(step);
            let remedies: Vec<_> = step
                .drift
                .iter()
                .map(|one| remedy(step, one, &stuck))
                .collect();
            for (one, remedy) in step.drift.iter_mut().zip(remedies) {
                one.remedy = remedy;
            }
        }
    }
}

/// `None` where the differences are of form alone.
fn drifted(step: &Step, mut drift: Drift) -> Option<Drifted> {
    let is_listed = !drift.differences.is_empty();
    drift.differences.retain(|one| !equal::is_same(one));
    if is_listed && drift.differences.is_empty() && !drift.deleted {
        return None;
    }
    let changes = step.change_set().map_or(&[][..], |set| &set.changes);
    let change = changes.iter().find(|c| c.logical_id == drift.logical_id);
    let overwritten = change.map_or_else(Vec::new, |c| overwritten(&drift, c));
    let left = Left::of(step, &drift, &overwritten);
    let made_again = step.reverts_drift && drift.deleted;
    let renewed = change.is_some_and(|change| made_again || renews(change));
    // Gone, or CloudFormation does not say in what it differs.
    let whole = drift.differences.is_empty() && !renewed;
    let needs_action = whole || left.reversible || !left.only_grows.is_empty();
    let state = match (needs_action, renewed || !overwritten.is_empty()) {
        (true, _) => DriftState::NeedsAction,
        (false, true) => DriftState::Overwritten,
        (false, false) => DriftState::Expected,
    };
    Some(Drifted {
        drift,
        state,
        overwritten,
        expected: left.expected,
        kept_by: left.kept_by,
        only_grows: left.only_grows,
        reversible: left.reversible || whole,
        remedy: None,
    })
}

/// The way back of a resource, where action is needed.
fn remedy(step: &Step, drifted: &Drifted, stuck: &Stuck) -> Option<String> {
    let drift = &drifted.drift;
    (drifted.state == DriftState::NeedsAction).then(|| {
        if drift.deleted {
            remedy::gone(step, drift, stuck)
        } else {
            remedy::modified(step, drifted, stuck)
        }
    })
}

/// What in a stack makes a change set fail that compares with the resources, or lose data.
struct Stuck {
    /// Paths that AWS refuses to set back.
    paths: Vec<String>,
    /// Whether something is gone that a new one does not replace.
    lost: bool,
}

impl Stuck {
    /// What AWS did by itself counts too: it is no drift, but a change set would set it back.
    fn of(step: &Step) -> Self {
        let is_lost = |one: &Drifted| {
            let open = one.state == DriftState::NeedsAction;
            open && one.drift.deleted && GoneKind::of(&one.drift.resource_type).is_lost()
        };
        let grown = step.sizes.grown.iter();
        let grown = grown.map(|one| one.property.to_owned());
        let drifted = step.drift.iter().flat_map(|one| one.only_grows.clone());
        Self {
            paths: grown.chain(drifted).collect(),
            lost: step.drift.iter().any(is_lost),
        }
    }

    fn is_empty(&self) -> bool {
        self.paths.is_empty() && !self.lost
    }
}

/// The differences that a run leaves as they are, by what is to be done about them.
#[derive(Default)]
struct Left {
    expected: BTreeMap<String, &'static str>,
    kept_by: BTreeMap<String, String>,
    /// Paths that the definition has to follow.
    only_grows: Vec<String>,
    reversible: bool,
}

impl Left {
    fn of(step: &Step, drift: &Drift, overwritten: &[String]) -> Self {
        let sizes_itself = matches!(step.stack.kind, StackKind::Pool(_));
        let mut left = Self::default();
        let all = drift.differences.iter();
        for one in all.filter(|one| !overwritten.contains(&one.path)) {
            match PropertyKind::of(&drift.resource_type, one, sizes_itself) {
                PropertyKind::Expected(why) => {
                    left.expected.insert(one.path.clone(), why);
                    continue;
                }
                PropertyKind::OnlyGrows => left.only_grows.push(one.path.clone()),
                PropertyKind::Reversible => left.reversible = true,
            }
            let field = field(step, drift, &one.path);
            left.kept_by
                .extend(field.map(|field| (one.path.clone(), field)));
        }
        left
    }
}

/// The field of the definition that decides a property.
fn field(step: &Step, drift: &Drift, path: &str) -> Option<String> {
    let id = &drift.logical_id;
    let mut table = step.stack.table();
    let decides = table.any(|origin| origin.matches_property(id, path));
    decides.then(|| step.stack.fields(id, Some(path)).into_iter().next())?
}

/// Whether a change makes the resource new, or takes it out of the stack: then what it is now does not count.
fn renews(change: &ResourceChange) -> bool {
    match change.action {
        ChangeAction::Add | ChangeAction::Remove => true,
        ChangeAction::Modify | ChangeAction::Other(_) => change.replacement == Replacement::Yes,
    }
}

/// The paths of a drift that a change touches. A replacement and a removal take all of them.
fn overwritten(drift: &Drift, change: &ResourceChange) -> Vec<String> {
    let whole = renews(change);
    let touched = |path: &str| {
        let mut set = change.properties.iter().map(|p| p.path.as_str());
        whole || set.any(|other| meets(other, path))
    };
    let paths = drift.differences.iter().map(|d| &d.path);
    paths.filter(|path| touched(path)).cloned().collect()
}

/// Whether two paths are the same, or one is a part of the other.
fn meets(a: &str, b: &str) -> bool {
    a.split('.').zip(b.split('.')).all(|(a, b)| a == b)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloud::{Difference, PropertyChange};

    fn drift(paths: &[&str]) -> Drift {
        let difference = |path: &&str| Difference {
            path: (*path).to_owned(),
            expected: Some("1".to_owned()),
            actual: Some("2".to_owned()),
        };
        Drift {
            logical_id: "Group".to_owned(),
            resource_type: "AWS::AutoScaling::AutoScalingGroup".to_owned(),
            deleted: false,
            differences: paths.iter().map(difference).collect(),
        }
    }

    fn change(replacement: Replacement, paths: &[&str]) -> ResourceChange {
        let property = |path: &&str| PropertyChange {
            path: (*path).to_owned(),
            before: None,
            after: None,
            recreates: Replacement::No,
            cause: None,
        };
        ResourceChange {
            logical_id: "Group".to_owned(),
            physical_id: None,
            resource_type: "AWS::AutoScaling::AutoScalingGroup".to_owned(),
            action: ChangeAction::Modify,
            replacement,
            deletion_policy: None,
            properties: paths.iter().map(property).collect(),
        }
    }

    #[test]
    fn drift_is_overwritten_only_where_the_change_set_changes_it() {
        let drift = drift(&["Properties.MaxSize", "Properties.Tags.0.Value"]);
        let one = change(Replacement::No, &["Properties.MaxSize"]);
        assert_eq!(overwritten(&drift, &one), ["Properties.MaxSize"]);
        let other = change(Replacement::No, &["Properties.Tags", "Properties.MaxSizes"]);
        assert_eq!(overwritten(&drift, &other), ["Properties.Tags.0.Value"]);
        assert_eq!(overwritten(&drift, &change(Replacement::Yes, &[])).len(), 2);
    }
}
