//! A deletion that is killed anywhere is finished by the next run: nothing is left, and nothing of others is touched.

use std::time::{Duration, Instant};

use serde_json::json;

use super::made;
use crate::world::World;

/// How often a run is killed at most, and how much longer each runs than the one before.
const KILLS: u32 = 30;
const STEP: Duration = Duration::from_millis(400);

#[test]
fn killed_deletion_is_finished_by_the_next_run() {
    let world = World::small("slain");
    world.apply().ends(0);
    let ours = made::ours(&world);
    let others = made::beside(&world);
    let before = made::list(&world);
    world.account_facts(&json!({"interfacesStay": 1, "tagsStay": 2, "terminating": 1}));
    let mut killed = 0;
    let last = loop {
        let begun = Instant::now();
        let run = world.spawn(&["delete", "slain", "--confirm", "slain"]);
        let time = STEP * (killed + 1);
        if killed == KILLS {
            break run.wait();
        }
        std::thread::sleep(time.saturating_sub(begun.elapsed()));
        let said = run.kill();
        made::list(&world).has_unchanged(&before, &others.keys());
        if said.code.is_some() {
            break said;
        }
        killed += 1;
    };
    last.ends(0);
    assert!(killed > 3, "it was killed {killed} times only");
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
