//! Deleting a cluster whose API answers: what Kubernetes made goes through Kubernetes, before the first stack. The load
//! balancer and the volumes are on the emulated AWS; the tests' controllers remove them there, as the cloud controller
//! manager and the EBS CSI driver do.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::apiserver::controllers::Controllers;
use crate::apiserver::fixtures::{
    CLAIMS, PODS, SERVICES, STATEFUL_SETS, VOLUMES, ebs, pod, service, workload,
};
use crate::apiserver::{ApiServer, Outage};
use crate::kubernetes::Cluster;
use crate::process::Said;
use crate::tools::ask;
use crate::world::World;

/// A cluster with a Service of type LoadBalancer and a database with a volume.
struct Used {
    cluster: Cluster,
    balancer: String,
    volume: String,
    /// How many load balancers and volumes the controllers removed.
    by_controllers: Arc<AtomicUsize>,
}

fn tags(name: &str, more: &[(&str, &str)]) -> Value {
    let mut tags = vec![json!({"Key": format!("kubernetes.io/cluster/{name}"), "Value": "owned"})];
    let pair = |(key, value): &(&str, &str)| json!({"Key": key, "Value": value});
    tags.extend(more.iter().map(pair));
    json!(tags)
}

fn text(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}

fn make_balancer(world: &World) -> String {
    let subnet = json!({"StackName": format!("{}-network", world.name), "LogicalResourceId": "PublicSubnetA"});
    let subnet = ask(world, "cloudformation", "describe_stack_resource", &subnet);
    let subnet = &subnet["StackResourceDetail"]["PhysicalResourceId"];
    let asked = json!({"Name": "front", "Type": "network", "Subnets": [subnet],
        "Tags": tags(&world.name, &[("kubernetes.io/service-name", "web/front")])});
    let made = ask(world, "elbv2", "create_load_balancer", &asked);
    text(&made["LoadBalancers"][0]["LoadBalancerArn"])
}

fn make_volume(world: &World) -> String {
    let tags = tags(
        &world.name,
        &[
            ("ebs.csi.aws.com/cluster", "true"),
            ("kubernetes.io/created-for/pvc/namespace", "web"),
            ("kubernetes.io/created-for/pvc/name", "data-db-0"),
            ("kubernetes.io/created-for/pv/name", "pvc-web-data-db-0"),
            ("CSIVolumeName", "pvc-web-data-db-0"),
        ],
    );
    let asked = json!({"AvailabilityZone": "eu-west-1a", "Size": 8, "VolumeType": "gp3",
        "TagSpecifications": [{"ResourceType": "volume", "Tags": tags}]});
    text(&ask(world, "ec2", "create_volume", &asked)["VolumeId"])
}

impl Used {
    fn new(name: &str) -> Self {
        let cluster = Cluster::new(name);
        let (balancer, volume) = (make_balancer(&cluster.world), make_volume(&cluster.world));
        let server = &cluster.server;
        service(server, "web", "front");
        let claim = "data-db-0";
        let volume_name = "pvc-web-data-db-0";
        server.put(VOLUMES, ebs(volume_name, &volume, "Delete", "web", claim));
        let object = json!({"metadata": {"namespace": "web", "name": claim, "finalizers": ["kubernetes.io/pvc-protection"]},
            "spec": {"volumeName": volume_name}});
        server.put(CLAIMS, object);
        workload(server, STATEFUL_SETS, "db", None, claim);
        server.put(PODS, pod("web", "db-0", claim, Some(("StatefulSet", "db"))));
        let used = Self {
            cluster,
            balancer,
            volume,
            by_controllers: Arc::default(),
        };
        used.start_controllers();
        used
    }

    fn start_controllers(&self) {
        let remover = |service: &'static str, method: &'static str, asked: Value| {
            let (world, count) = (self.cluster.world.clone(), self.by_controllers.clone());
            Box::new(move |_: &Value| {
                ask(&world, service, method, &asked);
                count.fetch_add(1, Ordering::SeqCst);
                true
            })
        };
        let balancer = json!({"LoadBalancerArn": self.balancer});
        let volume = json!({"VolumeId": self.volume});
        self.cluster.server.run_controllers(Controllers {
            cloud: Some(remover("elbv2", "delete_load_balancer", balancer)),
            csi: Some(remover("ec2", "delete_volume", volume)),
            ..Controllers::all()
        });
    }

    fn delete(&self, more: &[&str]) -> Said {
        let name = self.cluster.world.name.clone();
        let mut all = vec!["delete", &name, "--confirm", &name];
        all.extend(more);
        self.cluster.run(&all)
    }

    fn balancers(&self) -> usize {
        let found = ask(
            &self.cluster.world,
            "elbv2",
            "describe_load_balancers",
            &json!({}),
        );
        let all = found["LoadBalancers"].as_array().expect("a list").iter();
        all.filter(|one| one["LoadBalancerArn"] == self.balancer.as_str())
            .count()
    }

    fn volumes(&self) -> usize {
        let found = ask(&self.cluster.world, "ec2", "describe_volumes", &json!({}));
        let all = found["Volumes"].as_array().expect("a list").iter();
        all.filter(|one| one["VolumeId"] == self.volume.as_str())
            .count()
    }

    /// The reclaim policies that are left.
    fn policies(&self) -> Vec<Value> {
        let volumes = self.cluster.server.objects(VOLUMES).into_iter();
        volumes
            .map(|one| one["spec"]["persistentVolumeReclaimPolicy"].clone())
            .collect()
    }

    fn is_gone(&self) {
        let said = self.cluster.world.cluster("status", &[]);
        said.ends(1).tells("has no stacks in account");
    }
}

#[test]
fn kept_volumes_are_protected_and_named_and_the_load_balancer_goes_through_kubernetes() {
    let used = Used::new("released");
    used.delete(&[])
        .ends(0)
        .tells(&used.volume)
        .tells("web/data-db-0")
        .tells("released is deleted");
    assert_eq!(used.by_controllers.load(Ordering::SeqCst), 1);
    assert_eq!((used.balancers(), used.volumes()), (0, 1));
    assert_eq!(used.policies(), [json!("Retain")]);
    assert_eq!(used.cluster.server.objects(SERVICES).len(), 0);
    assert_eq!(used.cluster.server.objects(CLAIMS).len(), 1);
    let requests = used.cluster.server.requests();
    let at = |text: &str| {
        let found = requests.iter().position(|one| one.starts_with(text));
        found.unwrap_or_else(|| panic!("no {text} in {requests:#?}"))
    };
    assert!(
        at("PATCH /api/v1/persistentvolumes/") < at("DELETE /api/v1/namespaces/web/services/front")
    );
    used.is_gone();
}

#[test]
fn deleted_volumes_go_with_their_claims() {
    let used = Used::new("emptied");
    used.delete(&["--delete-volumes"])
        .ends(0)
        .tells(&used.volume)
        .tells("emptied is deleted");
    assert_eq!(used.by_controllers.load(Ordering::SeqCst), 2);
    assert_eq!((used.balancers(), used.volumes()), (0, 0));
    for collection in [SERVICES, CLAIMS, VOLUMES, PODS] {
        assert_eq!(
            used.cluster.server.objects(collection).len(),
            0,
            "{collection}"
        );
    }
    used.is_gone();
}

#[test]
fn a_plan_of_a_deletion_changes_nothing_in_kubernetes() {
    let used = Used::new("planned");
    let server = used.cluster.server.server();
    let said = used
        .cluster
        .world
        .run(&["delete", "planned", "--plan", "--server", &server]);
    said.ends(0).prints(&used.volume).prints("web/front");
    let requests = used.cluster.server.requests();
    assert!(!requests.is_empty());
    assert!(
        requests.iter().all(|one| one.starts_with("GET ")),
        "{requests:#?}"
    );
    assert_eq!((used.balancers(), used.volumes()), (1, 1));
}

#[test]
fn a_volume_that_can_not_be_protected_refuses_before_the_first_stack() {
    let used = Used::new("unkept");
    let before = used.cluster.world.standing();
    used.cluster.server.deny("patch", "persistentvolumes");
    used.delete(&[])
        .ends(5)
        .tells("could not be set to reclaim policy Retain")
        .tells(&used.volume)
        .tells("a webhook, a missing right, a controller")
        .tells("kubectl patch pv NAME -p")
        .tells("then run the same command again");
    assert_eq!(used.cluster.world.standing(), before);
    assert_eq!((used.balancers(), used.volumes()), (1, 1));
    assert_eq!(used.cluster.server.objects(SERVICES).len(), 1);
}

/// Where nothing answers, all of it is left to AWS.
#[test]
fn without_an_api_the_load_balancer_goes_through_aws() {
    let used = Used::new("voiceless");
    used.cluster.server.fail_after(0, Outage::HangUp);
    let before = used.cluster.world.standing();
    used.delete(&[]).ends(5).tells("leave --server out");
    assert_eq!(used.cluster.world.standing(), before);
    used.cluster
        .world
        .run(&["delete", "voiceless", "--confirm", "voiceless"])
        .ends(0)
        .tells("are not protected")
        .tells(&used.volume)
        .tells("voiceless is deleted");
    assert_eq!(used.by_controllers.load(Ordering::SeqCst), 0);
    assert_eq!((used.balancers(), used.volumes()), (0, 1));
    used.is_gone();
}

/// A tunnel that leads to Kubernetes, which does not say what it has; and one that leads to another cluster.
#[test]
fn a_server_that_refuses_or_is_not_trusted_refuses_the_deletion() {
    let used = Used::new("closed");
    let before = used.cluster.world.standing();
    used.cluster.server.deny("list", "persistentvolumes");
    used.delete(&[])
        .ends(5)
        .tells("Kubernetes was not asked through --server")
        .tells("persistentvolumes")
        .tells("nothing was deleted");
    let other = ApiServer::start();
    let server = other.server();
    let all = [
        "delete",
        "closed",
        "--confirm",
        "closed",
        "--server",
        &server,
    ];
    used.cluster
        .world
        .run(&all)
        .ends(5)
        .tells("Kubernetes was not asked through --server")
        .tells("certificate")
        .tells("leave --server out");
    assert_eq!(used.cluster.world.standing(), before);
    assert_eq!((used.balancers(), used.volumes()), (1, 1));
    assert_eq!(used.policies(), [json!("Delete")]);
}

/// The program is killed while one of its requests to Kubernetes waits for an answer; the next run goes on from there.
fn killed_at_requests_to_kubernetes(name: &str, more: &[&str], left: usize) {
    let used = Used::new(name);
    let server = used.cluster.server.server();
    let plan = ["delete", name, "--plan", "--server", &server];
    used.cluster.world.run(&plan).ends(0);
    let look = used.cluster.server.requests().len();
    let mut arguments = vec!["delete", name, "--confirm", name, "--server", &server];
    arguments.extend(more);
    for after in [1, 2, 3] {
        let looked = used.cluster.server.silenced();
        let answered = look + after;
        used.cluster.server.fail_after(answered, Outage::Silence);
        let run = used.cluster.world.spawn(&arguments);
        let limit = Instant::now() + Duration::from_mins(1);
        while used.cluster.server.silenced() == looked && Instant::now() < limit {
            std::thread::sleep(Duration::from_millis(20));
        }
        assert!(used.cluster.server.silenced() > looked, "it came this far");
        assert_eq!(run.kill().code, None);
        used.cluster.server.answer_again();
        assert_eq!(used.cluster.world.standing().len(), 5, "no stack is gone");
    }
    used.delete(more).ends(0).tells("is deleted");
    assert_eq!((used.balancers(), used.volumes()), (0, left));
    used.is_gone();
}

#[test]
fn a_deletion_killed_at_a_request_to_kubernetes_is_finished_by_the_next() {
    killed_at_requests_to_kubernetes("struck", &[], 1);
}

#[test]
fn a_deletion_of_volumes_killed_at_a_request_to_kubernetes_is_finished_by_the_next() {
    killed_at_requests_to_kubernetes("struck-volumes", &["--delete-volumes"], 0);
}
