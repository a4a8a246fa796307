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

use crate::apiserver::ApiServer;
use crate::node::machine::{decoded, instance, repository, role, text};
use crate::process::Said;
use crate::share::{is_full, only};
use crate::tools::{ask, tool};
use crate::untested::untested;
use crate::world::{World, given};

/// Where programs of a machine are looked for, as systemd and cloud-init have it.
const PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Shown when a test fails.
#[expect(
    clippy::print_stdout,
    reason = "the test's own output, which cargo shows of a failed test"
)]
pub fn note(text: &str) {
    println!("{text}");
}

/// The seed of this run's random moments.
pub fn seed() -> u64 {
    let seed = only().unwrap_or(1);
    note(&format!("seed {seed}"));
    seed
}

/// Whether this run interrupts machines, which takes a boot each time: with `tests/run --full`. Else it says that it did not.
pub fn are_interrupted() -> bool {
    if !is_full() {
        untested(
            "interrupted boots, restores and replacements of whole machines",
            "tests/run --full makes them",
        );
    }
    is_full()
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
    home: TempDir,
    child: Child,
    orders: RefCell<(ChildStdin, BufReader<ChildStdout>)>,
    cidr: String,
    port: u64,
    cgroups: String,
}

/// A machine of it, whose disk outlives its power.
pub struct Machine<'a> {
    vpc: &'a Vpc<'a>,
    pub instance: String,
    pub address: String,
    name: String,
    facts: Value,
    files: Value,
    pid: RefCell<Option<u64>>,
    /// How much its console had printed when it was switched on last.
    said: Cell<usize>,
}

/// The image that machines start from; none where this system cannot have them.
fn image() -> Option<PathBuf> {
    let cli = std::env::var("KUBE_CFN_TEST_AWS_CLI").ok()?;
    let mut program = Command::new(repository("tests/machines/image"));
    program
        .arg(repository(".emulator/machines"))
        .arg(given("KUBE_CFN_TEST_TOOLS"))
        .arg(cli);
    let made = Said::of(&mut program);
    (made.code != Some(3)).then(|| made.ends(0).stdout.trim_end().into())
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

    fn order(&self, order: &Value) -> Value {
        writeln!(self.orders.borrow_mut().0, "{order}").expect("vpc.py reads");
        self.answer()
    }

    /// What goes wrong from now on; `tests/machines/cloud.py` knows the keys.
    pub fn faults(&self, faults: &Value) {
        self.order(&json!({"faults": faults}));
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

impl Drop for Machine<'_> {
    fn drop(&mut self) {
        let _ = fs::remove_file(self.registration());
    }
}

impl Drop for Vpc<'_> {
    fn drop(&mut self) {
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

impl Machine<'_> {
    /// Power on: from here to a node it takes systemd, cloud-init and user data alone.
    pub fn on(&self) {
        self.said.set(self.printed().len());
        let order = json!({"on": self.name, "facts": self.facts, "files": self.files});
        let pid = self.vpc.order(&order)["pid"].as_u64().expect("a process");
        *self.pid.borrow_mut() = Some(pid);
        // Run Command reaches it, and its console is EC2's.
        let known = json!({"pid": pid, "console": self.console_file()});
        let half = self.vpc.home.path().join("known");
        fs::write(&half, known.to_string()).expect("written");
        fs::copy(&half, self.registration()).expect("registered");
    }

    fn registration(&self) -> PathBuf {
        Path::new(&given("KUBE_CFN_TEST_RULES")).join(format!("{}.machine", self.instance))
    }

    fn console_file(&self) -> PathBuf {
        self.vpc.home.path().join(format!("console-{}", self.name))
    }

    /// Its first process, as this system knows it.
    pub fn process(&self) -> u64 {
        self.pid.borrow().expect("it is on")
    }

    /// The power goes.
    pub fn cut(&self) {
        self.vpc.order(&json!({"cut": self.name}));
        *self.pid.borrow_mut() = None;
    }

    /// Waits until the machine is off by itself.
    pub fn ends_by_itself(&self) {
        self.vpc.order(&json!({"off": self.name, "seconds": 200}));
        *self.pid.borrow_mut() = None;
    }

    /// Runs a program on it to its end.
    pub fn run(&self, command: &[&str]) -> Said {
        let pid = self.pid.borrow().expect("it is on").to_string();
        let mut enter = Command::new("nsenter");
        enter
            .args(["-t", &pid, "-m", "-u", "-i", "-n", "-p", "-C", "--"])
            .args([
                "/usr/bin/env",
                "-i",
                PATH,
                "HOME=/root",
                "TERM=dumb",
                "LANG=C.UTF-8",
            ])
            .args(command)
            .stdin(Stdio::null());
        Said::of(&mut enter)
    }

    /// Runs lines of shell on it; what they print.
    #[track_caller]
    pub fn sh(&self, script: &str) -> String {
        let said = self.run(&["/bin/bash", "-euc", script]);
        said.ends(0).stdout.trim_end().to_owned()
    }

    /// A property of a unit.
    pub fn unit(&self, unit: &str, property: &str) -> String {
        self.run(&["systemctl", "show", "--property", property, "--value", unit])
            .stdout
            .trim_end()
            .to_owned()
    }

    /// Waits until lines of shell succeed.
    #[track_caller]
    pub fn until(&self, seconds: u64, script: &str) {
        let end = Instant::now() + Duration::from_secs(seconds);
        while self.run(&["/bin/bash", "-euc", script]).code != Some(0) {
            assert!(
                Instant::now() < end,
                "not within {seconds} s: {script}\n{}",
                self.story()
            );
            sleep(Duration::from_millis(300));
        }
    }

    /// Waits until it is a node: its boot program has ended well.
    #[track_caller]
    pub fn boots(&self) {
        self.until(300, "[ \"$(systemctl show --property ActiveState --value kube-cfn-boot.service)\" = active ]");
    }

    /// Waits until the console says it.
    #[track_caller]
    pub fn says(&self, text: &str) {
        let end = Instant::now() + Duration::from_mins(4);
        let before = self.said.get();
        while !self
            .console()
            .get(before..)
            .is_some_and(|said| said.contains(text))
        {
            assert!(Instant::now() < end, "no {text:?}\n{}", self.story());
            sleep(Duration::from_millis(200));
        }
    }

    fn printed(&self) -> Vec<u8> {
        fs::read(self.console_file()).unwrap_or_default()
    }

    /// What its console had printed so far.
    pub fn console(&self) -> String {
        String::from_utf8_lossy(&self.printed()).into_owned()
    }

    /// What the units of this boot said, for a failure.
    pub fn story(&self) -> String {
        let said = self.run(&["journalctl", "--boot", "--no-pager", "--lines", "200"]);
        format!("{said}\nconsole:\n{}", self.console())
    }
}
