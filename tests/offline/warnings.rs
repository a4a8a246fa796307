//! Warnings about definitions: by `validate` as text and JSON, and at the head of a plan in every form.

use std::path::Path;
use std::process::{Command, Output};

use kube_cfn::cloud::Identity;
use kube_cfn::definition::Defined;
use kube_cfn::plan::Plan;
use kube_cfn::report::plan::{ForecastInputs, PlanDetail, markdown, text, view};
use serde_json::Value;

use crate::support::golden;

const WARNED: &str = "name: warned
region: eu-west-1
kubernetes: 1.36.4
network:
  cidr: 10.30.0.0/17
api:
  exposure: public
  allowedCidrs: [203.0.113.0/24, 0.0.0.0/0]
controlPlane:
  instanceType: m99g.large
database:
  engineVersion: 17.4
";
const OTHER: &str = "name: other
region: xx-north-1
kubernetes: 1.36.4
zones: [xx-north-1a, xx-north-1b]
controlPlane:
  nodes: 1
network:
  cidr: 10.30.0.0/16
database:
  engineVersion: 17.99
";
const QUIET: &str = "name: quiet
region: eu-west-1
kubernetes: 1.36.4
network:
  cidr: 10.31.0.0/16
api:
  exposure: public
  allowedCidrs: [8.0.0.0/8]
database: {}
";

/// What earlier versions took, and a running cluster may have.
const OLDER: &str = "name: prod-database
region: eu-west-1
kubernetes: 1.36.4
network:
  cidr: 10.32.0.0/16
  nat: none
controlPlane:
  instanceType: t2.medium
pools:
  - name: workers
    instanceTypes: [t3.micro, t3.large]
    max: 800
  - name: arm
    instanceTypes: [a1.large]
";

fn directory() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir(directory.path().join("clusters")).unwrap();
    for (name, text) in [("warned", WARNED), ("other", OTHER), ("quiet", QUIET)] {
        let path = directory.path().join(format!("clusters/{name}.yaml"));
        std::fs::write(path, text).unwrap();
    }
    // An invalid one beside them hides nothing.
    std::fs::write(
        directory.path().join("clusters/wrong.yaml"),
        "name: wrong\n",
    )
    .unwrap();
    directory
}

fn validate(directory: &Path, arguments: &[&str]) -> Output {
    let mut program = Command::new(env!("CARGO_BIN_EXE_kube-cfn"));
    program
        .arg("validate")
        .args(arguments)
        .current_dir(directory);
    program.env_remove("KUBE_CFN_CLUSTERS").output().unwrap()
}

#[test]
fn validate_shows_warnings_and_ends_with_0() {
    let directory = directory();
    let output = validate(directory.path(), &["warned", "other", "quiet"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    golden::check(
        "definitions/warnings.txt",
        &String::from_utf8(output.stderr).unwrap(),
    );
}

#[test]
fn validate_has_warnings_as_json() {
    let directory = directory();
    let output = validate(
        directory.path(),
        &["warned", "other", "quiet", "-o", "json"],
    );
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let views: Value = serde_json::from_slice(&output.stdout).unwrap();
    let codes = |index: usize| -> Vec<&str> {
        let warnings = views[index]["warnings"].as_array().unwrap().iter();
        warnings.map(|one| one["code"].as_str().unwrap()).collect()
    };
    assert_eq!(
        codes(0),
        [
            "network-cidr-overlap",
            "api-open-to-internet",
            "instance-type-unknown",
            "engine-version-retired"
        ]
    );
    assert_eq!(
        codes(1),
        [
            "region-unknown",
            "network-cidr-overlap",
            "engine-version-unknown"
        ]
    );
    assert!(codes(2).is_empty());
    let first = &views[0]["warnings"][0];
    assert_eq!(first["path"], "network.cidr");
    assert_eq!(first["place"], "clusters/warned.yaml:5");
}

#[test]
fn what_aws_does_not_enforce_closes_no_command() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("prod-database.yaml");
    std::fs::write(&path, OLDER).unwrap();
    let output = validate(directory.path(), &["prod-database.yaml", "-o", "json"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let views: Value = serde_json::from_slice(&output.stdout).unwrap();
    let warnings = views[0]["warnings"].as_array().unwrap().iter();
    let said: Vec<(&str, &str)> = warnings
        .map(|one| (one["code"].as_str().unwrap(), one["path"].as_str().unwrap()))
        .collect();
    assert_eq!(
        said,
        [
            ("cluster-name", "name"),
            ("subnets-too-small", "network.nat"),
            ("machine-unfit", "controlPlane.instanceType"),
            ("machine-unfit", "pools[0].instanceTypes[0]"),
            ("machine-unfit", "pools[1].instanceTypes[0]"),
        ]
    );
}

#[test]
fn warnings_stand_at_the_head_of_a_plan() {
    let directory = directory();
    let defined = Defined::load(directory.path().join("clusters/other.yaml")).unwrap();
    let plan = Plan {
        cluster: "other".to_owned(),
        steps: Vec::new(),
        leftover: Vec::new(),
        refused: Vec::new(),
        checks: Vec::new(),
    };
    let identity = Identity {
        account: "111122223333".to_owned(),
        caller: "arn:aws:iam::111122223333:user/somebody".to_owned(),
        region: "eu-west-1".to_owned(),
    };
    let view = view(&plan, &identity, &defined, &ForecastInputs::default());
    assert!(text(&view, PlanDetail::Short).starts_with("warning: "));
    assert_eq!(
        text(&view, PlanDetail::Short).matches("warning: ").count(),
        3
    );
    assert_eq!(markdown(&view).matches("> warning: ").count(), 3);
    let data = serde_json::to_value(&view).unwrap();
    assert_eq!(data["warnings"][0]["code"], "region-unknown");
    assert_eq!(data["warnings"][2]["code"], "engine-version-unknown");
}
