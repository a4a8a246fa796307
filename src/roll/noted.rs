//! What a run notes by its own clock: nodes that fall silent or are cordoned, actions without an answer, machines that were
//! asked to end. Part of [`Memory`](super::Memory).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;

use super::memory::Memory;
use super::observed::Observed;
use super::step::{Action, REPLACEMENT, Step};
use super::{CONTROL_PLANE, action_text, drain};
use crate::common::clock::elapsed;

/// A machine that was asked to end is not asked again before.
const ENDS: Duration = Duration::from_secs(30);
/// From here on a person should see that an action has no answer.
pub(super) const UNANSWERED: Duration = Duration::from_secs(30);
/// An action that has had no answer for so long is given up.
pub(super) const GIVEN_UP: Duration = Duration::from_mins(15);

#[derive(Debug, Clone, PartialEq, Default)]
pub struct Noted {
    /// Whether a look was taken in.
    has_looked: bool,
    /// Nodes that had been silent for minutes at the first look, and are so since.
    lost_at_start: BTreeSet<String>,
    /// Since when nodes are silent.
    silent: BTreeMap<String, Timestamp>,
    /// Since when nodes are cordoned by a roll.
    cordoned: BTreeMap<String, Timestamp>,
    /// Actions without an answer: since when, and why.
    pub(super) unanswered: BTreeMap<Action, (Timestamp, String)>,
    /// When machines were asked to end.
    ended: BTreeMap<String, Timestamp>,
    /// Since when a control-plane node may not be taken away.
    pub(super) held: Option<Timestamp>,
}

impl Noted {
    /// Takes in a look at which Kubernetes answered.
    pub(super) fn observe(&mut self, seen: &Observed) {
        let nodes = || seen.nodes.values();
        let silent: BTreeSet<&String> = nodes()
            .filter(|node| node.is_silent)
            .map(|node| &node.name)
            .collect();
        if !self.has_looked {
            let lost = nodes().filter(|node| drain::is_lost(node, seen.at));
            self.lost_at_start = lost.map(|node| node.name.clone()).collect();
            self.has_looked = true;
        }
        self.lost_at_start.retain(|node| silent.contains(node));
        self.silent.retain(|node, _| silent.contains(node));
        for node in silent {
            self.silent.entry(node.clone()).or_insert(seen.at);
        }
        self.cordoned
            .retain(|node, _| seen.is_cordoned_by_roll(node));
        for node in nodes().filter(|node| seen.is_cordoned_by_roll(&node.name)) {
            self.cordoned.entry(node.name.clone()).or_insert(seen.at);
        }
    }

    /// Takes in what was decided.
    pub(super) fn remember(&mut self, step: &Step, seen: &Observed) {
        if step.is_held {
            self.held.get_or_insert(seen.at);
        } else if seen.away.is_none() {
            self.held = None;
        }
    }

    /// Whether a node had been silent for minutes before this run began, and is so since.
    pub(super) fn was_lost(&self, node: &str) -> bool {
        self.lost_at_start.contains(node)
    }

    /// How long a node has been silent, by this run's clock.
    pub(super) fn silent_for(&self, node: &str, now: Timestamp) -> Duration {
        let since = self.silent.get(node);
        since.map(|since| elapsed(*since, now)).unwrap_or_default()
    }

    /// When a roll cordoned a node: what its annotation says, and never later than this run has seen it.
    pub(super) fn cordoned_at(
        &self,
        node: &str,
        annotation: Option<Timestamp>,
    ) -> Option<Timestamp> {
        let seen = self.cordoned.get(node).copied();
        annotation.into_iter().chain(seen).min()
    }

    /// Takes in whether an action was answered.
    pub(super) fn answered(&mut self, action: &Action, unanswered: Option<String>, now: Timestamp) {
        match unanswered {
            None => {
                self.unanswered.remove(action);
            }
            Some(why) => {
                let known = self.unanswered.entry(action.clone());
                known.or_insert((now, String::new())).1 = why;
            }
        }
    }

    /// Forgets actions that are not wanted any more; those that were given up stay so.
    pub(super) fn keep_wanted(&mut self, actions: &[Action], now: Timestamp) {
        self.unanswered.retain(|action, (since, _)| {
            actions.contains(action) || elapsed(*since, now) >= GIVEN_UP
        });
    }

    pub(super) fn note_ended(&mut self, instance: &str, now: Timestamp) {
        self.ended.insert(instance.to_owned(), now);
    }

    /// Whether a machine was asked to end only just now.
    pub(super) fn ends(&self, instance: &str, now: Timestamp) -> bool {
        let at = self.ended.get(instance);
        at.is_some_and(|at| elapsed(*at, now) < ENDS)
    }
}

/// Whether a machine of the control plane starts: its API server may refuse what it allows later.
pub(super) fn control_plane_starts(seen: &Observed, now: Timestamp) -> bool {
    seen.instances.values().any(|one| {
        let launched = one.launched.filter(|_| one.state.is_alive());
        one.is_of(CONTROL_PLANE)
            && launched.is_some_and(|launched| elapsed(launched, now) < REPLACEMENT)
    })
}

/// Says which actions have no answer, and gives up those that have had none for too long.
pub(super) fn unanswered(seen: &Observed, memory: &Memory, step: &mut Step) {
    let mut given_up: BTreeSet<String> = BTreeSet::new();
    for action in std::mem::take(&mut step.actions) {
        let id = action.subject().to_owned();
        let is_unmarked = matches!(action, Action::Detach { .. }) && given_up.contains(&id);
        let Some((since, why)) = memory.noted.unanswered.get(&action) else {
            if !is_unmarked {
                step.actions.push(action);
            }
            continue;
        };
        let one = seen.instances.get(&id);
        let group = seen.group(&id).map(|group| group.stack.as_str());
        let stack = one.and_then(|one| one.stack.as_deref()).or(group);
        let stack = stack.unwrap_or_default();
        let waited = elapsed(*since, seen.at);
        if waited >= GIVEN_UP {
            let mut stops = memory.stops.iter().chain(&step.stops);
            if !stops.any(|stop| stop.stack == stack && stop.instance == id) {
                step.stop(stack, &id, action_text::given_up(&action, why));
            }
            given_up.insert(id);
            continue;
        }
        if waited >= UNANSWERED {
            step.obstacle(stack, &id, action_text::unanswered(&action, waited, why));
        }
        step.actions.push(action);
    }
}
