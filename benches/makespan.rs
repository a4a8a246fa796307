//! The makespan of a roll of 100 machines at 10 % surge over a bound that no order undercuts: boots and drains are
//! log-normal, and what is expected of a drain is wrong by a factor of e^N(0,1). Shared by `benches/simulated` and the tests.
//!
//! The bound: the first machine alone, then all others on ten places without a gap, none longer than its own time. What a
//! machine takes is what the simulation took for it in that very run: the launch and boot of its replacement and its own
//! drain; and the 15 s of looks at the new machine and of the pause before the first eviction, which the rules want.

use std::collections::BTreeMap;
use std::time::Duration;

use fastrand::Rng;
use jiff::Timestamp;
use kube_cfn::catalog::durations::{Seconds, WORKER_BOOT, WORKER_DRAIN};
use kube_cfn::cloud::{ChangeSetLifetime, ChangeSetRequest, Cloud, Comparison, Protection};
use kube_cfn::common::Clock;
use kube_cfn::common::tags::{TAG_CLUSTER, TAG_STACK};
use kube_cfn::etcd::Members;
use kube_cfn::roll::{End, Options, Roll};
use kube_cfn::simulated::{
    App, ExternalChange, FleetAct, FleetConfig, Simulated, SimulationConfig,
};
use serde_json::json;

/// Seconds of looks at a new machine, and before the first eviction.
const RULES: f64 = 15.0;
/// z of the ninth decile of the normal distribution.
const NINTH_DECILE: f64 = 1.281_551_6;

/// The value that a share of figures stays under.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "places in a list"
)]
pub fn quantile(figures: &[f64], share: f64) -> f64 {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[((sorted.len() - 1) as f64 * share) as usize]
}

fn normal(rng: &mut Rng) -> f64 {
    let radius = (-2.0 * (1.0 - rng.f64()).ln()).sqrt();
    radius * (std::f64::consts::TAU * rng.f64()).cos()
}

fn log_normal(rng: &mut Rng, typical: Seconds) -> f64 {
    let spread = (typical.p90 / typical.p50).ln() / NINTH_DECILE;
    typical.p50 * (spread * normal(rng)).exp()
}

/// One app a machine, with what its drain takes and what is expected of it.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "seconds, whole ones"
)]
fn apps(rng: &mut Rng, machines: u32) -> Vec<App> {
    let app = |number| {
        let takes = log_normal(rng, WORKER_DRAIN);
        let expected = takes * normal(rng).exp();
        App {
            grace_seconds: expected.round() as u64,
            stop: Seconds {
                p50: takes,
                p90: takes,
            },
            is_spread: true,
            milli_cpu: 10,
            ..App::new(&format!("app-{number:03}"), 1)
        }
    };
    (0..machines).map(app).collect()
}

/// The makespan over its bound, of so many machines.
pub fn ratio(machines: u32, seed: u64) -> f64 {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_time().start_paused(true).build();
    runtime.expect("a runtime").block_on(roll(machines, seed))
}

async fn roll(machines: u32, seed: u64) -> f64 {
    let rng = &mut Rng::with_seed(seed);
    let cloud = Simulated::new(SimulationConfig {
        seed,
        ..SimulationConfig::default()
    });
    let slot = json!({"Resources": {"LaunchTemplateA": launch_template(),
        "SlotA": group("LaunchTemplateA", 1)}});
    let pool = json!({"Resources": {"LaunchTemplate": launch_template(),
        "Group": group("LaunchTemplate", machines)}});
    create(&cloud, "control-plane", &slot).await;
    create(&cloud, "pool-workers", &pool).await;
    let apps = apps(rng, machines);
    let drains: BTreeMap<String, f64> = apps
        .iter()
        .map(|app| (app.name.clone(), app.stop.p50))
        .collect();
    cloud.start_fleet(FleetConfig {
        apps,
        boot: Some(WORKER_BOOT),
        ..FleetConfig::default()
    });
    cloud.apply_external_change(&ExternalChange::Update {
        stack: "bench-pool-workers".to_owned(),
        logical_id: "LaunchTemplate".to_owned(),
    });
    cloud.sleep(Duration::from_mins(10)).await;
    let options = Options {
        drain_timeout: Duration::from_hours(24),
        ..Options::new("bench")
    };
    let (events, _heard) = tokio::sync::mpsc::unbounded_channel();
    let members = Members {
        cloud: &cloud,
        slots: Vec::new(),
        on_step: &|_| {},
    };
    let roll = Roll::new((&cloud, &cloud, &members), &options, &events);
    assert_eq!(roll.run().await.expect("an end"), End::Finished);
    measure(&cloud, &drains, f64::from(machines / 10))
}

fn measure(cloud: &Simulated, drains: &BTreeMap<String, f64>, lanes: f64) -> f64 {
    let log = cloud.fleet_log();
    let mut detached: Vec<Timestamp> = Vec::new();
    let mut terminated: Vec<Timestamp> = Vec::new();
    let mut order: Vec<f64> = Vec::new();
    for entry in &log {
        match &entry.act {
            FleetAct::Detached(_) => detached.push(entry.facts.at),
            FleetAct::Terminated { .. } => terminated.push(entry.facts.at),
            FleetAct::Evicted { pod, .. } => {
                let app = drains
                    .iter()
                    .find(|(name, _)| pod.starts_with(&format!("shop/{name}-")));
                order.extend(app.map(|(_, takes)| *takes));
            }
            _ => {}
        }
    }
    let boots: Vec<f64> = cloud
        .fleet_boots()
        .iter()
        .map(Duration::as_secs_f64)
        .collect();
    assert_eq!(
        (order.len(), boots.len()),
        (drains.len(), drains.len()),
        "each machine once"
    );
    let whole = terminated.last().zip(detached.first());
    let whole = whole.map_or(0.0, |(end, begin)| end.duration_since(*begin).as_secs_f64());
    // Which replacement came for which machine makes no difference to the sum.
    let work = |number: usize| boots[number] + RULES + order[number];
    let rest: f64 = (1..order.len()).map(work).sum();
    let longest = order[1..].iter().copied().fold(0.0, f64::max);
    whole / (work(0) + (rest / lanes).max(longest))
}

fn launch_template() -> serde_json::Value {
    json!({"Type": "AWS::EC2::LaunchTemplate", "Properties": {"LaunchTemplateData": {"ImageId": "ami-1"}}})
}

fn group(template: &str, machines: u32) -> serde_json::Value {
    json!({"Type": "AWS::AutoScaling::AutoScalingGroup", "Properties": {
        "MinSize": machines.to_string(), "MaxSize": machines.to_string(),
        "AvailabilityZones": ["eu-west-1a"],
        "LaunchTemplate": {"LaunchTemplateId": {"Ref": template},
            "Version": {"Fn::GetAtt": [template, "LatestVersionNumber"]}}}})
}

async fn create(cloud: &Simulated, kind: &str, template: &serde_json::Value) {
    let request = ChangeSetRequest {
        stack: format!("bench-{kind}"),
        template: template.to_string(),
        bucket: None,
        parameters: BTreeMap::new(),
        capabilities: Vec::new(),
        tags: BTreeMap::from([
            (TAG_CLUSTER.to_owned(), "bench".to_owned()),
            (TAG_STACK.to_owned(), kind.to_owned()),
        ]),
        token: kind.to_owned(),
        lifetime: ChangeSetLifetime::Run,
        comparison: Comparison::Template,
    };
    let open = Protection {
        termination: false,
        policy: None,
    };
    cloud.create(&request, &open).await.expect("a stack");
    cloud.sleep(Duration::from_mins(10)).await;
}
