//! What controllers and other people make in a simulated account: load balancers with all that belongs to them, volumes,
//! snapshots, records, interfaces, and machines that a roll has detached.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::things::{Service, Thing};
use crate::cloud::outside::{OutsideKind, OutsideResource};
use crate::simulated::Simulated;
use crate::simulated::names::arn;
use crate::simulated::rng::{hex, stream};
use crate::simulated::state::State;

/// Who makes something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Maker {
    /// A controller in this cluster.
    Kubernetes(String),
    /// Somebody who shares it with this cluster, and tags it so.
    SharedWith(String),
    /// Somebody who sets no tag.
    Somebody,
}

/// Where something is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    pub vpc: String,
    pub subnets: Vec<String>,
    /// The security group of the nodes.
    pub node_group: Option<String>,
}

/// The kind of a load balancer, by which its controller is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BalancerKind {
    /// A network load balancer of the cloud controller manager.
    Network,
    /// A classic load balancer of the cloud controller manager.
    Classic,
    /// An application load balancer of the AWS Load Balancer Controller.
    Application,
}

/// A load balancer to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Balancer {
    pub kind: BalancerKind,
    pub maker: Maker,
    /// `NAMESPACE/NAME` of its Service or Ingress.
    pub service: String,
    pub place: Place,
    /// How long after its loss its controller makes another one, while the control plane answers.
    pub again_after: Option<Duration>,
    /// Whether deletion protection is on.
    pub protected: bool,
}

impl Maker {
    /// The tags of the cloud controller manager and the CSI driver.
    fn tags(&self) -> BTreeMap<String, String> {
        let (cluster, value) = match self {
            Self::Kubernetes(cluster) => (cluster, "owned"),
            Self::SharedWith(cluster) => (cluster, "shared"),
            Self::Somebody => return BTreeMap::new(),
        };
        let key = format!("kubernetes.io/cluster/{cluster}");
        BTreeMap::from([(key, value.to_owned())])
    }
}

impl Balancer {
    fn tags(&self) -> BTreeMap<String, String> {
        let service = self.service.clone();
        match (self.kind, &self.maker) {
            (BalancerKind::Application, Maker::Kubernetes(cluster)) => BTreeMap::from([
                ("elbv2.k8s.aws/cluster".to_owned(), cluster.clone()),
                ("ingress.k8s.aws/stack".to_owned(), service),
            ]),
            (_, Maker::Somebody) => BTreeMap::new(),
            (_, maker) => {
                let mut tags = maker.tags();
                tags.insert("kubernetes.io/service-name".to_owned(), service);
                tags
            }
        }
    }
}

impl Simulated {
    /// Something outside the stacks, as it is given.
    pub fn make_outside(&self, resource: OutsideResource) {
        self.with_now(|state| state.make(resource, None, None));
    }

    /// The same in a subnet.
    pub fn make_in_subnet(&self, resource: OutsideResource, subnet: &str) {
        self.with_now(|state| state.make(resource, Some(subnet), None));
    }

    /// A load balancer with its target group, security group, rules and interfaces. Its id.
    pub fn make_balancer(&self, balancer: &Balancer) -> String {
        self.with_now(|state| state.make_balancer(balancer))
    }

    /// A Service is deleted, or its controller is: no load balancer is made for it any more.
    pub fn forget_service(&self, service: &str) {
        self.with_now(|state| {
            for one in &mut state.env.outside.services {
                one.exists &= one.balancer.service != service;
            }
        });
    }

    /// A volume of a claim, attached to a machine or not. Its id.
    pub fn make_volume(
        &self,
        maker: &Maker,
        claim: &str,
        machine: Option<&str>,
        gib: u64,
    ) -> String {
        self.with_now(|state| {
            let mut found = OutsideResource::new(OutsideKind::Volume, state.new_id("vol"));
            found.tags = claim_tags(maker, claim, &found.id);
            found.bytes = Some(gib << 30);
            found.state = Some(
                if machine.is_some() {
                    "in-use"
                } else {
                    "available"
                }
                .to_owned(),
            );
            found.uses = machine.into_iter().map(str::to_owned).collect();
            state.make(found, None, None)
        })
    }

    /// A snapshot of the volume of a claim. Its id.
    pub fn make_snapshot(&self, maker: &Maker, claim: &str, gib: u64) -> String {
        self.with_now(|state| {
            let mut found = OutsideResource::new(OutsideKind::Snapshot, state.new_id("snap"));
            found.tags = maker.tags();
            if *maker != Maker::Somebody {
                let name = format!("snapshot-{}-{}", claim.replace('/', "-"), found.id);
                let tag = ("CSIVolumeSnapshotName".to_owned(), name);
                found.tags.extend([tag]);
            }
            found.bytes = Some(gib << 30);
            found.state = Some("completed".to_owned());
            state.make(found, None, None)
        })
    }

    /// A record with the record of external-dns that says whose it is. Their ids.
    pub fn make_record(&self, maker: &Maker, zone: &str, name: &str) -> Vec<String> {
        let owner = match maker {
            Maker::Kubernetes(cluster) => Some(cluster),
            Maker::SharedWith(_) | Maker::Somebody => None,
        };
        let says = owner.map(|owner| {
            format!(
                "\"heritage=external-dns,external-dns/owner={owner},\
                 external-dns/resource=service/default/{}\"",
                name.split('.').next().unwrap_or(name)
            )
        });
        let mut records = vec![(format!("{zone} {name} A"), "A".to_owned())];
        if let Some(says) = &says {
            records.push((format!("{zone} a-{name} TXT"), says.clone()));
        }
        let make = |(id, value): (String, String)| {
            let mut found = OutsideResource::new(OutsideKind::DnsRecord, id.clone());
            found.body = format!("<ResourceRecordSet>{id} {value}</ResourceRecordSet>");
            found.description.clone_from(&says);
            self.with_now(|state| state.make(found, None, None))
        };
        records.into_iter().map(make).collect()
    }

    /// An interface that is attached to nothing, or to a machine. Its id.
    pub fn make_interface(&self, maker: &Maker, place: &Place, machine: Option<&str>) -> String {
        self.with_now(|state| {
            let mut found = OutsideResource::new(OutsideKind::Interface, state.new_id("eni"));
            found.tags = maker.tags();
            found.vpc = Some(place.vpc.clone());
            found.state = Some(
                if machine.is_some() {
                    "in-use"
                } else {
                    "available"
                }
                .to_owned(),
            );
            found.uses = place.node_group.iter().cloned().collect();
            found.uses.extend(machine.map(str::to_owned));
            if *maker != Maker::Somebody {
                found.description = Some(format!("aws-K8S-{}", machine.unwrap_or("i-0")));
            }
            state.make(found, place.subnets.first().map(String::as_str), None)
        })
    }

    /// The ids of the machines of a group, in their order.
    pub fn machines_of_group(&self, stack: &str, logical_id: &str) -> Vec<String> {
        self.with_now(|state| {
            let place = [
                ("aws:cloudformation:stack-name", stack),
                ("aws:cloudformation:logical-id", logical_id),
            ];
            let all = state.group_machines().into_iter();
            let of = all.filter(|one| {
                let tag = |key| one.listed.resource.tag(key);
                place.iter().all(|(key, value)| tag(key) == Some(value))
            });
            of.map(|one| one.listed.resource.id).collect()
        })
    }

    /// A roll detaches the first machine of a group: it runs on outside it. Its id.
    pub fn detach_machine(&self, stack: &str, logical_id: &str) -> Option<String> {
        let id = self
            .machines_of_group(stack, logical_id)
            .into_iter()
            .next()?;
        self.with_now(|state| state.detach(&id))
    }

    /// Somebody deletes a stack by hand and retains one of its resources: it stays with its tags. Whether there is one.
    pub fn retain_resource(&self, stack: &str, logical_id: &str) -> bool {
        self.with_now(|state| {
            let index = state.named(stack);
            let setting = state.env.setting.clone();
            let found = index
                .and_then(|index| state.stacks.get_mut(index))
                .and_then(|stack| {
                    let slot = stack.slot(logical_id)?;
                    let found =
                        super::of_stacks::listed(&setting, stack, stack.resources.get(slot)?);
                    stack.resources.get_mut(slot)?.deleted_externally = true;
                    found
                });
            found.map(|found| state.make(found, None, None)).is_some()
        })
    }

    /// Deletion protection of a load balancer is switched off.
    pub fn unprotect_outside(&self, id: &str) {
        self.with_now(|state| {
            let all = state.env.outside.all.iter_mut();
            for thing in all.filter(|thing| thing.resource.id == id) {
                thing.protected = false;
            }
        });
    }
}

fn claim_tags(maker: &Maker, claim: &str, id: &str) -> BTreeMap<String, String> {
    let mut tags = maker.tags();
    if *maker == Maker::Somebody {
        return tags;
    }
    let (namespace, name) = claim.split_once('/').unwrap_or(("default", claim));
    let volume = format!("pvc-{id}");
    let set = [
        ("ebs.csi.aws.com/cluster", "true"),
        ("kubernetes.io/created-for/pvc/namespace", namespace),
        ("kubernetes.io/created-for/pvc/name", name),
        ("kubernetes.io/created-for/pv/name", &volume),
        ("CSIVolumeName", &volume),
    ];
    tags.extend(set.map(|(key, value)| (key.to_owned(), value.to_owned())));
    tags
}

impl State {
    fn new_digits(&mut self) -> String {
        let number = self.env.outside.number();
        hex(&mut stream(self.env.setting.seed, &["outside"], number), 16)
    }

    fn new_id(&mut self, prefix: &str) -> String {
        format!("{prefix}-0{}", self.new_digits())
    }

    /// Something that is there from now on. Its id.
    fn make(
        &mut self,
        resource: OutsideResource,
        subnet: Option<&str>,
        goes_with: Option<&str>,
    ) -> String {
        let id = resource.id.clone();
        let mut thing = Thing::new(resource, self.now);
        thing.subnet = subnet.map(str::to_owned);
        // A rule goes with the group that it is in.
        let group = (!thing.resource.body.is_empty()
            && thing.resource.kind == OutsideKind::GroupRule)
            .then(|| thing.resource.body.clone());
        thing.goes_with = goes_with.map(str::to_owned).or(group);
        self.env.outside.all.push(thing);
        id
    }

    fn make_balancer(&mut self, balancer: &Balancer) -> String {
        let things = &mut self.env.outside;
        let known = things.services.iter();
        let known = known.enumerate().find(|(_, one)| one.balancer == *balancer);
        let service = known.map_or(things.services.len(), |(index, _)| index);
        if service == things.services.len() {
            things.services.push(Service {
                balancer: balancer.clone(),
                exists: balancer.again_after.is_some(),
            });
        }
        self.serve(service, balancer)
    }

    /// What is due happens: controllers make what is missing, while their control plane answers.
    pub(in crate::simulated) fn step_outside(&mut self, at: i64) {
        self.now = at;
        let Some((_, index)) = self.env.outside.due.pop_first() else {
            return;
        };
        let service = self.env.outside.services.get(index);
        let Some(service) = service.filter(|service| service.exists) else {
            return;
        };
        let balancer = service.balancer.clone();
        if let Maker::Kubernetes(cluster) = &balancer.maker
            && self.cluster_serves(cluster)
        {
            self.serve(index, &balancer);
        }
    }

    /// Makes a load balancer and what belongs to it.
    fn serve(&mut self, service: usize, balancer: &Balancer) -> String {
        let digits = self.new_digits();
        let name = format!("a{}", digits.repeat(2));
        let short = name.get(..16).unwrap_or(&name).to_owned();
        let (tags, place) = (balancer.tags(), &balancer.place);
        let setting = self.env.setting.clone();
        let balancing = |kind: &str| {
            arn(
                &setting,
                "elasticloadbalancing",
                &format!("{kind}/{short}/{digits}"),
            )
        };
        let (kind, id, said) = match balancer.kind {
            BalancerKind::Network => (
                OutsideKind::LoadBalancer,
                balancing("loadbalancer/net"),
                format!("ELB net/{short}/{digits}"),
            ),
            BalancerKind::Application => (
                OutsideKind::LoadBalancer,
                balancing("loadbalancer/app"),
                format!("ELB app/{short}/{digits}"),
            ),
            BalancerKind::Classic => (
                OutsideKind::ClassicLoadBalancer,
                name.clone(),
                format!("ELB {name}"),
            ),
        };
        let group = self.balancer_group(balancer, &name);
        let mut found = OutsideResource::new(kind, id.clone());
        found.tags.clone_from(&tags);
        found.vpc = Some(place.vpc.clone());
        found.state = Some("active".to_owned());
        found.uses = BTreeSet::from([group.clone()]);
        found.description = Some(format!(
            "{short}-{digits}.elb.{}.amazonaws.com",
            setting.region
        ));
        self.make(found, None, None);
        if let Some(thing) = self.env.outside.all.last_mut() {
            thing.service = Some(service);
            thing.protected = balancer.protected;
        }
        if balancer.kind != BalancerKind::Classic {
            let mut target =
                OutsideResource::new(OutsideKind::TargetGroup, balancing("targetgroup"));
            target.tags = tags;
            target.vpc = Some(place.vpc.clone());
            target.uses = BTreeSet::from([id.clone()]);
            self.make(target, None, None);
        }
        for subnet in &place.subnets {
            let mut found = OutsideResource::new(OutsideKind::Interface, self.new_id("eni"));
            found.vpc = Some(place.vpc.clone());
            found.state = Some("in-use".to_owned());
            found.uses = BTreeSet::from([group.clone()]);
            found.description = Some(said.clone());
            found.by_aws = true;
            self.make(found, Some(subnet), Some(&id));
        }
        id
    }

    /// The security group of a load balancer, and the rule that lets it reach the nodes.
    fn balancer_group(&mut self, balancer: &Balancer, name: &str) -> String {
        let place = &balancer.place;
        let mut found = OutsideResource::new(OutsideKind::SecurityGroup, self.new_id("sg"));
        found.tags = balancer.tags();
        found.vpc = Some(place.vpc.clone());
        found.description = match (&balancer.maker, balancer.kind) {
            (Maker::Somebody, _) => Some("launch-wizard-1".to_owned()),
            (_, BalancerKind::Application) => {
                Some("[k8s] Managed SecurityGroup for LoadBalancer".to_owned())
            }
            _ => Some(format!(
                "Security group for Kubernetes ELB {name} ({})",
                balancer.service
            )),
        };
        let group = self.make(found, None, None);
        if let Some(nodes) = &place.node_group {
            let mut rule = OutsideResource::new(OutsideKind::GroupRule, self.new_id("sgr"));
            rule.vpc = Some(place.vpc.clone());
            rule.uses = BTreeSet::from([nodes.clone(), group.clone()]);
            rule.body.clone_from(nodes);
            self.make(rule, None, None);
        }
        group
    }

    fn detach(&mut self, id: &str) -> Option<String> {
        let all = self.group_machines().into_iter();
        let machine = all.into_iter().find(|one| one.listed.resource.id == id)?;
        let disk = self.root_disk(&machine).resource;
        let interface = self.machine_interface(&machine);
        let mut found = machine.listed.resource;
        found.tags.remove("aws:autoscaling:groupName");
        let subnet = machine.listed.subnet;
        let vpc = found.vpc.clone();
        self.env.outside.detached.insert(id.to_owned());
        self.make(found, subnet.as_deref(), None);
        self.make(disk, None, Some(id));
        let interface = OutsideResource {
            vpc,
            ..interface.resource
        };
        self.make(interface, subnet.as_deref(), Some(id));
        Some(id.to_owned())
    }
}
