//! Which stack waits for which: to start, and to end.

use serde_json::Value;

use super::{Action, Step};
use crate::cloud::{ChangeAction, INLINE, Replacement, ResourceChange};
use crate::stacks::{Stack, StackKind};

/// The stacks that have to be done before this one can start: those whose outputs it takes, and the
/// base where something of it has to lie in the state bucket.
pub fn needs(stack: &Stack) -> Vec<StackKind> {
    let mut kinds: Vec<StackKind> = stack.needs().cloned().collect();
    let bucket = !stack.objects.is_empty() || stack.body().len() > INLINE;
    if bucket && stack.kind != StackKind::Base {
        kinds.push(StackKind::Base);
    }
    kinds.sort();
    kinds.dedup();
    kinds
}

/// The stack whose API has to answer before this step can end: the step makes, or may make, machines
/// that join it, and CloudFormation waits for their signals. What can't be known yet counts as making.
pub fn joins(step: &Step) -> Option<StackKind> {
    let joined = step.stack.kind.joins()?;
    let mut groups = step.stack.resources().map(|(id, _)| id);
    let makes = match &step.action {
        Action::Update(set) => set.changes.iter().any(|change| {
            may_make(change) && awaits_signals(&step.stack.template, &change.logical_id)
        }),
        _ => groups.any(|id| awaits_signals(&step.stack.template, id)),
    };
    makes.then_some(joined)
}

fn may_make(change: &ResourceChange) -> bool {
    match change.action {
        ChangeAction::Remove => false,
        ChangeAction::Add => true,
        ChangeAction::Modify | ChangeAction::Other(_) => change.replacement != Replacement::No,
    }
}

/// Whether CloudFormation waits for the machines of a resource when it makes it.
fn awaits_signals(template: &Value, id: &str) -> bool {
    let body = template.get("Resources").and_then(|all| all.get(id));
    body.is_some_and(|body| body.pointer("/CreationPolicy/ResourceSignal").is_some())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::cloud::ChangeSet;

    fn step(kind: StackKind, action: Action) -> Step {
        let group = json!({"Type": "AWS::AutoScaling::AutoScalingGroup",
            "CreationPolicy": {"ResourceSignal": {"Count": 1}}});
        let template = json!({"Type": "AWS::EC2::LaunchTemplate"});
        let stack = Stack {
            name: kind.stack_name("canary"),
            kind,
            template: json!({"Resources": {"Group": group, "LaunchTemplate": template}}),
            inputs: Vec::new(),
            capabilities: Vec::new(),
            tags: std::collections::BTreeMap::new(),
            policy: None,
            termination_protection: false,
            objects: Vec::new(),
        };
        Step::new(stack, action)
    }

    fn pool() -> StackKind {
        StackKind::Pool("workers".to_owned())
    }

    fn update(id: &str, action: ChangeAction, replacement: Replacement) -> Option<StackKind> {
        let change = ResourceChange {
            logical_id: id.to_owned(),
            physical_id: None,
            resource_type: String::new(),
            action,
            replacement,
            deletion_policy: None,
            properties: Vec::new(),
        };
        let set = ChangeSet {
            id: "set".to_owned(),
            stack_id: "stack".to_owned(),
            changes: vec![change],
            warnings: Vec::new(),
        };
        joins(&step(pool(), Action::Update(set)))
    }

    #[test]
    fn step_with_signalling_machines_joins() {
        use {ChangeAction as A, Replacement as R};
        let joined = Some(StackKind::ControlPlane);
        assert_eq!(joins(&step(pool(), Action::Create)), joined);
        assert_eq!(joins(&step(pool(), Action::Deferred)), joined);
        assert_eq!(update("Group", A::Add, R::No), joined);
        assert_eq!(update("Group", A::Modify, R::Might), joined);
        for (id, action, replacement) in [
            ("Group", A::Modify, R::No),
            ("Group", A::Remove, R::No),
            ("LaunchTemplate", A::Modify, R::Yes),
        ] {
            assert_eq!(update(id, action, replacement), None, "{id}");
        }
        // Groups that start empty wait for nothing, and the control plane joins none.
        let mut empty = step(pool(), Action::Create);
        empty.stack.template["Resources"]["Group"]["CreationPolicy"] = Value::Null;
        assert_eq!(joins(&empty), None);
        assert_eq!(joins(&step(StackKind::ControlPlane, Action::Create)), None);
    }
}
