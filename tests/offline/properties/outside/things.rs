//! What controllers and other people make around a cluster, at random, and whose each thing is.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::time::Duration;

use fastrand::Rng;
use kube_cfn::cloud::StackStatus;
use kube_cfn::cloud::outside::{OutsideKind, OutsideResource};
use kube_cfn::simulated::{Balancer, BalancerKind, Maker, Place, Simulated};

use super::cluster::Design;

/// By kind and id.
pub type Key = (OutsideKind, String);

/// What has to become of a thing when its cluster is deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    Goes,
    /// Kept, unless volumes are to go too.
    Volume,
    Kept,
    /// Never removed, and no run is done while it is there.
    Named,
    Foreign,
}

/// What was made, and by whom.
pub struct Things<'a> {
    pub cloud: &'a Simulated,
    pub design: &'a Design,
    pub place: Place,
    foreign: RefCell<BTreeSet<Key>>,
    /// Disks that go with their machines.
    disks: RefCell<BTreeSet<String>>,
}

pub fn key(resource: &OutsideResource) -> Key {
    (resource.kind, resource.id.clone())
}

impl<'a> Things<'a> {
    pub fn new(cloud: &'a Simulated, design: &'a Design) -> Self {
        let all = cloud.all_stacks();
        let name = format!("{}-network", design.cluster);
        let network = all.iter().find(|one| one.name == name);
        let outputs = &network.expect("a network").outputs;
        Self {
            cloud,
            design,
            place: Place {
                vpc: outputs["VpcId"].clone(),
                subnets: design.subnets.map(|name| outputs[name].clone()).into(),
                node_group: Some(outputs[design.node_group].clone()),
            },
            foreign: RefCell::default(),
            disks: RefCell::default(),
        }
    }

    pub fn all(&self) -> Vec<OutsideResource> {
        self.cloud.outside_things()
    }

    /// Whether the cluster's VPC is there, and nothing removes it.
    pub fn has_vpc(&self) -> bool {
        let vpc = Some(&self.place.vpc);
        let stacks = self.cloud.all_stacks();
        let mut standing = stacks.iter().filter(|one| {
            one.status != StackStatus::DeleteComplete && !one.status.is_in_progress()
        });
        standing.any(|one| one.outputs.get("VpcId") == vpc)
    }

    pub fn expected(&self, kind: OutsideKind, id: &str) -> Expected {
        if self.foreign.borrow().contains(&(kind, id.to_owned())) {
            return Expected::Foreign;
        }
        match kind {
            OutsideKind::Volume if self.disks.borrow().contains(id) => Expected::Goes,
            OutsideKind::Volume => Expected::Volume,
            OutsideKind::Database => Expected::Named,
            OutsideKind::Snapshot
            | OutsideKind::LogGroup
            | OutsideKind::Backup
            | OutsideKind::DatabaseSnapshot => Expected::Kept,
            _ => Expected::Goes,
        }
    }

    /// Makes something. What is new then is somebody else's, or not.
    fn make(&self, is_foreign: bool, work: impl FnOnce()) {
        let before: BTreeSet<Key> = self.all().iter().map(key).collect();
        work();
        if is_foreign {
            let all = self.all();
            let new = all.iter().map(key).filter(|key| !before.contains(key));
            self.foreign.borrow_mut().extend(new);
        }
    }

    fn ours(&self) -> Maker {
        Maker::Kubernetes(self.design.cluster.to_owned())
    }

    fn theirs(&self, rng: &mut Rng) -> Maker {
        match rng.u8(..3) {
            0 => Maker::Kubernetes("another".to_owned()),
            1 => Maker::SharedWith(self.design.cluster.to_owned()),
            _ => Maker::Somebody,
        }
    }

    fn balancer(&self, rng: &mut Rng, maker: Maker) -> Balancer {
        let kinds = [
            BalancerKind::Network,
            BalancerKind::Classic,
            BalancerKind::Application,
        ];
        let is_ours = maker == self.ours();
        let again = rng.bool().then(|| Duration::from_secs(rng.u64(5..240)));
        let mut place = self.place.clone();
        if !is_ours && rng.bool() {
            place.node_group = None;
        }
        Balancer {
            kind: kinds[rng.usize(..3)],
            service: format!("default/service-{}", rng.u16(..)),
            place,
            again_after: again.filter(|_| is_ours),
            protected: is_ours && rng.u8(..12) == 0,
            maker,
        }
    }

    /// A load balancer of a Service of the cluster.
    pub fn add_service(&self, rng: &mut Rng) {
        let balancer = self.balancer(rng, self.ours());
        self.make(false, || drop(self.cloud.make_balancer(&balancer)));
    }

    /// A machine of the pool, if there is one.
    fn machine(&self) -> Option<String> {
        let (stack, group) = &self.design.pool;
        let all = self.cloud.machines_of_group(stack, group);
        all.into_iter().next()
    }

    /// Things of the cluster itself.
    pub fn add_own(&self, rng: &mut Rng) {
        let (cloud, ours) = (self.cloud, self.ours());
        let machine = self.machine();
        let used = machine.as_deref().filter(|_| rng.bool());
        let claim = format!("default/data-{}", rng.u16(..));
        match rng.u8(..9) {
            8 => self.add_pair(),
            0..3 => self.add_service(rng),
            3 => self.add_volume(rng),
            4 => drop(cloud.make_snapshot(&ours, &claim, 4)),
            5 => drop(cloud.make_record(&ours, "Z1", &format!("n{}.example.org", rng.u16(..)))),
            6 => drop(cloud.make_interface(&ours, &self.place, used)),
            _ => self.detach(rng),
        }
    }

    /// A roll detaches a machine, which may have a volume.
    pub fn detach(&self, rng: &mut Rng) {
        let (stack, group) = &self.design.pool;
        let Some(machine) = self.cloud.detach_machine(stack, group) else {
            return;
        };
        let all = self.all().into_iter();
        let disks = all.filter(|one| {
            one.kind == OutsideKind::Volume && one.tags.contains_key("kube-cfn/stack")
        });
        let disks = disks.map(|disk| disk.id);
        self.disks.borrow_mut().extend(disks);
        if rng.bool() {
            let claim = format!("default/data-{}", rng.u16(..));
            self.cloud
                .make_volume(&self.ours(), &claim, Some(&machine), 8);
        }
    }

    /// Two groups of controllers that name each other.
    fn add_pair(&self) {
        let number = self.all().len();
        let ids = [0, 1].map(|of| format!("sg-0c{of}{number:013x}"));
        for (id, other) in [(&ids[0], &ids[1]), (&ids[1], &ids[0])] {
            let mut group = OutsideResource::new(OutsideKind::SecurityGroup, id.clone());
            group.vpc = Some(self.place.vpc.clone());
            let tag = (
                "elbv2.k8s.aws/cluster".to_owned(),
                self.design.cluster.to_owned(),
            );
            group.tags.extend([tag]);
            let name = id.replacen("sg", "sgr", 1);
            let mut rule = OutsideResource::new(OutsideKind::GroupRule, name);
            rule.vpc.clone_from(&group.vpc);
            rule.body.clone_from(id);
            rule.uses = [id.clone(), other.clone()].into();
            self.cloud.make_outside(group);
            self.cloud.make_outside(rule);
        }
    }

    /// A volume of a claim.
    pub fn add_volume(&self, rng: &mut Rng) {
        let machine = self.machine();
        let theirs = self.all().into_iter();
        let mut theirs = theirs.filter(|one| one.kind == OutsideKind::Machine);
        let theirs = theirs.find(|one| self.expected(one.kind, &one.id) == Expected::Foreign);
        let machine = theirs.map(|one| one.id).filter(|_| rng.bool()).or(machine);
        let used = machine.as_deref().filter(|_| rng.bool());
        let claim = format!("default/data-{}", rng.u16(..));
        drop(self.cloud.make_volume(&self.ours(), &claim, used, 8));
    }

    /// A key to which somebody gave the plain tags of a stack of the cluster.
    fn tagged_key(&self, number: u32) -> OutsideResource {
        let arn = format!("arn:aws:kms:eu-west-1:123456789012:key/theirs-{number}");
        let tags = [
            ("kube-cfn/cluster", self.design.cluster),
            ("kube-cfn/stack", "base"),
        ];
        OutsideResource {
            tags: tags
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .into(),
            state: Some("Enabled".to_owned()),
            ..OutsideResource::new(OutsideKind::Key, arn)
        }
    }

    /// Things of other people, in the VPC or not.
    pub fn add_foreign(&self, rng: &mut Rng) {
        let maker = self.theirs(rng);
        let number = rng.u32(..);
        let id = |prefix: &str| format!("{prefix}-0f{number:015x}");
        let in_vpc = |kind, prefix: &str| OutsideResource {
            vpc: Some(self.place.vpc.clone()),
            ..OutsideResource::new(kind, id(prefix))
        };
        let elsewhere = Place {
            vpc: "vpc-0e".to_owned(),
            subnets: vec!["subnet-0e".to_owned()],
            node_group: None,
        };
        let (cloud, place) = (self.cloud, &self.place);
        let subnet = place.subnets.first().cloned().unwrap_or_default();
        let which = rng.u8(..20);
        let groups = self.all().into_iter();
        let mut groups = groups.filter(|one| one.kind == OutsideKind::SecurityGroup);
        let ours = groups.find(|one| self.expected(one.kind, &one.id) == Expected::Goes);
        let ours = ours.map(|group| group.id).filter(|_| rng.bool());
        let ours = ours.or_else(|| place.node_group.clone());
        let balancer = self.balancer(rng, maker.clone());
        self.make(true, || match which {
            0 => drop(cloud.make_balancer(&balancer)),
            1 => {
                let place = elsewhere;
                let there = Balancer { place, ..balancer };
                drop(cloud.make_balancer(&there));
            }
            2 => drop(cloud.make_volume(&maker, "default/theirs", None, 1)),
            3 => drop(cloud.make_snapshot(&maker, "default/theirs", 1)),
            4 => drop(cloud.make_record(&maker, "Z1", &format!("x{number}.example.org"))),
            5 => drop(cloud.make_interface(&maker, place, None)),
            6 => cloud.make_in_subnet(
                OutsideResource {
                    state: Some("running".to_owned()),
                    ..in_vpc(OutsideKind::Machine, "i")
                },
                &subnet,
            ),
            7 => cloud.make_outside(in_vpc(OutsideKind::Subnet, "subnet")),
            8 => cloud.make_outside(in_vpc(OutsideKind::Endpoint, "vpce")),
            9 => cloud.make_outside(in_vpc(OutsideKind::SecurityGroup, "sg")),
            10 => cloud.make_outside(in_vpc(OutsideKind::RouteTable, "rtb")),
            11 => cloud.make_outside(in_vpc(OutsideKind::Peering, "pcx")),
            // A rule in their group names one of the cluster's.
            12 => {
                let group = in_vpc(OutsideKind::SecurityGroup, "sg");
                let mut rule = in_vpc(OutsideKind::GroupRule, "sgr");
                rule.body.clone_from(&group.id);
                rule.uses = ours.into_iter().chain([group.id.clone()]).collect();
                cloud.make_outside(group);
                cloud.make_outside(rule);
            }
            13 => cloud.make_outside(self.tagged_key(number)),
            14 => cloud.make_outside(in_vpc(OutsideKind::NetworkAcl, "acl")),
            15 => cloud.make_outside(in_vpc(OutsideKind::VpnGateway, "vgw")),
            16 => cloud.make_outside(in_vpc(OutsideKind::InternetGateway, "eigw")),
            17 => cloud.make_in_subnet(in_vpc(OutsideKind::NatGateway, "nat"), &subnet),
            18 => cloud.make_outside(in_vpc(OutsideKind::Database, "theirs")),
            _ => cloud.make_outside(OutsideResource::new(
                OutsideKind::Bucket,
                format!("theirs-{number}"),
            )),
        });
    }
}
