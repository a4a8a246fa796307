//! Commands of the AWS CLI for what lies outside the stacks: how to see it, delete it, save it, use it again.

use super::names::record_parts;
use crate::cloud::outside::{OutsideKind, OutsideResource};
use crate::sweep::Found;

/// What to do about a resource: a sentence, and a command below it.
pub(super) type Advice = (&'static str, String);

/// How a resource is deleted. What AWS made for another one goes with that one.
pub(super) fn delete(resource: &OutsideResource, region: &str) -> Vec<Advice> {
    if resource.by_aws {
        return vec![see_interface(BY_AWS, resource, region)];
    }
    if is_attached(resource) {
        return vec![see_interface(ATTACHED, resource, region)];
    }
    let id = resource.id.as_str();
    match resource.kind {
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
            ("delete it", plain(resource.kind, id, region)),
        ],
        OutsideKind::GroupRule if !resource.body.is_empty() => {
            vec![("delete it from its group", revoke(resource, region))]
        }
        OutsideKind::GroupRule => vec![
            (
                "see which group has it",
                format!(
                    "aws ec2 describe-security-group-rules --region {region} --security-group-rule-ids {id}"
                ),
            ),
            ("delete it from that group", revoke(resource, region)),
        ],
        OutsideKind::DnsRecord => record(id, region),
        OutsideKind::Bucket => vec![
            (
                "see what is in it; a bucket has to be empty",
                format!(
                    "aws s3api list-object-versions --region {region} --bucket {id} --max-keys 20"
                ),
            ),
            ("delete it", plain(resource.kind, id, region)),
        ],
        OutsideKind::Machine
        | OutsideKind::LoadBalancer
        | OutsideKind::ClassicLoadBalancer
        | OutsideKind::TargetGroup
        | OutsideKind::Interface
        | OutsideKind::Volume
        | OutsideKind::Snapshot
        | OutsideKind::LogGroup
        | OutsideKind::Backup
        | OutsideKind::Key
        | OutsideKind::Subnet
        | OutsideKind::RouteTable
        | OutsideKind::Endpoint
        | OutsideKind::Peering => vec![("delete it", plain(resource.kind, id, region))],
    }
}

/// The commands that delete these, and nothing else, in the order in which AWS takes them: nothing is deleted before what
/// uses it. What goes with another resource is not among them.
pub(super) fn delete_all(all: &[&Found], region: &str) -> Vec<(OutsideKind, Vec<String>)> {
    let goes_alone = |found: &&&Found| !found.resource.by_aws && !is_attached(&found.resource);
    let mut direct: Vec<&&Found> = all.iter().filter(goes_alone).collect();
    direct.sort_by_key(|found| place(found.resource.kind));
    let mut commands: Vec<(OutsideKind, Vec<String>)> = Vec::new();
    for found in direct {
        let kind = found.resource.kind;
        let Some((_, command)) = delete(&found.resource, region).pop() else {
            continue;
        };
        match commands.last_mut() {
            Some((last, of_kind)) if *last == kind => of_kind.push(command),
            Some(_) | None => commands.push((kind, vec![command])),
        }
    }
    commands
}

/// When a kind is deleted: what uses another one goes before it.
pub(super) fn place(kind: OutsideKind) -> usize {
    use OutsideKind as K;
    match kind {
        K::Endpoint => 0,
        K::Machine => 1,
        K::LoadBalancer | K::ClassicLoadBalancer => 2,
        K::TargetGroup => 3,
        K::Interface => 4,
        K::GroupRule => 5,
        K::SecurityGroup => 6,
        K::Subnet => 7,
        K::RouteTable => 8,
        K::Peering => 9,
        K::DnsRecord | K::Volume | K::Snapshot | K::LogGroup | K::Backup | K::Bucket | K::Key => 10,
    }
}

/// Whether it is an interface that is in use: it goes with what it is attached to, or has to be detached.
fn is_attached(resource: &OutsideResource) -> bool {
    resource.kind == OutsideKind::Interface && resource.state.as_deref() == Some("in-use")
}

/// The one command that deletes a resource of a kind with this id.
pub(in crate::report) fn plain(kind: OutsideKind, id: &str, region: &str) -> String {
    match kind {
        OutsideKind::Machine => {
            format!("aws ec2 terminate-instances --region {region} --instance-ids {id}")
        }
        OutsideKind::LoadBalancer => {
            format!("aws elbv2 delete-load-balancer --region {region} --load-balancer-arn {id}")
        }
        OutsideKind::ClassicLoadBalancer => {
            format!("aws elb delete-load-balancer --region {region} --load-balancer-name {id}")
        }
        OutsideKind::TargetGroup => {
            format!("aws elbv2 delete-target-group --region {region} --target-group-arn {id}")
        }
        OutsideKind::GroupRule => format!(
            "aws ec2 revoke-security-group-ingress --region {region} --group-id GROUP_ID --security-group-rule-ids {id}"
        ),
        OutsideKind::SecurityGroup => {
            format!("aws ec2 delete-security-group --region {region} --group-id {id}")
        }
        OutsideKind::Interface => {
            format!(
                "aws ec2 delete-network-interface --region {region} --network-interface-id {id}"
            )
        }
        OutsideKind::Volume => format!("aws ec2 delete-volume --region {region} --volume-id {id}"),
        OutsideKind::Snapshot => {
            format!("aws ec2 delete-snapshot --region {region} --snapshot-id {id}")
        }
        OutsideKind::DnsRecord => format!(
            "aws route53 change-resource-record-sets --region {region} --hosted-zone-id {id} \
             --change-batch file://delete.json"
        ),
        OutsideKind::LogGroup => {
            format!("aws logs delete-log-group --region {region} --log-group-name {id}")
        }
        OutsideKind::Backup => format!(
            "aws rds delete-db-instance-automated-backup --region {region} \
             --db-instance-automated-backups-arn {id}"
        ),
        OutsideKind::Bucket => format!("aws s3api delete-bucket --region {region} --bucket {id}"),
        OutsideKind::Key => format!(
            "aws kms schedule-key-deletion --region {region} --key-id {id} --pending-window-in-days 30"
        ),
        OutsideKind::Subnet => format!("aws ec2 delete-subnet --region {region} --subnet-id {id}"),
        OutsideKind::RouteTable => {
            format!("aws ec2 delete-route-table --region {region} --route-table-id {id}")
        }
        OutsideKind::Endpoint => {
            format!("aws ec2 delete-vpc-endpoints --region {region} --vpc-endpoint-ids {id}")
        }
        OutsideKind::Peering => format!(
            "aws ec2 delete-vpc-peering-connection --region {region} --vpc-peering-connection-id {id}"
        ),
    }
}

/// A rule is deleted from the group that has it, by its direction, which is its state.
fn revoke(rule: &OutsideResource, region: &str) -> String {
    let id = &rule.id;
    let group = match rule.body.as_str() {
        "" => "GROUP_ID",
        group => group,
    };
    if rule.state.as_deref() == Some("egress") {
        format!(
            "aws ec2 revoke-security-group-egress --region {region} --group-id {group} --security-group-rule-ids {id}"
        )
    } else {
        plain(rule.kind, id, region).replace("GROUP_ID", group)
    }
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
    vec![
        (
            "see it",
            format!(
                "aws route53 list-resource-record-sets --region {region} --hosted-zone-id {zone} \
                 --start-record-name {name} --start-record-type {kind} --max-items 1"
            ),
        ),
        (
            "delete it in the console, or with a file that has the action DELETE and the record as it is",
            plain(OutsideKind::DnsRecord, zone, region),
        ),
    ]
}

const BY_AWS: &str = "AWS deletes it with what it belongs to, within minutes: run the same command again. To see what that is";
const ATTACHED: &str = "it is attached, and goes with that or is detached first. To see what to";

fn see_interface(words: &'static str, resource: &OutsideResource, region: &str) -> Advice {
    let id = resource.id.as_str();
    let command = if resource.kind == OutsideKind::Interface {
        format!(
            "aws ec2 describe-network-interfaces --region {region} --network-interface-ids {id} \
             --query 'NetworkInterfaces[].[Description,RequesterId,Status,Attachment.InstanceId]' --output text"
        )
    } else {
        plain(resource.kind, id, region)
    };
    (words, command)
}

/// How something that was kept is used again; `None` where there is nothing to use.
pub(super) fn reuse(kind: OutsideKind, id: &str, region: &str) -> Option<Advice> {
    match kind {
        OutsideKind::Snapshot => Some((
            "make a volume of it, in the zone that needs it",
            format!(
                "aws ec2 create-volume --region {region} --availability-zone ZONE --snapshot-id {id}"
            ),
        )),
        OutsideKind::Backup => Some((
            "restore a database from it, with a name of your choice",
            format!(
                "aws rds restore-db-instance-to-point-in-time --region {region} \
                 --source-db-instance-automated-backups-arn {id} --target-db-instance-identifier NAME \
                 --use-latest-restorable-time"
            ),
        )),
        OutsideKind::LogGroup => Some((
            "read it",
            format!(
                "aws logs filter-log-events --region {region} --log-group-name {id} --limit 100"
            ),
        )),
        OutsideKind::Key
        | OutsideKind::Volume
        | OutsideKind::Machine
        | OutsideKind::LoadBalancer
        | OutsideKind::ClassicLoadBalancer
        | OutsideKind::TargetGroup
        | OutsideKind::GroupRule
        | OutsideKind::SecurityGroup
        | OutsideKind::Interface
        | OutsideKind::DnsRecord
        | OutsideKind::Bucket
        | OutsideKind::Subnet
        | OutsideKind::RouteTable
        | OutsideKind::Endpoint
        | OutsideKind::Peering => None,
    }
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
pub(super) fn actions(kind: OutsideKind) -> &'static [&'static str] {
    match kind {
        OutsideKind::Machine => &["ec2:DescribeInstances"],
        OutsideKind::LoadBalancer | OutsideKind::ClassicLoadBalancer => &[
            "tag:GetResources",
            "elasticloadbalancing:DescribeLoadBalancers",
            "elasticloadbalancing:DescribeTags",
        ],
        OutsideKind::TargetGroup => &[
            "tag:GetResources",
            "elasticloadbalancing:DescribeTargetGroups",
            "elasticloadbalancing:DescribeTags",
        ],
        OutsideKind::GroupRule => &["ec2:DescribeSecurityGroupRules"],
        OutsideKind::SecurityGroup => &["ec2:DescribeSecurityGroups"],
        OutsideKind::Interface => &["ec2:DescribeNetworkInterfaces"],
        OutsideKind::Volume => &["ec2:DescribeVolumes"],
        OutsideKind::Snapshot => &["ec2:DescribeSnapshots"],
        OutsideKind::DnsRecord => &["route53:ListHostedZones", "route53:ListResourceRecordSets"],
        OutsideKind::LogGroup => &["logs:DescribeLogGroups"],
        OutsideKind::Backup => &["rds:DescribeDBInstanceAutomatedBackups"],
        OutsideKind::Bucket => &["tag:GetResources", "s3:ListBucket"],
        OutsideKind::Key => &["tag:GetResources", "kms:DescribeKey"],
        OutsideKind::Subnet => &["ec2:DescribeSubnets"],
        OutsideKind::RouteTable => &["ec2:DescribeRouteTables"],
        OutsideKind::Endpoint => &["ec2:DescribeVpcEndpoints"],
        OutsideKind::Peering => &["ec2:DescribeVpcPeeringConnections"],
    }
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
