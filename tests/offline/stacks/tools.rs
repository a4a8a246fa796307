//! Other checkers: cfn-lint on every template, shellcheck on every script.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use kube_cfn::stacks::StackKind;
use serde_json::Value;

use super::node::{scripts, user_data};
use super::{design, every_stack};
use crate::support::specs;

/// A tool from the directory in `KUBE_CFN_TEST_TOOLS`, else from the path.
fn tool(name: &str) -> PathBuf {
    let own = std::env::var_os("KUBE_CFN_TEST_TOOLS").map(PathBuf::from);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = own
        .into_iter()
        .chain(std::env::split_paths(&path))
        .map(|directory| directory.join(name))
        .find(|tool| tool.is_file());
    found.unwrap_or_else(|| panic!("{name} is missing: run the tests through tests/emulator/run"))
}

/// The exceptions: rule, stack kind (or `*`) and reason, one a line.
fn exceptions() -> Vec<(String, String)> {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/stacks/cfn-lint-exceptions.txt");
    let text = std::fs::read_to_string(path).unwrap();
    text.lines()
        .filter(|line| !line.starts_with('#') && !line.trim().is_empty())
        .map(|line| {
            let mut words = line.splitn(3, ' ');
            let rule = words.next().unwrap().to_owned();
            let kind = words.next().unwrap().to_owned();
            assert!(
                words.next().is_some_and(|reason| reason.len() > 20),
                "no reason: {line}"
            );
            (rule, kind)
        })
        .collect()
}

/// The findings for all clusters of a region.
fn cfn_lint(region: &str) -> Vec<Value> {
    let directory = tempfile::tempdir().unwrap();
    let mut command = Command::new(tool("cfn-lint"));
    command.args(["--format", "json", "--regions", region, "--"]);
    for spec in specs::all().iter().filter(|spec| spec.region == region) {
        for stack in design(spec) {
            let path = directory.path().join(format!("{}.json", stack.name));
            std::fs::write(&path, stack.body()).unwrap();
            command.arg(path);
        }
    }
    let output = command.output().unwrap();
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("cfn-lint: {error}: {output:?}"))
}

#[test]
fn cfn_lint_finds_nothing_but_the_listed_exceptions() {
    let exceptions = exceptions();
    let mut used = vec![false; exceptions.len()];
    let mut problems = Vec::new();
    let clusters = specs::all();
    let regions: BTreeSet<_> = clusters.iter().map(|spec| spec.region.as_str()).collect();
    let findings: Vec<_> = regions.into_iter().flat_map(cfn_lint).collect();
    for finding in &findings {
        let rule = finding["Rule"]["Id"].as_str().unwrap();
        let name = finding["Filename"].as_str().unwrap();
        let known = exceptions.iter().position(|(id, kind)| {
            id == rule && (kind == "*" || name.trim_end_matches(".json").ends_with(kind.as_str()))
        });
        match known {
            Some(index) => used[index] = true,
            None => problems.push(format!("{name}: {rule} {}", finding["Message"])),
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    for ((rule, kind), used) in exceptions.iter().zip(used) {
        assert!(used, "the exception {rule} {kind} is not needed any more");
    }
}

/// Each script once. What they source they name as it lies in this repository.
fn shellcheck(scripts: &[(String, String)]) {
    let directory = tempfile::tempdir().unwrap();
    let mut command = Command::new(tool("shellcheck"));
    command
        .arg("--external-sources")
        .current_dir(env!("CARGO_MANIFEST_DIR"));
    let mut seen = BTreeSet::new();
    for (name, text) in scripts.iter().filter(|(_, text)| seen.insert(text)) {
        let path = directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        command.arg(path);
    }
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}");
}

#[test]
fn shellcheck_finds_nothing_in_the_tests_own_programs() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let stand_ins = std::fs::read_dir(here.join("node/stand-ins")).unwrap();
    let stand_ins = stand_ins
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "sh"))
        .map(|path| format!("node/stand-ins/{}", path.file_name().unwrap().display()));
    let scripts: Vec<_> = [
        "files/enter",
        "node/enter",
        "node/machine",
        "node/double",
        "offline/etcd/stand-ins/ec2.sh",
        "offline/etcd/stand-ins/boot",
        "offline/etcd/stand-ins/etcdctl",
        "offline/etcd/stand-ins/systemctl",
        "emulator/run",
        "emulator/etcd",
        "machines/image",
        "machines/start",
        "machines/programs/program",
        "machines/programs/real.sh",
        "machines/programs/kubeadm.sh",
        "machines/programs/container",
        "machines/programs/kubectl",
    ]
    .map(str::to_owned)
    .into_iter()
    .chain(stand_ins)
    .map(|name| {
        let text = std::fs::read_to_string(here.join(&name)).unwrap();
        (name.replace('/', "-"), text)
    })
    .collect();
    assert!(scripts.len() > 20, "{}", scripts.len());
    shellcheck(&scripts);
}

#[test]
fn shellcheck_finds_nothing_in_user_data() {
    let mut scripts = Vec::new();
    for (name, text) in every_stack().iter().flat_map(user_data) {
        // cloud-init takes its own line off before it runs the rest.
        let script = text.strip_prefix("#cloud-boothook\n").unwrap();
        scripts.push((name.clone(), script.to_owned()));
        let (_, start) = script.split_once("<< 'START'\n").unwrap();
        let (start, _) = start.split_once("\nSTART\n").unwrap();
        scripts.push((format!("{name} start"), format!("{start}\n")));
    }
    assert!(scripts.len() > 24, "{}", scripts.len());
    shellcheck(&scripts);
}

#[test]
fn shellcheck_finds_nothing_in_the_bundles() {
    let machines = |kind: &StackKind| matches!(kind, StackKind::ControlPlane | StackKind::Pool(_));
    let stacks = every_stack();
    let scripts: Vec<_> = stacks
        .iter()
        .filter(|stack| machines(&stack.kind))
        .flat_map(|stack| {
            let scripts = scripts(&stack.objects[0].bytes).into_iter();
            scripts.map(|(path, text)| (format!("{}-{}", stack.name, path.replace('/', "-")), text))
        })
        .collect();
    assert!(scripts.len() > 60, "{}", scripts.len());
    shellcheck(&scripts);
}
