//! Plans of the shipped canary where AWS resized what runs: the autoscaler its pool, RDS its database. The texts stand in
//! `tests/cases/plan`.

use std::collections::{BTreeMap, BTreeSet};
use std::future::pending;
use std::path::PathBuf;

use kube_cfn::apply::{self, Outputs, Prerequisites, RunOutcome, Session};
use kube_cfn::cloud::{Cloud, CloudError, Store};
use kube_cfn::definition::Defined;
use kube_cfn::plan::{self, DriftDetection, Plan, PlanOptions};
use kube_cfn::report::plan::{ForecastInputs, PlanDetail, text, view};
use kube_cfn::simulated::{CallFault, FaultKind, Noise, Simulated, SimulationConfig};
use kube_cfn::stacks::{self, Source, Stack, StackKind};
use kube_cfn::templates::Templates;
use serde_json::json;
use tokio::sync::mpsc::unbounded_channel;

use crate::support::golden;

/// Nothing has to be made outside CloudFormation.
struct Nothing;

impl Prerequisites for Nothing {
    async fn prepare(&self, _: &StackKind, _: &Outputs) -> Result<Option<String>, String> {
        Ok(None)
    }
}

fn canary() -> Defined {
    Defined::load(PathBuf::from("clusters/canary.yaml")).expect("a definition")
}

fn stacks(defined: &Defined) -> Vec<Stack> {
    stacks::design(&defined.spec, &Templates::new(None).unwrap()).expect("stacks")
}

async fn planned(cloud: &Simulated, defined: &Defined) -> Plan {
    let stacks = stacks(defined);
    let mut images = BTreeMap::new();
    for input in stacks.iter().flat_map(|stack| &stack.inputs) {
        if let Source::Locked { parameter } = &input.source {
            let id = cloud.parameter(parameter).await.unwrap();
            images.insert(parameter.clone(), id.unwrap());
        }
    }
    let none = BTreeSet::new();
    let survey = plan::survey(cloud, "canary").await.unwrap();
    let options = PlanOptions {
        drift: DriftDetection::All,
        ..PlanOptions::new("run", &none, &none)
    };
    let draft = plan::draft(stacks, &survey, &images);
    plan::resolve(draft, cloud, &options).await.unwrap()
}

async fn shown(cloud: &Simulated, defined: &Defined) -> String {
    let plan = planned(cloud, defined).await;
    plan::discard(&plan, cloud).await;
    let identity = cloud.identity().await.unwrap();
    let view = view(&plan, &identity, defined, &ForecastInputs::default());
    text(&view, PlanDetail::Short)
}

/// The canary as shipped, with four machines in a pool of at most four, 30 GiB in a database of 20, and processes that
/// somebody resumed.
async fn resized() -> Simulated {
    let cloud = Simulated::new(SimulationConfig {
        region: "eu-west-1".to_owned(),
        noise: Noise::None,
        ..SimulationConfig::default()
    });
    let plan = planned(&cloud, &canary()).await;
    let (events, _heard) = unbounded_channel();
    let session = Session::new("run", &events);
    let report = apply::run(plan, &cloud, &Nothing, &session, pending()).await;
    assert_eq!(report.outcome(), RunOutcome::Done, "{report:?}");
    assert!(!planned(&cloud, &canary()).await.has_changes());
    assert!(cloud.scale("canary-pool-workers", "Group", 4));
    assert!(cloud.resume("canary-pool-workers", "Group"));
    let grown = json!("30");
    assert!(cloud.change_property("canary-database", "Database", "AllocatedStorage", grown));
    cloud
}

#[tokio::test(start_paused = true)]
async fn what_aws_resized_is_shown_and_rebalancing_is_the_only_change() {
    let cloud = resized().await;
    golden::check("plan/resized.txt", &shown(&cloud, &canary()).await);
    let plan = planned(&cloud, &canary()).await;
    assert!(plan.has_changes() && !plan.is_refused());
}

#[tokio::test(start_paused = true)]
async fn group_that_may_not_be_read_is_unknown_and_no_all_clear() {
    let cloud = resized().await;
    let denied = CloudError::Denied {
        caller_may_not: "the caller may not autoscaling:DescribeAutoScalingGroups".to_owned(),
        action: None,
    };
    cloud.change_faults(|faults| {
        faults.calls.push(CallFault {
            verb: Some("group"),
            about: None,
            after: 0,
            times: u32::MAX,
            kind: FaultKind::Refused(denied),
        });
    });
    let shown = shown(&cloud, &canary()).await;
    assert!(
        shown.contains("?? whether AZRebalance is suspended"),
        "{shown}"
    );
    assert!(!shown.contains("are as defined"), "{shown}");
    assert!(
        shown.contains("Nothing to do: all 6 stacks have the defined templates.")
            && shown.contains("CloudFormation does not compare"),
        "verdict and drift are said all the same: {shown}"
    );
}

#[tokio::test(start_paused = true)]
async fn changes_that_do_not_fit_what_runs_are_refused() {
    let cloud = resized().await;
    let mut defined = canary();
    defined.spec.pools[0].max = 3;
    defined.spec.database.as_mut().unwrap().backup_days += 1;
    golden::check("plan/too-small.txt", &shown(&cloud, &defined).await);
    assert!(planned(&cloud, &defined).await.is_refused());
}
