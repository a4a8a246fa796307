//! Drift: none on a fresh cluster; what needs action is no all-clear; the way back that is advised leads back.

use serde_json::{Value, json};

use crate::tools::ask;
use crate::world::World;

fn joined(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Every drifted resource that a plan shows, and its JSON.
fn plan(world: &World, exit: i32) -> (Vec<Value>, Value) {
    let said = world.cluster("plan", &["--detailed-exitcode", "-o", "json"]);
    let shown: Value = serde_json::from_str(&said.ends(exit).stdout).expect("JSON");
    let stacks = shown["stacks"].as_array().expect("stacks").iter();
    let drift = stacks.filter_map(|stack| stack["drift"].as_array());
    (drift.flatten().cloned().collect(), shown)
}

#[test]
fn a_fresh_cluster_has_no_drift() {
    for world in [World::with_database("calm"), World::small("calm-small")] {
        world.apply().ends(0);
        let (drift, shown) = plan(&world, 0);
        assert_eq!(drift, Vec::<Value>::new());
        assert_eq!(shown["drift"]["unknown"], 0);
        assert_eq!(shown["drift"]["notLooked"], 0);
        let text = world.cluster("plan", &[]);
        text.ends(0).prints("stacks are as defined.");
        let text = joined(&text.stdout);
        assert!(
            text.contains("CloudFormation does not compare key policies"),
            "{text}"
        );
    }
}

#[test]
fn drift_that_needs_action_is_no_all_clear_and_can_be_set_back() {
    let world = World::with_database("moved");
    world.apply().ends(0);
    world.rules(json!([
        {"op": "drift", "logical": "Group", "actual": {"/MaxSize": "9"}},
        {"op": "drift", "logical": "Database", "actual": {"/MultiAZ": "true"}}
    ]));
    let (drift, shown) = plan(&world, 2);
    assert_eq!(drift.len(), 2, "{drift:#?}");
    assert!(drift.iter().all(|one| one["state"] == "needsAction"));
    assert_eq!(shown["changes"], false);
    let text = joined(&world.cluster("plan", &[]).ends(0).stdout);
    assert!(!text.contains("as defined"), "{text}");
    assert!(
        text.contains("but 2 resources in AWS differ.") && text.contains("--revert-drift"),
        "{text}"
    );
    world.apply().ends(4).tells("2 resources of moved changed");
    // As the plan advises.
    let shown = world.cluster("plan", &["--revert-drift", "--detailed-exitcode"]);
    shown
        .ends(2)
        .prints("MaxSize: 9 -> 1")
        .prints("MultiAZ: true -> false");
    let back = world.cluster("apply", &["--revert-drift", "--yes"]);
    back.ends(0).tells("MaxSize: 9 -> 1");
    assert_eq!(plan(&world, 0).0, Vec::<Value>::new());
}

#[test]
fn a_resource_that_is_gone_is_refused_before_the_first_stack_and_created_again() {
    let world = World::small("gone");
    world.apply().ends(0);
    world.rules(json!([
        {"op": "drift", "stack": "pool-workers", "logical": "LaunchTemplate", "gone": true},
        {"op": "update", "stack": "pool-workers", "logical": "LaunchTemplate", "fail": "could not be found"}
    ]));
    let (drift, _) = plan(&world, 2);
    assert_eq!(drift.len(), 1, "{drift:#?}");
    let way = drift[0]["remedy"].as_str().expect("a remedy");
    assert!(
        way.contains("`kube-cfn apply gone --revert-drift`"),
        "{way}"
    );
    world.apply().ends(4);
    // An update that would meet it: before today five stacks were updated first.
    world.edit("protect: false", "protect: false\ntags:\n  team: blue");
    let refused = world.apply();
    refused
        .ends(4)
        .tells("was deleted outside CloudFormation")
        .tells("nothing was changed");
    let name = json!({"StackName": "gone-base"});
    let base = ask(&world, "cloudformation", "describe_stacks", &name);
    assert_eq!(base["Stacks"][0]["StackStatus"], "CREATE_COMPLETE");
    world.edit("\ntags:\n  team: blue", "");
    let back = world.cluster("apply", &["--revert-drift", "--yes"]);
    back.ends(0).tells("(LaunchTemplate) added");
    assert_eq!(plan(&world, 0).0, Vec::<Value>::new());
}

#[test]
fn a_lost_database_is_not_created_again_empty() {
    let world = World::with_database("lost");
    world.apply().ends(0);
    world.rules(json!([{"op": "drift", "logical": "Database", "gone": true}]));
    let (drift, _) = plan(&world, 2);
    let way = drift[0]["remedy"].as_str().expect("a remedy");
    assert!(way.contains("`database.restoreFrom`"), "{way}");
    // Asked to set drift back, it does not make an empty one in its place.
    let kept = world.cluster("apply", &["--revert-drift", "--yes"]);
    kept.ends(4).tells("Nothing that apply changes");
    // As advised.
    world.edit("multiAz: false", "multiAz: false\n  restoreFrom: monday");
    let shown = world.cluster("plan", &["--allow-data-loss", "lost-database/Database"]);
    let text = joined(&shown.ends(0).stdout);
    assert!(
        text.contains("it is gone already: nothing is left to keep")
            && text.contains("a database restored from the snapshot"),
        "{text}"
    );
    assert!(
        !text.contains("a last snapshot is taken") && !text.contains("empty database"),
        "{text}"
    );
    assert!(shown.stdout.lines().all(|line| line.chars().count() <= 80));
}

#[test]
fn storage_above_its_limit_and_another_major_of_the_engine_have_to_be_written_down() {
    let world = World::with_database("overgrown");
    world.apply().ends(0);
    world.rules(
        json!([{"op": "drift", "logical": "Database", "actual": {"/AllocatedStorage": "4000"}}]),
    );
    let (drift, _) = plan(&world, 2);
    let way = drift[0]["remedy"].as_str().expect("a remedy");
    assert!(way.contains("AWS can't set AllocatedStorage back"), "{way}");
    world.rules(
        json!([{"op": "drift", "logical": "Database", "actual": {"/EngineVersion": "99.1"}}]),
    );
    let (drift, _) = plan(&world, 2);
    let way = drift[0]["remedy"].as_str().expect("a remedy");
    assert!(way.contains("AWS can't set EngineVersion back"), "{way}");
    assert!(!way.contains("--revert-drift"), "{way}");
}

#[test]
fn a_long_value_is_shown_where_it_differs() {
    let world = World::small("widened");
    world.apply().ends(0);
    let name = json!({"StackName": "widened-base"});
    let resources = ask(&world, "cloudformation", "describe_stack_resources", &name);
    let all = resources["StackResources"].as_array().expect("resources");
    let role = all
        .iter()
        .find(|one| one["LogicalResourceId"] == "ClusterAutoscalerRole");
    let role = role.expect("the role")["PhysicalResourceId"].clone();
    let live = ask(&world, "iam", "get_role", &json!({"RoleName": role}));
    let mut trust = live["Role"]["AssumeRolePolicyDocument"].clone();
    trust["Statement"][0]["Condition"]["StringEquals"]["intruder:sub"] = json!("anybody");
    let document = json!({"RoleName": role, "PolicyDocument": trust.to_string()});
    ask(&world, "iam", "update_assume_role_policy", &document);
    let text = joined(&world.cluster("plan", &[]).ends(0).stdout);
    assert!(
        text.contains(
            "AssumeRolePolicyDocument.Statement.0.Condition.StringEquals.intruder:sub is anybody, the template has absent"
        ),
        "{text}"
    );
    assert!(!text.contains("2012-10-17"), "{text}");
    let full = joined(&world.cluster("plan", &["--full"]).ends(0).stdout);
    assert!(full.contains("2012-10-17"), "{full}");
    let (drift, _) = plan(&world, 2);
    let actual = drift[0]["drift"]["differences"][0]["actual"].as_str();
    assert!(actual.expect("whole").contains("2012-10-17"));
    // CloudFormation's own look and the tool's agree.
    let doctor = joined(&world.cluster("doctor", &[]).ends(4).stdout);
    assert!(
        doctor.contains("trust: ") && doctor.contains("update-assume-role-policy"),
        "{doctor}"
    );
}

#[test]
fn drift_is_shown_with_both_values() {
    let world = World::with_database("by-hand");
    world.apply().ends(0);
    world.edit("db.t4g.medium", "db.t4g.large");
    world.rules(json!([
        {"op": "drift", "logical": "Database",
         "actual": {"/DBInstanceClass": "db.m7g.large", "/MultiAZ": "true"}},
        {"op": "drift", "logical": "Group", "actual": {"/MaxSize": "9"}}
    ]));
    let plan = world.cluster("plan", &[]);
    let text = joined(&plan.ends(0).stdout);
    for line in [
        "DBInstanceClass is db.m7g.large, the template has db.t4g.medium; changed outside kube-cfn; this run will reset it",
        "MultiAZ is true, the template has false; changed outside kube-cfn; this run won't touch it; to keep it, write it \
         at `database.multiAz`",
        "MaxSize is 9, the template has 1; changed outside kube-cfn; this run won't touch it; to keep it, write it at \
         `pools[workers].max`",
        "next: to set it back: `kube-cfn apply by-hand --revert-drift`",
        "a move to another machine: several minutes",
    ] {
        assert!(text.contains(line), "{line}\n{}", plan.stdout);
    }
    let away = world.cluster("plan", &["--no-drift"]);
    away.ends(0).prints("Drift was not looked for.");
    assert!(!away.stdout.contains("drift: "), "{}", away.stdout);
    // A run looks only where it changes something, and what it leaves as it is is no all-clear.
    let said = world.apply();
    said.ends(4)
        .tells("db.m7g.large")
        .tells("1 resource of by-hand changed outside kube-cfn");
    assert!(!said.stderr.contains("MaxSize is 9"), "{}", said.stderr);
}
