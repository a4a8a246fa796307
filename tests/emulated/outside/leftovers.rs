//! Clusters that somebody or an earlier version deleted in part: the next deletion goes on from there.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};

use super::made;
use crate::tools::ask;
use crate::world::World;

/// Deletes a stack without the program, and returns what became of it.
pub fn delete_stack(world: &World, kind: &str, retain: &[&str]) -> String {
    let name = format!("{}-{kind}", world.name);
    let about = ask(
        world,
        "cloudformation",
        "describe_stacks",
        &json!({"StackName": name}),
    );
    let id = about["Stacks"][0]["StackId"].clone();
    let mut call = json!({"StackName": id});
    if !retain.is_empty() {
        call["RetainResources"] = json!(retain);
    }
    ask(world, "cloudformation", "delete_stack", &call);
    for _ in 0..100 {
        let now = ask(
            world,
            "cloudformation",
            "describe_stacks",
            &json!({"StackName": id}),
        );
        let status = now["Stacks"][0]["StackStatus"].as_str().expect("a status");
        if !status.ends_with("_IN_PROGRESS") {
            return status.to_owned();
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    panic!("{name} does not settle");
}

/// Empties the buckets of the cluster, as the program does before it deletes the base.
fn empty_buckets(world: &World) {
    let buckets = ask(world, "s3", "list_buckets", &json!({}));
    for bucket in buckets["Buckets"].as_array().expect("buckets") {
        let name = bucket["Name"].clone();
        let found = ask(
            world,
            "s3",
            "list_object_versions",
            &json!({"Bucket": name}),
        );
        let versions = found["Versions"].as_array().cloned().unwrap_or_default();
        let one =
            |version: &Value| json!({"Key": version["Key"], "VersionId": version["VersionId"]});
        let objects: Vec<_> = versions.iter().map(one).collect();
        if !objects.is_empty() {
            let call = json!({"Bucket": name, "Delete": {"Objects": objects}});
            ask(world, "s3", "delete_objects", &call);
        }
    }
}

/// The order in which an earlier version deleted stacks where Kubernetes had made a load balancer; then the network failed.
const ORDER: [&str; 4] = ["pool-workers", "control-plane", "edge", "base"];

/// What it left after so many of them is finished.
fn is_finished_after(gone: usize) {
    let world = World::small(&format!("half-{gone}"));
    let empty = made::list(&world);
    world.apply().ends(0);
    let ours = made::ours(&world);
    for kind in &ORDER[..gone] {
        if *kind == "base" {
            empty_buckets(&world);
        }
        assert_eq!(delete_stack(&world, kind, &[]), "DELETE_COMPLETE", "{kind}");
    }
    if gone == ORDER.len() {
        assert_eq!(delete_stack(&world, "network", &[]), "DELETE_FAILED");
    }
    let machine = &ours.of("machine")[0];
    assert!(made::list(&world).has(&format!("machine {machine}")));
    world
        .delete()
        .ends(0)
        .tells(&format!("half-{gone} is deleted"));
    let after = made::list(&world);
    after.has_none_of(&ours.keys_without(&["volume", "snapshot"]));
    let kept: BTreeSet<_> = (ours.keys().into_iter())
        .chain(after.of("snapshot"))
        .chain(after.of("record"))
        .collect();
    after.has_only(&[&empty.keys(), &kept]);
}

#[test]
fn cluster_without_pools_is_finished() {
    is_finished_after(1);
}

#[test]
fn cluster_without_control_plane_is_finished() {
    is_finished_after(2);
}

#[test]
fn cluster_without_edge_is_finished() {
    is_finished_after(3);
}

#[test]
fn cluster_whose_network_failed_to_be_deleted_is_finished() {
    is_finished_after(4);
}

/// Somebody deleted the stacks in the console, which offers to retain what could not be deleted.
#[test]
fn what_stacks_deleted_without_the_program_left_is_shown_and_goes() {
    let world = World::small("console");
    let empty = made::list(&world);
    world.apply().ends(0);
    world.cluster("kubeconfig", &["--user", "u"]).ends(0);
    for kind in ["pool-workers", "control-plane", "edge", "network"] {
        assert_eq!(delete_stack(&world, kind, &[]), "DELETE_COMPLETE", "{kind}");
    }
    let base = made::list(&world);
    assert_eq!(delete_stack(&world, "base", &[]), "DELETE_FAILED");
    let status = delete_stack(&world, "base", &["StateBucket", "OidcBucket"]);
    assert_eq!(status, "DELETE_COMPLETE");
    // Who wants to read the last snapshots keeps the key, and may forget it.
    let key = base.of("key").into_iter().next().expect("a key");
    let key = json!({"KeyId": key.strip_prefix("key ")});
    for method in ["cancel_key_deletion", "enable_key"] {
        ask(&world, "kms", method, &key);
    }
    let left = made::list(&world);
    let (buckets, keys) = (left.of("bucket"), left.of("key"));
    assert!(!buckets.is_empty(), "{:?}", base.of("bucket"));
    assert!(!left.of("parameter").is_empty());
    let plan = world.cluster("delete", &["--plan"]);
    plan.ends(0);
    for key in buckets.iter().chain(&keys) {
        let id = key.split_once(' ').expect("a key").1;
        plan.prints(id.rsplit('/').next().expect("an id"));
    }
    made::list(&world).is(&left);
    world.delete().ends(0);
    let after = made::list(&world);
    let snapshots = after.of("snapshot");
    after.has_only(&[&empty.keys(), &snapshots, &keys]);
    for kind in ["bucket", "parameter"] {
        assert_eq!(after.of(kind), BTreeSet::new());
    }
    // CloudFormation puts none of its own tags on keys: nothing proves whose it is.
    assert_eq!(after.of("key"), keys);
    world.delete().ends(0).tells("nothing to delete");
}

/// Nobody knows the address of the API any more: what Kubernetes made goes by AWS's calls, and that is said.
#[test]
fn cluster_whose_edge_is_lost_is_deleted_without_its_api() {
    let world = World::small("edgeless");
    world.apply().ends(0);
    let ours = made::ours(&world);
    assert_eq!(delete_stack(&world, "edge", &[]), "DELETE_COMPLETE");
    let before = made::list(&world);
    let why = "its address is not known, as the edge stack is gone";
    let server = ["--confirm", "edgeless", "--server", "https://127.0.0.1:1"];
    world
        .cluster("delete", &server)
        .ends(5)
        .tells(why)
        .tells("leave --server out");
    made::list(&world).is(&before);
    world
        .delete()
        .ends(0)
        .tells(why)
        .tells("are not protected from the cluster's own controllers")
        .tells("edgeless is deleted");
    made::list(&world).has_none_of(&ours.keys_without(&["volume", "snapshot"]));
}

/// Deletes a stack in two steps, as the console does it: what fails at first is retained then. Its logical ids.
fn retain_rest(world: &World, kind: &str) -> Vec<String> {
    assert_eq!(delete_stack(world, kind, &[]), "DELETE_FAILED", "{kind}");
    let name = json!({"StackName": format!("{}-{kind}", world.name)});
    let found = ask(world, "cloudformation", "list_stack_resources", &name);
    let all = found["StackResourceSummaries"].as_array().expect("a list");
    let there = all
        .iter()
        .filter(|one| one["ResourceStatus"] != "DELETE_COMPLETE");
    let ids = there.map(|one| one["LogicalResourceId"].as_str().expect("an id"));
    let ids: Vec<String> = ids.map(str::to_owned).collect();
    let retained: Vec<&str> = ids.iter().map(String::as_str).collect();
    let status = delete_stack(world, kind, &retained);
    assert_eq!(status, "DELETE_COMPLETE", "{kind}: {ids:?}");
    ids
}

/// A NAT gateway that could not be deleted keeps its address, and with it most of the network.
#[test]
fn network_that_stacks_left_goes_with_its_gateways_and_addresses() {
    let world = World::small("left-network");
    let empty = made::list(&world);
    world.apply().ends(0);
    for kind in ["pool-workers", "control-plane"] {
        assert_eq!(delete_stack(&world, kind, &[]), "DELETE_COMPLETE", "{kind}");
    }
    world.rules(json!([{"stack": "edge", "type": "AWS::EC2::NatGateway", "op": "delete", "times": 1, "fail": "in use"}]));
    let edge = retain_rest(&world, "edge");
    assert_eq!(edge.len(), 2, "the gateway and its address: {edge:?}");
    let network = retain_rest(&world, "network");
    for id in ["Vpc", "InternetGateway", "PublicSubnetA"] {
        assert!(network.iter().any(|one| one == id), "{network:?}");
    }
    let left = made::list(&world);
    let new = |kind: &str| -> Vec<String> {
        let (all, before) = (left.of(kind), empty.of(kind));
        let new = all.difference(&before);
        new.map(|key| key.split_once(' ').expect("a key").1.to_owned())
            .collect()
    };
    let plan = world.cluster("delete", &["--plan"]);
    plan.ends(0);
    for kind in ["vpc", "nat", "address", "internet", "subnet"] {
        let ids = new(kind);
        assert!(!ids.is_empty(), "{kind}");
        for id in ids {
            plan.prints(&id);
        }
    }
    made::list(&world).is(&left);
    world.delete().ends(0);
    let after = made::list(&world);
    let kept = after.of("snapshot").into_iter().chain(after.of("record"));
    after.has_only(&[&empty.keys(), &kept.collect()]);
    world.delete().ends(0).tells("nothing to delete");
}

#[test]
fn database_that_its_stack_left_is_named_at_once_and_never_deleted() {
    let world = World::with_database("left-db");
    world.apply().ends(0);
    world.rules(json!([{"stack": "database", "type": "AWS::RDS::DBInstance", "op": "delete", "times": 1, "fail": "busy"}]));
    retain_rest(&world, "database");
    let databases = made::list(&world).of("database");
    let [database] = &databases.iter().collect::<Vec<_>>()[..] else {
        panic!("{databases:?}")
    };
    let id = database.strip_prefix("database ").expect("a database");
    let plan = world.cluster("delete", &["--plan"]);
    plan.ends(0).prints(id).prints("--no-deletion-protection");
    let json = world.cluster("delete", &["--plan", "-o", "json"]);
    let json: Value = serde_json::from_str(&json.ends(0).stdout).expect("JSON");
    assert_eq!(json["foreign"][0]["id"], id);
    assert_eq!(json["foreign"][0]["holdsNetwork"], true);
    let status = world.status();
    assert!(status.to_string().contains(id), "{status:#}");
    let said = world.delete();
    said.ends(4)
        .tells(id)
        .tells("!!")
        .tells("delete-db-instance");
    let after = made::list(&world);
    assert!(after.has(database));
    assert_eq!(after.facts("stack left-db-network"), "CREATE_COMPLETE");
    // The commands, as they are printed.
    let identifier = json!({"DBInstanceIdentifier": id, "DeletionProtection": false});
    ask(&world, "rds", "modify_db_instance", &identifier);
    let last =
        json!({"DBInstanceIdentifier": id, "FinalDBSnapshotIdentifier": format!("{id}-final")});
    ask(&world, "rds", "delete_db_instance", &last);
    world.delete().ends(0).tells("left-db is deleted");
    let after = made::list(&world);
    for kind in ["stack", "database"] {
        assert_eq!(after.of(kind), BTreeSet::new());
    }
    assert!(after.has(&format!("dbsnapshot {id}-final")));
}

#[test]
fn key_that_its_stack_left_is_scheduled_for_deletion() {
    let world = World::small("left-key");
    world.apply().ends(0);
    for kind in ["pool-workers", "control-plane", "edge", "network"] {
        assert_eq!(delete_stack(&world, kind, &[]), "DELETE_COMPLETE", "{kind}");
    }
    world.rules(json!([{"stack": "base", "type": "AWS::KMS::Key", "op": "delete", "times": 1, "fail": "busy"}]));
    let rest = retain_rest(&world, "base");
    assert!(rest.iter().any(|id| id == "Key"), "{rest:?}");
    let keys = made::list(&world).of("key");
    let key = keys.into_iter().next().expect("a key");
    let id = key.rsplit('/').next().expect("an id");
    let plan = world.cluster("delete", &["--plan"]);
    plan.ends(0).prints(id).prints("30 days");
    let said = world.delete();
    said.ends(0).tells(id).tells("cancel-key-deletion");
    let about = ask(&world, "kms", "describe_key", &json!({"KeyId": id}));
    assert_eq!(about["KeyMetadata"]["KeyState"], "PendingDeletion");
    // It is named with its date until it is gone.
    let again = world.delete();
    again
        .ends(0)
        .tells("nothing to delete")
        .tells(id)
        .tells("deleted for good on 20");
}
