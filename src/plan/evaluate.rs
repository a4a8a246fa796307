//! What the answers of AWS mean for a step: nothing to do, an update, or why it is blocked.

use std::collections::BTreeSet;

use super::{Action, Blocked, Code, Step, changes, compare, normalize, recovery, risk};
use crate::cloud::{ChangeSet, Finding, LiveStack};
use crate::stacks::StackKind;

/// Turns an answer into an action: nothing to do, an update, or a guard's refusal.
pub(super) fn evaluate(
    step: &mut Step,
    mut answer: ChangeSet,
    found: &LiveStack,
    allow: &BTreeSet<String>,
) {
    step.findings.clone_from(&answer.warnings);
    if answer.changes.is_empty() {
        if recovery::resumes(&found.status) {
            let why = "it would change nothing";
            step.action = Action::Blocked(recovery::not_resumed(found, why));
        }
        return;
    }
    let moved = compare::moved(&step.stack.template, &found.parameters, &step.parameters);
    let templates = step.before.as_ref().map(|before| compare::TemplatePair {
        before,
        after: &step.stack.template,
        moved: &moved,
    });
    normalize::normalize(&mut answer.changes, templates);
    step.risks = risk::risks(&step.stack, step.before.as_ref(), &answer.changes, allow);
    step.action = Action::Update(answer);
    step.risks.extend(risk::dropped(step, allow));
    let refused = changes::unworkable(step);
    if let Some(why) = refused.or_else(|| risk::guard(&step.stack, found, &step.risks)) {
        step.block(why);
    }
}

/// Refuses what would be lost for certain by a change that is known only when other stacks are done: better before
/// the first than after.
pub(super) fn guard_deferred(step: &mut Step, allow: &BTreeSet<String>) {
    step.risks = risk::dropped(step, allow);
    let Some(found) = &step.found else {
        return;
    };
    if let Some(why) = risk::guard(&step.stack, found, &step.risks) {
        step.block(why);
    }
}

/// Early validation refused the template: nothing of this stack can be done, the others go on.
pub(super) fn block(step: &mut Step, reason: &str, findings: Vec<Finding>) {
    let reason = format!("AWS refused the template of {}: {reason}", step.stack.name);
    let next = "change what the findings name in the definition, then look at the plan again";
    step.findings = findings;
    step.action = Action::Blocked(Blocked::by_state(Code::TemplateRefused, reason, next));
}

/// An input is settled when the stack it comes from certainly stays as it is.
pub(super) fn settle_pending(steps: &mut [Step]) {
    loop {
        let still: BTreeSet<StackKind> = steps
            .iter()
            .filter(|step| step.action == Action::NoChange && step.pending.is_empty())
            .map(|step| step.stack.kind.clone())
            .collect();
        let mut moved = false;
        for step in steps.iter_mut() {
            let before = step.pending.len();
            step.pending
                .retain(|input| input.now.is_none() || !still.contains(&input.from));
            moved |= step.pending.len() != before;
        }
        if !moved {
            return;
        }
    }
}
