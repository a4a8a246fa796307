//! Missing and foreign parameters: which are made, and which never again.

use secrecy::SecretString;

use super::*;
use crate::cloud::Store as _;

const INITIALIZED: &str = "/kube-cfn/canary/state/etcd-initialized";

async fn list(cloud: &Simulated, control_plane: Option<&LiveStack>) -> Inventory {
    let (key, bucket) = (key(cloud), bucket(cloud));
    inventory(cloud, stacks(&key, &bucket, control_plane))
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
        let stack = control_plane(&cloud, StackStatus::UpdateComplete);
        let refused = ensure_with(&cloud, Some(&stack)).await.unwrap_err();
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
async fn note_of_a_rolled_back_creation_is_no_life() {
    let cloud = cloud().await;
    ensure(&cloud).await.unwrap();
    let stack = control_plane(&cloud, StackStatus::RollbackComplete);
    tokio::time::sleep(Duration::from_mins(5)).await;
    cloud
        .put_parameter_if_absent(INITIALIZED, "yes")
        .await
        .unwrap();
    lose(&cloud, "cp/encryption.yaml");
    assert!(ensure_with(&cloud, Some(&stack)).await.unwrap().created());
    // One that kept its machines may hold data.
    for status in [StackStatus::CreateFailed, StackStatus::CreateInProgress] {
        let stack = control_plane(&cloud, status);
        assert_eq!(list(&cloud, Some(&stack)).await.life, ClusterLife::Lived);
    }
}

/// The control plane was deleted by hand, and the next one refused the empty volume.
#[tokio::test(start_paused = true)]
async fn note_that_is_older_than_a_rolled_back_stack_counts() {
    let cloud = cloud().await;
    ensure(&cloud).await.unwrap();
    cloud
        .put_parameter_if_absent(INITIALIZED, "yes")
        .await
        .unwrap();
    tokio::time::sleep(Duration::from_mins(5)).await;
    let stack = control_plane(&cloud, StackStatus::RollbackComplete);
    lose(&cloud, "cp/encryption.yaml");
    assert!(ensure_with(&cloud, Some(&stack)).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn nothing_is_made_while_the_copy_has_it() {
    let cloud = cloud().await;
    ensure(&cloud).await.unwrap();
    crate::access::copy::keep_copy(&cloud, &bucket(&cloud), "canary")
        .await
        .unwrap();
    lose(&cloud, "cp/encryption.yaml");
    let refused = ensure(&cloud).await.unwrap_err();
    assert!(refused.to_string().contains("certs restore"), "{refused}");
}

#[tokio::test(start_paused = true)]
async fn one_that_is_lost_after_the_list_is_not_made() {
    let cloud = cloud().await;
    ensure(&cloud).await.unwrap();
    let stack = control_plane(&cloud, StackStatus::CreateComplete);
    let fault = FaultKind::Stale(Duration::from_hours(1));
    // The list is of now, the reads of single parameters see none.
    strike(&cloud, Some("secret"), u32::MAX, fault);
    let before = cloud.parameters().len();
    let refused = ensure_with(&cloud, Some(&stack)).await.unwrap_err();
    assert!(matches!(refused, AccessError::Refused(_)), "{refused}");
    assert_eq!(cloud.parameters().len(), before);
}

#[tokio::test(start_paused = true)]
async fn late_list_is_read_again_before_a_parameter_is_missing() {
    let cloud = cloud().await;
    ensure(&cloud).await.unwrap();
    let stale = FaultKind::Stale(Duration::from_hours(1));
    strike(&cloud, Some("parameters_under"), 3, stale);
    let stack = control_plane(&cloud, StackStatus::CreateComplete);
    let listed = list(&cloud, Some(&stack)).await;
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
    let bucket = bucket(&cloud);
    let stacks = stacks(other, &bucket, None);
    let found = inventory(&cloud, stacks).await.unwrap();
    let why = found.refusal().unwrap();
    assert!(why.by_guard);
    assert!(why.reason.contains("cp/encryption.yaml"), "{}", why.reason);
    assert!(why.reason.contains(other), "{}", why.reason);
    let clear = "aws ssm get-parameters-by-path --region eu-west-1 --recursive";
    assert!(why.remedy.contains(clear), "{}", why.remedy);
    let refused = ensure_authorities(&cloud, stacks, now()).await;
    assert!(matches!(refused, Err(AccessError::Refused(_))));
    assert_eq!(cloud.parameters().len(), 1);
    // Without a base stack there is no key that it could be under.
    let bare = ClusterStacks {
        key: None,
        bucket: None,
        ..stacks
    };
    let why = inventory(&cloud, bare).await.unwrap().refusal().unwrap();
    let clear = "`kube-cfn delete canary` clears them";
    assert!(why.remedy.contains(clear), "{}", why.remedy);
    // Its own, named by ARN or by id.
    assert_eq!(list(&cloud, None).await.refusal(), None);
}

#[tokio::test(start_paused = true)]
async fn refused_list_is_an_error_and_no_empty_cluster() {
    let cloud = cloud().await;
    ensure(&cloud).await.unwrap();
    deny(&cloud, Some("parameters_under"));
    let (key, bucket) = (key(&cloud), bucket(&cloud));
    let denied = inventory(&cloud, stacks(&key, &bucket, None)).await;
    let error = denied.unwrap_err().to_string();
    assert!(error.contains("ssm:DescribeParameters"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn alias_of_the_cluster_names_its_own_key() {
    let cloud = cloud().await;
    let mine = key(&cloud);
    let id = mine.rsplit('/').next().unwrap();
    let arn = "arn:aws:kms:eu-west-1:123456789012:alias/kube-cfn/canary";
    for named in [mine.as_str(), id, "alias/kube-cfn/canary", arn] {
        assert!(
            super::super::inventory::is_same_key(named, &mine, "canary"),
            "{named}"
        );
    }
    for named in ["alias/kube-cfn/production", "alias/aws/ssm", "x"] {
        assert!(
            !super::super::inventory::is_same_key(named, &mine, "canary"),
            "{named}"
        );
    }
}
