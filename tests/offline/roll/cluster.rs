//! The cluster of a seed: its stacks, what runs on it, and what goes wrong.

use std::collections::BTreeMap;
use std::time::Duration;

use fastrand::Rng;
use kube_cfn::catalog::durations::Seconds;
use kube_cfn::cloud::{ChangeSetLifetime, ChangeSetRequest, Cloud, Comparison, Protection};
use kube_cfn::common::Clock;
use kube_cfn::common::tags::{TAG_CLUSTER, TAG_STACK};
use kube_cfn::simulated::{
    App, ExternalChange, FleetConfig, FleetFault, FleetFaultKind, Simulated,
};
use serde_json::{Value, json};

pub const CLUSTER: &str = "canary";
pub const TARGETS: &str = "arn:aws:elasticloadbalancing:eu-west-1:1:targetgroup/api/1";

/// A pool: its name, how many machines it wants, in how many zones.
pub struct Pool {
    pub name: &'static str,
    pub machines: usize,
    pub zones: usize,
}

fn template(logical_id: &str) -> Value {
    json!({"Type": "AWS::EC2::LaunchTemplate", "Properties": {"LaunchTemplateData": {
        "ImageId": "ami-1", "UserData": logical_id}}})
}

fn group(template: &str, sizes: (usize, usize), zones: usize) -> Value {
    let zones: Vec<String> = ["a", "b", "c"][..zones]
        .iter()
        .map(|letter| format!("eu-west-1{letter}"))
        .collect();
    json!({"Type": "AWS::AutoScaling::AutoScalingGroup", "Properties": {
        "MinSize": sizes.0.to_string(), "MaxSize": sizes.1.to_string(), "AvailabilityZones": zones,
        "LaunchTemplate": {"LaunchTemplateId": {"Ref": template},
            "Version": {"Fn::GetAtt": [template, "LatestVersionNumber"]}}}})
}

/// Creates the stacks of a cluster. The outputs of its control plane.
pub async fn create(cloud: &Simulated, slots: usize, pools: &[Pool]) -> BTreeMap<String, String> {
    let (mut resources, mut outputs) = (json!({}), json!({}));
    for letter in &["A", "B", "C"][..slots] {
        let (launch, slot) = (format!("LaunchTemplate{letter}"), format!("Slot{letter}"));
        resources[&launch] = template(&launch);
        resources[&slot] = group(&launch, (1, 1), 1);
        outputs[&slot] = json!({"Value": {"Ref": slot}});
    }
    let outputs = add(
        cloud,
        "control-plane",
        json!({"Resources": resources, "Outputs": outputs}),
    )
    .await;
    for pool in pools {
        let sizes = (pool.machines.saturating_sub(1), pool.machines + 2);
        let body = json!({"Resources": {"LaunchTemplate": template("pool"),
            "Group": group("LaunchTemplate", sizes, pool.zones)}});
        add(cloud, &format!("pool-{}", pool.name), body).await;
        let stack = format!("{CLUSTER}-pool-{}", pool.name);
        let desired = u32::try_from(pool.machines).unwrap();
        assert!(cloud.scale(&stack, "Group", desired));
    }
    outputs
}

async fn add(cloud: &Simulated, kind: &str, template: Value) -> BTreeMap<String, String> {
    let name = format!("{CLUSTER}-{kind}");
    let request = ChangeSetRequest {
        stack: name.clone(),
        template: template.to_string(),
        bucket: None,
        parameters: BTreeMap::new(),
        capabilities: Vec::new(),
        tags: BTreeMap::from([
            (TAG_CLUSTER.to_owned(), CLUSTER.to_owned()),
            (TAG_STACK.to_owned(), kind.to_owned()),
        ]),
        token: format!("create-{name}"),
        lifetime: ChangeSetLifetime::Run,
        comparison: Comparison::Template,
    };
    let open = Protection {
        termination: false,
        policy: None,
    };
    let id = cloud.create(&request, &open).await.unwrap();
    settled(cloud, &id).await
}

async fn settled(cloud: &Simulated, id: &str) -> BTreeMap<String, String> {
    loop {
        let stack = cloud.stack(id).await.unwrap().unwrap();
        if !stack.status.is_in_progress() {
            return stack.outputs;
        }
        cloud.sleep(Duration::from_secs(1)).await;
    }
}

/// Gives a launch template a new version.
pub async fn change(cloud: &Simulated, kind: &str, logical_id: &str) {
    let stack = format!("{CLUSTER}-{kind}");
    assert!(cloud.apply_external_change(&ExternalChange::Update {
        stack: stack.clone(),
        logical_id: logical_id.to_owned(),
    }));
    let stacks = cloud.stacks(Some(CLUSTER)).await.unwrap();
    let id = stacks.into_iter().find(|one| one.name == stack).unwrap().id;
    settled(cloud, &id).await;
}

/// What runs on the cluster: apps with and without budgets, some with volumes.
///
/// Pods with a volume have no budget where a machine is drained before its replacement: the only machine of their zone could
/// never be drained.
pub fn apps(rng: &mut Rng, zones: usize, in_place: bool) -> Vec<App> {
    let mut apps = Vec::new();
    for number in 0..rng.usize(1..5) {
        let replicas = rng.u32(1..5);
        let stop = f64::from(rng.u32(1..90));
        let zone = (rng.u8(..4) == 0).then(|| {
            let letter = rng.choice(&["a", "b", "c"][..zones]).copied().unwrap();
            format!("eu-west-1{letter}")
        });
        apps.push(App {
            grace_seconds: rng.choice([5, 30, 120]).unwrap(),
            stop: Seconds {
                p50: stop,
                p90: stop * 1.5,
            },
            min_available: (replicas > 1 && rng.bool() && !(in_place && zone.is_some()))
                .then(|| replicas - 1),
            is_spread: rng.bool() && zone.is_none(),
            zone,
            ..App::new(&format!("app-{number}"), replicas)
        });
    }
    apps
}

const FAULTS: [FleetFaultKind; 11] = [
    FleetFaultKind::NoCapacity,
    FleetFaultKind::NeverJoins,
    FleetFaultKind::SpotTaken,
    FleetFaultKind::ApiAway,
    FleetFaultKind::StuckEviction,
    FleetFaultKind::ScaleUp,
    FleetFaultKind::ScaleDown,
    FleetFaultKind::Uncordoned,
    FleetFaultKind::DetachedTerminated,
    FleetFaultKind::InterfaceInUse,
    FleetFaultKind::NodesMissing,
];

/// Up to three faults within the first half hour.
pub fn faults(rng: &mut Rng) -> Vec<FleetFault> {
    let count = rng.usize(0..4);
    let mut fault = || {
        let kind = rng.choice(FAULTS).unwrap();
        // A list that lacks nodes for minutes is taken at its word.
        let most = match kind {
            FleetFaultKind::NodesMissing => 200,
            _ => 1500,
        };
        FleetFault {
            kind,
            from: Duration::from_secs(rng.u64(1..1800)),
            lasts: Duration::from_secs(rng.u64(20..most)),
        }
    };
    (0..count).map(|_| fault()).collect()
}

/// The fleet of a seed.
pub fn fleet(rng: &mut Rng, zones: usize, in_place: bool) -> FleetConfig {
    FleetConfig {
        apps: apps(rng, zones, in_place),
        faults: faults(rng),
        ..FleetConfig::default()
    }
}
