//! The IAM actions that creating a cluster takes from the caller of `apply`: CloudFormation calls every service with the
//! caller's rights. From the permissions that the resource types' schemas name for their create handlers, without those
//! for properties that no template here has.

/// On a stack, by CloudFormation's own API.
pub const STACK: &[&str] = &[
    "cloudformation:CreateStack",
    "cloudformation:DescribeStacks",
    "cloudformation:DescribeStackEvents",
    "cloudformation:GetTemplate",
    "cloudformation:ListStackResources",
    "cloudformation:SetStackPolicy",
    "cloudformation:UpdateTerminationProtection",
];

/// On the parameters that hold the authorities.
pub const PARAMETERS: &[&str] = &["ssm:GetParameter", "ssm:PutParameter"];

/// On the objects and secrets that are put under the cluster's key.
pub const OBJECTS: &[&str] = &[
    "kms:Decrypt",
    "kms:Encrypt",
    "kms:GenerateDataKey",
    "s3:GetObject",
    "s3:PutObject",
];

/// What CloudFormation does in the caller's name to create a resource; `None` for a type outside the table.
pub fn to_create(resource_type: &str) -> Option<&'static [&'static str]> {
    TABLE
        .iter()
        .find(|(name, _)| *name == resource_type)
        .map(|(_, actions)| *actions)
}

const TABLE: &[(&str, &[&str])] = &[
    (
        "AWS::AutoScaling::AutoScalingGroup",
        &[
            "autoscaling:CreateAutoScalingGroup",
            "autoscaling:CreateOrUpdateTags",
            "autoscaling:DescribeAutoScalingGroups",
            "autoscaling:DescribeScalingActivities",
            "autoscaling:UpdateAutoScalingGroup",
            "ec2:RunInstances",
            "iam:PassRole",
        ],
    ),
    (
        "AWS::EC2::EIP",
        &[
            "ec2:AllocateAddress",
            "ec2:CreateTags",
            "ec2:DescribeAddresses",
        ],
    ),
    (
        "AWS::EC2::EIPAssociation",
        &["ec2:AssociateAddress", "ec2:DescribeAddresses"],
    ),
    (
        "AWS::EC2::InternetGateway",
        &[
            "ec2:CreateInternetGateway",
            "ec2:CreateTags",
            "ec2:DescribeInternetGateways",
        ],
    ),
    (
        "AWS::EC2::LaunchTemplate",
        &[
            "ec2:CreateLaunchTemplate",
            "ec2:CreateTags",
            "ec2:DescribeLaunchTemplates",
        ],
    ),
    (
        "AWS::EC2::NatGateway",
        &[
            "ec2:CreateNatGateway",
            "ec2:CreateTags",
            "ec2:DescribeNatGateways",
        ],
    ),
    (
        "AWS::EC2::NetworkInterface",
        &[
            "ec2:CreateNetworkInterface",
            "ec2:CreateTags",
            "ec2:DescribeNetworkInterfaces",
        ],
    ),
    (
        "AWS::EC2::Route",
        &["ec2:CreateRoute", "ec2:DescribeRouteTables"],
    ),
    (
        "AWS::EC2::RouteTable",
        &[
            "ec2:CreateRouteTable",
            "ec2:CreateTags",
            "ec2:DescribeRouteTables",
        ],
    ),
    (
        "AWS::EC2::SecurityGroup",
        &[
            "ec2:AuthorizeSecurityGroupEgress",
            "ec2:AuthorizeSecurityGroupIngress",
            "ec2:CreateSecurityGroup",
            "ec2:CreateTags",
            "ec2:DescribeSecurityGroups",
            "ec2:RevokeSecurityGroupEgress",
        ],
    ),
    (
        "AWS::EC2::SecurityGroupIngress",
        &[
            "ec2:AuthorizeSecurityGroupIngress",
            "ec2:DescribeSecurityGroupRules",
        ],
    ),
    (
        "AWS::EC2::Subnet",
        &[
            "ec2:CreateSubnet",
            "ec2:CreateTags",
            "ec2:DescribeSubnets",
            "ec2:ModifySubnetAttribute",
        ],
    ),
    (
        "AWS::EC2::SubnetCidrReservation",
        &["ec2:CreateSubnetCidrReservation"],
    ),
    (
        "AWS::EC2::SubnetRouteTableAssociation",
        &["ec2:AssociateRouteTable", "ec2:DescribeRouteTables"],
    ),
    (
        "AWS::EC2::VPC",
        &[
            "ec2:CreateTags",
            "ec2:CreateVpc",
            "ec2:DescribeVpcs",
            "ec2:ModifyVpcAttribute",
        ],
    ),
    (
        "AWS::EC2::VPCEndpoint",
        &["ec2:CreateVpcEndpoint", "ec2:DescribeVpcEndpoints"],
    ),
    (
        "AWS::EC2::VPCGatewayAttachment",
        &["ec2:AttachInternetGateway", "ec2:DescribeInternetGateways"],
    ),
    (
        "AWS::EC2::Volume",
        &[
            "ec2:CreateTags",
            "ec2:CreateVolume",
            "ec2:DescribeVolumes",
            "kms:CreateGrant",
            "kms:DescribeKey",
            "kms:GenerateDataKeyWithoutPlaintext",
        ],
    ),
    (
        "AWS::ElasticLoadBalancingV2::Listener",
        &[
            "elasticloadbalancing:CreateListener",
            "elasticloadbalancing:DescribeListeners",
        ],
    ),
    (
        "AWS::ElasticLoadBalancingV2::LoadBalancer",
        &[
            "elasticloadbalancing:AddTags",
            "elasticloadbalancing:CreateLoadBalancer",
            "elasticloadbalancing:DescribeLoadBalancers",
            "elasticloadbalancing:ModifyLoadBalancerAttributes",
        ],
    ),
    (
        "AWS::ElasticLoadBalancingV2::TargetGroup",
        &[
            "elasticloadbalancing:AddTags",
            "elasticloadbalancing:CreateTargetGroup",
            "elasticloadbalancing:DescribeTargetGroups",
            "elasticloadbalancing:ModifyTargetGroupAttributes",
        ],
    ),
    (
        "AWS::IAM::InstanceProfile",
        &[
            "iam:AddRoleToInstanceProfile",
            "iam:CreateInstanceProfile",
            "iam:GetInstanceProfile",
            "iam:PassRole",
        ],
    ),
    (
        "AWS::IAM::ManagedPolicy",
        &["iam:AttachRolePolicy", "iam:CreatePolicy", "iam:GetPolicy"],
    ),
    (
        "AWS::IAM::OIDCProvider",
        &[
            "iam:CreateOpenIDConnectProvider",
            "iam:GetOpenIDConnectProvider",
            "iam:TagOpenIDConnectProvider",
        ],
    ),
    (
        "AWS::IAM::Policy",
        &["iam:GetRolePolicy", "iam:PutRolePolicy"],
    ),
    (
        "AWS::IAM::Role",
        &[
            "iam:AttachRolePolicy",
            "iam:CreateRole",
            "iam:GetRole",
            "iam:TagRole",
        ],
    ),
    ("AWS::KMS::Alias", &["kms:CreateAlias"]),
    (
        "AWS::KMS::Key",
        &[
            "kms:CreateKey",
            "kms:DescribeKey",
            "kms:EnableKeyRotation",
            "kms:PutKeyPolicy",
            "kms:TagResource",
        ],
    ),
    (
        "AWS::RDS::DBInstance",
        &[
            "kms:CreateGrant",
            "kms:DescribeKey",
            "rds:AddTagsToResource",
            "rds:CreateDBInstance",
            "rds:DescribeDBInstances",
            "secretsmanager:CreateSecret",
            "secretsmanager:TagResource",
        ],
    ),
    (
        "AWS::RDS::DBParameterGroup",
        &[
            "rds:AddTagsToResource",
            "rds:CreateDBParameterGroup",
            "rds:DescribeDBParameterGroups",
            "rds:ModifyDBParameterGroup",
        ],
    ),
    (
        "AWS::RDS::DBSubnetGroup",
        &[
            "rds:AddTagsToResource",
            "rds:CreateDBSubnetGroup",
            "rds:DescribeDBSubnetGroups",
        ],
    ),
    (
        "AWS::Route53::RecordSet",
        &["route53:ChangeResourceRecordSets", "route53:GetChange"],
    ),
    (
        "AWS::S3::Bucket",
        &[
            "s3:CreateBucket",
            "s3:PutBucketOwnershipControls",
            "s3:PutBucketPublicAccessBlock",
            "s3:PutBucketTagging",
            "s3:PutBucketVersioning",
            "s3:PutEncryptionConfiguration",
            "s3:PutLifecycleConfiguration",
        ],
    ),
    (
        "AWS::S3::BucketPolicy",
        &["s3:GetBucketPolicy", "s3:PutBucketPolicy"],
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions_have_the_form_of_iam() {
        let of_types = TABLE.iter().flat_map(|(_, actions)| actions.iter());
        for action in of_types.chain(STACK).chain(PARAMETERS).chain(OBJECTS) {
            let (service, name) = action.split_once(':').unwrap_or_default();
            assert!(
                service
                    .chars()
                    .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit()),
                "{action}"
            );
            assert!(
                name.starts_with(|c: char| c.is_ascii_uppercase()),
                "{action}"
            );
        }
    }
}
