//! The boot programs on the first boot, on later ones, on the machine that takes over a control-plane node, and
//! what they refuse.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};
use kube_cfn::spec::ClusterSpec;

use super::machine::{Machine, assert_same, sha256, text};
use crate::support::{golden, specs};

const SLOT: &str = "control-plane/a";

pub fn slot() -> (ClusterSpec, Machine) {
    let spec = specs::production();
    let machine = Machine::new(&spec, SLOT);
    (spec, machine)
}

/// A node of a pool whose token is there.
pub fn worker() -> Machine {
    let machine = Machine::new(&specs::production(), "batch");
    machine.set(
        "srv/parameters/worker/bootstrap-token",
        "abcdef.0123456789abcdef",
    );
    machine
}

/// Boots twice; the second boot changes nothing and does what its golden says.
fn twice(machine: &Machine, case: &str) {
    machine.boots();
    let calls = without_hash(&machine.calls_by_step());
    golden::check(&format!("node/{case}-first-boot.txt"), &calls);
    let before = machine.kept();
    machine.boots();
    assert_same(
        &machine.kept(),
        &before,
        "the second boot changed something",
    );
    golden::check(
        &format!("node/{case}-later-boot.txt"),
        &machine.calls_by_step(),
    );
}

/// The name of a certificate request ends with the hash of a new key.
fn without_hash(calls: &str) -> String {
    let name = "/node-csr-i-0a-";
    let mut parts = calls.split(name);
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + name + "HASH" + &part[32..])
}

#[test]
fn a_slot_boots_and_the_second_time_changes_nothing() {
    twice(&slot().1, "slot");
}

#[test]
fn a_worker_boots_and_the_second_time_changes_nothing() {
    twice(&worker(), "worker");
}

/// As CloudFormation makes it of a logical id, where the definition gives the API no name of its own.
#[test]
fn load_balancer_names_are_lower_case_for_kubeadm() {
    let (_, machine) = slot();
    let env = machine.get("etc/kube-cfn/host.env");
    let host = env.lines().find(|line| line.starts_with("API_HOST="));
    let name = "Canar-ApiLo-AbC1DeF2.elb.eu-west-1.amazonaws.com";
    let env = env.replace(host.unwrap(), &format!("API_HOST={name}"));
    machine.set("etc/kube-cfn/host.env", &env);
    machine.boots();
    let config = machine.get("etc/kube-cfn/kubeadm/config.yaml");
    let small = format!("{}:6443", name.to_lowercase());
    assert!(
        config.contains(&small) && !config.contains("Canar"),
        "{config}"
    );
}

#[test]
fn a_control_plane_node_has_its_files_after_boot() {
    let (_, machine) = slot();
    machine.boots();
    let kept = machine.kept();
    let mode = |name: &str| kept[name].0;
    for name in [
        "etc/kubernetes/pki/ca.key",
        "etc/kubernetes/pki/etcd/ca.key",
        "etc/kubernetes/pki/sa.key",
        "etc/kube-cfn/apiserver/encryption.yaml",
        "etc/kube-cfn/local-admin.conf",
        "var/lib/kubelet/config.yaml",
    ] {
        assert_eq!(mode(name), 0o600, "{name}");
    }
    assert!(
        machine
            .get("etc/kubernetes/pki/etcd/ca.key")
            .contains("key of etcd-ca")
    );
    assert!(
        !machine
            .get("etc/kubernetes/pki/etcd/ca.crt")
            .contains("key of")
    );
    assert!(
        machine
            .get("etc/kube-cfn/local-admin.conf")
            .contains("server: https://127.0.0.1:6443")
    );
    let config = machine.get("etc/kube-cfn/kubeadm/config.yaml");
    assert!(!config.contains('@'), "{config}");
    for filled in [
        "cp-a",
        "name: \"i-0a\"",
        "api.example.com:6443",
        "advertiseAddress: \"10.20.0.10\"",
    ] {
        assert!(config.contains(filled), "{filled}: {config}");
    }
    for name in [
        "kubelet",
        "kubeadm",
        "kubectl",
        "containerd",
        "crictl",
        "etcdctl",
        "helm",
        "runc",
    ] {
        assert_eq!(mode(&format!("local/bin/{name}")), 0o755, "{name}");
    }
    assert!(!machine.has("var/lib/kube-cfn/downloads"));
}

#[test]
fn secrets_are_in_no_argument_or_output() {
    let (_, machine) = slot();
    let done = machine.boot();
    let said = format!(
        "{}{}{}",
        text(&done.stdout),
        text(&done.stderr),
        machine.calls()
    );
    for secret in [
        "abcdef.0123456789abcdef",
        "key of ca",
        "content of encryption.yaml",
    ] {
        assert!(!said.contains(secret), "{secret}: {said}");
    }
    assert_eq!(
        machine.get("srv/parameters/worker/bootstrap-token").trim(),
        "abcdef.0123456789abcdef"
    );
}

/// What kubeadm, kubelet and crictl warn of today is an error in one of the next minors.
#[test]
fn boots_cause_no_warnings() {
    for machine in [slot().1, worker()] {
        for _ in 0..2 {
            let done = machine.boot();
            assert!(done.status.success(), "{}", text(&done.stderr));
            let said = format!("{}{}", text(&done.stderr), text(&done.stdout));
            for word in ["deprecated", "W1130", "level=warn", "unrecognized"] {
                assert!(!said.contains(word), "{word}: {said}");
            }
            // No kubelet complained, of a flag, of its configuration or of a manifest.
            let journal = machine
                .has("srv/journal")
                .then(|| machine.get("srv/journal"));
            assert_eq!(journal, None);
        }
    }
}

#[test]
fn etcd_runs_the_image_of_the_catalogue() {
    let (spec, machine) = slot();
    machine.boots();
    let row = kube_cfn::catalog::kubernetes::minor(&spec.kubernetes).unwrap();
    let image = format!("registry.k8s.io/etcd:{}", row.etcd);
    let manifest = machine.get("etc/kubernetes/manifests/etcd.yaml");
    assert!(
        manifest.contains(&format!("    image: {image}\n")),
        "{manifest}"
    );
    let calls = machine.calls();
    let pulled: Vec<_> = calls
        .lines()
        .filter(|line| line.contains("pull "))
        .collect();
    assert_eq!(
        pulled.last().copied(),
        Some(format!("crictl pull {image}").as_str()),
        "every image is pulled before its pod needs it, etcd's last: {pulled:?}"
    );
    assert!(
        machine
            .get("srv/cluster/kubeadm-config")
            .contains(&format!("imageTag: {}", row.etcd))
    );
}

/// Pods that do not tolerate it are never placed there, not even in the seconds before kubeadm marks it.
#[test]
fn a_control_plane_taint_is_not_in_the_shared_configuration() {
    let (_, machine) = slot();
    machine.boots();
    let taint = "taint node-role.kubernetes.io/control-plane=:NoSchedule\n";
    let role = "label node-role.kubernetes.io/control-plane=\n";
    let node = machine.get("srv/cluster/nodes/i-0a");
    assert_eq!(node.matches("taint ").count(), 1, "{node}");
    assert!(
        node.find(taint).unwrap() < node.find(role).unwrap(),
        "{node}"
    );
    let shared = machine.get("srv/cluster/kubelet-config");
    assert!(!shared.contains("registerWithTaints"), "{shared}");
    assert!(
        !machine
            .get("var/lib/kubelet/kubeadm-flags.env")
            .contains("taint")
    );
}

/// kubeadm would make authorities of its own where it finds none.
#[test]
fn boots_create_no_authority() {
    let (_, machine) = slot();
    let done = machine.boot();
    let said = text(&done.stdout);
    assert!(
        said.contains("[certs] Using existing etcd/ca certificate authority"),
        "{said}"
    );
    for name in ["ca", "etcd/ca", "front-proxy-ca", "sa"] {
        assert!(!said.contains(&format!("Generating \"{name}\"")), "{said}");
    }
}

#[test]
fn a_bootstrap_token_with_time_left_is_kept() {
    let (_, machine) = slot();
    machine.boots();
    // Less than the timer needs, what earlier boot files made, and what has ended.
    for (minutes, kept) in [
        (80, true),
        (119, true),
        (70, false),
        (1440, false),
        (-1, false),
    ] {
        let ends = Timestamp::now() + SignedDuration::from_mins(minutes);
        let ends = ends.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        machine.set("srv/token-expiration", &STANDARD.encode(ends));
        machine.boots();
        let calls = machine.calls();
        let made = calls.contains("kubeadm token create");
        assert_eq!(made, !kept, "{minutes}: {calls}");
        assert_eq!(made, calls.contains(" --ttl 2h "), "{calls}");
    }
}

/// Between two looks of the timer, and with its delay, a token keeps time enough for a boot.
#[test]
fn the_token_timer_leaves_new_nodes_half_an_hour() {
    let (_, machine) = slot();
    let timer = machine.get("etc/systemd/system/kube-cfn-bootstrap-token.timer");
    let minutes = |name: &str| -> i64 {
        let line = timer.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|line| line.strip_suffix("min"))
            .unwrap()
            .parse()
            .unwrap()
    };
    let program = machine.get("opt/kube-cfn/bin/bootstrap-token");
    let (_, least) = program.split_once("\"${left}\" -ge ").unwrap();
    let least: i64 = least.split(' ').next().unwrap().parse().unwrap();
    let pause = minutes("OnUnitActiveSec=") + minutes("RandomizedDelaySec=");
    assert!(least / 60 - pause >= 30, "{least} s, {pause} min");
}

/// kubeadm's own list; the cleaner is off where nobody names it.
#[test]
fn expired_tokens_are_deleted_by_the_controller_manager() {
    let (_, machine) = slot();
    machine.boots();
    let manifest = machine.get("etc/kubernetes/manifests/kube-controller-manager.yaml");
    let lists: Vec<_> = manifest
        .lines()
        .filter_map(|line| line.split_once("--controllers="))
        .map(|(_, list)| list)
        .collect();
    assert_eq!(lists, ["*,bootstrapsigner,tokencleaner"], "{manifest}");
}

#[test]
fn a_replacement_machine_keeps_the_data_and_deletes_the_old_node() {
    let (spec, old) = slot();
    old.boots();
    old.set("srv/nodes", "i-0a 10.20.0.10\ni-0b 10.20.32.10\n");
    let new = old.replaced(&spec, SLOT, "i-0d");
    new.boots();
    let calls = new.calls();
    assert!(!calls.contains("mkfs"), "{calls}");
    assert!(calls.contains(" delete node i-0a "), "{calls}");
    assert_eq!(
        new.get("srv/nodes"),
        "i-0b 10.20.32.10\ni-0d 10.20.0.10\n",
        "the old node is gone, the new one has registered"
    );
    assert_eq!(new.get("var/lib/kube-cfn/etcd-state").trim(), "new");
}

#[test]
fn a_used_volume_is_never_formatted() {
    let (_, machine) = slot();
    machine.set("srv/volume", "data of somebody");
    machine.boots();
    assert!(!machine.calls().contains("mkfs"));
    assert_eq!(machine.get("srv/volume"), "data of somebody");
}

#[test]
fn an_empty_volume_of_a_cluster_with_data_is_not_formatted() {
    let (_, machine) = slot();
    machine.set("srv/parameters/state/etcd-initialized", "yes");
    let reason = machine.refuses();
    assert!(
        reason.contains("kube-cfn etcd replace-member production a"),
        "{reason}"
    );
    assert!(!machine.calls().contains("mkfs"));
    machine.set("srv/parameters/state/etcd-recover-a", "existing 1f");
    let reason = machine.refuses();
    assert!(
        reason.contains("no other member answers with a leader"),
        "{reason}"
    );
    assert!(machine.calls().contains("mkfs.xfs"));
    let listed = |id: &str, state: &str, learner: bool| {
        format!("{id}, {state}, , https://10.20.0.10:2380, , {learner}\n")
    };
    for other in [
        listed("2e", "unstarted", true),
        listed("1f", "started", true),
        listed("1f", "unstarted", false),
    ] {
        machine.set("srv/members", &other);
        let reason = machine.refuses();
        assert!(
            reason.contains("list no learner of it that has never started"),
            "{other}: {reason}"
        );
    }
    machine.set("srv/members", &listed("1f", "unstarted", true));
    machine.set("srv/learner", "");
    machine.boots();
    assert_eq!(machine.get("var/lib/etcd/rejoined"), "1f\n");
    machine.set("var/lib/etcd/data/member/wal", "");
    let config = machine.get("etc/kube-cfn/kubeadm/config.yaml");
    let state = config
        .lines()
        .skip_while(|line| !line.contains("initial-cluster-state"));
    assert_eq!(state.map(str::trim).nth(1), Some("value: \"existing\""));
    // When it has its vote nothing changes on this machine: another flag would restart etcd.
    let before = machine.kept();
    machine.remove("srv/members");
    machine.remove("srv/learner");
    machine.boots();
    let mut after = machine.kept();
    let name = "srv/parameters/state/etcd-recover-a".to_owned();
    assert_eq!(machine.get(&name).trim(), "done");
    after.insert(name.clone(), before[&name].clone());
    assert_same(&after, &before, "the end of the recovery changed something");
}

/// etcd would start without it where no other member answers in time.
#[test]
fn a_volume_without_the_data_that_was_on_it_starts_no_etcd() {
    let (_, machine) = slot();
    machine.boots();
    assert!(machine.has("srv/parameters/state/etcd-initialized"));
    std::fs::remove_dir_all(machine.path("var/lib/etcd/data/member")).unwrap();
    let done = machine.boot();
    let said = text(&done.stdout) + &text(&done.stderr);
    assert!(
        !done.status.success()
            && said.contains("etcd-data: start etcd of control-plane node a on vol-")
            && said.contains("run kube-cfn etcd replace-member production a"),
        "{said}"
    );
}

#[test]
fn nothing_is_formatted_while_the_store_does_not_answer() {
    let (_, machine) = slot();
    machine.set("srv/store-is-down", "");
    let reason = machine.refuses();
    assert!(reason.contains("SSM does not answer"), "{reason}");
    assert!(!machine.calls().contains("mkfs"));
}

#[test]
fn a_volume_of_another_slot_is_refused() {
    let (_, machine) = slot();
    let tags = machine.get("srv/volumes.json").replace("\"a\"", "\"b\"");
    machine.set("srv/volumes.json", &tags);
    let reason = machine.refuses();
    assert!(
        reason.contains("attach the etcd volume of control-plane node a"),
        "{reason}"
    );
    let calls = machine.calls();
    assert!(
        !calls.contains("attach-volume") && !calls.contains("mkfs"),
        "{calls}"
    );
}

#[test]
fn a_machine_with_another_address_is_refused() {
    let (_, machine) = slot();
    machine.set("srv/address", "10.20.0.99");
    let reason = machine.refuses();
    assert!(
        reason.contains("its address is 10.20.0.10, this machine has 10.20.0.99"),
        "{reason}"
    );
}

#[test]
fn a_bundle_for_other_machines_is_refused() {
    let (_, machine) = slot();
    machine.set("srv/machine", "riscv64");
    let reason = machine.refuses();
    assert!(
        reason.contains("it is for aarch64, this machine is riscv64"),
        "{reason}"
    );
}

#[test]
fn a_member_that_lost_its_data_is_reported() {
    let (_, machine) = slot();
    machine.set(
        "srv/crash/etcd",
        "discovery failed: member 7b25 has already been bootstrapped",
    );
    let reason = machine.refuses();
    assert!(
        reason.contains("run kube-cfn etcd replace-member production a"),
        "{reason}"
    );
}

/// Without a majority of the slots no API answers, and a kubelet that has not seen one stops no pod.
#[test]
fn etcd_with_changed_flags_replaces_the_old_pod_without_an_api() {
    let (_, machine) = slot();
    let script = r#"
        echo 500 > /srv/readyz
        systemctl restart kubelet
        echo production-2 > /srv/parameters/state/etcd-token
        ! /opt/kube-cfn/boot > /dev/null 2>&1
        pod="$(crictl ps --name '^etcd$' --output json | jq -r '.containers[].podSandboxId')"
        crictl pods --id "${pod}" --output json | jq -r '.items[].annotations["kubernetes.io/config.hash"]'
        sha256sum < /etc/kubernetes/manifests/etcd.yaml | cut -c 1-32
        grep -c token=production-2 /etc/kubernetes/manifests/etcd.yaml
    "#;
    machine.set("srv/parameters/state/etcd-token", "production");
    let done = machine.boots_and(script);
    let said = text(&done.stdout);
    let lines: Vec<_> = said.lines().collect();
    assert!(done.status.success(), "{}", text(&done.stderr));
    assert_eq!(
        (lines.len(), lines[0], lines[2]),
        (3, lines[1], "1"),
        "{said}"
    );
}

#[test]
fn an_api_that_is_not_ready_fails_the_boot() {
    let (_, machine) = slot();
    machine.set("srv/readyz", "403");
    let reason = machine.refuses();
    assert!(
        reason.contains("wait for kube-apiserver: it is not healthy after ten minutes"),
        "{reason}"
    );
    assert!(!machine.calls().contains("kubectl apply"));
}

#[test]
fn etcd_is_marked_initialized_once_all_members_are_healthy() {
    let (_, machine) = slot();
    machine.set("srv/a-member-is-away", "");
    machine.boots();
    assert!(!machine.has("srv/parameters/state/etcd-initialized"));
    machine.remove("srv/a-member-is-away");
    machine.boots();
    assert_eq!(
        machine.get("srv/parameters/state/etcd-initialized").trim(),
        "yes"
    );
}

#[test]
fn certificates_are_renewed_when_their_content_changes() {
    let (_, machine) = slot();
    machine.boots();
    let before = machine.get("etc/kubernetes/pki/apiserver.crt");
    let authority = machine.get("etc/kubernetes/pki/ca.crt");
    let env = machine.get("etc/kube-cfn/host.env");
    machine.set(
        "etc/kube-cfn/host.env",
        &env.replace("api.example.com", "other.example.com"),
    );
    machine.boots();
    assert_ne!(machine.get("etc/kubernetes/pki/apiserver.crt"), before);
    assert_eq!(machine.get("etc/kubernetes/pki/ca.crt"), authority);
    assert!(
        machine
            .get("etc/kubernetes/admin.conf")
            .contains("other.example.com")
    );
}

#[test]
fn a_changed_pin_replaces_a_binary_and_a_wrong_one_is_refused() {
    let (_, machine) = slot();
    machine.boots();
    let double = machine.get("local/bin/kubelet");
    let url = "https://dl.k8s.io/release/v1.36.5/bin/linux/arm64/kubelet";
    machine.set("srv/downloads/kubelet", "#!/bin/bash\n");
    let list = machine.get("etc/kube-cfn/binaries");
    let others: Vec<_> = list
        .lines()
        .filter(|line| !line.starts_with("kubelet "))
        .collect();
    let with = |sha256: &str| format!("{}\nkubelet {sha256} {url}\n", others.join("\n"));
    machine.set("etc/kube-cfn/binaries", &with(&"0".repeat(64)));
    let reason = machine.refuses();
    assert!(reason.contains("its sha256 is not 0000"), "{reason}");
    assert_eq!(machine.get("local/bin/kubelet"), double);
    let sha256 = sha256(&machine.path("srv/downloads/kubelet"));
    machine.set("etc/kube-cfn/binaries", &with(&sha256));
    machine.boots();
    assert_eq!(machine.get("local/bin/kubelet"), "#!/bin/bash\n");
    assert_eq!(
        machine
            .calls()
            .matches("curl --silent --show-error --fail --location ")
            .count(),
        1
    );
}

#[test]
fn a_missing_program_is_installed_from_the_packages() {
    let (_, machine) = slot();
    machine.remove("local/sbin/conntrack");
    machine.boots();
    assert!(
        machine.calls().contains(" install conntrack-tools\n"),
        "{}",
        machine.calls()
    );
    machine.remove("local/sbin/dnf");
    let reason = machine.refuses();
    assert!(reason.contains("this system has no dnf"), "{reason}");
}

#[test]
fn a_worker_without_a_token_names_the_parameter() {
    let machine = Machine::new(&specs::production(), "batch");
    machine.set("srv/no-certificate", "");
    let reason = machine.refuses();
    assert!(
        reason.contains("worker/bootstrap-token: none after twenty minutes"),
        "{reason}"
    );
    assert!(!machine.calls().contains("start kubelet"));
}

#[test]
fn a_worker_without_certificate_names_the_api() {
    let machine = worker();
    machine.set("srv/no-certificate", "");
    let reason = text(&machine.boot().stderr);
    assert!(
        reason.contains("get a client certificate from https://api.example.com:6443"),
        "{reason}"
    );
}

#[test]
fn a_worker_that_is_not_ready_fails_its_boot() {
    let machine = worker();
    machine.set(
        "srv/node.json",
        r#"{"status": {"conditions": [{"type": "Ready", "status": "False"}]}}"#,
    );
    let reason = machine.refuses();
    assert!(
        reason.contains("wait for node i-0a to be Ready"),
        "{reason}"
    );
}

#[test]
fn a_worker_ends_with_labels_taints_and_no_token() {
    let machine = worker();
    machine.boots();
    let flags = machine.get("var/lib/kubelet/kubeadm-flags.env");
    assert!(
        flags.contains("--node-labels=example.com/tier=batch,kube-cfn/pool=batch ")
            && !flags.contains("taint"),
        "{flags}"
    );
    assert_eq!(
        machine.get("srv/cluster/nodes/i-0a"),
        "address 10.20.0.10\nlabel example.com/tier=batch\nlabel kube-cfn/pool=batch\n\
         taint example.com/batch=true:NoSchedule\n"
    );
    assert!(!machine.has("etc/kubernetes/bootstrap-kubelet.conf"));
    let calls = machine.calls();
    assert!(!calls.contains("abcdef.0123456789abcdef"), "{calls}");
    // A later boot needs no token: the kubelet renews its certificate itself.
    machine.remove("srv/parameters/worker/bootstrap-token");
    machine.boots();
}

#[test]
fn without_nat_the_api_name_resolves_to_the_control_plane() {
    let machine = Machine::new(&specs::throw_away(), "workers");
    machine.set(
        "srv/parameters/worker/bootstrap-token",
        "abcdef.0123456789abcdef",
    );
    machine.boots();
    machine.boots();
    let hosts = machine.get("etc/hosts");
    assert_eq!(
        hosts,
        "127.0.0.1 localhost\n10.40.24.10 api.example.com # kube-cfn\n"
    );
}
