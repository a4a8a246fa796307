//! Comparing wanted with found: what a run would do to every stack, and how risky each change is.
//! A plan is data: it can be printed, tested and executed. Knows nothing of SDK, time or printing.
//!
//! The way: [`survey()`] reads once, [`draft()`] compares without asking anybody, [`complete()`] asks
//! for the change sets of what differs. [`discard`] removes those that nobody will execute.

pub mod compare;
pub mod complete;
pub mod deletion;
pub mod draft;
pub mod drift;
pub mod fate;
pub mod heal;
pub mod order;
pub mod policy;
pub mod protection;
pub mod risk;
pub mod saved;
pub mod sharpen;
pub mod status;
pub mod survey;
pub mod versions;
pub mod warnings;

use semver::Version;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

use crate::cloud::{
    ChangeAction, ChangeSet, CloudError, Finding, LiveStack, PropertyChange, Replacement,
    StackStatus,
};
use crate::stacks::{Source, Stack, StackKind, sentence};

pub use complete::{Look, Terms, complete, discard};
pub use deletion::{DeletePlan, Guard, deletion};
pub use draft::{Draft, draft};
pub use drift::Drifted;
pub use heal::Stuck;
pub use order::{joins, needs};
pub use risk::{Effect, Risk};
pub use saved::{Origin, Saved};
pub use survey::{Survey, survey};
pub use warnings::warnings;

/// What a run would do, stack by stack.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    pub cluster: String,
    pub steps: Vec<Step>,
    /// Stacks of this cluster in AWS that the definition no longer has; `apply` leaves them alone.
    pub leftover: Vec<LiveStack>,
    /// What the rule of Kubernetes versions refuses (exit code 5); then nothing of the plan is done.
    pub refused: Vec<Blocked>,
}

/// What a run would do to one stack.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    pub stack: Stack,
    pub found: Option<LiveStack>,
    /// The template that the stack has now.
    pub before: Option<Value>,
    /// Parameter values as far as known now; missing ones come from stacks that are not there yet.
    pub parameters: BTreeMap<String, String>,
    /// Inputs whose value another step may still set or change.
    pub pending: Vec<Pending>,
    /// What the change set would do to resources that hold data.
    pub risks: Vec<Risk>,
    /// The change set behind a guard: shown, never executed.
    pub held: Option<ChangeSet>,
    /// What CloudFormation's early validation found; it refuses where the step is blocked by it.
    pub findings: Vec<Finding>,
    /// What somebody changed by hand.
    pub drift: Vec<Drifted>,
    /// Why nobody knows whether something was changed by hand; `None` when it was looked at, and where
    /// nothing stands to be looked at.
    pub drift_unknown: Option<String>,
    /// Whether the stack policy in force is not the wanted one.
    pub unguarded: bool,
    pub action: Action,
}

/// An input that is settled only when another stack is done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Pending {
    pub parameter: String,
    /// The stack that the value comes from.
    pub from: StackKind,
    /// Key of its output.
    pub key: String,
    /// The value of today; `None` when there is none before that stack is done.
    pub now: Option<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    Create,
    /// The leftover of a failed creation, or a shell of this tool's, is deleted first, then created.
    Recreate,
    /// Its last update failed, and so did going back: the rollback is gone on with, then the stack is
    /// looked at again.
    Continue {
        /// What keeps it from going back.
        stuck: Vec<Stuck>,
        /// Of those, what is left as it is: it will not match its template any more.
        skip: Vec<String>,
    },
    /// Execute this change set. Its inputs may still change when a stack before it changes.
    Update(ChangeSet),
    /// It exists, but what changes in it is known only when the stacks in [`Step::pending`] are done.
    Later,
    Keep,
    /// Follow what already runs, then look again.
    Follow(StackStatus),
    /// Can't be done as things stand.
    Blocked(Blocked),
}

impl Action {
    /// The action in one word, as a saved plan has it.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Recreate => "recreate",
            Self::Continue { .. } => "continue",
            Self::Update(_) => "update",
            Self::Later => "later",
            Self::Keep => "keep",
            Self::Follow(_) => "follow",
            Self::Blocked(_) => "blocked",
        }
    }
}

/// Why a stack can't be touched, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Blocked {
    pub reason: String,
    /// The next command or step.
    pub next: String,
    /// Whether it is a guard of this tool that refuses (exit code 5), not the state of the stack.
    pub guard: bool,
}

/// How many resources a step touches, by what happens to them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Counts {
    pub add: usize,
    pub modify: usize,
    pub replace: usize,
    /// Modified, and replaced depending on values not known yet.
    pub might_replace: usize,
    pub remove: usize,
}

/// A resource that a step would create.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Planned {
    pub logical_id: String,
    pub resource_type: String,
    pub sentence: String,
}

/// Why there is no plan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    #[error(transparent)]
    Cloud(#[from] CloudError),
    /// A name given with `--allow-data-loss` that names nothing.
    #[error(
        "--allow-data-loss {name}: there is no such resource in the stacks of {cluster}; {hint}"
    )]
    UnknownResource {
        name: String,
        cluster: String,
        hint: String,
    },
    /// A name given with `--skip` that keeps nothing from going back.
    #[error("--skip {name}: it does not keep a stack of {cluster} from going back; {hint}")]
    NotStuck {
        name: String,
        cluster: String,
        hint: String,
    },
    /// A version given with `--running` that nobody asks for.
    #[error("--running {stack}={version}: {hint}")]
    VersionNotAsked {
        stack: StackKind,
        version: Version,
        hint: String,
    },
}

impl Plan {
    /// Whether a run would change anything.
    pub fn has_changes(&self) -> bool {
        self.steps
            .iter()
            .any(|step| !matches!(step.action, Action::Keep) || step.reprotects())
    }

    /// The stacks that can't be touched.
    pub fn blocked(&self) -> impl Iterator<Item = (&StackKind, &Blocked)> {
        self.steps.iter().filter_map(|step| match &step.action {
            Action::Blocked(why) => Some((&step.stack.kind, why)),
            _ => None,
        })
    }

    /// Whether a guard of this tool refuses a part of it (exit code 5).
    pub fn is_refused(&self) -> bool {
        self.blocked().any(|(_, why)| why.guard)
    }
}

impl Step {
    /// A step before anything was asked about it.
    pub fn new(stack: Stack, action: Action) -> Self {
        Self {
            stack,
            found: None,
            before: None,
            parameters: BTreeMap::new(),
            pending: Vec::new(),
            risks: Vec::new(),
            held: None,
            findings: Vec::new(),
            drift: Vec::new(),
            drift_unknown: None,
            unguarded: false,
            action,
        }
    }

    /// Who decides a value that is not known yet: the kind of the stack (`database`) where the change
    /// comes through a parameter that another stack feeds, else the resource or attribute that
    /// CloudFormation names. `None` where the value is known, or nobody says what causes it.
    pub fn producer(&self, change: &PropertyChange) -> Option<String> {
        let cause = change.cause.as_deref()?;
        let fed = self
            .stack
            .inputs
            .iter()
            .find_map(|input| match &input.source {
                Source::Output { stack, .. } if input.parameter == cause => Some(stack.to_string()),
                _ => None,
            });
        let waits = self.pending.iter().any(|one| one.parameter == cause);
        if sharpen::is_unknown(change) || (fed.is_some() && waits) {
            return fed.or_else(|| Some(cause.to_owned()));
        }
        None
    }

    /// The change set of an update, also of one that a guard holds back.
    pub fn change_set(&self) -> Option<&ChangeSet> {
        match &self.action {
            Action::Update(change_set) => Some(change_set),
            _ => self.held.as_ref(),
        }
    }

    /// Whether its protection has to be set: termination protection, or the stack policy.
    pub fn reprotects(&self) -> bool {
        self.unguarded || self.relocks()
    }

    /// Whether termination protection has to be switched on or off.
    pub fn relocks(&self) -> bool {
        self.found.as_ref().is_some_and(|found| {
            status::rests(&found.status)
                && found.termination_protection != self.stack.termination_protection
        })
    }

    /// The resources that a creation makes, in the template's order.
    pub fn resources(&self) -> Vec<Planned> {
        resources_of(&self.stack.template)
    }

    /// What happens to how many resources.
    pub fn counts(&self) -> Counts {
        if matches!(self.action, Action::Create | Action::Recreate) {
            return Counts {
                add: self.resources().len(),
                ..Counts::default()
            };
        }
        let mut counts = Counts::default();
        for change in self.change_set().map_or(&[][..], |set| &set.changes) {
            match (&change.action, change.replacement) {
                (ChangeAction::Add, _) => counts.add += 1,
                (ChangeAction::Remove, _) => counts.remove += 1,
                (_, Replacement::Yes) => counts.replace += 1,
                (_, Replacement::Might) => counts.might_replace += 1,
                (_, Replacement::No) => counts.modify += 1,
            }
        }
        counts
    }

    /// The human sentence of a resource, of one that goes away too; the logical id where there is none.
    pub fn sentence(&self, logical_id: &str) -> String {
        let old = || self.before.as_ref().and_then(|t| sentence(t, logical_id));
        let told = self.stack.sentence(logical_id).or_else(old);
        told.unwrap_or(logical_id).to_owned()
    }
}

/// Every resource of a template.
pub fn resources_of(template: &Value) -> Vec<Planned> {
    let Some(resources) = template.get("Resources").and_then(Value::as_object) else {
        return Vec::new();
    };
    let planned = |(id, body): (&String, &Value)| Planned {
        logical_id: id.clone(),
        resource_type: body
            .get("Type")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned(),
        sentence: sentence(template, id).unwrap_or(id).to_owned(),
    };
    resources.iter().map(planned).collect()
}

/// The idempotency token of a step: letters, digits and dashes, at most 128 of them. The same run,
/// stack and step give the same token, so that a write asked twice happens once.
pub fn token(run: &str, stack: &str, step: &str) -> String {
    use sha2::{Digest, Sha256};
    const LONGEST: usize = 128;
    const DIGITS: usize = 32;
    let plain: String = format!("kcfn-{run}-{stack}-{step}")
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .collect();
    if plain.len() <= LONGEST {
        return plain;
    }
    let digest = format!("{:x}", Sha256::digest(plain.as_bytes()));
    let head: String = plain.chars().take(LONGEST - DIGITS - 1).collect();
    let tail: String = digest.chars().take(DIGITS).collect();
    format!("{head}-{tail}")
}

/// The run that gave a token to a request on this stack; `None` where it was not this tool's.
pub fn run_of<'a>(token: &'a str, stack: &str) -> Option<&'a str> {
    let rest = token.strip_prefix("kcfn-")?;
    let (run, _) = rest.split_once(&format!("-{stack}-"))?;
    Some(run).filter(|run| !run.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_the_same_for_the_same_step_and_fits_whatever_the_names() {
        assert_eq!(
            token("7f3a", "canary-base", "create"),
            "kcfn-7f3a-canary-base-create"
        );
        assert_eq!(
            run_of("kcfn-7f3a-canary-base-create", "canary-base"),
            Some("7f3a")
        );
        assert_eq!(run_of("somebody-canary-base-create", "canary-base"), None);
        let long = "x".repeat(128);
        let create = token("7f3a", &long, "create");
        let other = token("7f3a", &long, "execute");
        assert_eq!(create.len(), 128);
        assert_eq!(create, token("7f3a", &long, "create"));
        assert_ne!(create, other);
        assert!(
            token("a_b/c", "s", "t")
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || c == '-')
        );
    }
}
