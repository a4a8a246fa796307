//! How the AWS price list names what [`super::prices`] names: service codes and attributes for its
//! `GetProducts`. Words only; who asks, and how, is not known here.

use super::prices::{Meter, PriceKey, Zones};

/// A question to the AWS price list that has one on-demand price for an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// `AmazonEC2`, `AmazonRDS`, …
    pub service: &'static str,
    /// Attributes that have to match exactly, by name.
    pub filters: Vec<(&'static str, String)>,
}

/// The beginning of a usage type in each region (`EU-NatGateway-Hours`). In us-east-1 there is none, but
/// for the services that write `USE1`.
const PREFIXES: &[(&str, &str)] = &[
    ("af-south-1", "AFS1"),
    ("ap-east-1", "APE1"),
    ("ap-east-2", "APE2"),
    ("ap-northeast-1", "APN1"),
    ("ap-northeast-2", "APN2"),
    ("ap-northeast-3", "APN3"),
    ("ap-south-1", "APS3"),
    ("ap-south-2", "APS5"),
    ("ap-southeast-1", "APS1"),
    ("ap-southeast-2", "APS2"),
    ("ap-southeast-3", "APS4"),
    ("ap-southeast-4", "APS6"),
    ("ap-southeast-5", "APS7"),
    ("ap-southeast-6", "APS8"),
    ("ap-southeast-7", "APS9"),
    ("ca-central-1", "CAN1"),
    ("ca-west-1", "CAN2"),
    ("eu-central-1", "EUC1"),
    ("eu-central-2", "EUC2"),
    ("eu-north-1", "EUN1"),
    ("eu-south-1", "EUS1"),
    ("eu-south-2", "EUS2"),
    ("eu-west-1", "EU"),
    ("eu-west-2", "EUW2"),
    ("eu-west-3", "EUW3"),
    ("il-central-1", "ILC1"),
    ("me-central-1", "MEC1"),
    ("me-south-1", "MES1"),
    ("mx-central-1", "MXC1"),
    ("sa-east-1", "SAE1"),
    ("us-east-1", "USE1"),
    ("us-east-2", "USE2"),
    ("us-gov-east-1", "UGE1"),
    ("us-gov-west-1", "UGW1"),
    ("us-west-1", "USW1"),
    ("us-west-2", "USW2"),
];

impl PriceKey {
    /// What to ask the AWS price list for. `None` for what it can't be asked in this way: prices that
    /// are the same everywhere, and regions whose usage types are not known.
    pub fn query(&self) -> Option<Query> {
        let usage = |word: &str| usage_type(&self.region, word).map(|name| ("usagetype", name));
        let (service, mut filters) = match &self.meter {
            Meter::Instance(name) => ("AmazonEC2", machine(name)),
            Meter::Database(zones, class) => ("AmazonRDS", database(*zones, class)),
            Meter::DatabaseStorage(zones) => ("AmazonRDS", database_storage(*zones)),
            Meter::NatHour => ("AmazonEC2", vec![usage("NatGateway-Hours")?]),
            Meter::NatRegionalHour => ("AmazonEC2", vec![usage("RegionalNatGateway-Hours")?]),
            Meter::NlbHour => {
                let family = ("productFamily", "Load Balancer-Network".to_owned());
                ("AWSELB", vec![family, usage("LoadBalancerUsage")?])
            }
            Meter::Ipv4Hour => ("AmazonVPC", vec![usage("USE1-PublicIPv4:InUseAddress")?]),
            Meter::EndpointHour => ("AmazonVPC", vec![usage("USE1-VpcEndpoint-Hours")?]),
            Meter::VolumeGib => ("AmazonEC2", vec![usage("EBS:VolumeUsage.gp3")?]),
            Meter::VolumeIops => ("AmazonEC2", vec![usage("EBS:VolumeP-IOPS.gp3")?]),
            // The list has the throughput by GiB/s, everybody else by MiB/s. The others cost a dollar,
            // forty cents and half a dollar in every region of the table.
            Meter::VolumeThroughput | Meter::Key | Meter::Secret | Meter::Zone => return None,
        };
        filters.push(("regionCode", self.region.clone()));
        Some(Query { service, filters })
    }
}

fn machine(name: &str) -> Vec<(&'static str, String)> {
    let fixed = [
        ("operatingSystem", "Linux"),
        ("tenancy", "Shared"),
        ("preInstalledSw", "NA"),
        ("capacitystatus", "Used"),
        ("marketoption", "OnDemand"),
    ];
    let fixed = fixed.map(|(name, value)| (name, value.to_owned()));
    [("instanceType", name.to_owned())]
        .into_iter()
        .chain(fixed)
        .collect()
}

fn database(zones: Zones, class: &str) -> Vec<(&'static str, String)> {
    vec![
        ("productFamily", "Database Instance".to_owned()),
        ("instanceType", class.to_owned()),
        ("databaseEngine", "PostgreSQL".to_owned()),
        ("deploymentOption", deployment(zones)),
    ]
}

fn database_storage(zones: Zones) -> Vec<(&'static str, String)> {
    vec![
        ("productFamily", "Database Storage".to_owned()),
        ("volumeType", "General Purpose-GP3".to_owned()),
        ("databaseEngine", "PostgreSQL".to_owned()),
        ("deploymentOption", deployment(zones)),
    ]
}

fn deployment(zones: Zones) -> String {
    match zones {
        Zones::One => "Single-AZ".to_owned(),
        Zones::Two => "Multi-AZ".to_owned(),
    }
}

/// A usage type as `region` writes it; `word` is how us-east-1 does.
fn usage_type(region: &str, word: &str) -> Option<String> {
    if region == "us-east-1" {
        return Some(word.to_owned());
    }
    let (_, prefix) = PREFIXES.iter().find(|(name, _)| *name == region)?;
    let bare = word.strip_prefix("USE1-").unwrap_or(word);
    Some(format!("{prefix}-{bare}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::regions;

    fn told(region: &str, meter: &str) -> String {
        let key = PriceKey::new(region, meter.parse().unwrap());
        let query = key.query().unwrap();
        let filters = query
            .filters
            .iter()
            .map(|(name, value)| format!("{name}={value}"));
        format!(
            "{} {}",
            query.service,
            filters.collect::<Vec<_>>().join(" ")
        )
    }

    #[test]
    fn a_machine_is_asked_for_as_the_price_list_names_it() {
        assert_eq!(
            told("eu-west-1", "instance m7g.large"),
            "AmazonEC2 instanceType=m7g.large operatingSystem=Linux tenancy=Shared \
             preInstalledSw=NA capacitystatus=Used marketoption=OnDemand regionCode=eu-west-1"
        );
        assert_eq!(
            told("us-east-1", "database multi db.m7g.large"),
            "AmazonRDS productFamily=Database Instance instanceType=db.m7g.large \
             databaseEngine=PostgreSQL deploymentOption=Multi-AZ regionCode=us-east-1"
        );
    }

    #[test]
    fn a_usage_type_is_written_as_its_region_writes_it() {
        assert_eq!(
            told("us-east-1", "nat-hour"),
            "AmazonEC2 usagetype=NatGateway-Hours regionCode=us-east-1"
        );
        assert_eq!(
            told("eu-west-1", "ipv4-hour"),
            "AmazonVPC usagetype=EU-PublicIPv4:InUseAddress regionCode=eu-west-1"
        );
    }

    #[test]
    fn every_region_of_the_catalogue_can_be_asked() {
        for region in regions::names() {
            assert!(
                PriceKey::new(region, Meter::NatHour).query().is_some(),
                "{region}"
            );
        }
    }
}
