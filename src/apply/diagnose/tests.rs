//! A failed run on the double, diagnosed from its history.

use super::*;
use crate::apply::double::{Double, Script};
use crate::apply::fixtures::{CLUSTER, double, go, planned, stacks};
use crate::plan::survey;

const QUOTA: &str = "The maximum number of addresses has been reached.";

/// A run whose edge failed, as it stands in the account afterwards.
async fn failed() -> Double {
    let double = double();
    double.script(
        &format!("create {CLUSTER}-edge"),
        Script {
            events: vec![
                (5, "Nat", "AWS::EC2::NatGateway", "CREATE_IN_PROGRESS", ""),
                (65, "Nat", "AWS::EC2::NatGateway", "CREATE_FAILED", QUOTA),
                (
                    66,
                    "Lb",
                    "AWS::ElasticLoadBalancingV2::LoadBalancer",
                    "CREATE_FAILED",
                    "Resource creation cancelled",
                ),
            ],
            ..Script::well(90, "ROLLBACK_COMPLETE")
        },
    );
    let plan = planned(&double, stacks()).await;
    go(&double, plan).await;
    double
}

#[tokio::test(start_paused = true)]
async fn afterwards_the_same_failure_is_told_from_history_alone() {
    let double = failed().await;
    let survey = survey(&double, CLUSTER).await.expect("a survey");
    let explain = |kind: &StackKind, id: &str, _: Option<&str>| {
        Some(Place {
            template: format!("{kind}.yaml"),
            field: Some(id.to_owned()),
        })
    };
    let all = diagnose(&survey, &double, &explain)
        .await
        .expect("a diagnosis");
    let [(kind, told)] = all.as_slice() else {
        panic!("the edge alone: {all:?}")
    };
    assert_eq!(*kind, StackKind::Edge);
    assert_eq!(told.operation, Verb::Create);
    assert_eq!(told.took, Some(SignedDuration::from_secs(60)));
    let status = told.resource_status.as_ref().map(ResourceStatus::as_str);
    assert_eq!(status, Some("CREATE_FAILED"));
    let failure = &told.failure;
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
async fn what_is_fine_has_no_diagnosis() {
    let double = double();
    let plan = planned(&double, stacks()).await;
    go(&double, plan).await;
    let survey = survey(&double, CLUSTER).await.expect("a survey");
    let all = diagnose(&survey, &double, &|_, _, _| None).await;
    assert_eq!(all, Ok(Vec::new()));
}

#[test]
fn the_first_word_of_a_history_says_what_was_asked() {
    let of = |status: &str| operation(&[], &StackStatus::from(status));
    assert_eq!(of("ROLLBACK_COMPLETE"), Verb::Create);
    assert_eq!(of("CREATE_FAILED"), Verb::Create);
    assert_eq!(of("DELETE_FAILED"), Verb::Delete);
    assert_eq!(of("UPDATE_ROLLBACK_FAILED"), Verb::Update);
    assert_eq!(of("SOMETHING_NEW"), Verb::Update);
}
