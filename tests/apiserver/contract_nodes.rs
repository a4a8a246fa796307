//! What any API server answers to a drain: evictions within budgets, marks of nodes, their deletion, volume attachments. Run
//! against the double and against a real one, as `contract.rs` says; there budgets need the controller manager.

use std::time::Duration;

use ::kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use k8s_openapi::api::core::v1 as core;
use k8s_openapi::api::policy::v1 as policy;
use k8s_openapi::api::storage::v1 as storage;
use kube_cfn::cloud::{Eviction, NodeMark, Nodes as _, PodOwner, PodPhase, PodRef, PodState};
use serde_json::{Value, json};

use super::{api, code, eventually, in_namespace, own, raw, refused, run};

const TIME: &str = "2026-11-23T10:00:00Z";

fn typed<K: serde::de::DeserializeOwned>(object: Value) -> K {
    serde_json::from_value(object).unwrap()
}

/// A pod that runs and is Ready, as far as its status says, on a node that does not exist.
async fn running(namespace: &str, name: &str, node: &str, is_ready: bool) -> PodRef {
    let pods = ::kube::Api::<core::Pod>::namespaced(raw(), namespace);
    let pod: core::Pod = typed(json!({
        "metadata": {"name": name, "labels": {"app": "web"}},
        "spec": {"nodeName": node, "containers": [{"name": "one", "image": "registry.k8s.io/pause:3.10.1"}]},
    }));
    eventually(async || pods.create(&PostParams::default(), &pod).await).await;
    let ready = if is_ready { "True" } else { "False" };
    let status = json!({"status": {"phase": "Running", "conditions": [
        {"type": "Ready", "status": ready, "lastTransitionTime": TIME}]}});
    let status = Patch::Merge(&status);
    let made = pods
        .patch_status(name, &PatchParams::default(), &status)
        .await;
    PodRef {
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        uid: made.unwrap().metadata.uid.unwrap(),
    }
}

async fn budget(namespace: &str, name: &str, spec: &Value) {
    let budgets = ::kube::Api::<policy::PodDisruptionBudget>::namespaced(raw(), namespace);
    let budget = typed(json!({"metadata": {"name": name}, "spec": spec}));
    budgets
        .create(&PostParams::default(), &budget)
        .await
        .unwrap();
}

/// Waits until the controller has counted a budget's pods.
async fn allows(namespace: &str, name: &str, wanted: (i64, i64)) {
    for _ in 0..200 {
        let all = api().budgets().await.unwrap();
        let found = all
            .into_iter()
            .find(|one| one.namespace == namespace && one.name == name);
        let found = found.expect("the budget");
        if (found.healthy, found.allowed) == wanted {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{namespace}/{name} is not counted");
}

/// Ends pods whose node does not exist.
async fn end(namespace: &str) {
    let pods = ::kube::Api::<core::Pod>::namespaced(raw(), namespace);
    let now = DeleteParams::default().grace_period(0);
    for pod in pods.list(&ListParams::default()).await.unwrap() {
        let _ = pods.delete(&pod.metadata.name.unwrap(), &now).await;
    }
}

fn of_web(spec: &str, number: i64) -> Value {
    json!({spec: number, "selector": {"matchLabels": {"app": "web"}}})
}

#[test]
fn a_budget_lets_as_many_pods_go_as_it_allows() {
    in_namespace(async |namespace| {
        let node = own("node");
        let one = running(namespace, "one", &node, true).await;
        let two = running(namespace, "two", &node, true).await;
        budget(namespace, "web", &of_web("minAvailable", 1)).await;
        allows(namespace, "web", (2, 1)).await;

        let pods = ::kube::Api::<core::Pod>::namespaced(raw(), namespace);
        let dry = ::kube::api::EvictParams {
            post_options: PostParams {
                dry_run: true,
                ..PostParams::default()
            },
            ..Default::default()
        };
        pods.evict("one", &dry).await.unwrap();
        assert!(
            pods.get("one")
                .await
                .unwrap()
                .metadata
                .deletion_timestamp
                .is_none()
        );
        allows(namespace, "web", (2, 1)).await;

        let other = PodRef {
            uid: "11111111-2222-3333-4444-555555555555".to_owned(),
            ..one.clone()
        };
        assert_eq!(api().evict(&other).await.unwrap(), Eviction::Gone);
        assert_eq!(api().evict(&one).await.unwrap(), Eviction::Begun);
        let marked = pods.get("one").await.unwrap().metadata;
        assert!(
            marked.deletion_timestamp.is_some(),
            "it has its time to end"
        );
        allows(namespace, "web", (1, 0)).await;
        let Eviction::Blocked(why) = api().evict(&two).await.unwrap() else {
            panic!("the budget allows no more");
        };
        assert!(
            why.contains("web needs 1 healthy pods and has 1 currently"),
            "{why}"
        );
        // What is on its way out needs no budget.
        assert_eq!(api().evict(&one).await.unwrap(), Eviction::Begun);
        end(namespace).await;
        assert_eq!(api().evict(&one).await.unwrap(), Eviction::Gone);
    });
}

#[test]
fn a_pod_under_two_budgets_is_never_evicted() {
    in_namespace(async |namespace| {
        let pod = running(namespace, "one", &own("node"), true).await;
        for name in ["first", "second"] {
            budget(namespace, name, &of_web("maxUnavailable", 1)).await;
        }
        let answer = api().evict(&pod).await.unwrap();
        assert!(matches!(answer, Eviction::SeveralBudgets(_)), "{answer:?}");
        api().remove_pod(&pod).await.unwrap();
        let pods = ::kube::Api::<core::Pod>::namespaced(raw(), namespace);
        assert!(
            pods.get("one")
                .await
                .unwrap()
                .metadata
                .deletion_timestamp
                .is_some()
        );
        end(namespace).await;
        api().remove_pod(&pod).await.unwrap();
    });
}

#[test]
fn a_pod_that_is_not_ready_goes_while_its_budget_has_enough_others() {
    in_namespace(async |namespace| {
        let node = own("node");
        running(namespace, "good", &node, true).await;
        let bad = running(namespace, "bad", &node, false).await;
        budget(namespace, "web", &of_web("minAvailable", 1)).await;
        allows(namespace, "web", (1, 0)).await;
        assert_eq!(api().evict(&bad).await.unwrap(), Eviction::Begun);
        end(namespace).await;
    });
}

#[test]
fn pods_of_a_node_are_selected_by_it() {
    in_namespace(async |namespace| {
        let node = own("node");
        let one = running(namespace, "one", &node, true).await;
        running(namespace, "elsewhere", &own("node"), false).await;
        let found: Vec<PodState> = api().pods_on(&node).await.unwrap();
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].pod, one);
        assert_eq!(
            (found[0].phase, &found[0].owner),
            (PodPhase::Running, &PodOwner::Nobody)
        );
        assert_eq!(
            (found[0].trouble.as_deref(), found[0].grace_seconds),
            (None, 30)
        );
        let all = api().pod_states().await.unwrap();
        let mine = all.iter().filter(|pod| pod.pod.namespace == namespace);
        assert_eq!(mine.count(), 2);
        let pods = ::kube::Api::<core::Pod>::namespaced(raw(), namespace);
        let unknown = ListParams::default().fields("spec.replicas=1");
        assert_eq!(
            refused(pods.list(&unknown).await, "field label not supported"),
            400
        );
        end(namespace).await;
    });
}

#[test]
fn a_node_is_marked_and_unmarked_and_deleted_by_its_uid() {
    run(async {
        let nodes = ::kube::Api::<core::Node>::all(raw());
        let name = own("node");
        let node = json!({"metadata": {"name": name, "labels": {"example.com/a": "b"}},
            "spec": {"taints": [{"key": "example.com/own", "effect": "NoSchedule"}]}});
        nodes
            .create(&PostParams::default(), &typed(node))
            .await
            .unwrap();
        let seen = async || {
            let all = api().node_states().await.unwrap();
            all.into_iter().find(|one| one.name == name)
        };
        let mark = NodeMark {
            cordon: Some(Some(TIME.to_owned())),
            outdated: Some(true),
            keep: Some(true),
        };
        for _ in 0..2 {
            api().mark_node(&name, &mark).await.unwrap();
        }
        let found = seen().await.unwrap();
        assert!(found.is_cordoned && found.is_outdated);
        assert_eq!(found.roll.as_deref(), Some(TIME));
        assert_eq!(found.labels["example.com/a"], "b");
        let label = "node.kubernetes.io/exclude-from-external-load-balancers";
        assert!(found.labels.contains_key(label));
        let undo = NodeMark {
            cordon: Some(None),
            outdated: Some(false),
            keep: Some(false),
        };
        api().mark_node(&name, &undo).await.unwrap();
        let found = seen().await.unwrap();
        assert!(!found.is_cordoned && !found.is_outdated && found.roll.is_none());
        assert!(!found.labels.contains_key(label));
        let kept = nodes.get(&name).await.unwrap();
        let taints = kept.spec.unwrap().taints.unwrap_or_default();
        assert!(
            taints.iter().any(|taint| taint.key == "example.com/own"),
            "{taints:?}"
        );
        assert!(kept.metadata.annotations.unwrap_or_default().is_empty());

        let old = json!({"metadata": {"resourceVersion": "1"}, "spec": {"unschedulable": true}});
        let old = Patch::Merge(&old);
        let answer = nodes.patch(&name, &PatchParams::default(), &old).await;
        assert_eq!(refused(answer, "the object has been modified"), 409);

        let uid = found.uid.as_str();
        api()
            .delete_node(&name, "11111111-2222-3333-4444-555555555555")
            .await
            .unwrap();
        assert!(seen().await.is_some(), "another node has that uid");
        api().delete_node(&name, uid).await.unwrap();
        assert_eq!(code(&nodes.get(&name).await.unwrap_err()), 404);
        api().delete_node(&name, uid).await.unwrap();
        api().mark_node(&name, &mark).await.unwrap();
    });
}

#[test]
fn a_volume_attachment_names_its_node() {
    run(async {
        let all = ::kube::Api::<storage::VolumeAttachment>::all(raw());
        let (name, node, volume) = (own("va"), own("node"), own("pv"));
        let attachment = json!({"metadata": {"name": name}, "spec": {"attacher": "example.com/none", "nodeName": node,
            "source": {"persistentVolumeName": volume}}});
        all.create(&PostParams::default(), &typed(attachment))
            .await
            .unwrap();
        let found = api().attachments().await.unwrap();
        let found: Vec<_> = found.into_iter().filter(|one| one.node == node).collect();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].volume, volume);
        all.delete(&name, &DeleteParams::default()).await.unwrap();
    });
}

#[test]
fn a_probe_says_whether_the_server_is_ready() {
    run(async {
        assert!(api().is_ready().await);
    });
}
