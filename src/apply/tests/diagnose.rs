//! A failed run on the cloud, diagnosed from its history.

use jiff::SignedDuration;

use super::*;
use crate::apply::diagnose::{diagnose, failed_machines};
use crate::cloud::{ResourceStatus, StackStatus};
use crate::events::{Place, Verb};
use crate::plan::survey;
use crate::stacks::StackKind;

const QUOTA: &str = "The maximum number of addresses has been reached.";

/// A run whose edge failed, as it stands in the account afterwards.
async fn failed() -> TestCloud {
    let cloud = TestCloud::new();
    cloud.fails("canary-edge", "Nat", Operation::Create, QUOTA);
    let plan = planned(&cloud, stacks()).await;
    go(&cloud, plan).await;
    cloud
}

#[tokio::test(start_paused = true)]
async fn diagnosis_from_history_equals_the_failure_of_the_run() {
    let cloud = failed().await;
    let survey = survey(&cloud.cloud, CLUSTER).await.expect("a survey");
    let explain = |kind: &StackKind, id: &str, _: Option<&str>| {
        Some(Place {
            template: format!("{kind}.yaml"),
            field: Some(id.to_owned()),
        })
    };
    let all = diagnose(&survey, &cloud.cloud, &explain)
        .await
        .expect("a diagnosis");
    let [(kind, diagnosis)] = all.as_slice() else {
        panic!("the edge alone: {all:?}")
    };
    assert_eq!(*kind, StackKind::Edge);
    assert_eq!(diagnosis.operation, Verb::Create);
    assert_eq!(diagnosis.took, Some(SignedDuration::from_secs(53)));
    let status = diagnosis
        .resource_status
        .as_ref()
        .map(ResourceStatus::as_str);
    assert_eq!(status, Some("CREATE_FAILED"));
    let failure = &diagnosis.failure;
    assert_eq!(failure.resource.as_deref(), Some("the Nat of edge"));
    assert_eq!(failure.reason, QUOTA);
    assert_eq!(failure.status, Some(StackStatus::RollbackComplete));
    assert_eq!(failure.cancelled, ["the Lb of edge"]);
    let place = failure.place.as_ref().expect("a place");
    assert_eq!(place.template, "edge.yaml");
    assert!(
        failure
            .hint
            .as_ref()
            .is_some_and(|hint| hint.contains("L-0263D0A3"))
    );
}

#[tokio::test(start_paused = true)]
async fn a_healthy_stack_has_no_diagnosis() {
    let cloud = TestCloud::new();
    let plan = planned(&cloud, stacks()).await;
    go(&cloud, plan).await;
    let survey = survey(&cloud.cloud, CLUSTER).await.expect("a survey");
    let all = diagnose(&survey, &cloud.cloud, &|_, _, _| None).await;
    assert_eq!(all, Ok(Vec::new()));
}

/// An update that was rolled back leaves its stack as it was: history, for a failed creation is not.
#[tokio::test(start_paused = true)]
async fn rolled_back_update_is_history() {
    let over = async |cloud: &TestCloud| {
        let survey = survey(&cloud.cloud, CLUSTER).await.expect("a survey");
        let all = diagnose(&survey, &cloud.cloud, &|_, _, _| None).await;
        let all = all.expect("a diagnosis");
        let [(_, diagnosis)] = all.as_slice() else {
            panic!("the edge alone: {all:?}")
        };
        diagnosis.is_over
    };
    let cloud = TestCloud::standing().await;
    cloud.fails("canary-edge", "Lb", Operation::Update, QUOTA);
    cloud.touch("canary-edge", "Lb");
    cloud.rest().await;
    assert_eq!(
        cloud.found("canary-edge").status,
        StackStatus::UpdateRollbackComplete
    );
    assert!(over(&cloud).await);
    assert!(!over(&failed().await).await);
}

/// A read that fails is no healthy machine: each is said, and what else there is of a machine is read all the same.
#[tokio::test(start_paused = true)]
async fn boots_that_could_not_be_read_are_said() {
    let cloud = TestCloud::standing().await;
    let bucket = "canary-state";
    let find = async || failed_machines(&cloud.cloud, "canary", Some(bucket)).await;
    let denied = |call: &str| CloudError::Denied {
        caller_may_not: call.to_owned(),
        action: None,
    };
    for (call, words) in [
        ("machines", "boots of machines: "),
        ("objects", "boot logs of machines: "),
        ("console_of", "console of i-0"),
    ] {
        cloud.refuse(call, "", 1, &denied(call));
        let found = find().await;
        assert!(found.found.is_empty(), "{found:?}");
        assert!(
            found.unknown.iter().any(|said| said.starts_with(words)),
            "{call}: {found:?}"
        );
    }
}
