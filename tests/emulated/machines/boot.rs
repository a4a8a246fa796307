//! From power-on to a node, and again: what systemd, cloud-init and user data make of a machine, and what stays.

use serde_json::Value;

use super::containerd::runtime_takes_its_configuration;
use super::faults::{interrupted_later_boots, interrupted_restores};
use super::interruptions::moments;
use super::machine::Machine;
use super::vpc::{Vpc, small};
use crate::process::Said;
use crate::world::World;

/// What a boot keeps: a second one must not change a byte of it.
pub const KEPT: &str = "cd / && find etc/kubernetes etc/kube-cfn etc/systemd opt/kube-cfn usr/local/bin var/lib/kube-cfn \
                    var/lib/kubelet -type f | LC_ALL=C sort | xargs sha256sum";

#[test]
fn machines_become_nodes_from_power_on() {
    let world = World::new("powered");
    world.definition(&small("powered"));
    world.apply().ends(0);
    let Some(vpc) = Vpc::of(&world) else {
        return;
    };
    let slot = vpc.slot('a');
    first_boot(&vpc, &slot);
    let worker = vpc.worker();
    worker.on();
    commands_reach_the_machine(&world, &vpc);
    runtime_takes_its_configuration(&slot);
    power_cut(&slot);
    a_worker_joins(&vpc, &worker);
    reboot(&slot);
    worker.cut();
    let mut random = moments();
    interrupted_later_boots(&slot, &mut random);
    interrupted_restores(&world, &slot, &mut random);
}

/// A key of the cluster's etcd, read or written on the machine.
pub fn etcd(slot: &Machine, command: &str) -> String {
    let pki = "/etc/kubernetes/pki/etcd";
    slot.sh(&format!(
        "etcdctl --cacert {pki}/ca.crt --cert {pki}/healthcheck-client.crt --key {pki}/healthcheck-client.key {command}"
    ))
}

fn first_boot(vpc: &Vpc, slot: &Machine) {
    slot.on();
    slot.boots();
    let last = format!(
        "{} runs as control-plane with Kubernetes 1.36.4",
        slot.instance
    );
    assert!(slot.console().contains(&last), "{}", slot.console());
    slot.sh(&format!(
        "journalctl --boot --unit kube-cfn-boot.service | grep -qF '{last}'"
    ));
    // The credentials are the role's, of the metadata service.
    slot.sh(&format!(
        "AWS_REGION=eu-west-1 aws sts get-caller-identity --query UserId --output text | grep -q ':{}$'",
        slot.instance
    ));
    slot.sh("grep -q '^SUCCESS powered-control-plane SlotA$' /srv/signals && [ \"$(wc -l < /srv/signals)\" = 1 ]");
    slot.sh("[ \"$(findmnt --noheadings --output FSROOT /var/lib/etcd | grep -c vol-)\" = 1 ]");
    // What cloud-init did is done by itself at later boots, and no unit of the boot has failed.
    slot.sh("systemctl is-enabled --quiet kube-cfn-boot.service containerd.service");
    let failed = slot.sh("systemctl list-units --failed --plain --no-legend | cut -d ' ' -f 1");
    assert!(
        failed
            .lines()
            .all(|unit| unit.starts_with("kube-cfn-addons")),
        "{failed}"
    );
    let node = vpc.api.objects("api/v1/nodes").pop().expect("a Node");
    assert_eq!(node["metadata"]["name"], slot.instance.as_str());
    assert!(
        node["metadata"]["labels"]["node-role.kubernetes.io/control-plane"].is_string(),
        "{node}"
    );
    etcd(slot, "put /registry/kept yes");
}

/// From the command on this system to the process on the machine.
fn commands_reach_the_machine(world: &World, vpc: &Vpc) {
    let said = world.run(&["etcd", "snapshot", &world.name]);
    let key = said.ends(0).stdout.trim().to_owned();
    let listed = world.run(&["etcd", "list", &world.name, "-o", "json"]);
    let listed: Value = serde_json::from_str(&listed.ends(0).stdout).expect("JSON");
    assert_eq!(listed[0]["key"], key.as_str(), "{listed}");
    assert_eq!(listed[0]["verifiable"], true, "{listed}");
    let status = world.cluster("status", &["--server", &vpc.server()]);
    status.ends(0).prints("etcd answers");
    let said = world.cluster("diagnose", &["--server", &vpc.server()]);
    assert!(matches!(said.code, Some(0 | 4)), "{said}");
}

/// Nothing is written down at the end; a boot from what the disk has changes nothing.
fn power_cut(slot: &Machine) {
    let before = slot.sh(KEPT);
    slot.cut();
    slot.on();
    slot.boots();
    assert_same(&before, &slot.sh(KEPT));
    assert_eq!(etcd(slot, "get --print-value-only /registry/kept"), "yes");
    assert_eq!(slot.unit("kube-cfn-boot.service", "NRestarts"), "0");
    // The last line of the boot before is in the journal, since the journal is on the disk.
    slot.sh("journalctl --boot=-1 --unit kube-cfn-boot.service | grep -q 'runs as control-plane'");
}

pub fn assert_same(before: &str, after: &str) {
    let changed: Vec<_> = after
        .lines()
        .filter(|line| !before.contains(line))
        .collect();
    assert!(
        changed.is_empty() && before.lines().count() == after.lines().count(),
        "{changed:?}"
    );
}

/// With a bootstrap token of the slot, a request that the slot approves, and the real DNS name of the API.
fn a_worker_joins(vpc: &Vpc, worker: &Machine) {
    worker.boots();
    let nodes = vpc.api.objects("api/v1/nodes");
    let node = nodes
        .iter()
        .find(|one| one["metadata"]["name"] == worker.instance.as_str());
    assert_eq!(
        node.expect("a Node")["metadata"]["labels"]["kube-cfn/pool"],
        "workers"
    );
    worker.sh("[ ! -e /var/lib/kubelet/pki/kube-cfn-first.key ]");
    let before = worker.sh("sha256sum /var/lib/kubelet/pki/kubelet-client-current.pem");
    worker.cut();
    worker.on();
    worker.boots();
    assert_eq!(
        before,
        worker.sh("sha256sum /var/lib/kubelet/pki/kubelet-client-current.pem")
    );
    assert!(
        worker
            .console()
            .contains(&format!("{} runs as pool-workers", worker.instance))
    );
}

/// systemd stops the kubelet, then the API server, then etcd, then containerd; and the machine is off by itself.
fn reboot(slot: &Machine) {
    let _ = slot.run(&["systemctl", "--no-block", "reboot"]);
    slot.ends_by_itself();
    slot.on();
    slot.boots();
    let said = slot.sh("journalctl --boot=-1 --output cat --no-pager");
    let at = |text: &str| {
        said.rfind(text)
            .unwrap_or_else(|| panic!("no {text:?} in:\n{said}"))
    };
    let order = [
        "Stopped kubelet.service",
        "stop kube-apiserver",
        "stop etcd",
        "Stopped kube-cfn-shutdown.service",
        "Stopped containerd.service",
    ];
    let places: Vec<_> = order.iter().map(|text| at(text)).collect();
    assert!(places.is_sorted(), "{places:?}\n{said}");
    assert_eq!(etcd(slot, "get --print-value-only /registry/kept"), "yes");
}

/// Neither a power cut of the tests nor a kill of what runs the machines leaves anything on this system.
#[test]
fn killed_machines_leave_nothing() {
    let world = World::new("killed");
    world.definition(&small("killed"));
    world.apply().ends(0);
    let seen = || {
        let look = "ip -br link | awk '{print $1}'; cut -d ' ' -f 5 /proc/self/mountinfo; ls /dev; \
                    cat /proc/sys/vm/overcommit_memory /proc/sys/kernel/panic /proc/sys/net/ipv4/ip_forward";
        Said::of(std::process::Command::new("bash").args(["-c", look]))
            .ends(0)
            .stdout
            .clone()
    };
    let before = seen();
    let Some(vpc) = Vpc::of(&world) else {
        return;
    };
    let slot = vpc.slot('a');
    slot.on();
    slot.until(60, "systemctl is-active --quiet systemd-networkd.service");
    assert_eq!(before, seen());
    let (first, groups) = (slot.process(), vpc.cgroups().to_owned());
    assert!(std::path::Path::new(&groups).exists(), "{groups}");
    vpc.kill();
    // Nothing but a zombie, which this system's first process has to collect.
    assert!(std::fs::read_link(format!("/proc/{first}/exe")).is_err());
    assert_eq!(before, seen());
    drop(slot);
    drop(vpc);
    let next = Vpc::of(&world).expect("machines");
    assert!(!std::path::Path::new(&groups).exists(), "{groups}");
    drop(next);
}
