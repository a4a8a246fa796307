//! Whether something outside the stacks is used by anything, and the command that ends it where it is not.

use super::{Leftover, LeftoverFacts, LeftoverState};
use crate::cloud::outside::{OutsideKind, OutsideResource};
use crate::common::text::clean;
use crate::forecast::upkeep::upkeep;
use crate::report::outside::{cents, monthly, purpose, save_volume, short, size, steps};
use crate::sweep::kinds::row;
use crate::sweep::{Disposition, Found, Owner, Purpose, Seen};

/// The Service or Ingress that something of Kubernetes was made for.
pub(super) fn maker(found: &Found) -> Option<&Purpose> {
    let purpose = found.purpose.as_ref()?;
    let is_named = matches!(purpose, Purpose::Service(_) | Purpose::Ingress(_));
    (is_named && found.owner == Owner::Kubernetes).then_some(purpose)
}

/// A rule of a security group that was made for a Service or an Ingress.
pub(super) fn is_made_rule(found: &Found) -> bool {
    found.resource.kind == OutsideKind::GroupRule && maker(found).is_some()
}

/// A load balancer that Kubernetes made.
pub(super) fn is_balancer(found: &Found) -> bool {
    let kind = found.resource.kind;
    let kinds = [OutsideKind::LoadBalancer, OutsideKind::ClassicLoadBalancer];
    kinds.contains(&kind) && found.owner == Owner::Kubernetes
}

/// A volume of Kubernetes that no machine has: one that a machine has is in use.
pub(super) fn is_free_volume(found: &Found) -> bool {
    let Found {
        resource, owner, ..
    } = found;
    let is_own = matches!(owner, Owner::Kubernetes | Owner::Past(_));
    resource.kind == OutsideKind::Volume && is_own && is_available(resource)
}

/// A volume that no machine has.
pub(super) fn is_available(resource: &OutsideResource) -> bool {
    resource.state.as_deref() == Some("available")
}

impl LeftoverFacts<'_> {
    /// What a resource is left over from; `None` where something uses it, or nothing is known against it.
    pub(super) fn judge(&self, found: &Found) -> Option<Leftover> {
        // What is named has commands of its own.
        if self.is_network_stuck && found.holds_network() && !found.is_left() {
            return Some(self.holding(found));
        }
        if self.parameters_left.is_some() && found.disposition == Disposition::Kept {
            return Some(self.kept(found));
        }
        let is_doomed = self.has_no_api() && found.disposition == Disposition::Removed;
        let one = if is_doomed && found.owner == Owner::Kubernetes {
            self.orphaned(found, "has no Kubernetes any more")
        } else if is_made_rule(found) {
            self.rule(found)?
        } else {
            self.judge_by_kind(found)?
        };
        if !is_doomed && found.resource.kind != OutsideKind::Machine {
            return Some(one);
        }
        Some(self.unless_a_run_ends_it(one))
    }

    pub(super) fn has_no_api(&self) -> bool {
        *self.kubernetes == Seen::NoApi
    }

    fn judge_by_kind(&self, found: &Found) -> Option<Leftover> {
        let resource = &found.resource;
        match (resource.kind, found.owner) {
            (OutsideKind::Volume, Owner::Kubernetes | Owner::Past(_)) => self.volume(found),
            // Only volumes are of the past; the rest is somebody else's.
            (_, Owner::Foreign | Owner::Unclear | Owner::Past(_)) => None,
            (OutsideKind::Machine, _) => self.machine(found),
            // Its data may be wanted, so a deletion keeps it too.
            (OutsideKind::Volume, Owner::Stack) => Some(self.left(found)),
            (_, Owner::Stack) => found.is_left().then(|| self.left(found)),
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
            // What goes with its group or the controller's object that it is for; what is kept on purpose.
            (_, Owner::Kubernetes) => None,
        }
    }

    /// What is not removed and keeps the network's stack from being deleted, when a deletion has come so far.
    fn holding(&self, found: &Found) -> Leftover {
        let text = match found.owner {
            Owner::Foreign => "is somebody else's, and holds the network",
            Owner::Unclear => "may be somebody else's, and holds the network",
            Owner::Kubernetes | Owner::Stack | Owner::Past(_) => {
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
                "`kube-cfn delete {}`, once nothing holds the network",
                self.argument
            )),
        }
    }

    /// What a stack left that does not have it any more.
    fn left(&self, found: &Found) -> Leftover {
        let stack = self.stack(found);
        let stack = stack.as_deref().unwrap_or("a stack that is gone");
        self.orphaned(found, &format!("was left by {stack}, and no stack has it"))
    }

    /// The name of the stack that made it.
    pub(super) fn stack(&self, found: &Found) -> Option<String> {
        match &found.purpose {
            Some(Purpose::Stack(kind)) => Some(format!("{}-{}", self.cluster, clean(kind))),
            Some(_) | None => None,
        }
    }

    pub(super) fn orphaned(&self, found: &Found, text: &str) -> Leftover {
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
            monthly_usd: cost.amount().map(|amount| cents(amount.usd)),
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
            self.argument
        );
        if *disposition == Disposition::Removed {
            let is_of_kubernetes =
                *owner == Owner::Kubernetes && self.has_no_api() || self.parameters_left.is_some();
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
        let delete = delete(resource, self.region);
        match resource.kind {
            OutsideKind::Volume => {
                let save = save_volume(&resource.id, self.region);
                if is_available(resource) {
                    return format!("`{save}` keeps what is in it, {delete} ends it");
                }
                let uses: Vec<String> = resource.uses.iter().map(|id| clean(id)).collect();
                let by = if uses.is_empty() {
                    "a machine".to_owned()
                } else {
                    uses.join(", ")
                };
                format!("`{save}` keeps what is in it; it can't be deleted while {by} has it")
            }
            OutsideKind::Bucket => format!("{delete}, once it is empty"),
            OutsideKind::Key => format!("{delete}; what it encrypts can't be read from then on"),
            _ => delete,
        }
    }
}

/// The commands that end one, in their order.
pub(super) fn delete(resource: &OutsideResource, region: &str) -> String {
    let steps = steps(resource, region).into_iter();
    let steps: Vec<String> = steps.map(|(_, command)| format!("`{command}`")).collect();
    steps.join(", then ")
}

/// Whether no single command ends it: AWS does with what it belongs to, or it takes a file.
fn has_no_command(resource: &OutsideResource) -> bool {
    resource.by_aws || resource.kind == OutsideKind::DnsRecord
}
