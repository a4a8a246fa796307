//! Whether the caller may do what the plan takes, as far as IAM's policy simulator sees it. Pure.

use std::collections::BTreeSet;

use super::needs::Needs;
use super::{Check, CheckCode};
use crate::catalog::permissions;
use crate::cloud::Identity;
use crate::cloud::account::{Decision, Effect};
use crate::stacks::{StackKind, operation_parameter, parameter_path};
use crate::templates::evaluate::partition;

/// Actions that are asked about together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Group {
    /// ARN of the one resource that they are about; `None` for resources that have no name yet.
    pub resource: Option<String>,
    pub actions: BTreeSet<String>,
}

/// The actions that a plan takes.
pub(super) fn groups(needs: &Needs, cluster: &str, identity: &Identity) -> Vec<Group> {
    let Identity {
        account, region, ..
    } = identity;
    let partition = partition(region);
    let arn = |service: &str, resource: String| {
        format!("arn:{partition}:{service}:{region}:{account}:{resource}")
    };
    let mut groups = Vec::new();
    if let Some(name) = needs.stacks.first() {
        groups.push(Group {
            resource: Some(arn("cloudformation", format!("stack/{name}/*"))),
            actions: actions(permissions::STACK),
        });
    }
    if !needs.stacks.is_empty() {
        let lock = operation_parameter(cluster);
        groups.push(Group {
            resource: Some(arn("ssm", format!("parameter{lock}"))),
            actions: actions(permissions::PARAMETERS),
        });
    }
    if needs.kinds.contains(&StackKind::ControlPlane) {
        let path = parameter_path(cluster);
        groups.push(Group {
            resource: Some(arn("ssm", format!("parameter{path}/cp/ca.key"))),
            actions: actions(permissions::PARAMETERS),
        });
    }
    let of_types = needs.resource_types.iter().map(String::as_str);
    let of_types = of_types.filter_map(permissions::to_create);
    let mut others: BTreeSet<String> = of_types.flat_map(actions).collect();
    if needs.kinds.contains(&StackKind::Base) {
        others.extend(actions(permissions::OBJECTS));
    }
    if !others.is_empty() {
        groups.push(Group {
            resource: None,
            actions: others,
        });
    }
    groups
}

fn actions(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// What the simulator's decisions mean. A statement that denies an action is certain, and so is that nothing allows it
/// where the resource was named; else a policy may allow it for the resources that the plan makes.
pub(super) fn check(principal: &str, decided: &[(Group, Vec<Decision>)]) -> Check {
    let code = CheckCode::Rights;
    let (mut certain, mut open) = (Vec::new(), Vec::new());
    let mut allowed = 0_usize;
    for (group, decisions) in decided {
        for action in &group.actions {
            let same = |one: &&Decision| one.action.eq_ignore_ascii_case(action);
            let found = decisions.iter().find(same);
            match found.map(|one| (one.effect, one.lacks_context)) {
                Some((Effect::Allowed, _)) => allowed += 1,
                Some((Effect::Denied, false)) => certain.push(action.as_str()),
                Some((Effect::NotAllowed, false)) if group.resource.is_some() => {
                    certain.push(action.as_str());
                }
                Some((Effect::Denied | Effect::NotAllowed, _)) | None => open.push(action.as_str()),
            }
        }
    }
    let who = format!("as far as IAM's policy simulator sees it, {principal}");
    let ask = "ask for these actions, or use another profile";
    if !certain.is_empty() {
        certain.extend(open);
        return Check::refused(code, format!("{who} may not {}", certain.join(", ")), ask);
    }
    if !open.is_empty() {
        let text = format!(
            "{who} may not {} on every resource, or under conditions only",
            open.join(", ")
        );
        let next = format!("if its policies do not allow them for what the plan makes, {ask}");
        return Check::warning(code, text, next);
    }
    Check::ok(
        code,
        format!("{allowed} IAM actions, as far as IAM's policy simulator sees them"),
    )
}

/// A caller whose rights nobody can ask about.
pub(super) fn not_simulated(who: &str) -> Check {
    let text = format!(
        "rights could not be checked: the caller is {who}, whose rights IAM does not simulate"
    );
    Check::unknown(CheckCode::Rights, text, None)
}

/// A role that IAM does not find.
pub(super) fn no_role(name: &str) -> Check {
    let text = format!("rights could not be checked: IAM finds no role {name}");
    Check::unknown(CheckCode::Rights, text, None)
}
