//! A cluster that is well, as facts.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use semver::Version;

use crate::catalog::durations::Span;
use crate::cloud::{NodeResources, NodeState, PodOwner, PodPhase, PodRef, PodState};
use crate::etcd::{ApiRequests, DeprecatedApi, Member, Membership, NodeCertificate};
use crate::roll::{Forecast, MachineForecast, Obstacle, Reason};
use crate::stacks::StackKind;
use crate::upgrade::{ApiServer, Capacity, Direction, Download, Facts, StaticPods, Target};

pub(super) const FROM: Version = Version::new(1, 35, 8);
const TO: Version = Version::new(1, 36, 4);

pub(super) fn now() -> Timestamp {
    "2026-12-01T10:00:00Z".parse().unwrap()
}

fn node(name: &str) -> NodeState {
    NodeState {
        name: name.to_owned(),
        uid: name.to_owned(),
        labels: BTreeMap::new(),
        version: format!("v{FROM}"),
        trouble: None,
        since: None,
        is_silent: false,
        is_cordoned: false,
        was_cordoned: false,
        is_kept: false,
        roll: None,
        is_outdated: false,
        created: None,
        allocatable: NodeResources::default(),
    }
}

pub(super) fn pod(name: &str, owner: PodOwner) -> PodState {
    PodState {
        pod: PodRef {
            namespace: "shop".to_owned(),
            name: name.to_owned(),
            uid: name.to_owned(),
        },
        node: Some("i-1".to_owned()),
        labels: BTreeMap::from([("app".to_owned(), name.to_owned())]),
        owner,
        phase: PodPhase::Running,
        trouble: None,
        ending: None,
        finalizers: Vec::new(),
        grace_seconds: 30,
        requests: NodeResources::default(),
        images: Vec::new(),
        loses_local_data: false,
        has_git_repo: false,
        claims: Vec::new(),
        volume_zones: Vec::new(),
    }
}

/// One machine of a forecast, with this in the way.
pub(super) fn blocked(obstacles: Vec<Obstacle>) -> Forecast {
    Forecast {
        machines: vec![MachineForecast {
            stack: "pool-web".to_owned(),
            instance: "i-1".to_owned(),
            reason: Reason::Old,
            launched: None,
            version: None,
            pods: 1,
            loses_data: 0,
            span: Span::default(),
            obstacles,
        }],
        ..Forecast::default()
    }
}

fn member(slot: char, leader: bool) -> Member {
    Member {
        slot: slot.to_string(),
        name: format!("cp-{slot}"),
        started: true,
        answers: true,
        serves: true,
        leader,
        version: "3.6.11".to_owned(),
        bytes: 100 << 20,
        ..Member::default()
    }
}

pub(super) fn well() -> Facts {
    let day = SignedDuration::from_hours(24);
    let server = |slot| ApiServer {
        slot,
        pods: Ok(StaticPods {
            api_server: FROM,
            trouble: None,
        }),
        requests: Ok(ApiRequests {
            since: now() - day * 30,
            deprecated: vec![DeprecatedApi {
                group: String::new(),
                version: "v1".to_owned(),
                resource: "componentstatuses".to_owned(),
                removed_in: String::new(),
            }],
        }),
    };
    Facts {
        cluster: "canary".to_owned(),
        target: Target {
            from: FROM,
            to: TO,
            direction: Direction::Minor,
        },
        now: now(),
        stacks: BTreeMap::from([
            (StackKind::ControlPlane, Ok(FROM)),
            (StackKind::Pool("web".to_owned()), Ok(FROM)),
        ]),
        unsettled: Vec::new(),
        lock: Ok(None),
        drift: Ok(Vec::new()),
        api_servers: ['a', 'b', 'c'].into_iter().map(server).collect(),
        nodes: Ok(vec![node("i-1"), node("i-2")]),
        pods: Ok(vec![pod(
            "web",
            PodOwner::Controller("Deployment shop/web".to_owned()),
        )]),
        forecast: Ok(blocked(Vec::new())),
        etcd: Ok(Membership {
            members: vec![member('a', false), member('b', true), member('c', false)],
            alarms: Vec::new(),
        }),
        newest_snapshot: Ok(Some(now() - SignedDuration::from_hours(3))),
        certificates: vec![NodeCertificate {
            slot: 'a',
            name: "etcd-peer".to_owned(),
            expires: Ok(now() + day * 100),
        }],
        webhooks: Ok(Vec::new()),
        extensions: Ok(Vec::new()),
        downloads: vec![Download {
            url: "https://dl.example/kubelet".to_owned(),
            answer: Ok(()),
        }],
        capacity: Ok(Capacity {
            extra: BTreeMap::from([("web".to_owned(), 1)]),
            lacking: Vec::new(),
        }),
    }
}
