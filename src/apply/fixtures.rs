//! A small cluster for the tests of this room, and ways to plan and run it on the double.

use crate::common::tags::{TAG_CLUSTER, TAG_STACK};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use tokio::sync::mpsc::unbounded_channel;

use super::double::{Double, Script, found};
use super::{Outputs, Prepare, Report, Session, run};
use crate::cloud::{ChangeAction, LiveStack, Replacement, ResourceChange};
use crate::events::{Event, Outcome};
use crate::plan::{Plan, PlanError, Terms, complete, draft, survey};
use crate::stacks::{Input, Object, STATE_BUCKET, Source, Stack, StackKind};

pub const CLUSTER: &str = "canary";

type Needs<'a> = &'a [(&'a str, StackKind, &'a str)];

/// A stack whose template has these resources.
pub fn stack(kind: StackKind, resources: &[(&str, &str)], needs: Needs<'_>) -> Stack {
    let body = |(id, of_type): &(&str, &str)| {
        let sentence = format!("the {id} of {kind}");
        let body = json!({"Type": of_type, "Metadata": {"Sentence": sentence}, "Properties": {}});
        ((*id).to_owned(), body)
    };
    let resources: serde_json::Map<String, Value> = resources.iter().map(body).collect();
    let input = |(parameter, from, key): &(&str, StackKind, &str)| Input {
        parameter: (*parameter).to_owned(),
        source: Source::Output {
            stack: from.clone(),
            key: (*key).to_owned(),
        },
    };
    let tags = [
        (TAG_CLUSTER, CLUSTER.to_owned()),
        (TAG_STACK, kind.to_string()),
    ];
    Stack {
        name: kind.stack_name(CLUSTER),
        template: json!({"Resources": resources}),
        inputs: needs.iter().map(input).collect(),
        capabilities: Vec::new(),
        tags: tags.map(|(key, value)| (key.to_owned(), value)).into(),
        policy: None,
        termination_protection: false,
        objects: Vec::new(),
        kind,
    }
}

/// The six stacks of a small cluster.
pub fn stacks() -> Vec<Stack> {
    use StackKind as K;
    let network = [("VpcId", K::Network, "VpcId")];
    let nodes = [
        ("Profile", K::Base, "Profile"),
        ("Host", K::Edge, "ApiHost"),
    ];
    let mut control = stack(
        K::ControlPlane,
        &[("SlotA", "AWS::AutoScaling::AutoScalingGroup")],
        &nodes,
    );
    control.objects.push(Object {
        key: "node/1.tar.gz".to_owned(),
        bytes: vec![1],
    });
    vec![
        stack(
            K::Base,
            &[("Key", "AWS::KMS::Key"), ("Role", "AWS::IAM::Role")],
            &[],
        ),
        stack(K::Network, &[("Vpc", "AWS::EC2::VPC")], &[]),
        stack(
            K::Edge,
            &[
                ("Nat", "AWS::EC2::NatGateway"),
                ("Lb", "AWS::ElasticLoadBalancingV2::LoadBalancer"),
            ],
            &network,
        ),
        stack(
            K::Database,
            &[("Database", "AWS::RDS::DBInstance")],
            &network,
        ),
        control,
        stack(
            K::Pool("workers".to_owned()),
            &[("Group", "AWS::AutoScaling::AutoScalingGroup")],
            &nodes,
        ),
    ]
}

type Times = (&'static str, u64, &'static [(&'static str, &'static str)]);

const TIMES: [Times; 6] = [
    (
        "base",
        130,
        &[(STATE_BUCKET, "bucket-1"), ("Profile", "profile-1")],
    ),
    ("network", 40, &[("VpcId", "vpc-1")]),
    ("edge", 150, &[("ApiHost", "api.example")]),
    ("database", 600, &[("Endpoint", "db.example")]),
    ("control-plane", 120, &[]),
    ("pool-workers", 100, &[]),
];

/// A double on which every creation takes its time and succeeds.
pub fn double() -> Double {
    let double = Double::new();
    for (kind, seconds, outputs) in TIMES {
        let script = Script {
            outputs: outputs.to_vec(),
            ..Script::well(seconds, "CREATE_COMPLETE")
        };
        double.script(&format!("create {CLUSTER}-{kind}"), script);
    }
    double
}

/// A double on which the whole cluster stands.
pub fn standing() -> Double {
    let double = double();
    let outputs: BTreeMap<&str, BTreeMap<String, String>> = TIMES
        .iter()
        .map(|(kind, _, all)| {
            (
                *kind,
                all.iter()
                    .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
                    .collect(),
            )
        })
        .collect();
    for stack in stacks() {
        let kind = stack.kind.to_string();
        let mut there = found(CLUSTER, &stack.name, "CREATE_COMPLETE");
        there.outputs.clone_from(&outputs[kind.as_str()]);
        there.tags.clone_from(&stack.tags);
        for input in &stack.inputs {
            if let Source::Output { stack: from, key } = &input.source {
                let value = outputs[from.to_string().as_str()][key].clone();
                there.parameters.insert(input.parameter.clone(), value);
            }
        }
        double.put(there, stack.template);
    }
    double
}

/// Changes what stands in the account.
pub fn amend(double: &Double, name: &str, change: impl FnOnce(&mut LiveStack)) {
    let mut stacks = double.stacks.borrow_mut();
    change(&mut stacks.get_mut(name).expect("it stands").found);
}

/// Wants something else of one stack's template.
pub fn altered(kind: &StackKind) -> Vec<Stack> {
    let mut all = stacks();
    let one = all.iter_mut().find(|stack| stack.kind == *kind);
    one.expect("a stack of that kind").template["Description"] = json!("altered");
    all
}

pub fn change(id: &str, of_type: &str, replacement: Replacement) -> ResourceChange {
    ResourceChange {
        logical_id: id.to_owned(),
        physical_id: Some(format!("phys-{id}")),
        resource_type: of_type.to_owned(),
        action: ChangeAction::Modify,
        replacement,
        deletion_policy: None,
        properties: Vec::new(),
    }
}

pub async fn planned_with(
    double: &Double,
    stacks: Vec<Stack>,
    allow: &[&str],
) -> Result<Plan, PlanError> {
    planned_under(double, stacks, allow, &[]).await
}

pub async fn planned_under(
    double: &Double,
    stacks: Vec<Stack>,
    allow: &[&str],
    skip: &[&str],
) -> Result<Plan, PlanError> {
    let own = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let (allow, skip): (BTreeSet<String>, BTreeSet<String>) = (own(allow), own(skip));
    let terms = Terms::new("r1", &allow, &skip);
    let survey = survey(double, CLUSTER).await.expect("a survey");
    complete(draft(stacks, &survey, &BTreeMap::new()), double, &terms).await
}

pub async fn planned(double: &Double, stacks: Vec<Stack>) -> Plan {
    planned_with(double, stacks, &[]).await.expect("a plan")
}

/// Remembers what it was asked to prepare; refuses one stack, if told.
#[derive(Default)]
pub struct Prepared {
    pub asked: RefCell<Vec<(StackKind, Vec<StackKind>)>>,
    pub refuses: Option<StackKind>,
}

impl Prepare for Prepared {
    async fn before(&self, stack: &StackKind, outputs: &Outputs) -> Result<Option<String>, String> {
        let known = outputs.keys().cloned().collect();
        self.asked.borrow_mut().push((stack.clone(), known));
        if self.refuses.as_ref() == Some(stack) {
            return Err("no authorities".to_owned());
        }
        Ok(Some(format!("{stack} is prepared")))
    }
}

pub async fn go_until(
    double: &Double,
    plan: Plan,
    stop: impl Future<Output = ()>,
) -> (Report, Vec<Event>) {
    go_as(double, plan, |_| {}, stop).await
}

/// Runs a plan under a session that is not the usual one.
pub async fn go_as(
    double: &Double,
    plan: Plan,
    amend: impl FnOnce(&mut Session<'_>),
    stop: impl Future<Output = ()>,
) -> (Report, Vec<Event>) {
    let (events, mut heard) = unbounded_channel();
    let mut session = Session::new("r1", &events);
    amend(&mut session);
    let report = run(plan, double, &Prepared::default(), &session, stop).await;
    let mut all = Vec::new();
    while let Ok(event) = heard.try_recv() {
        all.push(event);
    }
    (report, all)
}

pub async fn go(double: &Double, plan: Plan) -> (Report, Vec<Event>) {
    go_until(double, plan, std::future::pending()).await
}

/// Outcomes as `kind word`, failures with their reason.
pub fn told(report: &Report) -> Vec<String> {
    let line = |(kind, outcome): &(StackKind, Outcome)| match outcome {
        Outcome::RolledBack(why) if why.status.is_none() => {
            format!("{kind} not begun: {}", why.reason)
        }
        Outcome::RolledBack(why) => format!("{kind} rolled back: {}", why.reason),
        Outcome::Failed(why) => format!("{kind} failed: {}", why.reason),
        Outcome::NotStarted { needs } => format!("{kind} not started: {needs}"),
        other => format!("{kind} {other:?}"),
    };
    report.outcomes.iter().map(line).collect()
}

pub fn notes(events: &[Event]) -> Vec<String> {
    let text = |event: &Event| match event {
        Event::Note { text, .. } => Some(text.clone()),
        _ => None,
    };
    events.iter().filter_map(text).collect()
}
