//! Decides whose each listed resource is. Pure: it sees only what was listed and what the stacks have.
//!
//! Nothing is the cluster's by its name alone. A tag of Kubernetes counts only in the cluster's own VPC: another cluster of
//! the same name, made by another tool, has the same tags.

mod interfaces;
mod proof;
mod rules;

use std::collections::{BTreeMap, BTreeSet};

use super::inventory::Found;
use super::owner::{Disposition, Owner, Purpose};
use super::purpose::purpose;
use super::scope::Scope;
use crate::cloud::outside::{OutsideKind, OutsideResource};
use crate::common::tags::TAG_STACK;
use proof::{is_made_by_kubernetes, is_made_by_stack};

pub use interfaces::has_interface;
pub(super) use interfaces::is_of_balancer;
pub(super) use proof::{record_of, stack_id};
pub(super) use rules::group_of_rule;

/// What was listed, by kind; a kind that could not be listed is absent.
pub(super) type Lists = BTreeMap<OutsideKind, Vec<OutsideResource>>;

const SCALING_GROUP: &str = "aws:autoscaling:groupName";

/// Where a resource belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// A stack has it, or it goes with something that a stack or the cluster has.
    InStack,
    /// Outside the stacks.
    Outside(Owner),
    /// Neither the cluster's nor in its VPC.
    Elsewhere,
}

/// What resources are judged by.
struct Context<'a> {
    scope: &'a Scope,
    lists: &'a Lists,
    /// The cluster's VPC, and any that still holds something of its stacks.
    vpcs: BTreeSet<&'a str>,
    /// Whether another cluster of the same name may be in the account.
    has_namesake: bool,
}

/// What of the listed resources lies outside the stacks, by kind and id.
pub(super) fn classify(scope: &Scope, lists: &Lists) -> Vec<Found> {
    let context = Context::new(scope, lists);
    let mut found: Vec<_> = lists
        .values()
        .flatten()
        .filter_map(|resource| context.found(resource))
        .collect();
    found.sort_by(|a, b| a.key().cmp(&b.key()));
    found
}

/// VPCs in which CloudFormation says that a stack of the cluster made something.
pub(super) fn vpcs_of_stacks<'a>(cluster: &str, lists: &'a Lists) -> BTreeSet<&'a str> {
    let ours = |resource: &&OutsideResource| is_made_by_stack(resource, cluster);
    let resources = lists.values().flatten().filter(ours);
    resources
        .filter_map(|resource| resource.vpc.as_deref())
        .collect()
}

/// Whether an id is among physical ids. A key's is the end of its ARN.
fn contains(physical_ids: &BTreeSet<String>, id: &str) -> bool {
    let key = || id.split_once(":key/").map(|(_, key)| key);
    physical_ids.contains(id) || key().is_some_and(|key| physical_ids.contains(key))
}

/// Whether AWS says that a resource is on its way to its end.
pub(super) fn is_ending(resource: &OutsideResource) -> bool {
    matches!(
        resource.state.as_deref(),
        Some("shutting-down" | "terminated" | "deleting" | "deleted")
    )
}

impl<'a> Context<'a> {
    fn new(scope: &'a Scope, lists: &'a Lists) -> Self {
        let cluster = &scope.asked.cluster;
        let mut vpcs = vpcs_of_stacks(cluster, lists);
        vpcs.extend(scope.asked.vpc.as_deref());
        let mut context = Self {
            scope,
            lists,
            vpcs,
            has_namesake: false,
        };
        context.has_namesake = context.finds_namesake();
        context
    }

    fn found(&self, resource: &OutsideResource) -> Option<Found> {
        let Place::Outside(owner) = self.place(resource) else {
            return None;
        };
        let mut found = Found {
            resource: resource.clone(),
            owner,
            purpose: self.purpose(resource, owner),
            disposition: Disposition::Untouched,
        };
        found.disposition = Disposition::of(&found, false);
        Some(found)
    }

    fn place(&self, resource: &OutsideResource) -> Place {
        use OutsideKind as K;
        if self.has(&resource.id) {
            return Place::InStack;
        }
        match resource.kind {
            K::Machine => self.machine(resource),
            K::Volume => self.volume(resource),
            K::Interface => self.interface(resource),
            K::GroupRule => self.rule(resource),
            K::DnsRecord => self.record(resource),
            // Stacks have none of these: they are made for a database, and stay.
            K::LogGroup | K::Backup | K::DatabaseSnapshot => Place::Outside(Owner::Stack),
            // A stack's tag says only what a snapshot was made of; a database that its stack has left carries the tags of that
            // one, which may still be there.
            K::Snapshot | K::Database => self.by_tags(resource),
            // The default group, the main route table and the default ACL, which AWS makes with a VPC and which go with it.
            K::SecurityGroup | K::RouteTable | K::NetworkAcl if resource.by_aws => Place::InStack,
            // What lies in it says whose it is, not its tags alone.
            K::Vpc if !self.is_of_stack(resource) => Place::Elsewhere,
            // A stack has it by the address itself.
            K::Address
                if resource
                    .description
                    .as_deref()
                    .is_some_and(|ip| self.has(ip)) =>
            {
                Place::InStack
            }
            _ => self.of_stack_or_tags(resource),
        }
    }

    /// Whether a living stack has a resource of this physical id.
    fn has(&self, id: &str) -> bool {
        contains(&self.scope.resources, id)
    }

    /// Whether a living stack made it, and has not left it.
    fn is_tagged_by_stack(&self, resource: &OutsideResource) -> bool {
        let left = &self.scope.left;
        // An address is in its stack by the address itself.
        let is_left = contains(left, &resource.id)
            || (resource.description.as_deref()).is_some_and(|ip| left.contains(ip));
        !is_left && stack_id(resource).is_some_and(|stack| self.scope.stacks.contains(stack))
    }

    fn of_stack_or_tags(&self, resource: &OutsideResource) -> Place {
        if self.is_tagged_by_stack(resource) {
            return Place::InStack;
        }
        self.by_tags(resource)
    }

    fn by_tags(&self, resource: &OutsideResource) -> Place {
        let vpc = resource.vpc.as_deref();
        if self.is_of_stack(resource) {
            Place::Outside(Owner::Stack)
        } else if vpc.is_some_and(|vpc| !self.vpcs.contains(vpc)) {
            Place::Elsewhere
        } else if !is_made_by_kubernetes(resource, &self.scope.asked.cluster) {
            self.foreign(resource)
        } else if vpc.is_none() && self.has_namesake {
            Place::Outside(Owner::Unclear)
        } else {
            Place::Outside(Owner::Kubernetes)
        }
    }

    /// Somebody else's, if it lies in the cluster's VPC.
    fn foreign(&self, resource: &OutsideResource) -> Place {
        let vpc = resource.vpc.as_deref();
        if vpc.is_some_and(|vpc| self.vpcs.contains(vpc)) {
            Place::Outside(Owner::Foreign)
        } else {
            Place::Elsewhere
        }
    }

    /// A machine belongs to its Auto Scaling group, whatever else its tags say: they stay when it is detached.
    fn machine(&self, machine: &OutsideResource) -> Place {
        let group = machine.tag(SCALING_GROUP);
        // An update that replaces a group has the old one until it cleans up.
        if group.is_some_and(|group| self.has(group) || self.is_tagged_by_stack(machine)) {
            return Place::InStack;
        }
        match self.by_tags(machine) {
            // Somebody's group would start another one in its place.
            Place::Outside(Owner::Kubernetes) if group.is_some() && !is_ending(machine) => {
                self.foreign(machine)
            }
            place => place,
        }
    }

    /// The disk of a machine has the machine's tags and goes with it; no stack has it as a resource. What is attached to a
    /// machine of another VPC is not the cluster's: one of the same name has the same tags.
    fn volume(&self, volume: &OutsideResource) -> Place {
        let machine = self.machine_of(volume).map(|machine| self.place(machine));
        let of_machine = volume.tag(TAG_STACK).is_some() && !volume.uses.is_empty();
        let made_by_stack = stack_id(volume).is_some();
        if of_machine && (!made_by_stack || self.is_tagged_by_stack(volume)) {
            return Place::InStack;
        }
        match (self.by_tags(volume), machine) {
            (_, Some(Place::Elsewhere)) => Place::Elsewhere,
            // Somebody uses it, in the cluster's VPC.
            (
                Place::Outside(Owner::Kubernetes),
                Some(Place::Outside(Owner::Foreign | Owner::Unclear)),
            ) => Place::Outside(Owner::Unclear),
            // Its machine is the cluster's, and says so.
            (
                Place::Outside(Owner::Unclear),
                Some(Place::InStack | Place::Outside(Owner::Kubernetes | Owner::Stack)),
            ) => Place::Outside(Owner::Kubernetes),
            (place, _) => place,
        }
    }

    /// The listed machine that a volume is attached to.
    fn machine_of(&self, volume: &OutsideResource) -> Option<&'a OutsideResource> {
        let mut machines = self.list(OutsideKind::Machine).iter();
        machines.find(|machine| volume.uses.contains(&machine.id))
    }

    /// A listed record is external-dns's for this cluster, but for one that a stack has too: its physical id is its name.
    fn record(&self, record: &OutsideResource) -> Place {
        let mut words = record.id.split(' ').skip(1);
        let (name, of_type) = (words.next().unwrap_or_default(), words.next());
        let name = name.trim_end_matches('.');
        let is_of_stack = self
            .scope
            .resources
            .iter()
            .any(|id| id.trim_end_matches('.').eq_ignore_ascii_case(name));
        if is_of_stack && of_type != Some("TXT") {
            return Place::InStack;
        }
        // The registry has only the cluster's name.
        Place::Outside(if self.has_namesake {
            Owner::Unclear
        } else {
            Owner::Kubernetes
        })
    }

    fn list(&self, kind: OutsideKind) -> &'a [OutsideResource] {
        self.lists.get(&kind).map_or(&[], Vec::as_slice)
    }

    /// What a resource is for; what AWS made for another one, and a rule, are for what that one is for.
    fn purpose(&self, resource: &OutsideResource, owner: Owner) -> Option<Purpose> {
        if owner == Owner::Unclear {
            return Some(self.doubt(resource));
        }
        let of_balancer = || {
            let purpose = purpose(self.balancer_of(resource)?)?;
            (!matches!(purpose, Purpose::Text(_))).then_some(purpose)
        };
        let of_group = || {
            let groups = self.list(OutsideKind::SecurityGroup).iter();
            let mut ours =
                groups.filter(|group| resource.uses.contains(&group.id) && !self.has(&group.id));
            ours.find_map(purpose)
                .filter(|purpose| !matches!(purpose, Purpose::Text(_)))
        };
        let of_maker = match resource.kind {
            OutsideKind::Interface => of_balancer(),
            OutsideKind::GroupRule => of_group(),
            _ => None,
        };
        of_maker.or_else(|| purpose(resource))
    }

    /// Why it is not known whose a resource is.
    fn doubt(&self, resource: &OutsideResource) -> Purpose {
        if let Some(machine) = self.machine_of(resource)
            && resource.kind == OutsideKind::Volume
        {
            let text = format!("attached to {}, which is not the cluster's", machine.id);
            return Purpose::Text(text);
        }
        let text = resource.description.as_deref().unwrap_or_default();
        Purpose::Text(match resource.kind {
            OutsideKind::Interface => format!("not known whose: {}", text.trim()),
            _ => format!(
                "may be of another cluster called {}",
                self.scope.asked.cluster
            ),
        })
    }
}
