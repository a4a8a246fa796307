//! What Auto Scaling, EC2 and Elastic Load Balancing answer about machines that are replaced.

use super::*;
use crate::cloud::{GroupMember, InstanceState, Machines, Presence};

const TAGS: &str = "<Tags><member><Key>kube-cfn/cluster</Key><Value>canary</Value></member>\
    <member><Key>kube-cfn/stack</Key><Value>pool-a</Value></member></Tags>";

fn group(name: &str, inside: &str) -> String {
    format!(
        "<member><AutoScalingGroupName>{name}</AutoScalingGroupName><MinSize>1</MinSize><MaxSize>6</MaxSize>\
         <DesiredCapacity>2</DesiredCapacity>{inside}</member>"
    )
}

fn groups(members: &str, next: &str) -> Answer {
    ok(
        "DescribeAutoScalingGroups",
        &format!("<AutoScalingGroups>{members}</AutoScalingGroups>{next}"),
    )
}

fn plain(version: &str) -> String {
    format!(
        "<LaunchTemplate><LaunchTemplateId>lt-1</LaunchTemplateId><LaunchTemplateName>a</LaunchTemplateName>\
         <Version>{version}</Version></LaunchTemplate>"
    )
}

fn mixed(version: &str) -> String {
    let inner = plain(version).replace("LaunchTemplate>", "LaunchTemplateSpecification>");
    format!("<MixedInstancesPolicy><LaunchTemplate>{inner}</LaunchTemplate></MixedInstancesPolicy>")
}

fn listed(id: &str, state: &str) -> String {
    format!(
        "<Instances><member><InstanceId>{id}</InstanceId><LifecycleState>{state}</LifecycleState></member></Instances>"
    )
}

#[tokio::test]
async fn groups_of_all_pages_have_the_number_of_their_version_and_no_strangers() {
    let (aws, asked) = serve(|asked| {
        if asked.contains("DescribeLaunchTemplateVersions") {
            return ec2(
                "DescribeLaunchTemplateVersions",
                "<launchTemplateVersionSet><item><versionNumber>7</versionNumber></item></launchTemplateVersionSet>",
            );
        }
        if asked.contains("NextToken=two") {
            let latest = group("a", &format!("{TAGS}{}", plain("$Latest")));
            return groups(&latest, "");
        }
        let suspended = "<SuspendedProcesses><member><ProcessName>AZRebalance</ProcessName></member></SuspendedProcesses>";
        let inside = format!("{TAGS}{}{suspended}{}", mixed("3"), listed("i-1", "InService"));
        let stranger = group("other", "<LaunchConfigurationName>old</LaunchConfigurationName>");
        groups(&(group("b", &inside) + &stranger), "<NextToken>two</NextToken>")
    })
    .await;
    let found = aws.machine_groups("canary").await.expect("read");
    let names: Vec<_> = found.iter().map(|group| group.name.as_str()).collect();
    assert_eq!(names, ["a", "b"]);
    assert_eq!(
        (found[0].template.version, found[1].template.version),
        (7, 3)
    );
    assert_eq!(found[1].template.id, "lt-1");
    assert_eq!((found[1].min, found[1].desired, found[1].max), (1, 2, 6));
    assert_eq!(found[1].stack, "pool-a");
    assert!(found[1].suspended.contains("AZRebalance"));
    assert!(found[1].members[0].is_in_service());
    let request = asked.recv().expect("a request");
    let filter = "MaxRecords=100&Filters.member.1.Name=tag%3Akube-cfn%2Fcluster&Filters.member.1.Values.member.1=canary";
    assert!(request.contains(filter), "{request}");
}

fn machine(id: &str, more: &str, tags: &str) -> String {
    format!(
        "<item><instancesSet><item><instanceId>{id}</instanceId><instanceState><name>running</name></instanceState>\
         <instanceType>m7g.large</instanceType><launchTime>2026-11-23T10:00:00.000Z</launchTime>\
         <placement><availabilityZone>eu-west-1a</availabilityZone></placement>{more}<tagSet>\
         <item><key>kube-cfn/cluster</key><value>canary</value></item>{tags}</tagSet></item></instancesSet></item>"
    )
}

#[tokio::test]
async fn group_of_an_instance_is_the_one_that_lists_it() {
    let (aws, _asked) = serve(|asked| {
        if asked.contains("DescribeAutoScalingGroups") {
            let inside = |id, state| format!("{TAGS}{}{}", plain("3"), listed(id, state));
            let two =
                group("a", &inside("i-1", "InService")) + &group("b", &inside("i-3", "Detaching"));
            return groups(&two, "");
        }
        let tag =
            |key: &str, value: &str| format!("<item><key>{key}</key><value>{value}</value></item>");
        let launched =
            tag("aws:ec2launchtemplate:id", "lt-1") + &tag("aws:ec2launchtemplate:version", "2");
        let left = tag("aws:autoscaling:groupName", "a") + &tag("kube-cfn/roll", "a");
        let spot = "<instanceLifecycle>spot</instanceLifecycle>";
        let stranger = machine("i-9", "", "").replace("canary", "other");
        let all = machine("i-1", "", &launched)
            + &machine("i-2", spot, &left)
            + &machine("i-3", "", "")
            + &stranger;
        ec2(
            "DescribeInstances",
            &format!("<reservationSet>{all}</reservationSet>"),
        )
    })
    .await;
    let groups = aws.machine_groups("canary").await.expect("read");
    let found = aws.instances("canary", &groups).await.expect("read");
    let ids: Vec<_> = found.iter().map(|one| one.id.as_str()).collect();
    assert_eq!(ids, ["i-1", "i-2", "i-3"]);
    let first = &found[0];
    assert_eq!(first.group.as_deref(), Some("a"));
    assert_eq!(first.template.as_ref().map(|one| one.version), Some(2));
    assert_eq!(
        (first.zone.as_str(), first.instance_type.as_str()),
        ("eu-west-1a", "m7g.large")
    );
    assert_eq!(
        (first.state, first.is_spot),
        (InstanceState::Running, false)
    );
    assert_eq!(
        first.launched.map(|time| time.to_string()).as_deref(),
        Some("2026-11-23T10:00:00Z")
    );
    assert_eq!(
        (found[1].group.clone(), found[1].roll.as_deref()),
        (None, Some("a"))
    );
    assert!(found[1].is_spot);
    assert_eq!(found[2].group, None, "it is being detached");
}

fn refused(message: &str) -> Answer {
    let error = format!("<Error><Code>ValidationError</Code><Message>{message}</Message></Error>");
    Answer::Xml(400, format!("<ErrorResponse>{error}</ErrorResponse>"))
}

fn membership(state: Option<&str>) -> Answer {
    let member = state.map_or(String::new(), |state| {
        format!(
            "<member><InstanceId>i-1</InstanceId><AutoScalingGroupName>a</AutoScalingGroupName>\
             <LifecycleState>{state}</LifecycleState></member>"
        )
    });
    ok(
        "DescribeAutoScalingInstances",
        &format!("<AutoScalingInstances>{member}</AutoScalingInstances>"),
    )
}

#[tokio::test]
async fn refusal_means_what_the_group_lists() {
    for (listed, detached, ended) in [
        (None, Some(Presence::Gone), Some(Presence::Gone)),
        (Some("Detaching"), Some(Presence::Gone), None),
        (
            Some("Terminating:Wait"),
            Some(Presence::Gone),
            Some(Presence::There),
        ),
        (Some("InService"), None, None),
    ] {
        let (aws, asked) = serve(move |asked| {
            if asked.contains("DescribeAutoScalingInstances") {
                membership(listed)
            } else {
                refused("in words that nobody reads")
            }
        })
        .await;
        assert_eq!(aws.detach("a", "i-1").await.ok(), detached, "{listed:?}");
        let request = asked.recv().expect("a request");
        assert!(
            request.contains("InstanceIds.member.1=i-1&ShouldDecrementDesiredCapacity=false"),
            "{request}"
        );
        assert_eq!(
            aws.terminate_in_group("i-1").await.ok(),
            ended,
            "{listed:?}"
        );
    }
}

#[tokio::test]
async fn denied_detach_is_no_success() {
    let (aws, asked) = serve(|_| {
        refusal(
            "AccessDenied",
            "User: me is not authorized to perform: autoscaling:DetachInstances",
        )
    })
    .await;
    let denied = aws.detach("a", "i-1").await;
    assert!(
        matches!(denied, Err(CloudError::Denied { .. })),
        "{denied:?}"
    );
    assert_eq!(asked.try_iter().count(), 1, "nothing else was asked");
}

#[tokio::test]
async fn terminating_and_marking_what_is_gone_is_success() {
    let (aws, asked) = serve(|asked| {
        if asked.contains("i-gone") {
            return refusal(
                "InvalidInstanceID.NotFound",
                "The instance ID 'i-gone' does not exist",
            );
        }
        for call in ["CreateTags", "DeleteTags", "TerminateInstances"] {
            if asked.contains(&format!("Action={call}&")) {
                return ec2(call, "<return>true</return>");
            }
        }
        panic!("{asked}");
    })
    .await;
    assert_eq!(aws.terminate("i-1").await, Ok(Presence::There));
    assert_eq!(
        aws.mark_instance("i-1", "group-a").await,
        Ok(Presence::There)
    );
    assert_eq!(aws.unmark_instance("i-1").await, Ok(Presence::There));
    assert_eq!(aws.terminate("i-gone").await, Ok(Presence::Gone));
    assert_eq!(
        aws.mark_instance("i-gone", "group-a").await,
        Ok(Presence::Gone)
    );
    let asked: Vec<_> = asked.try_iter().collect();
    assert!(asked[0].ends_with("InstanceId.1=i-1"), "{asked:?}");
    assert!(
        asked[1].ends_with("ResourceId.1=i-1&Tag.1.Key=kube-cfn%2Froll&Tag.1.Value=group-a"),
        "{asked:?}"
    );
    assert!(
        asked[2].ends_with("ResourceId.1=i-1&Tag.1.Key=kube-cfn%2Froll"),
        "{asked:?}"
    );
}

#[tokio::test]
async fn failed_activity_and_unhealthy_target_have_aws_words() {
    let (aws, _asked) = serve(|asked| {
        if asked.contains("DescribeScalingActivities") {
            let one = "<member><StartTime>2026-11-23T10:00:00Z</StartTime><StatusCode>Failed</StatusCode>\
                <Description>Launching a new EC2 instance.</Description>\
                <StatusMessage>Interface: [eni-1] in use. Launching EC2 instance failed.</StatusMessage></member>";
            return ok("DescribeScalingActivities", &format!("<Activities>{one}</Activities>"));
        }
        let target = |id: &str, health: &str| {
            format!("<member><Target><Id>{id}</Id></Target><TargetHealth>{health}</TargetHealth></member>")
        };
        let all = target("i-1", "<State>healthy</State>")
            + &target("i-2", "<State>unhealthy</State><Reason>Target.FailedHealthChecks</Reason><Description>Health checks failed</Description>")
            + &target("i-3", "<State>draining</State>");
        ok(
            "DescribeTargetHealth",
            &format!("<TargetHealthDescriptions>{all}</TargetHealthDescriptions>"),
        )
    })
    .await;
    let listed = aws.activities("a").await.expect("read");
    assert_eq!(listed[0].status, "Failed");
    let message = listed[0].message.as_deref().expect("AWS's words");
    assert!(message.contains("[eni-1] in use"), "{message}");
    let targets = aws.targets("arn:tg").await.expect("read");
    let shown: Vec<_> = targets
        .iter()
        .map(|one| (one.instance.as_str(), one.is_healthy, one.reason.as_deref()))
        .collect();
    assert_eq!(
        shown,
        [
            ("i-1", true, None),
            ("i-2", false, Some("Health checks failed")),
            ("i-3", false, Some("draining"))
        ]
    );
    let member = GroupMember {
        instance: String::new(),
        lifecycle: "Pending".to_owned(),
    };
    assert!(!member.is_in_service());
}
