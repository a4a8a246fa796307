//! A plan that the rule of versions refuses, in every form. The forms stand in `tests/cases/plan`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use kube_cfn::cloud::Identity;
use kube_cfn::definition::Defined;
use kube_cfn::plan::versions::{RunningVersions, WantedVersions, decide};
use kube_cfn::plan::{Action, Plan, Step};
use kube_cfn::report::plan::{ForecastInputs, PlanDetail, markdown, text, view};
use kube_cfn::stacks::{self, StackKind};
use kube_cfn::templates::Templates;
use semver::Version;
use serde_json::{Value, json};

use crate::support::golden;

/// The shipped canary wants 1.36.4 while it runs 1.34.8, with one pool behind it.
fn refused() -> (Defined, Plan) {
    let path = PathBuf::from("clusters/canary.yaml");
    let defined = Defined::load(path).expect("a definition");
    let running: RunningVersions = BTreeMap::from([
        (StackKind::ControlPlane, Ok(Version::new(1, 35, 8))),
        (
            StackKind::Pool("workers".to_owned()),
            Ok(Version::new(1, 34, 8)),
        ),
    ]);
    let wanted = WantedVersions {
        region: "eu-west-1",
        cluster: "canary",
        kubernetes: &defined.spec.kubernetes,
        pools: &["workers"],
        place: &defined.line("kubernetes"),
    };
    let decided = decide(wanted, &running);
    let stacks = stacks::design_at(
        &defined.spec,
        &decided.versions,
        &Templates::new(None).expect("templates"),
    )
    .expect("stacks");
    let action = |kind: &StackKind| match decided.refused.get(kind) {
        Some(why) => Action::Blocked(why.clone()),
        None => Action::NoChange,
    };
    let steps = stacks.into_iter().map(|stack| {
        let (action, before) = (action(&stack.kind), Some(stack.template.clone()));
        Step {
            before,
            ..Step::new(stack, action)
        }
    });
    let plan = Plan {
        cluster: "canary".to_owned(),
        steps: steps.collect(),
        leftover: Vec::new(),
        refused: decided.refused.clone().into_values().collect(),
        checks: Vec::new(),
    };
    (defined, plan)
}

#[test]
fn a_refused_version_stands_at_the_top_of_every_form() {
    let (defined, plan) = refused();
    let identity = Identity {
        account: "111122223333".to_owned(),
        caller: "arn:aws:iam::111122223333:user/somebody".to_owned(),
        region: "eu-west-1".to_owned(),
    };
    let view = view(&plan, &identity, &defined, &ForecastInputs::default());
    let text = text(&view, PlanDetail::Short);
    assert!(
        text.lines().all(|line| line.chars().count() <= 80),
        "{text}"
    );
    golden::check("plan/refused.txt", &text);
    golden::check("plan/refused.md", &markdown(&view));
    let data = serde_json::to_value(&view).expect("JSON");
    let brief = |stack: &Value| {
        json!({"stack": stack["stack"], "action": stack["action"],
            "kubernetes": stack["kubernetes"], "blocked": stack["blocked"]})
    };
    let stacks = data["stacks"].as_array().expect("stacks").iter();
    let brief = json!({"refused": data["refused"], "changes": data["changes"],
        "stacks": stacks.map(brief).collect::<Vec<_>>()});
    let brief = serde_json::to_string_pretty(&brief).expect("JSON") + "\n";
    golden::check("plan/refused.json", &brief);
}
