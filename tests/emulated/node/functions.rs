//! Every function of `ec2.sh`, one after the other on one machine.

use serde_json::{Value, json};

use super::machine::{Machine, Timed};
use super::{approval, programs};
use crate::tools::ask;
use crate::world::World;

/// One cluster and one machine for all: making them takes longer than what is asked.
#[test]
fn ec2_sh_works_with_the_real_aws_cli() {
    let Some(_timed) = Timed::start() else {
        return;
    };
    let world = World::with_database("functions");
    world.edit(
        "multiAz: false\n",
        "multiAz: false\n  secret: {namespaces: [web]}\n",
    );
    world.apply().ends(0);
    let machine = Machine::slot(&world);
    machine.cloud_init();
    the_machine_is_known_from_version_two_of_the_metadata_service(&machine);
    parameters_go_through_a_pipe_and_come_back_whole(&world, &machine);
    parameters_are_asked_for_at_once(&machine);
    a_volume_is_attached_once_it_is_this_slots_and_free(&world, &machine);
    objects_are_stored_listed_fetched_and_removed(&machine);
    machines_of_the_cluster_are_listed_by_group(&world, &machine);
    a_signal_has_options_that_cfn_signal_knows(&world, &machine);
    the_database_and_the_secret_of_its_master_are_found(&world, &machine);
    programs::database(&world, &machine);
    let worker = Machine::worker(&world).instance;
    approval::approves_the_machine_of_the_pool(&machine, &worker);
    a_slow_metadata_service_is_waited_for(&machine);
}

/// The value of a parameter below the cluster's path, as AWS keeps it.
fn parameter(world: &World, name: &str) -> Value {
    let name = format!("/kube-cfn/{}/{name}", world.name);
    let asked = json!({"Name": name, "WithDecryption": true});
    ask(world, "ssm", "get_parameter", &asked)["Parameter"].clone()
}

fn the_machine_is_known_from_version_two_of_the_metadata_service(machine: &Machine) {
    let said = machine.bash(
        "ec2_instance_id; ec2_zone; ec2_address\n\
         curl --silent --output /dev/null --write-out '%{http_code}\\n' http://169.254.169.254/latest/meta-data/\n\
         env | grep -c '^AWS_.*KEY' || true\n\
         aws sts get-caller-identity --query UserId --output text\n\
         ec2_metadata no/such/page || echo \"code $?\"",
    );
    let expected = format!(
        "{}\neu-west-1a\n{}\n401\n0\n{}\ncode 1\n",
        machine.instance, machine.address, machine.user_id
    );
    assert_eq!(said.ends(0).stdout, expected);
}

const PARAMETERS: &str = r#"
put() { ec2_put_parameter "$1" && echo "put $1"; }
code() { local status=0; "$@" || status=$?; echo "code ${status}"; }
printf 'yes\n' | put state/etcd-initialized
put state/etcd-recover-a <<< 'existing'
put state/etcd-recover-a <<< 'done'
cat /srv/value | put worker/bootstrap-token
ec2_parameter state/etcd-recover-a
ec2_parameter worker/bootstrap-token | cmp - /srv/value && echo 'the same'
LC_ALL=C ec2_parameter worker/bootstrap-token | cmp - /srv/value && echo 'the same'
code ec2_parameter state/never
code put state/empty < /dev/null
AWS_ENDPOINT_URL=http://127.0.0.1:1 AWS_MAX_ATTEMPTS=1 code ec2_parameter state/etcd-recover-a
"#;

fn parameters_go_through_a_pipe_and_come_back_whole(world: &World, machine: &Machine) {
    let value = "file:///etc/passwd\n-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQ\n\
                 -----END PRIVATE KEY-----\nhttps://example.com\t\"\\n\" grüß \u{1f512}";
    machine.write("srv/value", &format!("{value}\n"));
    let said = machine.bash(PARAMETERS);
    assert_eq!(
        said.ends(0).stdout,
        "put state/etcd-initialized\nput state/etcd-recover-a\nput state/etcd-recover-a\n\
         put worker/bootstrap-token\ndone\nthe same\nthe same\ncode 4\ncode 254\ncode 1\n",
        "{said}"
    );
    let kept = parameter(world, "worker/bootstrap-token");
    assert_eq!(
        (&kept["Value"], &kept["Type"]),
        (&json!(value), &json!("SecureString"))
    );
    assert_eq!(parameter(world, "state/etcd-initialized")["Value"], "yes");
    assert_eq!(parameter(world, "state/etcd-recover-a")["Version"], 2);
    let (calls, said) = (machine.calls(), said.to_string());
    for line in value.lines() {
        assert!(
            !calls.contains(line) && !said.contains(line),
            "{line}: {calls}{said}"
        );
    }
}

fn parameters_are_asked_for_at_once(machine: &Machine) {
    let before = machine.calls().matches("aws ssm get-").count();
    let script = r#"
        export EC2_PREFETCHED=/srv/early EC2_VALUES=/srv/values
        : > /srv/values
        ec2_prefetch_parameters worker/bootstrap-token state/never cp/sa.key state/etcd-recover-a
        for n in 1 2; do ec2_parameter worker/bootstrap-token | cmp - /srv/value && echo 'the same'; done
        code=0; ec2_parameter state/never || code=$?; echo "code ${code}"
        ec2_parameter cp/sa.key | head -c 10; echo
        grep -qxF "$(sed -n 3p /srv/value)" /srv/values && echo 'noted'
    "#;
    let said = machine.bash(script);
    let expected = "the same\nthe same\ncode 4\n-----BEGIN\nnoted\n";
    assert_eq!(said.ends(0).stdout, expected, "{said}");
    // All at once, and the token once more.
    let asked = machine.calls().matches("aws ssm get-").count() - before;
    assert_eq!(asked, 2, "{}", machine.calls());
}

/// The CLI gives up after a second where it is not given more.
fn a_slow_metadata_service_is_waited_for(machine: &Machine) {
    machine.slow_metadata(1.5);
    let said = machine.bash("ec2_parameter state/etcd-recover-a");
    assert_eq!(said.ends(0).stdout.lines().count(), 1, "{said}");
    machine.slow_metadata(0.0);
}

fn a_volume_is_attached_once_it_is_this_slots_and_free(world: &World, machine: &Machine) {
    machine
        .bash("ec2_attach_volume a")
        .ends(0)
        .prints("/srv/volume");
    let volume = machine.volume();
    let asked = json!({"VolumeIds": [volume]});
    let found = ask(world, "ec2", "describe_volumes", &asked);
    let attachment = &found["Volumes"][0]["Attachments"][0];
    assert_eq!(attachment["InstanceId"], json!(machine.instance));
    // Attached and visible: nothing is asked of AWS.
    let before = machine.calls().lines().count();
    machine.bash("ec2_attach_volume a").ends(0);
    assert_eq!(machine.calls().lines().count(), before);
    machine.bash("ec2_check_volume b").ends(1).tells(&format!(
        "refuse {volume}: its tags say '{} a', not '{} b'",
        world.name, world.name
    ));
    // Its place at another machine, or gone: it is tried again until the time is over.
    std::fs::remove_file(machine.path(&format!(
        "srv/by-id/nvme-Amazon_Elastic_Block_Store_{}",
        volume.replace('-', "")
    )))
    .expect("a link");
    machine
        .bash("attempt() { shift 2; \"$@\"; }\nec2_attach_volume a")
        .ends(1)
        .tells("VolumeInUse")
        .tells("another machine holds it, or it is gone");
    machine
        .bash("ETCD_VOLUME=vol-0123456789abcdef0; ec2_check_volume a")
        .ends(1)
        .tells("InvalidVolume.NotFound");
}

const OBJECTS: &str = r"
bash -c 'head -c 9000000 /dev/zero' > /srv/big
echo first > /srv/one
ec2_store /srv/one etcd/one.db
ec2_store /srv/big etcd/two.db
ec2_list etcd/
ec2_fetch etcd/two.db /srv/back
cmp /srv/big /srv/back && echo 'the same'
ec2_remove etcd/one.db
ec2_list etcd/
ec2_list nothing/
! ec2_fetch etcd/one.db /srv/none
ec2_store_own /srv/one of-a-boot.log
";

fn objects_are_stored_listed_fetched_and_removed(machine: &Machine) {
    let said = machine.bash(OBJECTS);
    let expected = "etcd/one.db\netcd/two.db\nthe same\netcd/two.db\n";
    assert_eq!(said.ends(0).stdout, expected, "{said}");
    said.tells("(404)");
    let own = machine.objects(&format!("boot/{}/", machine.user_id));
    assert_eq!(own.len(), 1, "{own:?}");
}

fn machines_of_the_cluster_are_listed_by_group(world: &World, machine: &Machine) {
    let worker = Machine::worker(world).instance;
    let said = machine.bash("ec2_group_instances | sort");
    let mut expected = [
        format!("{} control-plane InService\n", machine.instance),
        format!("{worker} pool-workers InService\n"),
    ];
    expected.sort();
    assert_eq!(said.ends(0).stdout, expected.concat(), "{said}");
    let said = machine.bash("NODE_CLUSTER=another; ec2_group_instances");
    assert_eq!(said.ends(0).stdout, "", "{said}");
    let said = machine.bash(&format!(
        "launched=\"$(ec2_launch_times | grep ^{worker})\"; launched=\"${{launched#* }}\"; now=\"$(date +%s)\"\n\
         [ \"$launched\" -le \"$now\" ] && [ \"$launched\" -gt \"$((now - 3600))\" ] && echo 'within the hour'"
    ));
    assert_eq!(said.ends(0).stdout, "within the hour\n", "{said}");
    let said = machine.bash("ec2_launch_times | wc -l; NODE_CLUSTER=another; ec2_launch_times");
    assert_eq!(said.ends(0).stdout, "2\n", "{said}");
    machine
        .bash("AWS_ENDPOINT_URL=http://127.0.0.1:1 AWS_MAX_ATTEMPTS=1 ec2_launch_times")
        .ends(255);
    machine
        .bash("AWS_ENDPOINT_URL=http://127.0.0.1:1 AWS_MAX_ATTEMPTS=1 ec2_group_instances")
        .ends(255);
}

fn a_signal_has_options_that_cfn_signal_knows(world: &World, machine: &Machine) {
    machine
        .bash("ec2_signal SUCCESS 'booted'; ec2_signal FAILURE \"failed to $(printf 'ä%.0s' {1..2000})\"")
        .ends(0);
    let stack = format!("{}-control-plane SlotA", world.name);
    let signals = machine.read("srv/signals");
    assert_eq!(signals, format!("SUCCESS {stack}\nFAILURE {stack}\n"));
    let calls = machine.calls();
    let reason = calls
        .rsplit("--reason ")
        .next()
        .and_then(|rest| rest.split(" --stack").next());
    let reason = reason.expect("a reason");
    assert!(
        reason.len() <= 1024 && reason.starts_with("...ä"),
        "{reason}"
    );
}

fn the_database_and_the_secret_of_its_master_are_found(world: &World, machine: &Machine) {
    let ask_both = "ec2_databases | jq -c '.[]' > /srv/found; cat /srv/found\n\
                    ec2_secret \"$(jq -r .masterSecretArn /srv/found)\"";
    let said = machine.bash(ask_both);
    let lines: Vec<Value> = said.ends(0).stdout.lines().map(json_of).collect();
    let [database, secret] = lines.as_slice() else {
        panic!("{said}")
    };
    assert_eq!(
        (&database["name"], &database["status"]),
        (&json!("app"), &json!("available"))
    );
    let arn = database["masterSecretArn"].as_str().unwrap_or_default();
    assert!(arn.contains(":secret:rds!db-"), "{database}");
    let kept = ask(
        world,
        "secretsmanager",
        "get_secret_value",
        &json!({"SecretId": arn}),
    );
    assert_eq!(
        json_of(kept["SecretString"].as_str().expect("text")),
        *secret
    );
    assert!(secret["username"].is_string() && secret["password"].is_string());
}

fn json_of(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}
