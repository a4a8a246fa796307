//! What is known of CloudFormation resource types: which hold data, which properties replace them.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;

#[derive(Deserialize)]
struct Table {
    types: BTreeMap<String, CreateOnly>,
}

/// The properties whose change replaces a resource of a type.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CreateOnly {
    /// Always replaces.
    pub create_only: Vec<String>,
    /// Replaces depending on the values: CloudFormation calls it conditional.
    #[serde(default)]
    pub conditional_create_only: Vec<String>,
}

static TABLE: LazyLock<Table> =
    LazyLock::new(|| super::table("create-only.json", include_str!("data/create-only.json")));

/// The create-only properties of a type, `None` for a type outside the table.
pub fn create_only(resource_type: &str) -> Option<&'static CreateOnly> {
    TABLE.types.get(resource_type)
}

/// Whether a change of this property at most interrupts a resource, although its schema (and so a
/// change set) calls it a conditional replacement. From the property reference of the CloudFormation
/// user guide, "Update requires: Some interruptions" or none.
///
/// A group of machines is replaced only under `AutoScalingReplacingUpdate`, which is the caller's to
/// look for.
pub fn interrupts_only(resource_type: &str, property: &str) -> bool {
    match resource_type {
        "AWS::RDS::DBInstance" => matches!(
            property,
            "AutoMinorVersionUpgrade"
                | "BackupRetentionPeriod"
                | "DBParameterGroupName"
                | "MultiAZ"
                | "PerformanceInsightsKMSKeyId"
                | "PreferredMaintenanceWindow"
        ),
        "AWS::AutoScaling::AutoScalingGroup" => matches!(
            property,
            "LaunchTemplate" | "MixedInstancesPolicy" | "VPCZoneIdentifier"
        ),
        _ => false,
    }
}

/// What others rely on in a resource of this type that holds no data: its replacement cuts them off. `None` for all
/// other types.
pub fn relied_on(resource_type: &str) -> Option<&'static str> {
    match resource_type {
        "AWS::EC2::NetworkInterface" => Some("an address that others rely on"),
        "AWS::ElasticLoadBalancingV2::LoadBalancer" => Some(
            "the way to the API, which is away until the control-plane nodes serve behind another one",
        ),
        "AWS::Route53::RecordSet" => Some("the name by which nodes and kubeconfigs find the API"),
        _ => None,
    }
}

/// What would be lost if a resource of this type were deleted or replaced, in plain words;
/// `None` for what can be made again from the definition alone.
pub fn stored_data(resource_type: &str) -> Option<&'static str> {
    match resource_type {
        "AWS::RDS::DBInstance" => Some("the database and its automated backups"),
        "AWS::EC2::Volume" => Some("the state of the cluster in etcd"),
        "AWS::KMS::Key" => Some("everything encrypted under the cluster's key"),
        "AWS::S3::Bucket" => Some("the bucket: bundles and etcd snapshots, or the pods' issuer"),
        "AWS::EC2::VPC" | "AWS::EC2::Subnet" | "AWS::RDS::DBSubnetGroup" => {
            Some("the network under the machines and the database")
        }
        _ => None,
    }
}
