//! How the AWS price list names what [`super::prices`] names: service codes and attributes for its
//! `GetProducts`. Words only; who asks, and how, is not known here.

use super::prices::{HOME, Meter, PriceKey, Zones, usage_type_prefix};

/// A question to the AWS price list that has one on-demand price for an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// `AmazonEC2`, `AmazonRDS`, …
    pub service: &'static str,
    /// Attributes that have to match exactly, by name.
    pub filters: Filters,
}

impl PriceKey {
    /// What to ask the AWS price list for. `None` for what it can't be asked in this way: prices that
    /// are the same everywhere, and regions whose usage types are not known.
    pub fn query(&self) -> Option<Query> {
        let usage = |word: &str| {
            let name = usage_type(&self.region, word)?;
            Some(vec![("usagetype", name)])
        };
        let (service, mut filters) = match &self.meter {
            Meter::Instance(name) => ("AmazonEC2", machine(name)),
            Meter::Database(zones, class) => ("AmazonRDS", database(*zones, Some(class))),
            Meter::DatabaseStorage(zones) => ("AmazonRDS", database(*zones, None)),
            Meter::NatHour => ("AmazonEC2", usage("NatGateway-Hours")?),
            Meter::NatRegionalHour => ("AmazonEC2", usage("RegionalNatGateway-Hours")?),
            Meter::NlbHour => ("AWSELB", balancer("Load Balancer-Network", &self.region)?),
            Meter::AlbHour => (
                "AWSELB",
                balancer("Load Balancer-Application", &self.region)?,
            ),
            Meter::ClassicHour => ("AWSELB", balancer("Load Balancer", &self.region)?),
            Meter::Ipv4Hour => ("AmazonVPC", usage("USE1-PublicIPv4:InUseAddress")?),
            Meter::EndpointHour => ("AmazonVPC", usage("USE1-VpcEndpoint-Hours")?),
            Meter::VolumeGib => ("AmazonEC2", usage("EBS:VolumeUsage.gp3")?),
            Meter::VolumeIops => ("AmazonEC2", usage("EBS:VolumeP-IOPS.gp3")?),
            Meter::SnapshotGib => ("AmazonEC2", usage("EBS:SnapshotUsage")?),
            Meter::LogGib => ("AmazonCloudWatch", usage("USE1-TimedStorage-ByteHrs")?),
            // The list has the throughput by GiB/s, everybody else by MiB/s. The others cost a dollar,
            // forty cents and half a dollar in every region of the table.
            // Backups have an entry for each engine, and what one for Postgres is called was not seen.
            Meter::VolumeThroughput
            | Meter::BackupGib
            | Meter::Key
            | Meter::Secret
            | Meter::Zone => return None,
        };
        filters.push(("regionCode", self.region.clone()));
        Some(Query { service, filters })
    }
}

type Filters = Vec<(&'static str, String)>;

fn machine(name: &str) -> Filters {
    let all = [
        ("instanceType", name),
        ("operatingSystem", "Linux"),
        ("tenancy", "Shared"),
        ("preInstalledSw", "NA"),
        ("capacitystatus", "Used"),
        ("marketoption", "OnDemand"),
    ];
    all.map(|(name, value)| (name, value.to_owned())).into()
}

/// Load balancers of all kinds have one usage type.
fn balancer(family: &str, region: &str) -> Option<Filters> {
    Some(vec![
        ("productFamily", family.to_owned()),
        ("usagetype", usage_type(region, "LoadBalancerUsage")?),
    ])
}

/// A database of a class, or the storage under one.
fn database(zones: Zones, class: Option<&str>) -> Filters {
    let (family, name, value) = match class {
        Some(class) => ("Database Instance", "instanceType", class),
        None => ("Database Storage", "volumeType", "General Purpose-GP3"),
    };
    let deployment = match zones {
        Zones::One => "Single-AZ",
        Zones::Two => "Multi-AZ",
    };
    let all = [
        ("productFamily", family),
        (name, value),
        ("databaseEngine", "PostgreSQL"),
        ("deploymentOption", deployment),
    ];
    all.map(|(name, value)| (name, value.to_owned())).into()
}

/// A usage type as `region` writes it; `word` is how us-east-1 does.
fn usage_type(region: &str, word: &str) -> Option<String> {
    if region == HOME {
        return Some(word.to_owned());
    }
    let prefix = usage_type_prefix(region)?;
    let bare = word.strip_prefix("USE1-").unwrap_or(word);
    Some(format!("{prefix}-{bare}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::regions;

    fn asked(region: &str, meter: &str) -> String {
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
    fn price_query_names_machines_as_the_price_list() {
        assert_eq!(
            asked("eu-west-1", "instance m7g.large"),
            "AmazonEC2 instanceType=m7g.large operatingSystem=Linux tenancy=Shared \
             preInstalledSw=NA capacitystatus=Used marketoption=OnDemand regionCode=eu-west-1"
        );
        assert_eq!(
            asked("us-east-1", "database multi db.m7g.large"),
            "AmazonRDS productFamily=Database Instance instanceType=db.m7g.large \
             databaseEngine=PostgreSQL deploymentOption=Multi-AZ regionCode=us-east-1"
        );
    }

    #[test]
    fn usage_type_has_the_prefix_of_its_region() {
        assert_eq!(
            asked("us-east-1", "nat-hour"),
            "AmazonEC2 usagetype=NatGateway-Hours regionCode=us-east-1"
        );
        assert_eq!(
            asked("eu-west-1", "ipv4-hour"),
            "AmazonVPC usagetype=EU-PublicIPv4:InUseAddress regionCode=eu-west-1"
        );
    }

    #[test]
    fn every_region_has_a_price_query() {
        for region in regions::names() {
            assert!(
                PriceKey::new(region, Meter::NatHour).query().is_some(),
                "{region}"
            );
        }
    }
}
