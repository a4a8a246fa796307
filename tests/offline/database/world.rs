//! A control-plane node for one test: the tree of its bundle, stand-ins around it, a database with a master of
//! its own, and what the program left.

use std::collections::BTreeMap;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use base64::Engine;
use kube_cfn::node::{self, Role};
use kube_cfn::spec::DatabaseSecret;
use kube_cfn::templates::Templates;
use serde_json::{Value, json};

use super::server::{Server, server};
use crate::support::specs;

/// What the program finds on its PATH beside the stand-ins: all that it may use.
const PROGRAMS: [&str; 23] = [
    "bash", "cat", "cmp", "cut", "date", "dirname", "env", "find", "grep", "head", "jq", "ln",
    "mkdir", "mktemp", "mv", "openssl", "rm", "sed", "setsid", "stat", "tail", "tr", "wc",
];
const KUBECTL: &str = include_str!("kubectl.sh");
const PSQL: &str = include_str!("psql.sh");
const EC2: &str = r#"
ec2_databases() { cat "${WORLD}/databases.json"; }
ec2_secret() { [ "$1" = arn:of:master ] && cat "${WORLD}/master.json"; }
"#;
const CURL: &str = r#"#!/bin/bash
# Stand-in for the publisher of the certificates.
printf '%s\n' "$*" >> "${WORLD}/curl.log"
[ -e "${WORLD}/published.pem" ] || { echo 'curl: (22) The requested URL returned error: 404' >&2; exit 22; }
while [ "$1" != --output ]; do shift; done
cat "${WORLD}/published.pem" > "$2"
"#;
const DNF: &str = r#"#!/bin/bash
# Stand-in for the package manager: only the last of the names is one.
printf '%s\n' "$*" >> "${WORLD}/dnf.log"
[ "$*" = 'install --assumeyes --quiet postgresql15' ] || { echo 'Error: Unable to find a match' >&2; exit 1; }
mv "${WORLD}/package" "${WORLD}/bin/psql"
"#;
/// Hard for a URL, a password file and SQL.
const MASTER_PASSWORD: &str = r"ma:st\er'$(x)";

/// A tool that the tests set up or that the system has.
pub fn tool(name: &str) -> PathBuf {
    let own = std::env::var_os("KUBE_CFN_TEST_TOOLS").map(PathBuf::from);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let places = own.into_iter().chain(std::env::split_paths(&path));
    let found = places
        .map(|place| place.join(name))
        .find(|file| file.is_file());
    found.unwrap_or_else(|| {
        panic!("{name} is missing: run the tests through tests/emulator/run, or install it with the system's package manager")
    })
}

/// A Secret `database` for one namespace.
pub fn secret(namespace: &str, user: &str) -> DatabaseSecret {
    DatabaseSecret {
        name: "database".to_owned(),
        namespaces: vec![namespace.to_owned()],
        user: user.to_owned(),
    }
}

/// The files of a bundle.
pub fn names(bundle: &[u8]) -> Vec<String> {
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(bundle));
    let entries = archive.entries().unwrap().map(Result::unwrap);
    entries
        .map(|entry| entry.path().unwrap().display().to_string())
        .collect()
}

/// One node and its database.
pub struct World {
    directory: tempfile::TempDir,
    pub secret: DatabaseSecret,
    pub database: String,
    pub master: String,
    pub server: &'static Server,
}

/// What a run of the program ended with.
pub struct Run {
    pub code: i32,
    pub said: String,
    /// What it asked kubectl to change.
    pub writes: Vec<String>,
}

impl World {
    /// A node that hands a database to `web`, with a user of its own as the server is everybody's.
    pub fn new(name: &str) -> Self {
        Self::with_user(name, &format!("app_{name}"))
    }

    pub fn with_user(name: &str, user: &str) -> Self {
        let server = server();
        let directory = tempfile::tempdir().unwrap();
        let world = Self {
            directory,
            secret: secret("web", user),
            database: format!("{name}'s \"shop\""),
            master: format!("master of {name}"),
            server,
        };
        world.make_database();
        world.furnish();
        world.install();
        world.make_namespace("web");
        world
    }

    /// As RDS makes it: the master is no superuser, and owns the database.
    fn make_database(&self) {
        let (master, database) = (&self.master, &self.database);
        let password = MASTER_PASSWORD.replace('\'', "''");
        let quoted = database.replace('"', "\"\"");
        self.server.ask(
            "postgres",
            &[
                "SET log_statement = 'none'",
                &format!(
                    "CREATE ROLE \"{master}\" LOGIN CREATEROLE CREATEDB PASSWORD '{password}'"
                ),
                &format!("CREATE DATABASE \"{quoted}\" OWNER \"{master}\""),
            ],
        );
        self.show_databases(&json!([self.instance()]));
        let login = json!({"username": master, "password": MASTER_PASSWORD});
        self.write("master.json", &login.to_string());
    }

    /// The database as AWS describes it.
    pub fn instance(&self) -> Value {
        json!({"address": "localhost", "port": self.server.port, "name": self.database,
            "masterSecretArn": "arn:of:master", "status": "available"})
    }

    pub fn show_databases(&self, list: &Value) {
        self.write("databases.json", &list.to_string());
    }

    fn furnish(&self) {
        for directory in ["bin", "objects", "run"] {
            std::fs::create_dir(self.path(directory)).unwrap();
        }
        for name in PROGRAMS {
            symlink(tool(name), self.path("bin").join(name)).unwrap();
        }
        for (name, text) in [
            ("kubectl", KUBECTL),
            ("psql", PSQL),
            ("curl", CURL),
            ("dnf", DNF),
        ] {
            self.write_executable(&format!("bin/{name}"), text);
        }
        std::fs::copy(&self.server.authority, self.path("published.pem")).unwrap();
    }

    /// Puts the tree of the bundle where the program looks for it, as a roll of the node would.
    pub fn install(&self) {
        let mut spec = specs::canary();
        spec.database.as_mut().unwrap().secret = Some(self.secret.clone());
        let templates = Templates::new(None).unwrap();
        let bundle = node::bundle(&spec, Role::ControlPlane, &templates).unwrap();
        let tree = self.path("tree");
        let archive = flate2::read::GzDecoder::new(bundle.bytes.as_slice());
        tar::Archive::new(archive).unpack(&tree).unwrap();
        self.write("tree/opt/kube-cfn/lib/ec2.sh", EC2);
        self.write("tree/etc/kube-cfn/host.env", "");
        let facts = "NODE_CLUSTER='canary'\nNODE_REGION='eu-west-1'\n";
        self.write("tree/etc/kube-cfn/node.env", facts);
    }

    pub fn make_namespace(&self, name: &str) {
        self.write(&format!("objects/{name}.json"), r#"{"kind": "Namespace"}"#);
    }

    /// Runs the program as its unit does, and looks for passwords wherever one could have got to.
    pub fn run(&self) -> Run {
        let (before, log) = (self.read("kubectl.log"), self.server.log());
        let output = self.command().output().unwrap();
        let run = self.judge(&output, &before);
        self.holds_no_password(&run, &log);
        run
    }

    /// What runs the program.
    pub fn command(&self) -> Command {
        // The server of the test tools speaks no TLS: what it was asked for stands in the record.
        let override_mode = if self.server.tls { "" } else { "disable" };
        let mut program = Command::new(self.path("tree/opt/kube-cfn/bin/database"));
        program
            .env_clear()
            .env("PATH", self.path("bin"))
            .env("RUNTIME_DIRECTORY", self.path("run"))
            .env("WORLD", self.directory.path())
            .env("WORLD_PSQL", self.server.psql())
            .env("WORLD_SSLMODE", override_mode);
        program
    }

    fn judge(&self, output: &Output, before: &str) -> Run {
        let log = self.read("kubectl.log");
        let news = log.strip_prefix(before).unwrap().lines();
        assert_eq!(String::from_utf8_lossy(&output.stdout), "");
        let left: Vec<_> = std::fs::read_dir(self.path("run")).unwrap().collect();
        assert!(left.is_empty(), "left behind: {left:?}");
        Run {
            code: output.status.code().unwrap(),
            said: String::from_utf8_lossy(&output.stderr).into_owned(),
            writes: news
                .filter(|line| !line.contains(" get "))
                .map(str::to_owned)
                .collect(),
        }
    }

    fn holds_no_password(&self, run: &Run, before: &str) {
        let log = self.server.log();
        let mut passwords = vec![
            MASTER_PASSWORD.to_owned(),
            MASTER_PASSWORD.replace('\'', "''"),
        ];
        passwords.extend(self.source().get("password").cloned());
        let places = [
            ("what it said", run.said.as_str()),
            ("psql's arguments", &self.read("psql.log")),
            ("kubectl's arguments", &self.read("kubectl.log")),
            ("curl's arguments", &self.read("curl.log")),
            ("the server's log", log.get(before.len()..).unwrap_or(&log)),
        ];
        for (place, text) in places {
            let found = passwords.iter().any(|password| text.contains(password));
            assert!(!found, "a password stands in {place}");
        }
    }

    /// The Secret that the password lives in.
    pub fn source(&self) -> BTreeMap<String, String> {
        self.data("kube-cfn", "database").unwrap_or_default()
    }

    /// What the pods of a namespace read.
    pub fn copy(&self, namespace: &str) -> BTreeMap<String, String> {
        let name = &self.secret.name;
        self.data(namespace, name)
            .unwrap_or_else(|| panic!("{namespace} has no Secret {name}"))
    }

    pub fn has_copy(&self, namespace: &str) -> bool {
        self.data(namespace, &self.secret.name).is_some()
    }

    fn data(&self, namespace: &str, name: &str) -> Option<BTreeMap<String, String>> {
        let text = std::fs::read(self.object(namespace, name)).ok()?;
        let secret: Value = serde_json::from_slice(&text).unwrap();
        let plain = |value: &Value| {
            let bytes = base64::engine::general_purpose::STANDARD.decode(value.as_str().unwrap());
            String::from_utf8(bytes.unwrap()).unwrap()
        };
        let data = secret["data"].as_object().unwrap();
        Some(
            data.iter()
                .map(|(key, value)| (key.clone(), plain(value)))
                .collect(),
        )
    }

    /// Where the stand-in keeps a Secret.
    pub fn object(&self, namespace: &str, name: &str) -> PathBuf {
        self.path(&format!("objects/{namespace}/{name}.json"))
    }

    /// What comes of statements that a pod of `web` sends with what its Secret holds.
    pub fn try_as_application(&self, statements: &[&str]) -> Result<String, String> {
        let secret = self.copy("web");
        let output = self.server.try_ask(
            &secret["user"],
            &secret["password"],
            &secret["database"],
            statements,
        );
        if output.status.success() {
            Ok(String::from_utf8(output.stdout).unwrap().trim().to_owned())
        } else {
            Err(String::from_utf8(output.stderr).unwrap())
        }
    }

    pub fn as_application(&self, statements: &[&str]) -> String {
        self.try_as_application(statements)
            .unwrap_or_else(|said| panic!("{statements:?}: {said}"))
    }

    /// The same as the master, from outside of the program.
    pub fn as_master(&self, statements: &[&str]) -> Output {
        let (master, database) = (&self.master, &self.database);
        self.server
            .try_ask(master, MASTER_PASSWORD, database, statements)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    pub fn write_executable(&self, name: &str, text: &str) {
        self.write(name, text);
        make_executable(&self.path(name));
    }

    /// A file of this world; empty if there is none.
    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_default()
    }
}

pub fn make_executable(path: &Path) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

impl Run {
    /// The run, if it ended well.
    pub fn ends(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{}", self.said);
        self
    }

    /// That nothing was changed, and nothing said.
    pub fn changes_nothing(&self) {
        assert_eq!((self.code, self.said.as_str()), (0, ""));
        assert!(self.writes.is_empty(), "{:?}", self.writes);
    }

    pub fn says(&self, words: &str) {
        assert!(self.said.contains(words), "{words:?} in {:?}", self.said);
    }
}
