//! The rule of Kubernetes versions with the real stacks, on the simulated cloud: the running version is read and
//! never changed.

mod rule;

use std::collections::{BTreeMap, BTreeSet};
use std::future::pending;

use kube_cfn::apply::{self, Outputs, Prerequisites, RunOutcome, Session};
use kube_cfn::cloud::{CloudError, LiveStack, StackStatus, Store};
use kube_cfn::plan::versions::{self, RunningVersions, VersionDecision, WantedVersions};
use kube_cfn::plan::{self, Action, Plan, PlanOptions, Survey};
use kube_cfn::simulated::{Simulated, SimulationConfig};
use kube_cfn::spec::ClusterSpec;
use kube_cfn::stacks::{
    self, KUBERNETES_VERSION, STATE_BUCKET, Source, Stack, StackKind, Versions,
};
use kube_cfn::templates::Templates;
use semver::Version;
use tokio::sync::mpsc::unbounded_channel;

use crate::support::specs;

struct Nothing;

impl Prerequisites for Nothing {
    async fn prepare(&self, _: &StackKind, _: &Outputs) -> Result<Option<String>, String> {
        Ok(None)
    }
}

fn workers() -> StackKind {
    StackKind::Pool("workers".to_owned())
}

fn spec(kubernetes: Version) -> ClusterSpec {
    ClusterSpec {
        kubernetes,
        ..specs::canary()
    }
}

fn old() -> Version {
    Version::new(1, 35, 8)
}

fn new() -> Version {
    Version::new(1, 36, 4)
}

fn designed(spec: &ClusterSpec, versions: &Versions) -> Vec<Stack> {
    stacks::design_at(spec, versions, &Templates::new(None).unwrap()).unwrap()
}

/// As stacks were before they put out their version.
fn silent(mut stacks: Vec<Stack>) -> Vec<Stack> {
    for stack in &mut stacks {
        if let Some(outputs) = stack.template["Outputs"].as_object_mut() {
            outputs.remove(KUBERNETES_VERSION);
        }
    }
    stacks
}

fn cloud() -> Simulated {
    Simulated::new(SimulationConfig {
        region: "eu-west-1".to_owned(),
        ..SimulationConfig::default()
    })
}

async fn images(cloud: &Simulated, stacks: &[Stack]) -> BTreeMap<String, String> {
    let mut images = BTreeMap::new();
    for input in stacks.iter().flat_map(|stack| &stack.inputs) {
        if let Source::Locked { parameter } = &input.source {
            let id = cloud.parameter(parameter).await.unwrap();
            images.insert(parameter.clone(), id.unwrap());
        }
    }
    images
}

async fn completed(
    cloud: &Simulated,
    stacks: Vec<Stack>,
    survey: &Survey,
    refused: VersionDecision,
) -> Plan {
    let images = images(cloud, &stacks).await;
    let none = BTreeSet::new();
    let draft = plan::draft(stacks, survey, &images).refuse(refused.refused.into_iter().collect());
    let terms = PlanOptions::new("run", &none, &none);
    plan::resolve(draft, cloud, &terms).await.unwrap()
}

async fn execute(cloud: &Simulated, plan: Plan) -> RunOutcome {
    execute_as(cloud, plan, "run").await
}

async fn execute_as(cloud: &Simulated, plan: Plan, run: &str) -> RunOutcome {
    let (events, _heard) = unbounded_channel();
    let session = Session::new(run, &events);
    let run = apply::run(plan, cloud, &Nothing, &session, pending());
    run.await.outcome()
}

/// Creates these stacks.
async fn standing(stacks: Vec<Stack>) -> Simulated {
    let cloud = cloud();
    let survey = Survey {
        cluster: "canary".to_owned(),
        ..Survey::default()
    };
    let nothing = VersionDecision {
        versions: Versions::all(&new()),
        refused: BTreeMap::new(),
    };
    let plan = completed(&cloud, stacks, &survey, nothing).await;
    assert_eq!(execute(&cloud, plan).await, RunOutcome::Done);
    cloud
}

fn decided(spec: &ClusterSpec, running: &RunningVersions) -> VersionDecision {
    let pools: Vec<&str> = spec.pools.iter().map(|pool| pool.name.as_str()).collect();
    let wanted = WantedVersions {
        region: "eu-west-1",
        cluster: &spec.name,
        kubernetes: &spec.kubernetes,
        pools: &pools,
        place: "canary.yaml:3",
    };
    versions::decide(wanted, running)
}

/// What `plan` does with a definition, as far as versions go.
async fn planned(cloud: &Simulated, spec: &ClusterSpec) -> Plan {
    let survey = plan::survey(cloud, &spec.name).await.unwrap();
    let running = plan::running::running(&survey, cloud).await.unwrap();
    let decided = decided(spec, &running);
    let stacks = designed(spec, &decided.versions);
    completed(cloud, stacks, &survey, decided).await
}

fn words(plan: &Plan) -> Vec<String> {
    let changed = plan
        .steps
        .iter()
        .filter(|step| step.action != Action::NoChange);
    changed
        .map(|step| format!("{} {}", step.stack.kind, step.action.word()))
        .collect()
}

#[tokio::test(start_paused = true)]
async fn another_version_is_refused_and_nothing_is_written() {
    let cloud = standing(designed(&spec(old()), &Versions::all(&old()))).await;
    for wanted in [new(), Version::new(1, 34, 8), Version::new(1, 35, 7)] {
        let before = (cloud.all_stacks(), cloud.writes(), cloud.calls());
        let mut changed = spec(wanted.clone());
        changed.control_plane.etcd_volume_gib += 10;
        changed.pools[0].max += 1;
        let plan = planned(&cloud, &changed).await;
        assert!(plan.is_refused());
        assert_eq!(plan.refused.len(), 1);
        let stated = format!("the definition says Kubernetes {wanted}, the cluster runs 1.35.8");
        assert!(plan.refused[0].reason.starts_with(&stated), "{plan:?}");
        // What else differs is not asked while that is so.
        assert_eq!(
            words(&plan),
            ["control-plane blocked", "pool-workers blocked"]
        );
        let after = (cloud.all_stacks(), cloud.writes());
        assert_eq!(after, (before.0, before.1), "{wanted}");
        let asked = |calls: &kube_cfn::simulated::Calls, verb| calls.by_verb().get(verb).copied();
        for verb in ["create_change_set", "drift", "upload"] {
            let calls = cloud.calls();
            assert_eq!(asked(&calls, verb), asked(&before.2, verb), "{verb}");
        }
        assert_eq!(cloud.open_change_sets(), []);
    }
    let plan = planned(&cloud, &spec(old())).await;
    assert!(!plan.has_changes(), "{:?}", words(&plan));
}

#[tokio::test(start_paused = true)]
async fn a_pool_that_is_older_stays_as_it_is_while_all_else_changes() {
    let mut lagging = spec(new());
    let mut second = lagging.pools[0].clone();
    "batch".clone_into(&mut second.name);
    let versions = Versions {
        pools: BTreeMap::from([("workers".to_owned(), old())]),
        ..Versions::all(&new())
    };
    let cloud = standing(designed(&lagging, &versions)).await;
    assert!(!planned(&cloud, &lagging).await.has_changes());

    lagging.control_plane.volume_gib += 10;
    lagging.pools.push(second);
    let plan = planned(&cloud, &lagging).await;
    assert!(!plan.is_refused());
    assert_eq!(words(&plan), ["control-plane update", "pool-batch create"]);
    let version = |plan: &Plan, kind: &StackKind| {
        let step = plan.steps.iter().find(|step| step.stack.kind == *kind);
        step.unwrap().stack.kubernetes().unwrap()
    };
    assert_eq!(version(&plan, &workers()), old());
    assert_eq!(version(&plan, &StackKind::Pool("batch".to_owned())), new());
    assert_eq!(execute(&cloud, plan).await, RunOutcome::Done);
    assert!(!planned(&cloud, &lagging).await.has_changes());

    // Its own fields still change, at its own version.
    lagging.pools[0].max += 1;
    let plan = planned(&cloud, &lagging).await;
    assert_eq!(words(&plan), ["pool-workers update"]);
    let ids: Vec<&str> = plan.steps[5]
        .change_set()
        .unwrap()
        .changes
        .iter()
        .map(|c| c.logical_id.as_str())
        .collect();
    assert_eq!(ids, ["Group"]);
}

#[tokio::test(start_paused = true)]
async fn stacks_without_the_output_get_their_version_from_the_bundle() {
    let cloud = standing(silent(designed(&spec(old()), &Versions::all(&old())))).await;
    let survey = plan::survey(&cloud, "canary").await.unwrap();
    let running = plan::running::running(&survey, &cloud).await.unwrap();
    let both = [(StackKind::ControlPlane, Ok(old())), (workers(), Ok(old()))];
    assert_eq!(running, BTreeMap::from(both));
    assert!(planned(&cloud, &spec(new())).await.is_refused());

    // With the version that runs, the output is all that they get, and then they say it by themselves.
    let plan = planned(&cloud, &spec(old())).await;
    assert_eq!(
        words(&plan),
        ["control-plane update", "pool-workers update"]
    );
    assert_eq!(execute(&cloud, plan).await, RunOutcome::Done);
    let outputs = |kind: &str| {
        let found = cloud
            .all_stacks()
            .into_iter()
            .find(|found| found.kind == kind);
        found.unwrap().outputs.get(KUBERNETES_VERSION).cloned()
    };
    assert_eq!(outputs("control-plane").as_deref(), Some("1.35.8"));
    assert_eq!(outputs("pool-workers").as_deref(), Some("1.35.8"));
}

/// A survey of stacks without the output, in which the control plane stands as stated.
async fn surveyed(cloud: &Simulated, stand: impl FnOnce(&mut LiveStack)) -> Survey {
    let mut survey = plan::survey(cloud, "canary").await.unwrap();
    let mut all = survey.found.iter_mut();
    stand(all.find(|found| found.kind == "control-plane").unwrap());
    survey
}

#[tokio::test(start_paused = true)]
async fn an_unreadable_version_is_refused() {
    let stacks = silent(designed(&spec(old()), &Versions::all(&old())));
    let cloud = standing(stacks).await;
    let unknown = async |survey: &Survey| {
        let running = plan::running::running(survey, &cloud).await.unwrap();
        let why = running[&StackKind::ControlPlane].clone().unwrap_err();
        assert!(!decided(&spec(old()), &running).refused.is_empty());
        assert!(decided(&spec(old()), &running).refused[&StackKind::ControlPlane].by_guard);
        why
    };
    // After a rollback the template on record may be the one that failed.
    for status in [
        StackStatus::UpdateRollbackComplete,
        StackStatus::UpdateInProgress,
    ] {
        let moving = status.is_in_progress();
        let survey = surveyed(&cloud, |found| found.status = status).await;
        let unknown = unknown(&survey).await;
        assert!(
            unknown.reason.contains("may not be what runs"),
            "{unknown:?}"
        );
        assert_eq!(unknown.remedy.is_some(), moving, "{unknown:?}");
    }
    let mut survey = surveyed(&cloud, |_| ()).await;
    let base = survey.found.iter_mut().find(|found| found.kind == "base");
    let bucket = base.unwrap().outputs.remove(STATE_BUCKET).unwrap();
    assert!(unknown(&survey).await.reason.contains("no state bucket"));

    let mut survey = surveyed(&cloud, |_| ()).await;
    survey.templates.clear();
    assert!(
        unknown(&survey)
            .await
            .reason
            .ends_with("and its template no bundle")
    );

    let survey = surveyed(&cloud, |_| ()).await;
    cloud.empty_bucket(&bucket).await.unwrap();
    let gone = unknown(&survey).await;
    assert!(gone.reason.ends_with("is not there"), "{gone:?}");
    let key = gone.reason.split_whitespace().next().unwrap();
    let key = key.strip_prefix(&format!("s3://{bucket}/")).unwrap();
    cloud.upload(&bucket, key, b"something else").await.unwrap();
    let other = unknown(&survey).await;
    assert!(
        other.reason.ends_with("is no bundle of that name"),
        "{other:?}"
    );
    assert!(matches!(
        cloud.object("nowhere", key).await,
        Ok(None) | Err(CloudError::NotFound(_))
    ));
}

#[tokio::test(start_paused = true)]
async fn only_a_possible_control_plane_has_a_version() {
    let cloud = standing(designed(&spec(old()), &Versions::all(&old()))).await;
    for status in StackStatus::ALL {
        let runs = plan::status::runs(status);
        let there = surveyed(&cloud, |found| found.status = status.clone()).await;
        // Until its first end, and before a first update has put it out, the template alone says it.
        let mut begun = there.clone();
        // What an update that was rolled back had asked for is not what runs.
        let mut rolled_back = there.clone();
        let id = cloud
            .all_stacks()
            .into_iter()
            .find(|found| found.kind == "control-plane");
        let template = rolled_back.templates.get_mut(&id.unwrap().id).unwrap();
        template["Outputs"][KUBERNETES_VERSION]["Value"] = "1.36.4".into();
        begun
            .found
            .iter_mut()
            .for_each(|found| drop(found.outputs.remove(KUBERNETES_VERSION)));
        for survey in [there, begun, rolled_back] {
            let running = plan::running::running(&survey, &cloud).await.unwrap();
            let known = running.get(&StackKind::ControlPlane);
            assert_eq!(known, runs.then_some(&Ok(old())), "{status}");
            let decided = decided(&spec(new()), &running);
            assert_eq!(decided.refused.is_empty(), !runs, "{status}");
            let version = if runs { old() } else { new() };
            assert_eq!(decided.versions.control_plane, version, "{status}");
            assert_eq!(*decided.versions.pool("workers"), version, "{status}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn machines_that_another_run_made_meanwhile_keep_their_version() {
    let cloud = cloud();
    let fresh = spec(new());
    let plan = planned(&cloud, &fresh).await;
    let control_plane = plan
        .steps
        .iter()
        .find(|step| step.stack.kind == StackKind::ControlPlane);
    assert_eq!(control_plane.unwrap().action, Action::Create);
    // Another run creates the cluster at its own version before this one begins.
    let other = planned(&cloud, &spec(old())).await;
    assert_eq!(execute_as(&cloud, other, "other").await, RunOutcome::Done);
    assert_ne!(execute(&cloud, plan).await, RunOutcome::Done);
    for kind in ["control-plane", "pool-workers"] {
        let mut all = cloud.all_stacks().into_iter();
        let found = all.find(|found| found.kind == kind);
        let version = &found.unwrap().outputs[KUBERNETES_VERSION];
        assert_eq!(version, "1.35.8", "{kind}");
    }
}
