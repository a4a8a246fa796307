//! The machines of Auto Scaling groups one by one, and the Kubernetes that runs on them: instances with the launch-template
//! version that they were launched from, groups that refill, nodes, pods, budgets, a scheduler, the members of etcd.
//! Deterministic from the seed, in the cloud's virtual time. It starts with [`Simulated::start_fleet`]: what groups have
//! then runs and is Ready. Not simulated: images, networks, the kubelet's own evictions, priorities.

mod calls;
mod config;
mod control_plane;
mod events;
mod groups;
mod log;
mod machines;
mod nodes;
mod placing;
mod pods;

use std::collections::BTreeMap;

use super::Simulated;
use super::config::Noise;
use super::rng::{stream, takes};
use super::state::State;
use super::timing::Typical;
use crate::cloud::{Activity, InstanceState, NodeResources, TemplateVersion};
use crate::common::Clock;

pub use config::{App, FleetConfig, FleetFault, FleetFaultKind};
pub use log::{FleetAct, FleetEntry, FleetFacts, GroupNow};

use events::FleetEvent;
use groups::GroupFacts;
use pods::SimPod;

/// The kind of the stack with the control plane.
const CONTROL_PLANE: &str = "control-plane";

/// Everything that runs.
pub(super) struct Fleet {
    config: FleetConfig,
    seed: u64,
    noise: Noise,
    /// Milliseconds of its start.
    began: i64,
    now: i64,
    groups: BTreeMap<String, GroupFacts>,
    /// Of which state of the stacks the groups are.
    of_stacks: u64,
    instances: BTreeMap<String, SimInstance>,
    nodes: BTreeMap<String, SimNode>,
    pods: Vec<SimPod>,
    activities: BTreeMap<String, Vec<Activity>>,
    queue: BTreeMap<(i64, u64), FleetEvent>,
    ticket: u64,
    /// What an autoscaler has decided and groups have not taken in yet.
    scaled: Vec<(String, i32)>,
    /// By how much an autoscaler has changed the sizes of groups.
    autoscaled: BTreeMap<String, i32>,
    /// Milliseconds from the moment when a machine was missing until another one was Ready, with its network.
    boots: Vec<i64>,
    /// The slot of the member that leads etcd.
    leader: Option<char>,
    log: Vec<FleetEntry>,
}

/// An instance.
#[derive(Debug, Clone)]
struct SimInstance {
    id: String,
    /// The kind of its stack.
    stack: String,
    state: InstanceState,
    launched: i64,
    /// Since when it was missing.
    missing: i64,
    /// When it was terminated.
    ended: Option<i64>,
    group: Option<String>,
    lifecycle: &'static str,
    template: TemplateVersion,
    /// Kubernetes that it boots.
    version: String,
    zone: String,
    roll: Option<String>,
    /// When it got that tag.
    tagged: i64,
    /// The group that still lists it as `Detaching`, and until when.
    leaves: Option<(String, i64)>,
    slot: Option<char>,
    /// Whether its boot has ended well.
    has_joined: bool,
    /// Whether its boot never ends well.
    never_joins: bool,
}

impl SimInstance {
    fn runs(&self) -> bool {
        self.state == InstanceState::Running && self.has_joined
    }
}

/// A node.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
#[derive(Debug, Clone)]
struct SimNode {
    uid: String,
    is_ready: bool,
    since: i64,
    created: i64,
    is_cordoned: bool,
    /// Before a roll cordoned it.
    was_cordoned: bool,
    roll: Option<String>,
    is_outdated: bool,
    is_kept: bool,
    version: String,
    labels: BTreeMap<String, String>,
    allocatable: NodeResources,
    zone: String,
}

impl Simulated {
    /// From now on the machines of groups run one by one, with this on them.
    pub fn start_fleet(&self, config: FleetConfig) {
        let now = self.elapsed();
        let mut state = self.state();
        state.advance(now);
        let seed = state.env.setting.seed;
        let noise = state.env.noise;
        state.fleet = Some(Box::new(Fleet::new(config, seed, noise, now)));
        state.advance_fleet(now);
    }

    /// What was done to machines, nodes and pods so far.
    pub fn fleet_log(&self) -> Vec<FleetEntry> {
        self.with_now(|state| {
            let fleet = state.fleet.as_ref();
            fleet.map(|fleet| fleet.log.clone()).unwrap_or_default()
        })
    }

    /// What runs now.
    pub fn fleet_facts(&self) -> FleetFacts {
        let at = self.now();
        self.with_now(|state| {
            let fleet = state.fleet.as_ref();
            fleet.map_or_else(|| FleetFacts::nothing(at), |fleet| fleet.facts())
        })
    }

    /// How long each new worker took, from the moment when one was missing until it was Ready.
    pub fn fleet_boots(&self) -> Vec<std::time::Duration> {
        let milliseconds = self.with_now(|state| {
            let fleet = state.fleet.as_ref();
            fleet.map(|fleet| fleet.boots.clone()).unwrap_or_default()
        });
        let boots = milliseconds.into_iter();
        boots
            .map(|boot| std::time::Duration::from_millis(u64::try_from(boot).unwrap_or(0)))
            .collect()
    }

    /// The machines of pools that live, by id.
    pub fn fleet_workers(&self) -> Vec<String> {
        let facts = self.fleet_facts();
        let pools = facts.groups.into_values();
        let pools = pools.filter(|group| group.stack != CONTROL_PLANE);
        pools.flat_map(|group| group.machines).collect()
    }

    /// An operator removes the causes of failures: no fault is left, and machines that never join are terminated.
    pub fn repair_fleet(&self) {
        self.with_now(|state| {
            if let Some(fleet) = &mut state.fleet {
                fleet.repair();
            }
        });
    }
}

impl State {
    /// Takes in what the stacks have, and handles what is due.
    pub(super) fn advance_fleet(&mut self, now: i64) {
        let Some(mut fleet) = self.fleet.take() else {
            return;
        };
        let since = fleet.now;
        fleet.sync(self);
        while let Some(((at, _), event)) = fleet.queue.pop_first_if(now) {
            fleet.now = at.max(since);
            fleet.handle(&event);
            for (group, by) in std::mem::take(&mut fleet.scaled) {
                self.scale_group(&group, by);
                fleet.sync(self);
            }
        }
        fleet.now = now;
        self.fleet = Some(fleet);
    }

    fn scale_group(&mut self, name: &str, by: i32) {
        let now = self.group(name).map_or(0, |group| group.desired);
        let resources = self
            .stacks
            .iter_mut()
            .flat_map(|stack| &mut stack.resources);
        for group in resources.filter(|one| one.physical_id.as_deref() == Some(name)) {
            group.desired = Some(now.saturating_add_signed(by));
        }
    }
}

/// The first entry of a queue, where it is due.
trait PopDue {
    type Entry;
    fn pop_first_if(&mut self, now: i64) -> Option<Self::Entry>;
}

impl<V> PopDue for BTreeMap<(i64, u64), V> {
    type Entry = ((i64, u64), V);

    fn pop_first_if(&mut self, now: i64) -> Option<Self::Entry> {
        let ((at, _), _) = self.first_key_value()?;
        if *at > now {
            return None;
        }
        self.pop_first()
    }
}

impl Fleet {
    fn new(config: FleetConfig, seed: u64, noise: Noise, now: i64) -> Self {
        let mut fleet = Self {
            config,
            seed,
            noise,
            began: now,
            now,
            groups: BTreeMap::new(),
            of_stacks: u64::MAX,
            instances: BTreeMap::new(),
            nodes: BTreeMap::new(),
            pods: Vec::new(),
            activities: BTreeMap::new(),
            queue: BTreeMap::new(),
            ticket: 0,
            scaled: Vec::new(),
            autoscaled: BTreeMap::new(),
            boots: Vec::new(),
            leader: None,
            log: Vec::new(),
        };
        fleet.schedule_faults();
        fleet
    }

    fn after(&mut self, milliseconds: i64, event: FleetEvent) {
        self.ticket += 1;
        let at = self.now.saturating_add(milliseconds.max(1));
        self.queue.insert((at, self.ticket), event);
    }

    /// Milliseconds that something takes, from a stream of its own.
    fn takes(&self, words: &[&str], typical: Typical) -> i64 {
        takes(&mut stream(self.seed, words, 0), self.noise, typical)
    }

    /// Whether a fault of this kind applies now.
    fn suffers(&self, kind: FleetFaultKind) -> bool {
        let since = self.now - self.began;
        let mut faults = self.config.faults.iter();
        faults.any(|fault| fault.kind == kind && fault.covers(since))
    }

    /// Whether the Kubernetes API answers.
    fn api_answers(&self) -> bool {
        self.serving_slots().next().is_some()
            && self.has_quorum()
            && !self.suffers(FleetFaultKind::ApiAway)
    }
}
