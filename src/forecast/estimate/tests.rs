//! What small plans take.

use serde_json::json;

use super::*;
use crate::cloud::LiveStack;
use crate::plan::{Guard, PendingInput, Survey};
use crate::stacks::{Input, Source, Stack};

fn body(of_type: &str, needs: &[&str]) -> Value {
    json!({"Type": of_type, "DependsOn": needs})
}

fn stack(kind: StackKind, resources: Value, from: &[StackKind]) -> Stack {
    let input = |stack: &StackKind| Input {
        parameter: format!("From{stack}"),
        source: Source::Output {
            stack: stack.clone(),
            key: "Out".to_owned(),
        },
    };
    let mut template = json!({});
    template["Resources"] = resources;
    Stack {
        name: kind.stack_name("canary"),
        kind,
        template,
        inputs: from.iter().map(input).collect(),
        capabilities: Vec::new(),
        tags: BTreeMap::new(),
        policy: None,
        termination_protection: false,
        objects: Vec::new(),
    }
}

fn doing(stack: Stack, action: Action) -> Step {
    Step {
        before: Some(stack.template.clone()),
        ..Step::new(stack, action)
    }
}

fn change(id: &str, action: ChangeAction, replacement: Replacement) -> ResourceChange {
    ResourceChange {
        logical_id: id.to_owned(),
        physical_id: None,
        resource_type: "AWS::RDS::DBInstance".to_owned(),
        action,
        replacement,
        deletion_policy: None,
        properties: Vec::new(),
    }
}

fn set(changes: Vec<ResourceChange>) -> Action {
    Action::Update(ChangeSet {
        id: "set".to_owned(),
        stack_id: "stack".to_owned(),
        changes,
        warnings: Vec::new(),
    })
}

fn data() -> Stack {
    let resources = json!({
        "Subnets": body("AWS::RDS::DBSubnetGroup", &[]),
        "Database": body("AWS::RDS::DBInstance", &["Subnets"]),
    });
    stack(StackKind::Database, resources, &[])
}

fn span(action: Action) -> Option<Span> {
    step(&doing(data(), action), &Durations::builtin())
}

fn from(action: Action) -> u32 {
    span(action).map_or(0, |span| span.from)
}

#[test]
fn creation_counts_all_resources_and_update_the_changed_ones() {
    // 595 and 2 and CloudFormation's own 16.
    assert!(
        (610..625).contains(&from(Action::Create)),
        "{}",
        from(Action::Create)
    );
    let modified = set(vec![change(
        "Database",
        ChangeAction::Modify,
        Replacement::No,
    )]);
    assert!(
        (185..200).contains(&from(modified.clone())),
        "{}",
        from(modified)
    );
    let small = set(vec![change(
        "Subnets",
        ChangeAction::Modify,
        Replacement::No,
    )]);
    assert!((20..35).contains(&from(small.clone())), "{}", from(small));
}

#[test]
fn replacement_is_a_creation_then_a_deletion() {
    let replaced = || change("Database", ChangeAction::Modify, Replacement::Yes);
    let both = from(set(vec![replaced()]));
    assert!((595 + 300..595 + 300 + 60).contains(&both), "{both}");
    let kept = ResourceChange {
        deletion_policy: Some(DeletionPolicy::Retain),
        ..replaced()
    };
    assert!((610..640).contains(&from(set(vec![kept]))));
    let maybe = from(set(vec![change(
        "Database",
        ChangeAction::Modify,
        Replacement::Might,
    )]));
    assert!(maybe > 200 && maybe < both, "{maybe}");
}

#[test]
fn leftover_deletion_counts_and_retained_resources_take_no_time() {
    assert!(from(Action::Replace) > from(Action::Create) + 10);
    assert_eq!(span(Action::NoChange), None);
    assert_eq!(span(Action::Follow(StackStatus::UpdateInProgress)), None);
    assert_eq!(
        span(Action::Follow(StackStatus::CreateInProgress)),
        span(Action::Create)
    );
}

#[test]
fn deferred_update_counts_only_resources_with_pending_values() {
    let mut resources = data().template["Resources"].clone();
    resources["Database"]["Properties"] = json!({"VPCSecurityGroups": [{"Ref": "Group"}]});
    let mut later = doing(stack(StackKind::Database, resources, &[]), Action::Deferred);
    let nothing = step(&later, &Durations::builtin()).unwrap().from;
    assert_eq!(nothing, 16);
    later.pending.push(PendingInput {
        parameter: "Group".to_owned(),
        from: StackKind::Network,
        key: "DbSg".to_owned(),
        now: None,
    });
    let waiting = step(&later, &Durations::builtin()).unwrap().from;
    assert!((185..200).contains(&waiting), "{waiting}");
}

fn small_cluster() -> Plan {
    let one = |of_type: &str| json!({"It": body(of_type, &[])});
    let network = stack(StackKind::Network, one("AWS::EC2::VPC"), &[]);
    let gateway = one("AWS::EC2::NatGateway");
    let edge = stack(StackKind::Edge, gateway, &[StackKind::Network]);
    let database = one("AWS::RDS::DBInstance");
    let database = stack(StackKind::Database, database, &[StackKind::Network]);
    let mut machines = stack(
        StackKind::ControlPlane,
        one("AWS::AutoScaling::AutoScalingGroup"),
        &[StackKind::Edge],
    );
    machines.template["Resources"]["It"]["CreationPolicy"] =
        json!({"ResourceSignal": {"Count": 1}});
    let stacks = [network, edge, database, machines];
    Plan {
        cluster: "canary".to_owned(),
        steps: stacks.map(|stack| doing(stack, Action::Create)).into(),
        leftover: Vec::new(),
        refused: Vec::new(),
        checks: Vec::new(),
    }
}

#[test]
fn longest_path_has_no_slack() {
    let found = estimate(&small_cluster(), &Durations::builtin());
    assert_eq!(found.path, [StackKind::Network, StackKind::Database]);
    assert_eq!(found.slack[&StackKind::Network], 0);
    assert_eq!(found.slack[&StackKind::Database], 0);
    // 595 against the gateway's 106, the machines' 240 and one more overhead.
    let spare = found.slack[&StackKind::Edge];
    assert!((200..240).contains(&spare), "{spare}");
    assert_eq!(found.slack[&StackKind::ControlPlane], spare);
    let left = |kind| found.remaining[&kind];
    assert!(left(StackKind::Network) > left(StackKind::Database));
    assert!(left(StackKind::Database) > left(StackKind::Edge));
    assert!(left(StackKind::Edge) > left(StackKind::ControlPlane));
    let alone = found.stacks[&StackKind::Database];
    assert!(found.whole.from > alone.from && found.whole.to > alone.to);
}

#[test]
fn pools_end_after_the_control_plane() {
    let estimated = |policy: Value| {
        let mut plan = small_cluster();
        plan.steps
            .retain(|step| step.stack.kind != StackKind::Database);
        let kind = StackKind::Pool("workers".to_owned());
        let mut pool = stack(kind, plan.steps[2].stack.template["Resources"].clone(), &[]);
        pool.inputs.clone_from(&plan.steps[2].stack.inputs);
        pool.template["Resources"]["It"]["CreationPolicy"] = policy;
        plan.steps.push(doing(pool, Action::Create));
        let times = estimate(&plan, &Durations::builtin());
        (times.whole.from, times.remaining)
    };
    let (alone, _) = estimated(Value::Null);
    let (joined, left) = estimated(json!({"ResourceSignal": {"Count": 1}}));
    assert!((25..=120).contains(&(joined - alone)), "{joined} {alone}");
    let pool = left[&StackKind::Pool("workers".to_owned())];
    let more = left[&StackKind::ControlPlane] - pool;
    assert!((29.0..=31.0).contains(&more), "{more} s more than the pool");
}

#[test]
fn unchanged_stack_passes_its_needs_on() {
    let mut plan = small_cluster();
    plan.steps[1].action = Action::NoChange;
    let found = estimate(&plan, &Durations::builtin());
    assert!(!found.stacks.contains_key(&StackKind::Edge));
    assert!(!found.slack.contains_key(&StackKind::Edge));
    let left = found.remaining[&StackKind::Edge] - found.remaining[&StackKind::ControlPlane];
    assert!(left.abs() < 1e-6);
}

#[test]
fn nothing_to_do_takes_no_time() {
    let mut plan = small_cluster();
    plan.steps
        .iter_mut()
        .for_each(|step| step.action = Action::NoChange);
    let found = estimate(&plan, &Durations::builtin());
    assert_eq!(found.whole, Span::default());
    assert!(found.path.is_empty() && found.stacks.is_empty());
}

#[test]
fn deletion_order_is_reversed() {
    let plan = small_cluster();
    let found = |step: &Step| LiveStack {
        id: step.stack.name.clone(),
        name: step.stack.name.clone(),
        cluster: "canary".to_owned(),
        kind: step.stack.kind.to_string(),
        status: StackStatus::CreateComplete,
        reason: None,
        parameters: BTreeMap::new(),
        outputs: BTreeMap::new(),
        tags: BTreeMap::new(),
        termination_protection: false,
        created: jiff::Timestamp::UNIX_EPOCH,
        updated: None,
    };
    let template = |step: &Step| (step.stack.name.clone(), step.stack.template.clone());
    let survey = Survey {
        placeholders: BTreeMap::new(),
        cluster: "canary".to_owned(),
        found: plan.steps.iter().map(found).collect(),
        templates: plan.steps.iter().map(template).collect(),
    };
    let found = deletion(
        &crate::plan::deletion(&survey, Guard::Open),
        &Durations::builtin(),
    );
    assert_eq!(found.path, [StackKind::Database, StackKind::Network]);
    assert!((300..400).contains(&found.whole.from), "{:?}", found.whole);
}
