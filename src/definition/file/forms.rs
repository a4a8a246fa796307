//! Forms of list items, for the schema only: the values themselves are plain text.

use schemars::JsonSchema;

/// A range of IPv4 addresses.
#[derive(JsonSchema)]
#[schemars(extend(
    "pattern" = r"^[0-9.]+/[0-9]+$",
    "patternErrorMessage" = "expected an IPv4 range",
    "examples" = ["203.0.113.0/24"]
))]
pub(super) struct Range(#[expect(dead_code, reason = "schema only")] String);

/// An availability zone.
#[derive(JsonSchema)]
#[schemars(extend(
    "pattern" = r"^[a-z]{2,}(-[a-z]+)+-[0-9][a-z]$",
    "patternErrorMessage" = "expected an availability zone",
    "examples" = ["eu-west-1a"]
))]
pub(super) struct ZoneName(#[expect(dead_code, reason = "schema only")] String);

/// An EC2 instance type.
#[derive(JsonSchema)]
#[schemars(extend(
    "pattern" = r"^[a-z][a-z0-9-]*[0-9][a-z0-9-]*\.[a-z0-9-]+$",
    "patternErrorMessage" = "expected an instance type",
    "examples" = ["m7g.large"]
))]
pub(super) struct InstanceType(#[expect(dead_code, reason = "schema only")] String);

/// The ARN of an IAM role.
#[derive(JsonSchema)]
#[schemars(extend(
    "pattern" = r"^arn:aws[a-z-]*:iam::[0-9]{12}:role/[A-Za-z0-9_+=,.@/-]+$",
    "patternErrorMessage" = "expected the ARN of an IAM role",
    "examples" = ["arn:aws:iam::111122223333:role/oncall"]
))]
pub(super) struct RoleArn(#[expect(dead_code, reason = "schema only")] String);

/// The name of a Kubernetes namespace.
#[derive(JsonSchema)]
#[schemars(extend(
    "pattern" = r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$",
    "patternErrorMessage" = "expected a namespace: up to 63 lower-case letters, digits and dashes, a letter or digit first and last",
    "examples" = ["web"]
))]
pub(super) struct NamespaceName(#[expect(dead_code, reason = "schema only")] String);
