//! Warnings before an update: changes that CloudFormation treats as ordinary. Pure, from the current
//! template and the wanted one. Kubernetes versions are not here: they are in the nodes' bundles.

use serde_json::{Map, Value};

use super::Step;
use super::lowered::lowered;

/// Sentences about an update, in the order of the template. Empty for a stack that is not there yet.
pub fn warnings(step: &Step) -> Vec<String> {
    let mut all = lowered(step);
    let Some(before) = &step.before else {
        return all;
    };
    let wanted = resources(&step.stack.template);
    for (id, new) in wanted.into_iter().flatten() {
        let old = &before["Resources"][id];
        if old["Type"] != new["Type"] {
            continue;
        }
        let (was, is) = (&old["Properties"], &new["Properties"]);
        match new["Type"].as_str() {
            Some("AWS::RDS::DBInstance") => {
                let texts = was["EngineVersion"]
                    .as_str()
                    .zip(is["EngineVersion"].as_str());
                all.extend(texts.and_then(|(was, is)| database(id, was, is)));
            }
            Some("AWS::EC2::VPC" | "AWS::EC2::Subnet") => {
                let texts = was["CidrBlock"].as_str().zip(is["CidrBlock"].as_str());
                all.extend(texts.and_then(|(was, is)| range(id, was, is)));
            }
            Some("AWS::EC2::LaunchTemplate") if disk_keys(was) != disk_keys(is) => {
                all.push(disks(id));
            }
            _ => {}
        }
    }
    all
}

/// The keys of a launch template's disks.
fn disk_keys(properties: &Value) -> Vec<&Value> {
    let disks = properties["LaunchTemplateData"]["BlockDeviceMappings"].as_array();
    let disks = disks.into_iter().flatten();
    disks.map(|disk| &disk["Ebs"]["KmsKeyId"]).collect()
}

fn disks(id: &str) -> String {
    format!(
        "{id}: disks of new machines are encrypted under another key; machines that run keep theirs until they are \
         replaced"
    )
}

fn resources(template: &Value) -> Option<&Map<String, Value>> {
    template.get("Resources")?.as_object()
}

/// RDS for PostgreSQL numbers its major versions by the first part alone.
fn database(id: &str, was: &str, is: &str) -> Option<String> {
    let numbers = |text: &str| {
        let parts = text.split('.').map(str::parse::<u32>);
        parts.collect::<Result<Vec<u32>, _>>().ok()
    };
    let (old, new) = (numbers(was)?, numbers(is)?);
    if new < old {
        // "16" asks for any 16: it is below "16.4" only by its length.
        let open = old.starts_with(&new);
        return (!open).then(|| {
            format!(
                "{id}: from PostgreSQL {was} to {is} is a downgrade, which RDS refuses; restore \
                 a snapshot taken before instead"
            )
        });
    }
    (new.first() != old.first()).then(|| {
        format!(
            "{id}: from PostgreSQL {was} to {is} is a major upgrade; the only way back is a \
             snapshot taken before"
        )
    })
}

fn range(id: &str, was: &str, is: &str) -> Option<String> {
    (was != is).then(|| {
        format!(
            "{id}: a new address range, {is} in place of {was}, replaces it; everything in the old \
             one has to move first"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Action;
    use crate::stacks::{Stack, StackKind};
    use serde_json::json;
    use std::collections::BTreeMap;

    fn step(of_type: &str, was: &Value, is: &Value) -> Step {
        let template = |properties: &Value| json!({"Resources": {"It": {"Type": of_type, "Properties": properties}}});
        let stack = Stack {
            kind: StackKind::Database,
            name: "canary-database".to_owned(),
            template: template(is),
            inputs: Vec::new(),
            capabilities: Vec::new(),
            tags: BTreeMap::new(),
            policy: None,
            termination_protection: false,
            objects: Vec::new(),
        };
        Step {
            before: Some(template(was)),
            ..Step::new(stack, Action::NoChange)
        }
    }

    #[test]
    fn postgres_major_and_downgrade_warn() {
        for (was, is, expected) in [
            ("16.4", "17.2", Some("is a major upgrade")),
            ("9.6", "10.1", Some("is a major upgrade")),
            ("17.2", "16.4", Some("is a downgrade")),
            ("16.10", "16.9", Some("is a downgrade")),
            ("16.9", "16.10", None),
            ("16.4", "16", None),
            ("16.4", "next", None),
        ] {
            let version = |text: &str| json!({"EngineVersion": text});
            let step = step("AWS::RDS::DBInstance", &version(was), &version(is));
            let all = warnings(&step);
            assert_eq!(
                all.len(),
                usize::from(expected.is_some()),
                "{was} {is}: {all:?}"
            );
            assert!(
                expected.is_none_or(|text| all[0].contains(text)),
                "{was} {is}: {all:?}"
            );
        }
    }

    #[test]
    fn new_key_of_disks_warns() {
        let disk =
            |ebs: Value| json!({"LaunchTemplateData": {"BlockDeviceMappings": [{"Ebs": ebs}]}});
        let (was, is) = (
            disk(json!({"VolumeSize": 30})),
            disk(json!({"KmsKeyId": {"Ref": "KeyArn"}})),
        );
        let mut step = step("AWS::EC2::LaunchTemplate", &was, &is);
        let all = warnings(&step);
        assert_eq!(all.len(), 1, "{all:?}");
        assert!(all[0].ends_with("machines that run keep theirs until they are replaced"));
        step.before = Some(step.stack.template.clone());
        assert!(warnings(&step).is_empty());
    }

    #[test]
    fn new_address_range_warns() {
        let cidr = |text: &str| json!({"CidrBlock": text});
        let mut step = step("AWS::EC2::VPC", &cidr("10.0.0.0/16"), &cidr("10.1.0.0/16"));
        assert!(warnings(&step)[0].contains("10.1.0.0/16 in place of 10.0.0.0/16"));
        step.before = Some(step.stack.template.clone());
        assert!(warnings(&step).is_empty());
        step.before = None;
        assert!(warnings(&step).is_empty());
    }
}
