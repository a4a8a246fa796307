//! The tables of the catalogue against those of cfn-lint, which the tests' tools bring: what the defaults of a definition
//! name exists in every region, and the creatable versions of PostgreSQL are the ones of RDS.

use std::collections::BTreeSet;
use std::path::PathBuf;

use kube_cfn::catalog::engines::{self, EngineOffer};
use kube_cfn::catalog::{instances, regions};
use kube_cfn::definition::{self, NewCluster, NewDatabase};
use kube_cfn::spec::{ClusterSpec, Nat};
use serde_json::Value;

use crate::tools;

/// A table that cfn-lint carries, below `cfnlint/data/schemas/extensions`.
fn table(path: &str) -> Value {
    let home = tools::python_packages("cfn-lint", "cfnlint");
    let path: PathBuf = home.join("data/schemas/extensions").join(path);
    let text = std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap()
}

fn words(list: &Value) -> BTreeSet<String> {
    let list = list.as_array().unwrap().iter();
    list.map(|word| word.as_str().unwrap().to_owned()).collect()
}

/// What the rules of a schema for PostgreSQL say of a property.
fn for_postgres(schema: &Value, found: impl Fn(&Value) -> &Value) -> BTreeSet<String> {
    let rules = schema["allOf"].as_array().unwrap().iter();
    let rules = rules.filter(|rule| rule["if"]["properties"]["Engine"]["const"] == "postgres");
    rules.flat_map(|rule| words(found(rule))).collect()
}

fn instance_types(table: &Value, region: &str) -> BTreeSet<String> {
    words(&table[region]["enum"])
}

fn database_classes(table: &Value, region: &str) -> BTreeSet<String> {
    for_postgres(&table[region], |rule| {
        &rule["then"]["properties"]["DBInstanceClass"]["enum"]
    })
}

/// A definition that says as little as it can, with a database.
fn least(region: &str) -> ClusterSpec {
    let nodes =
        regions::default_zones(region).map_or(1, |zones| if zones.len() < 3 { 1 } else { 3 });
    let text = format!(
        "name: least\nregion: {region}\nkubernetes: 1.36.4\ncontrolPlane:\n  nodes: {nodes}\ndatabase: {{}}\n"
    );
    definition::parse("least.yaml", &text).unwrap_or_else(|error| panic!("{error}"))
}

/// What `new` writes for a region.
fn fresh(region: &str) -> ClusterSpec {
    let text = definition::scaffold(&NewCluster {
        name: "fresh",
        from: None,
        others: &[],
        kubernetes: None,
        region: Some(region),
        restore_from: None,
        database: NewDatabase::Small,
    });
    definition::parse("fresh.yaml", &text.unwrap().text).unwrap()
}

#[test]
fn defaults_exist_in_every_region() {
    let (types, classes) = (
        table("aws_ec2_instance/instancetype_enum.json"),
        table("aws_rds_dbinstance/dbinstanceclass_enum.json"),
    );
    let mut missing = Vec::new();
    for region in regions::names() {
        let offered = instance_types(&types, region);
        assert!(offered.len() > 100, "{region}");
        for spec in [least(region), fresh(region)] {
            let pools = spec.pools.iter().flat_map(|pool| &pool.instance_types);
            let all = pools.chain([&spec.control_plane.instance_type]);
            missing.extend(
                all.filter(|name| !offered.contains(*name))
                    .map(|name| format!("{region} {name}")),
            );
            let regional = spec.network.nat == Nat::Regional;
            assert_eq!(regional, !region.starts_with("us-gov-"), "{region}");
        }
        let offered = database_classes(&classes, region);
        let database = least(region).database.unwrap();
        for class in [database.class.as_str(), regions::small_database(region)] {
            if !offered.contains(class) {
                missing.push(format!("{region} {class}"));
            }
        }
    }
    assert!(missing.is_empty(), "{}", missing.join(", "));
}

#[test]
fn second_choice_is_taken_only_where_the_first_is_missing() {
    let types = table("aws_ec2_instance/instancetype_enum.json");
    let classes = table("aws_rds_dbinstance/dbinstanceclass_enum.json");
    for region in regions::names() {
        let first = instance_types(&types, region).contains("m7g.large");
        assert_eq!(
            first,
            regions::default_worker(region) == "m7g.large",
            "{region}"
        );
        let offered = database_classes(&classes, region);
        for (first, taken) in [
            ("db.t4g.medium", regions::default_database(region)),
            ("db.t4g.micro", regions::small_database(region)),
        ] {
            assert_eq!(offered.contains(first), taken == first, "{region}");
        }
    }
}

#[test]
fn creatable_postgres_versions_are_those_of_rds() {
    let all = for_postgres(&table("aws_rds_dbinstance/engine_version.json"), |rule| {
        &rule["then"]["properties"]["EngineVersion"]["enum"]
    });
    let deprecated = for_postgres(
        &table("aws_rds_dbinstance/engine_version_deprecated.json"),
        |rule| &rule["if"]["properties"]["EngineVersion"]["enum"],
    );
    let majors = ["14.", "15.", "16.", "17.", "18."];
    let ours = all
        .iter()
        .filter(|version| majors.iter().any(|major| version.starts_with(major)));
    let ours: Vec<&String> = ours.collect();
    assert!(ours.len() > 60, "{}", ours.len());
    for version in ours {
        let offer = engines::postgres(version);
        let expected = !deprecated.contains(version);
        assert_eq!(
            offer == EngineOffer::Creatable,
            expected,
            "{version}: {offer:?}"
        );
        assert!(
            !matches!(offer, EngineOffer::Unknown { .. }),
            "{version}: {offer:?}"
        );
    }
    let spec = least("eu-west-1");
    let default = spec.database.unwrap().engine_version;
    assert_eq!(engines::postgres(&default), EngineOffer::Creatable);
}

/// In cfn-lint's table and not in AWS's own: families without this size.
const NOT_IN_EC2: [&str; 2] = ["d3en.large", "i2.large"];

/// Every name that EC2 has passes the form of the schema, whether the catalogue knows it or not.
#[test]
fn every_instance_type_of_ec2_has_the_form_of_one() {
    let types = table("aws_ec2_instance/instancetype_enum.json");
    let mut names = BTreeSet::new();
    for region in regions::names() {
        names.extend(instance_types(&types, region));
    }
    assert!(names.len() > 1000, "{}", names.len());
    let listed = names.iter().filter(|name| {
        !name.starts_with("mac") && !name.starts_with("a1.") && !NOT_IN_EC2.contains(&name.as_str())
    });
    let mut refused = Vec::new();
    for name in listed {
        let text = format!(
            "name: x\nregion: eu-west-1\nkubernetes: 1.36.4\npools:\n  - name: workers\n    instanceTypes: [{name}]\n"
        );
        let Err(problems) = definition::parse("x.yaml", &text) else {
            continue;
        };
        let small = problems
            .iter()
            .all(|one| one.message.contains("too small for a node"));
        if !small {
            refused.push(format!("{name}: {problems}"));
        }
    }
    assert!(refused.is_empty(), "{}", refused.join("\n"));
    let known = names
        .iter()
        .filter(|name| instances::is_known(name))
        .count();
    assert!(known * 10 > names.len() * 8, "{known} of {}", names.len());
}
