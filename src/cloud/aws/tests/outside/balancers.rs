//! Load balancers of both APIs and target groups.

use super::*;

const ARN: &str = "arn:aws:elasticloadbalancing:eu-west-1:1:loadbalancer";

/// What Resource Groups Tagging answers to the question about a cluster's own tag of Kubernetes.
fn tagged(asked: &str, arns: &[String]) -> Answer {
    let owned = serde_json::json!([{"Key": "kubernetes.io/cluster/canary", "Value": "owned"}]);
    let is_asked = asked.contains("\"kubernetes.io/cluster/canary\"");
    let list: Vec<_> = arns
        .iter()
        .filter(|_| is_asked)
        .map(|arn| serde_json::json!({"ResourceARN": arn, "Tags": owned}))
        .collect();
    json(&serde_json::json!({"PaginationToken": "", "ResourceTagMappingList": list}))
}

fn is_tagging(asked: &str) -> bool {
    asked.contains("TagFilters")
}

fn balancer(name: &str, vpc: &str) -> String {
    format!(
        "<member><LoadBalancerArn>{ARN}/net/{name}/50dc</LoadBalancerArn><DNSName>{name}.elb.eu-west-1.amazonaws.com</DNSName>\
         <CreatedTime>2026-11-23T10:00:00.000Z</CreatedTime><LoadBalancerName>{name}</LoadBalancerName>\
         <Scheme>internet-facing</Scheme><VpcId>{vpc}</VpcId><State><Code>active</Code></State><Type>network</Type>\
         <AvailabilityZones><member><SubnetId>subnet-1</SubnetId></member></AvailabilityZones>\
         <SecurityGroups><member>sg-1</member></SecurityGroups></member>"
    )
}

/// Tags of every load balancer that was asked about, whose names are in `names`.
fn described(asked: &str, names: &[&str]) -> Answer {
    let entry = |name: &&str| {
        let owned = if *name == "foreign" {
            "shared"
        } else {
            "owned"
        };
        format!(
            "<member><ResourceArn>{ARN}/net/{name}/50dc</ResourceArn><Tags><member>\
             <Key>kubernetes.io/cluster/canary</Key><Value>{owned}</Value></member></Tags></member>"
        )
    };
    let asked_for = names
        .iter()
        .filter(|name| asked.contains(&format!("net%2F{name}%2F")));
    let entries: String = asked_for.map(entry).collect();
    ok(
        "DescribeTags",
        &format!("<TagDescriptions>{entries}</TagDescriptions>"),
    )
}

#[tokio::test]
async fn balancers_are_those_of_the_vpc_and_those_that_tags_name_if_they_exist() {
    let (aws, asked) = serve(|asked| {
        if is_tagging(asked) {
            // It still lists one that was deleted, and a classic one.
            let arns = [
                "/net/ours/50dc",
                "/net/elsewhere/50dc",
                "/net/gone/50dc",
                "/classic",
            ];
            tagged(asked, &arns.map(|path| format!("{ARN}{path}")))
        } else if asked.contains("Action=DescribeTags") {
            described(asked, &["ours", "elsewhere", "foreign"])
        } else if asked.contains("Marker=two") {
            let page = balancer("elsewhere", "vpc-2") + &balancer("stranger", "vpc-2");
            ok(
                "DescribeLoadBalancers",
                &format!("<LoadBalancers>{page}</LoadBalancers>"),
            )
        } else {
            let page = balancer("ours", "vpc-1") + &balancer("foreign", "vpc-1");
            let page = format!("<LoadBalancers>{page}</LoadBalancers><NextMarker>two</NextMarker>");
            ok("DescribeLoadBalancers", &page)
        }
    })
    .await;
    let found = listed(&aws, OutsideKind::LoadBalancer).await;
    let arn = |name: &str| format!("{ARN}/net/{name}/50dc");
    assert_eq!(ids(&found), [arn("ours"), arn("foreign"), arn("elsewhere")]);
    let ours = &found[0];
    assert_eq!(ours.vpc.as_deref(), Some("vpc-1"));
    assert_eq!(ours.state.as_deref(), Some("active"));
    assert_eq!(texts(&ours.uses), ["sg-1"]);
    let dns = ours.description.as_deref();
    assert_eq!(dns, Some("ours.elb.eu-west-1.amazonaws.com"));
    assert_eq!(ours.tag("kubernetes.io/cluster/canary"), Some("owned"));
    assert_eq!(found[1].tag("kubernetes.io/cluster/canary"), Some("shared"));
    let requests: Vec<String> = asked.try_iter().collect();
    let of_tags: Vec<_> = requests.iter().filter(|one| is_tagging(one)).collect();
    assert_eq!(
        of_tags.len(),
        3,
        "one for each key: several are combined by `and`"
    );
    assert!(of_tags[0].contains(r#""ResourceTypeFilters":["elasticloadbalancing:loadbalancer"]"#));
    assert!(requests.iter().any(|one| {
        one.starts_with("Action=DescribeLoadBalancers&Version=2015-12-01&PageSize=400")
    }));
}

#[tokio::test]
async fn balancer_that_goes_away_between_two_requests_is_left_out() {
    let (aws, _asked) = serve(|asked| {
        if is_tagging(asked) {
            tagged(asked, &[])
        } else if asked.contains("Action=DescribeTags") && asked.contains("going") {
            refusal(
                "LoadBalancerNotFound",
                "One or more load balancers not found",
            )
        } else if asked.contains("Action=DescribeTags") {
            described(asked, &["ours"])
        } else {
            let page = balancer("ours", "vpc-1") + &balancer("going", "vpc-1");
            ok(
                "DescribeLoadBalancers",
                &format!("<LoadBalancers>{page}</LoadBalancers>"),
            )
        }
    })
    .await;
    let found = listed(&aws, OutsideKind::LoadBalancer).await;
    assert_eq!(ids(&found), [format!("{ARN}/net/ours/50dc")]);
}

#[tokio::test]
async fn tags_are_asked_for_twenty_at_a_time() {
    let (aws, asked) = serve(|asked| {
        if is_tagging(asked) {
            tagged(asked, &[])
        } else if asked.contains("Action=DescribeTags") {
            described(asked, &[])
        } else {
            let page: String = (0..45)
                .map(|n| balancer(&format!("b{n}"), "vpc-1"))
                .collect();
            ok(
                "DescribeLoadBalancers",
                &format!("<LoadBalancers>{page}</LoadBalancers>"),
            )
        }
    })
    .await;
    assert_eq!(listed(&aws, OutsideKind::LoadBalancer).await.len(), 45);
    let numbers = asked
        .try_iter()
        .filter(|one| one.contains("Action=DescribeTags"))
        .map(|one| one.matches("ResourceArns.member.").count());
    assert_eq!(numbers.collect::<Vec<_>>(), [20, 20, 5]);
}

#[tokio::test]
async fn classic_balancer_has_its_machines_and_groups() {
    let (aws, asked) = serve(|asked| {
        if is_tagging(asked) {
            tagged(asked, &[format!("{ARN}/a1b2"), format!("{ARN}/net/other/50dc")])
        } else if asked.contains("Action=DescribeTags") {
            let tags = "<member><LoadBalancerName>a1b2</LoadBalancerName><Tags><member>\
                <Key>kubernetes.io/service-name</Key><Value>default/web</Value></member><member>\
                <Key>kubernetes.io/cluster/canary</Key><Value>owned</Value></member></Tags></member>";
            ok("DescribeTags", &format!("<TagDescriptions>{tags}</TagDescriptions>"))
        } else {
            let one = "<member><LoadBalancerName>a1b2</LoadBalancerName><DNSName>a1b2-1.eu-west-1.elb.amazonaws.com</DNSName>\
                <VPCId>vpc-2</VPCId><Instances><member><InstanceId>i-1</InstanceId></member></Instances>\
                <SecurityGroups><member>sg-1</member></SecurityGroups><CreatedTime>2026-11-23T10:00:00.000Z</CreatedTime>\
                <SourceSecurityGroup><OwnerAlias>1</OwnerAlias><GroupName>k8s</GroupName></SourceSecurityGroup></member>";
            let list = format!("<LoadBalancerDescriptions>{one}</LoadBalancerDescriptions>");
            ok("DescribeLoadBalancers", &list)
        }
    })
    .await;
    let found = listed(&aws, OutsideKind::ClassicLoadBalancer).await;
    assert_eq!(ids(&found), ["a1b2"]);
    assert_eq!(texts(&found[0].uses), ["i-1", "sg-1"]);
    assert_eq!(found[0].vpc.as_deref(), Some("vpc-2"));
    assert_eq!(
        found[0].tag("kubernetes.io/service-name"),
        Some("default/web")
    );
    let requests: Vec<String> = asked.try_iter().collect();
    assert!(
        requests
            .iter()
            .any(|one| one.contains("Version=2012-06-01"))
    );
    let of_tags = requests
        .iter()
        .find(|one| one.contains("Action=DescribeTags"));
    assert!(of_tags.is_some_and(|one| one.contains("LoadBalancerNames.member.1=a1b2")));
}

#[tokio::test]
async fn target_group_has_its_balancers_and_may_lie_in_no_vpc() {
    let group = "arn:aws:elasticloadbalancing:eu-west-1:1:targetgroup/k8s/73e2";
    let (aws, _asked) = serve(move |asked| {
        if is_tagging(asked) {
            assert!(asked.contains("elasticloadbalancing:targetgroup"), "{asked}");
            tagged(asked, &[group.to_owned()])
        } else if asked.contains("Action=DescribeTags") {
            let tags = format!(
                "<member><ResourceArn>{group}</ResourceArn><Tags><member><Key>elbv2.k8s.aws/cluster</Key>\
                 <Value>canary</Value></member></Tags></member>"
            );
            ok("DescribeTags", &format!("<TagDescriptions>{tags}</TagDescriptions>"))
        } else {
            let one = format!(
                "<member><TargetGroupArn>{group}</TargetGroupArn><TargetGroupName>k8s</TargetGroupName><Port>80</Port>\
                 <LoadBalancerArns><member>{ARN}/app/k8s/50dc</member></LoadBalancerArns><TargetType>lambda</TargetType>\
                 </member>"
            );
            ok("DescribeTargetGroups", &format!("<TargetGroups>{one}</TargetGroups>"))
        }
    })
    .await;
    let found = listed(&aws, OutsideKind::TargetGroup).await;
    assert_eq!(ids(&found), [group]);
    assert_eq!(found[0].vpc, None);
    assert_eq!(texts(&found[0].uses), [format!("{ARN}/app/k8s/50dc")]);
}

/// Nothing can use one whose VPC is gone; one of a cluster of the same name stays in its own.
#[tokio::test]
async fn target_group_that_nothing_uses_outlives_its_vpc() {
    let arn = |name: &str| format!("arn:aws:elasticloadbalancing:eu-west-1:1:targetgroup/{name}/1");
    let (aws, asked) = serve(move |asked| {
        let all = ["left", "used", "other"].map(arn);
        if is_tagging(asked) {
            tagged(asked, &all)
        } else if asked.contains("Action=DescribeTags") {
            let tag =
                "<member><Key>kubernetes.io/cluster/canary</Key><Value>owned</Value></member>";
            let of = |arn: &String| {
                format!("<member><ResourceArn>{arn}</ResourceArn><Tags>{tag}</Tags></member>")
            };
            let tags: String = all.iter().map(of).collect();
            ok(
                "DescribeTags",
                &format!("<TagDescriptions>{tags}</TagDescriptions>"),
            )
        } else if asked.contains("Action=DescribeVpcs") {
            ec2(
                "DescribeVpcs",
                "<vpcSet><item><vpcId>vpc-other</vpcId></item></vpcSet>",
            )
        } else {
            let group = |arn: &str, vpc: &str, balancers: &str| {
                format!(
                    "<member><TargetGroupArn>{arn}</TargetGroupArn><VpcId>{vpc}</VpcId>\
                     <LoadBalancerArns>{balancers}</LoadBalancerArns></member>"
                )
            };
            let balancer = format!("<member>{ARN}/app/k8s/50dc</member>");
            let groups = group(&all[0], "vpc-gone", "")
                + &group(&all[1], "vpc-gone", &balancer)
                + &group(&all[2], "vpc-other", "");
            ok(
                "DescribeTargetGroups",
                &format!("<TargetGroups>{groups}</TargetGroups>"),
            )
        }
    })
    .await;
    let found = listed(&aws, OutsideKind::TargetGroup).await;
    let vpcs: Vec<_> = found.iter().map(|one| one.vpc.as_deref()).collect();
    assert_eq!(vpcs, [None, Some("vpc-gone"), Some("vpc-other")]);
    let asked: Vec<String> = asked.try_iter().collect();
    let of_vpcs = asked.iter().find(|one| one.contains("DescribeVpcs"));
    let values = "Filter.1.Name=vpc-id&Filter.1.Value.1=vpc-gone&Filter.1.Value.2=vpc-other";
    assert!(of_vpcs.is_some_and(|one| one.contains(values)), "{asked:?}");
}
