//! `status`: what is outside the stacks, what keeps a network, and what is no part of the cluster's health.

use std::collections::BTreeMap;

use kube_cfn::cloud::OutsideKind::{
    self, Bucket, ClassicLoadBalancer, Interface, Key, LoadBalancer, Machine, Volume,
};
use kube_cfn::cloud::{LiveStack, StackStatus};
use kube_cfn::report::cluster::{
    OperationView, OutsideView, StackWithResources, StatusView, health, is_network_stuck,
    network_lines, text, view,
};
use kube_cfn::sweep::{Disposition, Inventory, Owner, Past};
use serde_json::{Value, json};

use super::found::{
    balancer, foreign, group, inventory, left, machine, now, unknown, usual, volume,
};
use crate::support::golden;

fn stack(kind: &str, status: &str) -> StackWithResources {
    StackWithResources {
        found: LiveStack {
            id: format!("arn:aws:cloudformation:eu-west-1:123456789012:stack/canary-{kind}/1"),
            name: format!("canary-{kind}"),
            cluster: "canary".to_owned(),
            kind: kind.to_owned(),
            status: StackStatus::from(status),
            reason: None,
            parameters: BTreeMap::new(),
            outputs: BTreeMap::new(),
            tags: BTreeMap::new(),
            termination_protection: false,
            created: "2026-11-20T12:00:00Z".parse().unwrap(),
            updated: None,
        },
        resources: Vec::new(),
    }
}

fn seen(stacks: &[StackWithResources], inventory: &Inventory) -> StatusView {
    let stuck = is_network_stuck(stacks.iter().map(|one| &one.found));
    let mut view = view("canary", ("123456789012", "eu-west-1"), &[], stacks);
    view.outside = Some(OutsideView::of(inventory, "eu-west-1", stuck));
    view
}

fn healthy() -> Vec<StackWithResources> {
    vec![
        stack("base", "CREATE_COMPLETE"),
        stack("network", "CREATE_COMPLETE"),
    ]
}

fn half_deleted() -> Vec<StackWithResources> {
    vec![stack("network", "DELETE_FAILED")]
}

fn screen(name: &str, view: &StatusView) {
    let text = text(view, now());
    let width = text.lines().map(|line| line.chars().count()).max();
    assert!(width <= Some(80), "{text}");
    golden::check(&format!("outside/{name}.txt"), &text);
}

#[test]
fn services_claims_and_sizes_are_shown_below_the_stacks() {
    screen("status", &seen(&healthy(), &usual()));
}

#[test]
fn nothing_outside_is_said_as_such() {
    let text = text(&seen(&healthy(), &Inventory::default()), now());
    let line = "outside   nothing of canary lies outside its stacks\n";
    assert!(text.ends_with(line), "{text}");
}

#[test]
fn what_was_not_looked_for_is_named() {
    let inventory = Inventory {
        unknown: vec![unknown(LoadBalancer), unknown(Volume)],
        ..Inventory::default()
    };
    screen("status-unknown", &seen(&healthy(), &inventory));
    let mut view = seen(&healthy(), &inventory);
    view.outside = Some(OutsideView::not_looked_for(
        "no answer within 15 seconds",
        false,
    ));
    let text = text(&view, now());
    assert!(
        text.ends_with("outside   not looked for: no answer within 15 seconds\n"),
        "{text}"
    );
}

#[test]
fn many_of_a_kind_are_counted() {
    let volumes = (0..40).map(|n| {
        volume(
            &format!("vol-{n}"),
            10,
            Some(&format!("db/data-{n}")),
            "in-use",
        )
    });
    let text = text(&seen(&healthy(), &inventory(volumes.collect())), now());
    assert!(
        text.contains("40 volumes, 400 GiB: claims db/data-0, "),
        "{text}"
    );
    assert!(text.contains("and 35 more, see -o json"), "{text}");
}

#[test]
fn detached_machines_and_what_stacks_left_are_named() {
    let inventory = inventory(vec![
        machine("i-0a1", "running"),
        machine("i-0a2", "stopped"),
        left(Bucket, "canary-base-state-1a2b", "base"),
        left(Key, "arn:aws:kms:eu-west-1:123456789012:key/1a2b", "base"),
    ]);
    screen("status-left", &seen(&healthy(), &inventory));
}

#[test]
fn network_that_could_not_be_deleted_names_what_holds_it() {
    let inventory = inventory(vec![
        balancer("k8s-web", "default/web"),
        group("sg-0a1", "default/web"),
        volume("vol-0a1", 20, Some("default/data-0"), "available"),
        foreign(Machine, "i-0ff"),
    ]);
    let view = seen(&half_deleted(), &inventory);
    screen("status-half-deleted", &view);
    let lines = network_lines(&view).join("\n");
    assert!(
        !lines.contains("vol-0a1"),
        "a volume holds no network: {lines}"
    );
}

/// Many of a kind do not hide another one.
#[test]
fn network_that_much_holds_has_a_line_for_each_kind() {
    let mut found: Vec<_> = (10..22)
        .map(|n| balancer(&format!("k8s-{n}"), &format!("shop/web-{n}")))
        .collect();
    found.push(group("sg-0a1", "default/web"));
    found.extend((10..22).map(|n| foreign(Machine, &format!("i-{n}"))));
    found.push(foreign(Interface, "eni-0ff"));
    let view = seen(&half_deleted(), &inventory(found));
    screen("status-held-many", &view);
    let outside = serde_json::to_value(&view).unwrap()["outside"].take();
    assert_eq!(outside["holdsNetwork"].as_array().unwrap().len(), 26);
}

/// `delete` does not begin with a network in which others have something: it stays as it was.
#[test]
fn network_that_a_deletion_did_not_begin_with_names_what_holds_it() {
    let alone = vec![stack("network", "CREATE_COMPLETE")];
    let found = vec![foreign(Machine, "i-0ff"), foreign(Interface, "eni-0ff")];
    let view = seen(&alone, &inventory(found));
    screen("status-held", &view);
    let outside = serde_json::to_value(&view).unwrap()["outside"].take();
    assert_eq!(outside["holdsNetwork"][1]["id"], "eni-0ff");
    assert_eq!(outside["holdsNetwork"][1]["kind"], "interface");
    let health = health(&view);
    assert_eq!(
        health.unhealthy,
        ["a deletion has come as far as its network, and not further"]
    );
    let next = health.lost.unwrap();
    assert!(next.contains("`kube-cfn delete canary`"), "{next}");
}

#[test]
fn network_is_stuck_only_where_no_cluster_is_made_or_used() {
    let is = |stacks: &[(&str, &str)]| {
        let stacks: Vec<_> = stacks
            .iter()
            .map(|(kind, status)| stack(kind, status))
            .collect();
        is_network_stuck(stacks.iter().map(|one| &one.found))
    };
    let (made, failed) = ("CREATE_COMPLETE", "DELETE_FAILED");
    assert!(is(&[("network", made)]));
    assert!(is(&[("network", "UPDATE_COMPLETE"), ("edge", made)]));
    assert!(is(&[("network", failed), ("base", made)]));
    assert!(!is(&[("network", "DELETE_IN_PROGRESS")]));
    assert!(!is(&[("network", "CREATE_IN_PROGRESS")]));
    for other in ["base", "control-plane", "pool-web"] {
        assert!(!is(&[("network", made), (other, made)]), "{other}");
    }
    assert!(!is(&[("base", made)]));
}

#[test]
fn network_that_nothing_holds_any_more_is_said_as_such() {
    let lines = network_lines(&seen(&half_deleted(), &Inventory::default())).join("\n");
    assert!(
        lines.contains("nothing is found that holds it any more"),
        "{lines}"
    );
    assert!(lines.contains("`kube-cfn delete canary`"), "{lines}");
    let not_all = Inventory {
        unknown: vec![unknown(Interface), unknown(Volume)],
        ..Inventory::default()
    };
    let lines = network_lines(&seen(&half_deleted(), &not_all)).join("\n");
    assert!(!lines.contains("nothing is found"), "{lines}");
    assert!(
        lines.contains("not looked for: network interfaces"),
        "{lines}"
    );
    assert_eq!(
        network_lines(&seen(&healthy(), &usual())),
        Vec::<String>::new()
    );
}

#[test]
fn what_lies_outside_is_a_remark_and_no_part_of_the_health() {
    let found = vec![
        machine("i-0a1", "running"),
        left(Bucket, "canary-base-state-1a2b", "base"),
        balancer("k8s-web", "default/web"),
    ];
    let inventory = Inventory {
        unknown: vec![unknown(Key)],
        ..inventory(found)
    };
    let mut with = seen(&healthy(), &inventory);
    let without = health(&seen(&healthy(), &Inventory::default()));
    let health_with = health(&with);
    assert_eq!(health_with.unhealthy, without.unhealthy);
    assert_eq!(health_with.unknown, without.unknown);
    assert!(without.remarks.is_empty());
    let remarks = health_with.remarks.join("\n");
    assert!(
        remarks.contains("machine i-0a1 is in no Auto Scaling group any more, and costs"),
        "{remarks}"
    );
    assert!(
        remarks.contains("bucket canary-base-state-1a2b is left of a stack"),
        "{remarks}"
    );
    assert!(
        remarks.contains("not looked for: keys: User: arn"),
        "{remarks}"
    );
    assert!(!remarks.contains("default/web"), "{remarks}");
    // A roll detaches machines and ends them.
    with.operation = Some(OperationView::Unknown {
        reason: "x".to_owned(),
    });
    let remarks = health(&with).remarks.join("\n");
    assert!(!remarks.contains("i-0a1"), "{remarks}");
}

#[test]
fn data_has_one_shape_whatever_is_found() {
    let outside = |inventory: &Inventory, stacks: &[StackWithResources]| -> Value {
        serde_json::to_value(seen(stacks, inventory)).unwrap()["outside"].take()
    };
    let keys = |value: &Value| -> Vec<String> {
        let object = value.as_object().unwrap();
        object.keys().cloned().collect()
    };
    let empty = outside(&Inventory::default(), &healthy());
    let full = outside(&usual(), &half_deleted());
    assert_eq!(keys(&empty), keys(&full));
    assert_eq!(
        empty,
        json!({"resources": [], "foreign": 0, "unclear": 0, "holdsNetwork": [], "unknown": [], "notLookedFor": null})
    );
    let balancer = &full["resources"][0];
    assert_eq!(balancer["kind"], "loadBalancer");
    assert_eq!(balancer["owner"], "kubernetes");
    assert_eq!(balancer["purpose"], json!({"service": "default/web"}));
    assert_eq!(balancer["disposition"], "removed");
    assert_eq!(balancer["bytes"], Value::Null);
    assert_eq!(balancer["created"], "2026-11-27T09:00:00Z");
    for resource in full["resources"].as_array().unwrap() {
        assert_eq!(keys(resource), keys(balancer));
    }
    let held = full["holdsNetwork"].as_array().unwrap();
    let has = |kind: &str| held.iter().any(|one| one["kind"] == kind);
    assert!(
        has("interface") && has("subnet") && !has("volume"),
        "{held:?}"
    );
    assert_eq!(full["foreign"], 2);
}

#[test]
fn every_kind_has_a_line() {
    for kind in OutsideKind::ALL {
        let text = text(
            &seen(&healthy(), &inventory(vec![left(kind, "odd-1", "base")])),
            now(),
        );
        assert!(!text.contains("nothing of canary"), "{kind:?}: {text}");
        let name = kube_cfn::sweep::kinds::row(kind).name;
        assert!(
            text.contains(name) || kind == ClassicLoadBalancer,
            "{kind:?}: {text}"
        );
    }
}

#[test]
fn earlier_volumes_waiting_keys_and_unclear_ones_have_their_own_lines() {
    let mut old = volume("vol-0e1", 8, Some("shop/data"), "available");
    old.owner = Owner::Past(Past::Earlier);
    let mut key = left(Key, "arn:aws:kms:eu-west-1:1:key/k-1", "base");
    key.resource.state = Some("PendingDeletion".to_owned());
    key.resource.ends = Some("2026-12-20T10:00:00Z".parse().unwrap());
    key.disposition = Disposition::Kept;
    let mut unclear = volume("vol-0e2", 4, None, "available");
    unclear.owner = Owner::Unclear;
    let own = volume("vol-0a1", 20, Some("default/data-0"), "in-use");
    let view = seen(&healthy(), &inventory(vec![old, key, unclear, own]));
    let text = text(&view, now());
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    for part in [
        "1 volume, 20 GiB: claims default/data-0",
        "1 volume of an earlier cluster, 8 GiB: claims shop/data",
        "key k-1, disabled, and deleted for good on 2026-12-20",
        "1 resource that may be canary's or another cluster's",
    ] {
        assert!(words.contains(part), "{part}: {text}");
    }
    assert!(!words.contains("of others in its VPC"), "{text}");
    assert!(text.lines().all(|line| line.len() <= 80), "{text}");
}
