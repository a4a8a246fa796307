//! What a change of each field means for a living cluster: every field of the schema, forth and back. The texts are in
//! `tests/cases/plan/changes.txt`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use kube_cfn::cloud::{LiveStack, StackStatus};
use kube_cfn::definition;
use kube_cfn::plan::changes::fields::{Judgement, judged};
use kube_cfn::plan::changes::{self, LiveValues, Row};
use kube_cfn::plan::ranges::LiveRanges;
use kube_cfn::plan::{Action, Blocked, Step, Survey};
use kube_cfn::stacks::{Stack, StackKind};
use serde_json::{Value, json};

use crate::stacks::fields::{Changes, Trial, designed, leaves, specified, trial, trials};
use crate::support::golden;

mod additions;
mod rules;
mod screens;

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
    let known = LiveValues {
        ranges: ranges.cloned(),
        ..LiveValues::default()
    };
    changes::refusals(&wanted, &survey(was, status), &known, &place)
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
