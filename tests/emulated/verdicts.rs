//! A verdict is given only about what was looked at, and the exit code says it: `watch`, `diagnose`, `status --check`,
//! and what was not found.

use std::fs;

use kube_cfn::cloud::Store;
use serde_json::{Value, json};

use crate::process::Said;
use crate::tools::ask;
use crate::world::World;

/// An account in which the cluster is not.
const ELSEWHERE: &str = "999999999999";

/// The program with credentials of another account.
fn elsewhere(world: &World, arguments: &[&str]) -> Said {
    Said::of(world.command(arguments).env("AWS_ACCESS_KEY_ID", ELSEWHERE))
}

fn without_lock(world: &World) {
    let lock = format!("clusters/{}.lock.yaml", world.name);
    fs::remove_file(world.path(&lock)).expect("removed");
}

#[test]
fn watch_names_a_status_that_needs_action() {
    let world = World::small("night");
    world.rules(json!([{
        "type": "AWS::AutoScaling::AutoScalingGroup", "op": "create", "stack": "control-plane",
        "logical": "SlotA", "signal": "FAILURE", "times": 1
    }]));
    world.apply().ends(3);
    world
        .cluster("watch", &[])
        .ends(4)
        .tells(
            "night: nothing is moving; 5 stacks at rest, 1 of them in a status that needs action",
        )
        .tells("control-plane is in ROLLBACK_COMPLETE")
        .tells("`kube-cfn diagnose night` shows the cause")
        .omits("as defined")
        .omits("update 5 stacks")
        .omits("nothing to do");
    let said = world.cluster("watch", &["--progress", "json"]);
    let events = said.ends(4).stdout.lines();
    let events: Vec<Value> = events
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    let last = events.last().expect("events");
    assert_eq!(last["type"], "runFinished", "{said}");
    assert_eq!(last["succeeded"], false);
    world
        .cluster("diagnose", &[])
        .ends(4)
        .tells("the last operation on control-plane failed");
    world.cluster("status", &["--check"]).ends(4);

    world.apply().ends(0);
    world.edit("max: 1", "max: 2");
    world
        .cluster("watch", &[])
        .ends(0)
        .tells("night: nothing is moving; 5 stacks at rest")
        .tells("last change ")
        .tells("the definition was not compared: `kube-cfn plan night` does")
        .omits("as defined");
    world.rules(json!([{
        "type": "AWS::EC2::VPC", "op": "delete", "stack": "network", "times": 1,
        "fail": "The vpc has dependencies and cannot be deleted"
    }]));
    world.delete().ends(4);
    world
        .cluster("watch", &[])
        .ends(4)
        .tells("network is in DELETE_FAILED");
}

#[test]
fn watched_operation_decides_the_exit_code() {
    let world = World::small("followed");
    world.apply().ends(0);
    world.edit("max: 1", "max: 2");
    world.rules(json!([{
        "type": "AWS::AutoScaling::AutoScalingGroup", "op": "update", "stack": "pool-workers",
        "times": 1, "delay": 20, "fail": "no capacity"
    }]));
    let mut apply = world.spawn(&["apply", "followed", "--yes", "--progress", "plain"]);
    apply.until(&["pool-workers", "UPDATE_IN_PROGRESS"]);
    world
        .cluster("watch", &[])
        .ends(3)
        .tells("pool-workers is in UPDATE_ROLLBACK_COMPLETE")
        .tells("`kube-cfn diagnose followed` shows the cause");
    apply.wait().ends(3);
}

#[test]
fn cluster_that_is_not_found_is_said_with_the_place() {
    let world = World::small("absent");
    world.apply().ends(0);
    without_lock(&world);
    let place = format!("in account {ELSEWHERE}, region eu-west-1");
    let commands: [&[&str]; 13] = [
        &["status", "absent"],
        &["status", "absent", "--check"],
        &["watch", "absent"],
        &["diagnose", "absent"],
        &["diagnose", "absent", "-o", "json"],
        &["doctor", "absent"],
        &["kubeconfig", "absent"],
        &["certs", "status", "absent"],
        &["certs", "backup", "absent", "--yes"],
        &["certs", "restore", "absent"],
        &["access", "list", "absent"],
        &["etcd", "list", "absent"],
        &["etcd", "snapshot", "absent"],
    ];
    for command in commands {
        elsewhere(&world, command)
            .ends(1)
            .tells("absent has no stacks")
            .tells(&place)
            .tells("wrong profile?")
            .tells("if it was never created, `kube-cfn plan absent`")
            .omits("kube-cfn apply");
    }
    let region = ["status", "absent", "--region", "eu-west-1"];
    fs::rename(world.path("clusters"), world.path("aside")).expect("renamed");
    elsewhere(&world, &region)
        .ends(1)
        .tells(&place)
        .tells("`kube-cfn list --region eu-west-1` shows the clusters there");
    fs::rename(world.path("aside"), world.path("clusters")).expect("renamed");
    // Other than the last run recorded here, nothing is known of it.
    fs::remove_dir_all(world.path("state")).expect("removed");
    elsewhere(&world, &["timeline", "absent"])
        .ends(1)
        .tells(&place)
        .omits("kube-cfn apply");
    let credential = [
        "credential",
        "absent",
        "--region",
        "eu-west-1",
        "--user",
        "ada",
    ];
    elsewhere(&world, &credential)
        .ends(1)
        .tells("no CA of cluster `absent`")
        .tells(&place)
        .omits("kube-cfn apply");
}

#[test]
fn deletion_of_what_is_not_found_is_no_success() {
    let world = World::small("kept");
    world.apply().ends(0);
    let delete = ["delete", "kept", "--confirm", "kept"];
    // The lock file says where it is.
    elsewhere(&world, &delete)
        .ends(5)
        .tells("kept.lock.yaml was resolved in account")
        .tells(&format!("this is account {ELSEWHERE}"))
        .tells("wrong profile?");
    without_lock(&world);
    elsewhere(&world, &delete)
        .ends(1)
        .tells(&format!(
            "kept has no stacks and no parameters in account {ELSEWHERE}, region eu-west-1"
        ))
        .omits("is deleted");
    assert_eq!(world.standing().len(), 5);
}

#[tokio::test]
async fn interrupted_deletion_is_finished_and_a_finished_one_is_said() {
    let world = World::small("halfway");
    world.apply().ends(0);
    world.delete().ends(0).tells("halfway is deleted");
    let aws = world.aws().await;
    let left = "/kube-cfn/halfway/pub/ca.crt";
    aws.put_parameter_if_absent(left, "rest")
        .await
        .expect("stored");
    world
        .delete()
        .ends(0)
        .tells("halfway has no stacks in account")
        .tells("1 parameter will be deleted")
        .tells("halfway is deleted");
    assert_eq!(aws.parameter(left).await, Ok(None));
    let nothing = "nothing to delete: halfway has no stacks and no parameters in account";
    world
        .delete()
        .ends(0)
        .tells(nothing)
        .omits("halfway is deleted");
    // Without the lock file this machine's own record says that one looked in the right place.
    without_lock(&world);
    world.delete().ends(0).tells(nothing);
    fs::remove_dir_all(world.path("state")).expect("removed");
    // The last snapshot of its etcd volume shows that it was here.
    let snapshots = ask(
        &world,
        "ec2",
        "describe_snapshots",
        &json!({"OwnerIds": ["self"]}),
    );
    let id = snapshots["Snapshots"][0]["SnapshotId"].as_str();
    world
        .delete()
        .ends(0)
        .tells(nothing)
        .tells(id.expect("a snapshot"));
}

#[test]
fn refused_server_is_the_one_that_was_given() {
    let world = World::small("tunnelled");
    world.apply().ends(0);
    let server = ["--server", "https://127.0.0.1:1"];
    world
        .cluster("status", &server)
        .ends(0)
        .prints("asked at https://127.0.0.1:1")
        .prints("https://127.0.0.1:1 can't be reached: nothing listens there");
    world
        .cluster("status", &["--check", server[0], server[1]])
        .ends(1)
        .tells("could not check: Kubernetes: https://127.0.0.1:1 can't be reached");
    let certs = ["certs", "status", "tunnelled", server[0], server[1]];
    world
        .run(&certs)
        .prints("https://127.0.0.1:1 can't be reached");
    let said = world.cluster("diagnose", &["-o", "json", server[0], server[1]]);
    let found: Value = serde_json::from_str(&said.ends(1).stdout).expect("JSON");
    assert_eq!(found["schema"], 1);
    assert_eq!(found["verdict"], "unknown");
    assert_eq!(found["failures"], json!([]));
    assert!(
        found["notLookedAt"][0]
            .as_str()
            .expect("text")
            .contains("https://127.0.0.1:1 can't be reached"),
        "{said}"
    );
}

#[test]
fn list_says_where_it_looked() {
    let world = World::small("listed");
    world
        .run(&["list", "--region", "eu-west-11"])
        .ends(64)
        .tells("`eu-west-11` is not a known region")
        .tells("did you mean `eu-west-1`?");
    world
        .run(&["list", "--region", "cn-north-1"])
        .ends(64)
        .tells("China regions are not supported yet");
    for command in ["list", "validate"] {
        world
            .run(&["--clusters", "nope", command])
            .ends(65)
            .tells("there is no directory nope");
    }
    world.cluster("lock", &[]).ends(0);
    let table = elsewhere(&world, &["list"]);
    let account = world.account();
    table
        .ends(0)
        .prints(&format!("not asked: account {account}"));
    without_lock(&world);
    elsewhere(&world, &["list"])
        .ends(0)
        .prints(&format!("no stacks in account {ELSEWHERE}"));
}

#[test]
fn list_looks_in_the_region_of_the_lock_file_too() {
    let world = World::small("moving");
    world.apply().ends(0);
    world.edit("region: eu-west-1", "region: eu-central-1");
    world.edit("[eu-west-1a, eu-west-1b]", "[eu-central-1a, eu-central-1b]");
    world
        .run(&["list"])
        .ends(0)
        .tells(
            "moving: clusters/moving.yaml says that it is in eu-central-1, clusters/moving.lock.yaml says \
             eu-west-1: looked in both",
        )
        .prints("5 stacks CREATE_COMPLETE");
    for command in ["status", "delete", "plan"] {
        world.cluster(command, &[]).ends(5).tells(
            "clusters/moving.lock.yaml says that moving is in eu-west-1, not in eu-central-1",
        );
    }
}
