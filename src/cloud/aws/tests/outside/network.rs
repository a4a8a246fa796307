//! NAT gateways, addresses, internet gateways of both kinds and VPCs.

use super::removing::{done, resource};
use super::*;

/// Whether a request asks with this filter.
fn filters(request: &str, name: &str) -> bool {
    let name = name.replace(':', "%3A").replace('/', "%2F");
    request.contains(&format!("Filter.1.Name={name}&"))
}

#[tokio::test]
async fn nat_gateway_has_its_addresses_and_interfaces() {
    let (aws, asked) = serve(|_| {
        let gateway = |id: &str, state: &str, more: &str| {
            format!(
                "<item><natGatewayId>{id}</natGatewayId><vpcId>vpc-1</vpcId><state>{state}</state>\
                 <createTime>2026-11-23T10:00:00Z</createTime><natGatewayAddressSet><item><allocationId>eipalloc-1\
                 </allocationId><networkInterfaceId>eni-1</networkInterfaceId><publicIp>52.1.1.1</publicIp></item>\
                 </natGatewayAddressSet>{more}</item>"
            )
        };
        let all = gateway("nat-1", "available", "<subnetId>subnet-1</subnetId>")
            + &gateway("nat-2", "deleting", "<availabilityMode>regional</availabilityMode>");
        ec2("DescribeNatGateways", &format!("<natGatewaySet>{all}</natGatewaySet>"))
    })
    .await;
    let found = listed(&aws, OutsideKind::NatGateway).await;
    assert_eq!(ids(&found), ["nat-1", "nat-2"]);
    assert_eq!(texts(&found[0].uses), ["eipalloc-1", "eni-1"]);
    assert_eq!(found[0].vpc.as_deref(), Some("vpc-1"));
    assert_eq!(
        (found[0].state.as_deref(), &found[0].description),
        (Some("available"), &None)
    );
    assert_eq!(found[1].description.as_deref(), Some("regional"));
    let requests: Vec<String> = asked.try_iter().collect();
    for name in ["tag:kube-cfn/cluster", "vpc-id"] {
        let request = requests.iter().find(|one| filters(one, name));
        let request = request.unwrap_or_else(|| panic!("no {name}: {requests:?}"));
        assert!(request.contains("Filter.2.Name=state"), "{request}");
        assert!(
            !request.contains("=deleted") && !request.contains("=failed"),
            "{request}"
        );
    }
}

#[tokio::test]
async fn address_is_listed_by_its_tags_with_what_uses_it() {
    let (aws, asked) = serve(|_| {
        let tags = ec2_tag("kube-cfn/cluster", "canary");
        let used = format!(
            "<item><publicIp>52.1.1.1</publicIp><allocationId>eipalloc-1</allocationId><domain>vpc</domain>\
             <networkInterfaceId>eni-1</networkInterfaceId><instanceId>i-1</instanceId>{tags}</item>"
        );
        let free = "<item><publicIp>52.1.1.2</publicIp><allocationId>eipalloc-2</allocationId></item>";
        ec2("DescribeAddresses", &format!("<addressesSet>{used}{free}</addressesSet>"))
    })
    .await;
    let found = listed(&aws, OutsideKind::Address).await;
    // An endpoint without the filter makes strangers none of ours.
    assert_eq!(ids(&found), ["eipalloc-1"]);
    assert_eq!(texts(&found[0].uses), ["eni-1", "i-1"]);
    assert_eq!(found[0].description.as_deref(), Some("52.1.1.1"));
    assert_eq!(found[0].vpc, None);
    let requests: Vec<String> = asked.try_iter().collect();
    assert_eq!(requests.len(), 1, "{requests:?}");
    assert!(!requests[0].contains("MaxResults"), "it has no pages");
}

#[tokio::test]
async fn internet_gateways_of_both_kinds_are_listed_by_their_vpc() {
    let (aws, asked) = serve(|asked| {
        let attached = |vpc: &str, state: &str| {
            format!("<attachmentSet><item><vpcId>{vpc}</vpcId><state>{state}</state></item></attachmentSet>")
        };
        if asked.contains("EgressOnly") {
            let gateway = |id: &str, vpc: &str| {
                let attachments = attached(vpc, "attached");
                format!("<item><egressOnlyInternetGatewayId>{id}</egressOnlyInternetGatewayId>{attachments}</item>")
            };
            let all = gateway("eigw-1", "vpc-1") + &gateway("eigw-2", "vpc-2");
            let set = format!("<egressOnlyInternetGatewaySet>{all}</egressOnlyInternetGatewaySet>");
            return ec2("DescribeEgressOnlyInternetGateways", &set);
        }
        let gateway = |id: &str, inside: &str| {
            format!("<item><internetGatewayId>{id}</internetGatewayId>{inside}</item>")
        };
        let tags = ec2_tag("kube-cfn/cluster", "canary");
        let all = gateway("igw-1", &attached("vpc-1", "available"))
            + &gateway("igw-2", &format!("<attachmentSet/>{tags}"));
        let set = format!("<internetGatewaySet>{all}</internetGatewaySet>");
        ec2("DescribeInternetGateways", &set)
    })
    .await;
    let found = listed(&aws, OutsideKind::InternetGateway).await;
    assert_eq!(ids(&found), ["igw-1", "igw-2", "eigw-1"]);
    let vpcs: Vec<_> = found.iter().map(|one| one.vpc.as_deref()).collect();
    assert_eq!(vpcs, [Some("vpc-1"), None, Some("vpc-1")]);
    let requests: Vec<String> = asked.try_iter().collect();
    assert!(requests.iter().any(|one| filters(one, "attachment.vpc-id")));
    let of_egress = requests.iter().filter(|one| one.contains("EgressOnly"));
    assert_eq!(of_egress.count(), 1, "EC2 has no filter for their VPC");
}

#[tokio::test]
async fn vpc_is_listed_by_its_tags() {
    let (aws, _asked) = serve(|_| {
        let tags = ec2_tag("kube-cfn/cluster", "canary");
        let vpc = |id: &str, inside: &str| {
            format!(
                "<item><vpcId>{id}</vpcId><state>available</state><cidrBlock>10.0.0.0/16</cidrBlock>\
                 <isDefault>false</isDefault>{inside}</item>"
            )
        };
        let all = vpc("vpc-9", &tags) + &vpc("vpc-8", "");
        ec2("DescribeVpcs", &format!("<vpcSet>{all}</vpcSet>"))
    })
    .await;
    let found = listed(&aws, OutsideKind::Vpc).await;
    assert_eq!(ids(&found), ["vpc-9"]);
    assert_eq!(found[0].vpc.as_deref(), Some("vpc-9"));
    assert_eq!(found[0].description.as_deref(), Some("10.0.0.0/16"));
}

/// In the VPC of the tests.
fn attached(kind: OutsideKind, id: &str) -> OutsideResource {
    OutsideResource {
        vpc: Some("vpc-1".to_owned()),
        ..resource(kind, id)
    }
}

#[tokio::test]
async fn gateway_is_detached_before_it_is_deleted() {
    for (kind, id, name) in [
        (OutsideKind::InternetGateway, "igw-1", "InternetGateway"),
        (OutsideKind::VpnGateway, "vgw-1", "VpnGateway"),
    ] {
        let (aws, asked) = serve(done).await;
        assert_eq!(aws.remove(&attached(kind, id)).await, Ok(()));
        let asked: Vec<String> = asked.try_iter().collect();
        let detach = format!("Action=Detach{name}&Version=2016-11-15&{name}Id={id}&VpcId=vpc-1");
        let delete = format!("Action=Delete{name}&Version=2016-11-15&{name}Id={id}");
        assert_eq!(asked, [detach, delete]);
        // It was detached before.
        let code = if kind == OutsideKind::VpnGateway {
            "InvalidVpnGatewayAttachment.NotFound"
        } else {
            "Gateway.NotAttached"
        };
        let (aws, asked) = serve(move |asked| {
            if asked.contains("Action=Detach") {
                ec2_refusal(code, "not attached")
            } else {
                done(asked)
            }
        })
        .await;
        assert_eq!(aws.remove(&attached(kind, id)).await, Ok(()));
        assert_eq!(asked.try_iter().count(), 2);
    }
}

#[tokio::test]
async fn gateway_that_can_not_be_detached_is_not_deleted() {
    let words = "Network vpc-1 has some mapped public address(es). Please unmap those public address(es) before \
        detaching the gateway.";
    let (aws, asked) = serve(move |_| ec2_refusal("DependencyViolation", words)).await;
    let gateway = attached(OutsideKind::InternetGateway, "igw-1");
    let error = aws.remove(&gateway).await;
    let Err(CloudError::Refused { message, .. }) = error else {
        panic!("{error:?}")
    };
    assert_eq!(message, words);
    assert_eq!(asked.try_iter().count(), 1);
}

/// EC2 says in a good answer that it did not delete an endpoint.
#[tokio::test]
async fn endpoint_that_was_not_deleted_is_refused() {
    let endpoint = resource(OutsideKind::Endpoint, "vpce-1");
    let answer = |code: &'static str| {
        let error = format!("<error><code>{code}</code><message>in its words</message></error>");
        let item = format!("<item>{error}<resourceId>vpce-1</resourceId></item>");
        move |_: &str| {
            ec2(
                "DeleteVpcEndpoints",
                &format!("<unsuccessful>{item}</unsuccessful>"),
            )
        }
    };
    let (aws, _asked) = serve(answer("DependencyViolation")).await;
    let error = aws.remove(&endpoint).await;
    let Err(CloudError::Refused { message, .. }) = error else {
        panic!("{error:?}")
    };
    assert_eq!(message, "in its words");
    let (aws, _asked) = serve(answer("InvalidVpcEndpointId.NotFound")).await;
    assert_eq!(aws.remove(&endpoint).await, Ok(()));
    let (aws, asked) = serve(|_| ec2("DeleteVpcEndpoints", "<unsuccessful/>")).await;
    assert_eq!(aws.remove(&endpoint).await, Ok(()));
    let request = asked.recv().expect("a request");
    assert!(request.ends_with("VpcEndpointId.1=vpce-1"), "{request}");
}
