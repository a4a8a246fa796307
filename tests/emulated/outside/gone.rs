//! `status`, `doctor` and `timeline` of a cluster that has no stack: they look, and say what is left.

use serde_json::{Value, json};

use super::leftovers::delete_stack;
use super::made;
use crate::world::World;

/// Somebody deletes every stack in the console, and retains the buckets, which hold objects.
fn delete_by_hand(world: &World) {
    for kind in ["pool-workers", "control-plane", "edge", "network"] {
        assert_eq!(delete_stack(world, kind, &[]), "DELETE_COMPLETE", "{kind}");
    }
    assert_eq!(delete_stack(world, "base", &[]), "DELETE_FAILED");
    let buckets = ["StateBucket", "OidcBucket"];
    assert_eq!(delete_stack(world, "base", &buckets), "DELETE_COMPLETE");
}

#[test]
fn what_stacks_deleted_without_the_program_left_is_looked_for() {
    let world = World::small("gone");
    world.apply().ends(0);
    delete_by_hand(&world);
    let before = made::list(&world);
    let status = world.cluster("status", &[]);
    status
        .ends(0)
        .prints("gone has no stacks in account")
        .prints("parameters under /kube-cfn/gone/");
    let check = world.cluster("status", &["--check"]);
    check
        .ends(4)
        .tells("gone has no stacks, and")
        .tells("`kube-cfn delete gone --plan`");
    let doctor = world.cluster("doctor", &[]);
    doctor.ends(4).prints("what protects data is not checked");
    let said = world.cluster("status", &["-o", "json"]);
    let json: Value = serde_json::from_str(&said.ends(0).stdout).expect("JSON");
    let left = json["left"].as_array().expect("a list");
    let buckets = before.of("bucket");
    assert_eq!(buckets.len(), 2);
    for key in &buckets {
        let id = key.strip_prefix("bucket ").expect("a bucket");
        for said in [&status, &check, &doctor] {
            said.prints(id);
        }
        let row = left.iter().find(|one| one["id"] == id);
        assert_eq!(row.map(|row| &row["state"]), Some(&json!("orphaned")));
    }
    // What is kept on purpose is shown beside it, and a key with its date.
    for said in [&status, &doctor] {
        said.prints("deleted for good on 20")
            .prints("-- outside        snapshot snap-");
    }
    made::list(&world).is(&before);
    world.delete().ends(0);
    // What is kept is no cluster: it is shown, and not found.
    for command in [&["status"][..], &["status", "--check"], &["doctor"]] {
        let said = world.cluster(command[0], &command[1..]);
        said.ends(1)
            .tells("gone has no stacks in account")
            .prints("deleted for good on 20")
            .omits("parameters under");
    }
    std::fs::remove_dir_all(world.path("state")).expect("removed");
    world
        .cluster("timeline", &[])
        .ends(1)
        .tells("`kube-cfn status gone` shows what its stacks may have left");
}

/// A kind that can't be listed may hold something: that is no all-clear.
#[test]
fn kind_that_can_not_be_looked_for_is_said_without_a_stack() {
    let world = World::small("blind");
    world.account_facts(&json!({"refuses": ["DescribeVolumes"]}));
    for command in [&["status"][..], &["status", "--check"], &["doctor"]] {
        let said = world.cluster(command[0], &command[1..]);
        said.ends(1)
            .prints("volume: could not be looked for")
            .tells("not all that they may have left could be looked at");
    }
    world.account_facts(&json!({}));
    world
        .cluster("doctor", &[])
        .ends(1)
        .tells("blind has no stacks in account");
}
