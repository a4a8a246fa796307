//! What is asked before a removal: locks, and EC2's dry run.

use std::collections::BTreeSet;

use super::*;
use crate::cloud::{DryRun, Lock, Lockable, RemovalChecks};

const BALANCER: &str = "arn:aws:elasticloadbalancing:eu-west-1:1:loadbalancer/net/a/1";
/// EC2's good answer to a dry run, which is an error by its form.
const WOULD: &str = "Request would have succeeded, but DryRun flag is set.";

/// What EC2 answers to a dry run.
fn dry(code: &str, message: &str) -> Answer {
    match ec2_refusal(code, message) {
        Answer::Xml(_, body) if code == "DryRunOperation" => Answer::Xml(412, body),
        Answer::Xml(_, body) => Answer::Xml(403, body),
        other => other,
    }
}

fn rule(state: &str) -> OutsideResource {
    OutsideResource {
        body: "sg-1".to_owned(),
        state: Some(state.to_owned()),
        ..OutsideResource::new(OutsideKind::GroupRule, "sgr-1")
    }
}

#[tokio::test]
async fn dry_run_asks_for_the_call_of_the_removal_and_removes_nothing() {
    let one = OutsideResource::new;
    let version = "Version=2016-11-15";
    for (resource, request) in [
        (
            one(OutsideKind::Machine, "i-1"),
            format!("Action=TerminateInstances&{version}&InstanceId.1=i-1"),
        ),
        (
            one(OutsideKind::SecurityGroup, "sg-1"),
            format!("Action=DeleteSecurityGroup&{version}&GroupId=sg-1"),
        ),
        (
            one(OutsideKind::Volume, "vol-1"),
            format!("Action=DeleteVolume&{version}&VolumeId=vol-1"),
        ),
        (
            one(OutsideKind::Interface, "eni-1"),
            format!("Action=DeleteNetworkInterface&{version}&NetworkInterfaceId=eni-1"),
        ),
        (
            rule("ingress"),
            format!(
                "Action=RevokeSecurityGroupIngress&{version}&GroupId=sg-1&SecurityGroupRuleId.1=sgr-1"
            ),
        ),
        (
            rule("egress"),
            format!(
                "Action=RevokeSecurityGroupEgress&{version}&GroupId=sg-1&SecurityGroupRuleId.1=sgr-1"
            ),
        ),
    ] {
        let (aws, asked) = serve(|_| dry("DryRunOperation", WOULD)).await;
        assert_eq!(aws.dry_run(&resource).await, Ok(DryRun::Allowed));
        let asked: Vec<String> = asked.try_iter().collect();
        assert_eq!(asked, [format!("{request}&DryRun=true")]);
    }
}

#[tokio::test]
async fn other_services_have_no_dry_run() {
    let (aws, asked) = serve(|_| dry("DryRunOperation", WOULD)).await;
    for kind in [
        OutsideKind::LoadBalancer,
        OutsideKind::Bucket,
        OutsideKind::DnsRecord,
    ] {
        let resource = OutsideResource::new(kind, "x");
        assert_eq!(aws.dry_run(&resource).await, Ok(DryRun::NotOffered));
    }
    assert_eq!(asked.try_iter().count(), 0);
}

#[tokio::test]
async fn missing_right_is_denied_with_its_action_and_anything_else_says_nothing() {
    let group = OutsideResource::new(OutsideKind::SecurityGroup, "sg-1");
    let (aws, _asked) = serve(|_| {
        dry(
            "UnauthorizedOperation",
            "You are not authorized to perform this operation.",
        )
    })
    .await;
    let Err(CloudError::Denied { action, .. }) = aws.dry_run(&group).await else {
        panic!("not denied")
    };
    assert_eq!(action.as_deref(), Some("ec2:DeleteSecurityGroup"));
    let (aws, _asked) = serve(|_| ec2_refusal("InvalidGroup.NotFound", "gone")).await;
    assert!(matches!(
        aws.dry_run(&group).await,
        Err(CloudError::NotFound(_))
    ));
    let (aws, _asked) = serve(|_| ec2_refusal("InvalidParameterValue", "odd")).await;
    assert!(matches!(
        aws.dry_run(&group).await,
        Err(CloudError::Refused { .. })
    ));
}

fn attributes(value: &str) -> String {
    let one =
        |key: &str, value: &str| format!("<member><Key>{key}</Key><Value>{value}</Value></member>");
    let all = one("access_logs.s3.bucket", "") + &one("deletion_protection.enabled", value);
    let call = "DescribeLoadBalancerAttributes";
    format!(
        "<{call}Response><{call}Result><Attributes>{all}</Attributes></{call}Result></{call}Response>"
    )
}

#[tokio::test]
async fn locks_are_read_of_each_service() {
    use Lock::{DeletionProtection, StopProtection, TerminationProtection};
    let answer = |asked: &str| {
        if asked.contains("Action=DescribeLoadBalancerAttributes") {
            Answer::Xml(200, attributes("true"))
        } else if asked.contains("Action=DescribeDBInstances") {
            let one = "<DBInstance><DeletionProtection>true</DeletionProtection></DBInstance>";
            Answer::Xml(
                200,
                format!("<DescribeDBInstancesResponse>{one}</DescribeDBInstancesResponse>"),
            )
        } else {
            let name = asked.rsplit("Attribute=").next().unwrap_or_default();
            let inside =
                format!("<instanceId>i-1</instanceId><{name}><value>true</value></{name}>");
            ec2("DescribeInstanceAttribute", &inside)
        }
    };
    let (aws, asked) = serve(answer).await;
    let locks = async |of| {
        aws.locks(of)
            .await
            .map(|all| all.into_iter().collect::<Vec<_>>())
    };
    assert_eq!(
        locks(Lockable::Balancer(BALANCER)).await,
        Ok(vec![DeletionProtection])
    );
    assert_eq!(
        locks(Lockable::Database("canary-db")).await,
        Ok(vec![DeletionProtection])
    );
    assert_eq!(
        locks(Lockable::Machine("i-1")).await,
        Ok(vec![TerminationProtection, StopProtection])
    );
    assert_eq!(asked.try_iter().count(), 4);
}

#[tokio::test]
async fn what_is_gone_or_off_has_no_lock() {
    let (aws, _asked) = serve(|asked| {
        if asked.contains("Attributes&") {
            Answer::Xml(200, attributes("false"))
        } else {
            ec2_refusal("InvalidInstanceID.NotFound", "gone")
        }
    })
    .await;
    assert_eq!(
        aws.locks(Lockable::Balancer(BALANCER)).await,
        Ok(BTreeSet::new())
    );
    assert_eq!(
        aws.locks(Lockable::Machine("i-1")).await,
        Ok(BTreeSet::new())
    );
}

#[tokio::test]
async fn lock_of_a_bucket_is_its_policy_or_a_default_retention() {
    let policy = r#"{"Statement": {"Effect": "Deny", "Principal": "*", "Action": "s3:DeleteBucket", "Resource": "*"}}"#;
    let rule =
        "<Rule><DefaultRetention><Mode>COMPLIANCE</Mode><Days>9</Days></DefaultRetention></Rule>";
    let lock = |rule: &str| {
        format!(
            "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled>{rule}</ObjectLockConfiguration>"
        )
    };
    let error = |code: &str| {
        Answer::Xml(
            404,
            format!("<Error><Code>{code}</Code><Message>none</Message></Error>"),
        )
    };
    let no_lock = "ObjectLockConfigurationNotFoundError";
    let no_policy = "NoSuchBucketPolicy";
    for (lock, policy, locks) in [
        (Ok(lock(rule)), Err(no_policy), vec![Lock::ObjectLock]),
        (Ok(lock("")), Err(no_policy), vec![]),
        (Err(no_lock), Ok(policy), vec![Lock::BucketPolicy]),
        (Err(no_lock), Ok("{}"), vec![]),
        (Err(no_lock), Err(no_policy), vec![]),
        (Err("NoSuchBucket"), Err("NoSuchBucket"), vec![]),
    ] {
        let mut calls = 0;
        let (aws, _asked) = serve(move |_| {
            calls += 1;
            match (calls, lock.clone(), policy) {
                (1, Ok(body), _) => Answer::Xml(200, body),
                (1, Err(code), _) | (_, _, Err(code)) => error(code),
                (_, _, Ok(body)) => Answer::Xml(200, body.to_owned()),
            }
        })
        .await;
        let found = aws.locks(Lockable::Bucket("canary-state")).await;
        assert_eq!(
            found.map(|all| all.into_iter().collect::<Vec<_>>()),
            Ok(locks)
        );
    }
}
