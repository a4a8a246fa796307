//! What lies outside the stacks of a living cluster: `status` shows it, `doctor` names what nothing uses any more, with the
//! command that ends it; without the right to look both say so.

use std::process::Command;

use serde_json::{Value, json};

use crate::apiserver::cluster::fill;
use crate::kubernetes::Cluster;
use crate::process::Said;
use crate::tools::{ask, base_output};
use crate::world::World;

const GIB: u64 = 1 << 30;

fn text(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}

fn physical_id(world: &World, stack: &str, logical: &str) -> String {
    let name = format!("{}-{stack}", world.name);
    let asked = json!({"StackName": name, "LogicalResourceId": logical});
    let found = ask(world, "cloudformation", "describe_stack_resource", &asked);
    text(&found["StackResourceDetail"]["PhysicalResourceId"])
}

fn tags(world: &World, more: &[(&str, &str)]) -> Value {
    let owned = format!("kubernetes.io/cluster/{}", world.name);
    let mut tags = vec![json!({"Key": owned, "Value": "owned"})];
    tags.extend(
        more.iter()
            .map(|(key, value)| json!({"Key": key, "Value": value})),
    );
    json!(tags)
}

/// The machine of the pool, taken out of its group as a roll does that is killed then.
fn detach(world: &World) -> String {
    let groups = ask(
        world,
        "autoscaling",
        "describe_auto_scaling_groups",
        &json!({}),
    );
    let mut groups = groups["AutoScalingGroups"]
        .as_array()
        .expect("groups")
        .iter();
    let of_pool = |group: &&Value| {
        let mut tags = group["Tags"].as_array().expect("tags").iter();
        tags.any(|tag| tag["Key"] == "kube-cfn/stack" && tag["Value"] == "pool-workers")
    };
    let group = groups.find(of_pool).expect("the group of the pool");
    let machine = text(&group["Instances"][0]["InstanceId"]);
    let asked = json!({"AutoScalingGroupName": group["AutoScalingGroupName"], "InstanceIds": [machine],
        "ShouldDecrementDesiredCapacity": false});
    ask(world, "autoscaling", "detach_instances", &asked);
    machine
}

/// A volume as the EBS CSI driver makes it for a claim.
fn volume(world: &World, claim: &str) -> String {
    let tags = tags(
        world,
        &[
            ("ebs.csi.aws.com/cluster", "true"),
            ("kubernetes.io/created-for/pvc/namespace", "web"),
            ("kubernetes.io/created-for/pvc/name", claim),
            ("CSIVolumeName", &format!("pvc-{claim}")),
        ],
    );
    let asked = json!({"AvailabilityZone": "eu-west-1a", "Size": 8, "VolumeType": "gp3",
        "TagSpecifications": [{"ResourceType": "volume", "Tags": tags}]});
    text(&ask(world, "ec2", "create_volume", &asked)["VolumeId"])
}

/// A load balancer as the cloud controller manager makes it for a Service.
fn balancer(world: &World, service: &str) -> String {
    let subnet = physical_id(world, "network", "PublicSubnetA");
    let tags = tags(
        world,
        &[("kubernetes.io/service-name", &format!("web/{service}"))],
    );
    let asked = json!({"Name": service, "Type": "network", "Subnets": [subnet], "Tags": tags});
    let made = ask(world, "elbv2", "create_load_balancer", &asked);
    text(&made["LoadBalancers"][0]["LoadBalancerArn"])
}

/// A security group as the cloud controller manager makes it.
fn group(world: &World) -> String {
    let vpc = physical_id(world, "network", "Vpc");
    let tags = tags(world, &[]);
    let asked = json!({"GroupName": "k8s-elb-a1b2", "VpcId": vpc,
        "Description": "Security group for Kubernetes ELB a1b2 (web/old)",
        "TagSpecifications": [{"ResourceType": "security-group", "Tags": tags}]});
    text(&ask(world, "ec2", "create_security_group", &asked)["GroupId"])
}

/// What `doctor` says of what lies outside.
fn leftovers(said: &Said) -> Vec<Value> {
    let found: Value = serde_json::from_str(&said.stdout).expect("JSON");
    found["leftovers"].as_array().cloned().expect("leftovers")
}

fn named<'a>(all: &'a [Value], id: &str) -> &'a Value {
    let found = all.iter().find(|one| one["id"] == id);
    found.unwrap_or_else(|| panic!("no {id} in {all:#?}"))
}

/// Runs the last command in a remedy, which ends what it is about.
fn end(world: &World, leftover: &Value) {
    let Some(cli) = std::env::var_os("KUBE_CFN_TEST_AWS_CLI") else {
        return;
    };
    let next = text(&leftover["next"]);
    let commands: Vec<&str> = next.split('`').skip(1).step_by(2).collect();
    let mut shell = Command::new("bash");
    world.furnish(&mut shell);
    let path = std::env::var("PATH").unwrap_or_default();
    let cli = cli.to_string_lossy();
    shell.env("PATH", format!("{cli}:{path}"));
    let command = commands.last().expect("a command");
    Said::of(shell.args(["-euc", command])).ends(0);
}

#[test]
fn detached_machine_is_named_until_it_is_terminated() {
    let world = World::small("adrift");
    world.apply().ends(0);
    world.nodes_say(360);
    let nothing = "ok outside        nothing is left over there";
    world.cluster("doctor", &[]).ends(0).prints(nothing);
    world
        .cluster("status", &[])
        .ends(0)
        .prints("outside   nothing of adrift lies outside its stacks");
    let machine = detach(&world);
    world
        .cluster("doctor", &[])
        .ends(4)
        .prints(&format!("!! outside        machine {machine}"))
        .prints("is in no Auto Scaling group any more")
        .tells("1 resource left over outside the stacks");
    let said = world.cluster("doctor", &["-o", "json"]);
    let all = leftovers(said.ends(4));
    assert_eq!(all.len(), 1, "{all:#?}");
    assert_eq!(named(&all, &machine)["state"], "orphaned");
    let shown = format!("1 machine in no Auto Scaling group any more: {machine} (running)");
    world.cluster("status", &[]).ends(0).prints(&shown);
    let view = world.status();
    assert_eq!(view["outside"]["resources"][0]["id"], json!(machine));
    assert_eq!(view["outside"]["resources"][0]["owner"], "stack");
    end(&world, &all[0]);
    world.cluster("doctor", &[]).ends(0).prints(nothing);
}

#[test]
fn volumes_and_load_balancers_are_held_against_claims_and_services() {
    let cluster = Cluster::new("heldto");
    let world = &cluster.world;
    world.nodes_say(360);
    let (used, gone) = (volume(world, "used"), volume(world, "gone"));
    let (front, old) = (balancer(world, "front"), balancer(world, "old"));
    let group = group(world);
    // The API can't be asked: nothing is missing, and nothing is well.
    let said = world.cluster("doctor", &["-o", "json"]);
    let all = leftovers(said.ends(4));
    let state = |wanted: &str| all.iter().filter(|one| one["state"] == wanted).count();
    assert_eq!((state("orphaned"), state("unknown")), (1, 2), "{all:#?}");
    assert_eq!(named(&all, &group)["state"], "orphaned");

    let service = |name: &str| {
        json!({"metadata": {"namespace": "web", "name": name},
            "spec": {"type": "LoadBalancer", "ports": [{"port": 80}]}})
    };
    cluster
        .server
        .put("api/v1/namespaces", json!({"metadata": {"name": "web"}}));
    cluster.server.put("api/v1/services", service("front"));
    cluster.server.put(
        "api/v1/persistentvolumeclaims",
        json!({"metadata": {"namespace": "web", "name": "used"}, "spec": {"volumeName": "pvc-used"}}),
    );
    cluster.server.put(
        "api/v1/persistentvolumes",
        json!({"metadata": {"name": "pvc-used"},
            "spec": {"capacity": {"storage": "8Gi"}, "persistentVolumeReclaimPolicy": "Delete",
                "csi": {"driver": "ebs.csi.aws.com", "volumeHandle": used},
                "claimRef": {"kind": "PersistentVolumeClaim", "namespace": "web", "name": "used"}}}),
    );
    let said = cluster.run(&["doctor", "heldto", "-o", "json"]);
    let all = leftovers(said.ends(4));
    assert_eq!(all.len(), 3, "{used} and {front} are used: {all:#?}");
    for id in [&gone, &old, &group] {
        assert_eq!(named(&all, id)["state"], "orphaned");
    }
    assert_eq!(named(&all, &gone)["bytes"], json!(8 * GIB));
    assert!(named(&all, &gone)["monthlyUsd"].as_f64().expect("a price") > 0.1);
    world
        .cluster("status", &[])
        .ends(0)
        .prints("2 load balancers for web/front, web/old")
        .prints("2 volumes, 16 GiB: claims web/gone, web/used");
    if std::env::var_os("KUBE_CFN_TEST_AWS_CLI").is_none() {
        return;
    }
    for one in &all {
        end(world, one);
    }
    let said = cluster.run(&["doctor", "heldto", "-o", "json"]);
    assert_eq!(leftovers(said.ends(0)), Vec::<Value>::new());
}

/// A load balancer as the AWS Load Balancer Controller makes it for an Ingress, or for a group of them.
fn balancer_of_ingress(world: &World, name: &str, stack: &str) -> String {
    let subnet = physical_id(world, "network", "PublicSubnetA");
    let tags = json!([{"Key": "elbv2.k8s.aws/cluster", "Value": world.name},
        {"Key": "ingress.k8s.aws/stack", "Value": stack}]);
    let asked = json!({"Name": name, "Type": "application", "Subnets": [subnet], "Tags": tags});
    let made = ask(world, "elbv2", "create_load_balancer", &asked);
    text(&made["LoadBalancers"][0]["LoadBalancerArn"])
}

/// A rule of the nodes' group for a load balancer's, and an interface that has that one.
fn rule_and_interface(world: &World, group: &str) -> String {
    let nodes = physical_id(world, "network", "NodeSg");
    let asked = json!({"GroupId": nodes, "IpPermissions": [{"IpProtocol": "tcp", "FromPort": 30080,
        "ToPort": 30080, "UserIdGroupPairs": [{"GroupId": group}]}]});
    let made = ask(world, "ec2", "authorize_security_group_ingress", &asked);
    let subnet = physical_id(world, "network", "PrivateSubnetA");
    let asked = json!({"SubnetId": subnet, "Groups": [group], "Description": "of somebody else"});
    ask(world, "ec2", "create_network_interface", &asked);
    text(&made["SecurityGroupRules"][0]["SecurityGroupRuleId"])
}

/// An API that is not reached from here leaves this open (1): the command that asks it is named.
#[test]
fn load_balancers_and_rules_are_held_against_ingresses_and_services() {
    let cluster = Cluster::new("ingressed");
    let world = &cluster.world;
    world.nodes_say(360);
    let shop = balancer_of_ingress(world, "k8s-shop", "web/shop");
    let edge = balancer_of_ingress(world, "k8s-edge", "edge");
    let blog = balancer_of_ingress(world, "k8s-blog", "web/blog");
    let rule = rule_and_interface(world, &group(world));
    world
        .cluster("doctor", &[])
        .ends(1)
        .prints("3 load balancers")
        .tells("not looked at: whether these are in use outside the stacks: load balancers, rules")
        .tells("`kube-cfn doctor ingressed --server https://127.0.0.1:6443`");
    let ingresses = "apis/networking.k8s.io/v1/ingresses";
    let ingress = |name: &str, more: Value| {
        let mut found = json!({"metadata": {"namespace": "web", "name": name}, "spec": {}});
        found["metadata"]
            .as_object_mut()
            .expect("metadata")
            .extend(more.as_object().expect("an object").clone());
        cluster.server.put(ingresses, found);
    };
    ingress("shop", json!({}));
    ingress(
        "news",
        json!({"annotations": {"alb.ingress.kubernetes.io/group.name": "edge"}}),
    );
    let said = cluster.run(&["doctor", "ingressed", "-o", "json"]);
    let all = leftovers(said.ends(4));
    assert_eq!(all.len(), 2, "{shop} and {edge} are used: {all:#?}");
    for id in [&blog, &rule] {
        assert_eq!(named(&all, id)["state"], "orphaned");
    }
    cluster.server.put(
        "api/v1/services",
        json!({"metadata": {"namespace": "web", "name": "old"}, "spec": {"type": "LoadBalancer"}}),
    );
    ingress("blog", json!({}));
    let said = cluster.run(&["doctor", "ingressed"]);
    said.ends(0)
        .prints("ok outside        nothing is left over there");
}

#[test]
fn what_lies_outside_is_remarked_on_and_no_part_of_a_check() {
    let cluster = Cluster::new("remarked");
    fill(&cluster.server, &["10.20.0.10"], "workers", 1);
    let check = ["status", "remarked", "--check"];
    cluster.run(&check).ends(0).omits("remark");
    let machine = detach(&cluster.world);
    cluster
        .run(&check)
        .ends(0)
        .tells("remark, no part of this check")
        .tells(&format!(
            "machine {machine} is in no Auto Scaling group any more, and costs"
        ));
    // A caller who may not look there still gets the verdict on the rest.
    let refuses = json!({"refuses": ["GetResources", "DescribeVolumes"]});
    cluster.world.account_facts(&refuses);
    cluster
        .run(&check)
        .ends(0)
        .prints("not looked for: ")
        .tells("remark, no part of this check: not looked for: ");
    cluster.world.nodes_say(360);
    cluster
        .run(&["doctor", "remarked"])
        .ends(4)
        .prints("?? outside        volume: could not be looked for: ");
    cluster.world.account_facts(&json!({}));
}

#[test]
fn half_deleted_cluster_names_what_holds_its_network() {
    let world = World::small("stuck");
    world.apply().ends(0);
    let bucket = base_output(&world, "StateBucket");
    assert!(!bucket.is_empty());
    let old = balancer(&world, "old");
    for stack in ["pool-workers", "control-plane", "edge", "network"] {
        let name = json!({"StackName": format!("stuck-{stack}")});
        ask(&world, "cloudformation", "delete_stack", &name);
        for _ in 0..200 {
            let said = world.cluster("status", &["-o", "json"]);
            let view: Value = serde_json::from_str(&said.ends(0).stdout).expect("JSON");
            let mut stacks = view["stacks"].as_array().expect("stacks").iter();
            let status = stacks.find(|one| one["stack"] == stack);
            if status.is_none_or(|one| one["status"] != "DELETE_IN_PROGRESS") {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
    }
    for command in ["status", "diagnose"] {
        let said = world.cluster(command, &[]);
        said.prints("!! network: held by load balancer old (network) of web/old")
            .prints("`kube-cfn delete stuck` removes what is the cluster's");
    }
    let view = world.status();
    let held = view["outside"]["holdsNetwork"].as_array().expect("a list");
    assert!(held.iter().any(|one| one["id"] == json!(old)), "{held:#?}");
}

/// What others have in the VPC stops a deletion before its network: every command says so, and none advises to go back.
#[test]
fn deletion_that_stopped_at_the_network_names_what_holds_it() {
    let world = World::small("halted");
    world.apply().ends(0);
    let subnet = physical_id(&world, "network", "PrivateSubnetA");
    let asked = json!({"SubnetId": subnet, "Description": "of somebody else"});
    let made = ask(&world, "ec2", "create_network_interface", &asked);
    let id = text(&made["NetworkInterface"]["NetworkInterfaceId"]);
    world
        .delete()
        .ends(4)
        .tells("it is kept while these are in it");
    let standing = world.standing();
    let standing: Vec<_> = standing
        .iter()
        .filter(|line| !line.ends_with(" -"))
        .collect();
    assert_eq!(standing, ["network CREATE_COMPLETE"]);
    let held = format!("network interface {id}");
    let said = world.cluster("status", &[]);
    said.ends(0)
        .prints(&held)
        .prints("next: `kube-cfn delete halted`");
    assert_eq!(
        world.status()["outside"]["holdsNetwork"][0]["id"],
        json!(id)
    );
    world
        .cluster("status", &["--check"])
        .ends(4)
        .tells("`kube-cfn delete halted` goes on with the deletion");
    world
        .cluster("diagnose", &[])
        .ends(4)
        .prints(&held)
        .tells("`kube-cfn delete halted` goes on with the deletion");
    let said = world.cluster("diagnose", &["-o", "json"]);
    let view: Value = serde_json::from_str(&said.stdout).expect("JSON");
    assert_eq!(view["holdsNetwork"][0]["id"], json!(id));
    let said = world.cluster("doctor", &[]);
    said.ends(4)
        .prints(&held)
        .prints("`kube-cfn delete halted`")
        .tells("`kube-cfn delete halted` goes on with it");
    for advice in ["certs restore", "kube-cfn apply", "kube-cfn plan"] {
        let all = format!("{}{}", said.stdout, said.stderr);
        assert!(!all.contains(advice), "{advice}:\n{all}");
    }
    let asked = json!({"NetworkInterfaceId": id});
    ask(&world, "ec2", "delete_network_interface", &asked);
    world.delete().ends(0);
}
