//! Volumes that are deleted with their claims, and what holds them.

use serde_json::json;

use super::{names, policies, released, released_of, seen, writes};
use crate::apiserver::controllers::Controllers;
use crate::apiserver::fixtures::{
    CLAIMS, CRON_JOBS, DAEMON_SETS, DEPLOYMENTS, JOBS, PODS, SERVICES, STATEFUL_SETS, VOLUMES,
    application, claim, efs, pod, workload,
};
use crate::apiserver::{ApiServer, Outage};

const NONE: [&str; 0] = [];

/// Where the first request that begins like this is among those that wrote something.
fn at(writes: &[String], text: &str) -> usize {
    let found = writes.iter().position(|request| request.contains(text));
    found.unwrap_or_else(|| panic!("no {text} in {writes:#?}"))
}

#[test]
fn services_go_first_then_workloads_then_claims_with_their_volumes() {
    let server = ApiServer::start();
    application(&server);
    server.run_controllers(Controllers::all());
    let ran = released(&server, true);
    assert_eq!(ran.released.left, NONE);
    for collection in [SERVICES, PODS, CLAIMS, VOLUMES] {
        assert_eq!(names(&server, collection), NONE, "{collection}");
    }
    assert_eq!(names(&server, STATEFUL_SETS), ["db"], "scaled, not deleted");
    let writes = writes(&server);
    let service = at(&writes, "DELETE /api/v1/namespaces/web/services/front");
    let scale = at(
        &writes,
        "PATCH /apis/apps/v1/namespaces/web/statefulsets/db/scale",
    );
    let claim = at(
        &writes,
        "DELETE /api/v1/namespaces/web/persistentvolumeclaims/data-db-0",
    );
    assert!(service < scale && scale < claim, "{writes:#?}");
    at(
        &writes,
        "PATCH /apis/apps/v1/namespaces/web/deployments/site/scale",
    );
    assert_eq!(writes.len(), 5, "nothing else, nothing twice: {writes:#?}");
    assert_eq!(
        ran.last_parts(),
        [
            ("Service of type LoadBalancer", 1, 1),
            ("pod that uses claims", 2, 2),
            ("PersistentVolumeClaim", 2, 2),
            ("PersistentVolume", 2, 2),
        ]
    );
}

#[test]
fn every_kind_of_owner_is_stopped_in_its_own_way() {
    let server = ApiServer::start();
    for name in ["nightly", "agent", "bare", "done", "orphan"] {
        claim(&server, "web", name, "Delete");
    }
    workload(&server, CRON_JOBS, "nightly", None, "nightly");
    workload(
        &server,
        JOBS,
        "nightly-1",
        Some(("CronJob", "nightly")),
        "nightly",
    );
    server.put(
        PODS,
        pod("web", "nightly-1-0", "nightly", Some(("Job", "nightly-1"))),
    );
    workload(&server, DAEMON_SETS, "agent", None, "agent");
    server.put(
        PODS,
        pod("web", "agent-0", "agent", Some(("DaemonSet", "agent"))),
    );
    server.put(PODS, pod("web", "bare", "bare", None));
    workload(&server, JOBS, "once", None, "done");
    let mut done = pod("web", "once-0", "done", Some(("Job", "once")));
    done["status"]["phase"] = json!("Succeeded");
    server.put(PODS, done);
    server.put(
        PODS,
        pod("web", "orphan-0", "orphan", Some(("ReplicaSet", "gone"))),
    );
    let workloads = seen(&server).workloads;
    let kinds: Vec<_> = workloads
        .iter()
        .map(|one| format!("{} {}", one.kind, one.name))
        .collect();
    assert_eq!(
        kinds,
        [
            "CronJob nightly",
            "DaemonSet agent",
            "Job once",
            "Pod bare",
            "ReplicaSet gone"
        ]
    );

    server.run_controllers(Controllers::all());
    let ran = released(&server, true);
    assert_eq!(ran.released.left, NONE);
    for collection in [PODS, CLAIMS, VOLUMES, DAEMON_SETS] {
        assert_eq!(names(&server, collection), NONE, "{collection}");
    }
    for (collection, name) in [(CRON_JOBS, "nightly"), (JOBS, "nightly-1")] {
        let found = server.objects(collection);
        let found = found.iter().find(|one| one["metadata"]["name"] == name);
        assert_eq!(found.unwrap()["spec"]["suspend"], true, "{name}");
    }
    let writes = writes(&server);
    let cron = at(
        &writes,
        "PATCH /apis/batch/v1/namespaces/web/cronjobs/nightly",
    );
    let job = at(
        &writes,
        "PATCH /apis/batch/v1/namespaces/web/jobs/nightly-1",
    );
    assert!(cron < job, "or it starts another one: {writes:#?}");
    at(&writes, "DELETE /api/v1/namespaces/web/pods/once-0");
}

#[test]
fn claim_of_an_ephemeral_volume_goes_with_its_pod() {
    let server = ApiServer::start();
    claim(&server, "web", "job-scratch", "Delete");
    let mut found = server.objects(CLAIMS).pop().unwrap();
    found["metadata"]["ownerReferences"] = json!([{"apiVersion": "v1", "kind": "Pod", "name": "job", "uid": "job", "controller": true}]);
    server.put(CLAIMS, found);
    let mut user = pod("web", "job", "x", None);
    user["spec"]["volumes"] =
        json!([{"name": "scratch", "ephemeral": {"volumeClaimTemplate": {"spec": {}}}}]);
    server.put(PODS, user);
    server.run_controllers(Controllers::all());
    let ran = released(&server, true);
    assert_eq!(ran.released.left, NONE);
    assert_eq!(names(&server, VOLUMES), NONE);
}

#[test]
fn claims_of_every_namespace_count_and_those_of_other_drivers_stay() {
    let server = ApiServer::start();
    claim(&server, "kube-system", "registry", "Delete");
    claim(&server, "web", "shared", "Delete");
    let of_efs = efs("pvc-web-shared", "fs-0abc", "Delete", "web", "shared");
    server.put(VOLUMES, of_efs);
    server.put(PODS, pod("web", "reader", "shared", None));
    let pending = json!({"metadata": {"namespace": "web", "name": "pending"}, "spec": {}});
    server.put(CLAIMS, pending);
    server.run_controllers(Controllers::all());
    let ran = released(&server, true);
    assert_eq!(ran.released.left, NONE);
    assert_eq!(names(&server, CLAIMS), ["shared"]);
    assert_eq!(names(&server, PODS), ["reader"]);
    assert_eq!(names(&server, VOLUMES), ["pvc-web-shared"]);
}

#[test]
fn volume_with_policy_retain_is_left_to_aws() {
    let server = ApiServer::start();
    claim(&server, "web", "kept", "Retain");
    claim(&server, "web", "data", "Delete");
    server.run_controllers(Controllers::all());
    let ran = released(&server, true);
    assert_eq!(
        ran.released.left,
        [
            "PersistentVolume pvc-web-kept has reclaim policy Retain: Kubernetes keeps it, AWS deletes vol-kept later"
        ]
    );
    assert!(ran.seconds < 60, "it is not waited for");
    assert_eq!(names(&server, CLAIMS), NONE);
    assert_eq!(policies(&server)["pvc-web-kept"], "Retain");
}

#[test]
fn claim_that_was_not_shown_is_not_deleted() {
    let server = ApiServer::start();
    claim(&server, "web", "shown", "Delete");
    let before = seen(&server);
    claim(&server, "web", "late", "Delete");
    server.run_controllers(Controllers::all());
    let ran = released_of(&server, &before, true);
    assert_eq!(
        ran.released.left,
        ["claim web/late was made after the question: it is not deleted through Kubernetes"]
    );
    assert_eq!(names(&server, CLAIMS), ["late"]);
    assert_eq!(names(&server, VOLUMES), ["pvc-web-late"]);
}

/// Consent was for a claim, not for its name.
#[test]
fn claim_that_was_made_again_under_its_name_is_not_deleted() {
    let server = ApiServer::start();
    claim(&server, "web", "data", "Delete");
    let mut before = seen(&server);
    before.claims[0].uid = "of-the-first-one".to_owned();
    before.volumes.clear();
    server.run_controllers(Controllers::all());
    let ran = released_of(&server, &before, true);
    assert_eq!(
        ran.released.left,
        ["claim web/data was made after the question: it is not deleted through Kubernetes"]
    );
    assert_eq!(names(&server, CLAIMS), ["data"]);
    assert_eq!(names(&server, VOLUMES), ["pvc-web-data"]);
}

/// AWS's calls find volumes by their tags.
#[test]
fn volume_without_tags_that_kubernetes_keeps_is_named_with_its_command() {
    let server = ApiServer::start();
    claim(&server, "web", "untagged", "Retain");
    server.run_controllers(Controllers::all());
    let ran = released(&server, true);
    assert_eq!(
        ran.released.left,
        [
            "PersistentVolume pvc-web-untagged has reclaim policy Retain: Kubernetes keeps it, nothing else deletes vol-untagged, \
             which lacks the cluster's tags; when its machine is gone: `aws ec2 delete-volume --region eu-west-1 \
             --volume-id vol-untagged`"
        ]
    );
}

/// An operator scales its `StatefulSet` up each time: its claim goes all the same, for no pod is scheduled with a claim that
/// is being deleted.
#[test]
fn an_operator_that_scales_up_again_does_not_keep_the_claim() {
    let server = ApiServer::start();
    claim(&server, "web", "data-db-0", "Delete");
    workload(
        &server,
        STATEFUL_SETS,
        "db",
        Some(("Postgres", "db")),
        "data-db-0",
    );
    server.put(
        PODS,
        pod("web", "db-0", "data-db-0", Some(("StatefulSet", "db"))),
    );
    server.run_controllers(Controllers {
        operator: Some(Box::new(|store| {
            let mut set = store.of(STATEFUL_SETS).pop().unwrap();
            if set["spec"]["replicas"] == 0 && store.of(PODS).is_empty() {
                set["spec"]["replicas"] = json!(1);
                store.put(STATEFUL_SETS, set);
            }
        })),
        ..Controllers::all()
    });
    let ran = released(&server, true);
    assert_eq!(names(&server, CLAIMS), NONE, "{:?}", ran.released.left);
    assert_eq!(names(&server, VOLUMES), NONE);
    let scales = writes(&server);
    let scales = scales
        .iter()
        .filter(|one| one.ends_with("/statefulsets/db/scale"));
    assert!(scales.count() > 1, "it is stopped again");
}

/// A controller that Kubernetes does not know starts its pod again at once.
#[test]
fn a_pod_that_reappears_is_named_with_its_controller() {
    let server = ApiServer::start();
    claim(&server, "web", "data", "Delete");
    let custom = pod("web", "kafka-0", "data", Some(("StrimziPodSet", "kafka")));
    server.put(PODS, custom.clone());
    assert_eq!(seen(&server).workloads[0].kind, "StrimziPodSet.example.com");
    server.run_controllers(Controllers {
        operator: Some(Box::new(move |store| {
            if store.of(PODS).is_empty() {
                // It brings its own machine, past the scheduler.
                store.put(PODS, custom.clone());
            }
        })),
        ..Controllers::all()
    });
    let ran = released(&server, true);
    assert_eq!(
        ran.released.left,
        [
            "StrimziPodSet.example.com web/kafka starts pods again",
            "pod web/kafka-0 still runs: it uses claim data",
            "claim web/data: held by kubernetes.io/pvc-protection",
            "PersistentVolume pvc-web-data (vol-data) is still there: AWS deletes vol-data later",
        ]
    );
    assert!((600..700).contains(&ran.seconds), "{}", ran.seconds);
}

#[test]
fn a_pod_whose_machine_is_gone_holds_its_claim_and_no_other() {
    let server = ApiServer::start();
    application(&server);
    server.run_controllers(Controllers {
        stuck: ["db-0".to_owned()].into(),
        ..Controllers::all()
    });
    let ran = released(&server, true);
    assert_eq!(
        ran.released.left,
        [
            "pod web/db-0 does not end: it uses claim data-db-0",
            "claim web/data-db-0: not deleted, as pods use it",
            "PersistentVolume pvc-web-data-db-0 (vol-data-db-0) is still there: AWS deletes vol-data-db-0 later",
        ]
    );
    assert_eq!(names(&server, CLAIMS), ["data-db-0"]);
    assert!((600..700).contains(&ran.seconds), "{}", ran.seconds);
}

#[test]
fn a_driver_that_deletes_nothing_is_named_by_its_volumes() {
    let server = ApiServer::start();
    claim(&server, "web", "data", "Delete");
    server.run_controllers(Controllers {
        csi: None,
        ..Controllers::all()
    });
    let ran = released(&server, true);
    assert_eq!(
        ran.released.left,
        ["PersistentVolume pvc-web-data (vol-data) is still there: AWS deletes vol-data later"]
    );
}

#[test]
fn what_may_not_be_stopped_is_named_and_its_claim_stays() {
    let server = ApiServer::start();
    application(&server);
    server.run_controllers(Controllers::all());
    server.deny("patch", "statefulsets");
    let ran = released(&server, true);
    let left = ran.released.left.join("\n");
    assert!(
        left.contains("cannot patch resource \"statefulsets\""),
        "{left}"
    );
    assert!(
        left.contains("pod web/db-0 still runs: it uses claim data-db-0"),
        "{left}"
    );
    assert!(names(&server, CLAIMS).contains(&"data-db-0".to_owned()));
    assert_eq!(names(&server, SERVICES), NONE);
}

#[test]
fn an_api_that_is_gone_in_the_middle_is_named_with_what_is_left() {
    let server = ApiServer::start();
    application(&server);
    server.run_controllers(Controllers::all());
    let before = seen(&server);
    server.fail_after(1, Outage::HangUp);
    let ran = released_of(&server, &before, true);
    let [services, claims, volumes @ ..] = ran.released.left.as_slice() else {
        panic!("{:?}", ran.released.left)
    };
    assert!(
        services.starts_with(
            "Services of type LoadBalancer (web/front) not deleted through Kubernetes"
        ),
        "{services}"
    );
    assert!(services.contains("can't be reached"), "{services}");
    assert_eq!(claims, "2 claims not deleted through Kubernetes");
    let later = [
        "AWS deletes vol-data-db-0 later",
        "AWS deletes vol-uploads later",
    ];
    assert_eq!(volumes, later);
    assert_eq!(names(&server, DEPLOYMENTS).len(), 1);
    // The first part alone: it is tried for a while, and not again for the rest.
    assert!(ran.seconds < 120, "{}", ran.seconds);
}
