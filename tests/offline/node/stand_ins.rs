//! The stand-ins of the boot tests are as strict as the real programs. Each fact here was seen with the real program
//! or is in its source, as the stand-in says.

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
fn containers_outlive_the_kubelet_without_restarts() {
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
fn crashed_containers_restart_with_backoff() {
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

/// A command with the exit code and the words that it has to end with.
type Case<'a> = (String, i32, &'a str);

/// Runs every command after one boot, each on the machine as that boot left it.
fn all_end(machine: &Machine, cases: &[Case]) {
    let save = "cp -a /etc/kubernetes /tmp/etc; cp -a /var/lib/kubelet /tmp/kubelet; cp -a /srv/cluster /tmp/cluster";
    let restore = "systemctl stop kubelet; rm -rf /etc/kubernetes /var/lib/kubelet /srv/cluster /srv/journal
        cp -a /tmp/etc /etc/kubernetes; cp -a /tmp/kubelet /var/lib/kubelet; cp -a /tmp/cluster /srv/cluster
        touch /run/mounted; systemctl start containerd; systemctl start kubelet";
    let one = |(command, ..): &Case| {
        format!(
            "code=0\n( set +e; {command} ) > /tmp/said 2>&1 || code=$?\n\
             echo \"=== ${{code}}\"; cat /tmp/said\n{restore}"
        )
    };
    let commands: Vec<_> = cases.iter().map(one).collect();
    let script = format!("{save}\n{}", commands.join("\n"));
    let (code, said) = after_boot(machine, &script);
    assert_eq!(code, 0, "{said}");
    let found: Vec<_> = said.split("=== ").skip(1).collect();
    assert_eq!(found.len(), cases.len(), "{said}");
    for ((command, code, says), found) in cases.iter().zip(found) {
        let (status, text) = found.split_once('\n').unwrap();
        assert!(
            status == code.to_string() && text.contains(says),
            "{command}: not {code} with {says:?} but {found}"
        );
    }
}

#[test]
fn a_field_that_kubeadm_does_not_know_fails_validation_and_warns_a_phase() {
    let edited = |from: &str, to: &str, command: &str| {
        format!(
            "sed 's#{from}#{to}#' /etc/kube-cfn/kubeadm/config.yaml > /tmp/c; kubeadm {command} --config /tmp/c"
        )
    };
    let unknown = "strict decoding error: unknown field \"clustername\"";
    let phase = edited("clusterName:", "clustername:", "init phase certs all");
    let mut cases = vec![(phase, 0, unknown)];
    for (from, to, says) in [
        ("clusterName:", "clustername:", unknown),
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
            "maxPods: 110\\nmaxPods: 111",
            "key \"maxPods\" already set in map",
        ),
    ] {
        cases.push((edited(from, to, "config validate"), 1, says));
    }
    all_end(&slot(), &cases);
}

#[test]
fn a_kubeadm_phase_needs_its_inputs_and_keeps_existing_files() {
    let phase = |name: &str| {
        format!("kubeadm init phase {name} --config /etc/kube-cfn/kubeadm/config.yaml")
    };
    let cases = [
        ("rm PKI/ca.key", "certs all", "failure loading ca key"),
        (
            "rm PKI/ca.key",
            "kubeconfig all",
            "the CA files couldn't be loaded",
        ),
        (
            "rm PKI/apiserver.crt",
            "certs all",
            "failure loading apiserver certificate",
        ),
        (
            "sed -i s/issued.by/issued.by.another/ PKI/etcd/peer.crt",
            "certs all",
            "certificate etcd/peer is not signed by corresponding CA",
        ),
        (
            "sed -i s/api.example.com//g PKI/apiserver.crt",
            "certs all",
            "x509: certificate is not valid for api.example.com",
        ),
        (
            "sed -i s/api.example.com/other/ /etc/kubernetes/admin.conf",
            "kubeconfig all",
            "has got the wrong API Server URL",
        ),
        (
            "systemctl stop kubelet; crictl stop $(crictl ps --quiet) > /dev/null",
            "upload-config all",
            "connection refused",
        ),
        (
            "systemctl stop kubelet; rm /srv/cluster/nodes/i-0a",
            "mark-control-plane",
            "nodes \"i-0a\" not found",
        ),
        (
            "rm /etc/kubernetes/kubelet.conf",
            "kubelet-finalize all",
            "could not load",
        ),
        ("true", "certs everything", "invalid subcommand"),
        (
            "true",
            "certs all --node-name x",
            "can not mix '--config' with arguments",
        ),
    ];
    let cases = cases.map(|(change, name, says)| {
        let change = change.replace("PKI", "/etc/kubernetes/pki");
        (format!("{change}; {}", phase(name)), 1, says)
    });
    all_end(&slot(), &cases);
}

#[test]
fn unknown_flags_and_units_are_refused_with_real_messages() {
    let cases = [
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
    ];
    all_end(
        &slot(),
        &cases.map(|(command, code, says)| (command.to_owned(), code, says)),
    );
}

#[test]
fn the_kubelet_warns_of_deprecated_and_refuses_unknown_flags() {
    let cases = [
        (
            "sed -i 's#=\"#=\"--register-with-taints=a=b:NoSchedule #' FLAGS",
            "Flag --register-with-taints has been deprecated",
        ),
        (
            "sed -i 's#=\"#=\"--taints=a #' FLAGS",
            "unknown flag: --taints",
        ),
        (
            "sed -i 's#kube-cfn/slot#node.kubernetes.io/slot#' FLAGS",
            "unknown 'kubernetes.io' or 'k8s.io' labels",
        ),
        ("echo 'taints: []' >> CONFIG", "unknown field \"taints\""),
        (
            "sed -i 's/CriticalPods: 0s/CriticalPods: 40s/' CONFIG",
            "shutdownGracePeriod 0s must be >= shutdownGracePeriodCriticalPods",
        ),
        (
            "rm /etc/kubernetes/kubelet.conf",
            "unable to load kubeconfig: stat /etc/kubernetes/kubelet.conf",
        ),
        ("systemctl stop containerd", "validate service connection"),
    ];
    let cases = cases.map(|(change, says)| {
        let change = change.replace("FLAGS", "/var/lib/kubelet/kubeadm-flags.env");
        let change = change.replace("CONFIG", "/var/lib/kubelet/config.yaml");
        let script = format!("systemctl stop kubelet; {change}; systemctl start kubelet");
        (format!("{script}; cat /srv/journal"), 0, says)
    });
    all_end(&slot(), &cases);
}

#[test]
fn without_the_volume_of_etcd_the_kubelet_is_not_started() {
    let script = "systemctl stop kubelet; rm /run/mounted; systemctl start kubelet; systemctl is-active kubelet";
    all_end(&slot(), &[(script.to_owned(), 3, "")]);
    all_end(
        &worker(),
        &[("systemctl is-active kubelet".to_owned(), 0, "")],
    );
}
