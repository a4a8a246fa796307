//! Change sets that no emulator makes: many pages, findings, deletion policies.

use super::*;
use crate::cloud::{ChangeAction, DeletionPolicy, Replacement};

pub(super) fn change_set(status: &str, execution: &str, inside: &str) -> Answer {
    ok(
        "DescribeChangeSet",
        &format!(
            "<ChangeSetId>arn:set</ChangeSetId><StackId>arn:canary-network</StackId>\
             <Status>{status}</Status><ExecutionStatus>{execution}</ExecutionStatus>{inside}"
        ),
    )
}

pub(super) const CREATED: &str = "<Id>arn:set</Id><StackId>arn:canary-network</StackId>";

pub(super) fn change(action: &str, logical: &str, details: &str) -> String {
    format!(
        "<member><Type>Resource</Type><ResourceChange><Action>{action}</Action>\
         <LogicalResourceId>{logical}</LogicalResourceId><Replacement>False</Replacement>\
         <Details>{details}</Details></ResourceChange></member>"
    )
}

#[tokio::test]
async fn change_set_is_polled_and_read_to_the_last_page() {
    let mut looks = 0;
    let (aws, asked) = serve(move |asked| {
        if asked.contains("Action=CreateChangeSet") {
            return ok("CreateChangeSet", CREATED);
        }
        if asked.contains("Action=DescribeEvents") {
            return ok("DescribeEvents", "");
        }
        looks += 1;
        if looks == 1 {
            // A page of an unfinished change set may name a next one all the same.
            let early = change("Add", "Early", "");
            let inside = format!("<Changes>{early}</Changes><NextToken>two</NextToken>");
            return change_set("CREATE_IN_PROGRESS", "UNAVAILABLE", &inside);
        }
        let inside = if asked.contains("NextToken=two") {
            format!("<Changes>{}</Changes>", change("Remove", "Database", ""))
        } else {
            let detail = "<member><Target><Attribute>Properties</Attribute><Name>CidrBlock</Name>\
                <RequiresRecreation>Never</RequiresRecreation>\
                <Path>/Properties/CidrBlock</Path><BeforeValue>10.0.0.0/16</BeforeValue>\
                <AfterValue>10.1.0.0/16</AfterValue></Target><Evaluation>Static</Evaluation>\
                <ChangeSource>ParameterReference</ChangeSource>\
                <CausingEntity>Cidr</CausingEntity></member>";
            let first = change("Modify", "Vpc", detail);
            format!("<Changes>{first}</Changes><NextToken>two</NextToken>")
        };
        change_set("CREATE_COMPLETE", "AVAILABLE", &inside)
    })
    .await;
    let proposed = aws.create_change_set(&proposal()).await.expect("proposed");
    let names: Vec<_> = proposed
        .changes
        .iter()
        .map(|one| one.logical_id.as_str())
        .collect();
    assert_eq!(names, ["Vpc", "Database"]);
    assert_eq!(proposed.changes[1].action, ChangeAction::Remove);
    let property = &proposed.changes[0].properties[0];
    assert_eq!(property.path, "Properties.CidrBlock");
    assert_eq!(property.before.as_deref(), Some("10.0.0.0/16"));
    assert_eq!(property.after.as_deref(), Some("10.1.0.0/16"));
    assert_eq!(property.cause.as_deref(), Some("Cidr"));
    let create = asked.recv().expect("the first request");
    assert!(create.contains("ChangeSetType=UPDATE"), "{create}");
    assert!(create.contains("ChangeSetName=kube-cfn-"), "{create}");
    assert!(create.contains("ClientToken=run-1"), "{create}");
}

#[tokio::test]
async fn outputs_only_change_set_changes_the_stack() {
    let (aws, _asked) = serve(|asked| {
        if asked.contains("Action=CreateChangeSet") {
            ok("CreateChangeSet", CREATED)
        } else if asked.contains("Action=DescribeEvents") {
            ok("DescribeEvents", "")
        } else {
            change_set("CREATE_COMPLETE", "AVAILABLE", "<Changes></Changes>")
        }
    })
    .await;
    let proposed = aws.create_change_set(&proposal()).await.expect("proposed");
    assert_eq!(proposed.changes.len(), 1);
    assert_eq!(proposed.changes[0].logical_id, "canary-network");
    assert_eq!(proposed.changes[0].replacement, Replacement::No);
}

#[tokio::test]
async fn refused_change_set_names_findings_and_is_deleted() {
    let (aws, asked) = serve(|asked| {
        if asked.contains("Action=CreateChangeSet") {
            ok("CreateChangeSet", CREATED)
        } else if asked.contains("Action=DescribeEvents") {
            let events = finding("FAIL", "Database", "Class", "Unsupported property [Clas]")
                + &finding("FAIL", "Database", "Class", "Missing [Class]")
                + &finding("FAIL", "Database", "Class", "Missing [Class]")
                + &finding("WARN", "Vpc", "CidrBlock", "The quota is nearly used up");
            ok(
                "DescribeEvents",
                &format!("<OperationEvents>{events}</OperationEvents>"),
            )
        } else if asked.contains("Action=DeleteChangeSet") {
            ok("DeleteChangeSet", "")
        } else {
            let reason = "<StatusReason>Early validation failed</StatusReason>";
            change_set("FAILED", "UNAVAILABLE", reason)
        }
    })
    .await;
    let error = aws
        .create_change_set(&proposal())
        .await
        .expect_err("refused");
    assert_eq!(
        error.to_string(),
        "AWS refused the template of canary-network: Database Properties.Class: Missing [Class]; \
         Database Properties.Class: Unsupported property [Clas]"
    );
    let CloudError::Invalid { findings, .. } = error else {
        panic!("early validation refused it");
    };
    let reasons: Vec<_> = findings.iter().map(|one| one.reason.as_str()).collect();
    assert_eq!(reasons, ["Missing [Class]", "Unsupported property [Clas]"]);
    let deleted = asked
        .try_iter()
        .any(|body| body.contains("Action=DeleteChangeSet"));
    assert!(deleted, "a failed change set is left behind");
}

#[tokio::test]
async fn unreadable_change_set_is_deleted() {
    let (aws, asked) = serve(|asked| {
        if asked.contains("Action=CreateChangeSet") {
            ok("CreateChangeSet", CREATED)
        } else if asked.contains("Action=DeleteChangeSet") {
            ok("DeleteChangeSet", "")
        } else {
            refusal("AccessDenied", "not authorized")
        }
    })
    .await;
    let error = aws
        .create_change_set(&proposal())
        .await
        .expect_err("denied");
    assert!(matches!(error, CloudError::Denied { .. }), "{error:?}");
    let deleted = asked
        .try_iter()
        .any(|body| body.contains("Action=DeleteChangeSet"));
    assert!(deleted, "the change set is left behind");
}

#[tokio::test]
async fn change_set_without_property_values_is_accepted() {
    let (aws, asked) = serve(|asked| {
        if asked.contains("Action=CreateChangeSet") {
            ok("CreateChangeSet", CREATED)
        } else if asked.contains("Action=DescribeEvents") {
            ok("DescribeEvents", "")
        } else if asked.contains("IncludePropertyValues") {
            Answer::Xml(501, "not implemented".to_owned())
        } else {
            let changes = change("Add", "Vpc", "");
            change_set(
                "CREATE_COMPLETE",
                "AVAILABLE",
                &format!("<Changes>{changes}</Changes>"),
            )
        }
    })
    .await;
    let proposed = aws.create_change_set(&proposal()).await.expect("proposed");
    assert_eq!(proposed.changes.len(), 1);
    let described = asked
        .try_iter()
        .filter(|body| body.contains("Action=DescribeChangeSet"));
    assert_eq!(described.count(), 2);
}

fn finding(mode: &str, resource: &str, property: &str, reason: &str) -> String {
    format!(
        "<member><EventType>VALIDATION_ERROR</EventType>\
         <LogicalResourceId>{resource}</LogicalResourceId><ValidationStatus>FAILED</ValidationStatus>\
         <ValidationFailureMode>{mode}</ValidationFailureMode>\
         <ValidationPath>/Resources/{resource}/Properties/{property}</ValidationPath>\
         <ValidationStatusReason>{reason}</ValidationStatusReason></member>"
    )
}

#[tokio::test]
async fn validation_warnings_are_in_the_change_set() {
    let (aws, asked) = serve(|asked| {
        if asked.contains("Action=CreateChangeSet") {
            ok("CreateChangeSet", CREATED)
        } else if asked.contains("Action=DescribeEvents") {
            let events = finding("WARN", "Vpc", "CidrBlock", "The quota is nearly used up");
            ok(
                "DescribeEvents",
                &format!("<OperationEvents>{events}</OperationEvents>"),
            )
        } else {
            let changes = change("Add", "Vpc", "");
            change_set(
                "CREATE_COMPLETE",
                "AVAILABLE",
                &format!("<Changes>{changes}</Changes>"),
            )
        }
    })
    .await;
    let proposed = aws.create_change_set(&proposal()).await.expect("proposed");
    assert_eq!(
        proposed.warnings,
        [crate::cloud::Finding {
            logical_id: Some("Vpc".to_owned()),
            path: Some("Properties.CidrBlock".to_owned()),
            reason: "The quota is nearly used up".to_owned(),
        }]
    );
    let looked = asked
        .try_iter()
        .filter(|body| body.contains("Action=DescribeEvents"));
    assert_eq!(looked.count(), 1);
}

#[tokio::test]
async fn refusing_hook_is_quoted() {
    let (aws, _asked) = serve(|asked| {
        if asked.contains("Action=CreateChangeSet") {
            ok("CreateChangeSet", CREATED)
        } else if asked.contains("Action=DescribeEvents") {
            ok(
                "DescribeEvents",
                "<OperationEvents><member><EventType>HOOK_INVOCATION_ERROR</EventType>\
                 <HookType>MyOrg::Buckets::Private</HookType>\
                 <HookStatusReason>no access block</HookStatusReason></member></OperationEvents>",
            )
        } else if asked.contains("Action=DeleteChangeSet") {
            ok("DeleteChangeSet", "")
        } else {
            let reason = "The following hook(s) failed: [MyOrg::Buckets::Private]";
            let reason = format!("<StatusReason>{reason}</StatusReason>");
            change_set("FAILED", "UNAVAILABLE", &reason)
        }
    })
    .await;
    let error = aws
        .create_change_set(&proposal())
        .await
        .expect_err("refused");
    assert_eq!(
        error.to_string(),
        "AWS refused the change set of canary-network: hook MyOrg::Buckets::Private refused: no \
         access block"
    );
}

#[tokio::test]
async fn change_set_has_deletion_policies() {
    let (aws, _asked) = serve(|asked| {
        if asked.contains("Action=CreateChangeSet") {
            return ok("CreateChangeSet", CREATED);
        }
        if asked.contains("Action=DescribeEvents") {
            return ok("DescribeEvents", "");
        }
        let of = |action: &str, policy: &str| {
            change(action, policy, "").replace(
                "<Replacement>",
                &format!("<PolicyAction>{policy}</PolicyAction><Replacement>"),
            )
        };
        let changes = of("Remove", "Snapshot")
            + &of("Remove", "Delete")
            + &of("Modify", "ReplaceAndRetain")
            + &change("Modify", "Vpc", "");
        let changes = format!("<Changes>{changes}</Changes>");
        change_set("CREATE_COMPLETE", "AVAILABLE", &changes)
    })
    .await;
    let proposed = aws.create_change_set(&proposal()).await.expect("proposed");
    let policies: Vec<_> = proposed
        .changes
        .iter()
        .map(|change| change.deletion_policy)
        .collect();
    assert_eq!(
        policies,
        [
            Some(DeletionPolicy::Snapshot),
            Some(DeletionPolicy::Delete),
            Some(DeletionPolicy::Retain),
            None
        ]
    );
    assert_eq!(proposed.changes[2].replacement, Replacement::Yes);
}
