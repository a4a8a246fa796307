//! The shipped clusters on the simulated cloud: planned, applied, changed, deleted, without any AWS.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use kube_cfn::apply::{self, End, Outputs, Prepare, Report, Session};
use kube_cfn::cloud::simulated::{Faults, Kill, Library, Moment, Noise, Simulated, World};
use kube_cfn::cloud::{Clock, Cloud, StackStatus, Store};
use kube_cfn::definition;
use kube_cfn::plan::{self, Action, Plan, Terms};
use kube_cfn::spec::ClusterSpec;
use kube_cfn::stacks::{self, Source, Stack, StackKind};
use kube_cfn::templates::Templates;

/// Nothing has to be prepared outside CloudFormation here.
struct Nothing;

impl Prepare for Nothing {
    async fn before(&self, _: &StackKind, _: &Outputs) -> Result<Option<String>, String> {
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

fn world(spec: &ClusterSpec) -> World {
    World {
        account: spec
            .account
            .clone()
            .unwrap_or_else(|| "123456789012".to_owned()),
        region: spec.region.clone(),
        ..World::default()
    }
}

/// The AMI ids that a lock file would hold.
async fn images(cloud: &Simulated, stacks: &[Stack]) -> BTreeMap<String, String> {
    let mut images = BTreeMap::new();
    for input in stacks.iter().flat_map(|stack| &stack.inputs) {
        if let Source::Locked { parameter } = &input.source {
            let id = cloud.parameter(parameter).await.unwrap().unwrap();
            images.insert(parameter.clone(), id);
        }
    }
    images
}

async fn planned(cloud: &Simulated, spec: &ClusterSpec, stacks: &[Stack], run: &str) -> Plan {
    let images = images(cloud, stacks).await;
    let survey = plan::survey(cloud, &spec.name).await.unwrap();
    let draft = plan::draft(stacks.to_vec(), &survey, &images);
    let allow = BTreeSet::new();
    let terms = Terms { run, allow: &allow };
    plan::complete(draft, cloud, &terms).await.unwrap()
}

async fn applied(cloud: &Simulated, spec: &ClusterSpec, stacks: &[Stack], run: &str) -> Report {
    let plan = planned(cloud, spec, stacks, run).await;
    let (events, _heard) = tokio::sync::mpsc::unbounded_channel();
    let session = Session {
        run,
        events: &events,
    };
    apply::run(plan, cloud, &Nothing, &session, std::future::pending()).await
}

fn statuses(cloud: &Simulated) -> BTreeSet<String> {
    let all = cloud.stacks_now().into_iter();
    all.map(|found| found.status.to_string()).collect()
}

#[tokio::test(start_paused = true)]
async fn the_shipped_clusters_are_created_and_a_second_plan_has_nothing_to_do() {
    for name in ["production", "canary"] {
        let spec = shipped(name);
        let stacks = design(&spec);
        let cloud = Simulated::new(world(&spec));
        let report = applied(&cloud, &spec, &stacks, "first").await;
        assert_eq!(report.end(), End::Done, "{report:#?}");
        assert_eq!(
            statuses(&cloud),
            BTreeSet::from(["CREATE_COMPLETE".to_owned()])
        );
        let again = planned(&cloud, &spec, &stacks, "second").await;
        let actions: Vec<_> = again.steps.iter().map(|step| &step.action).collect();
        assert!(!again.has_changes(), "{actions:#?}");
        assert_eq!(cloud.lying_about(), []);
    }
}
