//! Removing: the call of each kind, what is gone, what is in use, what may not be done.

use super::*;

const BALANCER: &str = "arn:aws:elasticloadbalancing:eu-west-1:1:loadbalancer/net/a/1";
const GROUP: &str = "arn:aws:elasticloadbalancing:eu-west-1:1:targetgroup/a/1";
const BACKUP: &str = "arn:aws:rds:eu-west-1:1:auto-backup:ab-1";

pub(super) fn resource(kind: OutsideKind, id: &str) -> OutsideResource {
    OutsideResource::new(kind, id)
}

/// Kinds of the query APIs with an id, the beginning of their request, and AWS's code for one that is gone.
const REMOVED: [(OutsideKind, &str, &str, &str); 19] = [
    (
        OutsideKind::Machine,
        "i-1",
        "Action=TerminateInstances&Version=2016-11-15&InstanceId.1=i-1",
        "InvalidInstanceID.NotFound",
    ),
    (
        OutsideKind::LoadBalancer,
        BALANCER,
        "Action=DeleteLoadBalancer&Version=2015-12-01&LoadBalancerArn=arn%3A",
        "LoadBalancerNotFound",
    ),
    (
        OutsideKind::ClassicLoadBalancer,
        "a1b2",
        "Action=DeleteLoadBalancer&Version=2012-06-01&LoadBalancerName=a1b2",
        "LoadBalancerNotFound",
    ),
    (
        OutsideKind::TargetGroup,
        GROUP,
        "Action=DeleteTargetGroup&Version=2015-12-01&TargetGroupArn=arn%3A",
        "TargetGroupNotFound",
    ),
    (
        OutsideKind::SecurityGroup,
        "sg-1",
        "Action=DeleteSecurityGroup&Version=2016-11-15&GroupId=sg-1",
        "InvalidGroup.NotFound",
    ),
    (
        OutsideKind::Interface,
        "eni-1",
        "Action=DeleteNetworkInterface&Version=2016-11-15&NetworkInterfaceId=eni-1",
        "InvalidNetworkInterfaceID.NotFound",
    ),
    (
        OutsideKind::Volume,
        "vol-1",
        "Action=DeleteVolume&Version=2016-11-15&VolumeId=vol-1",
        "InvalidVolume.NotFound",
    ),
    (
        OutsideKind::Snapshot,
        "snap-1",
        "Action=DeleteSnapshot&Version=2016-11-15&SnapshotId=snap-1",
        "InvalidSnapshot.NotFound",
    ),
    (
        OutsideKind::Backup,
        BACKUP,
        "Action=DeleteDBInstanceAutomatedBackup&Version=2014-10-31&DBInstanceAutomatedBackupsArn=arn%3A",
        "DBInstanceAutomatedBackupNotFound",
    ),
    (
        OutsideKind::DatabaseSnapshot,
        "canary-database-snapshot-database-x1",
        "Action=DeleteDBSnapshot&Version=2014-10-31&DBSnapshotIdentifier=canary-database-snapshot-database-x1",
        "DBSnapshotNotFound",
    ),
    (
        OutsideKind::NatGateway,
        "nat-1",
        "Action=DeleteNatGateway&Version=2016-11-15&NatGatewayId=nat-1",
        "NatGatewayNotFound",
    ),
    (
        OutsideKind::Address,
        "eipalloc-1",
        "Action=ReleaseAddress&Version=2016-11-15&AllocationId=eipalloc-1",
        "InvalidAllocationID.NotFound",
    ),
    (
        OutsideKind::Subnet,
        "subnet-1",
        "Action=DeleteSubnet&Version=2016-11-15&SubnetId=subnet-1",
        "InvalidSubnetID.NotFound",
    ),
    (
        OutsideKind::RouteTable,
        "rtb-1",
        "Action=DeleteRouteTable&Version=2016-11-15&RouteTableId=rtb-1",
        "InvalidRouteTableID.NotFound",
    ),
    (
        OutsideKind::NetworkAcl,
        "acl-1",
        "Action=DeleteNetworkAcl&Version=2016-11-15&NetworkAclId=acl-1",
        "InvalidNetworkAclID.NotFound",
    ),
    (
        OutsideKind::Peering,
        "pcx-1",
        "Action=DeleteVpcPeeringConnection&Version=2016-11-15&VpcPeeringConnectionId=pcx-1",
        "InvalidVpcPeeringConnectionID.NotFound",
    ),
    (
        OutsideKind::InternetGateway,
        "eigw-1",
        "Action=DeleteEgressOnlyInternetGateway&Version=2016-11-15&EgressOnlyInternetGatewayId=eigw-1",
        "InvalidGatewayID.NotFound",
    ),
    (
        OutsideKind::InternetGateway,
        "igw-1",
        "Action=DeleteInternetGateway&Version=2016-11-15&InternetGatewayId=igw-1",
        "InvalidInternetGatewayID.NotFound",
    ),
    (
        OutsideKind::Vpc,
        "vpc-1",
        "Action=DeleteVpc&Version=2016-11-15&VpcId=vpc-1",
        "InvalidVpcID.NotFound",
    ),
];

/// The good answer to the call in a form.
pub(super) fn done(asked: &str) -> Answer {
    let call = asked.split(['=', '&']).nth(1).unwrap_or_default();
    Answer::Xml(
        200,
        format!("<{call}Response><return>true</return></{call}Response>"),
    )
}

#[tokio::test]
async fn each_kind_is_removed_by_its_own_call() {
    for (kind, id, request, _) in REMOVED {
        // A gateway that is attached to nothing needs no detaching.
        let (aws, asked) = serve(done).await;
        assert_eq!(aws.remove(&resource(kind, id)).await, Ok(()));
        let asked: Vec<String> = asked.try_iter().collect();
        assert_eq!(asked.len(), 1, "{asked:?}");
        assert!(asked[0].starts_with(request), "{kind:?}: {asked:?}");
    }
}

#[tokio::test]
async fn what_is_gone_is_no_error() {
    for (kind, id, _, code) in REMOVED {
        let (aws, _asked) = serve(move |_| {
            let error = format!("<Error><Code>{code}</Code><Message>gone</Message></Error>");
            let of_rds = [OutsideKind::Backup, OutsideKind::DatabaseSnapshot];
            let status = if of_rds.contains(&kind) { 404 } else { 400 };
            Answer::Xml(status, format!("<R>{error}</R>"))
        })
        .await;
        assert_eq!(aws.remove(&resource(kind, id)).await, Ok(()), "{kind:?}");
    }
}

#[tokio::test]
async fn what_is_in_use_is_refused_with_the_words_of_aws() {
    use OutsideKind as K;
    for (kind, code, message) in [
        (
            K::SecurityGroup,
            "DependencyViolation",
            "resource sg-1 has a dependent object",
        ),
        (
            K::Interface,
            "InvalidNetworkInterface.InUse",
            "eni-1 is currently in use",
        ),
        (
            K::Interface,
            "InvalidParameterValue",
            "Network interface 'eni-1' is currently in use.",
        ),
        (
            K::Volume,
            "VolumeInUse",
            "Volume vol-1 is currently attached to i-1",
        ),
        (
            K::Snapshot,
            "InvalidSnapshot.InUse",
            "snap-1 is currently in use by ami-1",
        ),
        (
            K::TargetGroup,
            "ResourceInUse",
            "Target group 'a' is currently in use by a listener or a rule",
        ),
        (
            K::Vpc,
            "DependencyViolation",
            "The vpc 'vpc-1' has dependencies and cannot be deleted.",
        ),
        (
            K::Address,
            "InvalidIPAddress.InUse",
            "The address with allocation id [eipalloc-1] cannot be released as it is in use.",
        ),
        (
            K::LoadBalancer,
            "OperationNotPermitted",
            "Load balancer 'a' cannot be deleted because deletion protection is enabled",
        ),
        (
            K::Machine,
            "OperationNotPermitted",
            "The instance 'i-1' may not be terminated. Modify its 'disableApiTermination' instance attribute and try again.",
        ),
    ] {
        let (aws, asked) = serve(move |_| ec2_refusal(code, message)).await;
        let error = aws.remove(&resource(kind, "id-1")).await;
        let Err(CloudError::Refused { message: said, .. }) = error else {
            panic!("{code}: {error:?}")
        };
        assert_eq!(said, message);
        assert_eq!(asked.try_iter().count(), 1, "nobody waits here");
    }
}

#[tokio::test]
async fn denied_removal_names_the_action() {
    let words = "You are not authorized to perform this operation. User: arn:aws:iam::1:user/me is not authorized to \
        perform: ec2:DeleteVolume on resource: arn:aws:ec2:eu-west-1:1:volume/vol-1 because no identity-based policy \
        allows the ec2:DeleteVolume action. Encoded authorization failure message: 4GIOHlTkIaWHQD0Q";
    for message in [words, "You are not authorized to perform this operation."] {
        let (aws, _asked) = serve(move |_| ec2_refusal("UnauthorizedOperation", message)).await;
        let error = aws.remove(&resource(OutsideKind::Volume, "vol-1")).await;
        let Err(CloudError::Denied { action, .. }) = error else {
            panic!("{error:?}")
        };
        assert_eq!(action.as_deref(), Some("ec2:DeleteVolume"));
    }
}

#[tokio::test]
async fn interface_of_another_service_is_no_fault_of_the_credentials() {
    let words = "You do not have permission to access the specified resource.";
    let (aws, _asked) = serve(move |_| ec2_refusal("AuthFailure", words)).await;
    let error = aws.remove(&resource(OutsideKind::Interface, "eni-1")).await;
    assert!(matches!(error, Err(CloudError::Denied { .. })), "{error:?}");
    let words = "AWS was not able to validate the provided access credentials";
    let (aws, _asked) = serve(move |_| ec2_refusal("AuthFailure", words)).await;
    let error = aws.remove(&resource(OutsideKind::Interface, "eni-1")).await;
    assert!(
        matches!(error, Err(CloudError::Credentials { .. })),
        "{error:?}"
    );
}

#[tokio::test]
async fn what_aws_made_and_a_database_are_refused_without_a_call() {
    let by_aws = OutsideResource {
        by_aws: true,
        ..resource(OutsideKind::Interface, "eni-1")
    };
    let database = resource(OutsideKind::Database, "canary-database-database-x1");
    let (aws, asked) = serve(|asked| panic!("{asked}")).await;
    for resource in [&database, &by_aws] {
        let error = aws.remove(resource).await;
        assert!(
            matches!(error, Err(CloudError::Refused { .. })),
            "{error:?}"
        );
    }
    assert_eq!(asked.try_iter().count(), 0);
}

fn rules(is_egress: bool) -> Answer {
    let rule = format!(
        "<item><securityGroupRuleId>sgr-1</securityGroupRuleId><groupId>sg-a</groupId><isEgress>{is_egress}</isEgress>\
         <referencedGroupInfo><groupId>sg-b</groupId></referencedGroupInfo></item>"
    );
    let set = format!("<securityGroupRuleSet>{rule}</securityGroupRuleSet>");
    ec2("DescribeSecurityGroupRules", &set)
}

#[tokio::test]
async fn rule_is_revoked_from_its_group_in_its_direction() {
    for (is_egress, call) in [
        (false, "RevokeSecurityGroupIngress"),
        (true, "RevokeSecurityGroupEgress"),
    ] {
        let (aws, asked) = serve(move |asked| {
            if asked.contains("Action=Describe") {
                rules(is_egress)
            } else {
                done(asked)
            }
        })
        .await;
        let rule = resource(OutsideKind::GroupRule, "sgr-1");
        assert_eq!(aws.remove(&rule).await, Ok(()));
        let request = asked.try_iter().nth(1).expect("a request");
        let expected =
            format!("Action={call}&Version=2016-11-15&GroupId=sg-a&SecurityGroupRuleId.1=sgr-1");
        assert_eq!(request, expected);
    }
}

#[tokio::test]
async fn rule_that_is_gone_is_no_error() {
    let code = "InvalidSecurityGroupRuleId.NotFound";
    let (aws, _asked) = serve(move |_| ec2_refusal(code, "does not exist")).await;
    let rule = resource(OutsideKind::GroupRule, "sgr-1");
    assert_eq!(aws.remove(&rule).await, Ok(()));
    let (aws, _asked) = serve(move |asked| {
        if asked.contains("Action=Describe") {
            rules(false)
        } else {
            ec2_refusal(code, "does not exist")
        }
    })
    .await;
    assert_eq!(aws.remove(&rule).await, Ok(()));
}

#[tokio::test]
async fn log_group_is_deleted_with_an_empty_answer() {
    let group = resource(OutsideKind::LogGroup, "/aws/rds/instance/a/upgrade");
    let (aws, asked) = serve(|_| Answer::Xml(200, String::new())).await;
    assert_eq!(aws.remove(&group).await, Ok(()));
    let request = asked.recv().expect("a request");
    assert_eq!(request, r#"{"logGroupName":"/aws/rds/instance/a/upgrade"}"#);
    let gone = r#"{"__type": "ResourceNotFoundException", "message": "The specified log group does not exist."}"#;
    let (aws, _asked) = serve(move |_| Answer::Xml(400, gone.to_owned())).await;
    assert_eq!(aws.remove(&group).await, Ok(()));
    let (aws, _asked) = serve(|_| Answer::Foreign(200, String::new())).await;
    let error = aws.remove(&group).await.expect_err("not AWS's");
    assert!(error.is_transient(), "{error:?}");
}

#[tokio::test]
async fn bucket_has_to_be_empty() {
    let bucket = resource(OutsideKind::Bucket, "canary-state");
    let (aws, asked) = serve_paths(|_| Answer::Xml(204, String::new())).await;
    assert_eq!(aws.remove(&bucket).await, Ok(()));
    let request = asked.recv().expect("a request");
    assert!(request.starts_with("DELETE /canary-state"), "{request}");
    let refuse = |code: &'static str, status: u16| {
        move |_: &str| {
            let message = "The bucket you tried to delete is not empty";
            let error = format!("<Error><Code>{code}</Code><Message>{message}</Message></Error>");
            Answer::Xml(status, error)
        }
    };
    let (aws, _asked) = serve(refuse("BucketNotEmpty", 409)).await;
    let error = aws.remove(&bucket).await;
    assert!(
        matches!(error, Err(CloudError::Refused { .. })),
        "{error:?}"
    );
    // Another deletion of it is under way.
    let (aws, _asked) = serve(refuse("OperationAborted", 409)).await;
    let error = aws.remove(&bucket).await;
    assert!(
        matches!(error, Err(CloudError::Refused { .. })),
        "{error:?}"
    );
    let (aws, _asked) = serve(refuse("NoSuchBucket", 404)).await;
    assert_eq!(aws.remove(&bucket).await, Ok(()));
}

#[tokio::test]
async fn key_waits_thirty_days_and_one_that_waits_already_is_no_error() {
    let key = resource(OutsideKind::Key, "arn:aws:kms:eu-west-1:1:key/7f");
    let (aws, asked) = serve(|_| {
        json(&serde_json::json!({
            "KeyId": "arn:aws:kms:eu-west-1:1:key/7f", "DeletionDate": 1_800_000_000.0, "KeyState": "PendingDeletion",
        }))
    })
    .await;
    assert_eq!(aws.remove(&key).await, Ok(()));
    let request = asked.recv().expect("a request");
    assert!(request.contains(r#""PendingWindowInDays":30"#), "{request}");
    for (state, is_done) in [("PendingDeletion", true), ("Unavailable", false)] {
        let (aws, _asked) = serve(move |asked| {
            if asked.contains("PendingWindowInDays") {
                let refused =
                    r#"{"__type": "KMSInvalidStateException", "message": "is pending deletion."}"#;
                Answer::Xml(400, refused.to_owned())
            } else {
                json(&serde_json::json!({"KeyMetadata": {"KeyId": "7f", "KeyState": state}}))
            }
        })
        .await;
        assert_eq!(aws.remove(&key).await.is_ok(), is_done, "{state}");
    }
}

#[tokio::test]
async fn lost_answer_to_a_removal_is_asked_again() {
    let mut tries = 0;
    let (aws, asked) = serve(move |asked| {
        tries += 1;
        if tries == 1 {
            Answer::Silence
        } else {
            let _ = asked;
            ec2_refusal("InvalidVolume.NotFound", "gone")
        }
    })
    .await;
    let volume = resource(OutsideKind::Volume, "vol-1");
    assert_eq!(aws.remove(&volume).await, Ok(()));
    assert_eq!(asked.try_iter().count(), 2);
}

#[tokio::test]
async fn removal_waits_for_the_operation_lock() {
    let (aws, asked) = serve(done).await;
    aws.limiter.gate().close();
    let volume = resource(OutsideKind::Volume, "vol-1");
    let removal = tokio::time::timeout(Duration::from_millis(200), aws.remove(&volume));
    assert!(removal.await.is_err());
    assert_eq!(asked.try_iter().count(), 0);
    aws.limiter.gate().open();
    assert_eq!(aws.remove(&volume).await, Ok(()));
}
