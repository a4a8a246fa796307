//! What controllers and other people make in a simulated account: volumes, snapshots, records, interfaces, and machines
//! that a roll has detached.

use std::collections::BTreeMap;

use super::things::Thing;
use crate::cloud::outside::{OutsideKind, OutsideResource};
use crate::simulated::Simulated;
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

impl Maker {
    /// The tags of the cloud controller manager and the CSI driver.
    pub(super) fn tags(&self) -> BTreeMap<String, String> {
        let (cluster, value) = match self {
            Self::Kubernetes(cluster) => (cluster, "owned"),
            Self::SharedWith(cluster) => (cluster, "shared"),
            Self::Somebody => return BTreeMap::new(),
        };
        let key = format!("kubernetes.io/cluster/{cluster}");
        BTreeMap::from([(key, value.to_owned())])
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

    /// The next deletion of a stack retains one of its resources: it stays with its tags. Whether there is one.
    pub fn retain_resource(&self, stack: &str, logical_id: &str) -> bool {
        self.with_now(|state| {
            let stack = state
                .named(stack)
                .and_then(|index| state.stacks.get_mut(index));
            let resource = stack.and_then(|stack| {
                let slot = stack.slot(logical_id)?;
                stack.resources.get_mut(slot)
            });
            resource.map(|resource| resource.retains = true).is_some()
        })
    }

    /// What a stack has, by logical ids.
    pub fn resources_of(&self, stack: &str) -> Vec<String> {
        self.with_now(|state| {
            let stack = state.named(stack).and_then(|index| state.stacks.get(index));
            let all = stack.into_iter().flat_map(|stack| &stack.resources);
            all.filter(|resource| resource.exists())
                .map(|resource| resource.logical_id.clone())
                .collect()
        })
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
    pub(super) fn new_digits(&mut self) -> String {
        let number = self.env.outside.number();
        hex(&mut stream(self.env.setting.seed, &["outside"], number), 16)
    }

    pub(super) fn new_id(&mut self, prefix: &str) -> String {
        format!("{prefix}-0{}", self.new_digits())
    }

    /// Something that is there from now on. Its id.
    pub(super) fn make(
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
