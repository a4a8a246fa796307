//! Marks of nodes, and what is read of one.

use super::*;

const TIME: &str = "2026-11-23T10:00:00Z";

fn node(object: Value) -> core::Node {
    serde_json::from_value(object).unwrap()
}

fn cordon(time: Option<&str>) -> NodeMark {
    NodeMark {
        cordon: Some(time.map(str::to_owned)),
        ..NodeMark::default()
    }
}

#[test]
fn cordon_has_annotation_and_label_and_keeps_the_rest() {
    let found =
        node(json!({"metadata": {"name": "i-1", "resourceVersion": "7", "labels": {"a": "b"}}}));
    let patch = patch(&found, &cordon(Some(TIME))).unwrap();
    assert_eq!(
        patch,
        json!({"metadata": {"resourceVersion": "7", "annotations": {ROLL: TIME}, "labels": {OUT_OF_BALANCERS: ""}},
            "spec": {"unschedulable": true}})
    );
}

#[test]
fn cordon_of_somebody_else_is_not_taken_away() {
    let theirs = node(json!({"metadata": {"name": "i-1"}, "spec": {"unschedulable": true}}));
    assert_eq!(patch(&theirs, &cordon(None)), None);
    let ours = json!({"metadata": {"name": "i-1", "annotations": {ROLL: TIME}, "labels": {OUT_OF_BALANCERS: ""}},
        "spec": {"unschedulable": true}});
    let ours = patch(&node(ours), &cordon(None)).unwrap();
    assert_eq!(ours["spec"], json!({"unschedulable": null}));
    assert_eq!(ours["metadata"]["labels"], json!({OUT_OF_BALANCERS: null}));
    assert_eq!(ours["metadata"]["annotations"], json!({ROLL: null}));
}

#[test]
fn what_a_node_had_before_it_keeps() {
    let theirs = json!({"metadata": {"name": "i-1", "labels": {OUT_OF_BALANCERS: ""}}, "spec": {"unschedulable": true}});
    let cordoned = patch(&node(theirs), &cordon(Some(TIME))).unwrap();
    let noted = format!("{TIME} cordon label");
    assert_eq!(cordoned["metadata"]["annotations"], json!({ROLL: noted}));
    let ours = json!({"metadata": {"name": "i-1", "annotations": {ROLL: noted}, "labels": {OUT_OF_BALANCERS: ""}},
        "spec": {"unschedulable": true}});
    let found = state(node(ours.clone()));
    assert_eq!(
        (found.roll.as_deref(), found.was_cordoned),
        (Some(TIME), true)
    );
    let freed = patch(&node(ours.clone()), &cordon(None)).unwrap();
    assert_eq!(freed["metadata"]["annotations"], json!({ROLL: null}));
    assert_eq!(freed["metadata"]["labels"], json!({}));
    assert_eq!(freed["spec"], json!({}));
    let later = "2026-11-23T11:00:00Z";
    let again = patch(&node(ours), &cordon(Some(later))).unwrap();
    let noted = format!("{later} cordon label");
    assert_eq!(again["metadata"]["annotations"], json!({ROLL: noted}));
}

#[test]
fn autoscaler_is_held_off_and_what_a_user_wrote_stays() {
    let keep = |keep| NodeMark {
        keep: Some(keep),
        ..NodeMark::default()
    };
    let plain = json!({"metadata": {"name": "i-1"}});
    let kept = patch(&node(plain), &keep(true)).unwrap();
    let both = json!({KEPT: "true", KEPT_BY_ROLL: "true"});
    assert_eq!(kept["metadata"]["annotations"], both);
    let ours = json!({"metadata": {"name": "i-1", "annotations": both}});
    assert!(state(node(ours.clone())).is_kept);
    let freed = patch(&node(ours), &keep(false)).unwrap();
    let neither = json!({KEPT: null, KEPT_BY_ROLL: null});
    assert_eq!(freed["metadata"]["annotations"], neither);
    let users = json!({"metadata": {"name": "i-1", "annotations": {KEPT: "true"}}});
    let kept = patch(&node(users.clone()), &keep(true)).unwrap();
    assert_eq!(kept["metadata"]["annotations"], json!({KEPT_BY_ROLL: HAD}));
    assert_eq!(patch(&node(users), &keep(false)), None);
    let users =
        json!({"metadata": {"name": "i-1", "annotations": {KEPT: "true", KEPT_BY_ROLL: HAD}}});
    let freed = patch(&node(users), &keep(false)).unwrap();
    assert_eq!(
        freed["metadata"]["annotations"],
        json!({KEPT_BY_ROLL: null})
    );
}

#[test]
fn kubelet_that_reports_is_not_silent() {
    let of = |status: &str| {
        let ready = json!({"type": "Ready", "status": status});
        state(node(
            json!({"metadata": {"name": "i-1"}, "status": {"conditions": [ready]}}),
        ))
    };
    assert!(of("Unknown").is_silent && !of("False").is_silent && !of("True").is_silent);
    assert!(of("False").trouble.is_some());
}

#[test]
fn taint_is_added_once_beside_those_of_others() {
    let other = json!({"key": "dedicated", "effect": "NoSchedule", "value": "gpu"});
    let found = json!({"metadata": {"name": "i-1"}, "spec": {"taints": [other]}});
    let outdated = NodeMark {
        outdated: Some(true),
        ..NodeMark::default()
    };
    let tainted = patch(&node(found), &outdated).unwrap();
    let ours = json!({"key": OUTDATED, "effect": "PreferNoSchedule"});
    assert_eq!(tainted["spec"]["taints"], json!([other, ours]));
    let found = json!({"metadata": {"name": "i-1"}, "spec": {"taints": [other, ours]}});
    assert_eq!(patch(&node(found.clone()), &outdated), None);
    let plain = NodeMark {
        outdated: Some(false),
        ..NodeMark::default()
    };
    let without = patch(&node(found), &plain).unwrap();
    assert_eq!(without["spec"]["taints"], json!([other]));
}

#[test]
fn node_has_its_marks_and_resources() {
    let found = state(node(json!({
        "metadata": {"name": "i-1", "uid": "u", "annotations": {ROLL: TIME}},
        "spec": {"unschedulable": true, "taints": [{"key": OUTDATED, "effect": "PreferNoSchedule"}]},
        "status": {"allocatable": {"cpu": "1930m", "memory": "3Gi"},
            "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": TIME}]},
    })));
    assert_eq!(found.roll.as_deref(), Some(TIME));
    assert!(found.is_outdated && found.is_cordoned);
    assert_eq!((found.uid.as_str(), found.trouble), ("u", None));
    assert_eq!(found.since, TIME.parse().ok());
    let wanted = NodeResources {
        milli_cpu: 1930,
        memory_bytes: 3 << 30,
    };
    assert_eq!(found.allocatable, wanted);
}

#[test]
fn silent_api_is_away_and_a_refusal_is_not() {
    let away = |error: KubeError| matches!(NodesError::from(error), NodesError::Away(_));
    let says = || "no".to_owned();
    assert!(away(KubeError::Unreachable {
        server: says(),
        why: says()
    }));
    assert!(away(KubeError::Api {
        code: 503,
        says: says()
    }));
    assert!(away(KubeError::Answer(says())));
    assert!(!away(KubeError::Forbidden(says())));
    assert!(!away(KubeError::Api {
        code: 422,
        says: says()
    }));
}
