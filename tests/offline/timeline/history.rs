//! Runs read from AWS's own history.

use std::collections::BTreeMap;

use kube_cfn::cloud::{LiveStack, ResourceStatus, StackEvent, StackStatus};
use kube_cfn::events::Verb;
use kube_cfn::stacks::StackKind::{self, Base, Database, Edge, Network};
use kube_cfn::timeline::{Ending, Link, Past, Timeline, events_of};
use serde_json::json;

use crate::progress::runs::at;

const VPC: &str = "vpc-0a1b2c3d";

/// A stack that was created between two seconds by a run.
fn past(kind: StackKind, run: Option<&str>, (begin, end): (i64, i64), status: &str) -> Past {
    let own = |second: i64, status: &str| StackEvent {
        id: format!("{kind}-{second}-{status}"),
        at: at(second),
        logical_id: format!("canary-{kind}"),
        physical_id: None,
        resource_type: "AWS::CloudFormation::Stack".to_owned(),
        status: ResourceStatus::new(status),
        reason: None,
        token: None,
        stack_status: Some(StackStatus::from(status)),
    };
    let events = vec![
        own(begin, "CREATE_IN_PROGRESS"),
        moved(begin + 1, "CREATE_IN_PROGRESS", None),
        moved(end - 1, "CREATE_COMPLETE", None),
        own(end, status),
    ];
    Past {
        found: LiveStack {
            id: format!("arn:{kind}"),
            name: format!("canary-{kind}"),
            cluster: "canary".to_owned(),
            kind: kind.to_string(),
            status: StackStatus::from(status),
            reason: None,
            parameters: BTreeMap::new(),
            outputs: BTreeMap::new(),
            tags: BTreeMap::new(),
            termination_protection: false,
            created: at(begin),
            updated: None,
        },
        kind,
        events,
        run: run.map(str::to_owned),
        template: json!({"Resources": {"Thing": {"Metadata": {"Sentence": "The thing"}}}}),
    }
}

fn moved(second: i64, status: &str, reason: Option<&str>) -> StackEvent {
    StackEvent {
        id: format!("thing-{second}-{status}"),
        at: at(second),
        logical_id: "Thing".to_owned(),
        physical_id: None,
        resource_type: "AWS::EC2::NatGateway".to_owned(),
        status: ResourceStatus::new(status),
        reason: reason.map(str::to_owned),
        token: None,
        stack_status: None,
    }
}

fn gives(mut past: Past, value: &str) -> Past {
    past.found
        .outputs
        .insert("Given".to_owned(), value.to_owned());
    past
}

fn takes(mut past: Past, value: &str) -> Past {
    past.found
        .parameters
        .insert("Taken".to_owned(), value.to_owned());
    past
}

fn of(pasts: &[Past]) -> Timeline {
    Timeline::of(&events_of("canary", pasts)).expect("a run")
}

fn endings(timeline: &Timeline) -> Vec<(String, Ending)> {
    let stacks = timeline.stacks.iter();
    stacks
        .map(|bar| (bar.stack.to_string(), bar.ending))
        .collect()
}

#[test]
fn what_one_puts_out_and_another_takes_joins_them() {
    let timeline = of(&[
        gives(past(Network, Some("7f3a"), (0, 60), "CREATE_COMPLETE"), VPC),
        takes(past(Edge, Some("7f3a"), (62, 200), "CREATE_COMPLETE"), VPC),
        // Short values may be the same by chance.
        takes(
            gives(
                past(Database, Some("7f3a"), (0, 90), "CREATE_COMPLETE"),
                "5432",
            ),
            "5432",
        ),
    ]);
    assert_eq!(
        (timeline.run.as_str(), timeline.verb),
        ("7f3a", Verb::Create)
    );
    assert_eq!(timeline.succeeded, Some(true));
    assert_eq!(timeline.stacks[1].waits_for, [Network]);
    assert_eq!(timeline.stacks[2].waits_for, []);
    let path: Vec<_> = timeline.critical.iter().map(Link::name).collect();
    assert_eq!(path, ["The thing", "The thing"]);
    assert_eq!(
        timeline.stacks[2].slack.map(|slack| slack.as_secs()),
        Some(110)
    );
}

#[test]
fn a_stack_that_moved_in_another_run_was_left_unchanged() {
    let timeline = of(&[
        past(Base, Some("0001"), (0, 60), "CREATE_COMPLETE"),
        past(Network, Some("0002"), (90_000, 90_060), "CREATE_COMPLETE"),
        // Nobody knows whose this is, but it ran at the same time.
        past(Edge, None, (90_030, 90_100), "CREATE_COMPLETE"),
    ]);
    let expected = [
        ("base", Ending::Unchanged),
        ("network", Ending::Created),
        ("edge", Ending::Created),
    ];
    let expected = expected.map(|(name, ending)| (name.to_owned(), ending));
    assert_eq!(endings(&timeline), expected);
    assert_eq!((timeline.started, timeline.until), (at(90_000), at(90_100)));
}

#[test]
fn a_failure_of_the_past_names_its_cause() {
    let mut edge = past(Edge, Some("7f3a"), (0, 90), "ROLLBACK_COMPLETE");
    edge.events[2] = moved(80, "CREATE_FAILED", Some("no addresses left"));
    edge.events.insert(
        2,
        moved(79, "CREATE_FAILED", Some("Resource creation cancelled")),
    );
    let timeline = of(&[edge]);
    assert_eq!(timeline.succeeded, Some(false));
    assert_eq!(timeline.stacks[0].ending, Ending::RolledBack);
    let reason = timeline.stacks[0].reason.as_deref();
    assert_eq!(reason, Some("The thing: no addresses left"));
}

#[test]
fn what_still_moves_has_no_end() {
    let timeline = of(&[
        past(Base, Some("7f3a"), (0, 60), "CREATE_COMPLETE"),
        past(Network, Some("7f3a"), (0, 30), "CREATE_IN_PROGRESS"),
    ]);
    assert_eq!(timeline.ended, None);
    assert_eq!(timeline.stacks[1].ending, Ending::Open);
    // An update cleans up after it succeeded, and is not over before.
    let mut edge = past(Edge, None, (0, 9), "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS");
    edge.events.remove(0);
    assert_eq!(of(&[edge]).stacks[0].ending, Ending::Open);
}

#[test]
fn deleting_waits_the_other_way_round() {
    let mut network = gives(past(Network, None, (70, 90), "DELETE_COMPLETE"), VPC);
    let mut edge = takes(past(Edge, None, (0, 71), "DELETE_COMPLETE"), VPC);
    for past in [&mut network, &mut edge] {
        past.events[0].stack_status = Some(StackStatus::DeleteInProgress);
    }
    let timeline = of(&[network, edge]);
    assert_eq!(timeline.verb, Verb::Delete);
    assert_eq!(timeline.stacks[0].waits_for, [Edge]);
    assert_eq!(timeline.stacks[1].waits_for, []);
}

#[test]
fn where_nothing_ever_happened_there_is_no_run() {
    assert_eq!(events_of("canary", &[]), []);
    let mut silent = past(Base, None, (0, 9), "CREATE_COMPLETE");
    silent.events.clear();
    assert_eq!(events_of("canary", &[silent]), []);
}
