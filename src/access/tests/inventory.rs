//! Missing and foreign parameters: which are made, and which never again.

use secrecy::SecretString;

use super::*;
use crate::cloud::Store as _;

const INITIALIZED: &str = "/kube-cfn/canary/state/etcd-initialized";

async fn list(cloud: &Simulated, control_plane: Option<&StackStatus>) -> Inventory {
    let key = key(cloud);
    inventory(cloud, "canary", Some(&key), control_plane)
        .await
        .unwrap()
}

#[tokio::test(start_paused = true)]
async fn missing_parameter_of_a_living_cluster_is_never_made() {
    for short in nine() {
        let cloud = cloud().await;
        ensure(&cloud).await.unwrap();
        lose(&cloud, &short);
        let before = cloud.parameters().len();
        let status = StackStatus::UpdateComplete;
        let refused = ensure_with(&cloud, Some(&status)).await.unwrap_err();
        let text = refused.to_string();
        assert!(
            matches!(refused, AccessError::Refused(_)),
            "{short}: {text}"
        );
        assert!(
            text.starts_with(&format!("{short} of the parameters")),
            "{text}"
        );
        assert!(text.contains("`kube-cfn certs restore canary`"), "{text}");
        assert_eq!(cloud.parameters().len(), before, "{short}");
    }
}

#[tokio::test(start_paused = true)]
async fn initialized_etcd_counts_as_a_life_without_a_control_plane_stack() {
    let cloud = cloud().await;
    ensure(&cloud).await.unwrap();
    cloud
        .put_parameter_if_absent(INITIALIZED, "yes")
        .await
        .unwrap();
    lose(&cloud, "cp/encryption.yaml");
    assert!(ensure(&cloud).await.is_err());
    let listed = list(&cloud, None).await;
    assert_eq!(listed.life, ClusterLife::Lived);
    assert_eq!(listed.missing.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn rolled_back_creation_is_no_life() {
    let cloud = cloud().await;
    ensure(&cloud).await.unwrap();
    cloud
        .put_parameter_if_absent(INITIALIZED, "yes")
        .await
        .unwrap();
    lose(&cloud, "cp/encryption.yaml");
    let status = StackStatus::RollbackComplete;
    assert!(ensure_with(&cloud, Some(&status)).await.unwrap().created());
    // One that kept its machines may hold data.
    for status in [StackStatus::CreateFailed, StackStatus::CreateInProgress] {
        assert_eq!(list(&cloud, Some(&status)).await.life, ClusterLife::Lived);
    }
}

#[tokio::test(start_paused = true)]
async fn late_list_is_read_again_before_a_parameter_is_missing() {
    let cloud = cloud().await;
    ensure(&cloud).await.unwrap();
    let stale = FaultKind::Stale(Duration::from_hours(1));
    strike(&cloud, Some("parameters_under"), 3, stale);
    let listed = list(&cloud, Some(&StackStatus::CreateComplete)).await;
    assert_eq!((listed.missing, listed.foreign), (Vec::new(), Vec::new()));
}

#[tokio::test(start_paused = true)]
async fn secret_under_another_key_is_found_before_anything_is_made() {
    let cloud = cloud().await;
    let name = ParameterNames::of("canary").unwrap().encryption();
    let secret = SecretString::from("kind: EncryptionConfiguration");
    cloud
        .put_secret_if_absent(&name, &secret, &key(&cloud))
        .await
        .unwrap();
    let other = "arn:aws:kms:eu-west-1:123456789012:key/of-a-deleted-cluster";
    let found = inventory(&cloud, "canary", Some(other), None)
        .await
        .unwrap();
    let why = found.refusal().unwrap();
    assert!(why.by_guard);
    assert!(why.reason.contains("cp/encryption.yaml"), "{}", why.reason);
    assert!(why.reason.contains(other), "{}", why.reason);
    assert!(
        why.remedy
            .contains("aws ssm delete-parameters --region eu-west-1 --names"),
        "{}",
        why.remedy
    );
    let refused = ensure_authorities(&cloud, "canary", other, None, now()).await;
    assert!(matches!(refused, Err(AccessError::Refused(_))));
    assert_eq!(cloud.parameters().len(), 1);
    // Without a base stack there is no key that it could be under.
    let found = inventory(&cloud, "canary", None, None).await.unwrap();
    assert!(found.refusal().is_some());
    // Its own, named by ARN or by id.
    assert_eq!(list(&cloud, None).await.refusal(), None);
}

#[tokio::test(start_paused = true)]
async fn refused_list_is_an_error_and_no_empty_cluster() {
    let cloud = cloud().await;
    ensure(&cloud).await.unwrap();
    deny(&cloud, Some("parameters_under"));
    let denied = inventory(&cloud, "canary", Some(&key(&cloud)), None).await;
    let error = denied.unwrap_err().to_string();
    assert!(error.contains("ssm:DescribeParameters"), "{error}");
}
