//! Auto Scaling groups at work: what their stacks say of them, and how they launch.

use std::collections::BTreeSet;

use serde_json::Value;

use super::events::FleetEvent;
use super::{CONTROL_PLANE, Fleet, FleetFaultKind, SimInstance};
use crate::catalog::durations::{Seconds, WORKER_BOOT};
use crate::cloud::{Activity, InstanceState, TemplateVersion};
use crate::simulated::boots::groups;
use crate::simulated::inspected::now;
use crate::simulated::rng::{hex, stream};
use crate::simulated::stack::timestamp;
use crate::simulated::state::State;
use crate::templates::evaluate::text;

/// From a missing machine to its launch.
const NOTICES: Seconds = Seconds {
    p50: 8.0,
    p90: 25.0,
};
/// Between two attempts to launch, in milliseconds.
const RETRIES: i64 = 30_000;
/// From a launch until the instance runs.
const STARTS: Seconds = Seconds {
    p50: 12.0,
    p90: 30.0,
};
/// From the launch of a control-plane machine until everything on it serves.
const SLOT_BOOT: Seconds = Seconds {
    p50: 160.0,
    p90: 240.0,
};

/// A group as its stack has it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct GroupFacts {
    pub(super) name: String,
    pub(super) stack: String,
    pub(super) cluster: String,
    pub(super) min: u32,
    pub(super) max: u32,
    pub(super) desired: u32,
    pub(super) zones: Vec<String>,
    pub(super) suspended: BTreeSet<String>,
    pub(super) template: TemplateVersion,
    /// Kubernetes that its next machine boots.
    pub(super) version: String,
    pub(super) slot: Option<char>,
    /// How many machines it has had.
    pub(super) launched: u64,
    /// Since when machines are missing; `None` while none are, or their launch is under way.
    pub(super) missing: Option<i64>,
}

impl Fleet {
    /// Takes in what the stacks have.
    pub(super) fn sync(&mut self, state: &State) {
        let of_stacks = state
            .stacks
            .iter()
            .map(|stack| stack.versions.len() as u64 + stack.operations)
            .sum();
        if of_stacks != self.of_stacks {
            self.of_stacks = of_stacks;
            self.read_groups(state);
        }
        for (_, resource) in groups(state) {
            let name = resource.physical_id.as_deref().unwrap_or_default();
            if let Some(group) = self.groups.get_mut(name) {
                let wanted = resource.desired.unwrap_or(group.min);
                group.desired = wanted.min(group.max).max(group.min);
                group.suspended.clone_from(&resource.suspended);
            }
        }
        let names: Vec<String> = self.groups.keys().cloned().collect();
        for name in names {
            self.check_size(&name);
        }
    }

    fn read_groups(&mut self, state: &State) {
        let setting = &state.env.setting;
        let mut known = std::mem::take(&mut self.groups);
        let mut new = Vec::new();
        for (stack, resource) in groups(state).filter(|(_, one)| one.exists()) {
            let Some(name) = resource.physical_id.clone() else {
                continue;
            };
            let properties = now(setting, stack, resource);
            let number = |key: &str| text(&properties[key]).parse().unwrap_or(0);
            let zones = state.group(&name).map(|group| group.zones);
            let outputs = &stack.live.outputs;
            let before = known.remove(&name);
            let facts = GroupFacts {
                stack: stack.live.kind.clone(),
                cluster: stack.live.cluster.clone(),
                min: number("MinSize"),
                max: number("MaxSize"),
                desired: number("MinSize"),
                zones: zones.into_iter().flatten().collect(),
                suspended: resource.suspended.clone(),
                template: template(&properties),
                version: outputs
                    .get("KubernetesVersion")
                    .cloned()
                    .unwrap_or_else(|| "1.36.2".to_owned()),
                slot: slot(&resource.logical_id),
                launched: before.as_ref().map_or(0, |group| group.launched),
                missing: before.as_ref().and_then(|group| group.missing),
                name: name.clone(),
            };
            if before.is_none() {
                new.push((name.clone(), resource.desired.unwrap_or(facts.min)));
            }
            self.groups.insert(name, facts);
        }
        // The control plane first: others need its API.
        new.sort_by_key(|(name, _)| {
            let group = self.groups.get(name);
            group.is_none_or(|group| group.stack != CONTROL_PLANE)
        });
        for (name, desired) in new {
            for _ in 0..desired {
                if let Some(id) = self.launch(&name) {
                    self.run_at_once(&id);
                }
            }
        }
        self.place_apps();
    }

    /// Launches a machine where one is missing, a moment later.
    pub(super) fn check_size(&mut self, name: &str) {
        let members = self.members(name).count();
        let Some(group) = self.groups.get_mut(name) else {
            return;
        };
        let wanted = usize::try_from(group.desired).unwrap_or(usize::MAX);
        if members < wanted && group.missing.is_none() {
            group.missing = Some(self.now);
            let number = group.launched.to_string();
            let wait = self.takes(&["notices", name, &number], NOTICES);
            self.after(wait, FleetEvent::Launch(name.to_owned()));
        }
    }

    /// The machines that a group counts.
    pub(super) fn members(&self, group: &str) -> impl Iterator<Item = &SimInstance> {
        let all = self.instances.values();
        all.filter(move |one| one.group.as_deref() == Some(group) && one.state.is_alive())
    }

    /// A group tries to launch what it misses.
    pub(super) fn try_launch(&mut self, name: &str) {
        let members = self.members(name).count();
        let Some(group) = self.groups.get(name) else {
            return;
        };
        let wanted = usize::try_from(group.desired).unwrap_or(usize::MAX);
        let is_slot = group.slot.is_some();
        if members < wanted
            && let Some(message) = self.refusal(name, is_slot)
        {
            self.note_activity(name, "Failed", Some(message));
            return self.after(RETRIES, FleetEvent::Launch(name.to_owned()));
        }
        for _ in members..wanted {
            if let Some(id) = self.launch(name) {
                self.note_activity(name, "Successful", None);
                self.boot(&id, is_slot);
            }
        }
        if let Some(group) = self.groups.get_mut(name) {
            group.missing = None;
        }
    }

    /// Why a group can't launch now, in AWS's words.
    fn refusal(&self, name: &str, is_slot: bool) -> Option<&'static str> {
        let in_use =
            is_slot && (self.holds_interface(name) || self.suffers(FleetFaultKind::InterfaceInUse));
        if in_use {
            return Some(
                "Interface: [eni-0a1b2c3d4e5f60718] in use. Launching EC2 instance failed.",
            );
        }
        (!is_slot && self.suffers(FleetFaultKind::NoCapacity)).then_some(
            "We currently do not have sufficient capacity in the Availability Zone you requested. \
             Launching EC2 instance failed.",
        )
    }

    fn boot(&mut self, id: &str, is_slot: bool) {
        let starts = self.takes(&["starts", id], STARTS);
        self.after(starts, FleetEvent::Runs(id.to_owned()));
        let boot = match (is_slot, self.config.boot) {
            (true, _) => SLOT_BOOT,
            (false, Some(boot)) => boot,
            (false, None) => WORKER_BOOT,
        };
        let boot = self.takes(&["boot", id], boot).max(starts + 1);
        self.after(boot, FleetEvent::Joins(id.to_owned()));
    }

    /// Whether a machine that is not terminated yet still has the fixed interface of a group.
    fn holds_interface(&self, group: &str) -> bool {
        let template = self
            .groups
            .get(group)
            .map(|group| group.template.id.clone());
        let mut all = self.instances.values();
        all.any(|one| {
            one.state != InstanceState::Terminated && Some(&one.template.id) == template.as_ref()
        })
    }

    fn launch(&mut self, name: &str) -> Option<String> {
        let never_joins = self.suffers(FleetFaultKind::NeverJoins);
        let zone = self.zone_for(name);
        let group = self.groups.get_mut(name)?;
        group.launched += 1;
        let words = ["fleet", name];
        let id = format!(
            "i-0{}",
            hex(&mut stream(self.seed, &words, group.launched), 16)
        );
        let instance = SimInstance {
            id: id.clone(),
            stack: group.stack.clone(),
            state: InstanceState::Pending,
            launched: self.now,
            missing: group.missing.unwrap_or(self.now),
            ended: None,
            group: Some(name.to_owned()),
            lifecycle: "Pending",
            template: group.template.clone(),
            version: group.version.clone(),
            zone,
            roll: None,
            tagged: 0,
            leaves: None,
            slot: group.slot,
            has_joined: false,
            never_joins: never_joins && group.slot.is_none(),
        };
        self.instances.insert(id.clone(), instance);
        Some(id)
    }

    /// The zone of a group in which it has the fewest machines.
    fn zone_for(&self, name: &str) -> String {
        let zones = self.groups.get(name).map(|group| group.zones.clone());
        let fewest = zones.unwrap_or_default().into_iter().min_by_key(|zone| {
            let here = self.members(name).filter(|one| one.zone == *zone);
            (here.count(), zone.clone())
        });
        fewest.unwrap_or_else(|| "eu-west-1a".to_owned())
    }

    pub(super) fn note_activity(&mut self, group: &str, status: &str, message: Option<&str>) {
        let activity = Activity {
            began: timestamp(self.now),
            status: status.to_owned(),
            description: "Launching a new EC2 instance".to_owned(),
            message: message.map(str::to_owned),
        };
        let all = self.activities.entry(group.to_owned()).or_default();
        all.insert(0, activity);
        all.truncate(20);
    }
}

/// What a group launches from.
fn template(properties: &Value) -> TemplateVersion {
    let own = &properties["LaunchTemplate"];
    let mixed =
        &properties["MixedInstancesPolicy"]["LaunchTemplate"]["LaunchTemplateSpecification"];
    let of = if own.is_null() { mixed } else { own };
    TemplateVersion {
        id: text(&of["LaunchTemplateId"]),
        version: text(&of["Version"]).parse().unwrap_or(1),
    }
}

/// The letter of a control-plane node: `SlotA`.
fn slot(logical_id: &str) -> Option<char> {
    let letter = logical_id.strip_prefix("Slot")?;
    letter.to_lowercase().chars().next()
}
