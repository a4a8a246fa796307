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
