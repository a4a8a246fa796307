//! What a change of each field of the definition means for a cluster that lives. A field that is added and not judged
//! here does not compile.

use super::Row;
use super::fields::Judgement::{Elsewhere, Harmless, Rows};
use crate::spec::{
    Access, Api, ApiDns, ClusterSpec, ControlPlane, Database, DatabaseSecret, Network, NodePool,
    Taint,
};

/// What decides on a change of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judgement {
    /// These rows of the table.
    Rows(&'static [Row]),
    /// Another part of the program, named here.
    Elsewhere(&'static str),
    /// It works and loses nothing: why.
    Harmless(&'static str),
}

/// A field as the schema has it (`pools[].min`), and what decides on its change.
pub type JudgedField = (&'static str, Judgement);

/// Why a change of what only new machines take is harmless.
const NEW_MACHINES: Judgement = Harmless("machines that run keep theirs until they are replaced");
/// Why a change that AWS makes in place is harmless.
const IN_PLACE: Judgement = Harmless("AWS changes it in place");
const OUTAGE: Judgement = Elsewhere("forecast::outage names how long the database is away");
/// Replacements that CloudFormation itself announces.
const RISK: Judgement = Elsewhere("plan::risk refuses the replacement unless it is named");

/// Every field of a definition with what decides on its change.
pub fn judged(spec: &ClusterSpec) -> Vec<JudgedField> {
    let ClusterSpec {
        name: _,
        region: _,
        account: _,
        kubernetes: _,
        zones: _,
        network,
        api,
        control_plane,
        pools,
        database,
        protect: _,
        access,
        mirror: _,
        tags: _,
    } = spec;
    let identity = Elsewhere("another value is another cluster");
    let mut all = vec![
        ("name", identity),
        ("region", identity),
        (
            "account",
            Elsewhere("cli::session compares it with the credentials"),
        ),
        ("kubernetes", Elsewhere("plan::versions")),
        ("zones", Rows(&[Row::Zones])),
        ("protect", Rows(&[Row::Protection])),
        ("mirror", NEW_MACHINES),
        ("tags", IN_PLACE),
    ];
    all.extend(of_network(network));
    all.extend(of_api(api));
    all.extend(of_control_plane(control_plane));
    all.extend(pools.iter().take(1).flat_map(of_pool));
    all.extend(database.iter().flat_map(of_database));
    all.extend(of_access(access));
    all
}

fn of_network(network: &Network) -> Vec<JudgedField> {
    let Network {
        cidr: _,
        pod_cidr: _,
        service_cidr: _,
        nat: _,
    } = network;
    vec![
        ("network.cidr", Rows(&[Row::NetworkCidr])),
        ("network.podCidr", Rows(&[Row::Ranges])),
        ("network.serviceCidr", Rows(&[Row::Ranges])),
        ("network.nat", Rows(&[Row::NodeSubnets, Row::NatAddresses])),
    ]
}

fn of_api(api: &Api) -> Vec<JudgedField> {
    let Api {
        exposure: _,
        allowed_cidrs: _,
        dns,
    } = api;
    let mut all = vec![
        // With a name of its own the load balancer's replacement is left, which has to be named.
        ("api.exposure", Rows(&[Row::ApiAddress])),
        ("api.allowedCidrs", IN_PLACE),
    ];
    if let Some(ApiDns {
        name: _,
        hosted_zone: _,
    }) = dns
    {
        all.push(("api.dns.name", Rows(&[Row::ApiAddress])));
        all.push(("api.dns.hostedZone", RISK));
    }
    all
}

fn of_control_plane(control_plane: &ControlPlane) -> Vec<JudgedField> {
    let ControlPlane {
        nodes: _,
        instance_type: _,
        // Follows from the instance type.
        architecture: _,
        volume_gib: _,
        etcd_volume_gib: _,
    } = control_plane;
    vec![
        ("controlPlane.nodes", Rows(&[Row::ControlPlaneNodes])),
        (
            "controlPlane.instanceType",
            Rows(&[Row::ControlPlaneArchitecture]),
        ),
        ("controlPlane.volumeGib", NEW_MACHINES),
        ("controlPlane.etcdVolumeGib", Rows(&[Row::VolumeShrink])),
    ]
}

fn of_pool(pool: &NodePool) -> Vec<JudgedField> {
    let NodePool {
        name: _,
        instance_types: _,
        // Follows from the instance types.
        architecture: _,
        min: _,
        max: _,
        spot_percent: _,
        on_demand_base: _,
        labels: _,
        taints,
        volume_gib: _,
        spread: _,
    } = pool;
    let size = Elsewhere("the sizes of the running groups decide");
    let mut all = vec![
        (
            "pools[].name",
            Harmless("the old pool is left alone beside the new one"),
        ),
        ("pools[].instanceTypes", Rows(&[Row::PoolArchitecture])),
        ("pools[].min", size),
        ("pools[].max", size),
        ("pools[].spotPercent", NEW_MACHINES),
        ("pools[].onDemandBase", NEW_MACHINES),
        ("pools[].labels", NEW_MACHINES),
        ("pools[].volumeGib", NEW_MACHINES),
        ("pools[].spread", Rows(&[Row::PoolSpread])),
    ];
    if let Some(Taint {
        key: _,
        value: _,
        effect: _,
    }) = taints.first()
    {
        let taints = [
            "pools[].taints[].key",
            "pools[].taints[].value",
            "pools[].taints[].effect",
        ];
        all.extend(taints.map(|field| (field, NEW_MACHINES)));
    }
    all
}

fn of_database(database: &Database) -> Vec<JudgedField> {
    let Database {
        engine_version: _,
        class: _,
        storage_gib: _,
        storage_limit_gib: _,
        multi_az: _,
        backup_days: _,
        backup_window: _,
        maintenance_window: _,
        parameters: _,
        restore_from: _,
        secret,
    } = database;
    let mut all = vec![
        ("database.engineVersion", Rows(&[Row::EngineVersion])),
        ("database.class", OUTAGE),
        ("database.storageGib", Rows(&[Row::Storage])),
        ("database.storageLimitGib", Rows(&[Row::StorageLimit])),
        ("database.multiAz", OUTAGE),
        ("database.backupDays", Rows(&[Row::BackupDays])),
        ("database.backupWindow", IN_PLACE),
        ("database.maintenanceWindow", IN_PLACE),
        ("database.parameters", OUTAGE),
        ("database.restoreFrom", RISK),
    ];
    if let Some(DatabaseSecret {
        name: _,
        namespaces: _,
        user: _,
    }) = secret
    {
        let fields = [
            "database.secret.name",
            "database.secret.namespaces",
            "database.secret.user",
        ];
        all.extend(fields.map(|field| (field, NEW_MACHINES)));
    }
    all
}

fn of_access(access: &Access) -> Vec<JudgedField> {
    let Access {
        issuers: _,
        ttl_seconds: _,
        max_ttl_seconds: _,
    } = access;
    let asked = Harmless("holds for certificates that are asked for afterwards");
    vec![
        ("access.issuers", IN_PLACE),
        ("access.ttl", asked),
        ("access.maxTtl", asked),
    ]
}
