//! What of a template costs something, in units and without a price: machines, disks, gateways, hours.

use std::collections::BTreeMap;

use serde_json::Value;

use super::values::{Values, count, length};
use crate::forecast::prices::{self, Meter, Zones};
use crate::stacks::description;

/// Something that has a price a unit.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Charge {
    /// The resource's sentence, and the part of it.
    pub what: String,
    pub logical_id: String,
    /// How many, in words.
    pub quantity: String,
    /// What it may be; several where AWS chooses.
    pub meters: Vec<Meter>,
    /// The fewest that are paid at list price.
    pub paid: f64,
    /// The most that there can be.
    pub most: f64,
}

/// Everything of a template that costs something.
#[derive(Debug, Default)]
pub(super) struct Charges {
    pub list: Vec<Charge>,
    /// What costs by use, or can't be read from the template.
    pub uncounted: Vec<String>,
}

/// A number of things that may vary.
#[derive(Clone, Copy)]
pub(super) struct Fleet {
    pub least: f64,
    pub most: f64,
}

impl Fleet {
    /// So many and no others.
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

/// What things are called: one of them, and several.
type Unit<'a> = (&'a str, &'a str);

pub(super) const ADDRESSES: Unit<'static> = ("address", "addresses");
const ZONES: Unit<'static> = ("zone", "zones");

/// Gathers what costs something.
pub(super) fn charges(template: &Value, parameters: &BTreeMap<String, String>) -> Charges {
    let values = Values {
        template,
        parameters,
    };
    let mut found = Charges::default();
    let resources = template.get("Resources").and_then(Value::as_object);
    for (id, body) in resources.into_iter().flatten() {
        let mut one = Resource {
            values: &values,
            id,
            what: description(template, id).unwrap_or(id),
            properties: body.get("Properties").unwrap_or(&Value::Null),
            found: &mut found,
        };
        one.charge(body.get("Type").and_then(Value::as_str).unwrap_or_default());
    }
    found
}

/// A resource whose costs are looked for, and what was found so far.
pub(super) struct Resource<'a> {
    pub values: &'a Values<'a>,
    pub id: &'a str,
    pub what: &'a str,
    pub properties: &'a Value,
    pub found: &'a mut Charges,
}

impl Resource<'_> {
    fn charge(&mut self, of_type: &str) {
        match of_type {
            "AWS::AutoScaling::AutoScalingGroup" => self.group(),
            "AWS::EC2::Volume" => self.disk(self.properties, "Size", "", Fleet::of(1.0)),
            "AWS::EC2::NatGateway" => self.nat(),
            "AWS::EC2::EIP" => self.one(Meter::Ipv4Hour, "address"),
            "AWS::EC2::VPCEndpoint" => self.endpoint(),
            "AWS::ElasticLoadBalancingV2::LoadBalancer" => self.load_balancer(),
            "AWS::RDS::DBInstance" => self.database(),
            "AWS::KMS::Key" => {
                self.one(Meter::Key, "key");
                self.by_use("requests, and its older versions once it was rotated");
            }
            "AWS::SecretsManager::Secret" => self.one(Meter::Secret, "secret"),
            "AWS::Route53::HostedZone" => self.one(Meter::Zone, "zone"),
            "AWS::Route53::RecordSet" => self.by_use("queries"),
            "AWS::S3::Bucket" => self.by_use("what it holds, and requests"),
            other if prices::is_free(other) => {}
            other => self.unknown(&format!("{other} is not in the price table")),
        }
    }

    /// Charges each of a fleet at list price.
    pub fn each(&mut self, part: &str, meter: Meter, fleet: Fleet, (one, many): Unit<'_>) {
        self.found.list.push(Charge {
            what: format!("{}{part}", self.what),
            logical_id: self.id.to_owned(),
            quantity: count(fleet.least, fleet.most, one, many),
            meters: vec![meter],
            paid: fleet.least,
            most: fleet.most,
        });
    }

    fn one(&mut self, meter: Meter, unit: &str) {
        self.each("", meter, Fleet::of(1.0), (unit, unit));
    }

    pub fn by_use(&mut self, what: &str) {
        self.unknown(&format!("{what}, by use"));
    }

    /// Names what is not counted, and why.
    pub fn unknown(&mut self, why: &str) {
        self.found.uncounted.push(format!("{}: {why}", self.what));
    }

    /// The value of a property as text, where it is known.
    pub fn text(&self, name: &str) -> Option<String> {
        self.values.text(&self.properties[name])
    }

    pub fn number(&self, name: &str) -> Option<f64> {
        self.values.number(&self.properties[name])
    }

    fn is_true(&self, name: &str) -> bool {
        self.values.is_true(&self.properties[name])
    }

    /// A regional gateway is paid once for every zone it works in.
    fn nat(&mut self) {
        self.by_use("data that passes it");
        if self.text("AvailabilityMode").as_deref() != Some("regional") {
            return self.one(Meter::NatHour, "gateway");
        }
        let zones = length(&self.properties["AvailabilityZoneAddresses"]);
        if zones < 1.0 {
            return self.unknown("in how many zones it works is known only when it is there");
        }
        self.each("", Meter::NatRegionalHour, Fleet::of(zones), ZONES);
    }

    fn endpoint(&mut self) {
        match self.text("VpcEndpointType").as_deref() {
            None | Some("Gateway") => {}
            Some("Interface") => {
                let zones = length(&self.properties["SubnetIds"]).max(1.0);
                self.each("", Meter::EndpointHour, Fleet::of(zones), ZONES);
                self.by_use("data that passes it");
            }
            Some(other) => self.unknown(&format!("{other} endpoints are not in the price table")),
        }
    }

    fn load_balancer(&mut self) {
        if self.text("Type").as_deref() != Some("network") {
            return self.unknown("only network load balancers are in the price table");
        }
        self.one(Meter::NlbHour, "load balancer");
        self.by_use("capacity units");
        if self.text("Scheme").as_deref() == Some("internet-facing") {
            let of = |name: &str| length(&self.properties[name]);
            let zones = Fleet::of(of("Subnets").max(of("SubnetMappings")));
            self.each(", public addresses", Meter::Ipv4Hour, zones, ADDRESSES);
        }
    }

    fn database(&mut self) {
        let engine = self.text("Engine").unwrap_or_default();
        if engine != "postgres" {
            return self.unknown(&format!("{engine} is not in the price table"));
        }
        let zones = if self.is_true("MultiAZ") {
            Zones::Two
        } else {
            Zones::One
        };
        match self.text("DBInstanceClass") {
            Some(class) => {
                if class.starts_with("db.t") {
                    self.by_use("CPU credits beyond what it earns");
                }
                self.one(Meter::Database(zones, class), "database");
            }
            None => self.unknown("its class is not known yet"),
        }
        self.database_storage(zones);
        if self.is_true("ManageMasterUserPassword") {
            let part = ", secret with the master password";
            self.each(part, Meter::Secret, Fleet::of(1.0), ("secret", "secrets"));
        }
        self.by_use("backups beyond its own size, and its logs");
    }

    fn database_storage(&mut self, zones: Zones) {
        let kind = self.text("StorageType");
        let (Some("gp3"), Some(least)) = (kind.as_deref(), self.number("AllocatedStorage")) else {
            return self.unknown("its storage: only gp3 of a known size is in the price table");
        };
        if self
            .number("Iops")
            .or(self.number("StorageThroughput"))
            .is_some()
        {
            self.unknown("IOPS and throughput above what its storage comes with");
        }
        let most = self
            .number("MaxAllocatedStorage")
            .unwrap_or(least)
            .max(least);
        let fleet = Fleet { least, most };
        self.each(
            ", storage",
            Meter::DatabaseStorage(zones),
            fleet,
            ("GiB", "GiB"),
        );
    }
}
