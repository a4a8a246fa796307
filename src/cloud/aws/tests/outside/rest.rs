//! Log groups, automated backups, buckets and keys.

use super::*;

#[tokio::test]
async fn log_groups_are_those_of_the_clusters_databases_on_every_page() {
    let (aws, asked) = serve(|asked| {
        let group = |database: &str, log: &str| {
            serde_json::json!({
                "logGroupName": format!("/aws/rds/instance/{database}/{log}"),
                "storedBytes": 1024, "creationTime": 1_700_000_000_000_i64,
            })
        };
        let ours = "canary-database-database-x1";
        if asked.contains("\"nextToken\":\"two\"") {
            json(&serde_json::json!({"logGroups": [group(ours, "upgrade")]}))
        } else {
            let other = group(
                "canary-database-database-y-database-database-z1",
                "postgresql",
            );
            let page = [group(ours, "postgresql"), other];
            json(&serde_json::json!({"logGroups": page, "nextToken": "two"}))
        }
    })
    .await;
    let found = listed(&aws, OutsideKind::LogGroup).await;
    let name = |log: &str| format!("/aws/rds/instance/canary-database-database-x1/{log}");
    assert_eq!(ids(&found), [name("postgresql"), name("upgrade")]);
    assert_eq!(found[0].bytes, Some(1024));
    let request = asked.recv().expect("a request");
    let prefix = r#""logGroupNamePrefix":"/aws/rds/instance/canary-database-database-""#;
    assert!(request.contains(prefix), "{request}");
}

#[tokio::test]
async fn backups_are_the_retained_ones_of_the_clusters_databases() {
    let backup = |database: &str, status: &str, tags: &str| {
        format!(
            "<DBInstanceAutomatedBackup><DbiResourceId>db-{database}</DbiResourceId>\
             <DBInstanceIdentifier>{database}</DBInstanceIdentifier><AllocatedStorage>20</AllocatedStorage>\
             <Status>{status}</Status>{tags}</DBInstanceAutomatedBackup>"
        )
    };
    let (aws, asked) = serve(move |asked| {
        let tag = "<TagList><Tag><Key>kube-cfn/cluster</Key><Value>canary</Value></Tag></TagList>";
        let page = if asked.contains("Marker=two") {
            backup("canary-database-database-x1", "retained", "")
                + &backup("restored", "retained", tag)
        } else {
            let others = backup("canary-database-database-x2", "active", "")
                + &backup("production-database-database-x3", "retained", "");
            format!("{others}<!-- a comment -->")
        };
        let next = if asked.contains("Marker=two") {
            ""
        } else {
            "<Marker>two</Marker>"
        };
        let list = format!("{next}<DBInstanceAutomatedBackups>{page}</DBInstanceAutomatedBackups>");
        ok("DescribeDBInstanceAutomatedBackups", &list)
    })
    .await;
    let found = listed(&aws, OutsideKind::Backup).await;
    assert_eq!(
        ids(&found),
        ["db-canary-database-database-x1", "db-restored"]
    );
    assert_eq!(found[0].bytes, Some(20 << 30));
    let request = asked.recv().expect("a request");
    for part in [
        "Version=2014-10-31",
        "Filters.Filter.1.Name=status",
        "Filters.Filter.1.Values.Value.1=retained",
    ] {
        assert!(request.contains(part), "{part}: {request}");
    }
}

#[tokio::test]
async fn database_snapshots_are_those_of_stacks_of_the_database_and_tagged_ones() {
    let snapshot = |id: &str, tags: &str| {
        format!(
            "<DBSnapshot><DBSnapshotIdentifier>{id}</DBSnapshotIdentifier>\
             <DBInstanceIdentifier>of-{id}</DBInstanceIdentifier><AllocatedStorage>20</AllocatedStorage>\
             <SnapshotCreateTime>2026-11-23T10:00:00.5Z</SnapshotCreateTime><Status>creating</Status>{tags}</DBSnapshot>"
        )
    };
    let (aws, asked) = serve(move |asked| {
        let tag = |cluster| {
            format!(
                "<TagList><Tag><Key>kube-cfn/cluster</Key><Value>{cluster}</Value></Tag></TagList>"
            )
        };
        let list = if asked.contains("Marker=two") {
            let page = snapshot("before-the-upgrade", &tag("canary"))
                + &snapshot(
                    "canary-database-snapshot-database-x-snapshot-database-y1",
                    "",
                );
            format!("<DBSnapshots>{page}</DBSnapshots>")
        } else {
            let page = snapshot("canary-database-snapshot-database-x1", "<TagList/>")
                + &snapshot("canary-2-database-snapshot-database-x1", &tag("canary-2"))
                + &snapshot("canary-nightly", "")
                + &snapshot("canary-database-database-x1-final", "").replace(
                    "of-canary-database-database-x1-final",
                    "canary-database-database-x1",
                );
            format!("<Marker>two</Marker><DBSnapshots>{page}</DBSnapshots>")
        };
        ok("DescribeDBSnapshots", &list)
    })
    .await;
    let found = listed(&aws, OutsideKind::DatabaseSnapshot).await;
    let ours = "canary-database-snapshot-database-x1";
    let last = "canary-database-database-x1-final";
    assert_eq!(ids(&found), [ours, last, "before-the-upgrade"]);
    assert_eq!(found[0].bytes, Some(20 << 30));
    assert_eq!(found[0].state.as_deref(), Some("creating"));
    assert_eq!(found[0].created, "2026-11-23T10:00:00.5Z".parse().ok());
    assert_eq!(texts(&found[0].uses), [format!("of-{ours}")]);
    assert_eq!(found[0].description, Some(format!("of-{ours}")));
    let request = asked.recv().expect("a request");
    assert!(request.contains("Version=2014-10-31"), "{request}");
    assert!(request.contains("SnapshotType=manual"), "{request}");
}

/// Resource Groups Tagging with these ARNs on two pages.
fn tagged(asked: &str, first: &str, second: &str) -> Answer {
    let tags = serde_json::json!([{"Key": "kube-cfn/cluster", "Value": "canary"}]);
    let (arn, next) = if asked.contains(r#""PaginationToken":"two""#) {
        (second, "")
    } else {
        (first, "two")
    };
    json(&serde_json::json!({
        "PaginationToken": next,
        "ResourceTagMappingList": [{"ResourceARN": arn, "Tags": tags}],
    }))
}

#[tokio::test]
async fn buckets_are_those_that_s3_still_has() {
    let (aws, asked) = serve_paths(|asked| {
        if asked.starts_with("HEAD /canary-gone") {
            Answer::Xml(404, String::new())
        } else if asked.starts_with("HEAD /canary-state") {
            Answer::Xml(200, String::new())
        } else {
            assert!(asked.contains(r#""ResourceTypeFilters":["s3"]"#), "{asked}");
            tagged(
                asked,
                "arn:aws:s3:::canary-gone",
                "arn:aws:s3:::canary-state",
            )
        }
    })
    .await;
    let found = listed(&aws, OutsideKind::Bucket).await;
    assert_eq!(ids(&found), ["canary-state"]);
    assert_eq!(found[0].tag("kube-cfn/cluster"), Some("canary"));
    assert_eq!(asked.try_iter().count(), 4);
}

#[tokio::test]
async fn bucket_that_may_not_be_looked_at_is_no_missing_one() {
    let (aws, _asked) = serve_paths(|asked| {
        if asked.starts_with("HEAD") {
            Answer::Xml(403, String::new())
        } else {
            tagged(asked, "arn:aws:s3:::canary-a", "arn:aws:s3:::canary-b")
        }
    })
    .await;
    let error = aws.outside(OutsideKind::Bucket, &scope()).await;
    let Err(CloudError::Denied { action, .. }) = error else {
        panic!("{error:?}")
    };
    assert_eq!(action.as_deref(), Some("s3:ListBucket"));
}

#[tokio::test]
async fn keys_that_wait_for_their_deletion_have_its_date() {
    let arn = |id: &str| format!("arn:aws:kms:eu-west-1:1:key/{id}");
    let (aws, _asked) = serve(move |asked| {
        if asked.contains("TagFilters") {
            tagged(asked, &arn("living"), &arn("ending"))
        } else {
            let state = if asked.contains("living") {
                "Disabled"
            } else {
                "PendingDeletion"
            };
            json(&serde_json::json!({"KeyMetadata": {
                "KeyId": "1", "KeyState": state, "CreationDate": 1_700_000_000.5, "Description": "state",
                "DeletionDate": (state == "PendingDeletion").then_some(1_800_000_000.0),
            }}))
        }
    })
    .await;
    let found = listed(&aws, OutsideKind::Key).await;
    assert_eq!(ids(&found), [arn("ending"), arn("living")]);
    assert!(found[0].is_scheduled());
    let day = found[0].ends.map(jiff::Timestamp::as_second);
    assert_eq!(day, Some(1_800_000_000));
    assert_eq!(
        (found[1].state.as_deref(), found[1].ends),
        (Some("Disabled"), None)
    );
    assert_eq!(found[1].description.as_deref(), Some("state"));
}

#[tokio::test]
async fn databases_are_named_or_tagged_as_the_clusters_or_in_its_vpc() {
    let database = |id: &str, vpc: &str, tags: &str| {
        format!(
            "<DBInstance><DBInstanceIdentifier>{id}</DBInstanceIdentifier><DBInstanceStatus>available</DBInstanceStatus>\
             <AllocatedStorage>20</AllocatedStorage><KmsKeyId>arn:k</KmsKeyId><DBSubnetGroup><VpcId>{vpc}</VpcId>\
             </DBSubnetGroup><VpcSecurityGroups><VpcSecurityGroupMembership><VpcSecurityGroupId>sg-db</VpcSecurityGroupId>\
             </VpcSecurityGroupMembership></VpcSecurityGroups>{tags}</DBInstance>"
        )
    };
    let (aws, asked) = serve(move |asked| {
        let tag = "<TagList><Tag><Key>kube-cfn/cluster</Key><Value>canary</Value></Tag></TagList>";
        let list = if asked.contains("Marker=two") {
            let page = database("theirs", "vpc-1", "") + &database("restored", "vpc-2", tag);
            format!("<DBInstances>{page}</DBInstances>")
        } else {
            let page = database("canary-database-database-x1", "vpc-2", "")
                + &database("canary-2-database-database-x1", "vpc-2", "");
            format!("<Marker>two</Marker><DBInstances>{page}</DBInstances>")
        };
        ok("DescribeDBInstances", &list)
    })
    .await;
    let found = listed(&aws, OutsideKind::Database).await;
    assert_eq!(
        ids(&found),
        ["canary-database-database-x1", "theirs", "restored"]
    );
    assert_eq!(found[0].bytes, Some(20 << 30));
    assert_eq!(found[0].vpc.as_deref(), Some("vpc-2"));
    assert_eq!(found[0].key.as_deref(), Some("arn:k"));
    assert_eq!(texts(&found[0].uses), ["sg-db"]);
    let request = asked.recv().expect("a request");
    assert!(request.contains("Version=2014-10-31"), "{request}");
}

/// CloudFormation keeps deleted stacks for 90 days, with what became of each resource.
#[tokio::test]
async fn record_of_a_deleted_stack_says_whether_it_left_a_key() {
    let stack = |name: &str, status: &str, number: u8| {
        format!(
            "<member><StackId>arn:aws:cloudformation:eu-west-1:1:stack/{name}/{number}</StackId>\
             <StackName>{name}</StackName><StackStatus>{status}</StackStatus>\
             <CreationTime>2026-11-23T10:00:00Z</CreationTime></member>"
        )
    };
    let (aws, asked) = serve(move |asked| {
        if asked.contains("Action=ListStacks") {
            // An endpoint that has no filter.
            let all = stack("canary-base", "CREATE_COMPLETE", 9)
                + &stack("canary-2-base", "DELETE_COMPLETE", 8)
                + &stack("canary-base", "DELETE_COMPLETE", 7);
            return ok("ListStacks", &format!("<StackSummaries>{all}</StackSummaries>"));
        }
        let resource = |id: &str, status: &str| {
            format!(
                "<member><LogicalResourceId>Key</LogicalResourceId><PhysicalResourceId>{id}</PhysicalResourceId>\
                 <ResourceType>AWS::KMS::Key</ResourceType><ResourceStatus>{status}</ResourceStatus>\
                 <LastUpdatedTimestamp>2026-11-23T10:00:00Z</LastUpdatedTimestamp></member>"
            )
        };
        let all = resource("left", "DELETE_SKIPPED") + &resource("ended", "DELETE_COMPLETE");
        let list = format!("<StackResourceSummaries>{all}</StackResourceSummaries>");
        ok("ListStackResources", &list)
    })
    .await;
    let arn = "arn:aws:cloudformation:eu-west-1:1:stack/canary-base/7".to_owned();
    assert_eq!(aws.left_by("canary-base", "left").await, Ok(Some(arn)));
    // It was scheduled for deletion, and somebody has cancelled that.
    assert_eq!(aws.left_by("canary-base", "ended").await, Ok(None));
    assert_eq!(aws.left_by("canary-edge", "left").await, Ok(None));
    let requests: Vec<String> = asked.try_iter().collect();
    assert!(
        requests[0].contains("StackStatusFilter.member.1=DELETE_COMPLETE"),
        "{requests:?}"
    );
    assert!(requests[1].contains("canary-base%2F7"), "{requests:?}");
}
