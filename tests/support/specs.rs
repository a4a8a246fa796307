//! Clusters as values, for tests of the stages after the definition.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeMap;

use kube_cfn::spec::{
    Access, Api, ApiDns, Architecture, ClusterSpec, ControlPlane, Database, Exposure, Nat, Network,
    NodePool, Spread, Taint, TaintEffect, Zone,
};
use semver::Version;

/// Three slots, two pools of which one spot, Multi-AZ database, egress that survives a zone.
pub fn production() -> ClusterSpec {
    ClusterSpec {
        account: Some("123456789012".to_owned()),
        api: Api {
            exposure: Exposure::Public,
            allowed_cidrs: vec![
                "203.0.113.0/24".parse().unwrap(),
                "198.51.100.7/32".parse().unwrap(),
            ],
            dns: Some(ApiDns {
                name: "api.production.example.com".to_owned(),
                hosted_zone: "Z0123456789ABCDEFGHIJ".to_owned(),
            }),
        },
        pools: vec![
            pool("system", &["m7g.large"]),
            NodePool {
                min: 0,
                max: 12,
                spot_percent: 100,
                on_demand_base: 0,
                labels: BTreeMap::from([("example.com/tier".to_owned(), "batch".to_owned())]),
                taints: vec![Taint {
                    key: "example.com/batch".to_owned(),
                    value: "true".to_owned(),
                    effect: TaintEffect::NoSchedule,
                }],
                ..pool("batch", &["m7g.xlarge", "m6g.xlarge", "c7g.xlarge"])
            },
        ],
        database: Some(database("17.11", "db.m7g.large", true)),
        protect: true,
        access: Access {
            issuers: vec!["arn:aws:iam::123456789012:role/deploy".to_owned()],
            ttl_seconds: 28_800,
            max_ttl_seconds: 86_400,
        },
        tags: BTreeMap::from([("team".to_owned(), "platform \"core\"".to_owned())]),
        ..minimal_named("production")
    }
}

/// One NAT gateway, one pool, a single-AZ database, an internal API.
pub fn canary() -> ClusterSpec {
    ClusterSpec {
        network: network("10.30.0.0/16", Nat::Single),
        api: Api {
            exposure: Exposure::Internal,
            allowed_cidrs: vec!["10.0.0.0/8".parse().unwrap()],
            dns: None,
        },
        database: Some(database("17.11", "db.t4g.medium", false)),
        ..minimal_named("canary")
    }
}

/// Name, region and version; everything else a default.
pub fn minimal() -> ClusterSpec {
    minimal_named("minimal")
}

/// One slot without NAT on Intel machines: gone by the evening.
pub fn throw_away() -> ClusterSpec {
    let mut spec = ClusterSpec {
        network: network("10.40.0.0/18", Nat::None),
        control_plane: ControlPlane {
            nodes: 1,
            instance_type: "t3.medium".to_owned(),
            architecture: Architecture::X86_64,
            volume_gib: 20,
            etcd_volume_gib: 10,
        },
        pools: vec![NodePool {
            architecture: Architecture::X86_64,
            spot_percent: 50,
            ..pool("workers", &["t3.large"])
        }],
        ..minimal_named("throw-away")
    };
    "us-east-1".clone_into(&mut spec.region);
    spec.zones.truncate(2);
    for zone in &mut spec.zones {
        zone.name = format!("us-east-1{}", zone.letter);
    }
    spec
}

/// A pool of one group a zone, a database from a snapshot, node binaries from a mirror.
pub fn zonal() -> ClusterSpec {
    let mut database = database("18.6", "db.t4g.micro", false);
    database.restore_from = Some("arn:aws:rds:eu-west-1:123456789012:snapshot:before".to_owned());
    database.parameters = BTreeMap::from([("rds.force_ssl".to_owned(), "0".to_owned())]);
    ClusterSpec {
        pools: vec![NodePool {
            min: 4,
            spread: Spread::Zonal,
            ..pool("stateful", &["m7g.large", "m6g.large"])
        }],
        database: Some(database),
        mirror: Some("https://mirror.example.com/kubernetes".to_owned()),
        ..minimal_named("zonal")
    }
}

/// Every one of them.
pub fn all() -> Vec<ClusterSpec> {
    vec![production(), canary(), minimal(), throw_away(), zonal()]
}

fn minimal_named(name: &str) -> ClusterSpec {
    let zone = |letter| Zone {
        name: format!("eu-west-1{letter}"),
        letter,
    };
    ClusterSpec {
        name: name.to_owned(),
        region: "eu-west-1".to_owned(),
        account: None,
        kubernetes: Version::new(1, 36, 4),
        zones: ['a', 'b', 'c'].map(zone).to_vec(),
        network: network("10.20.0.0/16", Nat::Regional),
        api: Api {
            exposure: Exposure::Internal,
            allowed_cidrs: Vec::new(),
            dns: None,
        },
        control_plane: ControlPlane {
            nodes: 3,
            instance_type: "m7g.large".to_owned(),
            architecture: Architecture::Arm64,
            volume_gib: 30,
            etcd_volume_gib: 20,
        },
        pools: vec![pool("workers", &["m7g.large"])],
        database: None,
        protect: false,
        access: Access {
            issuers: Vec::new(),
            ttl_seconds: 28_800,
            max_ttl_seconds: 86_400,
        },
        mirror: None,
        tags: BTreeMap::new(),
    }
}

fn network(cidr: &str, nat: Nat) -> Network {
    Network {
        cidr: cidr.parse().unwrap(),
        pod_cidr: "100.64.0.0/14".parse().unwrap(),
        service_cidr: "100.68.0.0/16".parse().unwrap(),
        nat,
    }
}

fn pool(name: &str, instance_types: &[&str]) -> NodePool {
    NodePool {
        name: name.to_owned(),
        instance_types: instance_types.iter().map(|&name| name.to_owned()).collect(),
        architecture: Architecture::Arm64,
        min: 2,
        max: 6,
        spot_percent: 0,
        on_demand_base: 0,
        labels: BTreeMap::new(),
        taints: Vec::new(),
        volume_gib: 50,
        spread: Spread::Regional,
    }
}

fn database(engine_version: &str, class: &str, multi_az: bool) -> Database {
    Database {
        engine_version: engine_version.to_owned(),
        class: class.to_owned(),
        storage_gib: 100,
        storage_limit_gib: 500,
        multi_az,
        backup_days: 14,
        backup_window: "03:00-04:00".to_owned(),
        maintenance_window: "sun:04:30-sun:05:30".to_owned(),
        parameters: BTreeMap::new(),
        restore_from: None,
        secret: None,
    }
}
