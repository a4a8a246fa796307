//! The output of a run in every form: parseable lines, and never a secret.

use kube_cfn::access::ParameterNames;
use kube_cfn::cloud::{Cloud, Store};
use kube_cfn::pki::Authority;
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use crate::tools::{self, ask};
use crate::world::World;

/// The stream's objects.
fn events(stream: &str) -> Vec<Value> {
    stream
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect()
}

#[test]
fn the_json_stream_begins_with_its_version_and_ends_with_the_end() {
    let world = World::small("streamed");
    let said = world.cluster("apply", &["--yes", "--progress", "json"]);
    said.ends(0);
    let stream = events(&said.stdout);
    assert_eq!(stream[0], json!({"type": "version", "schema": 1}));
    assert_eq!(stream[1]["type"], "runStarted");
    assert_eq!(stream[1]["stacks"].as_array().map(Vec::len), Some(5));
    let last = stream.last().expect("events");
    assert_eq!(last["type"], "runFinished");
    assert_eq!(last["succeeded"], true);
    let settled = stream
        .iter()
        .filter(|event| event["type"] == "stackSettled");
    assert_eq!(settled.count(), 5);
    let unsaid = stream.iter().filter(|event| event["at"].is_null());
    assert_eq!(unsaid.count(), 1, "only the version has no time");

    world.rules(json!([{
        "type": "AWS::AutoScaling::AutoScalingGroup", "op": "delete", "stack": "pool-workers",
        "times": 1, "fail": "no"
    }]));
    let arguments = ["--confirm", "streamed", "--progress", "json"];
    let said = world.cluster("delete", &arguments);
    let stream = events(&said.ends(4).stdout);
    assert_eq!(stream.last().expect("events")["succeeded"], false);
    let reasons = stream.iter().filter(|event| event["reason"] == "no");
    assert_eq!(reasons.count(), 1, "{said}");
}

#[test]
fn plain_lines_have_the_same_columns_throughout() {
    let world = World::small("lined");
    let said = world.apply();
    said.ends(0);
    let lines = said.stderr.lines();
    let dated: Vec<&str> = lines.filter(|line| line.starts_with("20")).collect();
    assert!(dated.len() > 68, "{said}");
    for line in dated {
        let columns: Vec<&str> = line.split_whitespace().collect();
        assert!(columns.len() >= 5, "{line}");
        let at = |column: usize| line.as_bytes().get(column - 1) == Some(&b' ');
        assert!(at(21) && at(22) && at(36) && at(37), "{line}");
        assert!(columns[0].ends_with('Z'), "{line}");
    }
}

#[tokio::test]
async fn no_secret_is_in_output_events_templates_or_parameters() {
    let world = World::with_database("silenced");
    let aws = world.aws().await;
    let mut said = vec![world.run(&["-v", "apply", "silenced", "--yes"])];
    said[0].ends(0);
    said.push(world.run(&["-v", "kubeconfig", "silenced"]));
    said.push(world.run(&["-v", "status", "silenced"]));
    said.push(world.cluster("plan", &["-o", "json"]));
    let mut heap: String = said.iter().map(ToString::to_string).collect();
    let living = aws.stacks(Some("silenced")).await.expect("stacks");
    for stack in &living {
        heap += &json!([stack.parameters, stack.outputs]).to_string();
        heap += &aws
            .template(&stack.id)
            .await
            .expect("a template")
            .to_string();
    }
    let all: Vec<String> = living.iter().map(|stack| stack.name.clone()).collect();
    heap += &json!(tools::events(&world, &all)).to_string();
    assert!(heap.contains("launch template") || heap.contains("Launch template"));

    let names = ParameterNames::of("silenced").expect("a name");
    let key = aws.secret(&names.secret(Authority::Kubernetes)).await;
    let key = key.expect("asked").expect("kept");
    let line = key.expose_secret().lines().nth(1).expect("PEM");
    let database = living.iter().find(|stack| stack.kind == "database");
    let wanted = json!({"SecretId": database.expect("a database").outputs["MasterSecretArn"]});
    let secret = ask(&world, "secretsmanager", "get_secret_value", &wanted);
    let login: Value =
        serde_json::from_str(secret["SecretString"].as_str().expect("a secret")).expect("JSON");
    let password = login["password"].as_str().expect("a password");
    for word in ["PRIVATE KEY", line, password] {
        assert!(!heap.contains(word), "{word} was printed");
    }
}
