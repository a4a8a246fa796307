//! Machines and their disks: groups that grow and shrink, several types to choose from, spot.

use serde_json::Value;

use super::charges::{Charge, Charges, Resource};
use super::values::count;
use crate::forecast::prices::Meter;

/// A number of things that may vary.
#[derive(Clone, Copy)]
pub(super) struct Fleet {
    pub least: f64,
    pub most: f64,
}

impl Resource<'_> {
    pub fn group(&self, found: &mut Charges) {
        let size = |name: &str| self.values.number(&self.properties[name]);
        let (Some(least), Some(most)) = (size("MinSize"), size("MaxSize")) else {
            return self.unknown("how many machines is not known yet", found);
        };
        let fleet = Fleet { least, most };
        let mixed = &self.properties["MixedInstancesPolicy"];
        let specification = match mixed["LaunchTemplate"].get("LaunchTemplateSpecification") {
            Some(inner) => inner,
            None => &self.properties["LaunchTemplate"],
        };
        let machine = specification["LaunchTemplateId"]["Ref"].as_str();
        let machine = machine.and_then(|id| self.values.properties(id));
        let machine = machine.map_or(&Value::Null, |all| &all["LaunchTemplateData"]);
        self.machines(fleet, mixed, machine, found);
        for device in machine["BlockDeviceMappings"]
            .as_array()
            .into_iter()
            .flatten()
        {
            self.disk(&device["Ebs"], "VolumeSize", ", disks", fleet, found);
        }
        let cards = machine["NetworkInterfaces"].as_array();
        let mut cards = cards.into_iter().flatten();
        if cards.any(|card| self.values.is_true(&card["AssociatePublicIpAddress"])) {
            let quantity = count(fleet.least, fleet.most, "address", "addresses");
            let part = ", public addresses";
            found
                .list
                .push(self.charged(part, Meter::Ipv4Hour, fleet, quantity));
        }
    }

    fn machines(&self, fleet: Fleet, mixed: &Value, machine: &Value, found: &mut Charges) {
        let overrides = mixed["LaunchTemplate"]["Overrides"].as_array();
        let own = overrides.into_iter().flatten();
        let mut types: Vec<String> = own
            .filter_map(|one| self.values.text(&one["InstanceType"]))
            .collect();
        if types.is_empty() {
            types.extend(self.values.text(&machine["InstanceType"]));
        }
        if types.is_empty() {
            return self.unknown("the type of its machines is not known yet", found);
        }
        let spread = &mixed["InstancesDistribution"];
        let base = self
            .values
            .number(&spread["OnDemandBaseCapacity"])
            .unwrap_or(0.0);
        let percent = &spread["OnDemandPercentageAboveBaseCapacity"];
        let percent = self.values.number(percent).unwrap_or(100.0);
        let firm = fleet.least.min(base);
        let paid = firm + ((fleet.least - firm) * percent / 100.0).ceil();
        if percent < 100.0 {
            let spot = "spot machines cost what the market says, at most what is counted here";
            self.unknown(spot, found);
        }
        if types.iter().any(|name| name.starts_with('t')) {
            self.by_use("CPU credits beyond what its machines earn", found);
        }
        let number = count(fleet.least, fleet.most, "machine", "machines");
        found.list.push(Charge {
            what: self.what.to_owned(),
            logical_id: self.id.to_owned(),
            quantity: format!("{number}, {}", types.join(" or ")),
            meters: types.into_iter().map(Meter::Instance).collect(),
            paid,
            most: fleet.most,
        });
        found
            .uncounted
            .push("traffic between zones and to the internet, by use".to_owned());
    }

    /// A gp3 disk for each of a fleet.
    pub fn disk(&self, disk: &Value, size: &str, part: &str, fleet: Fleet, found: &mut Charges) {
        let kind = self.values.text(&disk["VolumeType"]).unwrap_or_default();
        if kind != "gp3" {
            return self.unknown(
                &format!("disks of type {kind} are not in the price table"),
                found,
            );
        }
        let Some(gib) = self.values.number(&disk[size]) else {
            return self.unknown("the size of its disks is not known yet", found);
        };
        let above = |name: &str, free: f64| {
            let wanted = self.values.number(&disk[name]).unwrap_or(free);
            (wanted - free).max(0.0)
        };
        let lines = [
            (gib, Meter::VolumeGib, "GiB", ""),
            (
                above("Iops", 3000.0),
                Meter::VolumeIops,
                "IOPS",
                ", IOPS above 3,000",
            ),
            (
                above("Throughput", 125.0),
                Meter::VolumeThroughput,
                "MiB/s",
                ", throughput above 125 MiB/s",
            ),
        ];
        for (each, meter, unit, extra) in lines {
            if each > 0.0 {
                let all = fleet.times(each);
                let quantity = count(all.least, all.most, unit, unit);
                found
                    .list
                    .push(self.charged(&format!("{part}{extra}"), meter, all, quantity));
            }
        }
    }
}

impl Fleet {
    pub fn one() -> Self {
        Self::of(1.0)
    }

    pub fn of(number: f64) -> Self {
        Self {
            least: number,
            most: number,
        }
    }

    pub fn times(self, each: f64) -> Self {
        Self {
            least: self.least * each,
            most: self.most * each,
        }
    }
}
