//! The environment of one test: a directory with definitions, an account, a kubeconfig, a cache, and the real
//! program started in it as a person would start it. Nothing of it outlives the test.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use jiff::{SignedDuration, Timestamp};
use kube_cfn::cloud::aws::Aws;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::process::{Running, Said};
use crate::support::{self, REGION};

/// Accounts below are taken by the tests that need no program.
const FIRST_ACCOUNT: u32 = 1000;

/// What one test has for itself.
pub struct World {
    pub name: String,
    number: u32,
    home: TempDir,
    rules: PathBuf,
    endpoint: String,
}

/// A variable that `tests/run` sets.
pub fn given(variable: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| {
        panic!(
            "{variable} is not set: run the tests through tests/run, which starts an emulated AWS"
        )
    })
}

/// The smallest cluster worth creating: one slot, one machine, no database, unprotected.
pub fn small(name: &str) -> String {
    format!(
        "name: {name}\nregion: {REGION}\nkubernetes: 1.36.4\nzones: [eu-west-1a, eu-west-1b]\n\
         network:\n  nat: single\ncontrolPlane:\n  nodes: 1\npools:\n  - name: workers\n    \
         min: 1\n    max: 1\nprotect: false\n"
    )
}

/// The same with a database.
pub fn with_database(name: &str) -> String {
    small(name) + "database:\n  class: db.t4g.medium\n  multiAz: false\n"
}

impl World {
    /// An empty world whose cluster is called `name`; no two tests use the same name.
    pub fn new(name: &str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(FIRST_ACCOUNT);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let home = TempDir::new().expect("a temporary directory");
        fs::create_dir(home.path().join("clusters")).expect("a directory for definitions");
        let file = format!("{name}-{}.json", support::account(number));
        Self {
            name: name.to_owned(),
            number,
            home,
            rules: Path::new(&given("KUBE_CFN_TEST_RULES")).join(file),
            endpoint: given("KUBE_CFN_TEST_ENDPOINT"),
        }
    }

    /// A world with the smallest definition in it.
    pub fn small(name: &str) -> Self {
        let world = Self::new(name);
        world.definition(&small(name));
        world
    }

    /// The same with a database.
    pub fn with_database(name: &str) -> Self {
        let world = Self::new(name);
        world.definition(&with_database(name));
        world
    }

    /// The account that the program's credentials belong to.
    pub fn account(&self) -> String {
        support::account(self.number)
    }

    /// Sends the program through another endpoint.
    pub fn reached_through(&mut self, endpoint: &str) {
        endpoint.clone_into(&mut self.endpoint);
    }

    /// The way to this world's AWS for a look at what is there.
    pub async fn aws(&self) -> Aws {
        support::aws(self.number).await
    }

    /// A file below the world's directory.
    pub fn path(&self, file: &str) -> PathBuf {
        self.home.path().join(file)
    }

    pub fn kubeconfig(&self) -> PathBuf {
        self.path("kubeconfig")
    }

    /// Writes a file, with the directories above it.
    pub fn write(&self, file: &str, text: &str) {
        let path = self.path(file);
        fs::create_dir_all(path.parent().expect("below the world")).expect("directories");
        fs::write(path, text).expect("written");
    }

    pub fn read(&self, file: &str) -> String {
        let path = self.path(file);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// Writes the definition of the world's cluster.
    pub fn definition(&self, text: &str) {
        self.write(&format!("clusters/{}.yaml", self.name), text);
    }

    /// Replaces a part of the definition, which has to be there.
    pub fn edit(&self, from: &str, to: &str) {
        let file = format!("clusters/{}.yaml", self.name);
        let text = self.read(&file);
        assert!(text.contains(from), "no {from:?} in\n{text}");
        self.definition(&text.replace(from, to));
    }

    /// Scripted trouble for the stacks of this cluster only; `stack` in a rule is a kind.
    pub fn rules(&self, mut rules: Value) {
        for rule in rules.as_array_mut().expect("a list of rules") {
            let kind = rule["stack"].as_str().unwrap_or(".*").to_owned();
            rule["stack"] = format!("{}-{kind}", self.name).into();
        }
        // Read again before every step: a half-written file is not what the test means.
        let half = self.path("rules");
        fs::write(&half, rules.to_string()).expect("written");
        fs::copy(&half, &self.rules).expect("written");
    }

    /// What the account of this world has and may do, beside the usual (`tests/emulator/aws/account.py`).
    pub fn account_facts(&self, facts: &Value) {
        let half = self.path("account");
        fs::write(&half, facts.to_string()).expect("written");
        fs::copy(&half, self.account_file("account")).expect("written");
    }

    /// A file of this world's account in the rules directory: `account`, `held`.
    pub fn account_file(&self, kind: &str) -> PathBuf {
        self.rules
            .with_file_name(format!("{}.{kind}", self.account()))
    }

    /// The machine of control-plane node a answers that its certificates have so many days left.
    pub fn nodes_say(&self, days: i64) {
        let end = Timestamp::now() + SignedDuration::from_hours(24 * days + 1);
        let end = end.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        let names = ["etcd-server", "etcd-peer", "apiserver-etcd-client"];
        let answer = json!({"ok": true, "certificates":
            names.map(|name| json!({"name": name, "notAfter": end}))});
        self.rules(json!([{"op": "command", "logical": "SlotA",
            "says": "/opt/kube-cfn/bin/certificates", "code": 0,
            "stdout": format!("{answer}\n"), "stderr": ""}]));
    }

    pub fn no_rules(&self) {
        let _ = fs::remove_file(&self.rules);
    }

    /// The program in this world, without terminal, with nothing of the caller's environment.
    pub fn command(&self, arguments: &[&str]) -> Command {
        // A job without a terminal may have been started with signals ignored: not so a person's command.
        let mut command = Command::new("/usr/bin/env");
        self.furnish(&mut command);
        command
            .arg("--default-signal=HUP,INT,TERM")
            .arg(env!("CARGO_BIN_EXE_kube-cfn"))
            .args(arguments);
        command
    }

    /// Gives any program this world's environment.
    pub fn furnish(&self, command: &mut Command) {
        command
            .current_dir(self.home.path())
            .env_clear()
            .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
            .env("HOME", self.home.path())
            .env("XDG_CACHE_HOME", self.path("cache"))
            .env("XDG_CONFIG_HOME", self.path("config"))
            .env("XDG_STATE_HOME", self.path("state"))
            .env("KUBECONFIG", self.kubeconfig())
            .env("AWS_ENDPOINT_URL", &self.endpoint)
            .env("AWS_ACCESS_KEY_ID", self.account())
            .env("AWS_SECRET_ACCESS_KEY", "emulated")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            // No machine boots here: what waits for Kubernetes says so itself.
            .env("KUBE_CFN_WAIT", "stacks")
            .env("AWS_CONFIG_FILE", self.path("aws-config"))
            .env("AWS_SHARED_CREDENTIALS_FILE", self.path("aws-config"))
            .stdin(Stdio::null());
    }

    /// Runs the program to its end.
    pub fn run(&self, arguments: &[&str]) -> Said {
        Said::of(&mut self.command(arguments))
    }

    /// Runs a command on the world's cluster: `kube-cfn COMMAND NAME ARGUMENT...`.
    pub fn cluster(&self, command: &str, arguments: &[&str]) -> Said {
        let mut all = vec![command, &self.name];
        all.extend(arguments);
        self.run(&all)
    }

    pub fn apply(&self) -> Said {
        self.cluster("apply", &["--yes"])
    }

    pub fn delete(&self) -> Said {
        self.cluster("delete", &["--confirm", &self.name])
    }

    /// Starts the program and comes back while it runs.
    pub fn spawn(&self, arguments: &[&str]) -> Running {
        Running::start(&mut self.command(arguments))
    }

    /// `status -o json`.
    pub fn status(&self) -> Value {
        let said = self.cluster("status", &["-o", "json"]);
        serde_json::from_str(&said.ends(0).stdout).expect("JSON")
    }

    /// Every stack with its status, as `base CREATE_COMPLETE`; `base -` for one that is missing.
    pub fn standing(&self) -> Vec<String> {
        let status = self.status();
        let stacks = status["stacks"].as_array().expect("stacks").iter();
        stacks
            .map(|stack| {
                let name = stack["stack"].as_str().expect("a name");
                format!("{name} {}", stack["status"].as_str().unwrap_or("-"))
            })
            .collect()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.no_rules();
    }
}
