//! What a change of each field means for a living cluster: every field of the schema, forth and back. The texts are in
//! `tests/cases/plan/changes.txt`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use kube_cfn::cloud::{LiveStack, StackStatus};
use kube_cfn::definition;
use kube_cfn::plan::changes::fields::{Judgement, judged};
use kube_cfn::plan::changes::{self, Row};
use kube_cfn::plan::ranges::LiveRanges;
use kube_cfn::plan::{Action, Blocked, Code, Step, Survey, Unknown};
use kube_cfn::stacks::{Ranges, Stack, StackKind};
use serde_json::{Value, json};

use crate::stacks::fields::{Changes, Trial, designed, leaves, specified, trial, trials};
use crate::support::golden;

type Stacks = BTreeMap<String, Stack>;

/// A stack as AWS has it: outputs that are known before are what the template says.
fn live(stack: &Stack, status: StackStatus) -> LiveStack {
    let outputs = stack.template["Outputs"].as_object().into_iter().flatten();
    let output = |(key, output): (&String, &Value)| {
        let known = output["Value"].as_str();
        (key.clone(), known.unwrap_or("known-to-aws").to_owned())
    };
    LiveStack {
        id: format!(
            "arn:aws:cloudformation:us-east-1:111122223333:stack/{}",
            stack.name
        ),
        name: stack.name.clone(),
        cluster: "full".to_owned(),
        kind: stack.kind.to_string(),
        status,
        reason: None,
        parameters: BTreeMap::new(),
        outputs: outputs.map(output).collect(),
        tags: stack.tags.clone(),
        termination_protection: false,
        created: "2026-11-30T12:00:00Z".parse().unwrap(),
        updated: None,
    }
}

fn survey(stacks: &Stacks, status: &StackStatus) -> Survey {
    let found: Vec<LiveStack> = stacks
        .values()
        .map(|one| live(one, status.clone()))
        .collect();
    let templates = stacks.values().zip(&found);
    Survey {
        cluster: "full".to_owned(),
        templates: templates
            .map(|(stack, found)| (found.id.clone(), stack.template.clone()))
            .collect(),
        found,
        ..Survey::default()
    }
}

/// What is refused where one cluster lives and another is wanted.
fn refused(
    was: &Stacks,
    wanted: &Stacks,
    status: &StackStatus,
    ranges: Option<&LiveRanges>,
) -> Vec<(StackKind, Blocked)> {
    let wanted: Vec<Stack> = wanted.values().cloned().collect();
    let place = |field: &str| format!("full.yaml ({field})");
    changes::refusals(&wanted, &survey(was, status), ranges, &place)
}

/// An update before AWS was asked about it.
fn steps(was: &Stacks, wanted: &Stacks) -> Vec<Step> {
    let both = wanted
        .iter()
        .filter_map(|(kind, stack)| Some((was.get(kind)?, stack)));
    let step = |(was, stack): (&Stack, &Stack)| Step {
        found: Some(live(was, StackStatus::CreateComplete)),
        before: Some(was.template.clone()),
        ..Step::new(stack.clone(), Action::NoChange)
    };
    both.map(step).collect()
}

/// All that the table says, a line each.
fn said(was: &Stacks, wanted: &Stacks) -> Vec<String> {
    let all = refused(was, wanted, &StackStatus::UpdateComplete, None);
    let mut lines: Vec<String> = all
        .into_iter()
        .map(|(kind, why)| {
            assert!(why.by_guard);
            let Blocked {
                code,
                reason,
                remedy,
                ..
            } = why;
            format!("refused {kind} {code}: {reason}\n      next: {remedy}")
        })
        .collect();
    for step in steps(was, wanted) {
        let kind = &step.stack.kind;
        lines.extend(changes::losses(&step).into_iter().map(|loss| {
            let name = format!("{}.{}", loss.logical_id, loss.property);
            format!("loss {kind} {name}: {}; {}", loss.holds, loss.becomes)
        }));
        let warned = changes::warnings(&step).into_iter();
        lines.extend(warned.map(|text| format!("warning {kind}: {text}")));
    }
    lines
}

/// Changes that say more than one of every field.
fn more() -> Vec<Trial> {
    let plain = || vec![("/api/dns", Value::Null)];
    vec![
        trial(
            "api.exposure",
            plain(),
            vec![("/api/exposure", json!("internal"))],
        ),
        trial(
            "database.storageGib",
            vec![],
            vec![("/database/storageGib", json!(105))],
        ),
        trial(
            "database.storageGib",
            vec![],
            vec![("/database/storageGib", json!(110))],
        ),
        trial(
            "database.engineVersion",
            vec![],
            vec![("/database/engineVersion", json!("16.10"))],
        ),
        trial(
            "database.backupDays",
            vec![],
            vec![("/database/backupDays", json!(1))],
        ),
    ]
}

fn all_trials() -> impl Iterator<Item = Trial> {
    trials().into_iter().chain(more())
}

/// Fields whose other value is another cluster.
const IDENTITY: [&str; 2] = ["name", "region"];

fn described(changes: &Changes) -> String {
    let one = |(at, value): &(&str, Value)| format!("{at} {value}");
    changes.iter().map(one).collect::<Vec<_>>().join(", ")
}

#[test]
fn change_of_every_field_is_judged_in_both_directions() {
    let mut text = String::new();
    for Trial {
        leaf,
        before,
        change,
    } in all_trials()
    {
        if IDENTITY.contains(&leaf) {
            continue;
        }
        let (was, is) = (designed(&[&before]), designed(&[&before, &change]));
        let context = if before.is_empty() {
            String::new()
        } else {
            format!(" with {}", described(&before))
        };
        for (way, lines) in [("to", said(&was, &is)), ("back from", said(&is, &was))] {
            writeln!(text, "{leaf}: {way} {}{context}", described(&change)).unwrap();
            for line in lines {
                writeln!(text, "    {line}").unwrap();
            }
        }
    }
    golden::check("plan/changes.txt", &text);
}

#[test]
fn every_field_of_the_schema_is_judged_and_every_row_is_named() {
    let fields = judged(&specified(&[]));
    let mut wanted = BTreeSet::new();
    leaves(&definition::schema(), "", &mut wanted);
    let names: BTreeSet<String> = fields.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(names, wanted);
    assert_eq!(fields.len(), wanted.len(), "each once");
    let rows = fields.iter().filter_map(|(_, judgement)| match judgement {
        Judgement::Rows(rows) => Some(rows.iter().copied()),
        Judgement::Elsewhere(_) | Judgement::Harmless(_) => None,
    });
    let rows: BTreeSet<Row> = rows.flatten().collect();
    // No field decides on the key of disks: it came with a version of this program.
    let all: BTreeSet<Row> = Row::ALL
        .iter()
        .copied()
        .filter(|row| *row != Row::DiskKey)
        .collect();
    assert_eq!(rows, all);
}

#[test]
fn judgement_of_a_field_is_what_the_table_says() {
    let fields: BTreeMap<&str, Judgement> = judged(&specified(&[])).into_iter().collect();
    let mut silent: BTreeSet<&str> = fields.keys().copied().collect();
    for Trial {
        leaf,
        before,
        change,
    } in all_trials()
    {
        let (was, is) = (designed(&[&before]), designed(&[&before, &change]));
        let both = [said(&was, &is), said(&is, &was)].concat();
        match fields[leaf] {
            Judgement::Rows(_) if both.is_empty() => {}
            Judgement::Rows(_) => drop(silent.remove(leaf)),
            Judgement::Elsewhere(_) if IDENTITY.contains(&leaf) => {}
            Judgement::Elsewhere(_) | Judgement::Harmless(_) => {
                assert_eq!(both, Vec::<String>::new(), "{leaf}");
            }
        }
    }
    let rows = |leaf: &&str| matches!(fields[leaf], Judgement::Rows(_));
    let unproved: Vec<&str> = silent.into_iter().filter(rows).collect();
    assert_eq!(
        unproved,
        Vec::<&str>::new(),
        "no trial shows what their rows say"
    );
}

#[test]
fn unchanged_cluster_has_no_verdict() {
    let was = designed(&[]);
    assert_eq!(said(&was, &was), Vec::<String>::new());
}

#[test]
fn cluster_without_machines_may_be_changed() {
    let is = designed(&[&vec![
        ("/network/podCidr", json!("100.72.0.0/14")),
        ("/controlPlane/nodes", json!(1)),
    ]]);
    for status in StackStatus::ALL {
        let refused = refused(&designed(&[]), &is, &status, None);
        let never_ran = ["ROLLBACK_", "DELETE_", "REVIEW_"].iter();
        let never_ran = never_ran
            .clone()
            .any(|start| status.to_string().starts_with(start));
        assert_eq!(refused.is_empty(), never_ran, "{status}");
    }
}

#[test]
fn api_address_may_change_while_no_control_plane_runs() {
    let plain: Changes = vec![("/api/dns", Value::Null)];
    let mut was = designed(&[&plain]);
    let is = designed(&[&plain, &vec![("/api/exposure", json!("internal"))]]);
    let codes = |was: &Stacks| -> Vec<Code> {
        let all = refused(was, &is, &StackStatus::CreateComplete, None);
        all.into_iter().map(|(_, why)| why.code).collect()
    };
    assert_eq!(codes(&was), [Code::ApiAddress]);
    was.remove("control-plane");
    assert_eq!(codes(&was), []);
}

#[test]
fn every_refusal_is_listed_at_once() {
    let is = designed(&[&vec![
        ("/network/podCidr", json!("100.72.0.0/14")),
        ("/network/serviceCidr", json!("100.69.0.0/16")),
        ("/controlPlane/nodes", json!(1)),
        ("/controlPlane/etcdVolumeGib", json!(10)),
        ("/database/storageGib", json!(50)),
        ("/pools/0/spread", json!("zonal")),
    ]]);
    let all = refused(&designed(&[]), &is, &StackStatus::CreateComplete, None);
    let codes: BTreeSet<Code> = all.iter().map(|(_, why)| why.code).collect();
    let wanted = [
        Code::ControlPlaneNodes,
        Code::PodCidr,
        Code::PoolSpread,
        Code::ServiceCidr,
        Code::StorageShrink,
        Code::VolumeShrink,
    ];
    assert_eq!(codes, BTreeSet::from(wanted));
    assert_eq!(all.len(), wanted.len(), "{all:#?}");
}

#[test]
fn ranges_that_cannot_be_read_are_refused() {
    let mut was = designed(&[]);
    let outputs = was.get_mut("control-plane").unwrap().template["Outputs"].as_object_mut();
    let outputs = outputs.unwrap();
    assert!(outputs.remove("PodCidr").is_some() && outputs.remove("ServiceCidr").is_some());
    let is = designed(&[]);
    let codes = |ranges: LiveRanges| -> Vec<(Code, String)> {
        let all = refused(&was, &is, &StackStatus::CreateComplete, Some(&ranges));
        all.into_iter()
            .map(|(_, why)| (why.code, why.reason))
            .collect()
    };
    let of = |pods: &str| Ranges {
        pods: pods.to_owned(),
        services: "100.68.0.0/16".to_owned(),
    };
    assert_eq!(codes(Ok(of("100.64.0.0/14"))), []);
    assert_eq!(codes(Ok(of("100.72.0.0/14")))[0].0, Code::PodCidr);
    let unknown = codes(Err(Unknown {
        reason: "no bundle".to_owned(),
        remedy: None,
    }));
    assert_eq!(unknown[0].0, Code::ValuesUnknown);
    assert!(unknown[0].1.ends_with(": no bundle"), "{unknown:?}");
}

#[test]
fn template_that_cannot_be_read_is_refused() {
    let was = designed(&[]);
    let mut survey = survey(&was, &StackStatus::UpdateComplete);
    survey.templates.clear();
    let wanted: Vec<Stack> = was.values().cloned().collect();
    let all = changes::refusals(&wanted, &survey, None, &|_| String::new());
    assert_eq!(all.len(), wanted.len());
    assert!(all.iter().all(|(_, why)| why.code == Code::ValuesUnknown));
}

/// A change that a template beside the definition makes.
fn overridden(stack: &str, at: &str, value: Value) -> (Stacks, Stacks) {
    let was = designed(&[]);
    let mut is = was.clone();
    *is.get_mut(stack).unwrap().template.pointer_mut(at).unwrap() = value;
    (was, is)
}

#[test]
fn major_upgrade_is_a_warning_where_the_template_allows_it() {
    let (was, mut is) = overridden(
        "database",
        "/Resources/Database/Properties/EngineVersion",
        json!("18.6"),
    );
    assert!(said(&was, &is)[0].starts_with("refused database engine-major: "));
    let template = &mut is.get_mut("database").unwrap().template;
    template["Resources"]["Database"]["Properties"]["AllowMajorVersionUpgrade"] = json!(true);
    let said = said(&was, &is);
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].starts_with("warning database: ") && said[0].contains("is a major upgrade"));
}

#[test]
fn replaced_database_has_no_verdict_of_its_own() {
    let (was, mut is) = overridden(
        "database",
        "/Resources/Database/Properties/AllocatedStorage",
        json!("50"),
    );
    assert!(said(&was, &is)[0].starts_with("refused database storage-shrink: "));
    let template = &mut is.get_mut("database").unwrap().template;
    template["Resources"]["Database"]["Properties"]["DBSnapshotIdentifier"] = json!("monday");
    assert_eq!(said(&was, &is), Vec::<String>::new());
}

#[test]
fn engine_version_is_compared_by_number() {
    for (was, is, expected) in [
        ("16.4", "17.2", Some("engine-major")),
        ("9.6", "10.1", Some("engine-major")),
        ("17.2", "16.4", Some("engine-downgrade")),
        ("16.10", "16.9", Some("engine-downgrade")),
        ("16.9", "16.10", None),
        ("16.4", "16", None),
        ("16.4", "next", None),
    ] {
        let at = "/Resources/Database/Properties/EngineVersion";
        let before = overridden("database", at, json!(was)).1;
        let after = overridden("database", at, json!(is)).1;
        let said = said(&before, &after);
        assert_eq!(
            said.len(),
            usize::from(expected.is_some()),
            "{was} {is}: {said:?}"
        );
        assert!(
            expected.is_none_or(|code| said[0].contains(code)),
            "{was} {is}: {said:?}"
        );
    }
}

#[test]
fn new_key_of_disks_is_a_warning() {
    let disk = "/Resources/LaunchTemplateA/Properties/LaunchTemplateData/BlockDeviceMappings/0/Ebs/KmsKeyId";
    let (was, is) = overridden("control-plane", disk, json!("another"));
    let said = said(&was, &is);
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(
        said[0].starts_with("warning control-plane: LaunchTemplateA: disks"),
        "{said:?}"
    );
}
