//! The machines of a cluster that `apply` made: `tests/machines/vpc.py` gives them a network and power, EC2's emulator says
//! who they are.

use std::cell::{Cell, RefCell};
use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use kube_cfn::pki::{Authority, CertificateAuthority};
use secrecy::SecretString;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::machine::Machine;
use crate::apiserver::ApiServer;
use crate::node::machine::{decoded, instance, repository, role, text};
use crate::process::Said;
use crate::tools::{ask, tool};
use crate::untested::untested;
use crate::world::{World, given};

/// Shown when a test fails.
#[expect(
    clippy::print_stdout,
    reason = "the test's own output, which cargo shows of a failed test"
)]
pub fn note(text: &str) {
    println!("{text}");
}

/// The smallest cluster whose machines have this system's processor.
pub fn small(name: &str) -> String {
    crate::world::small(name)
        .replace("  nodes: 1\n", "  nodes: 1\n  instanceType: t3.medium\n")
        .replace(
            "    max: 1\n",
            "    max: 1\n    instanceTypes: [m7i.large]\n",
        )
}

/// The network of one cluster and what runs in it. All of it ends when this is dropped.
pub struct Vpc<'a> {
    pub world: &'a World,
    /// The cluster's API, which the machines' API servers lead to.
    pub api: ApiServer,
    pub(super) home: TempDir,
    child: Child,
    orders: RefCell<(ChildStdin, BufReader<ChildStdout>)>,
    cidr: String,
    port: u64,
    cgroups: String,
}

/// The image that machines start from; none where this system cannot have them.
fn image() -> Option<PathBuf> {
    let cli = std::env::var("KUBE_CFN_TEST_AWS_CLI").unwrap_or_default();
    let mut program = Command::new(repository("tests/machines/image"));
    program
        .arg(repository(".emulator/machines"))
        .arg(given("KUBE_CFN_TEST_TOOLS"))
        .arg(cli);
    let made = Said::of(&mut program);
    if made.code == Some(3) {
        untested("boots of whole machines", made.stdout.trim_end());
        return None;
    }
    Some(made.ends(0).stdout.trim_end().into())
}

impl<'a> Vpc<'a> {
    /// The network of a world whose cluster is made.
    pub fn of(world: &'a World) -> Option<Self> {
        let image = image()?;
        let found = ask(
            world,
            "ec2",
            "describe_vpcs",
            &json!({"Filters": [
            {"Name": "tag:kube-cfn/cluster", "Values": [world.name]}]}),
        );
        let cidr = text(&found["Vpcs"][0]["CidrBlock"]).to_owned();
        let api = api_server(world);
        let home = TempDir::new().expect("a temporary directory");
        let mut child = Command::new("unshare")
            .args(["--mount", "--propagation", "private"])
            .arg(tool("python"))
            .arg(repository("tests/machines/vpc.py"))
            .args([image.as_path(), home.path()])
            .args([given("KUBE_CFN_TEST_ENDPOINT"), port_of(&api), cidr.clone()])
            .env("PYTHONPATH", repository("tests/emulator"))
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts");
        let orders = (
            child.stdin.take().expect("a pipe"),
            BufReader::new(child.stdout.take().expect("a pipe")),
        );
        let mut made = Self {
            world,
            api,
            home,
            child,
            orders: RefCell::new(orders),
            cidr,
            port: 0,
            cgroups: String::new(),
        };
        let ready = made.answer();
        made.port = ready["api"].as_u64().expect("a port");
        text(&ready["cgroups"]).clone_into(&mut made.cgroups);
        Some(made)
    }

    fn answer(&self) -> Value {
        let mut line = String::new();
        let read = self.orders.borrow_mut().1.read_line(&mut line);
        assert!(read.is_ok_and(|bytes| bytes > 0), "vpc.py has ended");
        let answer: Value = serde_json::from_str(&line).expect("JSON");
        assert!(answer["error"].is_null(), "{answer}");
        answer
    }

    pub(super) fn order(&self, order: &Value) -> Value {
        writeln!(self.orders.borrow_mut().0, "{order}").expect("vpc.py reads");
        self.answer()
    }

    /// What goes wrong from now on; `tests/machines/cloud.py` knows the keys.
    pub fn faults(&self, faults: &Value) {
        self.order(&json!({"faults": faults}));
    }

    /// Puts a file, in base64, on the mirror of downloads; its sha256.
    pub fn on_mirror(&self, name: &str, content: &str) -> String {
        let answer = self.order(&json!({"mirror": name, "content": content}));
        text(&answer["sha256"]).to_owned()
    }

    /// Serves all files of a directory as downloads, and images (`tests/machines/cloud.py` has their form).
    pub fn serve_all(&self, directory: &Path, images: &[Value]) {
        self.order(&json!({"directory": directory, "images": images}));
    }

    /// The API's load balancer, for `--server`.
    pub fn server(&self) -> String {
        format!("https://127.0.0.1:{}", self.port)
    }

    /// The cgroup of all its machines.
    pub fn cgroups(&self) -> &str {
        &self.cgroups
    }

    /// As a kill of the tests: the process that everything hangs on is gone at once. Comes back when all processes are.
    pub fn kill(&self) {
        let kill = ["-KILL".to_owned(), self.child.id().to_string()];
        Said::of(Command::new("kill").args(kill)).ends(0);
        let end = Instant::now() + Duration::from_secs(30);
        let left = || {
            fs::read_to_string(format!("{}/cgroup.events", self.cgroups))
                .is_ok_and(|text| text.contains("populated 1"))
        };
        while left() {
            assert!(
                Instant::now() < end,
                "processes are left in {}",
                self.cgroups
            );
            sleep(Duration::from_millis(100));
        }
    }

    /// The machine of a control-plane node; a new disk.
    pub fn slot(&self, slot: char) -> Machine<'_> {
        let group = format!("Slot{}", slot.to_uppercase());
        self.machine(
            "control-plane",
            &group,
            &format!("control-plane/{slot}"),
            true,
        )
    }

    /// The machine of the pool `workers`; a new disk.
    pub fn worker(&self) -> Machine<'_> {
        self.machine("pool-workers", "Group", "workers", false)
    }

    fn machine(&self, stack: &str, group: &str, node: &str, slot: bool) -> Machine<'_> {
        let world = self.world;
        let found = instance(world, stack, group);
        let id = text(&found["InstanceId"]).to_owned();
        let name = node.replace('/', "-") + "-" + &id;
        let address = text(&found["PrivateIpAddress"]).to_owned();
        Machine {
            facts: self.facts(&found, &name, slot),
            files: installed(world, node, &self.home.path().join(format!("tree-{name}"))),
            vpc: self,
            instance: id,
            address,
            name,
            pid: RefCell::default(),
            said: Cell::default(),
            before: Cell::default(),
        }
    }

    /// What its metadata service answers with.
    fn facts(&self, found: &Value, name: &str, slot: bool) -> Value {
        let (world, id) = (self.world, text(&found["InstanceId"]));
        let role = role(world, found);
        let session = json!({"RoleArn": role["Arn"], "RoleSessionName": id});
        let credentials = ask(world, "sts", "assume_role", &session)["Credentials"].clone();
        let asked = json!({"InstanceId": id, "Attribute": "userData"});
        let answer = ask(world, "ec2", "describe_instance_attribute", &asked);
        let user_data = self.home.path().join(format!("user-data-{name}"));
        fs::write(&user_data, decoded(&answer["UserData"]["Value"])).expect("written");
        let subnet = json!({"SubnetIds": [found["SubnetId"]]});
        let subnets = ask(world, "ec2", "describe_subnets", &subnet);
        let zone = text(&found["Placement"]["AvailabilityZone"]);
        let region = zone.trim_end_matches(char::is_alphabetic);
        let address = text(&found["PrivateIpAddress"]);
        let bytes = address
            .split('.')
            .map(|byte| byte.parse::<u8>().expect("an address"));
        let mac = bytes.fold("0a:00".to_owned(), |mut mac, byte| {
            write!(mac, ":{byte:02x}").expect("text");
            mac
        });
        json!({
            "account": world.account(), "region": region, "zone": zone, "instance": id, "address": address,
            "role": role["RoleName"], "credentials": credentials, "user_data": user_data,
            "image": found["ImageId"], "type": found["InstanceType"], "mac": mac, "interface": "eni-0a",
            "hostname": format!("ip-{}.{region}.compute.internal", address.replace('.', "-")),
            "subnet": subnets["Subnets"][0]["CidrBlock"], "vpc": self.cidr, "slot": slot,
        })
    }
}

impl Drop for Vpc<'_> {
    fn drop(&mut self) {
        let used = fs::read_to_string(format!("{}/cpu.stat", self.cgroups)).unwrap_or_default();
        let used = used
            .lines()
            .next()
            .and_then(|line| line.strip_prefix("usage_usec "));
        if let Some(used) = used.and_then(|used| used.parse::<u64>().ok()) {
            note(&format!(
                "machines of {}: {} s of processor time",
                self.world.name,
                used / 1_000_000
            ));
        }
        // It removes what it made; where it is killed, its successor does.
        let _ = writeln!(self.orders.borrow_mut().0, "{}", json!({"end": true}));
        let _ = self.child.wait();
    }
}

fn port_of(api: &ApiServer) -> String {
    let server = api.server();
    server.rsplit(':').next().expect("a port").to_owned()
}

/// The cluster's API with the authority that `apply` made.
fn api_server(world: &World) -> ApiServer {
    let name = format!("/kube-cfn/{}/cp/ca.key", world.name);
    let found = ask(
        world,
        "ssm",
        "get_parameter",
        &json!({"Name": name, "WithDecryption": true}),
    );
    let bundle = SecretString::from(text(&found["Parameter"]["Value"]));
    let authority =
        CertificateAuthority::from_bundle(Authority::Kubernetes, &bundle).expect("an authority");
    let balancers = ask(world, "elbv2", "describe_load_balancers", &json!({}));
    let host = text(&balancers["LoadBalancers"][0]["DNSName"]).to_lowercase();
    ApiServer::of(authority, &[&host, "127.0.0.1", "localhost"])
}

/// The records of the pinned programs, as on an image that has them: the bundle stays as it is.
fn installed(world: &World, node: &str, tree: &Path) -> Value {
    let to = tree.to_str().expect("a path");
    world
        .cluster("render", &["--node", node, "--out", to])
        .ends(0);
    let list = fs::read_to_string(tree.join("etc/kube-cfn/binaries")).expect("a list");
    let files = list.lines().filter_map(|line| {
        let (name, rest) = line.split_once(' ')?;
        let (sum, _) = rest.split_once(' ')?;
        Some((
            format!("/var/lib/kube-cfn/installed/{name}"),
            json!(format!("{sum}\n")),
        ))
    });
    let id = format!("{:032x}\n", rand_id());
    files
        .chain([("/etc/machine-id".to_owned(), json!(id))])
        .collect::<serde_json::Map<_, _>>()
        .into()
}

/// The id of a machine's system.
fn rand_id() -> u128 {
    let text = fs::read_to_string("/proc/sys/kernel/random/uuid").expect("a UUID");
    u128::from_str_radix(&text.trim_end().replace('-', ""), 16).expect("hexadecimal")
}
