//! What lists lack for a while, and what keeps a group from being whole.

use super::*;
use crate::roll::{End, RollScope, Surge, foresee};

fn terminated(step: &Step) -> Vec<&str> {
    let actions = step.actions.iter();
    let terminated = actions.filter_map(|action| match action {
        Action::Terminate { instance } | Action::TerminateInGroup { instance } => {
            Some(instance.as_str())
        }
        _ => None,
    });
    terminated.collect()
}

fn trouble(world: &mut World, id: &str, since: i64) {
    let node = world.seen.nodes.get_mut(id).unwrap();
    node.trouble = Some("KubeletNotReady".to_owned());
    node.since = Some(at(since));
}

fn untaint(world: &mut World) {
    for node in world.seen.nodes.values_mut() {
        node.is_outdated = false;
    }
}

#[test]
fn machine_that_is_detaching_counts_once() {
    let mut world = World::pool(3);
    world.looks(1);
    world.detach("workers", "i-0");
    world.seen.groups[0].members.push(GroupMember {
        instance: "i-0".to_owned(),
        lifecycle: "Detaching".to_owned(),
    });
    assert!(cordoned(&world.looks(5)).is_empty());
}

#[test]
fn sick_machines_go_one_after_the_other() {
    let mut world = World::pool(3);
    for id in ["i-0", "i-1", "i-2"] {
        trouble(&mut world, id, -60);
    }
    assert_eq!(detached(&world.looks(1)), ["i-0"]);
    world.detach("workers", "i-0");
    world.seen.instances.remove("i-0");
    world.seen.nodes.remove("i-0");
    let step = world.looks(3);
    assert!(detached(&step).is_empty(), "{step:?}");
    world.machine("workers", "i-new", 2);
    assert_eq!(detached(&world.looks(4)).len(), 1);
}

#[test]
fn roll_of_a_named_sick_machine_ends_with_its_replacement() {
    let mut world = World::pool(3);
    world.seen.groups[0].template = template(1);
    world.options.scope = RollScope::Node("i-0".to_owned());
    untaint(&mut world);
    trouble(&mut world, "i-0", -60);
    assert_eq!(detached(&world.looks(1)), ["i-0"]);
    world.detach("workers", "i-0");
    world.cordon("i-0", at(0));
    assert_eq!(terminated(&world.looks(4)), ["i-0"]);
    world.seen.instances.remove("i-0");
    world.seen.nodes.remove("i-0");
    let step = world.looks(3);
    assert!(step.end.is_none() && !step.waits.is_empty(), "{step:?}");
    world.machine("workers", "i-new", 1);
    untaint(&mut world);
    assert_eq!(world.looks(4).end, Some(End::Finished));
}

#[test]
fn restart_in_place_waits_for_the_machine_that_is_missing() {
    let mut world = World::pool(3);
    world.options.surge = Surge::Count(0);
    world.detach("workers", "i-0");
    world.seen.instances.remove("i-0");
    world.seen.nodes.remove("i-0");
    let step = world.looks(4);
    assert!(cordoned(&step).is_empty(), "{step:?}");
    world.machine("workers", "i-new", 2);
    world.looks(4);
    assert_eq!(cordoned(&world.looks(1)).len(), 1);
}

#[test]
fn machine_that_has_failed_for_long_is_not_waited_for() {
    let mut world = World::pool(3);
    world.machine("workers", "i-sick", 2);
    world.seen.groups[0].desired = 4;
    trouble(&mut world, "i-sick", -60);
    assert!(detached(&world.looks(2)).is_empty());
    trouble(&mut world, "i-sick", -3600);
    assert_eq!(detached(&world.looks(1)).len(), 1);
}

#[test]
fn group_that_launches_nothing_is_refused_and_stops() {
    let mut world = World::pool(2);
    world.seen.groups[0].suspended.insert("Launch".to_owned());
    let forecast = foresee(&world.seen, &world.options);
    let refused: Vec<&str> = forecast
        .refusals()
        .map(|(_, one)| one.text.as_str())
        .collect();
    let text = "Launch of workers is suspended, so no machine of it is replaced: resume it first";
    assert_eq!(refused, [text]);
    let step = world.looks(1);
    assert!(detached(&step).is_empty());
    assert_eq!(step.stops[0].text, text);
}

#[test]
fn machine_without_a_node_is_empty_only_after_five_minutes() {
    let mut world = World::pool(3);
    world.looks(1);
    world.detach("workers", "i-0");
    let node = world.seen.nodes.remove("i-0").unwrap();
    assert!(terminated(&world.looks(50)).is_empty());
    world.seen.nodes.insert("i-0".to_owned(), node);
    world.looks(1);
    world.seen.nodes.remove("i-0");
    assert!(terminated(&world.looks(59)).is_empty());
    assert_eq!(terminated(&world.looks(4)), ["i-0"]);
}

#[test]
fn list_without_most_nodes_is_no_answer() {
    let mut world = World::pool(4);
    let all = world.seen.nodes.clone();
    let listed = |count: usize| all.clone().into_iter().take(count).collect();
    assert_eq!(world.seen.gap(&listed(2)), None);
    assert!(world.seen.gap(&listed(1)).is_some());
    world.seen.nodes.clear();
    assert!(world.seen.gap(&listed(0)).is_some(), "the first look");
    assert_eq!(world.seen.gap(&listed(1)), None);
}

#[test]
fn pool_newer_than_the_control_plane_is_refused() {
    let mut world = World::pool(2);
    world.group("a", "control-plane", 1);
    world.machine("a", "i-a", 2);
    world.options.versions = [("pool-workers".to_owned(), "1.37.0".to_owned())].into();
    let refusals = |world: &World| foresee(&world.seen, &world.options).refusals().count();
    assert_eq!(refusals(&world), 1);
    world.options.scope = RollScope::All;
    assert_eq!(refusals(&world), 0);
    world.options.scope = RollScope::Pools;
    world.options.versions = [("pool-workers".to_owned(), "1.36.9".to_owned())].into();
    assert_eq!(refusals(&world), 0);
}

#[test]
fn machine_whose_group_is_no_more_is_drained_and_terminated() {
    let mut world = World::pool(2);
    world.detach("workers", "i-0");
    world.seen.groups.clear();
    world.seen.instances.remove("i-1");
    world.seen.nodes.remove("i-1");
    assert!(cordoned(&world.looks(59)).is_empty());
    assert_eq!(cordoned(&world.looks(4)), ["i-0"]);
    world.cordon("i-0", world.seen.at);
    assert_eq!(terminated(&world.looks(3)), ["i-0"]);
}

#[test]
fn tag_that_is_not_shown_yet_is_remembered() {
    let mut world = World::pool(3);
    world.options.scope = RollScope::Node("i-0".to_owned());
    world.looks(1);
    world.detach("workers", "i-0");
    world.seen.instances.get_mut("i-0").unwrap().roll = None;
    world.seen.add_tags(&world.memory.marked);
    let step = world.looks(1);
    assert!(step.end.is_none());
    assert_eq!(world.seen.detached("workers").count(), 1);
}

#[test]
fn later_run_looks_whether_a_stray_gets_its_tag() {
    let mut world = World::pool(3);
    world.seen.groups[0].template = template(1);
    world.detach("workers", "i-0");
    world.machine("workers", "i-new", 1);
    untaint(&mut world);
    world.seen.instances.get_mut("i-0").unwrap().roll = None;
    assert!(world.looks(4).end.is_none());
    assert_eq!(world.looks(2).end, Some(End::Finished));
}

#[test]
fn machine_that_comes_and_goes_does_not_put_off_the_stop() {
    let mut world = World::pool(3);
    world.looks(1);
    world.detach("workers", "i-0");
    for look in 0..95 {
        if look % 2 == 1 {
            trouble(&mut world, "i-1", -60);
        } else {
            let node = world.seen.nodes.get_mut("i-1").unwrap();
            node.trouble = None;
        }
        world.looks(3);
    }
    assert_eq!(world.memory.stops.len(), 1);
}

#[test]
fn machine_in_standby_is_named_and_ends_the_roll() {
    let mut world = World::pool(3);
    for member in &mut world.seen.groups[0].members {
        member.lifecycle = "Standby".to_owned();
    }
    assert!(!world.looks(3).waits[0].is_notable);
    let step = world.looks(62);
    assert!(step.waits[0].is_notable && step.waits[0].text.contains("Standby in workers"));
    world.looks(122);
    assert_eq!(world.memory.stops.len(), 3);
    untaint(&mut world);
    assert!(matches!(world.looks(1).end, Some(End::Stopped(_))));
}

#[test]
fn machine_on_its_way_out_is_not_selected() {
    let mut world = World::pool(1);
    world.seen.groups[0].members[0].lifecycle = "Terminating:Wait".to_owned();
    untaint(&mut world);
    assert!(foresee(&world.seen, &world.options).machines.is_empty());
}

#[test]
fn machine_of_another_kind_of_stack_is_no_pool() {
    let mut world = World::pool(0);
    world.group("extra", "extra", 1);
    world.machine("extra", "i-x", 1);
    assert!(foresee(&world.seen, &world.options).machines.is_empty());
}

#[test]
fn machine_without_a_template_is_refused_unless_named() {
    let mut world = World::pool(1);
    world.seen.instances.get_mut("i-0").unwrap().template = None;
    assert_eq!(foresee(&world.seen, &world.options).refusals().count(), 1);
    world.options.scope = RollScope::Node("i-0".to_owned());
    assert_eq!(foresee(&world.seen, &world.options).refusals().count(), 0);
    world.options.scope = RollScope::Pools;
    world.seen.instances.get_mut("i-0").unwrap().launched = Some(at(-60));
    assert!(
        foresee(&world.seen, &world.options).machines.is_empty(),
        "its tags come"
    );
}
