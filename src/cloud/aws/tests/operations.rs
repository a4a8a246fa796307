//! The calls that inspect an account and recover from failures: stacks in progress, drift, rollbacks,
//! hooks in mid-run.

use super::*;
use crate::cloud::{Difference, StackStatus};

fn summary(name: &str, status: &str) -> String {
    format!(
        "<member><StackId>arn:{name}</StackId><StackName>{name}</StackName>\
         <StackStatus>{status}</StackStatus><CreationTime>2026-01-01T00:00:00Z</CreationTime></member>"
    )
}

#[tokio::test]
async fn in_progress_stacks_are_read_from_every_page() {
    let (aws, asked) = serve(|asked| {
        let (page, next) = if asked.contains("NextToken=two") {
            (summary("d", "DELETE_IN_PROGRESS"), "")
        } else {
            // An endpoint that does not filter.
            let page = summary("a", "UPDATE_ROLLBACK_IN_PROGRESS")
                + &summary("b", "CREATE_COMPLETE")
                + &summary("c", "REVIEW_IN_PROGRESS");
            (page, "<NextToken>two</NextToken>")
        };
        ok(
            "ListStacks",
            &format!("<StackSummaries>{page}</StackSummaries>{next}"),
        )
    })
    .await;
    let moving = aws.in_progress_stacks().await.expect("listed");
    assert_eq!(moving.into_iter().collect::<Vec<_>>(), ["arn:a", "arn:d"]);
    let request = asked.recv().expect("a request");
    let wanted = StackStatus::ALL
        .iter()
        .filter(|status| status.is_in_progress());
    for status in wanted {
        assert!(request.contains(&format!("={status}&")) || request.ends_with(status.as_str()));
    }
    assert!(!request.contains("REVIEW_IN_PROGRESS"), "{request}");
}

#[tokio::test]
async fn change_sets_are_read_from_every_page() {
    let (aws, _asked) = serve(|asked| {
        let one = |name: &str| {
            format!(
                "<member><ChangeSetId>arn:{name}</ChangeSetId><ChangeSetName>{name}</ChangeSetName>\
                 <CreationTime>2026-01-01T00:00:00Z</CreationTime></member>"
            )
        };
        let (page, next) = if asked.contains("NextToken=two") {
            (one("second"), "")
        } else {
            (one("first"), "<NextToken>two</NextToken>")
        };
        ok(
            "ListChangeSets",
            &format!("<Summaries>{page}</Summaries>{next}"),
        )
    })
    .await;
    let found = aws.change_sets("arn:canary-network").await.expect("listed");
    let names: Vec<_> = found.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(names, ["first", "second"]);
    assert_eq!(found[0].created.to_string(), "2026-01-01T00:00:00Z");
}

#[tokio::test]
async fn stack_policy_is_read_as_data() {
    let (aws, _asked) = serve(|asked| {
        let body = if asked.contains("open") {
            ""
        } else {
            "<StackPolicyBody>{&quot;Statement&quot;:[]}</StackPolicyBody>"
        };
        ok("GetStackPolicy", body)
    })
    .await;
    let closed = aws.policy("arn:closed").await;
    assert_eq!(closed, Ok(Some(serde_json::json!({"Statement": []}))));
    assert_eq!(aws.policy("arn:open").await, Ok(None));
}

fn drifted(logical: &str, status: &str, inside: &str) -> String {
    format!(
        "<member><StackId>arn:s</StackId><LogicalResourceId>{logical}</LogicalResourceId>\
         <ResourceType>AWS::RDS::DBInstance</ResourceType>\
         <StackResourceDriftStatus>{status}</StackResourceDriftStatus>\
         <Timestamp>2026-01-01T00:00:00Z</Timestamp>{inside}</member>"
    )
}

fn detection(status: &str) -> Answer {
    ok(
        "DescribeStackDriftDetectionStatus",
        &format!(
            "<StackId>arn:s</StackId><StackDriftDetectionId>d-1</StackDriftDetectionId>\
             <DetectionStatus>{status}</DetectionStatus>\
             <DetectionStatusReason>Replica could not be read</DetectionStatusReason><Timestamp>2026-01-01T00:00:00Z</Timestamp>"
        ),
    )
}

#[tokio::test]
async fn drift_is_detected_and_read_to_the_last_page() {
    let mut looks = 0;
    let (aws, asked) = serve(move |asked| {
        if asked.contains("Action=DetectStackDrift&") {
            let id = "<StackDriftDetectionId>d-1</StackDriftDetectionId>";
            return ok("DetectStackDrift", id);
        }
        if asked.contains("Action=DescribeStackDriftDetectionStatus") {
            looks += 1;
            return detection(if looks == 1 {
                "DETECTION_IN_PROGRESS"
            } else {
                "DETECTION_FAILED"
            });
        }
        let (page, next) = if asked.contains("NextToken=two") {
            (drifted("Replica", "DELETED", ""), "")
        } else {
            let difference = "<PropertyDifferences><member>\
                <PropertyPath>/Tags/0/Value</PropertyPath><ExpectedValue>a</ExpectedValue>\
                <ActualValue>b</ActualValue><DifferenceType>NOT_EQUAL</DifferenceType></member>\
                </PropertyDifferences>";
            let page = drifted("Database", "MODIFIED", difference) + &drifted("Vpc", "IN_SYNC", "");
            (page, "<NextToken>two</NextToken>")
        };
        ok(
            "DescribeStackResourceDrifts",
            &format!("<StackResourceDrifts>{page}</StackResourceDrifts>{next}"),
        )
    })
    .await;
    let found = aws.drift("arn:s").await.expect("found");
    assert_eq!(found.unknown.as_deref(), Some("Replica could not be read"));
    let drift = found.resources;
    let names: Vec<_> = drift
        .iter()
        .map(|one| (one.logical_id.as_str(), one.deleted))
        .collect();
    assert_eq!(names, [("Database", false), ("Replica", true)]);
    assert_eq!(
        drift[0].differences,
        [Difference {
            path: "Properties.Tags.0.Value".to_owned(),
            expected: Some("a".to_owned()),
            actual: Some("b".to_owned()),
        }]
    );
    let filtered = asked.try_iter().any(|body| {
        body.contains("StackResourceDriftStatusFilters.member.1=MODIFIED")
            && body.contains("StackResourceDriftStatusFilters.member.2=DELETED")
    });
    assert!(filtered);
}

#[tokio::test]
async fn drift_detection_may_be_unsupported() {
    for (status, code) in [(400, "InvalidAction"), (501, "")] {
        let body = if code.is_empty() {
            "not here".to_owned()
        } else {
            format!("<ErrorResponse><Error><Code>{code}</Code></Error></ErrorResponse>")
        };
        let (aws, _asked) = serve(move |_| Answer::Xml(status, body.clone())).await;
        let error = aws.drift("arn:s").await.expect_err("not there");
        let CloudError::Refused { operation, message } = error else {
            panic!("{status} {code}");
        };
        assert_eq!(operation, "DetectStackDrift of arn:s");
        assert_eq!(message, "this endpoint does not know the call");
    }
}

/// The history of a stack whose update was rolled back under that token.
fn rolled_back(token: &str) -> Answer {
    ok(
        "DescribeStackEvents",
        &format!(
            "<StackEvents><member><EventId>1</EventId><StackId>arn:s</StackId>\
             <PhysicalResourceId>arn:s</PhysicalResourceId>\
             <ResourceType>AWS::CloudFormation::Stack</ResourceType>\
             <ResourceStatus>UPDATE_ROLLBACK_IN_PROGRESS</ResourceStatus>\
             <Timestamp>2026-01-01T00:00:00Z</Timestamp>\
             <ClientRequestToken>{token}</ClientRequestToken></member></StackEvents>"
        ),
    )
}

#[tokio::test]
async fn rollback_with_a_lost_answer_is_found_by_token() {
    let server = || {
        serve(|asked| {
            if asked.contains("Action=DescribeStackEvents") {
                return rolled_back("ours");
            }
            refusal(
                "ValidationError",
                "CancelUpdateStack cannot be called from current stack status",
            )
        })
    };
    let (aws, asked) = server().await;
    let skip = ["Database".to_owned(), "Vpc".to_owned()];
    assert_eq!(aws.continue_rollback("arn:s", &skip, "ours").await, Ok(()));
    let request = asked.recv().expect("a request");
    assert!(
        request.contains("ResourcesToSkip.member.2=Vpc"),
        "{request}"
    );
    assert!(request.contains("ClientRequestToken=ours"), "{request}");
    assert_eq!(aws.cancel_update("arn:s", "ours").await, Ok(()));
    let error = aws.cancel_update("arn:s", "theirs").await;
    assert!(
        matches!(error, Err(CloudError::Refused { .. })),
        "{error:?}"
    );
    let error = aws.continue_rollback("arn:s", &[], "theirs").await;
    assert!(
        matches!(error, Err(CloudError::Refused { .. })),
        "{error:?}"
    );
}

#[tokio::test]
async fn hook_message_replaces_the_hook_name() {
    let (aws, asked) = serve(|asked| {
        if asked.contains("Action=DescribeEvents") {
            return ok(
                "DescribeEvents",
                "<OperationEvents><member><EventType>HOOK_INVOCATION_ERROR</EventType>\
                 <LogicalResourceId>StateBucket</LogicalResourceId>\
                 <HookType>MyOrg::Buckets::Private</HookType>\
                 <HookStatusReason>no access block</HookStatusReason></member></OperationEvents>",
            );
        }
        ok(
            "DescribeStackEvents",
            "<StackEvents><member><EventId>2</EventId><StackId>arn:s</StackId>\
             <OperationId>op-1</OperationId>\
             <LogicalResourceId>StateBucket</LogicalResourceId>\
             <ResourceType>AWS::S3::Bucket</ResourceType><ResourceStatus>CREATE_FAILED</ResourceStatus>\
             <ResourceStatusReason>The following hook(s) failed: [MyOrg::Buckets::Private]\
             </ResourceStatusReason><Timestamp>2026-01-01T00:00:00Z</Timestamp></member>\
             </StackEvents>",
        )
    })
    .await;
    let operation = StackOperation {
        stack_id: "arn:s".to_owned(),
        token: None,
    };
    let events = aws
        .events(&operation, &HashSet::new())
        .await
        .expect("events");
    assert_eq!(
        events[0].reason.as_deref(),
        Some("hook MyOrg::Buckets::Private refused: no access block")
    );
    let asked: Vec<_> = asked.try_iter().collect();
    assert!(asked[1].contains("OperationId=op-1"), "{}", asked[1]);
    assert!(
        asked[1].contains("Filters.FailedEvents=true"),
        "{}",
        asked[1]
    );
}

#[tokio::test]
async fn expired_credentials_are_reported_by_every_call() {
    let (aws, _asked) = serve(|_| {
        refusal(
            "ExpiredToken",
            "The security token included in the request is expired",
        )
    })
    .await;
    let operation = StackOperation {
        stack_id: "arn:s".to_owned(),
        token: None,
    };
    let errors = [
        aws.in_progress_stacks().await.err(),
        aws.change_sets("arn:s").await.err(),
        aws.change_set("arn:set", "arn:s").await.err(),
        aws.create_change_set(&proposal()).await.err(),
        aws.policy("arn:s").await.err(),
        aws.continue_rollback("arn:s", &[], "t").await.err(),
        aws.cancel_update("arn:s", "t").await.err(),
        aws.drift("arn:s").await.err(),
        aws.events(&operation, &HashSet::new()).await.err(),
        aws.console("group").await.err(),
    ];
    for (nth, error) in errors.into_iter().enumerate() {
        assert!(
            matches!(error, Some(CloudError::Credentials { .. })),
            "{nth}: {error:?}"
        );
    }
}
