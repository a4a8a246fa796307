//! What AWS resizes by itself: groups whose zones are evened out, a maximum below what runs, storage that RDS grew.

use serde_json::{Value, json};

use crate::tools::ask;
use crate::world::World;

/// A group of a stack, as Auto Scaling describes it.
fn group(world: &World) -> Value {
    let stack = json!({"StackName": format!("{}-pool-workers", world.name)});
    let stack = ask(world, "cloudformation", "describe_stacks", &stack);
    let name = &stack["Stacks"][0]["Outputs"];
    let mut outputs = name.as_array().expect("outputs").iter();
    let name = outputs.find(|one| one["OutputKey"] == "Group");
    let names = json!({"AutoScalingGroupNames": [name.expect("an output")["OutputValue"]]});
    let found = ask(world, "autoscaling", "describe_auto_scaling_groups", &names);
    found["AutoScalingGroups"][0].clone()
}

fn suspended(world: &World) -> Vec<Value> {
    let group = group(world);
    let all = group["SuspendedProcesses"].as_array().expect("a list");
    all.iter().map(|one| one["ProcessName"].clone()).collect()
}

fn database(world: &World) -> Value {
    let found = ask(world, "rds", "describe_db_instances", &json!({}));
    found["DBInstances"][0].clone()
}

fn modify_database(world: &World, arguments: &Value) {
    let mut arguments = arguments.clone();
    arguments["DBInstanceIdentifier"] = database(world)["DBInstanceIdentifier"].clone();
    arguments["ApplyImmediately"] = true.into();
    ask(world, "rds", "modify_db_instance", &arguments);
}

/// The layer of `doctor` about the zones of the pool.
fn layer(world: &World) -> Value {
    let said = world.cluster("doctor", &["-o", "json"]);
    let found: Value = serde_json::from_str(&said.stdout).expect("JSON");
    let mut layers = found["layers"].as_array().expect("layers").iter();
    let layer = layers.find(|layer| layer["layer"] == "AZRebalance");
    layer.expect("a layer").clone()
}

#[test]
fn rebalancing_of_zones_is_suspended_and_named_when_it_is_back() {
    let world = World::small("rebalanced");
    world
        .apply()
        .ends(0)
        .tells("suspended AZRebalance: Machines of node pool workers (1 to 1) (Group)");
    assert_eq!(suspended(&world), ["AZRebalance"]);
    assert_eq!(
        group(&world)["AvailabilityZones"],
        json!(["eu-west-1a", "eu-west-1b"])
    );
    assert_eq!(layer(&world)["state"], "holds");
    world
        .cluster("plan", &["--detailed-exitcode"])
        .ends(0)
        .prints("Nothing to do");

    let resumed = json!({"AutoScalingGroupName": group(&world)["AutoScalingGroupName"]});
    ask(&world, "autoscaling", "resume_processes", &resumed);
    let open = layer(&world);
    assert_eq!(open["state"], "missing", "{open:#}");
    assert_eq!(open["next"], "`kube-cfn apply rebalanced`");
    world
        .cluster("plan", &["--detailed-exitcode"])
        .ends(2)
        .prints("~ pool-workers     update    the processes of its groups only")
        .prints("AZRebalance will be suspended: Machines of node pool workers")
        .prints("Plan: 0 to create, 1 to update, 4 unchanged.");
    let plan = world.cluster("plan", &["-o", "json"]);
    let plan: Value = serde_json::from_str(&plan.ends(0).stdout).expect("JSON");
    let pool = plan["stacks"].as_array().expect("stacks").iter();
    let pool = pool.filter(|stack| stack["stack"] == "pool-workers");
    let pool: Vec<_> = pool.collect();
    assert_eq!(pool[0]["action"], "suspend");
    assert_eq!(pool[0]["rebalancing"], json!(["Group"]));
    world.apply().ends(0);
    assert_eq!(suspended(&world), ["AZRebalance"]);
    world.apply().ends(0).tells("Nothing to do");
}

#[test]
fn maximum_below_the_machines_that_run_is_refused() {
    let world = World::small("crowded");
    world.edit("max: 1", "max: 4");
    world.apply().ends(0);
    let name = group(&world)["AutoScalingGroupName"].clone();
    let three = json!({"AutoScalingGroupName": name, "DesiredCapacity": 3});
    ask(&world, "autoscaling", "set_desired_capacity", &three);
    world.edit("max: 4", "max: 2");
    world
        .cluster("plan", &[])
        .ends(5)
        .prints("3 machines run in Machines of node pool workers")
        .prints("write `max: 3` for the pool");
    world.apply().ends(5).tells("nothing was changed");
    assert_eq!(group(&world)["DesiredCapacity"], 3);
    assert_eq!(group(&world)["MaxSize"], 4);
    world.edit("max: 2", "max: 3");
    world.apply().ends(0);
    assert_eq!(group(&world)["DesiredCapacity"], 3);
}

#[test]
fn storage_that_rds_grew_is_no_drift_and_is_never_sent_back() {
    let world = World::with_database("grown");
    world.edit("multiAz: false", "multiAz: false\n  storageGib: 20");
    world.apply().ends(0);
    modify_database(&world, &json!({"AllocatedStorage": 30}));
    // The emulated drift detection sees what a rule says.
    world.rules(
        json!([{"op": "drift", "stack": "database", "logical": "Database",
        "actual": {"/AllocatedStorage": "30"}}]),
    );
    let plan = world.cluster("plan", &["--detailed-exitcode"]);
    plan.ends(0)
        .prints("RDS grew its storage from 20 to 30 GiB by itself")
        .prints("Nothing to do");
    assert!(
        !plan.stdout.contains("AllocatedStorage is"),
        "{}",
        plan.stdout
    );

    world.edit("db.t4g.medium", "db.t4g.large");
    world
        .cluster("plan", &[])
        .ends(5)
        .prints("RDS refuses less than there is")
        .prints("write `storageGib: 30` under `database:`");
    world.apply().ends(5).tells("nothing was changed");
    assert_eq!(database(&world)["DBInstanceClass"], "db.t4g.medium");
    world.edit("storageGib: 20", "storageGib: 30");
    world.rules(json!([]));
    world.apply().ends(0);
    assert_eq!(database(&world)["DBInstanceClass"], "db.t4g.large");
    assert_eq!(database(&world)["AllocatedStorage"], 30);
}

#[test]
fn engine_version_that_runs_is_never_taken_back() {
    let world = World::with_database("minor");
    world.edit(
        "multiAz: false",
        "multiAz: false\n  engineVersion: \"17.9\"",
    );
    world.apply().ends(0);
    modify_database(&world, &json!({"EngineVersion": "17.99"}));
    world.edit("db.t4g.medium", "db.t4g.large");
    world
        .cluster("plan", &[])
        .ends(0)
        .prints("RDS runs version 17.99, the template has 17.9");
    world.edit("17.9", "17.10");
    world
        .cluster("plan", &[])
        .ends(5)
        .prints("write `engineVersion: \"17.99\"`");
}

#[test]
fn major_version_that_somebody_made_by_hand_can_be_written_down() {
    let world = World::with_database("raised");
    world.edit(
        "multiAz: false",
        "multiAz: false\n  engineVersion: \"17.10\"",
    );
    world.apply().ends(0);
    world.edit("17.10", "18.4");
    world.cluster("plan", &[]).ends(5).prints("engine-major: ");
    let upgrade = json!({"EngineVersion": "18.4", "AllowMajorVersionUpgrade": true});
    modify_database(&world, &upgrade);
    world
        .cluster("plan", &[])
        .ends(0)
        .prints("RDS runs 18.4 already");
    world.apply().ends(0);
    assert_eq!(database(&world)["EngineVersion"], "18.4");
}

#[test]
fn setting_back_a_group_in_which_more_machines_run_is_refused() {
    let world = World::small("raised-group");
    world.edit("max: 1", "max: 2");
    world.apply().ends(0);
    let name = group(&world)["AutoScalingGroupName"].clone();
    let raised = json!({"AutoScalingGroupName": name, "MaxSize": 9, "DesiredCapacity": 3});
    ask(&world, "autoscaling", "update_auto_scaling_group", &raised);
    world.rules(json!([{"op": "drift", "logical": "Group", "actual": {"/MaxSize": "9"}}]));
    world
        .cluster("plan", &["--revert-drift"])
        .ends(5)
        .prints("max-below-running: 3 machines run");
    world.cluster("apply", &["--revert-drift", "--yes"]).ends(5);
    assert_eq!(group(&world)["DesiredCapacity"], 3);
}
