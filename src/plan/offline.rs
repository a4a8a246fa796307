//! The part of a plan that needs no further question: what is known of every stack's inputs, and
//! what its status alone says. Pure.

use std::collections::BTreeMap;

use serde_json::Value;

use super::status::{ApplyAction, on_apply, stays};
use super::{Action, Blocked, Code, PendingInput, Step, Survey, changes, compare, versions};
use crate::cloud::LiveStack;
use crate::stacks::{STATE_BUCKET, Source, Stack, StackKind};

/// A plan before anybody asked for change sets.
#[derive(Debug, Clone, PartialEq)]
pub struct PlanDraft {
    pub cluster: String,
    pub steps: Vec<StepDraft>,
    pub leftover: Vec<LiveStack>,
    /// The state bucket, once there is one.
    pub bucket: Option<String>,
    /// What is refused before anything is asked, as another Kubernetes version; then nothing of the plan is done.
    pub refused: Vec<Blocked>,
}

/// One stack of a draft.
#[derive(Debug, Clone, PartialEq)]
pub struct StepDraft {
    /// What is known without asking. Its action is not decided yet.
    pub step: Step,
    pub resolution: Resolution,
}

/// What is left to find out about a stack.
#[derive(Debug, Clone, PartialEq)]
pub enum Resolution {
    /// Nothing.
    Decided(Action),
    /// What would change.
    NeedsChangeSet,
    /// What it still holds, or what keeps it from going back.
    NeedsInspection,
}

/// Values of a stack's inputs as far as known, and what is missing.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Inputs {
    pub parameters: BTreeMap<String, String>,
    pub pending: Vec<PendingInput>,
    /// SSM parameters of AMI ids that the lock file lacks.
    pub unlocked: Vec<String>,
    /// Whether the Kubernetes version was compared with what runs ([`versions::decide`]) at this moment;
    /// in the middle of a run it was not. The same holds for what the table of changes refuses ([`changes::refusals`]).
    pub versions_decided: bool,
    /// The engine versions that run, as the plan read them.
    pub engines: BTreeMap<String, String>,
}

/// Compares the wanted stacks with a survey. `images` are the AMI ids of the lock file by the SSM
/// parameter they were resolved from.
pub fn draft(stacks: Vec<Stack>, survey: &Survey, images: &BTreeMap<String, String>) -> PlanDraft {
    let mut leftover = survey.found.clone();
    leftover.retain(|found| stacks.iter().all(|stack| stack.name != found.name));
    let outputs: BTreeMap<StackKind, BTreeMap<String, String>> = stacks
        .iter()
        .filter_map(|stack| Some((stack.kind.clone(), lasting_outputs(stack, survey)?)))
        .collect();
    let bucket = outputs
        .get(&StackKind::Base)
        .and_then(|base| base.get(STATE_BUCKET).cloned());
    let steps = stacks.into_iter().map(|stack| {
        let known = inputs(&stack, &outputs, images);
        let found = survey.named(&stack.name).cloned();
        let before = found
            .as_ref()
            .and_then(|found| survey.templates.get(&found.id).cloned());
        classify(&survey.cluster, stack, found, before, known)
    });
    PlanDraft {
        cluster: survey.cluster.clone(),
        steps: steps.collect(),
        leftover,
        bucket,
        refused: Vec::new(),
    }
}

impl PlanDraft {
    /// Refuses these stacks, and with them the plan: what the others would change is not asked.
    #[must_use]
    pub fn refuse(mut self, refused: Vec<(StackKind, Blocked)>) -> Self {
        let Some((_, first)) = refused.first() else {
            return self;
        };
        for step in &mut self.steps {
            let of_step = refused
                .iter()
                .find(|(kind, _)| *kind == step.step.stack.kind);
            let why = match of_step {
                Some((_, why)) => why.clone(),
                None if step.resolution == Resolution::NeedsChangeSet => Blocked {
                    code: Code::PlanRefused,
                    reason: "it differs from the definition; AWS is not asked what would change \
                             while the plan is refused"
                        .to_owned(),
                    ..first.clone()
                },
                None => continue,
            };
            step.resolution = Resolution::Decided(Action::Blocked(why));
        }
        self.refused = refused.into_iter().map(|(_, why)| why).collect();
        self
    }
}

/// Outputs that can be relied on: those of a stack that stays.
fn lasting_outputs(stack: &Stack, survey: &Survey) -> Option<BTreeMap<String, String>> {
    let found = survey.named(&stack.name)?;
    stays(&found.status).then(|| found.outputs.clone())
}

/// The inputs of a stack from what its producers have put out so far.
pub fn inputs(
    stack: &Stack,
    outputs: &BTreeMap<StackKind, BTreeMap<String, String>>,
    images: &BTreeMap<String, String>,
) -> Inputs {
    let mut known = Inputs {
        versions_decided: true,
        ..Inputs::default()
    };
    for input in &stack.inputs {
        let value = match &input.source {
            Source::Value(value) => Some(value.clone()),
            Source::Locked { parameter } => {
                let image = images.get(parameter).cloned();
                if image.is_none() {
                    known.unlocked.push(parameter.clone());
                }
                image
            }
            Source::Output { stack: from, key } => {
                let now = outputs.get(from).and_then(|of| of.get(key).cloned());
                known.pending.push(PendingInput {
                    parameter: input.parameter.clone(),
                    from: from.clone(),
                    key: key.clone(),
                    now: now.clone(),
                });
                now
            }
        };
        if let Some(value) = value {
            known.parameters.insert(input.parameter.clone(), value);
        }
    }
    known
}

/// Decides what can be decided about one stack without a question.
pub fn classify(
    cluster: &str,
    stack: Stack,
    found: Option<LiveStack>,
    before: Option<Value>,
    known: Inputs,
) -> StepDraft {
    let resolution = match unlocked(cluster, &known.unlocked) {
        Some(why) => Resolution::Decided(Action::Blocked(why)),
        None => decide(cluster, &stack, found.as_ref(), before.as_ref(), &known),
    };
    let step = Step {
        found,
        before,
        parameters: known.parameters,
        pending: known.pending,
        ..Step::new(stack, Action::NoChange)
    };
    StepDraft { step, resolution }
}

fn decide(
    cluster: &str,
    stack: &Stack,
    found: Option<&LiveStack>,
    before: Option<&Value>,
    known: &Inputs,
) -> Resolution {
    let Some(found) = found else {
        return Resolution::Decided(Action::Create);
    };
    if let Some(why) = versions::check_version(cluster, stack, found, known.versions_decided) {
        return Resolution::Decided(Action::Blocked(why));
    }
    let judged = known.versions_decided;
    let refused = || changes::check(cluster, stack, found, before, &known.engines);
    if let Some(why) = (!judged).then(refused).flatten() {
        return Resolution::Decided(Action::Blocked(why));
    }
    let unknown = known.pending.iter().any(|input| input.now.is_none());
    match on_apply(&found.status, found.named()) {
        ApplyAction::Compare | ApplyAction::Ask | ApplyAction::Resume if unknown => {
            Resolution::Decided(Action::Deferred)
        }
        ApplyAction::Compare if compare::same(stack, found, before, &known.parameters) => {
            Resolution::Decided(Action::NoChange)
        }
        ApplyAction::Compare | ApplyAction::Ask | ApplyAction::Resume => Resolution::NeedsChangeSet,
        ApplyAction::Create => Resolution::Decided(Action::Create),
        ApplyAction::LookInside | ApplyAction::Continue => Resolution::NeedsInspection,
        ApplyAction::Follow => Resolution::Decided(Action::Follow(found.status.clone())),
        ApplyAction::Blocked(why) => Resolution::Decided(Action::Blocked(why)),
    }
}

fn unlocked(cluster: &str, missing: &[String]) -> Option<Blocked> {
    let first = missing.first()?;
    Some(Blocked::by_state(
        Code::ImageNotLocked,
        format!("the lock file has no machine image for {first}"),
        format!("`kube-cfn lock {cluster} --update`, then look at the plan again"),
    ))
}
