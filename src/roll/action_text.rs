//! What is said of actions that have no answer. Pure.

use std::time::Duration;

use super::step::Action;
use super::text::name;
use crate::common::duration;
use crate::common::text::one_line;

/// What an action would do, in words that fit after "failed to".
fn doing(action: &Action) -> String {
    match action {
        Action::SuspendRebalancing { group } => format!("suspend AZRebalance of {group}"),
        Action::Mark { instance, .. } => format!("tag {instance}"),
        Action::Unmark { instance } => format!("take the tag of {instance} away"),
        Action::Detach { group, instance } => format!("detach {instance} from {group}"),
        Action::Taint { node, is_outdated } => {
            let verb = if *is_outdated { "give" } else { "take" };
            format!("{verb} the taint of {node}")
        }
        Action::Cordon { node } => format!("cordon {node}"),
        Action::Uncordon { node } => format!("uncordon {node}"),
        Action::Evict { pod, .. } => format!("evict {}", name(pod)),
        Action::Remove { pod, .. } => format!("delete pod {}", name(pod)),
        Action::Terminate { instance } | Action::TerminateInGroup { instance } => {
            format!("terminate {instance}")
        }
        Action::DeleteNode { node, .. } => format!("delete the node {node}"),
        Action::Keep { node, .. } => format!("annotate {node} for the cluster autoscaler"),
    }
}

pub(super) fn unanswered(action: &Action, waited: Duration, why: &str) -> String {
    let waited = duration::elapsed(waited.try_into().unwrap_or(jiff::SignedDuration::MAX));
    format!(
        "failed to {} for {waited}: {}",
        doing(action),
        one_line(why)
    )
}

pub(super) fn given_up(action: &Action, why: &str) -> String {
    format!(
        "failed to {} for 15 minutes: {}",
        doing(action),
        one_line(why)
    )
}
