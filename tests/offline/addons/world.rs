//! A control-plane node with its bundle unpacked, and a cluster in files around it (see `stand-in.sh`).

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use jiff::{SignedDuration, Timestamp};
use kube_cfn::spec::ClusterSpec;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

/// Where in a call the program dies. Before one is after the last.
#[derive(Debug, Clone, Copy)]
pub enum Cut {
    Within,
    After,
}

pub struct World {
    directory: TempDir,
    forged: bool,
}

impl World {
    /// Slot b of three, whose Nodes are there and want what this bundle wants.
    pub fn new(spec: &ClusterSpec) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let world = Self {
            directory,
            forged: false,
        };
        let bytes = super::bundle(spec);
        let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(&bytes[..]));
        archive.unpack(world.path("root")).unwrap();
        for directory in ["bin", "world"] {
            fs::create_dir_all(world.path(directory)).unwrap();
        }
        let kubeconfig = world.path("root/etc/kube-cfn/local-admin.conf");
        fs::write(kubeconfig, "apiVersion: v1\n").unwrap();
        let flags = include_str!("../../node/stand-ins/flags.sh");
        fs::write(world.path("world/flags.sh"), flags).unwrap();
        let stand_in = include_str!("stand-in.sh");
        for name in ["kubectl", "helm", "curl"] {
            let path = world.path("bin").join(name);
            fs::write(&path, stand_in).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        world.edit("opt/kube-cfn/lib/ec2.sh", |_| {
            "ec2_instance_id() { echo i-b; }\n".to_owned()
        });
        world.edit("etc/kube-cfn/node.env", |_| {
            "NODE_SLOTS='a=10.20.0.10 b=10.20.32.10 c=10.20.64.10'\nNODE_KUBERNETES='1.36.4'\n"
                .to_owned()
        });
        world.edit("etc/kube-cfn/host.env", |_| {
            "API_HOST='api.test.example.com'\nEBS_CSI_ROLE='arn:aws:iam::1:role/volumes'\n\
             AUTOSCALER_ROLE='arn:aws:iam::1:role/scaling'\n"
                .to_owned()
        });
        world.edit("etc/kube-cfn/addons/charts", |text| {
            let pin = |line: &str| {
                let [name, _, url] = line.split(' ').collect::<Vec<_>>()[..] else {
                    panic!("{line}")
                };
                format!("{name} {:x} {url}\n", Sha256::digest(format!("{url}\n")))
            };
            text.lines().map(pin).collect()
        });
        world.put(
            "nodes",
            "i-a 10.20.0.10 v1.36.4 \ni-b 10.20.32.10 v1.36.4 \ni-c 10.20.64.10 v1.36.4 \n",
        );
        world.agree();
        world
    }

    /// Another one that is the same so far.
    pub fn twin(&self) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let status = Command::new("cp")
            .args(["-a", "--"])
            .args([self.path("root"), self.path("bin"), self.path("world")])
            .arg(directory.path())
            .status();
        assert!(status.unwrap().success());
        Self {
            directory,
            forged: self.forged,
        }
    }

    /// Every download is something else than was asked for.
    pub fn forging(mut self) -> Self {
        self.forged = true;
        self
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub fn put(&self, name: &str, text: &str) {
        fs::write(self.path("world").join(name), text).unwrap();
    }

    pub fn remove(&self, name: &str) {
        fs::remove_file(self.path("world").join(name)).unwrap();
    }

    fn get(&self, name: &str) -> String {
        fs::read_to_string(self.path("world").join(name)).unwrap_or_default()
    }

    /// Changes a file of the slot.
    pub fn edit(&self, name: &str, change: impl Fn(String) -> String) {
        let path = self.path("root").join(name);
        let text = fs::read_to_string(&path).unwrap_or_default();
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, change(text)).unwrap();
    }

    /// Changes or drops lines of the list of Nodes.
    pub fn nodes(&self, change: impl Fn(&str, String) -> Option<String>) {
        let text = self.get("nodes");
        let lines = text
            .lines()
            .filter_map(|line| change(line.split(' ').next().unwrap(), line.to_owned()));
        self.put("nodes", &lines.map(|line| line + "\n").collect::<String>());
    }

    pub fn add_node(&self, line: &str) {
        self.put("nodes", &format!("{}{line}\n", self.get("nodes")));
    }

    /// A lease that `holder` renewed so many seconds ago.
    pub fn lease(&self, holder: &str, ago: i64) {
        let renewed = Timestamp::now() - SignedDuration::from_secs(ago);
        self.put("lease", &format!("7 {renewed} 600 {holder}\n"));
    }

    /// The other slots want what this one wants: it says so itself, before it looks at them.
    pub fn agree(&self) {
        self.nodes(|name, line| {
            Some(if name == "i-b" {
                line
            } else {
                line.replace("v1.36.4", "v0.0.0")
            })
        });
        assert_eq!(self.run().0, Some(75));
        let nodes = self.get("nodes");
        let own = nodes.lines().find(|line| line.starts_with("i-b ")).unwrap();
        let wants = own.rsplit(' ').next().unwrap().to_owned();
        self.nodes(|name, line| {
            let fields: Vec<_> = line.split(' ').collect();
            Some(if name == "i-b" {
                line
            } else {
                format!("{name} {} v1.36.4 {wants}", fields[1])
            })
        });
        if !self.path("world").join("state").exists() {
            self.nodes(|name, line| {
                Some(if name == "i-b" {
                    line.replace(&wants, "")
                } else {
                    line
                })
            });
            self.forget_calls();
        }
        let _ = fs::remove_file(self.path("world").join("programs"));
    }

    /// Exit code and everything said.
    pub fn run(&self) -> (Option<i32>, String) {
        let output = self.command().output().unwrap();
        let text = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8(text).unwrap())
    }

    pub fn run_well(&self) -> String {
        let (code, text) = self.run();
        assert_eq!(code, Some(0), "{text}");
        text
    }

    /// Runs until the call of this number.
    pub fn run_cut(&self, number: usize, cut: Cut) {
        let when = format!("{cut:?}").to_lowercase();
        let number = number.to_string();
        self.command()
            .env("CUT", number)
            .env("CUT_WHEN", when)
            .output()
            .unwrap();
    }

    fn command(&self) -> Command {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let mut places = vec![self.path("bin")];
        places.extend(std::env::split_paths(&path));
        let mut command = Command::new("bash");
        command
            .args(["-c", "export GROUP=$$; exec bash \"$1\"", "addons"])
            .arg(self.path("root/opt/kube-cfn/bin/addons"))
            .env("PATH", std::env::join_paths(places).unwrap())
            .env("KUBE_CFN_ROOT", self.path("root"))
            .env("WORLD", self.path("world"))
            .env("TMPDIR", self.directory.path())
            .process_group(0);
        if self.forged {
            command.env("FORGED", "not ");
        }
        command
    }

    /// What changed something, in order.
    pub fn calls(&self) -> Vec<String> {
        self.get("calls").lines().map(str::to_owned).collect()
    }

    pub fn forget_calls(&self) {
        self.put("calls", "");
    }

    /// The program that was called, call by call, since the slots agreed.
    pub fn programs(&self) -> Vec<String> {
        self.get("programs").lines().map(str::to_owned).collect()
    }

    pub fn release(&self, name: &str) -> String {
        self.get(&format!("releases/{name}"))
    }

    /// All that lasts in the cluster: Nodes, what is recorded, releases, and who holds the lease.
    pub fn everything(&self) -> BTreeMap<String, String> {
        let mut found = BTreeMap::from([("nodes".to_owned(), self.get("nodes"))]);
        for part in ["state", "releases"] {
            read(&self.path("world").join(part), part, &mut found);
        }
        let lease = self.get("lease");
        let holder = lease.trim_end().split(' ').nth(3).unwrap_or_default();
        found.insert("lease".to_owned(), holder.to_owned());
        found
    }
}

fn read(directory: &Path, part: &str, found: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let name = format!("{part}/{}", path.file_name().unwrap().to_str().unwrap());
        found.insert(name, fs::read_to_string(path).unwrap());
    }
}
