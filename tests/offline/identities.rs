//! Users and groups of certificates on the command line: what is refused before anything is asked of AWS.

use std::process::{Command, Output};

use kube_cfn::access::BOUND_GROUPS;
use tempfile::tempdir;

/// The program without credentials, and without a network to look for them.
fn run(arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    let home = tempdir().unwrap();
    let mut program = Command::new(env!("CARGO_BIN_EXE_kube-cfn"));
    program
        .current_dir(home.path())
        .env_clear()
        .env("HOME", home.path())
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
        .envs(environment.iter().copied())
        .args(arguments);
    program.output().unwrap()
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

fn credential<'a>(more: &[&'a str]) -> Vec<&'a str> {
    let mut all = vec!["credential", "canary", "--region", "eu-west-1"];
    all.extend(more);
    all
}

#[test]
fn a_system_identity_is_wrong_usage_without_consent() {
    for more in [
        ["--user", "ada", "--group", "system:masters"],
        ["--user", "system:kube-controller-manager", "--group", "ops"],
        ["--user", "kube-apiserver-kubelet-client", "--group", "ops"],
    ] {
        let mut kubeconfig = vec!["kubeconfig", "canary"];
        kubeconfig.extend(more);
        for command in [credential(&more), kubeconfig] {
            let output = run(&command, &[]);
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!(code(&output), 64, "{command:?}: {said}");
            assert!(said.contains("is Kubernetes's own"), "{said}");
            assert!(said.contains("--allow-system-identity"), "{said}");
            let mut allowed = command.clone();
            allowed.push("--allow-system-identity");
            assert_ne!(code(&run(&allowed, &[])), 64, "{allowed:?}");
        }
    }
}

#[test]
fn an_entry_of_an_older_kubeconfig_goes_on_working() {
    // Such an entry has no flag; kubectl sets this variable for every plugin.
    let entry = credential(&["--user", "ada", "--group", "system:masters"]);
    let output = run(&entry, &[("KUBERNETES_EXEC_INFO", "{}")]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_ne!(code(&output), 64, "{said}");
    assert!(!said.contains("is Kubernetes's own"), "{said}");
}

#[test]
fn help_lists_the_groups_that_have_a_right() {
    for command in ["kubeconfig", "credential"] {
        let output = run(&[command, "--help"], &[]);
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        for group in BOUND_GROUPS {
            assert!(said.contains(group.name), "{command}: {said}");
        }
    }
}

#[test]
fn a_grant_in_a_namespace_of_the_cluster_is_refused_without_aws() {
    let grant = |namespace| {
        [
            "access", "grant", "canary", "github", "--role", "viewer", "-n", namespace,
        ]
    };
    for (namespace, wanted) in [
        ("kube-system", 5),
        ("kube-cfn", 5),
        ("Web", 64),
        ("a/b", 64),
    ] {
        let output = run(&grant(namespace), &[]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(code(&output), wanted, "{namespace}: {said}");
    }
    let help = run(&["access", "grant", "--help"], &[]);
    let said = String::from_utf8_lossy(&help.stdout).into_owned();
    for word in [
        "viewer",
        "makes tokens of them",
        "exec into its pods",
        "--allow-privileged-pods",
    ] {
        assert!(
            said.split_whitespace()
                .collect::<Vec<_>>()
                .join(" ")
                .contains(word),
            "{said}"
        );
    }
}
