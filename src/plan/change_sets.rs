//! Asking AWS for what a comparison leaves open: change sets of what differs, what failed stacks hold, and
//! drift. Executes nothing; what the answers mean is decided in [`super::evaluate`].

use std::collections::BTreeSet;

use futures::future::{join, join_all};

use super::inspect::look_inside;
use super::offline::{Resolution, StepDraft};
use super::request::{proposal, token};
use super::{
    Action, Plan, PlanDraft, PlanError, Step, drift, evaluate, live, objects, recovery, risk,
    status,
};
use crate::cloud::{
    ChangeSetLifetime, Cloud, CloudError, Comparison, DriftReport, LiveStack, Store,
};

/// What drift detection answers of a stack.
type DriftAnswer = Result<DriftReport, CloudError>;

/// What a plan is made under.
#[derive(Debug, Clone, Copy)]
pub struct PlanOptions<'a> {
    /// Names this run; the tokens of all its requests derive from it.
    pub run: &'a str,
    /// Resources that may be lost, as `STACK/RESOURCE`.
    pub allow: &'a BTreeSet<String>,
    /// Resources that a continued rollback leaves as they are, as `STACK/RESOURCE`.
    pub skip: &'a BTreeSet<String>,
    /// How long the change sets are kept.
    pub lifetime: ChangeSetLifetime,
    /// Whether to look for what somebody changed by hand.
    pub drift: DriftDetection,
}

/// Whether a plan looks at the resources themselves; that takes CloudFormation half a minute or more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DriftDetection {
    /// Every stack at rest is compared with its resources.
    All,
    /// Only those that the plan would update: what was changed there may be overwritten, and what is gone makes the
    /// update fail. Every stack where the plan would update none: there is nothing else to say.
    ChangedOnly,
    /// Every stack; what was changed or is gone is set back by the change sets, where CloudFormation can.
    Revert,
    /// What was changed stays unknown.
    #[default]
    Off,
}

impl<'a> PlanOptions<'a> {
    /// Change sets for this run alone, no look at drift.
    pub fn new(run: &'a str, allow: &'a BTreeSet<String>, skip: &'a BTreeSet<String>) -> Self {
        Self {
            run,
            allow,
            skip,
            lifetime: ChangeSetLifetime::default(),
            drift: DriftDetection::default(),
        }
    }
}

/// Asks for change sets of all stacks that exist and differ, all at once. On an error
/// those that were answered are removed.
pub async fn resolve(
    mut draft: PlanDraft,
    cloud: &(impl Cloud + Store),
    options: &PlanOptions<'_>,
) -> Result<Plan, PlanError> {
    risk::known_names(&draft, options.allow)?;
    objects::note_templates(&mut draft, cloud).await?;
    let bucket = draft.bucket.as_deref();
    let asked = draft.steps.into_iter();
    let asked = asked.map(|step| resolve_with_drift(step, cloud, options, bucket));
    let mut steps = Vec::new();
    let mut failed = None;
    for answer in join_all(asked).await {
        match answer {
            Ok(step) => steps.push(step),
            Err(error) => failed = failed.or(Some(error)),
        }
    }
    if failed.is_none() && options.drift == DriftDetection::ChangedOnly && stays(&steps) {
        join_all(steps.iter_mut().map(|step| look_for_drift(step, cloud))).await;
    }
    evaluate::settle_pending(&mut steps);
    let objects = objects::note_bundles(&mut steps, cloud, bucket).await;
    failed = failed.or(objects.err());
    let skips = recovery::known_skips(&draft.cluster, &steps, options.skip);
    let plan = Plan {
        cluster: draft.cluster,
        steps,
        leftover: draft.leftover,
        refused: draft.refused,
        checks: Vec::new(),
    };
    match failed.map_or(skips, |error| Err(error.into())) {
        Ok(()) => Ok(plan),
        Err(error) => {
            discard(&plan, cloud).await;
            Err(error)
        }
    }
}

/// Asks about one stack, and looks for what was changed outside CloudFormation in it.
async fn resolve_with_drift(
    mut draft: StepDraft,
    cloud: &impl Cloud,
    options: &PlanOptions<'_>,
    bucket: Option<&str>,
) -> Result<Step, CloudError> {
    let found = draft.step.found.clone();
    let ask = async |draft| resolve_step(draft, cloud, options, bucket, "propose").await;
    let (asked, seen) = match options.drift {
        DriftDetection::All => join(ask(draft), drift_of(found.as_ref(), cloud)).await,
        DriftDetection::Revert => {
            let seen = drift_of(found.as_ref(), cloud).await;
            revert(&mut draft, seen.clone());
            (ask(draft).await, seen)
        }
        DriftDetection::ChangedOnly => {
            let step = ask(draft).await?;
            let may_change = step.change_set().is_some() || step.action == Action::Deferred;
            let seen = if may_change {
                drift_of(found.as_ref(), cloud).await
            } else {
                None
            };
            (Ok(step), seen)
        }
        DriftDetection::Off => (ask(draft).await, None),
    };
    let mut step = asked?;
    live::note(&mut step, cloud).await?;
    drift::note(&mut step, seen);
    drift::block_gone(&mut step);
    Ok(step)
}

/// Has a stack's change set compared with the resources, where that sets something back.
fn revert(draft: &mut StepDraft, seen: Option<DriftAnswer>) {
    let mut probe = draft.step.clone();
    drift::note(&mut probe, seen);
    let stays = Resolution::Decided(Action::NoChange);
    let open = draft.resolution == stays || draft.resolution == Resolution::NeedsChangeSet;
    if open && probe.is_revertible() {
        draft.resolution = Resolution::NeedsChangeSet;
        draft.step.reverts_drift = true;
    }
}

/// Whether no stack would be changed.
fn stays(steps: &[Step]) -> bool {
    steps.iter().all(|step| step.action == Action::NoChange)
}

async fn look_for_drift(step: &mut Step, cloud: &impl Cloud) {
    let seen = drift_of(step.found.as_ref(), cloud).await;
    drift::note(step, seen);
}

/// Removes the change sets of a plan that nobody will execute. Returns what could not be removed.
pub async fn discard(plan: &Plan, cloud: &impl Cloud) -> Vec<CloudError> {
    let sets = plan.steps.iter().filter_map(Step::change_set);
    let answers = join_all(sets.map(|set| cloud.delete_change_set(set))).await;
    answers.into_iter().filter_map(Result::err).collect()
}

/// Finds out what is left to find out about one stack. `name` tells apart several questions of a run.
pub async fn resolve_step(
    draft: StepDraft,
    cloud: &impl Cloud,
    options: &PlanOptions<'_>,
    bucket: Option<&str>,
    name: &str,
) -> Result<Step, CloudError> {
    let StepDraft {
        mut step,
        resolution,
    } = draft;
    step.allow.clone_from(options.allow);
    match (resolution, step.found.clone()) {
        (Resolution::Decided(Action::Deferred), _) => {
            step.action = Action::Deferred;
            evaluate::guard_deferred(&mut step, options.allow);
        }
        (Resolution::Decided(action), _) => step.action = action,
        (Resolution::NeedsInspection, Some(found)) => {
            step.action = look_inside(&found, step.before.as_ref(), cloud, options).await?;
        }
        (Resolution::NeedsChangeSet, Some(found)) => {
            let token = token(options.run, &step.stack.name, name);
            let lifetime = options.lifetime;
            let mut wanted = proposal(&step.stack, &step.parameters, bucket, token, lifetime);
            if step.reverts_drift {
                wanted.comparison = Comparison::Resources;
            }
            match cloud.create_change_set(&wanted).await {
                Ok(answer) => evaluate::evaluate(&mut step, answer, &found, options.allow),
                Err(CloudError::Invalid {
                    reason, findings, ..
                }) => evaluate::block(&mut step, &reason, findings),
                Err(CloudError::Refused { message, .. }) if recovery::resumes(&found.status) => {
                    step.action = Action::Blocked(recovery::not_resumed(&found, &message));
                }
                Err(error) => return Err(error),
            }
        }
        (Resolution::NeedsInspection | Resolution::NeedsChangeSet, None) => {
            step.action = Action::Create;
        }
    }
    step.policy_drifted = policy_drifted(&step, cloud).await?;
    Ok(step)
}

/// Whether the stack policy in force is another than the wanted one: a run that was killed may have
/// left it relaxed.
async fn policy_drifted(step: &Step, cloud: &impl Cloud) -> Result<bool, CloudError> {
    let (Some(found), Some(wanted)) = (&step.found, &step.stack.policy) else {
        return Ok(false);
    };
    if !status::rests(&found.status) {
        return Ok(false);
    }
    match cloud.policy(&found.id).await {
        Ok(policy) => Ok(policy.as_ref() != Some(wanted)),
        // Without the permission to read it nothing is known: no reason to refuse a plan.
        Err(CloudError::Denied { .. } | CloudError::Refused { .. } | CloudError::NotFound(_)) => {
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

/// Looks at one stack. `None` where there is nothing to look at: no stack, or one in motion.
async fn drift_of(
    found: Option<&LiveStack>,
    cloud: &impl Cloud,
) -> Option<Result<DriftReport, CloudError>> {
    let found = found.filter(|found| status::rests(&found.status))?;
    Some(cloud.drift(&found.id).await)
}
