//! What drift means for a stack and for a plan as a whole: what needs action, what is unknown, what blocks an update.

use super::super::{Action, Blocked, Code, Plan, Step};
use super::{DriftState, Drifted, Stuck};

/// A run that updates a stack one of whose resources is gone fails in the middle, after other stacks: it is refused
/// before the first.
pub(in crate::plan) fn block_gone(step: &mut Step) {
    if !matches!(step.action, Action::Update(_) | Action::Deferred) {
        return;
    }
    let gone = step.drift_needing_action().find(|one| one.drift.deleted);
    let Some(gone) = gone else {
        return;
    };
    let reason = format!(
        "{} ({}) was deleted outside CloudFormation: an update of {} would fail",
        step.description(&gone.drift.logical_id),
        gone.drift.logical_id,
        step.stack.name
    );
    let why = Blocked::by_state(
        Code::ResourceGone,
        reason,
        gone.remedy.clone().unwrap_or_default(),
    );
    step.block(why);
}

impl Step {
    /// Resources that differ from their templates, and that no run of this tool changes.
    pub fn drift_needing_action(&self) -> impl Iterator<Item = &Drifted> {
        let all = self.drift.iter();
        all.filter(|one| one.state == DriftState::NeedsAction)
    }

    /// Whether a change set that compares with the resources sets back what needs action. It takes the whole stack:
    /// with one thing in it that AWS can't set back it would fail.
    pub fn is_revertible(&self) -> bool {
        Stuck::of(self).is_empty() && self.drift_needing_action().next().is_some()
    }
}

impl Plan {
    /// Resources that were changed or deleted outside CloudFormation, and that a run leaves as they are.
    pub fn drift_needing_action(&self) -> impl Iterator<Item = &Drifted> {
        self.steps.iter().flat_map(Step::drift_needing_action)
    }

    /// Stacks of which drift detection did not find out everything, and the first reason.
    pub fn drift_unknown(&self) -> Option<(usize, &str)> {
        let mut reasons = self.steps.iter().filter_map(|s| s.drift_unknown.as_deref());
        let first = reasons.next()?;
        Some((reasons.count() + 1, first))
    }
}
