//! What a change set says about replacements, corrected by what the templates and the catalogue know.
//! Where they differ the stricter reading holds, but for what is documented as a mere interruption.

use super::compare::Templates;
use crate::catalog::resources::{create_only, interrupts_only};
use crate::cloud::{ChangeAction, PropertyChange, Replacement, ResourceChange};

/// Brings CloudFormation's answer in order: what is known to be an interruption is no replacement,
/// a changed create-only property is one, and the gravest changes come first.
pub fn sharpen(changes: &mut [ResourceChange], templates: Option<Templates<'_>>) {
    for change in changes.iter_mut() {
        soften_interruptions(change);
        if let Some(templates) = templates {
            add_create_only(change, templates);
        }
        change.properties.sort_by(|a, b| a.path.cmp(&b.path));
    }
    changes.sort_by(|a, b| {
        let order = |change: &ResourceChange| std::cmp::Reverse(gravity(change));
        order(a)
            .cmp(&order(b))
            .then_with(|| a.logical_id.cmp(&b.logical_id))
    });
}

/// CloudFormation calls some mere interruptions conditional replacements.
fn soften_interruptions(change: &mut ResourceChange) {
    let mut softened = false;
    for property in &mut change.properties {
        let name = property.path.strip_prefix("Properties.");
        let known = name.is_some_and(|name| interrupts_only(&change.resource_type, name));
        if known && property.recreates == Replacement::Might {
            property.recreates = Replacement::No;
            softened = true;
        }
    }
    let rest = change.properties.iter().map(|p| p.recreates).max();
    if softened && change.replacement == Replacement::Might && rest == Some(Replacement::No) {
        change.replacement = Replacement::No;
    }
}

fn add_create_only(change: &mut ResourceChange, templates: Templates<'_>) {
    let Some(known) = create_only(&change.resource_type) else {
        return;
    };
    if change.action != ChangeAction::Modify {
        return;
    }
    for name in &known.create_only {
        if !templates.differ(&change.logical_id, name) {
            continue;
        }
        change.replacement = Replacement::Yes;
        let path = format!("Properties.{name}");
        let (before, after) = templates.plain(&change.logical_id, name);
        if let Some(property) = change.properties.iter_mut().find(|p| p.path == path) {
            property.recreates = Replacement::Yes;
            continue;
        }
        change.properties.push(PropertyChange {
            path,
            before,
            after,
            recreates: Replacement::Yes,
            cause: None,
        });
    }
}

/// 0 for what is added, 4 for what goes away.
pub(super) fn gravity(change: &ResourceChange) -> u8 {
    match (&change.action, change.replacement) {
        (ChangeAction::Remove, _) => 4,
        (ChangeAction::Add, _) => 0,
        (_, Replacement::Yes) => 3,
        (_, Replacement::Might) => 2,
        (_, Replacement::No) => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    use serde_json::json;

    fn change(id: &str, of_type: &str, replacement: Replacement) -> ResourceChange {
        ResourceChange {
            logical_id: id.to_owned(),
            physical_id: None,
            resource_type: of_type.to_owned(),
            action: ChangeAction::Modify,
            replacement,
            fate: None,
            properties: Vec::new(),
        }
    }

    fn property(path: &str, after: &str, recreates: Replacement) -> PropertyChange {
        PropertyChange {
            path: path.to_owned(),
            before: None,
            after: Some(after.to_owned()),
            recreates,
            cause: None,
        }
    }

    #[test]
    fn a_mere_interruption_of_the_database_is_no_replacement() {
        let word = |names: &[&str]| {
            let mut one = change("Db", "AWS::RDS::DBInstance", Replacement::Might);
            let path = |name: &&str| format!("Properties.{name}");
            let properties = names.iter().map(path);
            one.properties = properties
                .map(|path| property(&path, "x", Replacement::Might))
                .collect();
            let mut all = [one];
            sharpen(&mut all, None);
            all[0].replacement
        };
        assert_eq!(word(&["MultiAZ", "BackupRetentionPeriod"]), Replacement::No);
        assert_eq!(word(&["MultiAZ", "Engine"]), Replacement::Might);
        assert_eq!(word(&["AvailabilityZone"]), Replacement::Might);
        assert_eq!(word(&[]), Replacement::Might);
    }

    #[test]
    fn a_parameter_that_moves_replaces_through_a_create_only_property() {
        let template = json!({"Resources": {"Net": {"Type": "AWS::EC2::Subnet", "Properties": {
            "VpcId": {"Ref": "VpcId"}, "MapPublicIpOnLaunch": {"Ref": "Public"}}}}});
        let word = |parameter: &str| {
            let moved = BTreeSet::from([parameter.to_owned()]);
            let templates = Templates {
                before: &template,
                after: &template,
                moved: &moved,
            };
            let mut all = [change("Net", "AWS::EC2::Subnet", Replacement::No)];
            sharpen(&mut all, Some(templates));
            all[0].replacement
        };
        assert_eq!(word("VpcId"), Replacement::Yes);
        assert_eq!(word("Public"), Replacement::No);
    }

    #[test]
    fn the_gravest_change_comes_first() {
        let mut add = change("A", "AWS::X", Replacement::Yes);
        add.action = ChangeAction::Add;
        let mut remove = change("Z", "AWS::X", Replacement::No);
        remove.action = ChangeAction::Remove;
        let mut all = vec![
            add,
            change("C", "AWS::X", Replacement::No),
            change("B", "AWS::X", Replacement::No),
            change("D", "AWS::X", Replacement::Might),
            remove,
            change("E", "AWS::X", Replacement::Yes),
        ];
        sharpen(&mut all, None);
        let order: Vec<&str> = all.iter().map(|c| c.logical_id.as_str()).collect();
        assert_eq!(order, ["Z", "E", "D", "B", "C", "A"]);
    }
}
