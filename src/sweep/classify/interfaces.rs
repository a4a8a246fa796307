//! Whose an interface is: it is of what it is attached to, or of what AWS made it for, as its description says.

use super::{Context, Owner, Place};
use crate::cloud::outside::{OutsideKind, OutsideResource, is_database_of};

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
                Place::Outside(Owner::Foreign | Owner::Unclear | Owner::Past(_)) | Place::Elsewhere,
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
        let makers = [
            (OF_NAT, OutsideKind::NatGateway),
            (OF_ENDPOINT, OutsideKind::Endpoint),
        ];
        let named = makers
            .into_iter()
            .find_map(|(start, kind)| Some((kind, text.strip_prefix(start)?.trim())));
        if let Some((kind, maker)) = named {
            return Some(self.of_maker(kind, maker, interface));
        }
        if text == OF_DATABASE {
            return Some(self.of_database(interface));
        }
        Some(here)
    }

    /// The place of the interface of a NAT gateway or an endpoint: its maker's.
    fn of_maker(&self, kind: OutsideKind, id: &str, interface: &OutsideResource) -> Place {
        let here = self.foreign(interface);
        if self.has(id) {
            return Place::InStack;
        }
        match self.list(kind).iter().find(|maker| maker.id == id) {
            Some(maker) => match self.place(maker) {
                Place::Elsewhere => here,
                place => place,
            },
            None => self.released(here, &[kind]),
        }
    }

    /// The place of an interface whose maker is not there: AWS releases it within minutes, no matter whose that was. It is not
    /// known where these kinds of makers could not be listed.
    fn released(&self, here: Place, makers: &[OutsideKind]) -> Place {
        let is_known = makers.iter().all(|kind| self.lists.contains_key(kind));
        match here {
            Place::Outside(_) if is_known => Place::Outside(Owner::Kubernetes),
            Place::Outside(_) => Place::Outside(Owner::Unclear),
            here => here,
        }
    }

    /// The place of a database's interface. It goes with a database that is named itself.
    fn of_database(&self, interface: &OutsideResource) -> Place {
        let of = |database: &&OutsideResource| !database.uses.is_disjoint(&interface.uses);
        let mut databases = self.list(OutsideKind::Database).iter().filter(of);
        if databases.any(|one| self.place(one) == Place::Outside(Owner::Stack)) {
            return Place::InStack;
        }
        let mut groups = interface.uses.iter();
        if !groups.any(|group| self.is_group_of_stack(group)) {
            return self.foreign(interface);
        }
        let cluster = &self.scope.asked.cluster;
        let mut resources = self.scope.resources.iter();
        let is_there = resources.any(|id| is_database_of(id, cluster));
        if is_there {
            Place::InStack
        } else {
            Place::Outside(Owner::Stack)
        }
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
        if interface.by_aws {
            let makers = [OutsideKind::LoadBalancer, OutsideKind::ClassicLoadBalancer];
            return self.released(here, &makers);
        }
        here
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

/// Whether an interface is of this resource: it is attached to it, or AWS's description says so. All of a VPC's databases are
/// listed: one that shares a group with a database's interface is as near as AWS tells.
pub fn has_interface(holder: &OutsideResource, interface: &OutsideResource) -> bool {
    let text = interface.description.as_deref().unwrap_or_default();
    let is_made_for = |start: &str| text.strip_prefix(start).map(str::trim) == Some(&*holder.id);
    match holder.kind {
        OutsideKind::Machine => interface.uses.contains(&holder.id),
        OutsideKind::LoadBalancer | OutsideKind::ClassicLoadBalancer => {
            is_of_balancer(text, &holder.id)
        }
        OutsideKind::NatGateway => is_made_for(OF_NAT),
        OutsideKind::Endpoint => is_made_for(OF_ENDPOINT),
        OutsideKind::Database => text == OF_DATABASE && !holder.uses.is_disjoint(&interface.uses),
        _ => false,
    }
}

/// Whether the name in an interface's description (`net/NAME/ID`, or a classic balancer's `NAME`) is that of a balancer.
fn is_balancer(id: &str, name: &str) -> bool {
    let name = name.trim();
    id.split_once(":loadbalancer/").map_or(id, |(_, name)| name) == name
}
