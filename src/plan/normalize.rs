//! What a change set says about replacements, corrected by what the templates and the catalogue know.
//! Where they differ the stricter reading holds, but for what is documented as a mere interruption, and
//! for values that nobody can know yet: these might replace.

use std::cmp::Reverse;

use super::compare::TemplatePair;
use super::risk::Effect;
use crate::catalog::resources::{create_only, interrupts_only};
use crate::cloud::{ChangeAction, KNOWN_AFTER_APPLY, PropertyChange, Replacement, ResourceChange};

/// Brings CloudFormation's answer in order: what is known to be an interruption is no replacement,
/// a changed create-only property is one, a value not known yet might be one, and the gravest changes
/// come first.
pub fn normalize(changes: &mut [ResourceChange], templates: Option<TemplatePair<'_>>) {
    for change in changes.iter_mut() {
        downgrade_interruptions(change, templates);
        if let Some(templates) = templates
            && change.action == ChangeAction::Modify
        {
            add_create_only(change, templates);
        }
        downgrade_unknown(change);
        change.properties.sort_by(|a, b| a.path.cmp(&b.path));
    }
    changes.sort_by_cached_key(|change| {
        let added = change.action == ChangeAction::Add;
        (Reverse(effect(change)), added, change.logical_id.clone())
    });
}

/// CloudFormation calls some mere interruptions conditional replacements.
fn downgrade_interruptions(change: &mut ResourceChange, templates: Option<TemplatePair<'_>>) {
    if templates.is_some_and(|templates| templates.replaces_groups(&change.logical_id)) {
        return;
    }
    let mut downgraded = false;
    for property in &mut change.properties {
        let name = property.path.strip_prefix("Properties.");
        let name = name.and_then(|name| name.split('.').next());
        let known = name.is_some_and(|name| interrupts_only(&change.resource_type, name));
        if known && property.recreates == Replacement::Might {
            property.recreates = Replacement::No;
            downgraded = true;
        }
    }
    let rest = change.properties.iter().map(|p| p.recreates).max();
    if downgraded && change.replacement == Replacement::Might && rest == Some(Replacement::No) {
        change.replacement = Replacement::No;
    }
}

/// CloudFormation says `True` also where every value that would replace is not known yet
/// (cloudformation-coverage-roadmap#2113).
fn downgrade_unknown(change: &mut ResourceChange) {
    for property in &mut change.properties {
        if is_unknown(property) {
            property.recreates = property.recreates.min(Replacement::Might);
        }
    }
    let gravest = change.properties.iter().map(|p| p.recreates).max();
    if change.replacement == Replacement::Yes && gravest == Some(Replacement::Might) {
        change.replacement = Replacement::Might;
    }
}

/// Whether a value, or a part of it, is known only when another resource has changed.
pub fn is_unknown(property: &PropertyChange) -> bool {
    let after = property.after.as_deref();
    after.is_some_and(|after| after.contains(KNOWN_AFTER_APPLY))
}

fn add_create_only(change: &mut ResourceChange, templates: TemplatePair<'_>) {
    let Some(known) = create_only(&change.resource_type) else {
        return;
    };
    for name in &known.create_only {
        raise(change, templates, name, Replacement::Yes);
    }
    let replaces = templates.replaces_groups(&change.logical_id);
    for name in &known.conditional_create_only {
        if replaces || !interrupts_only(&change.resource_type, name) {
            raise(change, templates, name, Replacement::Might);
        }
    }
}

/// A property that differs replaces at least to this degree.
fn raise(change: &mut ResourceChange, templates: TemplatePair<'_>, name: &str, least: Replacement) {
    if !templates.differ(&change.logical_id, name) {
        return;
    }
    change.replacement = change.replacement.max(least);
    let path = format!("Properties.{name}");
    let inside = format!("{path}.");
    let mut listed = change.properties.iter_mut();
    if let Some(known) = listed.find(|p| p.path == path || p.path.starts_with(&inside)) {
        known.recreates = known.recreates.max(least);
        return;
    }
    let (before, after) = templates.plain(&change.logical_id, name);
    change.properties.push(PropertyChange {
        path,
        before,
        after,
        recreates: least,
        cause: None,
    });
}

/// What a change does to the resource that is there; `None` where it stays. What CloudFormation decides
/// only while it works (`Dynamic`), and a word that nobody knows, might replace: better one question too
/// many.
pub(super) fn effect(change: &ResourceChange) -> Option<Effect> {
    let by_replacement = match change.replacement {
        Replacement::Yes => Some(Effect::Replace),
        Replacement::Might => Some(Effect::MightReplace),
        Replacement::No => None,
    };
    match &change.action {
        ChangeAction::Remove => Some(Effect::Remove),
        ChangeAction::Add => None,
        ChangeAction::Modify => by_replacement,
        ChangeAction::Other(word) => match word.as_str() {
            "Import" => None,
            "SyncWithActual" => by_replacement,
            _ => by_replacement.max(Some(Effect::MightReplace)),
        },
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
            deletion_policy: None,
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
    fn database_interruption_is_no_replacement() {
        let word = |names: &[&str]| {
            let mut one = change("Db", "AWS::RDS::DBInstance", Replacement::Might);
            let path = |name: &&str| format!("Properties.{name}");
            let properties = names.iter().map(path);
            one.properties = properties
                .map(|path| property(&path, "x", Replacement::Might))
                .collect();
            let mut all = [one];
            normalize(&mut all, None);
            all[0].replacement
        };
        assert_eq!(word(&["MultiAZ", "BackupRetentionPeriod"]), Replacement::No);
        assert_eq!(word(&["MultiAZ", "Engine"]), Replacement::Might);
        assert_eq!(word(&["AvailabilityZone"]), Replacement::Might);
        assert_eq!(word(&[]), Replacement::Might);
    }

    #[test]
    fn changed_parameter_in_create_only_property_replaces() {
        let template = json!({"Resources": {"Net": {"Type": "AWS::EC2::Subnet", "Properties": {
            "VpcId": {"Ref": "VpcId"}, "MapPublicIpOnLaunch": {"Ref": "Public"}}}}});
        let word = |parameter: &str| {
            let moved = BTreeSet::from([parameter.to_owned()]);
            let templates = TemplatePair {
                before: &template,
                after: &template,
                moved: &moved,
            };
            let mut all = [change("Net", "AWS::EC2::Subnet", Replacement::No)];
            normalize(&mut all, Some(templates));
            all[0].replacement
        };
        assert_eq!(word("VpcId"), Replacement::Yes);
        assert_eq!(word("Public"), Replacement::No);
    }

    #[test]
    fn riskiest_change_is_first() {
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
        normalize(&mut all, None);
        let order: Vec<&str> = all.iter().map(|c| c.logical_id.as_str()).collect();
        assert_eq!(order, ["Z", "E", "D", "B", "C", "A"]);
    }
}
