//! The texts are those of AWS, as they stand in public reports of failed stacks; names and ids are ours.

use super::*;

const CREATE: Option<Operation> = Some(Operation::Create);
const UPDATE: Option<Operation> = Some(Operation::Update);
const DELETE: Option<Operation> = Some(Operation::Delete);

type Case = (&'static str, &'static str, Option<Operation>, &'static str);

/// Cause, type, operation, AWS's text.
const LIMITS: &[Case] = &[
    (
        "addressLimit",
        "AWS::EC2::EIP",
        CREATE,
        "Resource handler returned message: \"The maximum number of addresses has been reached. (Service: Ec2, Status Code: 400, Request ID: 6b8cf3d3)\" (RequestToken: 5f2495db, HandlerErrorCode: GeneralServiceException)",
    ),
    (
        "addressLimit",
        "AWS::EC2::EIP",
        CREATE,
        "The maximum number of addresses has been reached. (Service: AmazonEC2; Status Code: 400; Error Code: AddressLimitExceeded; Request ID: 4eab21b1)",
    ),
    (
        "vpcLimit",
        "AWS::EC2::VPC",
        CREATE,
        "The maximum number of VPCs has been reached.",
    ),
    (
        "internetGatewayLimit",
        "AWS::EC2::InternetGateway",
        CREATE,
        "The maximum number of internet gateways has been reached. (Service: Ec2, Status Code: 400, HandlerErrorCode: ServiceLimitExceeded)",
    ),
    (
        "natGatewayLimit",
        "AWS::EC2::NatGateway",
        CREATE,
        "Performing this operation would exceed the limit of 5 NAT gateways (Service: AmazonEC2; Status Code: 400; Error Code: NatGatewayLimitExceeded; Request ID: 1)",
    ),
    (
        "vcpuLimit",
        "AWS::AutoScaling::AutoScalingGroup",
        CREATE,
        "You have requested more vCPU capacity than your current vCPU limit of 32 allows for the instance bucket that the specified instance type belongs to. Please visit http://aws.amazon.com/contact-us/ec2-request to request an adjustment to this limit. Launching EC2 instance failed.",
    ),
    (
        "vcpuLimit",
        "AWS::AutoScaling::AutoScalingGroup",
        CREATE,
        "You have requested more instances (1) than your current instance limit of 0 allows for the specified instance type.",
    ),
    (
        "spotLimit",
        "AWS::AutoScaling::AutoScalingGroup",
        CREATE,
        "Max spot instance count exceeded. Launching EC2 instance failed.",
    ),
    (
        "securityGroupsPerInterface",
        "AWS::EC2::NetworkInterface",
        CREATE,
        "The maximum number of security groups for network interface has been reached",
    ),
    (
        "securityGroupRules",
        "AWS::EC2::SecurityGroupIngress",
        CREATE,
        "The maximum number of rules per security group has been reached. (Service: Ec2, Status Code: 400)",
    ),
    (
        "securityGroupLimit",
        "AWS::EC2::SecurityGroup",
        CREATE,
        "The maximum number of security groups for VPC 'vpc-1' has been reached.",
    ),
    (
        "loadBalancerLimit",
        "AWS::ElasticLoadBalancingV2::LoadBalancer",
        CREATE,
        "The maximum number of load balancers has been reached (Service: ElasticLoadBalancingV2, Status Code: 400) (HandlerErrorCode: ServiceLimitExceeded)",
    ),
    (
        "iamLimit",
        "AWS::IAM::Role",
        CREATE,
        "Cannot exceed quota for RolesPerAccount: 1000 (Service: Iam, Status Code: 409)",
    ),
    (
        "bucketLimit",
        "AWS::S3::Bucket",
        CREATE,
        "You have attempted to create more buckets than allowed",
    ),
    (
        "databaseLimit",
        "AWS::RDS::DBInstance",
        CREATE,
        "DB Instance quota exceeded (Service: Rds, Status Code: 400, Request ID: 1)",
    ),
    (
        "databaseStorageLimit",
        "AWS::RDS::DBInstance",
        CREATE,
        "This request would exceed your quota of allowed storage for DB instances. (Error Code: StorageQuotaExceeded)",
    ),
    (
        "snapshotLimit",
        "AWS::RDS::DBInstance",
        DELETE,
        "Cannot create more than 100 manual snapshots (Error Code: SnapshotQuotaExceeded)",
    ),
    (
        "keyLimit",
        "AWS::KMS::Key",
        CREATE,
        "You have reached the limit of keys (Service: Kms, Status Code: 400) (HandlerErrorCode: ServiceLimitExceeded)",
    ),
    (
        "stackLimit",
        "",
        CREATE,
        "Limit for stack has been exceeded",
    ),
];

const RIGHTS: &[Case] = &[
    (
        "accessDenied",
        "AWS::EC2::NatGateway",
        CREATE,
        "You are not authorized to perform this operation. User: arn:aws:sts::111122223333:assumed-role/ci/x is not authorized to perform: ec2:CreateNatGateway on resource: arn:aws:ec2:eu-west-1:111122223333:natgateway/* because no identity-based policy allows the ec2:CreateNatGateway action. Encoded authorization failure message: AbC",
    ),
    (
        "accessDenied",
        "AWS::EC2::Instance",
        CREATE,
        "API: ec2:RunInstances You are not authorized to perform this operation.",
    ),
    (
        "accessDenied",
        "AWS::S3::BucketPolicy",
        CREATE,
        "Access Denied (Service: S3, Status Code: 403)",
    ),
    (
        "encodedDenial",
        "AWS::EC2::VPC",
        CREATE,
        "You are not authorized to perform this operation. Encoded authorization failure message: AbC",
    ),
    (
        "organisationDenies",
        "AWS::IAM::Role",
        CREATE,
        "User: arn:aws:iam::111122223333:user/x is not authorized to perform: iam:CreateRole on resource: arn with an explicit deny in a service control policy",
    ),
    (
        "explicitDeny",
        "AWS::S3::Bucket",
        CREATE,
        "User: arn:aws:iam::111122223333:user/x is not authorized to perform: s3:CreateBucket on resource: arn with an explicit deny in an identity-based policy",
    ),
    (
        "serviceLinkedRole",
        "AWS::RDS::DBInstance",
        CREATE,
        "Unable to create the resource. Verify that you have permission to create service linked role. Otherwise wait and try again later",
    ),
    (
        "serviceLinkedRole",
        "AWS::ElasticLoadBalancingV2::LoadBalancer",
        CREATE,
        "User: arn is not authorized to perform: iam:CreateServiceLinkedRole on resource: arn",
    ),
    (
        "imageDenied",
        "AWS::EC2::Instance",
        CREATE,
        "API: ec2:RunInstances Not authorized for images: [ami-0abc]",
    ),
    (
        "keyPendingDeletion",
        "AWS::EC2::Volume",
        CREATE,
        "arn:aws:kms:eu-west-1:111122223333:key/1 is pending deletion. (Service: Kms, Status Code: 400)",
    ),
    (
        "keyNotUsable",
        "AWS::RDS::DBInstance",
        CREATE,
        "The specified KMS key [arn:aws:kms:eu-west-1:111122223333:key/1] does not exist, is not enabled or you do not have permissions to access it.",
    ),
    (
        "keyNotUsable",
        "AWS::AutoScaling::AutoScalingGroup",
        CREATE,
        "Instance became unhealthy while waiting for instance to be in InService state. Termination Reason: Client.InvalidKMSKey.InvalidState: The KMS key provided is in an incorrect state",
    ),
    (
        "clientErrorOnLaunch",
        "AWS::AutoScaling::AutoScalingGroup",
        CREATE,
        "Client.InternalError: Client error on launch",
    ),
    (
        "stackPolicy",
        "AWS::RDS::DBInstance",
        UPDATE,
        "Action denied by stack policy: Statement [#1] does not allow [Update:Replace] for resource [LogicalResourceId/Database];",
    ),
    (
        "protected",
        "AWS::RDS::DBInstance",
        DELETE,
        "Cannot delete protected DB Instance, please disable deletion protection and try again. (Service: Rds, Status Code: 400)",
    ),
    (
        "protected",
        "",
        DELETE,
        "Stack [canary-database] cannot be deleted while TerminationProtection is enabled",
    ),
    (
        "expiredToken",
        "",
        CREATE,
        "The security token included in the request is expired (Service: Ec2, Status Code: 403, Error Code: ExpiredToken)",
    ),
    (
        "hook",
        "AWS::S3::Bucket",
        CREATE,
        "The following hook(s) failed: [Private::Guard::S3SecurityGuardHook]",
    ),
    (
        "earlyValidation",
        "",
        CREATE,
        "The following hook(s)/validation failed: [AWS::EarlyValidation::ResourceExistenceCheck]. To troubleshoot Early Validation errors, use the DescribeEvents API for detailed failure information.",
    ),
];

const MACHINES: &[Case] = &[
    (
        "noCapacity",
        "AWS::AutoScaling::AutoScalingGroup",
        CREATE,
        "We currently do not have sufficient m7g.large capacity in the Availability Zone you requested (eu-west-1a). Our system will be working on provisioning additional capacity. Launching EC2 instance failed.",
    ),
    (
        "noCapacity",
        "AWS::AutoScaling::AutoScalingGroup",
        CREATE,
        "Could not launch Spot Instances. InsufficientInstanceCapacity - There is no Spot capacity available that matches your request. Launching EC2 instance failed.",
    ),
    (
        "typeNotInZone",
        "AWS::AutoScaling::AutoScalingGroup",
        CREATE,
        "Your requested instance type (t4g.medium) is not supported in your requested Availability Zone (us-east-1e). Please retry your request by not specifying an Availability Zone or choosing us-east-1a.",
    ),
    (
        "signalTimeout",
        "AWS::AutoScaling::AutoScalingGroup",
        CREATE,
        "Received 0 SUCCESS signal(s) out of 1.  Unable to satisfy 100% MinSuccessfulInstancesPercent requirement",
    ),
    (
        "signalTimeout",
        "AWS::EC2::Instance",
        CREATE,
        "Failed to receive 1 resource signal(s) within the specified duration",
    ),
    (
        "imageGone",
        "AWS::EC2::LaunchTemplate",
        CREATE,
        "The image id '[ami-0abc]' does not exist (Service: AmazonEC2; Status Code: 400; Error Code: InvalidAMIID.NotFound)",
    ),
    (
        "keyPairGone",
        "AWS::EC2::Instance",
        CREATE,
        "The key pair 'oncall' does not exist (Service: Ec2, Status Code: 400)",
    ),
    (
        "profileNotReady",
        "AWS::AutoScaling::AutoScalingGroup",
        CREATE,
        "You must use a valid fully-formed launch template. Value (canary-nodes) for parameter iamInstanceProfile.name is invalid. Invalid IAM Instance Profile name",
    ),
];

const DATABASES: &[Case] = &[
    (
        "databaseCapacity",
        "AWS::RDS::DBInstance",
        CREATE,
        "Cannot create a database instance because no subnets exist in availability zones with sufficient capacity for VPC : vpc-1 and storage type : gp3 for db.t4g.medium.",
    ),
    (
        "databaseClass",
        "AWS::RDS::DBInstance",
        CREATE,
        "RDS does not support creating a DB instance with the following combination: DBInstanceClass=db.t3.small, Engine=postgres, EngineVersion=17.4, LicenseModel=postgresql-license.",
    ),
    (
        "engineVersion",
        "AWS::RDS::DBInstance",
        CREATE,
        "Cannot find version 17.99 for postgres (Service: Rds, Status Code: 400)",
    ),
    (
        "engineVersion",
        "AWS::RDS::DBInstance",
        UPDATE,
        "Cannot upgrade postgres from 15.3 to 18.1",
    ),
    (
        "parameterFamily",
        "AWS::RDS::DBInstance",
        UPDATE,
        "The Parameter Group canary-16 with DBParameterGroupFamily postgres16 cannot be used for this instance. Please use a Parameter Group with DBParameterGroupFamily postgres17",
    ),
    (
        "zoneCoverage",
        "AWS::RDS::DBSubnetGroup",
        CREATE,
        "The DB subnet group doesn't meet Availability Zone (AZ) coverage requirement. Current AZ coverage: eu-west-1a. Add subnets to cover at least 2 AZs.",
    ),
    (
        "databasePassword",
        "AWS::RDS::DBInstance",
        CREATE,
        "The parameter MasterUserPassword is not a valid password. Only printable ASCII characters besides '/', '@', '\"', ' ' may be used.",
    ),
    (
        "storageOptimising",
        "AWS::RDS::DBInstance",
        UPDATE,
        "You can't currently modify the storage of this DB instance because the previous storage change is being optimized. (Service: Rds, Status Code: 400)",
    ),
    (
        "databaseBusy",
        "AWS::RDS::DBInstance",
        UPDATE,
        "Database instance is not in available state. (Error Code: InvalidDBInstanceState)",
    ),
    (
        "databaseTaken",
        "AWS::RDS::DBInstance",
        CREATE,
        "DB instance already exists (Service: Rds, Status Code: 400)",
    ),
    (
        "snapshotTaken",
        "AWS::RDS::DBInstance",
        DELETE,
        "Cannot create the snapshot because a snapshot with the identifier canary-final already exists. (Error Code: DBSnapshotAlreadyExists)",
    ),
    (
        "snapshotGone",
        "AWS::RDS::DBInstance",
        CREATE,
        "DBSnapshot not found: canary-final",
    ),
];

const NAMES: &[Case] = &[
    (
        "bucketTaken",
        "AWS::S3::Bucket",
        CREATE,
        "The requested bucket name is not available. The bucket namespace is shared by all users of the system. Please select a different name and try again. (Error Code: BucketAlreadyExists)",
    ),
    (
        "nameTaken",
        "AWS::IAM::Role",
        CREATE,
        "Resource of type 'AWS::IAM::Role' with identifier 'canary-nodes' already exists.",
    ),
    (
        "recordExists",
        "AWS::Route53::RecordSet",
        CREATE,
        "[Tried to create resource record set [name='api.canary.example.org.', type='A'] but it already exists]",
    ),
    (
        "zoneConflict",
        "AWS::Route53::HostedZone",
        CREATE,
        "The VPC vpc-1 in region eu-west-1 has already been associated with the hosted zone Z1 with the same domain name. (Error Code: ConflictingDomainExists)",
    ),
    (
        "zoneGone",
        "AWS::Route53::RecordSet",
        CREATE,
        "No hosted zone found with ID: Z123",
    ),
    (
        "cidrConflict",
        "AWS::EC2::Subnet",
        CREATE,
        "The CIDR '10.20.0.0/24' conflicts with another subnet (Service: Ec2, Status Code: 400)",
    ),
    (
        "inUse",
        "AWS::EC2::Subnet",
        DELETE,
        "The subnet 'subnet-1' has dependencies and cannot be deleted. (Service: Ec2, Status Code: 400) (HandlerErrorCode: InvalidRequest)",
    ),
    (
        "inUse",
        "AWS::EC2::SecurityGroup",
        DELETE,
        "resource sg-1 has a dependent object (Service: Ec2, Status Code: 400)",
    ),
    (
        "bucketNotEmpty",
        "AWS::S3::Bucket",
        DELETE,
        "The bucket you tried to delete is not empty. You must delete all versions in the bucket.",
    ),
    (
        "throttled",
        "AWS::IAM::Role",
        CREATE,
        "Rate exceeded (Service: Iam, Status Code: 400, HandlerErrorCode: Throttling)",
    ),
    ("internal", "AWS::EC2::VPC", CREATE, "Internal Failure"),
];

fn all() -> impl Iterator<Item = &'static Case> {
    [LIMITS, RIGHTS, MACHINES, DATABASES, NAMES]
        .into_iter()
        .flatten()
}

#[test]
fn the_real_words_of_aws_find_their_cause() {
    for (cause, of_type, operation, reason) in all() {
        let found = hint(of_type, *operation, reason).map(|hint| hint.cause);
        assert_eq!(found, Some(*cause), "{reason}");
    }
}

#[test]
fn every_hint_of_the_table_has_a_real_text() {
    let tried: Vec<&str> = all().map(|case| case.0).collect();
    assert!(TABLE.hints.len() >= 25, "the embedded table was not read");
    for entry in &TABLE.hints {
        assert!(tried.contains(&entry.cause.as_str()), "{}", entry.cause);
    }
}

#[test]
fn a_hint_fits_its_line_of_the_report() {
    for (_, of_type, operation, reason) in all() {
        let text = hint(of_type, *operation, reason).expect("a hint").text;
        assert!(text.len() <= 69, "{} columns: {text}", text.len());
        assert!(!text.contains('{'), "{text}");
    }
}

#[test]
fn a_quota_is_named_by_the_code_to_raise() {
    for entry in &TABLE.hints {
        if let Some(quota) = &entry.quota {
            assert!(entry.text.contains(&quota.code), "{}", entry.text);
        }
    }
}

#[test]
fn the_missing_action_is_read_from_the_reason() {
    let text = |reason: &str| hint("", CREATE, reason).expect("a hint").text;
    assert_eq!(
        text(RIGHTS[0].3),
        "ask for the IAM action ec2:CreateNatGateway, or use another profile"
    );
    assert_eq!(
        text(RIGHTS[1].3),
        "ask for the IAM action ec2:RunInstances, or use another profile"
    );
    assert!(text("Access Denied").contains("IAM policies"));
    assert!(text(LIMITS[12].3).contains("RolesPerAccount"));
}

#[test]
fn what_nobody_knows_has_no_hint() {
    assert_eq!(hint("AWS::EC2::VPC", CREATE, "the moon is full"), None);
    assert_eq!(hint("AWS::EC2::VPC", CREATE, ""), None);
    let deleted = hint("AWS::IAM::Role", DELETE, "already exists");
    assert_eq!(deleted, None, "a deletion takes no name");
}
