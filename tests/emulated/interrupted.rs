//! Runs that are stopped, killed or concurrent: AWS continues, and nothing is done twice.

use kube_cfn::cloud::Cloud;
use serde_json::{Value, json};

use crate::kills::Kills;
use crate::tools::{ask, creations, events, kubectl};
use crate::world::World;

/// Keeps the edge busy until long after a run is stopped and another one begun.
fn slow_edge(world: &World) {
    world.rules(json!([{
        "type": "AWS::EC2::NatGateway", "op": "create", "stack": "edge", "delay": 8
    }]));
}

/// Every stack was created once, and none of them is there twice.
async fn created_once(world: &World) {
    let found = world.aws().await.stacks(Some(&world.name)).await;
    let mut kinds: Vec<String> = found
        .expect("stacks")
        .into_iter()
        .map(|stack| stack.kind)
        .collect();
    kinds.sort();
    assert_eq!(
        kinds,
        ["base", "control-plane", "edge", "network", "pool-workers"]
    );
    let name = |kind: &String| format!("{}-{kind}", world.name);
    let names: Vec<String> = kinds.iter().map(name).collect();
    for (name, events) in names.iter().zip(events(world, &names)) {
        assert_eq!(creations(name, &events), 1, "{name}: {events:?}");
        let updated = |event: &Value| event["ResourceStatus"] == "UPDATE_IN_PROGRESS";
        assert!(!events.iter().any(updated), "{name}: {events:?}");
    }
}

fn all_complete(world: &World) {
    let standing = world.standing();
    let complete = |line: &String| line.ends_with(" CREATE_COMPLETE");
    assert!(standing.iter().all(complete), "{standing:?}");
}

#[tokio::test]
async fn an_interrupted_run_detaches_and_the_next_one_finishes() {
    let world = World::small("detached");
    slow_edge(&world);
    let mut run = world.spawn(&["apply", "detached", "--yes"]);
    run.until(&[" NatGateway ", "CREATE_IN_PROGRESS"]);
    run.interrupt();
    run.wait()
        .ends(6)
        .tells("edge continues in AWS")
        .tells("detached: nothing was cancelled")
        .tells("`kube-cfn apply detached` resumes it");
    assert!(
        world
            .standing()
            .contains(&"edge CREATE_IN_PROGRESS".to_owned())
    );
    world
        .apply()
        .ends(0)
        .tells("> edge             in progress: will follow it, then re-plan");
    all_complete(&world);
    created_once(&world).await;
}

/// Kills `apply` at its calls: the next run finishes it, and does nothing twice.
async fn killed_at_its_calls(name: &str, when: &'static str) {
    let world = World::small(name);
    let kills = Kills { calls: 20, when };
    // On the same machine the next run does not wait for the lock of the one before.
    kills
        .until_done(&world, &["apply", name, "--yes"], &json!({}), |_| ())
        .ends(0)
        .omits("waiting up to");
    all_complete(&world);
    created_once(&world).await;
}

#[tokio::test]
async fn a_run_killed_before_its_calls_is_finished_and_nothing_is_done_twice() {
    killed_at_its_calls("killed", "before").await;
}

#[tokio::test]
async fn a_run_killed_after_its_calls_is_finished_and_nothing_is_done_twice() {
    killed_at_its_calls("killed-late", "after").await;
}

#[tokio::test]
async fn the_lock_of_a_killed_run_is_taken_over_with_its_reason() {
    let world = World::small("taken-over");
    slow_edge(&world);
    let mut first = world.spawn(&["apply", "taken-over", "--yes"]);
    first.until(&[" edge ", " started "]);
    assert_eq!(first.kill().code, None);
    world
        .apply()
        .ends(0)
        .tells("the operation lock of `apply` by arn:aws:")
        .tells("has ended")
        .omits("waiting up to");
    all_complete(&world);
    created_once(&world).await;
}

#[tokio::test]
async fn an_interrupted_deletion_is_resumed() {
    let world = World::small("unfinished");
    world.apply().ends(0);
    world.rules(json!([{
        "type": "AWS::AutoScaling::AutoScalingGroup", "op": "delete", "delay": 3
    }]));
    let mut run = world.spawn(&["delete", "unfinished", "--confirm", "unfinished"]);
    run.until(&[" DELETE_IN_PROGRESS "]);
    run.interrupt();
    run.wait()
        .ends(6)
        .tells("`kube-cfn delete unfinished` resumes it");
    world.delete().ends(0).tells("unfinished is deleted");
    let found = world.aws().await.stacks(Some("unfinished")).await;
    assert_eq!(found, Ok(Vec::new()));
}

/// The operation lock as it is stored.
fn lock(world: &World) -> Value {
    let name = json!({"Name": format!("/kube-cfn/{}/operation", world.name)});
    let stored = ask(world, "ssm", "get_parameter", &name);
    let text = stored["Parameter"]["Value"].as_str().expect("a lock");
    serde_json::from_str(text).expect("JSON")
}

#[tokio::test]
async fn of_two_runs_at_once_one_is_refused_and_everything_is_created_once() {
    let world = World::small("both");
    slow_edge(&world);
    let mut first = world.spawn(&["apply", "both", "--yes"]);
    first.until(&[" base ", " started "]);
    let held = lock(&world);
    assert_eq!(
        (&held["verb"], &held["ended"]),
        (&json!("apply"), &Value::Null)
    );
    for command in [&["apply", "--yes"][..], &["delete", "--confirm", "both"]] {
        world
            .cluster(command[0], &command[1..])
            .ends(5)
            .tells("both: `apply` by arn:aws:")
            .tells("holds the operation lock; nothing was changed")
            .tells("`kube-cfn watch both` follows it");
    }
    assert_eq!(world.status()["operation"]["verb"], "apply");
    world
        .cluster("watch", &[])
        .tells("holds the operation lock");
    world.cluster("plan", &[]).ends(0);
    first.wait().ends(0).tells("context both ");
    all_complete(&world);
    created_once(&world).await;
    assert_ne!(lock(&world)["ended"], Value::Null);
    assert_eq!(world.status()["operation"], Value::Null);

    let raw = ["config", "view", "--raw", "-o"];
    let path = "jsonpath={.clusters[0].cluster.certificate-authority-data}";
    world.write("ca.b64", &kubectl(&world, &[&raw[..], &[path]].concat()));
    let parameter = json!({"Name": "/kube-cfn/both/pub/ca.crt"});
    let kept = ask(&world, "ssm", "get_parameter", &parameter);
    let kept = kept["Parameter"]["Value"].as_str().expect("PEM");
    crate::tools::openssl(
        &world,
        &["base64", "-d", "-A", "-in", "ca.b64", "-out", "ca.pem"],
    );
    assert_eq!(world.read("ca.pem"), kept);
    let own = world.cluster("kubeconfig", &["--stdout", "--user", "u"]);
    own.ends(0);
}

#[tokio::test]
async fn apply_during_a_deletion_is_refused() {
    let world = World::small("going");
    world.apply().ends(0);
    world.rules(json!([{
        "type": "AWS::AutoScaling::AutoScalingGroup", "op": "delete", "delay": 3
    }]));
    let mut deletion = world.spawn(&["delete", "going", "--confirm", "going"]);
    deletion.until(&[" DELETE_IN_PROGRESS "]);
    world
        .apply()
        .ends(5)
        .tells("going: `delete` by arn:aws:")
        .omits("Nothing to do");
    deletion.wait().ends(0).tells("going is deleted");
    let left = ask(&world, "ssm", "describe_parameters", &json!({}));
    assert_eq!(left["Parameters"], json!([]), "the lock goes last");
    world.apply().ends(0);
}

/// Before a run has a stack its lock is all that shows it: no all-clear, and no "never created".
#[tokio::test]
async fn run_that_has_no_stack_yet_is_followed() {
    let world = World::small("early");
    world.apply().ends(0);
    let mut held = lock(&world);
    world.delete().ends(0);
    held["ended"] = Value::Null;
    held["replaces"] = json!(0);
    held["process"]["boot"] = json!("elsewhere");
    let put =
        json!({"Name": "/kube-cfn/early/operation", "Type": "String", "Value": held.to_string()});
    ask(&world, "ssm", "put_parameter", &put);
    let mut watch = world.spawn(&["watch", "early", "--progress", "plain"]);
    watch.until(&["waiting for the run that holds the operation lock"]);
    watch.interrupt();
    watch.wait().ends(6).omits("has no stacks");
    assert_eq!(world.status()["operation"]["verb"], "apply");
    world.cluster("status", &["--check"]).ends(4);
    world
        .cluster("diagnose", &[])
        .ends(1)
        .tells("early has no stacks: `apply` by arn:aws:")
        .tells("`kube-cfn watch early` follows it")
        .omits("never created");
}

/// While a run waits for a holder on another machine, somebody deletes a stack.
#[tokio::test]
async fn stacks_that_move_between_plan_and_lock_are_named() {
    let world = World::small("shifted");
    world.apply().ends(0);
    world.edit("max: 1", "max: 3");
    let mut held = lock(&world);
    held["ended"] = Value::Null;
    held["process"]["boot"] = json!("elsewhere");
    let renew = |number: i64| {
        let mut held = held.clone();
        held["replaces"] = json!(number);
        let put = json!({"Name": "/kube-cfn/shifted/operation", "Overwrite": true,
            "Type": "String", "Value": held.to_string()});
        ask(&world, "ssm", "put_parameter", &put)["Version"].clone()
    };
    let version = renew(0).as_i64().expect("a version");
    renew(version);
    let mut second = world.spawn(&["apply", "shifted", "--yes"]);
    second.until(&["waiting up to 90s to see whether it still runs"]);
    let network = json!({"StackName": "shifted-pool-workers"});
    ask(&world, "cloudformation", "delete_stack", &network);
    let mut ended = held.clone();
    ended["ended"] = json!("2026-01-01T00:00:00Z");
    ended["replaces"] = json!(version + 1);
    let put = json!({"Name": "/kube-cfn/shifted/operation", "Overwrite": true,
        "Type": "String", "Value": ended.to_string()});
    ask(&world, "ssm", "put_parameter", &put);
    second
        .wait()
        .ends(5)
        .tells("the stacks of shifted have moved since the plan was shown; nothing was changed")
        .tells("shifted-pool-workers was")
        .tells("re-run `kube-cfn apply shifted`: it plans again");
    assert_ne!(lock(&world)["ended"], Value::Null);
}
