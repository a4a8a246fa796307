//! Machines that do not boot: the emulated AWS shows what the boot programs said when they were broken, and the program
//! names the cause, at once and afterwards.

use kube_cfn::catalog::boot_causes;
use serde_json::{Value, json};

use crate::world::World;

/// Applies a cluster whose control plane does not boot for this cause, and diagnoses it afterwards.
fn names(cause: &str, name: &str) {
    let world = World::small(name);
    world.rules(json!([{
        "type": "AWS::AutoScaling::AutoScalingGroup", "op": "create", "stack": "control-plane",
        "boot": cause, "times": 1
    }]));
    let known = boot_causes::by_code(cause).expect("a cause of the catalogue");
    let remedy = format!("try: {}", known.remedy);
    let then = format!("then: kube-cfn apply {name}");
    let said = world.apply();
    said.ends(3).tells(&remedy).tells(&then);
    let at = |text: &str| {
        said.stderr
            .find(text)
            .unwrap_or_else(|| panic!("no {text:?}: {said}"))
    };
    // The instance and the cause, before CloudFormation's list of what it rolls back.
    assert!(
        said.stderr.contains(&format!(": {}: ", known.sentence)),
        "{said}"
    );
    assert!(at(&known.sentence) < at("is being rolled back"), "{said}");
    assert!(at(&remedy) < at(&then), "{said}");
    assert!(!said.stderr.contains("controlPlane.nodes"), "{said}");
    // The machine is gone with its stack.
    let later = world.cluster("diagnose", &["-o", "json"]);
    let found: Value = serde_json::from_str(&later.stdout).expect("JSON");
    let failure = &found["failures"][0]["failure"];
    let reason = failure["reason"].as_str().expect("a reason");
    assert!(
        reason.starts_with("i-") && reason.contains(&known.sentence),
        "{found:#}"
    );
    assert_eq!(failure["hint"], json!(known.remedy));
    world.no_rules();
    world.apply().ends(0);
}

#[test]
fn boot_that_pulls_no_image_is_named() {
    names("image-pull", "bootpull");
}

#[test]
fn boot_that_misses_a_parameter_is_named() {
    names("parameter", "bootparam");
}

#[test]
fn boot_without_a_ready_api_is_named() {
    names("api", "bootapi");
}

/// It can read nothing of AWS and store no log; its signal and its console tell.
#[test]
fn boot_without_credentials_is_named() {
    names("instance-profile", "bootprofile");
}

/// A machine that does not join its cluster: that of a pool.
#[test]
fn boot_of_a_worker_is_named() {
    let world = World::small("bootworker");
    world.rules(json!([{
        "type": "AWS::AutoScaling::AutoScalingGroup", "op": "create", "stack": "pool-workers",
        "boot": "join", "times": 1
    }]));
    let known = boot_causes::by_code("join").expect("a cause of the catalogue");
    world
        .apply()
        .ends(3)
        .tells(&known.sentence)
        .tells(&known.remedy);
}

/// The control plane has no stack that failed: its machine was replaced later, and does not boot.
#[test]
fn later_boot_is_found_by_diagnose() {
    let world = World::small("bootlater");
    world.apply().ends(0);
    world.cluster("diagnose", &[]).tells("succeeded");
    world.rules(json!([{"op": "console", "logical": "SlotA",
        "text": "kube-cfn boot failed: etcd-quorum: wait for etcd: it is not healthy\r\n"}]));
    let known = boot_causes::by_code("etcd-quorum").expect("a cause of the catalogue");
    let said = world.cluster("diagnose", &[]);
    for text in [
        "control-plane: the boot of a machine failed",
        known.sentence.as_str(),
        &format!("try: {}", known.remedy),
    ] {
        assert!(said.stdout.contains(text), "{text}: {said}");
    }
}
