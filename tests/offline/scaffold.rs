//! New definitions: only what must differ differs, the rest is the same byte for byte, and the result is valid.

use std::path::Path;

use kube_cfn::definition::{self, DefinitionError, NewCluster, NewDatabase};
use kube_cfn::spec::{ClusterSpec, Nat};
use similar::TextDiff;

use crate::support::golden;

fn text(path: &str) -> String {
    definition::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).expect("readable")
}

fn others() -> Vec<(String, ClusterSpec)> {
    ["production", "canary"]
        .map(|name| {
            let text = text(&format!("clusters/{name}.yaml"));
            (
                name.to_owned(),
                definition::parse(name, &text).expect("good"),
            )
        })
        .into()
}

fn request<'a>(name: &'a str, others: &'a [(String, ClusterSpec)]) -> NewCluster<'a> {
    NewCluster {
        name,
        from: None,
        others,
        kubernetes: None,
        region: None,
        restore_from: None,
        database: NewDatabase::Small,
    }
}

/// The lines that a copy changes, as a golden file.
fn changes(case: &str, source: &str, request: &NewCluster<'_>) -> ClusterSpec {
    let new = definition::scaffold(request).unwrap_or_else(|error| panic!("{error}"));
    let new = new.text;
    let diff = TextDiff::from_lines(source, new.as_str());
    let diff = diff.unified_diff().context_radius(0).to_string();
    golden::check(&format!("definitions/new/{case}.txt"), &diff);
    definition::parse(request.name, &new).expect("it was checked")
}

#[test]
fn a_copy_changes_only_what_must_differ() {
    let others = others();
    let source = text("clusters/production.yaml");
    let request = NewCluster {
        from: Some(&source),
        ..request("trial", &others)
    };
    let spec = changes("from-production", &source, &request);
    assert!(!spec.protect);
}

/// Bills, alarms and backups follow tags, people follow comments.
#[test]
fn a_copy_does_not_say_that_it_is_its_original() {
    let others = others();
    for name in ["production", "canary"] {
        let source = text(&format!("clusters/{name}.yaml"));
        let request = NewCluster {
            from: Some(&source),
            ..request("trial", &others)
        };
        let new = definition::scaffold(&request).expect("it passes");
        assert_eq!(new.left_out, [format!("tags.environment: {name}")]);
        let heading = format!("# trial: a copy of {name}");
        let others = new.text.lines().filter(|line| *line != heading);
        for line in others {
            let speaks = line.contains("production") || line.contains("canary");
            assert!(!speaks, "{line}");
        }
        assert!(new.text.contains(&heading), "{}", new.text);
        assert!(
            new.text.starts_with("# yaml-language-server"),
            "{}",
            new.text
        );
    }
}

#[test]
fn tags_that_stay_true_are_copied() {
    let source = "name: one\nregion: eu-west-1\nkubernetes: 1.35.8\ntags:\n  Environment: live # \n  team: web # one's team\n  owner: one\n  note: \"a b\" # kept\n";
    let others = Vec::new();
    let request = NewCluster {
        from: Some(source),
        ..request("trial", &others)
    };
    let new = definition::scaffold(&request).expect("it passes");
    assert_eq!(new.left_out, ["tags.Environment: live", "tags.owner: one"]);
    assert!(
        new.text
            .contains("tags:\n  team: web\n  note: \"a b\" # kept\n"),
        "{}",
        new.text
    );
}

#[test]
fn a_copy_may_start_from_a_snapshot_on_another_version() {
    let others = others();
    let source = text("clusters/canary.yaml");
    let version = semver::Version::new(1, 36, 3);
    let request = NewCluster {
        from: Some(&source),
        kubernetes: Some(&version),
        restore_from: Some("production-2026-11-20"),
        region: Some("eu-central-1"),
        ..request("trial", &others)
    };
    let spec = changes("from-canary-restored", &source, &request);
    assert_eq!(spec.kubernetes, version);
    let database = spec.database.expect("a database");
    assert_eq!(
        database.restore_from.as_deref(),
        Some("production-2026-11-20")
    );
}

#[test]
fn a_copy_takes_what_its_region_has() {
    let others = others();
    let source = text("clusters/production.yaml");
    let copied = |region| {
        let request = NewCluster {
            from: Some(&source),
            region: Some(region),
            ..request("trial", &others)
        };
        let new = definition::scaffold(&request).unwrap_or_else(|error| panic!("{error}"));
        let spec = definition::parse("trial", &new.text).expect("it was checked");
        (spec.network.nat, spec.database.expect("a database").class)
    };
    assert_eq!(
        copied("eu-central-1"),
        (Nat::Regional, "db.t4g.micro".to_owned())
    );
    assert_eq!(
        copied("us-gov-west-1"),
        (Nat::Single, "db.t4g.micro".to_owned())
    );
    assert_eq!(
        copied("ca-west-1"),
        (Nat::Regional, "db.t3.micro".to_owned())
    );
}

#[test]
fn a_copy_of_minimal_or_flow_style_gets_its_lines() {
    let others = others();
    let source = text("tests/cases/definitions/good/minimal.yaml");
    let request = NewCluster {
        from: Some(&source),
        restore_from: Some("old"),
        ..request("trial", &others)
    };
    changes("from-minimal", &source, &request);
    let source = text("tests/cases/definitions/good/throw-away.yaml");
    let request = NewCluster {
        from: Some(&source),
        restore_from: None,
        ..request
    };
    changes("from-flow", &source, &request);
    let source = text("tests/cases/definitions/good/everything.yaml");
    let request = NewCluster {
        from: Some(&source),
        ..request
    };
    changes("from-everything", &source, &request);
    let request = NewCluster {
        database: NewDatabase::Same,
        ..request
    };
    let spec = changes("from-everything-same", &source, &request);
    assert_eq!(spec.database.expect("a database").storage_gib, 100);
}

#[test]
fn a_short_definition_is_commented_and_passes() {
    let others = others();
    let new = definition::scaffold(&request("trial", &others))
        .expect("it passes")
        .text;
    golden::check("definitions/new/short.yaml", &new);
    let restored = NewCluster {
        restore_from: Some("old"),
        region: Some("us-west-1"),
        ..request("trial", &[])
    };
    let new = definition::scaffold(&restored).expect("it passes").text;
    golden::check("definitions/new/short-restored.yaml", &new);
}

#[test]
fn unwritable_definitions_are_reported() {
    let others = others();
    let why = |request: &NewCluster<'_>| match definition::scaffold(request) {
        Ok(new) => panic!("written:\n{}", new.text),
        Err(DefinitionError::Wrong(problems)) => problems
            .iter()
            .map(|problem| problem.message.clone())
            .collect::<Vec<_>>()
            .join("; "),
        Err(other) => other.to_string(),
    };
    assert_eq!(
        why(&request("canary", &others)),
        "can't write the definition `canary`: there is one of this name already"
    );
    assert_eq!(
        why(&request("trial", &[])),
        "can't write the definition `trial`: no other definition has a region to take: give --region"
    );
    assert!(why(&request("Trial", &others)).starts_with("expected lower-case letters"));
    let broken = NewCluster {
        from: Some("name: x\n"),
        ..request("trial", &others)
    };
    assert!(why(&broken).contains("missing field `region`"));
}
