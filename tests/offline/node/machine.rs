//! A machine to boot: the tree of a node below a temporary directory, prepared by `tests/node/machine`
//! and entered by `tests/node/enter`.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use kube_cfn::node::archive::File;
use kube_cfn::spec::ClusterSpec;
use kube_cfn::stacks;
use kube_cfn::templates::Templates;
use tempfile::TempDir;

/// What of a machine counts: what it keeps, and what its cluster and its volume hold.
const KEPT: &[&str] = &[
    "etc",
    "opt",
    "var",
    "root",
    "local/bin",
    "srv/parameters",
    "srv/volume",
];

pub struct Machine {
    directory: TempDir,
}

/// Path to permission bits and content.
pub type Kept = BTreeMap<String, (u32, String)>;

pub fn tree(spec: &ClusterSpec, name: &str) -> Vec<File> {
    let templates = Templates::new(None).unwrap();
    stacks::machine(spec, name, &templates).unwrap().unwrap()
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/node")
        .join(name)
}

fn write(root: &Path, files: &[File]) {
    for file in files {
        let path = root.join(file.path.as_ref());
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &file.text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(file.mode)).unwrap();
    }
}

impl Machine {
    /// A machine that has its tree and never booted.
    pub fn new(spec: &ClusterSpec, name: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let tree_of = tempfile::tempdir().unwrap();
        write(tree_of.path(), &tree(spec, name));
        let machine = Self { directory };
        let made = Command::new(script("machine"))
            .args([machine.root(), tree_of.path().to_owned()])
            .output()
            .unwrap();
        assert!(made.status.success(), "{made:?}");
        machine
    }

    /// Another machine that takes this one's place: nothing of its disk, all of the outside.
    pub fn replaced(&self, spec: &ClusterSpec, name: &str, id: &str) -> Self {
        let other = Self::new(spec, name);
        let copied = Command::new("cp")
            .args(["-r", "--remove-destination"])
            .args([
                self.path("srv/parameters"),
                self.path("srv/volume"),
                self.path("srv/nodes"),
                self.path("srv/cluster"),
            ])
            .arg(other.path("srv"))
            .output()
            .unwrap();
        assert!(copied.status.success(), "{copied:?}");
        other.set("srv/instance-id", id);
        // The volume's content.
        if self.has("var/lib/etcd/data/member") {
            std::fs::create_dir_all(other.path("var/lib/etcd/data/member")).unwrap();
        }
        other
    }

    pub fn root(&self) -> PathBuf {
        self.directory.path().join("root")
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.root().join(name)
    }

    pub fn set(&self, name: &str, text: &str) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// A program of its own in the place of a stand-in, which shares its file with others.
    pub fn program(&self, name: &str, text: &str) {
        let path = self.path(&format!("local/sbin/{name}"));
        let _ = std::fs::remove_file(&path);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    pub fn get(&self, name: &str) -> String {
        let path = self.path(name);
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    pub fn has(&self, name: &str) -> bool {
        self.path(name).exists()
    }

    pub fn remove(&self, name: &str) {
        std::fs::remove_file(self.path(name)).unwrap();
    }

    /// Runs a command as this machine does after a start: what lay in memory is gone.
    pub fn run(&self, command: &[&str]) -> Output {
        for calls in ["srv/calls", "srv/calls-by-step"] {
            let _ = std::fs::remove_file(self.path(calls));
        }
        let output = Command::new(script("enter"))
            .arg(self.root())
            .args(command)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(
            !said.contains("unshare: "),
            "this test needs user namespaces, which this system forbids ({said}): allow them \
             (sysctl kernel.unprivileged_userns_clone=1, kernel.apparmor_restrict_unprivileged_userns=0)"
        );
        output
    }

    pub fn boot(&self) -> Output {
        self.run(&["/opt/kube-cfn/boot"])
    }

    /// Boots, and panics with what it said if that fails.
    pub fn boots(&self) {
        let done = self.boot();
        assert!(
            done.status.success(),
            "{}{}",
            text(&done.stdout),
            text(&done.stderr)
        );
    }

    /// Boots as systemd does, again and again, which has to fail; the reason that the stack hears of the
    /// third attempt, and of no earlier one.
    pub fn refuses(&self) -> String {
        let thrice = "for n in 1 2 3; do /opt/kube-cfn/boot && exit 9; done; exit 1";
        let done = self.run(&["/bin/bash", "-c", thrice]);
        assert_eq!(done.status.code(), Some(1), "{}", text(&done.stderr));
        let calls = self.calls();
        assert_eq!(calls.matches("cfn-signal").count(), 1, "{calls}");
        let signal = calls.lines().last().unwrap_or_default().to_owned();
        assert!(
            signal.starts_with("cfn-signal --exit-code 1 --reason kube-cfn boot failed: "),
            "{signal}"
        );
        signal
    }

    /// Leaves two downloads to install; the others' programs are there from the start.
    pub fn install_less(&self) {
        for place in [
            "sbin/crictl",
            "sbin/kubeadm",
            "sbin/kubectl",
            "bin/containerd",
        ] {
            let place = format!("local/{place}");
            std::fs::hard_link(self.path("local/sbin/aws"), self.path(&place)).unwrap();
        }
        let list = self.get("etc/kube-cfn/binaries");
        let some = |line: &&str| line.starts_with("etcd ") || line.starts_with("kubelet ");
        let kept: Vec<_> = list.lines().filter(some).collect();
        self.set("etc/kube-cfn/binaries", &(kept.join("\n") + "\n"));
    }

    /// From now on the power goes before calls that were never made: before the `share`-th of each `of`.
    pub fn cut(&self, share: usize, of: usize) {
        self.set("srv/cuts", &format!("{share} {of}"));
        self.set("srv/seen", "");
    }

    /// Runs lines of shell after a boot, on the same machine without another start.
    pub fn boots_and(&self, script: &str) -> Output {
        let script = format!("set -eu; /opt/kube-cfn/boot > /dev/null; {script}");
        self.run(&["/bin/bash", "-c", &script])
    }

    /// The calls of the last run, one a line.
    pub fn calls(&self) -> String {
        self.get("srv/calls")
    }

    /// The calls of the last boot by its steps, each step's in their order: steps run at the same time.
    pub fn calls_by_step(&self) -> String {
        let mut steps: BTreeMap<String, String> = BTreeMap::new();
        for line in self.get("srv/calls-by-step").lines() {
            let (step, call) = line.split_once('\t').expect("a step and a call");
            let calls = steps.entry(step.to_owned()).or_default();
            calls.extend(["  ", call, "\n"]);
        }
        let mut text = steps
            .remove("")
            .unwrap_or_default()
            .replace("  cfn-signal", "\n  cfn-signal");
        for (step, calls) in steps {
            text.extend(["\n", &step, "\n", &calls]);
        }
        text
    }

    pub fn kept(&self) -> Kept {
        let mut kept = Kept::new();
        for name in KEPT {
            collect(&self.root(), &self.path(name), &mut kept);
        }
        kept
    }
}

fn collect(root: &Path, path: &Path, kept: &mut Kept) {
    if path.is_dir() {
        for entry in std::fs::read_dir(path).unwrap() {
            collect(root, &entry.unwrap().path(), kept);
        }
        return;
    }
    let Ok(found) = std::fs::metadata(path) else {
        return;
    };
    let name = path.strip_prefix(root).unwrap().display().to_string();
    let content = String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned();
    let (name, content) = without_chance(name, content);
    kept.insert(name, (found.permissions().mode() & 0o7777, content));
}

/// Of the first certificate of a worker neither the key nor the time in its file's name is the same twice.
fn without_chance(name: String, content: String) -> (String, String) {
    let start = "var/lib/kubelet/pki/kubelet-client-2";
    if !name.starts_with(start) {
        return (name, content);
    }
    let lines = content.lines().filter(|line| line.starts_with("-----"));
    (format!("{start}..."), lines.collect())
}

/// Both are the same, or a panic with the paths that are not.
pub fn assert_same(one: &Kept, other: &Kept, what: &str) {
    let names = one.keys().chain(other.keys());
    let mut differing: Vec<_> = names
        .filter(|name| one.get(*name) != other.get(*name))
        .collect();
    differing.dedup();
    assert!(
        differing.is_empty(),
        "{what}: {differing:?}\n{:?}\n{:?}",
        differing.first().and_then(|name| one.get(*name)),
        differing.first().and_then(|name| other.get(*name)),
    );
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Of a file, in hexadecimal.
pub fn sha256(path: &Path) -> String {
    use sha2::{Digest, Sha256};
    format!("{:x}", Sha256::digest(std::fs::read(path).unwrap()))
}
