//! Failures: the cause is shown first, only what depends on it stops, and a re-run finishes.

use serde_json::json;

use crate::world::World;

#[test]
fn a_failed_creation_rolls_back_and_the_next_run_recreates_it() {
    let world = World::with_database("failed");
    world.rules(json!([{
        "type": "AWS::EC2::NatGateway", "op": "create", "stack": "edge", "times": 1,
        "fail": "The maximum number of NAT gateways has been reached"
    }]));
    let said = world.apply();
    said.ends(3)
        .tells("a stack failed and was rolled back")
        .tells(
            "help: fix the cause, then re-run `kube-cfn apply failed`; completed stacks are kept",
        );
    let verdict = &said.stderr[said.at("failed: create failed after")..];
    let last = verdict.split("!!").nth(1).expect("the cause is pinned");
    assert!(
        last.contains("edge: NAT gateway in eu-west-1a (NatGateway) CREATE_FAILED")
            && last.contains("The maximum number of NAT gateways has been reached")
            && last.contains("from: network.nat (clusters/failed.yaml:")
            && last.contains("try: raise quota L-FE5A380F")
            && last.contains("not started: control-plane, pool-workers"),
        "{said}"
    );
    assert_eq!(
        world.standing(),
        [
            "base CREATE_COMPLETE",
            "network CREATE_COMPLETE",
            "edge ROLLBACK_COMPLETE",
            "database CREATE_COMPLETE",
            "control-plane -",
            "pool-workers -",
        ]
    );
    assert!(!world.kubeconfig().exists(), "there is no API yet");

    let again = world.apply();
    again
        .ends(0)
        .tells("+ edge             recreate  6 resources; the failed stack is deleted first")
        .tells("= database         nothing to do")
        .tells("Plan: 3 to create, 0 to update, 3 unchanged.");
    let standing = world.standing();
    assert!(
        standing
            .iter()
            .all(|line| line.ends_with(" CREATE_COMPLETE")),
        "{standing:?}"
    );
    assert!(world.kubeconfig().exists());
}

#[test]
fn a_failed_update_rolls_back_and_the_next_run_repeats_it() {
    let world = World::small("undone");
    world.apply().ends(0);
    world.edit("max: 1", "max: 2");
    world.rules(json!([{
        "type": "AWS::AutoScaling::AutoScalingGroup", "op": "update", "stack": "pool-workers",
        "times": 1, "fail": "You have requested more vCPU capacity than your limit allows"
    }]));
    let said = world.apply();
    said.ends(3).tells("more vCPU capacity than your limit");
    assert_eq!(world.standing()[4], "pool-workers UPDATE_ROLLBACK_COMPLETE");
    world
        .apply()
        .ends(0)
        .tells("~ pool-workers     update    1 in place");
    assert_eq!(world.standing()[4], "pool-workers UPDATE_COMPLETE");
}

#[test]
fn a_machine_that_reports_failure_fails_its_stack() {
    let world = World::small("silent");
    // As boot files without codes say it.
    let reason = "write the parameter state/etcd-initialized: it was refused";
    world.rules(json!([
        {
            "type": "AWS::AutoScaling::AutoScalingGroup", "op": "create", "stack": "control-plane",
            "signal": "FAILURE", "times": 1
        },
        {"op": "console", "logical": "SlotA", "text": format!("cloud-init: done\r\nboot: attempt 3 failed to {reason}\r\n")}
    ]));
    // A signal has no reason in it: that stands on the machine's console, last.
    world
        .apply()
        .ends(3)
        .tells("Machine of control-plane node a in eu-west-1a")
        .tells("FAILURE")
        .tells(reason);
    world.apply().ends(0);
}

#[test]
fn a_failed_rollback_needs_manual_action() {
    let world = World::small("stuck");
    world.rules(json!([
        {"type": "AWS::EC2::NatGateway", "op": "create", "stack": "edge", "times": 1,
         "fail": "no more gateways"},
        {"type": "AWS::EC2::EIP", "op": "delete", "stack": "edge", "times": 1,
         "fail": "the address is in use"}
    ]));
    let said = world.apply();
    said.ends(4)
        .tells("no more gateways")
        .tells("needs manual action");
    assert_eq!(world.standing()[2], "edge ROLLBACK_FAILED");
    // What is left holds no data, and the address is free by now.
    world
        .apply()
        .ends(0)
        .tells("the failed stack is deleted first")
        .tells("removing what is left of stuck-edge first");
    world.delete().ends(0).tells("stuck is deleted");
}
