//! A deletion and what lies outside the stacks: when it is removed, what keeps the network, what is never touched.

use super::*;
use crate::apply::{Released, RunOutcome};
use crate::cloud::{CloudError, OutsideKind, OutsideResource, Store as _};
use crate::plan::deletion::{Guard, deletion};
use crate::plan::{Blocked, Code};
use crate::simulated::{Balancer, BalancerKind, CallFault, FaultKind, Maker, Place};
use crate::stacks::parameter_path;
use crate::sweep::{self, Scope};

async fn place(cloud: &TestCloud) -> Place {
    let found = survey(&cloud.cloud, CLUSTER).await.expect("a survey");
    let scope = Scope::of(&cloud.cloud, CLUSTER, &found.found)
        .await
        .expect("a scope");
    Place {
        vpc: scope.asked.vpc.expect("a VPC"),
        subnets: vec!["subnet-1".to_owned()],
        node_group: None,
    }
}

fn ours() -> Maker {
    Maker::Kubernetes(CLUSTER.to_owned())
}

async fn gone(cloud: &TestCloud, run: &str, released: Released) -> RunReport {
    gone_with(cloud, run, released, false).await
}

async fn gone_with(
    cloud: &TestCloud,
    run: &str,
    released: Released,
    delete_volumes: bool,
) -> RunReport {
    let found = survey(&cloud.cloud, CLUSTER).await.expect("a survey");
    let plan = deletion(&found, Guard::Open);
    let scope = Scope::of(&cloud.cloud, CLUSTER, &found.found)
        .await
        .expect("a scope");
    let shown = sweep::look(&cloud.cloud, &scope).await.expect("a look");
    let outside = OutsidePlan {
        scope,
        shown,
        delete_volumes,
    };
    let (events, _heard) = unbounded_channel();
    let session = Session::new(run, &events);
    cloud.began.set(cloud.now());
    let (released, never) = (std::future::ready(released), std::future::pending());
    crate::apply::delete((&plan, &outside), &cloud.cloud, &session, released, never).await
}

#[tokio::test(start_paused = true)]
async fn balancer_goes_after_machines_and_before_network() {
    let cloud = TestCloud::standing().await;
    let balancer = cloud.make_balancer(&Balancer {
        kind: BalancerKind::Network,
        maker: ours(),
        service: "default/web".to_owned(),
        place: place(&cloud).await,
        again_after: None,
        protected: false,
    });
    let volume = cloud.make_volume(&ours(), "default/data", None, 50);
    let report = gone(&cloud, "r1", Ok(Vec::new())).await;
    assert_eq!(report.outcome(), RunOutcome::Done, "{report:?}");
    let removed: Vec<&str> = report
        .outside
        .removed
        .iter()
        .map(|found| found.resource.id.as_str())
        .collect();
    assert!(removed.contains(&balancer.as_str()), "{removed:?}");
    let left: Vec<String> = cloud
        .outside_things()
        .into_iter()
        .filter(|thing| thing.kind != OutsideKind::DatabaseSnapshot && !thing.is_scheduled())
        .map(|thing| thing.id)
        .collect();
    assert_eq!(left, std::slice::from_ref(&volume));
    let kept: Vec<&str> = report
        .outside
        .kept
        .iter()
        .map(|found| found.resource.id.as_str())
        .collect();
    assert!(kept.contains(&volume.as_str()), "{kept:?}");
    let second = |call: &String| call.split(' ').next().and_then(|at| at.parse::<u64>().ok());
    let of = |verb: &'static str, about: &str| {
        let calls = cloud.called(verb);
        let found = calls
            .iter()
            .filter(|call| call.contains(about))
            .filter_map(second)
            .min();
        found.expect("a call")
    };
    assert!(of("delete", "canary-control-plane") < of("remove", &balancer));
    assert!(of("remove", &balancer) < of("delete", "canary-network"));
}

#[tokio::test(start_paused = true)]
async fn foreign_interface_keeps_network_until_it_is_gone() {
    let cloud = TestCloud::standing().await;
    let interface = cloud.make_interface(&Maker::Somebody, &place(&cloud).await, None);
    let report = gone(&cloud, "r1", Ok(Vec::new())).await;
    assert_eq!(report.outcome(), RunOutcome::NeedsManualAction);
    let lines = outcome_lines(&report);
    let network = lines
        .iter()
        .find(|line| line.starts_with("network"))
        .expect("network");
    assert!(
        network.contains(&format!(
            "it is kept while these are in it: network interface {interface}"
        )),
        "{network}"
    );
    assert!(
        cloud
            .called("delete")
            .iter()
            .all(|call| !call.contains("canary-network"))
    );
    assert_eq!(cloud.outside_losses(), []);
    assert_eq!(report.waiting_for_stacks.len(), 1, "{report:?}");
    let foreign = cloud
        .outside_things()
        .into_iter()
        .find(|thing| thing.kind == OutsideKind::Interface);
    assert!(cloud.remove_externally(&foreign.expect("the interface")));
    let report = gone(&cloud, "r2", Ok(Vec::new())).await;
    assert_eq!(
        report.outcome(),
        RunOutcome::Done,
        "{:?}",
        outcome_lines(&report)
    );
}

#[tokio::test(start_paused = true)]
async fn volume_that_cannot_be_kept_refuses_everything() {
    let cloud = TestCloud::standing().await;
    let why = Blocked::by_guard(
        Code::VolumesNotKept,
        "pv-1 is not kept".to_owned(),
        "look".to_owned(),
    );
    let report = gone(&cloud, "r1", Err(why.clone())).await;
    assert_eq!(report.refused, Some(why));
    assert_ne!(report.outcome(), RunOutcome::Done);
    assert_eq!(cloud.called("delete"), [""; 0]);
    assert_eq!(cloud.called("remove"), [""; 0]);
    assert_eq!(cloud.called("delete_parameters_under"), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn bucket_that_its_template_keeps_is_not_removed() {
    let mut kept = stacks();
    of(&mut kept, &StackKind::Base).template["Resources"]["StateBucket"]["DeletionPolicy"] =
        json!("Retain");
    let cloud = TestCloud::standing_as(kept).await;
    let report = gone(&cloud, "r1", Ok(Vec::new())).await;
    assert_eq!(report.outcome(), RunOutcome::Done, "{report:?}");
    assert_eq!(cloud.outside_losses(), []);
}

#[tokio::test(start_paused = true)]
async fn network_does_not_wait_for_what_does_not_hold_it() {
    let cloud = TestCloud::standing().await;
    let volume = cloud.make_volume(&ours(), "default/data", None, 50);
    let used = CallFault {
        verb: Some("remove"),
        about: Some(volume.clone()),
        after: 0,
        times: 1000,
        kind: FaultKind::Refused(CloudError::Refused {
            operation: "DeleteVolume".to_owned(),
            message: format!("{volume} is in use"),
        }),
    };
    cloud.change_faults(|faults| faults.calls.push(used));
    let report = gone_with(&cloud, "r1", Ok(Vec::new()), true).await;
    let left: Vec<&str> = report
        .outside
        .left
        .iter()
        .map(|orphan| &*orphan.found.resource.id)
        .collect();
    assert_eq!(left, [&*volume]);
    let seconds = |verb: &'static str, about: &str| -> Vec<u64> {
        let calls = cloud.called(verb);
        let found = calls.iter().filter(|call| call.contains(about));
        found
            .filter_map(|call| call.split(' ').next()?.parse().ok())
            .collect()
    };
    let network = seconds("delete", "canary-network");
    let mut tries = seconds("remove", &volume);
    let last = tries.pop().expect("a try of the last call");
    // It was refused for long after the network began to go, and the last call tried once.
    assert!(
        tries.iter().any(|at| *at > network[0]),
        "{tries:?} {network:?}"
    );
    assert!(!tries.iter().any(|at| last - at < 10), "{tries:?} {last}");
}

/// A bucket that stacks left goes after the last stack. Where one can't go it is still there, and is named; the next run
/// deletes it with the parameters.
#[tokio::test(start_paused = true)]
async fn bucket_waits_for_the_last_stack_and_is_named_until_it_goes() {
    let cloud = TestCloud::standing().await;
    let mut bucket = OutsideResource::new(OutsideKind::Bucket, "canary-left");
    let tags = [
        ("kube-cfn/cluster", CLUSTER),
        ("kube-cfn/stack", "base"),
        (
            "aws:cloudformation:stack-id",
            "arn:aws:cloudformation:eu-west-1:1:stack/canary-base/1",
        ),
    ];
    bucket.tags = tags
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into();
    cloud.make_outside(bucket);
    let path = parameter_path(CLUSTER) + "/x";
    cloud
        .put_parameter_if_absent(&path, "y")
        .await
        .expect("put");
    let interface = cloud.make_interface(&Maker::Somebody, &place(&cloud).await, None);
    let report = gone(&cloud, "r1", Ok(Vec::new())).await;
    assert_eq!(report.outcome(), RunOutcome::NeedsManualAction);
    let waiting: Vec<&str> = report
        .outside
        .waiting
        .iter()
        .map(|found| &*found.resource.id)
        .collect();
    assert_eq!(waiting, ["canary-left"], "{:?}", report.outside);
    let buckets = || {
        let all = cloud.outside_things().into_iter();
        all.filter(|thing| thing.kind == OutsideKind::Bucket)
            .count()
    };
    assert_eq!(buckets(), 1);
    let interface = cloud
        .outside_things()
        .into_iter()
        .find(|thing| thing.id == interface);
    assert!(cloud.remove_externally(&interface.expect("the interface")));
    // The caller may not: it is left, and named with the reason.
    let denied = CallFault {
        verb: Some("remove"),
        about: Some("canary-left".to_owned()),
        after: 0,
        times: 1,
        kind: FaultKind::Refused(CloudError::Denied {
            caller_may_not: "the caller may not s3:DeleteBucket".to_owned(),
            action: Some("s3:DeleteBucket".to_owned()),
        }),
    };
    cloud.change_faults(|faults| faults.calls.push(denied));
    let report = gone(&cloud, "r2", Ok(Vec::new())).await;
    assert_eq!(report.outcome(), RunOutcome::NeedsManualAction);
    let [left] = report.outside.left.as_slice() else {
        panic!("{:?}", report.outside)
    };
    assert_eq!(left.found.resource.id, "canary-left");
    assert!(left.why.contains("s3:DeleteBucket"), "{}", left.why);
    assert_eq!(buckets(), 1);
    let report = gone(&cloud, "r3", Ok(Vec::new())).await;
    assert_eq!(report.outcome(), RunOutcome::Done, "{report:?}");
    assert_eq!(buckets(), 0);
}
