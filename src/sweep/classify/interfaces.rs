//! Whose an interface is: it is of what it is attached to, or of what AWS made it for, as its description says.

use super::{Context, Owner, Place};
use crate::cloud::outside::{OutsideKind, OutsideResource};

/// How AWS describes the interfaces that it makes for others.
const OF_BALANCER: &str = "ELB ";
const OF_NAT: &str = "Interface for NAT Gateway ";
const OF_DATABASE: &str = "RDSNetworkInterface";
const OF_ENDPOINT: &str = "VPC Endpoint Interface ";

impl<'a> Context<'a> {
    pub(super) fn interface(&self, interface: &OutsideResource) -> Place {
        if self.is_tagged_by_stack(interface) {
            return Place::InStack;
        }
        if let Some(place) = self.of_other(interface) {
            return place;
        }
        let machines = self.list(OutsideKind::Machine);
        let machine = machines
            .iter()
            .find(|machine| interface.uses.contains(&machine.id));
        match machine.map(|machine| self.place(machine)) {
            // It goes with its machine.
            Some(Place::InStack | Place::Outside(Owner::Kubernetes | Owner::Stack)) => {
                Place::InStack
            }
            Some(
                Place::Outside(Owner::Foreign | Owner::Unclear | Owner::Earlier | Owner::Released)
                | Place::Elsewhere,
            ) => self.foreign(interface),
            None => self.by_tags(interface),
        }
    }

    /// The place of an interface that AWS made for something else; `None` for others.
    fn of_other(&self, interface: &OutsideResource) -> Option<Place> {
        let text = interface.description.as_deref()?;
        let here = self.foreign(interface);
        if let Some(name) = text.strip_prefix(OF_BALANCER) {
            return Some(self.of_balancer(name, interface));
        }
        if !interface.by_aws {
            return None;
        }
        let named = [OF_NAT, OF_ENDPOINT]
            .into_iter()
            .find_map(|start| text.strip_prefix(start));
        if let Some(maker) = named {
            return Some(if self.has(maker.trim()) {
                Place::InStack
            } else {
                here
            });
        }
        if text == OF_DATABASE
            && interface
                .uses
                .iter()
                .any(|group| self.is_group_of_stack(group))
        {
            let start = format!("{}-database-", self.scope.asked.cluster);
            let is_there = self.scope.resources.iter().any(|id| id.starts_with(&start));
            let place = if is_there {
                Place::InStack
            } else {
                Place::Outside(Owner::Stack)
            };
            return Some(place);
        }
        Some(here)
    }

    /// The place of a load balancer's interface. One that a deleted balancer left is released by AWS within minutes: it is
    /// waited for, no matter whose the balancer was.
    fn of_balancer(&self, name: &str, interface: &OutsideResource) -> Place {
        let here = self.foreign(interface);
        if self.scope.resources.iter().any(|id| is_balancer(id, name)) {
            return Place::InStack;
        }
        if let Some(balancer) = self.balancer(name) {
            return match self.place(balancer) {
                Place::Elsewhere => here,
                place => place,
            };
        }
        let kinds = [OutsideKind::LoadBalancer, OutsideKind::ClassicLoadBalancer];
        let is_known = kinds.iter().all(|kind| self.lists.contains_key(kind));
        match here {
            Place::Outside(_) if interface.by_aws => Place::Outside(if is_known {
                Owner::Kubernetes
            } else {
                Owner::Unclear
            }),
            here => here,
        }
    }

    fn balancer(&self, name: &str) -> Option<&'a OutsideResource> {
        let kinds = [OutsideKind::LoadBalancer, OutsideKind::ClassicLoadBalancer];
        let all = kinds.into_iter().flat_map(|kind| self.list(kind));
        all.into_iter()
            .find(|balancer| is_balancer(&balancer.id, name))
    }

    /// The load balancer that an interface says it is of.
    pub(super) fn balancer_of(&self, interface: &OutsideResource) -> Option<&'a OutsideResource> {
        let text = interface.description.as_deref()?;
        self.balancer(text.strip_prefix(OF_BALANCER)?)
    }
}

/// Whether an interface's description says that it is a load balancer's.
pub(in crate::sweep) fn is_of_balancer(description: &str, id: &str) -> bool {
    let name = description.strip_prefix(OF_BALANCER);
    name.is_some_and(|name| is_balancer(id, name))
}

/// Whether the name in an interface's description (`net/NAME/ID`, or a classic balancer's `NAME`) is that of a balancer.
fn is_balancer(id: &str, name: &str) -> bool {
    let name = name.trim();
    id.split_once(":loadbalancer/").map_or(id, |(_, name)| name) == name
}
