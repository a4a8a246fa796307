//! What a machine needs of its kernel, and the size of etcd's file system.

use super::boot::worker;
use super::machine::{Machine, text};
use crate::support::specs;

fn slot() -> Machine {
    Machine::new(&specs::production(), "control-plane/a")
}

/// A kernel without `br_netfilter`, or with overlay built in: what is needed is there.
#[test]
fn boots_continue_when_a_kernel_module_or_setting_is_missing() {
    for machine in [slot(), worker()] {
        for unit in ["systemd-modules-load.service", "systemd-sysctl.service"] {
            machine.set(&format!("srv/units-that-fail/{unit}"), "");
        }
        let done = machine.boot();
        let said = text(&done.stdout);
        assert!(done.status.success(), "{said}{}", text(&done.stderr));
        assert!(said.contains("a kernel module was not loaded"), "{said}");
        assert!(said.contains("a kernel setting was refused"), "{said}");
    }
}

#[test]
fn boots_fail_without_overlay_or_forwarding_of_packets() {
    let machine = slot();
    machine.set("srv/filesystems", "nodev\tproc\n\txfs\nnodev\toverlayfs\n");
    let reason = machine.refuses();
    assert!(
        reason.contains("load overlay: this kernel has no such file system"),
        "{reason}"
    );
    let machine = worker();
    machine.set("srv/ip_forward", "0\n");
    let reason = machine.refuses();
    assert!(reason.contains("net.ipv4.ip_forward is not 1"), "{reason}");
}

/// systemd-sysctl fails for a key that is not there, unless its line begins with a dash.
#[test]
fn settings_of_a_module_that_may_be_missing_are_optional() {
    for machine in [slot(), worker()] {
        let settings = machine.get("etc/sysctl.d/90-kube-cfn.conf");
        let bridge = settings.lines().filter(|line| line.contains("bridge."));
        let bridge: Vec<_> = bridge.collect();
        assert_eq!(bridge.len(), 2, "{settings}");
        assert!(bridge.iter().all(|line| line.starts_with("-net.bridge.")));
    }
}

const GROWN: &str =
    "the file system of /var/lib/etcd has grown: data blocks changed from 5242880 to 10485760";

#[test]
fn a_file_system_grows_with_its_volume_at_boot() {
    let machine = slot();
    machine.boots();
    machine.set("srv/volume-has-grown", "");
    let said = text(&machine.boot().stdout);
    assert!(said.contains(GROWN), "{said}");
    let said = text(&machine.boot().stdout);
    assert!(!said.contains("has grown"), "{said}");
}

#[test]
fn a_file_system_grows_with_its_volume_while_the_machine_runs() {
    let machine = slot();
    let program = "/opt/kube-cfn/bin/grow-etcd-volume";
    let done = machine.run(&[program]);
    assert_eq!(done.status.code(), Some(1));
    assert!(text(&done.stderr).contains("no volume is mounted there"));
    let twice = format!(
        "ls /run/units; systemctl stop kube-cfn-etcd-volume.timer; touch /srv/volume-has-grown; {program}; {program}"
    );
    let done = machine.boots_and(&twice);
    let said = text(&done.stdout);
    assert!(said.contains("kube-cfn-etcd-volume.timer"), "{said}");
    assert!(said.contains("kube-cfn-certificates.timer"), "{said}");
    assert_eq!(said.matches(GROWN).count(), 1, "{said}");
}

/// etcd works as well on the size that there is.
#[test]
fn a_file_system_that_does_not_grow_fails_no_boot() {
    let machine = slot();
    machine.set(
        "local/bin/xfs_growfs",
        "#!/bin/bash\necho 'xfs_growfs: XFS_IOC_FSGROWFSDATA xfsctl failed' >&2\nexit 1\n",
    );
    let own = machine.path("local/sbin/xfs_growfs");
    std::fs::remove_file(&own).unwrap();
    std::fs::rename(machine.path("local/bin/xfs_growfs"), &own).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&own, mode).unwrap();
    let done = machine.boot();
    assert!(done.status.success(), "{}", text(&done.stderr));
    let said = format!("{}{}", text(&done.stdout), text(&done.stderr));
    assert!(said.contains("keeps its size for now"), "{said}");
}
