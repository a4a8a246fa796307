//! What could not be looked for stops a deletion before it begins, unless that is accepted.

use serde_json::json;

use super::made;
use crate::world::World;

/// A read of each service.
const READS: [&str; 9] = [
    "GetResources",
    "DescribeVolumes",
    "DescribeNetworkInterfaces",
    "DescribeSecurityGroupRules",
    "DescribeTargetGroups",
    "DescribeLoadBalancers",
    "ListHostedZones",
    "DescribeLogGroups",
    "DescribeDBInstanceAutomatedBackups",
];

#[test]
fn read_that_is_refused_stops_the_deletion_of_each_service() {
    let world = World::small("blind");
    world.apply().ends(0);
    made::ours(&world);
    let before = made::list(&world);
    for action in READS {
        world.account_facts(&json!({"refuses": [action]}));
        world
            .delete()
            .ends(5)
            .tells(action)
            .tells("--accept unknown")
            .omits("\nblind is deleted\n");
        world.cluster("delete", &["--plan"]).ends(5);
        world.account_facts(&json!({}));
        made::list(&world).is(&before);
    }
}

#[test]
fn deletion_that_did_not_look_does_not_say_that_nothing_is_left() {
    let world = World::small("accepted");
    world.apply().ends(0);
    let ours = made::ours(&world);
    world.account_facts(&json!({"refuses": ["ListHostedZones"]}));
    let accepted = ["--confirm", "accepted", "--accept", "unknown"];
    let said = world.cluster("delete", &accepted);
    said.ends(0)
        .tells("ListHostedZones")
        .omits("\naccepted is deleted\n");
    world.account_facts(&json!({}));
    let after = made::list(&world);
    after.has_none_of(&ours.keys_without(&["volume", "snapshot", "record"]));
    for record in ours.of("record") {
        assert!(after.has(&format!("record {record}")), "{record}");
    }
    // What could not be seen then is found by the next run.
    world.delete().ends(0);
    made::list(&world).has_none_of(&ours.keys_without(&["volume", "snapshot"]));
}
