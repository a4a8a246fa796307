//! New certificates before the old ones end: at boot, and by the program that a timer calls, one control-plane node
//! after another.

use jiff::{SignedDuration, Timestamp};

use super::machine::{Machine, text};
use crate::support::specs;

const PROGRAM: &str = "/opt/kube-cfn/bin/renew-certificates";
const LEASE: &str = "srv/cluster/lease-kube-cfn-certificates";

/// Everything that kubeadm makes an end for; the last one is the kubelet's own.
const FILES: [&str; 13] = [
    "etc/kubernetes/pki/apiserver.crt",
    "etc/kubernetes/pki/apiserver-kubelet-client.crt",
    "etc/kubernetes/pki/apiserver-etcd-client.crt",
    "etc/kubernetes/pki/front-proxy-client.crt",
    "etc/kubernetes/pki/etcd/server.crt",
    "etc/kubernetes/pki/etcd/peer.crt",
    "etc/kubernetes/pki/etcd/healthcheck-client.crt",
    "etc/kubernetes/admin.conf",
    "etc/kubernetes/super-admin.conf",
    "etc/kubernetes/controller-manager.conf",
    "etc/kubernetes/scheduler.conf",
    "etc/kube-cfn/local-admin.conf",
    KUBELET,
];
const KUBELET: &str = "var/lib/kubelet/pki/kubelet-client-current.pem";
const NEVER: &str = "Jan  1 00:00:00 2099 GMT";

/// A control-plane node that has booted as systemd boots it.
fn booted() -> Machine {
    let machine = Machine::new(&specs::production(), "control-plane/a");
    machine.set(
        "etc/systemd/system/kube-cfn-boot.service",
        "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/opt/kube-cfn/boot\n",
    );
    machine.boots();
    machine
}

/// Lets the certificate of a file end in so many days.
fn age(machine: &Machine, file: &str, days: i64) {
    let end = Timestamp::now() + SignedDuration::from_hours(24 * days + 1);
    let end = end.strftime("%b %e %H:%M:%S %Y GMT").to_string();
    let old = machine.get(file);
    let data = "client-certificate-data: ";
    let aged = match old.lines().find(|line| line.contains(data)) {
        None => old.replace(NEVER, &end),
        Some(line) => {
            let (start, encoded) = line.split_once(data).unwrap();
            let pem = decode(encoded).replace(NEVER, &end);
            old.replace(line, &format!("{start}{data}{}", encode(&pem)))
        }
    };
    assert_ne!(aged, old, "{file}");
    machine.set(file, &aged);
}

fn decode(text: &str) -> String {
    use base64::Engine;
    let bytes = base64::engine::general_purpose::STANDARD.decode(text.trim());
    String::from_utf8(bytes.unwrap()).unwrap()
}

fn encode(text: &str) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(text)
}

/// Starts the machine and calls the program; its exit code and what it says.
fn renew(machine: &Machine, before: &str) -> (i32, String) {
    let script = format!(
        "systemctl start kube-cfn-boot.service || exit 9; {before}\n{PROGRAM} 2>&1; code=$?; cat /srv/journal-of-kube-cfn-boot.service; exit $code"
    );
    let done = machine.run(&["/bin/bash", "-c", &script]);
    (done.status.code().unwrap(), text(&done.stdout))
}

/// Lines of shell that let a certificate on a running machine end in so many days, with which its pods started.
fn ends_in(file: &str, days: u32) -> String {
    let end = format!("$(date --utc --date '{days} days 1 hour' '+%b %e %T %Y GMT')");
    format!(
        "sed -i \"s/^ends .*/ends {end}/\" /{file}; hash=\"$(. /opt/kube-cfn/lib/certificates.sh; certificates_hash)\"
         for file in /run/kube-cfn/pod-certificates/*; do echo \"${{hash}}\" > \"${{file}}\"; done; "
    )
}

const PEER: &str = "etc/kubernetes/pki/etcd/peer.crt";

/// The containers of the static pods, and the calls so far go away.
const CONTAINERS: &str = "containers() { for part in etcd kube-apiserver kube-controller-manager kube-scheduler; do \
    crictl ps --name \"^${part}\\$\" --quiet; done | paste --serial; }; containers > /srv/before; rm /srv/calls; ";

#[test]
fn a_certificate_near_its_end_is_renewed_at_boot() {
    let machine = booted();
    for file in FILES {
        let (authority, before) = (machine.get("etc/kubernetes/pki/ca.crt"), machine.get(file));
        age(&machine, file, if file == KUBELET { 29 } else { 89 });
        let aged = machine.get(file);
        let done = machine.boot();
        assert!(done.status.success(), "{file}: {}", text(&done.stderr));
        assert_ne!(machine.get(file), aged, "{file}");
        assert_eq!(machine.get(file), before, "{file}");
        assert_eq!(machine.get("etc/kubernetes/pki/ca.crt"), authority);
        assert!(!machine.has("etc/kubernetes/new"));
    }
}

#[test]
fn a_certificate_with_time_left_is_kept_at_boot() {
    let machine = booted();
    for file in FILES {
        age(&machine, file, if file == KUBELET { 31 } else { 91 });
    }
    let (before, local) = (machine.kept(), FILES[11]);
    machine.boots();
    let (admin, own) = (
        machine.get("etc/kubernetes/super-admin.conf"),
        machine.get(local),
    );
    assert_eq!(
        admin.replace("api.example.com:6443", "127.0.0.1:6443"),
        own.clone()
    );
    machine.set(local, &before[local].1);
    super::machine::assert_same(&machine.kept(), &before, "something was renewed");
}

#[test]
fn an_unreadable_certificate_is_renewed_at_boot() {
    let machine = booted();
    let whole = machine.kept();
    machine.set(PEER, "-----BEGIN CERTIFICATE-----\nhalf of ");
    machine.remove("etc/kubernetes/scheduler.conf");
    machine.remove(KUBELET);
    machine.boots();
    super::machine::assert_same(&machine.kept(), &whole, "not as before");
}

#[test]
fn a_power_cut_while_certificates_are_renewed_leaves_whole_files() {
    for share in [1, 5] {
        let (whole, cut) = (booted(), booted());
        for machine in [&whole, &cut] {
            age(machine, PEER, 89);
        }
        whole.boots();
        cut.cut(share, 8);
        let mut cuts = 0;
        while !cut.boot().status.success() {
            cuts += 1;
        }
        assert!(cuts > 3, "{cuts}");
        assert!(cut.get(PEER).contains(NEVER), "{}", cut.get(PEER));
        super::machine::assert_same(&cut.kept(), &whole.kept(), "the cuts left their marks");
        assert!(!cut.has("etc/kubernetes/new"));
    }
}

#[test]
fn the_timer_renews_nothing_while_certificates_have_time() {
    let machine = booted();
    let (code, said) = renew(&machine, &format!("{}rm /srv/calls;", ends_in(PEER, 91)));
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("no certificate ends soon"));
    let calls = machine.calls();
    assert!(
        !calls.contains("kubeadm") && !calls.contains("lease"),
        "{calls}"
    );
}

/// etcd first, so that the API server has it again before it is restarted itself.
#[test]
fn a_renewal_restarts_each_static_pod_after_the_one_before_serves() {
    let machine = booted();
    let before = machine.get(PEER);
    let (code, said) = renew(&machine, &format!("{}{CONTAINERS}", ends_in(PEER, 89)));
    assert_eq!(code, 0, "{said}");
    assert!(
        said.contains("ends soon or can't be read: etcd-peer"),
        "{said}"
    );
    assert_eq!(machine.get(PEER), before);
    let calls = machine.calls();
    let containers = machine.get("srv/before");
    let wanted = containers.split_whitespace().zip([
        "endpoint health",
        "https://127.0.0.1:6443/readyz",
        "https://127.0.0.1:10257/healthz",
        "https://127.0.0.1:10259/healthz",
    ]);
    let mut rest = &calls[calls.find("kubelet-start").unwrap()..];
    let mut stopped = 0;
    for (container, healthy) in wanted {
        for call in [container, healthy] {
            let at = rest.find(call);
            rest = &rest[at.unwrap_or_else(|| panic!("no {call} in {rest}"))..];
        }
        stopped += 1;
    }
    assert_eq!((stopped, calls.matches("crictl --runtime-endpoint unix:///run/containerd/containerd.sock --timeout 30s stop ").count()), (4, 4), "{calls}");
    // The lease was this node's, and is free again.
    assert!(calls.matches("create --filename -").count() == 1, "{calls}");
    assert!(
        !machine.get(LEASE).contains("holderIdentity"),
        "{}",
        machine.get(LEASE)
    );
}

#[test]
fn a_renewal_needs_the_lease() {
    let machine = booted();
    let lease = format!(
        "{{\"kind\": \"Lease\", \"metadata\": {{\"name\": \"kube-cfn-certificates\", \"resourceVersion\": \"4\"}}, \
         \"spec\": {{\"holderIdentity\": \"i-0b\", \"leaseDurationSeconds\": 3600, \"renewTime\": \"{}\"}}}}",
        Timestamp::now()
    );
    machine.set(LEASE, &lease);
    let script = format!("{}rm /srv/calls;", ends_in(PEER, 89));
    let (code, said) = renew(&machine, &script);
    assert_eq!(code, 75, "{said}");
    assert!(said.contains("i-0b holds it"), "{said}");
    assert!(!machine.calls().contains("kubeadm"), "{}", machine.calls());
    assert_eq!(machine.get(LEASE), lease);
}

/// The only other way would be a second node that is down.
#[test]
fn a_renewal_waits_while_a_member_or_an_api_server_is_not_healthy() {
    let machine = booted();
    let aged = ends_in(PEER, 89);
    for (fault, says) in [
        (
            "touch /srv/a-member-is-away;",
            "etcd of control-plane node b does not serve",
        ),
        ("rm /srv/a-member-is-away; echo 500 > /srv/readyz;", ""),
    ] {
        let (code, said) = renew(&machine, &format!("{aged}{fault}rm /srv/calls;"));
        assert_eq!(code, 75, "{said}");
        assert!(said.contains(says), "{said}");
        assert!(!machine.calls().contains("kubeadm"), "{}", machine.calls());
        assert!(!machine.has(LEASE) || !machine.get(LEASE).contains("holderIdentity"));
        machine.set("srv/readyz", "200");
    }
}

#[test]
fn a_renewal_that_kubeadm_fails_keeps_the_old_files_and_the_lease() {
    let machine = booted();
    let broken = format!(
        "{}cp -a /etc/kubernetes/pki /srv/pki; truncate --size 5 /etc/kubernetes/pki/etcd/ca.key;",
        ends_in(PEER, 89)
    );
    let (code, said) = renew(&machine, &broken);
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("the old ones are still in place"), "{said}");
    assert!(said.contains("see journalctl -u kube-cfn-boot"), "{said}");
    for name in [
        "apiserver.crt",
        "apiserver.key",
        "etcd/peer.crt",
        "etcd/peer.key",
    ] {
        let (now, then) = (
            format!("etc/kubernetes/pki/{name}"),
            format!("srv/pki/{name}"),
        );
        assert_eq!(machine.get(&now), machine.get(&then), "{name}");
    }
    assert!(!machine.has("etc/kubernetes/new"));
    assert!(machine.get(LEASE).contains("holderIdentity"));
}

/// An interrupted one: the files are new, the pods are not.
#[test]
fn a_pod_with_older_certificates_is_restarted_the_next_day() {
    let machine = booted();
    let script = format!("{CONTAINERS}echo other > /run/kube-cfn/pod-certificates/kube-scheduler;");
    let (code, said) = renew(&machine, &script);
    assert_eq!(code, 0, "{said}");
    assert!(
        said.contains("kube-scheduler runs with older certificates"),
        "{said}"
    );
    let calls = machine.calls();
    let scheduler = machine.get("srv/before");
    let scheduler = scheduler.split_whitespace().last().unwrap();
    assert!(
        calls.contains(&format!("--timeout 60 {scheduler}")),
        "{calls}"
    );
    assert_eq!(calls.matches(" stop --timeout ").count(), 1, "{calls}");
}

/// Its API server needs longer than a boot waits: while a majority of etcd comes back, it is not stopped again and
/// again, and the next pod waits for it.
#[test]
fn a_restarted_pod_that_is_not_healthy_yet_is_not_restarted_by_the_next_boot() {
    let machine = booted();
    let before = "echo other > /run/kube-cfn/pod-certificates/kube-apiserver\n\
        echo other > /run/kube-cfn/pod-certificates/kube-scheduler; echo 500 > /srv/readyz; rm /srv/calls\n\
        for n in 1 2; do /opt/kube-cfn/boot > /dev/null 2>&1 && exit 9; done; mv /srv/calls /srv/unhealthy\n\
        echo 200 > /srv/readyz; /opt/kube-cfn/boot || exit 8";
    let (code, said) = renew(&machine, before);
    assert_eq!(code, 0, "{said}");
    let stops = |name: &str| machine.get(name).matches(" stop --timeout ").count();
    assert_eq!(
        stops("srv/unhealthy"),
        1,
        "{}",
        machine.get("srv/unhealthy")
    );
    assert_eq!(stops("srv/calls"), 1, "{}", machine.calls());
    assert!(said.contains("no certificate ends soon"), "{said}");
}
