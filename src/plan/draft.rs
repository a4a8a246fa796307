//! The part of a plan that needs no further question: what is known of every stack's inputs, and
//! what its status alone says. Pure.

use std::collections::BTreeMap;

use serde_json::Value;

use super::status::{Means, on_apply};
use super::{Action, Blocked, Pending, Survey, compare, versions};
use crate::cloud::LiveStack;
use crate::stacks::{STATE_BUCKET, Source, Stack, StackKind};

/// A plan before anybody asked for change sets.
#[derive(Debug, Clone, PartialEq)]
pub struct Draft {
    pub cluster: String,
    pub steps: Vec<DraftStep>,
    pub leftover: Vec<LiveStack>,
    /// The state bucket, once there is one.
    pub bucket: Option<String>,
    /// What the rule of Kubernetes versions refuses; then nothing of the plan is done.
    pub refused: Vec<Blocked>,
}

/// One stack of a draft.
#[derive(Debug, Clone, PartialEq)]
pub struct DraftStep {
    pub stack: Stack,
    pub found: Option<LiveStack>,
    pub before: Option<Value>,
    pub parameters: BTreeMap<String, String>,
    pub pending: Vec<Pending>,
    pub todo: Todo,
}

/// What is left to find out about a stack.
#[derive(Debug, Clone, PartialEq)]
pub enum Todo {
    /// Nothing.
    Decided(Action),
    /// What would change.
    Propose,
    /// What it still holds, or what keeps it from going back.
    LookInside,
}

/// Values of a stack's inputs as far as known, and what is missing.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Inputs {
    pub parameters: BTreeMap<String, String>,
    pub pending: Vec<Pending>,
    /// SSM parameters of AMI ids that the lock file lacks.
    pub unlocked: Vec<String>,
}

/// Compares the wanted stacks with a survey. `images` are the AMI ids of the lock file by the SSM
/// parameter they were resolved from.
pub fn draft(stacks: Vec<Stack>, survey: &Survey, images: &BTreeMap<String, String>) -> Draft {
    let mut leftover = survey.found.clone();
    leftover.retain(|found| stacks.iter().all(|stack| stack.name != found.name));
    let outputs: BTreeMap<StackKind, BTreeMap<String, String>> = stacks
        .iter()
        .filter_map(|stack| Some((stack.kind.clone(), standing(stack, survey)?)))
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
        consider(&survey.cluster, stack, found, before, known)
    });
    Draft {
        cluster: survey.cluster.clone(),
        steps: steps.collect(),
        leftover,
        bucket,
        refused: Vec::new(),
    }
}

impl Draft {
    /// Refuses these stacks, and with them the plan: what the others would change is not asked.
    #[must_use]
    pub fn refuse(mut self, refused: BTreeMap<StackKind, Blocked>) -> Self {
        let Some(first) = refused.values().next() else {
            return self;
        };
        for step in &mut self.steps {
            let why = match refused.get(&step.stack.kind) {
                Some(why) => why.clone(),
                None if step.todo == Todo::Propose => Blocked {
                    reason: "it differs from the definition; AWS is not asked what would change \
                             while the plan is refused"
                        .to_owned(),
                    ..first.clone()
                },
                None => continue,
            };
            step.todo = Todo::Decided(Action::Blocked(why));
        }
        self.refused = refused.into_values().collect();
        self
    }
}

/// Outputs that can be relied on: those of a stack that stays.
fn standing(stack: &Stack, survey: &Survey) -> Option<BTreeMap<String, String>> {
    let found = survey.named(&stack.name)?;
    match on_apply(&found.status, &stack.name) {
        Means::Create | Means::LookInside => None,
        _ => Some(found.outputs.clone()),
    }
}

/// The inputs of a stack from what its producers have put out so far.
pub fn inputs(
    stack: &Stack,
    outputs: &BTreeMap<StackKind, BTreeMap<String, String>>,
    images: &BTreeMap<String, String>,
) -> Inputs {
    let mut known = Inputs::default();
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
                known.pending.push(Pending {
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
pub fn consider(
    cluster: &str,
    stack: Stack,
    found: Option<LiveStack>,
    before: Option<Value>,
    known: Inputs,
) -> DraftStep {
    let todo = match unlocked(cluster, &known.unlocked) {
        Some(why) => Todo::Decided(Action::Blocked(why)),
        None => decide(cluster, &stack, found.as_ref(), before.as_ref(), &known),
    };
    DraftStep {
        stack,
        found,
        before,
        parameters: known.parameters,
        pending: known.pending,
        todo,
    }
}

fn decide(
    cluster: &str,
    stack: &Stack,
    found: Option<&LiveStack>,
    before: Option<&Value>,
    known: &Inputs,
) -> Todo {
    let Some(found) = found else {
        return Todo::Decided(Action::Create);
    };
    if let Some(why) = versions::kept(cluster, stack, found) {
        return Todo::Decided(Action::Blocked(why));
    }
    let unknown = known.pending.iter().any(|input| input.now.is_none());
    match on_apply(&found.status, &stack.name) {
        Means::Compare | Means::Ask | Means::Resume if unknown => Todo::Decided(Action::Later),
        Means::Compare if compare::same(stack, found, before, &known.parameters) => {
            Todo::Decided(Action::Keep)
        }
        Means::Compare | Means::Ask | Means::Resume => Todo::Propose,
        Means::Create => Todo::Decided(Action::Create),
        Means::LookInside | Means::Continue => Todo::LookInside,
        Means::Follow => Todo::Decided(Action::Follow(found.status.clone())),
        Means::Blocked(why) => Todo::Decided(Action::Blocked(why)),
    }
}

fn unlocked(cluster: &str, missing: &[String]) -> Option<Blocked> {
    let first = missing.first()?;
    Some(Blocked {
        reason: format!("the lock file has no machine image for {first}"),
        next: format!("`kube-cfn lock {cluster} --update`, then look at the plan again"),
        guard: false,
    })
}
