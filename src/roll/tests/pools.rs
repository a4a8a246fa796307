//! Which machines of a pool are taken out, and when they are drained.

use super::*;
use crate::roll::{End, RollScope, Surge};

#[test]
fn surge_is_a_number_or_a_percentage() {
    assert_eq!("10%".parse(), Ok(Surge::Percent(10)));
    assert_eq!("3".parse(), Ok(Surge::Count(3)));
    for text in ["0%", "101%", "-1", "a", "", "%"] {
        assert!(text.parse::<Surge>().is_err(), "{text}");
    }
    let lanes = [
        (Surge::Percent(10), 11),
        (Surge::Percent(1), 3),
        (Surge::Count(4), 1),
    ];
    assert_eq!(lanes.map(|(surge, wanted)| surge.lanes(wanted)), [2, 1, 4]);
}

#[test]
fn first_machine_is_replaced_alone() {
    let mut world = World::pool(4);
    world.options.surge = Surge::Count(3);
    world.pod("i-0", "slow").grace_seconds = 600;
    let step = world.looks(1);
    assert_eq!(detached(&step), ["i-1"], "the one with the shortest drain");
    assert!(step.actions.contains(&Action::Mark {
        instance: "i-1".to_owned(),
        group: "workers".to_owned()
    }));
}

#[test]
fn machines_after_the_first_go_by_their_drain() {
    let mut world = World::pool(4);
    world.options.surge = Surge::Count(2);
    world.machine("workers", "i-new", 2);
    world.pod("i-2", "slow").grace_seconds = 600;
    world.pod("i-3", "slower").claims = vec!["data".to_owned(); 40];
    let step = world.looks(3);
    assert_eq!(detached(&step), ["i-3", "i-2"]);
}

#[test]
fn detached_machine_is_drained_after_its_replacement_passed_three_looks() {
    let mut world = World::pool(3);
    world.looks(1);
    world.detach("workers", "i-0");
    assert!(cordoned(&world.looks(2)).is_empty());
    world.machine("workers", "i-new", 2);
    assert!(cordoned(&world.looks(2)).is_empty(), "two looks");
    assert_eq!(cordoned(&world.looks(2)), ["i-0"]);
}

#[test]
fn replacement_of_another_version_does_not_count() {
    let mut world = World::pool(3);
    world.options.versions = [("pool-workers".to_owned(), "1.37.0".to_owned())].into();
    world.looks(1);
    world.detach("workers", "i-0");
    world.machine("workers", "i-new", 2);
    assert!(cordoned(&world.looks(5)).is_empty());
    let node = world.seen.nodes.get_mut("i-new").unwrap();
    node.version = "v1.37.0".to_owned();
    assert_eq!(cordoned(&world.looks(4)), ["i-0"]);
}

#[test]
fn pool_without_a_replacement_stops_after_a_quarter_of_an_hour() {
    let mut world = World::pool(3);
    world.looks(1);
    world.detach("workers", "i-0");
    let looked = world.looks(179);
    assert!(looked.stops.is_empty() && looked.end.is_none());
    world.looks(5);
    let [only] = world.memory.stops.as_slice() else {
        panic!("{:?}", world.memory.stops);
    };
    assert!(
        only.text
            .starts_with("no replacement is Ready after 15 minutes"),
        "{}",
        only.text
    );
    // Taints go, then it ends; the machine that is out of its group serves on.
    for node in world.seen.nodes.values_mut() {
        node.is_outdated = false;
    }
    let after = world.looks(2);
    assert!(cordoned(&after).is_empty());
    assert!(matches!(after.end, Some(End::Stopped(_))), "{after:?}");
}

#[test]
fn surge_of_nothing_cordons_one_machine_in_its_group() {
    let mut world = World::pool(3);
    world.options.surge = Surge::Count(0);
    let step = world.looks(3);
    assert_eq!((detached(&step).len(), cordoned(&step).len()), (0, 1));
    world.cordon("i-0", at(10));
    let step = world.looks(3);
    assert!(cordoned(&step).is_empty());
    let end = Action::TerminateInGroup {
        instance: "i-0".to_owned(),
    };
    assert!(step.actions.contains(&end), "{step:?}");
}

#[test]
fn named_machine_is_replaced_whatever_its_version() {
    let mut world = World::pool(3);
    world.seen.groups[0].template = template(1);
    world.options.scope = RollScope::Node("i-2".to_owned());
    assert_eq!(detached(&world.looks(1)), ["i-2"]);
}

#[test]
fn blocked_machine_lends_its_place_once() {
    let mut world = World::pool(6);
    world.options.surge = Surge::Count(2);
    world.options.drain_timeout = std::time::Duration::from_hours(2);
    for new in ["i-new", "i-new2", "i-new3"] {
        world.machine("workers", new, 2);
    }
    world.budget("web", 0);
    for id in ["i-0", "i-1"] {
        world.detach("workers", id);
        world.cordon(id, at(0));
        world.pod(id, &format!("web-{id}"));
    }
    let block = |world: &mut World| {
        for id in ["web-i-0", "web-i-1"] {
            let pod = world.seen.pods.iter().find(|pod| pod.pod.name == id);
            let blocked = crate::roll::Blocked {
                since: at(10),
                why: "no".to_owned(),
                by_budget: true,
            };
            world
                .memory
                .blocked
                .insert(pod.unwrap().pod.clone(), blocked);
        }
    };
    block(&mut world);
    assert!(
        detached(&world.looks(4)).is_empty(),
        "both places are taken"
    );
    world.seen.at = at(400);
    assert_eq!(detached(&world.looks(1)).len(), 1);
}

#[test]
fn machine_that_is_not_wanted_loses_our_marks() {
    let mut world = World::pool(2);
    world.seen.groups[0].template = template(1);
    world.cordon("i-0", at(-100));
    let one = world.seen.instances.get_mut("i-1").unwrap();
    one.roll = Some("workers".to_owned());
    let step = world.looks(1);
    assert!(step.actions.contains(&Action::Uncordon {
        node: "i-0".to_owned()
    }));
    assert!(step.actions.contains(&Action::Unmark {
        instance: "i-1".to_owned()
    }));
    let untainted = step.actions.iter().filter(|action| {
        matches!(
            action,
            Action::Taint {
                is_outdated: false,
                ..
            }
        )
    });
    assert_eq!(untainted.count(), 2);
}
