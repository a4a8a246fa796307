//! AWS regions and the zones that a cluster takes by default.

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
