//! What guards the data in the account: as the shipped templates make it everything holds, and what is changed outside
//! CloudFormation is named.

use kube_cfn::cloud::{Cloud, Limited};
use kube_cfn::plan::protection::account::{LiveAccount, concerns, layers};
use kube_cfn::plan::protection::{LayerState, ProtectionLayer, read};
use serde_json::json;

use super::*;

async fn checked(cloud: &Limited<Simulated>, spec: &ClusterSpec) -> Vec<ProtectionLayer> {
    let identity = cloud.identity().await.unwrap();
    let survey = plan::survey(cloud, &spec.name).await.unwrap();
    let mut all = Vec::new();
    for found in &survey.found {
        let template = &survey.templates[&found.id];
        if !concerns(template) {
            continue;
        }
        let facts = read::account(cloud, found).await.unwrap();
        all.extend(layers(LiveAccount {
            identity: &identity,
            kind: &StackKind::parse(&found.kind).unwrap(),
            found,
            template,
            facts: &facts,
        }));
    }
    all
}

async fn standing(spec: &ClusterSpec) -> Limited<Simulated> {
    let cloud = Simulated::new(world(spec));
    let report = applied(&cloud, spec, &design(spec), "first").await;
    assert_eq!(report.outcome(), RunOutcome::Done, "{report:#?}");
    Limited::new(cloud)
}

#[tokio::test(start_paused = true)]
async fn account_of_a_fresh_cluster_holds() {
    for name in ["production", "canary"] {
        let mut spec = shipped(name);
        spec.access.issuers = vec!["arn:aws:iam::123456789012:role/deploy".to_owned()];
        let all = checked(&standing(&spec).await, &spec).await;
        // Key and its policy, two buckets and four roles of two layers each.
        assert_eq!(all.len(), 14, "{all:#?}");
        for layer in &all {
            assert_eq!(layer.state, LayerState::Holds, "{name}: {layer:#?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn account_changed_outside_cloudformation_is_named() {
    let spec = shipped("canary");
    let cloud = standing(&spec).await;
    let admin = json!("arn:aws:iam::aws:policy/AdministratorAccess");
    let anybody = json!({"Effect": "Allow", "Action": "*", "Resource": "*"});
    let base = "canary-base";
    for (id, path, value) in [
        ("Key", "PendingDeletion", json!(true)),
        ("Key", "KeyPolicy.Statement.0.Principal", json!("*")),
        (
            "StateBucket",
            "PublicAccessBlockConfiguration.BlockPublicPolicy",
            json!(false),
        ),
        ("StateBucketPolicy", "PolicyDocument.Statement", json!([])),
        ("NodeRole", "ManagedPolicyArns.2", admin),
        (
            "ControlPlanePolicy",
            "PolicyDocument.Statement.0",
            anybody.clone(),
        ),
        (
            "CloudControllerPolicy",
            "PolicyDocument.Statement.0",
            anybody,
        ),
        (
            "EbsCsiRole",
            "AssumeRolePolicyDocument",
            json!({"Statement": []}),
        ),
    ] {
        assert!(cloud.change_property(base, id, path, value), "{id}");
    }
    assert!(cloud.delete_resource(base, "ClusterAutoscalerRole"));
    let mut all = checked(&cloud, &spec).await;
    all.retain(|layer| layer.state != LayerState::Holds);
    let named = all
        .iter()
        .map(|one| (one.resource.as_deref().unwrap(), one.layer));
    let named: BTreeSet<_> = named.collect();
    assert_eq!(
        named,
        BTreeSet::from([
            ("Encryption key of the cluster", "key"),
            ("Encryption key of the cluster", "key policy"),
            (
                "State bucket: node bundles and etcd snapshots",
                "public access block"
            ),
            (
                "State bucket: node bundles and etcd snapshots",
                "bucket policy"
            ),
            ("Role of the nodes of the pools", "permissions"),
            ("Role of the control plane", "permissions"),
            (
                "Role of the driver of EBS volumes, for its service account alone",
                "trust"
            ),
            (
                "Role of the cluster autoscaler, for its service account alone",
                "permissions"
            ),
        ]),
        "{all:#?}"
    );
    assert!(all.iter().all(|layer| layer.next.is_some()), "{all:#?}");
}
