//! Three control-plane nodes on addresses of this machine: each a tree of files as on a node, with the node's own
//! scripts, a real etcd, certificates of our authority, and stand-ins for EC2.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use kube_cfn::node::{self, Role};
use kube_cfn::pki::{Authority, CertificateAuthority, Subject, issue_client};
use kube_cfn::templates::Templates;
use secrecy::ExposeSecret;
use serde_json::Value;
use tempfile::TempDir;

use super::addresses::Addresses;
use crate::support::specs;
use crate::tools::{etcd_tools, openssl, run};

/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_mins(2);

const CLUSTER: &str = "canary";

/// Stand-ins in front of the PATH of every machine.
const TOOLS: [&str; 8] = [
    "boot",
    "crictl",
    "etcdctl",
    "kube-apiserver",
    "kubelet",
    "mountpoint",
    "pods.py",
    "systemctl",
];

/// The slots and what they share: the bucket and the parameters.
pub struct World {
    place: TempDir,
    addresses: Vec<(char, String)>,
    _reserved: Addresses,
    authority: CertificateAuthority,
}

/// A slot whose machine is on; its power goes when this is dropped.
pub struct Running {
    root: PathBuf,
}

/// What a program of the node ended with.
pub struct Said {
    pub code: Option<i32>,
    /// The one line on stdout.
    pub result: Value,
    pub talk: String,
}

impl World {
    /// A cluster of these slots; nothing runs yet.
    pub fn of(slots: &str) -> Self {
        let place = tempfile::tempdir().unwrap();
        let reserved = Addresses::reserve();
        let addresses = slots.chars().zip(reserved.all()).collect();
        let authority =
            CertificateAuthority::generate(Authority::Etcd, CLUSTER, Timestamp::now()).unwrap();
        let world = Self {
            place,
            addresses,
            _reserved: reserved,
            authority,
        };
        for directory in ["aws/bucket", "aws/parameters"] {
            fs::create_dir_all(world.place.path().join(directory)).unwrap();
        }
        for slot in slots.chars() {
            world.furnish(slot);
        }
        world
    }

    pub fn root(&self, slot: char) -> PathBuf {
        self.place.path().join(slot.to_string())
    }

    pub fn address(&self, slot: char) -> &str {
        let found = self.addresses.iter().find(|(letter, _)| *letter == slot);
        &found.unwrap().1
    }

    fn furnish(&self, slot: char) {
        let root = self.root(slot);
        for directory in ["etc/kubernetes/manifests", "var/lib/etcd", "run", "tools"] {
            fs::create_dir_all(root.join(directory)).unwrap();
        }
        unpack(&root);
        write(&root.join("test-process"), &std::process::id().to_string());
        let stand_ins = here().join("tests/offline/etcd/stand-ins");
        place(
            &stand_ins.join("ec2.sh"),
            &root.join("opt/kube-cfn/lib/ec2.sh"),
        );
        for tool in TOOLS {
            place(&stand_ins.join(tool), &root.join("tools").join(tool));
        }
        let slots: Vec<_> = self
            .addresses
            .iter()
            .map(|(letter, address)| format!("{letter}={address}"))
            .collect();
        let slots = slots.join(" ");
        write(
            &root.join("etc/kube-cfn/node.env"),
            &format!("NODE_CLUSTER='{CLUSTER}'\nNODE_SLOTS='{slots}'\n"),
        );
        write(
            &root.join("etc/kube-cfn/host.env"),
            &format!("SLOT='{slot}'\n"),
        );
        self.certify(slot);
        self.lay_manifests(slot);
    }

    /// The authority and the health check's certificate by our `pki`; server and peer by openssl from
    /// our authority's files, as kubeadm makes them on the node.
    pub fn certify(&self, slot: char) {
        let pki = self.root(slot).join("etc/kubernetes/pki/etcd");
        let address = self.address(slot);
        write(&pki.join("ca.crt"), self.authority.certificate_pem());
        write(
            &pki.join("ca.key"),
            self.authority.to_bundle().expose_secret(),
        );
        let subject = Subject::new("kube-etcd-healthcheck-client", &[]).unwrap();
        let day = SignedDuration::from_hours(24);
        let client = issue_client(&self.authority, &subject, day, Timestamp::now()).unwrap();
        write(&pki.join("healthcheck-client.crt"), &client.certificate_pem);
        write(
            &pki.join("healthcheck-client.key"),
            client.key.expose_secret(),
        );
        write(
            &pki.join("leaf.cnf"),
            &format!(
                "subjectAltName=IP:{address},IP:127.0.0.1\nkeyUsage=critical,digitalSignature\n\
                 extendedKeyUsage=serverAuth,clientAuth\n"
            ),
        );
        for leaf in ["server", "peer"] {
            let request = format!(
                "req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN={CLUSTER}-{slot} \
                 -keyout {leaf}.key -out {leaf}.csr"
            );
            run(openssl().args(request.split_whitespace()), &pki);
            let sign = format!(
                "x509 -req -in {leaf}.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 \
                 -extfile leaf.cnf -out {leaf}.crt"
            );
            run(openssl().args(sign.split_whitespace()), &pki);
        }
    }

    /// What openssl says of the certificates that the members show each other.
    pub fn verdict(&self, slot: char) -> String {
        let pki = self.root(slot).join("etc/kubernetes/pki/etcd");
        let question =
            "verify -x509_strict -CAfile ca.crt server.crt peer.crt healthcheck-client.crt";
        run(openssl().args(question.split(' ')), &pki)
    }

    /// The static pods' manifests as kubeadm writes them, with what boot decides left open.
    fn lay_manifests(&self, slot: char) {
        let root = self.root(slot);
        let members = self.shell(slot, "etcd_initial_cluster");
        let (address, root_path) = (self.address(slot), root.display());
        let pki = root.join("etc/kubernetes/pki/etcd");
        let pki = pki.display();
        let etcd = [
            "etcd".to_owned(),
            format!("--name=cp-{slot}"),
            format!("--data-dir={root_path}/var/lib/etcd/data"),
            format!("--listen-client-urls=https://{address}:2379"),
            format!("--advertise-client-urls=https://{address}:2379"),
            format!("--listen-peer-urls=https://{address}:2380"),
            format!("--initial-advertise-peer-urls=https://{address}:2380"),
            format!("--initial-cluster={members}"),
            "--initial-cluster-state=@STATE@".to_owned(),
            "--initial-cluster-token=@TOKEN@".to_owned(),
            "--client-cert-auth=true".to_owned(),
            format!("--trusted-ca-file={pki}/ca.crt"),
            format!("--cert-file={pki}/server.crt"),
            format!("--key-file={pki}/server.key"),
            "--peer-client-cert-auth=true".to_owned(),
            format!("--peer-trusted-ca-file={pki}/ca.crt"),
            format!("--peer-cert-file={pki}/peer.crt"),
            format!("--peer-key-file={pki}/peer.key"),
        ];
        let api = [
            root.join("tools/kube-apiserver").display().to_string(),
            root_path.to_string(),
            format!("https://{address}:2379"),
        ];
        let pod = |name: &str, command: &[String]| {
            let command = command.join("\n    - ");
            let text = format!(
                "apiVersion: v1\nkind: Pod\nmetadata:\n  name: {name}\nspec:\n  containers:\n  \
                 - name: {name}\n    command:\n    - {command}\n"
            );
            write(&root.join(format!("etc/kube-cfn/{name}.yaml.in")), &text);
        };
        pod("etcd", &etcd);
        pod("kube-apiserver", &api);
    }

    /// Puts the manifests of a member that began with the others where the kubelet would find them.
    pub fn manifest(&self, slot: char) {
        let root = self.root(slot);
        for name in ["etcd", "kube-apiserver"] {
            let text = fs::read_to_string(root.join(format!("etc/kube-cfn/{name}.yaml.in")));
            let text = text.unwrap().replace("@STATE@", "new");
            let text = text.replace("@TOKEN@", CLUSTER);
            write(
                &root.join(format!("etc/kubernetes/manifests/{name}.yaml")),
                &text,
            );
        }
    }

    /// Turns a slot's machine on: it boots, and does so again after a failure.
    pub fn start(&self, slot: char) -> Running {
        self.systemctl(slot, "start --no-block kube-cfn-boot.service");
        Running::of(self, slot)
    }

    /// Another machine takes the slot: its volume and what its bundle has, and nothing of the old disk.
    pub fn replace_machine(&self, slot: char) {
        let root = self.root(slot);
        for directory in [
            "run",
            "var/lib/kube-cfn",
            "etc/kubernetes/manifests",
            "etc/kubernetes/manifests-stopped",
        ] {
            let _ = fs::remove_dir_all(root.join(directory));
        }
        fs::create_dir_all(root.join("run")).unwrap();
    }

    pub fn systemctl(&self, slot: char, line: &str) -> String {
        let mut command = Command::new(self.root(slot).join("tools/systemctl"));
        self.furnish_command(slot, &mut command);
        let output = command.args(line.split(' ')).output().unwrap();
        assert!(output.status.success(), "systemctl {line}: {output:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// Runs a program of the node on a slot.
    pub fn program(&self, slot: char, line: &str) -> Said {
        let mut words = line.split(' ');
        let program = self
            .root(slot)
            .join("opt/kube-cfn/bin")
            .join(words.next().unwrap());
        let mut command = Command::new(program);
        self.furnish_command(slot, &mut command);
        said(command.args(words), line)
    }

    /// As [`World::program`], with bash reading `before` first and the number in `CUT`.
    pub fn program_cut(&self, slot: char, line: &str, before: &str, cut: u32) -> Said {
        let file = self.place.path().join("before.sh");
        write(&file, before);
        let mut words = line.split(' ');
        let program = self.root(slot).join("opt/kube-cfn/bin");
        let mut command = Command::new("bash");
        self.furnish_command(slot, &mut command);
        command
            .env("BASH_ENV", file)
            .env("CUT", cut.to_string())
            .arg(program.join(words.next().unwrap()));
        said(command.args(words), line)
    }

    /// A program that has to go well; its result.
    pub fn well(&self, slot: char, line: &str) -> Value {
        let said = self.program(slot, line);
        assert_eq!(said.code, Some(0), "{line} on {slot}: {}", said.talk);
        assert_eq!(said.result["ok"], true, "{line} on {slot}: {}", said.result);
        said.result
    }

    /// A program that has to refuse; what it says why.
    pub fn refused(&self, slot: char, line: &str) -> String {
        let said = self.program(slot, line);
        assert_ne!(said.code, Some(0), "{line} on {slot}: {}", said.result);
        assert_eq!(said.result["ok"], false, "{line} on {slot}");
        said.result["error"].as_str().unwrap().to_owned()
    }

    /// What a function of the node's library prints.
    pub fn shell(&self, slot: char, function: &str) -> String {
        let output = self.try_shell(slot, function);
        assert!(output.status.success(), "{function}: {output:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    pub fn try_shell(&self, slot: char, function: &str) -> std::process::Output {
        let library = self.root(slot).join("opt/kube-cfn/lib/etcd.sh");
        let script = format!("set -euo pipefail; . {}; {function}", library.display());
        let mut command = Command::new("bash");
        self.furnish_command(slot, &mut command);
        command.args(["-c", &script]).output().unwrap()
    }

    /// etcdctl with the health check's certificate, at one slot's member.
    pub fn ctl(&self, slot: char, arguments: &str) -> Result<String, String> {
        let function = format!(
            "etcd_ctl --endpoints https://{}:2379 --command-timeout 5s {arguments}",
            self.address(slot)
        );
        let output = self.try_shell(slot, &function);
        if output.status.success() {
            return Ok(String::from_utf8(output.stdout).unwrap().trim().to_owned());
        }
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }

    /// Writes a key, as soon as there is a leader.
    pub fn put(&self, slot: char, key: &str, value: &str) {
        self.until("a write", || {
            self.ctl(slot, &format!("put {key} {value}")).is_ok()
        });
    }

    /// The value of a key; empty when there is none.
    pub fn get(&self, slot: char, key: &str) -> String {
        self.ctl(slot, &format!("get --print-value-only {key}"))
            .unwrap()
    }

    fn furnish_command(&self, slot: char, command: &mut Command) {
        let tools = self.root(slot).join("tools");
        let system = std::env::var("PATH").unwrap_or_default();
        let path = format!("{}:{}:{system}", tools.display(), etcd_tools().display());
        command
            .env_clear()
            .env("PATH", path)
            .env("LANG", "C.UTF-8")
            .env("ETCD_STOP_SECONDS", "30")
            .env("ETCD_LOOK_PAUSE", "0.1")
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("TMPDIR", self.place.path())
            .current_dir("/");
    }

    /// Waits until something is so.
    pub fn until(&self, what: &str, so: impl Fn() -> bool) {
        let began = Instant::now();
        while !so() {
            let logs: String = self
                .addresses
                .iter()
                .map(|(slot, _)| tail(&self.log(*slot)))
                .collect();
            assert!(began.elapsed() < PATIENCE, "{what} did not come:\n{logs}");
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Waits until the member of a slot serves.
    pub fn serves(&self, slot: char) {
        self.until(&format!("slot {slot}"), || {
            self.ctl(slot, "endpoint health").is_ok()
        });
    }

    /// Waits until every member serves.
    pub fn all_serve(&self) {
        for (slot, _) in &self.addresses {
            self.serves(*slot);
        }
    }

    /// What a slot's etcd said.
    pub fn log(&self, slot: char) -> String {
        fs::read_to_string(self.root(slot).join("run/etcd.log")).unwrap_or_default()
    }

    /// The keys in the bucket, sorted.
    pub fn bucket(&self) -> Vec<String> {
        let root = self.place.path().join("aws/bucket");
        let mut keys = Vec::new();
        gather(&root, &root, &mut keys);
        keys.sort();
        keys
    }

    pub fn object(&self, key: &str) -> PathBuf {
        self.place.path().join("aws/bucket").join(key)
    }

    pub fn parameter(&self, name: &str) -> Option<String> {
        let text = fs::read_to_string(self.place.path().join("aws/parameters").join(name)).ok()?;
        Some(text.trim().to_owned())
    }

    pub fn set_parameter(&self, name: &str, value: &str) {
        write(&self.place.path().join("aws/parameters").join(name), value);
    }

    /// The words with which a slot's etcd was started.
    pub fn argv(&self, slot: char) -> Vec<String> {
        let text = fs::read(format!("/proc/{}/cmdline", self.process(slot))).unwrap();
        let words = text.split(|byte| *byte == 0);
        words
            .map(|word| String::from_utf8_lossy(word).into_owned())
            .collect()
    }

    /// The process of a slot's etcd.
    pub fn process(&self, slot: char) -> i32 {
        let text = fs::read_to_string(self.root(slot).join("run/etcd.pid")).unwrap();
        text.trim().parse().unwrap()
    }
}

impl Running {
    /// A machine that something else has turned on.
    pub fn of(world: &World, slot: char) -> Self {
        Self {
            root: world.root(slot),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let off = Command::new("python3")
            .arg(self.root.join("tools/pods.py"))
            .arg("power-off")
            .arg(&self.root)
            .output();
        // A panic in here while another one unwinds would hide the first.
        let is_off = off.as_ref().is_ok_and(|off| off.status.success());
        assert!(
            is_off || std::thread::panicking(),
            "the machine is on: {off:?}"
        );
    }
}

/// Runs a command to its end and reads the one line that a program of the node prints.
pub fn said(command: &mut Command, line: &str) -> Said {
    let output = command.stdin(Stdio::null()).output().unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    let talk = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(stdout.lines().count() <= 1, "{line} says more: {stdout}");
    let result = serde_json::from_str(&stdout).unwrap_or_default();
    Said {
        code: output.status.code(),
        result,
        talk,
    }
}

pub fn here() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The tree of a slot as its bundle has it.
fn unpack(root: &Path) {
    let templates = Templates::new(None).unwrap();
    let spec = specs::canary();
    for file in node::files(&spec, Role::ControlPlane, &templates).unwrap() {
        let path = root.join(&*file.path);
        write(&path, &file.text);
        fs::set_permissions(&path, fs::Permissions::from_mode(file.mode)).unwrap();
    }
}

fn place(from: &Path, to: &Path) {
    fs::create_dir_all(to.parent().unwrap()).unwrap();
    fs::copy(from, to).unwrap();
}

fn write(file: &Path, text: &str) {
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(file, text).unwrap();
}

fn gather(root: &Path, directory: &Path, keys: &mut Vec<String>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            gather(root, &path, keys);
        } else {
            keys.push(path.strip_prefix(root).unwrap().display().to_string());
        }
    }
}

fn tail(log: &str) -> String {
    let lines: Vec<_> = log.lines().collect();
    let last = &lines[lines.len().saturating_sub(8)..];
    last.join("\n") + "\n"
}
