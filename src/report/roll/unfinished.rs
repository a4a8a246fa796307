//! What a roll has left unfinished, as `status` shows it.

use jiff::Timestamp;
use serde::Serialize;

use crate::common::duration::age;
use crate::common::text::listed_line;
use crate::roll::Unfinished;

/// A machine that a roll has taken out of its group or cordoned, and not replaced.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UnfinishedView {
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

impl UnfinishedView {
    /// `command` names the command of a verb with flags on this cluster.
    pub fn of(found: Vec<Unfinished>, command: &str) -> Vec<Self> {
        let view = |one: Unfinished| Self {
            command: match one.stack.as_deref() {
                Some("control-plane") => format!("{command} --control-plane"),
                Some(_) | None => command.to_owned(),
            },
            node: one.instance,
            stack: one.stack,
            detached: one.is_detached,
            cordoned: one.cordoned.and_then(|at| at.parse().ok()),
            launched: one.launched,
        };
        found.into_iter().map(view).collect()
    }

    /// A line, ages counted to `now`.
    pub(in crate::report) fn line(&self, now: Timestamp) -> String {
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
        let views = UnfinishedView::of(vec![found], "kube-cfn roll canary");
        let now = "2026-11-23T10:31:00Z".parse().expect("a time");
        let line: String = views.iter().map(|view| view.line(now)).collect();
        let line = line.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(
            line,
            "!! a roll is unfinished: i-1 (control-plane) is in its group, cordoned 31m ago; `kube-cfn roll canary \
             --control-plane` goes on"
        );
    }
}
