//! What any API server answers to a deletion and to what comes before it: finalizers, the time that pods have, the subresource
//! `scale`, reclaim policies. Run against the double and against a real one, as `contract.rs` says.

use ::kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams, Preconditions};
use k8s_openapi::api::apps::v1 as apps;
use k8s_openapi::api::batch::v1 as batch;
use k8s_openapi::api::core::v1 as core;
use k8s_openapi::api::networking::v1 as networking;
use kube_cfn::kube::{WorkloadKind, WorkloadRef};
use serde_json::{Value, json};

use super::{api, code, eventually, in_namespace, own, raw, refused, run};

/// A finalizer that nobody removes but the test.
const HELD: &str = "example.com/held";
/// Matches no machine: nothing of it starts anywhere.
const NOWHERE: (&str, &str) = ("kube-cfn.test/nowhere", "yes");

fn typed<K: serde::de::DeserializeOwned>(object: Value) -> K {
    serde_json::from_value(object).unwrap()
}

/// A template of pods that run nowhere.
fn template() -> Value {
    json!({
        "metadata": {"labels": {"app": "test"}},
        "spec": {"nodeSelector": {NOWHERE.0: NOWHERE.1},
            "containers": [{"name": "one", "image": "registry.k8s.io/pause:3.10.1"}]},
    })
}

#[test]
fn a_deleted_object_stays_until_its_last_finalizer_is_removed() {
    in_namespace(async |namespace| {
        let maps = ::kube::Api::<core::ConfigMap>::namespaced(raw(), namespace);
        let map = json!({"metadata": {"name": "held", "finalizers": [HELD, "example.com/too"]}});
        maps.create(&PostParams::default(), &typed(map))
            .await
            .unwrap();
        for _ in 0..2 {
            let answer = maps
                .delete("held", &DeleteParams::background())
                .await
                .unwrap();
            let marked = answer.left().expect("the object, which is still there");
            assert!(marked.metadata.deletion_timestamp.is_some());
        }
        let finalizers = async |names: Value| {
            let patch = json!({"metadata": {"finalizers": names}});
            maps.patch("held", &PatchParams::default(), &Patch::Merge(&patch))
                .await
        };
        let why = "no new finalizers can be added if the object is being deleted";
        let more = finalizers(json!([HELD, "example.com/too", "example.com/new"])).await;
        assert_eq!(refused(more, why), 422);
        let undone = json!({"metadata": {"deletionTimestamp": null}});
        let undone = Patch::Merge(&undone);
        let undone = maps.patch("held", &PatchParams::default(), &undone).await;
        assert!(undone.is_err() || undone.unwrap().metadata.deletion_timestamp.is_some());
        finalizers(json!([HELD])).await.unwrap();
        maps.get("held").await.unwrap();
        finalizers(json!([])).await.unwrap();
        assert_eq!(code(&maps.get("held").await.unwrap_err()), 404);
    });
}

#[test]
fn a_deletion_with_the_uid_of_another_object_is_a_conflict() {
    in_namespace(async |namespace| {
        let maps = ::kube::Api::<core::ConfigMap>::namespaced(raw(), namespace);
        let map = typed(json!({"metadata": {"name": "one"}}));
        let made = maps.create(&PostParams::default(), &map).await.unwrap();
        let of = |uid: &str| {
            DeleteParams::background().preconditions(Preconditions {
                uid: Some(uid.to_owned()),
                resource_version: None,
            })
        };
        let other = "11111111-2222-3333-4444-555555555555";
        let answer = maps.delete("one", &of(other)).await;
        assert_eq!(refused(answer, "the UID in the precondition"), 409);
        let uid = made.metadata.uid.unwrap();
        maps.delete("one", &of(&uid)).await.unwrap();
        assert_eq!(code(&maps.get("one").await.unwrap_err()), 404);
    });
}

#[test]
fn a_workload_is_stopped_through_its_scale_and_found_as_the_owner_of_pods() {
    in_namespace(async |namespace| {
        let sets = ::kube::Api::<apps::StatefulSet>::namespaced(raw(), namespace);
        let set = json!({"metadata": {"name": "db"}, "spec": {"replicas": 2, "serviceName": "db",
            "selector": {"matchLabels": {"app": "test"}}, "template": template()}});
        sets.create(&PostParams::default(), &typed(set))
            .await
            .unwrap();
        let db = WorkloadRef {
            kind: WorkloadKind::StatefulSet,
            namespace: namespace.to_owned(),
            name: "db".to_owned(),
        };
        let found = api().workload(&db).await.unwrap().unwrap();
        assert_eq!((found.replicas, found.is_stopped), (Some(2), false));
        assert_eq!(
            sets.get_scale("db").await.unwrap().spec.unwrap().replicas,
            Some(2)
        );
        assert!(api().stop(&db).await.unwrap());
        let scale = sets.get_scale("db").await.unwrap().spec;
        assert_eq!(scale.and_then(|spec| spec.replicas).unwrap_or(0), 0);
        let found = api().workload(&db).await.unwrap().unwrap();
        assert_eq!((found.replicas, found.is_stopped), (Some(0), true));
        let less = json!({"spec": {"replicas": -1}});
        let less = Patch::Merge(&less);
        let answer = sets.patch_scale("db", &PatchParams::default(), &less).await;
        assert_eq!(refused(answer, "spec.replicas: Invalid value"), 422);
        let maps = ::kube::Api::<core::ConfigMap>::namespaced(raw(), namespace);
        let map = typed(json!({"metadata": {"name": "one"}}));
        maps.create(&PostParams::default(), &map).await.unwrap();
        assert_eq!(code(&maps.get_scale("one").await.unwrap_err()), 404);

        let gone = WorkloadRef {
            name: "gone".to_owned(),
            ..db
        };
        assert_eq!(api().workload(&gone).await.unwrap(), None);
        assert!(api().stop(&gone).await.unwrap(), "what is gone is stopped");
    });
}

#[test]
fn a_cron_job_is_suspended() {
    in_namespace(async |namespace| {
        let jobs = ::kube::Api::<batch::CronJob>::namespaced(raw(), namespace);
        let mut pods = template();
        pods["spec"]["restartPolicy"] = json!("Never");
        let job = json!({"metadata": {"name": "nightly"}, "spec": {"schedule": "0 0 1 1 *",
            "jobTemplate": {"spec": {"template": pods}}}});
        jobs.create(&PostParams::default(), &typed(job))
            .await
            .unwrap();
        let nightly = WorkloadRef {
            kind: WorkloadKind::CronJob,
            namespace: namespace.to_owned(),
            name: "nightly".to_owned(),
        };
        assert!(!api().workload(&nightly).await.unwrap().unwrap().is_stopped);
        api().stop(&nightly).await.unwrap();
        assert!(api().workload(&nightly).await.unwrap().unwrap().is_stopped);
        let kept = jobs.get("nightly").await.unwrap().spec.unwrap();
        assert_eq!(kept.schedule, "0 0 1 1 *", "the rest stays");
    });
}

#[test]
fn a_reclaim_policy_is_set_to_retain_and_read_back() {
    run(async {
        let volumes = ::kube::Api::<core::PersistentVolume>::all(raw());
        let name = own("pv");
        let volume = json!({"metadata": {"name": name}, "spec": {
            "capacity": {"storage": "8Gi"}, "accessModes": ["ReadWriteOnce"],
            "persistentVolumeReclaimPolicy": "Delete",
            "csi": {"driver": "ebs.csi.aws.com", "volumeHandle": "vol-00000000000000000"}}});
        volumes
            .create(&PostParams::default(), &typed(volume))
            .await
            .unwrap();
        let found = async || {
            let all = api().persistent_volumes().await.unwrap();
            let found = all.into_iter().find(|one| one.object.name == name);
            found.unwrap()
        };
        let before = found().await;
        assert_eq!(before.reclaim_policy, "Delete");
        assert_eq!(before.volume_id.as_deref(), Some("vol-00000000000000000"));
        assert_eq!(before.gib, Some(8));
        let patched = api().retain(&name).await.unwrap().unwrap();
        assert_eq!(patched.reclaim_policy, "Retain");
        assert_eq!(found().await.reclaim_policy, "Retain");
        api().retain(&name).await.unwrap();
        let wrong = json!({"spec": {"persistentVolumeReclaimPolicy": "Keep"}});
        let wrong = Patch::Merge(&wrong);
        let answer = volumes.patch(&name, &PatchParams::default(), &wrong).await;
        assert_eq!(
            refused(
                answer,
                "spec.persistentVolumeReclaimPolicy: Unsupported value"
            ),
            422
        );
        let held = found().await.object.finalizers;
        assert!(
            held.contains(&"kubernetes.io/pv-protection".to_owned()),
            "{held:?}"
        );
        volumes
            .delete(&name, &DeleteParams::default())
            .await
            .unwrap();
        // Its controller lets it go; where there is none, the test does.
        let free = json!({"metadata": {"finalizers": null}});
        let _ = volumes
            .patch(&name, &PatchParams::default(), &Patch::Merge(&free))
            .await;
        assert_eq!(api().retain(&name).await.unwrap(), None);
    });
}

/// The class keeps every controller of load balancers away.
#[test]
fn a_service_of_type_load_balancer_waits_for_its_finalizer() {
    in_namespace(async |namespace| {
        let services = ::kube::Api::<core::Service>::namespaced(raw(), namespace);
        let service = |name: &str, kind: &str| {
            let mut service = json!({"metadata": {"name": name, "finalizers": [HELD]},
                "spec": {"type": kind, "ports": [{"port": 80}]}});
            if kind == "LoadBalancer" {
                service["spec"]["loadBalancerClass"] = json!("example.com/none");
            }
            typed::<core::Service>(service)
        };
        for (name, kind) in [("front", "LoadBalancer"), ("inside", "ClusterIP")] {
            let service = service(name, kind);
            services
                .create(&PostParams::default(), &service)
                .await
                .unwrap();
        }
        let found = async || {
            let mut all = api().load_balancer_services().await.unwrap();
            all.retain(|one| one.object.namespace == namespace);
            all
        };
        let all = found().await;
        assert_eq!(all.len(), 1, "{all:?}");
        assert_eq!(all[0].object.path(), format!("{namespace}/front"));
        assert!(!all[0].object.is_ending);
        api().delete_service(&all[0].object).await.unwrap();
        let ending = found().await;
        assert!(ending[0].object.is_ending);
        assert_eq!(ending[0].object.finalizers, [HELD]);
        let free = json!({"metadata": {"finalizers": null}});
        for name in ["front", "inside"] {
            services
                .patch(name, &PatchParams::default(), &Patch::Merge(&free))
                .await
                .unwrap();
        }
        assert_eq!(found().await, []);
        api().delete_service(&ending[0].object).await.unwrap();
    });
}

/// The class keeps every controller away; the finalizer is the AWS Load Balancer Controller's.
#[test]
fn ingresses_of_all_namespaces_name_the_groups_of_their_load_balancers() {
    in_namespace(async |namespace| {
        let ingresses = ::kube::Api::<networking::Ingress>::namespaced(raw(), namespace);
        let held = "group.ingress.k8s.aws/edge";
        for (name, finalizers) in [("shop", json!([])), ("blog", json!([held]))] {
            let ingress = json!({"metadata": {"name": name, "finalizers": finalizers},
                "spec": {"ingressClassName": "example.com-none",
                    "defaultBackend": {"service": {"name": "front", "port": {"number": 80}}}}});
            ingresses
                .create(&PostParams::default(), &typed(ingress))
                .await
                .unwrap();
        }
        let mut all = api().ingresses().await.unwrap();
        all.retain(|one| one.object.namespace == namespace);
        all.sort_by(|a, b| a.object.name.cmp(&b.object.name));
        let stacks: Vec<_> = all.into_iter().map(|one| one.stacks).collect();
        let own = |name: &str| format!("{namespace}/{name}");
        assert_eq!(
            stacks,
            [vec!["edge".to_owned(), own("blog")], vec![own("shop")]]
        );
        let free = json!({"metadata": {"finalizers": null}});
        ingresses
            .patch("blog", &PatchParams::default(), &Patch::Merge(&free))
            .await
            .unwrap();
    });
}

#[test]
fn a_pod_on_a_machine_has_time_for_its_end_and_another_one_has_not() {
    in_namespace(async |namespace| {
        let pods = ::kube::Api::<core::Pod>::namespaced(raw(), namespace);
        let claims = ::kube::Api::<core::PersistentVolumeClaim>::namespaced(raw(), namespace);
        let claim = json!({"metadata": {"name": "data"}, "spec": {"storageClassName": own("none"),
            "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}});
        claims
            .create(&PostParams::default(), &typed(claim))
            .await
            .unwrap();
        let pod = |name: &str, node: Option<&str>| {
            let mut pod = template();
            pod["metadata"]["name"] = json!(name);
            pod["spec"]["volumes"] =
                json!([{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]);
            if let Some(node) = node {
                pod["spec"]["nodeName"] = json!(node);
            }
            typed::<core::Pod>(pod)
        };
        let node = own("node");
        for (name, node) in [("placed", Some(node.as_str())), ("waiting", None)] {
            let pod = pod(name, node);
            eventually(async || pods.create(&PostParams::default(), &pod).await).await;
        }
        let using = async || {
            let mut all = api().claim_pods().await.unwrap();
            all.retain(|one| one.object.namespace == namespace);
            all
        };
        let all = using().await;
        assert_eq!(all.len(), 2);
        assert!(
            all.iter()
                .all(|one| one.claims.contains("data") && one.owner.is_none())
        );
        for one in &all {
            api().delete_pod(&one.object).await.unwrap();
        }
        let left = using().await;
        assert_eq!(left.len(), 1, "{left:?}");
        assert_eq!(
            (left[0].object.name.as_str(), left[0].object.is_ending),
            ("placed", true)
        );
        let placed = pods.get("placed").await.unwrap().metadata;
        assert_eq!(placed.deletion_grace_period_seconds, Some(30));

        let found = api().claims().await.unwrap();
        let found = found
            .into_iter()
            .find(|one| one.object.namespace == namespace);
        let found = found.unwrap();
        assert_eq!(found.object.finalizers, ["kubernetes.io/pvc-protection"]);
        assert_eq!(found.volume, None);
        api().delete_claim(&found.object).await.unwrap();
        let ending = claims.get("data").await.unwrap();
        assert!(
            ending.metadata.deletion_timestamp.is_some(),
            "a pod uses it"
        );

        let now = DeleteParams::default().grace_period(0);
        pods.delete("placed", &now).await.unwrap();
        assert_eq!(
            pods.list(&ListParams::default()).await.unwrap().items.len(),
            0
        );
        api().delete_pod(&all[0].object).await.unwrap();
    });
}
