//! What a roll emits: how far each stack is, single steps, and what is waited for.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use super::executor::{Etcd, Roll};
use super::memory::Memory;
use super::observed::Observed;
use super::select;
use super::step::{End, Step};
use super::text;
use crate::cloud::{Machines, Nodes, Scaling};
use crate::common::Clock;
use crate::common::clock::elapsed;
use crate::common::text::count;
use crate::events::{Emitter, MachineStep, RollPart};
use crate::stacks::StackKind;

/// A wait is emitted again after so long.
const REPEAT: Duration = Duration::from_mins(1);
/// All parts are emitted at least so often.
const PARTS: Duration = Duration::from_secs(30);

/// What was emitted.
#[derive(Debug)]
pub(super) struct Reported {
    since: Timestamp,
    parts: Vec<RollPart>,
    at: Option<Timestamp>,
    /// By stack, machine and what it is about.
    waits: BTreeMap<(String, String, String), Timestamp>,
}

impl Reported {
    pub(super) fn new(since: Timestamp) -> Self {
        Self {
            since,
            parts: Vec::new(),
            at: None,
            waits: BTreeMap::new(),
        }
    }
}

impl<C: Machines + Scaling + Clock, N: Nodes, E: Etcd> Roll<'_, C, N, E> {
    fn emitter(&self) -> Emitter<'_, C> {
        Emitter {
            events: self.events,
            clock: self.cloud,
        }
    }

    /// A step of a machine.
    pub(super) fn emit(&self, seen: &Observed, id: &str, step: MachineStep, detail: &str) {
        let stack = seen.instances.get(id).and_then(|one| one.stack.as_deref());
        if let Some(stack) = stack.and_then(StackKind::parse) {
            self.emitter().machine(&stack, id, step, detail);
        }
    }

    /// Emits what a step says.
    pub(super) fn show(
        &self,
        seen: &Observed,
        memory: &Memory,
        step: &Step,
        reported: &mut Reported,
    ) {
        for wait in step.waits.iter().filter(|wait| wait.is_notable) {
            let about = about(&wait.text).to_owned();
            let key = (wait.stack.clone(), wait.instance.clone(), about);
            let last = reported.waits.get(&key);
            if last.is_some_and(|last| elapsed(*last, seen.at) < REPEAT) {
                continue;
            }
            reported.waits.insert(key, seen.at);
            self.say(
                &wait.stack,
                &wait.instance,
                MachineStep::Waiting,
                &wait.text,
            );
        }
        if step.end.is_none()
            && let Some((stack, text)) = text::homeless(seen, memory)
        {
            let key = (stack.clone(), String::new(), String::new());
            let last = reported.waits.get(&key);
            if last.is_none_or(|last| elapsed(*last, seen.at) >= REPEAT) {
                reported.waits.insert(key, seen.at);
                self.say(&stack, "", MachineStep::Waiting, &text);
            }
        }
        for stop in &step.stops {
            self.say(
                &stop.stack,
                &stop.instance,
                MachineStep::Stopped,
                &stop.text,
            );
        }
        let parts = self.parts(seen, memory, step);
        let is_late = reported.at.is_none_or(|at| elapsed(at, seen.at) >= PARTS);
        if is_late || step.end.is_some() || differs(&parts, &reported.parts) {
            let succeeded = step.end.as_ref().map(|end| *end == End::Finished);
            let cluster = self.options.cluster.as_str();
            self.emitter()
                .roll(reported.since, cluster, parts.clone(), succeeded);
            reported.parts = parts;
            reported.at = Some(seen.at);
        }
    }

    fn say(&self, stack: &str, machine: &str, step: MachineStep, text: &str) {
        if let Some(stack) = StackKind::parse(stack) {
            self.emitter().machine(&stack, machine, step, text);
        }
    }

    fn parts(&self, seen: &Observed, memory: &Memory, step: &Step) -> Vec<RollPart> {
        let selection = select::select(seen, memory, self.options);
        let mut parts: BTreeMap<&str, RollPart> = BTreeMap::new();
        let mut going: BTreeMap<&str, [usize; 2]> = BTreeMap::new();
        for (id, _) in selection.iter() {
            let Some(one) = seen.instances.get(id) else {
                continue;
            };
            let Some(stack) = one.stack.as_deref() else {
                continue;
            };
            let part = parts.entry(stack).or_insert_with(|| part(stack));
            part.wanted += 1;
            let [boots, drains] = going.entry(stack).or_default();
            if seen.is_cordoned_by_roll(id) {
                *drains += 1;
            } else if one.roll.is_some() {
                *boots += 1;
            }
        }
        for (stack, replaced) in &memory.replaced {
            let part = parts.entry(stack).or_insert_with(|| part(stack));
            let gone = replaced.iter().filter(|id| !selection.has(id)).count();
            part.done += gone;
            part.wanted += gone;
        }
        for stop in &memory.stops {
            let part = parts
                .entry(&stop.stack)
                .or_insert_with(|| part(&stop.stack));
            part.stops.push(stop.text.clone());
        }
        for wait in step.waits.iter().filter(|wait| wait.is_notable) {
            let part = parts
                .entry(&wait.stack)
                .or_insert_with(|| part(&wait.stack));
            part.waits.push(wait.text.clone());
        }
        for (stack, [boots, drains]) in going {
            if let Some(part) = parts.get_mut(stack) {
                part.state = state(boots, drains);
            }
        }
        parts.into_values().collect()
    }
}

/// What a text is about: all before its first figure that changes, or its colon.
fn about(text: &str) -> &str {
    let end = [": ", " for "].iter().filter_map(|mark| text.find(mark));
    end.min().and_then(|end| text.get(..end)).unwrap_or(text)
}

fn part(stack: &str) -> RollPart {
    RollPart {
        name: stack.to_owned(),
        done: 0,
        wanted: 0,
        state: String::new(),
        waits: Vec::new(),
        stops: Vec::new(),
    }
}

/// `2 replacements boot, 1 machine drains`
fn state(boots: usize, drains: usize) -> String {
    let verb = |number: usize, verb: &str| match number {
        1 => format!("{verb}s"),
        _ => verb.to_owned(),
    };
    let texts = [(boots, "replacement", "boot"), (drains, "machine", "drain")];
    let texts = texts.into_iter().filter(|(number, ..)| *number > 0);
    let texts: Vec<String> = texts
        .map(|(number, noun, does)| format!("{} {}", count(number, noun), verb(number, does)))
        .collect();
    texts.join(", ")
}

/// Whether more than the text of a wait differs.
fn differs(parts: &[RollPart], before: &[RollPart]) -> bool {
    let of = |part: &RollPart| {
        (
            part.name.clone(),
            part.done,
            part.wanted,
            part.state.clone(),
            part.stops.len(),
        )
    };
    !parts.iter().map(of).eq(before.iter().map(of))
}
