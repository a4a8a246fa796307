//! Commands of the AWS CLI for what lies outside the stacks: how to delete it, how to save it.

use crate::cloud::outside::OutsideKind;

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
            "aws ec2 revoke-security-group-ingress --region {region} --group-id GROUP --security-group-rule-ids {id}"
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

/// How a volume is saved before it is deleted.
pub(in crate::report) fn save_volume(id: &str, region: &str) -> String {
    format!("aws ec2 create-snapshot --region {region} --volume-id {id}")
}
