//! The large cluster, created and deleted.

use crate::create::shipped;

#[test]
fn production_is_created_found_as_defined_and_deleted_once_it_is_unprotected() {
    let production = shipped("production");
    production.apply().ends(0).tells("production: created in");
    let created = [
        "base CREATE_COMPLETE",
        "network CREATE_COMPLETE",
        "edge CREATE_COMPLETE",
        "database CREATE_COMPLETE",
        "control-plane CREATE_COMPLETE",
        "pool-batch CREATE_COMPLETE",
        "pool-workers CREATE_COMPLETE",
    ];
    let mut standing = production.standing();
    standing.sort_by_key(|line| created.iter().position(|one| one == line));
    assert_eq!(standing, created);
    let status = production.status();
    for stack in status["stacks"].as_array().expect("stacks") {
        assert_eq!(stack["ready"], stack["resources"], "{stack}");
        let holds_data = ["base", "database", "control-plane"]
            .iter()
            .any(|one| stack["stack"] == **one);
        if holds_data {
            assert_eq!(stack["terminationProtection"], true, "{stack}");
        }
    }
    let plan = production.cluster("plan", &["--detailed-exitcode"]);
    plan.ends(0)
        .prints("Nothing to do: all 7 stacks are as defined.");

    production.delete().ends(5);
    production.edit("protect: true", "protect: false");
    production.apply().ends(0);
    production
        .delete()
        .ends(0)
        .tells("remains: database snapshot production-database-snapshot-database-")
        .tells("production is deleted");
}
