//! The shipped clusters on the simulated cloud: planned, applied, changed, deleted, without AWS.

mod account;
mod boots;
mod pools;

use std::collections::{BTreeMap, BTreeSet};
use std::future::pending;
use std::path::Path;

use kube_cfn::apply::{self, Outputs, OutsidePlan, Prerequisites, RunOutcome, RunReport, Session};
use kube_cfn::cloud::{CloudError, Store};
use kube_cfn::definition;
use kube_cfn::events::Outcome;
use kube_cfn::plan::{self, Guard, Plan, PlanError, PlanOptions};
use kube_cfn::simulated::{
    Crash, CrashPoint, Faults, Library, Operation, RemovalCause, ResourceFailure, Simulated,
    SimulationConfig,
};
use kube_cfn::spec::ClusterSpec;
use kube_cfn::stacks::{self, Source, Stack, StackKind};
use kube_cfn::templates::Templates;
use tokio::sync::mpsc::unbounded_channel;

/// Nothing has to be prepared outside CloudFormation here.
struct Nothing;

impl Prerequisites for Nothing {
    async fn prepare(&self, _: &StackKind, _: &Outputs) -> Result<Option<String>, String> {
        Ok(None)
    }
}

fn shipped(name: &str) -> ClusterSpec {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    definition::load(&root.join(format!("clusters/{name}.yaml"))).unwrap()
}

fn design(spec: &ClusterSpec) -> Vec<Stack> {
    stacks::design(spec, &Templates::new(None).unwrap()).unwrap()
}

fn world(spec: &ClusterSpec) -> SimulationConfig {
    SimulationConfig {
        account: spec
            .account
            .clone()
            .unwrap_or_else(|| "123456789012".to_owned()),
        region: spec.region.clone(),
        ..SimulationConfig::default()
    }
}

/// The AMI ids that a lock file would hold.
async fn images(cloud: &Simulated, stacks: &[Stack]) -> BTreeMap<String, String> {
    let mut images = BTreeMap::new();
    for input in stacks.iter().flat_map(|stack| &stack.inputs) {
        if let Source::Locked { parameter } = &input.source {
            let id = with_retry(async || cloud.parameter(parameter).await).await;
            images.insert(parameter.clone(), id.unwrap());
        }
    }
    images
}

/// Asks until there is an answer.
async fn with_retry<T>(mut ask: impl AsyncFnMut() -> Result<T, CloudError>) -> T {
    loop {
        match ask().await {
            Ok(answer) => return answer,
            Err(error) => assert!(error.is_transient(), "{error}"),
        }
    }
}

async fn planned(cloud: &Simulated, spec: &ClusterSpec, stacks: &[Stack], run: &str) -> Plan {
    let images = images(cloud, stacks).await;
    loop {
        let survey = with_retry(async || plan::survey(cloud, &spec.name).await).await;
        let draft = plan::draft(stacks.to_vec(), &survey, &images);
        let allow = BTreeSet::new();
        let terms = PlanOptions::new(run, &allow, &allow);
        match plan::resolve(draft, cloud, &terms).await {
            Ok(plan) => return plan,
            Err(PlanError::Cloud(error)) => assert!(error.is_transient(), "{error}"),
            Err(other) => panic!("{other}"),
        }
    }
}

async fn applied(cloud: &Simulated, spec: &ClusterSpec, stacks: &[Stack], run: &str) -> RunReport {
    let plan = planned(cloud, spec, stacks, run).await;
    let (events, _heard) = unbounded_channel();
    let session = Session::new(run, &events);
    apply::run(plan, cloud, &Nothing, &session, pending()).await
}

async fn deleted(cloud: &Simulated, spec: &ClusterSpec, run: &str) -> RunReport {
    let survey = plan::survey(cloud, &spec.name).await.unwrap();
    let demolition = plan::deletion(&survey, Guard::Open);
    assert_eq!(demolition.refused, None);
    let (events, _heard) = unbounded_channel();
    let session = Session::new(run, &events);
    let outside = OutsidePlan::default();
    let released = std::future::ready(Ok(Vec::new()));
    apply::delete(
        (&demolition, &outside),
        cloud,
        &session,
        released,
        pending(),
    )
    .await
}

fn statuses(cloud: &Simulated) -> BTreeSet<String> {
    let standing = cloud.all_stacks().into_iter();
    standing.map(|found| found.status.to_string()).collect()
}

fn only(status: &str) -> BTreeSet<String> {
    BTreeSet::from([status.to_owned()])
}

#[tokio::test(start_paused = true)]
async fn the_shipped_clusters_are_created_and_a_second_plan_has_nothing_to_do() {
    for name in ["production", "canary"] {
        let spec = shipped(name);
        let stacks = design(&spec);
        let cloud = Simulated::new(world(&spec));
        let report = applied(&cloud, &spec, &stacks, "first").await;
        assert_eq!(report.outcome(), RunOutcome::Done, "{report:#?}");
        assert_eq!(statuses(&cloud), only("CREATE_COMPLETE"));
        let again = planned(&cloud, &spec, &stacks, "second").await;
        let actions: Vec<_> = again.steps.iter().map(|step| &step.action).collect();
        assert!(!again.has_changes(), "{actions:#?}");
        assert_eq!(cloud.open_change_sets(), []);
    }
}

#[tokio::test(start_paused = true)]
async fn a_protected_cluster_is_deleted_after_protection_is_off() {
    let mut spec = shipped("production");
    assert!(spec.protect, "the shipped production is protected");
    let cloud = Simulated::new(world(&spec));
    let report = applied(&cloud, &spec, &design(&spec), "first").await;
    assert_eq!(report.outcome(), RunOutcome::Done, "{report:#?}");
    spec.protect = false;
    let report = applied(&cloud, &spec, &design(&spec), "open").await;
    assert_eq!(report.outcome(), RunOutcome::Done, "{report:#?}");
    assert_eq!(cloud.losses(), []);
    let report = deleted(&cloud, &spec, "gone").await;
    assert_eq!(report.outcome(), RunOutcome::Done, "{report:#?}");
    assert_eq!(statuses(&cloud), only("DELETE_COMPLETE"));
    let lost = cloud.losses();
    assert!(
        lost.iter()
            .all(|loss| loss.how == RemovalCause::StackDeleted)
    );
    assert!(lost.iter().any(|loss| loss.logical_id == "Database"));
}

#[tokio::test(start_paused = true)]
async fn a_failed_creation_rolls_back_and_the_next_run_creates_it() {
    let spec = shipped("canary");
    let stacks = design(&spec);
    let cloud = Simulated::new(SimulationConfig {
        failures: vec![ResourceFailure {
            stack: "canary-edge".to_owned(),
            logical_id: "NatGateway".to_owned(),
            operation: Operation::Create,
            reason: None,
            boot: None,
            times: 1,
        }],
        ..world(&spec)
    });
    let report = applied(&cloud, &spec, &stacks, "first").await;
    assert_ne!(report.outcome(), RunOutcome::Done);
    let edge = report
        .outcomes
        .iter()
        .find(|(kind, _)| *kind == StackKind::Edge);
    let Some((_, Outcome::RolledBack(failure))) = edge else {
        panic!("{report:#?}")
    };
    assert_eq!(failure.logical_id.as_deref(), Some("NatGateway"));
    assert!(
        failure.reason.contains("limit of 5 NAT gateways"),
        "{failure:?}"
    );
    let report = applied(&cloud, &spec, &stacks, "second").await;
    assert_eq!(report.outcome(), RunOutcome::Done, "{report:#?}");
    let standing = cloud.all_stacks();
    let made = standing
        .iter()
        .filter(|found| found.status.as_str() == "CREATE_COMPLETE");
    assert_eq!(made.count(), stacks.len());
}

#[tokio::test(start_paused = true)]
async fn faults_do_not_prevent_completion() {
    let spec = shipped("canary");
    let stacks = design(&spec);
    let library = Library::default();
    let faults = Faults {
        throttle: 0.1,
        unreachable: 0.03,
        lost_answer: 0.1,
        stale_read: 0.2,
        late_events: 0.2,
        duplicate_pages: 0.2,
        reorder: 0.2,
        ..Faults::default()
    };
    for seed in 0..8 {
        let faults = faults.clone();
        let unreliable = SimulationConfig {
            seed,
            faults,
            ..world(&spec)
        };
        let cloud = Simulated::sharing(unreliable, &library);
        // Five requests in a row without an answer: a run may have to leave it open what began.
        for run in ["first", "second", "third"] {
            let report = applied(&cloud, &spec, &stacks, run).await;
            match report.outcome() {
                RunOutcome::Done => break,
                RunOutcome::Detached if run != "third" => {}
                _ => panic!("seed {seed}, {run} run: {report:#?}"),
            }
        }
        assert_eq!(statuses(&cloud), only("CREATE_COMPLETE"), "seed {seed}");
        let created = cloud
            .writes()
            .iter()
            .filter(|write| write.verb == "create")
            .count();
        assert_eq!(created, stacks.len(), "seed {seed}: no stack twice");
    }
}

#[tokio::test(start_paused = true)]
async fn a_crash_at_any_call_is_recovered_without_duplicates() {
    let spec = shipped("canary");
    let stacks = design(&spec);
    let library = Library::default();
    for call in [2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 15, 20, 40, 80, 160, 320] {
        for when in [CrashPoint::BeforeEffect, CrashPoint::AfterEffect] {
            let faults = Faults {
                crash_at: Some(Crash { call, when }),
                ..Faults::default()
            };
            let deadly = SimulationConfig {
                faults,
                ..world(&spec)
            };
            let cloud = Simulated::sharing(deadly, &library);
            tokio::select! {
                report = applied(&cloud, &spec, &stacks, "first") => {
                    assert_eq!(report.outcome(), RunOutcome::Done);
                }
                () = cloud.crashed() => {}
            }
            cloud.restart(Faults::default());
            let report = applied(&cloud, &spec, &stacks, "second").await;
            assert_eq!(
                report.outcome(),
                RunOutcome::Done,
                "call {call} {when:?}: {report:#?}"
            );
            assert_eq!(
                statuses(&cloud),
                only("CREATE_COMPLETE"),
                "call {call} {when:?}"
            );
            let created = cloud
                .writes()
                .iter()
                .filter(|write| write.verb == "create")
                .count();
            assert_eq!(created, stacks.len(), "call {call} {when:?}");
            assert_eq!(cloud.open_change_sets(), []);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_whole_run_is_the_same_to_the_byte_with_the_same_seed() {
    let spec = shipped("canary");
    let stacks = design(&spec);
    let mut courses = Vec::new();
    for seed in [4, 4, 5] {
        let cloud = Simulated::new(SimulationConfig {
            seed,
            ..world(&spec)
        });
        applied(&cloud, &spec, &stacks, "first").await;
        courses.push((cloud.history(), cloud.calls(), cloud.writes()));
    }
    assert_eq!(courses[0], courses[1]);
    assert_ne!(courses[0].0, courses[2].0);
}
