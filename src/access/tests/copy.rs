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
    let key = key(cloud);
    let status = StackStatus::CreateComplete;
    let listed = inventory(cloud, "canary", Some(&key), Some(&status))
        .await
        .unwrap();
    let stored = read_parameters(cloud, &listed.readable()).await.unwrap();
    let copy = read_copy(cloud, &bucket(cloud), "canary").await.unwrap();
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
        .delete_parameters_under("/kube-cfn/canary")
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
    let listed = inventory(&cloud, "canary", Some(&key(&cloud)), None)
        .await
        .unwrap();
    let stored = read_parameters(&cloud, &listed.readable()).await.unwrap();
    let copy = read_copy(&cloud, &bucket(&cloud), "canary")
        .await
        .unwrap()
        .unwrap();
    let names = |all: Vec<&AuthorityParameter>| {
        let names = all.into_iter().map(|one| one.short.clone());
        names.collect::<Vec<_>>()
    };
    assert_eq!(names(copy.differing(&stored, &listed.all)), ["cp/sa.key"]);
    assert_eq!(names(copy.without(&listed.all)), [""; 0]);
}
