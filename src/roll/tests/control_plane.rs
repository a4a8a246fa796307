//! The order of control-plane nodes, and what each waits for.

use std::collections::BTreeMap;

use super::*;
use crate::etcd::{Member, slots};
use crate::roll::RollScope;

/// Three nodes of version 1; `b` leads etcd.
fn three() -> World {
    let mut world = World::pool(1);
    world.seen.groups.clear();
    world.seen.instances.clear();
    world.seen.nodes.clear();
    world.options.scope = RollScope::ControlPlane;
    let names: BTreeMap<String, String> = ["A", "B", "C"]
        .map(|letter| (format!("Slot{letter}"), format!("slot-{letter}")))
        .into();
    world.options.slots = slots(&names);
    for (letter, id) in [("A", "i-a"), ("B", "i-b"), ("C", "i-c")] {
        let group = format!("slot-{letter}");
        world.group(&group, "control-plane", 1);
        world.machine(&group, id, 1);
        for name in ["kube-apiserver", "etcd"] {
            let pod = world.pod(id, &format!("{name}-{id}"));
            pod.owner = PodOwner::Static;
        }
    }
    let member = |letter: &str| Member {
        id: format!("id-{letter}"),
        slot: letter.to_owned(),
        name: format!("etcd-{letter}"),
        started: true,
        serves: true,
        leader: letter == "b",
        ..Member::default()
    };
    world.seen.control_plane.members = Some(Ok(["a", "b", "c"].map(member).to_vec()));
    world
}

fn members(world: &mut World) -> &mut Vec<Member> {
    let Some(Ok(members)) = &mut world.seen.control_plane.members else {
        panic!("members");
    };
    members
}

/// The machine of a node is another one of the wanted version.
fn replaced(world: &mut World, group: &str, old: &str, new: &str) {
    world.seen.nodes.remove(old);
    world.seen.instances.remove(old);
    world
        .seen
        .pods
        .retain(|pod| pod.node.as_deref() != Some(old));
    for one in &mut world.seen.groups {
        one.members.retain(|member| member.instance != old);
    }
    world.machine(group, new, 2);
    for name in ["kube-apiserver", "etcd"] {
        let pod = world.pod(new, &format!("{name}-{new}"));
        pod.owner = PodOwner::Static;
    }
}

#[test]
fn followers_go_first_and_the_leader_last() {
    let mut world = three();
    assert_eq!(cordoned(&world.looks(1)), ["i-a"]);
    replaced(&mut world, "slot-A", "i-a", "i-d");
    world.memory.probes = (60, 0);
    assert_eq!(cordoned(&world.looks(1)), ["i-c"]);
    replaced(&mut world, "slot-C", "i-c", "i-e");
    assert_eq!(cordoned(&world.looks(1)), ["i-b"]);
}

#[test]
fn next_node_waits_for_a_minute_of_probes() {
    let mut world = three();
    world.looks(1);
    replaced(&mut world, "slot-A", "i-a", "i-d");
    world.memory.replaced = [("control-plane".to_owned(), ["i-a".to_owned()].into())].into();
    world.memory.probes = (59, 2);
    let step = world.looks(1);
    assert!(cordoned(&step).is_empty() && step.probes);
    assert_eq!(
        step.waits[0].text,
        "the API answers: 59 of 60 probes in a row, 2 failed"
    );
    world.memory.probes = (60, 2);
    assert_eq!(cordoned(&world.looks(1)), ["i-c"]);
}

#[test]
fn no_node_goes_while_another_member_does_not_serve() {
    let mut world = three();
    members(&mut world)[2].serves = false;
    let step = world.looks(1);
    // The one that serves nobody is replaced before all others.
    assert_eq!(cordoned(&step), ["i-c"]);
    world.seen.groups[2].template = template(1);
    let step = world.looks(1);
    assert!(cordoned(&step).is_empty());
    assert_eq!(
        step.waits[0].text,
        "control-plane node c: etcd member etcd-c does not serve"
    );
    let step = world.looks(181);
    assert!(world.memory.is_stopped("control-plane"), "{step:?}");
}

#[test]
fn drained_node_is_not_terminated_while_another_one_fails() {
    let mut world = three();
    world.looks(1);
    world.cordon("i-a", at(0));
    world.seen.at = at(10);
    let ends = |step: &Step| {
        let mut actions = step.actions.iter();
        actions.any(|action| matches!(action, Action::TerminateInGroup { .. }))
    };
    members(&mut world)[1].serves = false;
    assert!(!ends(&world.looks(1)));
    members(&mut world)[1].serves = true;
    assert!(ends(&world.looks(1)));
}

#[test]
fn new_machine_has_the_same_member_and_the_wanted_version() {
    let mut world = three();
    world.options.versions = [("control-plane".to_owned(), "1.37.0".to_owned())].into();
    world.looks(1);
    replaced(&mut world, "slot-A", "i-a", "i-d");
    world.memory.probes = (60, 0);
    let text = |world: &mut World| world.looks(1).waits.first().map(|wait| wait.text.clone());
    assert_eq!(
        text(&mut world).as_deref(),
        Some("control-plane node a: its kubelet runs v1.36.2, not v1.37.0")
    );
    world.seen.nodes.get_mut("i-d").unwrap().version = "v1.37.0".to_owned();
    assert_eq!(
        text(&mut world).as_deref(),
        Some("control-plane node a: kube-apiserver-i-d does not run 1.37.0 yet")
    );
    for pod in &mut world.seen.pods {
        pod.images = vec!["registry.k8s.io/kube-apiserver:v1.37.0".to_owned()];
    }
    members(&mut world)[0].id = "id-other".to_owned();
    assert_eq!(
        text(&mut world).as_deref(),
        Some("control-plane node a: etcd member etcd-a is another one than before")
    );
}

#[test]
fn large_database_keeps_every_node() {
    let mut world = three();
    members(&mut world)[1].bytes = 3 << 30;
    let step = world.looks(1);
    assert!(cordoned(&step).is_empty());
    assert!(
        step.waits[0].text.contains("3072 MiB"),
        "{}",
        step.waits[0].text
    );
}

fn waits_for(world: &mut World) -> String {
    let step = world.looks(1);
    assert!(cordoned(&step).is_empty(), "{step:?}");
    step.waits[0].text.clone()
}

#[test]
fn alarm_and_strange_members_keep_every_node() {
    let mut world = three();
    world.seen.control_plane.alarms = vec!["NOSPACE".to_owned()];
    assert_eq!(waits_for(&mut world), "etcd has the alarm NOSPACE");
    let mut world = three();
    members(&mut world).push(Member {
        id: "id-x".to_owned(),
        ..Member::default()
    });
    assert_eq!(
        waits_for(&mut world),
        "etcd has 4 members, not one for each of 3 control-plane nodes"
    );
    let mut world = three();
    members(&mut world)[2].started = false;
    assert_eq!(
        waits_for(&mut world),
        "etcd member etcd-c has never started"
    );
}

#[test]
fn node_whose_group_is_not_listed_is_a_fault() {
    let mut world = three();
    world.seen.groups.retain(|group| group.name != "slot-C");
    assert_eq!(
        waits_for(&mut world),
        "control-plane node c: AWS lists no group slot-C"
    );
}

#[test]
fn obstacle_of_the_whole_control_plane_ends_after_a_quarter_of_an_hour() {
    let mut world = three();
    members(&mut world)[1].bytes = 3 << 30;
    let step = world.looks(180);
    assert!(step.stops.is_empty() && !world.memory.is_stopped("control-plane"));
    world.looks(2);
    assert!(world.memory.is_stopped("control-plane"));
}

#[test]
fn leadership_that_comes_to_the_cordoned_node_lets_another_one_go_first() {
    let mut world = three();
    world.looks(1);
    world.cordon("i-a", at(0));
    for member in members(&mut world) {
        member.leader = member.slot == "a";
    }
    let step = world.looks(1);
    assert_eq!(
        step.actions,
        [Action::Uncordon {
            node: "i-a".to_owned()
        }]
    );
    let node = world.seen.nodes.get_mut("i-a").unwrap();
    (node.is_cordoned, node.roll) = (false, None);
    assert_eq!(cordoned(&world.looks(1)), ["i-b"]);
}

#[test]
fn slot_without_a_machine_is_work_though_nothing_is_outdated() {
    let mut world = three();
    for group in &mut world.seen.groups {
        group.template = template(1);
    }
    let rest = |world: &World| crate::roll::foresee(&world.seen, &world.options).has_rest;
    assert!(!rest(&world));
    world.seen.groups[0].members.clear();
    world.seen.instances.remove("i-a");
    world.seen.nodes.remove("i-a");
    assert!(rest(&world));
    assert!(world.looks(1).end.is_none());
    let mut young = three();
    for group in &mut young.seen.groups {
        group.template = template(1);
    }
    young.seen.instances.get_mut("i-a").unwrap().launched = Some(at(-60));
    assert!(rest(&young), "the API is probed");
}
