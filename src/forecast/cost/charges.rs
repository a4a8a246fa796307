//! What of a template costs something, in units and without a price: machines, disks, gateways, hours.

use std::collections::BTreeMap;

use serde_json::Value;

use super::machines::Fleet;
use super::values::{Values, count, length};
use crate::forecast::prices::{Meter, Zones};
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

/// Gathers what costs something.
pub(super) fn charges(template: &Value, parameters: &BTreeMap<String, String>) -> Charges {
    let values = Values {
        template,
        parameters,
    };
    let mut found = Charges::default();
    let resources = template.get("Resources").and_then(Value::as_object);
    for (id, body) in resources.into_iter().flatten() {
        let one = Resource {
            values: &values,
            id,
            what: description(template, id).unwrap_or(id),
            properties: body.get("Properties").unwrap_or(&Value::Null),
        };
        let of_type = body.get("Type").and_then(Value::as_str).unwrap_or_default();
        one.charge(of_type, &mut found);
    }
    found
}

/// A resource whose costs are looked for.
pub(super) struct Resource<'a> {
    pub values: &'a Values<'a>,
    pub id: &'a str,
    pub what: &'a str,
    pub properties: &'a Value,
}

impl Resource<'_> {
    fn charge(&self, of_type: &str, found: &mut Charges) {
        match of_type {
            "AWS::AutoScaling::AutoScalingGroup" => self.group(found),
            "AWS::EC2::Volume" => self.disk(self.properties, "Size", "", Fleet::one(), found),
            "AWS::EC2::NatGateway" => self.nat(found),
            "AWS::EC2::EIP" => found.list.push(self.one(Meter::Ipv4Hour, "address")),
            "AWS::EC2::VPCEndpoint" => self.endpoint(found),
            "AWS::ElasticLoadBalancingV2::LoadBalancer" => self.load_balancer(found),
            "AWS::RDS::DBInstance" => self.database(found),
            "AWS::KMS::Key" => {
                found.list.push(self.one(Meter::Key, "key"));
                self.by_use(
                    "requests, and its older versions once it was rotated",
                    found,
                );
            }
            "AWS::SecretsManager::Secret" => found.list.push(self.one(Meter::Secret, "secret")),
            "AWS::Route53::HostedZone" => found.list.push(self.one(Meter::Zone, "zone")),
            "AWS::Route53::RecordSet" => self.by_use("queries", found),
            "AWS::S3::Bucket" => self.by_use("what it holds, and requests", found),
            other if is_free(other) => {}
            other => self.unknown(&format!("{other} is not in the price table"), found),
        }
    }

    /// A charge of `quantity` things at list price, each of one meter.
    pub fn charged(&self, part: &str, meter: Meter, fleet: Fleet, quantity: String) -> Charge {
        Charge {
            what: format!("{}{part}", self.what),
            logical_id: self.id.to_owned(),
            quantity,
            meters: vec![meter],
            paid: fleet.least,
            most: fleet.most,
        }
    }

    fn one(&self, meter: Meter, unit: &str) -> Charge {
        self.charged("", meter, Fleet::one(), format!("1 {unit}"))
    }

    pub fn by_use(&self, what: &str, found: &mut Charges) {
        found
            .uncounted
            .push(format!("{}: {what}, by use", self.what));
    }

    pub fn unknown(&self, why: &str, found: &mut Charges) {
        found.uncounted.push(format!("{}: {why}", self.what));
    }

    /// A regional gateway is paid once for every zone it works in.
    fn nat(&self, found: &mut Charges) {
        let mode = self.values.text(&self.properties["AvailabilityMode"]);
        self.by_use("data that passes it", found);
        if mode.as_deref() != Some("regional") {
            return found.list.push(self.one(Meter::NatHour, "gateway"));
        }
        let zones = length(&self.properties["AvailabilityZoneAddresses"]);
        if zones < 1.0 {
            return self.unknown(
                "in how many zones it works is known only when it is there",
                found,
            );
        }
        let quantity = count(zones, zones, "zone", "zones");
        let charge = self.charged("", Meter::NatRegionalHour, Fleet::of(zones), quantity);
        found.list.push(charge);
    }

    fn endpoint(&self, found: &mut Charges) {
        let kind = self.values.text(&self.properties["VpcEndpointType"]);
        match kind.as_deref() {
            None | Some("Gateway") => {}
            Some("Interface") => {
                let zones = length(&self.properties["SubnetIds"]).max(1.0);
                let quantity = count(zones, zones, "zone", "zones");
                let charge = self.charged("", Meter::EndpointHour, Fleet::of(zones), quantity);
                found.list.push(charge);
                self.by_use("data that passes it", found);
            }
            Some(other) => self.unknown(
                &format!("{other} endpoints are not in the price table"),
                found,
            ),
        }
    }

    fn load_balancer(&self, found: &mut Charges) {
        let kind = self.values.text(&self.properties["Type"]);
        if kind.as_deref() != Some("network") {
            return self.unknown("only network load balancers are in the price table", found);
        }
        found.list.push(self.one(Meter::NlbHour, "load balancer"));
        self.by_use("capacity units", found);
        let scheme = self.values.text(&self.properties["Scheme"]);
        if scheme.as_deref() == Some("internet-facing") {
            let zones =
                length(&self.properties["Subnets"]).max(length(&self.properties["SubnetMappings"]));
            let quantity = count(zones, zones, "address", "addresses");
            let part = ", public addresses";
            let charge = self.charged(part, Meter::Ipv4Hour, Fleet::of(zones), quantity);
            found.list.push(charge);
        }
    }

    fn database(&self, found: &mut Charges) {
        let text = |name: &str| self.values.text(&self.properties[name]);
        let engine = text("Engine").unwrap_or_default();
        if engine != "postgres" {
            return self.unknown(&format!("{engine} is not in the price table"), found);
        }
        let zones = if self.values.is_true(&self.properties["MultiAZ"]) {
            Zones::Two
        } else {
            Zones::One
        };
        match text("DBInstanceClass") {
            Some(class) => {
                if class.starts_with("db.t") {
                    self.by_use("CPU credits beyond what it earns", found);
                }
                let charge = self.one(Meter::Database(zones, class), "database");
                found.list.push(charge);
            }
            None => self.unknown("its class is not known yet", found),
        }
        self.database_storage(zones, found);
        if self
            .values
            .is_true(&self.properties["ManageMasterUserPassword"])
        {
            let quantity = "1 secret".to_owned();
            let part = ", secret with the master password";
            found
                .list
                .push(self.charged(part, Meter::Secret, Fleet::one(), quantity));
        }
        self.by_use("backups beyond its own size, and its logs", found);
    }

    fn database_storage(&self, zones: Zones, found: &mut Charges) {
        let number = |name: &str| self.values.number(&self.properties[name]);
        let kind = self.values.text(&self.properties["StorageType"]);
        let (Some("gp3"), Some(least)) = (kind.as_deref(), number("AllocatedStorage")) else {
            return self.unknown(
                "its storage: only gp3 of a known size is in the price table",
                found,
            );
        };
        if number("Iops").is_some() || number("StorageThroughput").is_some() {
            self.unknown(
                "IOPS and throughput above what its storage comes with",
                found,
            );
        }
        let most = number("MaxAllocatedStorage").unwrap_or(least).max(least);
        let fleet = Fleet { least, most };
        let quantity = count(least, most, "GiB", "GiB");
        let meter = Meter::DatabaseStorage(zones);
        found
            .list
            .push(self.charged(", storage", meter, fleet, quantity));
    }
}

/// Whether AWS takes nothing for a resource of this type by itself.
fn is_free(of_type: &str) -> bool {
    const FREE: &[&str] = &[
        "AWS::EC2::EIPAssociation",
        "AWS::EC2::InternetGateway",
        "AWS::EC2::LaunchTemplate",
        "AWS::EC2::NetworkInterface",
        "AWS::EC2::Route",
        "AWS::EC2::RouteTable",
        "AWS::EC2::SecurityGroup",
        "AWS::EC2::SecurityGroupEgress",
        "AWS::EC2::SecurityGroupIngress",
        "AWS::EC2::Subnet",
        "AWS::EC2::SubnetCidrReservation",
        "AWS::EC2::SubnetRouteTableAssociation",
        "AWS::EC2::VPC",
        "AWS::EC2::VPCGatewayAttachment",
        "AWS::ElasticLoadBalancingV2::Listener",
        "AWS::ElasticLoadBalancingV2::TargetGroup",
        "AWS::KMS::Alias",
        "AWS::RDS::DBParameterGroup",
        "AWS::RDS::DBSubnetGroup",
        "AWS::S3::BucketPolicy",
        // Standard ones. The templates make no others.
        "AWS::SSM::Parameter",
    ];
    of_type.starts_with("AWS::IAM::") || FREE.contains(&of_type)
}
