//! The stand-ins of the boot tests are as strict as the programs that they stand in for: what those refuse,
//! keep or warn of. Each fact here was seen with the real program or is in its source, as the stand-in says.

use super::boot::worker;
use super::machine::{Machine, text};
use crate::support::specs;

fn slot() -> Machine {
    Machine::new(&specs::production(), "control-plane/a")
}

/// Runs lines of shell after a boot; their exit code and what they say on both streams.
fn after_boot(machine: &Machine, script: &str) -> (i32, String) {
    let script = format!("export KUBECONFIG=/etc/kube-cfn/local-admin.conf; {script}");
    let done = machine.boots_and(&script);
    let said = format!("{}{}", text(&done.stdout), text(&done.stderr));
    (done.status.code().unwrap(), said)
}

#[test]
fn a_kubelet_that_has_not_seen_its_api_never_stops_a_pod() {
    let machine = slot();
    let script = r#"
        running() { crictl ps --quiet --name '^etcd$'; }
        old="$(running)"
        echo 500 > /srv/readyz
        systemctl restart kubelet
        mkdir /tmp/away && mv /etc/kubernetes/manifests/* /tmp/away/
        sleep 600
        [ "$(running)" = "${old}" ]; echo 'runs on without a manifest'
        crictl stop "${old}" > /dev/null
        [ -n "$(running)" ]; echo 'comes back'
        echo 200 > /srv/readyz
        sleep 60
        [ -z "$(running)" ]; echo 'ends when the API was seen'
    "#;
    let (code, said) = after_boot(&machine, script);
    assert_eq!((code, said.lines().count()), (0, 3), "{said}");
}

#[test]
fn a_changed_manifest_waits_for_the_old_pod_until_the_kubelet_starts_again() {
    let machine = slot();
    let script = r#"
        hash() { crictl pods --label component=etcd --state ready --output json | jq -r '.items[0].annotations["kubernetes.io/config.hash"]'; }
        old="$(hash)"
        echo 500 > /srv/readyz
        systemctl restart kubelet
        sed -i 's/snapshot-count=10000/snapshot-count=5000/' /etc/kubernetes/manifests/etcd.yaml
        sleep 600
        [ "$(hash)" = "${old}" ]; echo 'waits'
        systemctl restart kubelet
        [ "$(hash)" != "${old}" ]; echo 'starts'
    "#;
    let (code, said) = after_boot(&machine, script);
    assert_eq!((code, said.lines().count()), (0, 2), "{said}");
}

#[test]
fn containers_outlive_the_kubelet_and_nobody_starts_them_again() {
    let machine = slot();
    let script = r#"
        systemctl stop kubelet
        etcd="$(crictl ps --quiet --name '^etcd$')"
        [ -n "${etcd}" ]; echo 'runs on'
        crictl stop "${etcd}" > /dev/null
        sleep 600
        [ -z "$(crictl ps --quiet --name '^etcd$')" ]; echo 'stays stopped'
        [ "$(crictl ps --all --name '^etcd$' --latest --quiet)" = "${etcd}" ]
        systemctl start kubelet
        [ -n "$(crictl ps --quiet --name '^etcd$')" ]; echo 'is started again'
    "#;
    let (code, said) = after_boot(&machine, script);
    assert_eq!((code, said.lines().count()), (0, 3), "{said}");
}

#[test]
fn a_container_that_crashes_comes_back_ever_later() {
    let machine = slot();
    let script = r#"
        tries() { crictl ps --all --name '^kube-scheduler$' --quiet | wc -l; }
        echo 'no such lease' > /srv/crash/kube-scheduler
        crictl stop "$(crictl ps --quiet --name '^kube-scheduler$')" > /dev/null
        first="$(tries)"
        sleep 9; [ "$(tries)" = "${first}" ]
        sleep 1; [ "$(tries)" = "$((first + 1))" ]
        sleep 19; [ "$(tries)" = "$((first + 1))" ]
        sleep 1; [ "$(tries)" = "$((first + 2))" ]
        crictl logs --tail 1 "$(crictl ps --all --name '^kube-scheduler$' --latest --quiet)"
    "#;
    let (code, said) = after_boot(&machine, script);
    assert_eq!((code, said.as_str()), (0, "no such lease\n"));
}

/// Of lines of shell after a boot: the exit code of the last, which has to say something.
fn refused(machine: &Machine, script: &str, code: i32, says: &str) {
    let (found, said) = after_boot(machine, script);
    assert!(
        found == code && said.contains(says),
        "{script}: {found}\n{said}"
    );
}

#[test]
fn a_field_that_kubeadm_does_not_know_fails_validation_and_warns_a_phase() {
    let machine = slot();
    let edit =
        "sed 's/clusterName:/clustername:/' /etc/kube-cfn/kubeadm/config.yaml > /tmp/c; kubeadm";
    let unknown = "strict decoding error: unknown field \"clustername\"";
    refused(
        &machine,
        &format!("{edit} config validate --config /tmp/c"),
        1,
        unknown,
    );
    refused(
        &machine,
        &format!("{edit} init phase certs all --config /tmp/c"),
        0,
        unknown,
    );
    for (from, to, says) in [
        ("bindPort: 6443", "bindPort: \"6443\"", "cannot unmarshal"),
        (
            "api.example.com:6443",
            "API.example.com:6443",
            "controlPlaneEndpoint: Invalid value",
        ),
        (
            "effect: NoSchedule",
            "effect: Never",
            "nodeRegistration.taints",
        ),
        (
            "kubeadm.k8s.io/v1beta4",
            "kubeadm.k8s.io/v1beta5",
            "no kind \"InitConfiguration\"",
        ),
        (
            "maxPods: 110",
            "maxPods: 110\nmaxPods: 111",
            "key \"maxPods\" already set in map",
        ),
    ] {
        let edit = format!("sed 's#{from}#{}#'", to.replace('\n', "\\n"));
        let script = format!(
            "{edit} /etc/kube-cfn/kubeadm/config.yaml > /tmp/c; kubeadm config validate --config /tmp/c"
        );
        refused(&machine, &script, 1, says);
    }
}

#[test]
fn a_phase_of_kubeadm_refuses_what_it_misses_and_keeps_what_it_finds() {
    let machine = slot();
    let phase = |name: &str| {
        format!("kubeadm init phase {name} --config /etc/kube-cfn/kubeadm/config.yaml")
    };
    let pki = "/etc/kubernetes/pki";
    for (change, name, says) in [
        (
            format!("rm {pki}/ca.key"),
            "certs all",
            "failure loading ca key",
        ),
        (
            format!("rm {pki}/ca.key"),
            "kubeconfig all",
            "the CA files couldn't be loaded",
        ),
        (
            format!("rm {pki}/apiserver.crt"),
            "certs all",
            "failure loading apiserver certificate",
        ),
        (
            format!("sed -i s/issued.by/issued.by.another/ {pki}/etcd/peer.crt"),
            "certs all",
            "certificate etcd/peer is not signed by corresponding CA",
        ),
        (
            format!("sed -i s/api.example.com//g {pki}/apiserver.crt"),
            "certs all",
            "x509: certificate is not valid for api.example.com",
        ),
        (
            "sed -i s/api.example.com/other/ /etc/kubernetes/admin.conf".to_owned(),
            "kubeconfig all",
            "has got the wrong API Server URL",
        ),
        (
            "systemctl stop kubelet; crictl stop $(crictl ps --quiet) > /dev/null".to_owned(),
            "upload-config all",
            "connection refused",
        ),
        (
            "rm /srv/cluster/nodes/i-0a".to_owned(),
            "mark-control-plane",
            "nodes \"i-0a\" not found",
        ),
        (
            "rm /etc/kubernetes/kubelet.conf".to_owned(),
            "kubelet-finalize all",
            "could not load",
        ),
        ("true".to_owned(), "certs everything", "invalid subcommand"),
    ] {
        refused(&machine, &format!("{change}; {}", phase(name)), 1, says);
        // What was broken here is made anew by the next boot, which knows of nothing.
        for name in [
            "etc/kubernetes",
            "srv/cluster",
            "var/lib/kube-cfn/kubeadm-inputs",
        ] {
            let _ = std::fs::remove_dir_all(machine.path(name));
            let _ = std::fs::remove_file(machine.path(name));
        }
        std::fs::create_dir_all(machine.path("srv/cluster/nodes")).unwrap();
        machine.set("srv/nodes", "");
    }
    let mixed = format!("{} --node-name x", phase("certs all"));
    refused(&machine, &mixed, 1, "can not mix '--config' with arguments");
}

#[test]
fn flags_and_units_that_nobody_knows_are_refused_in_the_program_s_words() {
    let machine = slot();
    for (command, code, says) in [
        (
            "kubeadm token create --lifetime 24h",
            1,
            "unknown flag: --lifetime",
        ),
        (
            "kubeadm token create --ttl 1d",
            1,
            "invalid argument \"1d\" for \"--ttl\"",
        ),
        (
            "kubectl get nodes --selektor x",
            1,
            "error: unknown flag: --selektor",
        ),
        (
            "kubectl get node i-0f",
            1,
            "Error from server (NotFound): nodes \"i-0f\" not found",
        ),
        (
            "kubectl apply --force-conflicts --filename /etc/kube-cfn/rbac.yaml",
            1,
            "only works with --server-side",
        ),
        (
            "kubectl --kubeconfig /none get nodes",
            1,
            "The connection to the server localhost:8080 was refused",
        ),
        (
            "crictl pods --labels x",
            1,
            "flag provided but not defined: -labels",
        ),
        (
            "crictl --timeout 5 version",
            1,
            "invalid value \\\"5\\\" for flag -timeout",
        ),
        (
            "crictl pods --state up",
            1,
            "--state should be ready or notready",
        ),
        ("crictl logs --tail 5", 1, "ID cannot be empty"),
        ("crictl stop 99", 1, "not found"),
        (
            "crictl rmp $(crictl pods --quiet --name etcd)",
            1,
            "is running, please stop it first",
        ),
        (
            "crictl inspecti --quiet registry.k8s.io/etcd:0",
            1,
            "no such image",
        ),
        ("crictl kill x", 3, "No help topic for 'kill'"),
        (
            "systemctl start none.service",
            5,
            "Unit none.service not found.",
        ),
        (
            "systemctl restart --forced kubelet",
            1,
            "unrecognized option '--forced'",
        ),
        ("systemctl begin kubelet", 1, "Unknown command verb"),
        ("etcdctl endpoint healthy", 1, "unknown command"),
        (
            "etcdctl --timeout 3s endpoint health",
            1,
            "unknown flag: --timeout",
        ),
        (
            "etcdctl --cacert /none endpoint health",
            128,
            "open /none: no such file",
        ),
        (
            "ETCDCTL_API=3 etcdctl endpoint health 2>&1 > /dev/null",
            0,
            "\"msg\":\"unrecognized environment variable\",\"environment-variable\":\"ETCDCTL_API=3\"",
        ),
    ] {
        refused(&machine, command, code, says);
    }
}

#[test]
fn a_kubelet_says_what_it_would_rather_have_in_its_file_and_what_it_cannot_take() {
    let machine = slot();
    let flags = "/var/lib/kubelet/kubeadm-flags.env";
    let config = "/var/lib/kubelet/config.yaml";
    for (change, says) in [
        (
            format!("sed -i 's#=\"#=\"--register-with-taints=a=b:NoSchedule #' {flags}"),
            "Flag --register-with-taints has been deprecated",
        ),
        (
            format!("sed -i 's#=\"#=\"--taints=a #' {flags}"),
            "unknown flag: --taints",
        ),
        (
            format!("sed -i 's#kube-cfn/slot#node.kubernetes.io/slot#' {flags}"),
            "unknown 'kubernetes.io' or 'k8s.io' labels",
        ),
        (
            format!("echo 'taints: []' >> {config}"),
            "unknown field \"taints\"",
        ),
        (
            format!(
                "sed -i s/shutdownGracePeriodCriticalPods:.0s/shutdownGracePeriodCriticalPods:\\ 40s/ {config}"
            ),
            "shutdownGracePeriod 0s must be >= shutdownGracePeriodCriticalPods",
        ),
        (
            "rm /etc/kubernetes/kubelet.conf".to_owned(),
            "unable to load bootstrap kubeconfig",
        ),
        (
            "systemctl stop containerd".to_owned(),
            "validate service connection",
        ),
    ] {
        let script =
            format!("systemctl stop kubelet; {change}; systemctl start kubelet; cat /srv/journal");
        refused(&machine, &script, 0, says);
        machine.remove("srv/journal");
        let _ = std::fs::remove_file(machine.path("var/lib/kube-cfn/kubeadm-inputs"));
    }
}

#[test]
fn without_the_volume_of_etcd_the_kubelet_is_not_started() {
    let machine = slot();
    let script = "systemctl stop kubelet; rm /run/mounted; systemctl start kubelet; systemctl is-active kubelet";
    refused(&machine, script, 3, "");
    let machine = worker();
    refused(&machine, "systemctl is-active kubelet", 0, "");
}
