//! A machine of a cluster that `apply` made: the emulated instance's id, address, role and user data behind
//! a metadata service, the real AWS CLI, and a root directory with stand-ins for the rest of its programs.
//!
//! Where there is no AWS CLI for this processor its tests look at nothing; the end of tests/run says so.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::process::Said;
use crate::tools::{ask, ask_all, aws_cli, psql, tool};
use crate::world::{World, given};

pub struct Machine<'a> {
    world: &'a World,
    home: TempDir,
    /// Id of its instance.
    pub instance: String,
    /// Id of its role and of the instance, as IAM's `aws:userid`.
    pub user_id: String,
    /// Its private address.
    pub address: String,
}

pub fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Where tests/emulator/run says that the real AWS CLI lies.
const CLI: &str = "KUBE_CFN_TEST_AWS_CLI";

/// The time that a test with the real AWS CLI takes, for the end of tests/run.
pub struct Timed {
    since: Instant,
}

impl Timed {
    /// Begins, unless there is no AWS CLI for this processor.
    pub fn start() -> Option<Self> {
        aws_cli()?;
        let since = Instant::now();
        Some(Self { since })
    }
}

impl Drop for Timed {
    fn drop(&mut self) {
        let Some(file) = std::env::var_os("KUBE_CFN_TEST_TIMES") else {
            return;
        };
        let opened = fs::OpenOptions::new().create(true).append(true).open(file);
        let line = format!("{}\n", self.since.elapsed().as_secs());
        let _ = opened.and_then(|mut file| file.write_all(line.as_bytes()));
    }
}

/// The first instance of a group, as EC2 describes it.
pub fn instance(world: &World, stack: &str, group: &str) -> Value {
    let tag = |name: &str, value: &str| json!({"Name": format!("tag:aws:cloudformation:{name}"), "Values": [value]});
    let stack = format!("{}-{stack}", world.name);
    let filters = json!({"Filters": [tag("stack-name", &stack), tag("logical-id", group)]});
    let found = ask(world, "ec2", "describe_instances", &filters);
    let found = &found["Reservations"][0]["Instances"][0];
    assert!(found["InstanceId"].is_string(), "no instance of {group}");
    found.clone()
}

pub fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}

impl<'a> Machine<'a> {
    /// The machine of slot a.
    pub fn slot(world: &'a World) -> Self {
        Self::of(world, "control-plane", "SlotA", "control-plane/a")
    }

    /// The machine of the pool `workers`.
    pub fn worker(world: &'a World) -> Self {
        Self::of(world, "pool-workers", "Group", "workers")
    }

    /// The machine of a group of a stack; `node` is its name for `render --node`.
    fn of(world: &'a World, stack: &str, group: &str, node: &str) -> Self {
        let found = instance(world, stack, group);
        let id = text(&found["InstanceId"]).to_owned();
        let role = role(world, &found);
        let session = json!({"RoleArn": role["Arn"], "RoleSessionName": id});
        let credentials = ask(world, "sts", "assume_role", &session)["Credentials"].clone();
        let made = Self {
            world,
            home: TempDir::new().expect("a temporary directory"),
            user_id: format!("{}:{id}", text(&role["RoleId"])),
            instance: id,
            address: text(&found["PrivateIpAddress"]).to_owned(),
        };
        made.describe(&found, &role, &credentials);
        made.furnish(node);
        made
    }

    /// What its metadata service answers with.
    fn describe(&self, found: &Value, role: &Value, credentials: &Value) {
        let asked = json!({"InstanceId": self.instance, "Attribute": "userData"});
        let answer = ask(self.world, "ec2", "describe_instance_attribute", &asked);
        let user_data = self.home.path().join("user-data");
        fs::write(&user_data, decoded(&answer["UserData"]["Value"])).expect("written");
        let zone = text(&found["Placement"]["AvailabilityZone"]);
        let facts = json!({
            "account": self.world.account(),
            "region": zone.trim_end_matches(char::is_alphabetic),
            "zone": zone,
            "instance": self.instance,
            "address": self.address,
            "role": role["RoleName"],
            "credentials": credentials,
            "user_data": user_data,
            "endpoint": given("KUBE_CFN_TEST_ENDPOINT"),
            "ports": databases(self.world),
            "mounts": {"/opt/aws-cli": given(CLI), "/opt/packages": packages()},
        });
        fs::write(self.home.path().join("facts.json"), facts.to_string()).expect("written");
    }

    /// The tree of the node and its programs.
    fn furnish(&self, node: &str) {
        let tree = self.home.path().join("tree");
        let tree = tree.to_str().expect("a path");
        self.world
            .cluster("render", &["--node", node, "--out", tree])
            .ends(0);
        let made = &mut Command::new(repository("tests/node/machine"));
        Said::of(made.arg(self.root()).arg(tree)).ends(0);
        // Without its entry there root has no home, and the CLI does not start.
        self.write("etc/passwd", "root:x:0:0:root:/root:/bin/bash\n");
        // Where the system chooses one of several awks, it does so below /etc.
        let awk = fs::canonicalize("/usr/bin/awk").expect("an awk");
        symlink(awk, self.path("local/bin/awk")).expect("linked");
        for directory in ["srv/stand-ins", "var/tmp"] {
            fs::create_dir_all(self.path(directory)).expect("made");
        }
        fs::rename(
            self.path("local/sbin/curl"),
            self.path("srv/stand-ins/curl"),
        )
        .expect("moved");
        for name in ["aws", "curl"] {
            self.program(
                name,
                &read(&repository(&format!("tests/emulator/programs/{name}"))),
            );
        }
        let signal = read(&repository("tests/emulator/programs/cfn-signal"));
        self.executable("opt/aws/bin/cfn-signal", &signal);
    }

    /// From now on this port of loopback leads to the one of the tests.
    pub fn reaches(&self, port: u16) {
        self.fact("ports", |ports| {
            ports.as_array_mut().expect("a list").push(json!(port));
        });
    }

    /// From now on each answer of the metadata service takes this long.
    pub fn slow_metadata(&self, seconds: f64) {
        self.fact("slow", |slow| *slow = json!(seconds));
    }

    fn fact(&self, name: &str, change: impl FnOnce(&mut Value)) {
        let path = self.home.path().join("facts.json");
        let mut facts: Value = serde_json::from_str(&read(&path)).expect("JSON");
        change(&mut facts[name]);
        fs::write(path, facts.to_string()).expect("written");
    }

    pub fn root(&self) -> PathBuf {
        self.home.path().join("root")
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.root().join(name)
    }

    pub fn read(&self, name: &str) -> String {
        read(&self.path(name))
    }

    pub fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("below the root")).expect("made");
        // What the stand-ins share by links must not change with one of them.
        let _ = fs::remove_file(&path);
        fs::write(&path, text).expect("written");
    }

    pub fn executable(&self, name: &str, text: &str) {
        self.write(name, text);
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(0o755)).expect("set");
    }

    /// A program of its own in front of all others of that name.
    pub fn program(&self, name: &str, text: &str) {
        self.executable(&format!("local/sbin/{name}"), text);
    }

    /// Without a stand-in: the system's own program is found.
    pub fn without(&self, name: &str) {
        fs::remove_file(self.path(&format!("local/sbin/{name}"))).expect("a stand-in");
    }

    /// What `ec2.sh` and the stand-ins were called with so far, one call a line.
    pub fn calls(&self) -> String {
        self.read("srv/calls")
    }

    /// Runs a program on it to its end.
    pub fn run(&self, command: &[&str]) -> Said {
        let mut enter = Command::new(tool("python"));
        enter
            .arg(repository("tests/emulator/machine.py"))
            .arg(self.root())
            .arg(self.home.path().join("facts.json"))
            .args(command)
            .env("PYTHONDONTWRITEBYTECODE", "1");
        Said::of(&mut enter)
    }

    /// Runs a text as bash with the functions of `ec2.sh`, as a program of the node has them.
    pub fn bash(&self, script: &str) -> Said {
        let start = "set -euo pipefail\nfor one in common ec2; do . /opt/kube-cfn/lib/$one.sh\n\
                     [ $one = ec2 ] || load_environment; done\n";
        self.write("srv/script", &format!("{start}{script}"));
        self.run(&["/bin/bash", "/srv/script"])
    }

    /// What cloud-init does at every boot: user data, as the metadata service has it.
    pub fn cloud_init(&self) {
        let fetch = "ec2_metadata ../user-data > /srv/user-data; bash /srv/user-data";
        self.bash(fetch).ends(0);
    }

    /// The tree of the node as it was rendered: a file of it.
    pub fn rendered(&self, name: &str) -> String {
        read(&self.home.path().join("tree").join(name))
    }

    /// A variable that user data wrote.
    fn host(&self, variable: &str) -> String {
        let env = self.read("etc/kube-cfn/host.env");
        let start = format!("{variable}=");
        let found = env.lines().find_map(|line| line.strip_prefix(&start));
        found.expect("a variable").to_owned()
    }

    /// Id of the slot's volume.
    pub fn volume(&self) -> String {
        self.host("ETCD_VOLUME")
    }

    /// What an object of the state bucket holds, as text.
    pub fn object(&self, key: &str) -> String {
        let fetch = format!(
            "aws s3 cp --only-show-errors 's3://{}/{key}' -",
            self.host("STATE_BUCKET")
        );
        self.bash(&fetch).ends(0).stdout.clone()
    }

    /// Keys of the state bucket.
    pub fn objects(&self, prefix: &str) -> Vec<String> {
        let asked = json!({"Bucket": self.host("STATE_BUCKET"), "Prefix": prefix});
        let found = ask(self.world, "s3", "list_objects_v2", &asked);
        let found = found["Contents"].as_array().cloned().unwrap_or_default();
        found
            .iter()
            .map(|one| text(&one["Key"]).to_owned())
            .collect()
    }
}

/// The ports of the account's databases.
fn databases(world: &World) -> Vec<Value> {
    let found = ask(world, "rds", "describe_db_instances", &json!({}));
    let found = found["DBInstances"].as_array().cloned().unwrap_or_default();
    let ports = found.iter().map(|one| one["Endpoint"]["Port"].clone());
    ports.collect()
}

/// Where the tests' Python packages lie, with PostgreSQL's programs in one of them.
fn packages() -> PathBuf {
    let psql = psql();
    psql.ancestors().nth(4).expect("a place").to_owned()
}

/// `psql` as the machine sees it.
pub fn psql_inside() -> String {
    let psql = psql();
    let path = psql.strip_prefix(packages()).expect("below the packages");
    format!("/opt/packages/{}", path.display())
}

/// The role that an instance's profile holds.
pub fn role(world: &World, found: &Value) -> Value {
    let profile = text(&found["IamInstanceProfile"]["Arn"]);
    let name = profile.rsplit('/').next();
    let asked = json!({"InstanceProfileName": name});
    let answers = ask_all(world, "iam", &[("get_instance_profile", asked)]);
    answers[0]["InstanceProfile"]["Roles"][0].clone()
}

pub fn decoded(value: &Value) -> Vec<u8> {
    use base64::Engine;
    let bytes = base64::engine::general_purpose::STANDARD.decode(text(value));
    bytes.expect("user data in base64")
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
