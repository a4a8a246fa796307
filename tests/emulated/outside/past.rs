//! Volumes of an earlier cluster of the same name, and etcd snapshots in a bucket that stacks left.

use serde_json::{Value, json};

use super::made;
use crate::tools::{ask, base_output};
use crate::world::World;

fn volume(world: &World) -> String {
    let tags = json!([
        {"Key": format!("kubernetes.io/cluster/{}", world.name), "Value": "owned"},
        {"Key": "ebs.csi.aws.com/cluster", "Value": "true"},
        {"Key": "kubernetes.io/created-for/pvc/namespace", "Value": "shop"},
        {"Key": "kubernetes.io/created-for/pvc/name", "Value": "data"}]);
    let asked = json!({"AvailabilityZone": "eu-west-1a", "Size": 8, "VolumeType": "gp3",
        "TagSpecifications": [{"ResourceType": "volume", "Tags": tags}]});
    let made = ask(world, "ec2", "create_volume", &asked);
    made["VolumeId"].as_str().expect("an id").to_owned()
}

#[test]
fn volume_of_an_earlier_cluster_of_the_name_is_not_deleted() {
    let world = World::small("again");
    let old = volume(&world);
    // EC2's times have whole seconds.
    std::thread::sleep(std::time::Duration::from_millis(1100));
    world.apply().ends(0);
    let new = volume(&world);
    let earlier = format!("volume {old} is of an earlier cluster, made on 20");
    world.cluster("doctor", &[]).ends(4).prints(&earlier);
    world
        .cluster("status", &[])
        .ends(0)
        .prints("1 volume of an earlier cluster, 8 GiB")
        .prints("1 volume, 8 GiB");
    let plan = ["--plan", "--delete-volumes", "-o", "json"];
    let json: Value =
        serde_json::from_str(&world.cluster("delete", &plan).ends(0).stdout).expect("JSON");
    let ids = |key: &str| -> Vec<Value> {
        let all = json[key].as_array().expect("a list").iter();
        all.map(|one| one["id"].clone()).collect()
    };
    assert_eq!(ids("lostVolumes"), [json!(new)]);
    assert!(ids("keptVolumes").contains(&json!(old)));
    let all = ["--confirm", "again", "--delete-volumes"];
    world
        .cluster("delete", &all)
        .ends(0)
        .tells("before this cluster")
        .tells(&format!("--volume-id {old}"));
    let after = made::list(&world);
    assert!(after.has(&format!("volume {old}")));
    assert!(!after.has(&format!("volume {new}")));
    // The stacks that were younger are gone.
    world
        .cluster("delete", &all)
        .ends(0)
        .tells("not known which cluster made it")
        .tells(&format!("--volume-id {old}"));
    assert!(made::list(&world).has(&format!("volume {old}")));
}

#[test]
fn etcd_snapshots_in_a_bucket_that_stacks_left_are_said_before_consent() {
    let world = World::small("bucketed");
    world.apply().ends(0);
    let bucket = base_output(&world, "StateBucket");
    let key = "etcd/20261130T080000Z-90.db";
    // The newest is the one that S3 got last.
    for key in ["etcd/20261129T080000Z-17.db", key] {
        let object = json!({"Bucket": bucket, "Key": key, "Body": "x"});
        ask(&world, "s3", "put_object", &object);
        // S3's times have whole seconds.
        std::thread::sleep(std::time::Duration::from_millis(1100));
    }
    for kind in ["pool-workers", "control-plane", "edge", "network"] {
        assert_eq!(
            super::leftovers::delete_stack(&world, kind, &[]),
            "DELETE_COMPLETE",
            "{kind}"
        );
    }
    assert_eq!(
        super::leftovers::delete_stack(&world, "base", &[]),
        "DELETE_FAILED"
    );
    let kept = ["StateBucket", "OidcBucket"];
    assert_eq!(
        super::leftovers::delete_stack(&world, "base", &kept),
        "DELETE_COMPLETE"
    );
    let plan = world.cluster("delete", &["--plan"]);
    plan.ends(0)
        .prints("2 etcd snapshots in")
        .prints(&format!("s3://{bucket}/{key}"));
    let said = world.cluster("delete", &["--plan", "-o", "json"]);
    let json: Value = serde_json::from_str(&said.ends(0).stdout).expect("JSON");
    let [one] = json["stateBuckets"].as_array().expect("a list").as_slice() else {
        panic!("{json:#}")
    };
    assert_eq!(
        (&one["name"], &one["snapshots"], &one["isLeft"]),
        (&json!(bucket), &json!(2), &json!(true))
    );
    world.delete().ends(0).tells("2 etcd snapshots in");
}
