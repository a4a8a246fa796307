//! The field behind each change: every field of a definition is changed, and every difference has to name that
//! field.

use std::collections::{BTreeMap, BTreeSet};

use kube_cfn::definition;
use kube_cfn::spec::ClusterSpec;
use kube_cfn::stacks::{self, FieldOrigin, Source, Stack, StackKind};
use kube_cfn::templates::Templates;
use serde_json::{Value, json};

/// Changes to a definition: where, and the new value; `null` takes the field out.
pub type Changes = Vec<(&'static str, Value)>;

/// A field of the schema, what the definition is like before, and what of it changes.
pub struct Trial {
    pub leaf: &'static str,
    pub before: Changes,
    pub change: Changes,
}

/// A definition with every field. The region is one with reservations of addresses.
fn full() -> Value {
    json!({
        "name": "full", "region": "us-east-1", "account": "111122223333", "kubernetes": "1.35.8",
        "zones": ["us-east-1a", "us-east-1b", "us-east-1c"],
        "network": {"cidr": "10.20.0.0/16", "nat": "regional",
            "podCidr": "100.64.0.0/14", "serviceCidr": "100.68.0.0/16"},
        "api": {"exposure": "public", "allowedCidrs": ["203.0.113.0/24"],
            "dns": {"name": "api.full.example.com", "hostedZone": "Z0123456789ABC"}},
        "controlPlane": {"nodes": 3, "instanceType": "m7g.large", "volumeGib": 30,
            "etcdVolumeGib": 20},
        "pools": [
            {"name": "workers", "instanceTypes": ["m7g.large"], "min": 3, "max": 9,
             "spotPercent": 0, "onDemandBase": 1, "labels": {"example.com/a": "b"},
             "taints": [{"key": "example.com/t", "value": "v", "effect": "NoSchedule"}],
             "volumeGib": 50, "spread": "regional"},
            {"name": "batch", "instanceTypes": ["m7g.large"], "min": 4, "max": 10,
             "spotPercent": 40, "onDemandBase": 2, "spread": "zonal"},
        ],
        "database": {"engineVersion": "17.10", "class": "db.m7g.large", "storageGib": 100,
            "storageLimitGib": 500, "multiAz": true, "backupDays": 14,
            "backupWindow": "03:00-04:00", "maintenanceWindow": "sun:04:30-sun:05:30",
            "parameters": {"work_mem": "65536"},
            "secret": {"name": "database", "namespaces": ["web"], "user": "app"}},
        "protect": false,
        "access": {"issuers": ["arn:aws:iam::111122223333:role/deploy"], "ttl": "8h",
            "maxTtl": "24h"},
        "mirror": "https://mirror.example.com/node",
        "tags": {"team": "platform"},
    })
}

pub fn trial(leaf: &'static str, before: Changes, change: Changes) -> Trial {
    Trial {
        leaf,
        before,
        change,
    }
}

/// One change of one field, from the full definition.
fn one(leaf: &'static str, at: &'static str, value: Value) -> Trial {
    trial(leaf, Vec::new(), vec![(at, value)])
}

/// Every field of the schema at least once.
pub fn trials() -> Vec<Trial> {
    let mut all = cluster();
    all.extend(network());
    all.extend(nodes());
    all.extend(database());
    all
}

fn cluster() -> Vec<Trial> {
    let swapped = || json!(["us-east-1a", "us-east-1c", "us-east-1b"]);
    let turned = || json!(["us-east-1b", "us-east-1a", "us-east-1c"]);
    let two = || json!(["us-east-1a", "us-east-1b"]);
    vec![
        one("name", "/name", json!("other")),
        trial(
            "region",
            vec![],
            vec![
                ("/region", json!("us-west-2")),
                ("/zones", json!(["us-west-2a", "us-west-2b", "us-west-2c"])),
            ],
        ),
        trial(
            "account",
            vec![("/access/issuers", json!([]))],
            vec![("/account", json!("444455556666"))],
        ),
        one("kubernetes", "/kubernetes", json!("1.36.4")),
        one("zones", "/zones", swapped()),
        one("zones", "/zones", turned()),
        trial(
            "zones",
            vec![("/controlPlane/nodes", json!(1))],
            vec![("/zones", two())],
        ),
        trial(
            "zones",
            vec![("/controlPlane/nodes", json!(1))],
            vec![("/zones", turned())],
        ),
        trial(
            "zones",
            vec![("/network/nat", json!("single"))],
            vec![("/zones", turned())],
        ),
        trial(
            "zones",
            vec![
                ("/network/nat", json!("none")),
                ("/controlPlane/nodes", json!(1)),
            ],
            vec![("/zones", turned())],
        ),
        one("protect", "/protect", json!(true)),
        one("access.issuers", "/access/issuers", json!([])),
        one("access.ttl", "/access/ttl", json!("2h")),
        one("access.maxTtl", "/access/maxTtl", json!("48h")),
        one("mirror", "/mirror", Value::Null),
        one("tags", "/tags", json!({"team": "other"})),
    ]
}

fn network() -> Vec<Trial> {
    let nat = |from: &str, to: &str| {
        let change = vec![("/network/nat", json!(to))];
        trial("network.nat", vec![("/network/nat", json!(from))], change)
    };
    vec![
        one("network.cidr", "/network/cidr", json!("10.40.0.0/16")),
        nat("regional", "single"),
        nat("regional", "none"),
        nat("single", "none"),
        trial(
            "network.nat",
            vec![("/api/exposure", json!("internal"))],
            vec![("/network/nat", json!("none"))],
        ),
        one(
            "network.podCidr",
            "/network/podCidr",
            json!("100.72.0.0/14"),
        ),
        one(
            "network.serviceCidr",
            "/network/serviceCidr",
            json!("100.69.0.0/16"),
        ),
        one("api.exposure", "/api/exposure", json!("internal")),
        trial(
            "api.exposure",
            vec![("/network/nat", json!("single"))],
            vec![("/api/exposure", json!("internal"))],
        ),
        one(
            "api.allowedCidrs",
            "/api/allowedCidrs",
            json!(["198.51.100.0/24"]),
        ),
        one(
            "api.dns.name",
            "/api/dns/name",
            json!("k8s.full.example.com"),
        ),
        one("api.dns.name", "/api/dns", Value::Null),
        one(
            "api.dns.hostedZone",
            "/api/dns/hostedZone",
            json!("Z9876543210ABC"),
        ),
    ]
}

fn nodes() -> Vec<Trial> {
    let nodes = |nat: &str| {
        let before = vec![("/network/nat", json!(nat))];
        trial(
            "controlPlane.nodes",
            before,
            vec![("/controlPlane/nodes", json!(1))],
        )
    };
    vec![
        nodes("regional"),
        nodes("none"),
        one(
            "controlPlane.instanceType",
            "/controlPlane/instanceType",
            json!("m7g.xlarge"),
        ),
        one(
            "controlPlane.instanceType",
            "/controlPlane/instanceType",
            json!("m7i.large"),
        ),
        one(
            "controlPlane.volumeGib",
            "/controlPlane/volumeGib",
            json!(40),
        ),
        one(
            "controlPlane.etcdVolumeGib",
            "/controlPlane/etcdVolumeGib",
            json!(30),
        ),
        one("pools[].name", "/pools/0/name", json!("others")),
        one(
            "pools[].instanceTypes",
            "/pools/0/instanceTypes",
            json!(["m7i.large"]),
        ),
        one(
            "pools[].instanceTypes",
            "/pools/1/instanceTypes",
            json!(["m6g.large", "m7g.large"]),
        ),
        one("pools[].min", "/pools/0/min", json!(2)),
        one("pools[].min", "/pools/1/min", json!(5)),
        trial(
            "pools[].min",
            vec![("/pools/0/max", Value::Null)],
            vec![("/pools/0/min", json!(4))],
        ),
        one("pools[].min", "/pools/0/min", json!(9)),
        one("pools[].max", "/pools/0/max", json!(3)),
        one("pools[].max", "/pools/1/max", json!(20)),
        one("pools[].spotPercent", "/pools/0/spotPercent", json!(50)),
        one("pools[].spotPercent", "/pools/1/spotPercent", json!(60)),
        one("pools[].onDemandBase", "/pools/1/onDemandBase", json!(3)),
        one(
            "pools[].labels",
            "/pools/0/labels",
            json!({"example.com/a": "c"}),
        ),
        one(
            "pools[].taints[].key",
            "/pools/0/taints/0/key",
            json!("example.com/u"),
        ),
        one(
            "pools[].taints[].value",
            "/pools/0/taints/0/value",
            json!("w"),
        ),
        one(
            "pools[].taints[].effect",
            "/pools/0/taints/0/effect",
            json!("NoExecute"),
        ),
        one("pools[].volumeGib", "/pools/0/volumeGib", json!(60)),
        one("pools[].spread", "/pools/0/spread", json!("zonal")),
    ]
}

fn database() -> Vec<Trial> {
    vec![
        one(
            "database.engineVersion",
            "/database/engineVersion",
            json!("17.11"),
        ),
        one(
            "database.engineVersion",
            "/database/engineVersion",
            json!("18.6"),
        ),
        one("database.class", "/database/class", json!("db.m7g.xlarge")),
        one("database.storageGib", "/database/storageGib", json!(200)),
        trial(
            "database.storageGib",
            vec![("/database/storageLimitGib", Value::Null)],
            vec![("/database/storageGib", json!(200))],
        ),
        one(
            "database.storageLimitGib",
            "/database/storageLimitGib",
            json!(600),
        ),
        one("database.multiAz", "/database/multiAz", json!(false)),
        one("database.backupDays", "/database/backupDays", json!(7)),
        one(
            "database.backupWindow",
            "/database/backupWindow",
            json!("01:00-02:00"),
        ),
        one(
            "database.maintenanceWindow",
            "/database/maintenanceWindow",
            json!("mon:05:00-mon:06:00"),
        ),
        one(
            "database.parameters",
            "/database/parameters",
            json!({"work_mem": "4096"}),
        ),
        one(
            "database.restoreFrom",
            "/database/restoreFrom",
            json!("full-2026-11-20"),
        ),
        one(
            "database.secret.name",
            "/database/secret/name",
            json!("postgres"),
        ),
        one(
            "database.secret.namespaces",
            "/database/secret/namespaces",
            json!(["web", "jobs"]),
        ),
        one(
            "database.secret.user",
            "/database/secret/user",
            json!("shop"),
        ),
    ]
}

/// The fields of the schema that have no fields inside.
pub fn leaves(schema: &Value, at: &str, into: &mut BTreeSet<String>) {
    if let Some(fields) = schema.get("properties").and_then(Value::as_object) {
        for (name, inner) in fields {
            let dot = if at.is_empty() { "" } else { "." };
            leaves(inner, &format!("{at}{dot}{name}"), into);
        }
    } else if let Some(items) = schema
        .get("items")
        .filter(|items| items.get("properties").is_some())
    {
        leaves(items, &format!("{at}[]"), into);
    } else {
        into.insert(at.to_owned());
    }
}

/// The full definition with these changes.
pub fn specified(changes: &[&Changes]) -> ClusterSpec {
    let mut definition = full();
    for (at, value) in changes.iter().copied().flatten() {
        let (section, field) = at.rsplit_once('/').unwrap();
        let section = definition
            .pointer_mut(section)
            .unwrap()
            .as_object_mut()
            .unwrap();
        if value.is_null() {
            assert!(section.remove(field).is_some(), "{at} is not there");
        } else {
            section.insert(field.to_owned(), value.clone());
        }
    }
    definition::parse("full.yaml", &definition.to_string())
        .unwrap_or_else(|problems| panic!("{changes:?}: {problems}"))
}

/// Its stacks, by kind.
pub fn designed(changes: &[&Changes]) -> BTreeMap<String, Stack> {
    let spec = specified(changes);
    let stacks = stacks::design(&spec, &Templates::new(None).unwrap()).unwrap();
    stacks
        .into_iter()
        .map(|stack| (stack.kind.to_string(), stack))
        .collect()
}

/// A resource as it looks to a change set: an image is what its parameter stands for.
fn resolved(stack: &Stack, value: &Value) -> Value {
    match value {
        Value::Object(map) if map.len() == 1 && map.contains_key("Ref") => {
            let locked = stack
                .inputs
                .iter()
                .find(|input| value["Ref"] == input.parameter);
            match locked.map(|input| &input.source) {
                Some(Source::Locked { parameter }) => json!(parameter),
                _ => value.clone(),
            }
        }
        Value::Object(map) => {
            let inner = map
                .iter()
                .map(|(key, value)| (key.clone(), resolved(stack, value)));
            Value::Object(inner.collect())
        }
        Value::Array(all) => all.iter().map(|value| resolved(stack, value)).collect(),
        other => other.clone(),
    }
}

/// The paths of what differs, as fine as can be, with dots.
fn differing(before: &Value, after: &Value, at: &str, into: &mut Vec<String>) {
    match (before, after) {
        (Value::Object(a), Value::Object(b)) => {
            let keys: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
            for key in keys {
                let dot = if at.is_empty() { "" } else { "." };
                differing(&before[key], &after[key], &format!("{at}{dot}{key}"), into);
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (index, (a, b)) in a.iter().zip(b).enumerate() {
                differing(a, b, &format!("{at}.{index}"), into);
            }
        }
        _ if before != after => into.push(at.to_owned()),
        _ => {}
    }
}

/// What differs between two designs of a stack: logical id and path; no path where the resource itself
/// comes or goes.
fn differences(before: &Stack, after: &Stack) -> Vec<(String, Option<String>)> {
    let mut all = Vec::new();
    let ids = |stack: &Stack| {
        stack
            .resources()
            .map(|(id, _)| id.to_owned())
            .collect::<Vec<_>>()
    };
    let both: BTreeSet<String> = ids(before).into_iter().chain(ids(after)).collect();
    for id in both {
        let (old, new) = (
            &before.template["Resources"][&id],
            &after.template["Resources"][&id],
        );
        if old.is_null() || new.is_null() {
            all.push((id, None));
            continue;
        }
        let mut paths = Vec::new();
        differing(
            &resolved(before, old),
            &resolved(after, new),
            "",
            &mut paths,
        );
        all.extend(paths.into_iter().map(|path| (id.clone(), Some(path))));
    }
    if before.tags != after.tags {
        let first = ids(after).swap_remove(0);
        all.push((first, Some("Tags".to_owned())));
    }
    all
}

/// Whether a field that was named (`pools[batch].taints`) is the leaf that was changed, or a section
/// around it.
fn stands_for(named: &str, leaf: &str) -> bool {
    let mut shape = named.to_owned();
    if let (Some(open), Some(close)) = (shape.find('['), shape.find(']')) {
        shape.replace_range(open + 1..close, "");
    }
    leaf.strip_prefix(&shape)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

/// Fields that say which stack is meant: another value is another stack, never a change of one.
const IDENTITY: [&str; 2] = ["name", "region"];
/// Fields that no stack has a trace of.
const ELSEWHERE: [&str; 3] = ["account", "access.ttl", "access.maxTtl"];

#[test]
fn every_field_of_the_schema_is_tried() {
    let mut wanted = BTreeSet::new();
    leaves(&definition::schema(), "", &mut wanted);
    let tried: BTreeSet<String> = trials().iter().map(|trial| trial.leaf.to_owned()).collect();
    assert_eq!(tried, wanted);
}

#[test]
fn differences_name_the_changed_field() {
    let mut missed = Vec::new();
    let mut silent: BTreeSet<&str> = trials().iter().map(|trial| trial.leaf).collect();
    for trial in trials() {
        let before = designed(&[&trial.before]);
        let after = designed(&[&trial.before, &trial.change]);
        if before.keys().ne(after.keys()) {
            silent.remove(trial.leaf);
        }
        for (kind, old) in &before {
            let Some(new) = after.get(kind) else { continue };
            for (id, path) in differences(old, new) {
                silent.remove(trial.leaf);
                if IDENTITY.contains(&trial.leaf) {
                    continue;
                }
                let whole = path
                    .as_deref()
                    .map(|p| p.split('.').take(2).collect::<Vec<_>>().join("."));
                for asked in [path, whole].iter().map(Option::as_deref) {
                    let found = new.fields(&id, asked);
                    // A section is what a property without a line falls back on: that proves nothing.
                    let exact = |named: &String| {
                        asked.is_none() || named.contains('.') || named == trial.leaf
                    };
                    let mut exact = found.iter().filter(|named| exact(named));
                    if !exact.any(|named| stands_for(named, trial.leaf)) {
                        missed.push(format!(
                            "{} -> {kind}/{id} {asked:?}: {found:?}",
                            trial.leaf
                        ));
                    }
                }
            }
        }
    }
    missed.sort();
    missed.dedup();
    assert!(missed.is_empty(), "{}", missed.join("\n"));
    assert_eq!(silent, BTreeSet::from(ELSEWHERE));
}

/// What tells a line apart from all others: its table, its resource and its path.
type Line = (String, &'static str, &'static str);

fn line(stack: &Stack, row: FieldOrigin) -> Line {
    let table = match &stack.kind {
        _ if row.resource == "*" && row.path != "-" => "everywhere".to_owned(),
        StackKind::Pool(_) => "pool".to_owned(),
        kind => kind.to_string(),
    };
    (table, row.resource, row.path)
}

#[test]
fn every_line_of_the_field_table_is_used() {
    let mut known = BTreeSet::new();
    let mut proved = BTreeSet::new();
    for trial in trials() {
        let before = designed(&[&trial.before]);
        let after = designed(&[&trial.before, &trial.change]);
        for (kind, old) in &before {
            for row in old.table() {
                known.extend(row.fields().map(|field| (line(old, row), field)));
            }
            // A line for a whole resource lives when it is what the resource goes by.
            for (id, _) in old.resources() {
                let row = old
                    .table()
                    .find(|row| row.matches_resource(id))
                    .expect("every resource has a line");
                proved.extend(row.fields().map(|field| (line(old, row), field)));
            }
            let Some(new) = after.get(kind) else { continue };
            for (id, path) in differences(old, new) {
                let Some(path) = path else { continue };
                for row in new.table().filter(|row| row.matches_property(&id, &path)) {
                    let fields = row.fields().filter(|field| stands_for(field, trial.leaf));
                    proved.extend(fields.map(|field| (line(new, row), field)));
                }
            }
        }
    }
    let dead: Vec<_> = known
        .difference(&proved)
        .filter(|(_, field)| *field != "{lock}")
        .collect();
    assert!(dead.is_empty(), "{dead:#?}");
}

#[test]
fn every_field_of_a_table_is_one_of_the_schema() {
    let mut leaves_of_all = BTreeSet::new();
    leaves(&definition::schema(), "", &mut leaves_of_all);
    for stack in designed(&[]).values() {
        for field in stack
            .table()
            .flat_map(FieldOrigin::fields)
            .filter(|field| *field != "{lock}")
        {
            let is_known = leaves_of_all.iter().any(|leaf| stands_for(field, leaf));
            assert!(is_known, "{}: {field}", stack.kind);
        }
    }
}

#[test]
fn failures_without_a_change_name_a_field() {
    let stacks = designed(&[]);
    let of = |stack: &str, id: &str, path| stacks[stack].fields(id, path).join(" ");
    assert_eq!(of("edge", "RegionalNatGateway", None), "network.nat");
    assert_eq!(
        of("pool-batch", "GroupA", None),
        "pools[batch] pools[batch].spread zones"
    );
    assert_eq!(
        of("database", "Database", Some("Properties.KmsKeyId")),
        "database"
    );
    let image = "Properties.LaunchTemplateData.ImageId";
    assert!(of("pool-workers", "LaunchTemplate", Some(image)).starts_with("full.lock.yaml "));
}

#[test]
fn a_resource_has_its_line_in_the_rendered_file() {
    for stack in designed(&[]).values() {
        let yaml = stack.yaml();
        for (id, of_type) in stack.resources() {
            let line = stack.line(id).unwrap() as usize;
            let mut lines = yaml.lines().skip(line - 1);
            assert_eq!(lines.next(), Some(format!("  {id}:").as_str()));
            assert_eq!(lines.next(), Some(format!("    Type: {of_type}").as_str()));
        }
        assert_eq!(stack.line("Nothing"), None);
        // Parameters and outputs bear names of their own.
        let output = stack.template["Outputs"].as_object().unwrap().keys();
        for name in output.filter(|name| stack.template["Resources"].get(name).is_none()) {
            assert_eq!(stack.line(name), None, "{name}");
        }
    }
}
