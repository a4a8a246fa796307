//! Scripted failures: CloudFormation's events poll by poll, and the exact lines of the report.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use jiff::Timestamp;
use kube_cfn::apply::cause::{self, ResourceLabels};
use kube_cfn::apply::diagnose::of_stack;
use kube_cfn::cloud::{Console, Finding, LiveStack, ResourceStatus, StackEvent, StackStatus};
use kube_cfn::events::{BootFinding, Event, Expected, Failure, Outcome, Place, Verb};
use kube_cfn::progress::{FailureDetail, Model, report};
use kube_cfn::stacks::StackKind;
use serde::Deserialize;

use super::runs::{at, expected, six};
use crate::support::golden;

#[derive(Deserialize)]
struct Script {
    about: String,
    verb: Verb,
    /// How the other stacks stand: `done`, `running`, `kept`; those not named wait.
    beside: BTreeMap<String, String>,
    stacks: Vec<Failing>,
}

#[derive(Deserialize)]
struct Failing {
    stack: String,
    /// The stack's status at rest.
    ends: Option<String>,
    /// What AWS says instead of beginning.
    refused: Option<String>,
    #[serde(default)]
    findings: Vec<(String, String, String)>,
    console: Option<Tail>,
    sentences: BTreeMap<String, String>,
    /// By logical id, or by logical id and path.
    places: BTreeMap<String, Place>,
    /// What each poll brings: second, logical id (none for the stack itself), type, status, reason.
    polls: Vec<Vec<Vec<serde_json::Value>>>,
}

#[derive(Deserialize)]
struct Tail {
    instance: String,
    lines: Vec<String>,
}

impl Failing {
    fn kind(&self) -> StackKind {
        StackKind::parse(&self.stack).expect("a kind of stack")
    }

    fn description(&self, id: &str) -> String {
        let known = self.sentences.get(id).map(String::as_str);
        known.unwrap_or(id).to_owned()
    }

    fn place(&self, id: &str, path: Option<&str>) -> Option<Place> {
        let precise = path.and_then(|path| self.places.get(&format!("{id} {path}")));
        precise.or_else(|| self.places.get(id)).cloned()
    }

    /// With what the console says, where a group never reported.
    fn explained(&self, failure: Failure) -> Failure {
        match &self.console {
            Some(tail) if cause::is_signal_failure(&failure) => {
                let console = Console {
                    instance: tail.instance.clone(),
                    lines: tail.lines.clone(),
                };
                match BootFinding::from_console(&console) {
                    Some(boot) => boot.explain(failure),
                    None => failure,
                }
            }
            _ => failure,
        }
    }

    fn failure(
        &self,
        verb: Verb,
        status: Option<&StackStatus>,
        events: &[StackEvent],
    ) -> Option<Failure> {
        let words = ResourceLabels {
            describe: &|id| self.description(id),
            explain: &|id, path| self.place(id, path),
        };
        let failure = cause::failure(verb, status, events, &words)?;
        Some(self.explained(failure))
    }
}

fn event(cells: &[serde_json::Value]) -> StackEvent {
    let text = |index: usize| {
        cells
            .get(index)
            .and_then(|cell| cell.as_str())
            .unwrap_or_default()
    };
    let second = cells[0].as_i64().expect("a second");
    let own = text(1).is_empty();
    StackEvent {
        id: format!("{second}-{}-{}-{}", text(1), text(3), text(4)),
        at: at(second),
        logical_id: text(1).to_owned(),
        physical_id: None,
        resource_type: text(2).to_owned(),
        status: ResourceStatus::new(text(3)),
        reason: Some(text(4).to_owned()).filter(|text| !text.is_empty()),
        token: None,
        stack_status: own.then(|| StackStatus::from(text(3))),
    }
}

/// A run at the moment when the failing stacks begin.
fn opened(script: &Script) -> Vec<Event> {
    let failing = |kind: &StackKind| script.stacks.iter().any(|one| one.kind() == *kind);
    let stands = |kind: &StackKind| script.beside.get(&kind.to_string()).map(String::as_str);
    let planned = six(script.verb).into_iter().map(|known| {
        let needs = if script.verb == Verb::Delete {
            Vec::new()
        } else {
            known.needs.clone()
        };
        match stands(&known.stack) {
            Some("kept") => expected(known.stack, None, 0, &needs),
            _ => Expected { needs, ..known },
        }
    });
    let planned: Vec<Expected> = planned.collect();
    let begun =
        |kind: &StackKind| failing(kind) || matches!(stands(kind), Some("done" | "running"));
    let mut events = super::runs::Run::start(script.verb, planned.clone()).events;
    for known in &planned {
        let stack = known.stack.clone();
        if begun(&stack) {
            events.push(Event::StackStarted {
                at: at(1),
                stack,
                operation: script.verb,
            });
        }
    }
    for known in planned {
        let outcome = match (stands(&known.stack), script.verb) {
            (Some("kept"), _) => Outcome::Unchanged,
            (Some("done"), Verb::Create) => Outcome::Created,
            (Some("done"), Verb::Update) => Outcome::Updated,
            (Some("done"), Verb::Delete) => Outcome::Deleted,
            _ => continue,
        };
        events.push(Event::StackSettled {
            at: at(2),
            stack: known.stack,
            outcome,
        });
    }
    events
}

/// Plays a script: the report after every poll that changes the cause, and the one at the end.
fn played(script: &Script) -> String {
    let mut model = Model::default();
    for event in opened(script) {
        model.update(&event);
    }
    let mut text = String::new();
    let mut seen: BTreeMap<&str, Vec<StackEvent>> = BTreeMap::new();
    let mut causes: BTreeMap<&str, (Option<String>, String)> = BTreeMap::new();
    let polls = script
        .stacks
        .iter()
        .map(|one| one.polls.len())
        .max()
        .unwrap_or(0);
    let mut last = at(2);
    for poll in 0..polls {
        for one in &script.stacks {
            let news: Vec<StackEvent> = one
                .polls
                .get(poll)
                .into_iter()
                .flatten()
                .map(|cells| event(cells))
                .collect();
            for event in &news {
                last = last.max(event.at);
                if event.stack_status.is_none() {
                    model.update(&resource(one, event));
                }
            }
            let events = seen.entry(one.stack.as_str()).or_default();
            events.extend(news);
            let Some(failure) = one.failure(script.verb, None, events) else {
                continue;
            };
            let cause = (failure.logical_id.clone(), failure.reason.clone());
            if causes.insert(one.stack.as_str(), cause.clone()) != Some(cause) {
                model.update(&Event::Failed {
                    at: last,
                    stack: one.kind(),
                    failure,
                });
                let since = last.duration_since(at(0)).as_secs();
                text = text + "-- reported after " + &since.to_string() + "s\n" + &reports(&model);
            }
        }
    }
    for one in &script.stacks {
        model.update(&settled(script, one, last, seen.get(one.stack.as_str())));
    }
    text + "-- at the end\n" + &reports(&model) + &afterwards(script, &seen)
}

fn resource(one: &Failing, event: &StackEvent) -> Event {
    Event::Resource {
        at: event.at,
        stack: one.kind(),
        logical_id: event.logical_id.clone(),
        resource_type: event.resource_type.clone(),
        sentence: one.description(&event.logical_id),
        status: event.status.clone(),
        reason: event.reason.clone(),
    }
}

fn settled(
    script: &Script,
    one: &Failing,
    at: Timestamp,
    events: Option<&Vec<StackEvent>>,
) -> Event {
    let outcome = match (&one.ends, &one.refused) {
        (Some(ends), _) => {
            let status = StackStatus::from(ends.as_str());
            let events = events.expect("something happened");
            let failure = one
                .failure(script.verb, Some(&status), events)
                .expect("a failure");
            if ends.ends_with("ROLLBACK_COMPLETE") {
                Outcome::RolledBack(failure)
            } else {
                Outcome::Failed(failure)
            }
        }
        (None, Some(reason)) => {
            let finding = |(id, path, reason): &(String, String, String)| Finding {
                logical_id: Some(id.clone()),
                path: Some(path.clone()),
                reason: reason.clone(),
            };
            let findings: Vec<Finding> = one.findings.iter().map(finding).collect();
            let words = ResourceLabels {
                describe: &|id| one.description(id),
                explain: &|id, path| one.place(id, path),
            };
            Outcome::Failed(cause::refused(reason, &findings, &words))
        }
        (None, None) => panic!("a script ends somehow"),
    };
    Event::StackSettled {
        at,
        stack: one.kind(),
        outcome,
    }
}

fn reports(model: &Model) -> String {
    let lines = model.reports(80, FailureDetail::Brief);
    let text: Vec<String> = lines.iter().map(|line| line.to_string() + "\n").collect();
    for report in text.concat().split(" !!  ").skip(1) {
        assert!(
            report.lines().count() <= 5,
            "more than five lines:\n{report}"
        );
    }
    assert!(
        text.iter().all(|line| line.chars().count() <= 81),
        "{text:?}"
    );
    text.concat()
}

/// The same from the history alone, as `diagnose` tells it.
fn afterwards(script: &Script, seen: &BTreeMap<&str, Vec<StackEvent>>) -> String {
    let mut text = String::new();
    for one in &script.stacks {
        let (Some(ends), Some(events)) = (&one.ends, seen.get(one.stack.as_str())) else {
            continue;
        };
        // A history begins with the operation's own start, oldest first.
        let start = event(&[
            0.into(),
            "".into(),
            "AWS::CloudFormation::Stack".into(),
            started(script.verb).into(),
        ]);
        let mut events: Vec<StackEvent> = [start].into_iter().chain(events.clone()).collect();
        events.sort_by_key(|event| event.at);
        let words = ResourceLabels {
            describe: &|id| one.description(id),
            explain: &|id, path| one.place(id, path),
        };
        let found = found(&one.kind(), ends);
        let diagnosis = of_stack(&found, &events, &words).expect("a diagnosis");
        for line in report("canary", &one.kind(), &diagnosis, 80, FailureDetail::Brief) {
            text = text + &line.to_string() + "\n";
        }
    }
    if text.is_empty() {
        text
    } else {
        format!("-- diagnosed\n{text}")
    }
}

fn started(verb: Verb) -> &'static str {
    match verb {
        Verb::Create => "CREATE_IN_PROGRESS",
        Verb::Update => "UPDATE_IN_PROGRESS",
        Verb::Delete => "DELETE_IN_PROGRESS",
    }
}

fn found(kind: &StackKind, status: &str) -> LiveStack {
    LiveStack {
        id: format!("arn:{kind}"),
        name: kind.stack_name("canary"),
        cluster: "canary".to_owned(),
        kind: kind.to_string(),
        status: StackStatus::from(status),
        reason: None,
        parameters: BTreeMap::new(),
        outputs: BTreeMap::new(),
        tags: BTreeMap::new(),
        termination_protection: false,
        created: at(0),
        updated: None,
    }
}

#[test]
fn every_scripted_failure_is_reported_in_five_lines() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/failures");
    let mut names: Vec<String> = fs::read_dir(&directory)
        .expect("the scripts")
        .map(|entry| {
            entry
                .expect("a script")
                .file_name()
                .into_string()
                .expect("a name")
        })
        .collect();
    names.sort();
    assert!(names.len() >= 15, "{names:?}");
    let mut differ = Vec::new();
    for name in names {
        let text = fs::read_to_string(directory.join(&name).join("script.json")).expect("a script");
        let script: Script =
            serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        let report = format!("{}\n\n{}", script.about, played(&script));
        let check = || golden::check(&format!("failures/{name}/report.txt"), &report);
        if std::panic::catch_unwind(check).is_err() {
            differ.push(name);
        }
    }
    assert!(differ.is_empty(), "reported differently: {differ:?}");
}

#[test]
fn a_full_failure_report_shortens_nothing() {
    let mut model = Model::default();
    for event in super::runs::failing().events {
        model.update(&event);
    }
    let lines = model.reports(80, FailureDetail::Full);
    let text: String = lines.iter().map(|line| line.to_string() + " ").collect();
    let words: Vec<&str> = text.split_whitespace().collect();
    let text = words.join(" ");
    for part in [
        "HandlerErrorCode: ServiceLimitExceeded",
        "cancelled because of it: Load balancer of the API",
        "not started: control-plane, pool-workers",
    ] {
        assert!(text.contains(part), "{text}");
    }
}
