//! Plans that are saved in a file: shown first, then executed exactly, or
//! refused whole.

use serde_json::{Value, json};

use crate::tools::ask;
use crate::world::World;

/// What became of each change set of a stack.
fn change_sets(world: &World, stack: &str) -> Vec<String> {
    let name = json!({"StackName": format!("{}-{stack}", world.name)});
    let answer = ask(world, "cloudformation", "list_change_sets", &name);
    let all = answer["Summaries"].as_array().cloned().unwrap_or_default();
    let execution = |set: &Value| {
        set["ExecutionStatus"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    all.iter().map(execution).collect()
}

fn status(world: &World, stack: &str) -> String {
    let name = json!({"StackName": format!("{}-{stack}", world.name)});
    let answer = ask(world, "cloudformation", "describe_stacks", &name);
    let status = answer["Stacks"][0]["StackStatus"].as_str();
    status.expect("a status").to_owned()
}

#[test]
fn a_saved_plan_is_executed_exactly_once() {
    let world = World::with_database("kept");
    world.apply().ends(0);
    world.edit("max: 1", "max: 3");
    let file = world.path("plan.json");
    let file = file.to_str().expect("a path");
    let plan = world.cluster("plan", &["--no-drift", "--out", file]);
    plan.ends(0)
        .prints("MaxSize: 1 -> 3")
        .prints("by pools[workers].max (")
        .tells("next: `kube-cfn apply ");
    assert_eq!(change_sets(&world, "pool-workers"), ["AVAILABLE"]);
    let text = world.read("plan.json");
    let saved: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(saved["kind"], "kube-cfn/plan");

    world.edit("max: 3", "max: 4");
    let moved = world.run(&["apply", file, "--yes"]);
    moved
        .ends(5)
        .tells("the saved plan no longer holds, nothing was changed:")
        .tells("kept.yaml has changed")
        .tells("the template of kept-pool-workers has changed");
    assert_eq!(status(&world, "pool-workers"), "CREATE_COMPLETE");
    let more = world.run(&["apply", file, "--allow-data-loss", "kept-database/Database"]);
    more.ends(64).tells("applied as it was shown");

    world.edit("max: 4", "max: 3");
    let done = world.run(&["apply", file, "--yes"]);
    done.ends(0)
        .tells("~ pool-workers     update    1 in place");
    assert_eq!(status(&world, "pool-workers"), "UPDATE_COMPLETE");
    assert_eq!(change_sets(&world, "pool-workers"), ["EXECUTE_COMPLETE"]);
    let again = world.run(&["apply", file, "--yes"]);
    again
        .ends(5)
        .tells("kept-pool-workers was in CREATE_COMPLETE and is in UPDATE_COMPLETE");
    world.apply().ends(0).tells("Nothing to do");
}

#[test]
fn a_saved_plan_creates_a_cluster_and_a_torn_file_is_refused() {
    let world = World::small("kept-new");
    let file = world.path("plan.json");
    let file = file.to_str().expect("a path");
    world.cluster("plan", &["--out", file]).ends(0);
    let text = world.read("plan.json");
    world.write("torn.json", &text[..text.len() / 2]);
    let torn = world.path("torn.json");
    let torn = world.run(&["apply", torn.to_str().expect("a path"), "--yes"]);
    torn.ends(64).tells("it is no plan of kube-cfn");
    world.run(&["apply", file, "--yes"]).ends(0);
    world.apply().ends(0).tells("Nothing to do");
    let late = world.run(&["apply", file, "--yes"]);
    late.ends(5).tells("kept-new-base was created since");
}

#[test]
fn a_refused_plan_is_not_saved() {
    let world = World::with_database("kept-not");
    world.apply().ends(0);
    world.edit(
        "multiAz: false",
        "multiAz: false\n  restoreFrom: kept-not-snapshot",
    );
    let file = world.path("plan.json");
    let plan = world.cluster(
        "plan",
        &["--no-drift", "--out", file.to_str().expect("a path")],
    );
    plan.ends(5).tells("no plan was saved");
    assert!(!file.exists());
    assert_eq!(change_sets(&world, "database"), Vec::<String>::new());
}
