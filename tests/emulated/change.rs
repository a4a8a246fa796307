//! A cluster that is changed: what is shown first, what is done then, and what is refused.

use std::collections::BTreeMap;

use kube_cfn::cloud::{Cloud, LiveStack};
use serde_json::{Value, json};

use crate::tools::ask;
use crate::world::World;

async fn stacks(world: &World) -> BTreeMap<String, LiveStack> {
    let found = world.aws().await.stacks(Some(&world.name)).await;
    let found = found.expect("stacks").into_iter();
    found.map(|stack| (stack.kind.clone(), stack)).collect()
}

/// Names of the change sets that a stack has.
fn change_sets(world: &World, stack: &str) -> Vec<Value> {
    let name = json!({"StackName": format!("{}-{stack}", world.name)});
    let answer = ask(world, "cloudformation", "list_change_sets", &name);
    answer["Summaries"].as_array().cloned().unwrap_or_default()
}

#[tokio::test]
async fn only_the_stacks_that_changed_are_updated_and_every_property_is_shown_before() {
    let world = World::with_database("changed");
    world.apply().ends(0);
    let before = stacks(&world).await;
    world.edit("max: 1", "max: 3");
    world.edit("db.t4g.medium", "db.t4g.large");

    let plan = world.cluster("plan", &["--detailed-exitcode"]);
    plan.ends(2)
        .prints("~ database         update    1 in place")
        .prints("DBInstanceClass: db.t4g.medium -> db.t4g.large")
        .prints("MaxSize: 1 -> 3")
        .prints("= network          nothing to do")
        .prints("Plan: 0 to create, 2 to update, 4 unchanged.");
    for line in plan.stdout.lines() {
        assert!(line.chars().count() <= 80, "too wide: {line}");
    }
    let data = world.cluster("plan", &["-o", "json"]);
    let data: Value = serde_json::from_str(&data.ends(0).stdout).expect("JSON");
    assert_eq!(data["changes"], true);
    assert_eq!(stacks(&world).await, before, "a plan changes nothing");
    for stack in ["database", "pool-workers"] {
        assert_eq!(change_sets(&world, stack), Vec::<Value>::new());
    }

    let said = world.apply();
    said.ends(0).tells("context changed ");
    let after = stacks(&world).await;
    for (kind, stack) in &after {
        let changed = ["database", "pool-workers"].contains(&kind.as_str());
        let status = if changed {
            "UPDATE_COMPLETE"
        } else {
            "CREATE_COMPLETE"
        };
        assert_eq!(stack.status.to_string(), status, "{kind}");
        assert_eq!(stack.outputs, before[kind].outputs, "{kind}");
        assert_eq!(stack.id, before[kind].id, "{kind}");
    }
    world.apply().ends(0).tells("Nothing to do");
}

#[tokio::test]
async fn a_database_is_replaced_only_by_name_and_leaves_a_snapshot() {
    let world = World::with_database("replaced");
    world.edit("protect: false", "protect: true");
    world.apply().ends(0);
    let before = stacks(&world).await;
    assert!(before["database"].termination_protection);
    world.edit(
        "multiAz: false",
        "multiAz: false\n  restoreFrom: replaced-snapshot-of-monday",
    );

    let loss = "replaced-database/Database would be replaced: it holds the database";
    world
        .cluster("plan", &[])
        .ends(5)
        .prints("refused")
        .prints(loss);
    world.apply().ends(5).tells("nothing was changed");
    let allow = |name: &str| world.cluster("apply", &["--yes", "--allow-data-loss", name]);
    allow("replaced-database/Databas")
        .ends(64)
        .tells("did you mean replaced-database/Database?");
    allow("replaced-database/Database")
        .ends(5)
        .tells("set `protect: false` in the definition and apply that alone");
    assert_eq!(stacks(&world).await, before, "nothing was changed");
    assert_eq!(change_sets(&world, "database"), Vec::<Value>::new());

    let wanted = world.read("clusters/replaced.yaml");
    world.edit("\n  restoreFrom: replaced-snapshot-of-monday", "");
    world.edit("protect: true", "protect: false");
    world.apply().ends(0);
    snapshot(&world, &before["database"].outputs["DbInstanceId"]);
    world.definition(&wanted.replace("protect: true", "protect: false"));
    world.apply().ends(5);
    allow("replaced-database/Database")
        .ends(0)
        .tells("at stake: the database and its automated backups");
    let after = stacks(&world).await;
    let id =
        |stacks: &BTreeMap<String, LiveStack>| stacks["database"].outputs["DbInstanceId"].clone();
    assert_ne!(id(&after), id(&before));
    let all = ask(&world, "rds", "describe_db_snapshots", &json!({}));
    let of_the_old = all["DBSnapshots"].as_array().expect("snapshots").iter();
    let of_the_old = of_the_old.filter(|one| {
        one["DBInstanceIdentifier"] == id(&before)
            && one["DBSnapshotIdentifier"] != "replaced-snapshot-of-monday"
    });
    assert_eq!(of_the_old.count(), 1, "{all}");
}

/// The snapshot that the definition will ask for.
fn snapshot(world: &World, of: &str) {
    let wanted = json!({
        "DBInstanceIdentifier": of,
        "DBSnapshotIdentifier": "replaced-snapshot-of-monday"
    });
    ask(world, "rds", "create_db_snapshot", &wanted);
}

#[tokio::test]
async fn a_pool_taken_out_of_the_definition_is_left_alone_and_one_put_in_is_created() {
    let world = World::small("pooled");
    world.apply().ends(0);
    let before = stacks(&world).await;
    world.edit("name: workers", "name: others");
    let said = world.apply();
    said.ends(0)
        .tells("+ pool-others      create    2 resources")
        .tells("In AWS but not in the definition, left alone: pooled-pool-workers.")
        .tells("Plan: 1 to create, 0 to update, 4 unchanged.");
    let mut after = stacks(&world).await;
    let added = after.remove("pool-others").expect("created");
    assert_eq!(added.status.to_string(), "CREATE_COMPLETE");
    assert_eq!(after, before, "nothing else moved");
}

#[tokio::test]
async fn a_template_beside_the_definitions_takes_the_place_of_the_built_in_one() {
    let world = World::small("overridden");
    world.apply().ends(0);
    let file = format!(
        "{}/templates/stacks/edge.yaml.tera",
        env!("CARGO_MANIFEST_DIR")
    );
    let template = std::fs::read_to_string(file).expect("it is there");
    let slower = template.replace(
        "Key: deregistration_delay.timeout_seconds, Value: \"60\"",
        "Key: deregistration_delay.timeout_seconds, Value: \"90\"",
    );
    assert_ne!(slower, template);
    world.write("clusters/templates/stacks/edge.yaml.tera", &slower);
    let said = world.apply();
    said.ends(0)
        .tells("~ edge             update    1 in place")
        .tells("Plan: 0 to create, 1 to update, 4 unchanged.");
    let edge = &stacks(&world).await["edge"];
    assert_eq!(edge.status.to_string(), "UPDATE_COMPLETE");
}
