//! What resources are called and what they know of themselves: physical ids and attributes as AWS gives
//! them, made up from a seed.

use fastrand::Rng;

use super::rng::{capitals, hex, stream, uuid};
use crate::templates::evaluate::partition;

/// Where everything is.
#[derive(Debug, Clone)]
pub(super) struct Setting {
    pub(super) seed: u64,
    pub(super) account: String,
    pub(super) region: String,
}

/// The property whose value is the physical id of a resource of this type, where it is given.
pub(super) fn named_by(resource_type: &str) -> Option<&'static str> {
    Some(match resource_type {
        "AWS::KMS::Alias" => "AliasName",
        "AWS::S3::BucketPolicy" => "Bucket",
        "AWS::S3::Bucket" => "BucketName",
        "AWS::IAM::Role" => "RoleName",
        "AWS::IAM::InstanceProfile" => "InstanceProfileName",
        "AWS::Route53::RecordSet" | "AWS::SSM::Parameter" => "Name",
        "AWS::RDS::DBInstance" => "DBInstanceIdentifier",
        "AWS::AutoScaling::AutoScalingGroup" => "AutoScalingGroupName",
        _ => return None,
    })
}

/// The types of EC2 with ids of seventeen digits.
fn prefix(resource_type: &str) -> Option<&'static str> {
    Some(match resource_type {
        "AWS::EC2::VPC" => "vpc",
        "AWS::EC2::Subnet" => "subnet",
        "AWS::EC2::RouteTable" => "rtb",
        "AWS::EC2::InternetGateway" => "igw",
        "AWS::EC2::SubnetRouteTableAssociation" => "rtbassoc",
        "AWS::EC2::EIPAssociation" => "eipassoc",
        "AWS::EC2::NatGateway" => "nat",
        "AWS::EC2::SecurityGroup" => "sg",
        "AWS::EC2::SecurityGroupIngress" => "sgr",
        "AWS::EC2::VPCEndpoint" => "vpce",
        "AWS::EC2::NetworkInterface" => "eni",
        "AWS::EC2::Volume" => "vol",
        "AWS::EC2::LaunchTemplate" => "lt",
        "AWS::EC2::SubnetCidrReservation" => "scr",
        "AWS::EC2::Instance" => "i",
        _ => return None,
    })
}

/// A physical id that AWS would give.
pub(super) fn physical(
    setting: &Setting,
    stack: &str,
    logical_id: &str,
    resource_type: &str,
    number: u64,
) -> String {
    let rng = &mut stream(setting.seed, &["name", stack, logical_id], number);
    if let Some(prefix) = prefix(resource_type) {
        return format!("{prefix}-0{}", hex(rng, 16));
    }
    match resource_type {
        "AWS::EC2::EIP" => address(rng),
        "AWS::EC2::VPCGatewayAttachment" => format!("IGW|vpc-0{}", hex(rng, 16)),
        "AWS::EC2::Route" => format!("rtb-0{}|0.0.0.0/0", hex(rng, 16)),
        "AWS::KMS::Key" => uuid(rng),
        "AWS::IAM::ManagedPolicy" | "AWS::IAM::OIDCProvider" => {
            let kind = match resource_type {
                "AWS::IAM::ManagedPolicy" => "policy",
                _ => "oidc-provider",
            };
            let name = format!("{kind}/{stack}-{logical_id}-{}", capitals(rng, 12));
            global(setting, "iam", &setting.account, &name)
        }
        "AWS::Route53::HostedZone" => format!("Z{}", capitals(rng, 19)),
        "AWS::ElasticLoadBalancingV2::LoadBalancer" => balancing(
            setting,
            "loadbalancer/net",
            &shortened(stack, logical_id, rng),
            rng,
        ),
        "AWS::ElasticLoadBalancingV2::TargetGroup" => balancing(
            setting,
            "targetgroup",
            &shortened(stack, logical_id, rng),
            rng,
        ),
        "AWS::ElasticLoadBalancingV2::Listener" => {
            let balancer = format!("{}/{}", shortened(stack, logical_id, rng), hex(rng, 16));
            balancing(setting, "listener/net", &balancer, rng)
        }
        "AWS::SecretsManager::Secret" => arn(
            setting,
            "secretsmanager",
            &format!("secret:{logical_id}-{}", capitals(rng, 6)),
        ),
        _ => {
            let name = format!("{stack}-{logical_id}-{}", capitals(rng, 12));
            if is_lower(resource_type) {
                name.to_lowercase()
            } else {
                name
            }
        }
    }
}

fn is_lower(resource_type: &str) -> bool {
    resource_type.starts_with("AWS::RDS::") || resource_type == "AWS::S3::Bucket"
}

/// A public address out of 3.248.0.0/13, which is Amazon's in Ireland.
fn address(rng: &mut Rng) -> String {
    format!("3.{}.{}.{}", rng.u8(248..=255), rng.u8(..), rng.u8(1..255))
}

/// Names of load balancers and target groups have 32 characters at most.
fn shortened(stack: &str, logical_id: &str, rng: &mut Rng) -> String {
    let part = |text: &str, most| text.chars().take(most).collect::<String>();
    format!(
        "{}-{}-{}",
        part(stack, 6),
        part(logical_id, 5),
        capitals(rng, 12)
    )
}

fn balancing(setting: &Setting, kind: &str, name: &str, rng: &mut Rng) -> String {
    arn(
        setting,
        "elasticloadbalancing",
        &format!("{kind}/{name}/{}", hex(rng, 16)),
    )
}

/// The partition of a setting's region.
pub(super) fn partition_of(setting: &Setting) -> &'static str {
    partition(&setting.region)
}

/// An ARN in this account and region.
pub(super) fn arn(setting: &Setting, service: &str, resource: &str) -> String {
    let Setting {
        account, region, ..
    } = setting;
    format!(
        "arn:{}:{service}:{region}:{account}:{resource}",
        partition(region)
    )
}

/// An ARN of a service without regions.
fn global(setting: &Setting, service: &str, account: &str, resource: &str) -> String {
    format!(
        "arn:{}:{service}::{account}:{resource}",
        partition(&setting.region)
    )
}

/// What `Fn::GetAtt` gives for a resource. `version` counts the changes that it has seen.
pub(super) fn attribute(
    setting: &Setting,
    resource_type: &str,
    physical_id: &str,
    name: &str,
    version: u64,
) -> String {
    let rng = &mut stream(setting.seed, &["attribute", physical_id, name], 0);
    let last = physical_id.rsplit('/').nth(1).unwrap_or(physical_id);
    match (resource_type, name) {
        (_, "GroupId" | "Id" | "VpcId" | "SubnetId" | "VolumeId" | "LaunchTemplateId") => {
            physical_id.to_owned()
        }
        (_, "LatestVersionNumber") => version.to_string(),
        (_, "DefaultVersionNumber") => "1".to_owned(),
        ("AWS::EC2::EIP", "AllocationId") => format!("eipalloc-0{}", hex(rng, 16)),
        ("AWS::EC2::NetworkInterface", "PrimaryPrivateIpAddress") => {
            format!("10.{}.{}.{}", rng.u8(..), rng.u8(..), rng.u8(4..255))
        }
        (_, "Arn" | "DBInstanceArn") => arn_of(setting, resource_type, physical_id),
        ("AWS::S3::Bucket", "RegionalDomainName") => {
            format!("{physical_id}.s3.{}.amazonaws.com", setting.region)
        }
        (_, "DNSName") => format!(
            "{last}-{}.elb.{}.amazonaws.com",
            hex(rng, 16),
            setting.region
        ),
        (_, "CanonicalHostedZoneID") => "Z2IFOLAFXWLO4F".to_owned(),
        (_, "LoadBalancerFullName" | "TargetGroupFullName" | "LoadBalancerName") => last.to_owned(),
        (_, "Endpoint.Address") => format!(
            "{physical_id}.{}.{}.rds.amazonaws.com",
            hex(rng, 12),
            setting.region
        ),
        (_, "Endpoint.Port") => "5432".to_owned(),
        (_, "MasterUserSecret.SecretArn") => {
            let secret = format!("secret:rds!db-{}-{}", uuid(rng), capitals(rng, 6));
            arn(setting, "secretsmanager", &secret)
        }
        _ => format!("{physical_id}/{name}"),
    }
}

fn arn_of(setting: &Setting, resource_type: &str, physical_id: &str) -> String {
    let account = &setting.account;
    match resource_type {
        _ if physical_id.starts_with("arn:") => physical_id.to_owned(),
        "AWS::KMS::Key" => arn(setting, "kms", &format!("key/{physical_id}")),
        "AWS::S3::Bucket" => format!("arn:{}:s3:::{physical_id}", partition(&setting.region)),
        "AWS::IAM::Role" => global(setting, "iam", account, &format!("role/{physical_id}")),
        "AWS::IAM::InstanceProfile" => global(
            setting,
            "iam",
            account,
            &format!("instance-profile/{physical_id}"),
        ),
        "AWS::RDS::DBInstance" => arn(setting, "rds", &format!("db:{physical_id}")),
        "AWS::SSM::Parameter" => arn(setting, "ssm", &format!("parameter/{physical_id}")),
        other => {
            let mut words = other.split("::").skip(1).map(str::to_lowercase);
            let service = words.next().unwrap_or_default();
            let kind = words.next().unwrap_or_default();
            arn(setting, &service, &format!("{kind}/{physical_id}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn setting() -> Setting {
        Setting {
            seed: 3,
            account: "123456789012".to_owned(),
            region: "eu-west-1".to_owned(),
        }
    }

    fn id(of_type: &str) -> String {
        physical(&setting(), "canary-edge", "Thing", of_type, 0)
    }

    #[test]
    fn physical_ids_have_the_form_of_aws() {
        assert!(id("AWS::EC2::VPC").starts_with("vpc-0"));
        assert_eq!(id("AWS::EC2::VPC").len(), "vpc-0".len() + 16);
        assert!(id("AWS::S3::Bucket").starts_with("canary-edge-thing-"));
        let balancer = id("AWS::ElasticLoadBalancingV2::LoadBalancer");
        let head =
            "arn:aws:elasticloadbalancing:eu-west-1:123456789012:loadbalancer/net/canary-Thing-";
        assert!(balancer.starts_with(head), "{balancer}");
        assert!(id("AWS::IAM::Role").starts_with("canary-edge-Thing-"));
        let policy = "arn:aws:iam::123456789012:policy/canary-edge-Thing-";
        assert!(id("AWS::IAM::ManagedPolicy").starts_with(policy));
        assert_ne!(
            id("AWS::EC2::VPC"),
            physical(&setting(), "canary-edge", "Thing", "AWS::EC2::VPC", 1)
        );
    }

    #[test]
    fn attributes_have_the_form_of_aws() {
        let of = |of_type: &str, id: &str, name: &str| attribute(&setting(), of_type, id, name, 4);
        assert_eq!(
            of("AWS::KMS::Key", "7f-1", "Arn"),
            "arn:aws:kms:eu-west-1:123456789012:key/7f-1"
        );
        assert_eq!(of("AWS::S3::Bucket", "b", "Arn"), "arn:aws:s3:::b");
        assert_eq!(
            of("AWS::IAM::Role", "r", "Arn"),
            "arn:aws:iam::123456789012:role/r"
        );
        assert_eq!(
            of("AWS::EC2::LaunchTemplate", "lt-1", "LatestVersionNumber"),
            "4"
        );
        let host = of("AWS::RDS::DBInstance", "db", "Endpoint.Address");
        assert!(host.starts_with("db.") && host.ends_with(".eu-west-1.rds.amazonaws.com"));
        let name = of(
            "AWS::ElasticLoadBalancingV2::LoadBalancer",
            "arn:aws:elasticloadbalancing:eu-west-1:1:loadbalancer/net/name/50dc6c495c0c9188",
            "DNSName",
        );
        assert!(name.starts_with("name-") && name.ends_with(".elb.eu-west-1.amazonaws.com"));
    }
}
