//! What boot asks of the container runtime, of a real containerd 2 and real CNI plugins. No container is started: a machine
//! of the tests may not make device nodes.

use super::vpc::Machine;

/// The machine is a node; where the archive of Debian has this containerd no more, there is only a stand-in.
pub fn runtime_takes_its_configuration(slot: &Machine) {
    if slot
        .sh("readlink -f /usr/local/bin/containerd")
        .contains("machine")
    {
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
    // systemd starts another one, which finds what the first one had.
    pull(slot);
    slot.sh("systemctl kill --signal KILL containerd.service");
    slot.until(30, "ctr version > /dev/null 2>&1");
    assert!(
        slot.sh("ctr images list --quiet")
            .contains("registry.test/probe:1")
    );
    networks(slot);
}

/// From a registry on loopback, which certs.d names for another one.
fn pull(slot: &Machine) {
    slot.sh("mkdir -p /etc/containerd/certs.d/registry.test && cat > /etc/containerd/certs.d/registry.test/hosts.toml << 'END'\n\
             server = \"https://registry.test\"\n[host.\"http://127.0.0.1:5000\"]\n  capabilities = [\"pull\", \"resolve\"]\nEND\n\
             systemd-run --quiet --unit registry /usr/bin/python3 /usr/local/lib/machine/registry.py 5000 probe 1 /etc/hosts");
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
