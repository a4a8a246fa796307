//! The part of a plan that AWS has to be asked for: change sets of what differs, and whether a failed
//! stack is empty. Executes nothing.

use std::collections::BTreeSet;

use futures::future::{join, join_all};

use super::draft::{DraftStep, Todo};
use super::{
    Action, Blocked, Draft, Plan, PlanError, Step, compare, drift, heal, risk, sharpen, status,
    token,
};
use crate::cloud::{
    ChangeSet, ChangeSetLifetime, ChangeSetRequest, Cloud, CloudError, Finding, LiveStack,
};
use crate::stacks::{Stack, StackKind};

/// What a plan is made under.
#[derive(Debug, Clone, Copy)]
pub struct Terms<'a> {
    /// Names this run; the tokens of all its requests derive from it.
    pub run: &'a str,
    /// Resources that may be lost, as `STACK/RESOURCE`.
    pub allow: &'a BTreeSet<String>,
    /// Resources that a rollback which is gone on with leaves as they are, as `STACK/RESOURCE`.
    pub skip: &'a BTreeSet<String>,
    /// What becomes of the change sets.
    pub lifetime: ChangeSetLifetime,
    /// Whether to look for what somebody changed by hand.
    pub drift: Look,
}

/// Whether a plan looks at the resources themselves; that takes CloudFormation half a minute or more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Look {
    /// Every stack at rest is compared with what stands.
    Live,
    /// Only those that the plan would update: what is changed by hand there may be overwritten.
    Changed,
    /// What was changed by hand stays unknown.
    #[default]
    Away,
}

impl<'a> Terms<'a> {
    /// Change sets for this run alone, no look at drift.
    pub fn new(run: &'a str, allow: &'a BTreeSet<String>, skip: &'a BTreeSet<String>) -> Self {
        Self {
            run,
            allow,
            skip,
            lifetime: ChangeSetLifetime::default(),
            drift: Look::default(),
        }
    }
}

/// Asks for change sets of all stacks that exist and differ, all at once. On an error
/// those that were answered are removed.
pub async fn complete(
    draft: Draft,
    cloud: &impl Cloud,
    terms: &Terms<'_>,
) -> Result<Plan, PlanError> {
    risk::known_names(&draft, terms.allow)?;
    let bucket = draft.bucket.as_deref();
    let asked = draft.steps.into_iter();
    let asked = asked.map(|step| consider(step, cloud, terms, bucket));
    let mut steps = Vec::new();
    let mut failed = None;
    for answer in join_all(asked).await {
        match answer {
            Ok(step) => steps.push(step),
            Err(error) => failed = failed.or(Some(error)),
        }
    }
    settle_pending(&mut steps);
    let skips = heal::known_skips(&draft.cluster, &steps, terms.skip);
    let plan = Plan {
        cluster: draft.cluster,
        steps,
        leftover: draft.leftover,
        refused: draft.refused,
    };
    match failed.map_or(skips, |error| Err(error.into())) {
        Ok(()) => Ok(plan),
        Err(error) => {
            discard(&plan, cloud).await;
            Err(error)
        }
    }
}

/// Asks about one stack, and looks for what was changed by hand in it.
async fn consider(
    draft: DraftStep,
    cloud: &impl Cloud,
    terms: &Terms<'_>,
    bucket: Option<&str>,
) -> Result<Step, CloudError> {
    let found = draft.found.clone();
    let (asked, mut seen) = match terms.drift {
        Look::Live => {
            let asked = ask(draft, cloud, terms, bucket, "propose");
            join(asked, drift::look(found.as_ref(), cloud)).await
        }
        _ => (ask(draft, cloud, terms, bucket, "propose").await, None),
    };
    let mut step = asked?;
    if terms.drift == Look::Changed && step.change_set().is_some() {
        seen = drift::look(found.as_ref(), cloud).await;
    }
    drift::note(&mut step, seen);
    Ok(step)
}

/// Removes the change sets of a plan that nobody will execute. Returns what could not be removed.
pub async fn discard(plan: &Plan, cloud: &impl Cloud) -> Vec<CloudError> {
    let sets = plan.steps.iter().filter_map(Step::change_set);
    let answers = join_all(sets.map(|set| cloud.delete_change_set(set))).await;
    answers.into_iter().filter_map(Result::err).collect()
}

/// What is wanted of a stack, as a cloud is asked for it.
pub fn proposal(
    stack: &Stack,
    parameters: &std::collections::BTreeMap<String, String>,
    bucket: Option<&str>,
    token: String,
    lifetime: ChangeSetLifetime,
) -> ChangeSetRequest {
    ChangeSetRequest {
        stack: stack.name.clone(),
        template: stack.body(),
        bucket: bucket.map(str::to_owned),
        parameters: parameters.clone(),
        capabilities: stack.capabilities.clone(),
        tags: stack.tags.clone(),
        token,
        lifetime,
    }
}

/// Finds out what is left to find out about one stack. `name` tells apart several questions of a run.
pub async fn ask(
    draft: DraftStep,
    cloud: &impl Cloud,
    terms: &Terms<'_>,
    bucket: Option<&str>,
    name: &str,
) -> Result<Step, CloudError> {
    let found = draft.found.clone();
    let mut step = Step {
        found: draft.found,
        before: draft.before,
        parameters: draft.parameters,
        pending: draft.pending,
        ..Step::new(draft.stack, Action::Keep)
    };
    match (draft.todo, found) {
        (Todo::Decided(action), _) => step.action = action,
        (Todo::LookInside, Some(found)) => {
            step.action = heal::look_inside(&found, step.before.as_ref(), cloud, terms).await?;
        }
        (Todo::Propose, Some(found)) => {
            let token = token(terms.run, &step.stack.name, name);
            let lifetime = terms.lifetime;
            let wanted = proposal(&step.stack, &step.parameters, bucket, token, lifetime);
            match cloud.create_change_set(&wanted).await {
                Ok(answer) => judge(&mut step, answer, &found, terms.allow),
                Err(CloudError::Invalid {
                    reason, findings, ..
                }) => refuse(&mut step, &reason, findings),
                Err(CloudError::Refused { message, .. }) if heal::resumes(&found.status) => {
                    step.action = Action::Blocked(heal::not_resumed(&found, &message));
                }
                Err(error) => return Err(error),
            }
        }
        (Todo::LookInside | Todo::Propose, None) => step.action = Action::Create,
    }
    step.unguarded = unguarded(&step, cloud).await?;
    Ok(step)
}

/// Whether the stack policy in force is another than the wanted one: a run that was killed may have
/// left it relaxed.
async fn unguarded(step: &Step, cloud: &impl Cloud) -> Result<bool, CloudError> {
    let (Some(found), Some(wanted)) = (&step.found, &step.stack.policy) else {
        return Ok(false);
    };
    if !status::rests(&found.status) {
        return Ok(false);
    }
    match cloud.policy(&found.id).await {
        Ok(policy) => Ok(policy.as_ref() != Some(wanted)),
        // Who may not see it can't tell: no reason to refuse a plan.
        Err(CloudError::Denied { .. } | CloudError::Refused { .. } | CloudError::NotFound(_)) => {
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

/// Turns an answer into an action: nothing to do, an update, or a guard's refusal.
pub(super) fn judge(
    step: &mut Step,
    mut answer: ChangeSet,
    found: &LiveStack,
    allow: &BTreeSet<String>,
) {
    step.findings.clone_from(&answer.warnings);
    if answer.changes.is_empty() {
        if heal::resumes(&found.status) {
            let why = "it would change nothing";
            step.action = Action::Blocked(heal::not_resumed(found, why));
        }
        return;
    }
    let moved = compare::moved(&step.stack.template, &found.parameters, &step.parameters);
    let templates = step.before.as_ref().map(|before| compare::Templates {
        before,
        after: &step.stack.template,
        moved: &moved,
    });
    sharpen::sharpen(&mut answer.changes, templates);
    step.risks = risk::risks(&step.stack, step.before.as_ref(), &answer.changes, allow);
    step.action = match risk::guard(&step.stack, found, &step.risks) {
        None => Action::Update(answer),
        Some(why) => {
            step.held = Some(answer);
            Action::Blocked(why)
        }
    };
}

/// Early validation refused the template: nothing of this stack can be done, the others go on.
fn refuse(step: &mut Step, reason: &str, findings: Vec<Finding>) {
    let reason = format!("AWS refused the template of {}: {reason}", step.stack.name);
    let next = "change what the findings name in the definition, then look at the plan again";
    step.findings = findings;
    step.action = Action::Blocked(Blocked {
        reason,
        next: next.to_owned(),
        guard: false,
    });
}

/// An input is settled when the stack it comes from certainly stays as it is.
pub(super) fn settle_pending(steps: &mut [Step]) {
    loop {
        let still: BTreeSet<StackKind> = steps
            .iter()
            .filter(|step| step.action == Action::Keep && step.pending.is_empty())
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
