//! Does the actions of a step, one after the other, and takes in their answers. An action whose answer is lost is decided
//! again at the next look.

use std::collections::BTreeSet;

use super::executor::{Etcd, Roll, RollError};
use super::memory::{Blocked, Memory};
use super::noted::control_plane_starts;
use super::observed::Observed;
use super::step::Action;
use super::{estimate, text};
use crate::cloud::{
    AZ_REBALANCE, Budget, CloudError, Eviction, Machines, NodeMark, Nodes, NodesError, PodRef,
    Presence, Scaling,
};
use crate::common::Clock;
use crate::events::MachineStep;

/// What came of an action.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Done {
    Yes,
    /// What it was about is gone already.
    Gone,
    /// Answered: not now. It is decided again.
    NotNow,
    /// No answer, and why: it is decided again.
    Unknown(String),
}

impl<C: Machines + Scaling + Clock, N: Nodes, E: Etcd> Roll<'_, C, N, E> {
    pub(super) async fn act(
        &self,
        actions: &[Action],
        seen: &Observed,
        memory: &mut Memory,
    ) -> Result<(), RollError> {
        let mut unmarked = BTreeSet::new();
        for action in actions {
            let is_ending = matches!(
                action,
                Action::Terminate { .. } | Action::TerminateInGroup { .. }
            );
            // A machine that could not be marked would be lost if the run ended here.
            if matches!(action, Action::Detach { instance, .. } if unmarked.contains(instance)) {
                continue;
            }
            if is_ending && memory.noted.ends(action.subject(), self.cloud.now()) {
                continue;
            }
            let done = self.act_once(action, seen, memory).await;
            let done = self.bear(done, seen)?;
            let why = match &done {
                Done::Unknown(why) => Some(why.clone()),
                Done::Yes | Done::Gone | Done::NotNow => None,
            };
            memory.noted.answered(action, why, self.cloud.now());
            match (action, done) {
                (Action::Mark { instance, .. }, done) if done != Done::Yes => {
                    unmarked.insert(instance.clone());
                }
                (_, Done::Unknown(_) | Done::NotNow) => {}
                (_, Done::Yes | Done::Gone) => {
                    if is_ending {
                        let now = self.cloud.now();
                        memory.noted.note_ended(action.subject(), now);
                    }
                    self.report(action, seen, memory);
                }
            }
        }
        memory.noted.keep_wanted(actions, self.cloud.now());
        Ok(())
    }

    /// What Kubernetes refuses while a machine of the control plane starts is no answer yet: its rights may not be there, nor
    /// its certificate.
    fn bear(&self, done: Result<Done, RollError>, seen: &Observed) -> Result<Done, RollError> {
        match done {
            Err(RollError::Kubernetes(NodesError::Refused(why)))
                if control_plane_starts(seen, self.cloud.now()) =>
            {
                Ok(Done::Unknown(why))
            }
            done => done,
        }
    }

    async fn act_once(
        &self,
        action: &Action,
        seen: &Observed,
        memory: &mut Memory,
    ) -> Result<Done, RollError> {
        let cloud = self.cloud;
        match action {
            Action::SuspendRebalancing { group } => {
                let done = cloud.suspend(group, AZ_REBALANCE).await;
                presence(done.map(|()| Presence::There))
            }
            Action::Mark { instance, group } => {
                presence(cloud.mark_instance(instance, group).await)
            }
            Action::Unmark { instance } => presence(cloud.unmark_instance(instance).await),
            Action::Detach { group, instance } => presence(cloud.detach(group, instance).await),
            Action::Terminate { instance } => presence(cloud.terminate(instance).await),
            Action::TerminateInGroup { instance } => {
                presence(cloud.terminate_in_group(instance).await)
            }
            Action::Taint { node, is_outdated } => {
                let mark = NodeMark {
                    outdated: Some(*is_outdated),
                    ..NodeMark::default()
                };
                self.mark_node(node, mark).await
            }
            Action::Keep { node, is_kept } => {
                let mark = NodeMark {
                    keep: Some(*is_kept),
                    ..NodeMark::default()
                };
                self.mark_node(node, mark).await
            }
            Action::Cordon { node } => self.cordon(node).await,
            Action::Uncordon { node } => {
                let mark = NodeMark {
                    cordon: Some(None),
                    ..NodeMark::default()
                };
                self.mark_node(node, mark).await
            }
            Action::Evict { node, pod } => self.evict(node, pod, seen, memory).await,
            Action::Remove { node, pod } => {
                self.pass_gate().await;
                memory.evicted.insert(node.clone());
                known(self.nodes.remove_pod(pod).await)
            }
            Action::DeleteNode { node, uid } => {
                self.pass_gate().await;
                known(self.nodes.delete_node(node, uid).await)
            }
        }
    }

    /// Holds back a write to the Kubernetes API of a process that may have lost the operation lock, as the cloud does with
    /// its own.
    async fn pass_gate(&self) {
        if let Some(gate) = self.gate {
            gate.pass(self.cloud).await;
        }
    }

    async fn mark_node(&self, node: &str, mark: NodeMark) -> Result<Done, RollError> {
        self.pass_gate().await;
        known(self.nodes.mark_node(node, &mark).await)
    }

    async fn cordon(&self, node: &str) -> Result<Done, RollError> {
        let mark = NodeMark {
            cordon: Some(Some(self.cloud.now().to_string())),
            ..NodeMark::default()
        };
        self.mark_node(node, mark).await
    }

    async fn evict(
        &self,
        node: &str,
        pod: &PodRef,
        seen: &Observed,
        memory: &mut Memory,
    ) -> Result<Done, RollError> {
        self.pass_gate().await;
        let now = self.cloud.now();
        let mut block = |why: String, by_budget: bool| {
            let since = memory.blocked.get(pod).map_or(now, |known| known.since);
            let blocked = Blocked {
                since,
                why,
                by_budget,
            };
            memory.blocked.insert(pod.clone(), blocked);
        };
        match self.nodes.evict(pod).await {
            Ok(Eviction::Begun) => {
                memory.evicted.insert(node.to_owned());
                memory.blocked.remove(pod);
                Ok(Done::Yes)
            }
            Ok(Eviction::Gone) => Ok(Done::Gone),
            Ok(Eviction::Slower) => {
                Ok(Done::Unknown("the API server asks to slow down".to_owned()))
            }
            Ok(Eviction::Blocked(why)) => {
                block(why, true);
                Ok(Done::NotNow)
            }
            Ok(Eviction::SeveralBudgets(why)) => {
                let budgets = covering(seen, pod);
                block(
                    if budgets.len() > 1 {
                        text::several_budgets(pod, &budgets)
                    } else {
                        why
                    },
                    // Budgets that are waived by name are passed by, as one is.
                    budgets.len() > 1,
                );
                Ok(Done::NotNow)
            }
            Ok(Eviction::Denied(why)) => {
                block(why, false);
                Ok(Done::NotNow)
            }
            Err(error) => known(Err(error)),
        }
    }

    /// Takes in, and says, what was done.
    fn report(&self, action: &Action, seen: &Observed, memory: &mut Memory) {
        let (id, step, detail) = match action {
            Action::Detach { instance, group } => {
                (instance, MachineStep::Detached, format!("from {group}"))
            }
            Action::Cordon { node } => (node, MachineStep::Cordoned, String::new()),
            Action::Uncordon { node } => (node, MachineStep::Uncordoned, String::new()),
            Action::Terminate { instance } | Action::TerminateInGroup { instance } => {
                note_replaced(seen, memory, instance);
                let lost = text::lost(seen, instance);
                let how = lost.or_else(|| text::volumes_left(seen, instance));
                (instance, MachineStep::Terminated, how.unwrap_or_default())
            }
            Action::DeleteNode { node, .. } => {
                note_replaced(seen, memory, node);
                (node, MachineStep::Replaced, String::new())
            }
            Action::SuspendRebalancing { .. }
            | Action::Mark { .. }
            | Action::Unmark { .. }
            | Action::Taint { .. }
            | Action::Keep { .. }
            | Action::Evict { .. }
            | Action::Remove { .. } => return,
        };
        self.emit(seen, id, step, &detail);
    }
}

fn note_replaced(seen: &Observed, memory: &mut Memory, id: &str) {
    let one = seen.instances.get(id);
    if let Some(stack) = one.and_then(|one| one.stack.clone()) {
        let replaced = memory.replaced.entry(stack).or_default();
        replaced.insert(id.to_owned());
    }
}

fn covering<'a>(seen: &'a Observed, pod: &PodRef) -> Vec<&'a Budget> {
    let found = seen.pods.iter().find(|known| known.pod == *pod);
    let budgets = seen.budgets.iter();
    budgets
        .filter(|budget| found.is_some_and(|pod| estimate::covers(budget, pod)))
        .collect()
}

fn presence(answer: Result<Presence, CloudError>) -> Result<Done, RollError> {
    match answer {
        Ok(Presence::There) => Ok(Done::Yes),
        Ok(Presence::Gone) => Ok(Done::Gone),
        // Another activity of the group: it ends.
        Err(error) if error.is_transient() || matches!(error, CloudError::Conflict(_)) => {
            Ok(Done::Unknown(error.to_string()))
        }
        Err(error) => Err(RollError::Cloud(error)),
    }
}

fn known(answer: Result<(), NodesError>) -> Result<Done, RollError> {
    match answer {
        Ok(()) => Ok(Done::Yes),
        Err(NodesError::Away(why)) => Ok(Done::Unknown(why)),
        Err(refused @ NodesError::Refused(_)) => Err(RollError::Kubernetes(refused)),
    }
}
