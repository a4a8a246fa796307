//! Whether something outside the stacks is used by anything, and the command that ends it where it is not.

use super::{Leftover, LeftoverFacts, LeftoverState, SHOWN, not_looked_for};
use crate::cloud::outside::{OutsideKind, OutsideResource};
use crate::common::duration::age;
use crate::common::text::clean;
use crate::forecast::prices::{Meter, PriceKey};
use crate::report::outside::{counted, delete_command, purpose, save_volume, short, size};
use crate::sweep::kinds::row;
use crate::sweep::kubernetes::{Objects, Volume};
use crate::sweep::{Disposition, Found, Owner, Purpose, Seen};

const GIB: f64 = 1_073_741_824.0;

/// The Service that a load balancer was made for.
pub(super) fn service(found: &Found) -> Option<&str> {
    let is_balancer = match found.resource.kind {
        OutsideKind::LoadBalancer | OutsideKind::ClassicLoadBalancer => true,
        OutsideKind::Machine
        | OutsideKind::TargetGroup
        | OutsideKind::GroupRule
        | OutsideKind::SecurityGroup
        | OutsideKind::Interface
        | OutsideKind::Volume
        | OutsideKind::Snapshot
        | OutsideKind::DnsRecord
        | OutsideKind::LogGroup
        | OutsideKind::Backup
        | OutsideKind::DatabaseSnapshot
        | OutsideKind::Bucket
        | OutsideKind::Key
        | OutsideKind::Subnet
        | OutsideKind::RouteTable
        | OutsideKind::Endpoint
        | OutsideKind::Peering
        | OutsideKind::NetworkAcl
        | OutsideKind::VpnGateway => false,
    };
    match &found.purpose {
        Some(Purpose::Service(name)) if is_balancer && found.owner == Owner::Kubernetes => {
            Some(name)
        }
        Some(_) | None => None,
    }
}

pub(super) fn is_volume_of_kubernetes(found: &Found) -> bool {
    found.resource.kind == OutsideKind::Volume && found.owner == Owner::Kubernetes
}

/// A volume that no machine has.
fn is_available(resource: &OutsideResource) -> bool {
    resource.state.as_deref() == Some("available")
}

impl LeftoverFacts<'_> {
    /// What a resource is left over from; `None` where something uses it, or nothing is known against it.
    pub(super) fn judge(&self, found: &Found) -> Option<Leftover> {
        let resource = &found.resource;
        match (resource.kind, found.owner) {
            // Somebody else's; what goes with its group or the controller's object that it is for; what is kept on purpose.
            (_, Owner::Foreign)
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
            (OutsideKind::Volume, Owner::Kubernetes) => self.volume(found),
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
        let orphaned = self.orphaned(found, &text);
        Some(match self.operation {
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
        })
    }

    fn balancer(&self, found: &Found) -> Option<Leftover> {
        let name = service(found)?;
        match self.kubernetes {
            Seen::Objects(Objects { services, .. }) => {
                let mut names = services
                    .iter()
                    .map(|one| format!("{}/{}", one.namespace, one.name));
                (!names.any(|one| one == name))
                    .then(|| self.orphaned(found, "has no Service of type LoadBalancer any more"))
            }
            Seen::NoApi => Some(Leftover {
                next: Some(format!(
                    "`kube-cfn delete {}` removes it with the rest",
                    self.cluster
                )),
                ..self.orphaned(found, "has no Kubernetes any more")
            }),
            Seen::Silent(_) => None,
        }
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
                let Some(volume) = volumes.iter().find(has) else {
                    let text = "has no PersistentVolume any more";
                    return is_available(resource).then(|| self.orphaned(found, text));
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
        let rules: Vec<&str> = rules.map(|one| one.resource.id.as_str()).collect();
        let orphaned = self.orphaned(found, "is used by no network interface");
        Some(if rules.is_empty() {
            orphaned
        } else {
            let next = orphaned.next.unwrap_or_default();
            Leftover {
                next: Some(format!(
                    "{next}, after the rules that name it: {}",
                    rules.join(", ")
                )),
                ..orphaned
            }
        })
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
            let volumes =
                found().filter(|one| is_volume_of_kubernetes(one) && is_available(&one.resource));
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
        let monthly_usd = self.monthly(resource);
        let facts = [
            self.stack(found)
                .is_none()
                .then(|| purpose(found, self.cluster))
                .filter(|text| !text.is_empty()),
            resource.bytes.map(size),
            monthly_usd.map(|usd| format!("${usd:.2} a month")),
        ];
        let facts: Vec<String> = facts.into_iter().flatten().collect();
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
            monthly_usd,
            next: Some(self.next(resource)),
        }
    }

    /// The command that ends it; of data, with the one that saves it in front.
    fn next(&self, resource: &OutsideResource) -> String {
        let delete = delete_command(resource.kind, &resource.id, self.region);
        match resource.kind {
            OutsideKind::Volume => {
                let save = save_volume(&resource.id, self.region);
                format!("`{save}` keeps what is in it, `{delete}` ends it")
            }
            OutsideKind::Bucket => format!("`{delete}`, once it is empty"),
            OutsideKind::Key => {
                format!("`{delete}`; what it encrypts can't be read from then on")
            }
            OutsideKind::Machine
            | OutsideKind::LoadBalancer
            | OutsideKind::ClassicLoadBalancer
            | OutsideKind::TargetGroup
            | OutsideKind::GroupRule
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

    /// US dollars a month of a volume, as gp3: the type of the storage class that comes with the tool.
    #[expect(
        clippy::cast_precision_loss,
        reason = "2^53 bytes are more than a volume can have"
    )]
    fn monthly(&self, resource: &OutsideResource) -> Option<f64> {
        let bytes = resource
            .bytes
            .filter(|_| resource.kind == OutsideKind::Volume)?;
        let price = self
            .prices
            .find(&PriceKey::new(self.region, Meter::VolumeGib))?;
        Some(price.usd * bytes as f64 / GIB)
    }
}

/// One line about several resources of a kind; `None` for none.
fn several<'a>(found: impl Iterator<Item = &'a Found>, why: &str) -> Option<Leftover> {
    let found: Vec<&Found> = found.collect();
    let first = found.first()?;
    let names: Vec<String> = found
        .iter()
        .take(SHOWN)
        .map(|one| short(&one.resource))
        .collect();
    let more = match found.len().saturating_sub(SHOWN) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let bytes: u64 = found.iter().filter_map(|one| one.resource.bytes).sum();
    Some(Leftover {
        kind: Some(first.resource.kind),
        text: format!(
            "{}: {}{more}: {why}",
            counted(first.resource.kind, found.len()),
            names.join(", ")
        ),
        bytes: (bytes > 0).then_some(bytes),
        ..not_looked_for("")
    })
}
