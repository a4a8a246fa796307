//! When certificates end: the node's programs with the real openssl, on certificates and kubeconfigs as kubeadm
//! writes them.

use std::fs;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::world::{Running, World};
use crate::tools::{openssl, run};

/// Where the certificates of etcd's authority in the tests' world are.
const PKI: &str = "etc/kubernetes/pki";

/// Makes a certificate of so many days as NAME.crt below the node's PKI; its PEM.
fn make(world: &World, name: &str, days: u32) -> String {
    let pki = world.root('a').join(PKI);
    let new = format!(
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=x -days {days} \
         -keyout {name}.key -out {name}.crt"
    );
    run(openssl().args(new.split_whitespace()), &pki);
    fs::read_to_string(pki.join(format!("{name}.crt"))).unwrap()
}

/// Every file of a control-plane node, all valid for so many days.
fn furnished(days: u32) -> World {
    use base64::Engine;
    let world = World::of("a");
    let root = world.root('a');
    for name in [
        "apiserver",
        "apiserver-kubelet-client",
        "apiserver-etcd-client",
        "front-proxy-client",
        "etcd/server",
        "etcd/peer",
        "etcd/healthcheck-client",
    ] {
        make(&world, name, days);
    }
    for name in [
        "kubernetes/admin",
        "kubernetes/super-admin",
        "kubernetes/controller-manager",
        "kubernetes/scheduler",
        "kubernetes/kubelet",
        "kube-cfn/local-admin",
    ] {
        kubeconfig(
            &world,
            name,
            &base64::engine::general_purpose::STANDARD.encode(make(&world, "leaf", days)),
        );
    }
    fs::create_dir_all(root.join("var/lib/kubelet/pki")).unwrap();
    let pem = make(&world, "leaf", days);
    let key = fs::read_to_string(root.join(PKI).join("leaf.key")).unwrap();
    let current = root.join("var/lib/kubelet/pki/kubelet-client-current.pem");
    fs::write(current, pem + &key).unwrap();
    world
}

fn kubeconfig(world: &World, name: &str, data: &str) {
    let text = format!(
        "apiVersion: v1\nclusters:\n- cluster:\n    certificate-authority-data: QQ==\n    server: https://x:6443\n  \
         name: x\nkind: Config\nusers:\n- name: y\n  user:\n    client-certificate-data: {data}\n    \
         client-key-data: QQ==\n"
    );
    let file = world.root('a').join("etc").join(format!("{name}.conf"));
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(file, text).unwrap();
}

fn ending(world: &World) -> Vec<String> {
    let function = ". \"${etcd_root}/opt/kube-cfn/lib/certificates.sh\"; certificates_ending";
    let said = world.shell('a', function);
    said.lines().map(str::to_owned).collect()
}

#[test]
fn the_end_of_every_certificate_is_one_line_of_json() {
    let world = furnished(200);
    fs::remove_file(world.root('a').join("etc/kubernetes/scheduler.conf")).unwrap();
    kubeconfig(&world, "kubernetes/admin", "no certificate");
    let result = world.well('a', "certificates");
    let found = result["certificates"].as_array().unwrap();
    let names: Vec<_> = found
        .iter()
        .filter_map(|one| one["name"].as_str())
        .collect();
    let wanted = "apiserver apiserver-kubelet-client apiserver-etcd-client front-proxy-client etcd-server etcd-peer \
                  etcd-healthcheck-client admin.conf super-admin.conf controller-manager.conf scheduler.conf \
                  local-admin.conf kubelet";
    assert_eq!(names.join(" "), wanted);
    let says = |name: &str, field: &str| -> Value {
        let one = found.iter().find(|one| one["name"] == name);
        one.unwrap()[field].clone()
    };
    let root = world.root('a');
    for (name, reason) in [
        ("scheduler.conf", "is missing or empty"),
        ("admin.conf", "holds no readable certificate"),
    ] {
        let file = root.join("etc/kubernetes").join(name);
        assert_eq!(says(name, "error"), format!("{} {reason}", file.display()));
    }
    let end = Timestamp::now() + SignedDuration::from_hours(200 * 24);
    for name in names
        .iter()
        .filter(|name| !["scheduler.conf", "admin.conf"].contains(name))
    {
        let at: Timestamp = says(name, "notAfter").as_str().unwrap().parse().unwrap();
        let off = at.duration_since(end).abs();
        assert!(off < SignedDuration::from_mins(10), "{name}: {at}");
    }
    assert!(world.refused('a', "certificates all").contains("usage"));
}

/// Files that are new say nothing of a pod that has started before.
#[test]
fn a_pod_that_runs_with_older_certificates_is_named() {
    let world = furnished(200);
    let marks = ". \"${etcd_root}/opt/kube-cfn/lib/certificates.sh\"; mkdir -p \"${POD_CERTIFICATES}\"
        certificates_hash > \"${POD_CERTIFICATES}/etcd\"; echo old > \"${POD_CERTIFICATES}/kube-apiserver\"";
    world.shell('a', marks);
    let result = world.well('a', "certificates");
    let found = result["certificates"].as_array().unwrap();
    let pods: Vec<_> = found.iter().skip(13).collect();
    let [api] = &pods[..] else {
        panic!("{found:?}")
    };
    assert_eq!(api["name"], "kube-apiserver");
    let error = api["error"].as_str().unwrap();
    assert!(
        error.starts_with("its pod still runs with older certificates"),
        "{error}"
    );
}

#[test]
fn certificates_are_due_with_fewer_than_90_days_left() {
    let world = furnished(91);
    assert_eq!(ending(&world), [""; 0]);
    make(&world, "etcd/peer", 89);
    fs::write(world.root('a').join(PKI).join("apiserver.crt"), "half").unwrap();
    assert_eq!(ending(&world), ["apiserver", "etcd-peer"]);
    let world = furnished(89);
    // The kubelet renews its own one: with a third of a year left nothing is wrong.
    assert_eq!(ending(&world).len(), 12, "{:?}", ending(&world));
    assert_eq!(ending(&furnished(29)).len(), 13);
}

#[test]
fn pods_have_to_restart_for_the_certificates_that_they_read() {
    let world = furnished(91);
    let hash = || {
        let function = ". \"${etcd_root}/opt/kube-cfn/lib/certificates.sh\"; certificates_hash";
        world.shell('a', function)
    };
    let before = hash();
    kubeconfig(&world, "kubernetes/admin", "b3RoZXI=");
    assert_eq!(hash(), before);
    for name in ["kubernetes/scheduler", "kubernetes/controller-manager"] {
        let before = hash();
        kubeconfig(&world, name, "b3RoZXI=");
        assert_ne!(hash(), before, "{name}");
    }
    let before = hash();
    make(&world, "etcd/server", 91);
    assert_ne!(hash(), before);
}

/// The serial number of the certificate that the member of a slot shows.
fn shown(world: &World, slot: char) -> String {
    let pki = world.root(slot).join(PKI).join("etcd");
    let address = world.address(slot);
    let ask = format!(
        "echo | openssl s_client -connect {address}:2379 -CAfile ca.crt -cert healthcheck-client.crt \
         -key healthcheck-client.key 2> /dev/null | openssl x509 -noout -serial"
    );
    run(std::process::Command::new("bash").args(["-c", &ask]), &pki)
}

fn serial(world: &World, slot: char, name: &str) -> String {
    let pki = world.root(slot).join(PKI).join("etcd");
    let ask = format!("x509 -noout -serial -in {name}.crt");
    run(openssl().args(ask.split(' ')), &pki)
}

/// As boot renews them: other files in the place of those that a running member has read, then another start of it.
#[test]
fn a_member_with_new_certificates_serves_and_keeps_its_data() {
    let world = World::of("abc");
    let _slots: [Running; 3] = ['a', 'b', 'c'].map(|slot| world.start(slot));
    world.all_serve();
    world.put('a', "before", "1");
    for slot in ['a', 'b', 'c'] {
        let old = serial(&world, slot, "server");
        world.certify(slot);
        assert_ne!(serial(&world, slot, "server"), old);
        world.all_serve();
        let pid = world.process(slot);
        let process = rustix::process::Pid::from_raw(pid).unwrap();
        rustix::process::kill_process(process, rustix::process::Signal::TERM).unwrap();
        world.until("a new process", || world.process(slot) != pid);
        world.all_serve();
        assert_eq!(shown(&world, slot), serial(&world, slot, "server"));
    }
    for slot in ['a', 'b', 'c'] {
        assert_eq!(world.get(slot, "before"), "1");
    }
}
