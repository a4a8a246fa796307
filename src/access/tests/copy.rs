//! The copy in the state bucket: written once, never replaced unasked, and what comes back from it.

use secrecy::{ExposeSecret as _, SecretString};

use super::*;
use crate::access::copy::{
    COPY_KEY, KeptCopy, keep_copy, read_copy, read_parameters, replace_copy,
};
use crate::access::restore::{RestoreAction, RestorePlan, restore_parameters};
use crate::cloud::Store as _;

/// A cluster that has lived, with its copy.
async fn copied() -> Simulated {
    let cloud = cloud().await;
    ensure(&cloud).await.unwrap();
    assert_eq!(keep(&cloud).await, KeptCopy::Written);
    cloud
}

async fn keep(cloud: &Simulated) -> KeptCopy {
    keep_copy(cloud, &bucket(cloud), "canary").await.unwrap()
}

async fn plan(cloud: &Simulated) -> RestorePlan {
    let (key, bucket) = (key(cloud), bucket(cloud));
    let stack = control_plane(cloud, StackStatus::CreateComplete);
    let listed = inventory(cloud, stacks(&key, &bucket, Some(&stack)))
        .await
        .unwrap();
    let stored = read_parameters(cloud, &listed.readable()).await.unwrap();
    let copy = read_copy(cloud, &bucket, "canary").await.unwrap();
    RestorePlan::of(&listed, &stored, copy.as_ref()).unwrap()
}

fn values(cloud: &Simulated) -> BTreeMap<String, String> {
    let all = cloud.parameters().into_iter();
    all.map(|(name, one)| (name, one.value.expose_secret().to_owned()))
        .collect()
}

async fn object(cloud: &Simulated) -> Option<Vec<u8>> {
    cloud.object(&bucket(cloud), COPY_KEY).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn every_parameter_comes_back_as_it_was() {
    for short in nine() {
        let cloud = copied().await;
        let before = values(&cloud);
        lose(&cloud, &short);
        let plan = plan(&cloud).await;
        let restored = restore_parameters(&cloud, &plan, &key(&cloud))
            .await
            .unwrap();
        assert_eq!(restored, std::slice::from_ref(&short));
        assert_eq!(values(&cloud), before, "{short}");
        let all = cloud.parameters();
        let secret = all
            .values()
            .filter(|one| one.key == Some(key(&cloud)))
            .count();
        assert_eq!(secret, 5);
    }
}

#[tokio::test(start_paused = true)]
async fn all_parameters_come_back_together() {
    let cloud = copied().await;
    let before = values(&cloud);
    cloud
        .delete_parameters_under("/kube-cfn/canary", None)
        .await
        .unwrap();
    let plan = plan(&cloud).await;
    assert_eq!(
        restore_parameters(&cloud, &plan, &key(&cloud))
            .await
            .unwrap()
            .len(),
        9
    );
    assert_eq!(values(&cloud), before);
}

#[tokio::test(start_paused = true)]
async fn copy_is_written_once_and_only_whole() {
    let cloud = cloud().await;
    ensure(&cloud).await.unwrap();
    lose(&cloud, "cp/sa.key");
    assert_eq!(
        keep(&cloud).await,
        KeptCopy::Incomplete(vec!["cp/sa.key".to_owned()])
    );
    assert_eq!(object(&cloud).await, None);

    let cloud = copied().await;
    let before = object(&cloud).await;
    lose(&cloud, "cp/ca.key");
    assert_eq!(keep(&cloud).await, KeptCopy::Found);
    let stored = read_parameters(&cloud, &ParameterNames::of("canary").unwrap().all())
        .await
        .unwrap();
    let kept = replace_copy(&cloud, &bucket(&cloud), "canary", &stored)
        .await
        .unwrap();
    assert_eq!(kept, KeptCopy::Incomplete(vec!["cp/ca.key".to_owned()]));
    assert_eq!(object(&cloud).await, before);
}

#[tokio::test(start_paused = true)]
async fn existing_copy_needs_no_right_to_read_secrets() {
    let cloud = copied().await;
    deny(&cloud, Some("secret"));
    assert_eq!(keep(&cloud).await, KeptCopy::Found);
    let bare = super::cloud().await;
    ensure(&bare).await.unwrap();
    deny(&bare, Some("secret"));
    let denied = keep_copy(&bare, &bucket(&bare), "canary").await;
    assert!(matches!(denied, Err(AccessError::Denied { .. })));
}

#[tokio::test(start_paused = true)]
async fn plain_copy_comes_back_from_its_secret() {
    for short in [
        "pub/ca.crt",
        "cp/etcd-ca.crt",
        "cp/front-proxy-ca.crt",
        "cp/sa.pub",
    ] {
        let cloud = cloud().await;
        ensure(&cloud).await.unwrap();
        let before = values(&cloud);
        lose(&cloud, short);
        let plan = plan(&cloud).await;
        restore_parameters(&cloud, &plan, &key(&cloud))
            .await
            .unwrap();
        assert_eq!(values(&cloud), before, "{short}");
    }
}

#[tokio::test(start_paused = true)]
async fn secret_without_a_copy_is_lost() {
    let cloud = cloud().await;
    ensure(&cloud).await.unwrap();
    lose(&cloud, "cp/encryption.yaml");
    let plan = plan(&cloud).await;
    assert_eq!(plan.puts().count(), 0);
    let open: Vec<_> = plan
        .open()
        .map(|item| item.parameter.short.as_str())
        .collect();
    assert_eq!(open, ["cp/encryption.yaml"]);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_put_beside_what_differs_from_the_copy() {
    let cloud = copied().await;
    lose(&cloud, "pub/ca.crt");
    lose(&cloud, "cp/ca.key");
    let other = "-----BEGIN CERTIFICATE-----\nother\n-----END CERTIFICATE-----\n";
    cloud
        .put_parameter_if_absent("/kube-cfn/canary/pub/ca.crt", other)
        .await
        .unwrap();
    let plan = plan(&cloud).await;
    assert!(plan.has_conflict());
    let differs =
        |item: &&crate::access::restore::RestoreItem| matches!(item.action, RestoreAction::Differs);
    let differing: Vec<_> = plan.items.iter().filter(differs).collect();
    assert_eq!(differing[0].parameter.short, "pub/ca.crt");
}

#[tokio::test(start_paused = true)]
async fn copy_of_another_cluster_or_a_damaged_one_is_refused_without_a_quote() {
    let cloud = copied().await;
    let (bucket, text) = (bucket(&cloud), object(&cloud).await.unwrap());
    let text = SecretString::from(String::from_utf8(text).unwrap());
    let broken = [
        text.expose_secret().replace("\"canary\"", "\"production\""),
        text.expose_secret()
            .replace("\"schema\": 1", "\"schema\": 2"),
        text.expose_secret()[..200].to_owned(),
    ];
    for broken in broken {
        cloud
            .upload(&bucket, COPY_KEY, broken.as_bytes())
            .await
            .unwrap();
        let error = read_copy(&cloud, &bucket, "canary").await.err().unwrap();
        assert!(matches!(error, AccessError::Copy { .. }), "{error}");
        assert!(!error.to_string().contains("PRIVATE KEY"), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn old_copy_is_named() {
    let cloud = copied().await;
    lose(&cloud, "cp/sa.key");
    let newer = crate::pki::ServiceAccountKey::generate().unwrap();
    let name = ParameterNames::of("canary").unwrap().service_account_key();
    cloud
        .put_secret_if_absent(&name, newer.private_pem(), &key(&cloud))
        .await
        .unwrap();
    let (key, bucket) = (key(&cloud), bucket(&cloud));
    let listed = inventory(&cloud, stacks(&key, &bucket, None))
        .await
        .unwrap();
    let stored = read_parameters(&cloud, &listed.readable()).await.unwrap();
    let copy = read_copy(&cloud, &bucket, "canary").await.unwrap().unwrap();
    let names = |all: Vec<&AuthorityParameter>| {
        let names = all.into_iter().map(|one| one.short.clone());
        names.collect::<Vec<_>>()
    };
    assert_eq!(names(copy.differing(&stored, &listed.all)), ["cp/sa.key"]);
    assert_eq!(names(copy.without(&listed.all)), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn secret_of_another_cluster_in_the_copy_is_not_put_back() {
    let cloud = copied().await;
    let other = super::cloud_with(7, 0..=0).await;
    ensure(&other).await.unwrap();
    let names = ParameterNames::of("canary").unwrap();
    let foreign = read_parameters(&other, &names.all()).await.unwrap();
    let text = object(&cloud).await.unwrap();
    let mut document: serde_json::Value = serde_json::from_slice(&text).unwrap();
    let secret = foreign.get(&names.all()[0]).unwrap();
    document["parameters"]["cp/ca.key"] = secret.expose_secret().into();
    let text = document.to_string();
    cloud
        .upload(&bucket(&cloud), COPY_KEY, text.as_bytes())
        .await
        .unwrap();
    lose(&cloud, "cp/ca.key");
    let plan = plan(&cloud).await;
    assert!(plan.has_conflict());
}

#[tokio::test(start_paused = true)]
async fn backup_keeps_of_the_old_copy_what_is_lost() {
    let cloud = copied().await;
    let names = ParameterNames::of("canary").unwrap();
    lose(&cloud, "cp/ca.key");
    let stored = read_parameters(&cloud, &names.all()).await.unwrap();
    let old = read_copy(&cloud, &bucket(&cloud), "canary").await.unwrap();
    let values = stored.or(old.as_ref());
    let kept = replace_copy(&cloud, &bucket(&cloud), "canary", &values)
        .await
        .unwrap();
    assert_eq!(kept, KeptCopy::Written);
    let new = read_copy(&cloud, &bucket(&cloud), "canary")
        .await
        .unwrap()
        .unwrap();
    assert_eq!(new.without(&names.all()).len(), 0);
}
