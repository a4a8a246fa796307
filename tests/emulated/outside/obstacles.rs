//! What is in the way of a deletion is said before consent, and nothing is deleted before it is removed.

use serde_json::{Value, json};

use super::made;
use crate::tools::ask;
use crate::world::World;

fn protect_balancer(world: &World, arn: &str, on: bool) {
    let attributes = json!({"LoadBalancerArn": arn,
        "Attributes": [{"Key": "deletion_protection.enabled", "Value": on.to_string()}]});
    ask(
        world,
        "elbv2",
        "modify_load_balancer_attributes",
        &attributes,
    );
}

fn lock_machine(world: &World, id: &str, attribute: &str, on: bool) {
    let call = json!({"InstanceId": id, attribute: {"Value": on}});
    ask(world, "ec2", "modify_instance_attribute", &call);
}

fn plan(world: &World) -> Value {
    let said = world.cluster("delete", &["--plan", "-o", "json"]);
    serde_json::from_str(&said.stdout).expect("JSON")
}

/// Each lock refuses before the first stack, with the command that lifts it.
#[test]
fn locks_refuse_before_the_first_stack() {
    let world = World::small("locked");
    world.apply().ends(0);
    let ours = made::ours(&world);
    let (arn, machine) = (&ours.of("balancer")[0], &ours.of("machine")[0]);
    let lift = |arn: &str| {
        format!("modify-load-balancer-attributes --region eu-west-1 --load-balancer-arn {arn}")
    };
    protect_balancer(&world, arn, true);
    let before = made::list(&world);
    world
        .cluster("delete", &["--plan"])
        .ends(5)
        .prints("deletion protection is on");
    world
        .delete()
        .ends(5)
        .tells("deletion protection is on")
        .tells("--accept obstacles");
    let json = plan(&world);
    assert_eq!(json["refused"]["code"], "removal-blocked", "{json:#}");
    let found = &json["obstacles"][0];
    assert_eq!(
        (&found["id"], &found["blocks"]),
        (&json!(arn), &json!(true))
    );
    assert!(
        found["commands"][0]
            .as_str()
            .is_some_and(|command| command.contains(&lift(arn))),
        "{found}"
    );
    made::list(&world).is(&before);
    protect_balancer(&world, arn, false);

    for (attribute, words) in [
        ("DisableApiTermination", "termination protection is on"),
        ("DisableApiStop", "stop protection is on"),
    ] {
        lock_machine(&world, machine, attribute, true);
        world.delete().ends(5).tells(words).tells(machine);
        lock_machine(&world, machine, attribute, false);
    }
    // The load balancer of the API, which a stack has.
    let name = json!({"StackName": "locked-edge", "LogicalResourceId": "ApiLoadBalancer"});
    let api = ask(&world, "cloudformation", "describe_stack_resource", &name);
    let api = api["StackResourceDetail"]["PhysicalResourceId"]
        .as_str()
        .expect("an ARN");
    protect_balancer(&world, api, true);
    world
        .delete()
        .ends(5)
        .tells("of locked-edge: deletion protection is on");
    protect_balancer(&world, api, false);
    made::list(&world).is(&before);
    world.delete().ends(0);
    made::list(&world).has_none_of(&ours.keys_without(&["volume", "snapshot"]));
}

/// Who accepts it gets all else deleted, and the rest named.
#[test]
fn accepted_obstacle_is_left_and_named() {
    let world = World::small("accepting");
    world.apply().ends(0);
    let ours = made::ours(&world);
    let arn = &ours.of("balancer")[0];
    protect_balancer(&world, arn, true);
    let plan = ["--plan", "--accept", "obstacles"];
    let said = world.cluster("delete", &plan);
    said.ends(0).prints("stays, as it can't be removed:");
    let removed = said.stdout.split("stays, as it can't be removed:");
    let removed = removed.into_iter().next().expect("a part");
    let removed = removed.split("removed, by AWS's calls:").nth(1);
    assert!(
        removed.is_some_and(|text| !text.contains("net-web")),
        "{said}"
    );
    let accepted = ["--confirm", "accepting", "--accept", "obstacles"];
    world
        .cluster("delete", &accepted)
        .ends(4)
        .tells("net-web")
        .tells("deletion protection is enabled")
        .tells("lift its protection")
        .tells("`kube-cfn delete accepting --accept obstacles`")
        .tells("!!");
    let after = made::list(&world);
    assert!(after.has(&format!("balancer {arn}")));
    assert_eq!(after.facts("stack accepting-network"), "CREATE_COMPLETE");
    protect_balancer(&world, arn, false);
    world.delete().ends(0);
    made::list(&world).has_none_of(&ours.keys_without(&["volume", "snapshot"]));
}

/// EC2 says it to a dry run, for load balancers it is IAM's simulator.
#[test]
fn missing_rights_refuse_where_the_network_needs_them() {
    let world = World::small("rightless");
    world.apply().ends(0);
    let ours = made::ours(&world);
    let before = made::list(&world);
    for action in [
        "DeleteSecurityGroup",
        "TerminateInstances",
        "RevokeSecurityGroupIngress",
    ] {
        world.account_facts(&json!({"refuses": [action]}));
        world
            .delete()
            .ends(5)
            .tells(&format!("ec2:{action}"))
            .tells("--accept obstacles");
    }
    let caller = format!("arn:aws:iam::{}:user/operator", world.account());
    let delete = "elasticloadbalancing:DeleteLoadBalancer";
    world.account_facts(&json!({"caller": caller, "denied": [delete]}));
    world.delete().ends(5).tells(delete).tells("simulator");
    made::list(&world).is(&before);
    // A volume holds nothing: it stays, and is named.
    world.account_facts(&json!({"refuses": ["DeleteVolume"]}));
    world.cluster("delete", &["--plan"]).ends(0);
    let all = ["--confirm", "rightless", "--delete-volumes"];
    let said = world.cluster("delete", &all);
    said.ends(4)
        .tells("ec2:DeleteVolume")
        .tells("in the way of what no stack needs gone");
    let after = made::list(&world);
    for volume in ours.of("volume") {
        assert!(after.has(&format!("volume {volume}")), "{volume}");
    }
    after.has_none_of(&ours.keys_without(&["volume", "snapshot"]));
}

/// Somebody has switched it on, or switched off the protection of the stacks alone.
#[test]
fn protected_database_refuses_before_the_first_stack() {
    let world = World::with_database("dblocked");
    world.apply().ends(0);
    let name = json!({"StackName": "dblocked-database", "LogicalResourceId": "Database"});
    let found = ask(&world, "cloudformation", "describe_stack_resource", &name);
    let id = found["StackResourceDetail"]["PhysicalResourceId"].clone();
    let protect = |on: bool| {
        let call =
            json!({"DBInstanceIdentifier": id, "DeletionProtection": on, "ApplyImmediately": true});
        ask(&world, "rds", "modify_db_instance", &call);
    };
    protect(true);
    let before = world.standing();
    world
        .delete()
        .ends(5)
        .tells("of dblocked-database: deletion protection is on")
        .tells("--no-deletion-protection");
    assert_eq!(world.standing(), before);
    protect(false);
    world.delete().ends(0);
}

/// IAM's simulator is asked about each resource, with one call for all that one action removes.
#[test]
fn right_that_is_missing_for_one_balancer_names_that_one() {
    let world = World::small("choosy");
    world.apply().ends(0);
    let ours = made::ours(&world);
    let (arn, classic) = (&ours.of("balancer")[0], &ours.of("classic")[0]);
    let caller = format!("arn:aws:iam::{}:user/operator", world.account());
    let on = json!({"elasticloadbalancing:DeleteLoadBalancer": [format!("/{classic}")]});
    world.account_facts(&json!({"caller": caller, "deniedOn": on}));
    let json = plan(&world);
    assert_eq!(json["refused"]["code"], "removal-blocked", "{json:#}");
    let [one] = json["obstacles"].as_array().expect("a list").as_slice() else {
        panic!("{json:#}")
    };
    assert_eq!(one["id"], json!(classic));
    assert!(!one.to_string().contains(arn.as_str()), "{one}");
}

/// Somebody has locked the buckets of the base stack, which then could not be deleted after all else is.
#[test]
fn locked_state_bucket_refuses_before_the_first_stack() {
    let world = World::small("bucketlock");
    world.apply().ends(0);
    let bucket = crate::tools::base_output(&world, "StateBucket");
    let before = ask(
        &world,
        "s3",
        "get_bucket_policy",
        &json!({"Bucket": bucket}),
    );
    let statement = json!({"Effect": "Deny", "Principal": "*", "Action": "s3:Delete*",
        "Resource": [format!("arn:aws:s3:::{bucket}"), format!("arn:aws:s3:::{bucket}/*")]});
    let policy = json!({"Version": "2012-10-17", "Statement": [statement]});
    let put = |policy: &str| {
        let call = json!({"Bucket": bucket, "Policy": policy});
        ask(&world, "s3", "put_bucket_policy", &call);
    };
    put(&policy.to_string());
    let standing = world.standing();
    world
        .delete()
        .ends(5)
        .tells("of bucketlock-base")
        .tells("its policy denies everybody to delete it")
        .tells("aws s3api delete-bucket-policy --region eu-west-1")
        .tells(&format!("--bucket {bucket}"));
    assert_eq!(world.standing(), standing);
    put(before["Policy"].as_str().expect("a policy"));
    world.delete().ends(0);
}
