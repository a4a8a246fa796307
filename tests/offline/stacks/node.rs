//! What a node boots with, as the stacks carry it.

use std::io::Read;

use kube_cfn::node::{self, Role};
use kube_cfn::stacks::{Stack, StackKind};
use kube_cfn::templates::Templates;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{design, every_stack, of_type};
use crate::support::specs;

/// User data of every launch template of a stack, with the late values filled in as AWS would.
pub fn user_data(stack: &Stack) -> Vec<(String, String)> {
    of_type(stack, "AWS::EC2::LaunchTemplate")
        .into_iter()
        .map(|(id, template)| {
            let data =
                &template["Properties"]["LaunchTemplateData"]["UserData"]["Fn::Base64"]["Fn::Join"];
            let lines = data[1].as_array().unwrap().iter().map(|line| match line {
                Value::String(text) => text.clone(),
                late => late["Fn::Sub"]
                    .as_str()
                    .unwrap()
                    .replace("${StateBucket}", "state-bucket")
                    .replace("${ApiHost}", "api.example.com")
                    .replace("${OidcIssuer}", "https://issuer.example.com")
                    .replace("${EbsCsiRoleArn}", "arn:aws:iam::1:role/volumes")
                    .replace("${ClusterAutoscalerRoleArn}", "arn:aws:iam::1:role/scaling"),
            });
            let lines: Vec<_> = lines.collect();
            (
                format!("{} {id}", stack.name),
                lines.join(data[0].as_str().unwrap()),
            )
        })
        .collect()
}

/// A file of a bundle.
pub fn file(bytes: &[u8], name: &str) -> String {
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(bytes));
    let mut entry = archive
        .entries()
        .unwrap()
        .map(Result::unwrap)
        .find(|entry| entry.path().unwrap().to_str() == Some(name))
        .unwrap();
    let mut text = String::new();
    entry.read_to_string(&mut text).unwrap();
    text
}

fn is_machine(stack: &Stack) -> bool {
    matches!(stack.kind, StackKind::ControlPlane | StackKind::Pool(_))
}

#[test]
fn user_data_names_the_bundle_that_its_stack_uploads() {
    for stack in every_stack().iter().filter(|stack| is_machine(stack)) {
        let [object] = &stack.objects[..] else {
            panic!("{}", stack.name)
        };
        let sha256 = format!("{:x}", Sha256::digest(&object.bytes));
        assert_eq!(
            object.key,
            format!("bundles/{}-{sha256}.tar.gz", stack.kind)
        );
        let scripts = user_data(stack);
        assert!(!scripts.is_empty());
        for (name, script) in scripts {
            assert!(
                script.starts_with("#!/bin/bash\nSTATE_BUCKET='state-bucket'\n"),
                "{name}"
            );
            assert!(
                script.contains(&format!("BUNDLE_KEY='{}'", object.key)),
                "{name}"
            );
            assert!(
                script.contains(&format!("BUNDLE_SHA256='{sha256}'")),
                "{name}"
            );
            assert!(script.len() < 4096, "{name}: {}", script.len());
            let signal = script
                .lines()
                .find_map(|line| line.strip_prefix("SIGNAL="))
                .unwrap();
            let group = &stack.template["Resources"][signal.trim_matches('\'')];
            assert_eq!(
                group["Type"], "AWS::AutoScaling::AutoScalingGroup",
                "{name}"
            );
        }
    }
}

#[test]
fn a_launch_template_changes_exactly_when_its_bundle_does() {
    let body = |spec: &kube_cfn::spec::ClusterSpec| {
        let stacks = design(spec);
        (stacks[3].template.clone(), stacks[4].template.clone())
    };
    let spec = specs::minimal();
    let before = body(&spec);
    let mut other = spec.clone();
    other.access.ttl_seconds = 60;
    other
        .api
        .allowed_cidrs
        .push("192.0.2.0/24".parse().unwrap());
    assert_eq!(body(&other), before);
    let mut labelled = spec.clone();
    labelled.pools[0]
        .labels
        .insert("a".to_owned(), "b".to_owned());
    let after = body(&labelled);
    assert_eq!(after.0, before.0);
    assert_ne!(
        after.1["Resources"]["LaunchTemplate"]["Properties"],
        before.1["Resources"]["LaunchTemplate"]["Properties"]
    );
}

#[test]
fn a_bundle_tells_a_node_who_it_is() {
    let templates = Templates::new(None).unwrap();
    let spec = specs::zonal();
    let pool = node::bundle(&spec, Role::Pool(&spec.pools[0]), &templates).unwrap();
    let facts: Value = serde_json::from_str(&file(&pool.bytes, "node.json")).unwrap();
    assert_eq!(facts["role"], "pool-stateful");
    assert_eq!(facts["machine"], "aarch64");
    assert_eq!(facts["kubernetes"], "1.36.4");
    let names: Vec<_> = facts["binaries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|b| &b["name"])
        .collect();
    assert_eq!(
        names,
        ["cni-plugins", "containerd", "crictl", "kubelet", "runc"]
    );
    let url = facts["binaries"][3]["url"].as_str().unwrap();
    assert_eq!(
        url,
        "https://mirror.example.com/kubernetes/release/v1.36.4/bin/linux/arm64/kubelet"
    );
    let slots = node::bundle(&spec, Role::ControlPlane, &templates).unwrap();
    let env = file(&slots.bytes, "node.env");
    assert!(env.contains("NODE_SLOT_b='10.20.32.10'\n"), "{env}");
    assert!(file(&slots.bytes, "boot.sh").contains("not built yet"));
}

/// Runs a `boot.sh` here, with the facts of this machine.
fn boot(role: &str, env: &str, api_host: &str) -> std::process::Output {
    let templates = Templates::new(None).unwrap();
    let spec = specs::minimal();
    let bundle = node::bundle(&spec, Role::Pool(&spec.pools[0]), &templates).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let script = directory.path().join("boot.sh");
    std::fs::write(&script, file(&bundle.bytes, "boot.sh")).unwrap();
    std::fs::write(directory.path().join("node.json"), "{}").unwrap();
    std::fs::write(directory.path().join("node.env"), env).unwrap();
    std::process::Command::new("bash")
        .arg(&script)
        .arg(role)
        .envs([
            ("CLUSTER", "minimal"),
            ("REGION", "eu-west-1"),
            ("API_HOST", api_host),
        ])
        .output()
        .unwrap()
}

fn env_of_this_machine() -> String {
    format!(
        "NODE_CLUSTER=minimal\nNODE_REGION=eu-west-1\nNODE_ROLE=pool-workers\nNODE_KUBERNETES=1.36.4\nNODE_MACHINE={}\n",
        std::env::consts::ARCH
    )
}

#[test]
fn the_boot_script_checks_that_the_bundle_is_for_this_machine() {
    let good = boot("pool-workers", &env_of_this_machine(), "api");
    assert!(good.status.success(), "{good:?}");
    assert!(String::from_utf8_lossy(&good.stdout).contains("fetched, verified and executed"));
    for (role, env, host, says) in [
        (
            "pool-other",
            env_of_this_machine(),
            "api",
            "the role is 'pool-other'",
        ),
        (
            "pool-workers",
            env_of_this_machine().replace("MACHINE=", "MACHINE=not-"),
            "api",
            "the machine is",
        ),
        (
            "pool-workers",
            env_of_this_machine(),
            "",
            "API_HOST is not set",
        ),
    ] {
        let bad = boot(role, &env, host);
        assert_eq!(bad.status.code(), Some(1));
        let text = String::from_utf8_lossy(&bad.stderr);
        assert!(text.contains(says), "{text}");
    }
}

/// Runs the user data of a pool's node here: `/opt` and the AWS tools are doubles in a directory of
/// the test, and `served` is what the state bucket answers. Gives the exit code and the signal.
fn first_boot(served: impl Fn(&[u8]) -> Vec<u8>) -> (Option<i32>, String) {
    let mut spec = specs::minimal();
    if std::env::consts::ARCH == "x86_64" {
        spec.pools[0].architecture = kube_cfn::spec::Architecture::X86_64;
    }
    let stack = design(&spec).pop().unwrap();
    let root = tempfile::tempdir().unwrap();
    let path = |name: &str| root.path().join(name).display().to_string();
    std::fs::create_dir_all(path("aws/bin")).unwrap();
    std::fs::write(path("served"), served(&stack.objects[0].bytes)).unwrap();
    let double = |name: &str, text: String| {
        use std::os::unix::fs::PermissionsExt;
        std::fs::write(path(name), format!("#!/bin/bash\n{text}\n")).unwrap();
        let executable = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(path(name), executable).unwrap();
    };
    double(
        "aws/bin/aws",
        format!("cp '{}' \"${{@: -1}}\"", path("served")),
    );
    double(
        "aws/bin/cfn-signal",
        format!("echo \"$*\" > '{}'", path("signal")),
    );
    let (_, script) = user_data(&stack).pop().unwrap();
    let script = script.replace("/opt/", &format!("{}/", root.path().display()));
    let search = format!("{}:{}", path("aws/bin"), std::env::var("PATH").unwrap());
    let mut bash = std::process::Command::new("bash");
    let done = bash
        .args(["-c", &script])
        .env("PATH", search)
        .output()
        .unwrap();
    let signal = std::fs::read_to_string(path("signal"));
    (
        done.status.code(),
        signal.unwrap_or_else(|_| panic!("no signal: {done:?}")),
    )
}

#[test]
fn user_data_signals_what_it_did() {
    let (code, signal) = first_boot(<[u8]>::to_vec);
    assert_eq!(code, Some(0), "{signal}");
    assert!(
        signal.starts_with("--exit-code 0 --reason booted as pool-workers"),
        "{signal}"
    );
    assert!(
        signal.contains("--stack minimal-pool-workers --resource Group --region eu-west-1"),
        "{signal}"
    );
}

#[test]
fn user_data_refuses_a_bundle_that_is_not_the_one_it_names() {
    let (code, signal) = first_boot(|bytes| [bytes, b"x"].concat());
    assert_eq!(code, Some(1));
    assert!(
        signal.starts_with("--exit-code 1 --reason failed to verify bundles/pool-workers-"),
        "{signal}"
    );
}
