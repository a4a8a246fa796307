//! What boot asks of the container runtime, of a real containerd 2, runc and CNI plugins.

use super::machine::Machine;
use crate::untested::untested;

/// The machine is a node; where the archive of Debian has this containerd no more, there is only a stand-in.
pub fn runtime_takes_its_configuration(slot: &Machine) {
    if slot
        .sh("readlink -f /usr/local/bin/containerd")
        .contains("machine")
    {
        untested(
            "containerd on whole machines",
            "the archive of this system's packages has the pinned one no more (tests/machines/packages)",
        );
        return;
    }
    assert_eq!(slot.unit("containerd.service", "Type"), "notify");
    assert_eq!(slot.unit("containerd.service", "ActiveState"), "active");
    let config = slot.sh("containerd --config /etc/containerd/config.toml config dump");
    for (section, line) in [
        (
            "[plugins.'io.containerd.cri.v1.images'.pinned_images]",
            "sandbox = 'registry.k8s.io/pause:3.10.2'",
        ),
        (
            "[plugins.'io.containerd.cri.v1.images'.registry]",
            "config_path = '/etc/containerd/certs.d'",
        ),
        (
            "[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]",
            "SystemdCgroup = true",
        ),
    ] {
        let (_, rest) = config
            .split_once(section)
            .unwrap_or_else(|| panic!("no {section}\n{config}"));
        let own = rest.split("\n\n").next().unwrap_or_default();
        assert!(own.contains(line), "no {line} in\n{own}");
    }
    slot.sh("runc --version");
    pull(slot);
    run(slot);
    // systemd starts another one, which finds what the first one had; the container has not noticed.
    let before = slot.sh("ctr task list | grep probe");
    slot.sh("systemctl kill --kill-whom main --signal KILL containerd.service");
    slot.until(30, "ctr version > /dev/null 2>&1");
    assert!(
        slot.sh("ctr images list --quiet")
            .contains("registry.test/probe:1")
    );
    assert_eq!(before, slot.sh("ctr task list | grep probe"));
    slot.sh(
        "ctr task kill --signal SIGKILL probe; ctr task delete probe; ctr container delete probe",
    );
    networks(slot);
}

/// In a scope of systemd. A machine may not make device nodes: runc takes those that are there. Rights that it lacks itself
/// it can't give, and its control groups have no controllers.
fn run(slot: &Machine) {
    slot.sh("ctr run --detach --cap-drop CAP_MKNOD --cap-drop CAP_AUDIT_WRITE --cpu-shares 0 --runc-systemd-cgroup \
             --cgroup system.slice:ctr:probe registry.test/probe:1 probe /usr/bin/sleep 1000");
    assert_eq!(slot.unit("ctr-probe.scope", "ActiveState"), "active");
    let inside = "ctr task exec --exec-id look probe /usr/bin/stat --format %t:%T /dev/null";
    assert_eq!(slot.sh(inside), "1:3");
}

/// From a registry on loopback, which certs.d names for another one.
fn pull(slot: &Machine) {
    slot.sh("mkdir -p /etc/containerd/certs.d/registry.test && cat > /etc/containerd/certs.d/registry.test/hosts.toml << 'END'\n\
             server = \"https://registry.test\"\n[host.\"http://127.0.0.1:5000\"]\n  capabilities = [\"pull\", \"resolve\"]\nEND\n\
             systemd-run --quiet --unit registry /usr/bin/python3 /usr/local/lib/machine/registry.py 5000 probe 1 /usr/bin/sleep /usr/bin/stat \
             $(ldd /usr/bin/stat | grep -o '/[^ ]*')");
    slot.until(
        20,
        "curl --silent --fail --output /dev/null http://127.0.0.1:5000/v2/probe/manifests/1",
    );
    slot.sh(
        "ctr images pull --hosts-dir /etc/containerd/certs.d registry.test/probe:1 > /dev/null",
    );
    slot.sh("systemctl stop registry; rm -r /etc/containerd/certs.d");
}

/// The plugins that boot installs, as containerd calls them.
fn networks(slot: &Machine) {
    let call = "ip netns add probe\nexport CNI_CONTAINERID=probe CNI_NETNS=/run/netns/probe CNI_PATH=/opt/cni/bin\n\
                CNI_COMMAND=ADD CNI_IFNAME=lo /opt/cni/bin/loopback <<< '{\"cniVersion\": \"1.0.0\", \"name\": \"lo\", \"type\": \"loopback\"}' > /dev/null\n\
                conf='{\"cniVersion\": \"1.0.0\", \"name\": \"probe\", \"type\": \"bridge\", \"bridge\": \"cni0\", \"isGateway\": true,\n\
                \"ipam\": {\"type\": \"host-local\", \"ranges\": [[{\"subnet\": \"100.64.0.0/24\"}]]}}'\n\
                CNI_COMMAND=ADD CNI_IFNAME=eth0 /opt/cni/bin/bridge <<< \"$conf\" | jq -r '.ips[0].address'\n\
                ip netns exec probe ip -brief address show dev eth0 | grep -q 100.64.0.2/24\n\
                CNI_COMMAND=DEL CNI_IFNAME=eth0 /opt/cni/bin/bridge <<< \"$conf\"\n\
                ip netns delete probe; ip link delete cni0";
    assert_eq!(slot.sh(call), "100.64.0.2/24");
}
