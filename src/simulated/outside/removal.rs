//! Removing resources by the calls of their own services, what refuses in AWS's words, and what keeps a stack from
//! deleting its part of a VPC.

use super::of_stacks::Listed;
use super::things::{OutsideLoss, RemovedBy, Thing};
use crate::cloud::CloudError;
use crate::cloud::outside::{OutsideKind, OutsideResource};
use crate::simulated::reasons;
use crate::simulated::stack::timestamp;
use crate::simulated::state::State;

impl State {
    /// Everything of a kind that exists at a moment, in stacks as it is now.
    pub(super) fn all_of(&self, kind: OutsideKind, at: i64) -> Vec<Listed> {
        let mut all = self.of_stacks(kind);
        let things = self.env.outside.existing(at);
        let things = things.filter(|thing| thing.resource.kind == kind);
        all.extend(things.map(|thing| self.as_listed(thing, at)));
        all
    }

    /// A thing as a listing has it at a moment.
    pub(super) fn as_listed(&self, thing: &Thing, at: i64) -> Listed {
        let mut resource = thing.resource.clone();
        if let (None, Some(subnet)) = (&resource.vpc, &thing.subnet) {
            resource.vpc = self.vpc_of(subnet);
        }
        match resource.kind {
            OutsideKind::Machine if thing.is_ending(at) => {
                resource.state = Some("shutting-down".to_owned());
            }
            OutsideKind::NatGateway if thing.is_ending(at) => {
                resource.state = Some("deleting".to_owned());
            }
            OutsideKind::Key if thing.is_ending(at) => {
                resource.state = Some("PendingDeletion".to_owned());
                resource.ends = thing.ends.map(timestamp);
            }
            OutsideKind::TargetGroup => self.settle_target_group(&mut resource, at),
            OutsideKind::Volume | OutsideKind::Interface if !resource.by_aws => {
                let gone = |id: &String| id.starts_with("i-") && !self.has_machine(id, at);
                if resource.uses.iter().any(gone) {
                    resource.uses.retain(|id| !gone(id));
                    resource.state = Some("available".to_owned());
                }
            }
            _ => {}
        }
        Listed {
            resource,
            subnet: thing.subnet.clone(),
            of: None,
            holder: thing.goes_with.clone(),
        }
    }

    /// A target group is used by the load balancers that are there, and outlives its VPC when there is none.
    fn settle_target_group(&self, group: &mut OutsideResource, at: i64) {
        let balancers = self.all_of(OutsideKind::LoadBalancer, at);
        let is_there = |id: &String| balancers.iter().any(|one| one.resource.id == *id);
        group.uses.retain(is_there);
        let is_gone = |vpc: &str| {
            let mut all = self.stacks.iter().flat_map(|stack| &stack.resources);
            let was = all.any(|one| one.physical_id.as_deref() == Some(vpc));
            was && !self.live("AWS::EC2::VPC").iter().any(|one| one.id == vpc)
        };
        if group.uses.is_empty() && group.vpc.as_deref().is_some_and(is_gone) {
            group.vpc = None;
        }
    }

    fn has_machine(&self, id: &str, at: i64) -> bool {
        self.env
            .outside
            .find(OutsideKind::Machine, id, at)
            .is_some()
            || self
                .group_machines()
                .iter()
                .any(|machine| machine.listed.resource.id == id)
    }

    /// Removes a resource, of a stack or not. Not an error if it is gone.
    pub(super) fn remove_outside(
        &mut self,
        wanted: &OutsideResource,
        by: RemovedBy,
    ) -> Result<(), CloudError> {
        let (kind, id, at) = (wanted.kind, wanted.id.as_str(), self.now);
        let all = self.all_of(kind, at);
        let Some(found) = all.into_iter().find(|one| one.resource.id == id) else {
            return Ok(());
        };
        let thing = self.env.outside.find(kind, id, at);
        if thing.is_some_and(|thing| thing.is_ending(at)) {
            return Ok(());
        }
        let protected = thing.is_some_and(|thing| thing.protected);
        if let Some(message) = self.blocker(&found, wanted, protected) {
            return Err(CloudError::Refused {
                operation: format!("the removal of {id}"),
                message,
            });
        }
        if thing.is_some() {
            self.env.outside.end(kind, id, at, by);
            return Ok(());
        }
        self.remove_from_stack(&found, by);
        Ok(())
    }

    /// A resource of a stack, or one that belongs to such a one, is removed under it.
    fn remove_from_stack(&mut self, found: &Listed, by: RemovedBy) {
        let at = self.now;
        let OutsideResource { kind, id, tags, .. } = &found.resource;
        match (&found.of, kind) {
            (Some((stack, logical_id)), _) => {
                let stacks = self.stacks.iter_mut();
                let mut stacks = stacks.filter(|one| one.live.name == *stack && !one.is_deleted());
                let resource = stacks.next().and_then(|stack| {
                    let slot = stack.slot(logical_id)?;
                    stack.resources.get_mut(slot)
                });
                if let Some(resource) = resource {
                    resource.deleted_externally = true;
                }
                self.env.outside.end_with(id, at);
            }
            // Its group launches another one.
            (None, OutsideKind::Machine) => {
                self.env.outside.detached.insert(id.clone());
            }
            (None, _) => {}
        }
        self.env.outside.losses.push(OutsideLoss {
            at: timestamp(at),
            kind: *kind,
            id: id.clone(),
            tags: tags.clone(),
            by,
            stack: Some(
                found
                    .of
                    .clone()
                    .map_or_else(String::new, |(stack, _)| stack),
            ),
        });
    }

    /// Why something can't be removed now, in the words of its service.
    fn blocker(&self, found: &Listed, wanted: &OutsideResource, protected: bool) -> Option<String> {
        let resource = &found.resource;
        let (id, at) = (&resource.id, self.now);
        match resource.kind {
            OutsideKind::Machine => protected.then(|| {
                format!(
                    "The instance '{id}' may not be terminated. Modify its 'disableApiTermination' \
                     instance attribute and try again."
                )
            }),
            OutsideKind::ClassicLoadBalancer
            | OutsideKind::GroupRule
            | OutsideKind::Snapshot
            | OutsideKind::LogGroup
            | OutsideKind::Backup
            | OutsideKind::DatabaseSnapshot
            | OutsideKind::Database
            | OutsideKind::NatGateway
            | OutsideKind::Endpoint
            | OutsideKind::Peering
            | OutsideKind::NetworkAcl
            | OutsideKind::VpnGateway
            | OutsideKind::Key => None,
            OutsideKind::LoadBalancer => protected.then(|| {
                format!("Load balancer '{id}' cannot be deleted because deletion protection is enabled")
            }),
            OutsideKind::TargetGroup => {
                let balancers = self.all_of(OutsideKind::LoadBalancer, at);
                let mut balancers = balancers.iter().map(|one| &one.resource.id);
                balancers.any(|one| resource.uses.contains(one)).then(|| {
                    format!("Target group '{id}' is currently in use by a listener or a rule")
                })
            }
            OutsideKind::SecurityGroup if resource.by_aws => Some(format!(
                "the specified group: \"{id}\" name: \"default\" cannot be deleted by a user"
            )),
            OutsideKind::SecurityGroup => self
                .is_group_used(id, at)
                .then(|| format!("resource {id} has a dependent object")),
            OutsideKind::Interface if resource.by_aws => Some(format!(
                "You do not have permission to manage the network interface '{id}': it is managed by a service."
            )),
            OutsideKind::Interface => (resource.state.as_deref() == Some("in-use"))
                .then(|| format!("Network interface '{id}' is currently in use.")),
            OutsideKind::Volume => {
                let machine = resource.uses.iter().find(|one| one.starts_with("i-"))?;
                Some(format!("Volume {id} is currently attached to {machine}"))
            }
            OutsideKind::DnsRecord => (wanted.body != resource.body).then(|| {
                format!(
                    "Tried to delete resource record set [{id}] but the values provided do not match \
                     the current values"
                )
            }),
            OutsideKind::Bucket => {
                let objects = self.env.buckets.get(id);
                objects.is_some_and(|all| !all.is_empty()).then(|| {
                    "The bucket you tried to delete is not empty".to_owned()
                })
            }
            OutsideKind::Address => {
                let gateways = self.all_of(OutsideKind::NatGateway, at);
                let mut gateways = gateways.iter();
                let is_used = gateways.any(|one| one.resource.uses.contains(id));
                is_used.then(|| format!("Address {id} is in use."))
            }
            OutsideKind::Subnet => self.is_subnet_used(id, at).then(|| {
                format!("The subnet '{id}' has dependencies and cannot be deleted.")
            }),
            OutsideKind::RouteTable => resource
                .by_aws
                .then(|| format!("The routeTable '{id}' has dependencies and cannot be deleted.")),
            OutsideKind::InternetGateway => {
                let vpc = resource.vpc.as_ref()?;
                let gateways = self.all_of(OutsideKind::NatGateway, at);
                let mut gateways = gateways.iter();
                let is_mapped = gateways.any(|one| one.resource.vpc.as_ref() == Some(vpc));
                is_mapped.then(|| format!("Network {vpc} has some mapped public address(es)."))
            }
            OutsideKind::Vpc => self.is_vpc_used(id, at).then(|| {
                format!("The vpc '{id}' has dependencies and cannot be deleted.")
            }),
        }
    }

    /// Whether something lies in a subnet.
    fn is_subnet_used(&self, subnet: &str, at: i64) -> bool {
        let kinds = [
            OutsideKind::Interface,
            OutsideKind::Machine,
            OutsideKind::NatGateway,
        ];
        let all = kinds.into_iter().flat_map(|kind| self.all_of(kind, at));
        all.into_iter()
            .any(|one| one.subnet.as_deref() == Some(subnet))
    }

    /// Whether a VPC has anything but what AWS made with it.
    fn is_vpc_used(&self, vpc: &str, at: i64) -> bool {
        let kinds = OutsideKind::ALL.into_iter().filter(|kind| holds_vpc(*kind));
        let mut all = kinds.flat_map(|kind| self.all_of(kind, at));
        all.any(|one| {
            let resource = one.resource;
            let goes_along = resource.by_aws && resource.kind != OutsideKind::Interface;
            resource.vpc.as_deref() == Some(vpc) && !goes_along
        })
    }

    /// Whether an interface uses a security group, or a rule of another group names it.
    fn is_group_used(&self, group: &str, at: i64) -> bool {
        let interfaces = self.all_of(OutsideKind::Interface, at);
        let mut interfaces = interfaces.iter();
        let rules = self.all_of(OutsideKind::GroupRule, at);
        let mut rules = rules
            .iter()
            .filter(|rule| rule.holder.as_deref() != Some(group));
        interfaces.any(|one| one.resource.uses.contains(group))
            || rules.any(|rule| rule.resource.uses.contains(group))
    }

    /// Why something outside the stacks keeps CloudFormation from deleting a part of a VPC.
    pub(in crate::simulated) fn held_from_outside(&self, physical_id: &str) -> Option<String> {
        let prefix = physical_id.split('-').next();
        let holds = |thing: &Thing| {
            let resource = &thing.resource;
            match prefix {
                Some("subnet") => thing.subnet.as_deref() == Some(physical_id),
                Some("vpc") => {
                    let in_it = resource.vpc.as_deref() == Some(physical_id);
                    let of_it = holds_vpc(resource.kind);
                    in_it && of_it
                }
                Some("sg") => match resource.kind {
                    OutsideKind::Interface => resource.uses.contains(physical_id),
                    OutsideKind::GroupRule => {
                        let own = thing.goes_with.as_deref() == Some(physical_id);
                        resource.uses.contains(physical_id) && !own
                    }
                    _ => false,
                },
                _ => false,
            }
        };
        let mut things = self.env.outside.existing(self.now);
        let held = things.any(|thing| !thing.lingers && holds(thing));
        held.then(|| reasons::in_use(&self.env.setting, physical_id))
    }
}

/// Whether a VPC stays while one is in it: of load balancers their interfaces and groups hold it, not they.
fn holds_vpc(kind: OutsideKind) -> bool {
    !matches!(
        kind,
        OutsideKind::LoadBalancer
            | OutsideKind::ClassicLoadBalancer
            | OutsideKind::TargetGroup
            | OutsideKind::GroupRule
            | OutsideKind::Database
            | OutsideKind::Vpc
    )
}
