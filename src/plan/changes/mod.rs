//! What a change means for a cluster that lives: one table of rows. A row compares the template that a stack has with
//! the wanted one, and says that the change is refused, that it loses something which has to be named, or that it is
//! worth a warning. [`fields`] says for every field of the definition which rows judge it, or why none has to.
//!
//! Pure. A value that can't be compared is refused too: nothing is passed unseen.

mod database;
mod edge;
pub mod fields;
mod machines;
mod network;
mod protection;
mod row;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::ranges::LiveRanges;
use super::{Blocked, Code, Step, Survey, status};
use crate::cloud::LiveStack;
use crate::stacks::{Stack, StackKind};

pub(super) use database::{BACKUPS, INSTANCE, moves_major};
pub(super) use machines::beside;
pub use row::Row;

/// A stack that exists, and what is wanted of it.
#[derive(Debug, Clone, Copy)]
struct Pair<'a> {
    cluster: &'a str,
    stack: &'a Stack,
    /// ARN of the stack; empty where it is not known.
    id: &'a str,
    /// The template that it has.
    before: &'a Value,
    outputs: &'a BTreeMap<String, String>,
    live: Live<'a>,
}

/// What is known of the cluster beside the stack that is compared.
#[derive(Debug, Clone, Copy, Default)]
struct Live<'a> {
    /// Whether machines may run that were made for what the cluster has.
    runs: bool,
    /// `None` where nobody has looked.
    ranges: Option<&'a LiveRanges>,
    /// As [`LiveValues::engines`]; `None` where nobody has looked.
    engines: Option<&'a BTreeMap<String, String>>,
}

/// What was read of a cluster beside its stacks.
#[derive(Debug, Clone, Default)]
pub struct LiveValues {
    /// `None` where nobody has looked.
    pub ranges: Option<LiveRanges>,
    /// The engine versions that run, by logical id: of the databases whose major version would change.
    pub engines: BTreeMap<String, String>,
}

/// What a row says of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Verdict {
    Refused(Refusal),
    Loss(Loss),
    Warning(String),
}

/// A change that can't work.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Refusal {
    code: Code,
    reason: String,
    /// The field that changes; `None` where none can be named.
    field: Option<String>,
    /// What the field has to be again, in the form of the definition; `None` where it is to be removed.
    was: Option<String>,
    /// The way to what is wanted.
    otherwise: String,
}

/// What is lost with a change that replaces and removes nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loss {
    pub logical_id: String,
    pub resource_type: String,
    /// The property whose change loses it.
    pub property: &'static str,
    /// What is lost, in words.
    pub holds: String,
    /// What becomes of it.
    pub becomes: String,
}

/// What is refused of the wanted stacks, in the order of the stacks. `place` names a field's place in the definition.
pub fn refusals(
    stacks: &[Stack],
    survey: &Survey,
    known: &LiveValues,
    place: &dyn Fn(&str) -> String,
) -> Vec<(StackKind, Blocked)> {
    let control_plane = StackKind::ControlPlane.stack_name(&survey.cluster);
    let runs = |name: &str| {
        survey
            .named(name)
            .filter(|found| status::runs(&found.status))
    };
    let live = Live {
        runs: runs(&control_plane).is_some(),
        ranges: known.ranges.as_ref(),
        engines: Some(&known.engines),
    };
    let mut refused = Vec::new();
    for stack in stacks {
        let Some(found) = runs(&stack.name) else {
            continue;
        };
        let kind = &stack.kind;
        match survey.templates.get(&found.id) {
            None if status::rests(&found.status) => refused.push((kind.clone(), unread(found))),
            None => {}
            Some(before) => {
                let pair = Pair {
                    cluster: &survey.cluster,
                    stack,
                    id: &found.id,
                    before,
                    outputs: &found.outputs,
                    live,
                };
                let all = pair.refusals().into_iter();
                refused.extend(all.map(|why| (kind.clone(), why.blocked(Some(place)))));
            }
        }
    }
    refused
}

/// What is refused of one stack in the middle of a run: somebody else may have changed it since the plan. `engines` are
/// as the plan read them.
pub(super) fn check(
    cluster: &str,
    stack: &Stack,
    found: &LiveStack,
    before: Option<&Value>,
    engines: &BTreeMap<String, String>,
) -> Option<Blocked> {
    let pair = Pair {
        cluster,
        stack,
        id: &found.id,
        before: before.filter(|_| status::runs(&found.status))?,
        outputs: &found.outputs,
        live: Live {
            engines: Some(engines),
            ..Live::default()
        },
    };
    let first = pair.refusals().into_iter().next();
    first.map(|why| why.blocked(None))
}

/// What an update of a stack loses without replacing or removing anything.
pub fn losses(step: &Step) -> Vec<Loss> {
    let loss = |verdict| match verdict {
        Verdict::Loss(loss) => Some(loss),
        Verdict::Refused(_) | Verdict::Warning(_) => None,
    };
    of_step(step).into_iter().filter_map(loss).collect()
}

/// What is refused of an update that sets resources back: the templates alone say nothing of that.
pub(super) fn unworkable(step: &Step) -> Option<Blocked> {
    let refusal = |verdict| match verdict {
        Verdict::Refused(why) => Some(why),
        Verdict::Loss(_) | Verdict::Warning(_) => None,
    };
    let mut refused = of_step(step).into_iter().filter_map(refusal);
    refused.find(|_| step.reverts_drift).map(Refusal::keep_live)
}

/// Sentences about an update, in the order of the table. Empty for a stack that is not there yet.
pub fn warnings(step: &Step) -> Vec<String> {
    let warning = |verdict| match verdict {
        Verdict::Warning(text) => Some(text),
        Verdict::Refused(_) | Verdict::Loss(_) => None,
    };
    let unlocked = step.needs_termination_protection_update() && !step.stack.termination_protection;
    let unlocked = unlocked.then(|| {
        "termination protection goes off: from then on the stack can be deleted".to_owned()
    });
    let of_table = of_step(step).into_iter().filter_map(warning);
    unlocked.into_iter().chain(of_table).collect()
}

fn of_step(step: &Step) -> Vec<Verdict> {
    let (none, Some(before)) = (BTreeMap::new(), step.starting_point()) else {
        return Vec::new();
    };
    let pair = Pair {
        cluster: "",
        stack: &step.stack,
        id: step.found.as_ref().map_or("", |found| &found.id),
        before: &before,
        outputs: step.found.as_ref().map_or(&none, |found| &found.outputs),
        live: Live {
            engines: Some(&step.sizes.engines),
            ..Live::default()
        },
    };
    pair.verdicts()
}

/// A stack whose template AWS does not show.
fn unread(found: &LiveStack) -> Blocked {
    let (name, options) = (&found.name, found.named().options());
    Blocked::by_guard(
        Code::ValuesUnknown,
        format!("the template of {name} can't be read, so nobody knows what would change in it"),
        format!("`aws cloudformation get-template{options}` says why"),
    )
}

impl<'a> Pair<'a> {
    fn verdicts(self) -> Vec<Verdict> {
        let rows = Row::ALL.iter();
        rows.flat_map(|row| row.judge(self)).collect()
    }

    fn refusals(self) -> Vec<Refusal> {
        let refusal = |verdict| match verdict {
            Verdict::Refused(why) => Some(why),
            Verdict::Loss(_) | Verdict::Warning(_) => None,
        };
        self.verdicts().into_iter().filter_map(refusal).collect()
    }

    /// Logical ids and properties, of today and wanted, of the resources of a type that stay.
    fn staying(self, of_type: &str) -> impl Iterator<Item = (&'a str, &'a Value, &'a Value)> {
        let wanted = resources(&self.stack.template, of_type);
        resources(self.before, of_type).filter_map(move |(id, was)| {
            let (_, is) = wanted.clone().find(|(other, _)| *other == id)?;
            Some((id, was, is))
        })
    }

    /// Logical ids of the resources of a type, of today and wanted.
    fn ids(self, of_type: &str) -> (BTreeSet<&'a str>, BTreeSet<&'a str>) {
        let ids = |template| resources(template, of_type).map(|(id, _)| id).collect();
        (ids(self.before), ids(&self.stack.template))
    }

    /// The field behind a property; `None` for what a template beside the definition adds.
    fn field(self, id: &str, property: &str) -> Option<String> {
        let path = format!("Properties.{property}");
        self.stack.fields(id, Some(&path)).into_iter().next()
    }
}

/// Logical ids and properties of the resources of a type.
pub(super) fn resources<'a>(
    template: &'a Value,
    of_type: &str,
) -> impl Iterator<Item = (&'a str, &'a Value)> + Clone + use<'a> {
    let of_type = of_type.to_owned();
    let all = template["Resources"].as_object().into_iter().flatten();
    all.filter(move |(_, body)| body["Type"] == of_type)
        .map(|(id, body)| (id.as_str(), &body["Properties"]))
}

/// A number, which a template may write as text.
fn number(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

impl Refusal {
    /// The same where the definition stays as it is and AWS has another value.
    fn keep_live(self) -> Blocked {
        let Self {
            code,
            reason,
            field,
            was,
            otherwise: _,
        } = self;
        let next = match (field, was) {
            (Some(field), Some(was)) => format!("write {was} at `{field}`, which AWS has"),
            _ => "leave out `--revert-drift`".to_owned(),
        };
        Blocked::by_guard(code, reason, next)
    }

    fn blocked(self, place: Option<&dyn Fn(&str) -> String>) -> Blocked {
        let Self {
            code,
            reason,
            field,
            was,
            otherwise,
        } = self;
        let undo = match (field, was) {
            // What changes is not known.
            _ if code == Code::ValuesUnknown => return Blocked::by_guard(code, reason, otherwise),
            (None, _) => "undo the change".to_owned(),
            (Some(field), was) => {
                let place = place.map_or_else(String::new, |of| format!(" in {}", of(&field)));
                match was {
                    Some(was) => format!("set `{field}` back to {was}{place}"),
                    None => format!("remove `{field}` again{place}"),
                }
            }
        };
        Blocked::by_guard(code, reason, format!("{undo}; {otherwise}"))
    }
}
