//! Each check on a cluster that is well, and on one in which exactly one thing is not.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use semver::Version;

use crate::cloud::{
    Budget, NodeResources, NodeState, PodOwner, PodPhase, PodRef, PodState, Selector,
};
use crate::etcd::{ApiRequests, DeprecatedApi, Member, Membership, NodeCertificate};
use crate::stacks::StackKind;
use crate::upgrade::{
    Accepted, ApiServer, Capacity, Check, ConversionWebhook, Direction, Download, Facts,
    RemovedObject, StaticPods, Target, Verdict, Webhook, run,
};

const FROM: Version = Version::new(1, 35, 8);
const TO: Version = Version::new(1, 36, 4);

fn now() -> Timestamp {
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
        is_cordoned: false,
        roll: None,
        is_outdated: false,
        created: None,
        allocatable: NodeResources::default(),
    }
}

fn pod(name: &str, owner: PodOwner) -> PodState {
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
        claims: Vec::new(),
        volume_zones: Vec::new(),
    }
}

fn budget(name: &str, app: &str, wants: i64) -> Budget {
    Budget {
        namespace: "shop".to_owned(),
        name: name.to_owned(),
        selector: Selector {
            labels: BTreeMap::from([("app".to_owned(), app.to_owned())]),
            expressions: Vec::new(),
        },
        allowed: 3 - wants,
        healthy: 3,
        desired_healthy: wants,
        expected: 3,
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

fn well() -> Facts {
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
        drift: Ok(Vec::new()),
        api_servers: ['a', 'b', 'c'].into_iter().map(server).collect(),
        nodes: Ok(vec![node("i-1"), node("i-2")]),
        pods: Ok(vec![pod(
            "web",
            PodOwner::Controller("Deployment shop/web".to_owned()),
        )]),
        budgets: Ok(vec![budget("web", "web", 2)]),
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
        removed_objects: Ok(Vec::new()),
        webhooks: Ok(Vec::new()),
        conversions: Ok(Vec::new()),
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

/// One thing that is wrong, the check that says so, how, and a word of it.
type Case = (&'static str, Check, Verdict, &'static str, fn(&mut Facts));

const NO: &str = "the API did not answer";

fn no<T>() -> Result<T, String> {
    Err(NO.to_owned())
}

fn members(facts: &mut Facts) -> &mut Vec<Member> {
    &mut facts.etcd.as_mut().unwrap().members
}

fn nodes(facts: &mut Facts) -> &mut Vec<NodeState> {
    facts.nodes.as_mut().unwrap()
}

const CASES: &[Case] = &[
    (
        "stack moves",
        Check::Stacks,
        Verdict::Fail,
        "UPDATE_IN_PROGRESS",
        |facts| {
            facts
                .unsettled
                .push((StackKind::Edge, "UPDATE_IN_PROGRESS".to_owned()));
        },
    ),
    (
        "unknown stack",
        Check::Stacks,
        Verdict::Unknown,
        "pool-web",
        |facts| {
            facts.stacks.insert(StackKind::Pool("web".to_owned()), no());
        },
    ),
    ("drift", Check::Drift, Verdict::Fail, "differs", |facts| {
        facts.drift = Ok(vec!["LaunchTemplateWeb differs".to_owned()]);
    }),
    (
        "drift unknown",
        Check::Drift,
        Verdict::Unknown,
        NO,
        |facts| facts.drift = no(),
    ),
    (
        "third version",
        Check::ApiServers,
        Verdict::Fail,
        "1.34.1 (c)",
        |facts| {
            facts.api_servers[2].pods = Ok(StaticPods {
                api_server: Version::new(1, 34, 1),
                trouble: None,
            });
        },
    ),
    (
        "unready server",
        Check::ApiServers,
        Verdict::Fail,
        "CrashLoopBackOff",
        |facts| {
            facts.api_servers[1].pods = Ok(StaticPods {
                api_server: FROM,
                trouble: Some("CrashLoopBackOff".to_owned()),
            });
        },
    ),
    (
        "unknown server",
        Check::ApiServers,
        Verdict::Unknown,
        NO,
        |facts| {
            facts.api_servers[1].pods = no();
        },
    ),
    (
        "newer kubelet",
        Check::Kubelets,
        Verdict::Fail,
        "i-1 (v1.36.4)",
        |facts| {
            nodes(facts)[0].version = "v1.36.4".to_owned();
        },
    ),
    (
        "older kubelet",
        Check::Kubelets,
        Verdict::Fail,
        "i-1 (v1.33.1)",
        |facts| {
            nodes(facts)[0].version = "v1.33.1".to_owned();
        },
    ),
    (
        "unread kubelet",
        Check::Kubelets,
        Verdict::Unknown,
        "i-1",
        |facts| {
            nodes(facts)[0].version = String::new();
        },
    ),
    ("no nodes", Check::Nodes, Verdict::Unknown, NO, |facts| {
        facts.nodes = no();
    }),
    (
        "sick node",
        Check::Nodes,
        Verdict::Fail,
        "its kubelet stopped",
        |facts| {
            nodes(facts)[1].trouble = Some("its kubelet stopped reporting".to_owned());
        },
    ),
    (
        "cordoned node",
        Check::Nodes,
        Verdict::Warn,
        "i-2",
        |facts| {
            nodes(facts)[1].is_cordoned = true;
        },
    ),
    (
        "member down",
        Check::Etcd,
        Verdict::Fail,
        "member a does not serve",
        |facts| {
            members(facts)[0].serves = false;
        },
    ),
    ("learner", Check::Etcd, Verdict::Fail, "learner", |facts| {
        members(facts)[0].learner = true;
    }),
    (
        "full member",
        Check::Etcd,
        Verdict::Fail,
        "3000 MiB",
        |facts| {
            members(facts)[0].bytes = 3000 << 20;
        },
    ),
    (
        "member missing",
        Check::Etcd,
        Verdict::Fail,
        "2 members",
        |facts| {
            members(facts).remove(0);
        },
    ),
    ("no leader", Check::Etcd, Verdict::Fail, "leader", |facts| {
        members(facts)[1].leader = false;
    }),
    ("alarm", Check::Etcd, Verdict::Fail, "NOSPACE", |facts| {
        facts
            .etcd
            .as_mut()
            .unwrap()
            .alarms
            .push("NOSPACE".to_owned());
    }),
    ("no members", Check::Etcd, Verdict::Unknown, NO, |facts| {
        facts.etcd = no();
    }),
    (
        "newer etcd",
        Check::EtcdStep,
        Verdict::Fail,
        "3.7.0",
        |facts| {
            members(facts)[0].version = "3.7.0".to_owned();
        },
    ),
    (
        "snapshots unknown",
        Check::Snapshot,
        Verdict::Unknown,
        NO,
        |facts| {
            facts.newest_snapshot = no();
        },
    ),
    (
        "no snapshot",
        Check::Snapshot,
        Verdict::Warn,
        "none yet",
        |facts| {
            facts.newest_snapshot = Ok(None);
        },
    ),
    (
        "removed API",
        Check::DeprecatedApis,
        Verdict::Fail,
        "flowschemas",
        |facts| {
            ask(facts, "1.36");
        },
    ),
    (
        "removed API, unreadable",
        Check::DeprecatedApis,
        Verdict::Fail,
        "flowschemas",
        |facts| {
            ask(facts, "next");
        },
    ),
    (
        "requests unknown",
        Check::DeprecatedApis,
        Verdict::Unknown,
        NO,
        |facts| {
            facts.api_servers[0].requests = no();
        },
    ),
    (
        "removed object",
        Check::RemovedObjects,
        Verdict::Fail,
        "gitRepo",
        |facts| {
            facts.removed_objects = Ok(vec![RemovedObject {
                object: "Pod shop/sync".to_owned(),
                because: "a volume of the kind gitRepo".to_owned(),
            }]);
        },
    ),
    (
        "budget that never allows",
        Check::Budgets,
        Verdict::Fail,
        "shop/web",
        |facts| {
            facts.budgets.as_mut().unwrap()[0].desired_healthy = 3;
        },
    ),
    (
        "two budgets",
        Check::Budgets,
        Verdict::Fail,
        "web and web-too",
        |facts| {
            facts
                .budgets
                .as_mut()
                .unwrap()
                .push(budget("web-too", "web", 1));
        },
    ),
    (
        "pod alone",
        Check::Pods,
        Verdict::Fail,
        "shop/once",
        |facts| {
            facts
                .pods
                .as_mut()
                .unwrap()
                .push(pod("once", PodOwner::Nobody));
        },
    ),
    (
        "local data",
        Check::Pods,
        Verdict::Warn,
        "1 pods lose",
        |facts| {
            facts.pods.as_mut().unwrap()[0].loses_local_data = true;
        },
    ),
    (
        "webhook without endpoint",
        Check::Webhooks,
        Verdict::Fail,
        "has 0 ready",
        |facts| {
            facts.webhooks = Ok(vec![webhook(0)]);
        },
    ),
    (
        "webhook with one endpoint",
        Check::Webhooks,
        Verdict::Warn,
        "has 1 ready",
        |facts| {
            facts.webhooks = Ok(vec![webhook(1)]);
        },
    ),
    (
        "aggregated API",
        Check::Webhooks,
        Verdict::Warn,
        "v1beta1.metrics",
        |facts| {
            facts.conversions = Ok(vec![ConversionWebhook {
                name: "APIService v1beta1.metrics.k8s.io".to_owned(),
                trouble: Some("its service does not answer".to_owned()),
            }]);
        },
    ),
    (
        "certificate ends",
        Check::Certificates,
        Verdict::Fail,
        "etcd-peer",
        |facts| {
            facts.certificates[0].expires = Ok(now() + SignedDuration::from_hours(100));
        },
    ),
    (
        "certificate unknown",
        Check::Certificates,
        Verdict::Unknown,
        NO,
        |facts| {
            facts.certificates[0].expires = no();
        },
    ),
    (
        "no certificates",
        Check::Certificates,
        Verdict::Unknown,
        "no certificate",
        |facts| {
            facts.certificates.clear();
        },
    ),
    (
        "download",
        Check::Downloads,
        Verdict::Unknown,
        "dl.example",
        |facts| {
            facts.downloads[0].answer = no();
        },
    ),
    ("quota", Check::Capacity, Verdict::Warn, "vCPU", |facts| {
        facts
            .capacity
            .as_mut()
            .unwrap()
            .lacking
            .push("8 vCPU are missing".to_owned());
    }),
    (
        "unknown minor",
        Check::Addons,
        Verdict::Fail,
        "1.99",
        |facts| {
            facts.target.to = Version::new(1, 99, 0);
            for node in nodes(facts) {
                node.version = "v1.98.0".to_owned();
            }
        },
    ),
];

fn webhook(ready: usize) -> Webhook {
    Webhook {
        name: "ValidatingWebhookConfiguration policy, webhook pods".to_owned(),
        service: Some("policy/policy".to_owned()),
        ready,
        is_about_pods: true,
    }
}

fn ask(facts: &mut Facts, removed_in: &str) {
    let asked = facts.api_servers[2].requests.as_mut().unwrap();
    asked.deprecated.push(DeprecatedApi {
        group: "flowcontrol.apiserver.k8s.io".to_owned(),
        version: "v1beta3".to_owned(),
        resource: "flowschemas".to_owned(),
        removed_in: removed_in.to_owned(),
    });
}

#[test]
fn cluster_that_is_well_passes_every_check() {
    let report = run(&well(), &Accepted::default());
    for check in Check::ALL {
        assert_eq!(
            report.verdict(*check),
            Some(Verdict::Pass),
            "{check}: {report:#?}"
        );
    }
}

#[test]
fn each_fault_is_found_by_its_check() {
    for (name, check, verdict, word, breaks) in CASES {
        let mut facts = well();
        breaks(&mut facts);
        let report = run(&facts, &Accepted::default());
        assert_eq!(
            report.verdict(*check),
            Some(*verdict),
            "{name}: {report:#?}"
        );
        let found = report
            .findings
            .iter()
            .find(|one| one.check == *check && one.verdict == *verdict);
        let found = found.unwrap();
        assert!(found.says.contains(word), "{name}: {}", found.says);
        assert!(found.next.is_some(), "{name} says no next step");
        assert_eq!(report.stops().count() > 0, verdict.stops(), "{name}");
    }
}

#[test]
fn every_check_has_a_case() {
    let with: BTreeSet<_> = CASES.iter().map(|(_, check, ..)| *check).collect();
    let without: Vec<_> = Check::ALL
        .iter()
        .filter(|check| !with.contains(check))
        .collect();
    // What may be gone to is decided before facts are read.
    assert_eq!(without, [&Check::VersionStep]);
}

#[test]
fn what_accepts_a_finding_accepts_no_other() {
    for (name, _, verdict, _, breaks) in CASES.iter().filter(|(_, _, verdict, ..)| verdict.stops())
    {
        let mut facts = well();
        breaks(&mut facts);
        let report = run(&facts, &Accepted::default());
        let mut accepted = Accepted::default();
        for finding in report.stops() {
            let Some(argument) = &finding.accept else {
                assert!(
                    !finding.check.is_waivable(),
                    "{name}: {argument:?}",
                    argument = finding.accept
                );
                continue;
            };
            match argument.split_once(' ').unwrap() {
                ("--accept", check) => accepted.checks.push(check.parse().unwrap()),
                ("--accept-deprecated", name) => accepted.deprecated.push(name.to_owned()),
                ("--evict-anyway", name) => accepted.evict_anyway.push(name.to_owned()),
                ("--lose-pod", name) => accepted.lose_pods.push(name.to_owned()),
                other => panic!("{other:?}"),
            }
        }
        let all = run(&facts, &accepted);
        let left: Vec<_> = all.stops().map(|finding| finding.check).collect();
        assert!(
            left.iter().all(|check| !check.is_waivable()),
            "{name} {verdict:?}: {left:?}"
        );
        assert_eq!(all.unused, Vec::<String>::new(), "{name}");
        // On a cluster that is well the same arguments accept nothing, and that is said.
        let unused = run(&well(), &accepted).unused;
        let given = accepted.checks.len()
            + accepted.deprecated.len()
            + accepted.evict_anyway.len()
            + accepted.lose_pods.len();
        assert_eq!(unused.len(), given, "{name}");
    }
}

#[test]
fn checks_of_rules_can_not_be_accepted() {
    assert!("etcd".parse::<Check>().is_ok());
    let mut facts = well();
    members(&mut facts)[0].serves = false;
    let accepted = Accepted {
        checks: vec![Check::Etcd],
        ..Accepted::default()
    };
    let report = run(&facts, &accepted);
    assert_eq!(report.stops().count(), 1);
    assert_eq!(report.unused, ["--accept etcd"]);
    let error = "version".parse::<Check>().unwrap_err();
    assert!(
        error.contains("deprecated-apis") && !error.contains("etcd-step"),
        "{error}"
    );
}
