//! What small templates cost, to the cent.

use serde_json::json;

use super::*;
use crate::cloud::{LiveStack, StackStatus};
use crate::forecast::prices::{Meter, Zones};
use crate::plan::Step;
use crate::stacks::Stack;

const HOME: &str = "us-east-1";

fn of(resources: Value, parameters: &[(&str, &str)]) -> Cost {
    let known = parameters
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let mut template = json!({"Parameters": {"Size": {"Type": "Number", "Default": "20"}}});
    template["Resources"] = resources;
    cost(&template, &known.collect(), HOME, &Prices::table())
}

/// Items as lines: what, quantity, dollars.
fn lines(cost: &Cost) -> Vec<String> {
    let line = |item: &CostItem| {
        let usd = item.usd_month;
        format!(
            "{} | {} | {:.2} to {:.2}",
            item.what, item.quantity, usd.from, usd.to
        )
    };
    cost.items.iter().map(line).collect()
}

fn group(policy: Value) -> Value {
    let mut found = json!({
        "Template": {"Type": "AWS::EC2::LaunchTemplate", "Properties": {"LaunchTemplateData": {
            "InstanceType": "m7g.large",
            "BlockDeviceMappings": [{"Ebs": {"VolumeType": "gp3", "VolumeSize": {"Ref": "Size"}}}],
        }}},
        "Group": {"Type": "AWS::AutoScaling::AutoScalingGroup",
            "Metadata": {"Description": "Machines"}},
    });
    found["Group"]["Properties"] = policy;
    found
}

#[test]
fn group_cost_ranges_from_minimum_to_maximum_size() {
    let launch = json!({"LaunchTemplateId": {"Ref": "Template"}});
    let fixed = json!({"MinSize": "2", "MaxSize": 4, "LaunchTemplate": launch});
    assert_eq!(
        lines(&of(group(fixed.clone()), &[])),
        [
            "Machines | 2 to 4 machines, m7g.large | 119.14 to 238.27",
            "Machines, disks | 40 to 80 GiB | 3.20 to 6.40",
        ]
    );
    let known = lines(&of(group(fixed), &[("Size", "100")]));
    assert_eq!(
        known[1],
        "Machines, disks | 200 to 400 GiB | 16.00 to 32.00"
    );
}

fn mixed(base: u32, percent: u32) -> Value {
    group(
        json!({"MinSize": "3", "MaxSize": "10", "MixedInstancesPolicy": {
            "InstancesDistribution": {
                "OnDemandBaseCapacity": base,
                "OnDemandPercentageAboveBaseCapacity": percent,
            },
            "LaunchTemplate": {
                "LaunchTemplateSpecification": {"LaunchTemplateId": {"Ref": "Template"}},
                "Overrides": [{"InstanceType": "m7g.large"}, {"InstanceType": "m6g.large"}],
            },
        }}),
    )
}

#[test]
fn mixed_types_cost_from_cheapest_to_dearest() {
    let found = lines(&of(mixed(0, 100), &[]));
    // 3 x 0.077 and 10 x 0.0816 dollars for 730 hours.
    assert_eq!(
        found[0],
        "Machines | 3 to 10 machines, m7g.large or m6g.large | 168.63 to 595.68"
    );
}

#[test]
fn spot_machines_count_for_the_upper_end_only() {
    let found = of(mixed(1, 50), &[]);
    // One firm, half of the other two: 2 x 0.077.
    assert!(
        lines(&found)[0].ends_with("112.42 to 595.68"),
        "{:?}",
        lines(&found)
    );
    assert!(lines(&of(mixed(0, 0), &[]))[0].contains("| 0.00 to 595.68"));
    let market = |line: &String| line.contains("what the market says");
    assert!(found.uncounted.iter().any(market));
    assert!(!of(mixed(0, 100), &[]).uncounted.iter().any(market));
}

#[test]
fn resource_without_price_is_uncounted() {
    let strange = json!({
        "Box": {"Type": "AWS::Nobody::Knows", "Metadata": {"Description": "The box"}},
        "Database": {"Type": "AWS::RDS::DBInstance", "Metadata": {"Description": "The database"},
            "Properties": {"Engine": "postgres", "DBInstanceClass": "db.q9z.large", "StorageType": "io2"}},
        "Group": {"Type": "AWS::AutoScaling::AutoScalingGroup", "Metadata": {"Description": "Machines"},
            "Properties": {"MinSize": {"Ref": "Unknown"}, "MaxSize": "3"}},
    });
    let found = of(strange, &[]);
    assert_eq!(lines(&found), Vec::<String>::new());
    assert_eq!(
        found.uncounted,
        [
            "The box: AWS::Nobody::Knows is not in the price table",
            "The database: its storage: only gp3 of a known size is in the price table",
            "The database: backups beyond its own size, and its logs, by use",
            "Machines: how many machines is not known yet",
            "The database: no price is known in us-east-1",
        ]
    );
}

#[test]
fn type_without_price_leaves_the_others_counted() {
    let mut odd = mixed(0, 100);
    odd["Group"]["Properties"]["MixedInstancesPolicy"]["LaunchTemplate"]["Overrides"][1]["InstanceType"] =
        json!("q9z.large");
    let found = of(odd, &[]);
    assert!(
        lines(&found)[0].ends_with("178.70 to 595.68"),
        "{:?}",
        lines(&found)
    );
    let line = "Machines, as instance q9z.large: no price is known in us-east-1".to_owned();
    assert!(found.uncounted.contains(&line));
}

fn database(multi_az: bool) -> Value {
    json!({"Database": {"Type": "AWS::RDS::DBInstance", "Metadata": {"Description": "PostgreSQL"},
        "Properties": {"Engine": "postgres", "DBInstanceClass": "db.m7g.large", "MultiAZ": multi_az,
            "StorageType": "gp3", "AllocatedStorage": "100", "MaxAllocatedStorage": 500,
            "ManageMasterUserPassword": true}}})
}

#[test]
fn database_cost_has_class_storage_and_secret() {
    assert_eq!(
        lines(&of(database(true), &[])),
        [
            "PostgreSQL | 1 database | 246.01 to 246.01",
            "PostgreSQL, storage | 100 to 500 GiB | 23.00 to 115.00",
            "PostgreSQL, secret with the master password | 1 secret | 0.40 to 0.40",
        ]
    );
    let single = of(database(false), &[]).usd_month();
    assert_eq!((single.from, single.to), (134.54, 180.54));
}

#[test]
fn network_cost_counts_by_zone() {
    let network = json!({
        "Nat": {"Type": "AWS::EC2::NatGateway", "Metadata": {"Description": "NAT"},
            "Properties": {"AvailabilityMode": "regional", "AvailabilityZoneAddresses": [{}, {}, {}]}},
        "Single": {"Type": "AWS::EC2::NatGateway", "Properties": {"SubnetId": "subnet-1"}},
        "Address": {"Type": "AWS::EC2::EIP"},
        "Free": {"Type": "AWS::EC2::VPCEndpoint", "Properties": {"VpcEndpointType": "Gateway"}},
        "Paid": {"Type": "AWS::EC2::VPCEndpoint",
            "Properties": {"VpcEndpointType": "Interface", "SubnetIds": ["a", "b"]}},
        "Lb": {"Type": "AWS::ElasticLoadBalancingV2::LoadBalancer",
            "Properties": {"Type": "network", "Scheme": "internet-facing", "Subnets": ["a", "b"]}},
    });
    assert_eq!(
        lines(&of(network, &[])),
        [
            "NAT | 3 zones | 98.55 to 98.55",
            "Single | 1 gateway | 32.85 to 32.85",
            "Address | 1 address | 3.65 to 3.65",
            "Paid | 2 zones | 14.60 to 14.60",
            "Lb | 1 load balancer | 16.43 to 16.43",
            "Lb, public addresses | 2 addresses | 7.30 to 7.30",
        ]
    );
}

#[test]
fn requested_prices_are_the_used_ones() {
    let template = json!({"Resources": database(true)});
    let keys = wanted(&template, &BTreeMap::new(), HOME);
    let meters: Vec<Meter> = keys.into_iter().map(|key| key.meter).collect();
    let database = Meter::Database(Zones::Two, "db.m7g.large".to_owned());
    assert_eq!(
        meters,
        [database, Meter::DatabaseStorage(Zones::Two), Meter::Secret]
    );
}

fn step_of(before: Option<Value>, after: Value, action: Action) -> Step {
    let template = |resources: Value| {
        let mut template = json!({});
        template["Resources"] = resources;
        template
    };
    let found = LiveStack {
        id: "arn".to_owned(),
        name: "canary-database".to_owned(),
        cluster: "canary".to_owned(),
        kind: "database".to_owned(),
        status: StackStatus::CreateComplete,
        reason: None,
        parameters: BTreeMap::new(),
        outputs: BTreeMap::new(),
        tags: BTreeMap::new(),
        termination_protection: false,
        created: jiff::Timestamp::UNIX_EPOCH,
        updated: None,
    };
    let stack = Stack {
        kind: StackKind::Database,
        name: "canary-database".to_owned(),
        template: template(after),
        inputs: Vec::new(),
        capabilities: Vec::new(),
        tags: BTreeMap::new(),
        policy: None,
        termination_protection: false,
        objects: Vec::new(),
    };
    Step {
        found: before.is_some().then_some(found),
        before: before.map(template),
        ..Step::new(stack, action)
    }
}

fn monthly_of(step: Step) -> Monthly {
    let plan = Plan {
        cluster: "canary".to_owned(),
        steps: vec![step],
        leftover: Vec::new(),
        refused: Vec::new(),
        checks: Vec::new(),
    };
    monthly(&plan, HOME, &Prices::table())
}

#[test]
fn plan_shows_the_monthly_difference() {
    let found = monthly_of(step_of(
        Some(database(false)),
        database(true),
        Action::Deferred,
    ));
    let usd = |range: CostRange| (range.from, range.to);
    assert_eq!(found.before.map(usd), Some((134.54, 180.54)));
    assert_eq!(usd(found.after), (269.41, 361.41));
    assert_eq!(usd(found.difference), (134.87, 180.87));
    assert_eq!(found.stacks[0].difference(), found.difference);
    let dated = ("2026-05-31".to_owned(), "2026-08-31".to_owned());
    assert_eq!(found.dated, Some(dated));
}

#[test]
fn new_stack_has_no_cost_before() {
    let new = monthly_of(step_of(None, database(true), Action::Create));
    assert_eq!((new.before, new.difference), (None, new.after));
    let again = monthly_of(step_of(
        Some(database(true)),
        database(true),
        Action::Replace,
    ));
    assert_eq!(again.before, None);
}
