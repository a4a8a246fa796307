//! The machines of groups as EC2 lists them, one for each group, and their consoles.

use super::Simulated;
use super::machines;
use super::stack::{Resource, Stack};
use super::state::State;
use super::store::spoken;
use crate::cloud::{Boots, CloudError, Console, Machine};

impl Boots for Simulated {
    async fn machines(&self, cluster: &str) -> Result<Vec<Machine>, CloudError> {
        self.read("machines", cluster, |state| {
            let of_cluster = groups(state).filter(|(stack, _)| stack.live.cluster == cluster);
            let running = of_cluster.filter(|(_, group)| group.exists());
            let mut machines: Vec<Machine> = running
                .map(|(stack, group)| machine(state, stack, group))
                .collect();
            machines.sort();
            Ok(machines)
        })
        .await
    }

    async fn machines_of(&self, group: &str) -> Result<Vec<Machine>, CloudError> {
        self.read("machines_of", group, |state| {
            // EC2 shows terminated machines for about an hour.
            let of_group =
                groups(state).filter(|(_, one)| one.physical_id.as_deref() == Some(group));
            Ok(of_group
                .map(|(stack, one)| machine(state, stack, one))
                .collect())
        })
        .await
    }

    async fn console_of(&self, instance: &str) -> Result<Option<Console>, CloudError> {
        self.read("console_of", instance, |state| {
            let mut consoles = groups(state).map(|(stack, group)| spoken(state, stack, group));
            Ok(consoles.find(|console| console.instance == instance))
        })
        .await
    }
}

impl Simulated {
    /// From now on the console of this machine has nothing of its boot.
    pub fn silence_console(&self, instance: &str) {
        self.with_now(|state| {
            let seed = state.env.setting.seed;
            for stack in &mut state.stacks {
                for one in &mut stack.resources {
                    if machines::instance(seed, &stack.live.id, one) == instance {
                        one.silent_console = true;
                    }
                }
            }
        });
    }
}

fn machine(state: &State, stack: &Stack, group: &Resource) -> Machine {
    Machine {
        launched: Some(stack.live.created),
        instance: machines::instance(state.env.setting.seed, &stack.live.id, group),
        stack: Some(stack.live.kind.clone()),
    }
}

pub(super) fn groups(state: &State) -> impl Iterator<Item = (&Stack, &Resource)> {
    let all = state.stacks.iter();
    let all = all.flat_map(|stack| stack.resources.iter().map(move |one| (stack, one)));
    all.filter(|(_, one)| one.kind == "AWS::AutoScaling::AutoScalingGroup")
}
