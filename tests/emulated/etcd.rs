//! `kube-cfn etcd` through Systems Manager: the machines answer as a rule says.

use serde_json::{Value, json};

use crate::tools::ask;
use crate::world::World;

/// A cluster of one slot that is made; nothing answers on its machine yet.
fn made(name: &str) -> World {
    let world = World::small(name);
    world.apply().ends(0);
    world
}

fn etcd(world: &World, verb: &str, arguments: &[&str]) -> crate::process::Said {
    let mut all = vec!["etcd", verb, &world.name];
    all.extend(arguments);
    world.run(&all)
}

/// The machine of slot a ends a command that says `says` with this answer.
fn answer(says: &str, code: i32, answer: &Value) -> Value {
    json!({"op": "command", "logical": "SlotA", "says": says, "code": code,
           "stdout": format!("{answer}\n"), "stderr": "etcd: talk\n"})
}

/// Puts an object into the cluster's bucket, as a machine does.
async fn keep(world: &World, key: &str) {
    use kube_cfn::cloud::{Cloud, Store};
    let aws = world.aws().await;
    let stacks = aws.stacks(Some(&world.name)).await.expect("stacks");
    let base = stacks.iter().find(|stack| stack.kind == "base");
    let bucket = &base.expect("a base").outputs["StateBucket"];
    aws.upload(bucket, key, b"content").await.expect("kept");
}

#[tokio::test]
async fn a_snapshot_is_taken_on_the_slots_machine_and_listed() {
    let world = made("snapped");
    etcd(&world, "snapshot", &[])
        .ends(1)
        .tells("the SSM agent on i-");
    let key = "etcd/20261123T100000Z-7.db";
    let taken =
        json!({"ok": true, "taken": true, "key": key, "revision": 7, "bytes": 7, "sha256": "ab"});
    world.rules(json!([answer(
        "/opt/kube-cfn/bin/etcd-snapshot --now",
        0,
        &taken
    )]));
    let said = etcd(&world, "snapshot", &[]);
    said.ends(0).tells("control-plane node a  take a snapshot");
    assert_eq!(said.stdout.trim(), key);

    etcd(&world, "list", &[])
        .ends(0)
        .tells("has no snapshots yet");
    keep(&world, key).await;
    keep(&world, &format!("{key}.sha256")).await;
    keep(&world, "etcd/20261123T103000Z-9.db").await;
    keep(&world, "etcd/20261129T160000Z-7.db;touch${IFS}pwned;#.db").await;
    keep(
        &world,
        "etcd/20261129T160000Z-7.db;touch${IFS}pwned;#.db.sha256",
    )
    .await;
    let said = etcd(&world, "list", &["-o", "json"]);
    said.ends(0)
        .tells("2 objects below etcd/ in")
        .tells("that no control-plane node wrote");
    let listed: Value = serde_json::from_str(&said.stdout).expect("JSON");
    let found = listed.as_array().expect("a list");
    assert_eq!(found.len(), 2, "{listed}");
    let first = found.iter().find(|one| one["revision"] == 7).expect("it");
    assert_eq!(
        (&first["key"], &first["verifiable"]),
        (&json!(key), &json!(true))
    );
    let table = etcd(&world, "list", &[]);
    assert!(table.ends(0).stdout.contains("no checksum"), "{table}");
}

#[tokio::test]
async fn a_restore_needs_the_name_and_an_existing_snapshot() {
    let world = made("restored");
    let key = "etcd/20261123T100000Z-7.db";
    keep(&world, key).await;
    etcd(&world, "restore", &[key])
        .ends(5)
        .tells("has no checksum file; cannot verify it");
    keep(&world, &format!("{key}.sha256")).await;
    let unknown = "etcd/20261123T110000Z-8.db";
    for token in [&[][..], &["--token", "t1"]] {
        let mut arguments = vec![unknown];
        arguments.extend(token);
        etcd(&world, "restore", &arguments)
            .ends(5)
            .tells(&format!("has no snapshot {unknown}"))
            .tells(&format!("the newest are {key}"));
    }
    for hostile in [
        &["etcd/20261129T160000Z-7.db;touch${IFS}pwned;#.db"][..],
        &[key, "--token", "x; reboot"],
        &["--abandon", "x; reboot"],
    ] {
        etcd(&world, "restore", hostile)
            .ends(64)
            .tells("invalid value");
    }
    etcd(&world, "restore", &[key])
        .ends(64)
        .tells("everything written after the snapshot is lost")
        .tells("--confirm restored");
    etcd(&world, "restore", &[key, "--confirm", "other"])
        .ends(5)
        .tells("the token of this restore is restored-")
        .tells(&format!(
            "`kube-cfn etcd restore restored {key} --token restored-"
        ));
    let refused =
        json!({"ok": false, "error": "verify it: its bytes are not those that were kept"});
    world.rules(json!([answer("etcd-restore", 1, &refused)]));
    etcd(
        &world,
        "restore",
        &[key, "--confirm", "restored", "--token", "t1"],
    )
    .ends(4)
    .tells("on control-plane node a: verify it: its bytes are not those that were kept")
    .tells(&format!("kube-cfn etcd restore restored {key} --token t1"));
    // A new restore that a machine refuses: another one may not be finished, and its token is another.
    etcd(&world, "restore", &[key, "--confirm", "restored"])
        .ends(4)
        .omits("returns to the old data");
    // One that waits for the other nodes, and is interrupted.
    let stopped = json!({"ok": true, "state": "stopped", "waiting": ["b"]});
    world.rules(json!([answer("etcd-restore", 0, &stopped)]));
    let restore = ["etcd", "restore", "restored", key, "--confirm", "restored"];
    let mut running = world.spawn(&restore);
    running.until(&["start the restored cluster"]);
    running.interrupt();
    let said = running.wait();
    assert_eq!(said.code, None, "the signal ends it: {said}");
    said.tells("interrupted; what the machines have begun goes on there")
        .tells("--token restored-")
        .tells("returns to the old data");

    let started = json!({"ok": true, "state": "started", "waiting": []});
    let member = json!({"id": "1", "slot": "a", "name": "cp-a", "started": true, "learner": false,
        "answers": true, "serves": true, "leader": true, "version": "3.6.14", "revision": 8, "bytes": 9});
    let status = json!({"ok": true, "members": [member]});
    world.rules(json!([
        answer(&format!("etcd-restore {key} --token t1"), 0, &started),
        answer("etcd-member status", 0, &status),
    ]));
    etcd(
        &world,
        "restore",
        &[key, "--confirm", "restored", "--token", "t1"],
    )
    .ends(0)
    .tells("ok control-plane node a  started")
    .tells("restored serves the data of etcd/");
    etcd(&world, "replace-member", &["a", "--yes"])
        .ends(5)
        .tells("restore a snapshot instead");
    let unknown = etcd(&world, "replace-member", &["z", "--yes"]);
    unknown.ends(64).tells("the cluster has cp-a");
    assert!(!unknown.stderr.contains("re-run"), "{unknown}");
    let sent = ask(&world, "ssm", "list_commands", &json!({}));
    let sent = sent["Commands"].as_array().expect("commands").len();
    assert!(sent >= 3, "{sent} commands went through Systems Manager");
}
