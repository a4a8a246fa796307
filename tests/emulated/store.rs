//! The trait `Store` on the emulated AWS, and templates that are uploaded to a bucket.

use std::io::Write;
use std::sync::{Arc, Mutex};

use kube_cfn::cloud::aws::Aws;
use kube_cfn::cloud::{Cloud, CloudError, PutResult, StackStatus, Store, VersionedParameters};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use crate::support::{OPEN, account, aws, created, follow, network, proposal};

#[tokio::test]
pub async fn the_first_of_two_secrets_is_stored() {
    let aws = aws(10).await;
    let name = "/kube-cfn/canary/pki/ca";
    assert!(aws.secret(name).await.expect("asked").is_none());
    let first = SecretString::from("first");
    let second = SecretString::from("second");
    let key = "alias/aws/ssm";
    assert_eq!(
        aws.put_secret_if_absent(name, &first, key).await,
        Ok(PutResult::Stored)
    );
    assert_eq!(
        aws.put_secret_if_absent(name, &second, key).await,
        Ok(PutResult::AlreadyThere)
    );
    let read = aws.secret(name).await.expect("asked").expect("kept");
    assert_eq!(read.expose_secret(), "first");
    let sealed = aws.parameter(name).await.expect("asked").expect("kept");
    assert_ne!(sealed, "first", "it is stored encrypted");
}

#[tokio::test]
pub async fn a_value_is_stored_once_and_deleted_with_its_path() {
    let aws = aws(11).await;
    for number in 10..35 {
        let name = format!("/kube-cfn/canary/deep/{number}");
        assert_eq!(
            aws.put_parameter_if_absent(&name, "x").await,
            Ok(PutResult::Stored)
        );
    }
    let other = "/kube-cfn/canary2/1";
    assert_eq!(
        aws.put_parameter_if_absent(other, "mine").await,
        Ok(PutResult::Stored)
    );
    assert_eq!(
        aws.put_parameter_if_absent(other, "yours").await,
        Ok(PutResult::AlreadyThere)
    );

    let forgotten = aws
        .delete_parameters_under("/kube-cfn/canary", None)
        .await
        .expect("gone");
    assert_eq!(forgotten.len(), 25);
    assert_eq!(forgotten[0], "/kube-cfn/canary/deep/10");
    assert_eq!(aws.parameter("/kube-cfn/canary/deep/10").await, Ok(None));
    assert_eq!(aws.parameter(other).await, Ok(Some("mine".to_owned())));
    let again = aws.delete_parameters_under("/kube-cfn/canary", None).await;
    assert_eq!(again, Ok(Vec::new()));
}

#[tokio::test]
pub async fn a_secret_that_is_too_long_is_refused_without_its_value() {
    let aws = aws(12).await;
    let long = SecretString::from("abc".repeat(2000));
    let error = aws
        .put_secret_if_absent("/kube-cfn/long", &long, "alias/aws/ssm")
        .await;
    let error = error.expect_err("too long");
    assert_eq!(
        error.to_string(),
        "AWS refused PutParameter of /kube-cfn/long: the value has 6000 bytes, a standard \
         parameter takes 4096"
    );
}

#[derive(Clone, Default)]
struct Trace(Arc<Mutex<Vec<u8>>>);

impl Write for Trace {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("no panic").write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
pub async fn no_secret_is_traced_at_any_level() {
    let trace = Trace::default();
    let writer = trace.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    // Beside a lone subscriber a callsite asks that of the thread that meets it first, which is nobody
    // in the other tests' threads; with two it asks both.
    let _second = tracing::Dispatch::new(tracing::subscriber::NoSubscriber::default());
    let guard = tracing::subscriber::set_default(subscriber);
    // What other tests' threads met before nobody listened to.
    tracing::callsite::rebuild_interest_cache();
    let aws = aws(17).await;
    let secret = SecretString::from("tell-nobody");
    let kept = aws.put_secret_if_absent("/kube-cfn/secret", &secret, "alias/aws/ssm");
    assert_eq!(kept.await, Ok(PutResult::Stored));
    let read = aws.secret("/kube-cfn/secret").await.expect("asked");
    assert_eq!(read.expect("kept").expose_secret(), "tell-nobody");
    drop(guard);
    let traced = String::from_utf8(trace.0.lock().expect("no panic").clone()).expect("text");
    assert!(traced.contains("PutParameter"), "nothing was traced");
    assert!(!traced.contains("tell-nobody"), "the secret was traced");
}

/// A bucket with versions, made the way the tool makes one.
async fn bucket(aws: &Aws, stack: &str, name: &str) -> String {
    let template = json!({
        "Parameters": {"Cidr": {"Type": "String"}},
        "Resources": {"Bucket": {
            "Type": "AWS::S3::Bucket",
            "Properties": {
                "BucketName": name,
                "VersioningConfiguration": {"Status": "Enabled"}
            }
        }}
    });
    created(aws, stack, &template).await
}

#[tokio::test]
pub async fn a_bucket_is_emptied_and_can_then_be_deleted() {
    let aws = aws(13).await;
    let name = format!("kube-cfn-emptied-{}", account(13));
    let id = bucket(&aws, "canary-base", &name).await;
    for key in ["a", "b", "deep/c"] {
        aws.upload(&name, key, b"one").await.expect("put");
        aws.upload(&name, key, b"one").await.expect("known");
        assert_eq!(aws.object(&name, key).await, Ok(Some(b"one".to_vec())));
    }
    assert_eq!(aws.empty_bucket(&name).await, Ok(3));
    assert_eq!(aws.object(&name, "a").await, Ok(None));
    assert_eq!(aws.empty_bucket(&name).await, Ok(0));
    assert_eq!(aws.empty_bucket("kube-cfn-never-was").await, Ok(0));
    aws.delete(&id, "delete-1").await.expect("begun");
    let last = follow(&aws, &id, "delete-1").await.pop();
    assert_eq!(
        last.and_then(|event| event.stack_status),
        Some(StackStatus::DeleteComplete)
    );
}

#[tokio::test]
pub async fn an_object_for_a_bucket_that_is_not_there_is_not_found() {
    let aws = aws(14).await;
    assert_eq!(aws.object("kube-cfn-nowhere", "a").await, Ok(None));
    let error = aws.upload("kube-cfn-nowhere", "a", b"one").await;
    assert_eq!(
        error,
        Err(CloudError::NotFound("bucket kube-cfn-nowhere".to_owned()))
    );
}

#[tokio::test]
pub async fn a_large_template_travels_through_the_bucket() {
    let aws = aws(15).await;
    let name = format!("kube-cfn-templates-{}", account(15));
    bucket(&aws, "canary-base", &name).await;
    let mut large = network("x");
    large["Metadata"] = json!({"Padding": "x".repeat(60_000)});
    let mut wanted = proposal("canary-network", &large, "create-1");
    let error = aws.create(&wanted, &OPEN).await.expect_err("no bucket");
    assert!(error.to_string().contains("51200"), "{error}");

    wanted.bucket = Some(name.clone());
    let id = aws.create(&wanted, &OPEN).await.expect("begun");
    follow(&aws, &id, "create-1").await;
    assert_eq!(aws.template(&id).await, Ok(large.clone()));

    large["Resources"]["Vpc"]["Properties"]["EnableDnsHostnames"] = json!(true);
    let mut changed = proposal("canary-network", &large, "change-1");
    changed.bucket.clone_from(&wanted.bucket);
    let change_set = aws.create_change_set(&changed).await.expect("proposed");
    assert_eq!(change_set.changes.len(), 1);
    assert_eq!(aws.empty_bucket(&name).await, Ok(2));
}

/// What the operation lock relies on.
#[tokio::test]
async fn versions_of_a_parameter_grow_by_one_with_every_write() {
    let aws = aws(66).await;
    let name = "/kube-cfn/canary/operation";
    assert_eq!(aws.versioned_parameter(name).await, Ok(None));
    let put = aws.put_parameter_if_absent(name, "first").await;
    assert_eq!(put, Ok(PutResult::Stored));
    assert_eq!(aws.write_parameter(name, "second").await, Ok(2));
    let writes = (0..5).map(async |_| aws.write_parameter(name, "together").await);
    let mut versions = futures::future::try_join_all(writes)
        .await
        .expect("written");
    versions.sort_unstable();
    assert_eq!(versions, [3, 4, 5, 6, 7]);
    let found = aws.versioned_parameter(name).await.expect("asked");
    let found = found.expect("it");
    assert_eq!((found.value.as_str(), found.version), ("together", 7));
    let put = aws.put_parameter_if_absent(name, "again").await;
    assert_eq!(put, Ok(PutResult::AlreadyThere));
    let gone = aws
        .delete_parameters_under("/kube-cfn/canary", Some(name))
        .await;
    assert_eq!(gone, Ok(Vec::new()));
    for _ in 0..2 {
        assert_eq!(aws.delete_parameter(name).await, Ok(()));
    }
    assert_eq!(aws.write_parameter(name, "new").await, Ok(1));
    assert_eq!(aws.delete_parameter(name).await, Ok(()));
}
