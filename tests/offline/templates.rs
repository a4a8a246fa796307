//! The templates as files: all are used and parse, overrides take their place, no value goes bare.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::path::Path;

use kube_cfn::stacks;
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
    assert_eq!(stacks[2].template["Description"], "own minimal");
    assert!(stacks[1].template["Resources"]["Vpc"].is_object());
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
fn an_override_of_a_stack_with_machines_puts_out_their_version_too() {
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
fn no_text_stands_bare_in_a_stack_template() {
    const BARE: &[&str] = &[
        "pendingDays",
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
