//! Machines and their disks: groups that grow and shrink, several types to choose from, spot.

use serde_json::Value;

use super::charges::{ADDRESSES, Charge, Fleet, Resource};
use super::values::count;
use crate::forecast::prices::Meter;

impl Resource<'_> {
    pub fn group(&mut self) {
        let (Some(least), Some(most)) = (self.number("MinSize"), self.number("MaxSize")) else {
            return self.unknown("how many machines is not known yet");
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
        self.machines(fleet, mixed, machine);
        for device in entries(&machine["BlockDeviceMappings"]) {
            self.disk(&device["Ebs"], "VolumeSize", ", disks", fleet);
        }
        let public = |card: &Value| self.values.is_true(&card["AssociatePublicIpAddress"]);
        if entries(&machine["NetworkInterfaces"]).any(public) {
            self.each(", public addresses", Meter::Ipv4Hour, fleet, ADDRESSES);
        }
    }

    fn machines(&mut self, fleet: Fleet, mixed: &Value, machine: &Value) {
        let values = self.values;
        let mut types: Vec<String> = entries(&mixed["LaunchTemplate"]["Overrides"])
            .filter_map(|one| values.text(&one["InstanceType"]))
            .collect();
        if types.is_empty() {
            types.extend(values.text(&machine["InstanceType"]));
        }
        if types.is_empty() {
            return self.unknown("the type of its machines is not known yet");
        }
        let spread = &mixed["InstancesDistribution"];
        let base = values.number(&spread["OnDemandBaseCapacity"]);
        let firm = fleet.least.min(base.unwrap_or(0.0));
        let percent = values.number(&spread["OnDemandPercentageAboveBaseCapacity"]);
        let percent = percent.unwrap_or(100.0);
        let paid = firm + ((fleet.least - firm) * percent / 100.0).ceil();
        if percent < 100.0 {
            self.unknown("spot machines cost what the market says, at most what is counted here");
        }
        if types.iter().any(|name| name.starts_with('t')) {
            self.by_use("CPU credits beyond what its machines earn");
        }
        let number = count(fleet.least, fleet.most, "machine", "machines");
        self.found.list.push(Charge {
            what: self.what.to_owned(),
            logical_id: self.id.to_owned(),
            quantity: format!("{number}, {}", types.join(" or ")),
            meters: types.into_iter().map(Meter::Instance).collect(),
            paid,
            most: fleet.most,
        });
        let traffic = "traffic between zones and to the internet, by use";
        self.found.uncounted.push(traffic.to_owned());
    }

    /// A gp3 disk for each of a fleet.
    pub fn disk(&mut self, disk: &Value, size: &str, part: &str, fleet: Fleet) {
        let values = self.values;
        let kind = values.text(&disk["VolumeType"]).unwrap_or_default();
        if kind != "gp3" {
            return self.unknown(&format!("disks of type {kind} are not in the price table"));
        }
        let Some(gib) = values.number(&disk[size]) else {
            return self.unknown("the size of its disks is not known yet");
        };
        // What comes with a gp3 disk.
        let above =
            |name: &str, free: f64| (values.number(&disk[name]).unwrap_or(free) - free).max(0.0);
        let (iops, throughput) = (above("Iops", 3000.0), above("Throughput", 125.0));
        let faster = ", throughput above 125 MiB/s";
        for (each, meter, unit, extra) in [
            (gib, Meter::VolumeGib, "GiB", ""),
            (iops, Meter::VolumeIops, "IOPS", ", IOPS above 3,000"),
            (throughput, Meter::VolumeThroughput, "MiB/s", faster),
        ] {
            if each > 0.0 {
                let part = format!("{part}{extra}");
                self.each(&part, meter, fleet.times(each), (unit, unit));
            }
        }
    }
}

fn entries(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}
