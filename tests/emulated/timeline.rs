//! A run is recorded while it happens, and shown afterwards: from the record, or without it from AWS.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use serde_json::Value;

use crate::world::World;

fn records(world: &World) -> Vec<PathBuf> {
    let runs = world.path("state/kube-cfn/runs");
    let place = runs
        .join(world.account())
        .join("eu-west-1")
        .join(&world.name);
    let Ok(entries) = fs::read_dir(place) else {
        return Vec::new();
    };
    let mut paths: Vec<_> = entries
        .map(|entry| entry.expect("an entry").path())
        .collect();
    paths.sort();
    paths
}

fn timeline(world: &World, flags: &[&str]) -> Value {
    let words = [&["timeline", &world.name, "-o", "json"], flags].concat();
    let said = world.run(&words);
    said.ends(0);
    serde_json::from_str(&said.stdout).expect("JSON")
}

/// What the two sources have to agree on, stack by stack.
fn facts(shown: &Value) -> Vec<(String, String, usize)> {
    let stacks = shown["stacks"].as_array().expect("stacks");
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let facts = stacks.iter().map(|stack| {
        let resources = stack["resources"].as_array().expect("resources");
        (
            text(&stack["stack"]),
            text(&stack["ending"]),
            resources.len(),
        )
    });
    facts.collect()
}

#[test]
fn a_run_is_shown_from_its_record_and_the_same_from_aws() {
    let world = World::small("recorded");
    world.apply().ends(0);
    let records = records(&world);
    assert_eq!(records.len(), 1, "one run, one record");
    let mode = fs::metadata(&records[0])
        .expect("there")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    let recorded = timeline(&world, &[]);
    let place = format!("account {}, eu-west-1", world.account());
    assert_eq!(recorded["source"], format!("recorded here, {place}"));
    assert_eq!(recorded["succeeded"], true);
    assert!(!recorded["critical"].as_array().expect("a path").is_empty());

    // Nothing to do is no run; nothing of what was there is forgotten.
    world.apply().ends(0);
    assert_eq!(self::records(&world), records);

    fs::remove_dir_all(world.path("state")).expect("removed");
    let remembered = timeline(&world, &[]);
    assert_eq!(remembered["source"], format!("from AWS's history, {place}"));
    assert_eq!(
        remembered["run"], recorded["run"],
        "its tokens name the run"
    );
    assert_eq!(facts(&remembered), facts(&recorded));
}

#[test]
fn the_timeline_page_is_written_and_an_unknown_run_lists_the_known() {
    let world = World::small("paged");
    world
        .run(&["timeline", "paged"])
        .ends(1)
        .tells("no run of paged is recorded here");
    world.apply().ends(0);
    let page = world.path("run.html");
    let file = page.to_str().expect("a path");
    let said = world.run(&["timeline", "paged", "--html", file, "--resources"]);
    said.ends(0).tells("wrote ");
    assert!(
        said.stdout.starts_with("paged  created in "),
        "{}",
        said.stdout
    );
    assert!(said.stdout.lines().all(|line| line.chars().count() <= 80));
    assert!(world.read("run.html").contains("<title>paged: created in "));
    let run = timeline(&world, &[])["run"]
        .as_str()
        .expect("an id")
        .to_owned();
    assert_eq!(timeline(&world, &["--run", &run])["run"], run);
    let unknown = world.run(&["timeline", "paged", "--run", "7f3a"]);
    unknown
        .ends(64)
        .tells("there is no record of run 7f3a of paged")
        .tells(&run);
}

#[test]
fn an_unwritable_state_directory_stops_nothing() {
    let world = World::small("unrecorded");
    world.write("state", "a file where the directory should be\n");
    let said = world.apply();
    said.ends(0)
        .tells("this run is not recorded and will have no timeline");
    assert_eq!(said.stderr.matches("will have no timeline").count(), 1);
    let source = timeline(&world, &[])["source"].to_string();
    assert!(source.contains("from AWS's history"), "{source}");
}
