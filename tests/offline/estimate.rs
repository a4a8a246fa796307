//! Estimated durations of a plan, compared with thousands of runs with random durations of every resource.

use std::collections::BTreeMap;
use std::path::Path;

use kube_cfn::catalog::durations::{self, Durations, Operation, Seconds};
use kube_cfn::definition;
use kube_cfn::forecast::{Estimate, estimate};
use kube_cfn::plan::{Action, Plan, Step, needs};
use kube_cfn::spec::ClusterSpec;
use kube_cfn::stacks::{self, Stack, StackKind};
use kube_cfn::templates::Templates;
use kube_cfn::templates::graph::{self, Needs, longest};
use serde_json::Value;

use crate::support::specs;

const RUNS: u32 = 2_000;

/// A cluster of `clusters/`.
pub fn cluster(name: &str) -> ClusterSpec {
    let path = format!("clusters/{name}.yaml");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    let text = definition::read(&path).expect("readable");
    definition::parse(name, &text).expect("good")
}

fn production(multi_az: bool) -> ClusterSpec {
    let mut spec = cluster("production");
    let database = spec.database.as_mut().expect("it has one");
    database.multi_az = multi_az;
    spec
}

/// The plan of a cluster that does not exist yet.
pub fn creation(spec: &ClusterSpec) -> Plan {
    let templates = Templates::new(None).expect("embedded");
    let stacks = stacks::design(spec, &templates).expect("good");
    let step = |stack: Stack| Step::new(stack, Action::Create);
    Plan {
        cluster: spec.name.clone(),
        steps: stacks.into_iter().map(step).collect(),
        leftover: Vec::new(),
        refused: Vec::new(),
        checks: Vec::new(),
    }
}

/// A time by chance: log-normal, with these percentiles.
fn chance(seconds: Seconds, rng: &mut fastrand::Rng) -> f64 {
    let sigma = (seconds.p90 / seconds.p50).ln() / 1.281_55;
    let radius = (-2.0 * (1.0 - rng.f64()).ln()).sqrt();
    let normal = radius * (std::f64::consts::TAU * rng.f64()).cos();
    seconds.p50 * (sigma * normal).exp()
}

/// What is the same in every run of a stack.
struct Walk {
    needs: Needs,
    resources: BTreeMap<String, Seconds>,
}

impl Walk {
    fn of(stack: &Stack, durations: &Durations) -> Self {
        let bodies = stack.template["Resources"].as_object().expect("resources");
        let time = |(id, body): (&String, &Value)| {
            let of_type = body["Type"].as_str().expect("a type");
            let seconds = durations.seconds(Operation::Create, of_type, Some(body));
            (id.clone(), seconds)
        };
        Self {
            needs: graph::needs(&stack.template),
            resources: bodies.iter().map(time).collect(),
        }
    }

    fn takes(&self, overhead: Seconds, rng: &mut fastrand::Rng) -> f64 {
        let drawn: BTreeMap<&str, f64> = self
            .resources
            .iter()
            .map(|(id, seconds)| (id.as_str(), chance(*seconds, rng)))
            .collect();
        longest(&self.needs, |id| drawn[id]).total + chance(overhead, rng)
    }
}

/// The share of runs that were done within `from`, and within `to`.
fn shares(plan: &Plan, estimated: &Estimate, durations: &Durations) -> (f64, f64) {
    let walks: BTreeMap<String, Walk> = plan
        .steps
        .iter()
        .map(|step| {
            (
                step.stack.kind.to_string(),
                Walk::of(&step.stack, durations),
            )
        })
        .collect();
    let mut order: Needs = plan
        .steps
        .iter()
        .map(|step| {
            let names = needs(&step.stack).iter().map(ToString::to_string).collect();
            (step.stack.kind.to_string(), names)
        })
        .collect();
    // Machines of pools that are up by then join the control plane.
    let joins = plan
        .steps
        .iter()
        .any(|step| step.stack.kind.joins().is_some());
    let control_plane = StackKind::ControlPlane.to_string();
    order.extend(joins.then(|| ("joined".to_owned(), [control_plane].into())));
    let mut rng = fastrand::Rng::with_seed(7);
    let (mut half, mut most) = (0.0, 0.0);
    for _ in 0..RUNS {
        let mut drawn: BTreeMap<&str, f64> = walks
            .iter()
            .map(|(name, walk)| {
                (
                    name.as_str(),
                    walk.takes(durations.stack_overhead(), &mut rng),
                )
            })
            .collect();
        drawn.insert("joined", chance(durations::JOIN, &mut rng));
        let took = longest(&order, |name| drawn[name]).total;
        half += f64::from(took <= f64::from(estimated.whole.from));
        most += f64::from(took <= f64::from(estimated.whole.to));
    }
    let runs = f64::from(RUNS);
    (half / runs, most / runs)
}

#[test]
fn half_of_all_runs_stay_under_the_lower_end_and_nine_in_ten_under_the_upper() {
    let durations = Durations::builtin();
    let clusters = [
        ("one zone", production(false)),
        ("two zones", production(true)),
        ("canary", specs::canary()),
        ("minimal", specs::minimal()),
    ];
    for (name, spec) in clusters {
        let plan = creation(&spec);
        let estimated = estimate(&plan, &durations);
        let (half, most) = shares(&plan, &estimated, &durations);
        assert!((0.40..=0.60).contains(&half), "{name}: {half} under `from`");
        assert!((0.85..=0.95).contains(&most), "{name}: {most} under `to`");
    }
}

/// Durations by which everything always takes what it takes in the middle of all cases.
fn certain(plan: &Plan) -> Durations {
    let table = Durations::builtin();
    let mut certain = Durations::builtin();
    for step in &plan.steps {
        for (id, of_type) in step.stack.resources() {
            let body = &step.stack.template["Resources"][id];
            let seconds = table.seconds(Operation::Create, of_type, Some(body));
            let key = durations::key(Operation::Create, of_type, Some(body));
            certain.learn(Operation::Create, &key, &[seconds.p50; 5]);
        }
    }
    certain
}

#[test]
fn the_reference_cluster_takes_eleven_minutes_where_one_stack_after_another_took_twice_that() {
    let table: Value =
        serde_json::from_str(include_str!("../../src/catalog/data/durations.json")).unwrap();
    let serial = table["referenceCase"]["serialSeconds"].as_f64().unwrap() / 60.0;
    let plan = creation(&production(false));
    let estimated = estimate(&plan, &certain(&plan));
    let minutes = f64::from(estimated.whole.from) / 60.0;
    assert!((10.5..=11.5).contains(&minutes), "{minutes} minutes");
    assert!((22.6..=22.8).contains(&serial) && minutes < serial / 2.0 + 0.2);
    assert_eq!(estimated.path, [StackKind::Network, StackKind::Database]);
    let slack: Vec<u32> = estimated
        .path
        .iter()
        .map(|kind| estimated.slack[kind])
        .collect();
    assert_eq!(slack, [0, 0]);
    assert!(
        estimated.slack[&StackKind::Base] > 60,
        "{:?}",
        estimated.slack
    );
}

#[test]
fn random_durations_exceed_the_critical_path() {
    let estimated = estimate(&creation(&production(false)), &Durations::builtin());
    assert!(
        (12 * 60..14 * 60).contains(&estimated.whole.from),
        "{:?}",
        estimated.whole
    );
    assert!(
        (15 * 60..17 * 60).contains(&estimated.whole.to),
        "{:?}",
        estimated.whole
    );
    let most = estimated
        .remaining
        .iter()
        .max_by(|a, b| a.1.total_cmp(b.1))
        .unwrap();
    assert_eq!(most.0, &StackKind::Network);
}
