//! Tests of the decisions of a roll, look by look. Whole runs are in `tests/offline/roll`.

mod control_plane;
mod drain;
mod foresee;
mod gaps;
mod pools;

use jiff::{SignedDuration, Timestamp};

use super::{Action, Memory, Observed, Options, Step, next};
use crate::cloud::{
    AZ_REBALANCE, Budget, GroupMember, Instance, InstanceState, MachineGroup, NodeResources,
    NodeState, PodOwner, PodPhase, PodRef, PodState, Selector, TemplateVersion,
};

/// A moment so many seconds after the start.
fn at(seconds: i64) -> Timestamp {
    let start: Timestamp = "2026-12-01T04:00:00Z".parse().unwrap();
    start + SignedDuration::from_secs(seconds)
}

fn template(version: u64) -> TemplateVersion {
    TemplateVersion {
        id: "lt-1".to_owned(),
        version,
    }
}

/// A cluster that is looked at, with what a run remembers.
struct World {
    seen: Observed,
    memory: Memory,
    options: Options,
}

impl World {
    /// A pool of so many machines of version 1, whose group wants version 2.
    fn pool(machines: u32) -> Self {
        let mut world = Self {
            seen: Observed {
                at: at(0),
                ..Observed::default()
            },
            memory: Memory::new(at(0)),
            options: Options::new("canary"),
        };
        world.group("workers", "pool-workers", machines);
        for number in 0..machines {
            world.machine("workers", &format!("i-{number}"), 1);
        }
        world
    }

    fn group(&mut self, name: &str, stack: &str, desired: u32) {
        self.seen.groups.push(MachineGroup {
            name: name.to_owned(),
            stack: stack.to_owned(),
            min: 1,
            desired,
            max: desired + 2,
            template: template(2),
            suspended: [AZ_REBALANCE.to_owned()].into(),
            members: Vec::new(),
        });
    }

    /// A machine in service, with its Ready node.
    fn machine(&mut self, group: &str, id: &str, version: u64) {
        let found = self.seen.groups.iter_mut().find(|one| one.name == group);
        let found = found.unwrap();
        found.members.push(GroupMember {
            instance: id.to_owned(),
            lifecycle: "InService".to_owned(),
        });
        let instance = Instance {
            id: id.to_owned(),
            stack: Some(found.stack.clone()),
            state: InstanceState::Running,
            launched: Some(at(-86_400)),
            group: Some(group.to_owned()),
            template: Some(template(version)),
            zone: "eu-west-1a".to_owned(),
            instance_type: "m7g.large".to_owned(),
            is_spot: false,
            roll: None,
        };
        self.seen.instances.insert(id.to_owned(), instance);
        let node = NodeState {
            name: id.to_owned(),
            uid: format!("uid-{id}"),
            labels: std::collections::BTreeMap::new(),
            version: "v1.36.2".to_owned(),
            trouble: None,
            since: Some(at(-86_400)),
            is_silent: false,
            is_cordoned: false,
            was_cordoned: false,
            is_kept: false,
            roll: None,
            is_outdated: version == 1 && found.stack != "control-plane",
            created: None,
            allocatable: NodeResources::default(),
        };
        self.seen.nodes.insert(id.to_owned(), node);
    }

    fn detach(&mut self, group: &str, id: &str) {
        let one = self.seen.instances.get_mut(id).unwrap();
        one.group = None;
        one.roll = Some(group.to_owned());
        for group in &mut self.seen.groups {
            group.members.retain(|member| member.instance != id);
        }
    }

    fn cordon(&mut self, id: &str, time: Timestamp) {
        let node = self.seen.nodes.get_mut(id).unwrap();
        node.is_cordoned = true;
        node.roll = Some(time.to_string());
    }

    fn pod(&mut self, node: &str, name: &str) -> &mut PodState {
        self.seen.pods.push(PodState {
            pod: PodRef {
                namespace: "shop".to_owned(),
                name: name.to_owned(),
                uid: name.to_owned(),
            },
            node: Some(node.to_owned()),
            labels: [("app".to_owned(), "web".to_owned())].into(),
            owner: PodOwner::Controller("Deployment shop/web".to_owned()),
            phase: PodPhase::Running,
            trouble: None,
            ending: None,
            finalizers: Vec::new(),
            grace_seconds: 30,
            requests: NodeResources::default(),
            images: Vec::new(),
            loses_local_data: false,
            has_git_repo: false,
            claims: Vec::new(),
            volume_zones: Vec::new(),
        });
        self.seen.pods.last_mut().unwrap()
    }

    fn budget(&mut self, name: &str, allowed: i64) {
        self.seen.budgets.push(Budget {
            namespace: "shop".to_owned(),
            name: name.to_owned(),
            selector: Selector {
                labels: [("app".to_owned(), "web".to_owned())].into(),
                expressions: Vec::new(),
            },
            allowed,
            healthy: 2,
            desired_healthy: 3,
            expected: 3,
        });
    }

    /// So many looks, five seconds apart; the step of the last one.
    fn looks(&mut self, number: usize) -> Step {
        let mut step = Step::default();
        for look in 0..number {
            if look > 0 {
                self.seen.at += SignedDuration::from_secs(5);
            }
            self.memory.observe(&self.seen, &self.options.versions);
            step = next(&self.seen, &self.memory, &self.options);
            self.memory.remember(&step, &self.seen);
        }
        step
    }
}

fn detached(step: &Step) -> Vec<&str> {
    let actions = step.actions.iter();
    let detached = actions.filter_map(|action| match action {
        Action::Detach { instance, .. } => Some(instance.as_str()),
        _ => None,
    });
    detached.collect()
}

fn cordoned(step: &Step) -> Vec<&str> {
    let actions = step.actions.iter();
    let cordoned = actions.filter_map(|action| match action {
        Action::Cordon { node } => Some(node.as_str()),
        _ => None,
    });
    cordoned.collect()
}
