//! AWS regions: the zones, machine types and database classes that a cluster takes by default, and what some
//! regions do not have.

/// Regions with three zones or more, and the letters of the default ones. The letters that an
/// account sees are the same for all accounts but in the oldest regions; there the common ones stand.
const REGIONS: &[(&str, &str)] = &[
    ("af-south-1", "abc"),
    ("ap-east-1", "abc"),
    ("ap-east-2", "abc"),
    ("ap-northeast-1", "acd"),
    ("ap-northeast-2", "abc"),
    ("ap-northeast-3", "abc"),
    ("ap-south-1", "abc"),
    ("ap-south-2", "abc"),
    ("ap-southeast-1", "abc"),
    ("ap-southeast-2", "abc"),
    ("ap-southeast-3", "abc"),
    ("ap-southeast-4", "abc"),
    ("ap-southeast-5", "abc"),
    ("ap-southeast-6", "abc"),
    ("ap-southeast-7", "abc"),
    ("ca-central-1", "abd"),
    ("ca-west-1", "abc"),
    ("eu-central-1", "abc"),
    ("eu-central-2", "abc"),
    ("eu-north-1", "abc"),
    ("eu-south-1", "abc"),
    ("eu-south-2", "abc"),
    ("eu-west-1", "abc"),
    ("eu-west-2", "abc"),
    ("eu-west-3", "abc"),
    ("il-central-1", "abc"),
    ("me-central-1", "abc"),
    ("me-south-1", "abc"),
    ("mx-central-1", "abc"),
    ("sa-east-1", "abc"),
    ("us-east-1", "abc"),
    ("us-east-2", "abc"),
    ("us-gov-east-1", "abc"),
    ("us-gov-west-1", "abc"),
    ("us-west-1", "ac"),
    ("us-west-2", "abc"),
];

/// Regions of other partitions of AWS, by the start of their names, and why no cluster can be there: endpoints, service
/// names in policies and what machines download are those of the commercial and the US government partition.
const UNSUPPORTED: &[(&str, &str)] = &[
    ("cn-", "China regions are not supported yet"),
    ("us-iso", "isolated regions are not supported"),
    ("eu-iso", "isolated regions are not supported"),
    (
        "eusc-",
        "regions of the European Sovereign Cloud are not supported yet",
    ),
];

/// The machine types and database classes of the defaults, by preference: the second is of the same size.
const WORKERS: [&str; 2] = ["m7g.large", "m6g.large"];
const DATABASES: [&str; 2] = ["db.t4g.medium", "db.t3.medium"];
const SMALL_DATABASES: [&str; 2] = ["db.t4g.micro", "db.t3.micro"];

/// Which of them a region does not offer, after the tables of cfn-lint 1.58.0 of 2026-10-20. A test compares both.
const NOT_OFFERED: &[(&str, &[&str])] = &[
    ("ca-west-1", &["m7g.large", "db.t4g.medium", "db.t4g.micro"]),
    ("eu-south-1", &["m7g.large"]),
];

/// Where CloudFormation knows `AWS::EC2::SubnetCidrReservation`: the regions whose resource schemas, as cfn-lint 1.58.0
/// carries them, have it.
const WITH_SUBNET_RESERVATIONS: [&str; 2] = ["us-east-1", "us-west-2"];

/// The instance type of a pool that names none: 2 vCPU and 8 GiB of Graviton.
pub fn default_worker(region: &str) -> &'static str {
    offered(region, WORKERS)
}

/// The class of a database that names none: 2 vCPU and 4 GiB.
pub fn default_database(region: &str) -> &'static str {
    offered(region, DATABASES)
}

/// The class of a small copy of a database: 2 vCPU and 1 GiB.
pub fn small_database(region: &str) -> &'static str {
    offered(region, SMALL_DATABASES)
}

fn offered(region: &str, [first, second]: [&'static str; 2]) -> &'static str {
    let mut lacking = NOT_OFFERED.iter();
    let lacks = lacking.any(|(name, types)| *name == region && types.contains(&first));
    if lacks { second } else { first }
}

/// Whether a NAT gateway can be regional, one over all zones: since 19 November 2025 in every commercial region, and
/// not in GovCloud.
pub fn has_regional_nat(region: &str) -> bool {
    !region.starts_with("us-gov-")
}

/// Whether a stack can reserve a range of a subnet.
pub fn has_subnet_reservations(region: &str) -> bool {
    WITH_SUBNET_RESERVATIONS.contains(&region)
}

/// Why there can be no cluster in a region; `None` where there can.
pub fn unsupported(region: &str) -> Option<&'static str> {
    let mut all = UNSUPPORTED.iter();
    let found = all.find(|(start, _)| region.starts_with(start))?;
    Some(found.1)
}

/// Every region of the catalogue.
pub fn names() -> impl Iterator<Item = &'static str> {
    REGIONS.iter().map(|(name, _)| *name)
}

/// The default zones of a region by full name. `None` for a region outside the catalogue: its zones
/// have to be written down.
pub fn default_zones(region: &str) -> Option<Vec<String>> {
    let (name, letters) = REGIONS.iter().find(|(name, _)| *name == region)?;
    Some(
        letters
            .chars()
            .map(|letter| format!("{name}{letter}"))
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_differ_where_a_region_lacks_the_first_choice() {
        assert_eq!(default_worker("eu-west-1"), "m7g.large");
        assert_eq!(default_worker("eu-south-1"), "m6g.large");
        assert_eq!(default_database("eu-south-1"), "db.t4g.medium");
        assert_eq!(default_database("ca-west-1"), "db.t3.medium");
        assert_eq!(small_database("ca-west-1"), "db.t3.micro");
        assert!(
            NOT_OFFERED
                .iter()
                .all(|(region, _)| default_zones(region).is_some())
        );
    }

    #[test]
    fn regional_nat_is_not_in_govcloud() {
        assert!(has_regional_nat("eu-west-1"));
        assert!(!has_regional_nat("us-gov-west-1"));
    }
}
