//! Failures as they are reported: at once, the cause and not what came of it, with all that is known.

use std::time::Duration;

use super::*;
use crate::cloud::StackEvent;
use crate::events::{Failure, Place};
use crate::simulated::LateEvent;

/// Second and failure, as they were reported.
fn failures(events: &[Event]) -> Vec<(i64, Failure)> {
    let failed = |event: &Event| match event {
        Event::Failed { at, failure, .. } => Some((at.as_second(), failure.clone())),
        _ => None,
    };
    events.iter().filter_map(failed).collect()
}

/// Creates one stack alone.
async fn created(cloud: &TestCloud, stacks: Vec<Stack>) -> (RunReport, Vec<Event>) {
    let plan = planned(cloud, stacks).await;
    go(cloud, plan).await
}

/// The network, and a gateway that takes a minute to delete.
fn slow_to_delete() -> Vec<Stack> {
    // In the order of their failures: after three seconds, and after three and a half.
    let resources = [
        ("Nat", "AWS::EC2::NatGateway"),
        ("Vpc", "AWS::EC2::LaunchTemplate"),
        ("Table", "AWS::EC2::VPCEndpoint"),
    ];
    let mut network = stack(StackKind::Network, &resources, &[], &[]);
    *property(&mut network, "Table", "VpcEndpointType") = json!("Gateway");
    vec![network]
}

#[tokio::test(start_paused = true)]
async fn first_failure_is_shown_long_before_the_rollback_ends() {
    for (deletion_fails, word) in [(false, "rolled back"), (true, "failed")] {
        let cloud = TestCloud::new();
        let (network, reason) = ("canary-network", "limit of 5 VPCs reached");
        cloud.fails(network, "Vpc", Operation::Create, reason);
        if deletion_fails {
            cloud.fails(network, "Table", Operation::Delete, "is in use");
        }
        let (report, events) = created(&cloud, slow_to_delete()).await;
        let all = failures(&events);
        assert_eq!(all.len(), 1, "{all:?}");
        let (second, why) = &all[0];
        let failed = second_of(&cloud, "Vpc", "CREATE_FAILED");
        assert!((failed..=failed + 3).contains(second), "shown at {second}");
        let (_, end) = cloud.spans()["canary-network"];
        assert!(end > 60, "{end}");
        assert_eq!(why.reason, reason);
        assert_eq!(why.cancelled, ["Nat", "Table"].map(of_network));
        assert_eq!(
            outcome_lines(&report),
            [format!("network {word}: {reason}")]
        );
    }
}

fn of_network(id: &str) -> String {
    format!("the {id} of network")
}

/// Second of an event.
fn second_of(cloud: &TestCloud, id: &str, status: &str) -> i64 {
    let all = cloud.history();
    let is = |event: &&StackEvent| event.logical_id == id && event.status.as_str() == status;
    let event = all.iter().find(is).expect("such an event");
    event.at.as_second()
}

#[tokio::test(start_paused = true)]
async fn earlier_cause_that_is_read_late_is_shown_again() {
    let cloud = TestCloud::new();
    let network = "canary-network";
    cloud.fails(network, "Vpc", Operation::Create, "role is missing");
    // Half a second later.
    cloud.fails(network, "Table", Operation::Create, "the network is gone");
    let late = LateEvent {
        logical_id: "Vpc".to_owned(),
        status: "CREATE_FAILED",
        by: Duration::from_secs(10),
    };
    cloud.change_faults(|faults| faults.late.push(late));
    let (report, events) = created(&cloud, slow_to_delete()).await;
    let reasons: Vec<String> = failures(&events)
        .into_iter()
        .map(|(_, why)| why.reason)
        .collect();
    assert_eq!(reasons, ["the network is gone", "role is missing"]);
    assert_eq!(
        outcome_lines(&report),
        ["network rolled back: role is missing"]
    );
}

#[tokio::test(start_paused = true)]
async fn cleanup_that_fails_after_an_update_is_no_failure() {
    let mut with_old = stacks();
    let resources = [("Vpc", "AWS::EC2::VPC"), ("Old", PLAIN)];
    let outputs = [("VpcId", "vpc-1")];
    *of(&mut with_old, &StackKind::Network) = stack(StackKind::Network, &resources, &outputs, &[]);
    let cloud = TestCloud::standing_as(with_old).await;
    cloud.fails("canary-network", "Old", Operation::Delete, "is in use");
    let plan = planned(&cloud, stacks()).await;
    let (report, events) = go(&cloud, plan).await;
    assert_eq!(outcome_lines(&report)[1], "network Updated");
    second_of(&cloud, "Old", "DELETE_FAILED");
    assert_eq!(failures(&events), []);
}

/// A pool whose machines have to signal, and other resources that are lively meanwhile.
fn signalling_pool() -> Vec<Stack> {
    let mut wanted = only(&StackKind::Pool("workers".to_owned()));
    let resources = &mut wanted[0].template["Resources"];
    resources["Group"]["CreationPolicy"] =
        json!({"ResourceSignal": {"Count": 1, "Timeout": "PT50S"}});
    for number in 0..12 {
        let body = json!({"Type": PLAIN, "Properties": {}});
        resources[format!("R{number}")] = body;
        if number > 0 {
            resources[format!("R{number}")]["DependsOn"] = json!(format!("R{}", number - 1));
        }
    }
    wanted
}

#[tokio::test(start_paused = true)]
async fn console_of_machines_without_signals_is_shown() {
    let cloud = TestCloud::new();
    let reason = "Received 0 SUCCESS signal(s) out of 1";
    cloud.fails("canary-pool-workers", "Group", Operation::Create, reason);
    let (report, events) = created(&cloud, signalling_pool()).await;
    let said = outcome_lines(&report).remove(0);
    // Names of machines are made up.
    let (instance, plain) = said
        .strip_prefix("pool-workers rolled back: ")
        .and_then(|said| said.split_once(": "))
        .expect("an instance");
    assert!(instance.starts_with("i-0"), "{said}");
    assert_eq!(
        plain,
        format!(
            "its kubelet does not become Ready: wait for node {instance} to be Ready: it is not after twenty \
             minutes; see kubectl describe node {instance} and whether the pod network runs (AWS: {reason})"
        )
    );
    let lines = &failures(&events)[0].1.lines;
    assert!(
        lines
            .last()
            .is_some_and(|line| line.contains("cni plugin not initialized")),
        "{lines:?}"
    );
    assert!(said.ends_with(&failures(&events)[0].1.reason));
    // While the machine is there, and once.
    let asked = cloud.called("console_of");
    assert_eq!(asked.len(), 1, "{asked:?}");
    let second: i64 = asked[0]
        .split(' ')
        .next()
        .and_then(|s| s.parse().ok())
        .unwrap_or(0);
    let zero = cloud.began.get().as_second();
    let failed = second_of(&cloud, "Group", "CREATE_FAILED") - zero;
    assert!((failed..failed + 10).contains(&second), "{asked:?}");
}

/// What a machine said is worth a wait of seconds, and no verdict.
#[tokio::test(start_paused = true)]
async fn refused_reads_of_a_boot_do_not_change_the_outcome() {
    for call in ["machines_of", "console_of", "objects"] {
        let cloud = TestCloud::new();
        let reason = "Received 1 FAILURE signal(s) out of 1";
        cloud.fails("canary-pool-workers", "Group", Operation::Create, reason);
        let denied = CloudError::Denied {
            caller_may_not: call.to_owned(),
            action: None,
        };
        cloud.refuse(call, "", 9, &denied);
        let (report, _) = created(&cloud, signalling_pool()).await;
        let said = outcome_lines(&report).remove(0);
        assert!(said.starts_with("pool-workers rolled back: "), "{said}");
        assert!(said.contains(reason), "{said}");
    }
}

#[tokio::test(start_paused = true)]
async fn failure_names_its_place_in_the_template() {
    let cloud = TestCloud::new();
    let reason = "limit of 5 VPCs reached";
    cloud.fails("canary-network", "Vpc", Operation::Create, reason);
    let plan = planned(&cloud, network()).await;
    let explain = |stack: &StackKind, id: &str, _: Option<&str>| {
        Some(Place {
            template: format!("{stack}.yaml:{}", id.len()),
            field: None,
        })
    };
    let (events, heard) = unbounded_channel();
    let session = Session {
        explain: &explain,
        ..Session::new("r1", &events)
    };
    go_in(&cloud, plan, &session, std::future::pending()).await;
    let all = received(heard);
    let place = failures(&all).remove(0).1.place.expect("a place");
    assert_eq!(place.template, "network.yaml:3");
}
