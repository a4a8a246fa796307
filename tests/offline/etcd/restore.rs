//! Snapshots and restores on three control-plane nodes, in the order of the command line.

use std::fs;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::world::{Running, World};

const SLOTS: [char; 3] = ['a', 'b', 'c'];

/// Three members, a key, a snapshot with it, and another key after it.
fn with_snapshot() -> (World, [Running; 3], String) {
    let world = World::of("abc");
    let running = SLOTS.map(|slot| world.start(slot));
    world.all_serve();
    world.put('a', "before", "kept");
    let taken = world.well('a', "etcd-snapshot --now");
    world.put('a', "after", "gone");
    (world, running, taken["key"].as_str().unwrap().to_owned())
}

fn restore(world: &World, slot: char, key: &str, token: &str) -> Value {
    world.well(slot, &format!("etcd-restore {key} --token {token}"))
}

#[test]
fn only_the_leader_takes_a_scheduled_snapshot() {
    let world = World::of("abc");
    let _running = SLOTS.map(|slot| world.start(slot));
    world.all_serve();
    world.put('a', "before", "kept");
    let results = SLOTS.map(|slot| world.well(slot, "etcd-snapshot"));
    let taken: Vec<_> = results
        .iter()
        .filter(|result| result["taken"] == true)
        .collect();
    assert_eq!(taken.len(), 1, "{results:?}");
    let taken = taken[0];
    let key = taken["key"].as_str().unwrap();
    assert_eq!(world.bucket(), [key.to_owned(), format!("{key}.sha256")]);
    let revision = taken["revision"].as_u64().unwrap();
    assert!(revision >= 2, "{taken}");
    assert!(
        key.starts_with("etcd/20") && key.ends_with(&format!("Z-{revision}.db")),
        "{key}"
    );
    let bytes = fs::read(world.object(key)).unwrap();
    assert_eq!(taken["bytes"].as_u64().unwrap(), bytes.len() as u64);
    let sum: Vec<_> = Sha256::digest(&bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let sum = sum.concat();
    assert_eq!(taken["sha256"], sum);
    let kept = fs::read_to_string(world.object(&format!("{key}.sha256"))).unwrap();
    assert_eq!(kept.trim(), sum);
}

#[test]
fn boot_ignores_an_empty_record_of_a_restore() {
    let world = World::of("a");
    let restores = world.root('a').join("var/lib/etcd/restore");
    fs::create_dir_all(&restores).unwrap();
    fs::write(restores.join("pending"), "").unwrap();
    let guard = world.try_shell('a', "etcd_boot_guard");
    assert!(guard.status.success(), "{guard:?}");
    let snapshot = world.program('a', "etcd-snapshot --now");
    assert_ne!(
        snapshot.result["reason"],
        "a restore is running on this node"
    );
    fs::write(restores.join("pending"), "t1 etcd/x.db\n").unwrap();
    let guard = world.try_shell('a', "etcd_boot_guard");
    assert_eq!(guard.status.code(), Some(3), "{guard:?}");
}

#[test]
fn a_restore_brings_back_the_snapshot_and_keeps_the_old_data() {
    let (world, [_a, b, _c], key) = with_snapshot();
    let first = restore(&world, 'a', &key, "t1");
    assert_eq!(first["state"], "stopped");
    assert_eq!(first["waiting"], json!(["b", "c"]));
    let manifests = world.root('a').join("etc/kubernetes/manifests");
    assert_eq!(fs::read_dir(&manifests).unwrap().count(), 0);
    let boot = world.try_shell('a', "etcd_boot_guard");
    let said = String::from_utf8_lossy(&boot.stderr).into_owned();
    assert_eq!(boot.status.code(), Some(3), "{said}");
    assert!(said.contains(&format!("kube-cfn etcd restore canary {key} --token t1")));
    assert_eq!(
        world.well('a', "etcd-snapshot")["reason"],
        "a restore is running on this node"
    );

    assert_eq!(restore(&world, 'b', &key, "t1")["waiting"], json!(["c"]));
    assert_eq!(restore(&world, 'b', &key, "t1")["state"], "stopped");
    assert_eq!(restore(&world, 'c', &key, "t1")["state"], "started");
    assert_eq!(restore(&world, 'a', &key, "t1")["state"], "started");
    assert_eq!(restore(&world, 'b', &key, "t1")["state"], "started");
    world.all_serve();
    assert_eq!(world.get('b', "before"), "kept");
    assert_eq!(world.get('b', "after"), "");
    let status = world.well('a', "etcd-member status");
    for member in status["members"].as_array().unwrap() {
        assert!(
            member["revision"].as_u64().unwrap() > 1_000_000_000,
            "{status}"
        );
        assert_eq!(member["serves"], true, "{status}");
    }
    assert!(manifests.join("kube-apiserver.yaml").exists());
    assert!(
        world
            .root('a')
            .join("var/lib/etcd/aside/before-t1/member")
            .exists()
    );
    world.put('c', "later", "1");

    // Once more: it is done, and what was written since stays.
    assert_eq!(restore(&world, 'a', &key, "t1")["state"], "started");
    assert_eq!(world.get('a', "later"), "1");
    assert!(world.try_shell('a', "etcd_boot_guard").status.success());

    // The restored cluster has a token of its own: with the first one a wiped disk would not be noticed.
    assert_eq!(world.shell('b', "etcd_initial_token"), "t1");
    drop(b);
    fs::remove_dir_all(world.root('b').join("var/lib/etcd")).unwrap();
    fs::create_dir_all(world.root('b').join("var/lib/etcd")).unwrap();
    let _b = world.start('b');
    world.until("the refusal", || {
        world.log('b').contains("already been bootstrapped")
    });
    let lost = world.refused('b', &format!("etcd-restore {key} --token t1"));
    assert!(lost.contains("replace its member"), "{lost}");
}

#[test]
fn an_abandoned_restore_keeps_the_old_data_and_its_token_is_refused() {
    let (world, _running, key) = with_snapshot();
    restore(&world, 'a', &key, "t1");
    restore(&world, 'b', &key, "t1");
    assert_eq!(
        world.well('b', "etcd-restore --abandon t1")["state"],
        "abandoned"
    );
    assert_eq!(
        world.well('b', "etcd-restore --abandon t1")["state"],
        "none"
    );
    let spent = world.refused('c', &format!("etcd-restore {key} --token t1"));
    assert!(spent.contains("gone back to the old data"), "{spent}");
    for slot in ['a', 'c'] {
        world.well(slot, "etcd-restore --abandon t1");
    }
    world.all_serve();
    assert_eq!(world.get('c', "after"), "gone");
    assert_eq!(world.parameter("state/etcd-token"), None);
}

#[test]
fn a_started_restore_cannot_be_abandoned() {
    let (world, _running, key) = with_snapshot();
    for slot in SLOTS {
        restore(&world, slot, &key, "t1");
    }
    let refused = world.refused('a', "etcd-restore --abandon t1");
    assert!(
        refused.contains("a control-plane node has started the restored cluster"),
        "{refused}"
    );
    for slot in SLOTS {
        restore(&world, slot, &key, "t1");
    }
    world.all_serve();
    assert_eq!(world.get('a', "after"), "");
}

#[test]
fn one_token_never_restores_two_snapshots() {
    let (world, _running, first) = with_snapshot();
    let taken = world.well('b', "etcd-snapshot --now");
    let second = taken["key"].as_str().unwrap();
    assert_ne!(first, second);
    restore(&world, 'a', &first, "t1");
    restore(&world, 'b', second, "t1");
    let last = restore(&world, 'c', &first, "t1");
    assert_eq!(last["waiting"], json!(["b"]), "{last}");
    let other = world.refused('a', &format!("etcd-restore {second} --token t2"));
    assert!(
        other.contains(&format!("{first} with --token t1 is not finished")),
        "{other}"
    );
}

#[test]
fn a_changed_or_missing_snapshot_stops_no_member() {
    let (world, _running, key) = with_snapshot();
    let mut bytes = fs::read(world.object(&key)).unwrap();
    bytes[100] ^= 1;
    fs::write(world.object(&key), bytes).unwrap();
    let changed = world.refused('a', &format!("etcd-restore {key} --token t1"));
    assert!(changed.contains("its checksum does not match"), "{changed}");
    let absent = world.refused('a', "etcd-restore etcd/20261123T100000Z-404.db --token t1");
    assert!(absent.contains("no such snapshot"), "{absent}");
    for usage in [
        "etcd-restore",
        "etcd-restore other/x.db --token t1",
        "etcd-restore etcd/x.db --token t1",
        "etcd-restore etcd/20261123T100000Z-4.db --token ../t",
        "etcd-restore etcd/20261123T100000Z-4.db --token T1",
        "etcd-restore --abandon t/1",
        "etcd-snapshot --later",
    ] {
        assert_eq!(world.program('a', usage).code, Some(64), "{usage}");
    }
    world.serves('a');
}

#[test]
fn a_single_slot_is_restored_in_one_call() {
    let world = World::of("a");
    let _a = world.start('a');
    world.serves('a');
    world.put('a', "before", "kept");
    let taken = world.well('a', "etcd-snapshot");
    world.put('a', "after", "gone");
    let key = taken["key"].as_str().unwrap();
    assert_eq!(restore(&world, 'a', key, "t1")["state"], "started");
    world.serves('a');
    assert_eq!(world.get('a', "before"), "kept");
    assert_eq!(world.get('a', "after"), "");
}

/// The disaster that a restore is for: etcd crashes at every start, so the kubelet of a machine that has just booted
/// never reaches its API server, and takes no pod away.
#[test]
fn a_restore_ends_without_a_kubelet_that_reaches_its_api_server() {
    let world = World::of("a");
    let a = world.start('a');
    world.serves('a');
    world.put('a', "before", "kept");
    let taken = world.well('a', "etcd-snapshot --now");
    world.until("the API", || {
        world.root('a').join("run/api-answers").exists()
    });
    drop(a);
    let database = world.root('a').join("var/lib/etcd/data/member/snap/db");
    fs::write(&database, "x".repeat(65536)).unwrap();
    let _a = world.start('a');
    world.until("a crash", || world.log('a').contains("panic"));
    let key = taken["key"].as_str().unwrap();
    assert_eq!(restore(&world, 'a', key, "t1")["state"], "started");
    world.serves('a');
    assert_eq!(world.get('a', "before"), "kept");
    // What runs is what the manifest says now.
    assert!(
        world
            .argv('a')
            .contains(&"--initial-cluster-token=t1".to_owned())
    );
}

#[test]
fn a_restore_ends_an_unfinished_member_replacement() {
    let (world, [_a, b, _c], key) = with_snapshot();
    world.well('a', "etcd-member remove b --even-if-healthy");
    world.well('a', "etcd-member add b");
    for slot in SLOTS.into_iter().chain(SLOTS) {
        restore(&world, slot, &key, "t1");
    }
    world.all_serve();
    assert_eq!(world.parameter("state/etcd-recover-b").unwrap(), "done");
    drop(b);
    let _b = world.start('b');
    world.all_serve();
    assert_eq!(world.get('b', "before"), "kept");
}

/// Without its volume a slot would restore onto the root disk, and boot would mount the old data over it.
#[test]
fn a_restore_waits_for_the_volume() {
    let world = World::of("a");
    let _a = world.start('a');
    world.serves('a');
    world.put('a', "before", "kept");
    let taken = world.well('a', "etcd-snapshot --now");
    let key = taken["key"].as_str().unwrap();
    let unmounted = world.root('a').join("run/unmounted");
    fs::write(&unmounted, "").unwrap();
    for line in [
        format!("etcd-restore {key} --token t1"),
        "etcd-restore --abandon t1".to_owned(),
    ] {
        let refused = world.refused('a', &line);
        assert!(refused.contains("is not mounted yet"), "{refused}");
    }
    assert!(!world.root('a').join("var/lib/etcd/restore").exists());
    fs::remove_file(unmounted).unwrap();
    assert_eq!(restore(&world, 'a', key, "t1")["state"], "started");
    world.serves('a');
    assert_eq!(world.parameter("state/etcd-recover-a").unwrap(), "done");
}

/// The only member's volume is lost: boot is asked for one that begins without data, and goes no further than that.
#[test]
fn the_lost_volume_of_a_single_slot_is_restored() {
    let world = World::of("a");
    let a = world.start('a');
    world.serves('a');
    world.put('a', "before", "kept");
    let taken = world.well('a', "etcd-snapshot --now");
    let key = taken["key"].as_str().unwrap();
    drop(a);
    world.replace_machine('a');
    fs::remove_dir_all(world.root('a').join("var/lib/etcd")).unwrap();
    fs::create_dir_all(world.root('a').join("var/lib/etcd")).unwrap();
    fs::write(world.root('a').join("run/unmounted"), "").unwrap();
    let _a = super::world::Running::of(&world, 'a');
    world.refused('a', &format!("etcd-restore {key} --token t1"));
    world.until("boot's refusal", || {
        let log = fs::read_to_string(world.root('a').join("run/kube-cfn-boot.service.log"));
        log.unwrap_or_default()
            .contains("no other member answers with a leader")
    });
    fs::remove_file(world.root('a').join("run/unmounted")).unwrap();
    assert_eq!(restore(&world, 'a', key, "t1")["state"], "started");
    world.serves('a');
    assert_eq!(world.get('a', "before"), "kept");
}

#[test]
fn a_restore_waits_while_the_bucket_does_not_answer() {
    let (world, _running, key) = with_snapshot();
    restore(&world, 'a', &key, "t1");
    restore(&world, 'b', &key, "t1");
    let down = world.object("x").with_file_name("../bucket-is-down");
    fs::write(&down, "").unwrap();
    for line in [
        "etcd-restore --abandon t1".to_owned(),
        format!("etcd-restore {key} --token t1"),
    ] {
        world.refused('a', &line);
        let manifests = world.root('a').join("etc/kubernetes/manifests");
        assert_eq!(fs::read_dir(&manifests).unwrap().count(), 0, "{line}");
    }
    fs::remove_file(down).unwrap();
    for slot in SLOTS {
        world.well(slot, "etcd-restore --abandon t1");
    }
    world.all_serve();
    assert_eq!(world.get('c', "after"), "gone");
}
