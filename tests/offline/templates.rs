//! The templates as files: all are used and parse, overrides replace them, every value is escaped.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::path::Path;

use kube_cfn::stacks::{self, StackKind};
use kube_cfn::templates::{TemplateError, Templates};

use crate::support::specs;

fn write(root: &Path, name: &str, text: &str) {
    let path = root.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

#[test]
fn a_file_beside_the_definitions_replaces_the_embedded_one() {
    let directory = tempfile::tempdir().unwrap();
    let text =
        "Description: \"own {{ cluster }}\"\nResources: { A: { Type: \"AWS::EC2::EIP\" } }\n";
    write(directory.path(), "stacks/edge.yaml.tera", text);
    let templates = Templates::new(Some(directory.path())).unwrap();
    let stacks = stacks::design(&specs::minimal(), &templates).unwrap();
    let of = |kind| {
        let stack = stacks.iter().find(|stack| stack.kind == kind);
        &stack.unwrap().template
    };
    assert_eq!(of(StackKind::Edge)["Description"], "own minimal");
    assert!(of(StackKind::Network)["Resources"]["Vpc"].is_object());
}

#[test]
fn an_override_that_replaces_nothing_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    write(directory.path(), "stacks/netwrok.yaml.tera", "");
    let error = Templates::new(Some(directory.path()))
        .map(|_| ())
        .unwrap_err();
    assert!(matches!(error, TemplateError::Unknown { .. }));
    assert!(
        error.to_string().contains("stacks/network.yaml.tera"),
        "{error}"
    );
}

#[test]
fn a_broken_override_is_shown_with_file_and_line() {
    let directory = tempfile::tempdir().unwrap();
    write(
        directory.path(),
        "stacks/edge.yaml.tera",
        "a: 1\nb: {{ cluster | jsno }}\n",
    );
    let error = Templates::new(Some(directory.path()))
        .map(|_| ())
        .unwrap_err();
    assert!(
        error.to_string().contains("stacks/edge.yaml.tera:2:"),
        "{error}"
    );
}

#[test]
fn an_overridden_stack_outputs_its_version() {
    let directory = tempfile::tempdir().unwrap();
    for (outputs, fits) in [
        ("", true),
        ("Outputs:\n", true),
        (
            "Outputs: { KubernetesVersion: { Value: \"1.0.0\" } }\n",
            true,
        ),
        ("Outputs: [1]\n", false),
    ] {
        let text = format!("Resources: {{ A: {{ Type: \"AWS::EC2::EIP\" }} }}\n{outputs}");
        write(directory.path(), "stacks/pool.yaml.tera", &text);
        let templates = Templates::new(Some(directory.path())).unwrap();
        let spec = specs::minimal();
        match stacks::design(&spec, &templates) {
            Ok(stacks) => {
                let version = stacks.last().unwrap().kubernetes();
                assert_eq!(version, Some(spec.kubernetes), "{outputs}");
                assert!(fits, "{outputs}");
            }
            Err(error) => assert!(!fits, "{outputs} {error}"),
        }
    }
}

#[test]
fn an_override_without_resources_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    write(directory.path(), "stacks/edge.yaml.tera", "a: 1\n");
    let templates = Templates::new(Some(directory.path())).unwrap();
    let error = stacks::design(&specs::minimal(), &templates).unwrap_err();
    assert!(
        error.to_string().contains("stacks/edge.yaml.tera"),
        "{error}"
    );
}

/// A shipped template with one text in the place of another.
fn altered(name: &str, was: &str, is: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("templates");
    let text = std::fs::read_to_string(root.join(name)).unwrap();
    assert!(text.contains(was), "{name} has no {was}");
    text.replace(was, is)
}

#[test]
fn unresolved_references_of_all_templates_are_named_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let pool = "stacks/pool.yaml.tera";
    let text = altered(pool, "{ Ref: NodeSg }", "{ Ref: NodeSgg }");
    write(directory.path(), pool, &text);
    let network = "stacks/network.yaml.tera";
    let text = format!(
        "{}\n  Own: {{ Value: {{ Fn::Sub: \"${{Vpcc.Arn}}\" }} }}\n",
        altered(network, "Outputs:", "Outputs:").trim_end()
    );
    write(directory.path(), network, &text);
    let templates = Templates::new(Some(directory.path())).unwrap();
    let spec = specs::production();
    assert!(spec.pools.len() > 1);
    let error = stacks::design(&spec, &templates).unwrap_err().to_string();
    let lines: Vec<_> = error.lines().map(str::trim).collect();
    let [head, network, pools @ ..] = &lines[..] else {
        panic!("{error}")
    };
    assert!(head.contains("correct these names"), "{error}");
    let said = "stacks/network.yaml.tera: output Own, Value: Fn::Sub names `Vpcc`, which is not a \
                resource; did you mean `Vpc`?";
    assert_eq!(*network, said);
    assert!(!pools.is_empty(), "{error}");
    for pool in pools {
        let launch = "stacks/pool.yaml.tera: resource LaunchTemplate";
        let at = "Properties.LaunchTemplateData.NetworkInterfaces[0].Groups[0]: Ref names \
                  `NodeSgg`, which is neither a parameter nor a resource; did you mean `NodeSg`?";
        assert!(pool.starts_with(launch) && pool.ends_with(at), "{error}");
        assert_eq!(pools.iter().filter(|one| *one == pool).count(), 1);
    }
}

#[test]
fn every_command_that_renders_refuses_an_unresolved_reference() {
    let directory = tempfile::tempdir().unwrap();
    let pool = "stacks/pool.yaml.tera";
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("clusters");
    let canary = std::fs::read_to_string(root.join("canary.yaml")).unwrap();
    write(directory.path(), "canary.yaml", &canary);
    let run = |arguments: &[&str]| {
        let mut program = std::process::Command::new(env!("CARGO_BIN_EXE_kube-cfn"));
        program.args(["--clusters", directory.path().to_str().unwrap()]);
        let output = program.args(arguments).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.code(), said)
    };
    let commands: [&[&str]; 3] = [
        &["validate", "canary"],
        &["render", "canary"],
        &["rehearse", "canary"],
    ];
    let override_name = format!("templates/{pool}");
    write(
        directory.path(),
        &override_name,
        &altered(pool, "NodeSg", "NodeSg"),
    );
    for arguments in &commands[..2] {
        let (code, said) = run(arguments);
        assert_eq!(code, Some(0), "{arguments:?} {said}");
    }
    let text = altered(pool, "{ Ref: NodeSg }", "{ Ref: NodeSgg }");
    write(directory.path(), &override_name, &text);
    for arguments in commands {
        let (code, said) = run(arguments);
        assert_eq!(code, Some(65), "{arguments:?} {said}");
        assert!(said.contains("names `NodeSgg`"), "{said}");
        assert!(said.contains("did you mean `NodeSg`?"), "{said}");
    }
}

#[test]
fn no_directory_is_no_override() {
    let names = Templates::new(Some(Path::new("/nonexistent")))
        .unwrap()
        .names();
    assert_eq!(names, Templates::new(None).unwrap().names());
    let has = |name: &str| names.iter().any(|known| known == name);
    assert!(
        has("stacks/base.yaml.tera") && has("node/boot"),
        "{names:?}"
    );
}

/// Text that comes of a definition stands in quotes or goes through `json`; what stands bare is a
/// number, a boolean or a logical id of our own making.
#[test]
fn every_value_in_a_stack_template_is_escaped() {
    const BARE: &[&str] = &[
        "role.id",
        "table.id",
        "subnet.id",
        "subnet.table",
        "subnet",
        "slot.id",
        "slot.subnet",
        "group.id",
        "group.min",
        "rule.id",
        "rule.to",
        "rule.from",
        "rule.first",
        "rule.last",
        "address.id",
        "address.subnet",
        "multiAz",
        "storageLimitGib",
        "protect",
        "backupDays",
        "volumeGib",
        "etcdVolumeGib",
        "publicAddresses",
        "group.onDemandBase",
        "apiTargets",
        "onDemandPercent",
        "role.name",
        "pod.id",
    ];
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("templates/stacks");
    let mut seen = 0;
    for entry in std::fs::read_dir(root).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(
            text.lines().count() <= 250,
            "{} is too long",
            path.display()
        );
        for line in text
            .lines()
            .filter(|line| !line.trim_start().starts_with('#'))
        {
            for (at, _) in line.match_indices("{{ ") {
                let inner = line[at + 3..].split(" }}").next().unwrap();
                let quoted = line[..at].matches('"').count() % 2 == 1;
                let bare = BARE.contains(&inner) || inner.ends_with("| json");
                assert!(quoted || bare, "{}: {line}", path.display());
                seen += 1;
            }
        }
    }
    assert!(seen > 100, "only {seen} values seen");
}

/// An override of before: Auto Scaling could start no machine with a disk under the cluster's key.
#[test]
fn a_base_whose_key_serves_no_auto_scaling_is_refused() {
    for statement in [
        "AutoScalingUsesTheKeyForVolumes",
        "AutoScalingLetsEc2UseTheKey",
    ] {
        let directory = tempfile::tempdir().unwrap();
        let was = format!("Sid: {statement}\n            Effect: Allow");
        let is = format!("Sid: {statement}\n            Effect: Deny");
        let text = altered("stacks/base.yaml.tera", &was, &is);
        write(directory.path(), "stacks/base.yaml.tera", &text);
        let templates = Templates::new(Some(directory.path())).unwrap();
        let error = stacks::design(&specs::minimal(), &templates).unwrap_err();
        let error = error.to_string();
        assert!(error.contains("minimal-control-plane"), "{error}");
        assert!(error.contains("AutoScalingLetsEc2UseTheKey"), "{error}");
    }
}
