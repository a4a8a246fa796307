//! What Auto Scaling and RDS answer about groups and databases.

use super::*;
use crate::cloud::Scaling;

fn group(name: &str, inside: &str) -> String {
    format!(
        "<member><AutoScalingGroupName>{name}</AutoScalingGroupName><MinSize>2</MinSize>\
         <MaxSize>6</MaxSize><DesiredCapacity>4</DesiredCapacity><AvailabilityZones>\
         <member>eu-west-1a</member><member>eu-west-1b</member></AvailabilityZones>\
         <Instances><member><InstanceId>i-1</InstanceId></member></Instances>{inside}</member>"
    )
}

fn groups(inside: &str) -> Answer {
    ok("DescribeAutoScalingGroups", inside)
}

#[tokio::test]
async fn group_is_found_on_a_later_page_with_its_suspended_processes() {
    let (aws, asked) = serve(|asked| {
        if asked.contains("NextToken=two") {
            let suspended = "<SuspendedProcesses><member><ProcessName>AZRebalance</ProcessName>\
                <SuspensionReason>User suspended</SuspensionReason></member></SuspendedProcesses>";
            let found = group("canary-workers", suspended);
            groups(&format!("<AutoScalingGroups>{found}</AutoScalingGroups>"))
        } else {
            let other = group("other", "<SuspendedProcesses/>");
            groups(&format!(
                "<AutoScalingGroups>{other}</AutoScalingGroups><NextToken>two</NextToken>"
            ))
        }
    })
    .await;
    let found = aws.group("canary-workers").await.expect("read");
    let found = found.expect("there");
    assert_eq!((found.min, found.desired), (2, 4));
    assert_eq!(found.zones.len(), 2);
    assert!(found.suspended.contains("AZRebalance") && !found.rebalances());
    let request = asked.recv().expect("a request");
    assert!(
        request.starts_with("Action=DescribeAutoScalingGroups&Version=2011-01-01")
            && request.contains("AutoScalingGroupNames.member.1=canary-workers"),
        "{request}"
    );
}

#[tokio::test]
async fn group_of_another_name_is_none_and_a_denied_read_is_denied() {
    let (aws, _asked) = serve(|asked| {
        if asked.contains("closed") {
            refusal(
                "AccessDenied",
                "User: me is not authorized to perform: autoscaling:DescribeAutoScalingGroups",
            )
        } else {
            groups("<AutoScalingGroups/>")
        }
    })
    .await;
    assert_eq!(aws.group("gone").await, Ok(None));
    let denied = aws.group("closed").await;
    assert!(
        matches!(denied, Err(CloudError::Denied { .. })),
        "{denied:?}"
    );
}

#[tokio::test]
async fn process_is_suspended_by_name_and_asked_again_while_the_group_is_in_use() {
    let mut tries = 0;
    let (aws, asked) = serve(move |_| {
        tries += 1;
        if tries == 1 {
            let error =
                "<Error><Code>ResourceContention</Code><Message>pending update</Message></Error>";
            Answer::Xml(500, format!("<ErrorResponse>{error}</ErrorResponse>"))
        } else {
            Answer::Xml(200, "<SuspendProcessesResponse/>".to_owned())
        }
    })
    .await;
    assert_eq!(aws.suspend("canary-workers", "AZRebalance").await, Ok(()));
    let request = asked.recv().expect("a request");
    assert!(
        request.contains("AutoScalingGroupName=canary-workers")
            && request.contains("ScalingProcesses.member.1=AZRebalance"),
        "{request}"
    );
    assert!(asked.recv().is_ok(), "it was asked again");
}

#[tokio::test]
async fn database_has_its_storage_and_version() {
    let (aws, asked) = serve(|asked| {
        if asked.contains("gone") {
            let error = "<Error><Code>DBInstanceNotFound</Code><Message>DBInstance gone not found.</Message></Error>";
            Answer::Xml(404, format!("<ErrorResponse>{error}</ErrorResponse>"))
        } else {
            ok(
                "DescribeDBInstances",
                "<DBInstances><DBInstance><AllocatedStorage>120</AllocatedStorage>\
                 <EngineVersion>18.4</EngineVersion></DBInstance></DBInstances>",
            )
        }
    })
    .await;
    let found = aws.database("canary-db").await.expect("read");
    let found = found.expect("there");
    assert_eq!(found.storage_gib, 120);
    assert_eq!(found.engine_version, "18.4");
    let request = asked.recv().expect("a request");
    assert!(
        request.contains("Version=2014-10-31")
            && request.contains("DBInstanceIdentifier=canary-db"),
        "{request}"
    );
    assert_eq!(aws.database("gone").await, Ok(None));
}

#[tokio::test]
async fn page_of_a_proxy_is_no_answer_about_a_group() {
    let (aws, asked) = serve(|_| Answer::Foreign(200, "<html>welcome</html>".to_owned())).await;
    let error = aws.group("canary-workers").await.expect_err("not AWS");
    assert!(error.is_transient(), "{error:?}");
    assert!(asked.recv().is_ok());
}
