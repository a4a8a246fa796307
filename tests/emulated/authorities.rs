//! Lost parameters of the authorities, their copy in the state bucket, and parameters of a deleted cluster.

use serde_json::{Value, json};

use crate::process::Said;
use crate::tools::{ask, ask_all, base_output};
use crate::world::World;

const NINE: [&str; 9] = [
    "cp/ca.key",
    "cp/encryption.yaml",
    "cp/etcd-ca.crt",
    "cp/etcd-ca.key",
    "cp/front-proxy-ca.crt",
    "cp/front-proxy-ca.key",
    "cp/sa.key",
    "cp/sa.pub",
    "pub/ca.crt",
];

fn made(name: &str) -> World {
    let world = World::small(name);
    world.apply().ends(0);
    world.nodes_say(360);
    world
}

fn full(world: &World, short: &str) -> String {
    format!("/kube-cfn/{}/{short}", world.name)
}

/// All parameters of the cluster with their values, but for the operation lock.
fn parameters(world: &World) -> Vec<Value> {
    let path = format!("/kube-cfn/{}", world.name);
    let question = json!({"Path": path, "Recursive": true, "WithDecryption": true});
    let answer = ask(world, "ssm", "get_parameters_by_path", &question);
    let mut all: Vec<_> = answer["Parameters"]
        .as_array()
        .expect("a list")
        .iter()
        .filter(|one| one["Name"] != full(world, "operation"))
        .map(|one| json!([one["Name"], one["Value"], one["Type"]]))
        .collect();
    all.sort_by_key(|one| one[0].to_string());
    all
}

/// All that a program said, however its lines are folded.
fn on_one_line(said: &Said) -> String {
    let all = format!("{} {}", said.stdout, said.stderr);
    all.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn lose(world: &World, names: &[&str]) {
    let names: Vec<_> = names.iter().map(|short| full(world, short)).collect();
    ask(world, "ssm", "delete_parameters", &json!({"Names": names}));
}

fn bucket(world: &World) -> String {
    base_output(world, "StateBucket")
}

#[tokio::test]
async fn every_lost_parameter_is_named_by_every_command_and_comes_back() {
    let world = made("lost");
    world.cluster("doctor", &[]).ends(0);
    let before = parameters(&world);
    assert_eq!(before.len(), 9);
    lose(&world, &NINE);
    for command in [
        &["plan"][..],
        &["apply", "--yes"],
        &["status", "--check"],
        &["doctor"],
    ] {
        let said = world.cluster(command[0], &command[1..]);
        let code = if matches!(command[0], "plan" | "apply") {
            5
        } else {
            4
        };
        let shown = on_one_line(said.ends(code));
        for short in NINE {
            assert!(
                shown.contains(short),
                "{command:?} does not name {short}:\n{shown}"
            );
        }
        assert!(shown.contains("kube-cfn certs restore lost"), "{shown}");
    }
    assert_eq!(
        parameters(&world),
        Vec::<Value>::new(),
        "none is made again"
    );
    world
        .run(&["certs", "restore", "lost", "--plan"])
        .ends(0)
        .prints("restored from the copy");
    assert_eq!(parameters(&world), Vec::<Value>::new());
    world.run(&["certs", "restore", "lost", "--yes"]).ends(0);
    assert_eq!(parameters(&world), before);
    world.apply().ends(0);
    world
        .run(&["certs", "restore", "lost"])
        .ends(0)
        .tells("nothing to restore");
}

#[tokio::test]
async fn a_change_of_the_control_plane_makes_no_second_encryption_key() {
    let world = made("keyless");
    lose(&world, &["cp/encryption.yaml"]);
    world.edit(
        "controlPlane:\n",
        "controlPlane:\n  instanceType: m7g.xlarge\n",
    );
    world
        .apply()
        .ends(5)
        .tells("cp/encryption.yaml of the parameters");
    assert_eq!(parameters(&world).len(), 8);
}

#[tokio::test]
async fn an_older_cluster_gets_its_copy_from_the_next_apply() {
    let world = made("uncopied");
    let (bucket, key) = (bucket(&world), "authorities/parameters.json");
    ask(
        &world,
        "s3",
        "delete_object",
        &json!({"Bucket": bucket, "Key": key}),
    );
    world
        .cluster("doctor", &[])
        .ends(4)
        .prints("no authorities/parameters.json in the state bucket");
    world
        .apply()
        .ends(0)
        .tells("wrote a copy of the certificate authorities");
    world.apply().ends(0).omits("wrote a copy");
    // The copy holds the keys: never in what is printed.
    let said = world.run(&["certs", "restore", "uncopied", "--plan"]);
    said.ends(0).omits("PRIVATE KEY");
    assert!(!said.stdout.contains("PRIVATE KEY"));
}

#[tokio::test]
async fn an_old_copy_is_named_and_written_again_on_request() {
    let world = made("oldcopy");
    let name = full(&world, "cp/encryption.yaml");
    let listed = ask(&world, "ssm", "describe_parameters", &json!({}));
    let listed = listed["Parameters"].as_array().expect("a list").clone();
    let key = listed.iter().find(|one| one["Name"] == name.as_str());
    let key = key.expect("it")["KeyId"].clone();
    lose(&world, &["cp/encryption.yaml"]);
    let other = json!({"Name": name, "Value": "other", "Type": "SecureString", "KeyId": key});
    ask(&world, "ssm", "put_parameter", &other);
    world
        .cluster("doctor", &[])
        .ends(4)
        .prints("cp/encryption.yaml");
    world
        .run(&["certs", "restore", "oldcopy", "--yes"])
        .ends(5)
        .tells("kube-cfn certs backup oldcopy");
    world.run(&["certs", "backup", "oldcopy", "--yes"]).ends(0);
    world
        .run(&["certs", "backup", "oldcopy"])
        .ends(0)
        .tells("nothing to do");
}

#[tokio::test]
async fn a_plain_parameter_that_is_not_of_its_secret_never_reaches_the_copy() {
    let world = made("mismatched");
    lose(&world, &["cp/sa.pub"]);
    let other = json!({"Name": full(&world, "cp/sa.pub"), "Value": "other", "Type": "String"});
    ask(&world, "ssm", "put_parameter", &other);
    world.cluster("doctor", &[]).ends(4).prints("cp/sa.pub");
    world
        .run(&["certs", "backup", "mismatched", "--yes"])
        .ends(5)
        .tells("cp/sa.pub does not belong to the secret beside it");
    lose(&world, &["cp/sa.pub"]);
    world
        .run(&["certs", "restore", "mismatched", "--yes"])
        .ends(0);
    world.cluster("doctor", &[]).ends(0);
}

#[tokio::test]
async fn both_gone_says_what_a_running_machine_still_has() {
    let world = made("bothgone");
    let key = "authorities/parameters.json";
    ask(
        &world,
        "s3",
        "delete_object",
        &json!({"Bucket": bucket(&world), "Key": key}),
    );
    lose(&world, &["cp/encryption.yaml", "pub/ca.crt"]);
    world
        .run(&["certs", "restore", "bothgone", "--yes"])
        .ends(4)
        .tells("nothing here has cp/encryption.yaml")
        .tells("aws s3api list-object-versions --region eu-west-1 --bucket")
        .tells("/etc/kube-cfn/apiserver/encryption.yaml")
        .tells("aws ssm put-parameter --region eu-west-1 --name /kube-cfn/bothgone/cp/encryption.yaml --type SecureString --key-id arn:")
        .tells("every Secret in etcd and in its snapshots is unreadable");
    let names = parameters(&world);
    assert_eq!(
        names.len(),
        8,
        "pub/ca.crt came back from its secret: {names:?}"
    );
}

#[tokio::test]
async fn parameters_of_a_deleted_cluster_are_found_before_anything_is_created() {
    let world = World::small("remade");
    let key = ask(&world, "kms", "create_key", &json!({}))["KeyMetadata"]["Arn"].clone();
    let put = |short: &str, kind: &str, key: Option<&Value>| {
        let mut request = json!({"Name": full(&world, short), "Value": "old", "Type": kind});
        if let Some(key) = key {
            request["KeyId"] = key.clone();
        }
        ("put_parameter", request)
    };
    let puts = [
        put("cp/ca.key", "SecureString", Some(&key)),
        put("cp/encryption.yaml", "SecureString", Some(&key)),
        put("state/etcd-initialized", "String", None),
    ];
    ask_all(&world, "ssm", &puts);
    for command in [&["plan"][..], &["apply", "--yes"]] {
        let said = world.cluster(command[0], &command[1..]);
        let shown = on_one_line(said.ends(5));
        let place = "cp/ca.key, cp/encryption.yaml of the parameters under /kube-cfn/remade/";
        assert!(shown.contains(place), "{shown}");
        let clear = "`kube-cfn delete remade` clears them";
        assert!(shown.contains(clear), "{shown}");
    }
    let stacks = ask(&world, "cloudformation", "describe_stacks", &json!({}));
    assert_eq!(stacks["Stacks"], json!([]));
    let names = ["cp/ca.key", "cp/encryption.yaml", "state/etcd-initialized"];
    lose(&world, &names);
    world.apply().ends(0);
}

#[tokio::test]
async fn a_rolled_back_control_plane_leaves_no_note_that_etcd_had_data() {
    let world = World::small("noted");
    world.rules(
        json!([{"type": "AWS::AutoScaling::AutoScalingGroup", "op": "create",
        "logical": "SlotA", "signal": "FAILURE", "times": 1}]),
    );
    world.apply().ends(3);
    let note =
        json!({"Name": full(&world, "state/etcd-initialized"), "Value": "yes", "Type": "String"});
    ask(&world, "ssm", "put_parameter", &note);
    world.no_rules();
    world
        .apply()
        .ends(0)
        .tells("removed what its machines noted: /kube-cfn/noted/state/etcd-initialized");
    assert_eq!(parameters(&world).len(), 9);
}

#[tokio::test]
async fn a_key_pending_deletion_is_found_before_anything_is_changed() {
    let world = made("doomed");
    let key = base_output(&world, "KeyArn");
    ask(
        &world,
        "kms",
        "schedule_key_deletion",
        &json!({"KeyId": key}),
    );
    world.edit("max: 1", "max: 2");
    for command in [&["plan"][..], &["apply", "--yes"]] {
        let said = world.cluster(command[0], &command[1..]);
        let shown = on_one_line(said.ends(5));
        assert!(shown.contains("is pending deletion"), "{shown}");
        let cancel = format!("aws kms cancel-key-deletion --region eu-west-1 --key-id {key}");
        assert!(shown.contains(&cancel), "{shown}");
    }
    ask(&world, "kms", "cancel_key_deletion", &json!({"KeyId": key}));
    ask(&world, "kms", "enable_key", &json!({"KeyId": key}));
    world.apply().ends(0);
}

#[tokio::test]
async fn a_secret_under_another_key_is_named_and_comes_back_from_the_copy() {
    let world = made("rekeyed");
    let before = parameters(&world);
    let other = ask(&world, "kms", "create_key", &json!({}))["KeyMetadata"]["Arn"].clone();
    let name = full(&world, "cp/encryption.yaml");
    lose(&world, &["cp/encryption.yaml"]);
    let put = json!({"Name": name, "Value": "other", "Type": "SecureString", "KeyId": other});
    ask(&world, "ssm", "put_parameter", &put);
    let key = other.as_str().expect("an ARN");
    let named = format!("encrypted under another key, {key}");
    for (command, code) in [("plan", 5), ("doctor", 4)] {
        let said = world.cluster(command, &[]);
        let shown = on_one_line(said.ends(code));
        assert!(shown.contains(&named), "{command}: {shown}");
        assert!(
            shown.contains("kube-cfn certs restore rekeyed --plan"),
            "{shown}"
        );
    }
    world
        .run(&["certs", "restore", "rekeyed", "--plan"])
        .ends(5)
        .prints("the copy has it")
        .tells(&format!(
            "aws ssm delete-parameters --region eu-west-1 --names {name}"
        ));
    lose(&world, &["cp/encryption.yaml"]);
    world.run(&["certs", "restore", "rekeyed", "--yes"]).ends(0);
    assert_eq!(parameters(&world), before);
    world.cluster("doctor", &[]).ends(0);
}
