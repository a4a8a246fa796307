//! Machines, volumes, security groups and their rules, interfaces and what else lies in a VPC.

use super::*;

/// What a request wants: by a tag or by the VPC.
fn wants(request: &str, filter: &str) -> bool {
    let name = form_urlencoded::byte_serialize(filter.as_bytes()).collect::<String>();
    request.contains(&format!("Filter.1.Name={name}&"))
}

#[tokio::test]
async fn machines_are_asked_for_by_each_tag_and_by_the_vpc_on_every_page() {
    let machine = |id: &str, inside: &str| {
        format!(
            "<item><reservationId>r-{id}</reservationId><ownerId>1</ownerId><groupSet/><instancesSet><item>\
             <instanceId>{id}</instanceId><imageId>ami-1</imageId><instanceState><code>16</code><name>running</name>\
             </instanceState><launchTime>2026-11-23T10:00:00.000Z</launchTime>\
             <subnetId>subnet-1</subnetId><vpcId>vpc-1</vpcId>\
             <groupSet><item><groupId>sg-nodes</groupId><groupName>nodes</groupName></item></groupSet>\
             <blockDeviceMapping><item><deviceName>/dev/xvda</deviceName><ebs><volumeId>vol-root</volumeId>\
             <status>attached</status></ebs></item></blockDeviceMapping><networkInterfaceSet><item>\
             <networkInterfaceId>eni-1</networkInterfaceId><groupSet><item><groupId>sg-other</groupId></item></groupSet>\
             </item></networkInterfaceSet>{inside}</item></instancesSet></item>"
        )
    };
    let (aws, asked) = serve(move |asked| {
        let set = |inside: &str, next: &str| {
            let next = if next.is_empty() {
                String::new()
            } else {
                format!("<nextToken>{next}</nextToken>")
            };
            ec2(
                "DescribeInstances",
                &format!("<reservationSet>{inside}</reservationSet>{next}"),
            )
        };
        if wants(asked, "vpc-id") && asked.contains("NextToken=two") {
            set(&machine("i-3", ""), "")
        } else if wants(asked, "vpc-id") {
            set(
                &machine("i-1", &ec2_tag("kube-cfn/cluster", "canary")),
                "two",
            )
        } else if wants(asked, "tag:kube-cfn/cluster") {
            let tagged = machine("i-1", &ec2_tag("kube-cfn/cluster", "canary"));
            let elsewhere =
                machine("i-2", &ec2_tag("kube-cfn/cluster", "canary")).replace("vpc-1", "vpc-2");
            set(&(tagged + &elsewhere), "")
        } else {
            // An endpoint that knows no filters answers with everybody's.
            set(&machine("i-foreign", "").replace("vpc-1", "vpc-9"), "")
        }
    })
    .await;
    let found = listed(&aws, OutsideKind::Machine).await;
    assert_eq!(ids(&found), ["i-1", "i-2", "i-3"]);
    let machine = &found[0];
    assert_eq!(machine.state.as_deref(), Some("running"));
    assert_eq!(machine.vpc.as_deref(), Some("vpc-1"));
    assert_eq!(texts(&machine.uses), ["eni-1", "sg-nodes", "vol-root"]);
    assert_eq!(machine.created, "2026-11-23T10:00:00Z".parse().ok());
    assert_eq!(machine.tag("kube-cfn/cluster"), Some("canary"));
    let requests: Vec<String> = asked.try_iter().collect();
    assert_eq!(requests.len(), 4, "two tags, two pages of the VPC");
    let kubernetes = &requests[0];
    for part in [
        "Action=DescribeInstances&Version=2016-11-15",
        "Filter.1.Name=tag%3Akubernetes.io%2Fcluster%2Fcanary",
        "Filter.1.Value.1=owned",
        "Filter.2.Name=instance-state-name",
        "Filter.2.Value.3=shutting-down",
    ] {
        assert!(kubernetes.contains(part), "{part}: {kubernetes}");
    }
    assert!(!kubernetes.contains("=terminated"), "{kubernetes}");
}

#[tokio::test]
async fn without_a_vpc_only_tags_are_asked_for() {
    let (aws, asked) = serve(|_| ec2("DescribeSubnets", "<subnetSet/>")).await;
    let scope = OutsideScope {
        vpc: None,
        ..scope()
    };
    let found = aws.outside(OutsideKind::Subnet, &scope).await;
    assert_eq!(found, Ok(Vec::new()));
    let requests: Vec<String> = asked.try_iter().collect();
    assert_eq!(requests.len(), 2);
    assert!(requests.iter().all(|one| !wants(one, "vpc-id")));
}

#[tokio::test]
async fn volumes_and_snapshots_have_size_time_and_what_they_belong_to() {
    let claim = "<tagSet><item><key>kubernetes.io/cluster/canary</key><value>owned</value></item>\
        <item><key>kubernetes.io/created-for/pvc/name</key><value>data</value></item>\
        <item><key>Name</key><value/></item></tagSet>";
    let (aws, _asked) = serve(move |asked| {
        if asked.contains("Action=DescribeVolumes") {
            let volume = format!(
                "<item><volumeId>vol-1</volumeId><size>8</size><snapshotId/><availabilityZone>eu-west-1a</availabilityZone>\
                 <status>in-use</status><createTime>2026-11-23T10:00:00.000Z</createTime><attachmentSet><item>\
                 <volumeId>vol-1</volumeId><instanceId>i-1</instanceId><device>/dev/xvdf</device><status>attached</status>\
                 </item></attachmentSet>{claim}<volumeType>gp3</volumeType></item>"
            );
            ec2("DescribeVolumes", &format!("<volumeSet>{volume}</volumeSet>"))
        } else {
            let snapshot = format!(
                "<item><snapshotId>snap-1</snapshotId><volumeId>vol-1</volumeId><status>completed</status>\
                 <startTime>2026-11-24T10:00:00.000Z</startTime><volumeSize>8</volumeSize>\
                 <description>Created by AWS EBS CSI driver</description>{claim}</item>"
            );
            ec2("DescribeSnapshots", &format!("<snapshotSet>{snapshot}</snapshotSet>"))
        }
    })
    .await;
    let found = listed(&aws, OutsideKind::Volume).await;
    let [volume] = &found[..] else {
        panic!("{found:?}")
    };
    assert_eq!((volume.bytes, volume.vpc.as_deref()), (Some(8 << 30), None));
    assert_eq!(volume.state.as_deref(), Some("in-use"));
    assert_eq!(texts(&volume.uses), ["i-1"]);
    assert_eq!(
        volume.tag("kubernetes.io/created-for/pvc/name"),
        Some("data")
    );
    assert_eq!(volume.tag("Name"), Some(""));
    let found = listed(&aws, OutsideKind::Snapshot).await;
    let [snapshot] = &found[..] else {
        panic!("{found:?}")
    };
    assert_eq!(snapshot.bytes, Some(8 << 30));
    assert_eq!(texts(&snapshot.uses), ["vol-1"]);
    let text = snapshot.description.as_deref();
    assert_eq!(text, Some("Created by AWS EBS CSI driver"));
}

#[tokio::test]
async fn rules_are_those_that_name_another_group() {
    let group = |id: &str, name: &str| {
        format!(
            "<item><ownerId>1</ownerId><groupId>{id}</groupId><groupName>{name}</groupName>\
             <groupDescription>of {name}</groupDescription><vpcId>vpc-1</vpcId><ipPermissions/>\
             <ipPermissionsEgress/></item>"
        )
    };
    let rule = |id: &str, group: &str, egress: bool, named: &str| {
        format!(
            "<item><securityGroupRuleId>{id}</securityGroupRuleId><groupId>{group}</groupId><groupOwnerId>1</groupOwnerId>\
             <isEgress>{egress}</isEgress><ipProtocol>tcp</ipProtocol><fromPort>80</fromPort><toPort>80</toPort>{named}\
             <tagSet/></item>"
        )
    };
    let named = |group: &str| {
        format!(
            "<referencedGroupInfo><groupId>{group}</groupId><userId>1</userId></referencedGroupInfo>"
        )
    };
    let (aws, asked) = serve(move |asked| {
        if asked.contains("Action=DescribeSecurityGroups") {
            let all = group("sg-a", "default") + &group("sg-b", "k8s-elb-1");
            ec2(
                "DescribeSecurityGroups",
                &format!("<securityGroupInfo>{all}</securityGroupInfo>"),
            )
        } else {
            let rules = [
                rule("sgr-1", "sg-a", false, &named("sg-b")),
                rule("sgr-2", "sg-a", true, &named("sg-b")),
                rule("sgr-3", "sg-a", false, &named("sg-a")),
                rule("sgr-4", "sg-b", false, "<cidrIpv4>0.0.0.0/0</cidrIpv4>"),
            ];
            let set = format!(
                "<securityGroupRuleSet>{}</securityGroupRuleSet>",
                rules.concat()
            );
            ec2("DescribeSecurityGroupRules", &set)
        }
    })
    .await;
    let found = listed(&aws, OutsideKind::GroupRule).await;
    assert_eq!(ids(&found), ["sgr-1", "sgr-2"]);
    assert_eq!(texts(&found[0].uses), ["sg-a", "sg-b"]);
    let facts = |rule: &OutsideResource| (rule.body.clone(), rule.state.clone(), rule.vpc.clone());
    let expected = |state: &str| {
        let vpc = Some("vpc-1".to_owned());
        ("sg-a".to_owned(), Some(state.to_owned()), vpc)
    };
    assert_eq!(facts(&found[0]), expected("ingress"));
    assert_eq!(facts(&found[1]), expected("egress"));
    let groups = listed(&aws, OutsideKind::SecurityGroup).await;
    let by_aws: Vec<_> = groups.iter().map(|group| group.by_aws).collect();
    assert_eq!(by_aws, [true, false], "the default group goes with its VPC");
    assert_eq!(groups[1].description.as_deref(), Some("of k8s-elb-1"));
    let requests: Vec<String> = asked.try_iter().collect();
    let of_rules = requests
        .iter()
        .find(|one| one.contains("Action=DescribeSecurityGroupRules"))
        .expect("asked");
    for part in [
        "Filter.1.Name=group-id",
        "Filter.1.Value.1=sg-a",
        "Filter.1.Value.2=sg-b",
    ] {
        assert!(of_rules.contains(part), "{part}: {of_rules}");
    }
    assert!(
        requests
            .iter()
            .any(|one| wants(one, "tag:elbv2.k8s.aws/cluster"))
    );
}

#[tokio::test]
async fn interface_has_its_machine_and_groups_and_whether_aws_manages_it() {
    let (aws, asked) = serve(|_| {
        let balancer = "<item><networkInterfaceId>eni-1</networkInterfaceId><subnetId>subnet-1</subnetId><vpcId>vpc-1</vpcId>\
            <description>ELB net/a1b2/50dc6c495c0c9188</description><requesterId>amazon-elb</requesterId>\
            <requesterManaged>true</requesterManaged><status>in-use</status><groupSet><item><groupId>sg-b</groupId>\
            <groupName>k8s</groupName></item></groupSet><attachment><attachmentId>ela-attach-1</attachmentId>\
            <instanceOwnerId>amazon-aws</instanceOwnerId><status>attached</status></attachment><tagSet/></item>";
        let machine = "<item><networkInterfaceId>eni-2</networkInterfaceId><vpcId>vpc-1</vpcId><description/>\
            <requesterManaged>false</requesterManaged><status>in-use</status><groupSet/><attachment>\
            <instanceId>i-1</instanceId></attachment></item>";
        let set = format!("<networkInterfaceSet>{balancer}{machine}</networkInterfaceSet>");
        ec2("DescribeNetworkInterfaces", &set)
    })
    .await;
    let found = listed(&aws, OutsideKind::Interface).await;
    assert_eq!(ids(&found), ["eni-1", "eni-2"]);
    assert!(found[0].by_aws && !found[1].by_aws);
    let text = found[0].description.as_deref();
    assert_eq!(text, Some("ELB net/a1b2/50dc6c495c0c9188"));
    assert_eq!(texts(&found[0].uses), ["sg-b"]);
    assert_eq!(texts(&found[1].uses), ["i-1"]);
    assert_eq!(found[1].description, None);
    assert!(
        asked
            .try_iter()
            .any(|one| wants(&one, "tag:cluster.k8s.amazonaws.com/name"))
    );
}

#[tokio::test]
async fn network_of_others_is_listed() {
    let (aws, asked) = serve(|asked| {
        if asked.contains("Action=DescribeSubnets") {
            let subnet = "<item><subnetId>subnet-1</subnetId><state>available</state><vpcId>vpc-1</vpcId>\
                <cidrBlock>10.0.0.0/24</cidrBlock></item>";
            ec2("DescribeSubnets", &format!("<subnetSet>{subnet}</subnetSet>"))
        } else if asked.contains("Action=DescribeRouteTables") {
            let table = |id: &str, main: bool| {
                format!(
                    "<item><routeTableId>{id}</routeTableId><vpcId>vpc-1</vpcId><routeSet/><associationSet><item>\
                     <routeTableAssociationId>rtbassoc-1</routeTableAssociationId><routeTableId>{id}</routeTableId>\
                     <subnetId>subnet-1</subnetId><main>{main}</main></item></associationSet></item>"
                )
            };
            let tables = table("rtb-1", true) + &table("rtb-2", false);
            ec2("DescribeRouteTables", &format!("<routeTableSet>{tables}</routeTableSet>"))
        } else if asked.contains("Action=DescribeVpcEndpoints") {
            let endpoint = "<item><vpcEndpointId>vpce-1</vpcEndpointId><vpcEndpointType>Interface</vpcEndpointType>\
                <vpcId>vpc-1</vpcId><serviceName>com.amazonaws.eu-west-1.ssm</serviceName><state>available</state>\
                <requesterManaged>false</requesterManaged><groupSet><item><groupId>sg-e</groupId></item></groupSet>\
                <networkInterfaceIdSet><item>eni-7</item></networkInterfaceIdSet>\
                <creationTimestamp>2026-11-23T10:00:00Z</creationTimestamp></item>";
            ec2("DescribeVpcEndpoints", &format!("<vpcEndpointSet>{endpoint}</vpcEndpointSet>"))
        } else {
            let peering = |id: &str, one: &str, other: &str| {
                format!(
                    "<item><vpcPeeringConnectionId>{id}</vpcPeeringConnectionId><requesterVpcInfo><vpcId>{one}</vpcId>\
                     </requesterVpcInfo><accepterVpcInfo><vpcId>{other}</vpcId></accepterVpcInfo><status>\
                     <code>active</code><message>Active</message></status><tagSet/></item>"
                )
            };
            let all = peering("pcx-1", "vpc-1", "vpc-2") + &peering("pcx-2", "vpc-3", "vpc-4");
            let set = format!("<vpcPeeringConnectionSet>{all}</vpcPeeringConnectionSet>");
            ec2("DescribeVpcPeeringConnections", &set)
        }
    })
    .await;
    let subnets = listed(&aws, OutsideKind::Subnet).await;
    assert_eq!(subnets[0].description.as_deref(), Some("10.0.0.0/24"));
    let tables = listed(&aws, OutsideKind::RouteTable).await;
    assert!(tables[0].by_aws && !tables[1].by_aws);
    assert_eq!(texts(&tables[1].uses), ["subnet-1"]);
    let endpoints = listed(&aws, OutsideKind::Endpoint).await;
    assert_eq!(texts(&endpoints[0].uses), ["eni-7", "sg-e"]);
    let text = endpoints[0].description.as_deref();
    assert_eq!(text, Some("com.amazonaws.eu-west-1.ssm"));
    let peerings = listed(&aws, OutsideKind::Peering).await;
    assert_eq!(ids(&peerings), ["pcx-1"], "the other one is elsewhere");
    assert_eq!(peerings[0].vpc.as_deref(), Some("vpc-1"));
    assert_eq!(texts(&peerings[0].uses), ["vpc-1", "vpc-2"]);
    let requests: Vec<String> = asked.try_iter().collect();
    for side in ["requester-vpc-info.vpc-id", "accepter-vpc-info.vpc-id"] {
        let of_side = requests.iter().find(|one| wants(one, side));
        let of_side = of_side.expect("both sides are asked for");
        assert!(of_side.contains("Filter.2.Value.4=active"), "{of_side}");
    }
    // EC2 refuses a larger page of route tables.
    let of_tables = requests
        .iter()
        .find(|one| one.contains("DescribeRouteTables"));
    assert!(of_tables.is_some_and(|one| one.contains("MaxResults=100&")));
}

#[tokio::test]
async fn access_lists_and_vpn_gateways_of_others_are_listed() {
    let (aws, asked) = serve(|asked| {
        if asked.contains("Action=DescribeNetworkAcls") {
            let acl = |id: &str, is_default: bool| {
                format!(
                    "<item><networkAclId>{id}</networkAclId><vpcId>vpc-1</vpcId><default>{is_default}</default><entrySet/>\
                     <associationSet><item><networkAclAssociationId>aclassoc-1</networkAclAssociationId>\
                     <networkAclId>{id}</networkAclId><subnetId>subnet-1</subnetId></item></associationSet><tagSet/></item>"
                )
            };
            let set = format!("<networkAclSet>{}</networkAclSet>", acl("acl-1", false));
            ec2("DescribeNetworkAcls", &set)
        } else {
            let gateway = |id: &str, attachments: &str| {
                format!(
                    "<item><vpnGatewayId>{id}</vpnGatewayId><state>available</state><type>ipsec.1</type>\
                     <attachments>{attachments}</attachments><amazonSideAsn>64512</amazonSideAsn></item>"
                )
            };
            let attached = |vpc: &str, state: &str| {
                format!("<item><vpcId>{vpc}</vpcId><state>{state}</state></item>")
            };
            let moved = attached("vpc-1", "detached") + &attached("vpc-2", "attached");
            let here = attached("vpc-2", "detached") + &attached("vpc-1", "attaching");
            let all = gateway("vgw-1", &here) + &gateway("vgw-2", &moved) + &gateway("vgw-3", "");
            ec2("DescribeVpnGateways", &format!("<vpnGatewaySet>{all}</vpnGatewaySet>"))
        }
    })
    .await;
    let acls = listed(&aws, OutsideKind::NetworkAcl).await;
    assert_eq!(ids(&acls), ["acl-1"]);
    assert_eq!(texts(&acls[0].uses), ["subnet-1"]);
    assert!(!acls[0].by_aws);
    let gateways = listed(&aws, OutsideKind::VpnGateway).await;
    assert_eq!(ids(&gateways), ["vgw-1"], "the others are elsewhere");
    assert_eq!(gateways[0].vpc.as_deref(), Some("vpc-1"));
    let requests: Vec<String> = asked.try_iter().collect();
    let of_vpc = requests.iter().filter(|one| wants(one, "vpc-id"));
    let of_vpc: Vec<_> = of_vpc.collect();
    assert_eq!(of_vpc.len(), 1, "{requests:?}");
    assert!(of_vpc[0].contains("Filter.2.Name=default&Filter.2.Value.1=false"));
    let of_gateways = requests
        .iter()
        .filter(|one| one.contains("DescribeVpnGateways"));
    for request in of_gateways {
        assert!(
            !request.contains("MaxResults"),
            "it has no pages: {request}"
        );
    }
    let attached = requests.iter().find(|one| wants(one, "attachment.vpc-id"));
    assert!(
        attached.is_some_and(|one| one.contains("Filter.2.Name=state&Filter.2.Value.1=pending"))
    );
}
