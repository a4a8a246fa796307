//! Objects in the state bucket that are missing or have other content: seen by a plan, put back by a run,
//! reported on the screen.

use super::*;
use crate::apply::RunOutcome;
use crate::cloud::{INLINE, Store as _, StoredContent, template_key};
use crate::plan::objects::{WantedObject, document_layers, layers};
use crate::plan::protection::LayerState;
use crate::plan::{Action, Damage};

const BUCKET: &str = "bucket-1";
const BUNDLE: &str = "node/1.tar.gz";

async fn exchange(cloud: &TestCloud, key: &str) {
    let put = cloud.cloud.upload(BUCKET, key, b"somebody else's").await;
    put.expect("put");
}

async fn content(cloud: &TestCloud, key: &str) -> Option<Vec<u8>> {
    cloud.cloud.object(BUCKET, key).await.expect("read")
}

#[tokio::test(start_paused = true)]
async fn damaged_bundle_of_an_unchanged_stack_is_put_back() {
    for damage in [Damage::OtherContent, Damage::Missing] {
        let cloud = TestCloud::standing().await;
        match damage {
            Damage::OtherContent => exchange(&cloud, BUNDLE).await,
            Damage::Missing => {
                cloud.cloud.empty_bucket(BUCKET).await.expect("emptied");
            }
        }
        let plan = planned(&cloud, stacks()).await;
        assert!(plan.has_changes(), "{damage:?}");
        let damaged: Vec<_> = plan
            .steps
            .iter()
            .flat_map(|step| &step.damaged_objects)
            .map(|object| (object.key.as_str(), object.damage))
            .collect();
        assert_eq!(damaged, [(BUNDLE, damage)]);
        assert!(
            plan.steps
                .iter()
                .all(|step| step.action == Action::NoChange)
        );

        let (report, events) = go(&cloud, plan).await;
        assert_eq!(report.outcome(), RunOutcome::Done);
        assert_eq!(content(&cloud, BUNDLE).await, Some(vec![1]));
        let reported = notes(&events).iter().any(|text| {
            text.contains("s3://bucket-1/node/1.tar.gz had other content and was replaced")
        });
        assert_eq!(reported, damage == Damage::OtherContent, "{events:?}");
        // What is prepared outside of CloudFormation is looked at too.
        assert!(notes(&events).contains(&"control-plane is prepared".to_owned()));
        let again = planned(&cloud, stacks()).await;
        assert!(!again.has_changes(), "{damage:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn damaged_bundle_of_a_changed_stack_is_replaced_and_reported() {
    let cloud = TestCloud::standing().await;
    exchange(&cloud, BUNDLE).await;
    let plan = planned(&cloud, altered(&StackKind::ControlPlane)).await;
    let (report, events) = go(&cloud, plan).await;
    assert_eq!(report.outcome(), RunOutcome::Done);
    assert_eq!(content(&cloud, BUNDLE).await, Some(vec![1]));
    assert!(
        notes(&events)
            .iter()
            .any(|text| text.contains("was replaced"))
    );
}

#[tokio::test(start_paused = true)]
async fn unreadable_bundle_refuses_no_plan() {
    let cloud = TestCloud::standing().await;
    let denied = CloudError::Denied {
        caller_may_not: "may not".to_owned(),
        action: None,
    };
    cloud.refuse("compare_object", "", 9, &denied);
    let plan = planned(&cloud, stacks()).await;
    assert!(!plan.has_changes());
}

/// A stack whose template has to go through the bucket.
fn large() -> Vec<Stack> {
    let mut all = stacks();
    let network = of(&mut all, &StackKind::Network);
    network.template["Metadata"] = json!({"Padding": "x".repeat(INLINE)});
    all
}

#[tokio::test(start_paused = true)]
async fn exchanged_template_is_replaced_and_reported() {
    let body = of(&mut large(), &StackKind::Network).body();
    let key = template_key(&body);
    // At a creation.
    let cloud = TestCloud::new();
    let base = planned(&cloud, stacks().into_iter().take(1).collect()).await;
    go(&cloud, base).await;
    exchange(&cloud, &key).await;
    let plan = planned(&cloud, large()).await;
    let (report, events) = go(&cloud, plan).await;
    assert_eq!(report.outcome(), RunOutcome::Done);
    assert_eq!(content(&cloud, &key).await, Some(body.clone().into_bytes()));
    assert!(
        notes(&events)
            .iter()
            .any(|text| text.contains("templates/")),
        "{events:?}"
    );
    // At an update: the plan itself sends it.
    let cloud = TestCloud::standing().await;
    exchange(&cloud, &key).await;
    let mut wanted = large();
    *property(of(&mut wanted, &StackKind::Network), "Vpc", "Altered") = json!("altered");
    let key = template_key(&of(&mut wanted, &StackKind::Network).body());
    exchange(&cloud, &key).await;
    let plan = planned(&cloud, wanted).await;
    let damaged: Vec<_> = plan
        .steps
        .iter()
        .flat_map(|step| &step.damaged_objects)
        .collect();
    assert_eq!(damaged.len(), 1, "{damaged:?}");
    assert_eq!(
        (damaged[0].key.as_str(), damaged[0].damage),
        (key.as_str(), Damage::OtherContent)
    );
}

/// State and text of every layer.
async fn read(cloud: &TestCloud) -> Vec<(LayerState, String, Option<String>)> {
    let inner: &Simulated = cloud;
    let survey = survey(inner, CLUSTER).await.expect("a survey");
    let all = layers(inner, &survey, &stacks()).await;
    all.into_iter()
        .map(|one| (one.state, one.text, one.next))
        .collect()
}

#[tokio::test(start_paused = true)]
async fn layers_name_right_missing_and_exchanged_bundles() {
    let cloud = TestCloud::standing().await;
    let right = read(&cloud).await;
    assert_eq!(right.len(), 1, "{right:?}");
    assert_eq!((right[0].0, &right[0].2), (LayerState::Holds, &None));
    exchange(&cloud, BUNDLE).await;
    let other = read(&cloud).await;
    assert!(other[0].1.contains("has other content"), "{other:?}");
    assert_eq!(other[0].2.as_deref(), Some("`kube-cfn apply canary`"));
    cloud.cloud.empty_bucket(BUCKET).await.expect("emptied");
    let missing = read(&cloud).await;
    assert_eq!(missing[0].0, LayerState::Missing);
    assert!(missing[0].1.contains("is missing"), "{missing:?}");
    let denied = CloudError::Denied {
        caller_may_not: "may not".to_owned(),
        action: None,
    };
    cloud.refuse("compare_object", "", 1, &denied);
    assert_eq!(read(&cloud).await[0].0, LayerState::Unknown);
    // A cluster that does not exist relies on nothing.
    assert_eq!(read(&TestCloud::new()).await, []);
}

#[tokio::test(start_paused = true)]
async fn layers_name_exchanged_issuer_documents() {
    let cloud = TestCloud::standing().await;
    let wanted = |bytes| WantedObject {
        bucket: BUCKET,
        key: BUNDLE,
        bytes,
    };
    let inner: &Simulated = &cloud;
    let states: Vec<_> = document_layers(inner, CLUSTER, &[wanted(&[1]), wanted(&[2])])
        .await
        .into_iter()
        .map(|one| (one.state, one.next.is_some()))
        .collect();
    assert_eq!(
        states,
        [(LayerState::Holds, false), (LayerState::Missing, true)]
    );
    let same = cloud.cloud.compare_object(BUCKET, BUNDLE, &[1]).await;
    assert!(matches!(same, Ok(StoredContent::Same { version: Some(_) })));
}
