//! Which versions are refused, which are kept, and the effect of `--running`. The texts are in
//! `tests/cases/plan/versions.txt`.

use std::fmt::Write as _;

use kube_cfn::catalog::kubernetes;
use kube_cfn::plan::Unknown;
use kube_cfn::plan::versions::{
    RunningVersions, VersionDecision, WantedVersions, accept_stated, decide,
};
use kube_cfn::stacks::StackKind;
use semver::Version;

use crate::support::golden;

const POOL: &str = "workers";

fn version(text: &str) -> Version {
    text.parse().unwrap()
}

fn unread() -> Unknown {
    Unknown {
        reason: "s3://bucket/key is not there".to_owned(),
        remedy: Some("restore s3://bucket/key: new machines need it too".to_owned()),
    }
}

/// `-` stands for what does not run, `?` for what is not known.
fn running(control_plane: &str, pool: &str) -> RunningVersions {
    let kinds = [
        (StackKind::ControlPlane, control_plane),
        (StackKind::Pool(POOL.to_owned()), pool),
    ];
    let known = |(kind, text): (StackKind, &str)| match text {
        "-" => None,
        "?" => Some((kind, Err(unread()))),
        text => Some((kind, Ok(version(text)))),
    };
    kinds.into_iter().filter_map(known).collect()
}

fn decided(wanted: &str, control_plane: &str, pool: &str) -> VersionDecision {
    let wanted = WantedVersions {
        region: "eu-west-1",
        cluster: "canary",
        kubernetes: &version(wanted),
        pools: &[POOL],
        place: "clusters/canary.yaml:6",
    };
    decide(wanted, &running(control_plane, pool))
}

/// Definition, control plane, pool.
const CASES: [[&str; 3]; 19] = [
    // Nothing runs, or all as defined.
    ["1.36.4", "-", "-"],
    ["1.35.8", "-", "1.36.4"],
    ["1.36.4", "1.36.4", "1.36.4"],
    ["1.36.4", "1.36.4", "-"],
    // The control plane would move: up, down, by a patch, over a minor, from what nobody knows.
    ["1.36.4", "1.35.8", "1.35.8"],
    ["1.36.4", "1.34.8", "1.34.8"],
    ["1.34.8", "1.36.4", "1.36.4"],
    ["1.36.4", "1.36.3", "1.36.3"],
    ["1.36.3", "1.36.4", "1.36.4"],
    ["1.36.4", "1.35.8", "-"],
    ["1.36.4", "1.33.9", "1.33.9"],
    ["1.36.4", "?", "1.36.4"],
    // A pool beside a control plane that is as defined.
    ["1.36.4", "1.36.4", "1.36.3"],
    ["1.36.4", "1.36.4", "1.35.8"],
    ["1.36.4", "1.36.4", "1.34.0"],
    ["1.36.4", "1.36.4", "1.33.9"],
    ["1.36.3", "1.36.3", "1.36.4"],
    ["1.36.4", "1.36.4", "1.35.99"],
    ["1.36.4", "1.36.4", "?"],
];

fn table() -> String {
    let mut text = String::new();
    for [wanted, control_plane, pool] in CASES {
        let VersionDecision { versions, refused } = decided(wanted, control_plane, pool);
        writeln!(
            text,
            "definition {wanted}, control plane {control_plane}, pool {pool}\n  \
             wanted: control plane {}, pool {}",
            versions.control_plane,
            versions.pool(POOL)
        )
        .unwrap();
        for (kind, why) in refused {
            assert!(why.by_guard, "{kind}");
            writeln!(
                text,
                "  refused, {kind}: {}\n    next: {}",
                why.reason, why.remedy
            )
            .unwrap();
        }
    }
    text
}

#[test]
fn every_pair_of_versions_is_in_the_table() {
    golden::check("plan/versions.txt", &table());
}

#[test]
fn a_version_is_refused_when_it_would_change_or_does_not_fit() {
    let all: Vec<Version> = kubernetes::versions().cloned().collect();
    for runs in &all {
        for wanted in &all {
            let text = wanted.to_string();
            let decided = decided(&text, &runs.to_string(), &runs.to_string());
            assert_eq!(
                decided.refused.is_empty(),
                runs == wanted,
                "{runs} {wanted}"
            );
            assert_eq!(decided.versions.control_plane, *runs, "nothing moves");
            assert_eq!(decided.versions.pool(POOL), runs, "nothing moves");
        }
        for pool in &all {
            let decided = decided(&runs.to_string(), &runs.to_string(), &pool.to_string());
            let fits = pool <= runs && runs.minor - pool.minor <= 2;
            assert_eq!(decided.refused.is_empty(), fits, "{runs} {pool}");
            if fits {
                assert_eq!(decided.versions.pool(POOL), pool);
            }
        }
    }
}

#[test]
fn the_running_flag_counts_only_without_other_evidence() {
    let stated = |stack: StackKind, text: &str| vec![(stack, version(text))];
    let mut unsaid = running("?", "1.35.8");
    accept_stated(&mut unsaid, &stated(StackKind::ControlPlane, "1.36.4")).unwrap();
    assert_eq!(unsaid, running("1.36.4", "1.35.8"));
    // The same word once more is no contradiction.
    accept_stated(&mut unsaid, &stated(StackKind::ControlPlane, "1.36.4")).unwrap();
    for (stack, hint) in [
        (
            StackKind::ControlPlane,
            "--running control-plane=1.34.8: its stack says that it runs 1.36.4",
        ),
        (
            StackKind::Pool("batch".to_owned()),
            "--running pool-batch=1.34.8: that stack has no machine that runs Kubernetes",
        ),
    ] {
        let error = accept_stated(&mut unsaid, &stated(stack, "1.34.8")).unwrap_err();
        assert_eq!(error.to_string(), hint);
    }
}
