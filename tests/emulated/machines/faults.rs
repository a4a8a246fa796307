//! Machines whose boots are interrupted at random moments, or meet a bad network, clock or disk: what is run again ends
//! well, and nothing of etcd's data is lost or used twice.

use fastrand::Rng;
use serde_json::json;

use super::boot::{KEPT, assert_same, etcd};
use super::interruptions::{
    FIRST, LATER, RESTORES, interrupt_boot, interrupt_command, moments, part,
};
use super::machine::Machine;
use super::vpc::{Vpc, small};
use crate::tools::{ask, base_output};
use crate::world::World;

/// Of one first boot, which ends then.
const ONE_BOOT: usize = 10;

#[test]
fn interrupted_first_boots_end_well() {
    let world = World::new("interrupted");
    world.definition(&small("interrupted"));
    world.apply().ends(0);
    let Some(vpc) = Vpc::of(&world) else {
        return;
    };
    let mut random = moments();
    let slot = vpc.slot('a');
    a_bad_network(&vpc, &slot);
    interrupted_first_boots(&vpc, &slot, &mut random);
    a_clock_that_is_wrong(&vpc, &slot);
    a_full_disk(&slot);
    a_bad_mirror(&vpc, &slot);
}

/// The machine is a node, and `/registry/kept` is `yes`; so it is at the end, with the same files.
pub fn interrupted_later_boots(slot: &Machine, random: &mut Rng) {
    let before = (slot.sh(KEPT), member(slot));
    slot.cut();
    slot.on();
    let mut left = part(LATER);
    while left > 0 {
        if interrupt_boot(slot, random) {
            left -= 1;
        } else {
            slot.boots();
            slot.cut();
            slot.on();
        }
    }
    slot.boots();
    assert_same(&before.0, &slot.sh(KEPT));
    assert_eq!(before.1, member(slot));
    assert_eq!(etcd(slot, "get --print-value-only /registry/kept"), "yes");
}

/// The machine is on and has never been a node. Each first boot ends well; then its disk and its volume are new ones.
fn interrupted_first_boots(vpc: &Vpc, slot: &Machine, random: &mut Rng) {
    let mut left = part(FIRST);
    loop {
        for _ in 0..ONE_BOOT.min(left) {
            if !interrupt_boot(slot, random) {
                break;
            }
            left -= 1;
        }
        slot.boots();
        member(slot);
        slot.sh(
            "[ \"$(tail --lines 1 /srv/signals)\" = 'SUCCESS interrupted-control-plane SlotA' ]",
        );
        assert_eq!(etcd(slot, "get --prefix --keys-only /registry/kept"), "");
        etcd(slot, "put /registry/kept yes");
        if left == 0 {
            return;
        }
        slot.cut();
        slot.blank();
        let names = ["state/etcd-initialized", "state/etcd-recover-a"]
            .map(|name| format!("/kube-cfn/interrupted/{name}"));
        ask(
            vpc.world,
            "ssm",
            "delete_parameters",
            &json!({"Names": names}),
        );
        slot.on();
    }
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
    vpc.faults(&json!({"cut": 1, "garble": 1}));
    slot.says("kube-cfn boot failed: download: verify bundles/control-plane-");
    copy("kept", of("control-plane"));
    // systemd would wait for half a minute, which the vpc test does.
    slot.listen();
    slot.sh("systemctl restart --no-block kube-cfn-boot.service");
    slot.says("boot: host: ");
    vpc.faults(&json!({}));
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

/// What can't be written stays as it was, and is written when there is space again; the last line says what is full.
fn a_full_disk(slot: &Machine) {
    let before = slot.sh(KEPT);
    slot.sh("rm -f /etc/kube-cfn/kubeadm/config.yaml; fallocate --length 100G /var/tmp/full 2> /dev/null || cat /dev/zero > /var/tmp/full || true");
    slot.listen();
    let _ = slot.run(&["systemctl", "restart", "kube-cfn-boot.service"]);
    assert_ne!(slot.unit("kube-cfn-boot.service", "ActiveState"), "active");
    let said = slot.printed();
    let last = said
        .lines()
        .find(|line| line.contains("kube-cfn boot failed: "));
    assert!(
        last.is_some_and(|line| line.contains("; no space is left on /")),
        "{said}"
    );
    slot.sh("rm /var/tmp/full; systemctl restart kube-cfn-boot.service");
    assert_same(&before, &slot.sh(KEPT));
    assert_eq!(etcd(slot, "get --print-value-only /registry/kept"), "yes");
}

/// A download that ends in the middle is fetched again by the same boot, one with another content ends it and names it.
fn a_bad_mirror(vpc: &Vpc, slot: &Machine) {
    let before = slot.sh(KEPT);
    let sum = vpc.on_mirror("crictl.tar.gz", &slot.sh("cd /usr/local/bin && tar -czhf /run/probe.tar.gz crictl && base64 --wrap 0 /run/probe.tar.gz"));
    slot.sh(&format!(
        "cp /etc/kube-cfn/binaries /run/binaries; stamp=/var/lib/kube-cfn/installed/crictl; mv $stamp /run/stamp; cp -a /usr/local/bin/crictl /run
         sed -i 's#^crictl .*#crictl {sum} http://mirror.internal:8000/crictl.tar.gz#' /etc/kube-cfn/binaries"
    ));
    vpc.faults(&json!({"half": 1, "wrong": 1}));
    slot.listen();
    let _ = slot.run(&["systemctl", "restart", "kube-cfn-boot.service"]);
    slot.says(&format!("kube-cfn boot failed: download: verify http://mirror.internal:8000/crictl.tar.gz: its sha256 is not {sum}"));
    assert!(slot.printed().contains("curl: (18)"), "{}", slot.printed());
    slot.sh("[ ! -e /var/lib/kube-cfn/installed/crictl ] && crictl version > /dev/null");
    slot.sh(&format!(
        "systemctl restart kube-cfn-boot.service; [ \"$(cat /var/lib/kube-cfn/installed/crictl)\" = {sum} ]
         cp /run/binaries /etc/kube-cfn/binaries; cp /run/stamp /var/lib/kube-cfn/installed/crictl
         cp -a --remove-destination /run/crictl /usr/local/bin/"
    ));
    assert_same(&before, &slot.sh(KEPT));
}

/// From a snapshot, with an interruption in the middle: run again with its token, the restore ends, once.
pub fn interrupted_restores(world: &World, slot: &Machine, random: &mut Rng) {
    let said = world.run(&["etcd", "snapshot", &world.name]);
    let key = said.ends(0).stdout.trim().to_owned();
    let (mut left, mut number) = (part(RESTORES), 0);
    while left > 0 {
        number += 1;
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
        let mut running = world.spawn(&restore);
        if interrupt_command(slot, &mut running, 6_000, random) {
            left -= 1;
        }
        drop(running);
        slot.ends_well(world, &restore);
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
