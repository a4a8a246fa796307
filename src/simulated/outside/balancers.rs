//! The load balancers that controllers and other people make in a simulated account, with all that belongs to them, and
//! the controllers that make one again.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::made::{Maker, Place};
use super::things::Service;
use crate::cloud::outside::{OutsideKind, OutsideResource};
use crate::simulated::Simulated;
use crate::simulated::names::arn;
use crate::simulated::state::State;

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

    /// Deletion protection of a load balancer, or termination protection of a machine, is switched off.
    pub fn unprotect_outside(&self, id: &str) {
        self.set_protection_outside(id, false);
    }

    /// It is switched on.
    pub fn protect_outside(&self, id: &str) {
        self.set_protection_outside(id, true);
    }

    fn set_protection_outside(&self, id: &str, is_on: bool) {
        self.with_now(|state| {
            let all = state.env.outside.all.iter_mut();
            for thing in all.filter(|thing| thing.resource.id == id) {
                thing.protected = is_on;
            }
        });
    }
}

impl State {
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
}
