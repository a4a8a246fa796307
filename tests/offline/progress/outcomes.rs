//! Which events count as a failure, and their effect on the outcome.

use kube_cfn::events::{Outcome, Verb};
use kube_cfn::progress::Model;
use kube_cfn::stacks::StackKind::{Base, Edge};

use super::runs::{NAT, Run, at, expected};

const OTHER: &str = "NatGatewayB AWS::EC2::NatGateway NAT gateway in eu-west-1b";

fn one(verb: Verb) -> Run {
    Run::start(verb, vec![expected(Edge, Some(verb), 2, &[])]).stack(1, Edge, verb)
}

fn view(run: &Run, second: i64) -> String {
    let mut model = Model::default();
    run.events.iter().for_each(|event| model.update(event));
    let lines = model.view(at(second), 80, 24);
    lines.iter().map(|line| line.to_string() + "\n").collect()
}

#[test]
fn the_earliest_failure_by_the_servers_clock_is_the_cause() {
    let run = one(Verb::Create)
        .because(9, Edge, NAT, "CREATE_FAILED", Some("second"))
        .because(8, Edge, OTHER, "CREATE_FAILED", Some("first"));
    let text = view(&run, 10);
    assert!(text.contains("NatGatewayB"), "{text}");
    assert!(!text.contains("second"), "{text}");
}

#[test]
fn a_cancelled_resource_alone_is_no_failure() {
    let reason = Some("Resource creation cancelled");
    let run = one(Verb::Create).because(9, Edge, NAT, "CREATE_FAILED", reason);
    assert!(!view(&run, 10).contains("!!"));
}

#[test]
fn resources_that_an_update_could_not_remove_stay_listed() {
    let run = one(Verb::Update)
        .resource(5, Edge, NAT, "UPDATE_COMPLETE")
        .because(9, Edge, NAT, "DELETE_FAILED", Some("still in use"))
        .settled(12, Edge, Outcome::Updated);
    let text = view(&run, 13);
    assert!(text.contains(" ok  edge"), "{text}");
    assert!(
        text.contains("DELETE_FAILED after 0s\n     still in use"),
        "{text}"
    );
}

#[test]
fn a_second_operation_resets_the_state() {
    let run = one(Verb::Delete)
        .because(5, Edge, NAT, "DELETE_FAILED", Some("still in use"))
        .stack(20, Edge, Verb::Create)
        .resource(22, Edge, NAT, "CREATE_IN_PROGRESS");
    let text = view(&run, 30);
    assert!(
        text.contains(" >   edge  10s  0/2  NAT gateway in eu-west-1a  8s ~2m"),
        "{text}"
    );
    assert!(!text.contains("!!"), "{text}");
}

#[test]
fn cleanup_after_an_update_does_not_change_its_outcome() {
    let run = one(Verb::Update)
        .resource(5, Edge, NAT, "UPDATE_COMPLETE")
        .resource(8, Edge, NAT, "DELETE_IN_PROGRESS");
    let text = view(&run, 9);
    assert!(
        text.contains("1/2  deleting NAT gateway in eu-west-1a"),
        "{text}"
    );
}

#[test]
fn an_unannounced_stack_is_shown() {
    let run = one(Verb::Create).stack(3, Base, Verb::Create);
    assert!(view(&run, 4).contains(" >   base  1s"), "{}", view(&run, 4));
}
