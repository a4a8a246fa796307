//! Volumes that are kept: protected before anything goes. Services that are deleted.

use serde_json::json;

use super::{names, policies, released, released_of, seen, writes};
use crate::apiserver::controllers::Controllers;
use crate::apiserver::fixtures::{
    CLAIMS, PODS, SERVICES, STATEFUL_SETS, VOLUMES, application, claim, ebs, efs, service,
};
use crate::apiserver::{ApiServer, Outage, Webhook};
use kube_cfn::sweep::kubernetes::{Claim, Workload};

fn uid(server: &ApiServer, claim: &str) -> String {
    let claims = server.objects(CLAIMS);
    let found = claims.iter().find(|one| one["metadata"]["name"] == claim);
    found.unwrap()["metadata"]["uid"]
        .as_str()
        .unwrap()
        .to_owned()
}

#[test]
fn objects_are_seen_with_what_runs_their_pods() {
    let server = ApiServer::start();
    application(&server);
    let seen = seen(&server);
    assert_eq!(seen.services.len(), 1);
    assert_eq!(
        seen.services[0].address.as_deref(),
        Some("front.elb.example.com")
    );
    let volume = &seen.volumes[0];
    assert_eq!(volume.volume_id.as_deref(), Some("vol-data-db-0"));
    assert_eq!(volume.claim.as_deref(), Some("web/data-db-0"));
    assert_eq!(
        (volume.gib, volume.reclaim_policy.as_str()),
        (Some(8), "Delete")
    );
    let claim = |name: &str| Claim {
        namespace: "web".to_owned(),
        name: name.to_owned(),
        uid: uid(&server, name),
    };
    assert_eq!(seen.claims, [claim("data-db-0"), claim("uploads")]);
    let workload = |kind: &str, name: &str| Workload {
        kind: kind.to_owned(),
        namespace: "web".to_owned(),
        name: name.to_owned(),
        replicas: Some(1),
        operator: None,
    };
    assert_eq!(
        seen.workloads,
        [
            workload("Deployment", "site"),
            workload("StatefulSet", "db")
        ]
    );
    assert_eq!(writes(&server), [""; 0], "a look changes nothing");
}

#[test]
fn volumes_are_protected_before_a_service_goes_and_claims_stay() {
    let server = ApiServer::start();
    application(&server);
    server.run_controllers(Controllers::all());
    let ran = released(&server, false);
    assert_eq!(ran.released.left, [""; 0]);
    assert_eq!(ran.released.refused, None);
    assert!(policies(&server).values().all(|policy| policy == "Retain"));
    assert_eq!(names(&server, SERVICES), [""; 0]);
    assert_eq!(names(&server, CLAIMS), ["data-db-0", "uploads"]);
    assert_eq!(names(&server, PODS).len(), 2);
    let writes = writes(&server);
    let service = "DELETE /api/v1/namespaces/web/services/front";
    assert_eq!(writes.last().map(String::as_str), Some(service));
    assert_eq!(writes.len(), 3, "{writes:?}");
    assert_eq!(
        ran.last_parts(),
        [
            ("PersistentVolume set to Retain", 2, 2),
            ("Service of type LoadBalancer", 1, 1)
        ]
    );
}

#[test]
fn volumes_of_other_drivers_and_protected_ones_are_left_alone() {
    let server = ApiServer::start();
    claim(&server, "web", "kept", "Retain");
    let of_efs = efs("efs", "fs-0abc", "Delete", "web", "shared");
    server.put(VOLUMES, of_efs);
    let ran = released(&server, false);
    assert_eq!(
        ran.released,
        kube_cfn::sweep::kubernetes::Released::default()
    );
    assert_eq!(writes(&server), [""; 0]);
}

#[test]
fn six_hundred_volumes_are_read_page_by_page_and_all_protected() {
    let server = ApiServer::start();
    for number in 0..600 {
        claim(&server, "web", &format!("data-{number}"), "Delete");
    }
    let ran = released(&server, false);
    assert_eq!(ran.released.refused, None);
    let policies = policies(&server);
    assert_eq!(policies.len(), 600);
    assert!(policies.values().all(|policy| policy == "Retain"));
    let reads = server.requests();
    let reads = reads
        .iter()
        .filter(|one| *one == "GET /api/v1/persistentvolumes");
    let why = "two pages each: look, protect, read back, and once more at the end";
    assert_eq!(reads.count(), 8, "{why}");
    let note = "reclaim policy of 600 PersistentVolumes set to Retain; it stays so, even if the cluster is not deleted";
    assert_eq!(ran.notes, [note]);
}

#[test]
fn volume_that_is_made_meanwhile_is_protected_too() {
    let server = ApiServer::start();
    claim(&server, "web", "first", "Delete");
    let before = seen(&server);
    let mut made = false;
    server.run_controllers(Controllers {
        operator: Some(Box::new(move |store| {
            let patched = store.of(VOLUMES)[0]["spec"]["persistentVolumeReclaimPolicy"] == "Retain";
            if patched && !made {
                made = true;
                store.put(VOLUMES, ebs("late", "vol-late", "Delete", "web", "late"));
            }
        })),
        ..Controllers::default()
    });
    let ran = released_of(&server, &before, false);
    assert_eq!(ran.released.refused, None);
    assert_eq!(policies(&server)["late"], "Retain");
}

/// A Service takes its time, and a controller makes a volume meanwhile.
#[test]
fn volume_that_is_made_while_services_go_is_protected_too() {
    let server = ApiServer::start();
    service(&server, "web", "front");
    let before = seen(&server);
    let mut looks = 0;
    server.run_controllers(Controllers {
        cloud: Some(Box::new(move |_| {
            looks += 1;
            looks > 3
        })),
        operator: Some(Box::new(|store| {
            let services = store.of(SERVICES);
            let is_going = services
                .iter()
                .any(|one| !one["metadata"]["deletionTimestamp"].is_null());
            if is_going && store.of(VOLUMES).is_empty() {
                store.put(VOLUMES, ebs("late", "vol-late", "Delete", "web", "late"));
            }
        })),
        ..Controllers::default()
    });
    let ran = released_of(&server, &before, false);
    assert_eq!(ran.released.refused, None);
    assert_eq!(policies(&server)["late"], "Retain");
}

#[test]
fn a_forbidden_patch_refuses_and_no_service_is_deleted() {
    let server = ApiServer::start();
    application(&server);
    server.deny("patch", "persistentvolumes");
    let ran = released(&server, false);
    let refused = ran.released.refused.unwrap();
    assert!(
        refused.starts_with(
            "PersistentVolume pvc-web-data-db-0 (vol-data-db-0, claim web/data-db-0), pvc-web-uploads \
             (vol-uploads, claim web/uploads) could not be set to reclaim policy Retain: the API refuses: \
             persistentvolumes \"pvc-web-"
        ),
        "{refused}"
    );
    assert_eq!(names(&server, SERVICES), ["front"]);
    assert_eq!(ran.seconds, 0, "a refusal is not tried again");
}

#[test]
fn a_policy_that_is_set_back_refuses() {
    let server = ApiServer::start();
    application(&server);
    let before = seen(&server);
    server.run_controllers(Controllers {
        operator: Some(Box::new(|store| {
            store.put(
                VOLUMES,
                ebs("pvc-web-uploads", "vol-uploads", "Delete", "web", "uploads"),
            );
        })),
        ..Controllers::default()
    });
    let refused = released_of(&server, &before, false)
        .released
        .refused
        .unwrap();
    assert!(refused.contains("it is set back"), "{refused}");
    assert!(refused.contains("vol-uploads"), "{refused}");
    assert_eq!(names(&server, SERVICES), ["front"]);
}

#[test]
fn an_api_that_is_gone_before_all_volumes_are_protected_refuses() {
    for (answered, protected) in [(0, 0), (1, 0), (2, 1)] {
        let server = ApiServer::start();
        application(&server);
        let before = seen(&server);
        server.fail_after(answered, Outage::HangUp);
        let ran = released_of(&server, &before, false);
        let refused = ran.released.refused.unwrap();
        assert!(refused.contains("can't be reached"), "{refused}");
        assert!(ran.seconds > 30, "it was tried again");
        let kept = policies(&server);
        let kept = kept.values().filter(|policy| *policy == "Retain");
        assert_eq!(kept.count(), protected);
        assert_eq!(names(&server, SERVICES), ["front"]);
    }
}

#[test]
fn a_service_whose_controller_is_gone_is_named_after_ten_minutes() {
    let server = ApiServer::start();
    service(&server, "web", "front");
    service(&server, "web", "other");
    server.run_controllers(Controllers {
        cloud: Some(Box::new(|service| service["metadata"]["name"] == "other")),
        ..Controllers::all()
    });
    let ran = released(&server, false);
    assert_eq!(
        ran.released.left,
        [
            "Service web/front (front.elb.example.com): its controller has not removed \
             service.kubernetes.io/load-balancer-cleanup"
        ]
    );
    assert_eq!(ran.released.refused, None);
    assert!((600..=620).contains(&ran.seconds), "{}", ran.seconds);
    let deletes = writes(&server);
    assert_eq!(deletes.len(), 2, "each is deleted once: {deletes:?}");
    let part = ran.events.last().unwrap().last().unwrap();
    assert_eq!((part.done, part.wanted), (1, 2));
    assert_eq!(
        part.state,
        "1 load balancer to be removed by their controller"
    );
}

#[test]
fn a_service_that_takes_long_is_waited_for_as_long_as_others_go() {
    let server = ApiServer::start();
    for number in 0..4 {
        service(&server, "web", &format!("front-{number}"));
    }
    // One goes every eight minutes.
    let mut looks = 0;
    server.run_controllers(Controllers {
        cloud: Some(Box::new(move |_| {
            looks += 1;
            looks % 96 == 0
        })),
        ..Controllers::all()
    });
    let ran = released(&server, false);
    assert_eq!(ran.released.left, [""; 0]);
    assert!(ran.seconds > 600, "{}", ran.seconds);
}

#[test]
fn a_service_that_is_made_again_is_named() {
    let server = ApiServer::start();
    service(&server, "web", "front");
    server.run_controllers(Controllers {
        operator: Some(Box::new(|store| {
            if store.of(SERVICES).is_empty() {
                let service = json!({"metadata": {"namespace": "web", "name": "front"},
                    "spec": {"type": "LoadBalancer"}});
                store.put(SERVICES, service);
            }
        })),
        ..Controllers::all()
    });
    let ran = released(&server, false);
    assert_eq!(
        ran.released.left,
        [
            "Service web/front: it is made again after each deletion: something else in the cluster wants it"
        ]
    );
}

#[test]
fn a_forbidden_deletion_of_services_is_named_with_them() {
    let server = ApiServer::start();
    application(&server);
    server.deny("delete", "services");
    let ran = released(&server, false);
    assert_eq!(ran.released.refused, None);
    let [left] = ran.released.left.as_slice() else {
        panic!("{:?}", ran.released.left)
    };
    assert!(
        left.starts_with(
            "Services of type LoadBalancer (web/front) not deleted through Kubernetes: the API refuses: services \"front\""
        ),
        "{left}"
    );
    assert_eq!(names(&server, STATEFUL_SETS), ["db"]);
}

/// What refuses says why: its words are what the person on call needs.
#[test]
fn words_of_a_webhook_are_passed_on() {
    for code in [400, 403] {
        let server = ApiServer::start();
        application(&server);
        server.add_webhook(Webhook {
            verb: "patch",
            resource: "persistentvolumes",
            code,
            words: "reclaim policies are set by the storage team, #storage",
        });
        let before = policies(&server);
        let ran = released(&server, false);
        let why = ran.released.refused.expect("refused");
        assert!(
            why.contains(
                "admission webhook \"keep.example.com\" denied the request: reclaim policies are set by the storage team, #storage"
            ),
            "{code}: {why}"
        );
        assert!(why.contains("vol-data-db-0"), "{code}: {why}");
        assert_eq!(policies(&server), before, "{code}");
        assert_eq!(ran.seconds, 0, "a refusal does not pass: {code}");
    }
}
