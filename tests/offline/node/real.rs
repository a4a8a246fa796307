//! What a cluster of real programs wants of the directory that has them (tests/node/real).

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use super::machine::{text, tree};
use crate::support::specs;

fn program(directory: &Path, name: &str, says: &str) {
    let path = directory.join(name);
    std::fs::write(&path, format!("#!/bin/sh\necho '{says}'\n")).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

fn real() -> Command {
    let mut command = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/node/real"));
    command.env_remove("KUBE_CFN_TEST_NODE_BINARIES");
    command
}

#[test]
fn real_programs_that_are_missing_or_of_another_version_are_named() {
    let home = tempfile::tempdir().unwrap();
    let (programs, rendered) = (home.path().join("programs"), home.path().join("tree"));
    std::fs::create_dir(&programs).unwrap();
    for file in tree(&specs::production(), "control-plane/a") {
        let path = rendered.join(file.path.as_ref());
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, &file.text).unwrap();
    }
    let check = || {
        let output = real()
            .arg("check")
            .args([&programs, &rendered])
            .output()
            .unwrap();
        (text(&output.stdout), output.status.success())
    };
    let (said, passed) = check();
    assert!(!passed);
    assert_eq!(
        said.lines()
            .filter(|line| line.starts_with("missing: "))
            .count(),
        11,
        "{said}"
    );
    for (name, says) in [
        ("kubeadm", "v1.36.4"),
        ("kubelet", "Kubernetes v1.36.4"),
        ("kubectl", "Client Version: v1.36.4"),
        ("kube-apiserver", "Kubernetes v1.36.4"),
        ("kube-controller-manager", "Kubernetes v1.36.40"),
        ("crictl", "crictl version v1.36.0"),
        ("etcd", "etcd Version: 3.6.11"),
        ("etcdctl", "etcdctl version: 3.6.11"),
        ("etcdutl", "etcdutl version: 3.6.14"),
        ("pause", ""),
    ] {
        program(&programs, name, says);
    }
    let (said, passed) = check();
    let at = programs.display();
    let expected = format!(
        "wrong: {at}/etcdctl version says 'etcdctl version: 3.6.11', not 3.6.14\n\
         wrong: {at}/kube-controller-manager --version says 'Kubernetes v1.36.40', not v1.36.4\n\
         missing: {at}/kube-scheduler v1.36.4\n"
    );
    assert_eq!((said.as_str(), passed), (expected.as_str(), false));
    program(&programs, "etcdctl", "etcdctl version: 3.6.14");
    program(&programs, "kube-controller-manager", "Kubernetes v1.36.4");
    program(&programs, "kube-scheduler", "Kubernetes v1.36.4");
    assert_eq!(check(), (String::new(), true));
}

#[test]
fn a_real_cluster_is_refused_without_the_directory() {
    let output = real().output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let said = text(&output.stderr);
    assert!(
        said.contains("KUBE_CFN_TEST_NODE_BINARIES names no directory; docs/testing.md"),
        "{said}"
    );
}
