//! Whether something outside the stacks is used by anything, and the command that ends it where it is not.

use super::{Leftover, LeftoverFacts, LeftoverState, several};
use crate::cloud::outside::{OutsideKind, OutsideResource};
use crate::common::duration::age;
use crate::common::text::clean;
use crate::forecast::upkeep::upkeep;
use crate::report::outside::{
    delete_command, monthly, purpose, revoke_rule, save_volume, short, size,
};
use crate::sweep::kinds::row;
use crate::sweep::kubernetes::{Objects, Volume};
use crate::sweep::{Disposition, Found, Owner, Purpose, Seen};

/// The Service that a load balancer was made for.
pub(super) fn service(found: &Found) -> Option<&str> {
    match &found.purpose {
        Some(Purpose::Service(name)) if is_balancer(found) => Some(name),
        Some(_) | None => None,
    }
}

/// A load balancer that Kubernetes made.
fn is_balancer(found: &Found) -> bool {
    let kind = found.resource.kind;
    let kinds = [OutsideKind::LoadBalancer, OutsideKind::ClassicLoadBalancer];
    kinds.contains(&kind) && found.owner == Owner::Kubernetes
}

/// A volume of Kubernetes that no machine has: one that a machine has is in use.
pub(super) fn is_free_volume(found: &Found) -> bool {
    let Found {
        resource, owner, ..
    } = found;
    resource.kind == OutsideKind::Volume && *owner == Owner::Kubernetes && is_available(resource)
}

/// A volume that no machine has.
fn is_available(resource: &OutsideResource) -> bool {
    resource.state.as_deref() == Some("available")
}

impl LeftoverFacts<'_> {
    /// What a resource is left over from; `None` where something uses it, or nothing is known against it.
    pub(super) fn judge(&self, found: &Found) -> Option<Leftover> {
        if self.is_network_stuck && found.holds_network() {
            return Some(self.holding(found));
        }
        let is_doomed = self.has_no_api() && found.disposition == Disposition::Removed;
        let one = if is_doomed && found.owner == Owner::Kubernetes {
            self.orphaned(found, "has no Kubernetes any more")
        } else {
            self.judge_by_kind(found)?
        };
        if !is_doomed && found.resource.kind != OutsideKind::Machine {
            return Some(one);
        }
        Some(self.unless_a_run_ends_it(one))
    }

    fn has_no_api(&self) -> bool {
        *self.kubernetes == Seen::NoApi
    }

    fn judge_by_kind(&self, found: &Found) -> Option<Leftover> {
        let resource = &found.resource;
        match (resource.kind, found.owner) {
            (OutsideKind::Volume, Owner::Kubernetes | Owner::Earlier | Owner::Released) => {
                self.volume(found)
            }
            // Somebody else's; what only a volume can be; what goes with its group or the controller's object that it is for;
            // what is kept on purpose.
            (_, Owner::Earlier | Owner::Released | Owner::Foreign | Owner::Unclear)
            | (
                OutsideKind::GroupRule
                | OutsideKind::DnsRecord
                | OutsideKind::Snapshot
                | OutsideKind::LogGroup
                | OutsideKind::Backup
                | OutsideKind::DatabaseSnapshot,
                _,
            ) => None,
            (OutsideKind::Machine, _) => self.machine(found),
            // Its data may be wanted, so a deletion keeps it too.
            (OutsideKind::Volume, Owner::Stack) => Some(self.left(found)),
            (OutsideKind::LoadBalancer | OutsideKind::ClassicLoadBalancer, Owner::Kubernetes) => {
                self.balancer(found)
            }
            (OutsideKind::SecurityGroup, Owner::Kubernetes) => self.group(found),
            (OutsideKind::TargetGroup, Owner::Kubernetes) => resource
                .uses
                .is_empty()
                .then(|| self.orphaned(found, "is used by no load balancer")),
            (OutsideKind::Interface, Owner::Kubernetes) => (is_available(resource)
                && !resource.by_aws)
                .then(|| self.orphaned(found, "is attached to nothing")),
            (
                OutsideKind::LoadBalancer
                | OutsideKind::ClassicLoadBalancer
                | OutsideKind::SecurityGroup
                | OutsideKind::TargetGroup
                | OutsideKind::Interface,
                Owner::Stack,
            )
            | (
                OutsideKind::Bucket
                | OutsideKind::Key
                | OutsideKind::Subnet
                | OutsideKind::RouteTable
                | OutsideKind::Endpoint
                | OutsideKind::Peering
                | OutsideKind::NetworkAcl
                | OutsideKind::VpnGateway,
                _,
            ) => (found.disposition == Disposition::Removed).then(|| self.left(found)),
        }
    }

    /// A machine that no group has: a roll ends those that it detached, unless it was interrupted.
    fn machine(&self, found: &Found) -> Option<Leftover> {
        let resource = &found.resource;
        if resource.state.as_deref() == Some("shutting-down") {
            return None;
        }
        let since = resource.created.map_or(String::new(), |created| {
            format!(", launched {} ago", age(self.now.duration_since(created)))
        });
        let state = resource.state.as_deref().unwrap_or("in an unknown state");
        let of = self
            .stack(found)
            .map_or(String::new(), |stack| format!("of {stack} "));
        let text = format!("{of}is in no group any more ({state}{since})");
        Some(self.orphaned(found, &text))
    }

    /// While a run holds the lock, it may be about to end it.
    fn unless_a_run_ends_it(&self, orphaned: Leftover) -> Leftover {
        match self.operation {
            Ok(None) => orphaned,
            Ok(Some(run)) => Leftover {
                state: LeftoverState::Ending,
                text: format!("{}; {} may be about to end it", orphaned.text, clean(run)),
                next: None,
                ..orphaned
            },
            Err(why) => Leftover {
                state: LeftoverState::Unknown,
                text: format!(
                    "{}; whether a run is about to end it is not known: {}",
                    orphaned.text,
                    clean(why)
                ),
                next: None,
                ..orphaned
            },
        }
    }

    /// What is not removed and keeps the network's stack from being deleted, when a deletion has come so far.
    fn holding(&self, found: &Found) -> Leftover {
        let text = match found.owner {
            Owner::Foreign => "is somebody else's, and holds the network",
            Owner::Unclear => "is nobody knows whose, and holds the network",
            Owner::Kubernetes | Owner::Stack | Owner::Earlier | Owner::Released => {
                "is in no stack any more, and holds the network"
            }
        };
        let resource = &found.resource;
        let name = format!("{} {}", row(resource.kind).name, short(resource));
        let of = match purpose(found, self.cluster) {
            of if of.is_empty() => of,
            of => format!(": {of}"),
        };
        Leftover {
            kind: Some(resource.kind),
            id: Some(resource.id.clone()),
            state: LeftoverState::Holding,
            text: format!("{name} {text}{of}"),
            bytes: resource.bytes,
            monthly_usd: None,
            next: Some(format!(
                "`kube-cfn delete {}`, once it is gone",
                self.cluster
            )),
        }
    }

    fn balancer(&self, found: &Found) -> Option<Leftover> {
        let name = service(found)?;
        let Seen::Objects(Objects { services, .. }) = self.kubernetes else {
            return None;
        };
        let mut names = services
            .iter()
            .map(|one| format!("{}/{}", one.namespace, one.name));
        (!names.any(|one| one == name))
            .then(|| self.orphaned(found, "has no Service of type LoadBalancer any more"))
    }

    fn volume(&self, found: &Found) -> Option<Leftover> {
        let resource = &found.resource;
        let text = match self.kubernetes {
            Seen::Silent(_) => return None,
            Seen::NoApi => "has no Kubernetes any more".to_owned(),
            Seen::Objects(Objects {
                volumes, claims, ..
            }) => {
                let has = |volume: &&Volume| volume.volume_id.as_deref() == Some(&resource.id);
                if !is_available(resource) {
                    return None;
                }
                let Some(volume) = volumes.iter().find(has) else {
                    return Some(self.orphaned(found, "has no PersistentVolume any more"));
                };
                let claim = volume.claim.as_ref()?;
                let mut names = claims
                    .iter()
                    .map(|one| format!("{}/{}", one.namespace, one.name));
                if names.any(|one| one == *claim) {
                    return None;
                }
                format!(
                    "is kept by PersistentVolume {}, whose claim is gone",
                    volume.name
                )
            }
        };
        Some(self.orphaned(found, &text))
    }

    fn group(&self, found: &Found) -> Option<Leftover> {
        let id = &found.resource.id;
        let Ok(used) = self.used_groups else {
            return None;
        };
        if used.contains(id) {
            return None;
        }
        let rules = self.inventory.found.iter().filter(|one| {
            one.resource.kind == OutsideKind::GroupRule && one.resource.uses.contains(id)
        });
        // Its own rules go with it.
        let rules = rules.filter(|one| one.resource.body != *id);
        let first: Vec<String> = rules
            .map(|one| format!("`{}`", revoke_rule(&one.resource, self.region)))
            .collect();
        let orphaned = self.orphaned(found, "is used by no network interface");
        let delete = orphaned.next.clone().unwrap_or_default();
        let next = first.into_iter().chain([delete]).collect::<Vec<_>>();
        Some(Leftover {
            next: Some(next.join(", then ")),
            ..orphaned
        })
    }

    /// What has no counterpart in what Kubernetes was asked for: it is used, or it is not.
    pub(super) fn not_compared(&self) -> Vec<Leftover> {
        if self.has_no_api() {
            return Vec::new();
        }
        let of = |is: fn(&Found) -> bool, why: &str| {
            let found = self.inventory.found.iter();
            let one = several(found.filter(|one| is(one)), why)?;
            Some(Leftover {
                state: LeftoverState::NotCompared,
                ..one
            })
        };
        let is_of_ingress = |found: &Found| {
            let of_ingress = matches!(found.purpose, Some(Purpose::Ingress(_)));
            is_balancer(found) && of_ingress
        };
        let is_of_nothing = |found: &Found| {
            let is_named = matches!(
                found.purpose,
                Some(Purpose::Ingress(_) | Purpose::Service(_))
            );
            is_balancer(found) && !is_named
        };
        let is_record = |found: &Found| {
            found.resource.kind == OutsideKind::DnsRecord && found.owner == Owner::Kubernetes
        };
        let all = [
            of(is_of_ingress, "of an Ingress, which is not compared"),
            of(is_of_nothing, "of no Service that is known, not compared"),
            of(is_record, "what they are for is not compared"),
        ];
        all.into_iter().flatten().collect()
    }

    /// What nobody could be asked about.
    pub(super) fn unjudged(&self) -> Vec<Leftover> {
        let mut all = Vec::new();
        let found = || self.inventory.found.iter();
        if let Seen::Silent(why) = self.kubernetes {
            let why = format!(
                "Kubernetes did not say whether it still has them: {}",
                clean(why)
            );
            let balancers = found().filter(|one| service(one).is_some());
            let volumes = found().filter(|one| is_free_volume(one));
            let of_volumes = format!("attached to nothing; {why}");
            let asked = several(balancers, &why)
                .into_iter()
                .chain(several(volumes, &of_volumes));
            all.extend(asked.map(|one| Leftover {
                next: Some("with --server the API is asked at the end of a tunnel".to_owned()),
                ..one
            }));
        }
        if let Err(why) = self.used_groups {
            let groups = found().filter(|one| {
                one.resource.kind == OutsideKind::SecurityGroup && one.owner == Owner::Kubernetes
            });
            let why = format!("which interfaces use them is not known: {}", clean(why));
            all.extend(several(groups, &why));
        }
        all
    }

    /// What a stack left that does not have it any more.
    fn left(&self, found: &Found) -> Leftover {
        let stack = self.stack(found);
        let stack = stack.as_deref().unwrap_or("a stack that is gone");
        self.orphaned(found, &format!("was left by {stack}, and no stack has it"))
    }

    /// The name of the stack that made it.
    fn stack(&self, found: &Found) -> Option<String> {
        match &found.purpose {
            Some(Purpose::Stack(kind)) => Some(format!("{}-{}", self.cluster, clean(kind))),
            Some(_) | None => None,
        }
    }

    fn orphaned(&self, found: &Found, text: &str) -> Leftover {
        let resource = &found.resource;
        let cost = upkeep(resource, self.region, self.prices);
        let facts = [
            self.stack(found)
                .is_none()
                .then(|| purpose(found, self.cluster)),
            resource.bytes.map(size),
            Some(monthly(&cost)),
        ];
        let facts = facts.into_iter().flatten().filter(|fact| !fact.is_empty());
        let facts: Vec<String> = facts.collect();
        let name = format!("{} {}", row(resource.kind).name, short(resource));
        let facts = if facts.is_empty() {
            String::new()
        } else {
            format!(": {}", facts.join(", "))
        };
        Leftover {
            kind: Some(resource.kind),
            id: Some(resource.id.clone()),
            state: LeftoverState::Orphaned,
            text: format!("{name} {text}{facts}"),
            bytes: resource.bytes,
            monthly_usd: cost
                .amount()
                .map(|amount| (amount.usd * 100.0).round() / 100.0),
            next: Some(self.next(found)),
        }
    }

    /// The command that ends it; of data, with the one that saves it in front.
    fn next(&self, found: &Found) -> String {
        let Found {
            resource,
            owner,
            disposition,
            ..
        } = found;
        let all = format!(
            "`kube-cfn delete {}` removes it with the rest",
            self.cluster
        );
        if *disposition == Disposition::Removed {
            let is_of_kubernetes = *owner == Owner::Kubernetes && self.has_no_api();
            if self.is_network_stuck || is_of_kubernetes && has_no_command(resource) {
                return all;
            }
            if is_of_kubernetes {
                return format!("{}; {all}", self.command(resource));
            }
        }
        self.command(resource)
    }

    fn command(&self, resource: &OutsideResource) -> String {
        let delete = delete_command(resource.kind, &resource.id, self.region);
        match resource.kind {
            OutsideKind::Volume => {
                let save = save_volume(&resource.id, self.region);
                if is_available(resource) {
                    return format!("`{save}` keeps what is in it, `{delete}` ends it");
                }
                let uses: Vec<String> = resource.uses.iter().map(|id| clean(id)).collect();
                let by = if uses.is_empty() {
                    "a machine".to_owned()
                } else {
                    uses.join(", ")
                };
                format!("`{save}` keeps what is in it; it can't be deleted while {by} has it")
            }
            OutsideKind::GroupRule => format!("`{}`", revoke_rule(resource, self.region)),
            OutsideKind::Bucket => format!("`{delete}`, once it is empty"),
            OutsideKind::Key => {
                format!("`{delete}`; what it encrypts can't be read from then on")
            }
            OutsideKind::Machine
            | OutsideKind::LoadBalancer
            | OutsideKind::ClassicLoadBalancer
            | OutsideKind::TargetGroup
            | OutsideKind::SecurityGroup
            | OutsideKind::Interface
            | OutsideKind::Snapshot
            | OutsideKind::DnsRecord
            | OutsideKind::LogGroup
            | OutsideKind::Backup
            | OutsideKind::DatabaseSnapshot
            | OutsideKind::Subnet
            | OutsideKind::RouteTable
            | OutsideKind::Endpoint
            | OutsideKind::Peering
            | OutsideKind::NetworkAcl
            | OutsideKind::VpnGateway => format!("`{delete}`"),
        }
    }
}

/// Whether no single command ends it: AWS does with what it belongs to, or it takes a file.
fn has_no_command(resource: &OutsideResource) -> bool {
    resource.by_aws || resource.kind == OutsideKind::DnsRecord
}
