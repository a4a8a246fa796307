//! Commands that need no AWS, and the list of clusters.

use serde_json::Value;

use crate::process::Said;
use crate::world::{World, small};

#[test]
fn list_shows_definitions_and_clusters() {
    let world = World::small("lives");
    world.apply().ends(0);
    world.write("clusters/planned.yaml", &small("planned"));
    std::fs::rename(world.path("clusters/lives.yaml"), world.path("kept.yaml")).expect("moved");
    let rows = |arguments: &[&str]| {
        let said = world.run(arguments);
        let rows: Value = serde_json::from_str(&said.ends(0).stdout).expect("JSON");
        rows.as_array().expect("rows").clone()
    };
    let orphan = rows(&["list", "-o", "json"]);
    assert_eq!(orphan.len(), 2);
    assert_eq!(orphan[0]["name"], "lives");
    assert_eq!(orphan[0]["definition"], Value::Null);
    assert_eq!(orphan[0]["stacks"], 5);
    assert_eq!(orphan[1]["name"], "planned");
    assert_eq!(orphan[1]["stacks"], 0);

    std::fs::rename(world.path("kept.yaml"), world.path("clusters/lives.yaml")).expect("back");
    let known = rows(&["list", "-o", "json"]);
    assert_eq!(known[0]["definition"], "clusters/lives.yaml");
    assert_eq!(known[0]["account"], world.account().as_str());
    let table = world.run(&["list"]);
    table
        .ends(0)
        .prints("5 stacks CREATE_COMPLETE")
        .prints(&format!("no stacks in account {}", world.account()));
    for line in table.stdout.lines() {
        assert!(line.chars().count() <= 80, "too wide: {line}");
    }
}

#[test]
fn definitions_are_checked_and_rendered_without_any_aws() {
    let world = World::small("offline");
    world.write("clusters/second.yaml", &small("second"));
    let alone = |arguments: &[&str]| {
        let mut command = world.command(arguments);
        for variable in [
            "AWS_ENDPOINT_URL",
            "AWS_ACCESS_KEY_ID",
            "AWS_SECRET_ACCESS_KEY",
        ] {
            command.env_remove(variable);
        }
        Said::of(&mut command)
    };
    alone(&["validate"]).ends(0);
    let rendered = alone(&["render", "offline", "-o", "json"]);
    assert!(rendered.ends(0).stdout.contains("AWS::EC2::VPC"));
    assert_eq!(
        rendered.stdout,
        alone(&["render", "offline", "-o", "json"]).stdout
    );
    alone(&["render", "offline", "--out", "rendered"]).ends(0);
    assert!(world.path("rendered").is_dir());
    alone(&[
        "render",
        "offline",
        "--node",
        "control-plane/a",
        "--out",
        "slot",
    ])
    .ends(0);
    assert!(world.path("slot/opt/kube-cfn/boot").is_file());
    let env = std::fs::read_to_string(world.path("slot/etc/kube-cfn/host.env")).unwrap();
    assert!(env.contains("SLOT='a'\n"), "{env}");
    let unknown = alone(&[
        "render",
        "offline",
        "--node",
        "control-plane/z",
        "--out",
        "none",
    ]);
    unknown.ends(64);
    assert!(
        unknown.stderr.contains("it has control-plane/a"),
        "{unknown}"
    );
    assert!(!world.path("none").exists());
    world.write(
        "clusters/second.yaml",
        &small("second").replace("1.36.4", "1.99.0"),
    );
    let wrong = alone(&["validate"]);
    wrong.ends(65);
    assert!(!wrong.to_string().contains("AWS"), "{wrong}");
    assert!(!world.path("clusters/offline.lock.yaml").exists());
}
