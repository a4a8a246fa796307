//! The things outside the stacks of a simulated account, each with the time between which it exists, and what was
//! removed of them and of the stacks' own.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use jiff::Timestamp;

use super::balancers::Balancer;
use crate::cloud::outside::{OutsideKind, OutsideResource};
use crate::simulated::rng::stream;
use crate::simulated::stack::timestamp;

/// How long AWS keeps the interfaces of a load balancer that is deleted, in milliseconds: two to five minutes are usual.
const RELEASE: RangeInclusive<i64> = 60_000..=300_000;
/// How long a machine shuts down.
const SHUTDOWN: RangeInclusive<i64> = 15_000..=90_000;
/// How long a NAT gateway is deleted: minutes, as AWS says.
const NAT_ENDS: RangeInclusive<i64> = 30_000..=240_000;
const DAY: i64 = 86_400_000;
/// Days that a key waits for its deletion where nobody says how many.
const KEY_WAIT: i64 = 30;
/// How long a listing may still have a load balancer or target group that is deleted.
const LISTED_AFTER: RangeInclusive<i64> = 0..=12_000;
/// How long tagging does not list a new one.
const LISTED_LATE: RangeInclusive<i64> = 0..=30_000;

/// A removal from outside CloudFormation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutsideLoss {
    pub at: Timestamp,
    pub kind: OutsideKind,
    pub id: String,
    /// As they were.
    pub tags: BTreeMap<String, String>,
    pub by: RemovedBy,
    /// The stack that had it, where one did.
    pub stack: Option<String>,
}

/// Who removed something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RemovedBy {
    /// A call of the tool.
    Call,
    /// Somebody else.
    Others,
    /// AWS, with what it belonged to.
    Aws,
}

/// Something outside the stacks.
#[derive(Debug, Clone)]
pub(in crate::simulated) struct Thing {
    pub(super) resource: OutsideResource,
    /// The subnet that it lies in.
    pub(super) subnet: Option<String>,
    /// The id of what takes it along when it ends: the machine of a root disk, the balancer of an interface, the group
    /// that has a rule.
    pub(super) goes_with: Option<String>,
    /// Whether deletion protection is on.
    pub(super) protected: bool,
    /// The Service of Kubernetes that it serves.
    pub(super) service: Option<usize>,
    /// Whether it is what AWS has not released yet of something that a stack has deleted: CloudFormation waits for it.
    pub(super) lingers: bool,
    made: i64,
    /// Since when its removal runs.
    ending: Option<i64>,
    /// From when it is gone.
    pub(super) ends: Option<i64>,
}

/// A Service of type `LoadBalancer`.
#[derive(Debug)]
pub(super) struct Service {
    pub(super) balancer: Balancer,
    pub(super) exists: bool,
}

/// All of it.
#[derive(Debug, Default)]
pub(in crate::simulated) struct Things {
    pub(super) all: Vec<Thing>,
    pub(super) losses: Vec<OutsideLoss>,
    /// Machines that are no longer their group's.
    pub(super) detached: BTreeSet<String>,
    pub(super) services: Vec<Service>,
    /// When which Service gets a load balancer.
    pub(super) due: BTreeMap<(i64, u64), usize>,
    seed: u64,
    count: u64,
}

impl Thing {
    pub(super) fn new(resource: OutsideResource, at: i64) -> Self {
        Self {
            resource: OutsideResource {
                created: resource.created.or(Some(timestamp(at))),
                ..resource
            },
            subnet: None,
            goes_with: None,
            protected: false,
            service: None,
            lingers: false,
            made: at,
            ending: None,
            ends: None,
        }
    }

    /// The same in a subnet, and taken along by something else.
    pub(super) fn placed(self, subnet: Option<String>, goes_with: Option<String>) -> Self {
        Self {
            subnet,
            goes_with,
            ..self
        }
    }

    /// The same key when its deletion was scheduled, so many days before.
    pub(super) fn scheduled(self, at: i64, days: Option<i64>) -> Self {
        Self {
            ending: Some(at),
            ends: Some(at + days.unwrap_or(KEY_WAIT) * DAY),
            ..self
        }
    }

    pub(super) fn exists(&self, at: i64) -> bool {
        self.made <= at && self.ends.is_none_or(|end| at < end)
    }

    /// Whether its removal runs.
    pub(super) fn is_ending(&self, at: i64) -> bool {
        self.ending.is_some_and(|since| since <= at)
    }

    /// Whether a listing may have it.
    pub(super) fn is_listed(&self, seed: u64, at: i64, by_tag: bool) -> bool {
        let balancing = matches!(
            self.resource.kind,
            OutsideKind::LoadBalancer | OutsideKind::ClassicLoadBalancer | OutsideKind::TargetGroup
        );
        if !balancing {
            return self.exists(at);
        }
        let rng = &mut stream(seed, &["listed", &self.resource.id], 0);
        let (late, after) = (rng.i64(LISTED_LATE), rng.i64(LISTED_AFTER));
        let since = if by_tag { self.made + late } else { self.made };
        since <= at && self.ends.is_none_or(|end| at < end + after)
    }
}

impl Things {
    pub(in crate::simulated) fn new(seed: u64) -> Self {
        Self {
            seed,
            ..Self::default()
        }
    }

    /// When something happens next.
    pub(in crate::simulated) fn next(&self) -> Option<i64> {
        self.due.first_key_value().map(|((at, _), _)| *at)
    }

    /// A number that was never used.
    pub(super) fn number(&mut self) -> u64 {
        self.count += 1;
        self.count
    }

    pub(super) fn chance(&self, purpose: &str, id: &str, of: RangeInclusive<i64>) -> i64 {
        stream(self.seed, &[purpose, id], 0).i64(of)
    }

    pub(super) fn find(&self, kind: OutsideKind, id: &str, at: i64) -> Option<&Thing> {
        let mut all = self.existing(at);
        all.find(|thing| thing.resource.kind == kind && thing.resource.id == id)
    }

    /// What there is at a moment.
    pub(super) fn existing(&self, at: i64) -> impl Iterator<Item = &Thing> {
        self.all.iter().filter(move |thing| thing.exists(at))
    }

    /// Something is removed: it ends, and what goes with it.
    pub(super) fn end(&mut self, kind: OutsideKind, id: &str, at: i64, by: RemovedBy) {
        let takes = match kind {
            OutsideKind::Machine => self.chance("shutdown", id, SHUTDOWN),
            OutsideKind::NatGateway => self.chance("nat", id, NAT_ENDS),
            OutsideKind::Key => KEY_WAIT * DAY,
            _ => 0,
        };
        let is = |thing: &&mut Thing| {
            thing.resource.kind == kind && thing.resource.id == id && thing.ending.is_none()
        };
        let Some(thing) = self.all.iter_mut().find(is) else {
            return;
        };
        thing.ending = Some(at);
        thing.ends = Some(at + takes);
        let (service, tags) = (thing.service, thing.resource.tags.clone());
        self.losses.push(OutsideLoss {
            at: timestamp(at),
            kind,
            id: id.to_owned(),
            tags,
            by,
            stack: None,
        });
        self.end_with(id, at + takes);
        self.wake(service, at);
    }

    /// What belongs to something that ended ends too, at once or when AWS comes to it.
    pub(in crate::simulated) fn end_with(&mut self, id: &str, at: i64) {
        let mut with = Vec::new();
        for thing in &mut self.all {
            if thing.goes_with.as_deref() != Some(id) || thing.ends.is_some() {
                continue;
            }
            let released = thing.resource.by_aws && thing.resource.kind == OutsideKind::Interface;
            let takes = if released {
                stream(self.seed, &["release", &thing.resource.id], 0).i64(RELEASE)
            } else {
                0
            };
            thing.ending = Some(at);
            thing.ends = Some(at + takes);
            with.push(OutsideLoss {
                at: timestamp(at + takes),
                kind: thing.resource.kind,
                id: thing.resource.id.clone(),
                tags: thing.resource.tags.clone(),
                by: RemovedBy::Aws,
                stack: None,
            });
        }
        self.losses.extend(with);
    }

    /// Interfaces of a load balancer that its stack has deleted: AWS releases them later.
    pub(super) fn linger(&mut self, interfaces: Vec<(OutsideResource, Option<String>)>, at: i64) {
        for (interface, subnet) in interfaces {
            let takes = stream(self.seed, &["release", &interface.id], 0).i64(RELEASE);
            let mut thing = Thing::new(interface, at);
            thing.subnet = subnet;
            thing.lingers = true;
            thing.ending = Some(at);
            thing.ends = Some(at + takes);
            self.all.push(thing);
        }
    }

    /// The controller of a Service that has lost its load balancer makes another one, a while later.
    fn wake(&mut self, service: Option<usize>, at: i64) {
        let Some(index) = service else {
            return;
        };
        let again = self.services.get(index).filter(|service| service.exists);
        let Some(after) = again.and_then(|service| service.balancer.again_after) else {
            return;
        };
        let after = i64::try_from(after.as_millis()).unwrap_or(i64::MAX);
        let number = self.number();
        self.due.insert((at.saturating_add(after), number), index);
    }
}
