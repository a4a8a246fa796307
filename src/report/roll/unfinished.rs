//! What a roll has left unfinished, as `status` shows it.

use jiff::Timestamp;
use serde::Serialize;

use crate::cloud::{CloudError, Instance, NodeState};
use crate::common::duration::age;
use crate::common::text::listed_line;
use crate::roll::{Observed, Unfinished, unfinished};

/// A machine that a roll has taken out of its group or cordoned, and not replaced.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct UnfinishedView {
    node: String,
    stack: Option<String>,
    /// Whether it is in no group any more: it costs until it is terminated.
    detached: bool,
    /// When a roll cordoned it.
    cordoned: Option<Timestamp>,
    launched: Option<Timestamp>,
    /// The command that goes on.
    command: String,
}

/// What a roll has left, and what of that is not known.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RollState {
    unfinished: Vec<UnfinishedView>,
    /// Why machines could not be looked at.
    machines_unknown: Option<String>,
    /// Why nodes could not be looked at: some may be cordoned by a roll.
    nodes_unknown: Option<String>,
}

impl RollState {
    /// Of the machines and the nodes; `command` is that of a roll of this cluster.
    pub fn of(
        instances: Result<Vec<Instance>, CloudError>,
        nodes: Result<Vec<NodeState>, String>,
        command: &str,
    ) -> Self {
        let (instances, machines_unknown) = split(instances);
        let (nodes, nodes_unknown) = split(nodes);
        let seen = Observed {
            instances: instances
                .into_iter()
                .map(|one| (one.id.clone(), one))
                .collect(),
            nodes: nodes
                .into_iter()
                .map(|one| (one.name.clone(), one))
                .collect(),
            ..Observed::default()
        };
        let found = unfinished(&seen).into_iter();
        Self {
            unfinished: found.map(|one| UnfinishedView::of(one, command)).collect(),
            machines_unknown,
            nodes_unknown,
        }
    }

    /// A line each, ages counted to `now`. Where Kubernetes could not be looked at, others say so.
    pub(in crate::report) fn lines(&self, now: Timestamp) -> Vec<String> {
        let found = self.unfinished.iter().map(|one| one.line(now));
        let unknown = self.machines_unknown.iter().map(|why| {
            let text = format!("whether a roll is unfinished is not known: {why}");
            listed_line("?? ", &text)
        });
        found.chain(unknown).collect()
    }

    /// What a check of health remarks on.
    pub(in crate::report) fn remarks(&self) -> Vec<String> {
        let found = self.unfinished.iter();
        let remark = |one: &UnfinishedView| {
            format!(
                "a roll is unfinished: {}; `{}` goes on",
                one.node, one.command
            )
        };
        found.map(remark).collect()
    }
}

/// What was found, or why not.
fn split<T>(found: Result<Vec<T>, impl std::fmt::Display>) -> (Vec<T>, Option<String>) {
    match found {
        Ok(found) => (found, None),
        Err(error) => (Vec::new(), Some(error.to_string())),
    }
}

impl UnfinishedView {
    fn of(one: Unfinished, command: &str) -> Self {
        Self {
            command: match one.stack.as_deref() {
                Some("control-plane") => format!("{command} --control-plane"),
                Some(_) | None => command.to_owned(),
            },
            node: one.instance,
            stack: one.stack,
            detached: one.is_detached,
            cordoned: one.cordoned.and_then(|at| at.parse().ok()),
            launched: one.launched,
        }
    }

    /// A line, ages counted to `now`.
    fn line(&self, now: Timestamp) -> String {
        let group = if self.detached {
            "out of its group"
        } else {
            "in its group"
        };
        let cordoned = match self.cordoned {
            Some(at) => format!(", cordoned {} ago", age(now.duration_since(at))),
            None => String::new(),
        };
        let stack = self.stack.as_deref().unwrap_or("no stack");
        let text = format!(
            "a roll is unfinished: {} ({stack}) is {group}{cordoned}; `{}` goes on",
            self.node, self.command
        );
        listed_line("!! ", &text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unfinished_machine_has_its_state_and_the_command() {
        let found = Unfinished {
            stack: Some("control-plane".to_owned()),
            instance: "i-1".to_owned(),
            is_detached: false,
            cordoned: Some("2026-11-23T10:00:00Z".to_owned()),
            launched: None,
        };
        let view = UnfinishedView::of(found, "kube-cfn roll canary");
        let now = "2026-11-23T10:31:00Z".parse().expect("a time");
        let line = view.line(now);
        let line = line.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(
            line,
            "!! a roll is unfinished: i-1 (control-plane) is in its group, cordoned 31m ago; `kube-cfn roll canary \
             --control-plane` goes on"
        );
    }
}
