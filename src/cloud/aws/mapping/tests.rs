//! Change sets as CloudFormation describes them, and what a plan gets to see.

use super::*;
use types::{
    ChangeSource, EvaluationType, RequiresRecreation, ResourceAttribute, ResourceChangeDetail,
    ResourceTargetDefinition,
};

type Target = aws_sdk_cloudformation::types::builders::ResourceTargetDefinitionBuilder;

fn target(name: &str, recreation: RequiresRecreation) -> Target {
    ResourceTargetDefinition::builder()
        .attribute(ResourceAttribute::Properties)
        .name(name)
        .requires_recreation(recreation)
}

fn detail(target: Target, evaluation: EvaluationType) -> ResourceChangeDetail {
    ResourceChangeDetail::builder()
        .target(target.build())
        .evaluation(evaluation)
        .change_source(ChangeSource::DirectModification)
        .build()
}

fn caused(mut detail: ResourceChangeDetail, cause: &str) -> ResourceChangeDetail {
    detail.causing_entity = Some(cause.to_owned());
    detail
}

fn database(stated: types::Replacement, details: Vec<ResourceChangeDetail>) -> ResourceChange {
    resource_change(
        types::ResourceChange::builder()
            .action(types::ChangeAction::Modify)
            .logical_resource_id("Database")
            .physical_resource_id("production-database")
            .resource_type("AWS::RDS::DBInstance")
            .replacement(stated)
            .set_details(Some(details))
            .build(),
    )
}

use EvaluationType::{Dynamic, Static};
use RequiresRecreation::{Always, Conditionally, Never};

#[test]
fn parameter_change_is_one_property_with_cause_and_values() {
    let change = database(
        types::Replacement::False,
        vec![
            caused(
                detail(
                    target("DBInstanceClass", Never)
                        .path("/Properties/DBInstanceClass")
                        .before_value("db.t4g.medium")
                        .after_value("db.m7g.large"),
                    Static,
                ),
                "InstanceClass",
            ),
            detail(
                target("DBInstanceClass", Never).path("/Properties/DBInstanceClass"),
                Dynamic,
            ),
        ],
    );
    assert_eq!(change.action, ChangeAction::Modify);
    assert_eq!(change.replacement, Replacement::No);
    assert_eq!(
        change.properties,
        [PropertyChange {
            path: "Properties.DBInstanceClass".to_owned(),
            before: Some("db.t4g.medium".to_owned()),
            after: Some("db.m7g.large".to_owned()),
            recreates: Replacement::No,
            cause: Some("InstanceClass".to_owned()),
        }]
    );
}

#[test]
fn static_cause_makes_a_replacement_certain() {
    let change = database(
        types::Replacement::True,
        vec![
            detail(target("Engine", Always), Static),
            detail(target("DBSubnetGroupName", Always), Dynamic),
        ],
    );
    assert_eq!(change.replacement, Replacement::Yes);
    let recreates: Vec<_> = change.properties.iter().map(|one| one.recreates).collect();
    assert_eq!(recreates, [Replacement::Yes, Replacement::Might]);
}

#[test]
fn dynamic_causes_make_a_replacement_uncertain() {
    let change = database(
        types::Replacement::True,
        vec![
            caused(
                detail(target("DBSubnetGroupName", Always), Dynamic),
                "SubnetGroup",
            ),
            detail(target("AllocatedStorage", Never), Static),
        ],
    );
    assert_eq!(change.replacement, Replacement::Might);
}

#[test]
fn value_known_after_apply_makes_a_replacement_uncertain() {
    let change = database(
        types::Replacement::True,
        vec![detail(
            target("KmsKeyId", Always)
                .before_value("arn:key")
                .after_value("{{changeSet:KNOWN_AFTER_APPLY}}"),
            Static,
        )],
    );
    assert_eq!(change.replacement, Replacement::Might);
    let after = change
        .properties
        .first()
        .and_then(|one| one.after.as_deref());
    assert_eq!(after, Some("(known after apply)"));
}

#[test]
fn replacement_without_details_is_certain() {
    let change = database(types::Replacement::True, Vec::new());
    assert_eq!(change.replacement, Replacement::Yes);
}

#[test]
fn replacement_with_non_recreating_causes_is_certain() {
    let change = database(
        types::Replacement::True,
        vec![detail(target("AllocatedStorage", Never), Static)],
    );
    assert_eq!(change.replacement, Replacement::Yes);
}

#[test]
fn conditional_replacement_is_uncertain() {
    let change = database(
        types::Replacement::Conditional,
        vec![detail(target("EngineVersion", Conditionally), Static)],
    );
    assert_eq!(change.replacement, Replacement::Might);
    assert_eq!(change.properties[0].recreates, Replacement::Might);
}

#[test]
fn unknown_replacement_value_is_uncertain() {
    let change = database(types::Replacement::from("Perhaps"), Vec::new());
    assert_eq!(change.replacement, Replacement::Might);
}

#[test]
fn policy_action_implies_a_replacement() {
    let change = resource_change(
        types::ResourceChange::builder()
            .action(types::ChangeAction::Modify)
            .policy_action(types::PolicyAction::ReplaceAndSnapshot)
            .build(),
    );
    assert_eq!(change.replacement, Replacement::Yes);
}

#[test]
fn resource_attributes_keep_their_name() {
    for (attribute, name) in [
        (ResourceAttribute::Tags, "Tags"),
        (ResourceAttribute::Metadata, "Metadata"),
        (ResourceAttribute::UpdatePolicy, "UpdatePolicy"),
        (ResourceAttribute::DeletionPolicy, "DeletionPolicy"),
        (
            ResourceAttribute::UpdateReplacePolicy,
            "UpdateReplacePolicy",
        ),
    ] {
        let target = ResourceTargetDefinition::builder().attribute(attribute);
        let change = database(types::Replacement::False, vec![detail(target, Static)]);
        assert_eq!(change.properties[0].path, name);
    }
}

#[test]
fn json_pointer_becomes_a_dotted_path() {
    let target = target("Tags", Never).path("/Properties/Tags/0/a~1b~0c");
    assert_eq!(path(&target.build()), "Properties.Tags.0.a/b~c");
}

#[test]
fn change_actions_are_mapped() {
    for (stated, ours) in [
        (types::ChangeAction::Add, ChangeAction::Add),
        (types::ChangeAction::Remove, ChangeAction::Remove),
        (
            types::ChangeAction::Import,
            ChangeAction::Other("Import".to_owned()),
        ),
        (
            types::ChangeAction::from("Ponder"),
            ChangeAction::Other("Ponder".to_owned()),
        ),
    ] {
        let change = types::ResourceChange::builder().action(stated).build();
        assert_eq!(resource_change(change).action, ours);
    }
}

#[test]
fn detail_without_modification_is_left_out() {
    let mut untouched = detail(target("Engine", Always), Static);
    untouched.change_source = Some(ChangeSource::NoModification);
    let change = database(types::Replacement::False, vec![untouched]);
    assert!(change.properties.is_empty());
}
