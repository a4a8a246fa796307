//! What others put into the VPC is named and never touched; the network waits for them.

use std::collections::BTreeSet;

use serde_json::json;

use super::made::{self, Made};
use crate::tools::{ask, ask_all};
use crate::world::World;

/// Kinds of which CloudFormation and EC2 change nothing by what is deleted around them.
fn untouched(foreign: &Made) -> BTreeSet<String> {
    foreign.keys()
}

#[test]
fn network_is_kept_while_others_are_in_it() {
    let world = World::small("shared-vpc");
    world.apply().ends(0);
    let ours = made::ours(&world);
    let foreign = made::inside(&world);
    let before = made::list(&world);
    let plan = world.cluster("delete", &["--plan"]);
    for key in untouched(&foreign) {
        let (kind, id) = key.split_once(' ').expect("a key");
        let of_vpc = [
            "machine",
            "group",
            "interface",
            "subnet",
            "table",
            "endpoint",
            "peering",
            "acl",
            "gateway",
            "nat",
            "egress",
        ];
        if of_vpc.contains(&kind) {
            plan.prints(id);
        }
    }
    for name in foreign
        .names("balancer")
        .iter()
        .chain(&foreign.names("classic"))
    {
        plan.prints(name);
    }
    made::list(&world).is(&before);

    let said = world.delete();
    said.ends(4);
    let after = made::list(&world);
    after.has_unchanged(&before, &untouched(&foreign));
    after.has_none_of(&ours.keys_without(&["volume", "snapshot"]));
    // What is known to hold it keeps it from being begun.
    let network = after.facts("stack shared-vpc-network");
    assert_eq!(network, "CREATE_COMPLETE");
    for kind in [
        "interface",
        "machine",
        "subnet",
        "acl",
        "gateway",
        "nat",
        "egress",
    ] {
        for id in foreign.of(kind) {
            said.tells(id);
        }
    }
    said.tells("!!").tells("`kube-cfn delete shared-vpc");

    // A second run changes nothing of theirs either.
    world.delete().ends(4);
    made::list(&world).has_unchanged(&before, &untouched(&foreign));
}

#[test]
fn network_goes_when_the_interface_of_others_has_gone() {
    let world = World::small("hindered");
    world.apply().ends(0);
    let name = json!({"StackName": "hindered-network", "LogicalResourceId": "PrivateSubnetA"});
    let subnet = ask(&world, "cloudformation", "describe_stack_resource", &name);
    let subnet = subnet["StackResourceDetail"]["PhysicalResourceId"].clone();
    let wanted = json!({"SubnetId": subnet, "Description": "of somebody else"});
    let made = ask(&world, "ec2", "create_network_interface", &wanted);
    let id = made["NetworkInterface"]["NetworkInterfaceId"].clone();
    let name = id.as_str().expect("an id");
    world.cluster("delete", &["--plan"]).ends(0).prints(name);
    let said = world.delete();
    said.ends(4).tells(name).tells("!!");
    let all = [(
        "describe_network_interfaces",
        json!({"NetworkInterfaceIds": [id]}),
    )];
    assert_eq!(
        ask_all(&world, "ec2", &all)[0]["NetworkInterfaces"][0]["Status"],
        "available"
    );
    let gone = json!({"NetworkInterfaceId": id});
    ask(&world, "ec2", "delete_network_interface", &gone);
    world.delete().ends(0).tells("hindered is deleted");
    let after = made::list(&world);
    assert_eq!(after.of("stack"), BTreeSet::new());
    assert_eq!(after.of("parameter"), BTreeSet::new());
}
