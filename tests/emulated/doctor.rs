//! `doctor`: silent about a fresh cluster, and each thing that guards the data is named once it is off, with a command that
//! brings it back.

use std::process::Command;

use serde_json::{Value, json};

use crate::process::Said;
use crate::tools::{ask, aws_cli};
use crate::world::{World, given};

/// Layers that do not hold: what `doctor -o json` says of them.
fn open(world: &World, exit: i32) -> Vec<Value> {
    let said = world.cluster("doctor", &["-o", "json"]);
    let found: Value = serde_json::from_str(&said.ends(exit).stdout).expect("JSON");
    let mut layers = found["layers"].as_array().cloned().expect("layers");
    layers.retain(|layer| layer["state"] != "holds" && layer["state"] != "open");
    layers
}

/// The one layer that does not hold.
fn named(world: &World, layer: &str, text: &str) -> Value {
    let mut all = open(world, 4);
    assert_eq!(all.len(), 1, "{layer}: {all:#?}");
    let one = all.remove(0);
    assert_eq!(one["layer"], layer, "{one:#}");
    assert_eq!(one["state"], "missing", "{one:#}");
    assert!(
        one["text"].as_str().expect("words").contains(text),
        "{one:#}"
    );
    one
}

/// Runs the commands in a remedy as a person would paste them.
fn restore(world: &World, layer: &Value) {
    let next = layer["next"].as_str().expect("a remedy");
    let cli = given("KUBE_CFN_TEST_AWS_CLI");
    for command in next.split('`').skip(1).step_by(2) {
        let mut shell = Command::new("bash");
        world.furnish(&mut shell);
        let path = std::env::var("PATH").unwrap_or_default();
        shell
            .env("PATH", format!("{cli}:{path}"))
            .env("AWS_DEFAULT_REGION", "eu-west-1");
        Said::of(shell.args(["-euc", command])).ends(0);
    }
}

fn protected(name: &str) -> World {
    let world = World::with_database(name);
    world.edit("protect: false", "protect: true");
    let issuer = format!(
        "access:\n  issuers: [\"arn:aws:iam::{}:role/deploy\"]\n",
        world.account()
    );
    let text = world.read(&format!("clusters/{name}.yaml"));
    world.definition(&(text + &issuer));
    world.apply().ends(0);
    world.nodes_say(360);
    world
}

#[test]
fn what_guards_the_data_is_named_once_it_is_off() {
    let world = protected("guard");
    let outputs = |stack: &str| {
        let name = json!({"StackName": format!("guard-{stack}")});
        let answer = ask(&world, "cloudformation", "describe_stacks", &name);
        answer["Stacks"][0]["Outputs"]
            .as_array()
            .cloned()
            .expect("outputs")
    };
    let outputs = outputs("base");
    let output = |key: &str| {
        let found = outputs.iter().find(|one| one["OutputKey"] == key);
        found.expect("an output")["OutputValue"]
            .as_str()
            .expect("a text")
            .to_owned()
    };
    let (key, bucket) = (output("KeyArn"), output("StateBucket"));
    let role = output("NodeRoleArn")
        .rsplit('/')
        .next()
        .expect("a name")
        .to_owned();
    assert_eq!(open(&world, 0), Vec::<Value>::new());
    world
        .cluster("doctor", &[])
        .ends(0)
        .prints("policies: kept when replaced; deleted with the cluster")
        .prints("key: enabled");
    if aws_cli().is_none() {
        return;
    }
    let everything = json!({"Version": "2012-10-17", "Statement": [
        {"Sid": "Everything", "Effect": "Allow", "Action": "*", "Resource": "*"}]});
    let guest = json!({"Version": "2012-10-17", "Statement": [{"Sid": "Guest", "Effect": "Allow", "Action": "kms:*",
        "Resource": "*", "Principal": {"AWS": format!("arn:aws:iam::{}:root", world.account())}}]});
    let outside = json!({"Version": "2012-10-17", "Statement": [{"Sid": "Outside", "Effect": "Allow",
        "Principal": {"AWS": "arn:aws:iam::999988887777:root"}, "Action": "s3:GetObject",
        "Resource": format!("arn:aws:s3:::{bucket}/*")}]});
    let admin = "arn:aws:iam::aws:policy/AdministratorAccess";
    let anybody = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole",
        "Principal": {"AWS": "999988887777"}}]});
    for (service, method, arguments, layer, text) in [
        (
            "kms",
            "schedule_key_deletion",
            json!({"KeyId": key, "PendingWindowInDays": 7}),
            "key",
            "pending deletion",
        ),
        (
            "kms",
            "disable_key",
            json!({"KeyId": key}),
            "key",
            "disabled",
        ),
        (
            "kms",
            "put_key_policy",
            json!({"KeyId": key, "PolicyName": "default", "Policy": guest.to_string()}),
            "key policy",
            "Deny statement OnlyIssuersReadTheAuthorities is missing",
        ),
        (
            "s3",
            "delete_public_access_block",
            json!({"Bucket": bucket}),
            "public access block",
            "made public",
        ),
        (
            "s3",
            "delete_bucket_policy",
            json!({"Bucket": bucket}),
            "bucket policy",
            "there is none",
        ),
        (
            "s3",
            "put_bucket_policy",
            json!({"Bucket": bucket, "Policy": outside.to_string()}),
            "bucket policy",
            "Allow statement Outside is added",
        ),
        (
            "iam",
            "attach_role_policy",
            json!({"RoleName": role, "PolicyArn": admin}),
            "permissions",
            "AdministratorAccess is attached",
        ),
        (
            "iam",
            "put_role_policy",
            json!({"RoleName": role, "PolicyName": "extra", "PolicyDocument": everything.to_string()}),
            "permissions",
            "inline policy extra is added",
        ),
        (
            "iam",
            "put_role_policy",
            json!({"RoleName": role, "PolicyName": "node", "PolicyDocument": everything.to_string()}),
            "permissions",
            "inline policy node: wider than its template",
        ),
        (
            "iam",
            "delete_role_policy",
            json!({"RoleName": role, "PolicyName": "node"}),
            "permissions",
            "inline policy node is missing",
        ),
        (
            "iam",
            "update_assume_role_policy",
            json!({"RoleName": role, "PolicyDocument": anybody.to_string()}),
            "trust",
            "wider than its template",
        ),
    ] {
        ask(&world, service, method, &arguments);
        let found = named(&world, layer, text);
        restore(&world, &found);
    }
    assert_eq!(open(&world, 0), Vec::<Value>::new());
}

#[test]
fn protection_that_was_switched_off_is_named() {
    let world = protected("unlocked");
    let arguments = json!({"StackName": "unlocked-base", "EnableTerminationProtection": false});
    ask(
        &world,
        "cloudformation",
        "update_termination_protection",
        &arguments,
    );
    let found = named(&world, "termination protection", "off");
    assert_eq!(found["next"], "`kube-cfn apply unlocked`");
    world.apply().ends(0);
    assert_eq!(open(&world, 0), Vec::<Value>::new());
}

#[test]
fn policy_that_an_override_drops_is_named_with_its_file() {
    let world = World::small("dropped");
    world.edit("protect: false", "protect: true");
    let template = include_str!("../../templates/stacks/control-plane.yaml.tera");
    let keeps = "    DeletionPolicy: Snapshot\n    UpdateReplacePolicy: Snapshot\n";
    let drops = "    DeletionPolicy: Delete\n    UpdateReplacePolicy: Delete\n";
    assert!(template.contains(keeps));
    let file = "clusters/templates/stacks/control-plane.yaml.tera";
    world.write(file, &template.replace(keeps, drops));
    world.apply().ends(0);
    world.nodes_say(360);
    let found = named(
        &world,
        "policies",
        "open: DeletionPolicy, UpdateReplacePolicy, as clusters/templates/stacks",
    );
    assert!(
        found["text"]
            .as_str()
            .expect("words")
            .contains("the state of the cluster in etcd"),
        "{found:#}"
    );
    let next = found["next"].as_str().expect("a remedy");
    assert!(
        next.starts_with(
            "write `DeletionPolicy: Snapshot` and `UpdateReplacePolicy: Snapshot` at EtcdVolumeA"
        ),
        "{next}"
    );
    // As the remedy says: written back, with a tag beside it.
    world.write(file, template);
    world.edit("protect: true", "protect: true\ntags:\n  checked: \"yes\"");
    world.apply().ends(0);
    assert_eq!(open(&world, 0), Vec::<Value>::new());
}

#[test]
fn disk_of_a_control_plane_that_runs_is_encrypted_at_its_next_replacement() {
    let world = World::small("rooted");
    let template = include_str!("../../templates/stacks/control-plane.yaml.tera");
    let today = "Encrypted: true, KmsKeyId: { Ref: KeyArn }, DeleteOnTermination";
    assert!(template.contains(today));
    let file = "clusters/templates/stacks/control-plane.yaml.tera";
    world.write(
        file,
        &template.replace(today, "Encrypted: true, DeleteOnTermination"),
    );
    world.apply().ends(0);
    let things = || {
        let volumes = ask(&world, "ec2", "describe_volumes", &json!({}));
        let machines = ask(&world, "ec2", "describe_instances", &json!({}));
        let ids = |all: &Value, id: &str| {
            let all = all.as_array().expect("a list").iter();
            let mut ids: Vec<_> = all.map(|one| one[id].to_string()).collect();
            ids.sort();
            ids
        };
        let machines = machines["Reservations"]
            .as_array()
            .expect("reservations")
            .iter();
        let mut machines: Vec<_> = machines
            .flat_map(|one| ids(&one["Instances"], "InstanceId"))
            .collect();
        machines.sort();
        (ids(&volumes["Volumes"], "VolumeId"), machines)
    };
    let before = things();
    std::fs::remove_file(world.path(file)).expect("removed");
    let said = world.cluster("plan", &[]);
    said.ends(0)
        .prints("LaunchTemplateA: disks of new machines")
        .prints("until they are replaced");
    assert!(!said.stdout.contains("REPLACED"), "{}", said.stdout);
    world.apply().ends(0);
    assert_eq!(things(), before);
}

#[test]
fn certificates_of_nodes_near_their_end_are_named_and_unread_ones_are_no_all_clear() {
    let world = World::small("ending");
    world.apply().ends(0);
    world
        .cluster("doctor", &[])
        .ends(1)
        .prints("the SSM agent on i-");
    world.nodes_say(40);
    let found = named(&world, "certificates of nodes", "fewer than 60 days left");
    let next = found["next"].as_str().expect("a remedy");
    assert!(next.contains("`kube-cfn certs status ending`"), "{next}");
    world.nodes_say(80);
    assert_eq!(open(&world, 0), Vec::<Value>::new());
}

#[test]
fn every_role_that_was_widened_is_named_with_the_way_back() {
    let world = protected("widen");
    let name = json!({"StackName": "widen-base"});
    let answer = ask(&world, "cloudformation", "describe_stack_resources", &name);
    let all = answer["StackResources"].as_array().expect("resources");
    let of_type = |wanted: &str| -> Vec<String> {
        let all = all.iter().filter(|one| one["ResourceType"] == wanted);
        let ids = all.map(|one| {
            one["PhysicalResourceId"]
                .as_str()
                .expect("an id")
                .to_owned()
        });
        ids.collect()
    };
    let (roles, policies) = (
        of_type("AWS::IAM::Role"),
        of_type("AWS::IAM::ManagedPolicy"),
    );
    assert!(
        roles.len() >= 4 && !policies.is_empty(),
        "machines, pods: {roles:?} {policies:?}"
    );
    let everything = json!({"Version": "2012-10-17", "Statement": [
        {"Sid": "Everything", "Effect": "Allow", "Action": "*", "Resource": "*"}]});
    for role in &roles {
        let admin = "arn:aws:iam::aws:policy/AdministratorAccess";
        let attached = json!({"RoleName": role, "PolicyArn": admin});
        ask(&world, "iam", "attach_role_policy", &attached);
        let inline = json!({"RoleName": role, "PolicyName": "extra",
            "PolicyDocument": everything.to_string()});
        ask(&world, "iam", "put_role_policy", &inline);
    }
    for policy in &policies {
        let version = json!({"PolicyArn": policy, "PolicyDocument": everything.to_string(),
            "SetAsDefault": true});
        ask(&world, "iam", "create_policy_version", &version);
    }
    let found = open(&world, 4);
    let next = |one: &Value| one["next"].as_str().unwrap_or_default().to_owned();
    for role in &roles {
        let of_role = |verb: &str| {
            let start = format!("`aws iam {verb} --role-name {role} ");
            found.iter().any(|one| next(one).starts_with(&start))
        };
        assert!(
            of_role("detach-role-policy") && of_role("delete-role-policy"),
            "{role}: {found:#?}"
        );
    }
    for policy in &policies {
        let start = format!("`aws iam create-policy-version --policy-arn {policy} ");
        assert!(
            found.iter().any(|one| next(one).starts_with(&start)),
            "{policy}: {found:#?}"
        );
    }
    if aws_cli().is_none() {
        return;
    }
    for one in &found {
        restore(&world, one);
    }
    assert_eq!(open(&world, 0), Vec::<Value>::new());
}
