//! A deletion that is killed at any call is finished by the next run: nothing is left, and nothing of others is touched.

use serde_json::json;

use super::made;
use crate::kills::Kills;
use crate::world::World;

/// Kills a deletion at its calls and looks at what is left in the end.
fn is_finished_after_kills(name: &str, when: &'static str) {
    let world = World::small(name);
    world.apply().ends(0);
    let ours = made::ours(&world);
    let others = made::beside(&world);
    let before = made::list(&world);
    let facts = json!({"interfacesStay": 1, "tagsStay": 2, "terminating": 1});
    let kills = Kills { calls: 26, when };
    let delete = ["delete", name, "--confirm", name];
    kills
        .until_done(&world, &delete, &facts, |_| {
            made::list(&world).has_unchanged(&before, &others.keys());
        })
        .ends(0);
    let after = made::list(&world);
    after.has_none_of(&ours.keys_without(&["volume", "snapshot"]));
    after.has_unchanged(&before, &others.keys());
    for kind in ["stack", "parameter"] {
        assert!(after.of(kind).is_empty(), "{:?}", after.of(kind));
    }
    for id in ours.of("volume") {
        assert!(after.has(&format!("volume {id}")), "{id}");
    }
}

#[test]
fn deletion_killed_before_its_calls_is_finished_by_the_next_run() {
    is_finished_after_kills("slain", "before");
}

#[test]
fn deletion_killed_after_its_calls_is_finished_by_the_next_run() {
    is_finished_after_kills("slain-late", "after");
}
