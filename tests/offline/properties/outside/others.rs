//! What others do while a cluster is deleted, or before: AWS that fails or denies, people with the console, controllers.

use std::future::pending;
use std::time::Duration;

use fastrand::Rng;
use kube_cfn::cloud::outside::OutsideKind;
use kube_cfn::cloud::{CloudError, LiveStack, StackStatus};
use kube_cfn::common::Clock;
use kube_cfn::simulated::{
    CallFault, ExternalChange, FaultKind, Operation, ResourceFailure, Simulated,
};
use kube_cfn::stacks::StackKind;

use super::cluster::Design;
use super::things::{Expected, Things};
use super::trial::Trial;

/// Some resource can't be deleted the first time. Not of the network: what keeps that one is looked at here.
pub fn fail_once(rng: &mut Rng, cloud: &Simulated, design: &Design) {
    let stacks = design.stacks.iter();
    let stacks: Vec<_> = stacks
        .filter(|one| one.kind != StackKind::Network)
        .collect();
    let Some(stack) = rng.choice(&stacks) else {
        return;
    };
    let ids: Vec<_> = stack.resources().map(|(id, _)| id.to_owned()).collect();
    let Some(logical_id) = rng.choice(&ids) else {
        return;
    };
    cloud.fail(ResourceFailure {
        stack: stack.name.clone(),
        logical_id: logical_id.clone(),
        operation: Operation::Delete,
        reason: None,
        boot: None,
        times: 1,
    });
}

/// A kind that can't be listed, or a resource that can't be removed, because the caller may not; now and then.
pub fn denied(rng: &mut Rng, things: &Things<'_>) -> Option<CallFault> {
    let error = CloudError::Denied {
        caller_may_not: "the caller may not do this".to_owned(),
        action: Some("ec2:Something".to_owned()),
    };
    let of = |verb, about| CallFault {
        verb: Some(verb),
        about: Some(about),
        after: 0,
        times: 10_000,
        kind: FaultKind::Refused(error.clone()),
    };
    match rng.u8(..8) {
        0 => {
            let kind = OutsideKind::ALL[rng.usize(..OutsideKind::ALL.len())];
            Some(of("outside", format!("{kind:?}")))
        }
        1 => {
            let all = things.all();
            rng.choice(&all).map(|thing| of("remove", thing.id.clone()))
        }
        _ => None,
    }
}

fn is_balancer(kind: OutsideKind) -> bool {
    matches!(
        kind,
        OutsideKind::LoadBalancer | OutsideKind::ClassicLoadBalancer
    )
}

impl Trial<'_> {
    /// What somebody retains who deletes a stack: all of a network, so that nothing of it fails; of others what may be wanted.
    fn retain(&self, name: &str) {
        let design = self.things.design;
        let all = design.stacks.iter().find(|stack| stack.name == name);
        for (id, of_type) in all.into_iter().flat_map(kube_cfn::stacks::Stack::resources) {
            let is_wanted = match of_type {
                "AWS::EC2::NatGateway" | "AWS::EC2::EIP" | "AWS::RDS::DBInstance" => true,
                _ => name.ends_with("-network") || design.left.contains(&id),
            };
            if is_wanted {
                self.cloud().retain_resource(name, id);
            }
        }
    }

    /// Somebody deletes stacks with the console, in the order of an earlier version of this tool, or some of them; what is
    /// in use fails. Sometimes something is retained.
    pub async fn delete_in_console(&self, rng: &mut Rng) {
        let cluster = self.cluster().to_owned();
        let mut names: Vec<String> = self
            .things
            .design
            .stacks
            .iter()
            .map(|one| one.name.clone())
            .collect();
        let late = |name: &String| match name.strip_prefix(&cluster) {
            Some("-network") => 3,
            Some("-base") => 2,
            Some("-edge") => 1,
            _ => 0,
        };
        names.sort_by_key(late);
        let count = rng.usize(1..=names.len());
        for name in names.into_iter().take(count) {
            if rng.bool() {
                self.retain(&name);
            }
            let stack = name.clone();
            let change = ExternalChange::Delete { stack };
            let asked = self.cloud().apply_external_change(&change);
            self.rest(&name).await;
            self.say(|| format!("{name} is deleted in the console: {asked}"));
        }
    }

    async fn rest(&self, name: &str) {
        for _ in 0..2000 {
            let all = self.cloud().all_stacks();
            let moving = all
                .iter()
                .any(|one| one.name == name && one.status.is_in_progress());
            if !moving {
                return;
            }
            self.cloud().sleep(Duration::from_secs(10)).await;
        }
    }

    /// Somebody does something; nobody ends a run by it.
    pub async fn meddle(&self, others: Option<(f64, Rng)>) {
        if let Some((after, mut rng)) = others {
            self.cloud().sleep(Duration::from_secs_f64(after)).await;
            self.meddled.set(true);
            let serves = self.has_control_plane();
            match rng.u8(..5) {
                0 if serves => self.things.add_service(&mut rng),
                1 if serves => self.things.add_volume(&mut rng),
                2 if self.things.has_vpc() => self.things.add_foreign(&mut rng),
                3 => self.things.detach(&mut rng),
                _ => {
                    let all = self.things.all();
                    if let Some(thing) = rng.choice(&all) {
                        let gone = self.cloud().remove_externally(thing);
                        self.say(|| format!("somebody removes {}: {gone}", thing.id));
                    }
                }
            }
        }
        pending::<()>().await;
    }

    /// Whether the control plane answers, and its controllers work.
    fn has_control_plane(&self) -> bool {
        let name = format!("{}-control-plane", self.cluster());
        let all = self.cloud().all_stacks();
        let stands =
            |one: &LiveStack| one.name == name && one.status == StackStatus::CreateComplete;
        all.iter().any(stands)
    }

    /// What goes through Kubernetes while its API answers: some Services, whose controller does not come to all that it made.
    pub async fn release(&self) {
        if !self.has_control_plane() {
            return;
        }
        let services = self.things.all().into_iter();
        let services = services.filter(|one| one.tag("kubernetes.io/service-name").is_some());
        let services: Vec<_> = services.filter(|one| is_balancer(one.kind)).collect();
        for (number, balancer) in services.iter().enumerate() {
            if number % 4 >= usize::from(self.released) || self.is_foreign(balancer) {
                continue;
            }
            // Without that its controller makes another one.
            let service = balancer.tag("kubernetes.io/service-name");
            if let Some(service) = service.filter(|_| number % 2 == 0) {
                self.cloud().forget_service(service);
            }
            self.cloud().remove_externally(balancer);
            self.cloud().sleep(Duration::from_secs(20)).await;
        }
    }

    /// Somebody takes away what is theirs from the VPC, switches deletion protection off, and deletes databases.
    pub fn lend_hand(&self) {
        for thing in self.things.all() {
            self.cloud().unprotect_outside(&thing.id);
            if self.things.expected(thing.kind, &thing.id) == Expected::Named {
                self.cloud().take_away(&thing);
            }
        }
        // Some only go when others have.
        for _ in 0..3 {
            self.take_away_foreign();
        }
    }
}
