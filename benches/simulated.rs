//! How good the walking of a plan is, in the simulated cloud's own time: nothing here is timed by the
//! wall, and the figures are the same on every machine. `cargo bench --bench simulated`.
//!
//! The bound is the longest way through the stacks, each with the time that CloudFormation took for it in
//! that very run: no order of work can be quicker. What is above it, kube-cfn has waited without need.

mod makespan;

use kube_cfn::common::Clock;
use kube_cfn::common::tags::{TAG_CLUSTER, TAG_STACK};
use std::collections::BTreeMap;
use std::future::pending;
use std::path::Path;

use fastrand::Rng;
use jiff::Timestamp;
use kube_cfn::apply::{self, Outputs, Prerequisites, RunOutcome, Session};
use kube_cfn::catalog::durations::Durations;
use kube_cfn::cloud::{Limited, Store};
use kube_cfn::definition;
use kube_cfn::plan::{self, PlanOptions};
use kube_cfn::simulated::{Calls, Noise, Simulated, SimulationConfig};
use kube_cfn::stacks::{self, Input, Source, Stack, StackKind};
use kube_cfn::templates::Templates;
use kube_cfn::templates::graph::{Needs, longest};
use serde_json::json;

const GRAPHS: u64 = 200;
const ROLLS: u64 = 400;
/// Seconds in which most of twenty stacks have much to tell.
const LIVELY: u64 = 100;

/// What one run came to, in seconds of virtual time.
struct Figures {
    whole: f64,
    /// The longest way through the stacks.
    bound: f64,
    /// One stack after another.
    serial: f64,
    calls: Calls,
}

/// Nothing has to be done outside CloudFormation.
struct Nothing;

impl Prerequisites for Nothing {
    async fn prepare(&self, _: &StackKind, _: &Outputs) -> Result<Option<String>, String> {
        Ok(None)
    }
}

#[expect(clippy::print_stdout, reason = "figures are data")]
fn main() {
    for multi_az in [false, true] {
        let reference = reference(multi_az);
        let zones = if multi_az {
            "as shipped, its database in two zones"
        } else {
            "its database in one zone"
        };
        println!("the reference cluster (clusters/production.yaml), {zones}, without noise");
        println!(
            "  whole      {:6.2} min   aim 11.0 with one zone",
            reference.whole / 60.0
        );
        println!("  one by one {:6.2} min", reference.serial / 60.0);
        println!(
            "  makespan   {:6.3} of the longest way   aim 1.02",
            reference.ratio()
        );
    }
    let ratios: Vec<f64> = (0..GRAPHS).map(|seed| graph(seed).ratio()).collect();
    let most = ratios.iter().copied().fold(0.0, f64::max);
    let sum: f64 = ratios.iter().sum();
    let count = f64::from(u32::try_from(ratios.len()).unwrap_or(1));
    println!("{GRAPHS} random graphs of stacks, with noise");
    println!(
        "  makespan   {:6.3} of the longest way on average   aim 1.02",
        sum / count
    );
    println!("  makespan   {most:6.3} at most");
    let crowd = crowd();
    println!("20 stacks at once");
    println!(
        "  calls      {:6.2} a second in the first {LIVELY} s   aim 3 at most",
        crowd.rate()
    );
    println!(
        "  calls      {:6} in the busiest second after the creations were asked for",
        crowd.busiest()
    );
    let ratios: Vec<f64> = (0..ROLLS).map(|seed| makespan::ratio(100, seed)).collect();
    println!("{ROLLS} rolls of 100 machines at 10 % surge, expectations wrong by e^N(0,1)");
    println!(
        "  makespan   {:6.3} of its bound in the median   aim 1.06",
        makespan::quantile(&ratios, 0.5)
    );
    println!(
        "  makespan   {:6.3} of its bound for nine in ten   aim 1.10",
        makespan::quantile(&ratios, 0.9)
    );
}

impl Figures {
    fn ratio(&self) -> f64 {
        self.whole / self.bound
    }

    /// Calls a second while most stacks are lively.
    fn rate(&self) -> f64 {
        let calls = self.calls.by_second();
        let asked: usize = calls.range(..LIVELY).map(|(_, count)| count).sum();
        f64::from(u32::try_from(asked).unwrap_or(u32::MAX))
            / f64::from(u32::try_from(LIVELY).unwrap_or(u32::MAX))
    }

    /// The first second is the limiter's burst.
    fn busiest(&self) -> usize {
        let calls = self.calls.by_second();
        let later = calls.range(1..).map(|(_, count)| *count);
        later.max().unwrap_or_default()
    }
}

/// Plans and applies on a cloud that holds nothing yet.
fn played(cluster: &str, world: SimulationConfig, stacks: &[Stack], parallel: usize) -> Figures {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_time().start_paused(true).build();
    let runtime = runtime.expect("a runtime");
    runtime.block_on(async {
        let cloud = Limited::new(Simulated::new(world));
        let mut images = BTreeMap::new();
        for input in stacks.iter().flat_map(|stack| &stack.inputs) {
            if let Source::Locked { parameter } = &input.source {
                let id = cloud.parameter(parameter).await.expect("an answer");
                images.insert(parameter.clone(), id.expect("an image"));
            }
        }
        let survey = plan::survey(&cloud, cluster).await.expect("a survey");
        let draft = plan::draft(stacks.to_vec(), &survey, &images);
        let none = std::collections::BTreeSet::new();
        let terms = PlanOptions::new("bench", &none, &none);
        let plan = plan::resolve(draft, &cloud, &terms).await.expect("a plan");
        let expected = kube_cfn::forecast::estimate(&plan, &Durations::builtin());
        let (events, _heard) = tokio::sync::mpsc::unbounded_channel();
        let session = Session {
            remaining: &expected.remaining,
            parallel,
            ..Session::new("bench", &events)
        };
        let began = cloud.now();
        let report = apply::run(plan, &cloud, &Nothing, &session, pending()).await;
        assert_eq!(report.outcome(), RunOutcome::Done, "{report:#?}");
        figures(&cloud, stacks, began)
    })
}

fn figures(cloud: &Simulated, stacks: &[Stack], began: Timestamp) -> Figures {
    let mut span: BTreeMap<String, (Timestamp, Timestamp)> = BTreeMap::new();
    for event in cloud
        .history()
        .iter()
        .filter(|event| event.stack_status.is_some())
    {
        let known = span.entry(event.logical_id.clone());
        known.or_insert((event.at, event.at)).1 = event.at;
    }
    let seconds = |(from, to): &(Timestamp, Timestamp)| to.duration_since(*from).as_secs_f64();
    let took: BTreeMap<String, f64> = span
        .iter()
        .map(|(name, times)| (name.clone(), seconds(times)))
        .collect();
    let cluster = |kind: &StackKind| {
        let of_kind = stacks.iter().find(|stack| stack.kind == *kind);
        of_kind.map(|stack| stack.name.clone())
    };
    let needs: Needs = stacks
        .iter()
        .map(|stack| {
            let needed = plan::needs(stack);
            (
                stack.name.clone(),
                needed.iter().filter_map(cluster).collect(),
            )
        })
        .collect();
    Figures {
        whole: cloud.now().duration_since(began).as_secs_f64(),
        bound: longest(&needs, |name| took.get(name).copied().unwrap_or_default()).total,
        serial: took.values().sum(),
        calls: cloud.calls(),
    }
}

/// The cluster of the project's own aims, every time the median.
fn reference(multi_az: bool) -> Figures {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("clusters/production.yaml");
    let mut spec = definition::load(&path).unwrap_or_else(|problems| panic!("{problems}"));
    if let Some(database) = &mut spec.database {
        database.multi_az = multi_az;
    }
    let templates = Templates::new(None::<&Path>).expect("the built-in templates");
    let stacks = stacks::design(&spec, &templates).expect("a good definition");
    let world = SimulationConfig {
        account: spec
            .account
            .clone()
            .unwrap_or_else(|| "123456789012".to_owned()),
        region: spec.region.clone(),
        noise: Noise::None,
        ..SimulationConfig::default()
    };
    played(&spec.name, world, &stacks, 10)
}

/// Three to fourteen stacks that need each other by chance.
fn graph(seed: u64) -> Figures {
    let mut rng = Rng::with_seed(seed);
    let count = rng.usize(3..=14);
    let stacks = (0..count).map(|number| {
        let needs: Vec<usize> = (0..number)
            .filter(|_| rng.usize(..number.max(1)) < 2)
            .collect();
        let types = (0..rng.usize(1..=3)).map(|_| *rng.choice(&TYPES).expect("types"));
        stack(number, &types.collect::<Vec<_>>(), &needs)
    });
    let world = SimulationConfig {
        seed,
        ..SimulationConfig::default()
    };
    played("bench", world, &stacks.collect::<Vec<_>>(), 14)
}

/// Twenty stacks that need nothing of each other.
fn crowd() -> Figures {
    let stacks = (0..20).map(|number| {
        let of_type = TYPES.get(number % TYPES.len()).copied().unwrap_or_default();
        stack(number, &[of_type, TYPES[0]], &[])
    });
    played(
        "bench",
        SimulationConfig::default(),
        &stacks.collect::<Vec<_>>(),
        20,
    )
}

/// Slow ones and quick ones.
const TYPES: [&str; 7] = [
    "AWS::AutoScaling::AutoScalingGroup",
    "AWS::IAM::Role",
    "AWS::EC2::NatGateway",
    "AWS::RDS::DBInstance",
    "AWS::ElasticLoadBalancingV2::LoadBalancer",
    "AWS::EC2::VPC",
    "AWS::EC2::Volume",
];

/// A stack of resources of these types, with what it needs of stacks before it.
fn stack(number: usize, types: &[&str], needs: &[usize]) -> Stack {
    let kind = |number: usize| StackKind::Pool(format!("n{number}"));
    let mut template = json!({"Outputs": {"Out": {"Value": "out"}}});
    for (at, of_type) in types.iter().enumerate() {
        let body = json!({"Type": of_type, "Properties": {}});
        template["Resources"][format!("R{at}")] = body;
    }
    let input = |need: &usize| Input {
        parameter: format!("P{need}"),
        source: Source::Output {
            stack: kind(*need),
            key: "Out".to_owned(),
        },
    };
    let inputs: Vec<Input> = needs.iter().map(input).collect();
    for input in &inputs {
        template["Parameters"][input.parameter.as_str()] = json!({"Type": "String"});
    }
    let tag = |key: &str, value: String| (key.to_owned(), value);
    Stack {
        name: kind(number).stack_name("bench"),
        template,
        inputs,
        capabilities: vec!["CAPABILITY_NAMED_IAM".to_owned()],
        tags: BTreeMap::from([
            tag(TAG_CLUSTER, "bench".to_owned()),
            tag(TAG_STACK, kind(number).to_string()),
        ]),
        policy: None,
        termination_protection: false,
        objects: Vec::new(),
        kind: kind(number),
    }
}
