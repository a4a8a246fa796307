//! The Kubernetes version of a running cluster: a change is shown and refused; an older pool is not changed.

use std::collections::BTreeMap;

use kube_cfn::cloud::{Cloud, LiveStack};
use serde_json::{Value, json};

use crate::tools::{ask, ask_all};
use crate::world::World;

const OUTPUT: &str = "KubernetesVersion";

async fn stacks(world: &World) -> BTreeMap<String, LiveStack> {
    let found = world.aws().await.stacks(Some(&world.name)).await;
    let found = found.expect("stacks").into_iter();
    found.map(|stack| (stack.kind.clone(), stack)).collect()
}

fn bucket(stacks: &BTreeMap<String, LiveStack>) -> String {
    stacks["base"].outputs["StateBucket"].clone()
}

/// Whatever a refused run could leave behind: stacks, change sets, objects, parameters, files.
pub async fn everything(world: &World) -> Value {
    let stacks = stacks(world).await;
    let name = |found: &LiveStack| json!({"StackName": found.name});
    let sets: Vec<_> = stacks
        .values()
        .map(|found| ("list_change_sets", name(found)))
        .collect();
    let listed = |answer: &Value| answer["Summaries"].clone();
    let sets: Vec<Value> = ask_all(world, "cloudformation", &sets)
        .iter()
        .map(listed)
        .collect();
    let objects = json!({"Bucket": bucket(&stacks)});
    let objects = ask(world, "s3", "list_objects_v2", &objects);
    let under = json!({"Path": "/kube-cfn", "Recursive": true});
    let parameters = ask(world, "ssm", "get_parameters_by_path", &under);
    let names = |list: &Value, key: &str| -> Vec<Value> {
        let all = list.as_array().cloned().unwrap_or_default();
        all.iter().map(|one| one[key].clone()).collect()
    };
    json!({
        "stacks": format!("{stacks:?}"),
        "changeSets": sets,
        "objects": names(&objects["Contents"], "Key"),
        "parameters": names(&parameters["Parameters"], "Name"),
        "lock": world.read(&format!("clusters/{}.lock.yaml", world.name)),
    })
}

#[tokio::test]
async fn another_version_is_refused_by_plan_and_apply_and_leaves_no_trace() {
    let world = World::small("steady");
    world.edit("1.36.4", "1.34.8");
    world.apply().ends(0);
    let before = stacks(&world).await;
    for stack in ["control-plane", "pool-workers"] {
        assert_eq!(before[stack].outputs[OUTPUT], "1.34.8");
    }
    let untouched = everything(&world).await;
    let file = world.path("plan.json");
    let out = file.to_str().expect("a path");
    let mut runs = "1.34.8";
    for wanted in ["1.36.4", "1.34.7"] {
        world.edit(runs, wanted);
        runs = wanted;
        let reason = format!(
            "the definition says Kubernetes {wanted}, the cluster runs 1.34.8: apply never changes the \
             Kubernetes version of a running cluster"
        );
        let next = "set `kubernetes:` back to 1.34.8 in clusters/steady.yaml:3";
        let plan = world.cluster("plan", &["--detailed-exitcode", "--out", out]);
        plan.ends(5)
            .prints("! the plan refused")
            .prints(&reason)
            .prints(next)
            .prints("= pool-workers nothing to do")
            .tells("no plan was saved");
        assert!(plan.stdout.starts_with("! the plan"), "{plan}");
        for line in plan.stdout.lines() {
            assert!(line.chars().count() <= 80, "too wide: {line}");
        }
        assert!(!file.exists());
        let data = world.cluster("plan", &["-o", "json"]);
        let data: Value = serde_json::from_str(&data.ends(5).stdout).expect("JSON");
        let stated = data["refused"][0]["reason"].as_str().expect("a reason");
        assert!(stated.starts_with(&reason), "{stated}");
        let table = world.cluster("plan", &["-o", "markdown"]);
        table
            .ends(5)
            .prints("> **the plan** (kubernetes-version): the definition says");
        let said = world.apply();
        said.ends(5)
            .tells(&format!(
                "error: steady: refused, nothing was changed: {reason}"
            ))
            .tells(&format!("help: {next}"))
            .omits("would lose data");
        assert_eq!(everything(&world).await, untouched, "{wanted}");
    }
    world.edit(runs, "1.34.8");
    world.apply().ends(0).tells("Nothing to do");
    assert_eq!(stacks(&world).await, before);
}

#[tokio::test]
async fn a_refused_plan_asks_nothing_about_what_else_differs() {
    let world = World::small("steady-both");
    world.apply().ends(0);
    let untouched = everything(&world).await;
    world.edit("1.36.4", "1.35.8");
    world.edit("max: 1", "max: 3");
    world.edit("nodes: 1", "nodes: 1\n  volumeGib: 40");
    world
        .cluster("plan", &[])
        .ends(5)
        .prints("! pool-workers refused")
        .prints("it differs from the definition; AWS is not asked what would change");
    world.apply().ends(5);
    assert_eq!(everything(&world).await, untouched);
}

#[tokio::test]
async fn a_cluster_that_never_ran_may_be_created_at_another_version() {
    let world = World::small("second-try");
    world.edit("1.36.4", "1.36.3");
    world.rules(json!([
        {"op": "create", "stack": "control-plane", "logical": "SlotA", "fail": "no capacity"}
    ]));
    world.apply().ends(3);
    let found = &stacks(&world).await["control-plane"];
    assert_eq!(found.status.to_string(), "ROLLBACK_COMPLETE");
    world.no_rules();
    world.edit("1.36.3", "1.36.4");
    world.apply().ends(0);
    let found = stacks(&world).await;
    assert_eq!(found["control-plane"].outputs[OUTPUT], "1.36.4");
    assert_eq!(found["pool-workers"].outputs[OUTPUT], "1.36.4");
}

#[tokio::test]
async fn a_plan_that_was_saved_before_the_version_moved_is_refused() {
    let world = World::small("moved-since");
    world.edit("1.36.4", "1.36.3");
    world.apply().ends(0);
    world.edit("max: 1", "max: 3");
    let file = world.path("plan.json");
    let file = file.to_str().expect("a path");
    world
        .cluster("plan", &["--no-drift", "--out", file])
        .ends(0);
    // Somebody moves the control plane with a program that has no such rule.
    update(&world, "control-plane", |template| {
        template["Outputs"][OUTPUT]["Value"] = json!("1.36.4");
    });
    world
        .run(&["apply", file, "--yes"])
        .ends(5)
        .tells("the saved plan no longer holds, nothing was changed")
        .tells("the definition says Kubernetes 1.36.3, the cluster runs 1.36.4");
    assert_eq!(change_sets(&world), ["AVAILABLE"]);
}

fn change_sets(world: &World) -> Vec<Value> {
    let name = json!({"StackName": format!("{}-pool-workers", world.name)});
    let answer = ask(world, "cloudformation", "list_change_sets", &name);
    let all = answer["Summaries"].as_array().cloned().unwrap_or_default();
    all.iter()
        .map(|set| set["ExecutionStatus"].clone())
        .collect()
}

/// Updates a stack beside this program, with its own parameters and tags.
pub fn update(world: &World, stack: &str, change: impl FnOnce(&mut Value)) {
    let name = format!("{}-{stack}", world.name);
    let of = json!({"StackName": name});
    let questions = [("get_template", of.clone()), ("describe_stacks", of)];
    let [template, stacks] = &ask_all(world, "cloudformation", &questions)[..] else {
        panic!("two answers")
    };
    let mut body = match &template["TemplateBody"] {
        Value::String(text) => serde_json::from_str(text).expect("JSON"),
        data => data.clone(),
    };
    change(&mut body);
    let stack = &stacks["Stacks"][0];
    let wanted = json!({"StackName": name, "TemplateBody": body.to_string(),
        "Parameters": stack["Parameters"], "Tags": stack["Tags"]});
    ask(world, "cloudformation", "update_stack", &wanted);
    for _ in 0..100 {
        let status = world.standing();
        if !status.iter().any(|line| line.contains("IN_PROGRESS")) {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(200));
    }
    panic!("{name} keeps moving");
}

#[tokio::test]
async fn older_stacks_get_their_version_from_the_bundle() {
    let world = World::small("mute");
    world.edit("1.36.4", "1.35.8");
    world.apply().ends(0);
    for stack in ["control-plane", "pool-workers"] {
        update(&world, stack, |template| {
            let outputs = template["Outputs"].as_object_mut().expect("outputs");
            outputs.remove(OUTPUT).expect("the output");
        });
        assert!(!stacks(&world).await[stack].outputs.contains_key(OUTPUT));
    }
    let untouched = everything(&world).await;
    world.edit("1.35.8", "1.36.4");
    world
        .cluster("plan", &[])
        .ends(5)
        .prints("the definition says Kubernetes 1.36.4, the cluster runs 1.35.8");
    world.apply().ends(5);
    assert_eq!(everything(&world).await, untouched);

    // The bundle is gone: then nobody knows, until somebody says it.
    world.edit("1.36.4", "1.35.8");
    let bucket = bucket(&stacks(&world).await);
    let objects = ask(&world, "s3", "list_objects_v2", &json!({"Bucket": bucket}));
    let keys = objects["Contents"].as_array().expect("objects").iter();
    let key = |object: &Value| object["Key"].as_str().expect("a key").to_owned();
    let bundle = keys
        .map(key)
        .find(|key| key.starts_with("bundles/control-plane-"));
    let bundle = bundle.expect("the bundle");
    let gone = json!({"Bucket": bucket, "Key": bundle});
    ask(&world, "s3", "delete_object", &gone);
    world
        .cluster("plan", &[])
        .ends(5)
        .prints("the Kubernetes version of mute-control-plane is unknown: s3://")
        .prints("`--running control-plane=VERSION`");
    world
        .cluster("plan", &["--running", "pool-workers=1.34.8"])
        .ends(64)
        .tells("--running pool-workers=1.34.8: its stack says that it runs 1.35.8");
    for (wrong, stated) in [
        ("1.35.8", "expected STACK=VERSION"),
        ("edge=1.35.8", "control-plane and pool-NAME"),
        ("control-plane=x", "x is not a version"),
    ] {
        world
            .cluster("plan", &["--running", wrong])
            .ends(64)
            .tells(stated);
    }
    let other = ["--running", "control-plane=1.34.8"];
    let plan = world.cluster("plan", &other);
    plan.ends(5).prints("the cluster runs 1.34.8");

    let file = world.path("plan.json");
    let file = file.to_str().expect("a path");
    let stated = [
        "--running",
        "control-plane=1.35.8",
        "--no-drift",
        "--out",
        file,
    ];
    world.cluster("plan", &stated).ends(0);
    world.run(&["apply", file, "--yes"]).ends(0);
    let after = stacks(&world).await;
    assert_eq!(after["control-plane"].outputs[OUTPUT], "1.35.8");
    assert_eq!(after["pool-workers"].outputs[OUTPUT], "1.35.8");
    world.apply().ends(0).tells("Nothing to do");
}

#[tokio::test]
async fn a_pool_that_is_older_is_left_as_it_is() {
    let world = World::small("lagging");
    world.edit("1.36.4", "1.35.8");
    world.apply().ends(0);
    let before = stacks(&world).await;
    // As an upgrade leaves it between two of its phases: only the control plane has moved.
    update(&world, "control-plane", |template| {
        template["Outputs"][OUTPUT]["Value"] = json!("1.36.4");
    });
    world.edit("1.35.8", "1.36.4");
    world.edit(
        "    min: 1\n    max: 1\n",
        "    min: 1\n    max: 1\n  - name: batch\n    min: 0\n    max: 1\n",
    );
    let plan = world.cluster("plan", &[]);
    plan.ends(0)
        .prints("= pool-workers nothing to do")
        .prints("-- stays at Kubernetes 1.35.8; the control plane is at 1.36.4")
        .prints("+ pool-batch create");
    world.apply().ends(0);
    let after = stacks(&world).await;
    assert_eq!(after["pool-workers"], before["pool-workers"]);
    assert_eq!(after["pool-batch"].outputs[OUTPUT], "1.36.4");
    assert_eq!(after["control-plane"].status.to_string(), "UPDATE_COMPLETE");
    world.apply().ends(0).tells("Nothing to do");

    // A pool that is ahead of the control plane is named, and so is the way on.
    update(&world, "pool-batch", |template| {
        template["Outputs"][OUTPUT]["Value"] = json!("1.37.0");
    });
    let untouched = everything(&world).await;
    world
        .apply()
        .ends(5)
        .tells("pool batch boots Kubernetes 1.37.0, the control plane runs 1.36.4: kubelets are never newer")
        .tells("give the pool another name in the definition");
    assert_eq!(everything(&world).await, untouched);
}
