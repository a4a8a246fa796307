//! A cluster of real Kubernetes programs, where somebody has them (tests/node/real, docs/testing.md): the rendered trees boot
//! through user data on machines, which download the programs from the tests' mirror. Without them the same way is gone
//! with scripts in their place, up to the first call of kubeadm.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use super::boot::etcd;
use super::machine::Machine;
use super::vpc::{Vpc, small};
use crate::node::machine::{repository, text};
use crate::process::Said;
use crate::tools::{base_output, kubectl, tool};
use crate::untested::untested;
use crate::world::World;

/// Those that are downloaded here, and not in the image already.
const DOWNLOADED: [&str; 6] = [
    "crictl",
    "ecr-credential-provider",
    "etcd",
    "kubeadm",
    "kubectl",
    "kubelet",
];

const PUT: &str = "
import sys
import botocore.session
client = botocore.session.get_session().create_client('s3', region_name='eu-west-1')
client.put_object(Bucket=sys.argv[1], Key=sys.argv[2], Body=open(sys.argv[3], 'rb').read())
";

const GET: &str = "
import sys
import botocore.session
client = botocore.session.get_session().create_client('s3', region_name='eu-west-1')
open(sys.argv[3], 'wb').write(client.get_object(Bucket=sys.argv[1], Key=sys.argv[2])['Body'].read())
";

fn real(arguments: &[&Path]) -> Said {
    Said::of(Command::new(repository("tests/node/real")).args(arguments))
}

/// The tree of a machine.
fn tree(world: &World, node: &str) -> PathBuf {
    let to = world.path(&format!("real/{}", node.replace('/', "-")));
    let text = to.to_str().expect("a path");
    world
        .cluster("render", &["--node", node, "--out", text])
        .ends(0);
    to
}

/// What is downloaded, and images of the programs that run in containers.
fn serve(vpc: &Vpc, programs: &Path, tree: &Path, out: &Path) {
    real(&[Path::new("check"), programs, tree]).ends(0);
    real(&[Path::new("lay"), programs, tree, out]).ends(0);
    let facts = fs::read_to_string(tree.join("etc/kube-cfn/node.json")).expect("facts");
    let facts: Value = serde_json::from_str(&facts).expect("JSON");
    let pause = text(&facts["pause"]).replace("registry.k8s.io/", "");
    let (pause, tag) = pause.split_once(':').expect("a tag");
    let config =
        fs::read_to_string(tree.join("etc/kube-cfn/kubeadm/config.yaml.in")).expect("a file");
    let of = |key: &str| {
        let line = config
            .lines()
            .find_map(|line| line.trim().strip_prefix(key));
        line.expect("a line").trim().to_owned()
    };
    let image = |name: &str, tag: &str, program: &str, to: &str, entry: Value| json!([name, tag, {to: programs.join(program)}, entry]);
    let version = of("kubernetesVersion:");
    let mut images = vec![
        image(pause, tag, "pause", "/pause", json!(["/pause"])),
        image(
            "etcd",
            &of("imageTag:"),
            "etcd",
            "/usr/local/bin/etcd",
            json!(null),
        ),
        // kubeadm pulls it; nobody runs it.
        image(
            "coredns/coredns",
            "*",
            "pause",
            "/coredns",
            json!(["/coredns"]),
        ),
    ];
    for name in [
        "kube-apiserver",
        "kube-controller-manager",
        "kube-scheduler",
    ] {
        images.push(image(
            name,
            &version,
            name,
            &format!("/usr/local/bin/{name}"),
            json!(null),
        ));
    }
    vpc.serve_all(&out.join("mirror"), &images);
}

/// Another bundle for a machine: its user data names it, and its disk has no records of what is downloaded here.
fn rebundle(vpc: &Vpc, machine: &mut Machine, out: &Path) {
    let user_data = fs::read_to_string(machine.user_data()).expect("user data");
    let of = |name: &str| {
        let line = user_data.lines().find_map(|line| line.strip_prefix(name));
        line.expect("a line").trim_matches('\'').to_owned()
    };
    let (key, sum) = (of("BUNDLE_KEY="), of("BUNDLE_SHA256="));
    let bucket = base_output(vpc.world, "StateBucket");
    let (old, new) = (out.join("old"), out.join("new"));
    let call = |script: &str, key: &str, file: &Path| {
        let mut command = Command::new(tool("python"));
        vpc.world.furnish(&mut command);
        command.args(["-c", script, &bucket, key]).arg(file);
        Said::of(&mut command).ends(0);
    };
    call(GET, &key, &old);
    let said = real(&[Path::new("bundle"), &old, &out.join("binaries"), &new]);
    let made = said.ends(0).stdout.trim().to_owned();
    call(PUT, &format!("{key}.real"), &new);
    // The sum is a part of the key.
    let line = |name: &str, value: &str| format!("{name}='{value}'");
    let user_data = user_data
        .replace(&line("BUNDLE_SHA256", &sum), &line("BUNDLE_SHA256", &made))
        .replace(&key, &format!("{key}.real"));
    fs::write(machine.user_data(), user_data).expect("written");
    let files = machine.files.as_object_mut().expect("files");
    for name in DOWNLOADED {
        files.remove(&format!("/var/lib/kube-cfn/installed/{name}"));
    }
}

/// Scripts in the place of the programs: they say the versions, and kubeadm refuses everything else.
fn scripts(to: &Path, tree: &Path) {
    fs::create_dir_all(to).expect("made");
    let list = fs::read_to_string(tree.join("etc/kube-cfn/binaries")).expect("a list");
    let pinned = |start: &str, end: char| {
        let (_, rest) = list.split_once(start).expect("a pin");
        rest.split(end).next().expect("a version").to_owned()
    };
    let kubernetes = pinned("dl.k8s.io/release/v", '/');
    for (name, version) in [
        ("kubeadm", &kubernetes),
        ("kubectl", &kubernetes),
        ("kubelet", &kubernetes),
        ("kube-apiserver", &kubernetes),
        ("kube-controller-manager", &kubernetes),
        ("kube-scheduler", &kubernetes),
        ("crictl", &pinned("/crictl-v", '-')),
        ("etcdctl", &pinned("/etcd-v", '-')),
        ("etcdutl", &pinned("/etcd-v", '-')),
        ("etcd", &"3.6.11".to_owned()),
        ("pause", &String::new()),
    ] {
        let script = format!(
            "#!/bin/sh\ncase \"$0 $*\" in\n*kubeadm' config '*) echo \"kubeadm is called: $*\"; exit 1 ;;\nesac\necho '{name} v{version}'\n"
        );
        fs::write(to.join(name), script).expect("written");
        let executable = fs::Permissions::from_mode(0o755);
        fs::set_permissions(to.join(name), executable).expect("set");
    }
}

#[test]
fn trees_of_real_programs_boot_up_to_the_first_call_of_kubeadm() {
    let world = World::new("laid");
    world.definition(&small("laid"));
    world.apply().ends(0);
    let Some(vpc) = Vpc::of(&world) else {
        return;
    };
    let tree = tree(&world, "control-plane/a");
    let (programs, out) = (world.path("programs"), world.path("out"));
    scripts(&programs, &tree);
    serve(&vpc, &programs, &tree, &out);
    let mut slot = vpc.slot('a');
    rebundle(&vpc, &mut slot, &out);
    slot.on();
    slot.says("kubeadm is called: config validate --config /etc/kube-cfn/kubeadm/config.yaml");
    let sums = Said::of(
        Command::new("sha256sum")
            .arg("kubeadm")
            .current_dir(&programs),
    );
    let sum = sums
        .ends(0)
        .stdout
        .split(' ')
        .next()
        .expect("a sum")
        .to_owned();
    slot.sh(&format!(
        "[ \"$(cat /var/lib/kube-cfn/installed/kubeadm)\" = {sum} ] && [ \"$(sha256sum < /usr/local/bin/kubeadm)\" = '{sum}  -' ]
         [ -x /opt/kube-cfn/credential/ecr-credential-provider ] && etcdutl | grep -q '^etcdutl v' && etcdctl | grep -q '^etcdctl v'"
    ));
    // What containers would be made of is there, at the place that containerd's configuration names.
    if !slot
        .sh("readlink -f /usr/local/bin/containerd")
        .contains("machine")
    {
        slot.sh("ctr --namespace k8s.io images pull --hosts-dir /etc/containerd/certs.d $(sed -n \"s/^sandbox = '\\(.*\\)'/\\1/p\" /etc/containerd/config.toml) > /dev/null");
    }
}

/// Not run in the project's own environment: nobody has the programs there.
#[test]
fn a_cluster_of_real_programs_lives() {
    let Some(programs) = std::env::var_os("KUBE_CFN_TEST_NODE_BINARIES").map(PathBuf::from) else {
        untested(
            "a cluster of real kubeadm, kubelet and API server on machines",
            "KUBE_CFN_TEST_NODE_BINARIES names no directory with them (docs/testing.md)",
        );
        return;
    };
    let world = World::new("real");
    let definition = small("real")
        .replace("nodes: 1", "nodes: 3")
        .replace("eu-west-1b]", "eu-west-1b, eu-west-1c]");
    world.definition(&definition);
    world.apply().ends(0);
    let vpc = Vpc::of(&world).expect("machines");
    let out = world.path("out");
    serve(&vpc, &programs, &tree(&world, "control-plane/a"), &out);
    let mut machines: Vec<_> = ['a', 'b', 'c'].map(|slot| vpc.slot(slot)).into();
    machines.push(vpc.worker());
    for machine in &mut machines {
        rebundle(&vpc, machine, &out);
        machine.on();
    }
    machines.iter().for_each(Machine::boots);
    let server = vpc.server();
    let ready = ["--wait", "ready", "--yes", "--server", &server];
    world.cluster("apply", &ready).ends(0);
    world.cluster("kubeconfig", &[]).ends(0);
    assert_eq!(
        kubectl(
            &world,
            &["--server", &server, "get", "nodes", "--output", "name"]
        )
        .lines()
        .count(),
        4
    );
    world.cluster("status", &["--server", &server]).ends(0);
    kubectl(
        &world,
        &["--server", &server, "create", "namespace", "shop"],
    );
    kubectl(
        &world,
        &[
            "--server",
            &server,
            "label",
            "namespace",
            "shop",
            "pod-security.kubernetes.io/enforce=baseline",
        ],
    );
    let grant = [
        "access",
        "grant",
        "real",
        "ci",
        "--namespace",
        "shop",
        "--role",
        "deployer",
        "--server",
        &server,
    ];
    world.run(&grant).ends(0);
    lives(&world, &machines);
}

/// A snapshot, a power cut, a restore, and the replacement of a member whose disk is lost.
fn lives(world: &World, machines: &[Machine]) {
    let said = world.run(&["etcd", "snapshot", &world.name]);
    let key = said.ends(0).stdout.trim().to_owned();
    machines[0].cut();
    machines[0].on();
    machines[0].boots();
    etcd(&machines[0], "put /registry/lost yes");
    let restore = [
        "etcd",
        "restore",
        &world.name,
        &key,
        "--confirm",
        &world.name,
    ];
    machines[0].ends_well(world, &restore);
    machines.iter().for_each(Machine::boots);
    assert_eq!(
        etcd(&machines[0], "get --print-value-only /registry/lost"),
        ""
    );
    machines[2].cut();
    machines[2].blank();
    machines[2].on();
    machines[2].says("run kube-cfn etcd replace-member real c");
    machines[2].ends_well(
        world,
        &["etcd", "replace-member", &world.name, "c", "--yes"],
    );
    machines[2].boots();
    assert_eq!(etcd(&machines[0], "member list").lines().count(), 3);
}
