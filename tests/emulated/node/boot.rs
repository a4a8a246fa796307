//! Boots from the user data of the launch template to the last line, on a control-plane node and in a pool; and
//! what a failed boot leaves.

use std::fs;

use serde_json::{Value, json};

use super::machine::{Machine, Timed};
use super::programs;
use crate::tools::ask;
use crate::world::World;

#[test]
fn nodes_boot_and_their_programs_run_with_the_real_aws_cli() {
    let Some(_timed) = Timed::start() else {
        return;
    };
    let world = World::small("boots");
    world.apply().ends(0);
    let (slot, worker) = (Machine::slot(&world), Machine::worker(&world));
    a_boot_that_fails_leaves_its_log(&world, &worker);
    a_slot_boots_from_its_user_data(&world, &slot);
    a_worker_boots_with_the_token_of_the_slot(&worker);
    a_new_token_takes_the_place_of_the_old(&world, &slot);
    programs::etcd(&world, &slot);
    programs::addons(&slot);
}

fn parameter(world: &World, name: &str) -> Value {
    let name = format!("/kube-cfn/{}/{name}", world.name);
    let asked = json!({"Name": name, "WithDecryption": true});
    ask(world, "ssm", "get_parameter", &asked)["Parameter"].clone()
}

/// The first boot is of the tree, whose downloads are stand-ins; the second of the very bundle that lies
/// in the state bucket, with the programs in place.
fn a_slot_boots_from_its_user_data(world: &World, slot: &Machine) {
    slot.cloud_init();
    let said = slot.run(&["/opt/kube-cfn/boot"]);
    said.ends(0)
        .prints(&format!("{} runs as control-plane", slot.instance));
    assert!(slot.calls().contains("mkfs.xfs"), "{}", slot.calls());
    assert_eq!(parameter(world, "state/etcd-initialized")["Value"], "yes");
    for (name, file) in [("cp/sa.key", "sa.key"), ("cp/sa.pub", "sa.pub")] {
        let value = parameter(world, name)["Value"]
            .as_str()
            .expect("text")
            .to_owned();
        assert_eq!(
            slot.read(&format!("etc/kubernetes/pki/{file}")).trim_end(),
            value.trim_end()
        );
        assert!(
            !slot.calls().contains(&value) && !said.to_string().contains(&value),
            "{name}"
        );
    }
    let authority = parameter(world, "cp/ca.key")["Value"].clone();
    let certificate = slot.read("etc/kubernetes/pki/ca.crt");
    assert!(
        authority
            .as_str()
            .expect("text")
            .contains(certificate.trim_end())
    );

    for line in slot.rendered("etc/kube-cfn/binaries").lines() {
        let mut words = line.split(' ');
        let stamp = format!(
            "var/lib/kube-cfn/installed/{}",
            words.next().expect("a name")
        );
        slot.write(&stamp, &format!("{}\n", words.next().expect("a sum")));
    }
    fs::remove_file(slot.path("srv/calls")).expect("calls");
    slot.run(&["/opt/kube-cfn/start"])
        .ends(0)
        .prints("kube-cfn: unpack the bundle")
        .prints(&format!("{} runs as control-plane", slot.instance));
    let calls = slot.calls();
    assert!(
        calls.contains("s3://") && calls.contains("/opt/kube-cfn/bundle.tar.gz"),
        "{calls}"
    );
    assert!(
        !calls.contains("mkfs.xfs") && !calls.contains("attach-volume"),
        "{calls}"
    );
    let stack = format!("{}-control-plane SlotA", world.name);
    assert_eq!(
        slot.read("srv/signals"),
        format!("SUCCESS {stack}\nSUCCESS {stack}\n")
    );
}

fn a_worker_boots_with_the_token_of_the_slot(worker: &Machine) {
    let said = worker.run(&["/opt/kube-cfn/boot"]);
    said.ends(0)
        .prints(&format!("{} runs as pool-workers", worker.instance));
    assert!(
        worker
            .read("srv/signals")
            .ends_with("SUCCESS boots-pool-workers Group\n")
    );
}

fn a_new_token_takes_the_place_of_the_old(world: &World, slot: &Machine) {
    let before = parameter(world, "worker/bootstrap-token");
    // The API runs as long as the machine does. The boot itself makes the first token.
    let program = "/opt/kube-cfn/boot > /dev/null && /opt/kube-cfn/bin/bootstrap-token";
    slot.run(&["/bin/bash", "-c", program])
        .ends(0)
        .prints("bootstrap-token: new nodes get a new token");
    let after = parameter(world, "worker/bootstrap-token");
    assert_eq!(
        after["Version"].as_i64(),
        before["Version"].as_i64().map(|one| one + 2)
    );
    assert_eq!(after["Type"], "SecureString");
}

/// Thrice, as systemd starts it: the stack hears of the third attempt, and the log of each is stored where
/// this machine alone may write.
fn a_boot_that_fails_leaves_its_log(world: &World, worker: &Machine) {
    let machine = worker.read("srv/machine");
    worker.write("srv/machine", "riscv64\n");
    worker.cloud_init();
    // systemd's journal of the attempt.
    let journal = "#!/bin/bash\n[ \"$*\" = --sync ] || tail -n +1 /srv/journal\n";
    worker.program("journalctl", journal);
    let thrice = "for n in 1 2 3; do /opt/kube-cfn/boot > /srv/journal 2>&1 && exit 9; cat /srv/journal; done; exit 1";
    let said = worker.run(&["/bin/bash", "-c", thrice]);
    let last = said.ends(1).stdout.lines().last().unwrap_or_default();
    let reason =
        "kube-cfn boot failed: other: use this bundle: it is for aarch64, this machine is riscv64";
    assert_eq!(last, reason, "{said}");
    assert_eq!(
        worker.read("srv/signals"),
        format!("FAILURE {}-pool-workers Group\n", world.name)
    );
    let own = format!("boot/{}/", worker.user_id);
    let keys = worker.objects("boot/");
    assert_eq!(keys.len(), 3, "{keys:?}");
    for (key, attempt) in keys.iter().zip(1..) {
        let end = key
            .strip_prefix(&own)
            .expect("its own part")
            .trim_end_matches(".log");
        assert_eq!(end.len(), "20261130T000000Z".len(), "{key}");
        let stored = worker.object(key);
        assert!(
            stored.starts_with(&format!("pool-workers of boots, attempt {attempt}\n")),
            "{stored}"
        );
        assert!(stored.ends_with(&format!("{reason}\n")), "{stored}");
        assert!(stored.contains("boot: use this bundle"), "{stored}");
    }
    worker.write("srv/machine", &machine);
}
