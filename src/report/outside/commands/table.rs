//! The rights to look for each kind of resource outside the stacks, and the commands that end one or use one again.

use crate::cloud::outside::OutsideKind;

/// What is said of a kind beside the sweep's table: one row a kind.
pub(super) struct Said {
    /// IAM actions without which it can't be looked for.
    pub rights: &'static [&'static str],
    /// The commands that delete one, in the order in which AWS takes them. `REGION`, `ID`, `VPC` and `GROUP` are filled in.
    pub delete: &'static [Step],
    /// How one that was kept is used again, where there is something to use.
    pub reuse: Option<Step>,
}

/// A sentence, and the command below it.
pub(super) type Step = (&'static str, &'static str);

const IT: &str = "delete it";

#[expect(clippy::too_many_lines, reason = "a table")]
pub(super) const fn said(kind: OutsideKind) -> Said {
    use OutsideKind as K;
    const fn said(rights: &'static [&'static str], delete: &'static [Step]) -> Said {
        Said {
            rights,
            delete,
            reuse: None,
        }
    }
    match kind {
        K::Machine => said(
            &["ec2:DescribeInstances"],
            &[(
                IT,
                "aws ec2 terminate-instances --region REGION --instance-ids ID",
            )],
        ),
        K::LoadBalancer => said(
            &BALANCER_RIGHTS,
            &[(
                IT,
                "aws elbv2 delete-load-balancer --region REGION --load-balancer-arn ID",
            )],
        ),
        K::ClassicLoadBalancer => said(
            &BALANCER_RIGHTS,
            &[(
                IT,
                "aws elb delete-load-balancer --region REGION --load-balancer-name ID",
            )],
        ),
        K::TargetGroup => said(
            &[
                "tag:GetResources",
                "elasticloadbalancing:DescribeTargetGroups",
                "elasticloadbalancing:DescribeTags",
                "ec2:DescribeVpcs",
            ],
            &[(
                IT,
                "aws elbv2 delete-target-group --region REGION --target-group-arn ID",
            )],
        ),
        K::GroupRule => said(
            &["ec2:DescribeSecurityGroupRules"],
            &[(
                "delete it from its group",
                "aws ec2 revoke-security-group-ingress --region REGION --group-id GROUP --security-group-rule-ids ID",
            )],
        ),
        K::SecurityGroup => said(
            &["ec2:DescribeSecurityGroups"],
            &[(
                IT,
                "aws ec2 delete-security-group --region REGION --group-id ID",
            )],
        ),
        K::NatGateway => said(
            &["ec2:DescribeNatGateways"],
            &[(
                IT,
                "aws ec2 delete-nat-gateway --region REGION --nat-gateway-id ID",
            )],
        ),
        K::Interface => said(
            &["ec2:DescribeNetworkInterfaces"],
            &[(
                IT,
                "aws ec2 delete-network-interface --region REGION --network-interface-id ID",
            )],
        ),
        K::Address => said(
            &["ec2:DescribeAddresses"],
            &[(
                "give it back",
                "aws ec2 release-address --region REGION --allocation-id ID",
            )],
        ),
        K::Volume => said(
            &["ec2:DescribeVolumes"],
            &[(IT, "aws ec2 delete-volume --region REGION --volume-id ID")],
        ),
        K::Snapshot => Said {
            reuse: Some((
                "make a volume of it, in the zone that needs it",
                "aws ec2 create-volume --region REGION --availability-zone ZONE --snapshot-id ID",
            )),
            ..said(
                &["ec2:DescribeSnapshots"],
                &[(
                    IT,
                    "aws ec2 delete-snapshot --region REGION --snapshot-id ID",
                )],
            )
        },
        // With the action DELETE and the record as it is.
        K::DnsRecord => said(
            &["route53:ListHostedZones", "route53:ListResourceRecordSets"],
            &[(
                "delete it in the console, or with a file that has the action DELETE and the record as it is",
                "aws route53 change-resource-record-sets --region REGION --hosted-zone-id ID --change-batch file://delete.json",
            )],
        ),
        K::Database => said(
            &["rds:DescribeDBInstances"],
            &[
                (
                    "switch off its deletion protection",
                    "aws rds modify-db-instance --region REGION --db-instance-identifier ID --no-deletion-protection --apply-immediately",
                ),
                (
                    "delete it, with a last snapshot",
                    "aws rds delete-db-instance --region REGION --db-instance-identifier ID --final-db-snapshot-identifier ID-final",
                ),
            ],
        ),
        K::LogGroup => Said {
            reuse: Some((
                "read it",
                "aws logs filter-log-events --region REGION --log-group-name ID --limit 100",
            )),
            ..said(
                &["logs:DescribeLogGroups"],
                &[(
                    IT,
                    "aws logs delete-log-group --region REGION --log-group-name ID",
                )],
            )
        },
        K::Backup => Said {
            reuse: Some((
                "restore a database from it, with a name of your choice",
                "aws rds restore-db-instance-to-point-in-time --region REGION --source-db-instance-automated-backups-arn ID \
                 --target-db-instance-identifier NAME --use-latest-restorable-time",
            )),
            ..said(
                &["rds:DescribeDBInstanceAutomatedBackups"],
                &[(
                    IT,
                    "aws rds delete-db-instance-automated-backup --region REGION --db-instance-automated-backups-arn ID",
                )],
            )
        },
        K::DatabaseSnapshot => Said {
            reuse: Some((
                "restore a database from it, with a name of your choice",
                "aws rds restore-db-instance-from-db-snapshot --region REGION --db-snapshot-identifier ID --db-instance-identifier NAME",
            )),
            ..said(
                &["rds:DescribeDBSnapshots"],
                &[(
                    IT,
                    "aws rds delete-db-snapshot --region REGION --db-snapshot-identifier ID",
                )],
            )
        },
        K::Bucket => said(
            &["tag:GetResources", "s3:ListBucket"],
            &[(IT, "aws s3api delete-bucket --region REGION --bucket ID")],
        ),
        K::Key => said(
            &["tag:GetResources", "kms:DescribeKey"],
            &[(
                IT,
                "aws kms schedule-key-deletion --region REGION --key-id ID --pending-window-in-days 30",
            )],
        ),
        K::Subnet => said(
            &["ec2:DescribeSubnets"],
            &[(IT, "aws ec2 delete-subnet --region REGION --subnet-id ID")],
        ),
        K::RouteTable => said(
            &["ec2:DescribeRouteTables"],
            &[(
                IT,
                "aws ec2 delete-route-table --region REGION --route-table-id ID",
            )],
        ),
        K::Endpoint => said(
            &["ec2:DescribeVpcEndpoints"],
            &[(
                IT,
                "aws ec2 delete-vpc-endpoints --region REGION --vpc-endpoint-ids ID",
            )],
        ),
        K::Peering => said(
            &["ec2:DescribeVpcPeeringConnections"],
            &[(
                IT,
                "aws ec2 delete-vpc-peering-connection --region REGION --vpc-peering-connection-id ID",
            )],
        ),
        K::NetworkAcl => said(
            &["ec2:DescribeNetworkAcls"],
            &[(
                IT,
                "aws ec2 delete-network-acl --region REGION --network-acl-id ID",
            )],
        ),
        K::VpnGateway => said(
            &["ec2:DescribeVpnGateways"],
            &[
                (
                    "detach it, which ends the connections through it",
                    "aws ec2 detach-vpn-gateway --region REGION --vpn-gateway-id ID --vpc-id VPC",
                ),
                (
                    IT,
                    "aws ec2 delete-vpn-gateway --region REGION --vpn-gateway-id ID",
                ),
            ],
        ),
        K::InternetGateway => said(
            &[
                "ec2:DescribeInternetGateways",
                "ec2:DescribeEgressOnlyInternetGateways",
            ],
            &[
                (
                    "detach it, which ends all traffic with the internet",
                    "aws ec2 detach-internet-gateway --region REGION --internet-gateway-id ID --vpc-id VPC",
                ),
                (
                    IT,
                    "aws ec2 delete-internet-gateway --region REGION --internet-gateway-id ID",
                ),
            ],
        ),
        K::Vpc => said(
            &["ec2:DescribeVpcs"],
            &[(IT, "aws ec2 delete-vpc --region REGION --vpc-id ID")],
        ),
    }
}

const BALANCER_RIGHTS: [&str; 3] = [
    "tag:GetResources",
    "elasticloadbalancing:DescribeLoadBalancers",
    "elasticloadbalancing:DescribeTags",
];
pub(super) const EGRESS_ONLY: Step = (
    IT,
    "aws ec2 delete-egress-only-internet-gateway --region REGION --egress-only-internet-gateway-id ID",
);
pub(super) const CALL_BACK: [Step; 2] = [
    (
        "keep it",
        "aws kms cancel-key-deletion --region REGION --key-id ID",
    ),
    (
        "use it again",
        "aws kms enable-key --region REGION --key-id ID",
    ),
];
