//! How refused changes are shown. The forms stand in `tests/cases/plan`.

use kube_cfn::cloud::{Identity, StackStatus};
use kube_cfn::definition::Defined;
use kube_cfn::plan::{Action, Plan, Step};
use kube_cfn::report::plan::{ForecastInputs, PlanDetail, markdown, text, view};
use kube_cfn::stacks::StackKind;
use serde_json::json;

use super::{refused, steps};
use crate::stacks::fields::{designed, specified};
use crate::support::golden;

/// A plan with several refusals.
fn refused_plan() -> Plan {
    let was = designed(&[]);
    let is = designed(&[&vec![
        ("/network/podCidr", json!("100.72.0.0/14")),
        ("/controlPlane/nodes", json!(1)),
        ("/controlPlane/etcdVolumeGib", json!(10)),
        ("/pools/0/instanceTypes", json!(["m7i.large"])),
    ]]);
    let refused = refused(&was, &is, &StackStatus::CreateComplete, None);
    let action = |kind: &StackKind| {
        let why = refused.iter().find(|(of, _)| of == kind);
        why.map_or(Action::NoChange, |(_, why)| Action::Blocked(why.clone()))
    };
    let steps = steps(&was, &is).into_iter().map(|step| Step {
        action: action(&step.stack.kind),
        ..step
    });
    Plan {
        cluster: "full".to_owned(),
        steps: steps.collect(),
        leftover: Vec::new(),
        refused: refused.iter().map(|(_, why)| why.clone()).collect(),
        checks: Vec::new(),
    }
}

#[test]
fn refused_changes_stand_at_the_top_of_every_form() {
    let plan = refused_plan();
    let defined = Defined {
        path: "clusters/full.yaml".into(),
        spec: specified(&[]),
    };
    let identity = Identity {
        account: "111122223333".to_owned(),
        caller: "arn:aws:iam::111122223333:user/somebody".to_owned(),
        region: "us-east-1".to_owned(),
    };
    let view = view(&plan, &identity, &defined, &ForecastInputs::default());
    let text = text(&view, PlanDetail::Short);
    let wide = text.lines().find(|line| line.chars().count() > 80);
    assert_eq!(wide, None);
    golden::check("plan/changes-refused.txt", &text);
    golden::check("plan/changes-refused.md", &markdown(&view));
    let data = serde_json::to_value(&view).unwrap();
    let refused = serde_json::to_string_pretty(&data["refused"]).unwrap() + "\n";
    golden::check("plan/changes-refused.json", &refused);
}
