//! Deleting: protection, what is listed before, and what remains.

use kube_cfn::access::ParameterNames;
use kube_cfn::cloud::{Cloud, Store};
use kube_cfn::pki::Authority;
use serde_json::json;

use crate::tools::{ask, kubectl};
use crate::world::World;

#[tokio::test]
async fn a_deleted_cluster_leaves_only_what_is_listed() {
    let world = World::with_database("deleted");
    world.edit("protect: false", "protect: true");
    world.apply().ends(0);
    let aws = world.aws().await;
    let living = aws.stacks(Some("deleted")).await.expect("stacks");
    let base = living.iter().find(|stack| stack.kind == "base");
    let bucket = base.expect("a base").outputs["StateBucket"].clone();

    world
        .delete()
        .ends(5)
        .tells("the definition of deleted says `protect: true`; nothing was deleted")
        .tells("set `protect: false` in the definition, run `kube-cfn apply deleted`");
    world.edit("protect: true", "protect: false");
    world
        .delete()
        .ends(5)
        .tells("termination protection is on for");
    world
        .apply()
        .ends(0)
        .tells("termination protection goes off: from then on the stack can be deleted")
        .tells("Database: deletion protection goes off")
        .tells("termination protection is switched off");
    world
        .cluster("delete", &["--confirm", "delete"])
        .ends(5)
        .tells("--confirm delete is not deleted; nothing was changed");
    world
        .cluster("delete", &[])
        .ends(64)
        .tells("there is no terminal to confirm on")
        .tells("--confirm deleted");
    let still = aws.stacks(Some("deleted")).await.expect("stacks");
    assert_eq!(still.len(), living.len(), "nothing was deleted");

    let jane = ["--user", "jane", "--group", "kube-cfn:viewers"];
    world.cluster("kubeconfig", &jane).ends(0);
    let snapshot = "etcd/20261129T160000Z-7.db";
    aws.upload(&bucket, snapshot, b"a snapshot")
        .await
        .expect("put");
    let said = world.delete();
    said.ends(0)
        .tells("(EtcdVolumeA): a last snapshot is taken, which can be read as long as the key exists")
        .tells("disabled, and deleted for good in 30 days with all that it encrypts")
        .tells(&format!("!! 1 etcd snapshot in {bucket}, deleted with it"))
        .tells(&format!("`aws s3 cp --region eu-west-1 s3://{bucket}/{snapshot} .`"))
        .tells("(Database): a last snapshot is taken")
        .tells("remains: database snapshot deleted-database-snapshot-database-")
        .tells("remains: automated backups of deleted-database-database-")
        .tells("aws logs delete-log-group --region eu-west-1 \\ --log-group-name /aws/rds/instance/deleted-database-database-")
        .tells("remains: key ")
        .tells("`aws kms cancel-key-deletion --region eu-west-1 --key-id ")
        .tells("removed deleted from")
        .tells("deleted is deleted");
    assert_eq!(aws.stacks(Some("deleted")).await, Ok(Vec::new()));
    let names = ParameterNames::of("deleted").expect("a name");
    let certificate = names.certificate(Authority::Kubernetes);
    assert_eq!(aws.parameter(&certificate).await, Ok(None));
    assert!(
        aws.secret(&names.secret(Authority::Etcd))
            .await
            .expect("asked")
            .is_none()
    );
    let buckets = ask(&world, "s3", "list_buckets", &json!({})).to_string();
    assert!(!buckets.contains(&bucket), "{buckets}");
    let snapshots = ask(&world, "rds", "describe_db_snapshots", &json!({}));
    let snapshots = snapshots["DBSnapshots"].as_array().expect("snapshots");
    assert_eq!(snapshots.len(), 1);
    let name = snapshots[0]["DBSnapshotIdentifier"]
        .as_str()
        .expect("a name");
    assert!(name.starts_with("deleted-database-snapshot-"), "{name}");
    let volumes = ask(
        &world,
        "ec2",
        "describe_snapshots",
        &json!({"OwnerIds": ["self"]}),
    );
    let volumes = volumes["Snapshots"].as_array().expect("snapshots");
    assert_eq!(volumes.len(), 1, "of the etcd volume: {volumes:?}");
    assert_eq!(
        kubectl(&world, &["config", "get-contexts", "-o", "name"]),
        ""
    );

    world
        .delete()
        .ends(0)
        .tells("nothing to delete: deleted has no stacks and no parameters in account");
    world
        .cluster("status", &[])
        .ends(1)
        .tells("deleted has no stacks in account");
}

#[test]
fn a_failed_deletion_is_named_and_the_next_run_finishes() {
    let world = World::small("held");
    world.apply().ends(0);
    world.rules(json!([{
        "type": "AWS::EC2::VPC", "op": "delete", "stack": "network", "times": 1,
        "fail": "The vpc has dependencies and cannot be deleted"
    }]));
    world
        .delete()
        .ends(4)
        .tells("Vpc")
        .tells("The vpc has dependencies and cannot be deleted")
        .tells("`kube-cfn delete held`");
    assert!(
        world
            .standing()
            .contains(&"network DELETE_FAILED".to_owned())
    );
    world.delete().ends(0).tells("held is deleted");
}

#[test]
fn a_cluster_without_its_definition_is_deleted_by_region() {
    let world = World::small("forgotten");
    world.apply().ends(0);
    std::fs::remove_file(world.path("clusters/forgotten.yaml")).expect("removed");
    let said = world.delete();
    assert_ne!(said.code, Some(0));
    said.tells("give its --region");
    let arguments = ["--region", "eu-west-1", "--confirm", "forgotten"];
    world
        .cluster("delete", &arguments)
        .ends(0)
        .tells("forgotten is deleted");
}
