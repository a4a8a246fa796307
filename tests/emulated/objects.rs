//! Objects in a cluster's buckets that somebody has exchanged: named by `doctor` and `plan`, replaced and
//! reported by `apply`, also where nothing else is to do.

use kube_cfn::cloud::{Cloud, Store, StoredContent, UploadOutcome, template_key};
use serde_json::{Value, json};

use crate::process::Said;
use crate::support::{OPEN, account, aws, created, follow, network, proposal};
use crate::tools::{ask, base_output};
use crate::world::World;

/// Somebody else's content.
const OTHER: &str = "something else";

fn put(world: &World, bucket: &str, key: &str) {
    let object = json!({"Bucket": bucket, "Key": key, "Body": OTHER});
    ask(world, "s3", "put_object", &object);
}

/// The keys of a bucket that begin with `prefix`.
fn keys(world: &World, bucket: &str, prefix: &str) -> Vec<String> {
    let question = json!({"Bucket": bucket, "Prefix": prefix});
    let found = ask(world, "s3", "list_objects_v2", &question);
    let objects = found["Contents"].as_array().expect("objects");
    let key = |object: &Value| object["Key"].as_str().expect("a key").to_owned();
    objects.iter().map(key).collect()
}

fn doctor(world: &World) -> Said {
    world.cluster("doctor", &[])
}

#[tokio::test]
async fn exchanged_bundle_is_found_and_replaced_although_nothing_else_changes() {
    let world = World::small("exchanged");
    world.apply().ends(0);
    world.nodes_say(360);
    doctor(&world).ends(0).prints("node bundle: bundles/");
    let bucket = base_output(&world, "StateBucket");
    let bundles = keys(&world, &bucket, "bundles/");
    let bundle = bundles.iter().find(|key| key.contains("control-plane"));
    let bundle = bundle.expect("a bundle of the control plane");
    put(&world, &bucket, bundle);

    doctor(&world)
        .ends(4)
        .prints(&format!("{bundle} has other content"))
        .prints("next: `kube-cfn apply exchanged`");
    let place = format!("s3://{bucket}/{bundle}");
    world
        .cluster("plan", &["--detailed-exitcode"])
        .ends(2)
        .prints(&format!("{place} has other content: it is replaced"));
    world
        .apply()
        .ends(0)
        .tells(&format!("{place} had other content and was replaced"));
    doctor(&world).ends(0);
    world.apply().ends(0).tells("Nothing to do");
    let versions = json!({"Bucket": bucket, "Prefix": bundle});
    let versions = ask(&world, "s3", "list_object_versions", &versions);
    let count = versions["Versions"].as_array().map(Vec::len);
    assert_eq!(count, Some(3), "the exchanged content is kept as a version");

    let gone = json!({"Bucket": bucket, "Key": bundle});
    ask(&world, "s3", "delete_object", &gone);
    doctor(&world)
        .ends(4)
        .prints(&format!("{bundle} is missing"));
    world
        .apply()
        .ends(0)
        .tells(&format!("{place} is missing: it is put back"));
    doctor(&world).ends(0);
}

/// Who exchanges the key set signs tokens that AWS takes for those of the cluster's pods.
#[tokio::test]
async fn exchanged_issuer_document_is_found_and_replaced() {
    let world = World::small("foreign-keys");
    world.apply().ends(0);
    world.nodes_say(360);
    let bucket = base_output(&world, "OidcBucket");
    put(&world, &bucket, "openid/v1/jwks");
    doctor(&world)
        .ends(4)
        .prints("openid/v1/jwks has other content");
    world
        .apply()
        .ends(0)
        .tells("openid/v1/jwks had other content and was replaced");
    doctor(&world).ends(0);
    world.apply().ends(0).tells("Nothing to do");
}

/// A bucket with versions, made the way the tool makes one.
async fn versioned(number: u32, name: &str) -> String {
    let aws = aws(number).await;
    let name = format!("{name}-{}", account(number));
    let template = json!({
        "Parameters": {"Cidr": {"Type": "String"}},
        "Resources": {"Bucket": {"Type": "AWS::S3::Bucket", "Properties": {
            "BucketName": name, "VersioningConfiguration": {"Status": "Enabled"}}}}
    });
    created(&aws, "canary-base", &template).await;
    name
}

#[tokio::test]
async fn upload_compares_what_is_there() {
    let bucket = versioned(18, "kube-cfn-compared").await;
    let aws = aws(18).await;
    assert_eq!(
        aws.compare_object(&bucket, "k", b"one").await,
        Ok(StoredContent::Missing)
    );
    let mut versions = Vec::new();
    for (bytes, outcome) in [
        (b"one", UploadOutcome::Stored),
        (b"one", UploadOutcome::AlreadyThere),
        (b"two", UploadOutcome::Replaced),
        (b"one", UploadOutcome::Replaced),
    ] {
        let uploaded = aws.upload(&bucket, "k", bytes).await.expect("put");
        assert_eq!(uploaded.outcome, outcome);
        versions.push(uploaded.version.expect("a version"));
    }
    assert_eq!(versions[0], versions[1]);
    assert!(versions[1] != versions[2] && versions[0] != versions[3]);
    assert_eq!(aws.object(&bucket, "k").await, Ok(Some(b"one".to_vec())));
}

/// Other programs let S3 keep another checksum, or none: then the bytes are compared.
#[tokio::test]
async fn object_of_another_program_is_compared_by_its_bytes() {
    let world = World::new("other-program");
    let bucket = format!("kube-cfn-other-{}", world.account());
    ask(
        &world,
        "s3",
        "create_bucket",
        &json!({"Bucket": bucket,
        "CreateBucketConfiguration": {"LocationConstraint": "eu-west-1"}}),
    );
    put(&world, &bucket, "k");
    let aws = world.aws().await;
    let same = aws.compare_object(&bucket, "k", OTHER.as_bytes()).await;
    assert_eq!(same, Ok(StoredContent::Same { version: None }));
    // Of the same length.
    let other = aws.compare_object(&bucket, "k", b"Something else").await;
    assert_eq!(other, Ok(StoredContent::Other));
}

#[tokio::test]
async fn exchanged_template_never_reaches_cloudformation() {
    let bucket = versioned(19, "kube-cfn-planted").await;
    let aws = aws(19).await;
    let mut large = network("x");
    large["Metadata"] = json!({"Padding": "x".repeat(60_000)});
    let mut planted = large.clone();
    planted["Resources"]["Backdoor"] = planted["Resources"]["Vpc"].clone();
    let mut wanted = proposal("canary-network", &large, "create-1");
    wanted.bucket = Some(bucket.clone());
    let key = template_key(&wanted.template);
    let put = aws
        .upload(&bucket, &key, planted.to_string().as_bytes())
        .await;
    put.expect("planted");
    let id = aws.create(&wanted, &OPEN).await.expect("begun");
    follow(&aws, &id, "create-1").await;
    assert_eq!(aws.template(&id).await, Ok(large));
}

/// Without versions the object could be exchanged after it was compared.
#[tokio::test]
async fn template_in_a_bucket_without_versions_is_refused() {
    let world = World::new("unversioned");
    let bucket = format!("kube-cfn-unversioned-{}", world.account());
    ask(
        &world,
        "s3",
        "create_bucket",
        &json!({"Bucket": bucket,
        "CreateBucketConfiguration": {"LocationConstraint": "eu-west-1"}}),
    );
    let mut large = network("x");
    large["Metadata"] = json!({"Padding": "x".repeat(60_000)});
    let mut wanted = proposal("canary-network", &large, "create-1");
    wanted.bucket = Some(bucket);
    let error = world.aws().await.create(&wanted, &OPEN).await;
    let error = error.expect_err("nothing is pinned").to_string();
    assert!(error.contains("put-bucket-versioning"), "{error}");
}
