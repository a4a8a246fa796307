//! What can be wrong with a cluster, one thing at a time.

use jiff::SignedDuration;
use semver::Version;

use super::cluster::{FROM, blocked, now};
use crate::cloud::{Backend, Extension, NodeState, Webhook};
use crate::etcd::{DeprecatedApi, Member};
use crate::roll::{Obstacle, Waiver};
use crate::stacks::StackKind;
use crate::upgrade::{Check, Facts, StaticPods, Verdict};

/// One thing that is wrong, the check that says so, how, and a word of it.
pub(super) type Case = (&'static str, Check, Verdict, &'static str, fn(&mut Facts));

const NO: &str = "the API did not answer";

fn no<T>() -> Result<T, String> {
    Err(NO.to_owned())
}

pub(super) fn members(facts: &mut Facts) -> &mut Vec<Member> {
    &mut facts.etcd.as_mut().unwrap().members
}

fn nodes(facts: &mut Facts) -> &mut Vec<NodeState> {
    facts.nodes.as_mut().unwrap()
}

pub(super) const CASES: &[Case] = &[
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
    (
        "locked",
        Check::Lock,
        Verdict::Fail,
        "apply by eva",
        |facts| {
            facts.lock = Ok(Some("apply by eva".to_owned()));
        },
    ),
    ("lock unknown", Check::Lock, Verdict::Unknown, NO, |facts| {
        facts.lock = no();
    }),
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
        "gitRepo",
        Check::RemovedObjects,
        Verdict::Fail,
        "shop/web",
        |facts| facts.pods.as_mut().unwrap()[0].has_git_repo = true,
    ),
    (
        "no pods",
        Check::RemovedObjects,
        Verdict::Unknown,
        NO,
        |facts| {
            facts.pods = no();
        },
    ),
    (
        "budget that never allows",
        Check::Budgets,
        Verdict::Fail,
        "never",
        |facts| {
            facts.forecast = Ok(blocked(vec![obstacle(
                "it never allows one",
                Some(Waiver::EvictAnyway("shop/web".to_owned())),
            )]));
        },
    ),
    (
        "no place",
        Check::Budgets,
        Verdict::Warn,
        "nowhere",
        |facts| facts.forecast = Ok(blocked(vec![obstacle("it can be placed nowhere", None)])),
    ),
    (
        "no forecast",
        Check::Budgets,
        Verdict::Unknown,
        NO,
        |facts| {
            facts.forecast = no();
        },
    ),
    (
        "pod alone",
        Check::Pods,
        Verdict::Fail,
        "shop/once",
        |facts| {
            facts.forecast = Ok(blocked(vec![obstacle(
                "shop/once would not come back",
                Some(Waiver::LosePod("shop/once".to_owned())),
            )]));
        },
    ),
    (
        "local data",
        Check::Pods,
        Verdict::Warn,
        "of 1 pod",
        |facts| facts.forecast.as_mut().unwrap().machines[0].loses_data = 1,
    ),
    (
        "webhook without endpoint",
        Check::Webhooks,
        Verdict::Fail,
        "has 0 ready",
        |facts| {
            facts.webhooks = Ok(vec![webhook(service(0))]);
        },
    ),
    (
        "webhook with one endpoint",
        Check::Webhooks,
        Verdict::Warn,
        "has 1 ready",
        |facts| {
            facts.webhooks = Ok(vec![webhook(service(1))]);
        },
    ),
    (
        "aggregated API",
        Check::Webhooks,
        Verdict::Warn,
        "v1beta1.metrics",
        |facts| {
            facts.extensions = Ok(vec![Extension {
                name: "APIService v1beta1.metrics.k8s.io".to_owned(),
                backend: service(2),
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

fn obstacle(text: &str, waiver: Option<Waiver>) -> Obstacle {
    Obstacle {
        text: text.to_owned(),
        refuses: waiver.is_some(),
        waiver,
    }
}

fn service(ready: usize) -> Backend {
    Backend::Service {
        name: "policy/policy".to_owned(),
        ready,
    }
}

fn webhook(backend: Backend) -> Webhook {
    Webhook {
        name: "ValidatingWebhookConfiguration policy, webhook pods".to_owned(),
        is_about_pods: true,
        backend,
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
