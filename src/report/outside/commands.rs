//! Commands of the AWS CLI for what lies outside the stacks: how to see it, delete it, save it, use it again.

use super::names::record_parts;
use crate::cloud::outside::{OutsideKind, OutsideResource};
use crate::sweep::Found;

/// What to do about a resource: a sentence, and a command below it.
pub(in crate::report) type Advice = (&'static str, String);

/// How a resource is deleted. What AWS made for another one goes with that one.
pub(super) fn delete(resource: &OutsideResource, region: &str) -> Vec<Advice> {
    if resource.by_aws {
        return see_interface(BY_AWS, resource, region);
    }
    if is_attached(resource) {
        return see_interface(ATTACHED, resource, region);
    }
    let id = resource.id.as_str();
    let first: Vec<Advice> = match resource.kind {
        OutsideKind::DnsRecord => return record(id, region),
        OutsideKind::SecurityGroup => vec![
            (
                "see which interfaces use it",
                format!(
                    "aws ec2 describe-network-interfaces --region {region} --filters Name=group-id,Values={id} \
                     --query 'NetworkInterfaces[].[NetworkInterfaceId,Description]' --output text"
                ),
            ),
            (
                "see which rules of other groups name it",
                format!(
                    "aws ec2 describe-security-groups --region {region} \
                     --filters Name=ip-permission.group-id,Values={id} --query 'SecurityGroups[].GroupId' \
                     --output text"
                ),
            ),
        ],
        OutsideKind::GroupRule if resource.body.is_empty() => vec![(
            "see which group has it",
            format!(
                "aws ec2 describe-security-group-rules --region {region} --security-group-rule-ids {id}"
            ),
        )],
        OutsideKind::Bucket => vec![(
            "see what is in it; a bucket has to be empty",
            format!("aws s3api list-object-versions --region {region} --bucket {id} --max-keys 20"),
        )],
        _ => Vec::new(),
    };
    first.into_iter().chain(steps(resource, region)).collect()
}

/// What is said of a kind beside the sweep's table: one row a kind.
struct Said {
    /// IAM actions without which it can't be looked for.
    rights: &'static [&'static str],
    /// The commands that delete one, in the order in which AWS takes them. `REGION`, `ID`, `VPC` and `GROUP` are filled in.
    delete: &'static [Step],
    /// How one that was kept is used again, where there is something to use.
    reuse: Option<Step>,
}

/// A sentence, and the command below it.
type Step = (&'static str, &'static str);

const IT: &str = "delete it";

#[expect(clippy::too_many_lines, reason = "a table")]
const fn said(kind: OutsideKind) -> Said {
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
                    "aws rds modify-db-instance --region REGION --db-instance-identifier ID --no-deletion-protection",
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
const EGRESS_ONLY: Step = (
    IT,
    "aws ec2 delete-egress-only-internet-gateway --region REGION --egress-only-internet-gateway-id ID",
);
const CALL_BACK: [Step; 2] = [
    (
        "keep it",
        "aws kms cancel-key-deletion --region REGION --key-id ID",
    ),
    (
        "use it again",
        "aws kms enable-key --region REGION --key-id ID",
    ),
];

/// A command about a resource.
fn filled(command: &str, resource: &OutsideResource, region: &str) -> String {
    let id = &resource.id;
    let words = command.split(' ').map(|word| match word {
        "REGION" => region.to_owned(),
        "ID" => id.clone(),
        "ID-final" => format!("{id}-final"),
        "VPC" => resource.vpc.clone().unwrap_or_else(|| "VPC_ID".to_owned()),
        "GROUP" if resource.body.is_empty() => "GROUP_ID".to_owned(),
        "GROUP" => resource.body.clone(),
        word => word.to_owned(),
    });
    words.collect::<Vec<_>>().join(" ")
}

/// How one is deleted, one command after another.
pub(in crate::report) fn steps(resource: &OutsideResource, region: &str) -> Vec<Advice> {
    let kind = resource.kind;
    let is_egress_only = kind == OutsideKind::InternetGateway && resource.id.starts_with("eigw-");
    let all = if is_egress_only {
        &[EGRESS_ONLY][..]
    } else {
        said(kind).delete
    };
    // A gateway that is attached to nothing needs no detaching.
    let is_needed = |(_, command): &&Step| resource.vpc.is_some() || !command.ends_with(" VPC");
    let all = all.iter().filter(is_needed);
    all.map(|(words, command)| {
        let command = filled(command, resource, region);
        // A rule is deleted by its direction, which is its state.
        let is_egress =
            kind == OutsideKind::GroupRule && resource.state.as_deref() == Some("egress");
        let command = if is_egress {
            command.replacen("-ingress", "-egress", 1)
        } else {
            command
        };
        (*words, command)
    })
    .collect()
}

/// How a key is called back that waits for its deletion.
pub(super) fn call_back(key: &OutsideResource, region: &str) -> Vec<Advice> {
    let all = CALL_BACK.iter();
    all.map(|(words, command)| (*words, filled(command, key, region)))
        .collect()
}

/// The commands that delete these, and nothing else, in the order in which AWS takes them: nothing is deleted before what
/// uses it. What goes with another resource is not among them.
pub(super) fn delete_all(all: &[&Found], region: &str) -> Vec<(OutsideKind, Vec<String>)> {
    let goes_alone = |found: &&&Found| !found.resource.by_aws && !is_attached(&found.resource);
    let mut direct: Vec<&&Found> = all.iter().filter(goes_alone).collect();
    direct.sort_by_key(|found| (found.row().place(), found.resource.kind));
    let mut commands: Vec<(OutsideKind, Vec<String>)> = Vec::new();
    for found in direct {
        let kind = found.resource.kind;
        let of_one = steps(&found.resource, region).into_iter();
        let of_one = of_one.map(|(_, command)| command);
        match commands.last_mut() {
            Some((last, of_kind)) if *last == kind => of_kind.extend(of_one),
            Some(_) | None => commands.push((kind, of_one.collect())),
        }
    }
    commands
}

/// Whether it is an interface that is in use: it goes with what it is attached to, or has to be detached.
fn is_attached(resource: &OutsideResource) -> bool {
    resource.kind == OutsideKind::Interface && resource.state.as_deref() == Some("in-use")
}

/// A name as one word of a shell: Route 53 allows every printable character in one.
fn word(name: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if name.chars().all(is_plain) {
        name.to_owned()
    } else {
        format!("'{}'", name.replace('\'', r"'\''"))
    }
}

fn record(id: &str, region: &str) -> Vec<Advice> {
    let Some((zone, name, kind, _)) = record_parts(id) else {
        return Vec::new();
    };
    let name = word(name);
    let [(words, command)] = said(OutsideKind::DnsRecord).delete else {
        return Vec::new();
    };
    vec![
        (
            "see it",
            format!(
                "aws route53 list-resource-record-sets --region {region} --hosted-zone-id {zone} \
                 --start-record-name {name} --start-record-type {kind} --max-items 1"
            ),
        ),
        (
            words,
            filled(
                command,
                &OutsideResource::new(OutsideKind::DnsRecord, zone),
                region,
            ),
        ),
    ]
}

const BY_AWS: &str = "AWS deletes it with what it belongs to, within minutes: run the same command again. To see what that is";
const ATTACHED: &str = "it is attached, and goes with that or is detached first. To see what to";

fn see_interface(words: &'static str, resource: &OutsideResource, region: &str) -> Vec<Advice> {
    let id = resource.id.as_str();
    if resource.kind != OutsideKind::Interface {
        return steps(resource, region);
    }
    let command = format!(
        "aws ec2 describe-network-interfaces --region {region} --network-interface-ids {id} \
         --query 'NetworkInterfaces[].[Description,RequesterId,Status,Attachment.InstanceId]' --output text"
    );
    vec![(words, command)]
}

/// How something that was kept is used again; `None` where there is nothing to use.
pub(super) fn reuse(resource: &OutsideResource, region: &str) -> Option<Advice> {
    let (words, command) = said(resource.kind).reuse?;
    Some((words, filled(command, resource, region)))
}

/// How a volume is saved before it is deleted.
pub(in crate::report) fn save_volume(id: &str, region: &str) -> String {
    format!("aws ec2 create-snapshot --region {region} --volume-id {id}")
}

/// How the kept volumes of a cluster are listed, at any time later.
pub(super) fn list_volumes(cluster: &str, region: &str) -> String {
    format!(
        "aws ec2 describe-volumes --region {region} --filters Name=tag:kubernetes.io/cluster/{cluster},Values=owned"
    )
}

/// The IAM actions without which a kind can't be looked for.
pub(super) const fn actions(kind: OutsideKind) -> &'static [&'static str] {
    said(kind).rights
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_of_a_record_is_one_word_of_a_shell() {
        assert_eq!(word("a-shop.example.com."), "a-shop.example.com.");
        assert_eq!(word("$(id)'.x."), r"'$(id)'\''.x.'");
        let record = OutsideResource::new(OutsideKind::DnsRecord, r"Z1 \052.x. A");
        let advice = delete(&record, "eu-west-1");
        let (_, see) = &advice[0];
        assert!(see.contains(r"--start-record-name '\052.x.' "), "{see}");
    }
}
