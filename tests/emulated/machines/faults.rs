//! Machines whose boots are interrupted at random moments, or meet a bad network, clock or disk: what is run again ends
//! well, and nothing of etcd's data is lost or used twice.

use std::thread::sleep;
use std::time::{Duration, Instant};

use fastrand::Rng;
use serde_json::json;

use super::boot::{KEPT, assert_same, etcd};
use super::vpc::{Machine, Vpc, are_interrupted, note, seed, small};
use crate::tools::{ask, base_output};
use crate::world::World;

/// Interruptions of first boots, of later ones, and of restores, in a run with all of them.
const FIRST: usize = 80;
const LATER: usize = 80;
const RESTORES: usize = 30;

#[test]
fn interrupted_boots_end_well() {
    if !are_interrupted() {
        return;
    }
    let world = World::new("interrupted");
    world.definition(&small("interrupted"));
    world.apply().ends(0);
    let Some(vpc) = Vpc::of(&world) else {
        return;
    };
    let mut random = Rng::with_seed(seed());
    let slot = vpc.slot('a');
    a_bad_network(&vpc, &slot);
    for _ in 0..FIRST {
        interrupt(&slot, &mut random);
    }
    slot.boots();
    etcd(&slot, "put /registry/kept yes");
    let before = (slot.sh(KEPT), member(&slot));
    for _ in 0..LATER {
        interrupt(&slot, &mut random);
    }
    slot.boots();
    assert_same(&before.0, &slot.sh(KEPT));
    assert_eq!(before.1, member(&slot));
    assert_eq!(etcd(&slot, "get --print-value-only /registry/kept"), "yes");
    a_clock_that_is_wrong(&vpc, &slot);
    a_full_disk(&slot);
    interrupted_restores(&world, &slot, &mut random);
}

/// DNS that comes late, a slow metadata service, a bundle that ends in the middle or has a wrong byte, which the AWS CLI fetches
/// again, and one that is another's: systemd starts the boot again until it is right.
fn a_bad_network(vpc: &Vpc, slot: &Machine) {
    let bucket = base_output(vpc.world, "StateBucket");
    let listed = ask(
        vpc.world,
        "s3",
        "list_objects_v2",
        &json!({"Bucket": bucket, "Prefix": "bundles/"}),
    );
    let keys = listed["Contents"].as_array().expect("bundles").iter();
    let keys: Vec<_> = keys.filter_map(|one| one["Key"].as_str()).collect();
    let of = |role: &str| {
        *keys
            .iter()
            .find(|key| key.contains(role))
            .expect("a bundle")
    };
    let copy = |from: &str, to: &str| {
        let asked = json!({"Bucket": bucket, "CopySource": format!("{bucket}/{from}"), "Key": to});
        ask(vpc.world, "s3", "copy_object", &asked);
    };
    copy(of("control-plane"), "kept");
    copy(of("pool-workers"), of("control-plane"));
    vpc.faults(&json!({"dns": true, "metadata": 0.3}));
    slot.on();
    slot.says("kube-cfn: fetch s3://");
    sleep(Duration::from_secs(5));
    vpc.faults(&json!({"cut": 1, "garble": 1}));
    slot.says("kube-cfn boot failed: download: verify bundles/control-plane-");
    copy("kept", of("control-plane"));
    slot.until(
        120,
        "[ \"$(systemctl show --property NRestarts --value kube-cfn-boot.service)\" -gt 0 ]",
    );
    vpc.faults(&json!({}));
}

/// Something happens when the console has some more lines, or the machine is a node.
fn interrupt(slot: &Machine, random: &mut Rng) {
    let lines = || slot.console().lines().count();
    let (wanted, end) = (
        lines() + random.usize(0..70),
        Instant::now() + Duration::from_secs(40),
    );
    while lines() < wanted
        && Instant::now() < end
        && slot.unit("kube-cfn-boot.service", "ActiveState") != "active"
    {
        sleep(Duration::from_millis(50));
    }
    sleep(Duration::from_millis(random.u64(0..400)));
    let what = random.u8(0..6);
    note(&format!("{what} after {wanted} lines"));
    match what {
        0..=2 => {
            slot.cut();
            slot.on();
        }
        3 => {
            // Before systemd listens nothing would happen.
            let asked = slot.run(&["systemctl", "--no-block", "reboot"]);
            if asked.code == Some(0) {
                slot.ends_by_itself();
            } else {
                slot.cut();
            }
            slot.on();
        }
        4 => drop(slot.run(&[
            "systemctl",
            "--no-block",
            "restart",
            "kube-cfn-boot.service",
        ])),
        _ => drop(slot.run(&[
            "systemd-run",
            "--no-block",
            "--collect",
            "/opt/kube-cfn/boot",
        ])),
    }
}

/// The only member of etcd, with its id.
fn member(slot: &Machine) -> String {
    let list = etcd(slot, "member list");
    assert_eq!(list.lines().count(), 1, "{list}");
    list
}

/// AWS refuses everything, and the boot says why; when the clock is right it goes on by itself.
fn a_clock_that_is_wrong(vpc: &Vpc, slot: &Machine) {
    slot.cut();
    vpc.faults(&json!({"skew": 3600}));
    slot.on();
    slot.says("the clock of this machine is -60 minutes off");
    slot.says("kube-cfn boot failed: clock: ");
    vpc.faults(&json!({}));
    slot.boots();
    assert_eq!(etcd(slot, "get --print-value-only /registry/kept"), "yes");
}

/// What can't be written stays as it was, and is written when there is space again.
fn a_full_disk(slot: &Machine) {
    let before = slot.sh(KEPT);
    slot.sh("rm -f /etc/kube-cfn/kubeadm/config.yaml; fallocate --length 100G /var/tmp/full 2> /dev/null || cat /dev/zero > /var/tmp/full || true");
    let _ = slot.run(&["systemctl", "restart", "kube-cfn-boot.service"]);
    assert_ne!(slot.unit("kube-cfn-boot.service", "ActiveState"), "active");
    slot.sh("rm /var/tmp/full");
    slot.boots();
    assert_same(&before, &slot.sh(KEPT));
    assert_eq!(etcd(slot, "get --print-value-only /registry/kept"), "yes");
}

/// From a snapshot, with a power cut in the middle: run again with its token, the restore ends, once.
fn interrupted_restores(world: &World, slot: &Machine, random: &mut Rng) {
    let said = world.run(&["etcd", "snapshot", &world.name]);
    let key = said.ends(0).stdout.trim().to_owned();
    for number in 0..RESTORES {
        etcd(slot, "put /registry/kept lost");
        let token = format!("again-{number}");
        let restore = [
            "etcd",
            "restore",
            &world.name,
            &key,
            "--token",
            &token,
            "--confirm",
            &world.name,
        ];
        let running = world.spawn(&restore);
        sleep(Duration::from_millis(random.u64(0..12000)));
        slot.cut();
        slot.on();
        drop(running);
        let end = Instant::now() + Duration::from_mins(5);
        loop {
            // Systems Manager sees the machine when systemd runs.
            let said = world.run(&restore);
            if said.code == Some(0) {
                break;
            }
            assert!(Instant::now() < end, "{said}\n{}", slot.story());
            sleep(Duration::from_secs(3));
        }
        slot.boots();
        assert_eq!(etcd(slot, "get --print-value-only /registry/kept"), "yes");
        assert_eq!(
            slot.sh(&format!(
                "ls /var/lib/etcd/aside | grep -c '^before-{token}'"
            )),
            "1"
        );
        member(slot);
    }
}
