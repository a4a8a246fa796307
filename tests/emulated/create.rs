//! The main task: from a definition to a cluster and a kubeconfig, and a second apply.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use kube_cfn::cloud::Cloud;
use serde_json::{Value, json};

use crate::process::Said;
use crate::tools::{ask, ask_all, events, kubectl, openssl, psql};
use crate::world::World;

/// A definition of the project itself, as a person would copy it.
pub fn shipped(name: &str) -> World {
    let world = World::new(name);
    let file = format!("{}/clusters/{name}.yaml", env!("CARGO_MANIFEST_DIR"));
    world.definition(&fs::read_to_string(file).expect("it is there"));
    world
}

#[test]
fn the_canary_is_created_and_a_second_apply_has_nothing_to_do() {
    let canary = shipped("canary");
    let first = canary.apply();
    first
        .ends(0)
        .tells(&format!("account {}", canary.account()))
        .tells("wrote clusters/canary.lock.yaml: commit it beside the definition")
        .tells("+ database         create    3 resources")
        .tells("Plan: 6 to create, 0 to update, 0 unchanged.")
        .tells("canary: created in")
        .tells("context canary added to");
    assert_eq!(first.stdout, "", "a run prints no data");
    assert!(
        canary
            .read("clusters/canary.lock.yaml")
            .contains("id: ami-")
    );
    let created = [
        "base CREATE_COMPLETE",
        "network CREATE_COMPLETE",
        "edge CREATE_COMPLETE",
        "database CREATE_COMPLETE",
        "control-plane CREATE_COMPLETE",
        "pool-workers CREATE_COMPLETE",
    ];
    assert_eq!(canary.standing(), created);
    let status = canary.status();
    for stack in status["stacks"].as_array().expect("stacks") {
        assert_eq!(stack["ready"], stack["resources"], "{stack}");
    }

    let lock = canary.read("clusters/canary.lock.yaml");
    let before = history(&canary);
    canary
        .apply()
        .ends(0)
        .tells("Nothing to do: all 6 stacks are as defined.")
        .omits("wrote ");
    let plan = canary.cluster("plan", &["--detailed-exitcode"]);
    plan.ends(0).prints("Nothing to do");
    assert_eq!(history(&canary), before, "no change set, no event");
    assert_eq!(canary.read("clusters/canary.lock.yaml"), lock);
}

/// Every stack with the number of its events and of its change sets.
fn history(world: &World) -> Vec<(String, usize, usize)> {
    let stacks = ask(world, "cloudformation", "describe_stacks", &json!({}));
    let stacks = stacks["Stacks"].as_array().expect("stacks").iter();
    let names: Vec<String> = stacks
        .map(|stack| stack["StackName"].as_str().expect("a name").to_owned())
        .collect();
    let question = |name: &String| ("list_change_sets", json!({"StackName": name}));
    let questions: Vec<_> = names.iter().map(question).collect();
    let sets = ask_all(world, "cloudformation", &questions);
    let numbers = events(world, &names).into_iter().zip(sets);
    let line = |(name, (events, sets)): (String, (Vec<Value>, Value))| {
        (
            name,
            events.len(),
            sets["Summaries"].as_array().map_or(0, Vec::len),
        )
    };
    names.into_iter().zip(numbers).map(line).collect()
}

#[test]
fn kubectl_reads_the_kubeconfig_and_gets_a_certificate_that_the_clusters_authority_signed() {
    let world = World::small("asked");
    world.apply().ends(0);
    let config: Value =
        serde_json::from_str(&kubectl(&world, &["config", "view", "--raw", "-o", "json"]))
            .expect("JSON");
    assert_eq!(config["current-context"], "asked");
    let cluster = &config["clusters"][0]["cluster"];
    let api = world.status()["api"].clone();
    assert_eq!(cluster["server"], api);

    let exec = &config["users"][0]["user"]["exec"];
    assert_eq!(exec["command"], "kube-cfn");
    let arguments = exec["args"].as_array().expect("arguments");
    let arguments: Vec<&str> = arguments.iter().filter_map(Value::as_str).collect();
    let answer = world.run(&arguments);
    let credential: Value = serde_json::from_str(&answer.ends(0).stdout).expect("JSON");
    assert_eq!(credential["kind"], "ExecCredential");
    let certificate = &credential["status"]["clientCertificateData"];
    world.write("client.pem", certificate.as_str().expect("PEM"));
    let authority = cluster["certificate-authority-data"].as_str();
    world.write("ca.b64", authority.expect("an authority"));
    openssl(
        &world,
        &["base64", "-d", "-A", "-in", "ca.b64", "-out", "ca.pem"],
    );
    let verdict = openssl(
        &world,
        &[
            "verify",
            "-purpose",
            "sslclient",
            "-CAfile",
            "ca.pem",
            "client.pem",
        ],
    );
    assert_eq!(verdict, "client.pem: OK\n");
    let subject = openssl(&world, &["x509", "-in", "client.pem", "-noout", "-subject"]);
    assert!(subject.contains("O = kubeadm:cluster-admins"), "{subject}");

    let cached: Vec<PathBuf> = files(&world.path("cache"));
    assert_eq!(cached.len(), 1, "{cached:?}");
    let mode = fs::metadata(&cached[0])
        .expect("a file")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    let again = world.run(&arguments);
    assert_eq!(
        again.ends(0).stdout,
        answer.stdout,
        "it comes from the cache"
    );
}

#[test]
fn aws_reads_the_issuer_and_pod_roles_trust_it() {
    let world = World::small("issuing");
    world.apply().ends(0);
    let providers = ask(&world, "iam", "list_open_id_connect_providers", &json!({}));
    let arn = providers["OpenIDConnectProviderList"][0]["Arn"]
        .as_str()
        .expect("a provider");
    let (_, host) = arn.split_once("oidc-provider/").expect("its host");
    let bucket = host.split('.').next().expect("a bucket");
    let held = ask(&world, "s3", "list_objects_v2", &json!({"Bucket": bucket}));
    let keys: Vec<_> = held["Contents"]
        .as_array()
        .expect("objects")
        .iter()
        .map(|object| object["Key"].as_str().expect("a key"))
        .collect();
    assert_eq!(keys, [".well-known/openid-configuration", "openid/v1/jwks"]);
    let roles = ask(&world, "iam", "list_roles", &json!({}));
    let trusting = roles["Roles"].as_array().expect("roles").iter();
    let trusting = trusting.filter(|role| {
        let trust = role["AssumeRolePolicyDocument"].to_string();
        trust.contains(&format!("{host}:sub")) && trust.contains(arn)
    });
    assert_eq!(trusting.count(), 2);
}

fn files(directory: &PathBuf) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).expect("a directory");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    paths
        .flat_map(|path| {
            if path.is_dir() {
                files(&path)
            } else {
                vec![path]
            }
        })
        .collect()
}

#[test]
fn a_kubeconfig_has_the_requested_user_and_a_limited_lifetime() {
    let world = World::small("minted");
    let early = world.cluster("kubeconfig", &["--stdout"]);
    early.ends(1).tells("minted has no stacks in account");
    world.apply().ends(0);
    let who = ["--stdout", "--user", "u", "--group", "g", "--ttl", "1h"];
    let said = world.cluster("kubeconfig", &who);
    said.ends(0).tells("a certificate for u until ");
    world.write("own", &said.stdout);
    let raw = ["--kubeconfig", "own", "config", "view", "--raw", "-o"];
    let data = "jsonpath={.users[0].user.client-certificate-data}";
    world.write("own.b64", &kubectl(&world, &[&raw[..], &[data]].concat()));
    openssl(
        &world,
        &["base64", "-d", "-A", "-in", "own.b64", "-out", "own.pem"],
    );
    let subject = openssl(&world, &["x509", "-in", "own.pem", "-noout", "-subject"]);
    assert_eq!(subject.trim(), "subject=O = g, CN = u");
    let within = |seconds: &str| {
        let mut check = Command::new("openssl");
        world.furnish(&mut check);
        check.args(["x509", "-in", "own.pem", "-noout", "-checkend", seconds]);
        Said::of(&mut check).code == Some(0)
    };
    assert!(within("3000") && !within("3660"), "it lives for an hour");

    let long = world.cluster("kubeconfig", &["--stdout", "--ttl", "25h"]);
    long.ends(5).tells("a lifetime of 25h is more than the 24h");
    assert_eq!(long.stdout, "");
}

#[tokio::test]
async fn a_real_postgresql_answers_under_the_outputs_with_the_secrets_password() {
    let world = World::with_database("answered");
    world.apply().ends(0);
    let found = world.aws().await.stacks(Some("answered")).await;
    let found = found.expect("stacks");
    let database = found.iter().find(|stack| stack.kind == "database");
    let outputs = &database.expect("a database").outputs;
    let (host, port) = (&outputs["Endpoint"], &outputs["Port"]);
    let shown = world.status()["database"].clone();
    assert_eq!(shown["endpoint"], format!("{host}:{port}"));
    assert_eq!(shown["secret"], outputs["MasterSecretArn"]);

    let wanted = json!({"SecretId": outputs["MasterSecretArn"]});
    let secret = ask(&world, "secretsmanager", "get_secret_value", &wanted);
    let login: Value =
        serde_json::from_str(secret["SecretString"].as_str().expect("a secret")).expect("JSON");
    let text = |key: &str| login[key].as_str().expect("text").to_owned();
    let mut query = Command::new(psql());
    world.furnish(&mut query);
    query
        .env("PGPASSWORD", text("password"))
        .args(["-h", host, "-p", port, "-U", &text("username"), "-d", "app"])
        .args(["-Atc", "select 1"]);
    assert_eq!(Said::of(&mut query).ends(0).stdout, "1\n");
}
