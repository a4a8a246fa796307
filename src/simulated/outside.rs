//! What lies in a simulated account outside the stacks: what Kubernetes and others made there, and how it is listed,
//! beside what the stacks have, and removed.

mod balancers;
mod checks;
mod interfaces;
mod machines;
mod made;
mod of_stacks;
mod removal;
mod things;

use super::Simulated;
use super::engine::Environment;
use super::stack::{Resource, Stack};
use super::state::State;
use crate::cloud::outside::{Outside, OutsideKind, OutsideResource, OutsideScope, database_prefix};
use crate::cloud::{CloudError, DeletionPolicy};
use crate::common::tags::TAG_CLUSTER;
use crate::templates::evaluate::text;

pub use balancers::{Balancer, BalancerKind};
pub use made::{Maker, Place};
pub(super) use things::Things;

/// What a client makes of a listing.
pub(super) type Distort = Box<dyn Fn(OutsideKind, &mut Vec<OutsideResource>)>;
pub use things::{OutsideLoss, RemovedBy};

impl Outside for Simulated {
    async fn outside(
        &self,
        kind: OutsideKind,
        scope: &OutsideScope,
    ) -> Result<Vec<OutsideResource>, CloudError> {
        let about = format!("{kind:?} {}", scope.cluster);
        self.read("outside", &about, |state| {
            let at = state.as_of();
            let mut all = state.list(kind, scope, at);
            if let Some(distort) = &state.distort {
                distort(kind, &mut all);
            }
            Ok(all)
        })
        .await
    }

    async fn remove(&self, resource: &OutsideResource) -> Result<(), CloudError> {
        let about = format!("{} {:?}", resource.id, resource.kind);
        self.write("remove", &about, |state| {
            state.remove_outside(resource, RemovedBy::Call)
        })
        .await
    }

    async fn left_by(&self, stack: &str, physical_id: &str) -> Result<Option<String>, CloudError> {
        let about = format!("{stack} {physical_id}");
        self.read("left_by", &about, |state| {
            let is_named = |one: &&Stack| one.live.name == stack && one.is_deleted();
            let has_left = |one: &Resource| {
                one.physical_id.as_deref() == Some(physical_id) && one.status == "DELETE_SKIPPED"
            };
            let mut stacks = state.stacks.iter().filter(is_named);
            let found = stacks.find(|one| one.resources.iter().any(has_left));
            Ok(found.map(|one| one.live.id.clone()))
        })
        .await
    }
}

impl Simulated {
    /// Everything that exists outside the stacks, what AWS made for it included.
    pub fn outside_things(&self) -> Vec<OutsideResource> {
        self.with_now(|state| {
            let all = state.env.outside.existing(state.now);
            all.map(|thing| state.as_listed(thing, state.now).resource)
                .collect()
        })
    }

    /// Everything that was removed from outside CloudFormation.
    pub fn outside_losses(&self) -> Vec<OutsideLoss> {
        self.with_now(|state| state.env.outside.losses.clone())
    }

    /// A client with a bug: what it makes of every listing, by kind.
    pub fn distort_listings(
        &self,
        distort: impl Fn(OutsideKind, &mut Vec<OutsideResource>) + 'static,
    ) {
        self.with_now(|state| state.distort = Some(Box::new(distort)));
    }

    /// Who has a thing takes it away, with whatever keeps it.
    pub fn take_away(&self, resource: &OutsideResource) {
        self.with_now(|state| {
            let at = state.now;
            let things = &mut state.env.outside;
            things.end(resource.kind, &resource.id, at, RemovedBy::Others);
        });
    }

    /// Somebody else removes a resource. Whether AWS let them.
    pub fn remove_externally(&self, resource: &OutsideResource) -> bool {
        self.with_now(|state| state.remove_outside(resource, RemovedBy::Others).is_ok())
    }
}

impl State {
    /// What is tagged or named as the cluster's, and what lies in its VPC.
    fn list(&self, kind: OutsideKind, scope: &OutsideScope, at: i64) -> Vec<OutsideResource> {
        let seed = self.env.setting.seed;
        let of_stacks = self.of_stacks(kind).into_iter();
        let of_stacks = of_stacks.map(|one| one.resource);
        let mut all: Vec<_> = of_stacks
            .filter(|one| in_vpc(one, scope) || is_named(one, scope))
            .collect();
        let things = self.env.outside.all.iter();
        for thing in things.filter(|thing| thing.resource.kind == kind) {
            let resource = self.as_listed(thing, at).resource;
            let is_in_vpc = in_vpc(&resource, scope);
            let wanted = is_in_vpc || is_named(&resource, scope);
            if wanted && thing.is_listed(seed, at, !is_in_vpc) {
                all.push(resource);
            }
        }
        all
    }
}

/// Whether a resource is found by the VPC that it lies in.
fn in_vpc(resource: &OutsideResource, scope: &OutsideScope) -> bool {
    scope.vpc.is_some() && resource.vpc == scope.vpc
}

/// Whether a resource is found by its tags, its name, or what the registry of external-dns says.
fn is_named(resource: &OutsideResource, scope: &OutsideScope) -> bool {
    let cluster = scope.cluster.as_str();
    let says = |text: &str| {
        resource
            .description
            .as_deref()
            .is_some_and(|all| all.contains(text))
    };
    let database = database_prefix(cluster);
    match resource.kind {
        OutsideKind::LogGroup => {
            let path = resource.id.strip_prefix("/aws/rds/instance/");
            path.is_some_and(|path| path.starts_with(&database))
        }
        OutsideKind::DnsRecord => says(&format!("external-dns/owner={cluster},")),
        OutsideKind::Backup => resource.tag(TAG_CLUSTER) == Some(cluster) || says(&database),
        OutsideKind::Database => {
            resource.tag(TAG_CLUSTER) == Some(cluster) || resource.id.starts_with(&database)
        }
        OutsideKind::DatabaseSnapshot => {
            let prefix = format!("{cluster}-database-snapshot-database-");
            resource.tag(TAG_CLUSTER) == Some(cluster)
                || resource.id.starts_with(&prefix)
                || says(&database)
        }
        _ => {
            resource.tag(&format!("kubernetes.io/cluster/{cluster}")) == Some("owned")
                || resource.tag("elbv2.k8s.aws/cluster") == Some(cluster)
                || resource.tag("cluster.k8s.amazonaws.com/name") == Some(cluster)
                || resource.tag(TAG_CLUSTER) == Some(cluster)
        }
    }
}

/// A stack no longer has a resource, which stays, and what AWS made for it.
pub(super) fn retained(env: &mut Environment, stack: &Stack, resource: &Resource, at: i64) {
    let properties = super::inspected::now(&env.setting, stack, resource);
    let Some(found) = of_stacks::listed(&env.setting, stack, resource) else {
        return;
    };
    // One that names its own group alone goes with that, and is not looked for.
    let holder = (found.kind == OutsideKind::GroupRule).then(|| found.body.clone());
    if holder.is_some() && found.uses.len() < 2 {
        return;
    }
    // A rule lies where its group does.
    let found = OutsideResource {
        vpc: found
            .vpc
            .clone()
            .or_else(|| of_stacks::vpc_of_group(&env.setting, stack, holder.as_deref()?)),
        ..found
    };
    let id = found.id.clone();
    let seed = env.setting.seed;
    let with: Vec<_> = match found.kind {
        OutsideKind::NatGateway => interfaces::nat_interface(seed, &id, &properties)
            .into_iter()
            .collect(),
        OutsideKind::Database => {
            let group = text(&properties["DBSubnetGroupName"]);
            let subnets = of_stacks::database_subnets(&env.setting, stack, &group);
            let subnet = subnets.into_iter().next();
            interfaces::database_interface(seed, &id, &properties, subnet)
                .into_iter()
                .collect()
        }
        OutsideKind::LoadBalancer => interfaces::balancer_interfaces(seed, &id, &properties),
        _ => Vec::new(),
    };
    let subnet = match found.kind {
        OutsideKind::Database => {
            let group = text(&properties["DBSubnetGroupName"]);
            let subnets = of_stacks::database_subnets(&env.setting, stack, &group);
            subnets.into_iter().next()
        }
        _ => properties.get("SubnetId").map(text),
    };
    let thing = things::Thing::new(found, at).placed(subnet, holder);
    env.outside.all.push(thing);
    for one in with {
        let thing = things::Thing::new(one.resource, at);
        let thing = thing.placed(one.subnet, Some(id.clone()));
        env.outside.all.push(thing);
    }
}

/// A stack has deleted a resource: what AWS and others made for it ends with it; logs, backups and the last snapshot of a
/// database stay, and a key until its wait is over.
pub(super) fn deleted(
    env: &mut Environment,
    stack: &Stack,
    resource: &Resource,
    (id, policy): (&str, DeletionPolicy),
    at: i64,
) {
    env.outside.end_with(id, at);
    let properties = || super::inspected::now(&env.setting, stack, resource);
    match resource.kind.as_str() {
        "AWS::ElasticLoadBalancingV2::LoadBalancer" => {
            let left = interfaces::balancer_interfaces(env.setting.seed, id, &properties());
            let left = left.into_iter().map(|one| (one.resource, one.subnet));
            env.outside.linger(left.collect(), at);
        }
        "AWS::KMS::Key" => {
            let days = properties()["PendingWindowInDays"].as_i64();
            if let Some(found) = of_stacks::listed(&env.setting, stack, resource) {
                let key = things::Thing::new(found, at);
                env.outside.all.push(key.scheduled(at, days));
            }
        }
        "AWS::RDS::DBInstance" => {
            let mut left = of_stacks::log_groups(id, &properties());
            left.extend(of_stacks::backup(&env.setting, stack, resource));
            if policy == DeletionPolicy::Snapshot {
                left.extend(of_stacks::last_snapshot(&env.setting, stack, resource));
            }
            let left = left.into_iter().map(|one| things::Thing::new(one, at));
            env.outside.all.extend(left);
        }
        _ => {}
    }
}
