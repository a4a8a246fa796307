//! Failures as they are told: at once, the cause and not what came of it, with all that is known.

use std::collections::BTreeMap;

use super::double::{Double, Script};
use super::fixtures::*;
use super::{Report, Session};
use crate::cloud::{Console, Replacement};
use crate::events::{Event, Failure, Place};
use crate::stacks::{Stack, StackKind};

const GROUP: &str = "AWS::AutoScaling::AutoScalingGroup";
const VPC: &str = "AWS::EC2::VPC";

fn only(kind: &StackKind) -> Vec<Stack> {
    let mut all = stacks();
    all.retain(|stack| stack.kind == *kind);
    for stack in &mut all {
        stack.inputs.clear();
        stack.objects.clear();
    }
    all
}

/// Second and failure, as they were told.
fn failures(events: &[Event]) -> Vec<(i64, Failure)> {
    let failed = |event: &Event| match event {
        Event::Failed { at, failure, .. } => Some((at.as_second(), failure.clone())),
        _ => None,
    };
    events.iter().filter_map(failed).collect()
}

async fn created(script: Script, kind: &StackKind) -> (Double, Report, Vec<Event>) {
    let double = double();
    double.script(&format!("create {}", kind.stack_name(CLUSTER)), script);
    let plan = planned(&double, only(kind)).await;
    let (report, events) = go(&double, plan).await;
    (double, report, events)
}

#[tokio::test(start_paused = true)]
async fn the_first_real_failure_is_told_long_before_the_rollback_ends() {
    let script = Script {
        events: vec![
            (
                20,
                "Table",
                "AWS::X",
                "CREATE_FAILED",
                "Resource creation cancelled",
            ),
            (20, "Vpc", VPC, "CREATE_FAILED", "limit of 5 VPCs reached"),
            (
                21,
                "",
                "",
                "ROLLBACK_IN_PROGRESS",
                "failed to create: [Vpc]",
            ),
            (90, "Vpc", VPC, "DELETE_FAILED", "is in use"),
        ],
        ..Script::well(200, "ROLLBACK_COMPLETE")
    };
    let (_, report, events) = created(script, &StackKind::Network).await;
    let all = failures(&events);
    assert_eq!(all.len(), 1, "{all:?}");
    let (second, why) = &all[0];
    assert!((20..=23).contains(second), "told at {second}");
    assert_eq!(why.reason, "limit of 5 VPCs reached");
    assert_eq!(why.cancelled, ["Table"]);
    assert_eq!(
        told(&report),
        ["network rolled back: limit of 5 VPCs reached"]
    );
}

#[tokio::test(start_paused = true)]
async fn an_earlier_cause_that_turns_up_late_is_told_again() {
    let script = Script {
        events: vec![
            (20, "Vpc", VPC, "CREATE_FAILED", "role is missing"),
            (
                22,
                "Table",
                "AWS::X",
                "CREATE_FAILED",
                "the network is gone",
            ),
        ],
        late: BTreeMap::from([(0, 10)]),
        ..Script::well(60, "ROLLBACK_COMPLETE")
    };
    let (_, report, events) = created(script, &StackKind::Network).await;
    let reasons: Vec<String> = failures(&events)
        .into_iter()
        .map(|(_, why)| why.reason)
        .collect();
    assert_eq!(reasons, ["the network is gone", "role is missing"]);
    assert_eq!(told(&report), ["network rolled back: role is missing"]);
}

#[tokio::test(start_paused = true)]
async fn what_an_update_can_not_remove_at_its_end_is_no_failure() {
    let double = standing();
    double.answer("canary-network", vec![change("Vpc", VPC, Replacement::No)]);
    let script = Script {
        events: vec![(10, "Old", VPC, "DELETE_FAILED", "is in use")],
        ..Script::well(12, "UPDATE_COMPLETE")
    };
    double.script("execute canary-network", script);
    let plan = planned(&double, altered(&StackKind::Network)).await;
    let (report, events) = go(&double, plan).await;
    assert_eq!(told(&report)[1], "network Updated");
    assert_eq!(failures(&events), []);
}

#[tokio::test(start_paused = true)]
async fn machines_that_never_reported_have_their_last_words_told() {
    let pool = StackKind::Pool("workers".to_owned());
    let reason = "Received 0 SUCCESS signal(s) out of 1";
    let double = double();
    *double.console.borrow_mut() = Some(Console {
        instance: "i-1".to_owned(),
        lines: vec!["boot".to_owned(), "kubelet: no route to host".to_owned()],
    });
    let script = Script {
        events: vec![(50, "Group", GROUP, "CREATE_FAILED", reason)],
        ..Script::well(90, "ROLLBACK_COMPLETE")
    };
    double.script("create canary-pool-workers", script);
    let plan = planned(&double, only(&pool)).await;
    let (report, events) = go(&double, plan).await;
    let said = "pool-workers rolled back: Received 0 SUCCESS signal(s) out of 1; \
                i-1: kubelet: no route to host (last lines: boot | kubelet: no route to host)";
    assert_eq!(told(&report), [said]);
    assert!(said.ends_with(&failures(&events)[0].1.reason));
    // While the machine is there, and once.
    let asked = double.called("console");
    assert_eq!(asked.len(), 1, "{asked:?}");
    let second: u64 = asked[0]
        .split(' ')
        .next()
        .and_then(|s| s.parse().ok())
        .unwrap_or(0);
    assert!((50..60).contains(&second), "{asked:?}");
}

#[tokio::test(start_paused = true)]
async fn whoever_knows_the_definition_says_where_it_comes_from() {
    let double = double();
    let script = Script {
        events: vec![(5, "Vpc", VPC, "CREATE_FAILED", "limit of 5 VPCs reached")],
        ..Script::well(9, "ROLLBACK_COMPLETE")
    };
    double.script("create canary-network", script);
    let plan = planned(&double, only(&StackKind::Network)).await;
    let place = |stack: &StackKind, id: &str, _: Option<&str>| {
        Some(Place {
            template: format!("{stack}.yaml:{}", id.len()),
            field: None,
        })
    };
    let (events, mut heard) = tokio::sync::mpsc::unbounded_channel();
    let session = Session {
        explain: &place,
        ..Session::new("r1", &events)
    };
    let prepared = Prepared::default();
    super::run(plan, &double, &prepared, &session, std::future::pending()).await;
    let mut all = Vec::new();
    while let Ok(event) = heard.try_recv() {
        all.push(event);
    }
    let told = failures(&all).remove(0).1.place.expect("a place");
    assert_eq!(told.template, "network.yaml:3");
}
