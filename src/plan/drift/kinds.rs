//! What becomes of a drift, by the kind of resource and property. One table: which differences are expected because AWS
//! or the cluster itself makes them, which can't be taken back, and what a resource that is gone needs.
//! What the tool does to groups beside their templates (suspended processes, sizes) is no property that a template sets,
//! so CloudFormation never compares it.

use crate::cloud::Difference;

const GROUP: &str = "AWS::AutoScaling::AutoScalingGroup";
const DATABASE: &str = "AWS::RDS::DBInstance";
const VOLUME: &str = "AWS::EC2::Volume";

/// How a property that differs from its template is to be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PropertyKind {
    /// AWS or the cluster changes it; the reason.
    Expected(&'static str),
    /// AWS refuses to set it back: the definition has to follow.
    OnlyGrows,
    /// It can be set back.
    Reversible,
}

/// What a resource that was deleted outside CloudFormation needs beside being created again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum GoneKind {
    /// Nothing.
    Stateless,
    /// The cluster's key, which can't be created again as what it was.
    Key,
    /// The database: created again, it is empty.
    Database,
    /// The etcd volume of a control-plane node: created again, it is empty.
    EtcdVolume,
    /// A bucket: created again, it is empty.
    Bucket,
}

impl PropertyKind {
    /// The table. `sizes_itself` is whether the group's size belongs to the autoscaler or the operator.
    pub(super) fn of(resource_type: &str, difference: &Difference, sizes_itself: bool) -> Self {
        let path = difference.path.strip_prefix("Properties.");
        let path = path.unwrap_or(&difference.path);
        match (resource_type, path) {
            (GROUP, "DesiredCapacity") if sizes_itself => {
                Self::Expected("the size of a pool belongs to the autoscaler or to you")
            }
            (DATABASE, "EngineVersion") => Self::OnlyGrows,
            // What RDS grew within the limit is none: `plan::sizes` takes it out before.
            (DATABASE, "AllocatedStorage") | (VOLUME, "Size") if grown(difference) => {
                Self::OnlyGrows
            }
            (_, path) if path.starts_with("Tags") && is_aws_tag(difference) => {
                Self::Expected("AWS adds this tag")
            }
            _ => Self::Reversible,
        }
    }
}

impl GoneKind {
    /// Whether a new one in its place would be the loss.
    pub(super) fn is_lost(self) -> bool {
        match self {
            Self::Key | Self::Database => true,
            Self::Stateless | Self::EtcdVolume | Self::Bucket => false,
        }
    }

    /// The table.
    pub(super) fn of(resource_type: &str) -> Self {
        match resource_type {
            "AWS::KMS::Key" => Self::Key,
            DATABASE => Self::Database,
            VOLUME => Self::EtcdVolume,
            "AWS::S3::Bucket" => Self::Bucket,
            _ => Self::Stateless,
        }
    }
}

fn grown(difference: &Difference) -> bool {
    let number = |text: &Option<String>| text.as_deref()?.parse::<u64>().ok();
    let sizes = number(&difference.expected).zip(number(&difference.actual));
    sizes.is_some_and(|(expected, actual)| actual > expected)
}

/// Whether it is a tag that the template has not, in the space of names that only AWS writes.
fn is_aws_tag(difference: &Difference) -> bool {
    let actual = difference.actual.as_deref().unwrap_or_default();
    let tag: serde_json::Value = serde_json::from_str(actual).unwrap_or_default();
    let name = tag["Key"].as_str().unwrap_or_default();
    difference.expected.is_none() && name.starts_with("aws:")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(resource_type: &str, path: &str, expected: &str, actual: &str) -> PropertyKind {
        let value = |text: &str| Some(text.to_owned()).filter(|text| text != "-");
        let difference = Difference {
            path: format!("Properties.{path}"),
            expected: value(expected),
            actual: value(actual),
        };
        PropertyKind::of(resource_type, &difference, true)
    }

    #[test]
    fn drift_that_aws_makes_itself_is_expected() {
        let expected = |kind| matches!(kind, PropertyKind::Expected(_));
        assert!(expected(kind(GROUP, "DesiredCapacity", "2", "4")));
        let tag = r#"{"Key":"aws:backup:source","Value":"x"}"#;
        assert!(expected(kind("AWS::EC2::VPC", "Tags.3", "-", tag)));
        for other in [
            kind(GROUP, "MaxSize", "2", "4"),
            kind(DATABASE, "AllocatedStorage", "40", "20"),
            // RDS takes any limit above the storage.
            kind(DATABASE, "MaxAllocatedStorage", "100", "200"),
            kind("AWS::EC2::VPC", "Tags.3", "-", &tag.replace("aws:", "my:")),
            kind("AWS::EC2::VPC", "Tags.3.Value", "aws:a", "b"),
        ] {
            assert_eq!(other, PropertyKind::Reversible);
        }
        let one = Difference {
            path: "Properties.DesiredCapacity".to_owned(),
            expected: Some("1".to_owned()),
            actual: Some("0".to_owned()),
        };
        let of_control_plane = PropertyKind::of(GROUP, &one, false);
        assert_eq!(of_control_plane, PropertyKind::Reversible);
    }

    #[test]
    fn drift_that_aws_refuses_to_set_back_has_to_be_written_down() {
        for grown in [
            kind(DATABASE, "EngineVersion", "17.5", "17.6"),
            kind(DATABASE, "AllocatedStorage", "20", "40"),
            kind(VOLUME, "Size", "20", "40"),
        ] {
            assert_eq!(grown, PropertyKind::OnlyGrows);
        }
    }
}
